//! The ledger: arrivals and proofs in, verdicts out. The single source of truth, with one writer.
//!
//! It holds every operation of the revision horizon with one cell for each mirror, the keys that only mirrors have, the
//! observation windows of all sources, and the accumulators of the intervals. Everything is bounded by [`Limits`]; what is
//! let go becomes `unknown`, never a mirror's fault. Every change is written into a journal from which a restart rebuilds
//! the same ledger. `measurement.md` §1–3 of the design gives the rules; each function names the one that it follows.

pub mod capture;
mod deliver;
mod extra;
pub mod journal;
mod judge;
mod mutant;
pub mod persist;
mod range;
pub mod restore;
pub mod series;
mod state;

pub use capture::{Capture, MirrorCapture, SourceCapture};
pub use extra::{ChainOutcome, ExtraRow};
pub use persist::Persist;
pub use restore::Saved;
pub use state::{MirrorState, SourceState};

use super::address::Peer;
use super::impair::{LateReader, PrimaryDelay};
use super::interval::{Interval, Status};
use super::op::Op;
use super::ring::{Ring, Row};
use super::rollup::Rollups;
use super::rtt::Correction;
use super::source::SourceIx;
use super::time::{Labels, SECOND, Tau};
use super::verdict::{Cell, Mode, Reason, Verdict};
use super::window::GapState;
use extra::Foreigns;
use journal::Journal;
use mutant::Mutant;
use range::CreatedRanges;
use series::Series;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Seconds of a slot of the rolling short windows.
pub const SLOT_S: i64 = 10;
/// Slots kept: those of 15 minutes, the open one, and some for what settles late.
const SLOTS_KEPT: u32 = 110;
/// Intervals kept in memory beyond the revision horizon, nanoseconds; older ones live on as roll-ups and on disk.
const INTERVALS_BEYOND_NS: i64 = 26 * 3_600 * SECOND;

/// The least time between two rebuilds of the roll-ups.
const ROLLUPS_EVERY_NS: i64 = 5 * SECOND;

/// The time limits of judging, the same for all mirrors.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Params {
    /// How much earlier than the primary a mirror may be, nanoseconds.
    pub look_back_ns: i64,
    /// How long verdicts may be revised, nanoseconds.
    pub horizon_ns: i64,
    /// How long a pair waits for late flags before its timing counts, nanoseconds.
    pub settle_ns: i64,
    /// Length of an interval, milliseconds of the label.
    pub interval_ms: i64,
}

/// The time limits of one mirror.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct MirrorParams {
    /// An arrival up to this much after the primary's is on time, nanoseconds.
    pub on_time_ns: i64,
    /// How long a mirror may take before an operation is missed, nanoseconds; at least `on_time_ns`.
    pub grace_ns: i64,
}

/// What the ledger may hold.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Operations of the primary.
    pub held_ops: usize,
    /// Keys of one mirror that the primary has not delivered.
    pub unknown_keys_per_mirror: usize,
    /// Operations of one mirror that are listed as missed or late.
    pub listed_per_mirror: usize,
}

/// Everything that is being judged.
#[derive(Debug)]
pub struct Ledger {
    params: Params,
    limits: Limits,
    labels: Labels,
    now: Tau,
    /// The tick before: what is due by then is decided, because whatever was read by then has been handed over since.
    before: Tau,
    primary: SourceState,
    mirrors: Vec<MirrorState>,
    ring: Ring,
    deadline_cursor: u64,
    /// Numbers of operations that `/export` brought and the primary's stream has not come to.
    ahead: Vec<u64>,
    foreigns: Foreigns,
    ranges: CreatedRanges,
    late: LateReader,
    delay: PrimaryDelay,
    intervals: Series,
    slots: Series,
    unsettled: BTreeSet<u32>,
    rollups: Arc<Rollups>,
    dirty_hours: BTreeSet<u32>,
    rollups_at: Tau,
    persist: Persist,
    journal: Journal,
    #[cfg(test)]
    pub(in crate::domain) mutant: Option<Mutant>,
}

