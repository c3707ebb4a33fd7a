//! What a start gets back from the disk, before the ledger makes anything of it.

use super::loss::Loss;
use super::restore::{Counters, LedgerState};
use crate::domain::interval::{Acc, Interval, Status};
use crate::domain::window::Windows;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The source of an interval's header among its rows; the other rows have the ids of its mirrors.
pub const HEAD: &str = "";

/// The header of a kept interval; its mirrors are kept apart, by id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IntervalHead {
    primary_ops: u32,
    evicted_ops: u32,
    amendments: u32,
    status: Status,
    is_impaired: bool,
}

impl IntervalHead {
    /// The header of an interval.
    #[must_use]
    pub fn of(i: &Interval) -> IntervalHead {
        IntervalHead {
            primary_ops: i.primary_ops,
            evicted_ops: i.evicted_ops,
            amendments: i.amendments,
            status: i.status,
            is_impaired: i.is_impaired,
        }
    }
}

/// An interval, hour or day as it was kept.
#[derive(Clone, Debug)]
pub struct SavedInterval {
    /// Its first millisecond, UTC.
    pub start_ms: i64,
    /// Its header.
    pub head: IntervalHead,
    /// The accumulators of the mirrors it knew.
    pub mirrors: Vec<(String, Acc)>,
}

impl SavedInterval {
    /// Operations of the primary that were counted in it.
    pub(super) const fn primary_ops(&self) -> u32 {
        self.head.primary_ops
    }
}

/// An interval's header and its mirrors, as rows bring them one by one.
type Parts = (Option<IntervalHead>, Vec<(String, Acc)>);

/// Rows of intervals of one length, to be put together again.
#[derive(Debug, Default)]
pub struct SavedRows {
    by_start: BTreeMap<i64, Parts>,
    unreadable: usize,
}

impl SavedRows {
    /// Takes the row of a source in the interval that begins at `start_ms`.
    pub fn add(&mut self, start_ms: i64, source: String, blob: &[u8]) {
        let (head, mirrors) = self.by_start.entry(start_ms).or_default();
        let is_read = if source == HEAD {
            serde_ipld_dagcbor::from_slice(blob).map(|read| *head = Some(read)).is_ok()
        } else {
            serde_ipld_dagcbor::from_slice(blob).map(|acc| mirrors.push((source, acc))).is_ok()
        };
        self.unreadable += usize::from(!is_read);
    }

    /// Hands over the intervals that begin before `start_ms`, oldest first; one without a header cannot be read.
    pub fn take_before(&mut self, start_ms: i64) -> Vec<SavedInterval> {
        let later = self.by_start.split_off(&start_ms);
        let whole = std::mem::replace(&mut self.by_start, later);
        let mut saved = Vec::with_capacity(whole.len());
        for (start_ms, (head, mirrors)) in whole {
            match head {
                Some(head) => saved.push(SavedInterval { start_ms, head, mirrors }),
                None => self.unreadable += mirrors.len(),
            }
        }
        saved
    }

    /// Rows that could not be read so far.
    #[must_use]
    pub const fn unreadable(&self) -> usize {
        self.unreadable
    }
}

/// Everything that was kept.
#[derive(Debug, Default)]
pub struct Saved {
    /// Segments of the journal, oldest first.
    pub segments: Vec<Vec<u8>>,
    /// The ledger's own state.
    pub state: Option<LedgerState>,
    /// Windows by source id.
    pub windows: HashMap<String, Windows>,
    /// Counters by source id.
    pub counters: HashMap<String, Counters>,
    /// Intervals.
    pub intervals: Vec<SavedInterval>,
    /// Hours.
    pub hours: Vec<SavedInterval>,
    /// Days.
    pub days: Vec<SavedInterval>,
    /// The machine was started anew since: the clock's instants of before say nothing of the time between.
    pub is_rebooted: bool,
    /// What is known to be lost of the journal and its windows; none when everything is there.
    pub loss: Option<Loss>,
}

/// An interval in the order of today's mirrors; one that it did not know has nothing in it.
#[must_use]
pub fn assemble(saved: &SavedInterval, ids: &[String]) -> Interval {
    let mut interval = Interval::new(ids.len());
    interval.primary_ops = saved.head.primary_ops;
    interval.evicted_ops = saved.head.evicted_ops;
    interval.amendments = saved.head.amendments;
    interval.status = saved.head.status;
    interval.is_impaired = saved.head.is_impaired;
    for (id, acc) in &saved.mirrors {
        if let Some(slot) = ids.iter().position(|i| i == id).and_then(|m| interval.mirrors.get_mut(m)) {
            *slot = Arc::new(acc.clone());
        }
    }
    interval
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_in_any_order_become_the_intervals_that_they_were() {
        let encode = |start_ms: i64| {
            let mut interval = Interval::new(2);
            interval.primary_ops = start_ms as u32;
            let head = serde_ipld_dagcbor::to_vec(&IntervalHead::of(&interval)).unwrap();
            (head, serde_ipld_dagcbor::to_vec(&Acc::default()).unwrap())
        };
        let mut rows = SavedRows::default();
        for start_ms in [600, 0, 300] {
            let (head, acc) = encode(start_ms);
            rows.add(start_ms, "b".to_owned(), &acc);
            rows.add(start_ms, HEAD.to_owned(), &head);
        }
        rows.add(300, "a".to_owned(), b"no interval");
        rows.add(900, "a".to_owned(), &encode(900).1);
        let starts = |saved: Vec<SavedInterval>| saved.iter().map(|s| s.start_ms).collect::<Vec<_>>();
        assert_eq!(starts(rows.take_before(600)), [0, 300]);
        let rest = rows.take_before(i64::MAX);
        assert_eq!((rest.len(), rows.unreadable()), (1, 2), "one has no header");
        let ids = ["a".to_owned(), "b".to_owned()];
        assert_eq!(rest.first().map(|saved| assemble(saved, &ids).primary_ops), Some(600));
    }
}
