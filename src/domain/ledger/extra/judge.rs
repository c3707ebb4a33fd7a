//! What is decided about an operation that only a mirror has, and what asking the primary about it changes.

use super::Sighting;
use crate::domain::finding::{About, Finding};
use crate::domain::interval::ExtraState;
use crate::domain::ledger::Ledger;
use crate::domain::ledger::forks::Fork;
use crate::domain::ledger::mutant::Mutant;
use crate::domain::ledger::range::Place;
use crate::domain::source::SourceIx;
use crate::domain::time::{MS, SECOND, Span, Tau};
use crate::domain::verdict::Reason;
use crate::domain::window::{Cover, GAP_LIMIT_NS};
use std::ops::Bound;

/// Undecided keys above which they are judged once a second and not at each tick.
const OFTEN_MAX: usize = 10_000;
/// Keys that are judged in one tick; the others wait for the next one, so that a flood of them holds up nothing else.
const AT_ONCE_MAX: usize = 2_048;
/// The least margin around a `createdAt`, milliseconds: the usual delay between it and the arrival lies within.
const MARGIN_MIN_MS: i64 = 1_000;

impl Ledger {
    /// Decides what is due among the operations that only mirrors have.
    pub(in crate::domain::ledger) fn judge_extras(&mut self) {
        let is_early = self.foreigns.judged_at.is_some_and(|at| self.now.since(at) < SECOND);
        let begin = match self.foreigns.judged_to.take() {
            Some(last) => Bound::Excluded(last),
            None if self.foreigns.open.len() > OFTEN_MAX && is_early => return,
            None => {
                self.foreigns.judged_at = Some(self.now);
                Bound::Unbounded
            }
        };
        let grace_ns = self.mirrors.iter().map(|m| m.params.grace_ns).min().unwrap_or(0);
        let due_before = self.now.plus(-grace_ns).plus(1);
        let left = self.foreigns.open.range((begin, Bound::Unbounded)).take_while(|o| o.0 < due_before);
        let due: Vec<(Tau, u32)> = left.take(AT_ONCE_MAX).copied().collect();
        let last = due.last().copied().filter(|_| due.len() == AT_ONCE_MAX);
        let mut decided = Vec::new();
        for (_, slot) in due {
            let Some(s) = self.foreigns.at(slot).copied() else { continue };
            let (state, reason, is_closed) = self.judge_extra(&s);
            if (state, reason, is_closed) == (s.state, s.reason, s.is_closed) {
                continue;
            }
            let next = Sighting { state, reason, is_closed, ..s };
            self.foreigns.put(next);
            self.journal.sighting(&next);
            let counted = (reason != Reason::TooOld).then_some(state);
            if counted != Some(s.state) {
                self.count_extra(&next, Some(s.state), counted);
            }
            self.foreigns.list(&next);
            let (source, key) = (SourceIx::mirror(usize::from(s.mirror)), s.key);
            if state == ExtraState::Extra {
                self.persist.extra(next);
                decided.push((source, key));
            }
            if next.is_asked_about() {
                self.findings.want(source, key, About::Extra);
            }
        }
        self.find_forks(&decided);
        self.foreigns.judged_to = last;
        if last.is_none() {
            self.foreigns.chain_wanted = self.foreigns.chain_wanting.take();
        }
    }

    /// What asking about an extra came to: one that was nullified, withdrawn or breaks the rules is no fault of the mirror.
    pub(in crate::domain::ledger) fn explain_extra(&mut self, s: Sighting, finding: Finding) {
        let is_no_fault = matches!(finding, Finding::Nullified | Finding::Withdrawn | Finding::KnownInvalid);
        let state = match s.state {
            ExtraState::Extra if is_no_fault => ExtraState::Explained,
            ExtraState::Explained if !is_no_fault => ExtraState::Extra,
            state => state,
        };
        // What the primary once listed is no other content than its own.
        let mut fork = s.fork;
        if fork == Fork::ByPrev && matches!(finding, Finding::Nullified | Finding::Withdrawn) {
            self.is_no_fork(SourceIx::mirror(usize::from(s.mirror)), &s.key, fork);
            fork = Fork::None;
        }
        let next = Sighting { state, fork, ..s };
        if next != s {
            if let Some(sighting) = self.foreigns.get_mut(&s.key, s.mirror) {
                *sighting = next;
            }
            self.journal.sighting(&next);
        }
        if state != s.state {
            self.count_extra(&next, Some(s.state), Some(state));
        }
        self.persist.extra(next);
    }

