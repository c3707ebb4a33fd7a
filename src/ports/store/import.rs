//! Takes over what compare-plc saved in a directory: `totals.json` and its snapshots, `<unix ms>.json`.
//!
//! Looks at the directory alone, not below it, and at plain files of a bounded number and size. A file that is refused
//! is named with the reason and the rest is taken; every row has a key, so that the same directory again adds nothing.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};

use super::error::{StoreError, shown, shown_text};
use super::schema::{IMPORTED, IMPORTED_TOTALS};
use super::write::Upsert;
use crate::domain::compare_plc::{
    FILE_BYTES_MAX, Kind, Listed, MirrorFigures, MirrorTotals, Snapshot, kind_of, parse_snapshot, parse_totals,
};

/// Entries of the directory that are looked at.
pub const ENTRIES_MAX: usize = 200_000;
/// Refused files that the report names; more are counted.
pub const SKIPPED_NAMED_MAX: usize = 100;

/// One mirror in one snapshot of compare-plc, without its lists.
#[derive(Clone, PartialEq, Debug)]
pub struct ImportedRow {
    /// When the snapshot was taken (the end of its five minutes), UTC milliseconds.
    pub ts_ms: i64,
    /// Where the mirror is.
    pub source_url: String,
    /// As compare-plc worked it out, in its unit.
    pub coverage: Option<f64>,
    /// Operations that the mirror lacked.
    pub missed: u64,
    /// Operations that the mirror delivered.
    pub ops: u64,
    /// Operations that the primary delivered.
    pub primary_ops: u64,
    /// Operations listed as missed.
    pub missed_listed: u64,
    /// Operations listed as the mirror's alone.
    pub extra_listed: u64,
    /// Operations listed as late.
    pub late_listed: u64,
}

/// Lifetime figures of one mirror, as compare-plc kept them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportedTotals {
    /// Where the mirror is.
    pub source_url: String,
    /// Operations that the mirror delivered.
    pub ops: Option<u64>,
    /// Operations that the primary delivered.
    pub primary_ops: Option<u64>,
    /// Operations that the mirror lacked.
    pub missed: Option<u64>,
}

/// What an import did; printed as the terminal shows it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImportReport {
    /// The directory.
    pub from: String,
    /// Snapshots that are new.
    pub snapshots: u64,
    /// Snapshots that were here already.
    pub known: u64,
    /// Mirrors whose totals were taken over.
    pub totals: u64,
    /// Files that were refused, with the reason; [`SKIPPED_NAMED_MAX`] of them.
    pub skipped: Vec<(String, String)>,
    /// All files that were refused.
    pub skipped_count: u64,
    /// Files that are none of compare-plc's.
    pub foreign: u64,
    /// Whether the directory has more than [`ENTRIES_MAX`] entries.
    pub cut_off: bool,
    /// Where the files may be instead, when there were none.
    pub hint: Option<String>,
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, reason) in &self.skipped {
            writeln!(f, "import: {name}: skipped: {reason}")?;
        }
        let named = self.skipped.len() as u64;
        if self.skipped_count > named {
            writeln!(f, "import: {} more files skipped", self.skipped_count - named)?;
        }
        if self.cut_off {
            writeln!(f, "import: {}: more than {ENTRIES_MAX} entries; the rest was not looked at", self.from)?;
        }
        write!(
            f,
            "import: {}: {} snapshots imported, {} known already, totals of {} mirrors, {} files skipped, {} foreign files ignored",
            self.from, self.snapshots, self.known, self.totals, self.skipped_count, self.foreign
        )?;
        match &self.hint {
            Some(hint) => write!(f, "\nimport: {hint}"),
            None => Ok(()),
        }
    }
}

impl ImportReport {
    fn skip(&mut self, name: &str, reason: String) {
        self.skipped_count += 1;
        if self.skipped.len() < SKIPPED_NAMED_MAX {
            self.skipped.push((shown_text(name), reason));
        }
    }
}

