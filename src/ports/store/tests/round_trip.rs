//! What goes in comes out: over restarts, crashes, retries and paging; the store in memory agrees.

use super::sample::{NOW_MS, commit, copy_files, evidence, heartbeat, miss, open};
use crate::domain::incident::STATE_CHANGED;
use crate::ports::store::memory::{Fault, MemoryDisk};
use crate::ports::store::{
    Commit, EVIDENCE_PER_SOURCE_MAX, EventRow, LOGS_MAX, Loaded, MissCursor, MissQuery, OpenOptions, PrunePlan,
    SqliteStore, Store, StoreError, meter,
};

fn closed(store: SqliteStore) {
    Box::new(store).close().unwrap();
}

#[test]
fn gives_back_each_row_once_and_agrees_with_the_store_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let disk = MemoryDisk::new();
    let mut memory = disk.open();
    for round in 0..4 {
        let (mut store, report) = open(dir.path());
        assert_eq!(report.created, round == 0);
        assert_eq!(report.notes, Vec::<String>::new());
        for n in round * 30..(round + 1) * 30 {
            store.commit(&commit(n)).unwrap();
            memory.commit(&commit(n)).unwrap();
            if n % 7 == 0 {
                store.commit(&commit(n)).unwrap();
                memory.commit(&commit(n)).unwrap();
            }
        }
        let plan = PrunePlan {
            intervals_before_ms: Some(round * 600_000),
            events_before_ms: Some(NOW_MS + round * 10),
            sessions_before_ms: Some(round * 15),
            misses_before_ms: (round == 3).then_some(NOW_MS + 10),
            evidence_before_ms: (round > 1).then_some(NOW_MS + round * 8),
            ..PrunePlan::default()
        };
        assert_eq!(store.prune(&plan).unwrap(), memory.prune(&plan).unwrap());
        assert_eq!(store.load().unwrap(), memory.load().unwrap());
        closed(store);
    }
    let (mut store, _) = open(dir.path());
    Box::new(memory).close().unwrap();
    let loaded = store.load().unwrap();
    assert!(loaded.closed_cleanly);
    assert_eq!(loaded, disk.open().load().unwrap());
    assert_eq!(loaded.heartbeat, Some(heartbeat(119)));
    assert_eq!(loaded.segments.len(), 51);
    assert_eq!(loaded.misses.len() as u64, loaded.miss_counts.iter().map(|count| count.count).sum::<u64>());
    store.commit(&Commit::of(heartbeat(120))).unwrap();
    assert!(!store.load().unwrap().closed_cleanly, "the next run has begun");
}

#[test]
fn every_acknowledged_commit_outlasts_a_crash() {
    let root = tempfile::tempdir().unwrap();
    let live = root.path().join("live");
    let (mut store, _) = open(&live);
    let mut memory = MemoryDisk::new().open();
    for n in 0..120 {
        store.commit(&commit(n)).unwrap();
        memory.commit(&commit(n)).unwrap();
        if n % 9 != 0 {
            continue;
        }
        let crashed = root.path().join(format!("crashed-{n}"));
        copy_files(&live, &crashed);
        // The next transaction, cut off in the middle.
        let log = crashed.join("mirrorwatch.db-wal");
        let acknowledged = std::fs::metadata(&log).unwrap().len();
        if n % 2 == 0 {
            use std::io::Write;
            let mut torn = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
            let frames = std::fs::read(&log).unwrap();
            torn.write_all(&frames[32..32 + 5000.min(acknowledged as usize - 32)]).unwrap();
        }
        let (mut again, report) = open(&crashed);
        assert_eq!(report.notes, Vec::<String>::new());
        let loaded = again.load().unwrap();
        assert!(!loaded.closed_cleanly);
        assert_eq!(loaded, memory.load().unwrap(), "after {n}");
    }
}

