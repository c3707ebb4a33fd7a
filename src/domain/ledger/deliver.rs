//! Arrivals: which operation it is, whether it is the first, and what its instant means.

use super::Ledger;
use super::extra::{Foreign, Sighting};
use super::mutant::Mutant;
use crate::domain::op::Op;
use crate::domain::ring::Row;
use crate::domain::rtt::Correction;
use crate::domain::source::SourceIx;
use crate::domain::time::{Tau, US};
use crate::domain::verdict::{Cell, Mode, Reason, Verdict};

impl Ledger {
    pub(super) fn primary_delivers(&mut self, op: &Op, at: Tau, mode: Mode) {
        if mode == Mode::Live {
            self.primary.note_arrival(at);
        }
        let Some(number) = self.ring.find(&op.key.cid) else {
            self.primary_is_new(op, at, mode);
            return;
        };
        let Some(row) = self.ring.row(number).copied() else { return };
        if row.did != op.key.did || row.created_ms != op.created_ms {
            self.altered_by_primary += 1;
        }
        if mode == Mode::Filled || row.did != op.key.did {
            return;
        }
        if row.is_filled {
            self.primary_is_live_after_all(number, &row, at);
        } else {
            self.primary.duplicates += 1;
            if self.is_mutant(Mutant::DuplicateCountsAgain) {
                self.count_new(&row, number);
            }
        }
    }

    fn primary_is_new(&mut self, op: &Op, at: Tau, mode: Mode) {
        self.primary.received += 1;
        let foreign = self.foreigns.take(&op.key.cid, &mut self.mirrors);
        let p = match mode {
            Mode::Live => at,
            Mode::Filled if self.is_mutant(Mutant::FilledIsLive) => at,
            Mode::Filled => self.instant_of_filled(op, at, foreign.as_ref()),
        };
        let mut row = Row::new(op.key, op.kind, p, op.created_ms, op.seq);
        row.is_filled = mode == Mode::Filled && !self.is_mutant(Mutant::FilledIsLive);
        row.interval = self.interval_of(p);
        if mode == Mode::Live {
            row.delay_ms = u32::try_from(self.delay.add(at, op.created_ms)).unwrap_or(u32::MAX);
            self.ranges.add(at, op.created_ms);
        }
        let look_back_ns = self.params.look_back_ns;
        let cells = self.mirrors.iter().map(|m| {
            let eligible = m.source.windows.first().is_some_and(|first| p >= first.plus(look_back_ns));
            Cell::new(if eligible { Verdict::Pending } else { Verdict::NotEligible })
        });
        let number = self.ring.push(row, cells);
        self.journal.op(number, &row);
        self.count_new(&row, number);
        for m in 0..self.mirrors.len() {
            if self.ring.cell(number, m).map(Cell::verdict) == Some(Verdict::NotEligible) {
                self.journal.cell(number, m, Cell::new(Verdict::NotEligible));
            }
        }
        if let Some(foreign) = foreign {
            for sighting in foreign.into_sightings() {
                self.promote(number, &row, &sighting);
            }
            self.journal.gone(&op.key.cid);
        }
        while self.ring.len() > self.limits.held_ops {
            self.evict_one();
        }
    }

    /// The instant that stands for a filled arrival of the primary: the start of the gap that is being filled. An operation
    /// that `/export` has and the stream never sent has no gap: the earliest sighting at a mirror stands for it, else the
    /// instant at which the primary's clock showed its `createdAt`.
    fn instant_of_filled(&self, op: &Op, at: Tau, foreign: Option<&Foreign>) -> Tau {
        if let Some(gap) = self.primary.windows.open_gap() {
            return gap.start;
        }
        let seen = foreign.and_then(Foreign::first_seen);
        let estimated = self.ranges.instant_of(op.created_ms);
        let floor = self.primary.windows.first().unwrap_or(at);
        seen.or(estimated).unwrap_or(at).max(floor).min(at)
    }

    /// The primary's stream sends an operation that a fill brought first: it takes the live stamp, as long as nothing
    /// about it is decided by the other one.
    fn primary_is_live_after_all(&mut self, number: u64, row: &Row, at: Tau) {
        let undecided = (0..self.mirrors.len()).all(|m| {
            self.ring.cell(number, m).is_some_and(|c| matches!(c.verdict(), Verdict::Pending | Verdict::NotEligible))
        });
        if !undecided {
            return;
        }
        self.uncount(row, number);
        let moved_us = at.since(row.p) / US;
        let mut moved = *row;
        (moved.p, moved.is_filled, moved.interval) = (at, false, self.interval_of(at));
        moved.delay_ms = u32::try_from(self.delay.add(at, row.created_ms)).unwrap_or(u32::MAX);
        self.ranges.add(at, row.created_ms);
        if let Some(row) = self.ring.row_mut(number) {
            *row = moved;
        }
        self.journal.moved(number, &moved);
        for m in 0..self.mirrors.len() {
            if let Some(cell) = self.ring.cell(number, m)
                && let Some(mode) = cell.delivery()
            {
                let cell = cell.with_delivery(mode, cell.raw_us() - moved_us);
                self.ring.set_cell(number, m, cell);
                self.journal.cell(number, m, cell);
            }
        }
        self.count_new(&moved, number);
        for m in 0..self.mirrors.len() {
            if self.ring.cell(number, m).is_some_and(|c| c.delivery().is_none() && c.verdict() == Verdict::Pending)
                && let Some(mirror) = self.mirrors.get_mut(m)
                && number < self.deadline_cursor
                && !mirror.overdue.contains(&number)
            {
                mirror.overdue.push(number);
            }
        }
    }

