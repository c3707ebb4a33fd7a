//! Turns rows back into what was committed, within limits, leaving out what its checksum disowns.
//!
//! A row that is not what was written (a bit flipped) is left out and named, never fatal; an error of the file itself is.

use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::error::shown_text;
use super::evidence::{self, fair_share};
use super::import::{ImportedRow, ImportedTotals};
use super::schema::{
    EVENTS, EVIDENCE, HEARTBEAT, IMPORTED, IMPORTED_TOTALS, INTERVALS, MISSES, SEGMENTS, SESSIONS, SOURCES, Table,
};
use super::sqlite::LoadLimits;
use super::write::Checksum;
use super::{
    EventRow, EvidenceRow, Heartbeat, INTERVALS_PAGE_MAX, IntervalQuery, IntervalRow, LOGS_MAX, Loaded,
    MISSES_PAGE_MAX, MissCount, MissQuery, MissRow, Segment, SessionRow, SourceRow, Tier,
};
use crate::domain::incident::KINDS;

/// Damaged rows that are named one by one; more are counted.
const NAMED_MAX: usize = 10;

/// Reads everything that a start needs.
pub(super) fn all(db: &Connection, limits: &LoadLimits) -> rusqlite::Result<Loaded> {
    let mut notes = Notes::default();
    let heartbeat = Select::of(&HEARTBEAT, "").all(db, [], &mut notes, heartbeat)?.pop();
    let closed_tau: Option<i64> = number(db, "closed_tau")?;
    let recovered_tau: Option<i64> = number(db, "recovered_tau")?;
    let segments = Select::of(&SEGMENTS, "ORDER BY id").all(db, [], &mut notes, segment)?;
    let damaged_segments = std::mem::take(&mut notes.damaged_segments);
    let miss_counts = miss_counts(db)?;
    let mut misses = Vec::new();
    for source in distinct_sources(&miss_counts) {
        let query = MissQuery { source, limit: limits.misses_per_source, ..MissQuery::default() };
        misses.append(&mut reversed(page(db, &query, limits.misses_per_source, &mut notes)?));
    }
    Ok(Loaded {
        closed_cleanly: heartbeat.as_ref().is_some_and(|beat| Some(beat.tau_ns) == closed_tau),
        is_recovered: heartbeat.as_ref().is_some_and(|beat| Some(beat.tau_ns) == recovered_tau),
        heartbeat,
        restarted_ms: number(db, "restarted_ms")?,
        segments,
        damaged_segments,
        intervals: intervals(db, limits, &mut notes)?,
        sources: Select::of(&SOURCES, "ORDER BY id").all(db, [], &mut notes, source)?,
        sessions: sessions(db, limits, &mut notes)?,
        events: events(db, limits, &mut notes)?,
        misses,
        miss_counts,
        evidence: evidence(db, limits, &mut notes)?,
        imported: newest_last(
            db,
            &IMPORTED,
            "ORDER BY ts_ms DESC, source_url DESC",
            limits.imported,
            &mut notes,
            imported,
        )?,
        imported_totals: Select::of(&IMPORTED_TOTALS, "ORDER BY source_url").all(db, [], &mut notes, totals)?,
        notes: notes.lines(),
    })
}

/// A value of the table `meta`.
pub(super) fn meta(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
}

pub(super) fn number(db: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
    Ok(meta(db, key)?.and_then(|text| text.parse().ok()))
}

/// Whether the row, whose columns from `first` are those of `table` and `crc`, is what was written.
pub(super) fn is_sound(row: &Row<'_>, first: usize, table: &Table) -> rusqlite::Result<bool> {
    let columns = table.columns.split(", ").count();
    let mut checksum = Checksum::default();
    for n in first..first + columns {
        checksum.add(row.get_ref(n)?);
    }
    Ok(row.get_ref(first + columns)? == rusqlite::types::ValueRef::Integer(checksum.sum()))
}

/// Lines about damaged rows, few of them in full.
#[derive(Default)]
struct Notes {
    named: Vec<String>,
    more: usize,
    damaged_segments: Vec<i64>,
}

