//! Round-trip times and the correction that they give to a lag.
//!
//! rtt is the minimum of the last ten minutes to the address that the stream itself is connected to, reset when that
//! changes. The correction of a pair of arrivals is half the difference of the two round trips.

use super::address::Peer;
use super::time::{SECOND, Tau, US};
use std::collections::VecDeque;

/// How long a sample counts.
pub const HORIZON_NS: i64 = 600 * SECOND;
/// Samples of one source that are kept; at one every 5 s ten minutes take 120.
pub const SAMPLES_MAX: usize = 1_024;
/// Changes of one source's round trip that are remembered.
const CHANGES_MAX: usize = 512;

/// The round-trip time of one source by one method.
#[derive(Clone, Debug, Default)]
pub struct Estimator {
    peer: Option<Peer>,
    samples: VecDeque<(Tau, i64)>,
}

impl Estimator {
    /// Takes a sample of `rtt_ns` nanoseconds to `peer`; a new peer starts the estimate afresh.
    pub fn add(&mut self, at: Tau, peer: Peer, rtt_ns: i64) {
        if self.peer != Some(peer) {
            self.peer = Some(peer);
            self.samples.clear();
        }
        self.forget(at);
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back((at, rtt_ns.max(0)));
    }

    /// Drops what is older than the horizon.
    pub fn forget(&mut self, now: Tau) {
        while self.samples.front().is_some_and(|s| now.since(s.0) > HORIZON_NS) {
            self.samples.pop_front();
        }
    }

    /// The smallest sample that counts, in nanoseconds.
    #[must_use]
    pub fn min_ns(&self) -> Option<i64> {
        self.samples.iter().map(|s| s.1).min()
    }

    /// How many samples count.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples.len()
    }

    /// The address that was measured.
    #[must_use]
    pub fn peer(&self) -> Option<Peer> {
        self.peer
    }

    /// When the newest sample was taken.
    #[must_use]
    pub fn measured_at(&self) -> Option<Tau> {
        self.samples.back().map(|s| s.0)
    }
}

/// What is subtracted from a lag, and how sure that is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Correction {
    /// (rtt of the mirror − rtt of the primary) / 2, microseconds.
    pub correction_us: i64,
    /// (rtt of the mirror + rtt of the primary) / 2, microseconds.
    pub uncertainty_us: i64,
}

impl Correction {
    /// The correction of a mirror from both round trips in nanoseconds.
    #[must_use]
    pub fn from_rtts(mirror_ns: i64, primary_ns: i64) -> Correction {
        Correction {
            correction_us: (mirror_ns - primary_ns) / 2 / US,
            uncertainty_us: i64::midpoint(mirror_ns, primary_ns) / US,
        }
    }
}

/// The round trip of one source over time, so that each arrival of a pair is corrected by what held when it came.
#[derive(Clone, Debug, Default)]
pub struct History {
    changes: VecDeque<(Tau, Option<i64>)>,
}

impl History {
    /// From `at` on, the round trip is this many nanoseconds; none while it is not known.
    pub fn set(&mut self, at: Tau, rtt_ns: Option<i64>) {
        if self.changes.back().map_or(rtt_ns.is_none(), |c| c.1 == rtt_ns) {
            return;
        }
        self.change(at, rtt_ns);
    }

    /// Nothing that is measured from now on says anything of arrivals through `at`.
    pub fn part(&mut self, at: Tau) {
        self.change(at.plus(1), None);
    }

    fn change(&mut self, at: Tau, rtt_ns: Option<i64>) {
        if self.changes.len() == CHANGES_MAX {
            self.changes.pop_front();
        }
        self.changes.push_back((at, rtt_ns));
    }

    /// The round trip for an arrival at `at`: the one that held then, else the first one, measured within a minute after it.
    #[must_use]
    pub fn at(&self, at: Tau) -> Option<i64> {
        let after = self.changes.iter().rposition(|c| c.0 <= at).map_or(0, |i| i + 1);
        let held = after.checked_sub(1).and_then(|i| self.changes.get(i)).and_then(|c| c.1);
        held.or_else(|| self.changes.get(after).filter(|c| c.0 <= at.plus(60 * SECOND)).and_then(|c| c.1))
    }

    /// The round trip that holds now, nanoseconds.
    #[must_use]
    pub fn now(&self) -> Option<i64> {
        self.changes.back().and_then(|c| c.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(port: u16) -> Peer {
        Peer::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn the_minimum_of_ten_minutes_to_one_peer() {
        let mut e = Estimator::default();
        e.add(Tau(0), peer(1), 5_000);
        e.add(Tau(SECOND), peer(1), 9_000);
        assert_eq!((e.min_ns(), e.samples()), (Some(5_000), 2));
        e.add(Tau(HORIZON_NS + 1), peer(1), 7_000);
        assert_eq!(e.min_ns(), Some(7_000), "the old minimum is forgotten");
        e.add(Tau(HORIZON_NS + 2), peer(2), 8_000);
        assert_eq!((e.min_ns(), e.samples()), (Some(8_000), 1), "another peer is another path");
    }

    #[test]
    fn an_arrival_is_corrected_by_what_held_when_it_came() {
        let c = Correction::from_rtts(40_000_000, 10_000_000);
        assert_eq!((c.correction_us, c.uncertainty_us), (15_000, 25_000));
        let mut h = History::default();
        assert_eq!(h.at(Tau(5)), None);
        h.set(Tau(10 * SECOND), Some(7));
        h.set(Tau(20 * SECOND), Some(5));
        assert_eq!([12, 20, 30, 1].map(|s| h.at(Tau(s * SECOND))), [Some(7), Some(5), Some(5), Some(7)]);
        assert_eq!(h.at(Tau(-90 * SECOND)), None, "too long before the first measurement");
        h.part(Tau(40 * SECOND));
        h.set(Tau(45 * SECOND), Some(9));
        assert_eq!([39, 40, 41].map(|s| h.at(Tau(s * SECOND))), [Some(5), Some(5), Some(9)]);
        let mut parted = History::default();
        parted.part(Tau(40 * SECOND));
        parted.set(Tau(45 * SECOND), Some(9));
        assert_eq!([39, 40].map(|s| parted.at(Tau(s * SECOND))), [None, None], "measured by another run");
    }
}
