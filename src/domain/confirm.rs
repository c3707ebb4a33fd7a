//! Who is asked next about what: misses and extras that want to be explained, samples, and questions of people.
//!
//! Each host has a queue of its own with a distance between requests; a question is asked once for everyone who waits for
//! its answer. What asking comes to is a [`Told`]; whoever sends the requests hands the answers back. Nothing here has a
//! clock or a socket, and every list is bounded: what there is no room for becomes `unverifiable`, and is counted.

mod case;
mod listed;
mod load;
mod reply;
mod survey;
mod turns;

pub use load::{Full, Load};
pub use reply::{Heard, Page, Reply, speaks_of};
pub use survey::{HostLog, LINES_MAX, LogLine, Standing, SurveyReport, Why};

use super::audit_log::is_sound;
use super::did::Did;
use super::finding::{About, Finding, ProbeEvidence};
use super::op::{Op, OpKey};
use super::source::SourceIx;
use super::time::{SECOND, Tau};
use case::{Case, Knows, Step};
use listed::Listed;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use survey::{Next, Survey};
use turns::{Asker, Class, Ended, Question, Turns};

/// Misses and extras of one mirror that are being explained, those that wait for a further look among them.
pub const CASES_MAX: usize = 10_000;
/// Extras of one mirror among them: it can make as many as it likes.
pub const EXTRA_CASES_MAX: usize = 2_000;
/// DIDs that are being asked about at every host, samples and requests each.
pub const SURVEYS_MAX: usize = 8;
/// When a miss or extra that may heal is looked at again, nanoseconds after the first look.
pub const AGAIN_NS: [i64; 4] = [60 * SECOND, 600 * SECOND, 3_600 * SECOND, 21_600 * SECOND];

/// How hosts are asked.
#[derive(Clone, Copy, Debug)]
pub struct ConfirmOptions {
    /// The primary and the mirrors.
    pub sources: usize,
    /// Least nanoseconds between two requests to one host.
    pub gap_ns: i64,
    /// How long a mirror may take for an operation, nanoseconds.
    pub grace_ns: i64,
}

/// A request to be sent now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// To whom.
    pub host: SourceIx,
    /// About whom.
    pub did: Did,
    /// For what.
    pub page: Page,
    /// Operations whose content the answer is to bring, and which are then to be checked by the rules of validity.
    pub check: Vec<OpKey>,
}

/// What was found about a miss or an extra.
#[derive(Clone, PartialEq, Debug)]
pub struct Explained {
    /// The mirror concerned.
    pub source: SourceIx,
    /// Which operation.
    pub key: OpKey,
    /// What was to be explained.
    pub about: About,
    /// What stands now.
    pub finding: Finding,
    /// Whether it will not be asked again.
    pub is_final: bool,
    /// The operation as the primary's audit log lists it, where it does.
    pub listed: Option<Op>,
    /// What was asked and answered in this look.
    pub probes: Vec<ProbeEvidence>,
}

/// What asking came to.
#[derive(Clone, PartialEq, Debug)]
pub enum Told {
    /// About a miss or an extra.
    Explained(Explained),
    /// About a DID at every host.
    Surveyed(Box<SurveyReport>),
}

/// What is known of a host.
#[derive(Debug)]
struct Host {
    turns: Turns,
    /// Whether it ever answered with a log: then its 404 is about the DID.
    has_log: bool,
    /// Cases that it is the mirror of.
    cases: usize,
    /// Extras among them.
    extras: usize,
    /// Those of them that wait for a further look.
    later: BTreeSet<(Tau, u64)>,
    let_go: u64,
}

/// Everything that is being asked about.
#[derive(Debug)]
pub struct Confirm {
    hosts: Vec<Host>,
    cases: HashMap<u64, Case>,
    by_key: HashMap<(SourceIx, OpKey), u64>,
    surveys: BTreeMap<u64, Survey>,
    listed: Listed,
    next_id: u64,
    samples_skipped: u64,
    grace_ns: i64,
}

impl Confirm {
    /// Nothing to do yet.
    #[must_use]
    pub fn new(options: ConfirmOptions) -> Confirm {
        let host = |_| Host {
            turns: Turns::new(options.gap_ns),
            has_log: false,
            cases: 0,
            extras: 0,
            later: BTreeSet::new(),
            let_go: 0,
        };
        Confirm {
            hosts: (0..options.sources).map(host).collect(),
            cases: HashMap::new(),
            by_key: HashMap::new(),
            surveys: BTreeMap::new(),
            listed: Listed::default(),
            next_id: 0,
            samples_skipped: 0,
            grace_ns: options.grace_ns,
        }
    }