impl Notes {
    fn damaged(&mut self, table: &Table, row: &Row<'_>) {
        let key: i64 = row.get(0).unwrap_or(-1);
        if table.name == SEGMENTS.name {
            self.damaged_segments.push(key);
        }
        if self.named.len() < NAMED_MAX {
            let text = format!("state: mirrorwatch.db: {}: row {key} has a wrong checksum; left out", table.noun);
            self.named.push(shown_text(&text));
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

/// A query of one table that gives its integer key, its columns from 1 on, and `crc`.
struct Select {
    table: &'static Table,
    sql: String,
}

impl Select {
    fn of(table: &'static Table, rest: &str) -> Select {
        Select { table, sql: format!("SELECT {}, {}, crc FROM {} {rest}", table.key, table.columns, table.name) }
    }

    /// All sound rows.
    fn all<T>(
        &self,
        db: &Connection,
        values: impl Params,
        notes: &mut Notes,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        self.some(db, values, usize::MAX, notes, read)
    }

    /// The first `limit` sound rows.
    fn some<T>(
        &self,
        db: &Connection,
        values: impl Params,
        limit: usize,
        notes: &mut Notes,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        let mut statement = db.prepare_cached(&self.sql)?;
        let mut rows = statement.query(values)?;
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(row) = rows.next()?
        {
            if is_sound(row, 1, self.table)? {
                found.push(read(row)?);
            } else {
                notes.damaged(self.table, row);
            }
        }
        Ok(found)
    }
}

/// The first `limit` sound rows in `order`, turned round.
fn newest_last<T>(
    db: &Connection,
    table: &'static Table,
    order: &str,
    limit: usize,
    notes: &mut Notes,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    Ok(reversed(Select::of(table, order).some(db, [], limit, notes, read)?))
}

fn reversed<T>(mut rows: Vec<T>) -> Vec<T> {
    rows.reverse();
    rows
}

fn heartbeat(row: &Row<'_>) -> rusqlite::Result<Heartbeat> {
    Ok(Heartbeat {
        tau_ns: row.get(2)?,
        utc_ms: row.get(3)?,
        boot_id: row.get(4)?,
        anchor_tau_ns: row.get(5)?,
        anchor_utc_ms: row.get(6)?,
    })
}

fn segment(row: &Row<'_>) -> rusqlite::Result<Segment> {
    Ok(Segment { id: row.get(1)?, first_op: row.get(2)?, last_op: row.get(3)?, blob: row.get(4)? })
}

fn source(row: &Row<'_>) -> rusqlite::Result<SourceRow> {
    Ok(SourceRow { id: row.get(1)?, url: row.get(2)?, cursor: row.get(3)?, state: row.get(4)? })
}

fn event(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        id: row.get(1)?,
        at_ms: row.get(2)?,
        kind: row.get(3)?,
        source: row.get(4)?,
        text: row.get(5)?,
        detail: row.get(6)?,
    })
}

fn session(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    Ok(SessionRow {
        source: row.get(1)?,
        opened_ms: row.get(2)?,
        closed_ms: row.get(3)?,
        code: row.get(4)?,
        reason: row.get(5)?,
        resumed_from: row.get(6)?,
        filled: row.get(7)?,
    })
}

fn imported(row: &Row<'_>) -> rusqlite::Result<ImportedRow> {
    Ok(ImportedRow {
        ts_ms: row.get(1)?,
        source_url: row.get(2)?,
        coverage: row.get(3)?,
        missed: count(row, 4)?,
        ops: count(row, 5)?,
        primary_ops: count(row, 6)?,
        missed_listed: count(row, 7)?,
        extra_listed: count(row, 8)?,
        late_listed: count(row, 9)?,
    })
}

fn totals(row: &Row<'_>) -> rusqlite::Result<ImportedTotals> {
    let count = |n| row.get::<_, Option<i64>>(n).map(|count| count.map(|count| count.max(0) as u64));
    Ok(ImportedTotals { source_url: row.get(1)?, ops: count(2)?, primary_ops: count(3)?, missed: count(4)? })
}

fn miss(row: &Row<'_>) -> rusqlite::Result<MissRow> {
    Ok(MissRow {
        source: row.get(1)?,
        did: row.get(2)?,
        cid: row.get(3)?,
        seq: row.get(4)?,
        kind: row.get(5)?,
        verdict: row.get(6)?,
        confirmation: row.get(7)?,
        created_ms: row.get(8)?,
        primary_at_ms: row.get(9)?,
        updated_ms: row.get(10)?,
        healed: row.get(11)?,
    })
}

fn intervals(db: &Connection, limits: &LoadLimits, notes: &mut Notes) -> rusqlite::Result<Vec<IntervalRow>> {
    let select = Select::of(&INTERVALS, "WHERE tier = ?1 ORDER BY start_ms DESC, source DESC");
    let mut found = Vec::new();
    for tier in [Tier::Day, Tier::Hour, Tier::Interval] {
        found.append(&mut select.some(db, [tier.code()], limits.intervals_per_tier, notes, interval(tier))?);
    }
    Ok(reversed(found))
}

fn interval(tier: Tier) -> impl Fn(&Row<'_>) -> rusqlite::Result<IntervalRow> {
    move |row| {
        Ok(IntervalRow { tier, start_ms: row.get(2)?, source: row.get(3)?, is_final: row.get(4)?, blob: row.get(5)? })
    }
}

/// One page of spans, oldest first.
pub(super) fn intervals_page(db: &Connection, query: &IntervalQuery) -> rusqlite::Result<Vec<IntervalRow>> {
    let rest = "WHERE tier = ?1 AND start_ms >= ?2 AND start_ms < ?3 AND (?4 IS NULL OR source IN ('', ?4))
                  AND (?5 IS NULL OR (start_ms, source) > (?5, ?6))
                ORDER BY start_ms, source";
    let after = query.after.as_ref().map(|(at_ms, source)| (*at_ms, source.as_str())).unzip();
    let from_ms = after.0.unwrap_or(query.from_ms);
    let values = params![query.tier.code(), from_ms, query.to_ms, query.source, after.0, after.1];
    let read = interval(query.tier);
    Select::of(&INTERVALS, rest).some(db, values, INTERVALS_PAGE_MAX, &mut Notes::default(), read)
}

/// Where the oldest span of this length begins.
pub(super) fn first_interval_ms(db: &Connection, tier: Tier) -> rusqlite::Result<Option<i64>> {
    db.query_row("SELECT min(start_ms) FROM intervals WHERE tier = ?1", [tier.code()], |row| row.get(0))
}

/// The newest of all kinds, behind the newest of those before them that tell of states: as many of each source, so that one
/// which changes all the time hides no incident of another.
fn events(db: &Connection, limits: &LoadLimits, notes: &mut Notes) -> rusqlite::Result<Vec<EventRow>> {
    let mut newest = newest_last(db, &EVENTS, "ORDER BY id DESC", limits.events, notes, event)?;
    let first = newest.first().map_or(i64::MAX, |e| e.id);
    let older = format!(
        "JOIN (SELECT id AS number, row_number() OVER (PARTITION BY source ORDER BY id DESC) AS place
               FROM events WHERE kind IN ('{}') AND id < ?1) ON number = id
         ORDER BY place, id DESC",
        KINDS.join("', '")
    );
    let mut events = Select::of(&EVENTS, &older).some(db, [first], limits.changes, notes, event)?;
    events.sort_unstable_by_key(|event| event.id);
    events.append(&mut newest);
    Ok(events)
}

