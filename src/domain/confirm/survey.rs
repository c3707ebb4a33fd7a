//! One DID asked about at every host: as a sample, or because somebody wants to know.
//!
//! A sample that finds a difference asks once more: the mirrors that differ after the grace, and the primary behind
//! them. Only when the primary's log stayed the same meanwhile does the difference count, so that an operation which is on
//! its way makes no mirror differ, whatever any clock says. A request is answered at once, and fresh operations are let
//! pass by their `createdAt`.

use super::reply::Reply;
use crate::domain::audit_log::{LogAgreement, LogEntry, compare, is_sound, is_tombstoned};
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::finding::ProbeEvidence;
use crate::domain::op::{Kind, OpKey};
use crate::domain::source::SourceIx;
use crate::domain::time::{MS, SECOND, Tau};
use serde::{Deserialize, Serialize};

/// Entries of a log that a report shows, newest kept.
pub const LINES_MAX: usize = 200;
/// How long a request waits for hosts, nanoseconds.
const REQUEST_WITHIN_NS: i64 = 20 * SECOND;
/// How long each look of a sample waits for hosts, nanoseconds.
const SAMPLE_WITHIN_NS: i64 = 120 * SECOND;

/// Why a DID is asked about.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Why {
    /// As a sample, which counts.
    Sample,
    /// Because somebody wants to know; the number leads back to whom.
    Request(u64),
}

/// One entry of a host's log as it is shown.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct LogLine {
    /// Recomputed from the operation.
    pub cid: Cid,
    /// Whether the host states that very CID.
    pub claimed_cid_matches: bool,
    /// Whether the host holds it as nullified.
    pub nullified: bool,
    /// `createdAt`, milliseconds since 1970.
    pub created_ms: i64,
    /// What the operation follows.
    pub prev: Option<Cid>,
    /// What the operation does.
    pub kind: Kind,
}

impl From<&LogEntry> for LogLine {
    fn from(e: &LogEntry) -> LogLine {
        LogLine {
            cid: e.cid,
            claimed_cid_matches: e.claimed_cid_matches,
            nullified: e.nullified,
            created_ms: e.created_ms,
            prev: e.prev,
            kind: e.kind,
        }
    }
}

/// What a host said about a DID, in one word.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Its log.
    Log,
    /// A log that cannot be read to its end.
    Damaged,
    /// That it does not know the DID.
    Unknown,
    /// That it serves the DID no more.
    Gone,
    /// Nothing of use.
    Unusable,
    /// Nothing.
    NoAnswer,
}

impl Standing {
    /// The word in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Standing::Log => "log",
            Standing::Damaged => "damaged",
            Standing::Unknown => "unknown",
            Standing::Gone => "gone",
            Standing::Unusable => "unusable",
            Standing::NoAnswer => "no_answer",
        }
    }
}

/// What one host said about a DID.
#[derive(Clone, PartialEq, Debug)]
pub struct HostLog {
    /// Which host.
    pub source: SourceIx,
    /// What it said.
    pub standing: Standing,
    /// The newest entries of its log, at most [`LINES_MAX`], in its order.
    pub lines: Vec<LogLine>,
    /// All entries of its log.
    pub total: usize,
    /// How its log agrees with the primary's; none at the primary, and where it cannot be told.
    pub agreement: Option<LogAgreement>,
    /// What was asked and answered; none while there was no answer.
    pub probe: Option<ProbeEvidence>,
}

/// What came of asking every host.
#[derive(Clone, PartialEq, Debug)]
pub struct SurveyReport {
    /// About whom.
    pub did: Did,
    /// Why.
    pub why: Why,
    /// When it ended.
    pub ended: Tau,
    /// Every host, in the order of the sources.
    pub hosts: Vec<HostLog>,
    /// Whether the primary gave a log to compare with.
    pub has_measure: bool,
    /// Mirrors that differed while the primary's own log was changing: nothing is said of them.
    pub unsettled: Vec<SourceIx>,
    /// Operations that the primary delivered and does not list any more.
    pub withdrawn: Vec<OpKey>,
}