impl Ledger {
    /// An empty ledger for these mirrors, in the order of their indices.
    #[must_use]
    pub fn new(params: Params, limits: Limits, labels: Labels, mirrors: &[MirrorParams]) -> Ledger {
        Ledger {
            params,
            limits,
            labels,
            now: labels.anchor_tau,
            before: labels.anchor_tau,
            primary: SourceState::default(),
            mirrors: mirrors.iter().map(|&p| MirrorState::new(p)).collect(),
            ring: Ring::new(mirrors.len(), 0),
            deadline_cursor: 0,
            ahead: Vec::new(),
            foreigns: Foreigns::default(),
            ranges: CreatedRanges::default(),
            late: LateReader::default(),
            delay: PrimaryDelay::default(),
            intervals: Series::new(mirrors.len()),
            slots: Series::new(mirrors.len()),
            unsettled: BTreeSet::new(),
            rollups: Arc::new(Rollups::new(mirrors.len(), params.interval_ms)),
            dirty_hours: BTreeSet::new(),
            rollups_at: Tau::MIN,
            persist: Persist::default(),
            journal: Journal::default(),
            #[cfg(test)]
            mutant: None,
        }
    }

    /// The source's own state.
    #[must_use]
    pub fn source(&self, source: SourceIx) -> Option<&SourceState> {
        match source.mirror_index() {
            None => Some(&self.primary),
            Some(i) => self.mirrors.get(i).map(|m| &m.source),
        }
    }

    fn source_mut(&mut self, source: SourceIx) -> Option<&mut SourceState> {
        match source.mirror_index() {
            None => Some(&mut self.primary),
            Some(i) => self.mirrors.get_mut(i).map(|m| &mut m.source),
        }
    }

    /// A source delivered an operation; `at` is the instant of the read that completed its frame.
    pub fn arrive(&mut self, source: SourceIx, op: &Op, at: Tau, mode: Mode) {
        match source.mirror_index() {
            None => self.primary_delivers(op, at, mode),
            Some(m) => self.mirror_delivers(m, op, at, mode),
        }
    }

    /// A frame of the source was refused; it is neither a delivery nor an extra.
    pub fn reject(&mut self, source: SourceIx) {
        if let Some(s) = self.source_mut(source) {
            s.rejected += 1;
        }
    }

    /// Something that the source sent at `at` was let go unread: nothing around it can be called missed or extra.
    pub fn dropped(&mut self, source: SourceIx, at: Tau) {
        self.drop_between(source, at, at);
    }

    fn drop_between(&mut self, source: SourceIx, from: Tau, at: Tau) {
        if let Some(s) = self.source_mut(source) {
            s.windows.drop_between(from, at);
            s.windows_version += 1;
            s.dropped += 1;
        }
        if source == SourceIx::PRIMARY && !self.is_mutant(Mutant::LaggingAfterHole) {
            self.ranges.close(from);
            self.ranges.open(at.plus(1));
        }
    }

    /// The source's stream is open since `at`: its first byte, or the first acknowledged ping.
    pub fn open(&mut self, source: SourceIx, at: Tau) {
        if let Some(s) = self.source_mut(source) {
            s.windows.open(at);
            s.windows_version += 1;
        }
        if source == SourceIx::PRIMARY {
            self.ranges.open(at);
        }
    }

    /// Everything that the source published through `through` has reached us.
    pub fn prove(&mut self, source: SourceIx, through: Tau) {
        if let Some(s) = self.source_mut(source) {
            s.windows.prove(through);
        }
    }

    /// The source's stream is gone.
    pub fn close(&mut self, source: SourceIx) {
        let cause = if source == SourceIx::PRIMARY { Reason::PrimaryDown } else { Reason::LinkDown };
        self.close_because(source, cause);
    }

