//! Counts of a comparison: how many operations of each kind are in both logs, in one alone, or not alike in both.

use super::{Pair, Side};
use crate::domain::op::Kind;
use serde::{Deserialize, Serialize};

/// Kinds that are counted apart.
pub const KINDS: usize = Kind::ALL.len();

/// The name of the kind with this number.
#[must_use]
pub fn kind_name(number: usize) -> &'static str {
    Kind::ALL.get(number).map_or("", |kind| kind.name())
}

/// How many of one sort, by kind, and their first and last `createdAt`.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Count {
    /// By [`Kind`], in the order of its numbers.
    pub by_kind: [u64; KINDS],
    /// Earliest `createdAt`, milliseconds since 1970.
    pub first_ms: Option<i64>,
    /// Latest.
    pub last_ms: Option<i64>,
}

impl Count {
    /// Counts one more.
    pub fn add(&mut self, kind: Kind, created_ms: i64) {
        if let Some(count) = self.by_kind.get_mut(kind as usize) {
            *count += 1;
        }
        self.first_ms = Some(self.first_ms.map_or(created_ms, |first| first.min(created_ms)));
        self.last_ms = Some(self.last_ms.map_or(created_ms, |last| last.max(created_ms)));
    }

    /// All kinds together.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.by_kind.iter().sum()
    }
}

/// All counts of a comparison. An operation that differs counts as in both, and once for each way in which it differs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Listed by each, repetitions not counted.
    pub listed: Pair<Count>,
    /// Listed by both.
    pub both: Count,
    /// Listed by one alone.
    pub only: Pair<Count>,
    /// In both, under another `createdAt`.
    pub created_at: Count,
    /// In both, nullified in one.
    pub nullified: Count,
    /// In both, with other content under the CID.
    pub content: Count,
    /// Listed more than once.
    pub repeated: Pair<Count>,
    /// In both, where both say whether it is nullified.
    pub nullified_compared: u64,
    /// Lines in or near the range that could not be read.
    pub unreadable: Pair<u64>,
    /// The first reason for one.
    pub unreadable_why: Pair<Option<String>>,
    /// Decided before the end because too many were held: listed as in one alone, though the other may list them much later.
    pub decided_early: u64,
    /// Came more than the horizon behind their place, where their counterpart may have been decided already.
    pub came_late: u64,
}

impl Tally {
    /// Differences found so far.
    #[must_use]
    pub fn differences(&self) -> u64 {
        self.only_in_one() + self.certain()
    }

    /// Listed by one alone.
    #[must_use]
    pub fn only_in_one(&self) -> u64 {
        Side::BOTH.iter().map(|side| self.only.of(*side).all()).sum()
    }

    /// Differences that no unreadable line can explain; an operation counts once for each way in which it differs.
    #[must_use]
    pub fn certain(&self) -> u64 {
        let repeated: u64 = Side::BOTH.iter().map(|side| self.repeated.of(*side).all()).sum();
        self.created_at.all() + self.nullified.all() + self.content.all() + repeated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_keep_kinds_and_ends() {
        let mut count = Count::default();
        count.add(Kind::Update, 5);
        count.add(Kind::Genesis, 3);
        count.add(Kind::Update, 4);
        assert_eq!((count.all(), count.by_kind), (3, [1, 2, 0, 0]));
        assert_eq!((count.first_ms, count.last_ms), (Some(3), Some(5)));
        assert_eq!([0, 1, 2, 3, 4].map(kind_name), ["genesis", "update", "tombstone", "legacy_create", ""]);
    }
}
