//! What a start makes of a journal with holes in it: what cannot be known any more is unknown, and nobody is blamed.
//!
//! Behind the last hole the journal is believed, before it nothing is: a delivery that is lost would look like a miss. An
//! interval that was counted when more was held stays as it was kept, and the operations of it that are left count
//! there no more.

use super::Ledger;
use super::range::CreatedRanges;
use super::saved::Saved;
use crate::domain::interval::Interval;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The interval of an operation that is counted in none.
pub(super) const NOWHERE: u32 = u32::MAX;

/// What is lost of what was kept.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// The place of the first segment behind everything that is lost, among those that are left.
    pub believed_from: usize,
}

impl Ledger {
    /// Windows and ranges say nothing of the time before, when what arrived in it may be lost.
    pub(super) fn distrust(&mut self) {
        self.ranges = CreatedRanges::default();
        for source in std::iter::once(&mut self.primary).chain(self.mirrors.iter_mut().map(|m| &mut m.source)) {
            source.windows.distrust();
            source.windows_version += 1;
        }
    }

    /// The kept intervals of which operations are lost: they stay as they were, with nothing undecided left in them.
    pub(super) fn freeze_lost(&mut self, saved: &Saved, held: &HashMap<u32, u32>) -> HashSet<u32> {
        let mut frozen = HashSet::new();
        if saved.loss.is_none() {
            return frozen;
        }
        for s in &saved.intervals {
            let k = (s.start_ms / self.params.interval_ms) as u32;
            if held.get(&k).copied().unwrap_or(0) < s.primary_ops() {
                frozen.insert(k);
            }
        }
        for number in self.ring.base()..self.ring.next() {
            if let Some(row) = self.ring.row_mut(number).filter(|row| frozen.contains(&row.interval)) {
                row.interval = NOWHERE;
            }
        }
        let gone: Vec<_> =
            self.foreigns.sightings().filter(|s| frozen.contains(&s.interval)).map(|s| s.key.cid).collect();
        for cid in &gone {
            self.foreigns.drop_key(cid);
        }
        frozen
    }

    /// Has the next transaction keep what [`Ledger::freeze_lost`] did.
    pub(super) fn keep_frozen(&mut self, frozen: &HashSet<u32>) {
        for &k in frozen {
            self.persist.interval(k);
        }
        for number in self.ring.base()..self.ring.next() {
            if let Some(row) = self.ring.row(number).filter(|row| row.interval == NOWHERE) {
                self.journal.moved(number, row);
            }
        }
    }
}

/// An interval of which nothing is held any more: what was undecided stays unknown.
pub(super) fn freeze(interval: &mut Interval) {
    interval.evicted_ops = interval.evicted_ops.max(interval.primary_ops);
    for acc in &mut interval.mirrors {
        Arc::make_mut(acc).give_up();
    }
}