    fn close_because(&mut self, source: SourceIx, cause: Reason) {
        if let Some(s) = self.source_mut(source) {
            s.windows.close(cause);
            s.windows_version += 1;
        }
    }

    /// A continuous fill that ended at `at` closed the gaps behind the source's present stream.
    pub fn filled(&mut self, source: SourceIx, at: Tau) {
        if let Some(s) = self.source_mut(source) {
            s.windows.filled(at);
            s.windows_version += 1;
        }
        match source.mirror_index() {
            None => (0..self.mirrors.len()).for_each(|m| self.reopen_unknown(m)),
            Some(m) => self.reopen_unknown(m),
        }
    }

    /// Nothing will fill the gaps behind the source's present stream.
    pub fn give_up(&mut self, source: SourceIx, at: Tau) {
        if source == SourceIx::PRIMARY {
            self.part_ranges();
        }
        if let Some(s) = self.source_mut(source) {
            s.windows.give_up(at);
            s.windows_version += 1;
        }
    }

    /// Every gap of the primary that is not filled, and is not down any more, parts the ranges of `createdAt`.
    fn part_ranges(&mut self) {
        if self.is_mutant(Mutant::LaggingAfterHole) {
            return;
        }
        for gap in self.primary.windows.gaps().filter(|g| g.state == GapState::Open && g.reopened.is_some()) {
            self.ranges.close(gap.start);
            self.ranges.open(gap.end());
        }
    }

    /// Our reader has been late since `from`, or, with `to`, was late until then.
    pub fn late_reader(&mut self, from: Tau, to: Option<Tau>) {
        self.late.begin(from);
        if let Some(to) = to {
            self.late.end(to);
        }
    }

    /// A round trip of `rtt_ns` nanoseconds by TCP connect to the address that the source's stream is connected to.
    pub fn rtt(&mut self, source: SourceIx, at: Tau, peer: Peer, rtt_ns: i64) {
        let keep = self.is_mutant(Mutant::NoPeerReset);
        let Some(s) = self.source_mut(source) else { return };
        let peer = if keep { s.rtt.peer().unwrap_or(peer) } else { peer };
        s.rtt.add(at, peer, rtt_ns);
        s.rtts.set(at, s.rtt.min_ns());
    }

    /// A round trip as the kernel measured it on the live socket.
    pub fn tcp_info_rtt(&mut self, source: SourceIx, at: Tau, peer: Peer, rtt_ns: i64) {
        if let Some(s) = self.source_mut(source) {
            s.tcp_info_rtt.add(at, peer, rtt_ns);
        }
    }

    /// Takes every decision that is due at `now`.
    pub fn tick(&mut self, now: Tau) {
        self.before = self.now;
        self.now = self.now.max(now);
        for s in std::iter::once(&mut self.primary).chain(self.mirrors.iter_mut().map(|m| &mut m.source)) {
            s.forget_rtt(now);
        }
        self.begin_mirrors();
        self.settle_pairs();
        self.collect_overdue();
        self.judge_overdue();
        self.judge_extras();
        self.evict_old();
        self.advance_intervals();
    }

    /// Length of an interval, milliseconds.
    #[must_use]
    pub fn interval_ms(&self) -> i64 {
        self.params.interval_ms
    }

    /// The newest instant that the ledger was told of.
    #[must_use]
    pub fn now(&self) -> Tau {
        self.now
    }

    /// Number of the interval that counts an arrival at `at`.
    fn interval_of(&self, at: Tau) -> u32 {
        u32::try_from(self.labels.utc_ms(at).div_euclid(self.params.interval_ms)).unwrap_or(0)
    }

    fn slot_of(&self, at: Tau) -> u32 {
        u32::try_from(self.labels.utc_ms(at).div_euclid(SLOT_S * 1_000)).unwrap_or(0)
    }

    /// Changes a cell, its counts in the interval and the slot, its lists, and the journal.
    fn set_cell(&mut self, number: u64, m: usize, to: Cell) {
        self.set_cell_and_sample(number, m, to, None);
    }

