//! The store on disk: one `SQLite` file in the data directory, held by one lock and written by one thread.
//!
//! Opening takes the lock, then sees to it that the file is sound (or replaced by what can be read of it). A commit is
//! one transaction, synced before it returns. Never deletes a damaged file and never begins anew without saying so.

use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

use super::directory;
use super::error::StoreError;
use super::import::{self, ImportReport};
use super::lock::DirectoryLock;
use super::schema::{self, PROGRAM};
use super::{
    Commit, IntervalQuery, IntervalRow, Loaded, LogEnd, LogPage, LogRow, MissQuery, MissRow, PeerMarks, PrunePlan,
    PruneReport, Store, Tier, log, peers, read, recover, write,
};

/// How much of what is kept [`Store::load`] brings back; the newest of each.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct LoadLimits {
    /// Spans of each tier; the default holds 30 days of 300 s at 64 mirrors.
    pub intervals_per_tier: usize,
    /// Link sessions of each source.
    pub sessions_per_source: usize,
    /// Events.
    pub events: usize,
    /// Older events that tell of states of mirrors and of times in which nobody looked.
    pub changes: usize,
    /// Misses and extras of each source.
    pub misses_per_source: usize,
    /// Evidence of all sources together, fairly shared.
    pub evidence: usize,
    /// Rows of compare-plc, of all mirrors together.
    pub imported: usize,
}

impl Default for LoadLimits {
    fn default() -> LoadLimits {
        LoadLimits {
            intervals_per_tier: 600_000,
            sessions_per_source: 2_048,
            events: 2_000,
            changes: 1_000,
            misses_per_source: 1_000,
            evidence: 16_384,
            imported: 20_000,
        }
    }
}

/// What opening needs to know of the world.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct OpenOptions {
    /// UTC now, milliseconds since 1970: stamps the lock and the quarantine.
    pub now_utc_ms: i64,
    /// Our process, for the message that a second instance prints.
    pub pid: u32,
    /// How much is loaded.
    pub limits: LoadLimits,
}

impl OpenOptions {
    /// This process at `now_utc_ms`, with the default limits.
    #[must_use]
    pub fn at(now_utc_ms: i64) -> OpenOptions {
        OpenOptions { now_utc_ms, pid: std::process::id(), limits: LoadLimits::default() }
    }
}

/// What opening found and did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OpenReport {
    /// There was no database before.
    pub created: bool,
    /// Where a damaged database went, if there was one.
    pub quarantined: Option<PathBuf>,
    /// One line for each thing that a user should know: for stderr, the event log and the internals page.
    pub notes: Vec<String>,
}

/// The store in a data directory. The lock is held as long as it lives.
#[derive(Debug)]
pub struct SqliteStore {
    dir: PathBuf,
    db: Connection,
    opened_ms: i64,
    limits: LoadLimits,
    _lock: DirectoryLock,
}

impl SqliteStore {
    /// Opens the store in `dir`, which is made when it lacks.
    ///
    /// # Errors
    /// When the directory cannot be used, is in use, or holds a file of a newer program; each with its exit code.
    /// Damage is no error: it is in the report.
    pub fn open(dir: &Path, options: OpenOptions) -> Result<(SqliteStore, OpenReport), StoreError> {
        directory::prepare(dir)?;
        let lock = DirectoryLock::take(dir, options.pid, &since(options.now_utc_ms))?;
        let outcome = recover::make_usable(dir, options.now_utc_ms)?;
        let db = connect(dir)?;
        let failed = |error| StoreError::from_sqlite(dir, "opening", error);
        log::begin(&db, options.now_utc_ms, outcome.quarantined.is_some()).map_err(failed)?;
        let mut notes = outcome.notes;
        notes.extend(directory::foreign(dir));
        let report = OpenReport { created: outcome.created, quarantined: outcome.quarantined, notes };
        let store = SqliteStore {
            dir: dir.to_path_buf(),
            db,
            opened_ms: options.now_utc_ms,
            limits: options.limits,
            _lock: lock,
        };
        Ok((store, report))
    }

    /// Takes over what compare-plc saved in `from`; doing it again changes nothing.
    ///
    /// # Errors
    /// When `from` cannot be listed or the store cannot be written; a file that is refused is in the report.
    pub fn import(&mut self, from: &Path) -> Result<ImportReport, StoreError> {
        import::import_directory(&self.dir, &mut self.db, from)
    }

