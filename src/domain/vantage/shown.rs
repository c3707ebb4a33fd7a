//! The operations that an observer was shown in a block, one by one: what it tells once another was shown something else.

use super::block::{Digest, SEQS};
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::op::OpKey;
use data_encoding::BASE64;
use std::collections::HashSet;

/// Bytes of an operation as it is told: its place in the block, big end first, the DID and the CID.
const OP_BYTES: usize = 2 + 15 + 32;

/// Operations by their places in the block, which are their numbers less its first; each once, [`SEQS`] at most.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shown(Vec<(u16, OpKey)>);

impl Shown {
    /// These operations, whatever their order; none where there are too many, one comes twice or is of another block.
    #[must_use]
    pub fn of(mut ops: Vec<(u16, OpKey)>) -> Option<Shown> {
        ops.sort_unstable();
        let mut keys = HashSet::with_capacity(ops.len());
        let is_legal = ops.len() as u64 <= SEQS
            && ops.iter().all(|(place, key)| u64::from(*place) < SEQS && keys.insert((key.did.0, key.cid.0)));
        is_legal.then_some(Shown(ops))
    }

    /// Reads what [`Shown::to_text`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Shown> {
        let bytes = BASE64.decode(text.as_bytes()).ok()?;
        let (ops, rest) = bytes.as_chunks::<OP_BYTES>();
        Shown::of(rest.is_empty().then(|| ops.iter().map(op).collect::<Option<_>>())??)
    }

    /// Base64 of the operations in the order of their places.
    #[must_use]
    pub fn to_text(&self) -> String {
        let bytes = |(place, key): &(u16, OpKey)| [&place.to_be_bytes()[..], &key.did.0, &key.cid.0].concat();
        BASE64.encode(&self.0.iter().flat_map(bytes).collect::<Vec<u8>>())
    }

    /// What they come to.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut digest = Digest::default();
        self.0.iter().for_each(|(_, key)| digest.add(key));
        digest
    }

    /// Every operation with its place, in the order of the places.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &(u16, OpKey)> {
        self.0.iter()
    }
}

fn op(bytes: &[u8; OP_BYTES]) -> Option<(u16, OpKey)> {
    let (place, rest) = bytes.split_first_chunk()?;
    let (did, cid) = rest.split_first_chunk()?;
    Some((u16::from_be_bytes(*place), OpKey { did: Did(*did), cid: Cid(cid.try_into().ok()?) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(n: u16) -> OpKey {
        let mut cid = [7; 32];
        cid[..2].copy_from_slice(&n.to_be_bytes());
        OpKey { did: Did([n as u8; 15]), cid: Cid(cid) }
    }

    #[test]
    fn a_full_block_fits_into_an_action_and_more_is_none() {
        let all = |n: u16| (0..n).map(|n| (n.min(999), key(n))).collect::<Vec<_>>();
        let shown = Shown::of(all(1_000)).unwrap();
        let text = shown.to_text();
        assert!(text.len() < super::super::told::ACTION_BYTES_MAX / 3, "{}", text.len());
        assert_eq!(Shown::parse(&text), Some(shown.clone()));
        assert_eq!((shown.digest().ops, shown.iter().len()), (1_000, 1_000));
        assert_eq!(Shown::of(all(1_001)), None);
        assert_eq!(Shown::of(vec![(1_000, key(1))]), None, "it is of another block");
        assert_eq!(Shown::of(vec![(1, key(1)), (2, key(1))]), None, "it comes once");
        assert!(Shown::of(vec![(1, key(1)), (1, key(2))]).is_some(), "a number may come twice");
        assert_eq!(Shown::parse(""), Some(Shown::default()));
        assert_eq!(Shown::parse(&text[..text.len() - 4]), None, "half an operation");
        assert_eq!(Shown::parse("?"), None);
    }

    proptest! {
        #[test]
        fn order_does_not_matter(places in prop::collection::btree_set(0_u16..1_000, 0..60), by in 0_usize..60) {
            let ops: Vec<_> = places.into_iter().map(|n| (n, key(n))).collect();
            let mut others = ops.clone();
            others.rotate_left(by.min(ops.len()));
            let shown = Shown::of(ops).unwrap();
            prop_assert_eq!(Shown::parse(&shown.to_text()).unwrap(), shown.clone());
            prop_assert_eq!(Shown::of(others).unwrap(), shown);
        }

        #[test]
        fn no_text_does_harm(text in "[A-Za-z0-9+/=]{0,400}") {
            if let Some(shown) = Shown::parse(&text) {
                prop_assert_eq!(shown.to_text(), text);
            }
        }
    }
}
