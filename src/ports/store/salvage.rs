//! Copies what can be read of a damaged database into a new one, row by row, stepping over what cannot.
//!
//! A scan upwards and one downwards take everything outside of the damage; the span between them is halved until each
//! readable row of it is found or the attempts run out. The new database checks every row once more (types, lengths,
//! keys, checksums). Reads the damaged file only.

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params_from_iter};

use super::schema::{SALVAGED, Table};

/// Attempts to seek within the damage of one table.
const ATTEMPTS_MAX: u32 = 20_000;
/// Keys behind the last readable one that are tried when the end of a table is damaged.
const KEYS_BEHIND_MAX: i64 = 1 << 20;

/// What became of one table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Salvaged {
    /// What a user calls its rows.
    pub(super) noun: &'static str,
    /// Rows that the new database has.
    pub(super) rows: u64,
    /// Rows that the damaged one had, where it can still tell.
    pub(super) of: Option<u64>,
}

/// Opens a database that may be damaged, for reading; its log is read with it and neither is changed.
pub(super) fn open_damaged(path: &std::path::Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // SQLite refuses a file that is shorter than its header says, unless the schema may be written.
    db.pragma_update(None, "writable_schema", true)?;
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    Ok(db)
}

/// Copies every table of [`SALVAGED`] from `from` to `to`.
pub(super) fn copy(from: &Connection, to: &mut Connection) -> rusqlite::Result<Vec<Salvaged>> {
    let tx = to.transaction()?;
    for table in SALVAGED {
        Copier::new(&tx, from, table).run()?;
    }
    for key in ["created_ms", "restarted_ms"] {
        if let Ok(Some(value)) = super::read::meta(from, key) {
            tx.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", [key, &value])?;
        }
    }
    let mut salvaged = Vec::new();
    for table in SALVAGED {
        let count = |db: &Connection| {
            db.query_row(&format!("SELECT count(*) FROM {}", table.name), [], |row| super::read::count(row, 0))
        };
        let rows = count(&tx)?;
        salvaged.push(Salvaged { noun: table.noun, rows, of: count(from).ok().filter(|of| *of >= rows) });
    }
    tx.commit()?;
    Ok(salvaged)
}

/// Copies one table.
struct Copier<'a> {
    from: &'a Connection,
    to: &'a Connection,
    upwards: String,
    downwards: String,
    insert: String,
    columns: usize,
    table: &'static Table,
    attempts_left: u32,
}

/// How a scan ended.
enum End {
    /// All rows of the span were read.
    Whole,
    /// At an error; the last key read before it.
    Broken(Option<i64>),
}

impl<'a> Copier<'a> {
    fn new(to: &'a Connection, from: &'a Connection, table: &'static Table) -> Copier<'a> {
        let Table { name, key, columns, .. } = table;
        let count = columns.split(", ").count() + 1;
        let marks = vec!["?"; count].join(", ");
        // NOT INDEXED: the rows themselves, for an index may be what is damaged.
        let select = format!(
            "SELECT {key}, {columns}, crc FROM {name} NOT INDEXED WHERE {key} >= ?1 AND {key} <= ?2 ORDER BY {key}"
        );
        Copier {
            from,
            to,
            downwards: format!("{select} DESC"),
            upwards: select,
            insert: format!("INSERT OR IGNORE INTO {name} ({columns}, crc) VALUES ({marks})"),
            columns: count,
            table,
            attempts_left: ATTEMPTS_MAX,
        }
    }

    fn run(&mut self) -> rusqlite::Result<()> {
        let End::Broken(last) = self.scan(true, i64::MIN, i64::MAX)? else { return Ok(()) };
        let low = last.map_or(0, |key| key.saturating_add(1));
        let high = match self.scan(false, low, i64::MAX)? {
            End::Whole => return Ok(()),
            End::Broken(Some(key)) => key.saturating_sub(1),
            End::Broken(None) if last.is_none() && !self.leads_anywhere()? => return Ok(()),
            End::Broken(None) => low.saturating_add(KEYS_BEHIND_MAX),
        };
        self.halve(low, high)
    }

    /// Whether any key at all can be looked for; where none can, the table's beginning is damaged and the rest out of reach.
    /// Keys are tried ever further apart, for tables are small more often than large.
    fn leads_anywhere(&self) -> rusqlite::Result<bool> {
        for power in 0..KEYS_BEHIND_MAX.ilog2() {
            for key in [1 << power, 3 << power] {
                if matches!(self.scan(true, key, key)?, End::Whole) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn halve(&mut self, low: i64, high: i64) -> rusqlite::Result<()> {
        let mut spans = vec![(low, high)];
        while let Some((low, high)) = spans.pop() {
            if low > high || self.attempts_left == 0 {
                continue;
            }
            self.attempts_left -= 1;
            let End::Broken(last) = self.scan(true, low, high)? else { continue };
            let low = last.map_or(low, |key| key.saturating_add(1));
            if low < high {
                let middle = low + (high - low) / 2;
                spans.push((middle + 1, high));
                spans.push((low, middle));
            }
        }
        Ok(())
    }

    /// Copies the rows with keys of `[low, high]` as far as they can be read; an error is the new database's alone.
    fn scan(&self, up: bool, low: i64, high: i64) -> rusqlite::Result<End> {
        let sql = if up { &self.upwards } else { &self.downwards };
        let Ok(mut statement) = self.from.prepare_cached(sql) else { return Ok(End::Broken(None)) };
        let Ok(mut rows) = statement.query([low, high]) else { return Ok(End::Broken(None)) };
        let mut insert = self.to.prepare_cached(&self.insert)?;
        let mut last: Option<i64> = None;
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(End::Whole),
                Err(_) => return Ok(End::Broken(last)),
            };
            let Ok(key) = row.get::<_, i64>(0) else { return Ok(End::Broken(last)) };
            // A damaged tree can lead in circles: keys that do not go on are the end.
            if last.is_some_and(|last| if up { key <= last } else { key >= last }) {
                return Ok(End::Broken(last));
            }
            let values = match super::read::is_sound(row, 1, self.table) {
                Ok(true) => (1..=self.columns).map(|n| row.get::<_, Value>(n)).collect::<Result<Vec<_>, _>>(),
                Ok(false) => {
                    last = Some(key);
                    continue;
                }
                Err(error) => Err(error),
            };
            let Ok(values) = values else { return Ok(End::Broken(last)) };
            last = Some(key);
            match insert.execute(params_from_iter(values)) {
                Ok(_) => {}
                Err(error) if is_about_the_row(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_about_the_row(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
    matches!(error.sqlite_error_code(), Some(ConstraintViolation | TypeMismatch | TooBig))
}
