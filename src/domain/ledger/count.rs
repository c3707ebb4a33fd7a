//! The counts: what a change of a cell means for its interval, its slot and its hour, and what is let go when it is old.

use super::{Ledger, SLOT_S};
use crate::domain::finding::About;
use crate::domain::interval::Status;
use crate::domain::ledger::mutant::Mutant;
use crate::domain::op::Kind;
use crate::domain::ring::Row;
use crate::domain::rtt::Correction;
use crate::domain::source::SourceIx;
use crate::domain::time::{SECOND, Span, Tau};
use crate::domain::verdict::{Cell, Reason, Verdict};
use crate::domain::window::Gap;
use std::sync::Arc;

/// Slots kept: those of 15 minutes, the open one, and some for what settles late.
const SLOTS_KEPT: u32 = 110;
/// Intervals kept in memory beyond the revision horizon, nanoseconds; older ones live on as roll-ups and on disk.
const INTERVALS_BEYOND_NS: i64 = 26 * 3_600 * SECOND;
/// The least time between two rebuilds of the roll-ups.
const ROLLUPS_EVERY_NS: i64 = 5 * SECOND;

impl Ledger {
    /// Number of the interval that counts an arrival at `at`.
    pub(super) fn interval_of(&self, at: Tau) -> u32 {
        u32::try_from(self.labels.utc_ms(at).div_euclid(self.params.interval_ms)).unwrap_or(0)
    }

    pub(super) fn slot_of(&self, at: Tau) -> u32 {
        u32::try_from(self.labels.utc_ms(at).div_euclid(SLOT_S * 1_000)).unwrap_or(0)
    }

    /// Changes a cell, its counts in the interval and the slot, its lists, and the journal.
    pub(super) fn set_cell(&mut self, number: u64, m: usize, to: Cell) {
        self.set_cell_and_sample(number, m, to, None);
    }

    /// The same, and counts its lag: microseconds as measured, and what corrects them.
    pub(super) fn set_cell_and_sample(
        &mut self,
        number: u64,
        m: usize,
        to: Cell,
        sample: Option<(i64, Option<Correction>)>,
    ) {
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
        self.tally(m, row.kind, (from.verdict(), to.verdict()), sample);
        let (slot, clamps) = (self.slot_of(row.p), self.is_mutant(Mutant::Clamp));
        for interval in [self.intervals.existing_mut(row.interval), self.slots.existing_mut(slot)].into_iter().flatten()
        {
            let Some(acc) = interval.acc_mut(m) else { continue };
            if is_change {
                acc.change(row.kind, &row.did, from, to);
            }
            if is_change && clamps && from.verdict() == Verdict::Pending {
                acc.add(row.kind, &row.did, from);
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
            if to.verdict() == Verdict::Missed {
                self.findings.want(SourceIx::mirror(m), row.key(), About::Miss);
            }
        }
    }

    fn tally(
        &mut self,
        m: usize,
        kind: Kind,
        (from, to): (Verdict, Verdict),
        sample: Option<(i64, Option<Correction>)>,
    ) {
        let Some(mirror) = self.mirrors.get_mut(m) else { return };
        let tally = Arc::make_mut(&mut mirror.tally);
        if from != to {
            tally.decided(kind, from, to);
        }
        if let Some((raw_us, Some(correction))) = sample {
            tally.lagged(raw_us - correction.correction_us);
        }
    }

    /// Notes that an interval's figures change: a final one is amended, not rewritten, and one that is on its way to the
    /// disk is not final yet.
    pub(super) fn touch_interval(&mut self, k: u32) {
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
    pub(super) fn count_new(&mut self, row: &Row, number: u64) {
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
    pub(super) fn uncount(&mut self, row: &Row, number: u64) {
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
    pub(super) fn evict_old(&mut self) {
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
    pub(super) fn evict_one(&mut self) {
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
        self.ranges.let_go(row.created_ms, row.seq(), row.p);
        self.disputed.remove(&number);
        self.stream_gaps.forget(number);
        while self.withdrawn_early.first().is_some_and(|early| early.0 <= number) {
            self.withdrawn_early.pop_first();
        }
        self.ring.pop();
        self.prevs.pop();
        self.journal.evicted(self.ring.base());
    }

    /// Moves intervals from open to settling, and marks those whose operations are all closed as ready to be kept.
    pub(super) fn advance_intervals(&mut self) {
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
            self.mark_impaired(k);
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

    /// Notes in an interval that is over whether the observer or the primary's link was impaired in it: the spans that tell it
    /// are forgotten before the interval is.
    fn mark_impaired(&mut self, k: u32) {
        let label = |k: i64| self.labels.tau(k * self.params.interval_ms);
        let (from, to) = (label(i64::from(k)), label(i64::from(k) + 1));
        let late = self.late.since().map(|from| Span { from, to: Tau::MAX });
        let gaps = self.primary.windows.gaps().map(Gap::impaired);
        let mut spans = self.late.spans().copied().chain(gaps).chain(late);
        if spans.any(|span| span.overlap_ns(from, to) > 0)
            && let Some(interval) = self.intervals.existing_mut(k)
        {
            interval.is_impaired = true;
        }
    }

    pub(super) fn rebuild_rollups(&mut self, current: u32) {
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
    pub(super) fn finalize(&mut self, k: u32) {
        if let Some(interval) = self.intervals.existing_mut(k)
            && interval.status == Status::Settling
        {
            interval.status = Status::Final;
            // Its hour is as settled as the least settled of its intervals.
            self.dirty_hours.insert(self.rollups.hour_of(k));
        }
    }
}
