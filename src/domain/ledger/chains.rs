//! Misses that follow from an earlier one: a mirror that lost one operation of a DID may refuse every later one of it, which
//! then reads as one fault and not as many.
//!
//! The root of a miss is the earliest of the unbroken run of misses of its DID at that mirror; only an operation that the
//! mirror delivered breaks a run. This is found from the operations that a capture holds, once for each capture and only
//! when somebody asks: never on the ledger's own thread.

use crate::domain::did::Did;
use crate::domain::ring::Held;
use crate::domain::verdict::{Cell, Verdict};
use std::collections::HashMap;

/// Misses of one mirror that are looked at, newest; older ones count as roots.
const MISSES_MAX: usize = 100_000;
/// Bits of the sieve that keeps most operations from being looked up by their DID; a power of two.
const SIEVE_BITS: usize = 1 << 16;

/// How the misses of a mirror hang together.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct ChainCounts {
    /// Misses that follow from no other.
    pub roots: u64,
    /// Misses that follow from an earlier one of their DID.
    pub followers: u64,
    /// Whether there were too many to look at them all; those left out count as roots.
    pub is_cut: bool,
}

/// The chains of every mirror.
#[derive(Clone, Debug, Default)]
pub struct Chains {
    counts: Vec<ChainCounts>,
    /// By mirror: number of a follower and of its root, in the order of the followers.
    followers: Vec<Vec<(u64, u64)>>,
}

/// Every held operation of some DIDs as `createdAt` and number, in that order, which is their order within the DID.
type Orders = HashMap<Did, Vec<(i64, u64)>, foldhash::fast::RandomState>;

impl Chains {
    /// Finds the chains of all mirrors among the operations that are held.
    #[must_use]
    pub fn of(held: &Held, mirrors: usize) -> Chains {
        let misses: Vec<(Vec<(Did, u64)>, usize)> = (0..mirrors).map(|m| missed(held, m)).collect();
        let mut orders = Orders::default();
        for (of_mirror, _) in &misses {
            for run in of_mirror.chunk_by(|a, b| a.0 == b.0).filter(|run| run.len() > 1) {
                orders.extend(run.first().map(|first| (first.0, Vec::new())));
            }
        }
        fill(held, &mut orders);
        let mut chains = Chains::default();
        for (m, (of_mirror, left_out)) in misses.iter().enumerate() {
            let mut followers = Vec::new();
            for run in of_mirror.chunk_by(|a, b| a.0 == b.0).filter(|run| run.len() > 1) {
                let order = run.first().and_then(|first| orders.get(&first.0));
                followers.extend(order.into_iter().flat_map(|order| follow(held, m, order)));
            }
            followers.sort_unstable();
            let (all, followed) = ((of_mirror.len() + left_out) as u64, followers.len() as u64);
            chains.counts.push(ChainCounts { roots: all - followed, followers: followed, is_cut: *left_out > 0 });
            chains.followers.push(followers);
        }
        chains
    }

    /// How the misses of a mirror hang together.
    #[must_use]
    pub fn counts(&self, mirror: usize) -> ChainCounts {
        self.counts.get(mirror).copied().unwrap_or_default()
    }

    /// The misses of a mirror that follow from others: number of the follower and of its root, in the order of the followers.
    #[must_use]
    pub fn followers(&self, mirror: usize) -> &[(u64, u64)] {
        self.followers.get(mirror).map_or(&[], Vec::as_slice)
    }

    /// The number of the miss that this miss follows from.
    #[must_use]
    pub fn root(&self, mirror: usize, number: u64) -> Option<u64> {
        let followers = self.followers.get(mirror)?;
        let place = followers.binary_search_by_key(&number, |f| f.0).ok()?;
        followers.get(place).map(|f| f.1)
    }
}

fn is_missed(cell: Cell) -> bool {
    cell.verdict() == Verdict::Missed && cell.delivery().is_none()
}

/// The newest misses of a mirror by DID and number, and how many were left out.
fn missed(held: &Held, m: usize) -> (Vec<(Did, u64)>, usize) {
    let mut found = Vec::new();
    for (first, chunk) in held.lacking(m) {
        for place in chunk.undelivered(m) {
            let number = first + place as u64;
            if let (Some(row), Some(&cell)) = (chunk.rows().get(place), chunk.cells(m).get(place))
                && number >= held.base
                && is_missed(cell)
            {
                found.push((row.did, number));
            }
        }
    }
    let left_out = found.len().saturating_sub(MISSES_MAX);
    found.drain(..left_out);
    found.sort_unstable();
    (found, left_out)
}