    /// The same, and counts its lag: microseconds as measured, and what corrects them.
    fn set_cell_and_sample(&mut self, number: u64, m: usize, to: Cell, sample: Option<(i64, Option<Correction>)>) {
        let Some(row) = self.ring.row(number).copied() else { return };
        let Some(from) = self.ring.set_cell(number, m, to) else { return };
        debug_assert!(
            from.verdict().may_become(to.verdict()) || self.is_mutant(Mutant::ForbiddenEdge),
            "{from:?} → {to:?}"
        );
        self.journal.cell(number, m, to);
        let is_change = from.verdict() != to.verdict();
        if !is_change && sample.is_none() {
            return;
        }
        if is_change {
            self.touch_interval(row.interval);
        }
        let (slot, clamps) = (self.slot_of(row.p), self.is_mutant(Mutant::Clamp));
        for interval in [self.intervals.existing_mut(row.interval), self.slots.existing_mut(slot)].into_iter().flatten()
        {
            let Some(acc) = interval.acc_mut(m) else { continue };
            if is_change {
                acc.change(row.kind, &row.did, from, to);
                if clamps && from.verdict() == Verdict::Pending {
                    acc.add(row.kind, &row.did, from);
                }
            }
            if let Some((raw_us, correction)) = sample {
                acc.sample(raw_us, correction);
            }
        }
        if is_change {
            if let Some(mirror) = self.mirrors.get_mut(m) {
                mirror.list(number, &row, from.verdict(), to.verdict(), self.limits.listed_per_mirror);
            }
            self.persist.verdict(number, m, from.verdict(), to.verdict());
        }
    }

    /// Notes that an interval's figures change: a final one is amended, not rewritten, and one that is on its way to the
    /// disk is not final yet.
    fn touch_interval(&mut self, k: u32) {
        let Some(interval) = self.intervals.existing_mut(k) else { return };
        match interval.status {
            Status::Final | Status::Revised => {
                interval.amendments += 1;
                interval.status = Status::Revised;
                self.persist.interval(k);
            }
            Status::Open | Status::Settling => {
                if interval.evicted_ops > 0 {
                    self.persist.interval(k);
                }
                self.unsettled.insert(k);
                self.persist.not_final(k);
            }
        }
        if interval.status != Status::Open {
            self.dirty_hours.insert(self.rollups.hour_of(k));
        }
    }

    /// Counts a new operation of the primary at every mirror, in its interval and its slot.
    fn count_new(&mut self, row: &Row, number: u64) {
        let slot = self.slot_of(row.p);
        let mirrors = self.mirrors.len();
        for interval in [self.intervals.get_mut(row.interval), self.slots.get_mut(slot)].into_iter().flatten() {
            interval.primary_ops += 1;
            for m in 0..mirrors {
                if let (Some(cell), Some(acc)) = (self.ring.cell(number, m), interval.acc_mut(m)) {
                    acc.add(row.kind, &row.did, cell);
                }
            }
        }
        self.touch_interval(row.interval);
    }

    /// Takes an operation out of its interval and slot, to be counted in others.
    fn uncount(&mut self, row: &Row, number: u64) {
        let slot = self.slot_of(row.p);
        self.touch_interval(row.interval);
        let mirrors = self.mirrors.len();
        for interval in [self.intervals.existing_mut(row.interval), self.slots.existing_mut(slot)].into_iter().flatten()
        {
            interval.primary_ops = interval.primary_ops.wrapping_sub(1);
            for m in 0..mirrors {
                if let (Some(cell), Some(acc)) = (self.ring.cell(number, m), interval.acc_mut(m)) {
                    acc.remove(row.kind, cell);
                }
            }
        }
    }

