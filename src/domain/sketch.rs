//! How many different DIDs: exact for a few, a mergeable HyperLogLog of 256 registers for many.
//!
//! Source of the estimate: Flajolet, Fusy, Gandouet, Meunier, "HyperLogLog" (2007), with linear counting for small counts.
//! The standard error of the large form is 1.04/√256 = 6.5 %.

use super::did::Did;
use serde::{Deserialize, Serialize};

const REGISTERS: usize = 256;
const EXACT_MAX: usize = 64;

/// Standard error of the estimate once it is not exact any more, as a ratio.
pub const STANDARD_ERROR_RATIO: f64 = 0.065;

/// A mergeable count of distinct DIDs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum DidSketch {
    /// Sorted hashes of up to 64 DIDs.
    #[serde(rename = "e")]
    Exact(Vec<u64>),
    /// HyperLogLog registers.
    #[serde(rename = "h")]
    Registers(Vec<u8>),
}

impl Default for DidSketch {
    fn default() -> Self {
        DidSketch::Exact(Vec::new())
    }
}

/// The hash under which a DID is counted: its two halves folded, then mixed by the finaliser of splitmix64 (Steele, Lea,
/// Flood, 2014). It is kept on disk inside the sketches, so it must never change. A DID is a digest of its genesis already
/// and comes from the primary; who grinds one can only blur a figure whose error is stated anyway.
fn hash(did: &Did) -> u64 {
    let (high, low) = did.0.split_at(8);
    let fold = |bytes: &[u8]| bytes.iter().fold(0_u64, |h, &b| (h << 8) | u64::from(b));
    let mut h = fold(high) ^ fold(low).rotate_left(31);
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

impl DidSketch {
    /// Counts one DID.
    pub fn add(&mut self, did: &Did) {
        self.add_hash(hash(did));
    }

    /// Counts everything that `other` counted.
    pub fn merge(&mut self, other: &DidSketch) {
        match other {
            DidSketch::Exact(hashes) => hashes.iter().for_each(|&h| self.add_hash(h)),
            DidSketch::Registers(theirs) => {
                self.grow();
                if let DidSketch::Registers(ours) = self {
                    ours.iter_mut().zip(theirs).for_each(|(a, &b)| *a = (*a).max(b));
                }
            }
        }
    }

    /// The estimated number of distinct DIDs.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        match self {
            DidSketch::Exact(hashes) => hashes.len() as f64,
            DidSketch::Registers(registers) => {
                let m = REGISTERS as f64;
                let sum: f64 = registers.iter().map(|&r| 2f64.powi(-i32::from(r))).sum();
                let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
                let zeros = registers.iter().map(|&r| usize::from(r == 0)).sum::<usize>();
                if raw <= 2.5 * m && zeros > 0 { m * (m / zeros as f64).ln() } else { raw }
            }
        }
    }

    fn add_hash(&mut self, h: u64) {
        if let DidSketch::Exact(hashes) = self {
            let Err(at) = hashes.binary_search(&h) else { return };
            if hashes.len() < EXACT_MAX {
                hashes.insert(at, h);
                return;
            }
            self.grow();
        }
        if let DidSketch::Registers(registers) = self
            && let Some(r) = registers.get_mut((h >> 56) as usize)
        {
            *r = (*r).max((h << 8 | 0x80).leading_zeros() as u8 + 1);
        }
    }

    fn grow(&mut self) {
        if let DidSketch::Exact(hashes) = self {
            let hashes = std::mem::take(hashes);
            *self = DidSketch::Registers(vec![0; REGISTERS]);
            for h in hashes {
                self.add_hash(h);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn did(i: u64) -> Did {
        let mut bytes = [0; 15];
        bytes[..8].copy_from_slice(&i.to_be_bytes());
        Did(bytes)
    }

    #[test]
    fn a_few_are_counted_exactly_and_many_nearly() {
        let mut sketch = DidSketch::default();
        for i in 0..50 {
            sketch.add(&did(i));
            sketch.add(&did(i));
        }
        assert!((sketch.estimate() - 50.0).abs() < 1e-9);
        (0..20_000).for_each(|i| sketch.add(&did(i)));
        let off = (sketch.estimate() / 20_000.0 - 1.0).abs();
        assert!(off < 3.0 * STANDARD_ERROR_RATIO, "off by {off}");
    }

    #[test]
    fn merging_is_counting_together() {
        let (mut a, mut b, mut both) = (DidSketch::default(), DidSketch::default(), DidSketch::default());
        (0..300).for_each(|i| a.add(&did(i)));
        (200..240).for_each(|i| b.add(&did(i)));
        (0..300).for_each(|i| both.add(&did(i)));
        let mut other_way = b.clone();
        a.merge(&b);
        other_way.merge(&a);
        assert_eq!(a, both);
        assert_eq!(other_way, both);
    }
}
