//! Damage of every kind: the file is moved aside, what can be read is kept, and nothing is silently zero or altered.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions as FileOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::sample::{NOW_MS, commit, copy_files, heartbeat, noise, open};
use crate::ports::store::{Commit, Loaded, OpenOptions, OpenReport, SqliteStore, Store};

const SECONDS: i64 = 120;

/// Harms the files of a data directory.
type Damage = Box<dyn Fn(&Path)>;

/// A closed store with every kind of row, and what it holds.
fn whole(dir: &Path) -> Loaded {
    let (mut store, _) = open(dir);
    for n in 0..SECONDS {
        store.commit(&commit(n)).unwrap();
    }
    let loaded = store.load().unwrap();
    Box::new(store).close().unwrap();
    loaded
}

fn file(dir: &Path, name: &str) -> fs::File {
    FileOptions::new().read(true).write(true).open(dir.join(name)).unwrap()
}

fn overwrite(dir: &Path, name: &str, bytes: &[u8]) {
    #[expect(clippy::disallowed_methods, reason = "damages a file of the test's own")]
    fs::write(dir.join(name), bytes).unwrap();
}

/// `found` holds rows of `known` alone, each once.
fn only<T: std::fmt::Debug>(found: &[T], known: &[T], what: &str) {
    let known: BTreeSet<String> = known.iter().map(|row| format!("{row:?}")).collect();
    let found_set: BTreeSet<String> = found.iter().map(|row| format!("{row:?}")).collect();
    assert_eq!(found_set.len(), found.len(), "{what}: a row twice");
    assert!(found_set.is_subset(&known), "{what}: a row that was never written");
}

/// Opens after damage, and checks what must hold after any damage; what was loaded, and the report.
fn recovered(dir: &Path, before: &Loaded, what: &str) -> (Loaded, OpenReport) {
    let (mut store, report) = open(dir);
    let mut loaded = store.load().unwrap();
    let told = std::mem::take(&mut loaded.notes);
    only(&loaded.intervals, &before.intervals, what);
    only(&loaded.misses, &before.misses, what);
    only(&loaded.segments, &before.segments, what);
    only(&loaded.events, &before.events, what);
    only(&loaded.sessions, &before.sessions, what);
    only(&loaded.evidence, &before.evidence, what);
    only(&loaded.sources, &before.sources, what);
    let rows = |l: &Loaded| {
        let figures = l.intervals.len() + l.misses.len() + l.segments.len();
        figures + l.events.len() + l.sessions.len() + l.evidence.len() + l.sources.len()
    };
    if rows(&loaded) < rows(before) {
        assert!(!report.notes.is_empty() || !told.is_empty(), "{what}: lost rows and said nothing");
    }
    if let Some(place) = &report.quarantined {
        assert!(place.starts_with(dir.join("quarantine")), "{what}");
        assert!(report.notes.iter().any(|note| note.contains("quarantine/")), "{what}: {:?}", report.notes);
    }
    store.commit(&Commit::of(heartbeat(SECONDS))).unwrap();
    Box::new(store).close().unwrap();
    let (mut store, again) = open(dir);
    assert_eq!(again.quarantined, None, "{what}: sound from now on");
    loaded.heartbeat = Some(heartbeat(SECONDS));
    loaded.closed_cleanly = true;
    assert!(!loaded.is_recovered || report.quarantined.is_some() || report.notes[0].contains("finished"), "{what}");
    loaded.is_recovered = false;
    let mut stays = store.load().unwrap();
    stays.notes.clear();
    assert_eq!(stays, loaded, "{what}: stays");
    (loaded, report)
}

