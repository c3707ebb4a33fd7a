//! The ranges of `createdAt` for which the primary's keys that are held are complete.
//!
//! An operation that only a mirror has can be called extra only where nothing of the primary's is missing. The bounds are
//! the primary's own clock, estimated from its own operations: at the arrival of an operation that clock shows at least
//! its `createdAt`, so some time before it showed at least as much less.

use crate::domain::time::{MS, SECOND, Span, Tau};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Closed ranges that are remembered.
const RANGES_MAX: usize = 256;

/// How far ahead of the primary's clock an operation's `createdAt` may be and still move what is known of it, milliseconds.
const AHEAD_MAX_MS: i64 = 3_600_000;

/// How long the operation that came soonest speaks for the primary's clock, nanoseconds.
const SOONEST_NS: i64 = 600 * SECOND;

/// Where a `createdAt` lies.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// In a range with the margin on both sides.
    Inside,
    /// Later than the primary is known to have come, or in a gap that may still be filled.
    NotYet,
    /// In or next to a hole.
    Outside,
    /// Before the oldest range.
    TooOld,
    /// There is no range yet.
    NoRange,
}

/// The ranges, oldest first, the last one growing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CreatedRanges {
    closed: VecDeque<(i64, i64)>,
    open_since: Option<Tau>,
    open_low_ms: Option<i64>,
    newest: Option<(i64, Tau)>,
    /// The operation that came soonest after its `createdAt` lately: the best estimate of the primary's clock.
    #[serde(default)]
    soonest: Option<(i64, Tau)>,
    floor_ms: Option<i64>,
    #[serde(default)]
    floor_seq: Option<u64>,
    /// The newest arrival of the primary that is not held any more.
    #[serde(default)]
    let_go_through: Option<Tau>,
}

impl CreatedRanges {
    /// The primary's stream is open since `at`: a range begins, unless one goes on.
    pub fn open(&mut self, at: Tau) {
        if self.open_since.is_none() {
            self.open_since = Some(at);
            self.open_low_ms = self.newest.filter(|n| n.1 >= at).and(self.latest_clock_at(at));
        }
    }

    /// An operation of the primary arrived live.
    pub fn add(&mut self, at: Tau, created_ms: i64) {
        // An operation from far ahead says nothing of the primary's clock, unless what is known of that is old.
        let is_known = self.soonest.is_some_and(|soonest| at.since(soonest.1) <= SOONEST_NS);
        let ahead_ms = self.latest_clock_at(at).map_or(0, |clock_ms| created_ms.saturating_sub(clock_ms));
        if is_known && ahead_ms > AHEAD_MAX_MS {
            return;
        }
        if let (None, Some(since)) = (self.open_low_ms, self.open_since) {
            // What is known of the primary's clock from before a hole guards against a first operation that comes late.
            let low_ms = created_ms - at.since(since).max(0) / MS;
            self.open_low_ms = Some(self.latest_clock_at(since).map_or(low_ms, |known| known.max(low_ms)));
        }
        if self.newest.is_none_or(|(newest_ms, _)| created_ms > newest_ms) {
            self.newest = Some((created_ms, at));
        }
        let delay_ns = |(ms, at): (i64, Tau)| at.0.saturating_sub(ms.saturating_mul(MS));
        let is_sooner = |s: (i64, Tau)| delay_ns((created_ms, at)) <= delay_ns(s) || at.since(s.1) > SOONEST_NS;
        if self.soonest.is_none_or(is_sooner) {
            self.soonest = Some((created_ms, at));
        }
    }

    /// Nothing will fill the primary's gap `[from, to)`: it parts the ranges that it lies in, also where a newer gap has
    /// parted them already. While the gap has no end, no range goes on behind it.
    pub fn part(&mut self, from: Tau, to: Tau) {
        if let Some((from_ms, to_ms)) = self.clock_at(from).zip(self.latest_clock_at(to)) {
            let halves = |(low, high): (i64, i64)| [(low, high.min(from_ms)), (low.max(to_ms), high)];
            self.closed = self.closed.drain(..).flat_map(halves).filter(|r| r.0 < r.1).collect();
        }
        if self.open_since.is_some_and(|since| since < to) {
            self.close(from);
            if to < Tau::MAX {
                self.open(to);
            }
        }
        while self.closed.len() > RANGES_MAX {
            self.closed.pop_front();
        }
    }

    /// The growing range ends at `from`.
    fn close(&mut self, from: Tau) {
        self.open_since = None;
        if let (Some(low), Some(high)) = (self.open_low_ms.take(), self.clock_at(from))
            && low < high
        {
            self.closed.push_back((low, high));
        }
    }

