//! The shape of the database file.
//!
//! Migrations are only ever appended; the number of those applied is `SQLite`'s `user_version`. The table `meta` keeps
//! its shape for ever, so that an older program can say which version wrote a file that it cannot read.

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

/// `MiWa`, in the header of every file of ours.
pub(super) const APPLICATION_ID: i32 = 0x4d69_5761;

/// Version of this program, as it is written into the file.
pub(super) const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// A schema number above this is damage rather than a newer program.
pub(super) const SCHEMA_PLAUSIBLE_MAX: i64 = 10_000;

const STEPS: &[M<'static>] = &[
    M::up(FIRST),
    M::up(EVIDENCE_TABLE),
    M::up(LOG_OF_NODES),
    M::up(LOG_BY_NUMBER),
    M::up(PEERS_TABLE),
    M::up(PEERS_BY_ADDRESS),
];

/// The newest schema that this program knows.
pub(super) const CURRENT: i64 = STEPS.len() as i64;

const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);

/// Every table with rows worth salvaging has an integer key, so that a salvage can step over a damaged page.
const FIRST: &str = "
CREATE TABLE meta (
  key TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE heartbeat (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  tau_ns INTEGER NOT NULL,
  utc_ms INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  anchor_tau_ns INTEGER NOT NULL,
  anchor_utc_ms INTEGER NOT NULL,
  crc INTEGER NOT NULL
) STRICT;

CREATE TABLE segments (
  id INTEGER PRIMARY KEY,
  first_op INTEGER NOT NULL,
  last_op INTEGER NOT NULL,
  blob BLOB NOT NULL,
  crc INTEGER NOT NULL
) STRICT;

CREATE TABLE intervals (
  n INTEGER PRIMARY KEY,
  tier INTEGER NOT NULL,
  start_ms INTEGER NOT NULL,
  source TEXT NOT NULL,
  is_final INTEGER NOT NULL,
  blob BLOB NOT NULL,
  crc INTEGER NOT NULL,
  UNIQUE (tier, start_ms, source)
) STRICT;

CREATE TABLE sources (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  url TEXT NOT NULL,
  cursor INTEGER,
  state BLOB NOT NULL,
  crc INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
  n INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  opened_ms INTEGER NOT NULL,
  closed_ms INTEGER,
  code INTEGER,
  reason TEXT,
  resumed_from INTEGER,
  filled INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  UNIQUE (source, opened_ms)
) STRICT;

CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  source TEXT,
  text TEXT NOT NULL,
  detail TEXT,
  crc INTEGER NOT NULL
) STRICT;
CREATE INDEX events_by_time ON events (at_ms);

CREATE TABLE misses (
  n INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  did BLOB NOT NULL CHECK (length(did) = 15),
  cid BLOB NOT NULL CHECK (length(cid) = 32),
  seq INTEGER,
  kind INTEGER NOT NULL,
  verdict TEXT NOT NULL,
  confirmation TEXT,
  created_ms INTEGER NOT NULL,
  primary_at_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  healed INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  UNIQUE (source, did, cid)
) STRICT;
CREATE INDEX misses_by_time ON misses (source, primary_at_ms);

CREATE TABLE imported (
  n INTEGER PRIMARY KEY,
  ts_ms INTEGER NOT NULL,
  source_url TEXT NOT NULL,
  coverage REAL,
  missed INTEGER NOT NULL,
  ops INTEGER NOT NULL,
  primary_ops INTEGER NOT NULL,
  missed_listed INTEGER NOT NULL,
  extra_listed INTEGER NOT NULL,
  late_listed INTEGER NOT NULL,
  detail TEXT NOT NULL,
  crc INTEGER NOT NULL,
  UNIQUE (ts_ms, source_url)
) STRICT;

