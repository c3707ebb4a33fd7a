//! The log that nodes share: rows that are only ever appended, each with a number that never comes again.
//!
//! A new file begins its numbers at the time of its making in milliseconds, and so does one that was recovered: whoever
//! read a log before that is gone now has read up to a smaller number, and misses nothing of this one.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::PRUNE_ROWS_MAX;
use super::read::{is_sound, number};
use super::schema::LOG;
use super::write::Checksum;

/// Rows that are kept at most, whatever their kind.
pub const LOG_ROWS_MAX: i64 = 2_000_000;
/// Rows of one kind that are kept at most: half of all, so that no kind takes the room of the others.
pub const LOG_ROWS_OF_KIND_MAX: usize = LOG_ROWS_MAX as usize / 2;

/// One action of the log that nodes share; key (node, ms, counter).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRow {
    /// Its number, larger than that of all before; 0 before it is appended.
    pub added: i64,
    /// Its id: when it was made, UTC milliseconds.
    pub ms: i64,
    /// Its id: the node that made it.
    pub node: String,
    /// Its id: tells apart what one node made in one millisecond.
    pub counter: i64,
    /// When it was made, corrected for clocks; UTC milliseconds.
    pub time_ms: i64,
    /// Its type.
    pub kind: String,
    /// The version of what it means, as JSON.
    pub subprotocol: Option<String>,
    /// The node that it came from; `None` for our own.
    pub source: Option<String>,
    /// Why it is kept, as a JSON list.
    pub reasons: String,
    /// What happened, as JSON.
    pub action: String,
}

/// Some rows of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogPage {
    /// By number.
    pub rows: Vec<LogRow>,
    /// There is nothing else up to this number.
    pub through: i64,
}

/// Where the log ends, and which it is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct LogEnd {
    /// When it was begun or lost something last, UTC milliseconds; 0 where it lasts no longer than the process.
    pub begun_ms: i64,
    /// The last number that was given.
    pub last: i64,
    /// The largest time in an id of our own.
    pub last_own_ms: Option<i64>,
}

/// What of the log is forgotten, UTC milliseconds; `None` keeps it for ever.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogPrune {
    /// Of these kinds: rows of a time before this.
    pub kinds: Vec<(String, Option<i64>)>,
    /// Of all others.
    pub others_before_ms: Option<i64>,
    /// Rows of one kind that are kept: the newest. `None` keeps as many as there is room for.
    pub of_kind_max: Option<usize>,
    /// Rows of these kinds that are kept: the newest.
    pub few: Vec<(String, usize)>,
}

impl LogPrune {
    /// Rows of this kind that are kept.
    #[must_use]
    pub fn max_of(&self, kind: &str) -> Option<usize> {
        let few = self.few.iter().find(|(known, _)| known == kind).map(|(_, max)| *max);
        few.into_iter().chain(self.of_kind_max).min()
    }
}

/// Sees to it that numbers go on above whatever anyone has read.
pub(super) fn begin(db: &Connection, now_ms: i64, is_recovered: bool) -> rusqlite::Result<()> {
    let tx = db.unchecked_transaction()?;
    let sql = "INSERT INTO sqlite_sequence (name, seq)
               SELECT 'log', ?1 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'log')";
    tx.execute(sql, [now_ms])?;
    let sql = "INSERT INTO meta (key, value) VALUES ('log_begun_ms', ?1)
               ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE ?2";
    // A file that was recovered, and nothing more before a crash, does not say when its log was begun.
    let is_another = tx.execute(sql, params![now_ms.to_string(), is_recovered])? > 0;
    if is_another {
        tx.execute("UPDATE sqlite_sequence SET seq = max(seq, ?1) WHERE name = 'log'", [now_ms])?;
    }
    tx.commit()
}

/// The last number that was given.
pub(super) fn head(db: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'log'";
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// Its end; `node` is our own.
pub(super) fn end(db: &Connection, node: &str) -> rusqlite::Result<LogEnd> {
    let last_own_ms = db.query_row("SELECT max(ms) FROM log WHERE node = ?1", [node], |row| row.get(0))?;
    Ok(LogEnd { begun_ms: number(db, "log_begun_ms")?.unwrap_or(0), last: head(db)?, last_own_ms })
}

/// Appends rows in their order, each once; the numbers that they bring are not looked at.
pub(super) fn append(tx: &Connection, rows: &[LogRow]) -> rusqlite::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut added = head(tx)?;
    // Looked for beforehand: a row that is refused as a double would use up its number all the same.
    let sql = format!(
        "INSERT INTO log ({}, crc) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
         WHERE NOT EXISTS (SELECT 1 FROM log WHERE node = ?3 AND ms = ?2 AND counter = ?4)",
        LOG.columns
    );
    let mut statement = tx.prepare_cached(&sql)?;
    for row in rows {
        let next = added + 1;
        let sum = checksum(row, next);
        let new = statement.execute(params![
            next,
            row.ms,
            row.node,
            row.counter,
            row.time_ms,
            row.kind,
            row.subprotocol,
            row.source,
            row.reasons,
            row.action,
            sum
        ])?;
        added += new as i64;
    }
    Ok(())
}

fn checksum(row: &LogRow, added: i64) -> i64 {
    use rusqlite::types::ValueRef;
    let mut sum = Checksum::default();
    for number in [added, row.ms] {
        sum.add(ValueRef::Integer(number));
    }
    sum.add(ValueRef::Text(row.node.as_bytes()));
    sum.add(ValueRef::Integer(row.counter));
    sum.add(ValueRef::Integer(row.time_ms));
    sum.add(ValueRef::Text(row.kind.as_bytes()));
    for optional in [&row.subprotocol, &row.source] {
        sum.add(optional.as_ref().map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes())));
    }
    sum.add(ValueRef::Text(row.reasons.as_bytes()));
    sum.add(ValueRef::Text(row.action.as_bytes()));
    sum.sum()
}