    /// The operation of this `createdAt` and number that the primary delivered at `p` is not held any more.
    pub fn let_go(&mut self, created_ms: i64, seq: Option<u64>, p: Tau) {
        self.let_go_through = self.let_go_through.max(Some(p));
        self.floor_ms = Some(self.floor_ms.map_or(created_ms + 1, |f| f.max(created_ms + 1)));
        self.floor_seq = self.floor_seq.max(seq);
    }

    /// Whether the primary's operation was held before and let go, so that it is no new one.
    #[must_use]
    pub fn was_let_go(&self, created_ms: i64, seq: Option<u64>) -> bool {
        seq.is_some() && seq <= self.floor_seq && self.floor_ms.is_some_and(|floor| created_ms < floor)
    }

    /// Whether everything is held that the primary delivered since `from`.
    #[must_use]
    pub fn holds_since(&self, from: Tau) -> bool {
        self.let_go_through.is_none_or(|p| p < from)
    }

    /// Where a `createdAt` lies, with `margin_ms` to spare on both sides, the primary being proved through `proved` but for
    /// the gaps `open`, which may still be filled.
    #[must_use]
    pub fn place(&self, created_ms: i64, margin_ms: i64, proved: Tau, open: impl Iterator<Item = Span>) -> Place {
        let floor = self.floor_ms.unwrap_or(i64::MIN);
        let growing = self.open_low_ms.map(|low| (low, self.clock_at(proved).unwrap_or(low)));
        let ranges = || self.closed.iter().copied().chain(growing).map(|(low, high)| (low.max(floor), high));
        let (low, high) = (created_ms.saturating_sub(margin_ms), created_ms.saturating_add(margin_ms));
        let Some(oldest) = ranges().map(|r| r.0).min() else { return Place::NoRange };
        if low < oldest {
            return Place::TooOld;
        }
        let is_in = |gap: Span| {
            self.clock_at(gap.from).is_some_and(|from| from <= high)
                && (gap.to == Tau::MAX || self.latest_clock_at(gap.to).is_some_and(|to| low <= to))
        };
        if open.into_iter().any(is_in) {
            return Place::NotYet;
        }
        if ranges().any(|r| r.0 <= low && high <= r.1) {
            return Place::Inside;
        }
        match growing {
            Some((_, newest)) if high <= newest => Place::Outside,
            _ => Place::NotYet,
        }
    }

    /// The instant at which the primary's clock showed about `created_ms`, rather too early than too late.
    #[must_use]
    pub fn instant_of(&self, created_ms: i64) -> Option<Tau> {
        self.soonest.map(|(ms, at)| at.plus(created_ms.saturating_sub(ms).saturating_mul(MS)))
    }

    /// What the primary's clock showed at least at `at`: for where a range ends.
    fn clock_at(&self, at: Tau) -> Option<i64> {
        self.newest.map(|known| shown(known, at))
    }

    /// The most that is known of the primary's clock at `at`: for where a range begins. The newest operation may have come
    /// late, through a freeze of ours too.
    fn latest_clock_at(&self, at: Tau) -> Option<i64> {
        self.clock_at(at).max(self.soonest.map(|known| shown(known, at)))
    }
}

