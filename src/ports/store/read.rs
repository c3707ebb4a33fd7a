//! Turns rows back into what was committed, within limits, leaving out what its checksum disowns.
//!
//! A row of the wrong shape (which a migration or a bit flip may leave behind) is left out and named, never fatal; an
//! error of the file itself is.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::shown_text;
use super::import::{ImportedRow, ImportedTotals};
use super::sqlite::LoadLimits;
use super::write::{interval_checksum, segment_checksum, source_checksum};
use super::{
    EventRow, Heartbeat, IntervalRow, Loaded, MISSES_PAGE_MAX, MissCount, MissQuery, MissRow, Segment, SessionRow,
    SourceRow, Tier,
};

/// Damaged rows that are named one by one; more are counted.
const NAMED_MAX: usize = 10;

/// Reads everything that a start needs.
pub(super) fn all(db: &Connection, limits: &LoadLimits) -> rusqlite::Result<Loaded> {
    let mut loaded = Loaded::default();
    let mut notes = Notes::default();
    heartbeat(db, &mut loaded)?;
    loaded.restarted_ms = meta(db, "restarted_ms")?.and_then(|text| text.parse().ok());
    segments(db, &mut loaded, &mut notes)?;
    loaded.intervals = intervals(db, limits, &mut notes)?;
    loaded.sources = sources(db, &mut notes)?;
    loaded.sessions = sessions(db, limits)?;
    loaded.events = events(db, limits)?;
    loaded.miss_counts = miss_counts(db)?;
    for source in distinct_sources(&loaded.miss_counts) {
        let query = MissQuery { source, limit: limits.misses_per_source, ..MissQuery::default() };
        let mut rows = page(db, &query, limits.misses_per_source)?;
        rows.reverse();
        loaded.misses.append(&mut rows);
    }
    loaded.imported = imported(db, limits)?;
    loaded.imported_totals = imported_totals(db)?;
    loaded.notes = notes.lines();
    Ok(loaded)
}

/// A value of the table `meta`.
pub(super) fn meta(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
}

/// Lines about damaged rows, few of them in full.
#[derive(Default)]
struct Notes {
    named: Vec<String>,
    more: usize,
}

impl Notes {
    fn damaged(&mut self, what: &str) {
        if self.named.len() < NAMED_MAX {
            self.named.push(format!("state: mirrorwatch.db: {what}: wrong checksum; left out"));
        } else {
            self.more += 1;
        }
    }

    fn lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.named.push(format!("state: mirrorwatch.db: {} more rows with a wrong checksum left out", self.more));
        }
        self.named
    }
}

fn heartbeat(db: &Connection, loaded: &mut Loaded) -> rusqlite::Result<()> {
    let sql = "SELECT tau_ns, utc_ms, boot_id, anchor_tau_ns, anchor_utc_ms, closed FROM heartbeat WHERE id = 1";
    let found = db
        .query_row(sql, [], |row| {
            let heartbeat = Heartbeat {
                tau_ns: row.get(0)?,
                utc_ms: row.get(1)?,
                boot_id: row.get(2)?,
                anchor_tau_ns: row.get(3)?,
                anchor_utc_ms: row.get(4)?,
            };
            Ok((heartbeat, row.get::<_, bool>(5)?))
        })
        .optional()?;
    if let Some((heartbeat, closed)) = found {
        loaded.heartbeat = Some(heartbeat);
        loaded.closed_cleanly = closed;
    }
    Ok(())
}

/// A row with a checksum, and whether that is right.
struct Checked<T> {
    row: T,
    sound: bool,
}

const SEGMENTS: &str = "SELECT id, first_op, last_op, blob, crc FROM segments ORDER BY id";
const INTERVALS: &str = "SELECT tier, start_ms, source, is_final, blob, crc, n FROM intervals
                         WHERE tier = ?1 ORDER BY start_ms DESC, source DESC LIMIT ?2";
const SOURCES: &str = "SELECT id, url, state, cursor, crc, n FROM sources ORDER BY id";

fn segment(row: &Row<'_>) -> rusqlite::Result<Checked<Segment>> {
    let segment = Segment { id: row.get(0)?, first_op: row.get(1)?, last_op: row.get(2)?, blob: row.get(3)? };
    Ok(Checked { sound: segment_checksum(&segment) == row.get::<_, i64>(4)?, row: segment })
}