    /// Loads once more, from what can be read of a file that passed the check and is damaged all the same.
    fn load_recovered(&mut self, detail: &str) -> Result<Loaded, StoreError> {
        let nothing = Connection::open_in_memory().map_err(self.failed("loading"))?;
        let damaged = std::mem::replace(&mut self.db, nothing);
        damaged.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(self.failed("loading"))?;
        drop(damaged);
        let mut outcome = recover::Outcome::default();
        recover::replace(&self.dir, self.opened_ms, detail, &mut outcome)?;
        self.db = connect(&self.dir)?;
        log::begin(&self.db, self.opened_ms, true).map_err(self.failed("loading"))?;
        let mut loaded = read::all(&self.db, &self.limits).map_err(self.failed("loading"))?;
        outcome.notes.append(&mut loaded.notes);
        loaded.notes = outcome.notes;
        Ok(loaded)
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError + use<> {
        let dir = self.dir.clone();
        move |error| StoreError::from_sqlite(&dir, doing, error)
    }

    /// Runs `work` in one transaction, which is undone when it fails.
    fn transact<T>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let failed = self.failed(doing);
        let run = || {
            let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&tx)?;
            tx.commit()?;
            Ok(done)
        };
        run().map_err(failed)
    }
}

fn connect(dir: &Path) -> Result<Connection, StoreError> {
    let failed = |error| StoreError::from_sqlite(dir, "opening", error);
    let mut db = Connection::open_with_flags(directory::database(dir), schema::READ_WRITE).map_err(failed)?;
    schema::tune(&db).map_err(failed)?;
    schema::migrate(&mut db).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => failed(err),
        other => failed(rusqlite::Error::ToSqlConversionFailure(Box::new(other))),
    })?;
    let noted = "INSERT INTO meta (key, value) VALUES ('program', ?1)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value <> excluded.value";
    db.execute(noted, [PROGRAM]).map_err(failed)?;
    Ok(db)
}

/// UTC to the second, as the lock and its message have it.
fn since(utc_ms: i64) -> String {
    let seconds: String = crate::domain::time::rfc3339_ms(utc_ms).chars().take(19).collect();
    format!("{seconds}Z")
}

impl Store for SqliteStore {
    fn load(&mut self) -> Result<Loaded, StoreError> {
        let failed = self.failed("loading");
        match read::all(&self.db, &self.limits).map_err(failed) {
            Err(StoreError::Damaged { detail, .. }) => self.load_recovered(&detail),
            loaded => loaded,
        }
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        self.transact("committing", |tx| write::all(tx, commit))
    }

    fn prune(&mut self, plan: &PrunePlan) -> Result<PruneReport, StoreError> {
        self.transact("pruning", |tx| write::prune(tx, plan))
    }

    fn misses_page(&mut self, query: &MissQuery) -> Result<Vec<MissRow>, StoreError> {
        read::misses_page(&self.db, query).map_err(self.failed("reading misses"))
    }

    fn intervals_page(&mut self, query: &IntervalQuery) -> Result<Vec<IntervalRow>, StoreError> {
        read::intervals_page(&self.db, query).map_err(self.failed("reading intervals"))
    }

    fn first_interval_ms(&mut self, tier: Tier) -> Result<Option<i64>, StoreError> {
        read::first_interval_ms(&self.db, tier).map_err(self.failed("reading intervals"))
    }

    fn log_append(&mut self, rows: &[LogRow]) -> Result<i64, StoreError> {
        self.transact("appending to the log", |tx| {
            log::append(tx, rows)?;
            log::head(tx)
        })
    }

    fn log_page(&mut self, after: i64, limit: usize, bytes_max: usize) -> Result<LogPage, StoreError> {
        log::page(&self.db, after, limit, bytes_max).map_err(self.failed("reading the log"))
    }

    fn log_newest(&mut self, kind: &str, limit: usize) -> Result<Vec<LogRow>, StoreError> {
        log::newest(&self.db, kind, limit).map_err(self.failed("reading the log"))
    }

    fn log_end(&mut self, node: &str) -> Result<LogEnd, StoreError> {
        log::end(&self.db, node).map_err(self.failed("reading the log"))
    }

    fn peer_marks(&mut self) -> Result<Vec<PeerMarks>, StoreError> {
        peers::all(&self.db).map_err(self.failed("reading marks of peers"))
    }

    fn mark_peer(&mut self, marks: &PeerMarks) -> Result<(), StoreError> {
        self.transact("marking a peer", |tx| peers::mark(tx, marks))
    }

    fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        let closed = self.transact("closing", |tx| {
            let sql = "INSERT OR REPLACE INTO meta (key, value) SELECT 'closed_tau', tau_ns FROM heartbeat";
            tx.execute(sql, []).map(drop)
        });
        let failed = self.failed("closing");
        let ended = self.db.close().map_err(|(_, error)| failed(error));
        closed.and(ended)
    }
}
