//! What compare-plc saved comes over once, and what it cannot have meant is named.

use std::fs;
use std::path::Path;

use super::sample::open;
use crate::ports::store::Store;

fn put(dir: &Path, name: &str, text: &str) {
    #[expect(clippy::disallowed_methods, reason = "scratch of a test")]
    fs::write(dir.join(name), text).unwrap();
}

fn snapshot(ts: i64, missed: u32) -> String {
    format!(
        r#"{{"ts":{ts},"mirrors":{{"wss://a.example":{{"coverage":99.5,"missed":{missed},"ops":398,"primaryOps":400,
        "missedCids":{{"did:plc:x":["c1","c2"]}},"extraCids":{{}},"lateCids":{{"did:plc:y":["c3"]}}}},
        "wss://b.example":{{"coverage":null,"missed":0,"ops":0,"primaryOps":400,"missedCids":{{}},"extraCids":{{}},"lateCids":{{}}}}}}}}"#
    )
}

#[test]
fn takes_over_what_it_can_and_names_the_rest() {
    let root = tempfile::tempdir().unwrap();
    let from = root.path().join("old");
    fs::create_dir(&from).unwrap();
    for n in 0..5 {
        put(
            &from,
            &format!("{}.json", 1_763_700_000_000_i64 + n * 300_000),
            &snapshot(1_763_700_000_000 + n * 300_000, 2),
        );
    }
    put(&from, "totals.json", r#"{"wss://a.example":{"ops":1990,"primaryOps":2000,"missed":10}}"#);
    put(&from, "1763790000000.json", "");
    put(&from, "1763790000001.json", "null");
    put(&from, "1763790000002.json", "[1,2]");
    put(&from, "1763790000003.json", "{\"ts\":1763790000003,");
    fs::create_dir(from.join("1763790000004.json")).unwrap();
    put(&from, "README.md", "not ours");
    let (mut store, _) = open(&root.path().join("data"));
    let report = store.import(&from).unwrap();
    assert_eq!((report.snapshots, report.known, report.totals), (5, 0, 1));
    assert_eq!((report.skipped_count, report.foreign), (5, 1));
    let text = report.to_string();
    for line in [
        "import: 1763790000000.json: skipped: empty file\n",
        "import: 1763790000001.json: skipped: null\n",
        "import: 1763790000002.json: skipped: file: expected an object; found a list\n",
        "import: 1763790000003.json: skipped: line 1, column 20: not JSON\n",
        "import: 1763790000004.json: skipped: not a plain file\n",
        "5 snapshots imported, 0 known already, totals of 1 mirrors, 5 files skipped, 1 foreign files ignored",
    ] {
        assert!(text.contains(line), "{line:?} is not in {text}");
    }
    let loaded = store.load().unwrap();
    assert_eq!((loaded.imported.len(), loaded.imported_totals.len()), (10, 1));
    assert!(loaded.imported.is_sorted_by_key(|row| (row.ts_ms, row.source_url.clone())));
    let first = &loaded.imported[0];
    assert_eq!((first.missed, first.ops, first.primary_ops), (2, 398, 400));
    assert_eq!((first.missed_listed, first.extra_listed, first.late_listed), (2, 0, 1));
    assert_eq!(loaded.imported_totals[0].primary_ops, Some(2000));

    put(&from, "1763791000000.json", &snapshot(1_763_791_000_000, 3));
    let again = store.import(&from).unwrap();
    assert_eq!((again.snapshots, again.known, again.skipped_count), (1, 5, 5));
    let after = store.load().unwrap();
    assert_eq!(after.imported.len(), 12);
    assert_eq!(after.imported[..10], loaded.imported[..]);
    assert_eq!(after.imported_totals, loaded.imported_totals);
}

#[test]
fn says_where_the_files_may_be() {
    let root = tempfile::tempdir().unwrap();
    let (mut store, _) = open(&root.path().join("data"));
    let error = store.import(&root.path().join("none")).unwrap_err();
    assert_eq!(error.exit_code(), 66);
    let hint = store.import(root.path()).unwrap().hint.unwrap();
    assert!(hint.contains("did you mean") && hint.ends_with("/data?"), "{hint}");
}
