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
/// Changes of one mirror's correction that are remembered.
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

/// The corrections of one mirror over time, so that a pair is corrected by what held when it arrived.
#[derive(Clone, Debug, Default)]
pub struct Corrections {
    changes: VecDeque<(Tau, Option<Correction>)>,
}

impl Corrections {
    /// From `at` on, this correction holds; none while a round trip is not known.
    pub fn set(&mut self, at: Tau, correction: Option<Correction>) {
        if self.changes.back().is_some_and(|c| c.1 == correction) {
            return;
        }
        if self.changes.len() == CHANGES_MAX {
            self.changes.pop_front();
        }
        self.changes.push_back((at, correction));
    }

    /// The correction for an arrival at `at`: the one that held then, else the first one measured within a minute after it.
    #[must_use]
    pub fn at(&self, at: Tau) -> Option<Correction> {
        let held = self.changes.iter().rev().find(|c| c.0 <= at).and_then(|c| c.1);
        held.or_else(|| {
            let soon = at.plus(60 * SECOND);
            self.changes.iter().filter(|c| c.0 > at && c.0 <= soon).find_map(|c| c.1)
        })
    }

    /// The correction that holds now.
    #[must_use]
    pub fn now(&self) -> Option<Correction> {
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
    fn a_pair_is_corrected_by_what_held_when_it_arrived() {
        let mut c = Corrections::default();
        assert_eq!(c.at(Tau(5)), None);
        let first = Correction::from_rtts(40_000_000, 10_000_000);
        assert_eq!((first.correction_us, first.uncertainty_us), (15_000, 25_000));
        c.set(Tau(10 * SECOND), Some(first));
        let second = Correction::from_rtts(20_000_000, 10_000_000);
        c.set(Tau(20 * SECOND), Some(second));
        assert_eq!(c.at(Tau(12 * SECOND)), Some(first));
        assert_eq!(c.at(Tau(30 * SECOND)), Some(second));
        assert_eq!(c.at(Tau(SECOND)), Some(first), "the first measurement speaks for the minute before it");
        assert_eq!(c.at(Tau(-90 * SECOND)), None);
    }
}
