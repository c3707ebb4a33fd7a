//! What observers told of blocks of which they were shown different operations, kept as evidence: the operations of the newest
//! such blocks, and how they differ.
//!
//! It outlives the observers that told it. Whoever made it up can make up blocks as well, but not push out what we were shown
//! ourselves.

use super::block::Digest;
use super::difference::Difference;
use super::shown::Shown;
use super::table::VANTAGES_MAX;
use super::told::Refused;
use std::collections::{BTreeMap, BTreeSet};

/// Blocks of which operations are kept: those that we told of before those of others alone, the newest of each.
pub const BLOCKS_MAX: usize = 20;

/// What an observer told of a block.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Testimony {
    digest: Digest,
    /// None where it does not hold them any more.
    ops: Option<Shown>,
}

/// A block by its first number and the address of its primary.
type Place = (u64, String);

#[derive(Clone, Debug, Default)]
struct Block {
    told: BTreeMap<String, Testimony>,
    difference: Difference,
}

/// The operations of a block as far as observers told them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Operations {
    /// Who told them.
    pub told_by: Vec<String>,
    /// Who does not hold them any more.
    pub not_held_by: Vec<String>,
    /// Who has not told them yet.
    pub awaited_from: Vec<String>,
    /// How they differ.
    pub difference: Difference,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Evidence {
    own: String,
    blocks: BTreeMap<Place, Block>,
}

impl Evidence {
    /// Of nobody yet; `own` is our name.
    #[must_use]
    pub fn new(own: &str) -> Evidence {
        Evidence { own: own.to_owned(), blocks: BTreeMap::new() }
    }

    /// Takes in what the observer of this name was shown of a block, or that it does not know any more; whether that is new.
    ///
    /// # Errors
    /// When it told something else before, or too many tell of the block.
    pub fn take(&mut self, name: &str, place: &Place, digest: Digest, ops: Option<Shown>) -> Result<bool, Refused> {
        let block = self.blocks.entry(place.clone()).or_default();
        // There is always room for what we tell ourselves.
        let is_ours_awaited = name != self.own && !block.told.contains_key(&self.own);
        let has_room = block.told.len() + usize::from(is_ours_awaited) < VANTAGES_MAX;
        match block.told.get(name) {
            Some(known) if known.digest != digest => return Err(Refused::Contradictory),
            Some(known) if known.ops.is_some() || ops.is_none() => return Ok(false),
            None if !has_room => return Err(Refused::TooMany),
            _ => block.told.insert(name.to_owned(), Testimony { digest, ops }),
        };
        let shown = block.told.iter().filter_map(|(name, told)| Some((name.as_str(), told.ops.as_ref()?)));
        block.difference = Difference::of(place.0, &shown.collect());
        let least = self.blocks.iter().min_by_key(|(place, block)| (block.told.contains_key(&self.own), place.0));
        if let Some((least, _)) = least.filter(|_| self.blocks.len() > BLOCKS_MAX) {
            let least = least.clone();
            self.blocks.remove(&least);
        }
        Ok(self.blocks.contains_key(place))
    }

    /// Whether there is room for what we tell of this block, and we have not told it.
    #[must_use]
    pub fn lacks_ours(&self, place: &Place) -> bool {
        let ours = self.blocks.iter().filter(|(_, block)| block.told.contains_key(&self.own));
        let (count, oldest) = (ours.clone().count(), ours.map(|(place, _)| place.0).next());
        let has_room = count < BLOCKS_MAX || oldest.is_some_and(|oldest| place.0 > oldest);
        has_room && self.blocks.get(place).is_none_or(|block| !block.told.contains_key(&self.own))
    }

    /// The digests that came with operations, by block and observer.
    pub fn digests(&self) -> impl Iterator<Item = (&Place, &str, Digest)> {
        self.blocks
            .iter()
            .flat_map(|(place, block)| block.told.iter().map(move |(name, told)| (place, name.as_str(), told.digest)))
    }

