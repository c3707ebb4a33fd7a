//! Matching the operations of two logs by (DID, CID).
//!
//! An operation waits until the other log lists it too. It is decided to be in one log alone at the end, or when both
//! walks are [`HORIZON_MS`] past it; only above [`HELD_MAX`] waiting operations the oldest are decided before, which is
//! counted. What was matched lately is remembered for a while, so that an operation listed twice is told from one that
//! the other log lacks.

use super::Pair;
use super::line::Item;
use super::tally::Tally;
use super::{Range, Side};
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::op::OpKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{HashMap, HashSet};

/// Operations of one side that wait at the same time, about 170 bytes each.
pub const HELD_MAX: usize = 200_000;
/// How far both walks must be past an operation before the end to decide it, milliseconds.
pub const HORIZON_MS: i64 = 86_400_000;
/// Matched operations in one generation of those remembered.
const REMEMBERED: usize = 5_000;

/// One difference between the two logs.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Difference {
    /// In this log alone.
    OnlyIn(Side, Item),
    /// In both, and not alike.
    Differs {
        /// As the first lists it.
        a: Item,
        /// As the second lists it.
        b: Item,
    },
    /// In this log once more.
    Repeated(Side, Item),
}

impl Difference {
    /// In what two listings of one operation differ.
    #[must_use]
    pub fn fields(&self) -> Vec<&'static str> {
        let Difference::Differs { a, b } = self else { return Vec::new() };
        let ways = ways(a, b);
        let named = [("created_at", ways.created_at), ("nullified", ways.nullified), ("content", ways.content)];
        named.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

/// What a comparison comes to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Both logs list the same.
    Same,
    /// They do not.
    Differs,
    /// It cannot be told: too little was readable, or nothing there.
    CannotTell,
}

/// In which ways two listings differ.
struct Ways {
    created_at: bool,
    nullified: bool,
    content: bool,
}

fn ways(a: &Item, b: &Item) -> Ways {
    Ways {
        created_at: a.created_ms != b.created_ms,
        nullified: matches!((a.nullified, b.nullified), (Some(a), Some(b)) if a != b),
        content: a.content != b.content,
    }
}

