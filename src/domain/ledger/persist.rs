//! What the next transaction must keep beside the journal.

use super::Ledger;
use super::extra::Sighting;
use super::journal::Segment;
use crate::domain::interval::{Interval, Status};
use crate::domain::ring::Row;
use crate::domain::verdict::{Cell, Verdict};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Changes of verdicts that are kept for one transaction beyond which only the journal tells them.
const CHANGES_MAX: usize = 100_000;

/// Things that changed since the last transaction was prepared.
#[derive(Debug, Default)]
pub struct Persist {
    intervals: BTreeSet<u32>,
    finals: BTreeSet<u32>,
    /// Those that the transaction under way makes final, as long as they stay as they are.
    under_way: BTreeSet<u32>,
    hours: BTreeSet<u32>,
    misses: BTreeSet<(u64, u16)>,
    extras: Vec<Sighting>,
    dropped_changes: u64,
}

/// What a transaction keeps; made by [`Ledger::prepare`], acknowledged with [`Ledger::committed`].
#[derive(Debug, Default)]
pub struct Prepared {
    /// The journal since the last transaction.
    pub segments: Vec<Segment>,
    /// Intervals by number; those that become final say so.
    pub intervals: Vec<(u32, Arc<Interval>)>,
    /// Hours by number.
    pub hours: Vec<(u32, Arc<Interval>)>,
    /// Days by number.
    pub days: Vec<(u32, Arc<Interval>)>,
    /// Operations that became or stopped being missed: mirror, row, cell.
    pub misses: Vec<(u16, Row, Cell)>,
    /// Operations that were found to be extra.
    pub extras: Vec<Sighting>,
    /// Segments that name no operation from this number on are not needed any more.
    pub oldest_op: u64,
    finals: Vec<u32>,
}

impl Prepared {
    /// The intervals that become final when this is kept.
    #[must_use]
    pub fn finals(&self) -> &[u32] {
        &self.finals
    }
}

impl Persist {
    pub(super) fn interval(&mut self, k: u32) {
        self.intervals.insert(k);
    }

    pub(super) fn final_interval(&mut self, k: u32) {
        self.finals.insert(k);
    }

    /// An interval changed that was closed: it is not to be shown as final before it is kept anew.
    pub(super) fn not_final(&mut self, k: u32) {
        self.finals.remove(&k);
        self.under_way.remove(&k);
    }

    pub(super) fn hour(&mut self, hour: u32) {
        self.hours.insert(hour);
    }

    pub(super) fn extra(&mut self, s: Sighting) {
        if self.extras.len() < CHANGES_MAX {
            self.extras.push(s);
        } else {
            self.dropped_changes += 1;
        }
    }

    pub(super) fn verdict(&mut self, number: u64, m: usize, from: Verdict, to: Verdict) {
        if from == Verdict::Missed || to == Verdict::Missed {
            if self.misses.len() < CHANGES_MAX {
                self.misses.insert((number, m as u16));
            } else {
                self.dropped_changes += 1;
            }
        }
    }
}

impl Ledger {
    /// Takes everything that the next transaction must keep. One at a time: prepare, keep, then [`Ledger::committed`].
    pub fn prepare(&mut self, mirror_ids: &[String]) -> Prepared {
        let segments = self.journal.take(mirror_ids);
        let finals: Vec<u32> = std::mem::take(&mut self.persist.finals).into_iter().collect();
        self.persist.under_way.extend(&finals);
        let mut numbers = std::mem::take(&mut self.persist.intervals);
        numbers.extend(&finals);
        let intervals = numbers
            .into_iter()
            .filter_map(|k| {
                let mut interval = Arc::clone(self.intervals.get(k)?);
                if finals.contains(&k) && interval.status == Status::Settling {
                    Arc::make_mut(&mut interval).status = Status::Final;
                }
                Some((k, interval))
            })
            .collect();
        let hours: Vec<u32> = std::mem::take(&mut self.persist.hours).into_iter().collect();
        let days: BTreeSet<u32> = hours.iter().map(|h| h / 24).collect();
        let misses = std::mem::take(&mut self.persist.misses)
            .into_iter()
            .filter_map(|(number, m)| Some((m, *self.ring.row(number)?, self.ring.cell(number, usize::from(m))?)))
            .collect();
        Prepared {
            segments,
            intervals,
            hours: hours.into_iter().filter_map(|h| Some((h, self.rollups.hour(h)?))).collect(),
            days: days.into_iter().filter_map(|d| Some((d, self.rollups.day(d)?))).collect(),
            misses,
            extras: std::mem::take(&mut self.persist.extras),
            oldest_op: self.ring.base(),
            finals,
        }
    }

    /// Bytes of the journal that wait for a transaction.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.journal.waiting_bytes()
    }

    /// What was prepared is on disk: only now are its intervals shown as final, those that did not change meanwhile.
    pub fn committed(&mut self, finals: &[u32]) {
        for &k in finals {
            if self.persist.under_way.remove(&k) {
                self.finalize(k);
            }
        }
    }

    /// What was prepared could not be kept and is not sent again: it is kept with the next transaction.
    pub fn not_committed(&mut self, prepared: Prepared) {
        self.journal.put_back(prepared.segments);
        let persist = &mut self.persist;
        persist.finals.extend(prepared.finals.iter().filter(|k| persist.under_way.remove(k)));
        self.persist.intervals.extend(prepared.intervals.iter().map(|i| i.0));
        self.persist.hours.extend(prepared.hours.iter().map(|h| h.0));
        let misses = prepared.misses.iter().filter_map(|(m, row, _)| Some((self.ring.find(&row.cid)?, *m)));
        self.persist.misses.extend(misses);
        let newer = std::mem::replace(&mut self.persist.extras, prepared.extras);
        self.persist.extras.extend(newer);
        self.persist.extras.truncate(CHANGES_MAX);
    }
}