/// The newest of each source, so that one which is connected anew all the time hides no other's.
fn sessions(db: &Connection, limits: &LoadLimits, notes: &mut Notes) -> rusqlite::Result<Vec<SessionRow>> {
    let sources: Vec<String> = db
        .prepare("SELECT DISTINCT source FROM sessions ORDER BY source")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let select = Select::of(&SESSIONS, "WHERE source = ?1 ORDER BY opened_ms DESC");
    let mut found = Vec::new();
    for source in sources {
        found.append(&mut select.some(db, [source], limits.sessions_per_source, notes, session)?);
    }
    found.sort_by(|a, b| (a.opened_ms, &a.source).cmp(&(b.opened_ms, &b.source)));
    Ok(found)
}

fn evidence(db: &Connection, limits: &LoadLimits, notes: &mut Notes) -> rusqlite::Result<Vec<EvidenceRow>> {
    let counts = evidence::counts(db)?;
    let of_mirrors = counts.iter().filter(|(source, _)| !source.is_empty()).map(|(_, count)| *count);
    let share = fair_share(of_mirrors, limits.evidence);
    let select = Select::of(&EVIDENCE, "WHERE source = ?1 ORDER BY at_ms DESC, did DESC, cid DESC");
    let read = |row: &Row<'_>| {
        Ok(EvidenceRow {
            source: row.get(1)?,
            did: row.get(2)?,
            cid: row.get(3)?,
            at_ms: row.get(4)?,
            blob: row.get(5)?,
        })
    };
    let mut found = Vec::new();
    for (source, _) in counts {
        let most = if source.is_empty() { LOGS_MAX } else { share };
        found.append(&mut reversed(select.some(db, [source], most, notes, read)?));
    }
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
    page(db, query, query.limit.min(MISSES_PAGE_MAX), &mut Notes::default())
}

fn page(db: &Connection, query: &MissQuery, limit: usize, notes: &mut Notes) -> rusqlite::Result<Vec<MissRow>> {
    let rest = "WHERE source = ?1 AND (?2 IS NULL OR verdict = ?2) AND (?3 IS NULL OR did = ?3)
                  AND (?4 IS NULL OR kind = ?4) AND primary_at_ms >= ?5 AND primary_at_ms <= ?6
                  AND (primary_at_ms, did, cid) < (?7, ?8, ?9)
                ORDER BY primary_at_ms DESC, did DESC, cid DESC";
    // Without a cursor every key is smaller than this one: a DID has 15 bytes.
    let (at_ms, did, cid) = query
        .before
        .map_or((i64::MAX, vec![0xff; 16], Vec::new()), |row| (row.primary_at_ms, row.did.to_vec(), row.cid.to_vec()));
    let to_ms = query.to_ms.map_or(i64::MAX, |to_ms| to_ms.saturating_sub(1));
    let from_ms = query.from_ms.unwrap_or(i64::MIN);
    let values = params![query.source, query.verdict, query.did, query.kind, from_ms, to_ms, at_ms, did, cid];
    Select::of(&MISSES, rest).some(db, values, limit, notes, miss)
}

/// A count, which `SQLite` keeps signed.
pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|count| count.max(0) as u64)
}
