//! A log that is read by time: pages overlap, and what is known already is passed over by its CID.
//!
//! `after=<createdAt>` is exclusive, so that a page which ends amid operations of one millisecond would lose the others, and
//! an operation that is committed late stands before what was seen already. Therefore each poll begins some seconds before
//! the newest operation known, each page one millisecond before the last of the page before, and identity alone tells what
//! is new. A poll is continuous when its first page shows the newest operation known again.

use crate::domain::fill::{PAGE_OPS, PageSizes};
use crate::domain::op::OpKey;
use crate::domain::time::MS;
use std::collections::{BTreeSet, HashSet};

/// How far before the newest operation a poll begins at least, milliseconds of `createdAt`.
const OVERLAP_MIN_MS: i64 = 15_000;
/// How much longer than the grace that is: the polls that it takes, and the time that stamping and committing take.
const OVERLAP_MARGIN_MS: i64 = 15_000;
/// Keys that are remembered at most; the oldest are forgotten first.
const KEYS_MAX: usize = 100_000;

/// How far before the newest operation a poll begins, milliseconds of `createdAt`: whatever becomes visible within the
/// grace, nanoseconds, is asked for once more when it is there.
#[must_use]
pub fn overlap_ms(grace_ns: i64) -> i64 {
    OVERLAP_MIN_MS.max((grace_ns / MS).saturating_add(OVERLAP_MARGIN_MS))
}

/// The newest operations of a log by time.
#[derive(Clone, Debug)]
pub struct TimedKeys {
    overlap_ms: i64,
    by_time: BTreeSet<(i64, OpKey)>,
    keys: HashSet<OpKey, foldhash::fast::RandomState>,
}

impl TimedKeys {
    /// No keys; polls will begin `overlap_ms` milliseconds before the newest.
    #[must_use]
    pub fn new(overlap_ms: i64) -> TimedKeys {
        TimedKeys { overlap_ms, by_time: BTreeSet::new(), keys: HashSet::default() }
    }

    /// The newest operation known.
    #[must_use]
    pub fn newest(&self) -> Option<(i64, OpKey)> {
        self.by_time.last().copied()
    }

    /// Notes an operation; whether it is new.
    pub fn note(&mut self, created_ms: i64, key: OpKey) -> bool {
        if !self.keys.insert(key) {
            return false;
        }
        self.by_time.insert((created_ms, key));
        // Twice the overlap: what is committed late may be late by that.
        let from_ms = self.newest().map_or(i64::MIN, |n| n.0 - 2 * self.overlap_ms);
        while self.by_time.len() > KEYS_MAX || self.by_time.first().is_some_and(|first| first.0 < from_ms) {
            if let Some((_, gone)) = self.by_time.pop_first() {
                self.keys.remove(&gone);
            }
        }
        true
    }
}

/// What to do next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TimedStep {
    /// Ask for the operations after this `createdAt`, milliseconds, exclusive.
    Ask(i64),
    /// Nothing is missing.
    Closed,
    /// It cannot be shown that nothing is missing.
    Hole(String),
}

/// One poll by time under way.
#[derive(Clone, Debug)]
pub struct TimedFill {
    newest: Option<(i64, OpKey)>,
    is_anchored: bool,
    after_ms: i64,
    sizes: PageSizes,
}

impl TimedFill {
    /// A poll from `after_ms`, which must show the newest operation known.
    #[must_use]
    pub fn new(newest: Option<(i64, OpKey)>, after_ms: i64) -> TimedFill {
        TimedFill { newest, is_anchored: newest.is_none(), after_ms, sizes: PageSizes::default() }
    }

    /// The same where something is known of the server's pages.
    #[must_use]
    pub fn with_sizes(self, sizes: PageSizes) -> TimedFill {
        TimedFill { sizes: sizes.anew(), ..self }
    }

    /// What is known of the server's pages.
    #[must_use]
    pub fn sizes(&self) -> PageSizes {
        self.sizes
    }

    /// Where the next page begins, exclusive.
    #[must_use]
    pub fn after_ms(&self) -> i64 {
        self.after_ms
    }

