//! The log that nodes share: each action once, numbers that never come again, and a memory that does the same.

use super::sample::{NOW_MS, commit, heartbeat, open};
use crate::ports::store::memory::MemoryDisk;
use crate::ports::store::{
    Commit, LogEnd, LogPrune, LogRow, OpenOptions, PEERS_MAX, PeerMarks, PrunePlan, SqliteStore, Store,
};

fn row(node: &str, ms: i64, kind: &str) -> LogRow {
    LogRow {
        added: 0,
        ms,
        node: node.to_owned(),
        counter: ms % 2,
        time_ms: ms,
        kind: kind.to_owned(),
        subprotocol: (ms % 3 == 0).then(|| "[1,2]".to_owned()),
        source: (ms % 2 == 0).then(|| node.to_owned()),
        reasons: "[]".to_owned(),
        action: format!("{{\"type\":\"{kind}\",\"n\":{ms}}}"),
    }
}

fn all(store: &mut dyn Store) -> Vec<LogRow> {
    store.log_page(0, 10_000, usize::MAX).unwrap().rows
}

/// Rows without their numbers, which begin elsewhere in memory.
fn unnumbered(rows: Vec<LogRow>) -> Vec<LogRow> {
    rows.into_iter().map(|row| LogRow { added: 0, ..row }).collect()
}

#[test]
fn memory_and_file_do_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    let mut memory = MemoryDisk::new().open();
    let LogEnd { begun_ms, last: begin, .. } = store.log_end("a").unwrap();
    assert_eq!((begun_ms, begin), (NOW_MS, NOW_MS), "numbers begin at the time of the making");
    for store in [&mut store as &mut dyn Store, &mut memory] {
        for ms in 0..200 {
            let rows = [row("a", ms, "x"), row("b", ms, if ms % 2 == 0 { "y" } else { "z" })];
            store.log_append(&rows).unwrap();
        }
        store.log_append(&(100..150).map(|ms| row("a", ms, "again")).collect::<Vec<_>>()).unwrap();
    }
    assert_eq!(store.log_end("a").unwrap(), LogEnd { begun_ms, last: begin + 400, last_own_ms: Some(199) });
    assert_eq!(unnumbered(all(&mut store)), unnumbered(all(&mut memory)));
    let plan = PrunePlan {
        log: LogPrune {
            kinds: vec![("x".to_owned(), Some(50)), ("y".to_owned(), None)],
            others_before_ms: Some(100),
            of_kind_max: None,
        },
        ..PrunePlan::default()
    };
    assert_eq!(store.prune(&plan).unwrap(), memory.prune(&plan).unwrap());
    let left = unnumbered(all(&mut store));
    assert_eq!((left.len(), &left), (150 + 100 + 50, &unnumbered(all(&mut memory))));
    for (after, limit, bytes) in [(0, 7, usize::MAX), (60, 1_000, 100), (399, 10, 10), (400, 10, 10), (900, 10, 10)] {
        let (file, held) =
            (store.log_page(begin + after, limit, bytes).unwrap(), memory.log_page(after, limit, bytes).unwrap());
        assert_eq!(unnumbered(file.rows), unnumbered(held.rows), "{after} {limit} {bytes}");
        assert_eq!(file.through - begin, held.through, "{after} {limit} {bytes}");
    }
}

#[test]
fn the_newest_of_a_kind_are_those_with_the_highest_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    let mut memory = MemoryDisk::new().open();
    for store in [&mut store as &mut dyn Store, &mut memory] {
        // Clocks of senders go back, and are the same.
        for (n, ms) in [900, 100, 500, 500, 800, 1, 700].into_iter().enumerate() {
            store.log_append(&[row(&format!("n{n}"), ms, "x"), row("other", n as i64, "y")]).unwrap();
        }
        for limit in [1, 3, 100] {
            let newest = store.log_newest("x", limit).unwrap();
            let nodes: Vec<&str> = newest.iter().map(|row| row.node.as_str()).collect();
            let all = ["n0", "n1", "n2", "n3", "n4", "n5", "n6"];
            assert_eq!(nodes, &all[all.len() - limit.min(all.len())..]);
            assert!(newest.windows(2).all(|pair| pair[0].added < pair[1].added));
        }
    }
}

#[test]
fn a_file_of_the_third_schema_finds_the_newest_by_number() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    store.log_append(&[row("a", 9, "x"), row("a", 1, "x")]).unwrap();
    drop(store);
    let file = dir.path().join("mirrorwatch.db");
    let db = rusqlite::Connection::open(&file).unwrap();
    db.execute_batch("DROP INDEX log_by_number; DROP TABLE peers; PRAGMA user_version = 3").unwrap();
    db.close().unwrap();
    let (mut store, report) = open(dir.path());
    assert_eq!(report.quarantined, None);
    assert_eq!(store.log_newest("x", 1).unwrap()[0].ms, 1);
    drop(store);
    let db = rusqlite::Connection::open(&file).unwrap();
    let sql = "EXPLAIN QUERY PLAN SELECT added, action FROM log WHERE kind = 'x' ORDER BY added DESC LIMIT 9";
    let plan: String = db.query_row(sql, [], |row| row.get(3)).unwrap();
    assert!(plan.contains("INDEX log_by_number (kind=?)"), "{plan}");
}