#[test]
fn cases_of_damage() {
    let root = tempfile::tempdir().unwrap();
    let source = root.path().join("source");
    let before = whole(&source);
    let size = fs::metadata(source.join("mirrorwatch.db")).unwrap().len();
    let all = before.intervals.len();
    let at = move |share: u64| size * share / 100 / 4096 * 4096;
    let cases: Vec<(&str, usize, Damage)> = vec![
        ("truncated to half", 1, Box::new(move |dir| file(dir, "mirrorwatch.db").set_len(at(50)).unwrap())),
        ("truncated within a page", 1, Box::new(move |dir| file(dir, "mirrorwatch.db").set_len(at(80) + 77).unwrap())),
        (
            "a page of zeroes",
            all / 2,
            Box::new(move |dir| {
                file(dir, "mirrorwatch.db").write_all_at(&[0; 4096], at(40)).unwrap();
            }),
        ),
        (
            "garbage in the middle",
            all / 3,
            Box::new(move |dir| {
                file(dir, "mirrorwatch.db").write_all_at(&noise(3, 8192), at(60)).unwrap();
            }),
        ),
        (
            "the first page zeroed",
            all,
            Box::new(|dir| {
                file(dir, "mirrorwatch.db").write_all_at(&[0; 4096], 0).unwrap();
            }),
        ),
        (
            "the first page garbage",
            all,
            Box::new(|dir| {
                file(dir, "mirrorwatch.db").write_all_at(&noise(5, 4096), 0).unwrap();
            }),
        ),
        ("empty", 0, Box::new(|dir| file(dir, "mirrorwatch.db").set_len(0).unwrap())),
        ("zeroes", 0, Box::new(move |dir| overwrite(dir, "mirrorwatch.db", &vec![0; size as usize]))),
        ("garbage", 0, Box::new(move |dir| overwrite(dir, "mirrorwatch.db", &noise(1, size as usize)))),
        ("text", 0, Box::new(|dir| overwrite(dir, "mirrorwatch.db", b"{\"not\":\"a database\"}"))),
        (
            "a directory",
            0,
            Box::new(|dir| {
                fs::remove_file(dir.join("mirrorwatch.db")).unwrap();
                fs::create_dir_all(dir.join("mirrorwatch.db/inside")).unwrap();
            }),
        ),
    ];
    for (n, (what, at_least, damage)) in cases.iter().enumerate() {
        let dir = root.path().join(n.to_string());
        copy_files(&source, &dir);
        damage(&dir);
        let (loaded, report) = recovered(&dir, &before, what);
        println!("{what}: {}", report.notes.join(" | "));
        assert!(report.quarantined.is_some(), "{what}");
        assert!(loaded.intervals.len() >= *at_least, "{what}: {} of {all} intervals", loaded.intervals.len());
        let restarted = loaded.restarted_ms;
        if *at_least == 0 {
            assert_eq!(restarted, Some(NOW_MS), "{what}: marked as begun anew");
            assert!(report.notes[0].contains("lifetime totals start again at 2026-11-21"), "{what}");
        } else {
            assert_eq!(restarted, None, "{what}");
            assert!(report.notes[0].contains("recovered "), "{what}: {:?}", report.notes);
        }
    }
}

#[test]
fn bits_flipped_anywhere_never_alter_a_row_or_lose_one_silently() {
    let root = tempfile::tempdir().unwrap();
    let source = root.path().join("source");
    let before = whole(&source);
    let pages = fs::metadata(source.join("mirrorwatch.db")).unwrap().len() / 4096;
    let mut moved = 0;
    // Every page once in the middle, and every other in its head, where one bit does the most harm.
    let places: Vec<u64> = (0..pages)
        .map(|page| page * 4096 + u64::from(noise(page, 2)[0]) * 16 + u64::from(noise(page, 2)[1] % 16))
        .chain((0..pages).step_by(2).map(|page| page * 4096 + u64::from(noise(page, 1)[0] % 24)))
        .collect();
    for offset in &places {
        let dir = root.path().join(format!("flip-{offset}"));
        copy_files(&source, &dir);
        let offset = *offset;
        let db = file(&dir, "mirrorwatch.db");
        let mut byte = [0];
        db.read_exact_at(&mut byte, offset).unwrap();
        db.write_all_at(&[byte[0] ^ (1 << (offset % 8))], offset).unwrap();
        drop(db);
        let (_, report) = recovered(&dir, &before, &format!("byte {offset}"));
        moved += u64::from(report.quarantined.is_some());
        fs::remove_dir_all(&dir).unwrap();
    }
    println!("{moved} of {} flips made the file unusable as it was", places.len());
}

#[test]
fn a_damaged_log_is_told_and_what_was_checkpointed_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let live = root.path().join("live");
    let (mut store, _) = open(&live);
    // Without its log the file is older: rows may be as they were in any second.
    let mut ever = Loaded::default();
    for n in 0..SECONDS {
        let written = commit(n);
        store.commit(&written).unwrap();
        ever.intervals.extend(written.intervals);
        ever.misses.extend(written.misses);
        ever.segments.extend(written.segments);
        ever.events.extend(written.events);
        ever.sessions.extend(written.sessions);
        ever.evidence.extend(written.evidence);
        ever.sources.extend(written.sources);
    }
    let log_bytes = fs::metadata(live.join("mirrorwatch.db-wal")).unwrap().len() as usize;
    for (n, (what, bytes)) in
        [("garbage", noise(9, log_bytes)), ("zeroes", vec![0; log_bytes]), ("short", b"short".to_vec())]
            .into_iter()
            .enumerate()
    {
        let dir = root.path().join(n.to_string());
        copy_files(&live, &dir);
        overwrite(&dir, "mirrorwatch.db-wal", &bytes);
        let (_, report) = recovered(&dir, &ever, what);
        assert!(report.notes[0].contains("its log"), "{what}: {:?}", report.notes);
        let place = report.quarantined.unwrap();
        let log = format!("{}-wal", place.display());
        assert_eq!(fs::read(log).unwrap(), bytes, "{what}: the log is in quarantine as it was");
    }
    let dir = root.path().join("orphan");
    copy_files(&live, &dir);
    fs::remove_file(dir.join("mirrorwatch.db")).unwrap();
    let (_, report) = recovered(&dir, &ever, "a log without its database");
    assert!(report.notes[0].contains("is missing and its log is there"), "{:?}", report.notes);
}

