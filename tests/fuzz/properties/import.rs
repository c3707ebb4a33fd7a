//! The files of compare-plc: one is taken over whole or refused with the reason, and those beside it are taken over
//! whatever it is.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use mirrorwatch::domain::compare_plc::{
    LISTED_MAX, Listed, MIRRORS_MAX, Snapshot, URL_CHARS_MAX, parse_snapshot, parse_totals,
};
use mirrorwatch::ports::store::{ImportReport, ImportedRow, Store};
use mirrorwatch::ports::store::{OpenOptions, SqliteStore};
use serde_json::Value;

use super::reference::assert_line;

/// The time in the name of the file that is looked at.
const NAMED_MS: i64 = 1_763_790_000_000;
/// The times of the files beside it.
const GOOD_MS: [i64; 3] = [1_763_700_000_000, 1_763_700_300_000, 1_763_790_300_000];
/// Longest text of a refusal, in characters: a foreign key of 80, each escaped at worst, and a few words.
const REFUSAL_CHARS_MAX: usize = 900;
/// Imports into one store, so that it stays small.
const IMPORTS_MAX: usize = 100;

/// A `<unix ms>.json`, and the same as a `totals.json`.
pub fn import(data: &[u8]) {
    match parse_snapshot(NAMED_MS, data) {
        Ok(snapshot) => as_written(&snapshot, data),
        Err(reason) => assert_line(&reason.to_string(), REFUSAL_CHARS_MAX),
    }
    STORE.with_borrow_mut(|beside| {
        if beside.as_ref().is_none_or(|beside| beside.imports >= IMPORTS_MAX) {
            *beside = Some(Beside::new());
        }
        if let Some(beside) = beside {
            beside.imports += 1;
            beside.snapshot(data);
            beside.totals(data);
        }
    });
}

/// Everything that is kept of a snapshot stands in the file.
fn as_written(snapshot: &Snapshot, data: &[u8]) {
    let root: Value = serde_json::from_slice(data).expect("a snapshot is JSON");
    assert_eq!(root.get("ts").map_or(Some(NAMED_MS as f64), Value::as_f64), Some(snapshot.ts_ms as f64));
    let mirrors = root["mirrors"].as_object().expect("mirrors");
    assert!(mirrors.len() <= MIRRORS_MAX && snapshot.mirrors.len() == mirrors.len());
    assert!(!mirrors.is_empty(), "there is nothing to keep of it");
    for mirror in &snapshot.mirrors {
        assert!(mirror.url.chars().count() <= URL_CHARS_MAX);
        let entry = &mirrors[&mirror.url];
        let count = |key: &str| entry[key].as_f64().map(|count| count as u64);
        let counts = [Some(mirror.missed), Some(mirror.ops), Some(mirror.primary_ops)];
        assert_eq!(counts, ["missed", "ops", "primaryOps"].map(count));
        assert_eq!(mirror.coverage, entry["coverage"].as_f64());
        let lists =
            [("missedCids", &mirror.missed_cids), ("extraCids", &mirror.extra_cids), ("lateCids", &mirror.late_cids)];
        for (key, list) in lists {
            listed(list, &entry[key]);
        }
    }
}

fn listed(list: &Listed, entry: &Value) {
    let empty = serde_json::Map::new();
    let written = entry.as_object().unwrap_or(&empty);
    let count: usize = written.values().map(|cids| cids.as_array().map_or(0, Vec::len)).sum();
    let kept: usize = list.cids.values().map(Vec::len).sum();
    assert_eq!((list.count, kept), (count as u64, count.min(LISTED_MAX)));
    let is_written = |(did, cids): (&String, &Vec<String>)| {
        cids.iter().zip(written[did].as_array().into_iter().flatten()).all(|(kept, written)| written == kept)
    };
    assert!(list.cids.iter().all(is_written));
}

thread_local! {
    static STORE: RefCell<Option<Beside>> = const { RefCell::new(None) };
}

/// A store into which good files were imported, and a directory in which another one lies beside them.
struct Beside {
    root: tempfile::TempDir,
    store: SqliteStore,
    good: Vec<ImportedRow>,
    imports: usize,
}