CREATE TABLE imported_totals (
  n INTEGER PRIMARY KEY,
  source_url TEXT NOT NULL UNIQUE,
  ops INTEGER,
  primary_ops INTEGER,
  missed INTEGER,
  detail TEXT NOT NULL,
  crc INTEGER NOT NULL
) STRICT;
";

/// What hosts were asked and answered: until then it ended with the process.
const EVIDENCE_TABLE: &str = "
CREATE TABLE evidence (
  n INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  did BLOB NOT NULL CHECK (length(did) = 15),
  cid BLOB NOT NULL CHECK (length(cid) = 32),
  at_ms INTEGER NOT NULL,
  blob BLOB NOT NULL,
  crc INTEGER NOT NULL,
  UNIQUE (source, did, cid)
) STRICT;
CREATE INDEX evidence_by_time ON evidence (source, at_ms);
";

/// The log that nodes share. `AUTOINCREMENT`: a number never comes again, whatever is deleted.
const LOG_OF_NODES: &str = "
CREATE TABLE log (
  added INTEGER PRIMARY KEY AUTOINCREMENT,
  ms INTEGER NOT NULL,
  node TEXT NOT NULL,
  counter INTEGER NOT NULL,
  time_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  subprotocol TEXT,
  source TEXT,
  reasons TEXT NOT NULL,
  action TEXT NOT NULL,
  crc INTEGER NOT NULL,
  UNIQUE (node, ms, counter)
) STRICT;
CREATE INDEX log_by_kind ON log (kind, time_ms);
";

/// The newest of a kind are found by number, whatever time their senders state.
const LOG_BY_NUMBER: &str = "CREATE INDEX log_by_number ON log (kind, added);";

/// How far logs were exchanged with other nodes.
const PEERS_TABLE: &str = "
CREATE TABLE peers (
  n INTEGER PRIMARY KEY,
  node TEXT NOT NULL UNIQUE,
  address TEXT NOT NULL,
  sent INTEGER NOT NULL,
  received INTEGER NOT NULL,
  crc INTEGER NOT NULL
) STRICT;
";

/// The same by address and name, and of which log; what was exchanged before is exchanged once more.
const PEERS_BY_ADDRESS: &str = "
DROP TABLE peers;
CREATE TABLE peers (
  n INTEGER PRIMARY KEY,
  address TEXT NOT NULL,
  node TEXT NOT NULL,
  log INTEGER NOT NULL,
  sent INTEGER NOT NULL,
  received INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  UNIQUE (address, node)
) STRICT;
";

/// A table as reading, writing and salvaging see it; each has a column `crc` besides.
pub(super) struct Table {
    /// Its name.
    pub(super) name: &'static str,
    /// Its integer key.
    pub(super) key: &'static str,
    /// What `crc` covers, in this order; the integer key is among them where it is ours and not `SQLite`'s.
    pub(super) columns: &'static str,
    /// What makes a row the same row, and the columns that then change.
    pub(super) unique: &'static str,
    /// What a user calls its rows.
    pub(super) noun: &'static str,
    /// The first schema that has it.
    pub(super) since: i64,
}

/// See [`super::SourceRow`].
pub(super) const SOURCES: Table =
    Table { name: "sources", key: "n", columns: "id, url, cursor, state", unique: "id", noun: "cursors", since: 1 };