#[test]
fn a_recovery_that_was_cut_off_is_finished() {
    let root = tempfile::tempdir().unwrap();
    let source = root.path().join("source");
    let before = whole(&source);
    // Cut off before the damaged file was moved: it is done again.
    let early = root.path().join("early");
    copy_files(&source, &early);
    file(&early, "mirrorwatch.db").set_len(8192).unwrap();
    fs::copy(source.join("mirrorwatch.db"), early.join("mirrorwatch.db.recovered")).unwrap();
    overwrite(&early, "mirrorwatch.db.building", b"half");
    let (loaded, _) = recovered(&early, &before, "early");
    assert!(loaded.intervals.len() < before.intervals.len());
    // Cut off after it: the copy takes its place, and a log that stayed behind is not applied to it.
    let late = root.path().join("late");
    fs::create_dir(&late).unwrap();
    fs::copy(source.join("mirrorwatch.db"), late.join("mirrorwatch.db.recovered")).unwrap();
    overwrite(&late, "mirrorwatch.db-wal", &noise(2, 9000));
    let (loaded, report) = recovered(&late, &before, "late");
    assert_eq!(loaded.intervals, before.intervals);
    assert!(report.notes[0].contains("finished a recovery"));
    assert!(late.join("quarantine").is_dir());
}

#[test]
fn damage_that_shows_only_when_rows_are_read_is_recovered_too() {
    let root = tempfile::tempdir().unwrap();
    let before = whole(root.path());
    let (mut store, report) = open(root.path());
    assert_eq!(report.quarantined, None);
    let size = fs::metadata(root.path().join("mirrorwatch.db")).unwrap().len();
    file(root.path(), "mirrorwatch.db").write_all_at(&noise(4, 16_384), size / 2 / 4096 * 4096).unwrap();
    let loaded = store.load().unwrap();
    assert!(loaded.notes[0].contains("recovered "), "{:?}", loaded.notes);
    assert!(loaded.intervals.len() > before.intervals.len() / 2 && loaded.intervals.len() < before.intervals.len());
    store.commit(&commit(SECONDS)).unwrap();
    drop(store);
    let (_, report) = open(root.path());
    assert_eq!(report.notes, Vec::<String>::new());
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("newer");
    whole(&dir);
    let db = rusqlite::Connection::open(dir.join("mirrorwatch.db")).unwrap();
    db.execute("UPDATE meta SET value = '2.3' WHERE key = 'program'", []).unwrap();
    db.pragma_update(None, "user_version", 7).unwrap();
    drop(db);
    let bytes = fs::read(dir.join("mirrorwatch.db")).unwrap();
    let error = SqliteStore::open(&dir, OpenOptions::at(NOW_MS)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "state: written by version 2.3 (schema 7); this is {} (schema 6). Start 2.3 or restore a backup; nothing was changed",
            env!("CARGO_PKG_VERSION")
        )
    );
    assert_eq!(error.exit_code(), 65);
    assert_eq!(fs::read(dir.join("mirrorwatch.db")).unwrap(), bytes);
    assert!(!dir.join("quarantine").exists());
}

/// Makes of the database what a program before evidence was kept has written.
fn as_schema_1(dir: &Path) {
    let db = rusqlite::Connection::open(dir.join("mirrorwatch.db")).unwrap();
    db.execute_batch("DROP TABLE evidence; DROP TABLE log; DROP TABLE peers").unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
}

#[test]
fn an_older_schema_is_brought_up_to_date_and_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("older");
    let before = Loaded { evidence: Vec::new(), closed_cleanly: true, ..whole(&dir) };
    as_schema_1(&dir);
    let damaged = root.path().join("damaged");
    copy_files(&dir, &damaged);
    let (mut store, report) = open(&dir);
    assert_eq!((report.notes, report.quarantined), (Vec::new(), None));
    assert!(store.load().unwrap() == before, "something differs");
    store.commit(&commit(SECONDS)).unwrap();
    assert_eq!(store.load().unwrap().evidence.len(), 2);

    // The same when it has to be salvaged first: the table that it lacks is not looked for.
    for (name, at) in [("middle", 82 * 4096), ("beginning", 0)] {
        let dir = root.path().join(name);
        copy_files(&damaged, &dir);
        file(&dir, "mirrorwatch.db").write_all_at(&noise(3, 4096), at).unwrap();
        let (loaded, report) = recovered(&dir, &before, name);
        assert!(report.quarantined.is_some() && loaded.intervals.len() > before.intervals.len() / 3, "{name}");
    }
}

#[test]
fn a_database_of_something_else_is_moved_aside() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("other");
    fs::create_dir(&dir).unwrap();
    let db = rusqlite::Connection::open(dir.join("mirrorwatch.db")).unwrap();
    db.execute_batch("CREATE TABLE wallet (coins)").unwrap();
    drop(db);
    let (_, report) = recovered(&dir, &Loaded::default(), "another program's");
    assert!(report.notes[0].contains("not a database of mirrorwatch"), "{:?}", report.notes);
}
