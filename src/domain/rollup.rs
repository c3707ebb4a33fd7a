//! Hours and days, merged from intervals: what long windows are made of.
//!
//! A roll-up changes only when one of its intervals closes or is amended, so that reading thirty days costs days and hours,
//! not intervals.

use super::interval::{Acc, Interval, Status};
use super::lag::LagSum;
use super::ledger::series::Series;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Hours kept in memory: thirty-one days.
const HOURS_MAX: usize = 31 * 24;
/// Days kept in memory: four hundred.
const DAYS_MAX: usize = 400;
const HOUR_MS: i64 = 3_600_000;

/// The merged hours and days.
#[derive(Clone, Debug)]
pub struct Rollups {
    mirrors: usize,
    interval_ms: i64,
    hours: BTreeMap<u32, Arc<Interval>>,
    days: BTreeMap<u32, Arc<Interval>>,
}

impl Rollups {
    /// Empty roll-ups of intervals of this length, which divides an hour.
    #[must_use]
    pub fn new(mirrors: usize, interval_ms: i64) -> Rollups {
        Rollups { mirrors, interval_ms, hours: BTreeMap::new(), days: BTreeMap::new() }
    }

    /// The hour that an interval belongs to.
    #[must_use]
    pub fn hour_of(&self, k: u32) -> u32 {
        (i64::from(k) * self.interval_ms / HOUR_MS) as u32
    }

    /// The first interval of an hour.
    #[must_use]
    pub fn first_of(&self, hour: u32) -> u32 {
        (i64::from(hour) * HOUR_MS / self.interval_ms) as u32
    }

    /// Merges an hour anew from its intervals before `current`, and its day from the hours.
    pub fn rebuild(&mut self, hour: u32, intervals: &Series, current: u32) {
        let last = self.first_of(hour + 1).min(current);
        let merged =
            merge(self.mirrors, intervals.between(self.first_of(hour), last.saturating_sub(1)).map(|i| &**i.1));
        if let Some(merged) = merged {
            self.hours.insert(hour, Arc::new(merged));
        }
        self.rebuild_day(hour / 24);
        while self.hours.len() > HOURS_MAX {
            self.hours.pop_first();
        }
    }

    fn rebuild_day(&mut self, day: u32) {
        let hours = self.hours.range(day * 24..(day + 1) * 24);
        if let Some(merged) = merge(self.mirrors, hours.map(|h| &**h.1)) {
            self.days.insert(day, Arc::new(merged));
        }
        while self.days.len() > DAYS_MAX {
            self.days.pop_first();
        }
    }

    /// Puts a kept hour back.
    pub fn restore_hour(&mut self, hour: u32, interval: Interval) {
        self.hours.insert(hour, Arc::new(interval));
    }

    /// Puts a kept day back.
    pub fn restore_day(&mut self, day: u32, interval: Interval) {
        self.days.insert(day, Arc::new(interval));
    }

    /// One hour.
    #[must_use]
    pub fn hour(&self, hour: u32) -> Option<Arc<Interval>> {
        self.hours.get(&hour).cloned()
    }

    /// The oldest hour that is held.
    #[must_use]
    pub fn first_hour(&self) -> Option<u32> {
        self.hours.first_key_value().map(|h| *h.0)
    }

    /// The oldest day that is held.
    #[must_use]
    pub fn first_day(&self) -> Option<u32> {
        self.days.first_key_value().map(|d| *d.0)
    }

    /// One day.
    #[must_use]
    pub fn day(&self, day: u32) -> Option<Arc<Interval>> {
        self.days.get(&day).cloned()
    }

    /// Hours from `from` through `to`, oldest first.
    pub fn hours(&self, from: u32, to: u32) -> impl Iterator<Item = (u32, &Arc<Interval>)> {
        self.hours.range(from..=to.max(from)).map(|h| (*h.0, h.1))
    }
}

/// Merges intervals; the result is as settled as the least settled of them. None when there are none.
pub fn merge<'a>(mirrors: usize, parts: impl Iterator<Item = &'a Interval>) -> Option<Interval> {
    let mut sum = Sum::new(mirrors, true);
    parts.for_each(|part| sum.add(part));
    sum.interval()
}

/// Intervals added up.
#[derive(Clone, Debug)]
pub struct Sum {
    whole: Interval,
    mirrors: Vec<(Acc, LagSum, LagSum)>,
    with_lag: bool,
    is_empty: bool,
}

impl Sum {
    /// Nothing yet, for this many mirrors; without lag it costs less and the result has none.
    #[must_use]
    pub fn new(mirrors: usize, with_lag: bool) -> Sum {
        let mut whole = Interval::new(0);
        whole.status = Status::Final;
        Sum { whole, mirrors: vec![Default::default(); mirrors], with_lag, is_empty: true }
    }

    /// Adds one.
    pub fn add(&mut self, part: &Interval) {
        self.is_empty = false;
        self.whole.merge(part);
        self.whole.status = match (self.whole.status, part.status) {
            (Status::Open, _) | (_, Status::Open) => Status::Open,
            (Status::Settling, _) | (_, Status::Settling) => Status::Settling,
            (Status::Revised, _) | (_, Status::Revised) => Status::Revised,
            _ => Status::Final,
        };
        for ((acc, lag, raw), theirs) in self.mirrors.iter_mut().zip(&part.mirrors) {
            acc.merge_counts(theirs);
            if self.with_lag {
                lag.add(&theirs.lag);
                raw.add(&theirs.raw);
            }
        }
    }

    /// The sum; none when nothing was added.
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        let acc = |(acc, lag, raw): &(Acc, LagSum, LagSum)| {
            let mut acc = acc.clone();
            (acc.lag, acc.raw) = (lag.histogram(), raw.histogram());
            Arc::new(acc)
        };
        let mirrors = || self.mirrors.iter().map(acc).collect();
        (!self.is_empty).then(|| Interval { mirrors: mirrors(), ..self.whole.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_the_sum_of_its_intervals_and_a_day_of_its_hours() {
        let mut series = Series::new(1);
        let mut rollups = Rollups::new(1, 300_000);
        let first = rollups.first_of(48);
        assert_eq!(
            (first, rollups.hour_of(first), rollups.hour_of(first + 11), rollups.hour_of(first + 12)),
            (576, 48, 48, 49)
        );
        for k in first..first + 24 {
            series.get_mut(k).unwrap().primary_ops = 1;
        }
        rollups.rebuild(48, &series, first + 24);
        rollups.rebuild(49, &series, first + 20);
        assert_eq!(rollups.hour(48).unwrap().primary_ops, 12);
        assert_eq!(rollups.hour(49).unwrap().primary_ops, 8, "the open interval is no part of it yet");
        assert_eq!(rollups.day(2).unwrap().primary_ops, 20);
    }
}
