//! The log of a store in memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::ports::store::log::{NEWEST_BYTES_MAX, bytes_of};
use crate::ports::store::{LogPage, LogPrune, LogRow};

/// Actions by number.
#[derive(Default)]
pub(super) struct MemoryLog {
    rows: BTreeMap<i64, LogRow>,
    ids: BTreeSet<(String, i64, i64)>,
    head: i64,
}

impl MemoryLog {
    pub(super) const fn head(&self) -> i64 {
        self.head
    }

    pub(super) fn last_ms_of(&self, node: &str) -> Option<i64> {
        self.rows.values().filter(|row| row.node == node).map(|row| row.ms).max()
    }

    pub(super) fn append(&mut self, rows: Vec<LogRow>) {
        for mut row in rows {
            if self.ids.insert((row.node.clone(), row.ms, row.counter)) {
                self.head += 1;
                row.added = self.head;
                self.rows.insert(self.head, row);
            }
        }
    }

    pub(super) fn page(&self, after: i64, limit: usize, bytes_max: usize) -> LogPage {
        let mut page = LogPage { rows: Vec::new(), through: self.head.max(after) };
        let mut bytes = 0;
        for row in self.rows.range(after.saturating_add(1)..).map(|(_, row)| row) {
            bytes += bytes_of(row);
            if page.rows.len() >= limit || (bytes > bytes_max && !page.rows.is_empty()) {
                page.through = page.rows.last().map_or(after, |row| row.added);
                break;
            }
            page.rows.push(row.clone());
        }
        page
    }

    pub(super) fn newest(&self, kind: &str, limit: usize) -> Vec<LogRow> {
        let mut bytes = 0;
        let fits = |row: &&LogRow| {
            let before = bytes;
            bytes += bytes_of(row);
            before < NEWEST_BYTES_MAX
        };
        let newest = self.rows.values().rev().filter(|row| row.kind == kind).take(limit);
        let mut rows: Vec<LogRow> = newest.take_while(fits).cloned().collect();
        rows.reverse();
        rows
    }

    /// Forgets what is too old, and what is too much of a kind; how many rows of each.
    pub(super) fn prune(&mut self, plan: &LogPrune) -> (u64, u64) {
        let before = self.rows.len();
        self.rows.retain(|_, row| {
            let of_kind = plan.kinds.iter().find(|(kind, _)| *kind == row.kind);
            let oldest = of_kind.map_or(plan.others_before_ms, |(_, before)| *before);
            oldest.is_none_or(|oldest| row.time_ms >= oldest)
        });
        let young = self.rows.len();
        let mut of_kind: BTreeMap<String, usize> = BTreeMap::new();
        let kept = self.rows.values().rev().filter(|row| {
            let count = of_kind.entry(row.kind.clone()).or_default();
            *count += 1;
            plan.max_of(&row.kind).is_none_or(|max| *count <= max)
        });
        let kept: BTreeSet<i64> = kept.map(|row| row.added).collect();
        self.rows.retain(|added, _| kept.contains(added));
        ((before - young) as u64, (young - self.rows.len()) as u64)
    }
}
