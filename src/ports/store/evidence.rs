//! What hosts were asked and answered, as it is kept: the latest of each mirror, within a bound of its own.

use rusqlite::{Connection, params};

use super::schema::EVIDENCE;
use super::write::Upsert;
use super::{PRUNE_ROWS_MAX, PrunePlan, PruneReport};

/// Rows of one mirror that are kept; the oldest go first.
pub const EVIDENCE_PER_SOURCE_MAX: usize = 16_384;
/// Logs of DIDs at every host that are kept; the oldest go first.
pub const LOGS_MAX: usize = 64;

/// The latest answers about one operation at a mirror, or, with no source, about a DID at every host; key (source, did,
/// cid).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EvidenceRow {
    /// Id of the mirror; empty for what all hosts said about a DID.
    pub source: String,
    /// The DID, decoded.
    pub did: [u8; 15],
    /// The digest of the CID; zeroes for what all hosts said about a DID.
    pub cid: [u8; 32],
    /// When the last look ended, UTC milliseconds.
    pub at_ms: i64,
    /// Questions and answers; opaque here.
    pub blob: Vec<u8>,
}

/// Rows of a source that are kept.
pub(super) fn kept_of(source: &str) -> usize {
    if source.is_empty() { LOGS_MAX } else { EVIDENCE_PER_SOURCE_MAX }
}

/// The most that each may have so that all have `total` at most, given what they have: whoever has less than its share
/// leaves the rest to the others.
#[must_use]
pub fn fair_share(counts: impl Iterator<Item = usize>, total: usize) -> usize {
    let mut counts: Vec<usize> = counts.collect();
    counts.sort_unstable();
    let (mut left, mut sharing) = (total, counts.len());
    for count in counts {
        let share = left / sharing.max(1);
        if count > share {
            return share;
        }
        (left, sharing) = (left - count, sharing - 1);
    }
    usize::MAX
}

/// Writes rows.
pub(super) fn write(tx: &Connection, rows: &[EvidenceRow]) -> rusqlite::Result<()> {
    let evidence = Upsert::into(tx, &EVIDENCE);
    rows.iter().try_for_each(|row| evidence.row(&[&row.source, &row.did, &row.cid, &row.at_ms, &row.blob]))
}

/// How many rows each source has.
pub(super) fn counts(db: &Connection) -> rusqlite::Result<Vec<(String, usize)>> {
    let sql = "SELECT source, count(*) FROM evidence GROUP BY source ORDER BY source";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, super::read::count(row, 1)? as usize)))?;
    rows.collect()
}

/// Deletes what is too old, and the oldest of each source beyond what is kept of it.
pub(super) fn prune(tx: &Connection, plan: &PrunePlan, report: &mut PruneReport) -> rusqlite::Result<()> {
    let aged = "DELETE FROM evidence WHERE n IN
                (SELECT n FROM evidence WHERE source = ?1 AND at_ms < ?2 ORDER BY at_ms LIMIT ?3)";
    let beyond = "DELETE FROM evidence WHERE n IN
                  (SELECT n FROM evidence WHERE source = ?1 ORDER BY at_ms DESC, did DESC, cid DESC LIMIT ?3 OFFSET ?2)";
    for (source, _) in counts(tx)? {
        let kept = kept_of(&source) as i64;
        for (sql, value) in [(aged, plan.evidence_before_ms), (beyond, Some(kept))] {
            let Some(value) = value else { continue };
            let rows = tx.prepare_cached(sql)?.execute(params![source, value, PRUNE_ROWS_MAX as i64])?;
            report.more |= rows >= PRUNE_ROWS_MAX;
            report.evidence += rows as u64;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_fair() {
        let share = |counts: &[usize], total| fair_share(counts.iter().copied(), total);
        assert_eq!(share(&[], 10), usize::MAX);
        assert_eq!(share(&[3, 4], 10), usize::MAX);
        assert_eq!(share(&[1_000], 10), 10);
        assert_eq!(share(&[2, 1_000, 3], 10), 5);
        assert_eq!(share(&[1_000, 1_000, 0], 10), 5);
        for counts in [[7, 9, 1, 40], [40, 40, 40, 40], [0, 0, 0, 41]] {
            let share = share(&counts, 40);
            let sum: usize = counts.iter().map(|count| *count.min(&share)).sum();
            assert!(sum <= 40 && sum + counts.len() > 40, "{counts:?}");
        }
    }
}
