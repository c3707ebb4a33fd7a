//! Operations that only mirrors have: from first sight to extra, unknown, or the primary's after all.

mod list;

use super::Ledger;
use super::journal::Journal;
use super::mutant::Mutant;
use super::range::Place;
use super::state::MirrorState;
use crate::domain::cid::Cid;
use crate::domain::finding::About;
use crate::domain::interval::ExtraState;
use crate::domain::op::{Kind, Op, OpKey};
use crate::domain::source::SourceIx;
use crate::domain::time::{MS, SECOND, Span, Tau};
use crate::domain::verdict::{Mode, Reason};
use crate::domain::window::{Cover, GAP_LIMIT_NS};
use std::collections::{BTreeSet, HashMap, VecDeque};

/// Undecided keys above which they are judged once a second and not at each tick.
const OFTEN_MAX: usize = 10_000;

/// The least margin around a `createdAt`, milliseconds: the usual delay between it and the arrival lies within.
const MARGIN_MIN_MS: i64 = 1_000;

/// One key at one mirror that the primary has not delivered.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Sighting {
    /// Identity as the mirror gave it.
    pub key: OpKey,
    /// What the operation does.
    pub kind: Kind,
    /// How it came.
    pub mode: Mode,
    /// What is decided.
    pub state: ExtraState,
    /// Why it cannot be told.
    pub reason: Reason,
    /// Nothing but the primary delivering it changes this any more.
    pub is_closed: bool,
    /// Which mirror.
    pub mirror: u16,
    /// The mirror's arrival.
    pub q: Tau,
    /// `createdAt` as the mirror gave it, milliseconds since 1970.
    pub created_ms: i64,
    /// About when the primary published it if it did, as its `createdAt` says; never later than `q`.
    pub since: Tau,
    /// The interval that counts it.
    pub interval: u32,
}

/// An extra as a reader sees it.
pub type ExtraRow = Sighting;

/// All sightings of one CID: one for each mirror and DID.
#[derive(Clone, Debug)]
pub(super) struct Foreign {
    first: Sighting,
    more: Vec<Sighting>,
}

impl Foreign {
    fn iter(&self) -> impl Iterator<Item = &Sighting> {
        std::iter::once(&self.first).chain(&self.more)
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Sighting> {
        std::iter::once(&mut self.first).chain(&mut self.more)
    }

    pub(super) fn into_sightings(self) -> impl Iterator<Item = Sighting> {
        std::iter::once(self.first).chain(self.more)
    }
}

/// Every key that only mirrors have.
#[derive(Debug, Default)]
pub(super) struct Foreigns {
    keys: HashMap<Cid, Foreign, foldhash::fast::RandomState>,
    open: BTreeSet<(Tau, u16, OpKey)>,
    /// Keys that were decided, in that order, until they are forgotten.
    closed: VecDeque<(Tau, Cid)>,
    /// Keys that were decided latest, oldest first; bounded.
    recent: VecDeque<(OpKey, u16)>,
    judged_at: Option<Tau>,
    chain_wanted: Option<Tau>,
    /// The latest instant from which a chain was asked for since the last one ended.
    chain_asked: Option<Tau>,
    /// When the last complete chain was asked for, and from which instant on it lists everything.
    chain_done: Option<(Tau, Tau)>,
    has_no_export: bool,
}

/// How a chain of the primary's `/export` ended that was asked for to settle extras.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ChainOutcome {
    /// Continuous from the last known operation to a short page.
    Complete,
    /// It could not be had now.
    Failed,
    /// The primary has no `/export`.
    Unsupported,
}

impl Foreigns {
    pub(super) fn take(&mut self, cid: &Cid, mirrors: &mut [MirrorState]) -> Option<Foreign> {
        let foreign = self.keys.remove(cid)?;
        for s in foreign.iter() {
            self.open.remove(&(s.q, s.mirror, s.key));
            if let Some(mirror) = mirrors.get_mut(usize::from(s.mirror)) {
                mirror.unknown_keys = mirror.unknown_keys.saturating_sub(1);
            }
        }
        Some(foreign)
    }

