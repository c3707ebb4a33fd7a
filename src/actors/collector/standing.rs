//! The state of each mirror: what is seen of it is put together here, once a second, and a change is told.

use super::{Collector, Known};
use crate::actors::message::Leave;
use crate::domain::impair::Watching;
use crate::domain::incident::{STATE_CHANGED, STATE_FOUND_AGAIN, is_incident};
use crate::domain::link::{Link, LinkState};
use crate::domain::mirror_state::{Change, Divergence, Facts, Impaired, LinkFact, Machine, Resumed, Standing, State};
use crate::domain::probes::{ByPurpose, Probing, Purpose};
use crate::domain::recommend::{Candidate, Recommendation, Recommender, Record, unfit};
use crate::domain::sample::Samples;
use crate::domain::source::SourceIx;
use crate::domain::time::{Labels, SECOND, Tau};
use crate::domain::transport::Transport;
use actix::Handler;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};

/// Between two looks at the mirrors; what a tick is early does not matter.
const STEP_NS: i64 = 95 * SECOND / 100;
/// A reader that is late for less leaves operations without timing and says nothing about a mirror's state, which takes
/// seconds to change.
const LATE_NS: i64 = 2 * SECOND;
/// Between two looks at what mirrors did.
const RECORD_EVERY_NS: i64 = 10 * SECOND;
/// Changes of one mirror that are told at once; one more may be told after each [`TOLD_EVERY_NS`].
const TOLD_MAX: u32 = 10;
/// See [`TOLD_MAX`].
const TOLD_EVERY_NS: i64 = 60 * SECOND;

/// A mirror's state as it is kept.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SavedStanding {
    state: State,
    since_ms: i64,
    holds: [bool; 3],
    calm_ns: i64,
    is_judged: bool,
    diverged_ms: Option<i64>,
}

/// How many changes of a mirror may still be told, so that a mirror that changes all the time pushes no other event out.
#[derive(Copy, Clone, Debug)]
struct Budget {
    left: u32,
    since: Tau,
    /// Changes that were not told.
    untold: u64,
}

impl Budget {
    /// Whether a change may be told, and how many before it were not.
    fn take(&mut self, now: Tau) -> Option<u64> {
        let earned = (now.since(self.since) / TOLD_EVERY_NS).max(0);
        self.since = self.since.plus(earned * TOLD_EVERY_NS);
        self.left = self.left.saturating_add(u32::try_from(earned).unwrap_or(TOLD_MAX)).min(TOLD_MAX);
        if self.left == 0 {
            self.untold += 1;
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.untold))
    }
}

/// What a mirror is and did.
type Row<'a> = (&'a (Machine, Budget), &'a Record);

/// The states of all mirrors.
#[derive(Debug)]
pub(super) struct Standings {
    mirrors: Vec<(Machine, Budget)>,
    stepped: Option<Tau>,
    recommenders: ByPurpose<Recommender<usize>>,
    /// How mirrors answer.
    pub(super) probing: Probing,
    /// What mirrors did, as it was last looked up.
    records: Vec<Record>,
    recorded: Option<Tau>,
    /// For how long each flag of the observer was up.
    impaired_ns: BTreeMap<&'static str, i64>,
    /// We end the sources: nothing that is seen from now on says anything.
    is_leaving: bool,
}

impl Standings {
    /// Those of these mirrors, each as it was left.
    pub(super) fn new(
        now: Tau,
        labels: &Labels,
        ids: impl Iterator<Item = String>,
        left: &HashMap<String, SavedStanding>,
    ) -> Standings {
        let machine = |id: String| {
            let machine = left.get(&id).map_or_else(|| Machine::new(now), |s| Machine::resume(now, s.resumed(labels)));
            (machine, Budget { left: TOLD_MAX, since: now, untold: 0 })
        };
        let impaired_ns = Watching::FLAGS.map(|flag| (flag, 0)).into();
        let mirrors: Vec<_> = ids.map(machine).collect();
        Standings {
            probing: Probing::new(mirrors.len()),
            mirrors,
            stepped: None,
            recommenders: ByPurpose::default(),
            records: Vec::new(),
            recorded: None,
            impaired_ns,
            is_leaving: false,
        }
    }

    /// Which mirror to use.
    pub(super) fn recommended(&self) -> ByPurpose<Recommendation<usize>> {
        ByPurpose::make(|purpose| self.recommenders.of(purpose).shown().clone())
    }

    /// Decides anew which mirror to use; `transports` are the ways in which their operations are taken.
    fn recommend(&mut self, now: Tau, is_impaired: bool, transports: &[Option<Transport>]) {
        for purpose in Purpose::ALL {
            let candidate = |(mirror, (((machine, _), record), transport)): (usize, (Row<'_>, &Option<Transport>))| {
                let (standing, figures) = (machine.standing(), self.probing.figures(mirror, purpose));
                Candidate {
                    mirror,
                    state: standing.state,
                    since: standing.since,
                    record: *record,
                    figures,
                    is_comparable: true,
                    unfit: unfit(purpose, *transport, &figures, now),
                }
            };
            let rows = self.mirrors.iter().zip(&self.records).zip(transports).enumerate();
            let candidates = rows.map(candidate).collect();
            self.recommenders.of_mut(purpose).step(now, is_impaired, candidates);
        }
    }

    /// For how long each flag of the observer was up since the start, nanoseconds.
    pub(super) fn impaired_ns(&self) -> &BTreeMap<&'static str, i64> {
        &self.impaired_ns
    }

