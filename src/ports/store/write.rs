//! Turns a commit into statements, and forgets what is too old.
//!
//! Every statement is an upsert by the row's key, so that a commit that was cut off may be tried again, and every row
//! carries a checksum of itself, which `SQLite`'s pages do not have. Runs inside a transaction that the caller began;
//! begins and ends none itself.

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ToSql, params};

use super::schema::{EVENTS, HEARTBEAT, INTERVALS, MISSES, SEGMENTS, SESSIONS, SOURCES, Table};
use super::{Commit, PRUNE_ROWS_MAX, PrunePlan, PruneReport, Tier, log};

/// CRC-32 of a row's values, each with its type and length.
#[derive(Default)]
pub(super) struct Checksum(flate2::Crc);

impl Checksum {
    /// Adds the next value.
    pub(super) fn add(&mut self, value: ValueRef<'_>) {
        let number;
        let (kind, bytes): (u8, &[u8]) = match value {
            ValueRef::Null => (0, &[]),
            ValueRef::Integer(value) => {
                number = value.to_le_bytes();
                (1, &number)
            }
            ValueRef::Real(value) => {
                number = value.to_bits().to_le_bytes();
                (2, &number)
            }
            ValueRef::Text(bytes) => (3, bytes),
            ValueRef::Blob(bytes) => (4, bytes),
        };
        self.0.update(&[kind]);
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// The checksum of what was added, as the column `crc` has it.
    pub(super) fn sum(&self) -> i64 {
        i64::from(self.0.sum())
    }
}

/// Inserts rows of one table, or changes those that are there.
pub(super) struct Upsert<'a> {
    tx: &'a Connection,
    sql: String,
}

impl<'a> Upsert<'a> {
    /// For rows of `table`.
    pub(super) fn into(tx: &'a Connection, table: &Table) -> Upsert<'a> {
        let columns: Vec<&str> = table.columns.split(", ").collect();
        let unique: Vec<&str> = table.unique.split(", ").collect();
        let marks = vec!["?"; columns.len() + 1].join(", ");
        let changed: Vec<String> = columns
            .iter()
            .chain(&["crc"])
            .filter(|column| !unique.contains(column))
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        let sql = format!(
            "INSERT INTO {} ({}, crc) VALUES ({marks}) ON CONFLICT ({}) DO UPDATE SET {}",
            table.name,
            table.columns,
            table.unique,
            changed.join(", ")
        );
        Upsert { tx, sql }
    }

    /// Writes one row: the values of the table's columns, in their order.
    pub(super) fn row(&self, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
        let mut checksum = Checksum::default();
        let mut statement = self.tx.prepare_cached(&self.sql)?;
        for (n, value) in values.iter().enumerate() {
            match value.to_sql()? {
                ToSqlOutput::Borrowed(value) => checksum.add(value),
                ToSqlOutput::Owned(value) => checksum.add(ValueRef::from(&value)),
                _ => checksum.add(ValueRef::from(&Value::Null)),
            }
            statement.raw_bind_parameter(n + 1, value)?;
        }
        statement.raw_bind_parameter(values.len() + 1, checksum.sum())?;
        statement.raw_execute().map(drop)
    }
}

/// Writes all rows of `commit`.
pub(super) fn all(tx: &Connection, commit: &Commit) -> rusqlite::Result<()> {
    let segments = Upsert::into(tx, &SEGMENTS);
    for row in &commit.segments {
        segments.row(&[&row.id, &row.first_op, &row.last_op, &row.blob])?;
    }
    if let Some(below) = commit.drop_segments_below {
        tx.prepare_cached("DELETE FROM segments WHERE id < ?1")?.execute([below])?;
    }
    let intervals = Upsert::into(tx, &INTERVALS);
    for row in &commit.intervals {
        intervals.row(&[&row.tier.code(), &row.start_ms, &row.source, &row.is_final, &row.blob])?;
    }
    let sources = Upsert::into(tx, &SOURCES);
    for row in &commit.sources {
        sources.row(&[&row.id, &row.url, &row.cursor, &row.state])?;
    }
    sessions_and_events(tx, commit)?;
    misses(tx, commit)?;
    super::evidence::write(tx, &commit.evidence)?;
    log::append(tx, &commit.log)?;
    let row = &commit.heartbeat;
    let id = 1_i64;
    Upsert::into(tx, &HEARTBEAT).row(&[
        &id,
        &row.tau_ns,
        &row.utc_ms,
        &row.boot_id,
        &row.anchor_tau_ns,
        &row.anchor_utc_ms,
    ])
}

fn sessions_and_events(tx: &Connection, commit: &Commit) -> rusqlite::Result<()> {
    let sessions = Upsert::into(tx, &SESSIONS);
    for row in &commit.sessions {
        sessions.row(&[
            &row.source,
            &row.opened_ms,
            &row.closed_ms,
            &row.code,
            &row.reason,
            &row.resumed_from,
            &row.filled,
        ])?;
    }
    let events = Upsert::into(tx, &EVENTS);
    for row in &commit.events {
        events.row(&[&row.id, &row.at_ms, &row.kind, &row.source, &row.text, &row.detail])?;
    }
    Ok(())
}

fn misses(tx: &Connection, commit: &Commit) -> rusqlite::Result<()> {
    let misses = Upsert::into(tx, &MISSES);
    for row in &commit.misses {
        misses.row(&[
            &row.source,
            &row.did,
            &row.cid,
            &row.seq,
            &row.kind,
            &row.verdict,
            &row.confirmation,
            &row.created_ms,
            &row.primary_at_ms,
            &row.updated_ms,
            &row.healed,
        ])?;
    }
    Ok(())
}

/// Deletes what `plan` no longer keeps, oldest first as far as an index gives it.
pub(super) fn prune(tx: &Connection, plan: &PrunePlan) -> rusqlite::Result<PruneReport> {
    let mut report = PruneReport::default();
    for (tier, before) in [
        (Tier::Interval, plan.intervals_before_ms),
        (Tier::Hour, plan.hours_before_ms),
        (Tier::Day, plan.days_before_ms),
    ] {
        let Some(before) = before else { continue };
        let sql = "DELETE FROM intervals WHERE n IN
                   (SELECT n FROM intervals WHERE tier = ?1 AND start_ms < ?2 ORDER BY start_ms LIMIT ?3)";
        let gone = tx.prepare_cached(sql)?.execute(params![tier.code(), before, PRUNE_ROWS_MAX as i64])?;
        report.more |= gone >= PRUNE_ROWS_MAX;
        report.intervals += gone as u64;
    }
    for (before, gone, sql) in [
        (
            plan.misses_before_ms,
            &mut report.misses,
            "DELETE FROM misses WHERE n IN (SELECT n FROM misses WHERE primary_at_ms < ?1 LIMIT ?2)",
        ),
        (
            plan.events_before_ms,
            &mut report.events,
            "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at_ms < ?1 ORDER BY at_ms LIMIT ?2)",
        ),
        (
            plan.sessions_before_ms,
            &mut report.sessions,
            "DELETE FROM sessions WHERE n IN (SELECT n FROM sessions WHERE closed_ms < ?1 LIMIT ?2)",
        ),
    ] {
        let Some(before) = before else { continue };
        let rows = tx.prepare_cached(sql)?.execute(params![before, PRUNE_ROWS_MAX as i64])?;
        report.more |= rows >= PRUNE_ROWS_MAX;
        *gone += rows as u64;
    }
    super::evidence::prune(tx, plan, &mut report)?;
    report.log = log::prune(tx, &plan.log)?;
    report.more |= report.log >= PRUNE_ROWS_MAX as u64;
    Ok(report)
}
