//! Lag: a mergeable histogram of signed microseconds, and the percentiles drawn from it.
//!
//! Buckets are log-linear with 128 steps to each doubling, so a bucket's middle is at most 0.4 % off. The histogram is
//! sparse, because it is kept for every interval and mirror: only buckets that hold something take room. Percentiles of
//! longer windows come from merged histograms and are never averages of percentiles.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

const STEPS: u64 = 128;
const STEP_BITS: u32 = 7;

/// A sparse histogram of signed microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LagHistogram {
    #[serde(rename = "b")]
    buckets: Vec<(i16, u32)>,
    #[serde(rename = "s")]
    sum_us: i64,
    #[serde(rename = "e")]
    ends_us: Option<(i64, i64)>,
}

fn bucket_of(us: i64) -> i16 {
    let magnitude = us.unsigned_abs();
    let index = if magnitude < 2 * STEPS {
        magnitude
    } else {
        let shift = magnitude.ilog2() - STEP_BITS;
        u64::from(shift) * STEPS + (magnitude >> shift)
    };
    let index = index as i16;
    if us < 0 { -index } else { index }
}

fn middle_of(bucket: i16) -> i64 {
    let index = u64::from(bucket.unsigned_abs());
    let magnitude = if index < 2 * STEPS {
        index
    } else {
        let shift = (index / STEPS - 1) as u32;
        ((index - u64::from(shift) * STEPS) << shift) + ((1 << shift) >> 1)
    } as i64;
    if bucket < 0 { -magnitude } else { magnitude }
}

/// Buckets that [`LagHistogram::spread`] takes together.
const TOGETHER: u64 = 8;

/// The smallest magnitude in microseconds that falls into this bucket or one further from zero.
fn edge_of(index: u64) -> i64 {
    if index < 2 * STEPS {
        return index as i64;
    }
    let shift = index / STEPS - 1;
    ((index - shift * STEPS) << shift) as i64
}

/// A part of a distribution.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Where it begins, microseconds.
    pub from_us: i64,
    /// Where it ends, microseconds; of the two edges the one nearer to zero belongs to it.
    pub to_us: i64,
    /// Samples in it.
    pub count: u64,
}

impl LagHistogram {
    /// The distribution in parts that are at most 6.3 % wide (8 µs around zero), in rising order; those without a sample are
    /// left out.
    #[must_use]
    pub fn spread(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for &(bucket, n) in &self.buckets {
            let first = u64::from(bucket.unsigned_abs()) / TOGETHER * TOGETHER;
            let (near_us, far_us) = (edge_of(first), edge_of(first + TOGETHER));
            let (from_us, to_us) = if bucket < 0 { (-far_us, -near_us) } else { (near_us, far_us) };
            match parts.last_mut().filter(|last| last.from_us == from_us) {
                Some(last) => last.count += u64::from(n),
                None => parts.push(Part { from_us, to_us, count: u64::from(n) }),
            }
        }
        parts
    }

    /// The quantile `q` of one step of a series in milliseconds; none where no sample lies beyond it. A step has few samples
    /// and is read beside its neighbours, so that one is enough where a figure needs five.
    #[must_use]
    pub fn of_step_ms(&self, q: f64) -> Option<f64> {
        let n = self.count();
        if (n as f64) * q.min(1.0 - q) < 1.0 {
            return None;
        }
        self.at_rank((n as f64 * q).ceil() as u64).map(|us| ms(us as f64))
    }