    pub(super) fn get(&self, key: &OpKey, mirror: u16) -> Option<&Sighting> {
        self.keys.get(&key.cid)?.iter().find(|s| s.mirror == mirror && s.key == *key)
    }

    /// What is known of a content at every mirror.
    pub(super) fn of_cid(&self, cid: &Cid) -> impl Iterator<Item = &Sighting> {
        self.keys.get(cid).into_iter().flat_map(Foreign::iter)
    }

    /// Puts a sighting in, in place of what is known of the same key at the same mirror.
    pub(super) fn put(&mut self, s: Sighting) {
        if s.is_closed {
            self.open.remove(&(s.q, s.mirror, s.key));
            self.closed.push_back((s.q, s.key.cid));
        } else {
            self.open.insert((s.q, s.mirror, s.key));
        }
        match self.keys.get_mut(&s.key.cid) {
            None => {
                self.keys.insert(s.key.cid, Foreign { first: s, more: Vec::new() });
            }
            Some(f) => {
                if let Some(old) = f.iter_mut().find(|o| o.mirror == s.mirror && o.key == s.key) {
                    *old = s;
                } else {
                    f.more.push(s);
                }
            }
        }
    }

    pub(super) fn sightings(&self) -> impl Iterator<Item = &Sighting> {
        self.keys.values().flat_map(Foreign::iter)
    }

    pub(super) fn drop_key(&mut self, cid: &Cid) {
        if let Some(f) = self.keys.remove(cid) {
            for s in f.iter() {
                self.open.remove(&(s.q, s.mirror, s.key));
            }
        }
    }