/// See [`super::IntervalRow`].
pub(super) const INTERVALS: Table = Table {
    name: "intervals",
    key: "n",
    columns: "tier, start_ms, source, is_final, blob",
    unique: "tier, start_ms, source",
    noun: "intervals",
    since: 1,
};
/// See [`super::MissRow`].
pub(super) const MISSES: Table = Table {
    name: "misses",
    key: "n",
    columns: "source, did, cid, seq, kind, verdict, confirmation, created_ms, primary_at_ms, updated_ms, healed",
    unique: "source, did, cid",
    noun: "misses",
    since: 1,
};
/// See [`super::Segment`].
pub(super) const SEGMENTS: Table = Table {
    name: "segments",
    key: "id",
    columns: "id, first_op, last_op, blob",
    unique: "id",
    noun: "journal segments",
    since: 1,
};
/// See [`super::SessionRow`].
pub(super) const SESSIONS: Table = Table {
    name: "sessions",
    key: "n",
    columns: "source, opened_ms, closed_ms, code, reason, resumed_from, filled",
    unique: "source, opened_ms",
    noun: "sessions",
    since: 1,
};
/// See [`super::EvidenceRow`].
pub(super) const EVIDENCE: Table = Table {
    name: "evidence",
    key: "n",
    columns: "source, did, cid, at_ms, blob",
    unique: "source, did, cid",
    noun: "pieces of evidence",
    since: 2,
};
/// See [`super::EventRow`].
pub(super) const EVENTS: Table = Table {
    name: "events",
    key: "id",
    columns: "id, at_ms, kind, source, text, detail",
    unique: "id",
    noun: "events",
    since: 1,
};
/// See [`super::ImportedTotals`].
pub(super) const IMPORTED_TOTALS: Table = Table {
    name: "imported_totals",
    key: "n",
    columns: "source_url, ops, primary_ops, missed, detail",
    unique: "source_url",
    noun: "imported totals",
    since: 1,
};
/// See [`super::ImportedRow`].
pub(super) const IMPORTED: Table = Table {
    name: "imported",
    key: "n",
    columns: "ts_ms, source_url, coverage, missed, ops, primary_ops, missed_listed, extra_listed, late_listed, detail",
    unique: "ts_ms, source_url",
    noun: "imported snapshots",
    since: 1,
};
/// See [`super::Heartbeat`]; one row.
pub(super) const HEARTBEAT: Table = Table {
    name: "heartbeat",
    key: "id",
    columns: "id, tau_ns, utc_ms, boot_id, anchor_tau_ns, anchor_utc_ms",
    unique: "id",
    noun: "heartbeats",
    since: 1,
};

/// See [`super::LogRow`].
pub(super) const LOG: Table = Table {
    name: "log",
    key: "added",
    columns: "added, ms, node, counter, time_ms, kind, subprotocol, source, reasons, action",
    unique: "node, ms, counter",
    noun: "actions of the log",
    since: 3,
};

/// See [`super::PeerMarks`].
pub(super) const PEERS: Table = Table {
    name: "peers",
    key: "n",
    columns: "address, node, log, sent, received",
    unique: "address, node",
    noun: "marks of peers",
    since: 6,
};

/// Tables whose rows a salvage copies, most precious first.
pub(super) const SALVAGED: [&Table; 11] = [
    &SOURCES,
    &INTERVALS,
    &MISSES,
    &SEGMENTS,
    &SESSIONS,
    &EVIDENCE,
    &EVENTS,
    &IMPORTED_TOTALS,
    &IMPORTED,
    &LOG,
    &HEARTBEAT,
];

/// Flags of every connection that writes: the file is made beforehand, and its name is no URI.
pub(super) const READ_WRITE: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// Brings `connection` to the newest schema, in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), rusqlite_migration::Error> {
    MIGRATIONS.to_latest(connection)
}

/// Settings of every connection that writes.
///
/// WAL with `synchronous=FULL` syncs the log at the end of each transaction, before it is acknowledged: that alone makes
/// an acknowledged commit outlast a loss of power (`NORMAL` would sync at checkpoints only). The checkpoint is small
/// (512 KiB), so that no single commit pays for many; the log is cut back after a transaction that was larger.
pub(super) fn tune(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(2))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 128)?;
    connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
    connection.pragma_update(None, "cache_size", -4096)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_valid_and_every_salvaged_table_has_its_key() {
        MIGRATIONS.validate().unwrap();
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        for table in SALVAGED {
            let sql = format!("SELECT {}, {}, crc FROM {} NOT INDEXED", table.key, table.columns, table.name);
            assert!(connection.prepare(&sql).is_ok(), "{sql}");
        }
    }
}
