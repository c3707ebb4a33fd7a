//! What observers were shown of a block and not all of them alike: operations that only some were shown, and such that came
//! under different numbers.

use super::shown::Shown;
use crate::domain::op::OpKey;
use std::collections::BTreeMap;

/// Parts that are told apart, those with the fewest operations: what few were shown says most.
const PARTS_MAX: usize = 8;
/// Operations that are listed of a part, those with the smallest numbers.
const LISTED_MAX: usize = 10;

/// An operation, and who was shown it under which number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Differing {
    /// Which.
    pub key: OpKey,
    /// Each number with those to whom it was shown under it.
    pub numbers: Vec<(u64, Vec<String>)>,
}

/// Operations that the same observers were shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Who was.
    pub shown_to: Vec<String>,
    /// Who was not, among the numbers of the block.
    pub not_shown_to: Vec<String>,
    /// Not under one number.
    pub is_renumbered: bool,
    /// How many operations.
    pub ops: u64,
    /// The first of them.
    pub listed: Vec<Differing>,
}

/// The difference of what several observers were shown of one block.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Difference {
    /// By who was shown what, the fewest operations first.
    pub parts: Vec<Part>,
    /// Operations of the parts for which there is no room.
    pub left_out: u64,
}

impl Difference {
    /// Of what these were shown of the block that begins at `first_seq`; nothing where there is but one, or all are alike.
    #[must_use]
    pub fn of(first_seq: u64, observers: &BTreeMap<&str, &Shown>) -> Difference {
        let mut all: BTreeMap<OpKey, BTreeMap<u64, Vec<&str>>> = BTreeMap::new();
        for (name, shown) in observers {
            for (place, key) in shown.iter() {
                all.entry(*key).or_default().entry(first_seq + u64::from(*place)).or_default().push(name);
            }
        }
        let mut parts: BTreeMap<(Vec<&str>, bool), Vec<Differing>> = BTreeMap::new();
        for (key, numbers) in all {
            let mut shown_to: Vec<&str> = numbers.values().flatten().copied().collect();
            shown_to.sort_unstable();
            let is_renumbered = numbers.len() > 1;
            if is_renumbered || shown_to.len() < observers.len() {
                let numbers = numbers.into_iter().map(|(seq, names)| (seq, owned(names))).collect();
                parts.entry((shown_to, is_renumbered)).or_default().push(Differing { key, numbers });
            }
        }
        let part = |((shown_to, is_renumbered), mut listed): ((Vec<&str>, bool), Vec<Differing>)| {
            let ops = listed.len() as u64;
            listed.sort_by_key(|op| (op.numbers.first().map(|(seq, _)| *seq), op.key));
            listed.truncate(LISTED_MAX);
            let not_shown_to = owned(observers.keys().filter(|name| !shown_to.contains(name)).copied());
            Part { shown_to: owned(shown_to), not_shown_to, is_renumbered, ops, listed }
        };
        let mut parts: Vec<Part> = parts.into_iter().map(part).collect();
        parts.sort_by_key(|part| part.ops);
        let left_out = parts.iter().skip(PARTS_MAX).map(|part| part.ops).sum();
        parts.truncate(PARTS_MAX);
        Difference { parts, left_out }
    }

    /// How many operations are in which part, in words; nothing where all are alike.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let mut told: Vec<String> = self.parts.iter().map(Part::text).collect();
        if self.left_out > 0 {
            told.push(format!("{} otherwise", operations(self.left_out)));
        }
        (!told.is_empty()).then(|| told.join("; "))
    }
}

impl Part {
    fn text(&self) -> String {
        let to = self.shown_to.join(", ");
        let how = if self.is_renumbered { " under different numbers" } else { "" };
        let not = if self.not_shown_to.is_empty() {
            String::new()
        } else {
            format!(", not to {}", self.not_shown_to.join(", "))
        };
        format!("{} shown to {to}{how}{not}", operations(self.ops))
    }
}