/// The state of one comparison.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// What is compared.
    pub range: Range,
    /// Counts so far.
    pub tally: Tally,
    waiting: Pair<Waiting>,
    remembered: [Keys; 2],
    /// Everything of before this is decided.
    decided_before_ms: i64,
    held_max: usize,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct Keys(#[serde(with = "keys")] HashSet<OpKey>);

/// Operations of one side that the other has not listed yet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Waiting(HashMap<OpKey, Item>);

impl Comparison {
    /// A comparison of what lies in `range`.
    #[must_use]
    pub fn new(range: Range) -> Comparison {
        Comparison {
            range,
            tally: Tally::default(),
            waiting: Pair::default(),
            remembered: Default::default(),
            decided_before_ms: i64::MIN,
            held_max: HELD_MAX,
        }
    }

    /// The same with another bound than [`HELD_MAX`].
    #[cfg(test)]
    pub(super) fn holding(self, held_max: usize) -> Comparison {
        Comparison { held_max, ..self }
    }

    /// Operations of `side` that wait for the other.
    #[must_use]
    pub fn held(&self, side: Side) -> usize {
        self.waiting.of(side).0.len()
    }

    /// Counts a line of `side` that could not be read.
    pub fn unreadable(&mut self, side: Side, why: &str) {
        *self.tally.unreadable.of_mut(side) += 1;
        self.tally.unreadable_why.of_mut(side).get_or_insert_with(|| why.to_owned());
    }

    /// Takes what `side` lists next; a difference where this settles one.
    pub fn take(&mut self, side: Side, item: Item) -> Option<Difference> {
        let is_known = self.remembered.iter().any(|keys| keys.0.contains(&item.key));
        if is_known || self.waiting.of(side).0.contains_key(&item.key) {
            return self.range.contains(item.created_ms).then(|| {
                self.tally.repeated.of_mut(side).add(item.kind, item.created_ms);
                Difference::Repeated(side, item)
            });
        }
        self.tally.came_late +=
            u64::from(item.created_ms < self.decided_before_ms && self.range.contains(item.created_ms));
        let Some(other) = self.waiting.of_mut(side.other()).0.remove(&item.key) else {
            self.waiting.of_mut(side).0.insert(item.key, item);
            return None;
        };
        self.remember(item.key);
        let (a, b) = if side == Side::A { (item, other) } else { (other, item) };
        self.matched(a, b)
    }

    fn matched(&mut self, a: Item, b: Item) -> Option<Difference> {
        if !self.range.contains(a.created_ms) && !self.range.contains(b.created_ms) {
            return None;
        }
        let tally = &mut self.tally;
        tally.listed.a.add(a.kind, a.created_ms);
        tally.listed.b.add(b.kind, b.created_ms);
        tally.both.add(a.kind, a.created_ms);
        tally.nullified_compared += u64::from(a.nullified.is_some() && b.nullified.is_some());
        let ways = ways(&a, &b);
        let counts = [
            (ways.created_at, &mut tally.created_at),
            (ways.nullified, &mut tally.nullified),
            (ways.content, &mut tally.content),
        ];
        let mut differs = false;
        for (_, count) in counts.into_iter().filter(|(differs, _)| *differs) {
            count.add(a.kind, a.created_ms);
            differs = true;
        }
        differs.then_some(Difference::Differs { a, b })
    }

    fn remember(&mut self, key: OpKey) {
        let [young, old] = &mut self.remembered;
        if young.0.len() >= REMEMBERED {
            *old = std::mem::take(young);
        }
        young.0.insert(key);
    }

    /// Decides what both walks have left behind, the walks having reached `reached_ms`, and the oldest of what is too much
    /// to hold; in the order of `createdAt`.
    pub fn decide(&mut self, reached_ms: &Pair<i64>) -> Vec<Difference> {
        let behind_ms = reached_ms.a.min(reached_ms.b).saturating_sub(HORIZON_MS);
        let mut found = if behind_ms > self.decided_before_ms { self.decide_before(behind_ms) } else { Vec::new() };
        for side in Side::BOTH {
            let held = self.held(side);
            if held > self.held_max {
                let mut times: Vec<i64> = self.waiting.of(side).0.values().map(|item| item.created_ms).collect();
                let (_, nth_ms, _) = times.select_nth_unstable(held / 2);
                let before_ms = nth_ms.saturating_add(1);
                let early = self.decide_before(before_ms);
                self.tally.decided_early += early.len() as u64;
                found.extend(early);
            }
        }
        found
    }

    /// Decides everything of before `before_ms`; in the order of `createdAt`.
    pub fn decide_before(&mut self, before_ms: i64) -> Vec<Difference> {
        let mut found = Vec::new();
        for side in Side::BOTH {
            let left = self.waiting.of_mut(side).0.extract_if(|_, item| item.created_ms < before_ms);
            let range = self.range;
            let items: Vec<Item> = left.map(|(_, item)| item).filter(|item| range.contains(item.created_ms)).collect();
            for item in items {
                self.tally.listed.of_mut(side).add(item.kind, item.created_ms);
                self.tally.only.of_mut(side).add(item.kind, item.created_ms);
                found.push((item.created_ms, item.key, Difference::OnlyIn(side, item)));
            }
        }
        found.sort_unstable_by_key(|(at, key, _)| (*at, *key));
        self.decided_before_ms = self.decided_before_ms.max(before_ms);
        found.into_iter().map(|(_, _, difference)| difference).collect()
    }

    /// Decides everything that is left: both walks are over.
    pub fn finish(&mut self) -> Vec<Difference> {
        self.decide_before(i64::MAX)
    }

    /// What the comparison comes to, once it is finished; `sure` unless a log could not be read in order.
    #[must_use]
    pub fn outcome(&self, sure: bool) -> Outcome {
        let tally = &self.tally;
        let unreadable = tally.unreadable.a + tally.unreadable.b;
        let listed = tally.listed.a.all() + tally.listed.b.all();
        // What was decided before its time may come yet; what came late may have a counterpart that was decided.
        let doubtful = unreadable + tally.decided_early + 2 * tally.came_late;
        if tally.certain() > 0 || (sure && tally.only_in_one() > doubtful) {
            Outcome::Differs
        } else if tally.only_in_one() > 0 || unreadable > 0 || listed == 0 {
            Outcome::CannotTell
        } else {
            Outcome::Same
        }
    }
}

impl Serialize for Waiting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.values())
    }
}

impl<'de> Deserialize<'de> for Waiting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Waiting, D::Error> {
        let items = Vec::<Item>::deserialize(deserializer)?;
        Ok(Waiting(items.into_iter().map(|item| (item.key, item)).collect()))
    }
}

/// Sets of identities, written as a list of "DID CID".
pub(super) mod keys {
    use super::{Cid, Deserialize, Deserializer, Did, HashSet, OpKey, Serializer};
    use serde::de::Error;

