//! What a start gets back from the disk, before the ledger makes anything of it.

use super::loss::Loss;
use super::restore::{Counters, LedgerState};
use crate::domain::interval::{Acc, Interval, Status};
use crate::domain::window::Windows;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

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
pub(super) fn assemble(saved: &SavedInterval, ids: &[String]) -> Interval {
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