    /// What is to be said of a sighting now: its state, the reason, and whether it stays so.
    fn judge_extra(&mut self, s: &Sighting) -> (ExtraState, Reason, bool) {
        let wait = (s.state, s.reason, false);
        let Some(grace_ns) = self.mirrors.get(usize::from(s.mirror)).map(|m| m.params.grace_ns) else { return wait };
        let (from, base) = (s.q.plus(-grace_ns), s.q.plus(grace_ns));
        let mut due = self.late.after(s.q, grace_ns);
        if let Some(filled) = self.primary.windows.filled_at(from, base) {
            due = due.max(filled.plus(grace_ns));
        }
        if self.before < due {
            return wait;
        }
        if self.is_mutant(Mutant::IgnorePrimaryWindow) {
            return (ExtraState::Extra, Reason::None, true);
        }
        let unknown = |reason, is_closed| (ExtraState::Unknown, reason, is_closed);
        let place = self.place_of(s);
        let forgets = self.is_mutant(Mutant::KeysDroppedEarly);
        if place == Place::TooOld && !forgets {
            return unknown(Reason::TooOld, true);
        }
        let is_past_limit = self.before > due.plus(GAP_LIMIT_NS);
        match self.primary.windows.cover(from, due) {
            Cover::Proved => {}
            Cover::NotYet if !is_past_limit => return wait,
            Cover::Gap(_) if self.before <= base.plus(GAP_LIMIT_NS) => return wait,
            // Still open: a late fill proves it after all.
            Cover::Gap(reason) => return unknown(reason, self.is_beyond_horizon(s)),
            Cover::Hole(reason) => return unknown(reason, true),
            Cover::NotYet | Cover::Before => return unknown(Reason::PrimaryDown, true),
        }
        match place {
            // A mirror that alters `createdAt` may have it from a key that was let go at the bound of what is held.
            Place::Inside if !self.ranges.holds_since(s.q.plus(-GAP_LIMIT_NS)) && !forgets => {
                return unknown(Reason::NoRange, true);
            }
            Place::Inside => {}
            Place::TooOld if forgets => {}
            Place::NotYet if !is_past_limit => return wait,
            Place::NoRange => return unknown(Reason::NoRange, is_past_limit),
            Place::NotYet | Place::Outside | Place::TooOld => return unknown(Reason::NoRange, true),
        }
        // A chain lists everything from its beginning on; one that began later than this was published says nothing of it.
        let is_listed = |(asked_at, since): (Tau, Tau)| asked_at > due && since <= s.since;
        if self.foreigns.has_no_export
            || self.foreigns.chain_done.is_some_and(is_listed)
            || self.is_mutant(Mutant::StalledPrimaryIsSilence)
        {
            return (ExtraState::Extra, Reason::None, true);
        }
        // The next chain begins no earlier either.
        if self.foreigns.chain_done.is_some_and(|done| done.0 > due) && s.since < self.foreigns.chain_earliest {
            return unknown(Reason::NoChain, true);
        }
        self.foreigns.chain_wanting = Some(self.foreigns.chain_wanting.map_or(s.since, |since| since.min(s.since)));
        if self.before > base.plus(GAP_LIMIT_NS) { unknown(Reason::NoChain, self.is_beyond_horizon(s)) } else { wait }
    }

    fn is_beyond_horizon(&self, s: &Sighting) -> bool {
        self.now.since(s.q) > self.params.horizon_ns
    }

    /// Where its `createdAt` lies among those for which the primary's keys are complete.
    fn place_of(&self, s: &Sighting) -> Place {
        let margin_ms = (self.params.look_back_ns / MS).max(MARGIN_MIN_MS);
        let windows = &self.primary.windows;
        let open = windows.open_gaps().map(|g| Span { from: g.start, to: g.end() });
        self.ranges.place(s.created_ms, margin_ms, windows.proved(), open)
    }
}