/// What one host said, as far as the comparison needs it.
#[derive(Clone, Debug, Default)]
enum Said {
    #[default]
    Nothing,
    Log(Vec<LogEntry>),
    Damaged,
    Useless,
}

/// Which look it is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Look {
    First,
    /// Waits for the second one until then.
    Between(Tau),
    /// The mirrors that differed.
    Mirrors,
    /// The primary behind them.
    Primary,
}

/// What follows.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Next {
    /// Nothing until an answer comes or time passes.
    Wait,
    /// These hosts are to be asked.
    Ask(Vec<SourceIx>),
    /// It is over.
    Report(Box<SurveyReport>),
}

/// A DID that is being asked about.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) did: Did,
    pub(super) why: Why,
    /// Operations of it that the primary delivered a good while ago.
    delivered: Vec<OpKey>,
    look: Look,
    deadline: Tau,
    /// When the first look's last answer came.
    open: Vec<SourceIx>,
    said: Vec<Said>,
    hosts: Vec<HostLog>,
    differing: Vec<SourceIx>,
}

impl Survey {
    /// Asks all `hosts` sources at first.
    pub(super) fn new(did: Did, why: Why, delivered: Vec<OpKey>, hosts: usize, now: Tau) -> Survey {
        let sources = || (0..hosts).map(|i| SourceIx(i as u16));
        let silent = |source| HostLog {
            source,
            standing: Standing::NoAnswer,
            lines: Vec::new(),
            total: 0,
            agreement: None,
            probe: None,
        };
        Survey {
            did,
            why,
            delivered,
            look: Look::First,
            deadline: now.plus(if why == Why::Sample { SAMPLE_WITHIN_NS } else { REQUEST_WITHIN_NS }),
            open: sources().collect(),
            said: vec![Said::Nothing; hosts],
            hosts: sources().map(silent).collect(),
            differing: Vec::new(),
        }
    }

    /// The hosts whose answers are waited for.
    pub(super) fn open(&self) -> &[SourceIx] {
        &self.open
    }

    /// When something is to be done without an answer.
    pub(super) fn due(&self) -> Tau {
        match self.look {
            Look::Between(at) => at,
            _ => self.deadline,
        }
    }

    /// Takes a host's answer.
    pub(super) fn hear(
        &mut self,
        host: SourceIx,
        reply: &Reply,
        probe: &ProbeEvidence,
        now: Tau,
        grace_ns: i64,
    ) -> Next {
        let Some(at) = self.open.iter().position(|h| *h == host) else { return Next::Wait };
        self.open.swap_remove(at);
        // The primary's second answer only shows whether it changed.
        if self.look == Look::Primary {
            return self.second(reply, now);
        }
        if let Some(shown) = self.hosts.get_mut(usize::from(host.0)) {
            show(shown, reply, probe);
        }
        if let Some(said) = self.said.get_mut(usize::from(host.0)) {
            *said = match reply {
                Reply::Log(log) => Said::Log(log.iter().cloned().map(LogEntry::without_content).collect()),
                Reply::Unknown { is_sure: true } => Said::Log(Vec::new()),
                Reply::Damaged => Said::Damaged,
                _ => Said::Useless,
            };
        }
        if self.open.is_empty() { self.all_heard(now, grace_ns) } else { Next::Wait }
    }

    /// Time has come for what is due.
    pub(super) fn pass(&mut self, now: Tau, grace_ns: i64) -> Next {
        match self.look {
            Look::Between(_) => {
                self.look = Look::Mirrors;
                self.deadline = now.plus(SAMPLE_WITHIN_NS);
                for source in &self.differing {
                    if let Some(said) = self.said.get_mut(usize::from(source.0)) {
                        *said = Said::Nothing;
                    }
                }
                self.open.clone_from(&self.differing);
                Next::Ask(self.open.clone())
            }
            Look::First => {
                self.open.clear();
                self.all_heard(now, grace_ns)
            }
            // Without the second answers nothing is said of those that differed.
            Look::Mirrors | Look::Primary => self.unsettled(now),
        }
    }

