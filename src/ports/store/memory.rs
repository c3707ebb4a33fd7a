//! A store in memory that fails on purpose: for tests, benches and the demo.
//!
//! What is committed lies in a [`MemoryDisk`], which outlives the stores that are opened on it: a crash loses the store
//! and nothing that was committed. Each row of a commit is one step, and the end of the commit another; a fault at any
//! of them undoes the whole commit, as the real store does.

mod memory_log;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::StoreError;
use super::evidence::kept_of;
use super::sqlite::LoadLimits;
use super::{
    Commit, EventRow, EvidenceRow, Heartbeat, INTERVALS_PAGE_MAX, IntervalQuery, IntervalRow, LOGS_MAX, Loaded, LogEnd,
    LogPage, LogRow, MISSES_PAGE_MAX, MissCount, MissCursor, MissQuery, MissRow, PEERS_MAX, PRUNE_ROWS_MAX, PeerMarks,
    PrunePlan, PruneReport, Segment, SessionRow, SourceRow, Store, Tier, fair_share,
};
use crate::domain::incident::KINDS;
use memory_log::MemoryLog;

/// What fails.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No space is left, until [`MemoryDisk::heal`].
    NoSpace,
    /// The disk fails once.
    Io,
    /// The file system turned read-only, until [`MemoryDisk::heal`].
    ReadOnly,
    /// The process dies: this store answers nothing any more.
    Crash,
}

#[derive(Default)]
struct Kept {
    heartbeat: Option<Heartbeat>,
    closed: bool,
    segments: BTreeMap<i64, Segment>,
    intervals: BTreeMap<(Tier, i64, String), IntervalRow>,
    sources: BTreeMap<String, SourceRow>,
    sessions: BTreeMap<(i64, String), SessionRow>,
    events: BTreeMap<i64, EventRow>,
    misses: BTreeMap<(String, [u8; 15], [u8; 32]), MissRow>,
    evidence: BTreeMap<(String, [u8; 15], [u8; 32]), EvidenceRow>,
    log: MemoryLog,
    peers: Vec<PeerMarks>,
    steps: u64,
    commits: u64,
    lives: u64,
    opened: u64,
    plan: BTreeMap<u64, Fault>,
    lasting: Option<Fault>,
}

/// What outlives a crash, and the faults that are planned for it.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    kept: Arc<Mutex<Kept>>,
}

impl MemoryDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> MemoryDisk {
        MemoryDisk::default()
    }

    /// Opens a store on it; one that was opened before is dead from now on.
    #[must_use]
    pub fn open(&self) -> MemoryStore {
        let mut kept = self.kept();
        kept.lives += 1;
        kept.opened = kept.lives;
        MemoryStore { disk: self.clone(), life: kept.lives }
    }

    /// Ends every store on it at once; nothing that was committed is lost.
    pub fn crash(&self) {
        self.kept().lives += 1;
    }

    /// Whether a planned crash has come since the last store was opened.
    #[must_use]
    pub fn is_crashed(&self) -> bool {
        let kept = self.kept();
        kept.lives > kept.opened
    }

    /// Plans `fault` at the `step`-th step from now, counted from 1.
    pub fn fail_at(&self, step: u64, fault: Fault) {
        let mut kept = self.kept();
        let at = kept.steps.saturating_add(step);
        kept.plan.insert(at, fault);
    }

    /// Ends lasting faults.
    pub fn heal(&self) {
        self.kept().lasting = None;
    }

    /// Steps taken so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.kept().steps
    }

    /// Commits that were acknowledged so far.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.kept().commits
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The newest of all kinds, behind the newest of those before them that tell of states, as many of each source.
fn events(kept: &Kept, limits: &LoadLimits) -> Vec<EventRow> {
    let mut latest = newest(kept.events.values().cloned().collect(), limits.events);
    let first = latest.first().map_or(i64::MAX, |e| e.id);
    let tells = |e: &&EventRow| KINDS.contains(&e.kind.as_str());
    let mut places: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    let mut older: Vec<(usize, &EventRow)> = Vec::new();
    for event in kept.events.range(..first).rev().map(|e| e.1).filter(tells) {
        let place = places.entry(event.source.as_deref()).or_default();
        older.push((*place, event));
        *place += 1;
    }
    older.sort_by_key(|(place, event)| (*place, Reverse(event.id)));
    let mut events: Vec<EventRow> = older.into_iter().take(limits.changes).map(|(_, event)| event.clone()).collect();
    events.sort_unstable_by_key(|event| event.id);
    events.append(&mut latest);
    events
}