#[test]
fn what_is_kept_and_what_is_told_of_it_are_one_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    let told = Commit { log: vec![row("a", 1, "x")], ..commit(1) };
    // The same again, as after an answer that was lost.
    (0..2).for_each(|_| store.commit(&told).unwrap());
    drop(store);
    let (mut store, _) = open(dir.path());
    assert_eq!(all(&mut store).len(), 1);
}

#[test]
fn a_kind_that_grows_without_end_takes_no_room_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    let mut memory = MemoryDisk::new().open();
    let plan = PrunePlan { log: LogPrune { of_kind_max: Some(3), ..LogPrune::default() }, ..PrunePlan::default() };
    for store in [&mut store as &mut dyn Store, &mut memory] {
        // The newest of all kinds is the oldest by the time that it states.
        for ms in (0..20).rev() {
            store.log_append(&[row("a", ms, "much")]).unwrap();
        }
        store.log_append(&[row("b", 1, "little"), row("b", 2, "little")]).unwrap();
        let report = store.prune(&plan).unwrap();
        assert_eq!((report.log, report.log_dropped, report.more), (17, 17, false));
        let left: Vec<(String, i64)> = all(store).into_iter().map(|row| (row.kind, row.ms)).collect();
        let expected = [("much", 2), ("much", 1), ("much", 0), ("little", 1), ("little", 2)];
        assert_eq!(left, expected.map(|(kind, ms)| (kind.to_owned(), ms)));
    }
}

#[test]
fn a_number_never_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let at = |ms: i64| SqliteStore::open(dir.path(), OpenOptions::at(ms)).unwrap().0;
    let mut store = at(NOW_MS);
    let last = store.log_append(&[row("a", 1, "x"), row("a", 2, "x")]).unwrap();
    let everything = LogPrune { others_before_ms: Some(i64::MAX), ..LogPrune::default() };
    store.prune(&PrunePlan { log: everything, ..PrunePlan::default() }).unwrap();
    drop(store);
    // Nothing is left of the rows, nor is time where it was.
    let mut store = at(NOW_MS - 1_000);
    assert_eq!(store.log_append(&[row("a", 3, "x")]).unwrap(), last + 1);
    store.commit(&Commit::of(heartbeat(1))).unwrap();
    drop(store);
    let file = dir.path().join("mirrorwatch.db");
    let bytes = std::fs::read(&file).unwrap();
    #[expect(clippy::disallowed_methods, reason = "damages a file of the test's own")]
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let mut store = at(NOW_MS + 50_000);
    assert!(store.log_append(&[row("a", 4, "x")]).unwrap() > NOW_MS + 50_000, "behind a recovery they begin far above");
}

#[test]
fn a_file_of_the_first_schema_gets_the_log() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let db = rusqlite::Connection::open(dir.path().join("mirrorwatch.db")).unwrap();
    db.execute_batch("DROP TABLE log; DROP TABLE evidence; DROP TABLE peers; PRAGMA user_version = 1").unwrap();
    db.close().unwrap();
    let (mut store, report) = open(dir.path());
    assert_eq!(report.quarantined, None);
    assert_eq!(store.log_append(&[row("a", 1, "x")]).unwrap(), NOW_MS + 1);
}

#[test]
fn marks_of_peers_are_of_an_address_and_a_name_and_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let (mut file, _) = open(dir.path());
    let mut memory = MemoryDisk::new().open();
    let marks = |n: i64, sent: i64| PeerMarks {
        address: format!("wss://n{n}.example/"),
        node_id: "n".to_owned(),
        log: NOW_MS,
        sent,
        received: 2 * sent,
    };
    let other = PeerMarks { node_id: "other".to_owned(), ..marks(299, 7) };
    for store in [&mut file as &mut dyn Store, &mut memory] {
        (0..300).for_each(|n| store.mark_peer(&marks(n, n)).unwrap());
        store.mark_peer(&other).unwrap();
        store.mark_peer(&marks(299, 1_000)).unwrap();
        let kept = store.peer_marks().unwrap();
        assert_eq!((kept.len(), &kept[0]), (PEERS_MAX, &marks(45, 45)));
        assert_eq!(kept[254..], [marks(299, 1_000), other.clone()]);
    }
    drop(file);
    assert_eq!(open(dir.path()).0.peer_marks().unwrap().last(), Some(&other));
}

#[test]
fn a_log_that_lost_something_is_another_one() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let begun_at = |now_ms: i64| {
        let mut store = SqliteStore::open(dir.path(), OpenOptions::at(now_ms)).unwrap().0;
        store.log_end("a").unwrap().begun_ms
    };
    assert_eq!(begun_at(NOW_MS + 1), NOW_MS, "the same over a start");
    #[expect(clippy::disallowed_methods, reason = "scratch of a test")]
    std::fs::write(dir.path().join("mirrorwatch.db"), "damaged").unwrap();
    assert_eq!((begun_at(NOW_MS + 2), begun_at(NOW_MS + 3)), (NOW_MS + 2, NOW_MS + 2));
}