    pub(super) fn mirror_delivers(&mut self, m: usize, op: &Op, at: Tau, mode: Mode) {
        if mode == Mode::Live
            && let Some(mirror) = self.mirrors.get_mut(m)
        {
            mirror.source.note_arrival(at);
        }
        if self.is_mutant(Mutant::CountBeforeDedupe)
            && let Some(mirror) = self.mirrors.get_mut(m)
        {
            mirror.source.received += 1;
        }
        let Some(number) = self.ring.find(&op.key.cid) else {
            self.sight(m, op, at, mode);
            return;
        };
        let Some(row) = self.ring.row(number).copied() else { return };
        let is_altered = row.did != op.key.did || row.created_ms != op.created_ms;
        if is_altered && let Some(mirror) = self.mirrors.get_mut(m) {
            mirror.source.altered += 1;
        }
        if row.did == op.key.did {
            self.deliver(number, m, at, mode, false);
        }
    }

    /// The primary delivered what was sighted at a mirror before: it becomes a delivery of that mirror.
    fn promote(&mut self, number: u64, row: &Row, sighting: &Sighting) {
        let m = usize::from(sighting.mirror);
        self.uncount_extra(sighting);
        let is_altered = sighting.key.did != row.did || sighting.created_ms != row.created_ms;
        if is_altered && let Some(mirror) = self.mirrors.get_mut(m) {
            mirror.source.altered += 1;
        }
        if let Some(mirror) = self.mirrors.get_mut(m) {
            // The sighting was counted as received; a delivery counts it again, and under another DID it is none.
            mirror.source.received = mirror.source.received.saturating_sub(1);
        }
        if sighting.key.did != row.did {
            return;
        }
        let credited = sighting.state != crate::domain::interval::ExtraState::Pending;
        self.deliver(number, m, sighting.q, sighting.mode, credited);
    }

    /// Mirror `m` has the operation of this number since `at`.
    fn deliver(&mut self, number: u64, m: usize, at: Tau, mode: Mode, credited: bool) {
        let (Some(row), Some(cell)) = (self.ring.row(number).copied(), self.ring.cell(number, m)) else { return };
        let mode = if self.is_mutant(Mutant::FilledIsLive) { Mode::Live } else { mode };
        let raw_us = at.since(row.p).div_euclid(US);
        match (cell.delivery(), mode) {
            (None, _) => {}
            (Some(Mode::Filled), Mode::Live) if cell.verdict() == Verdict::Pending => {
                self.set_cell(number, m, cell.with_delivery(mode, raw_us));
                return;
            }
            (Some(Mode::Live), Mode::Live) => {
                if let Some(mirror) = self.mirrors.get_mut(m) {
                    mirror.source.duplicates += 1;
                }
                return;
            }
            _ => return,
        }
        let mut next = cell.with_delivery(mode, raw_us);
        if credited {
            next = next.credited();
        }
        if matches!(cell.verdict(), Verdict::Missed | Verdict::Unknown) {
            let is_late = self.timing(&row, next, m) == Verdict::Late;
            let next_verdict = if is_late { Verdict::Late } else { Verdict::Present };
            next = if cell.verdict() == Verdict::Missed { next.healed() } else { next };
            next = next.with_verdict(next_verdict, Reason::None);
        }
        let was_flagged = credited && next.verdict() == cell.verdict();
        self.set_cell(number, m, next);
        if was_flagged {
            self.recount_flags(&row, m, cell, next);
        }
        let due = at.max(row.p).plus(self.params.settle_ns);
        let clamp = self.is_mutant(Mutant::CountBeforeDedupe);
        if let Some(mirror) = self.mirrors.get_mut(m) {
            mirror.source.received += u64::from(!clamp);
            mirror.head = mirror.head.max(Some(number));
            if next.verdict() != Verdict::NotEligible {
                mirror.settling.push_back((number, due));
            }
        }
    }

