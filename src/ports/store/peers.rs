//! How far the logs of other nodes and ours were exchanged.
//!
//! Not salvaged from a damaged file: whoever lost actions asks for all of them again.

use rusqlite::{Connection, Row, params};

use super::read::is_sound;
use super::schema::PEERS;
use super::write::Upsert;

/// Nodes that are remembered; of more, those that were met first are forgotten.
pub const PEERS_MAX: usize = 256;

/// What was exchanged with one node; key `node_id`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerMarks {
    /// Its name.
    pub node_id: String,
    /// Where it was reached last.
    pub address: String,
    /// It has everything of our log up to this number.
    pub sent: i64,
    /// Everything of its log up to this number is kept here.
    pub received: i64,
}

pub(super) fn all(db: &Connection) -> rusqlite::Result<Vec<PeerMarks>> {
    let sql = format!("SELECT n, {}, crc FROM peers ORDER BY n", PEERS.columns);
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query([])?;
    let mut marks = Vec::new();
    while let Some(row) = found.next()? {
        if is_sound(row, 1, &PEERS)? {
            marks.push(read(row)?);
        }
    }
    Ok(marks)
}

fn read(row: &Row<'_>) -> rusqlite::Result<PeerMarks> {
    Ok(PeerMarks { node_id: row.get(1)?, address: row.get(2)?, sent: row.get(3)?, received: row.get(4)? })
}

pub(super) fn mark(tx: &Connection, marks: &PeerMarks) -> rusqlite::Result<()> {
    Upsert::into(tx, &PEERS).row(&[&marks.node_id, &marks.address, &marks.sent, &marks.received])?;
    let sql = "DELETE FROM peers WHERE n NOT IN (SELECT n FROM peers ORDER BY n DESC LIMIT ?1)";
    tx.prepare_cached(sql)?.execute(params![PEERS_MAX as i64]).map(drop)
}