fn operations(n: u64) -> String {
    format!("{n} {}", if n == 1 { "operation" } else { "operations" })
}

fn owned<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::did::Did;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn key(n: u16) -> OpKey {
        let mut cid = [7; 32];
        cid[..2].copy_from_slice(&n.to_be_bytes());
        OpKey { did: Did([1; 15]), cid: Cid(cid) }
    }

    fn shown(ops: impl IntoIterator<Item = (u16, u16)>) -> Shown {
        Shown::of(ops.into_iter().map(|(place, n)| (place, key(n))).collect()).unwrap()
    }

    fn same(ops: impl IntoIterator<Item = u16>) -> Shown {
        shown(ops.into_iter().map(|n| (n, n)))
    }

    #[test]
    fn who_was_shown_what_is_told_with_the_fewest_first() {
        let (a, b) = (same(0..50), shown((0..30).filter(|n| *n != 7).map(|n| (n, n)).chain([(31, 30)])));
        let difference = Difference::of(5_000, &BTreeMap::from([("a", &a), ("b", &b)]));
        let [first, second] = &difference.parts[..] else { panic!("{difference:?}") };
        assert_eq!((first.ops, first.is_renumbered, &first.shown_to), (1, true, &vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(first.listed[0].numbers, [(5_030, vec!["a".to_owned()]), (5_031, vec!["b".to_owned()])]);
        assert_eq!((second.ops, second.is_renumbered), (20, false));
        assert_eq!((&second.shown_to[..], &second.not_shown_to[..]), (&["a".to_owned()][..], &["b".to_owned()][..]));
        assert_eq!(second.listed.len(), LISTED_MAX);
        assert_eq!(second.listed[0], Differing { key: key(7), numbers: vec![(5_007, vec!["a".to_owned()])] });
        assert_eq!(
            difference.text().unwrap(),
            "1 operation shown to a, b under different numbers; 20 operations shown to a, not to b"
        );
    }

    #[test]
    fn observers_without_number_are_bounded_and_the_rest_is_counted() {
        // Every observer was shown one operation more than the one before.
        let all: Vec<(String, Shown)> = (0..12_u16).map(|n| (format!("o{n:02}"), same(0..=n))).collect();
        let difference = Difference::of(0, &all.iter().map(|(name, shown)| (name.as_str(), shown)).collect());
        assert_eq!((difference.parts.len(), difference.left_out), (PARTS_MAX, 11 - PARTS_MAX as u64));
        assert!(difference.text().unwrap().ends_with("; 3 operations otherwise"), "{:?}", difference.text());
    }

    proptest! {
        #[test]
        fn it_is_what_sets_say(
            a in prop::collection::btree_set(0_u16..40, 0..40),
            b in prop::collection::btree_set(0_u16..40, 0..40),
        ) {
            let (ours, theirs) = (same(a.clone()), same(b.clone()));
            let difference = Difference::of(0, &BTreeMap::from([("a", &ours), ("b", &theirs)]));
            let only = |name: &str| {
                let part = difference.parts.iter().find(|part| part.shown_to == [name]);
                let listed = part.iter().flat_map(|part| &part.listed).map(|op| op.key).collect::<Vec<_>>();
                (part.map_or(0, |part| part.ops), listed)
            };
            for (name, mine, other) in [("a", &a, &b), ("b", &b, &a)] {
                let expected: BTreeSet<u16> = mine.difference(other).copied().collect();
                let (ops, listed) = only(name);
                prop_assert_eq!(ops, expected.len() as u64);
                prop_assert_eq!(listed, expected.into_iter().take(LISTED_MAX).map(key).collect::<Vec<_>>());
            }
            prop_assert_eq!(difference.text().is_none(), a == b);
            prop_assert_eq!(Difference::of(0, &BTreeMap::from([("a", &ours)])), Difference::default());
        }
    }
}
