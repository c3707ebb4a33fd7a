//! Counting anew at a restart: intervals from the operations that are held, the others as they were kept.

use super::Ledger;
use super::loss::freeze;
use super::saved::{Saved, assemble};
use crate::domain::interval::{ExtraState, Interval, Status};
use crate::domain::rtt::Correction;
use crate::domain::verdict::Reason;
use std::collections::{HashMap, HashSet};

impl Ledger {
    /// Takes the kept intervals; returns the numbers of those that cannot be counted anew.
    pub(super) fn take_intervals(&mut self, saved: &Saved, ids: &[String]) -> HashSet<u32> {
        let mut held: HashMap<u32, u32> = HashMap::new();
        for number in self.ring.base()..self.ring.next() {
            if let Some(row) = self.ring.row(number) {
                *held.entry(row.interval).or_default() += 1;
            }
        }
        let frozen = self.freeze_lost(saved, &held);
        for s in self.foreigns.sightings() {
            held.entry(s.interval).or_default();
        }
        let mut fixed = HashSet::new();
        for s in &saved.intervals {
            let k = (s.start_ms / self.params.interval_ms) as u32;
            let mut interval = assemble(s, ids);
            if frozen.contains(&k) {
                freeze(&mut interval);
                fixed.insert(k);
            } else if held.contains_key(&k) && interval.evicted_ops == 0 {
                // Counted anew; only what cannot be counted is taken.
                let mut fresh = Interval::new(ids.len());
                (fresh.status, fresh.amendments, fresh.is_impaired) =
                    (interval.status, interval.amendments, interval.is_impaired);
                interval = fresh;
            } else {
                fixed.insert(k);
            }
            self.intervals.insert(k, interval);
        }
        fixed
    }

    pub(super) fn recount(&mut self, fixed: &HashSet<u32>, samples: &[(u64, usize, Option<Correction>)]) {
        let mirrors = self.mirrors.len();
        for number in self.ring.base()..self.ring.next() {
            let Some(row) = self.ring.row(number).copied() else { continue };
            let slot = self.slot_of(row.p);
            let interval = if fixed.contains(&row.interval) { None } else { self.intervals.get_mut(row.interval) };
            for interval in [interval, self.slots.get_mut(slot)].into_iter().flatten() {
                interval.primary_ops += 1;
                for m in 0..mirrors {
                    if let (Some(cell), Some(acc)) = (self.ring.cell(number, m), interval.acc_mut(m)) {
                        acc.add(row.kind, &row.did, cell);
                    }
                }
            }
        }
        for &(number, m, correction) in samples {
            let (Some(row), Some(cell)) = (self.ring.row(number).copied(), self.ring.cell(number, m)) else { continue };
            let slot = self.slot_of(row.p);
            let interval = if fixed.contains(&row.interval) { None } else { self.intervals.existing_mut(row.interval) };
            for interval in [interval, self.slots.existing_mut(slot)].into_iter().flatten() {
                if let Some(acc) = interval.acc_mut(m) {
                    acc.sample(cell.raw_us(), correction);
                }
            }
        }
        self.recount_sightings(fixed);
    }

    fn recount_sightings(&mut self, fixed: &HashSet<u32>) {
        let mut sightings: Vec<_> = self.foreigns.sightings().copied().collect();
        sightings.sort_unstable_by_key(|s| s.q);
        for s in sightings {
            if s.state != ExtraState::Pending {
                self.foreigns.list(&s);
            }
            let m = usize::from(s.mirror);
            if let Some(mirror) = self.mirrors.get_mut(m) {
                mirror.unknown_keys += 1;
            }
            if s.reason == Reason::TooOld {
                continue;
            }
            let slot = self.slot_of(s.q);
            let interval = if fixed.contains(&s.interval) { None } else { self.intervals.get_mut(s.interval) };
            for interval in [interval, self.slots.get_mut(slot)].into_iter().flatten() {
                if let Some(acc) = interval.acc_mut(m) {
                    acc.change_extra(None, Some(s.state));
                }
            }
        }
        let unsettled: Vec<u32> = self
            .intervals
            .iter()
            .filter(|i| matches!(i.1.status, Status::Open | Status::Settling))
            .map(|i| i.0)
            .collect();
        self.unsettled.extend(unsettled);
        // The hours may have been kept before the last changes of their intervals.
        let hours = |k: u32| self.rollups.hour_of(k);
        let changed = self.intervals.iter().filter(|i| !fixed.contains(&i.0) && i.1.status != Status::Open);
        self.dirty_hours = changed.map(|i| hours(i.0)).collect();
    }
}
