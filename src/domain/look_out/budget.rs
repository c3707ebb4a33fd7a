//! Which share of the primary's operations a host's budget of requests allows to look for.

use super::{FIRST_NS, GAPS_NS, LONGEST_GAP_NS};
use crate::domain::time::{SECOND, Tau};

/// The part of the budget that looks may take; the rest is for explanations and heartbeats.
const PART: f64 = 0.8;
/// Between two corrections of the share, nanoseconds.
const CORRECT_EVERY_NS: i64 = 10 * SECOND;
/// The first of them: the share that was begun with may be far too large.
const CORRECT_FIRST_NS: i64 = 2 * SECOND;
/// Looks that an operation takes, before it is known.
const LOOKS_AT_FIRST: f64 = 2.0;
/// Weight of what is new in a moving average.
const NEWS: f64 = 0.2;
/// The smallest share.
const RATIO_MIN: f64 = 1e-4;

/// Looks that an operation has had when it was looked for after `grace_ns`, and may be decided as missed.
#[must_use]
pub fn looks_of_missed(grace_ns: i64) -> u32 {
    let (mut looks, mut at_ns) = (1, FIRST_NS);
    while at_ns < grace_ns {
        at_ns += GAPS_NS.get(looks as usize - 1).copied().unwrap_or(LONGEST_GAP_NS);
        looks += 1;
    }
    looks
}

/// The budget of one host.
#[derive(Clone, Debug)]
pub struct Budget {
    requests_per_s: f64,
    ratio: f64,
    looks: f64,
    rate_per_s: Option<f64>,
    taken: u64,
    /// Of those taken, the ones that there was no room for.
    refused: u64,
    /// The part of the sample that is looked for, a moving average.
    roomy: f64,
    is_first: bool,
    corrected_at: Tau,
}

impl Budget {
    /// A budget of so many requests a second; all operations are looked for until it is known to be too small.
    #[must_use]
    pub fn new(requests_per_s: f64, now: Tau) -> Budget {
        Budget {
            requests_per_s,
            ratio: 1.0,
            looks: LOOKS_AT_FIRST,
            rate_per_s: None,
            taken: 0,
            refused: 0,
            roomy: 1.0,
            is_first: true,
            corrected_at: now,
        }
    }

    /// How many operations are looked for at a time at most: as many as the share lets come until they are decided, though
    /// each is known by one look and then all are missed.
    #[must_use]
    pub fn watched_max(&self, grace_ns: i64) -> usize {
        let until_decided_s = (grace_ns + LONGEST_GAP_NS) as f64 / SECOND as f64;
        ((self.requests_per_s * PART * until_decided_s) as usize).clamp(4, 10_000)
    }

    /// The share of what the primary published that is indeed looked for: the sample, less what there was no room for.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.ratio * self.roomy
    }

    /// The share that is looked for.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.ratio
    }

    /// An operation of the sample came, and there was room for it or not.
    pub fn taken(&mut self, has_room: bool) {
        self.taken += 1;
        self.refused += u64::from(!has_room);
    }

    /// An operation took so many looks until it was visible or decided.
    pub fn ended(&mut self, looks: u32) {
        self.looks += (f64::from(looks) - self.looks) * NEWS;
    }

    /// Corrects the share from time to time: none until its time has come, then the new one when it is another.
    pub fn correct(&mut self, now: Tau) -> Option<Option<f64>> {
        let span_ns = now.since(self.corrected_at);
        if span_ns < if self.is_first { CORRECT_FIRST_NS } else { CORRECT_EVERY_NS } {
            return None;
        }
        let rate = self.taken as f64 / self.ratio / (span_ns as f64 / 1e9);
        let known = self.rate_per_s.unwrap_or(rate);
        let known = known + (rate - known) * NEWS;
        // What came in the first seconds is not much to go by: it counts until more is known.
        self.rate_per_s = (!std::mem::take(&mut self.is_first)).then_some(known);
        if self.taken > 0 {
            self.roomy += (1.0 - self.refused as f64 / self.taken as f64 - self.roomy) * NEWS;
        }
        (self.taken, self.refused, self.corrected_at) = (0, 0, now);
        let wanted = known * self.looks.max(1.0);
        let ratio = (self.requests_per_s * PART / wanted.max(f64::MIN_POSITIVE)).clamp(RATIO_MIN, 1.0);
        // A small change is not worth another sample.
        let is_other = (ratio / self.ratio).ln().abs() > 0.2 || (ratio >= 1.0) != (self.ratio >= 1.0);
        Some(is_other.then(|| {
            self.ratio = ratio;
            ratio
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share after ten minutes of so many operations a second that take so many looks.
    fn ratio(ops_per_s: f64, looks: u32) -> f64 {
        let mut b = Budget::new(1.0, Tau(0));
        for tens in 1..60 {
            let taken = (ops_per_s * 10.0 * b.ratio()).round() as u64;
            (0..taken).for_each(|_| b.taken(true));
            (0..taken).for_each(|_| b.ended(looks));
            b.correct(Tau(tens * 10 * SECOND));
        }
        b.ratio()
    }

    #[test]
    fn everything_is_looked_for_below_the_budget_and_a_share_above_it() {
        assert!((ratio(0.3, 2) - 1.0).abs() < f64::EPSILON);
        for (ops_per_s, looks) in [(1.0, 2), (10.0, 2), (10.0, 8)] {
            let requests = ratio(ops_per_s, looks) * ops_per_s * f64::from(looks);
            assert!(
                (0.5..1.0).contains(&requests),
                "{ops_per_s} a second, {looks} looks: {requests} requests a second"
            );
        }
    }

    #[test]
    fn what_is_missed_takes_a_look_at_each_distance_until_the_grace_is_over() {
        assert_eq!([1, 3, 10, 60, 120].map(|s| looks_of_missed(s * SECOND)), [2, 4, 7, 14, 22]);
        // At 60 s and one request a second the sample of a mirror that misses everything finds room.
        let mut b = Budget::new(1.0, Tau(0));
        assert_eq!(b.watched_max(60 * SECOND), 54);
        let (mut held, mut refused, mut due) = (std::collections::VecDeque::new(), 0, 0.0);
        for s in 0..3_600 {
            while held.front().is_some_and(|since| s - since >= 68) {
                held.pop_front();
                b.ended(looks_of_missed(60 * SECOND));
            }
            due += 5.0 * b.ratio();
            while due >= 1.0 {
                due -= 1.0;
                let has_room = held.len() < b.watched_max(60 * SECOND);
                b.taken(has_room);
                if has_room { held.push_back(s) } else { refused += 1 }
            }
            b.correct(Tau(s * SECOND));
        }
        assert_eq!(refused, 0, "the sample does not depend on what the mirror does");
        assert!((b.share() - b.ratio()).abs() < 1e-9 && b.ratio() * 5.0 * 14.0 <= 1.0, "{}", b.ratio());
    }

    #[test]
    fn what_there_was_no_room_for_lowers_the_share_that_is_told() {
        let mut b = Budget::new(1.0, Tau(0));
        for tens in 1..100 {
            (0..2).for_each(|i| b.taken(i == 0));
            b.correct(Tau(tens * 10 * SECOND));
        }
        assert!((b.share() - 0.5).abs() < 0.01 && b.ratio() >= 1.0, "{}", b.share());
    }
}