    /// What is shown of the source; nothing of what is no mirror.
    pub(super) fn of(&self, source: SourceIx) -> Standing {
        let machine = source.mirror_index().and_then(|m| self.mirrors.get(m));
        machine.map(|m| m.0.standing().clone()).unwrap_or_default()
    }

    /// What the next run needs of the source.
    pub(super) fn saved(&self, source: SourceIx, labels: &Labels) -> Option<SavedStanding> {
        let machine = source.mirror_index().and_then(|m| self.mirrors.get(m));
        machine.map(|m| SavedStanding::of(&m.0.left(), labels))
    }
}

impl SavedStanding {
    fn of(left: &Resumed, labels: &Labels) -> SavedStanding {
        SavedStanding {
            state: left.state,
            since_ms: labels.utc_ms(left.since),
            holds: left.holds,
            calm_ns: left.calm_ns,
            is_judged: left.is_judged,
            diverged_ms: left.diverged_at.map(|at| labels.utc_ms(at)),
        }
    }

    fn resumed(&self, labels: &Labels) -> Resumed {
        Resumed {
            state: self.state,
            since: labels.tau(self.since_ms),
            holds: self.holds,
            calm_ns: self.calm_ns,
            is_judged: self.is_judged,
            diverged_at: self.diverged_ms.map(|ms| labels.tau(ms)),
        }
    }
}

impl Collector {
    /// Looks at every mirror when a second has passed, and tells what changed.
    pub(super) fn watch_states(&mut self, now: Tau) {
        if self.standings.is_leaving || self.standings.stepped.is_some_and(|at| now.since(at) < STEP_NS) {
            return;
        }
        let passed_ns = self.standings.stepped.replace(now).map_or(0, |before| now.since(before));
        let flags = self.watching().flags();
        for flag in &flags {
            *self.standings.impaired_ns.entry(flag).or_default() += passed_ns;
        }
        let impaired = self.impaired(&flags, now);
        for m in 0..self.standings.mirrors.len() {
            let Some(facts) = self.facts(m, now, impaired) else { continue };
            let Some((machine, budget)) = self.standings.mirrors.get_mut(m) else { continue };
            let unseen_since = machine.unseen_since();
            let change = machine.step(&facts);
            let unseen_since = unseen_since.filter(|_| machine.unseen_since().is_none());
            let source = SourceIx::mirror(m);
            if let Some(change) = change {
                let untold = budget.take(now);
                self.tell_change(source, change, untold, unseen_since);
            } else if let Some(since) = unseen_since {
                self.tell_found_again(source, since);
            }
        }
        if self.standings.recorded.is_none_or(|at| now.since(at) >= RECORD_EVERY_NS) {
            self.standings.recorded = Some(now);
            self.standings.records = (0..self.standings.mirrors.len()).map(|m| self.ledger.record(m)).collect();
        }
        // The primary's own delay says nothing of how anybody answers.
        let is_blind = flags.iter().any(|flag| *flag != "primary_delay");
        self.standings.probing.settle(now, is_blind, |from, to| self.ledger.was_late(from, to));
        let transports: Vec<_> = self.sources.iter().skip(1).map(|k| Some(k.taken.as_ref()?.transport)).collect();
        self.standings.recommend(now, impaired.is_some(), &transports);
    }

    /// Tells of a change with the number of those before it that were not told; none where it is not to be told. After a
    /// start the first one tells since when it was not known how the mirror does.
    fn tell_change(&mut self, source: SourceIx, change: Change, untold: Option<u64>, unseen_since: Option<Tau>) {
        let at_ms = self.labels.utc_ms(self.clock.now());
        let Some(id) = self.known(source).map(|k| k.who.id.clone()) else { return };
        let Some(untold) = untold else { return self.events.change_untold(at_ms, id, change) };
        let (from, to) = (change.from.name(), change.to.name());
        let before = if untold > 0 { format!(" ({untold} changes before it were not listed)") } else { String::new() };
        let text = format!("{from} → {to}: {}{before}", change.why);
        let mut detail = json!({ "from": from, "to": to, "why": change.why, "untold": untold });
        if let (Some(since), Some(detail)) = (unseen_since, detail.as_object_mut()) {
            detail.insert("unseen_since_unix_ms".to_owned(), self.labels.utc_ms(since).into());
        }
        self.events.add_with(at_ms, STATE_CHANGED, Some(id), text, Some(detail));
    }