/// What a clock that showed `ms` at `then` shows at `at`.
fn shown((ms, then): (i64, Tau), at: Tau) -> i64 {
    ms.saturating_add(at.since(then) / MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Tau {
        Tau(s * SECOND)
    }

    fn place(r: &CreatedRanges, created_ms: i64, margin_ms: i64, proved: Tau) -> Place {
        r.place(created_ms, margin_ms, proved, std::iter::empty())
    }

    #[test]
    fn a_range_begins_when_the_stream_opened_and_ends_where_the_proof_does() {
        let mut r = CreatedRanges::default();
        assert_eq!(place(&r, 50_000, 0, at(0)), Place::NoRange);
        r.open(at(100));
        r.add(at(110), 1_010_000);
        assert_eq!(place(&r, 1_005_000, 1_000, at(110)), Place::Inside);
        assert_eq!(place(&r, 1_000_500, 1_000, at(110)), Place::TooOld);
        assert_eq!(place(&r, 1_012_000, 1_000, at(110)), Place::NotYet);
        assert_eq!(place(&r, 1_012_000, 1_000, at(113)), Place::Inside);
    }

    #[test]
    fn one_operation_from_far_ahead_moves_no_range() {
        let mut r = CreatedRanges::default();
        r.open(at(0));
        r.add(at(10), 10_000);
        r.add(at(11), 10_000 + AHEAD_MAX_MS * 1_000);
        r.add(at(12), 12_000);
        r.close(at(20));
        r.open(at(30));
        r.add(at(40), 40_000);
        assert_eq!(place(&r, 15_000, 1_000, at(40)), Place::Inside);
        assert_eq!(place(&r, 25_000, 1_000, at(40)), Place::Outside, "the hole stays one");
        // Not even as the first one behind a hole.
        let mut r = CreatedRanges::default();
        r.open(at(0));
        r.add(at(10), 10_000);
        r.part(at(20), at(30));
        r.add(at(35), 35_000 + 2 * AHEAD_MAX_MS);
        r.add(at(40), 40_000);
        assert_eq!(place(&r, 35_000, 1_000, at(40)), Place::Inside);
        assert_eq!(place(&r, 25_000, 1_000, at(40)), Place::Outside);
        // Where the first one was the odd one, the others are believed after a while.
        let mut r = CreatedRanges::default();
        r.open(at(0));
        r.add(at(1), 0);
        let later_ms = 2 * AHEAD_MAX_MS;
        (2..700).for_each(|s| r.add(at(s), later_ms + s * 1_000));
        assert_eq!(place(&r, later_ms + 695_000, 1_000, at(700)), Place::Inside);
    }

    #[test]
    fn a_hole_parts_two_ranges() {
        let mut r = CreatedRanges::default();
        r.open(at(0));
        r.add(at(10), 10_000);
        r.close(at(20));
        r.open(at(30));
        r.add(at(40), 40_000);
        assert_eq!(place(&r, 15_000, 1_000, at(40)), Place::Inside);
        assert_eq!(place(&r, 25_000, 1_000, at(40)), Place::Outside);
        assert_eq!(place(&r, 35_000, 1_000, at(40)), Place::Inside);
    }

    #[test]
    fn a_hole_that_is_known_later_parts_what_a_newer_one_has_parted() {
        let mut r = CreatedRanges::default();
        r.open(at(0));
        for s in [10, 40, 70] {
            r.add(at(s), s * 1_000);
        }
        r.part(at(50), at(60));
        r.part(at(20), at(30));
        for (created_ms, there) in [
            (15_000, Place::Inside),
            (25_000, Place::Outside),
            (40_000, Place::Inside),
            (55_000, Place::Outside),
            (65_000, Place::Inside),
        ] {
            assert_eq!(place(&r, created_ms, 1_000, at(70)), there, "{created_ms}");
        }
        r.part(at(65), Tau::MAX);
        assert_eq!(place(&r, 63_000, 1_000, at(70)), Place::Inside);
        assert_ne!(place(&r, 68_000, 1_000, at(70)), Place::Inside);
    }

    #[test]
    fn a_gap_that_may_still_be_filled_is_waited_for() {
        let mut r = CreatedRanges::default();
        r.open(at(0));
        r.add(at(10), 10_000);
        let gap = |from, to| std::iter::once(Span { from: at(from), to });
        assert_eq!(r.place(25_000, 1_000, at(60), gap(20, at(30))), Place::NotYet);
        assert_eq!(r.place(15_000, 1_000, at(60), gap(20, at(30))), Place::Inside);
        assert_eq!(r.place(45_000, 1_000, at(60), gap(20, Tau::MAX)), Place::NotYet);
    }

    #[test]
    fn what_came_late_makes_no_gap_end_earlier() {
        let mut r = CreatedRanges::default();
        r.open(at(0));
        r.add(at(10), 10_000);
        r.add(at(60), 46_000);
        let gap = || std::iter::once(Span { from: at(20), to: at(30) });
        assert_eq!(r.place(25_000, 1_000, at(100), gap()), Place::NotYet);
        r.part(at(20), at(30));
        assert_eq!(place(&r, 25_000, 1_000, at(100)), Place::Outside);
        assert_eq!(place(&r, 35_000, 1_000, at(100)), Place::Inside);
    }

    #[test]
    fn a_late_first_operation_behind_a_hole_moves_no_bound() {
        let mut r = CreatedRanges::default();
        r.open(at(0));
        r.add(at(10), 10_000);
        r.close(at(20));
        r.open(at(30));
        r.add(at(40), 28_000);
        assert_ne!(place(&r, 25_000, 1_000, at(60)), Place::Inside);
        assert_eq!(place(&r, 35_000, 1_000, at(60)), Place::Inside);
    }

    #[test]
    fn what_was_let_go_makes_everything_before_it_too_old() {
        let mut r = CreatedRanges::default();
        r.open(at(0));
        r.add(at(10), 10_000);
        r.add(at(20), 20_000);
        r.let_go(10_000, Some(4), at(10));
        assert!(r.holds_since(at(11)) && !r.holds_since(at(10)));
        assert!(r.was_let_go(10_000, Some(4)) && !r.was_let_go(10_001, Some(4)) && !r.was_let_go(9_000, Some(5)));
        assert_eq!(place(&r, 9_000, 1_000, at(20)), Place::TooOld);
        assert_eq!(place(&r, 12_000, 1_000, at(20)), Place::Inside);
    }
}
