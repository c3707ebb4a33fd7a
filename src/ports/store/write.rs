//! Turns a commit into statements, and forgets what is too old.
//!
//! Every statement is an upsert by the row's key, so that a commit that was cut off may be tried again. Runs inside a
//! transaction that the caller began; begins and ends none itself.

use rusqlite::{Connection, params};

use super::{Commit, Heartbeat, IntervalRow, PRUNE_ROWS_MAX, PrunePlan, PruneReport, Segment, SourceRow, Tier};

/// Checksum (CRC-32) of the parts of a row: what SQLite itself does not have for its pages.
pub(super) fn checksum(parts: &[&[u8]]) -> i64 {
    let mut crc = flate2::Crc::new();
    for part in parts {
        crc.update(&(part.len() as u64).to_le_bytes());
        crc.update(part);
    }
    i64::from(crc.sum())
}

/// Checksum of a segment.
pub(super) fn segment_checksum(row: &Segment) -> i64 {
    checksum(&[&row.id.to_le_bytes(), &row.first_op.to_le_bytes(), &row.last_op.to_le_bytes(), &row.blob])
}

/// Checksum of an interval.
pub(super) fn interval_checksum(row: &IntervalRow) -> i64 {
    checksum(&[
        &row.tier.code().to_le_bytes(),
        &row.start_ms.to_le_bytes(),
        row.source.as_bytes(),
        &[u8::from(row.is_final)],
        &row.blob,
    ])
}

/// Checksum of a source.
pub(super) fn source_checksum(row: &SourceRow) -> i64 {
    let cursor = row.cursor.map_or([0; 9], |cursor| {
        let mut bytes = [1; 9];
        bytes.iter_mut().skip(1).zip(cursor.to_le_bytes()).for_each(|(to, from)| *to = from);
        bytes
    });
    checksum(&[row.id.as_bytes(), row.url.as_bytes(), &cursor, &row.state])
}

/// Writes all rows of `commit`.
pub(super) fn all(tx: &Connection, commit: &Commit) -> rusqlite::Result<()> {
    if let Some(row) = &commit.segment {
        segment(tx, row)?;
    }
    if let Some(below) = commit.drop_segments_below {
        tx.prepare_cached("DELETE FROM segments WHERE id < ?1")?.execute([below])?;
    }
    for row in &commit.intervals {
        interval(tx, row)?;
    }
    for row in &commit.sources {
        source(tx, row)?;
    }
    sessions(tx, commit)?;
    events(tx, commit)?;
    misses(tx, commit)?;
    heartbeat(tx, &commit.heartbeat)
}

fn heartbeat(tx: &Connection, row: &Heartbeat) -> rusqlite::Result<()> {
    let sql = "INSERT INTO heartbeat (id, tau_ns, utc_ms, boot_id, anchor_tau_ns, anchor_utc_ms, closed)
               VALUES (1, ?1, ?2, ?3, ?4, ?5, 0)
               ON CONFLICT (id) DO UPDATE SET tau_ns = excluded.tau_ns, utc_ms = excluded.utc_ms,
                 boot_id = excluded.boot_id, anchor_tau_ns = excluded.anchor_tau_ns,
                 anchor_utc_ms = excluded.anchor_utc_ms, closed = 0";
    let values = params![row.tau_ns, row.utc_ms, row.boot_id, row.anchor_tau_ns, row.anchor_utc_ms];
    tx.prepare_cached(sql)?.execute(values).map(drop)
}

fn segment(tx: &Connection, row: &Segment) -> rusqlite::Result<()> {
    let sql = "INSERT INTO segments (id, first_op, last_op, crc, blob) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (id) DO UPDATE SET first_op = excluded.first_op, last_op = excluded.last_op,
                 crc = excluded.crc, blob = excluded.blob";
    let values = params![row.id, row.first_op, row.last_op, segment_checksum(row), row.blob];
    tx.prepare_cached(sql)?.execute(values).map(drop)
}

fn interval(tx: &Connection, row: &IntervalRow) -> rusqlite::Result<()> {
    let sql = "INSERT INTO intervals (tier, start_ms, source, is_final, crc, blob) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT (tier, start_ms, source) DO UPDATE SET is_final = excluded.is_final,
                 crc = excluded.crc, blob = excluded.blob";
    let values = params![row.tier.code(), row.start_ms, row.source, row.is_final, interval_checksum(row), row.blob];
    tx.prepare_cached(sql)?.execute(values).map(drop)
}

fn source(tx: &Connection, row: &SourceRow) -> rusqlite::Result<()> {
    let sql = "INSERT INTO sources (id, url, cursor, crc, state) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (id) DO UPDATE SET url = excluded.url, cursor = excluded.cursor,
                 crc = excluded.crc, state = excluded.state";
    let values = params![row.id, row.url, row.cursor, source_checksum(row), row.state];
    tx.prepare_cached(sql)?.execute(values).map(drop)
}

fn sessions(tx: &Connection, commit: &Commit) -> rusqlite::Result<()> {
    let sql = "INSERT INTO sessions (source, opened_ms, closed_ms, code, reason, resumed_from, filled)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (source, opened_ms) DO UPDATE SET closed_ms = excluded.closed_ms, code = excluded.code,
                 reason = excluded.reason, resumed_from = excluded.resumed_from, filled = excluded.filled";
    for row in &commit.sessions {
        let values = params![
            row.source,
            row.opened_ms,
            row.closed_ms,
            row.code,
            row.reason,
            row.resumed_from,
            row.filled
        ];
        tx.prepare_cached(sql)?.execute(values)?;
    }
    Ok(())
}

fn events(tx: &Connection, commit: &Commit) -> rusqlite::Result<()> {
    let sql = "INSERT INTO events (id, at_ms, kind, source, text, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT (id) DO UPDATE SET at_ms = excluded.at_ms, kind = excluded.kind,
                 source = excluded.source, text = excluded.text, detail = excluded.detail";
    for row in &commit.events {
        let values = params![row.id, row.at_ms, row.kind, row.source, row.text, row.detail];
        tx.prepare_cached(sql)?.execute(values)?;
    }
    Ok(())
}

fn misses(tx: &Connection, commit: &Commit) -> rusqlite::Result<()> {
    let sql = "INSERT INTO misses (source, did, cid, seq, kind, verdict, confirmation, created_ms, primary_at_ms,
                 updated_ms, healed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
               ON CONFLICT (source, did, cid) DO UPDATE SET seq = excluded.seq, kind = excluded.kind,
                 verdict = excluded.verdict, confirmation = excluded.confirmation, created_ms = excluded.created_ms,
                 primary_at_ms = excluded.primary_at_ms, updated_ms = excluded.updated_ms, healed = excluded.healed";
    for row in &commit.misses {
        let values = params![
            row.source,
            row.did,
            row.cid,
            row.seq,
            row.kind,
            row.verdict,
            row.confirmation,
            row.created_ms,
            row.primary_at_ms,
            row.updated_ms,
            row.healed
        ];
        tx.prepare_cached(sql)?.execute(values)?;
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
    Ok(report)
}
