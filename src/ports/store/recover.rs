//! Makes the database in a data directory usable: makes a new one, or replaces a damaged one by what can be read of it.
//!
//! A database appears under its name only when it is whole: it is built under another, synced and renamed. Damage is
//! replaced in four steps, each of which may be the last before a crash: build the copy, name it as finished, move the
//! damaged file and its companions to `quarantine/`, give the copy its name. Deletes nothing but its own scratch.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::directory::{self, BUILDING, COMPANIONS, DATABASE, QUARANTINE, RECOVERED, SCRATCH, beside, database};
use super::error::{StoreError, shown, shown_text};
use super::salvage::{self, Salvaged};
use super::schema::{APPLICATION_ID, CURRENT, PROGRAM, READ_WRITE, SALVAGED, SCHEMA_PLAUSIBLE_MAX, migrate};
use super::wal::{self, WalState};

/// First bytes of every `SQLite` file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Bytes of a page of ours, `SQLite`'s default.
pub(super) const PAGE_BYTES: usize = 4096;

/// What was found and done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Outcome {
    /// There was no database before.
    pub(super) created: bool,
    /// Lines for the user.
    pub(super) notes: Vec<String>,
    /// Where damaged files went.
    pub(super) quarantined: Option<PathBuf>,
}

/// Sees to it that `dir` holds a sound database; the caller holds the lock.
pub(super) fn make_usable(dir: &Path, now_ms: i64) -> Result<Outcome, StoreError> {
    for scratch in [BUILDING, SCRATCH] {
        remove(&dir.join(scratch))?;
    }
    let mut outcome = Outcome::default();
    let path = database(dir);
    if !exists(&path) {
        quarantine_orphans(dir, now_ms, &mut outcome)?;
        if exists(&dir.join(RECOVERED)) {
            rename(&dir.join(RECOVERED), &path)?;
            directory::sync(dir)?;
            outcome.notes.push("state: mirrorwatch.db: finished a recovery that was cut off".to_owned());
        } else {
            build(dir, now_ms, |_| Ok(()))?;
            rename(&dir.join(BUILDING), &path)?;
            directory::sync(dir)?;
            outcome.created = true;
            return Ok(outcome);
        }
    }
    remove(&dir.join(RECOVERED))?;
    if let Some(reason) = damage(dir)? {
        replace(dir, now_ms, &reason, &mut outcome)?;
    }
    Ok(outcome)
}

/// Why the database cannot be used; `None` when it can.
fn damage(dir: &Path) -> Result<Option<String>, StoreError> {
    let path = database(dir);
    if path.is_dir() {
        return Ok(Some("a directory is in its place".to_owned()));
    }
    if let Some(reason) = damaged_header(&path)? {
        return Ok(Some(reason));
    }
    match wal::inspect(&beside(&path, "-wal")) {
        Ok(WalState::Damaged(reason)) => return Ok(Some(reason)),
        Ok(WalState::Absent | WalState::Sound) => {}
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            return Ok(Some("a directory is in the place of its log".to_owned()));
        }
        Err(error) => return Err(StoreError::from_io(&path, "cannot read its log", error)),
    }
    match check(&path) {
        Ok(Health::Sound) => Ok(None),
        Ok(Health::Damaged(reason)) => Ok(Some(reason)),
        Ok(Health::Newer { theirs, their_schema }) => {
            Err(StoreError::NewerSchema { theirs, their_schema, ours: PROGRAM, our_schema: CURRENT })
        }
        Err(error) if is_damage(&error) => Ok(Some(error.to_string())),
        Err(error) => Err(StoreError::from_sqlite(dir, "checking", error)),
    }
}

fn damaged_header(path: &Path) -> Result<Option<String>, StoreError> {
    let mut header = Vec::new();
    fs::File::open(path).and_then(|file| file.take(100).read_to_end(&mut header)).map_err(|error| {
        match error.kind() {
            io::ErrorKind::PermissionDenied => directory::refused(path, error),
            _ => StoreError::from_io(path, "cannot read", error),
        }
    })?;
    Ok(if header.is_empty() {
        Some("it is empty".to_owned())
    } else if header.iter().all(|byte| *byte == 0) {
        Some("it begins with zeroes".to_owned())
    } else if header.len() < 100 || !header.starts_with(MAGIC) {
        Some("it is not a database".to_owned())
    } else {
        None
    })
}