fn interval(tier: Tier, row: &Row<'_>) -> rusqlite::Result<Checked<IntervalRow>> {
    let interval = IntervalRow {
        tier,
        start_ms: row.get(1)?,
        source: row.get(2)?,
        is_final: row.get(3)?,
        blob: row.get(4)?,
    };
    Ok(Checked { sound: interval_checksum(&interval) == row.get::<_, i64>(5)?, row: interval })
}

fn source(row: &Row<'_>) -> rusqlite::Result<Checked<SourceRow>> {
    let source = SourceRow { id: row.get(0)?, url: row.get(1)?, state: row.get(2)?, cursor: row.get(3)? };
    Ok(Checked { sound: source_checksum(&source) == row.get::<_, i64>(4)?, row: source })
}

/// Rows whose checksum is wrong or whose tier is none: table and integer key.
pub(super) fn disowned(db: &Connection) -> rusqlite::Result<Vec<(&'static str, i64)>> {
    let mut found = Vec::new();
    let mut statement = db.prepare(SEGMENTS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if !segment(row)?.sound {
            found.push(("segments", row.get(0)?));
        }
    }
    let mut statement = db.prepare("SELECT tier, start_ms, source, is_final, blob, crc, n FROM intervals")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let sound = match Tier::from_code(row.get(0)?) {
            Some(tier) => interval(tier, row)?.sound,
            None => false,
        };
        if !sound {
            found.push(("intervals", row.get(6)?));
        }
    }
    let mut statement = db.prepare(SOURCES)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if !source(row)?.sound {
            found.push(("sources", row.get(5)?));
        }
    }
    Ok(found)
}

fn segments(db: &Connection, loaded: &mut Loaded, notes: &mut Notes) -> rusqlite::Result<()> {
    let mut statement = db.prepare(SEGMENTS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Checked { row: segment, sound } = segment(row)?;
        if sound {
            loaded.segments.push(segment);
        } else {
            notes.damaged(&format!("journal segment {}", segment.id));
            loaded.damaged_segments.push(segment.id);
        }
    }
    Ok(())
}

fn intervals(db: &Connection, limits: &LoadLimits, notes: &mut Notes) -> rusqlite::Result<Vec<IntervalRow>> {
    let mut statement = db.prepare(INTERVALS)?;
    let mut found = Vec::new();
    for tier in [Tier::Day, Tier::Hour, Tier::Interval] {
        let mut rows = statement.query(params![tier.code(), as_limit(limits.intervals_per_tier)])?;
        while let Some(row) = rows.next()? {
            let Checked { row: interval, sound } = interval(tier, row)?;
            if sound {
                found.push(interval);
            } else {
                let at = crate::domain::time::rfc3339_ms(interval.start_ms);
                notes.damaged(&format!("interval {at} of {}", shown_text(&interval.source)));
            }
        }
    }
    found.reverse();
    Ok(found)
}

fn sources(db: &Connection, notes: &mut Notes) -> rusqlite::Result<Vec<SourceRow>> {
    let mut statement = db.prepare(SOURCES)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let Checked { row: source, sound } = source(row)?;
        if sound {
            found.push(source);
        } else {
            notes.damaged(&format!("source {}", shown_text(&source.id)));
        }
    }
    Ok(found)
}

fn sessions(db: &Connection, limits: &LoadLimits) -> rusqlite::Result<Vec<SessionRow>> {
    let sql = "SELECT source, opened_ms, closed_ms, code, reason, resumed_from, filled FROM sessions
               ORDER BY n DESC LIMIT ?1";
    newest_last(db, sql, limits.sessions, |row| {
        Ok(SessionRow {
            source: row.get(0)?,
            opened_ms: row.get(1)?,
            closed_ms: row.get(2)?,
            code: row.get(3)?,
            reason: row.get(4)?,
            resumed_from: row.get(5)?,
            filled: row.get(6)?,
        })
    })
    .map(|mut rows| {
        rows.sort_by(|a, b| (a.opened_ms, &a.source).cmp(&(b.opened_ms, &b.source)));
        rows
    })
}

fn events(db: &Connection, limits: &LoadLimits) -> rusqlite::Result<Vec<EventRow>> {
    let sql = "SELECT id, at_ms, kind, source, text, detail FROM events ORDER BY id DESC LIMIT ?1";
    newest_last(db, sql, limits.events, |row| {
        Ok(EventRow {
            id: row.get(0)?,
            at_ms: row.get(1)?,
            kind: row.get(2)?,
            source: row.get(3)?,
            text: row.get(4)?,
            detail: row.get(5)?,
        })
    })
}