/// Finds every held operation of these DIDs.
fn fill(held: &Held, orders: &mut Orders) {
    if orders.is_empty() {
        return;
    }
    let mut sieve = vec![0_u64; SIEVE_BITS / 64];
    // The bytes of a DID are those of a digest: any of them are as good as a hash.
    let bit = |did: &Did| {
        let low = did.0.first_chunk().map_or(0, |b: &[u8; 2]| usize::from(u16::from_be_bytes(*b)));
        (low % SIEVE_BITS / 64, 1_u64 << (low % 64))
    };
    for did in orders.keys() {
        let (word, mask) = bit(did);
        if let Some(word) = sieve.get_mut(word) {
            *word |= mask;
        }
    }
    let firsts = (held.chunk_base..).step_by(crate::domain::ring::CHUNK);
    for (first, chunk) in firsts.zip(&held.chunks) {
        for (number, row) in (first..).zip(chunk.rows()) {
            let (word, mask) = bit(&row.did);
            if sieve.get(word).is_some_and(|word| word & mask != 0)
                && number >= held.base
                && let Some(order) = orders.get_mut(&row.did)
            {
                order.push((row.created_ms, number));
            }
        }
    }
    for order in orders.values_mut() {
        order.sort_unstable();
    }
}

/// The followers among the operations of one DID, each with its root.
fn follow<'a>(held: &'a Held, m: usize, order: &'a [(i64, u64)]) -> impl Iterator<Item = (u64, u64)> + 'a {
    let mut root = None;
    order.iter().filter_map(move |&(_, number)| {
        let (chunk, place) = held.find(number)?;
        let cell = *chunk.cells(m).get(place)?;
        if cell.delivery().is_some() {
            root = None;
        } else if is_missed(cell) {
            let earlier = root;
            root = earlier.or(Some(number));
            return earlier.map(|root| (number, root));
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::op::{Kind, OpKey};
    use crate::domain::ring::{Ring, Row};
    use crate::domain::time::Tau;
    use crate::domain::verdict::Mode;

    const LOST: Cell = Cell::new(Verdict::Missed);

    /// A ring of operations, each of a DID and with its outcome at the only mirror; `createdAt` as given.
    fn held(ops: &[(u8, Cell, i64)]) -> Held {
        let mut ring = Ring::new(1, 7);
        for (i, &(did, cell, created_ms)) in ops.iter().enumerate() {
            let key = OpKey { did: Did([did; 15]), cid: Cid([i as u8; 32]) };
            ring.push(Row::new(key, Kind::Update, Tau(0), created_ms, None), std::iter::once(cell));
        }
        ring.held()
    }

    fn late() -> Cell {
        Cell::new(Verdict::Late).with_delivery(Mode::Live, 5)
    }

    #[test]
    fn twenty_lost_in_a_chain_are_one_root_and_nineteen_followers() {
        let ops: Vec<_> = (0..40).map(|i| if i % 2 == 0 { (1, LOST, i) } else { (100 + i as u8, late(), i) }).collect();
        let chains = Chains::of(&held(&ops), 1);
        assert_eq!(chains.counts(0), ChainCounts { roots: 1, followers: 19, is_cut: false });
        assert_eq!(chains.root(0, 7), None, "the root follows from nothing");
        assert!((1..20).all(|i| chains.root(0, 7 + 2 * i) == Some(7)));
        assert_eq!((chains.counts(1), chains.root(1, 9)), (ChainCounts::default(), None));
    }

    #[test]
    fn a_delivered_operation_breaks_the_run_and_an_unknown_one_does_not() {
        let unknown = Cell::new(Verdict::Unknown);
        let ops =
            [(1, LOST, 0), (2, LOST, 1), (1, unknown, 2), (1, LOST, 3), (1, late(), 4), (1, LOST, 5), (1, LOST, 6)];
        let chains = Chains::of(&held(&ops), 1);
        assert_eq!(chains.counts(0), ChainCounts { roots: 3, followers: 2, is_cut: false });
        assert_eq!([8, 10, 12, 13].map(|n| chains.root(0, n)), [None, Some(7), None, Some(12)]);
    }

    #[test]
    fn the_order_is_the_dids_own_and_not_that_of_our_numbers() {
        // The second was brought by a fill, after the third.
        let chains = Chains::of(&held(&[(1, LOST, 5), (1, LOST, 9), (1, late(), 7)]), 1);
        assert_eq!(chains.counts(0), ChainCounts { roots: 2, followers: 0, is_cut: false });
    }

    #[test]
    fn what_is_let_go_is_no_root_any_more() {
        let ops = [(1, LOST, 0), (1, LOST, 1), (1, LOST, 2)];
        let mut held = held(&ops);
        held.base += 1;
        let chains = Chains::of(&held, 1);
        assert_eq!((chains.root(0, 9), chains.counts(0).roots), (Some(8), 1));
    }
}