#[test]
fn evidence_is_bounded_for_each_source_and_shared_fairly_when_it_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    let mut memory = MemoryDisk::new().open();
    let most = EVIDENCE_PER_SOURCE_MAX as i64;
    let of = |source: &'static str, count: i64| (0..count).map(move |n| evidence(source, n));
    let rows = of("flooding", most + 50).chain(of("honest", 70)).chain(of("", LOGS_MAX as i64 + 5));
    let all = Commit { evidence: rows.collect(), ..Commit::of(heartbeat(1)) };
    for store in [&mut store as &mut dyn Store, &mut memory] {
        store.commit(&all).unwrap();
        let report = store.prune(&PrunePlan::default()).unwrap();
        assert_eq!((report.evidence, report.more), (55, false));
        let loaded = store.load().unwrap().evidence;
        let count = |source: &str| loaded.iter().filter(|row| row.source == source).count();
        assert_eq!((count("honest"), count("")), (70, LOGS_MAX));
        assert_eq!(count("flooding"), most as usize - 70, "it has what the others leave");
        let kept_until = loaded.iter().filter(|row| row.source == "flooding").map(|row| row.at_ms).max();
        assert_eq!(kept_until, Some(evidence("flooding", most + 49).at_ms), "the newest are loaded");
        let aged = PrunePlan { evidence_before_ms: Some(i64::MAX), ..PrunePlan::default() };
        while store.prune(&aged).unwrap().more {}
        assert_eq!(store.load().unwrap().evidence, []);
    }
}

#[test]
fn pages_through_all_misses_newest_first() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    let mut memory = MemoryDisk::new().open();
    let all = Commit {
        misses: (0..95).map(|n| miss("a", n)).chain((0..7).map(|n| miss("b", n))).collect(),
        ..Commit::of(heartbeat(1))
    };
    store.commit(&all).unwrap();
    memory.commit(&all).unwrap();
    let did = miss("a", 4).did;
    for base in [
        MissQuery { source: "a".to_owned(), limit: 10, ..MissQuery::default() },
        MissQuery { source: "a".to_owned(), limit: 10, kind: Some(2), ..MissQuery::default() },
        MissQuery { source: "a".to_owned(), limit: 10, did: Some(did), ..MissQuery::default() },
        MissQuery { source: "a".to_owned(), limit: 10, verdict: Some("extra".to_owned()), ..MissQuery::default() },
        MissQuery { from_ms: Some(NOW_MS + 7), to_ms: Some(NOW_MS + 30), limit: 3, ..query_of("a") },
    ] {
        let mut found = Vec::new();
        let mut query = base.clone();
        loop {
            let page = store.misses_page(&query).unwrap();
            assert_eq!(page, memory.misses_page(&query).unwrap());
            assert!(page.len() <= base.limit);
            let Some(last) = page.last() else { break };
            query.before = Some(MissCursor::after(last));
            found.extend(page);
        }
        let everything = store.misses_page(&MissQuery { limit: 1000, before: None, ..base.clone() }).unwrap();
        assert_eq!(found, everything, "{base:?}");
    }
    assert_eq!(store.misses_page(&MissQuery { limit: 1000, ..query_of("a") }).unwrap().len(), 95);
}

fn query_of(source: &str) -> MissQuery {
    MissQuery { source: source.to_owned(), ..MissQuery::default() }
}

#[test]
fn loads_the_newest_within_the_limits_and_counts_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    for n in 0..60 {
        store.commit(&commit(n)).unwrap();
    }
    closed(store);
    let mut options = OpenOptions::at(NOW_MS);
    options.limits.misses_per_source = 5;
    options.limits.events = 7;
    options.limits.intervals_per_tier = 4;
    let (mut store, _) = SqliteStore::open(dir.path(), options).unwrap();
    let loaded = store.load().unwrap();
    assert_eq!(loaded.misses.len(), 10);
    assert_eq!(loaded.misses[4], miss("a", 59));
    assert_eq!(loaded.miss_counts.iter().map(|count| count.count).sum::<u64>(), 120);
    assert_eq!(loaded.events.iter().map(|event| event.id).collect::<Vec<_>>(), (53..60).collect::<Vec<_>>());
    assert_eq!(loaded.intervals.iter().filter(|row| row.start_ms == 14 * 300_000).count(), 3);
}