/// A store on a [`MemoryDisk`].
pub struct MemoryStore {
    disk: MemoryDisk,
    life: u64,
}

impl MemoryStore {
    /// The disk that it is on.
    #[must_use]
    pub fn disk(&self) -> MemoryDisk {
        self.disk.clone()
    }

    /// Takes `steps` steps, or fails at the first for which a fault is planned.
    fn step(&self, steps: u64) -> Result<MutexGuard<'_, Kept>, StoreError> {
        let mut kept = self.disk.kept();
        if kept.lives != self.life {
            return Err(StoreError::Closed);
        }
        if let Some(fault) = kept.lasting {
            return Err(failure(fault));
        }
        let end = kept.steps.saturating_add(steps);
        let planned = kept.plan.range(..=end).next().map(|(at, fault)| (*at, *fault));
        let Some((at, fault)) = planned else {
            kept.steps = end;
            return Ok(kept);
        };
        kept.plan.remove(&at);
        kept.steps = kept.steps.max(at);
        match fault {
            Fault::Io => {}
            Fault::NoSpace | Fault::ReadOnly => kept.lasting = Some(fault),
            Fault::Crash => kept.lives += 1,
        }
        Err(failure(fault))
    }
}

fn failure(fault: Fault) -> StoreError {
    let dir = || "memory".to_owned();
    match fault {
        Fault::NoSpace => StoreError::DiskFull { dir: dir(), free_kb: 12 },
        Fault::ReadOnly => StoreError::ReadOnly { dir: dir() },
        Fault::Io => StoreError::CommitIo { detail: "planned".to_owned() },
        Fault::Crash => StoreError::Closed,
    }
}

/// Evidence by source, oldest first.
fn evidence_by_source(kept: &Kept) -> BTreeMap<String, Vec<EvidenceRow>> {
    let mut by_source: BTreeMap<String, Vec<EvidenceRow>> = BTreeMap::new();
    for row in kept.evidence.values() {
        by_source.entry(row.source.clone()).or_default().push(row.clone());
    }
    for rows in by_source.values_mut() {
        rows.sort_by_key(|row| (row.at_ms, row.did, row.cid));
    }
    by_source
}

fn newest<T>(mut rows: Vec<T>, limit: usize) -> Vec<T> {
    rows.split_off(rows.len().saturating_sub(limit))
}