    /// Counts one sample.
    pub fn record(&mut self, us: i64) {
        let bucket = bucket_of(us);
        match self.buckets.binary_search_by_key(&bucket, |b| b.0) {
            Ok(i) => {
                if let Some(b) = self.buckets.get_mut(i) {
                    b.1 = b.1.saturating_add(1);
                }
            }
            Err(i) => self.buckets.insert(i, (bucket, 1)),
        }
        self.widen((us, us));
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// Adds everything that `other` holds.
    pub fn merge(&mut self, other: &LagHistogram) {
        if other.buckets.is_empty() {
            return;
        }
        if self.buckets.is_empty() {
            self.clone_from(other);
            return;
        }
        let mut merged = Vec::with_capacity(self.buckets.len() + other.buckets.len());
        let (mut ours, mut theirs) = (self.buckets.iter().peekable(), other.buckets.iter().peekable());
        loop {
            match (ours.peek(), theirs.peek()) {
                (Some(a), Some(b)) if a.0 == b.0 => {
                    merged.push((a.0, a.1.saturating_add(b.1)));
                    ours.next();
                    theirs.next();
                }
                (Some(a), Some(b)) if a.0 < b.0 => merged.extend(ours.next()),
                (Some(_), None) => merged.extend(ours.next()),
                (_, Some(_)) => merged.extend(theirs.next()),
                (None, None) => break,
            }
        }
        self.buckets = merged;
        if let Some(ends) = other.ends_us {
            self.widen(ends);
        }
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }

    /// Number of samples.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|b| u64::from(b.1)).sum()
    }

    /// Smallest sample in microseconds, exact.
    #[must_use]
    pub fn min_us(&self) -> Option<i64> {
        self.ends_us.map(|e| e.0)
    }

    /// Largest sample in microseconds, exact.
    #[must_use]
    pub fn max_us(&self) -> Option<i64> {
        self.ends_us.map(|e| e.1)
    }

    /// Mean in microseconds.
    #[must_use]
    pub fn mean_us(&self) -> Option<f64> {
        let n = self.count();
        (n > 0).then(|| self.sum_us as f64 / n as f64)
    }

    /// The sample of rank `rank` (1 = smallest), within the error of a bucket.
    #[must_use]
    pub fn at_rank(&self, rank: u64) -> Option<i64> {
        let mut seen = 0;
        for &(bucket, n) in &self.buckets {
            seen += u64::from(n);
            if seen >= rank {
                return self.ends_us.map(|(low, high)| middle_of(bucket).clamp(low, high));
            }
        }
        None
    }

    /// Whether it is one that recording samples makes; what others sent may be anything.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let is_rising = self.buckets.windows(2).all(|pair| matches!(pair, [a, b] if a.0 < b.0));
        let is_counted = self.buckets.iter().all(|bucket| bucket.1 > 0);
        let ends = self.buckets.first().zip(self.buckets.last()).map(|(low, high)| (low.0, high.0));
        let is_ordered = self.ends_us.is_none_or(|(low, high)| low <= high);
        is_ordered
            && is_rising
            && is_counted
            && self.ends_us.map(|(low, high)| (bucket_of(low), bucket_of(high))) == ends
    }

    /// Bytes that the buckets take in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<(i16, u32)>()
    }

    fn widen(&mut self, (low, high): (i64, i64)) {
        self.ends_us = Some(self.ends_us.map_or((low, high), |e| (e.0.min(low), e.1.max(high))));
    }
}

/// Many histograms added up: every bucket between the smallest and the largest, so that one more costs its own buckets and
/// not those of all before it.
#[derive(Clone, Debug, Default)]
pub struct LagSum {
    low: i32,
    counts: Vec<u32>,
    sum_us: i64,
    ends_us: Option<(i64, i64)>,
}

impl LagSum {
    /// Adds everything that `hist` holds.
    pub fn add(&mut self, hist: &LagHistogram) {
        let (Some(&(first, _)), Some(&(last, _)), Some(ends)) =
            (hist.buckets.first(), hist.buckets.last(), hist.ends_us)
        else {
            return;
        };
        self.make_room(i32::from(first), i32::from(last));
        for &(bucket, n) in &hist.buckets {
            if let Some(count) = self.counts.get_mut((i32::from(bucket) - self.low) as usize) {
                *count = count.saturating_add(n);
            }
        }
        self.sum_us = self.sum_us.saturating_add(hist.sum_us);
        self.ends_us = Some(self.ends_us.map_or(ends, |e| (e.0.min(ends.0), e.1.max(ends.1))));
    }

    /// The sum as one histogram.
    #[must_use]
    pub fn histogram(&self) -> LagHistogram {
        let buckets = (self.low..).zip(&self.counts).filter(|b| *b.1 > 0).map(|(bucket, &n)| (bucket as i16, n));
        LagHistogram { buckets: buckets.collect(), sum_us: self.sum_us, ends_us: self.ends_us }
    }