    fn all_heard(&mut self, now: Tau, grace_ns: i64) -> Next {
        let Some(primary) = self.primary() else { return self.report(Vec::new(), now) };
        if self.look == Look::Mirrors {
            self.look = Look::Primary;
            self.deadline = now.plus(SAMPLE_WITHIN_NS);
            self.open = vec![SourceIx::PRIMARY];
            return Next::Ask(self.open.clone());
        }
        let (now_ms, settle_ms) = match self.why {
            Why::Sample => (i64::MAX, 0),
            Why::Request(_) => (self.primary_at_ms(), grace_ns / MS),
        };
        let agreements: Vec<Option<LogAgreement>> =
            self.said.iter().map(|said| agreement(primary, said, now_ms, settle_ms)).collect();
        self.set(agreements);
        let differs = |h: &HostLog| h.agreement.is_some_and(|a| a != LogAgreement::Same);
        self.differing = self.hosts.iter().filter(|h| differs(h)).map(|h| h.source).collect();
        if self.differing.is_empty() || self.why != Why::Sample {
            return self.report(Vec::new(), now);
        }
        self.look = Look::Between(now.plus(grace_ns));
        Next::Wait
    }

    /// The primary answered behind the mirrors that differed.
    fn second(&mut self, reply: &Reply, now: Tau) -> Next {
        let Reply::Log(again) = reply else { return self.unsettled(now) };
        let Some(primary) = self.primary() else { return self.unsettled(now) };
        let line = |e: &LogEntry| (e.cid, e.nullified, e.created_ms);
        if !primary.iter().map(line).eq(again.iter().map(line)) {
            return self.unsettled(now);
        }
        let differing = &self.differing;
        let agreements: Vec<Option<LogAgreement>> = self
            .hosts
            .iter()
            .zip(&self.said)
            .map(|(h, said)| {
                let is_open = differing.contains(&h.source);
                if is_open { agreement(primary, said, i64::MAX, 0) } else { h.agreement }
            })
            .collect();
        self.set(agreements);
        self.report(Vec::new(), now)
    }

    fn unsettled(&mut self, now: Tau) -> Next {
        let differing = std::mem::take(&mut self.differing);
        for host in self.hosts.iter_mut().filter(|h| differing.contains(&h.source)) {
            host.agreement = None;
        }
        self.report(differing, now)
    }

    fn set(&mut self, agreements: Vec<Option<LogAgreement>>) {
        for (host, agreement) in self.hosts.iter_mut().skip(1).zip(agreements.into_iter().skip(1)) {
            host.agreement = agreement;
        }
    }

    /// The primary's log, where it can be a measure.
    fn primary(&self) -> Option<&[LogEntry]> {
        match self.said.first() {
            Some(Said::Log(log)) if !log.is_empty() && is_sound(log, self.did) => Some(log),
            _ => None,
        }
    }

    fn primary_at_ms(&self) -> i64 {
        self.hosts.first().and_then(|h| h.probe.as_ref()).map_or(0, |p| p.at_ms)
    }

    fn report(&mut self, unsettled: Vec<SourceIx>, now: Tau) -> Next {
        let is_listed = |key: &OpKey, log: &[LogEntry]| log.iter().any(|e| e.key() == *key);
        let withdrawn = self
            .primary()
            .map_or_else(Vec::new, |log| self.delivered.iter().filter(|key| !is_listed(key, log)).copied().collect());
        Next::Report(Box::new(SurveyReport {
            did: self.did,
            why: self.why,
            ended: now,
            has_measure: self.primary().is_some(),
            hosts: std::mem::take(&mut self.hosts),
            unsettled,
            withdrawn,
        }))
    }
}

fn agreement(primary: &[LogEntry], said: &Said, now_ms: i64, settle_ms: i64) -> Option<LogAgreement> {
    match said {
        // A replica may answer 404 for what is tombstoned.
        Said::Log(log) if log.is_empty() && is_tombstoned(primary) => None,
        Said::Log(log) => Some(compare(primary, log, now_ms, settle_ms)),
        Said::Damaged => Some(LogAgreement::Invalid),
        Said::Nothing | Said::Useless => None,
    }
}

