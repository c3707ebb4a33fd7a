//! What each recomputer did, for the internals page and the metrics.
//!
//! Written after each run, read by whoever asks; a small lock held for a copy only, never during a computation.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// Longest error text kept, in characters.
const ERROR_CHARS_MAX: usize = 200;

/// One recomputer as the operator sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecomputerStatus {
    /// As in the configuration.
    pub name: &'static str,
    /// Seconds between runs.
    pub interval_s: f64,
    /// Runs that ended, with or without success.
    pub runs: u64,
    /// Runs that failed, by error or panic.
    pub failures: u64,
    /// Milliseconds of the last successful computation, compression not counted; `None` before it.
    pub last_compute_ms: Option<f64>,
    /// Milliseconds since the last success; `None` before it.
    pub age_ms: Option<i64>,
    /// Bytes of its pages in all encodings.
    pub bytes: usize,
    /// The last failure in words; stays until the next success.
    pub last_error: Option<String>,
}

#[derive(Debug)]
struct Entry {
    status: RecomputerStatus,
    succeeded_at_ms: Option<i64>,
}

/// The statuses of all recomputers. Clones share the same board.
#[derive(Clone, Debug, Default)]
pub struct StatusBoard {
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl StatusBoard {
    /// Every status, in the order of registration; ages count to `now_ms` (UTC milliseconds).
    pub fn read(&self, now_ms: i64) -> Vec<RecomputerStatus> {
        self.with(|entries| {
            entries
                .iter()
                .map(|entry| RecomputerStatus {
                    age_ms: entry.succeeded_at_ms.map(|at_ms| now_ms.saturating_sub(at_ms).max(0)),
                    ..entry.status.clone()
                })
                .collect()
        })
    }

    pub(super) fn register(&self, name: &'static str, interval_s: f64) {
        let status = RecomputerStatus {
            name,
            interval_s,
            runs: 0,
            failures: 0,
            last_compute_ms: None,
            age_ms: None,
            bytes: 0,
            last_error: None,
        };
        self.with(|entries| entries.push(Entry { status, succeeded_at_ms: None }));
    }

    pub(super) fn set_interval(&self, name: &str, interval_s: f64) {
        self.update(name, |entry| entry.status.interval_s = interval_s);
    }

    pub(super) fn succeeded(&self, name: &str, now_ms: i64, compute_ms: f64, bytes: usize) {
        self.update(name, |entry| {
            entry.status.runs = entry.status.runs.saturating_add(1);
            entry.status.last_compute_ms = Some(compute_ms);
            entry.status.bytes = bytes;
            entry.status.last_error = None;
            entry.succeeded_at_ms = Some(now_ms);
        });
    }

    pub(super) fn failed(&self, name: &str, error: &str) {
        self.update(name, |entry| {
            entry.status.runs = entry.status.runs.saturating_add(1);
            entry.status.failures = entry.status.failures.saturating_add(1);
            entry.status.last_error = Some(error.chars().take(ERROR_CHARS_MAX).collect());
        });
    }

    fn update(&self, name: &str, change: impl FnOnce(&mut Entry)) {
        self.with(|entries| {
            if let Some(entry) = entries.iter_mut().find(|entry| entry.status.name == name) {
                change(entry);
            }
        });
    }

    fn with<T>(&self, f: impl FnOnce(&mut Vec<Entry>) -> T) -> T {
        f(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_keep_the_last_success_and_a_success_clears_the_error() {
        let board = StatusBoard::default();
        board.register("lag", 5.0);
        assert_eq!(board.read(1)[0].age_ms, None);
        board.succeeded("lag", 1_000, 2.5, 77);
        board.failed("lag", &"x".repeat(500));
        let status = board.read(1_500).remove(0);
        assert_eq!((status.runs, status.failures, status.age_ms, status.bytes), (2, 1, Some(500), 77));
        assert_eq!(status.last_error.map(|text| text.len()), Some(ERROR_CHARS_MAX));
        board.succeeded("lag", 2_000, 2.5, 78);
        assert_eq!(board.read(2_000)[0].last_error, None);
    }
}
