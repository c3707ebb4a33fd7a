//! Which share of the primary's operations a host's budget of requests allows to look for.

use super::LONGEST_GAP_NS;
use crate::domain::time::{SECOND, Tau};

/// The part of the budget that looks may take; the rest is for explanations and heartbeats.
const PART: f64 = 0.8;
/// Between two corrections of the share, nanoseconds.
const CORRECT_EVERY_NS: i64 = 10 * SECOND;
/// Looks that an operation takes, before it is known.
const LOOKS_AT_FIRST: f64 = 2.0;
/// Weight of what is new in a moving average.
const NEWS: f64 = 0.2;
/// The smallest share.
const RATIO_MIN: f64 = 1e-4;

/// The budget of one host.
#[derive(Clone, Debug)]
pub struct Budget {
    requests_per_s: f64,
    ratio: f64,
    looks: f64,
    rate_per_s: Option<f64>,
    taken: u64,
    corrected_at: Tau,
}

impl Budget {
    /// A budget of so many requests a second; all operations are looked for until it is known to be too small.
    #[must_use]
    pub fn new(requests_per_s: f64, now: Tau) -> Budget {
        Budget { requests_per_s, ratio: 1.0, looks: LOOKS_AT_FIRST, rate_per_s: None, taken: 0, corrected_at: now }
    }

    /// The most operations that can be looked for at a time, each at its longest distance.
    #[must_use]
    pub fn watched_max(&self) -> usize {
        ((self.requests_per_s * PART * (LONGEST_GAP_NS / SECOND) as f64) as usize).clamp(4, 10_000)
    }

    /// The share that is looked for.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.ratio
    }

    /// An operation of the sample came.
    pub fn taken(&mut self) {
        self.taken += 1;
    }

    /// An operation took so many looks until it was visible or decided.
    pub fn ended(&mut self, looks: u32) {
        self.looks += (f64::from(looks) - self.looks) * NEWS;
    }

    /// Corrects the share from time to time; the new one when it is another.
    pub fn correct(&mut self, now: Tau) -> Option<f64> {
        let span_ns = now.since(self.corrected_at);
        if span_ns < CORRECT_EVERY_NS {
            return None;
        }
        let rate = self.taken as f64 / self.ratio / (span_ns as f64 / 1e9);
        let known = self.rate_per_s.unwrap_or(rate);
        self.rate_per_s = Some(known + (rate - known) * NEWS);
        (self.taken, self.corrected_at) = (0, now);
        let wanted = self.rate_per_s.unwrap_or(rate) * self.looks.max(1.0);
        let ratio = (self.requests_per_s * PART / wanted.max(f64::MIN_POSITIVE)).clamp(RATIO_MIN, 1.0);
        // A small change is not worth another sample.
        let is_other = (ratio / self.ratio).ln().abs() > 0.2 || (ratio >= 1.0) != (self.ratio >= 1.0);
        is_other.then(|| {
            self.ratio = ratio;
            ratio
        })
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
            (0..taken).for_each(|_| b.taken());
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
        assert_eq!(Budget::new(1.0, Tau(0)).watched_max(), 6);
    }
}