enum Health {
    Sound,
    Damaged(String),
    Newer { theirs: String, their_schema: i64 },
}

/// Checks a database by `SQLite`'s own means; leaves it and its log unchanged.
fn check(path: &Path) -> rusqlite::Result<Health> {
    let db = Connection::open_with_flags(path, READ_WRITE)?;
    let log_bytes = fs::metadata(beside(path, "-wal")).map_or(0, |found| found.len());
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, log_bytes > 0)?;
    let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let schema: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if application != APPLICATION_ID || !(1..=SCHEMA_PLAUSIBLE_MAX).contains(&schema) {
        return Ok(Health::Damaged("it is not a database of mirrorwatch".to_owned()));
    }
    if schema > CURRENT {
        let theirs = super::read::meta(&db, "program").ok().flatten();
        let theirs = theirs.map_or_else(|| "a newer one".to_owned(), |text| shown_text(&text));
        return Ok(Health::Newer { theirs, their_schema: schema });
    }
    // Not quick_check: an index that disagrees with its table would let a row in twice, and so count it twice.
    let found: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        let line = found.lines().filter(|line| !line.starts_with("***")).collect::<Vec<_>>().join("; ");
        return Ok(Health::Damaged(shown_text(&line)));
    }
    for table in SALVAGED.iter().filter(|table| table.since <= schema) {
        let select = format!("SELECT {}, {}, crc FROM {}", table.key, table.columns, table.name);
        match db.prepare(&select).map(drop) {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::Unknown) => {
                return Ok(Health::Damaged(format!("table {} is missing", table.name)));
            }
            // What cannot be read just now is not missing.
            other => other?,
        }
    }
    Ok(Health::Sound)
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, SystemIoFailure};
    match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => true,
        // A file that ends within a page; a failing disk is another matter.
        Some(SystemIoFailure) => {
            error.sqlite_error().is_some_and(|found| found.extended_code == rusqlite::ffi::SQLITE_IOERR_SHORT_READ)
        }
        _ => matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..)
        ),
    }
}

/// Builds a new database under the name [`BUILDING`], filled by `fill`, whole and synced when this returns.
pub(super) fn build<T>(
    dir: &Path,
    now_ms: i64,
    fill: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
) -> Result<T, StoreError> {
    let path = dir.join(BUILDING);
    let made = match directory::create_private(&path) {
        Err(StoreError::Create { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            return Err(directory::refused(dir, source));
        }
        created => created?,
    };
    let filled = (|| {
        let mut db = Connection::open_with_flags(&path, READ_WRITE)?;
        db.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
        db.pragma_update(None, "journal_mode", "OFF")?;
        db.pragma_update(None, "synchronous", "OFF")?;
        db.pragma_update(None, "application_id", APPLICATION_ID)?;
        migrate(&mut db).map_err(|error| match error {
            rusqlite_migration::Error::RusqliteError { err, .. } => err,
            other => rusqlite::Error::ToSqlConversionFailure(Box::new(other)),
        })?;
        let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)";
        db.execute(sql, ["program", PROGRAM])?;
        db.execute(sql, ["created_ms", &now_ms.to_string()])?;
        let filled = fill(&mut db)?;
        db.close().map_err(|(_, error)| error)?;
        Ok(filled)
    })()
    .map_err(|error| StoreError::from_sqlite(dir, "building a new database", error))?;
    made.sync_all().map_err(|error| StoreError::from_io(&path, "cannot sync", error))?;
    Ok(filled)
}

/// Replaces the database by what can be read of it; no connection to it is open.
pub(super) fn replace(dir: &Path, now_ms: i64, reason: &str, outcome: &mut Outcome) -> Result<(), StoreError> {
    let source = super::transplant::readable(dir, now_ms);
    let salvaged = build(dir, now_ms, |new| {
        let salvaged = match &source {
            Some(old) => salvage::copy(old, new)?,
            None => Vec::new(),
        };
        if salvaged.iter().all(|table| table.rows == 0) {
            let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES ('restarted_ms', ?1)";
            new.execute(sql, [now_ms.to_string()])?;
        }
        let sql = "INSERT OR REPLACE INTO meta (key, value) SELECT 'recovered_tau', tau_ns FROM heartbeat";
        new.execute(sql, [])?;
        Ok(salvaged)
    })?;
    drop(source);
    remove(&dir.join(SCRATCH))?;
    rename(&dir.join(BUILDING), &dir.join(RECOVERED))?;
    directory::sync(dir)?;
    let moved = quarantine(dir, now_ms)?;
    rename(&dir.join(RECOVERED), &database(dir))?;
    directory::sync(dir)?;
    outcome.notes.push(told(reason, &salvaged, &moved, now_ms));
    outcome.quarantined = Some(moved);
    Ok(())
}