fn imported(db: &Connection, limits: &LoadLimits) -> rusqlite::Result<Vec<ImportedRow>> {
    let sql = "SELECT ts_ms, source_url, coverage, missed, ops, primary_ops, missed_listed, extra_listed, late_listed
               FROM imported ORDER BY ts_ms DESC, source_url DESC LIMIT ?1";
    newest_last(db, sql, limits.imported, |row| {
        Ok(ImportedRow {
            ts_ms: row.get(0)?,
            source_url: row.get(1)?,
            coverage: row.get(2)?,
            missed: count(row, 3)?,
            ops: count(row, 4)?,
            primary_ops: count(row, 5)?,
            missed_listed: count(row, 6)?,
            extra_listed: count(row, 7)?,
            late_listed: count(row, 8)?,
        })
    })
}

fn imported_totals(db: &Connection) -> rusqlite::Result<Vec<ImportedTotals>> {
    let sql = "SELECT source_url, ops, primary_ops, missed FROM imported_totals ORDER BY source_url DESC LIMIT ?1";
    newest_last(db, sql, crate::domain::compare_plc::MIRRORS_MAX, |row| {
        let count = |n| row.get::<_, Option<i64>>(n).map(|count| count.map(|count| count.max(0) as u64));
        Ok(ImportedTotals { source_url: row.get(0)?, ops: count(1)?, primary_ops: count(2)?, missed: count(3)? })
    })
}

fn newest_last<T>(
    db: &Connection,
    sql: &str,
    limit: usize,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = db.prepare(sql)?;
    let mut found = statement.query_map([as_limit(limit)], read)?.collect::<rusqlite::Result<Vec<T>>>()?;
    found.reverse();
    Ok(found)
}

fn miss_counts(db: &Connection) -> rusqlite::Result<Vec<MissCount>> {
    let sql = "SELECT source, verdict, healed, count(*) FROM misses GROUP BY source, verdict, healed
               ORDER BY source, verdict, healed";
    db.prepare(sql)?
        .query_map([], |row| {
            Ok(MissCount { source: row.get(0)?, verdict: row.get(1)?, healed: row.get(2)?, count: count(row, 3)? })
        })?
        .collect()
}

fn distinct_sources(counts: &[MissCount]) -> Vec<String> {
    let mut sources: Vec<String> = counts.iter().map(|count| count.source.clone()).collect();
    sources.dedup();
    sources
}

/// One page of misses, newest first.
pub(super) fn misses_page(db: &Connection, query: &MissQuery) -> rusqlite::Result<Vec<MissRow>> {
    page(db, query, query.limit.min(MISSES_PAGE_MAX))
}

fn page(db: &Connection, query: &MissQuery, limit: usize) -> rusqlite::Result<Vec<MissRow>> {
    let sql = "SELECT source, did, cid, seq, kind, verdict, confirmation, created_ms, primary_at_ms, updated_ms, healed
               FROM misses
               WHERE source = ?1 AND (?2 IS NULL OR verdict = ?2) AND (?3 IS NULL OR did = ?3)
                 AND (?4 IS NULL OR kind = ?4) AND primary_at_ms >= ?5 AND primary_at_ms < ?6
                 AND (primary_at_ms, did, cid) < (?7, ?8, ?9)
               ORDER BY primary_at_ms DESC, did DESC, cid DESC LIMIT ?10";
    // Without a cursor every key is smaller than this one: digests are 32 bytes long.
    let (at_ms, did, cid) = query.before.map_or((i64::MAX, vec![0xff; 16], vec![0xff; 33]), |before| {
        (before.primary_at_ms, before.did.to_vec(), before.cid.to_vec())
    });
    let values = params![
        query.source,
        query.verdict,
        query.did,
        query.kind,
        query.from_ms.unwrap_or(i64::MIN),
        query.to_ms.unwrap_or(i64::MAX),
        at_ms,
        did,
        cid,
        as_limit(limit)
    ];
    db.prepare_cached(sql)?.query_map(values, miss)?.collect()
}

fn miss(row: &Row<'_>) -> rusqlite::Result<MissRow> {
    Ok(MissRow {
        source: row.get(0)?,
        did: row.get(1)?,
        cid: row.get(2)?,
        seq: row.get(3)?,
        kind: row.get(4)?,
        verdict: row.get(5)?,
        confirmation: row.get(6)?,
        created_ms: row.get(7)?,
        primary_at_ms: row.get(8)?,
        updated_ms: row.get(9)?,
        healed: row.get(10)?,
    })
}

/// A count, which SQLite keeps signed.
pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|count| count.max(0) as u64)
}

/// `limit` as SQLite takes it, to which a negative number would mean none.
fn as_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