    fn make_room(&mut self, first: i32, last: i32) {
        if self.counts.is_empty() {
            self.low = first;
        }
        if first < self.low {
            let before = (self.low - first) as usize;
            self.counts.splice(..0, std::iter::repeat_n(0, before));
            self.low = first;
        }
        let length = (last - self.low) as usize + 1;
        if self.counts.len() < length {
            self.counts.resize(length, 0);
        }
    }
}

/// The quantiles that every lag figure has, with the names of their fields.
pub const QUANTILES: [(&str, f64); 6] =
    [("p50_ms", 0.5), ("p75_ms", 0.75), ("p90_ms", 0.9), ("p95_ms", 0.95), ("p99_ms", 0.99), ("p999_ms", 0.999)];

/// Samples that must lie above a percentile for it to be told: n·(1−q) ≥ 5.
const ABOVE_MIN: f64 = 5.0;

/// Microseconds as milliseconds with microsecond digits.
#[must_use]
pub fn ms(us: f64) -> f64 {
    (us).round() / 1_000.0
}

/// Writes the percentiles of `hist` into `out`, with the operations that never came, `lost`, counted as infinitely late;
/// each value that cannot be told is `null` and its reason stands in `reasons`.
pub fn write_percentiles(
    hist: &LagHistogram,
    lost: u64,
    out: &mut Map<String, Value>,
    reasons: &mut Map<String, Value>,
) {
    let arrived = hist.count();
    let n = arrived + lost;
    for (name, q) in QUANTILES {
        // The product is rounded to a millionth first, so that 500 samples are enough for p99 in binary fractions too.
        let above = (n as f64 * (1.0 - q) * 1e6).round() / 1e6;
        let rank = ((n as f64 * q * 1e6).round() / 1e6).ceil().max(1.0) as u64;
        let (value, reason) = if n == 0 {
            (Value::Null, "no_data")
        } else if above < ABOVE_MIN {
            (Value::Null, "low_n")
        } else if rank > arrived {
            (Value::Null, "loss")
        } else {
            (hist.at_rank(rank).map_or(Value::Null, |us| ms(us as f64).into()), "")
        };
        if !reason.is_empty() {
            reasons.insert(name.to_owned(), reason.into());
        }
        out.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn percentiles(hist: &LagHistogram, lost: u64) -> (Map<String, Value>, Map<String, Value>) {
        let (mut out, mut reasons) = (Map::new(), Map::new());
        write_percentiles(hist, lost, &mut out, &mut reasons);
        (out, reasons)
    }

    proptest! {
        #[test]
        fn every_sample_lies_in_one_part_of_the_spread(samples in prop::collection::vec(-90_000_000_i64..90_000_000, 0..80)) {
            let mut hist = LagHistogram::default();
            for &us in &samples {
                hist.record(us);
            }
            let parts = hist.spread();
            prop_assert!(parts.windows(2).all(|p| p[0].to_us <= p[1].from_us), "{parts:?}");
            for part in &parts {
                let is_in = |us: &&i64| match **us {
                    us if us < 0 => part.from_us < us && us <= part.to_us,
                    us => part.from_us <= us && us < part.to_us,
                };
                prop_assert_eq!(samples.iter().filter(is_in).count() as u64, part.count, "{:?}", part);
                let near = part.from_us.abs().min(part.to_us.abs());
                prop_assert!(part.to_us - part.from_us <= (near / 16).max(8) + 1, "{:?}", part);
            }
            prop_assert_eq!(parts.iter().map(|p| p.count).sum::<u64>(), samples.len() as u64);
        }

        #[test]
        fn a_bucket_is_at_most_half_a_percent_off(us in -90_000_000_000_i64..90_000_000_000) {
            let off = (middle_of(bucket_of(us)) - us).abs() as f64;
            prop_assert!(off <= us.abs() as f64 * 0.004 + 0.5, "{us} became {}", middle_of(bucket_of(us)));
        }

        #[test]
        fn merging_is_recording_together(a in prop::collection::vec(-5_000_i64..5_000_000, 0..60),
                                         b in prop::collection::vec(-5_000_i64..5_000_000, 0..60)) {
            let (mut left, mut right, mut both) = (LagHistogram::default(), LagHistogram::default(), LagHistogram::default());
            for &us in &a {
                left.record(us);
                both.record(us);
            }
            for &us in &b {
                right.record(us);
                both.record(us);
            }
            left.merge(&right);
            prop_assert_eq!(&left, &both);
            let mut sum = LagSum::default();
            for hist in [LagHistogram::default(), right.clone(), left.clone()] {
                sum.add(&hist);
            }
            left.merge(&right);
            prop_assert_eq!(sum.histogram(), left.clone());
            prop_assert_eq!(both.min_us(), a.iter().chain(&b).min().copied());
            prop_assert_eq!(both.max_us(), a.iter().chain(&b).max().copied());
        }
    }

    #[test]
    fn a_percentile_needs_five_samples_above_it() {
        let mut hist = LagHistogram::default();
        (0..499).for_each(|i| hist.record(i * 1_000));
        let (out, reasons) = percentiles(&hist, 0);
        assert!(out["p95_ms"].is_f64() && out["p99_ms"].is_null());
        assert_eq!(reasons["p99_ms"], "low_n");
        hist.record(499_000);
        assert!(percentiles(&hist, 0).0["p99_ms"].is_f64());
        assert_eq!(percentiles(&LagHistogram::default(), 0).1["p50_ms"], "no_data");
    }

    #[test]
    fn a_step_tells_a_quantile_beyond_which_a_sample_lies() {
        let mut hist = LagHistogram::default();
        (1..=19).for_each(|i| hist.record(i * 10));
        assert_eq!((hist.of_step_ms(0.05), hist.of_step_ms(0.5), hist.of_step_ms(0.95)), (None, Some(0.1), None));
        hist.record(200);
        assert_eq!(
            (hist.of_step_ms(0.05), hist.of_step_ms(0.95), hist.of_step_ms(0.99)),
            (Some(0.01), Some(0.19), None)
        );
    }

    #[test]
    fn lost_operations_are_infinitely_late() {
        let mut hist = LagHistogram::default();
        (0..90).for_each(|_| hist.record(1_000));
        let (out, reasons) = percentiles(&hist, 10);
        assert_eq!(out["p50_ms"], Value::from(1.0));
        assert_eq!((out["p95_ms"].clone(), reasons["p95_ms"].clone()), (Value::Null, "loss".into()));
    }

    #[test]
    fn what_no_samples_make_is_not_sound() {
        let mut hist = LagHistogram::default();
        assert!(hist.is_sound());
        for us in [-700, i64::MIN, 5, i64::MAX] {
            hist.record(us);
        }
        assert!(hist.is_sound());
        let with = |buckets: &[(i16, u32)], ends_us| LagHistogram { buckets: buckets.to_vec(), sum_us: 0, ends_us };
        assert!(with(&[(1, 2), (3, 1)], Some((1, 3))).is_sound());
        for (buckets, ends) in [
            (&[(3, 1), (1, 2)][..], Some((3, 1))),
            (&[(1, 1), (1, 1)], Some((1, 1))),
            (&[(1, 0)], Some((1, 1))),
            (&[(1, 1)], None),
            (&[], Some((1, 1))),
            (&[(i16::MIN, 1)], Some((-5, -5))),
            (&[(1, 1), (i16::MAX, 1)], Some((1, 5))),
        ] {
            assert!(!with(buckets, ends).is_sound(), "{buckets:?} {ends:?}");
        }
    }

    #[test]
    fn the_first_sample_sets_both_ends() {
        let mut hist = LagHistogram::default();
        hist.record(-700);
        assert_eq!((hist.min_us(), hist.max_us()), (Some(-700), Some(-700)));
        let mut zero = LagHistogram::default();
        zero.record(0);
        zero.record(900);
        zero.record(-900);
        assert_eq!((zero.min_us(), zero.max_us()), (Some(-900), Some(900)));
    }
}