    /// Forgets keys whose every sighting is decided and older than `before`. Each decision is looked at once, when it is
    /// the oldest one left, so that the cost does not grow with what is held.
    pub(super) fn forget(&mut self, before: Tau, mirrors: &mut [MirrorState], journal: &mut Journal) {
        while let Some((_, cid)) = self.closed.pop_front_if(|c| c.0 < before) {
            let is_old = |f: &Foreign| f.iter().all(|s| s.is_closed && s.q < before);
            if self.keys.get(&cid).is_some_and(is_old) {
                self.take(&cid, mirrors);
                journal.gone(&cid);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn has_no_export(&self) -> bool {
        self.has_no_export
    }
}

impl Ledger {
    /// Since when a chain of the primary's `/export` must list its operations to settle what waits; none when nothing does.
    /// Whoever gets an answer may ask for that chain.
    #[must_use]
    pub fn wants_chain(&mut self) -> Option<Tau> {
        self.foreigns.chain_asked = self.foreigns.chain_asked.max(self.foreigns.chain_wanted);
        self.foreigns.chain_wanted
    }

    /// A chain that was asked for at `asked_at` ended; what it found arrived before as filled arrivals of the primary.
    pub fn chain(&mut self, asked_at: Tau, outcome: ChainOutcome) {
        let since = self.foreigns.chain_asked.take();
        match outcome {
            ChainOutcome::Complete => {
                self.foreigns.chain_done = since.map(|since| (asked_at, since));
                self.foreigns.has_no_export = false;
            }
            ChainOutcome::Failed => {}
            ChainOutcome::Unsupported => self.foreigns.has_no_export = true,
        }
    }

    /// Whether the primary is known to have no `/export`, so that extras rest on its stream alone.
    #[must_use]
    pub fn primary_has_no_export(&self) -> bool {
        self.foreigns.has_no_export()
    }

    /// A mirror delivered a key that the primary has not delivered. The first arrival counts.
    pub(super) fn sight(&mut self, m: usize, op: &Op, at: Tau, mode: Mode) {
        let published = self.ranges.instant_of(op.created_ms);
        let sighting = Sighting {
            key: op.key,
            kind: op.kind,
            mode,
            state: ExtraState::Pending,
            reason: Reason::None,
            is_closed: false,
            mirror: m as u16,
            q: at,
            created_ms: op.created_ms,
            since: published.map_or(at, |p| p.min(at)),
            interval: self.interval_of(at),
        };
        if let Some(first) = self.foreigns.get(&op.key, sighting.mirror) {
            let is_repeated = first.mode == Mode::Live && mode == Mode::Live;
            if let Some(mirror) = self.mirrors.get_mut(m).filter(|_| is_repeated) {
                mirror.source.duplicates += 1;
            }
            return;
        }
        let held: usize = if self.is_mutant(Mutant::SharedCaps) {
            self.mirrors.iter().map(|s| s.unknown_keys).sum()
        } else {
            self.mirrors.get(m).map_or(0, |s| s.unknown_keys)
        };
        if held >= self.limits.unknown_keys_per_mirror && !self.is_mutant(Mutant::UnboundedKeys) {
            self.let_key_go(m, at, mode);
            return;
        }
        if let Some(mirror) = self.mirrors.get_mut(m) {
            mirror.unknown_keys += 1;
            mirror.source.received += 1;
        }
        self.journal.sighting(&sighting);
        self.foreigns.put(sighting);
        self.count_extra(&sighting, None, Some(ExtraState::Pending));
    }

    /// There is no room for a key of the mirror: whether it published what the primary sends within the grace is not known
    /// any more, nor when.
    fn let_key_go(&mut self, m: usize, at: Tau, mode: Mode) {
        if self.is_mutant(Mutant::DropBlamesMirror) {
            return;
        }
        let Some(mirror) = self.mirrors.get(m) else { return };
        let gap = mirror.source.windows.open_gap().filter(|_| mode == Mode::Filled);
        let from = gap.map_or(at, |g| g.start.min(at));
        let to = at.plus(mirror.params.grace_ns);
        self.drop_between(SourceIx::mirror(m), from, to);
    }

    fn count_extra(&mut self, s: &Sighting, from: Option<ExtraState>, to: Option<ExtraState>) {
        let slot = self.slot_of(s.q);
        let m = usize::from(s.mirror);
        for interval in [self.intervals.get_mut(s.interval), self.slots.get_mut(slot)].into_iter().flatten() {
            if let Some(acc) = interval.acc_mut(m) {
                acc.change_extra(from, to);
            }
        }
        self.touch_interval(s.interval);
    }

    pub(super) fn uncount_extra(&mut self, s: &Sighting) {
        let counted = s.reason != Reason::TooOld;
        self.count_extra(s, counted.then_some(s.state), None);
    }

    /// Decides what is due among the operations that only mirrors have.
    pub(super) fn judge_extras(&mut self) {
        let is_early = self.foreigns.judged_at.is_some_and(|at| self.now.since(at) < SECOND);
        if self.foreigns.open.len() > OFTEN_MAX && is_early {
            return;
        }
        self.foreigns.judged_at = Some(self.now);
        let grace_ns = self.mirrors.iter().map(|m| m.params.grace_ns).min().unwrap_or(0);
        let due_before = self.now.plus(-grace_ns).plus(1);
        let due: Vec<(Tau, u16, OpKey)> = self.foreigns.open.iter().take_while(|o| o.0 < due_before).copied().collect();
        self.foreigns.chain_wanted = None;
        for (_, mirror, key) in due {
            let Some(s) = self.foreigns.get(&key, mirror).copied() else { continue };
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
            if state == ExtraState::Extra {
                self.persist.extra(next);
            }
            if state == ExtraState::Extra || reason == Reason::TooOld {
                self.findings.want(SourceIx::mirror(usize::from(mirror)), key, About::Extra);
            }
        }
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
        self.foreigns.chain_wanted = Some(self.foreigns.chain_wanted.map_or(s.since, |since| since.min(s.since)));
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