    pub fn serialize<S: Serializer>(keys: &HashSet<OpKey>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(keys.iter().map(|key| format!("{} {}", key.did, key.cid)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HashSet<OpKey>, D::Error> {
        let key = |text: &String| {
            let (did, cid) = text.split_once(' ')?;
            Some(OpKey { did: Did::parse(did)?, cid: Cid::parse(cid)? })
        };
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| key(text).ok_or_else(|| D::Error::custom("no identity of an operation"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::property::item;
    use super::*;

    const RANGE: Range = Range { from_ms: 100, to_ms: 200 };

    #[test]
    fn each_difference_is_told_once() {
        let mut c = Comparison::new(RANGE);
        let (same, lost, moved) = (item(1, 110), item(2, 120), item(3, 130));
        for op in [same, lost, moved] {
            assert_eq!(c.take(Side::A, op), None);
        }
        assert_eq!(c.take(Side::B, same), None);
        let theirs = Item { created_ms: 9_999, ..moved };
        assert_eq!(c.take(Side::B, theirs), Some(Difference::Differs { a: moved, b: theirs }));
        assert_eq!(c.take(Side::B, item(4, 140)), None);
        assert_eq!(c.take(Side::B, same), Some(Difference::Repeated(Side::B, same)));
        assert_eq!(c.take(Side::A, lost), Some(Difference::Repeated(Side::A, lost)));
        let rest = c.finish();
        assert_eq!(rest, [Difference::OnlyIn(Side::A, lost), Difference::OnlyIn(Side::B, item(4, 140))]);
        assert!(c.finish().is_empty());
        let t = &c.tally;
        assert_eq!((t.listed.a.all(), t.listed.b.all(), t.both.all(), t.only_in_one()), (3, 3, 2, 2));
        assert_eq!((t.created_at.all(), t.repeated.a.all(), t.repeated.b.all(), t.differences()), (1, 1, 1, 5));
        assert_eq!(c.outcome(true), Outcome::Differs);
    }

    #[test]
    fn nullified_counts_only_where_both_say_it() {
        let mut c = Comparison::new(RANGE);
        let says = |n, nullified| Item { nullified, ..item(n, 150) };
        for (n, a, b) in [(1, Some(true), Some(false)), (2, None, Some(true)), (3, Some(true), Some(true))] {
            c.take(Side::A, says(n, a));
            let found = c.take(Side::B, says(n, b));
            assert_eq!(found.is_some_and(|d| d.fields() == ["nullified"]), n == 1, "{n}");
        }
        assert_eq!((c.tally.nullified.all(), c.tally.nullified_compared), (1, 2));
    }

    #[test]
    fn other_content_under_one_cid_is_a_difference() {
        let mut c = Comparison::new(RANGE);
        let a = item(1, 150);
        let b = Item { content: item(2, 0).content, ..a };
        c.take(Side::A, a);
        let found = c.take(Side::B, b).unwrap();
        assert_eq!((found.fields(), b.is_sound()), (vec!["content"], false));
    }

    #[test]
    fn what_lies_outside_on_both_sides_is_nobodys_difference() {
        let mut c = Comparison::new(RANGE);
        c.take(Side::A, item(1, 99));
        c.take(Side::B, item(2, 200));
        c.take(Side::A, item(3, 50));
        assert_eq!(c.take(Side::B, item(3, 51)), None);
        assert_eq!(c.take(Side::B, item(3, 51)), None);
        assert!(c.finish().is_empty());
        assert_eq!(c.tally, Tally::default());
        assert_eq!(c.outcome(true), Outcome::CannotTell);
    }

    #[test]
    fn doubt_is_not_called_a_difference() {
        let mut c = Comparison::new(RANGE);
        c.take(Side::A, item(1, 150));
        c.take(Side::B, item(1, 150));
        assert_eq!(c.outcome(true), Outcome::Same);
        c.unreadable(Side::B, "bad_json");
        assert_eq!(c.outcome(true), Outcome::CannotTell);
        c.take(Side::A, item(2, 150));
        let mut more = c.clone();
        c.finish();
        assert_eq!(c.outcome(true), Outcome::CannotTell, "it may stand on the line that cannot be read");
        more.take(Side::A, item(3, 150));
        more.finish();
        let c = more;
        assert_eq!((c.outcome(true), c.outcome(false)), (Outcome::Differs, Outcome::CannotTell));
        assert_eq!(c.tally.unreadable_why.b.as_deref(), Some("bad_json"));
    }

    #[test]
    fn too_much_to_hold_is_decided_early_and_told() {
        let mut c = Comparison::new(RANGE).holding(10);
        for n in 0..11 {
            c.take(Side::A, item(n, 100 + i64::from(n)));
        }
        let found = c.decide(&Pair { a: 150, b: 100 });
        assert_eq!((found.len(), c.held(Side::A), c.tally.decided_early), (6, 5, 6));
        assert_eq!(found[0], Difference::OnlyIn(Side::A, item(0, 100)));
        c.take(Side::B, item(0, 100));
        assert_eq!(c.tally.came_late, 1);
        for n in 1..11 {
            c.take(Side::B, item(n, 100 + i64::from(n)));
        }
        c.finish();
        assert_eq!(c.outcome(true), Outcome::CannotTell, "both list the same, as far as that can be told");
    }

    #[test]
    fn what_both_walks_left_far_behind_is_decided() {
        let mut c = Comparison::new(Range { from_ms: 0, to_ms: 10 * HORIZON_MS });
        c.take(Side::A, item(1, 5));
        c.take(Side::A, item(2, HORIZON_MS));
        assert!(c.decide(&Pair { a: 3 * HORIZON_MS, b: 5 }).is_empty());
        assert_eq!(c.decide(&Pair { a: 3 * HORIZON_MS, b: HORIZON_MS + 6 }).len(), 1);
        assert_eq!((c.held(Side::A), c.tally.decided_early), (1, 0));
    }
}