impl Store for MemoryStore {
    fn load(&mut self) -> Result<Loaded, StoreError> {
        let limits = LoadLimits::default();
        let kept = self.step(0)?;
        let mut counts: BTreeMap<(String, String, bool), u64> = BTreeMap::new();
        let mut by_source: BTreeMap<String, Vec<MissRow>> = BTreeMap::new();
        for row in kept.misses.values() {
            *counts.entry((row.source.clone(), row.verdict.clone(), row.healed)).or_default() += 1;
            by_source.entry(row.source.clone()).or_default().push(row.clone());
        }
        let misses = by_source.into_values().flat_map(|mut rows| {
            rows.sort_by_key(MissCursor::after);
            newest(rows, limits.misses_per_source)
        });
        let mut sessions: BTreeMap<&str, Vec<SessionRow>> = BTreeMap::new();
        for row in kept.sessions.values() {
            sessions.entry(&row.source).or_default().push(row.clone());
        }
        let mut sessions: Vec<SessionRow> =
            sessions.into_values().flat_map(|rows| newest(rows, limits.sessions_per_source)).collect();
        sessions.sort_by(|a, b| (a.opened_ms, &a.source).cmp(&(b.opened_ms, &b.source)));
        let evidence = evidence_by_source(&kept);
        let of_mirrors = evidence.iter().filter(|(source, _)| !source.is_empty()).map(|(_, rows)| rows.len());
        let share = fair_share(of_mirrors, limits.evidence);
        let most = |source: &str| if source.is_empty() { LOGS_MAX } else { share };
        let evidence = evidence.into_iter().flat_map(|(source, rows)| newest(rows, most(&source))).collect();
        Ok(Loaded {
            heartbeat: kept.heartbeat.clone(),
            closed_cleanly: kept.closed,
            segments: kept.segments.values().cloned().collect(),
            intervals: kept.intervals.values().cloned().collect(),
            sources: kept.sources.values().cloned().collect(),
            sessions,
            evidence,
            events: events(&kept, &limits),
            misses: misses.collect(),
            miss_counts: counts
                .into_iter()
                .map(|((source, verdict, healed), count)| MissCount { source, verdict, healed, count })
                .collect(),
            ..Loaded::default()
        })
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        let mut kept = self.step(commit.rows() as u64 + 1)?;
        let commit = commit.clone();
        kept.heartbeat = Some(commit.heartbeat);
        kept.closed = false;
        kept.commits += 1;
        kept.segments.extend(commit.segments.into_iter().map(|row| (row.id, row)));
        if let Some(below) = commit.drop_segments_below {
            kept.segments.retain(|id, _| *id >= below);
        }
        kept.intervals
            .extend(commit.intervals.into_iter().map(|row| ((row.tier, row.start_ms, row.source.clone()), row)));
        kept.sources.extend(commit.sources.into_iter().map(|row| (row.id.clone(), row)));
        kept.sessions.extend(commit.sessions.into_iter().map(|row| ((row.opened_ms, row.source.clone()), row)));
        kept.events.extend(commit.events.into_iter().map(|row| (row.id, row)));
        kept.log.append(commit.log);
        kept.misses.extend(commit.misses.into_iter().map(|row| ((row.source.clone(), row.did, row.cid), row)));
        kept.evidence.extend(commit.evidence.into_iter().map(|row| ((row.source.clone(), row.did, row.cid), row)));
        Ok(())
    }

    fn prune(&mut self, plan: &PrunePlan) -> Result<PruneReport, StoreError> {
        let mut kept = self.step(1)?;
        let mut report = PruneReport::default();
        for (tier, before) in [
            (Tier::Interval, plan.intervals_before_ms),
            (Tier::Hour, plan.hours_before_ms),
            (Tier::Day, plan.days_before_ms),
        ] {
            let old = |row: &IntervalRow| row.tier == tier && before.is_some_and(|before| row.start_ms < before);
            report.intervals += forget(&mut kept.intervals, old, &mut report.more);
        }
        let older = |at_ms: i64, before: Option<i64>| before.is_some_and(|before| at_ms < before);
        report.misses =
            forget(&mut kept.misses, |row| older(row.primary_at_ms, plan.misses_before_ms), &mut report.more);
        report.events = forget(&mut kept.events, |row| older(row.at_ms, plan.events_before_ms), &mut report.more);
        let ended = |row: &SessionRow| row.closed_ms.is_some_and(|at_ms| older(at_ms, plan.sessions_before_ms));
        report.sessions = forget(&mut kept.sessions, ended, &mut report.more);
        prune_evidence(&mut kept, plan, &mut report);
        let (old, dropped) = kept.log.prune(&plan.log);
        (report.log, report.log_dropped) = (old + dropped, dropped);
        Ok(report)
    }

