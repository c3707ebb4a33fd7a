//! How far the logs of other nodes and ours were exchanged.
//!
//! Not salvaged from a damaged file: whoever lost actions asks for all of them again.

use rusqlite::{Connection, Row, params};

use super::read::is_sound;
use super::schema::PEERS;
use super::write::Upsert;

/// Nodes that are remembered; of more, those that were met first are forgotten.
pub const PEERS_MAX: usize = 256;

/// What was exchanged with one node at one address; key (`address`, `node_id`): whoever answers elsewhere under its name
/// changes nothing of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerMarks {
    /// Where it was reached.
    pub address: String,
    /// Its name.
    pub node_id: String,
    /// Which log of it: when that was begun, as it tells; 0 where it does not.
    pub log: i64,
    /// It has everything of our log up to this number.
    pub sent: i64,
    /// Everything of its log up to this number is kept here.
    pub received: i64,
}

impl PeerMarks {
    /// Nothing was exchanged with anyone at this address.
    #[must_use]
    pub fn none(address: &str) -> PeerMarks {
        PeerMarks { address: address.to_owned(), node_id: String::new(), log: 0, sent: 0, received: 0 }
    }
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
    Ok(PeerMarks {
        address: row.get(1)?,
        node_id: row.get(2)?,
        log: row.get(3)?,
        sent: row.get(4)?,
        received: row.get(5)?,
    })
}

pub(super) fn mark(tx: &Connection, marks: &PeerMarks) -> rusqlite::Result<()> {
    Upsert::into(tx, &PEERS).row(&[&marks.address, &marks.node_id, &marks.log, &marks.sent, &marks.received])?;
    let sql = "DELETE FROM peers WHERE n NOT IN (SELECT n FROM peers ORDER BY n DESC LIMIT ?1)";
    tx.prepare_cached(sql)?.execute(params![PEERS_MAX as i64]).map(drop)
}
