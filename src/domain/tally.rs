//! What was decided and measured at one mirror since the start, only ever growing: what a scraper makes rates of.
//!
//! The figures of the pages come from intervals and are revised; these count each event once, when it happens.

use super::finding::Finding;
use super::op::Kind;
use super::verdict::Verdict;

/// Upper bounds of the buckets of lag, microseconds; what lies above the last has a bucket of its own.
pub const BOUNDS_US: [i64; 16] = [
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    60_000_000,
    300_000_000,
];

/// A histogram with fixed buckets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Buckets {
    counts: [u64; BOUNDS_US.len() + 1],
    sum_us: u64,
}

impl Buckets {
    fn add(&mut self, us: u64) {
        let place = BOUNDS_US.partition_point(|bound| bound.unsigned_abs() < us);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// Samples in each bucket, in the order of [`BOUNDS_US`], those beyond the last bound at the end.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Sum of all samples, microseconds.
    #[must_use]
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }
}

/// See the module's words.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    outcomes: [[u64; Kind::ALL.len()]; Verdict::ALL.len()],
    revisions: [[u64; Verdict::ALL.len()]; Verdict::ALL.len()],
    confirmations: [u64; Finding::ALL.len()],
    /// Corrected lag of what came after the primary's.
    pub lag: Buckets,
    /// The same of what came before it, as by how much it was earlier.
    pub lead: Buckets,
}

impl Tally {
    /// A verdict gave way to another: a decision, or the revision of one.
    pub fn decided(&mut self, kind: Kind, from: Verdict, to: Verdict) {
        let place = if from == Verdict::Pending {
            self.outcomes.get_mut(to as usize).and_then(|of| of.get_mut(kind as usize))
        } else {
            self.revisions.get_mut(from as usize).and_then(|of| of.get_mut(to as usize))
        };
        if let Some(count) = place {
            *count += 1;
        }
    }

    /// A corrected lag was measured, microseconds.
    pub fn lagged(&mut self, us: i64) {
        let side = if us < 0 { &mut self.lead } else { &mut self.lag };
        side.add(us.unsigned_abs());
    }

    /// A miss or an extra was explained, or explained anew.
    pub fn confirmed(&mut self, finding: Finding) {
        if let Some(count) = Finding::ALL.iter().position(|f| *f == finding).and_then(|i| self.confirmations.get_mut(i))
        {
            *count += 1;
        }
    }

    /// Decisions by verdict and kind.
    pub fn outcomes(&self) -> impl Iterator<Item = (Verdict, Kind, u64)> {
        let of = |(verdict, counts): (Verdict, [u64; Kind::ALL.len()])| {
            Kind::ALL.into_iter().zip(counts).map(move |(kind, n)| (verdict, kind, n))
        };
        Verdict::ALL.into_iter().zip(self.outcomes).flat_map(of)
    }

    /// Revisions by the verdict before and the one after.
    pub fn revisions(&self) -> impl Iterator<Item = (Verdict, Verdict, u64)> {
        let of = |(from, counts): (Verdict, [u64; Verdict::ALL.len()])| {
            Verdict::ALL.into_iter().zip(counts).map(move |(to, n)| (from, to, n))
        };
        Verdict::ALL.into_iter().zip(self.revisions).flat_map(of)
    }

    /// Explanations of misses and extras by finding.
    pub fn confirmations(&self) -> impl Iterator<Item = (Finding, u64)> {
        Finding::ALL.into_iter().zip(self.confirmations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_is_counted_once_in_its_place() {
        let mut tally = Tally::default();
        tally.decided(Kind::Update, Verdict::Pending, Verdict::Missed);
        tally.decided(Kind::Update, Verdict::Missed, Verdict::Late);
        tally.confirmed(Finding::DataLoss);
        for us in [0, 1_000, 1_001, 400_000_000, -1, -2_000] {
            tally.lagged(us);
        }
        let outcomes: Vec<_> = tally.outcomes().filter(|o| o.2 > 0).collect();
        assert_eq!(outcomes, [(Verdict::Missed, Kind::Update, 1)]);
        let revisions: Vec<_> = tally.revisions().filter(|r| r.2 > 0).collect();
        assert_eq!(revisions, [(Verdict::Missed, Verdict::Late, 1)]);
        assert_eq!(tally.confirmations().filter(|c| c.1 > 0).collect::<Vec<_>>(), [(Finding::DataLoss, 1)]);
        assert_eq!(
            (tally.lag.counts()[..2].to_vec(), tally.lag.counts()[16], tally.lag.sum_us()),
            (vec![2, 1], 1, 400_002_001)
        );
        assert_eq!((tally.lead.counts()[..2].to_vec(), tally.lead.sum_us()), (vec![1, 1], 2_001));
    }
}
