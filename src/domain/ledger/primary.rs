//! The instant of an operation of the primary: how much later than usual it came, what stands for the arrival of one that a
//! fill brought, and what follows when its stream brings that one after all.

use super::Ledger;
use crate::domain::impair::DELAY_MIN_MS;
use crate::domain::op::Op;
use crate::domain::ring::Row;
use crate::domain::time::{MS, Tau, US};
use crate::domain::verdict::Verdict;

impl Ledger {
    /// By how many milliseconds the primary's stream sent an operation later than usual. While too few came to tell what is
    /// usual, as after a start, the one that came soonest stands for it: a mirror may have had this one before we looked.
    pub(super) fn held_back_ms(&mut self, at: Tau, created_ms: i64) -> i64 {
        let soonest = self.ranges.instant_of(created_ms);
        let excess_ms = self.delay.add(at, created_ms);
        let is_usual_known = self.delay.excess_ms(at, created_ms).is_some();
        let behind_ms = soonest.filter(|_| !is_usual_known).map_or(0, |soonest| at.since(soonest) / MS);
        if behind_ms > DELAY_MIN_MS { behind_ms } else { excess_ms }
    }

    /// The primary's stream came to operations behind some that only `/export` has brought: from now on mirrors that follow
    /// the stream are expected to have those too.
    pub(super) fn stream_passes(&mut self, at: Tau) {
        for number in std::mem::take(&mut self.ahead) {
            let Some(row) = self.ring.row(number).copied().filter(|row| row.is_filled) else { continue };
            if row.seq() > self.primary.live_seq {
                self.ahead.push(number);
                continue;
            }
            let mut passed = row;
            passed.known_after_ms = u32::try_from(at.since(row.p) / MS + 1).unwrap_or(u32::MAX);
            if row.seq() != self.primary.live_seq
                && let Some(row) = self.ring.row_mut(number)
            {
                *row = passed;
                self.journal.moved(number, &passed);
            }
        }
    }

    /// The instant that stands for a filled arrival of the primary, and by how many milliseconds the operation may have been
    /// there earlier. Within a gap it is the gap's start. An operation that `/export` has and the stream never sent has no
    /// gap: there it is the instant at which we learned of it. Only the primary's own data say how long it was held back.
    pub(super) fn instant_of_filled(&self, op: &Op, at: Tau) -> (Tau, i64) {
        let gap = self.primary.windows.open_gap().map(|g| g.start);
        let p = gap.unwrap_or(at);
        let since = self.ranges.instant_of(op.created_ms).or(self.primary.windows.first()).unwrap_or(at);
        let unknown = if gap.is_some() { 0 } else { at.since(since).max(0) / MS };
        (p, self.delay.excess_ms(p, op.created_ms).unwrap_or(unknown))
    }

    /// The primary's stream sends an operation that a fill brought first: it takes the live stamp, as long as nothing
    /// that is decided about it rests on the other one.
    pub(super) fn primary_is_live_after_all(&mut self, number: u64, row: &Row, at: Tau) {
        let stays = |v: Verdict| matches!(v, Verdict::Pending | Verdict::NotEligible | Verdict::Present);
        if !(0..self.mirrors.len()).all(|m| self.ring.cell(number, m).is_some_and(|c| stays(c.verdict()))) {
            return;
        }
        self.stream_gaps.closed(number);
        self.uncount(row, number);
        let moved_us = at.since(row.p) / US;
        let mut moved = *row;
        (moved.p, moved.is_filled, moved.interval) = (at, false, self.interval_of(at));
        moved.known_after_ms = 0;
        moved.delay_ms = u32::try_from(self.held_back_ms(at, row.created_ms)).unwrap_or(u32::MAX);
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
    }
}