    /// What is known of the operations of a block of which these observers told.
    #[must_use]
    pub fn operations(&self, place: &Place, observers: &BTreeSet<&str>) -> Operations {
        let Some(block) = self.blocks.get(place) else {
            return Operations {
                awaited_from: observers.iter().map(|&name| name.to_owned()).collect(),
                ..Operations::default()
            };
        };
        let names = |is_held: bool| {
            let told = block.told.iter().filter(move |(_, told)| told.ops.is_some() == is_held);
            told.map(|(name, _)| name.clone()).collect()
        };
        let awaited = observers.iter().filter(|&&name| !block.told.contains_key(name));
        Operations {
            told_by: names(true),
            not_held_by: names(false),
            awaited_from: awaited.map(|&name| name.to_owned()).collect(),
            difference: block.difference.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::did::Did;
    use crate::domain::op::OpKey;
    use proptest::prelude::*;

    fn shown(ops: impl IntoIterator<Item = u8>) -> Shown {
        let op = |n: u8| (u16::from(n), OpKey { did: Did([1; 15]), cid: Cid([n; 32]) });
        Shown::of(ops.into_iter().map(op).collect()).unwrap()
    }

    fn place(seq: u64) -> Place {
        (seq, "p.example".to_owned())
    }

    fn take(evidence: &mut Evidence, name: &str, seq: u64, ops: &Shown) -> Result<bool, Refused> {
        evidence.take(name, &place(seq), ops.digest(), Some(ops.clone()))
    }

    #[test]
    fn what_is_told_twice_is_kept_once_and_nobody_takes_it_back() {
        let mut evidence = Evidence::new("a");
        let (whole, lacking) = (shown(0..9), shown(1..9));
        assert_eq!(evidence.take("b", &place(0), lacking.digest(), None), Ok(true));
        assert_eq!(evidence.take("b", &place(0), lacking.digest(), None), Ok(false));
        assert_eq!(take(&mut evidence, "b", 0, &lacking), Ok(true), "it found them after all");
        assert_eq!(take(&mut evidence, "b", 0, &whole), Err(Refused::Contradictory));
        assert_eq!(evidence.take("b", &place(0), lacking.digest(), None), Ok(false));
        assert!(evidence.lacks_ours(&place(0)));
        assert_eq!(take(&mut evidence, "a", 0, &whole), Ok(true));
        assert!(!evidence.lacks_ours(&place(0)) && evidence.lacks_ours(&place(1_000)));
        let told = evidence.operations(&place(0), &["a", "b", "c"].into());
        assert_eq!((told.told_by, told.awaited_from), (vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]));
        assert_eq!(told.difference.text().unwrap(), "1 operation shown to a, not to b");
        assert_eq!(told.difference.parts[0].listed[0].key.cid, Cid([0; 32]));
        let nothing = evidence.operations(&place(5_000), &["a"].into());
        assert_eq!((nothing.awaited_from, nothing.difference), (vec!["a".to_owned()], Difference::default()));
    }

    #[test]
    fn it_is_bounded_and_what_others_make_up_pushes_out_nothing_of_ours() {
        let mut evidence = Evidence::new("a");
        let max = BLOCKS_MAX as u64;
        for n in 0..max {
            take(&mut evidence, "b", (1_000 + n) * 1_000, &shown(0..2)).unwrap();
        }
        for n in 1..=max {
            assert_eq!(take(&mut evidence, "a", n * 1_000, &shown(0..3)), Ok(true), "{n}");
        }
        assert_eq!(
            evidence.blocks.keys().map(|place| place.0 / 1_000).collect::<Vec<_>>(),
            (1..=max).collect::<Vec<_>>()
        );
        assert_eq!(take(&mut evidence, "b", 1_000_000_000, &shown(0..2)), Ok(false), "there is no room for it");
        assert!(!evidence.lacks_ours(&place(0)), "it would be let go at once");
        assert!(evidence.lacks_ours(&place(max * 1_000 + 1_000)));
        take(&mut evidence, "a", max * 1_000 + 1_000, &shown(0..3)).unwrap();
        assert_eq!((evidence.blocks.len(), evidence.blocks.contains_key(&place(1_000))), (BLOCKS_MAX, false));
        for n in 0..=VANTAGES_MAX {
            let is_one_more = n == VANTAGES_MAX - 1;
            let taken = take(&mut evidence, &format!("n{n}"), 2_000, &shown(0..2));
            assert_eq!(taken.is_err(), is_one_more || n == VANTAGES_MAX, "{n}");
        }
        let mut crowded = Evidence::new("me");
        for n in 0..VANTAGES_MAX {
            let taken = take(&mut crowded, &format!("n{n}"), 0, &shown(0..2));
            assert_eq!(taken.is_err(), n == VANTAGES_MAX - 1, "{n}");
        }
        assert_eq!(take(&mut crowded, "me", 0, &shown(0..3)), Ok(true), "a place is kept for us");
    }

    proptest! {
        #[test]
        fn who_told_first_does_not_matter(
            lists in prop::collection::vec(prop::collection::btree_set(0_u8..30, 0..20), 2..6),
            turns in prop::collection::vec(0_usize..6, 12),
        ) {
            let told: Vec<(String, Shown)> =
                lists.into_iter().enumerate().map(|(n, ops)| (format!("o{n}"), shown(ops))).collect();
            let (mut straight, mut mixed) = (Evidence::new("o0"), Evidence::new("o0"));
            for (name, ops) in &told {
                prop_assert_eq!(take(&mut straight, name, 0, ops), Ok(true));
            }
            let turns = turns.into_iter().filter_map(|n| told.get(n)).chain(told.iter().rev());
            for (name, ops) in turns {
                prop_assert!(take(&mut mixed, name, 0, ops).is_ok());
            }
            let all: BTreeSet<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
            prop_assert_eq!(straight.operations(&place(0), &all), mixed.operations(&place(0), &all));
        }
    }
}