impl Beside {
    fn new() -> Beside {
        let root = tempfile::tempdir().expect("a directory");
        let old = root.path().join("old");
        std::fs::create_dir(&old).expect("a directory");
        for (missed, ts) in GOOD_MS.into_iter().enumerate() {
            let figures = serde_json::json!({ "coverage": 99.5, "missed": missed, "ops": 398, "primaryOps": 400,
                "missedCids": { "did:plc:x": ["c1"] }, "extraCids": {}, "lateCids": {} });
            let snapshot = serde_json::json!({ "ts": ts, "mirrors": { "wss://good.example": figures } });
            put(&old, &format!("{ts}.json"), snapshot.to_string().as_bytes());
        }
        let options = OpenOptions::at(GOOD_MS[2]);
        let (mut store, _) = SqliteStore::open(&root.path().join("data"), options).expect("a store");
        let report = store.import(&old).expect("an import");
        assert_eq!((report.snapshots, report.skipped_count), (GOOD_MS.len() as u64, 0));
        let good = store.load().expect("what is kept").imported;
        Beside { root, store, good, imports: 0 }
    }

    /// Imports the good files with `data` beside them; all of these are known, whatever `data` is.
    fn import(&mut self, name: &str, data: &[u8]) -> ImportReport {
        let old = self.root.path().join("old");
        put(&old, name, data);
        let report = self.store.import(&old).expect("an import");
        std::fs::remove_file(old.join(name)).expect("it was there");
        let told = report.to_string();
        told.lines().for_each(|line| assert_line(line, REFUSAL_CHARS_MAX));
        assert_eq!(told.lines().count() as u64, 1 + report.skipped_count);
        report
    }

    fn kept(&mut self) -> BTreeMap<(i64, String), ImportedRow> {
        let rows = self.store.load().expect("what is kept").imported;
        let rows: BTreeMap<_, _> = rows.into_iter().map(|row| ((row.ts_ms, row.source_url.clone()), row)).collect();
        for good in &self.good {
            assert_eq!(rows.get(&(good.ts_ms, good.source_url.clone())), Some(good), "what was good is kept as it was");
        }
        rows
    }

    fn snapshot(&mut self, data: &[u8]) {
        let name = format!("{NAMED_MS}.json");
        let report = self.import(&name, data);
        let rows = self.kept();
        let taken = report.snapshots + report.known - GOOD_MS.len() as u64;
        match parse_snapshot(NAMED_MS, data) {
            Ok(snapshot) => {
                assert_eq!((taken, report.skipped_count), (1, 0));
                let is_kept = |url: &String| rows.contains_key(&(snapshot.ts_ms, url.clone()));
                assert!(snapshot.mirrors.iter().all(|mirror| is_kept(&mirror.url)), "a mirror is not kept");
            }
            Err(reason) => {
                assert_eq!((taken, report.skipped_count), (0, 1));
                assert_eq!(report.skipped, [(name, reason.to_string())]);
            }
        }
    }

    fn totals(&mut self, data: &[u8]) {
        let report = self.import("totals.json", data);
        assert_eq!(report.known, GOOD_MS.len() as u64);
        self.kept();
        let kept = self.store.load().expect("what is kept").imported_totals;
        match parse_totals(data) {
            Ok(totals) => {
                assert_eq!((report.totals, report.skipped_count), (totals.len() as u64, 0));
                for total in totals {
                    let row = kept.iter().find(|row| row.source_url == total.url).expect("its totals are kept");
                    assert_eq!((row.ops, row.primary_ops, row.missed), (total.ops, total.primary_ops, total.missed));
                    let numbers = total.numbers.values().all(|number| number.is_finite());
                    assert!(numbers && total.ops.or(total.primary_ops).or(total.missed).is_some());
                }
            }
            Err(reason) => {
                assert_eq!((report.totals, report.skipped_count), (0, 1));
                assert_line(&reason.to_string(), REFUSAL_CHARS_MAX);
            }
        }
    }
}

fn put(dir: &Path, name: &str, data: &[u8]) {
    std::fs::write(dir.join(name), data).expect("a scratch file");
}