fn show(host: &mut HostLog, reply: &Reply, probe: &ProbeEvidence) {
    host.standing = match reply {
        Reply::Log(_) => Standing::Log,
        Reply::Damaged => Standing::Damaged,
        Reply::Unknown { .. } => Standing::Unknown,
        Reply::Gone => Standing::Gone,
        Reply::Unusable | Reply::Last(_) => Standing::Unusable,
        Reply::Failed | Reply::Busy { .. } => Standing::NoAnswer,
    };
    host.probe = Some(probe.clone());
    if let Reply::Log(log) = reply {
        host.total = log.len();
        host.lines = log.iter().skip(log.len().saturating_sub(LINES_MAX)).map(LogLine::from).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit_log::tests::chain;

    const GRACE: i64 = 60 * SECOND;
    const P: SourceIx = SourceIx::PRIMARY;
    const A: SourceIx = SourceIx(1);
    const B: SourceIx = SourceIx(2);

    fn probe(at_ms: i64) -> ProbeEvidence {
        ProbeEvidence {
            host: "h".to_owned(),
            url: "u".to_owned(),
            at_ms,
            status: Some(200),
            body_sha256: None,
            error: None,
        }
    }

    /// Tells the survey what these hosts answer at `now`, and returns what follows the last.
    fn tell(survey: &mut Survey, now: Tau, at_ms: i64, answers: &[(SourceIx, Reply)]) -> Next {
        let mut next = Next::Wait;
        for (host, reply) in answers {
            assert_eq!(next, Next::Wait);
            next = survey.hear(*host, reply, &probe(at_ms), now, GRACE);
        }
        next
    }

    fn reported(next: Next) -> SurveyReport {
        match next {
            Next::Report(report) => *report,
            other => panic!("{other:?}"),
        }
    }

    fn log(entries: &[LogEntry]) -> Reply {
        Reply::Log(entries.to_vec())
    }

    fn sample(log: &[LogEntry]) -> Survey {
        Survey::new(log[0].did, Why::Sample, log.iter().map(LogEntry::key).collect(), 3, Tau(0))
    }

    #[test]
    fn agreement_is_told_at_once() {
        let p = chain(3);
        let mut survey = sample(&p);
        assert_eq!(survey.open().len(), 3);
        let next = tell(&mut survey, Tau(5), 0, &[(A, log(&p)), (P, log(&p)), (B, Reply::Failed)]);
        let report = reported(next);
        let agreements: Vec<_> = report.hosts.iter().map(|h| h.agreement).collect();
        assert_eq!(agreements, [None, Some(LogAgreement::Same), None]);
        let standings: Vec<_> = report.hosts.iter().map(|h| h.standing).collect();
        assert_eq!(standings, [Standing::Log, Standing::Log, Standing::NoAnswer]);
        assert_eq!((report.hosts[1].total, report.hosts[1].lines.len(), report.withdrawn.len()), (3, 3, 0));
    }

    #[test]
    fn a_difference_counts_when_it_lasts_while_the_primary_stays_the_same() {
        let p = chain(3);
        let mut other = p.clone();
        other[1].nullified = true;
        let begin = || {
            let mut survey = sample(&p);
            assert_eq!(tell(&mut survey, Tau(5), 0, &[(P, log(&p)), (A, log(&p)), (B, log(&other))]), Next::Wait);
            assert_eq!(survey.due(), Tau(5 + GRACE), "the grace passes first");
            assert_eq!(survey.pass(survey.due(), GRACE), Next::Ask(vec![B]));
            survey
        };
        let mut survey = begin();
        assert_eq!(tell(&mut survey, Tau(GRACE + 9), 0, &[(B, log(&other))]), Next::Ask(vec![P]));
        let report = reported(tell(&mut survey, Tau(GRACE + 10), 0, &[(P, log(&p))]));
        let agreements: Vec<_> = report.hosts.iter().map(|h| h.agreement).collect();
        assert_eq!(agreements, [None, Some(LogAgreement::Same), Some(LogAgreement::NullifiedDiffers)]);
        // It came right by itself.
        let mut survey = begin();
        tell(&mut survey, Tau(GRACE + 9), 0, &[(B, log(&p))]);
        let report = reported(tell(&mut survey, Tau(GRACE + 10), 0, &[(P, log(&p))]));
        assert_eq!(report.hosts[2].agreement, Some(LogAgreement::Same));
        // The primary was changing, or did not answer: nothing is said.
        for again in [log(&other), log(&p[..2]), Reply::Failed] {
            let mut survey = begin();
            tell(&mut survey, Tau(GRACE + 9), 0, &[(B, log(&other))]);
            let report = reported(tell(&mut survey, Tau(GRACE + 10), 0, &[(P, again)]));
            assert_eq!((report.hosts[2].agreement, report.unsettled), (None, vec![B]));
            assert_eq!(report.hosts[1].agreement, Some(LogAgreement::Same));
        }
        // So it is when an answer never comes.
        let mut survey = begin();
        let report = reported(survey.pass(survey.due(), GRACE));
        assert_eq!((report.hosts[2].agreement, report.unsettled), (None, vec![B]));
    }

    #[test]
    fn a_primary_that_cannot_be_the_measure_ends_it_without_a_word() {
        let p = chain(3);
        let mut unsound = p.clone();
        unsound[2].claimed_cid_matches = false;
        for reply in [log(&unsound), log(&[]), Reply::Failed, Reply::Unknown { is_sure: true }, Reply::Damaged] {
            let mut survey = sample(&p);
            let report = reported(tell(&mut survey, Tau(5), 0, &[(A, log(&p[..1])), (B, Reply::Damaged), (P, reply)]));
            assert!(report.hosts.iter().all(|h| h.agreement.is_none()) && report.withdrawn.is_empty());
            assert!(!report.has_measure);
        }
    }

    #[test]
    fn hosts_that_never_answer_do_not_hold_it_up() {
        let p = chain(3);
        let mut survey = sample(&p);
        assert_eq!(tell(&mut survey, Tau(5), 0, &[(P, log(&p)), (A, log(&p))]), Next::Wait);
        let report = reported(survey.pass(survey.due(), GRACE));
        assert_eq!(report.hosts[1].agreement, Some(LogAgreement::Same));
        assert_eq!((report.hosts[2].agreement, report.hosts[2].standing), (None, Standing::NoAnswer));
        assert_eq!(tell(&mut survey, Tau(9), 0, &[(B, log(&p))]), Next::Wait, "too late");
    }

    #[test]
    fn a_request_is_answered_at_once_and_lets_fresh_operations_pass() {
        let p = chain(3);
        let ask = |now_ms| {
            let mut survey = Survey::new(p[0].did, Why::Request(1), Vec::new(), 3, Tau(0));
            let unknown = Reply::Unknown { is_sure: true };
            reported(tell(&mut survey, Tau(5), now_ms, &[(P, log(&p)), (A, log(&p[..2])), (B, unknown)]))
        };
        let agreements = |r: SurveyReport| r.hosts.iter().map(|h| h.agreement).collect::<Vec<_>>();
        let (same, behind) = (Some(LogAgreement::Same), Some(LogAgreement::Behind));
        let settled_ms = p[2].created_ms + GRACE / MS;
        assert_eq!(agreements(ask(settled_ms - 1)), [None, same, behind]);
        assert_eq!(agreements(ask(settled_ms)), [None, behind, behind]);
    }

    #[test]
    fn what_the_primary_delivered_and_does_not_list_is_withdrawn() {
        let p = chain(3);
        let mut survey = sample(&p);
        let shorter = log(&p[..2]);
        let report =
            reported(tell(&mut survey, Tau(5), 0, &[(P, shorter.clone()), (A, shorter.clone()), (B, shorter)]));
        assert_eq!(report.withdrawn, [p[2].key()]);
    }

    #[test]
    fn a_replica_that_hides_what_is_tombstoned_is_not_behind() {
        let mut p = chain(3);
        p[2].kind = Kind::Tombstone;
        let mut survey = sample(&p);
        let unknown = Reply::Unknown { is_sure: true };
        let report = reported(tell(&mut survey, Tau(5), 0, &[(P, log(&p)), (A, unknown), (B, Reply::Gone)]));
        assert!(report.hosts.iter().all(|h| h.agreement.is_none()));
        assert_eq!((report.hosts[1].standing, report.hosts[2].standing), (Standing::Unknown, Standing::Gone));
    }
}