/// Imports from `from` into the database `db`, which lies in `dir`; one transaction a file.
pub(super) fn import_directory(dir: &Path, db: &mut Connection, from: &Path) -> Result<ImportReport, StoreError> {
    let mut report = ImportReport { from: shown(from), ..ImportReport::default() };
    for (name, kind) in list(from, &mut report)? {
        let bytes = match read_bounded(&from.join(&name)) {
            Ok(bytes) => bytes,
            Err(reason) => {
                report.skip(&name, reason);
                continue;
            }
        };
        let failed = |error| StoreError::from_sqlite(dir, "importing", error);
        match kind {
            Kind::Snapshot => match parse_snapshot(name_ms(&name), &bytes) {
                Ok(snapshot) if keep_snapshot(db, &snapshot).map_err(failed)? => report.snapshots += 1,
                Ok(_) => report.known += 1,
                Err(reason) => report.skip(&name, reason.to_string()),
            },
            Kind::Totals => match parse_totals(&bytes) {
                Ok(totals) => {
                    keep_totals(db, &totals).map_err(failed)?;
                    report.totals += totals.len() as u64;
                }
                Err(reason) => report.skip(&name, reason.to_string()),
            },
        }
    }
    Ok(report)
}

/// Files of compare-plc in `from`, oldest first, the totals last.
fn list(from: &Path, report: &mut ImportReport) -> Result<Vec<(String, Kind)>, StoreError> {
    let failed = |source| StoreError::ImportFrom { dir: shown(from), source };
    let mut files = Vec::new();
    for (seen, entry) in fs::read_dir(from).map_err(failed)?.enumerate() {
        if seen >= ENTRIES_MAX {
            report.cut_off = true;
            break;
        }
        let name = entry.map_err(failed)?.file_name();
        match name.to_str().and_then(|name| Some((name.to_owned(), kind_of(name)?))) {
            Some(file) => files.push(file),
            None => report.foreign += 1,
        }
    }
    files.sort_by_key(|(name, kind)| (*kind, name_ms(name)));
    if files.is_empty() {
        report.hint = Some(nothing_there(from));
    }
    Ok(files)
}

fn nothing_there(from: &Path) -> String {
    let below: PathBuf = from.join("data");
    let nothing = "no totals.json and no <unix ms>.json here";
    if below.is_dir() { format!("{nothing}; did you mean {}?", shown(&below)) } else { nothing.to_owned() }
}

/// The time in a snapshot's name; 0 for other names.
fn name_ms(name: &str) -> i64 {
    name.strip_suffix(".json").and_then(|stem| stem.parse().ok()).unwrap_or(0)
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let found = fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("not a plain file".to_owned());
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("larger than {} MiB", FILE_BYTES_MAX >> 20));
    }
    Ok(bytes)
}

/// Keeps all mirrors of a snapshot; whether any of it is new.
fn keep_snapshot(db: &mut Connection, snapshot: &Snapshot) -> rusqlite::Result<bool> {
    let tx = db.transaction()?;
    let mut new = false;
    for mirror in &snapshot.mirrors {
        new |= keep_figures(&tx, snapshot.ts_ms, mirror)?;
    }
    tx.commit()?;
    Ok(new)
}

fn keep_figures(tx: &Connection, ts_ms: i64, mirror: &MirrorFigures) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM imported WHERE ts_ms = ?1 AND source_url = ?2";
    let known: Option<i64> =
        tx.prepare_cached(sql)?.query_row(params![ts_ms, mirror.url], |row| row.get(0)).optional()?;
    if known.is_some() {
        return Ok(false);
    }
    let cids = |list: &Listed| serde_json::json!(list.cids);
    let detail = serde_json::json!({
        "missed": cids(&mirror.missed_cids),
        "extra": cids(&mirror.extra_cids),
        "late": cids(&mirror.late_cids),
    });
    Upsert::into(tx, &IMPORTED).row(&[
        &ts_ms,
        &mirror.url,
        &mirror.coverage,
        &(mirror.missed as i64),
        &(mirror.ops as i64),
        &(mirror.primary_ops as i64),
        &(mirror.missed_cids.count as i64),
        &(mirror.extra_cids.count as i64),
        &(mirror.late_cids.count as i64),
        &detail.to_string(),
    ])?;
    Ok(true)
}

fn keep_totals(db: &mut Connection, totals: &[MirrorTotals]) -> rusqlite::Result<()> {
    let tx = db.transaction()?;
    let upsert = Upsert::into(&tx, &IMPORTED_TOTALS);
    for mirror in totals {
        let detail = serde_json::json!(mirror.numbers).to_string();
        let [ops, primary_ops, missed] =
            [mirror.ops, mirror.primary_ops, mirror.missed].map(|count| count.map(|count| count as i64));
        upsert.row(&[&mirror.url, &ops, &primary_ops, &missed, &detail])?;
    }
    tx.commit()
}
