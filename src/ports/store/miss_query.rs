//! Which misses and extras a page shows, and where it ended.

use super::MissRow;

/// Rows that one page of misses has at most.
pub const MISSES_PAGE_MAX: usize = 1_000;

/// Where a page of misses ended; the next page begins with the next older one.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MissCursor {
    /// `primary_at_ms` of the last row seen.
    pub primary_at_ms: i64,
    /// Its DID.
    pub did: [u8; 15],
    /// Its CID.
    pub cid: [u8; 32],
}

impl MissCursor {
    /// The cursor that continues after `row`.
    #[must_use]
    pub const fn after(row: &MissRow) -> MissCursor {
        MissCursor { primary_at_ms: row.primary_at_ms, did: row.did, cid: row.cid }
    }
}

/// Which misses a page shows: those that meet every condition given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MissQuery {
    /// Id of the source.
    pub source: String,
    /// Name of the verdict.
    pub verdict: Option<String>,
    /// Of this DID alone.
    pub did: Option<[u8; 15]>,
    /// Of this kind of operation alone.
    pub kind: Option<u8>,
    /// `primary_at_ms` of at least this.
    pub from_ms: Option<i64>,
    /// `primary_at_ms` of less than this.
    pub to_ms: Option<i64>,
    /// Continue after this row.
    pub before: Option<MissCursor>,
    /// Rows at most; never more than [`MISSES_PAGE_MAX`].
    pub limit: usize,
}