    /// Tells that a mirror is as bad as before the start, and since when that was not known. Nothing has changed.
    fn tell_found_again(&mut self, source: SourceIx, unseen_since: Tau) {
        let Standing { state, why, .. } = self.standings.of(source);
        if !is_incident(state) {
            return;
        }
        let (name, since_ms) = (state.name(), self.labels.utc_ms(unseen_since));
        let text = format!("{name}, as before the start: {why}");
        let detail = json!({ "from": name, "to": name, "why": why, "unseen_since_unix_ms": since_ms });
        let id = self.known(source).map(|k| k.who.id.clone());
        self.events.add_with(self.labels.utc_ms(self.clock.now()), STATE_FOUND_AGAIN, id, text, Some(detail));
    }

    fn watching(&self) -> Watching {
        let is_down = |k: &&Known| !k.link.state.is_up();
        let windows = self.ledger.source(SourceIx::PRIMARY).map(|s| &s.windows);
        Watching {
            is_late: self.ledger.late_since().is_some(),
            is_primary_up: self.sources.first().is_some_and(|k| k.link.state.is_up()),
            has_primary_gap: windows.is_some_and(|w| w.open_gap().is_some()),
            is_primary_delayed: self.ledger.is_primary_delayed(),
            mirrors: self.sources.len().saturating_sub(1),
            mirrors_down: self.sources.iter().skip(1).filter(is_down).count(),
        }
    }

    /// Why nothing can be said about any mirror now.
    fn impaired(&self, flags: &[&str], now: Tau) -> Option<Impaired> {
        if flags.contains(&"net_down") {
            return Some(Impaired::NetDown);
        }
        if flags.contains(&"primary_down") {
            return Some(Impaired::PrimaryDown);
        }
        let is_late = self.ledger.late_since().is_some_and(|since| now.since(since) >= LATE_NS);
        is_late.then_some(Impaired::LateReader)
    }

    fn facts(&self, mirror: usize, now: Tau, impaired: Option<Impaired>) -> Option<Facts> {
        let known = self.sources.get(usize::from(SourceIx::mirror(mirror).0))?;
        let mut seen = self.ledger.seen(mirror)?;
        let log = self.audit.samples.get(mirror).and_then(log_divergence);
        seen.divergence = seen.divergence.into_iter().chain(log).max_by_key(|d| d.1);
        Some(Facts {
            now,
            impaired,
            is_primary_delayed: self.ledger.is_primary_delayed(),
            link: link_fact(&known.link),
            is_throttled: known.throttle.state().since.is_some(),
            seen,
        })
    }
}

impl Handler<Leave> for Collector {
    type Result = ();

    fn handle(&mut self, _: Leave, _: &mut Self::Context) {
        self.standings.is_leaving = true;
    }
}

/// How a link stands, as far as a mirror's state is concerned: one that was never tried is not down.
fn link_fact(link: &Link) -> LinkFact {
    match link.state {
        _ if link.is_down_by_us() => LinkFact::Ours,
        LinkState::Unsupported => LinkFact::Unsupported,
        LinkState::CatchingUp | LinkState::Synchronized => LinkFact::Up,
        LinkState::Disconnected | LinkState::Connecting if link.last_error.is_none() && link.last_close.is_none() => {
            LinkFact::New
        }
        LinkState::Disconnected | LinkState::Connecting | LinkState::Waiting => LinkFact::Down,
    }
}

/// The newest sample in which a log lists what the primary's does not, or contradicts itself.
fn log_divergence(samples: &Samples) -> Option<(Divergence, Tau)> {
    samples.differences().find(|d| d.agreement.is_contradiction()).map(|d| (Divergence::Log(d.agreement), d.at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_within_a_budget_and_those_left_out_are_counted() {
        let mut budget = Budget { left: TOLD_MAX, since: Tau(0), untold: 0 };
        let told: Vec<_> = (0..600).map(|s| budget.take(Tau(s * SECOND))).collect();
        assert_eq!(told.iter().flatten().count(), 10 + 9);
        assert!(told.iter().take(10).all(|t| *t == Some(0)));
        assert_eq!((told[10], told[59], told[60], told[120]), (None, None, Some(50), Some(59)));
        assert_eq!(budget.take(Tau(86_400 * SECOND)), Some(59));
        assert_eq!(budget.left, TOLD_MAX - 1, "no more than that is saved up");
    }

    #[test]
    fn what_is_kept_comes_back_through_the_labels() {
        let labels = Labels { anchor_tau: Tau(0), anchor_utc_ms: 1_700_000_000_000 };
        let left = Resumed {
            state: State::Losing,
            since: Tau(5 * SECOND),
            holds: [false, true, true],
            calm_ns: 7,
            is_judged: true,
            diverged_at: Some(Tau(3 * SECOND)),
        };
        let saved = SavedStanding::of(&left, &labels);
        let bytes = serde_ipld_dagcbor::to_vec(&saved).unwrap();
        let read: SavedStanding = serde_ipld_dagcbor::from_slice(&bytes).unwrap();
        assert_eq!((read, read.resumed(&labels)), (saved, left));
        // After a reboot the clock begins anew, and the label stays.
        let later = Labels { anchor_tau: Tau(9), anchor_utc_ms: 1_700_000_100_000 };
        assert_eq!(later.utc_ms(read.resumed(&later).since), 1_700_000_005_000);
    }
}