    fn host(&mut self, source: SourceIx) -> Option<&mut Host> {
        self.hosts.get_mut(usize::from(source.0))
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Takes a miss or an extra that wants to be explained; what is being explained already is not taken twice. What is
    /// told at once is what there was no room for.
    pub fn add(&mut self, source: SourceIx, key: OpKey, about: About) -> Vec<Told> {
        if self.by_key.contains_key(&(source, key)) || source == SourceIx::PRIMARY {
            return Vec::new();
        }
        let Some((held, extras)) = self.host(source).map(|h| (h.cases, h.extras)) else { return Vec::new() };
        let mut told = Vec::new();
        if about == About::Extra && extras >= EXTRA_CASES_MAX {
            self.let_go(source);
            told.push(Told::Explained(unasked(source, key, about)));
            return told;
        }
        if held >= CASES_MAX {
            // What waits for a further look has been explained once.
            let Some(ended) = self.end_latest(source) else {
                self.let_go(source);
                told.push(Told::Explained(unasked(source, key, about)));
                return told;
            };
            told.push(Told::Explained(ended));
        }
        let id = self.id();
        let mut case = Case::new(source, key, about);
        let (host, page) = case.begin();
        self.cases.insert(id, case);
        self.by_key.insert((source, key), id);
        if let Some(host) = self.host(source) {
            host.cases += 1;
            host.extras += usize::from(about == About::Extra);
        }
        self.ask(host, Question { did: key.did, page }, Class::Fresh, source, Asker::Case(id));
        told
    }

    fn let_go(&mut self, source: SourceIx) {
        if let Some(host) = self.host(source) {
            host.let_go += 1;
        }
    }

    /// Ends the case of this source that waits longest for its further look, with what was found.
    fn end_latest(&mut self, source: SourceIx) -> Option<Explained> {
        let (_, id) = self.host(source)?.later.pop_last()?;
        self.let_go(source);
        let case = self.remove(id)?;
        let finding = case.found.unwrap_or(Finding::Unverifiable);
        Some(Explained { finding, ..unasked(source, case.key, case.about) })
    }

    fn remove(&mut self, id: u64) -> Option<Case> {
        let case = self.cases.remove(&id)?;
        self.by_key.remove(&(case.source, case.key));
        if let Some(host) = self.host(case.source) {
            host.cases = host.cases.saturating_sub(1);
            host.extras = host.extras.saturating_sub(usize::from(case.about == About::Extra));
        }
        Some(case)
    }

    fn ask(&mut self, host: SourceIx, question: Question, class: Class, of: SourceIx, asker: Asker) {
        if let Some(host) = self.host(host) {
            host.turns.ask(question, class, of, asker);
        }
    }

    /// Asks every host about a DID. `delivered` are operations of it that the primary delivered longer ago than it may take
    /// to list them.
    ///
    /// # Errors
    /// [`Full`]; a sample that there is no room for is counted.
    pub fn survey(&mut self, did: Did, why: Why, delivered: Vec<OpKey>, now: Tau) -> Result<(), Full> {
        let is_sample = why == Why::Sample;
        if self.surveys.values().filter(|s| (s.why == Why::Sample) == is_sample).count() >= SURVEYS_MAX {
            self.samples_skipped += u64::from(is_sample);
            return Err(Full);
        }
        let survey = Survey::new(did, why, delivered, self.hosts.len(), now);
        let (id, open) = (self.id(), survey.open().to_vec());
        self.surveys.insert(id, survey);
        self.ask_for_survey(id, did, why, &open);
        Ok(())
    }

    fn ask_for_survey(&mut self, id: u64, did: Did, why: Why, hosts: &[SourceIx]) {
        let class = if why == Why::Sample { Class::Sample } else { Class::Request };
        for host in hosts {
            self.ask(*host, Question { did, page: Page::Audit }, class, *host, Asker::Survey(id));
        }
    }

    /// Does what is due, and returns the requests to be sent now, one a host at most.
    pub fn next(&mut self, now: Tau) -> (Vec<Ask>, Vec<Told>) {
        let told = self.pass(now);
        let mut asks = Vec::new();
        for (host, i) in self.hosts.iter_mut().zip(0..) {
            let Some(Question { did, page }) = host.turns.take(now) else { continue };
            let case = |asker: &Asker| match asker {
                Asker::Case(id) => self.cases.get(id),
                Asker::Survey(_) => None,
            };
            let cases = host.turns.under_way().iter().filter_map(case);
            let check = cases.filter(|c| c.wants_content()).map(|c| c.key).collect();
            asks.push(Ask { host: SourceIx(i), did, page, check });
        }
        (asks, told)
    }

    /// When [`Confirm::next`] has something to do without an answer; none when nothing waits.
    #[must_use]
    pub fn wake_at(&self) -> Option<Tau> {
        let hosts = self.hosts.iter().filter_map(|h| h.turns.opens_at());
        let later = self.hosts.iter().filter_map(|h| h.later.first().map(|l| l.0));
        hosts.chain(later).chain(self.surveys.values().map(Survey::due)).min()
    }

    fn pass(&mut self, now: Tau) -> Vec<Told> {
        let due = |h: &mut Host| {
            let not_yet = h.later.split_off(&(now.plus(1), 0));
            std::mem::replace(&mut h.later, not_yet)
        };
        let looks: Vec<(Tau, u64)> = self.hosts.iter_mut().flat_map(due).collect();
        for (_, id) in looks {
            let Some(case) = self.cases.get_mut(&id) else { continue };
            case.round += 1;
            let ((host, page), did, source) = (case.begin(), case.key.did, case.source);
            self.ask(host, Question { did, page }, Class::Again, source, Asker::Case(id));
        }
        let due: Vec<u64> = self.surveys.iter().filter(|s| s.1.due() <= now).map(|s| *s.0).collect();
        let grace_ns = self.grace_ns;
        let mut told = Vec::new();
        for id in due {
            let Some(survey) = self.surveys.get_mut(&id) else { continue };
            let next = survey.pass(now, grace_ns);
            self.follow_survey(id, next, &mut told);
        }
        told
    }

    fn follow_survey(&mut self, id: u64, next: Next, told: &mut Vec<Told>) {
        match next {
            Next::Wait => {}
            Next::Ask(hosts) => {
                if let Some((did, why)) = self.surveys.get(&id).map(|s| (s.did, s.why)) {
                    self.ask_for_survey(id, did, why, &hosts);
                }
            }
            Next::Report(report) => {
                self.surveys.remove(&id);
                self.hosts.iter_mut().for_each(|h| h.turns.forget(Asker::Survey(id)));
                told.push(Told::Surveyed(report));
            }
        }
    }

    /// The host answered what it was asked, or did not; `invalid` are those of [`Ask::check`] that break the rules.
    pub fn answered(
        &mut self,
        host: SourceIx,
        reply: Reply,
        invalid: &[OpKey],
        probe: &ProbeEvidence,
        now: Tau,
    ) -> Vec<Told> {
        let ended = match &reply {
            Reply::Failed => Ended::Failed,
            Reply::Busy { retry_after_s } => Ended::Busy(*retry_after_s),
            _ => Ended::Answered,
        };
        let Some(known) = self.host(host) else { return Vec::new() };
        let Some((question, askers)) = known.turns.ended(ended, now) else { return Vec::new() };
        let reply = match reply {
            Reply::Log(log) => {
                known.has_log |= !log.is_empty();
                Reply::Log(log)
            }
            Reply::Unknown { is_sure } => Reply::Unknown { is_sure: is_sure || known.has_log },
            other => other,
        };
        let mut told = Vec::new();
        for asker in askers {
            match asker {
                Asker::Case(id) => told.extend(self.hear(id, &reply, invalid, probe, now)),
                Asker::Survey(id) => {
                    let grace_ns = self.grace_ns;
                    let Some(survey) = self.surveys.get_mut(&id) else { continue };
                    let next = survey.hear(host, &reply, probe, now, grace_ns);
                    self.follow_survey(id, next, &mut told);
                }
            }
        }
        if let (SourceIx::PRIMARY, Reply::Log(log)) = (host, &reply)
            && is_sound(log, question.did)
        {
            self.listed.add_all(log);
        }
        told
    }

    fn hear(&mut self, id: u64, reply: &Reply, invalid: &[OpKey], probe: &ProbeEvidence, now: Tau) -> Option<Told> {
        let case = self.cases.get_mut(&id)?;
        let knows = Knows { is_invalid: invalid.contains(&case.key), was_listed: self.listed.has(&case.key.cid) };
        case.probes.push(probe.clone());
        let (source, did) = (case.source, case.key.did);
        match case.hear(reply, knows) {
            Step::Ask(host, page) => {
                let class = if case.round == 0 { Class::Fresh } else { Class::Again };
                self.ask(host, Question { did, page }, class, source, Asker::Case(id));
                None
            }
            Step::Found(finding, listed) => {
                let finding = case.standing(finding);
                let first_at = *case.first_at.get_or_insert(now);
                case.found = Some(finding);
                let again = case.again_at(finding, first_at);
                let (key, about, probes) = (case.key, case.about, std::mem::take(&mut case.probes));
                let is_final = again.is_none();
                match (again, self.host(source)) {
                    (Some(at), Some(host)) => drop(host.later.insert((at.max(now), id))),
                    _ => drop(self.remove(id)),
                }
                Some(Told::Explained(Explained { source, key, about, finding, is_final, listed, probes }))
            }
        }
    }

    /// How much there is to do.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            waiting: self.hosts.iter().map(|h| h.turns.len()).collect(),
            cases: self.hosts.iter().map(|h| h.cases).collect(),
            let_go: self.hosts.iter().map(|h| h.let_go).collect(),
            samples_skipped: self.samples_skipped,
        }
    }
}

fn unasked(source: SourceIx, key: OpKey, about: About) -> Explained {
    let finding = Finding::Unverifiable;
    Explained { source, key, about, finding, is_final: true, listed: None, probes: Vec::new() }
}

#[cfg(test)]
mod tests;