    /// A flag was set without a change of verdict: the counts of flags follow.
    fn recount_flags(&mut self, row: &Row, m: usize, from: Cell, to: Cell) {
        let slot = self.slot_of(row.p);
        for interval in [self.intervals.existing_mut(row.interval), self.slots.existing_mut(slot)].into_iter().flatten()
        {
            if let Some(acc) = interval.acc_mut(m) {
                acc.change(row.kind, &row.did, from, to);
            }
        }
    }

    /// What the timing of a delivered operation says, as far as is known now: on time, late, or present when it says nothing.
    pub(super) fn timing(&self, row: &Row, cell: Cell, m: usize) -> Verdict {
        let Some(mirror) = self.mirrors.get(m) else { return Verdict::Present };
        if row.is_filled || cell.delivery() != Some(Mode::Live) {
            return Verdict::Present;
        }
        let (p, a) = (row.p, cell.arrival(row.p));
        let lag_ns = cell.raw_us() * US;
        let on_time_ns = mirror.params.on_time_ns;
        if self.is_mutant(Mutant::FlagVoidsTooMuch) && self.late.total_ns() >= 0 && row.created_ms % 3 == 0 {
            return Verdict::Present;
        }
        if !self.is_mutant(Mutant::FrozenSpanCounts) {
            let stamps_voided = [p, a].iter().any(|&at| self.is_impaired(SourceIx::mirror(m), at));
            let between_ns = self.impaired_between_ns(m, p.min(a), p.max(a));
            let excused = lag_ns > on_time_ns && lag_ns - between_ns <= on_time_ns;
            if row.delay_ms > 0 || stamps_voided || excused {
                return Verdict::Present;
            }
        }
        if lag_ns <= on_time_ns { Verdict::OnTime } else { Verdict::Late }
    }

    /// Whether a stamp at `at` means nothing for this mirror, because we, the primary's link or its own link were impaired.
    fn is_impaired(&self, source: SourceIx, at: Tau) -> bool {
        let Some(s) = self.source(source) else { return true };
        let gaps =
            self.primary.windows.gaps().rev().take(IMPAIRED_GAPS).chain(s.windows.gaps().rev().take(IMPAIRED_GAPS));
        self.late.contains(at) || gaps.into_iter().any(|g| g.impaired().contains(at))
    }

    fn impaired_between_ns(&self, m: usize, from: Tau, to: Tau) -> i64 {
        let Some(mirror) = self.mirrors.get(m) else { return 0 };
        let gaps = |s: &super::SourceState| -> i64 {
            s.windows.gaps().rev().take(IMPAIRED_GAPS).map(|g| g.impaired().overlap_ns(from, to)).sum()
        };
        self.late.overlap_ns(from, to) + gaps(&self.primary) + gaps(&mirror.source)
    }

    /// Settles the pairs whose time has come: their timing and their lag count from now on.
    pub(super) fn settle_pairs(&mut self) {
        for m in 0..self.mirrors.len() {
            while let Some(&(number, due)) = self.mirrors.get(m).and_then(|mirror| mirror.settling.front()) {
                if due > self.now {
                    break;
                }
                if let Some(mirror) = self.mirrors.get_mut(m) {
                    mirror.settling.pop_front();
                }
                self.settle(number, m);
            }
        }
    }

    fn settle(&mut self, number: u64, m: usize) {
        let (Some(row), Some(cell)) = (self.ring.row(number).copied(), self.ring.cell(number, m)) else { return };
        let timing = self.timing(&row, cell, m);
        let mut next = cell;
        if cell.verdict() == Verdict::Pending {
            next = next.with_verdict(timing, Reason::None);
            if timing != Verdict::Present && cell.raw_us() < 0 {
                next = next.early();
            }
        }
        let samples = matches!(next.verdict(), Verdict::OnTime | Verdict::Late) && timing == next.verdict();
        if samples && !cell.is_sampled() {
            next = next.sampled();
        }
        if next == cell {
            return;
        }
        let sample = (next.is_sampled() && !cell.is_sampled()).then(|| self.sample(number, &row, next, m));
        self.set_cell_and_sample(number, m, next, sample);
    }

    /// The lag of a pair as it is counted: microseconds as measured, and what corrects them.
    fn sample(&mut self, number: u64, row: &Row, cell: Cell, m: usize) -> (i64, Option<Correction>) {
        let correction = self.mirrors.get(m).and_then(|mirror| mirror.corrections.at(cell.arrival(row.p)));
        let raw_us =
            if self.is_mutant(Mutant::WallClock) { cell.raw_us() + row.created_ms % 50_000 } else { cell.raw_us() };
        self.journal.sample(number, m, correction);
        (raw_us, correction)
    }
}

/// Newest gaps of a source that are looked at for one stamp; a stamp is settled within minutes, and older gaps than this
/// many lie far behind it even on a link that flaps each second.
const IMPAIRED_GAPS: usize = 128;
