//! Which spans a page of them shows, and where it ended.

use super::{IntervalRow, Tier};

/// Rows that one page of spans has at most: whoever writes waits no longer than that takes.
pub const INTERVALS_PAGE_MAX: usize = 512;

/// Which spans a page shows: those of one length that begin in `[from_ms, to_ms)`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IntervalQuery {
    /// Their length.
    pub tier: Tier,
    /// The first begins at this or later, UTC milliseconds.
    pub from_ms: i64,
    /// The last begins before this, UTC milliseconds.
    pub to_ms: i64,
    /// Rows of this source and those of none alone; all rows where none is named.
    pub source: Option<String>,
    /// Continue after the row of this start and source.
    pub after: Option<(i64, String)>,
}

impl IntervalQuery {
    /// Whether a row is one that the query asks for.
    #[cfg(any(test, feature = "simulator"))]
    pub(super) fn meets(&self, row: &IntervalRow) -> bool {
        row.tier == self.tier
            && (self.from_ms..self.to_ms).contains(&row.start_ms)
            && self.source.as_ref().is_none_or(|source| row.source.is_empty() || row.source == *source)
            && self.after.as_ref().is_none_or(|(at_ms, source)| (row.start_ms, &row.source) > (*at_ms, source))
    }

    /// Where the next page begins behind `page`; none behind the last one.
    #[must_use]
    pub fn next(&self, page: &[IntervalRow]) -> Option<IntervalQuery> {
        let last = page.last().filter(|_| page.len() >= INTERVALS_PAGE_MAX)?;
        Some(IntervalQuery { after: Some((last.start_ms, last.source.clone())), ..self.clone() })
    }
}