    fn misses_page(&mut self, query: &MissQuery) -> Result<Vec<MissRow>, StoreError> {
        let kept = self.step(0)?;
        let mut rows: Vec<MissRow> = kept.misses.values().filter(|row| meets(row, query)).cloned().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(MissCursor::after(row)));
        rows.truncate(query.limit.min(MISSES_PAGE_MAX));
        Ok(rows)
    }

    fn intervals_page(&mut self, query: &IntervalQuery) -> Result<Vec<IntervalRow>, StoreError> {
        let kept = self.step(0)?;
        let found = kept.intervals.values().filter(|row| query.meets(row));
        Ok(found.take(INTERVALS_PAGE_MAX).cloned().collect())
    }

    fn first_interval_ms(&mut self, tier: Tier) -> Result<Option<i64>, StoreError> {
        Ok(self.step(0)?.intervals.keys().find(|key| key.0 == tier).map(|key| key.1))
    }

    fn log_append(&mut self, rows: &[LogRow]) -> Result<i64, StoreError> {
        let mut kept = self.step(rows.len() as u64 + 1)?;
        kept.log.append(rows.to_vec());
        Ok(kept.log.head())
    }

    fn log_page(&mut self, after: i64, limit: usize, bytes_max: usize) -> Result<LogPage, StoreError> {
        Ok(self.step(0)?.log.page(after, limit, bytes_max))
    }

    fn log_newest(&mut self, kind: &str, limit: usize) -> Result<Vec<LogRow>, StoreError> {
        Ok(self.step(0)?.log.newest(kind, limit))
    }

    fn log_end(&mut self, node: &str) -> Result<LogEnd, StoreError> {
        let kept = self.step(0)?;
        Ok(LogEnd { begun_ms: 0, last: kept.log.head(), last_own_ms: kept.log.last_ms_of(node) })
    }

    fn peer_marks(&mut self) -> Result<Vec<PeerMarks>, StoreError> {
        Ok(self.step(0)?.peers.clone())
    }

    fn mark_peer(&mut self, marks: &PeerMarks) -> Result<(), StoreError> {
        let mut kept = self.step(1)?;
        match kept.peers.iter_mut().find(|known| (&known.address, &known.node_id) == (&marks.address, &marks.node_id)) {
            Some(known) => known.clone_from(marks),
            None => kept.peers.push(marks.clone()),
        }
        let beyond = kept.peers.len().saturating_sub(PEERS_MAX);
        kept.peers.drain(..beyond);
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        let mut kept = self.step(1)?;
        kept.closed = true;
        kept.lives += 1;
        Ok(())
    }
}

fn meets(row: &MissRow, query: &MissQuery) -> bool {
    row.source == query.source
        && query.verdict.as_ref().is_none_or(|verdict| *verdict == row.verdict)
        && query.did.is_none_or(|did| did == row.did)
        && query.kind.is_none_or(|kind| kind == row.kind)
        && query.from_ms.is_none_or(|from| row.primary_at_ms >= from)
        && query.to_ms.is_none_or(|to| row.primary_at_ms < to)
        && query.before.is_none_or(|before| MissCursor::after(row) < before)
}

fn prune_evidence(kept: &mut Kept, plan: &PrunePlan, report: &mut PruneReport) {
    for (source, rows) in evidence_by_source(kept) {
        let is_old = |row: &EvidenceRow| plan.evidence_before_ms.is_some_and(|before| row.at_ms < before);
        let (old, young): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_old);
        let beyond = young.len().saturating_sub(kept_of(&source));
        for gone in [old, young.into_iter().take(beyond).collect()] {
            let gone: Vec<_> = gone.into_iter().take(PRUNE_ROWS_MAX).collect();
            report.more |= gone.len() >= PRUNE_ROWS_MAX;
            report.evidence += gone.len() as u64;
            for row in gone {
                kept.evidence.remove(&(row.source, row.did, row.cid));
            }
        }
    }
}

/// Removes rows that are `old`, [`PRUNE_ROWS_MAX`] at most; how many.
fn forget<K: Ord + Clone, V>(rows: &mut BTreeMap<K, V>, old: impl Fn(&V) -> bool, more: &mut bool) -> u64 {
    let keys: Vec<K> =
        rows.iter().filter(|(_, row)| old(row)).take(PRUNE_ROWS_MAX).map(|(key, _)| key.clone()).collect();
    for key in &keys {
        rows.remove(key);
    }
    *more |= keys.len() >= PRUNE_ROWS_MAX;
    keys.len() as u64
}
