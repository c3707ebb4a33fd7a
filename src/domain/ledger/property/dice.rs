//! Random choices from one seed: the same seed and salt give the same world on every machine.

use crate::domain::time::MS;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// One stream of random numbers.
pub struct Dice(StdRng);

impl Dice {
    /// The stream `salt` of a seed; streams of different salts have nothing to do with each other.
    pub fn new(seed: u64, salt: u64) -> Dice {
        let mixed = (seed ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        Dice(StdRng::seed_from_u64(mixed ^ (mixed >> 29)))
    }

    /// A number in `[low, high)`; `low` when there is none.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        if low < high { self.0.random_range(low..high) } else { low }
    }

    /// Nanoseconds between two numbers of milliseconds.
    pub fn ms(&mut self, low: i64, high: i64) -> i64 {
        self.between(low * MS, high * MS)
    }

    /// True `per_mille` times in a thousand.
    pub fn chance(&mut self, per_mille: i64) -> bool {
        self.between(0, 1_000) < per_mille
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.between(0, of.len() as i64) as usize]
    }
}