    /// Takes a page of `(createdAt, key)`, with the number of its lines.
    pub fn page(&mut self, ops: &[(i64, OpKey)], lines: usize) -> TimedStep {
        let last_ms = ops.iter().map(|op| op.0).max();
        let is_further = last_ms.is_some_and(|last_ms| last_ms - 1 > self.after_ms);
        let is_end = self.sizes.ends(lines) || (lines < PAGE_OPS && !is_further);
        if let Some((newest_ms, key)) = self.newest.filter(|_| !self.is_anchored) {
            let is_passed = is_end || last_ms.is_some_and(|last_ms| last_ms > newest_ms);
            if ops.iter().any(|op| op.1 == key) {
                self.is_anchored = true;
            } else if is_passed {
                return TimedStep::Hole("the server no longer has the last operation known".to_owned());
            }
        }
        if is_end {
            return TimedStep::Closed;
        }
        match last_ms {
            Some(last_ms) if is_further => {
                self.after_ms = last_ms - 1;
                TimedStep::Ask(self.after_ms)
            }
            Some(last_ms) => {
                TimedStep::Hole(format!("more operations of one millisecond ({last_ms}) than a page holds"))
            }
            None => TimedStep::Hole("a full page of the server's export holds nothing that can be read".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::did::Did;

    fn op(created_ms: i64, n: u8) -> (i64, OpKey) {
        (created_ms, OpKey { did: Did([1; 15]), cid: Cid([n; 32]) })
    }

    #[test]
    fn operations_of_one_millisecond_and_late_ones_are_new_once() {
        let mut known = TimedKeys::new(15_000);
        for (created_ms, key) in [op(100_000, 1), op(100_000, 2)] {
            assert!(known.note(created_ms, key));
        }
        let mut fill = TimedFill::new(known.newest(), 85_000);
        let page = [op(99_000, 9), op(100_000, 1), op(100_000, 2), op(100_000, 3)];
        assert_eq!(fill.page(&page, 4), TimedStep::Ask(99_999), "it may be cut");
        assert_eq!(fill.page(&page[1..], 3), TimedStep::Closed);
        let new: Vec<bool> = page.iter().map(|o| known.note(o.0, o.1)).collect();
        assert_eq!(new, [true, false, false, true]);
        known.note(200_000, op(0, 4).1);
        assert!(known.note(100_000, op(0, 1).1), "what is far behind is forgotten");
    }

    #[test]
    fn what_becomes_visible_within_the_grace_is_asked_for() {
        assert_eq!(overlap_ms(60_000 * MS), 75_000);
        assert_eq!(overlap_ms(0), OVERLAP_MIN_MS);
        assert!(overlap_ms(i64::MAX) > 0);
    }

    #[test]
    fn pages_overlap_so_that_a_cut_millisecond_is_read_again() {
        let mut fill = TimedFill::new(None, 50);
        assert_eq!(fill.page(&[op(60, 1), op(70, 2)], PAGE_OPS), TimedStep::Ask(69));
        assert_eq!(fill.page(&[op(70, 2), op(70, 3)], 2), TimedStep::Closed);
        let mut crowded = TimedFill::new(None, 69);
        assert!(matches!(crowded.page(&[op(70, 1), op(70, 2)], PAGE_OPS), TimedStep::Hole(_)), "it would ask for ever");
    }

    #[test]
    fn a_log_that_does_not_show_the_last_known_operation_is_another_one() {
        let newest = Some(op(100_000, 1));
        assert!(matches!(TimedFill::new(newest, 85_000).page(&[], 0), TimedStep::Hole(_)));
        let mut passed = TimedFill::new(newest, 85_000);
        assert!(matches!(passed.page(&[op(90_000, 7), op(100_001, 8)], PAGE_OPS), TimedStep::Hole(_)));
        let mut later = TimedFill::new(newest, 85_000);
        assert_eq!(later.page(&[op(90_000, 7), op(95_000, 8)], PAGE_OPS), TimedStep::Ask(94_999), "it may come yet");
        assert_eq!(later.page(&[op(100_000, 1)], 1), TimedStep::Closed);
    }
}
