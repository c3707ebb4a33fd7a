//! Decisions about what a mirror did not deliver: missed, unknown, or wait.

use super::Ledger;
use super::mutant::Mutant;
use crate::domain::ring::Row;
use crate::domain::time::{MS, SECOND, Tau};
use crate::domain::verdict::{Reason, Verdict};
use crate::domain::window::{Cover, GAP_LIMIT_NS, Gap, GapState, Windows};

/// Overdue operations of one mirror above which they are judged once a second and not at each tick.
const OFTEN_MAX: usize = 10_000;

/// By how much the primary's path to us may be longer than a mirror's, nanoseconds. What a mirror published just before its
/// stream was open again may come from the primary just after; it is looked for that far back, but not before the first window.
const PATHS_NS: i64 = SECOND;

/// What follows for an operation that is not delivered.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Judgement {
    Wait,
    Missed,
    Unknown(Reason),
}

/// Whether a gap impairs `[from, to)` that may still be filled, or that lies before it and was forsaken. It does so until the
/// fill has ended, not only until the stream is open again: what a source sends then may queue behind what it sends again.
fn is_gap_open(windows: &Windows, from: Tau, to: Tau) -> bool {
    let waits = |g: &Gap| g.state == GapState::Open || g.end() <= from;
    windows.reaching(from).any(|g| g.start < to && g.impaired().to == Tau::MAX && waits(g))
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

    /// Judges everything that is overdue; a long list, as of a mirror that is down for long, at most once a second.
    pub(super) fn judge_overdue(&mut self) {
        for m in 0..self.mirrors.len() {
            let Some(mirror) = self.mirrors.get_mut(m) else { continue };
            let is_early = mirror.judged_at.is_some_and(|at| self.now.since(at) < SECOND);
            if mirror.overdue.len() > OFTEN_MAX && is_early {
                continue;
            }
            mirror.judged_at = Some(self.now);
            let mut list = std::mem::take(&mut mirror.overdue);
            list.retain(|&number| self.judge_one(number, m));
            if let Some(mirror) = self.mirrors.get_mut(m) {
                mirror.overdue = list;
            }
        }
    }

    /// Judges one operation; whether it stays on the list.
    fn judge_one(&mut self, number: u64, m: usize) -> bool {
        let (Some(row), Some(cell)) = (self.ring.row(number).copied(), self.ring.cell(number, m)) else { return false };
        if cell.delivery().is_some() || !matches!(cell.verdict(), Verdict::Pending | Verdict::Unknown) {
            return false;
        }
        match self.judge(number, &row, m) {
            Judgement::Wait => return true,
            Judgement::Missed => {
                let is_disputed = self.disputed.contains(&number) && !self.is_mutant(Mutant::DisputeForgotten);
                let verdict = if is_disputed { Verdict::Disputed } else { Verdict::Missed };
                self.set_cell(number, m, cell.with_verdict(verdict, Reason::None));
            }
            Judgement::Unknown(reason) => {
                if cell.verdict() == Verdict::Pending {
                    self.set_cell(number, m, cell.with_verdict(Verdict::Unknown, reason));
                }
            }
        }
        false
    }

    fn judge(&self, number: u64, row: &Row, m: usize) -> Judgement {
        let Some(mirror) = self.mirrors.get(m) else { return Judgement::Wait };
        let Some(first) = mirror.source.windows.first() else { return Judgement::Wait };
        let grace_ns = if self.is_mutant(Mutant::NoGrace) { 0 } else { mirror.params.grace_ns };
        let look_back_ns = self.params.look_back_ns.saturating_add(i64::from(row.delay_ms) * MS);
        let base = row.p.plus(grace_ns);
        let from = if self.is_mutant(Mutant::EdgeCut) {
            row.p.plus(grace_ns / 2)
        } else {
            let from = row.p.plus(-look_back_ns);
            row.p.plus(-look_back_ns.max(PATHS_NS)).max(from.min(first))
        };
        let moved = self.deadline(row, base);
        // The fill of any gap of the mirror that lies before that moves it once more.
        let own = mirror.source.windows.caught_up_at(from, moved).filter(|_| !self.is_mutant(Mutant::NoGrace));
        let deadline = own.map_or(moved, |filled| moved.max(filled.plus(self.after_fill_ns(grace_ns))));
        if self.is_mutant(Mutant::AlwaysUnknown) {
            return Judgement::Unknown(Reason::LinkDown);
        }
        if self.before < deadline {
            return Judgement::Wait;
        }
        let is_past_limit = self.before > base.plus(GAP_LIMIT_NS);
        let is_filling =
            is_gap_open(&self.primary.windows, row.p, base) || is_gap_open(&mirror.source.windows, from, moved);
        if is_filling && !is_past_limit && !self.is_mutant(Mutant::NoWindows) {
            return Judgement::Wait;
        }
        // A mirror that follows the primary's stream cannot have what that one lost.
        if row.is_filled && self.stream_gaps.has(number) {
            return Judgement::Unknown(Reason::PrimaryDown);
        }
        if self.is_ahead_of_stream(row) {
            return if is_past_limit { Judgement::Unknown(Reason::PrimaryDown) } else { Judgement::Wait };
        }
        if self.is_mutant(Mutant::EveryFlagBlocksMissed)
            && (self.late.spans().next().is_some() || self.primary.windows.gaps().next().is_some())
        {
            return Judgement::Unknown(Reason::SelfDown);
        }
        if self.is_mutant(Mutant::NoWindows) {
            return Judgement::Missed;
        }
        match mirror.source.windows.cover(from, deadline) {
            Cover::Proved => Judgement::Missed,
            Cover::NotYet if self.is_mutant(Mutant::DecidedBeforeProved) => Judgement::Missed,
            Cover::NotYet if self.before <= deadline.plus(GAP_LIMIT_NS) => Judgement::Wait,
            Cover::Gap(_) if !is_past_limit => Judgement::Wait,
            Cover::Gap(reason) | Cover::Hole(reason) => Judgement::Unknown(reason),
            // Before the mirror's window began: only an operation that the primary held back reaches there.
            Cover::NotYet | Cover::Before => Judgement::Unknown(Reason::LinkDown),
        }
    }

    /// The deadline of an operation: p + G, moved by the time that our reader was late, and to G after the fill of any gap of
    /// the primary that it touches, and after the fill that brought the operation itself.
    fn deadline(&self, row: &Row, base: Tau) -> Tau {
        if self.is_mutant(Mutant::NoGrace) {
            return base;
        }
        let grace_ns = base.since(row.p);
        let known = row.is_filled.then(|| row.p.plus(i64::from(row.known_after_ms) * MS));
        let fills = [self.primary.windows.filled_at(row.p, base), known];
        let moved = self.late.after(row.p, grace_ns);
        fills.into_iter().flatten().map(|filled| filled.plus(self.after_fill_ns(grace_ns))).fold(moved, Tau::max)
    }

    fn after_fill_ns(&self, grace_ns: i64) -> i64 {
        if self.is_mutant(Mutant::ZeroGraceAfterFill) { 0 } else { grace_ns }
    }

    /// Whether the primary lists the operation in `/export` and its stream has not come to it: a mirror that follows the stream
    /// cannot have it yet. What it published before its stream was open again may lie in a gap and never come.
    pub(super) fn is_ahead_of_stream(&self, row: &Row) -> bool {
        let published = self.ranges.instant_of(row.created_ms).unwrap_or(Tau::MIN);
        let learned = row.p.plus(i64::from(row.known_after_ms) * MS);
        let may_hold = |g: &Gap| g.start <= learned && published <= g.end().plus(PATHS_NS);
        let is_in_gap = || self.primary.windows.reaching(row.p).any(may_hold);
        row.is_filled && row.seq().is_some_and(|seq| Some(seq) > self.primary.live_seq) && !is_in_gap()
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