/// Rows behind `after` by number, `limit` at most and `bytes_max` of actions, but one at least.
pub(super) fn page(db: &Connection, after: i64, limit: usize, bytes_max: usize) -> rusqlite::Result<LogPage> {
    let last = head(db)?;
    let sql = format!("SELECT added, {}, crc FROM log WHERE added > ?1 ORDER BY added LIMIT ?2", LOG.columns);
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query(params![after, limit as i64])?;
    let mut page = LogPage { rows: Vec::new(), through: after };
    let (mut bytes, mut seen) = (0, 0);
    while let Some(row) = found.next()? {
        let number = row.get(0)?;
        // A damaged row is not told on; nothing can be said of it.
        if is_sound(row, 1, &LOG)? {
            let row = log_row(row)?;
            bytes += bytes_of(&row);
            if bytes > bytes_max && !page.rows.is_empty() {
                return Ok(page);
            }
            page.rows.push(row);
        }
        seen += 1;
        page.through = number;
    }
    if seen < limit {
        page.through = page.through.max(last);
    }
    Ok(page)
}

/// Bytes of actions among the newest of a kind, unless a single one is larger.
pub(in crate::ports::store) const NEWEST_BYTES_MAX: usize = 4 << 20;

/// Bytes of what others said in a row.
pub(in crate::ports::store) fn bytes_of(row: &LogRow) -> usize {
    row.action.len() + row.subprotocol.as_ref().map_or(0, String::len)
}

/// The newest `limit` rows of a kind, by number; fewer where they are large.
pub(super) fn newest(db: &Connection, kind: &str, limit: usize) -> rusqlite::Result<Vec<LogRow>> {
    let sql = format!("SELECT added, {}, crc FROM log WHERE kind = ?1 ORDER BY added DESC LIMIT ?2", LOG.columns);
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query(params![kind, limit as i64])?;
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while bytes < NEWEST_BYTES_MAX
        && let Some(row) = found.next()?
    {
        if is_sound(row, 1, &LOG)? {
            let row = log_row(row)?;
            bytes += bytes_of(&row);
            rows.push(row);
        }
    }
    rows.reverse();
    Ok(rows)
}

fn log_row(row: &Row<'_>) -> rusqlite::Result<LogRow> {
    Ok(LogRow {
        added: row.get(1)?,
        ms: row.get(2)?,
        node: row.get(3)?,
        counter: row.get(4)?,
        time_ms: row.get(5)?,
        kind: row.get(6)?,
        subprotocol: row.get(7)?,
        source: row.get(8)?,
        reasons: row.get(9)?,
        action: row.get(10)?,
    })
}

/// Deletes what is no longer kept: how many rows for their age, and how many for there being too many.
pub(super) fn prune(tx: &Connection, plan: &LogPrune) -> rusqlite::Result<(u64, u64)> {
    Ok((prune_old(tx, plan)?, prune_excess(tx, plan)?))
}

fn prune_old(tx: &Connection, plan: &LogPrune) -> rusqlite::Result<u64> {
    let limit = PRUNE_ROWS_MAX as i64;
    let mut gone = 0;
    for (kind, before) in plan.kinds.iter().filter_map(|(kind, before)| Some((kind, (*before)?))) {
        let sql = "DELETE FROM log WHERE added IN
                   (SELECT added FROM log WHERE kind = ?1 AND time_ms < ?2 ORDER BY time_ms LIMIT ?3)";
        gone += tx.prepare_cached(sql)?.execute(params![kind, before, limit])?;
    }
    if let Some(before) = plan.others_before_ms {
        let known = serde_json::to_string(&plan.kinds.iter().map(|(kind, _)| kind).collect::<Vec<_>>());
        let sql = "DELETE FROM log WHERE added IN
                   (SELECT added FROM log WHERE time_ms < ?1 AND kind NOT IN (SELECT value FROM json_each(?2)) LIMIT ?3)";
        gone += tx.prepare_cached(sql)?.execute(params![before, known.unwrap_or_default(), limit])?;
    }
    Ok(gone as u64)
}

fn prune_excess(tx: &Connection, plan: &LogPrune) -> rusqlite::Result<u64> {
    let limit = PRUNE_ROWS_MAX as i64;
    let mut gone = 0;
    if plan.of_kind_max.is_some() || !plan.few.is_empty() {
        let mut statement = tx.prepare_cached("SELECT kind, count(*) FROM log GROUP BY kind")?;
        let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for (kind, count) in found.collect::<rusqlite::Result<Vec<(String, i64)>>>()? {
            let excess = plan.max_of(&kind).map_or(0, |max| count - max as i64);
            if excess > 0 {
                let sql =
                    "DELETE FROM log WHERE added IN (SELECT added FROM log WHERE kind = ?1 ORDER BY added LIMIT ?2)";
                gone += tx.prepare_cached(sql)?.execute(params![kind, excess.min(limit)])?;
            }
        }
    }
    let sql = "DELETE FROM log WHERE added IN
               (SELECT added FROM log ORDER BY added LIMIT min(?1, max(0, (SELECT count(*) FROM log) - ?2)))";
    gone += tx.prepare_cached(sql)?.execute(params![limit, LOG_ROWS_MAX])?;
    Ok(gone as u64)
}
