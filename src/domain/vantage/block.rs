//! What the primary showed an observer, in blocks of the primary's own numbers: two observers compare digests, and know
//! whether they were shown the same.
//!
//! A block is told once everything behind it has settled, and only where all of it was watched: what fell into a hole was not
//! seen, and says nothing of the primary.

use super::shown::Shown;
use crate::domain::ledger::Capture;
use crate::domain::op::OpKey;
use crate::domain::ring::Row;
use crate::domain::time::{SECOND, Span, Tau};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Numbers of the primary that make up a block.
pub const SEQS: u64 = 1_000;
/// So long after the first operation behind it a block is told: what was published in it has come by then.
pub const SETTLE_NS: i64 = 60 * SECOND;
/// Operations older than this are not looked at again.
const LOOK_BACK_NS: i64 = 2 * 3_600 * SECOND;
/// Blocks that are told at once, newest.
pub const TOLD_MAX: usize = 64;

/// The operations of a block, whatever their order.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Digest {
    /// How many.
    pub ops: u32,
    /// XOR of the SHA-256 of their keys, DID and CID as bytes.
    pub xor: [u8; 32],
}

impl Digest {
    /// Takes in an operation, which comes once.
    pub fn add(&mut self, key: &OpKey) {
        self.ops = self.ops.saturating_add(1);
        let digest = Sha256::new().chain_update(key.did.0).chain_update(key.cid.0).finalize();
        self.xor.iter_mut().zip(digest).for_each(|(to, from)| *to ^= from);
    }
}

#[derive(Default)]
struct Block {
    digest: Digest,
    /// The arrivals of its first and its last operation.
    ends: Option<(Tau, Tau)>,
}

/// The digests of the blocks behind number `after` that have settled by `now`, by their first numbers; `rows` may have any
/// order, `holes` are the spans in which not everything of the primary is proved to have come.
#[must_use]
pub fn settled<'a>(
    rows: impl Iterator<Item = &'a Row>,
    holes: &[Span],
    after: Option<u64>,
    now: Tau,
) -> Vec<(u64, Digest)> {
    let mut blocks: BTreeMap<u64, Block> = BTreeMap::new();
    for (row, seq) in rows.filter_map(|row| Some((row, row.seq().filter(|&seq| Some(seq) >= after)?))) {
        let block = blocks.entry(seq / SEQS).or_default();
        block.digest.add(&row.key());
        block.ends = Some(block.ends.map_or((row.p, row.p), |(first, last)| (first.min(row.p), last.max(row.p))));
    }
    let known: Vec<(u64, (Tau, Tau))> =
        blocks.iter().filter_map(|(number, block)| Some((*number, block.ends?))).collect();
    // Only between two neighbours that were seen is all of a block known to be there.
    let told = known.windows(3).filter_map(|three| {
        let &[(before, (_, last_before)), (number, (first, last)), (behind, (first_behind, _))] = three else {
            return None;
        };
        let (from, to) = (first.min(last_before), last.max(first_behind));
        let is_whole = before + 1 == number && number + 1 == behind;
        let is_seen = is_whole && holes.iter().all(|hole| hole.overlap_ns(from, to.plus(1)) == 0);
        let is_new = after.is_none_or(|after| number * SEQS > after);
        let block = blocks.get(&number)?;
        (is_seen && is_new && now.since(to) >= SETTLE_NS).then_some((number * SEQS, block.digest))
    });
    let mut told: Vec<(u64, Digest)> = told.collect();
    let surplus = told.len().saturating_sub(TOLD_MAX);
    told.drain(..surplus);
    told
}

/// The same of what an observer holds; nothing while a gap of the primary may still be filled.
#[must_use]
pub fn of_capture(capture: &Capture, after: Option<u64>) -> Vec<(u64, Digest)> {
    let Some(first) = capture.primary.first.filter(|_| !capture.primary.has_open_gap) else { return Vec::new() };
    let from = first.max(capture.now.plus(-LOOK_BACK_NS));
    let is_young = |row: &&Row| row.p >= from;
    let rows = capture.held.rows().filter(is_young);
    settled(rows, &capture.primary.holes, after, capture.now)
}

/// The operations of the block that begins at `first_seq`, as far as an observer holds them and each once.
#[must_use]
pub fn shown(capture: &Capture, first_seq: u64) -> Option<Shown> {
    let place = |row: &Row| u16::try_from(row.seq()?.checked_sub(first_seq)?).ok().filter(|&n| u64::from(n) < SEQS);
    Shown::of(capture.held.rows().filter_map(|row| Some((place(row)?, row.key()))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::did::Did;
    use crate::domain::op::Kind;

    fn row(seq: u64) -> Row {
        let mut cid = [0; 32];
        cid[..8].copy_from_slice(&seq.to_be_bytes());
        Row::new(OpKey { did: Did([1; 15]), cid: Cid(cid) }, Kind::Update, Tau(seq as i64 * SECOND), 0, Some(seq))
    }

    fn at(seq: i64) -> Tau {
        Tau(seq * SECOND)
    }

    fn firsts(told: &[(u64, Digest)]) -> Vec<u64> {
        told.iter().map(|block| block.0).collect()
    }

    #[test]
    fn a_block_is_told_once_it_has_settled_between_two_neighbours() {
        let rows: Vec<Row> = (500..3_500).map(row).collect();
        let told = |after, now| settled(rows.iter(), &[], after, now);
        assert_eq!(firsts(&told(None, at(3_060))), [1_000, 2_000]);
        assert_eq!(firsts(&told(None, at(3_059))), [1_000], "the last one has not settled");
        assert_eq!(firsts(&told(Some(1_000), at(9_000))), [2_000]);
        let (mut shuffled, mut lacking) = (rows.clone(), rows.clone());
        shuffled.reverse();
        assert_eq!(settled(shuffled.iter(), &[], None, at(9_000)), told(None, at(9_000)));
        lacking.retain(|row| row.seq() != Some(1_700));
        let other = settled(lacking.iter(), &[], None, at(9_000));
        assert_eq!((other[0].1.ops, told(None, at(9_000))[0].1.ops), (999, 1_000));
        assert_ne!(other[0].1.xor, told(None, at(9_000))[0].1.xor);
        assert_eq!(other[1], told(None, at(9_000))[1]);
    }

    #[test]
    fn what_was_not_watched_is_not_told() {
        let rows: Vec<Row> = (0..5_000).map(row).collect();
        let hole = Span { from: at(2_100), to: at(2_200) };
        assert_eq!(firsts(&settled(rows.iter(), &[hole], None, at(9_000))), [1_000, 3_000]);
        let apart: Vec<Row> = rows.into_iter().filter(|row| !(2_000..3_000).contains(&row.seq().unwrap())).collect();
        assert!(settled(apart.iter(), &[], None, at(9_000)).is_empty(), "a whole block lacks");
    }
}