fn told(reason: &str, salvaged: &[Salvaged], moved: &Path, now_ms: i64) -> String {
    let name = moved.file_name().unwrap_or_default().to_string_lossy();
    if salvaged.iter().all(|table| table.rows == 0) {
        let day: String = crate::domain::time::rfc3339_ms(now_ms).chars().take(10).collect();
        return format!(
            "state: {DATABASE} unreadable ({reason}); starting empty; lifetime totals start again at {day} and are \
             marked so; the old file is in {QUARANTINE}/{name}"
        );
    }
    let parts: Vec<String> = salvaged
        .iter()
        .filter(|table| table.rows > 0 || table.of != Some(0))
        .map(|table| match table.of {
            Some(of) => format!("{} of {of} {}", table.rows, table.noun),
            None => format!("{} {} (of how many cannot be told)", table.rows, table.noun),
        })
        .collect();
    format!(
        "state: {DATABASE}: damaged ({reason}); recovered {}; the damaged file is in {QUARANTINE}/{name}",
        parts.join(", ")
    )
}

/// Moves the database and what belongs to it to the quarantine; the new place of the database.
fn quarantine(dir: &Path, now_ms: i64) -> Result<PathBuf, StoreError> {
    let place = free_place(dir, now_ms)?;
    rename(&database(dir), &place)?;
    for ending in COMPANIONS {
        let companion = beside(&database(dir), ending);
        if exists(&companion) {
            rename(&companion, &beside(&place, ending))?;
        }
    }
    directory::sync(&dir.join(QUARANTINE))?;
    directory::sync(dir)?;
    Ok(place)
}

/// A log without its database would be applied to the next one, or deleted by it: it is moved away and named.
fn quarantine_orphans(dir: &Path, now_ms: i64, outcome: &mut Outcome) -> Result<(), StoreError> {
    let finishing = exists(&dir.join(RECOVERED));
    let mut place = None;
    for ending in COMPANIONS {
        let companion = beside(&database(dir), ending);
        if exists(&companion) {
            let target = match &place {
                Some(target) => target,
                None => place.insert(free_place(dir, now_ms)?),
            };
            rename(&companion, &beside(target, ending))?;
        }
    }
    if let Some(place) = place {
        directory::sync(dir)?;
        if !finishing {
            outcome.notes.push(format!(
                "state: {DATABASE} is missing and its log is there: the log alone cannot be read and is in {QUARANTINE}/"
            ));
            outcome.quarantined = Some(place);
        }
    }
    Ok(())
}

/// A name in the quarantine that nothing has yet.
fn free_place(dir: &Path, now_ms: i64) -> Result<PathBuf, StoreError> {
    let quarantine = dir.join(QUARANTINE);
    match fs::DirBuilder::new().mode(0o700).create(&quarantine) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && quarantine.is_dir() => {}
        Err(error) => return Err(StoreError::Create { path: shown(&quarantine), source: error }),
    }
    let seconds: String = crate::domain::time::rfc3339_ms(now_ms).chars().take(19).collect();
    let stamp = format!("{}Z", seconds.replace(['-', ':'], ""));
    let taken = |place: &Path| exists(place) || COMPANIONS.iter().any(|ending| exists(&beside(place, ending)));
    let first = quarantine.join(format!("{DATABASE}.{stamp}"));
    if !taken(&first) {
        return Ok(first);
    }
    (2..10_000_u32)
        .map(|n| quarantine.join(format!("{DATABASE}.{stamp}.{n}")))
        .find(|place| !taken(place))
        .ok_or_else(|| StoreError::Create { path: shown(&first), source: io::ErrorKind::AlreadyExists.into() })
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|error| StoreError::from_io(from, "cannot be moved", error))
}

/// Removes scratch of ours and its companions.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    let all = std::iter::once(path.to_path_buf()).chain(COMPANIONS.iter().map(|ending| beside(path, ending)));
    for file in all {
        match fs::remove_file(&file) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::from_io(&file, "cannot be removed", error)),
        }
    }
    Ok(())
}
