//! The ranges of `createdAt` for which the primary's keys that are held are complete.
//!
//! An operation that only a mirror has can be called extra only where nothing of the primary's is missing. The bounds are
//! the primary's own clock, estimated from its own operations: at the arrival of an operation that clock shows at least
//! its `createdAt`, so some time before it showed at least as much less.

use crate::domain::time::{MS, Tau};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Closed ranges that are remembered.
const RANGES_MAX: usize = 256;

/// Where a `createdAt` lies.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// In a range with the margin on both sides.
    Inside,
    /// Later than the primary is known to have come.
    NotYet,
    /// In or next to a hole.
    Outside,
    /// Before the oldest range.
    TooOld,
}

/// The ranges, oldest first, the last one growing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CreatedRanges {
    closed: VecDeque<(i64, i64)>,
    open_since: Option<Tau>,
    open_low_ms: Option<i64>,
    newest: Option<(i64, Tau)>,
    floor_ms: Option<i64>,
}

impl CreatedRanges {
    /// The primary's stream is open for the first time, or after a hole, since `at`.
    pub fn open(&mut self, at: Tau) {
        if self.open_since.is_none() {
            self.open_since = Some(at);
        }
    }

    /// An operation of the primary arrived live.
    pub fn add(&mut self, at: Tau, created_ms: i64) {
        if self.newest.is_none_or(|(newest_ms, _)| created_ms > newest_ms) {
            self.newest = Some((created_ms, at));
        }
        if let (None, Some(since)) = (self.open_low_ms, self.open_since) {
            self.open_low_ms = Some(created_ms - at.since(since).max(0) / MS);
        }
    }

    /// Nothing will fill the primary's gap `[from, to)`: the range ends before it and another begins behind it.
    pub fn hole(&mut self, from: Tau, to: Tau) {
        if let (Some(low), Some(high)) = (self.open_low_ms.take(), self.clock_at(from))
            && low < high
        {
            if self.closed.len() == RANGES_MAX {
                self.closed.pop_front();
            }
            self.closed.push_back((low, high));
        }
        self.open_since = Some(to);
        self.open_low_ms = self.newest.filter(|n| n.1 >= to).and(self.clock_at(to));
    }

    /// An operation of this `createdAt` is not held any more.
    pub fn let_go(&mut self, created_ms: i64) {
        self.floor_ms = Some(self.floor_ms.map_or(created_ms + 1, |f| f.max(created_ms + 1)));
    }

    /// Where a `createdAt` lies, with `margin_ms` to spare on both sides, the primary being proved through `proved`.
    #[must_use]
    pub fn place(&self, created_ms: i64, margin_ms: i64, proved: Tau) -> Place {
        let floor = self.floor_ms.unwrap_or(i64::MIN);
        let open = self.open_low_ms.map(|low| (low, self.clock_at(proved).unwrap_or(low)));
        let ranges = || self.closed.iter().copied().chain(open).map(|(low, high)| (low.max(floor), high));
        let (low, high) = (created_ms.saturating_sub(margin_ms), created_ms.saturating_add(margin_ms));
        if ranges().any(|r| r.0 <= low && high <= r.1) {
            return Place::Inside;
        }
        match (ranges().map(|r| r.0).min(), open) {
            (None, _) => Place::NotYet,
            (Some(oldest), _) if low < oldest => Place::TooOld,
            (_, Some(open)) if high > open.1 => Place::NotYet,
            (_, None) => Place::NotYet,
            _ => Place::Outside,
        }
    }

    /// The instant at which the primary's clock showed about `created_ms`.
    #[must_use]
    pub fn instant_of(&self, created_ms: i64) -> Option<Tau> {
        self.newest.map(|(ms, at)| at.plus(created_ms.saturating_sub(ms).saturating_mul(MS)))
    }

    /// What the primary's clock showed at least at `at`.
    fn clock_at(&self, at: Tau) -> Option<i64> {
        self.newest.map(|(ms, newest_at)| ms + at.since(newest_at) / MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::SECOND;

    fn at(s: i64) -> Tau {
        Tau(s * SECOND)
    }

    #[test]
    fn a_range_begins_when_the_stream_opened_and_ends_where_the_proof_does() {
        let mut r = CreatedRanges::default();
        assert_eq!(r.place(50_000, 0, at(0)), Place::NotYet);
        r.open(at(100));
        r.add(at(110), 1_010_000);
        assert_eq!(r.place(1_005_000, 1_000, at(110)), Place::Inside);
        assert_eq!(r.place(1_000_500, 1_000, at(110)), Place::TooOld);
        assert_eq!(r.place(1_012_000, 1_000, at(110)), Place::NotYet);
        assert_eq!(r.place(1_012_000, 1_000, at(113)), Place::Inside);
    }

    #[test]
    fn a_hole_parts_two_ranges() {
        let mut r = CreatedRanges::default();
        r.open(at(0));
        r.add(at(10), 10_000);
        r.hole(at(20), at(30));
        r.add(at(40), 40_000);
        assert_eq!(r.place(15_000, 1_000, at(40)), Place::Inside);
        assert_eq!(r.place(25_000, 1_000, at(40)), Place::Outside);
        assert_eq!(r.place(35_000, 1_000, at(40)), Place::Inside);
    }

    #[test]
    fn what_was_let_go_makes_everything_before_it_too_old() {
        let mut r = CreatedRanges::default();
        r.open(at(0));
        r.add(at(10), 10_000);
        r.add(at(20), 20_000);
        r.let_go(10_000);
        assert_eq!(r.place(9_000, 1_000, at(20)), Place::TooOld);
        assert_eq!(r.place(12_000, 1_000, at(20)), Place::Inside);
    }
}