    /// Lets operations go that are older than the revision horizon, or more than may be held.
    fn evict_old(&mut self) {
        let before = self.now.plus(-self.params.horizon_ns);
        while self.ring.row(self.ring.base()).is_some_and(|row| row.p < before) {
            self.evict_one();
        }
        self.foreigns.forget(before, &mut self.mirrors, &mut self.journal);
        for s in std::iter::once(&mut self.primary).chain(self.mirrors.iter_mut().map(|m| &mut m.source)) {
            s.windows.forget(before);
        }
    }

    /// Lets the oldest operation go; what is undecided of it becomes unknown.
    fn evict_one(&mut self) {
        let number = self.ring.base();
        let Some(row) = self.ring.row(number).copied() else { return };
        for m in 0..self.mirrors.len() {
            let Some(cell) = self.ring.cell(number, m) else { continue };
            if cell.verdict() == Verdict::Pending {
                let verdict = match cell.delivery() {
                    Some(_) => Verdict::Present,
                    None if self.is_eligible(&row, m).is_some() => Verdict::Unknown,
                    None => Verdict::NotEligible,
                };
                self.set_cell(number, m, cell.with_verdict(verdict, Reason::Evicted));
            } else if cell.delivery().is_some() && matches!(cell.verdict(), Verdict::Missed | Verdict::Unknown) {
                self.set_cell(number, m, self.healed(cell, Verdict::Present));
            }
        }
        if let Some(interval) = self.intervals.existing_mut(row.interval) {
            interval.evicted_ops += 1;
            self.persist.interval(row.interval);
        }
        for (m, mirror) in self.mirrors.iter_mut().enumerate() {
            mirror.unlist(number, &row, self.ring.cell(number, m).map(Cell::verdict));
        }
        self.ranges.let_go(row.created_ms, row.seq());
        self.ring.pop();
        self.journal.evicted(self.ring.base());
    }

    /// Moves intervals from open to settling, and marks those whose operations are all closed as ready to be kept.
    fn advance_intervals(&mut self) {
        let current = self.interval_of(self.now);
        let open_gap = self.primary.windows.open_gap().map(|g| self.interval_of(g.start));
        let mut ready = Vec::new();
        for &k in self.unsettled.range(..current) {
            let Some(interval) = self.intervals.existing_mut(k) else { continue };
            if interval.status == Status::Open {
                interval.status = Status::Settling;
                self.dirty_hours.insert(self.rollups.hour_of(k));
            }
            if interval.is_closed() && open_gap.is_none_or(|gap| k < gap) {
                ready.push(k);
            }
        }
        for k in ready {
            self.unsettled.remove(&k);
            if self.is_mutant(Mutant::FinalBeforeCommit)
                && let Some(interval) = self.intervals.existing_mut(k)
            {
                interval.status = Status::Final;
            }
            self.persist.final_interval(k);
        }
        let slot = self.slot_of(self.now);
        self.slots.trim(slot.saturating_sub(SLOTS_KEPT));
        let keep_from = self.now.plus(-self.params.horizon_ns).plus(-INTERVALS_BEYOND_NS);
        self.intervals.trim(self.interval_of(keep_from));
        self.rebuild_rollups(current);
    }

    fn rebuild_rollups(&mut self, current: u32) {
        if self.dirty_hours.is_empty() || self.now.since(self.rollups_at) < ROLLUPS_EVERY_NS {
            return;
        }
        self.rollups_at = self.now;
        for hour in std::mem::take(&mut self.dirty_hours) {
            Arc::make_mut(&mut self.rollups).rebuild(hour, &self.intervals, current);
            self.persist.hour(hour);
        }
    }

    /// Marks an interval as kept on disk as it is.
    fn finalize(&mut self, k: u32) {
        if let Some(interval) = self.intervals.existing_mut(k)
            && interval.status == Status::Settling
        {
            interval.status = Status::Final;
        }
    }

    /// The interval as it stands, for tests and for keeping.
    #[must_use]
    pub fn interval(&self, k: u32) -> Option<&Interval> {
        self.intervals.get(k).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod property;