#[test]
fn changes_of_one_source_hide_none_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    let change = |id: i64| EventRow {
        id,
        at_ms: id,
        kind: STATE_CHANGED.to_owned(),
        source: Some(if id == 1 { "quiet" } else { "restless" }.to_owned()),
        text: String::new(),
        detail: None,
    };
    store.commit(&Commit { events: (1..=40).map(change).collect(), ..Commit::of(heartbeat(1)) }).unwrap();
    closed(store);
    let mut options = OpenOptions::at(NOW_MS);
    (options.limits.events, options.limits.changes) = (2, 4);
    let (mut store, _) = SqliteStore::open(dir.path(), options).unwrap();
    let ids: Vec<i64> = store.load().unwrap().events.iter().map(|event| event.id).collect();
    assert_eq!(ids, [1, 36, 37, 38, 39, 40]);
}

#[test]
fn a_commit_writes_little_more_than_twice_its_payload() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    let mut worst = 0;
    let mut all = 0;
    for n in 0..40 {
        let mut big = commit(n);
        big.segments[0].blob = super::sample::noise(n as u64, 240 * 1024);
        let before = meter::thread_written_bytes().unwrap();
        store.commit(&big).unwrap();
        let written = meter::thread_written_bytes().unwrap() - before;
        worst = worst.max(written);
        all += written;
    }
    println!("a commit with a segment of 240 KiB: {} KiB on average, {} KiB at most", all / 40 / 1024, worst / 1024);
    assert!(all / 40 < 768 * 1024 && all / 40 > 240 * 1024);
    assert!(worst < 1100 * 1024);
    let late = Commit { misses: (0..20_000).map(|n| miss("a", n)).collect(), ..Commit::of(heartbeat(99)) };
    let before = meter::thread_written_bytes().unwrap();
    store.commit(&late).unwrap();
    let written = meter::thread_written_bytes().unwrap() - before;
    println!("20,000 misses in one commit: {} KiB", written / 1024);
}

#[test]
fn faults_of_the_store_in_memory_undo_the_whole_commit() {
    let disk = MemoryDisk::new();
    let mut store = disk.open();
    store.commit(&commit(1)).unwrap();
    let before = store.load().unwrap();
    for (fault, step) in [(Fault::NoSpace, 1), (Fault::Io, 3), (Fault::ReadOnly, commit(2).rows() as u64 + 1)] {
        disk.fail_at(step, fault);
        let error = store.commit(&commit(2)).unwrap_err();
        assert_eq!(
            (error.is_disk_full(), error.is_io(), error.is_read_only()),
            match fault {
                Fault::NoSpace => (true, false, false),
                Fault::Io => (false, true, false),
                _ => (false, false, true),
            }
        );
        disk.heal();
        assert_eq!(store.load().unwrap(), before);
    }
    assert_eq!(disk.commits(), 1);
    disk.fail_at(2, Fault::Crash);
    assert!(matches!(store.commit(&commit(2)), Err(StoreError::Closed)));
    assert!(matches!(store.load(), Err(StoreError::Closed)), "a dead store answers nothing");
    let mut store = disk.open();
    assert_eq!(store.load().unwrap(), before);
    disk.fail_at(1, Fault::NoSpace);
    assert!(store.commit(&commit(2)).is_err() && store.commit(&commit(2)).is_err(), "it lasts");
    disk.heal();
    store.commit(&commit(2)).unwrap();
    disk.crash();
    assert!(store.commit(&commit(3)).is_err());
    assert_ne!(disk.open().load().unwrap(), before);
    assert_eq!(MemoryDisk::new().open().load().unwrap(), Loaded::default());
}
