//! Operations that only mirrors have: from first sight to extra, unknown, or the primary's after all.

use super::Ledger;
use super::journal::Journal;
use super::mutant::Mutant;
use super::range::Place;
use super::state::MirrorState;
use crate::domain::cid::Cid;
use crate::domain::interval::ExtraState;
use crate::domain::op::{Kind, Op, OpKey};
use crate::domain::time::{MS, SECOND, Tau};
use crate::domain::verdict::{Mode, Reason};
use crate::domain::window::{Cover, GAP_LIMIT_NS};
use std::collections::{BTreeSet, HashMap, VecDeque};

/// Decided keys that are listed.
const RECENT_MAX: usize = 2_000;
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
    /// The interval that counts it.
    pub interval: u32,
}

/// An extra as a reader sees it.
pub type ExtraRow = Sighting;

/// All sightings of one CID.
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

    /// The earliest arrival at any mirror.
    pub(super) fn first_seen(&self) -> Option<Tau> {
        self.iter().map(|s| s.q).min()
    }

    pub(super) fn into_sightings(self) -> impl Iterator<Item = Sighting> {
        std::iter::once(self.first).chain(self.more)
    }
}

/// Every key that only mirrors have.
#[derive(Debug, Default)]
pub(super) struct Foreigns {
    keys: HashMap<Cid, Foreign, foldhash::fast::RandomState>,
    open: BTreeSet<(Tau, u16, Cid)>,
    /// Keys that were decided latest, oldest first; bounded.
    recent: VecDeque<(Cid, u16)>,
    judged_at: Option<Tau>,
    chain_wanted: Option<Tau>,
    chain_done: Option<Tau>,
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
            self.open.remove(&(s.q, s.mirror, *cid));
            if let Some(mirror) = mirrors.get_mut(usize::from(s.mirror)) {
                mirror.unknown_keys = mirror.unknown_keys.saturating_sub(1);
            }
        }
        Some(foreign)
    }

    /// Puts back what a journal holds, in place of what is known of the same key at the same mirror.
    pub(super) fn restore(&mut self, s: Sighting) {
        self.open.remove(&(s.q, s.mirror, s.key.cid));
        if !s.is_closed {
            self.open.insert((s.q, s.mirror, s.key.cid));
        }
        match self.keys.get_mut(&s.key.cid) {
            None => {
                self.keys.insert(s.key.cid, Foreign { first: s, more: Vec::new() });
            }
            Some(f) if f.first.mirror == s.mirror => f.first = s,
            Some(f) => match f.more.iter().position(|o| o.mirror == s.mirror).and_then(|i| f.more.get_mut(i)) {
                Some(old) => *old = s,
                None => f.more.push(s),
            },
        }
    }

    pub(super) fn sightings(&self) -> impl Iterator<Item = &Sighting> {
        self.keys.values().flat_map(Foreign::iter)
    }

    pub(super) fn drop_key(&mut self, cid: &Cid) {
        if let Some(f) = self.keys.remove(cid) {
            for s in f.iter() {
                self.open.remove(&(s.q, s.mirror, *cid));
            }
        }
    }

    /// Forgets keys whose every sighting is decided and older than `before`.
    pub(super) fn forget(&mut self, before: Tau, mirrors: &mut [MirrorState], journal: &mut Journal) {
        // Looking through all keys at each tick would cost as much as they are many; a hundredth at a time does as well.
        if before.0.div_euclid(MS * 100) % 100 != 0 {
            return;
        }
        self.keys.retain(|cid, f| {
            let stays = f.iter().any(|s| !s.is_closed || s.q >= before);
            if !stays {
                journal.gone(cid);
                for s in f.iter() {
                    if let Some(mirror) = mirrors.get_mut(usize::from(s.mirror)) {
                        mirror.unknown_keys = mirror.unknown_keys.saturating_sub(1);
                    }
                }
            }
            stays
        });
    }

    /// The keys that were decided latest, newest first.
    pub(super) fn recent(&self) -> impl Iterator<Item = &Sighting> {
        let find = |(cid, mirror): &(Cid, u16)| self.keys.get(cid).and_then(|f| f.iter().find(|s| s.mirror == *mirror));
        self.recent.iter().rev().filter_map(find).filter(|s| s.state != ExtraState::Pending)
    }

    /// Puts a decided key on the list.
    pub(super) fn list(&mut self, s: &Sighting) {
        let entry = (s.key.cid, s.mirror);
        if !self.recent.contains(&entry) {
            if self.recent.len() == RECENT_MAX {
                self.recent.pop_front();
            }
            self.recent.push_back(entry);
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
    #[must_use]
    pub fn wants_chain(&self) -> Option<Tau> {
        self.foreigns.chain_wanted
    }

    /// A chain that was asked for at `asked_at` ended; what it found arrived before as filled arrivals of the primary.
    pub fn chain(&mut self, asked_at: Tau, outcome: ChainOutcome) {
        match outcome {
            ChainOutcome::Complete => {
                self.foreigns.chain_done = self.foreigns.chain_done.max(Some(asked_at));
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

    /// A mirror delivered a key that the primary has not delivered.
    pub(super) fn sight(&mut self, m: usize, op: &Op, at: Tau, mode: Mode) {
        let cap = self.limits.unknown_keys_per_mirror;
        let interval = self.interval_of(at);
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
            interval,
        };
        let known = self.foreigns.keys.get_mut(&op.key.cid);
        if let Some(old) = known.and_then(|f| f.iter_mut().find(|s| usize::from(s.mirror) == m)) {
            let is_upgrade = old.mode == Mode::Filled && mode == Mode::Live && old.state == ExtraState::Pending;
            if is_upgrade {
                old.mode = Mode::Live;
            } else if mode == Mode::Live
                && let Some(mirror) = self.mirrors.get_mut(m)
            {
                mirror.source.duplicates += 1;
            }
            return;
        }
        let held: usize = if self.is_mutant(Mutant::SharedCaps) {
            self.mirrors.iter().map(|s| s.unknown_keys).sum()
        } else {
            self.mirrors.get(m).map_or(0, |s| s.unknown_keys)
        };
        if held >= cap && !self.is_mutant(Mutant::UnboundedKeys) {
            if let Some(mirror) = self.mirrors.get_mut(m) {
                mirror.source.dropped += 1;
                mirror.source.windows.drop_at(at);
                mirror.source.windows_version += 1;
            }
            return;
        }
        if let Some(mirror) = self.mirrors.get_mut(m) {
            mirror.unknown_keys += 1;
            mirror.source.received += 1;
        }
        self.journal.sighting(&sighting);
        self.foreigns.restore(sighting);
        self.count_extra(&sighting, None, Some(ExtraState::Pending));
    }

    fn count_extra(&mut self, s: &Sighting, from: Option<ExtraState>, to: Option<ExtraState>) {
        let slot = self.slot_of(s.q);
        let m = usize::from(s.mirror);
        self.touch_interval(s.interval);
        for interval in [self.intervals.get_mut(s.interval), self.slots.get_mut(slot)].into_iter().flatten() {
            if let Some(acc) = interval.acc_mut(m) {
                acc.change_extra(from, to);
            }
        }
        self.note_interval(s.interval);
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
        let due_before = self.now.plus(-grace_ns);
        let due: Vec<(Tau, u16, Cid)> =
            self.foreigns.open.range(..(due_before, u16::MAX, Cid([0xff; 32]))).copied().collect();
        self.foreigns.chain_wanted = None;
        for (_, mirror, cid) in due {
            let Some(s) = self.foreigns.keys.get(&cid).and_then(|f| f.iter().find(|s| s.mirror == mirror)).copied()
            else {
                continue;
            };
            let (state, reason, is_closed) = self.judge_extra(&s);
            if (state, reason, is_closed) == (s.state, s.reason, s.is_closed) {
                continue;
            }
            let next = Sighting { state, reason, is_closed, ..s };
            self.foreigns.restore(next);
            self.journal.sighting(&next);
            let counted = (reason != Reason::TooOld).then_some(state);
            self.count_extra(&next, Some(s.state), counted);
            self.foreigns.list(&next);
            if state == ExtraState::Extra {
                self.persist.extra(next);
            }
        }
    }

    /// What is to be said of a sighting now: its state, the reason, and whether it stays so.
    fn judge_extra(&mut self, s: &Sighting) -> (ExtraState, Reason, bool) {
        let wait = (s.state, s.reason, false);
        let Some(grace_ns) = self.mirrors.get(usize::from(s.mirror)).map(|m| m.params.grace_ns) else { return wait };
        let (from, base) = (s.q.plus(-grace_ns), s.q.plus(grace_ns));
        let mut due = base.plus(self.late.overlap_ns(s.q, base));
        if let Some(filled) = self.primary.windows.filled_at(from, base) {
            due = due.max(filled.plus(grace_ns));
        }
        if self.now < due {
            return wait;
        }
        if self.is_mutant(Mutant::IgnorePrimaryWindow) {
            return (ExtraState::Extra, Reason::None, true);
        }
        match self.primary.windows.cover(from, due) {
            Cover::Proved => {}
            Cover::NotYet | Cover::Gap(_) if self.now <= base.plus(GAP_LIMIT_NS) => return wait,
            Cover::Hole(reason) | Cover::Gap(reason) => return (ExtraState::Unknown, reason, true),
            Cover::NotYet | Cover::Before => return (ExtraState::Unknown, Reason::PrimaryDown, true),
        }
        let margin_ms = (self.params.look_back_ns / MS).max(MARGIN_MIN_MS);
        match self.ranges.place(s.created_ms, margin_ms, self.primary.windows.proved()) {
            Place::Inside => {}
            Place::Outside | Place::TooOld if self.is_mutant(Mutant::KeysDroppedEarly) => {}
            Place::NotYet => return (ExtraState::Unknown, Reason::NoRange, false),
            Place::Outside => return (ExtraState::Unknown, Reason::NoRange, true),
            Place::TooOld => return (ExtraState::Unknown, Reason::TooOld, true),
        }
        let is_settled = self.foreigns.has_no_export
            || self.foreigns.chain_done.is_some_and(|asked_at| asked_at > due)
            || self.is_mutant(Mutant::StalledPrimaryIsSilence);
        if is_settled {
            return (ExtraState::Extra, Reason::None, true);
        }
        let published = self.ranges.instant_of(s.created_ms).map_or(s.q, |at| at.min(s.q));
        let wanted = self.foreigns.chain_wanted.map_or(published, |since| since.min(published));
        self.foreigns.chain_wanted = Some(wanted);
        if self.now > base.plus(GAP_LIMIT_NS) { (ExtraState::Unknown, Reason::NoChain, false) } else { wait }
    }
}
