//! What the primary's operations name as their `prev`: eight bytes each, enough to find two contents after one operation.

use crate::domain::cid::Cid;
use std::collections::VecDeque;

/// Bits of the sieve that keeps most operations from being looked up; a power of two.
const SIEVE_BITS: u64 = 1 << 16;

/// The first eight bytes of the digest that a `prev` names. Whoever makes two of them alike has done 2⁶⁴ hashes for a
/// finding about himself.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Prev(pub u64);

impl Prev {
    /// It names nothing.
    pub const NONE: Prev = Prev(0);

    /// What an operation names.
    #[must_use]
    pub fn of(prev: Option<&Cid>) -> Prev {
        prev.and_then(|cid| cid.0.first_chunk()).map_or(Prev::NONE, |bytes| Prev(u64::from_be_bytes(*bytes)))
    }

    /// Whether it names nothing.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Prev::NONE
    }
}

/// Those of all operations that are held, in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Prevs(VecDeque<Prev>);

impl Prevs {
    pub(super) fn push(&mut self, prev: Prev) {
        self.0.push_back(prev);
    }

    /// The oldest operation is let go.
    pub(super) fn pop(&mut self) {
        self.0.pop_front();
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// How long before the newest operation, 0 for itself, the newest one stands that names this, among the last `max`.
    pub(super) fn find_back(&self, prev: Prev, max: usize) -> Option<usize> {
        self.0.iter().rev().take(max).position(|p| *p == prev)
    }

    /// Those of `wanted` that some operation names, in rising order.
    pub(super) fn among(&self, mut wanted: Vec<Prev>) -> Vec<Prev> {
        wanted.sort_unstable();
        let mut sieve = vec![0_u64; (SIEVE_BITS / 64) as usize];
        let bit = |prev: Prev| ((prev.0 % SIEVE_BITS / 64) as usize, 1_u64 << (prev.0 % 64));
        for &prev in &wanted {
            let (word, mask) = bit(prev);
            if let Some(word) = sieve.get_mut(word) {
                *word |= mask;
            }
        }
        let may_be = |prev: Prev| sieve.get(bit(prev).0).is_some_and(|word| word & bit(prev).1 != 0);
        let is_wanted = |prev: &Prev| may_be(*prev) && wanted.binary_search(prev).is_ok();
        let mut found: Vec<Prev> = self.0.iter().copied().filter(is_wanted).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_found_until_it_is_let_go() {
        let mut prevs = Prevs::default();
        (1..=1_000).for_each(|n| prevs.push(Prev(n * 0x1_0001)));
        let wanted = || vec![Prev(900 * 0x1_0001), Prev(5), Prev(3 * 0x1_0001), Prev(0x1_0001 * 3 + 0x1_0000)];
        assert_eq!(prevs.among(wanted()), [Prev(3 * 0x1_0001), Prev(900 * 0x1_0001)]);
        (0..3).for_each(|_| prevs.pop());
        assert_eq!(prevs.among(wanted()), [Prev(900 * 0x1_0001)]);
        assert_eq!(prevs.find_back(Prev(998 * 0x1_0001), 100), Some(2));
        assert_eq!(prevs.find_back(Prev(900 * 0x1_0001), 100), None);
    }

    #[test]
    fn nothing_is_named_by_the_first_operation_of_a_did() {
        assert!(Prev::of(None).is_none() && !Prev::of(Some(&Cid([9; 32]))).is_none());
    }
}
