//! The newest operations with what is known of them at each mirror: what somebody sees who watches them come.

use super::capture::{Capture, SourceCapture};
use super::{Ledger, SourceState};
use crate::domain::ring::Row;
use crate::domain::time::{Labels, Tau};
use crate::domain::verdict::Cell;

/// One operation of the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentOp {
    /// Its place among all that the primary delivered.
    pub number: u64,
    /// It.
    pub row: Row,
    /// What is known of it at each mirror, in the order of the configuration.
    pub cells: Vec<Cell>,
}

/// How fast operations come from one source.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Pace {
    /// Live arrivals a second over the last minute; none before it was observed.
    pub rate_per_s: Option<f64>,
    /// Operations that its stream brought, each once, and no fill.
    pub live_ops: u64,
}

/// The newest operations.
#[derive(Clone, Debug)]
pub struct RecentOps {
    /// When they were looked at.
    pub now: Tau,
    /// How instants become labels.
    pub labels: Labels,
    /// Oldest first.
    pub ops: Vec<RecentOp>,
    /// The primary's pace, then the mirrors', in the order of the configuration.
    pub paces: Vec<Pace>,
}

impl Ledger {
    /// The newest operations that are held, `most` at most. Costs so many copies of a row and its cells, however many are held.
    #[must_use]
    pub fn recent_ops(&self, most: usize) -> RecentOps {
        let from = self.ring.next().saturating_sub(most as u64).max(self.ring.base());
        let op = |number| {
            let cells = (0..self.mirrors.len()).filter_map(|m| self.ring.cell(number, m)).collect();
            Some(RecentOp { number, row: *self.ring.row(number)?, cells })
        };
        let sources = std::iter::once(&self.primary).chain(self.mirrors.iter().map(|m| &m.source));
        let pace = |s: &SourceState| Pace {
            rate_per_s: s.rate_per_s(self.now),
            live_ops: s.received.saturating_sub(s.filled),
        };
        RecentOps {
            now: self.now,
            labels: self.labels,
            ops: (from..self.ring.next()).filter_map(op).collect(),
            paces: sources.map(pace).collect(),
        }
    }
}

impl RecentOps {
    /// The same of a picture that has operations.
    #[must_use]
    pub fn of(capture: &Capture, most: usize) -> RecentOps {
        let (held, mirrors) = (&capture.held, capture.mirrors.len());
        let from = held.end().saturating_sub(most as u64).max(held.base);
        let op = |number| {
            let (chunk, place) = held.find(number)?;
            let cells = (0..mirrors).filter_map(|m| chunk.cells(m).get(place).copied()).collect();
            Some(RecentOp { number, row: *chunk.rows().get(place)?, cells })
        };
        let sources = std::iter::once(&capture.primary).chain(capture.mirrors.iter().map(|m| &m.source));
        let pace = |s: &SourceCapture| Pace { rate_per_s: s.rate_per_s, live_ops: s.received.saturating_sub(s.filled) };
        RecentOps {
            now: capture.now,
            labels: capture.labels,
            ops: (from..held.end()).filter_map(op).collect(),
            paces: sources.map(pace).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{M, at, ledger, op};
    use super::*;
    use crate::domain::source::SourceIx;
    use crate::domain::verdict::{Mode, Verdict};

    #[test]
    fn the_newest_are_told_oldest_first_with_each_mirrors_arrival() {
        let mut l = ledger(2);
        assert!(l.recent_ops(3).ops.is_empty());
        for i in 0..5 {
            let p = at(1_000 + i as i64 * 10);
            l.arrive(SourceIx::PRIMARY, &op(i, p), p, Mode::Live);
        }
        l.arrive(M, &op(4, at(1_040)), at(1_052), Mode::Live);
        l.tick(at(2_000));
        l.tick(at(2_001));
        let recent = l.recent_ops(3);
        assert_eq!(recent.ops.iter().map(|op| op.number).collect::<Vec<_>>(), [2, 3, 4]);
        let newest = &recent.ops[2];
        assert_eq!((newest.cells[0].raw_us(), newest.cells[0].verdict()), (12_000, Verdict::OnTime));
        assert_eq!((newest.cells[1].delivery(), newest.cells[1].verdict()), (None, Verdict::Pending));
        assert_eq!(recent.paces.iter().map(|pace| pace.live_ops).collect::<Vec<_>>(), [5, 1, 0]);
        let of_picture = RecentOps::of(&l.capture(true), 3);
        assert_eq!((&of_picture.ops, &of_picture.paces), (&recent.ops, &recent.paces), "a picture tells the same");
        for _ in 0..3 {
            l.ring.pop();
        }
        assert_eq!(l.recent_ops(3).ops.len(), 2, "what is let go is told no more");
    }
}
