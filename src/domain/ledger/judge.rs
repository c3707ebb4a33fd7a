//! Decisions about what a mirror did not deliver: missed, unknown, or wait.

use super::Ledger;
use super::mutant::Mutant;
use crate::domain::ring::Row;
use crate::domain::time::Tau;
use crate::domain::verdict::{Reason, Verdict};
use crate::domain::window::{Cover, GAP_LIMIT_NS};

/// What follows for an operation that is not delivered.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Judgement {
    Wait,
    Missed,
    Unknown(Reason),
}

impl Ledger {
    /// Puts the operations whose first deadline has passed on the list of each mirror that has not delivered them.
    pub(super) fn collect_overdue(&mut self) {
        let grace_ns = self.mirrors.iter().map(|m| m.params.grace_ns).min().unwrap_or(0);
        self.deadline_cursor = self.deadline_cursor.max(self.ring.base());
        while let Some(row) = self.ring.row(self.deadline_cursor) {
            if row.p.plus(grace_ns) > self.now {
                break;
            }
            for m in 0..self.mirrors.len() {
                let waits = |c: crate::domain::verdict::Cell| c.verdict() == Verdict::Pending && c.delivery().is_none();
                if self.ring.cell(self.deadline_cursor, m).is_some_and(waits)
                    && let Some(mirror) = self.mirrors.get_mut(m)
                {
                    mirror.overdue.push(self.deadline_cursor);
                }
            }
            self.deadline_cursor += 1;
        }
    }

    /// Judges everything that is overdue.
    pub(super) fn judge_overdue(&mut self) {
        for m in 0..self.mirrors.len() {
            let Some(mirror) = self.mirrors.get_mut(m) else { continue };
            let list = std::mem::take(&mut mirror.overdue);
            let mut kept = Vec::with_capacity(list.len());
            for number in list {
                if self.judge_one(number, m) {
                    kept.push(number);
                }
            }
            if let Some(mirror) = self.mirrors.get_mut(m) {
                mirror.overdue = kept;
            }
        }
    }

    /// Judges one operation; whether it stays on the list.
    fn judge_one(&mut self, number: u64, m: usize) -> bool {
        let (Some(row), Some(cell)) = (self.ring.row(number).copied(), self.ring.cell(number, m)) else { return false };
        let acknowledged = cell.delivery().is_some();
        if acknowledged || !matches!(cell.verdict(), Verdict::Pending | Verdict::Unknown) {
            return false;
        }
        match self.judge(&row, m) {
            Judgement::Wait => cell.verdict() == Verdict::Pending,
            Judgement::Missed => {
                self.set_cell(number, m, cell.with_verdict(Verdict::Missed, Reason::None));
                false
            }
            Judgement::Unknown(reason) => {
                if cell.verdict() == Verdict::Pending {
                    self.set_cell(number, m, cell.with_verdict(Verdict::Unknown, reason));
                }
                false
            }
        }
    }

    fn judge(&self, row: &Row, m: usize) -> Judgement {
        let Some(mirror) = self.mirrors.get(m) else { return Judgement::Wait };
        let grace_ns = if self.is_mutant(Mutant::NoGrace) { 0 } else { mirror.params.grace_ns };
        let look_back_ns = self.params.look_back_ns.saturating_add(i64::from(row.delay_ms) * crate::domain::time::MS);
        let base = row.p.plus(grace_ns);
        let from = if self.is_mutant(Mutant::EdgeCut) { row.p.plus(grace_ns / 2) } else { row.p.plus(-look_back_ns) };
        let deadline = self.deadline(row, m, from, base);
        if self.is_mutant(Mutant::AlwaysUnknown) {
            return Judgement::Unknown(Reason::LinkDown);
        }
        if self.now < deadline {
            return Judgement::Wait;
        }
        let is_past_limit = self.now > base.plus(GAP_LIMIT_NS);
        if self.is_primary_gap_open(row.p, base) && !is_past_limit {
            return Judgement::Wait;
        }
        if self.is_mutant(Mutant::EveryFlagBlocksMissed)
            && (self.late.total_ns() > 0 || self.primary.windows.gaps().next().is_some())
        {
            return Judgement::Unknown(Reason::SelfDown);
        }
        if self.is_mutant(Mutant::NoWindows) {
            return Judgement::Missed;
        }
        match mirror.source.windows.cover(from, deadline) {
            Cover::Proved => Judgement::Missed,
            Cover::NotYet if self.is_mutant(Mutant::DecidedBeforeProved) => Judgement::Missed,
            Cover::Hole(Reason::DroppedByUs) if self.is_mutant(Mutant::DropBlamesMirror) => Judgement::Missed,
            Cover::NotYet | Cover::Gap(_) if !is_past_limit => Judgement::Wait,
            Cover::Gap(reason) | Cover::Hole(reason) => Judgement::Unknown(reason),
            // Before the mirror's window began: only an operation that the primary held back reaches there.
            Cover::NotYet | Cover::Before => Judgement::Unknown(Reason::LinkDown),
        }
    }

    /// The deadline of an operation at a mirror: p + G, moved by the time that our reader was late, and to G after the fill
    /// of any gap of the primary or the mirror that it touches.
    fn deadline(&self, row: &Row, m: usize, from: Tau, base: Tau) -> Tau {
        let Some(mirror) = self.mirrors.get(m) else { return base };
        let mut deadline = base.plus(self.late.overlap_ns(row.p, base));
        let fills = [self.primary.windows.filled_at(row.p, base), mirror.source.windows.filled_at(from, base)];
        let grace_ns = if self.is_mutant(Mutant::ZeroGraceAfterFill) { 0 } else { mirror.params.grace_ns };
        if !self.is_mutant(Mutant::NoGrace) {
            for filled in fills.into_iter().flatten() {
                deadline = deadline.max(filled.plus(grace_ns));
            }
        }
        deadline
    }

    fn is_primary_gap_open(&self, from: Tau, to: Tau) -> bool {
        self.primary.windows.open_gap().is_some_and(|g| g.start <= to && g.impaired().to > from)
    }

    /// A gap was filled after all: what was unknown because of it can be judged again.
    pub(super) fn reopen_unknown(&mut self, m: usize) {
        let held = self.ring.held();
        let mut numbers = Vec::new();
        for (first, chunk) in held.lacking(m) {
            for place in chunk.undelivered(m) {
                let (number, Some(cell)) = (first + place as u64, chunk.cells(m).get(place)) else { continue };
                let revisable = matches!(cell.reason(), Reason::LinkDown | Reason::PrimaryDown | Reason::SelfDown);
                if number >= held.base && cell.verdict() == Verdict::Unknown && revisable {
                    numbers.push(number);
                }
            }
        }
        if let Some(mirror) = self.mirrors.get_mut(m) {
            mirror.overdue.extend(numbers);
            mirror.overdue.sort_unstable();
            mirror.overdue.dedup();
        }
    }

    /// How long ago the last proof of a source's window was, in nanoseconds; none while its stream is not open.
    #[must_use]
    pub fn unproved_ns(&self, source: crate::domain::source::SourceIx) -> Option<i64> {
        let windows = &self.source(source)?.windows;
        windows.is_open().then(|| self.now.since(windows.proved()).max(0))
    }
}
