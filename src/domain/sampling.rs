//! Which operations of the primary are looked for at a mirror that can only be asked about single DIDs.
//!
//! The choice rests on the operation's CID and a seed that nobody else knows, so that it depends on nothing that the mirror
//! does, and a mirror cannot serve what it knows will be asked for. It is made once, when the primary delivers the operation.

use super::cid::Cid;
use super::op::{Kind, OpKey};
use super::time::Tau;

/// An operation that is to be looked for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Sought {
    /// Identity.
    pub key: OpKey,
    /// What it does: a tombstone is looked for otherwise.
    pub kind: Kind,
    /// When the primary published it.
    pub p: Tau,
    /// Its `createdAt`, milliseconds since 1970.
    pub created_ms: i64,
    /// What it follows.
    pub prev: Option<Cid>,
    /// Whether it is looked for; a tombstone that is not is told all the same.
    pub is_sampled: bool,
}

/// A share of all operations.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Sampling {
    seed: u64,
    /// Taken are those whose hash is below it, of 2^32.
    below: u64,
}

impl Sampling {
    /// About this share of all operations, 0 to 1.
    #[must_use]
    pub fn new(seed: u64, ratio: f64) -> Sampling {
        Sampling { seed, below: (ratio.clamp(0.0, 1.0) * (1_u64 << 32) as f64).round() as u64 }
    }

    /// The share that is taken.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.below as f64 / (1_u64 << 32) as f64
    }

    /// Whether this operation is looked for.
    #[must_use]
    pub fn takes(&self, cid: &Cid) -> bool {
        let digest = cid.0.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        mix(digest ^ mix(self.seed)) >> 32 < self.below
    }
}

/// Spreads every bit over all (the finaliser of `SplitMix64`).
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cid(n: u32) -> Cid {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&n.to_le_bytes());
        Cid(bytes)
    }

    #[test]
    fn a_share_is_taken_whatever_the_digests_look_like() {
        for ratio in [0.0, 0.1, 0.5, 1.0] {
            let sampling = Sampling::new(7, ratio);
            let taken = (0..10_000).filter(|&n| sampling.takes(&cid(n))).count() as f64 / 1e4;
            assert!((taken - ratio).abs() < 0.02, "{ratio}: {taken}");
        }
        let differs = (0..1_000).filter(|&n| {
            let [a, b] = [1, 2].map(|seed| Sampling::new(seed, 0.5).takes(&cid(n)));
            a != b
        });
        assert!(differs.count() > 300, "another seed takes others");
    }

    #[test]
    fn a_smaller_share_is_part_of_a_larger_one() {
        let [few, many] = [0.2, 0.4].map(|ratio| Sampling::new(3, ratio));
        assert!((0..2_000).all(|n| !few.takes(&cid(n)) || many.takes(&cid(n))));
    }
}
