//! Order within a DID: an operation that a source sent live before one that precedes it.
//!
//! The primary's live arrivals say which of two operations of a DID precedes the other, where its `createdAt` and its numbers
//! say so too; for the primary itself the operations' own `prev` does. Only live arrivals on one and the same connection are
//! compared: nothing is blamed for our reconnects and fills. An arrival that is in order costs two comparisons.

use super::Ledger;
use super::mutant::Mutant;
use super::prevs::Prev;
use crate::domain::finding::Finding;
use crate::domain::op::Op;
use crate::domain::ring::Row;
use crate::domain::source::SourceIx;
use crate::domain::time::{Tau, US};
use crate::domain::verdict::Mode;
use std::sync::Arc;

/// Operations that one arrival out of order is compared with, at most.
const COMPARED_MAX: u64 = 4_096;
/// Operations that all arrivals out of order are compared with between two ticks, at most: about a millisecond.
pub(super) const BUDGET: u64 = 400_000;

/// Whether the primary says that `one` precedes `other`, both being of the same DID.
fn precedes(one: &Row, other: &Row) -> bool {
    let by_seq = one.seq().zip(other.seq()).is_none_or(|(a, b)| a < b);
    !one.is_filled && !other.is_filled && one.p <= other.p && one.created_ms <= other.created_ms && by_seq
}

impl Ledger {
    /// Mirror `m` delivered an operation live, for the first time: after one of its DID that it precedes, or, where its
    /// arrival was the `order`th and is only now known to be the primary's, before one that precedes it.
    pub(super) fn watch_order(&mut self, number: u64, m: usize, at: Tau, order: Option<u64>) {
        let Some(mirror) = self.mirrors.get_mut(m) else { return };
        let head = mirror.head.unwrap_or(0);
        let is_promoted = order.is_some();
        let order = order.unwrap_or(mirror.source.arrivals);
        let is_behind = is_promoted && order < mirror.latest_order;
        mirror.latest_order = mirror.latest_order.max(order);
        if number >= head && !is_behind || at < mirror.source.fence && !self.is_mutant(Mutant::OrderAcrossLinks) {
            return;
        }
        let Some(row) = self.ring.row(number).copied().filter(|row| !row.is_filled) else { return };
        let (first, end) = if is_promoted {
            (number.saturating_sub(COMPARED_MAX).max(self.ring.base()), number)
        } else {
            (number + 1, (head + 1).min(number + 1 + COMPARED_MAX))
        };
        let compared = end.saturating_sub(first);
        if compared > self.order_budget {
            self.order_unchecked(m);
            return;
        }
        self.order_budget -= compared;
        let found = if is_promoted {
            (first..end).rev().find(|&n| self.came_after(n, m, &row, at)).map(|_| row.key())
        } else {
            let overtook = (first..end).find(|&n| self.came_before(n, m, &row));
            overtook.and_then(|n| self.ring.row(n)).map(Row::key)
        };
        match found {
            Some(key) => self.notice(SourceIx::mirror(m), key, Finding::OrderViolation, at),
            None if !is_promoted && end <= head => self.order_unchecked(m),
            None => {}
        }
    }

    fn order_unchecked(&mut self, m: usize) {
        if let Some(mirror) = self.mirrors.get_mut(m) {
            Arc::make_mut(&mut mirror.source.content).unchecked += 1;
        }
    }

    /// When mirror `m` delivered that operation live on its present connection, if `row` is of the same DID.
    fn live_on_link(&self, number: u64, m: usize, row: &Row) -> Option<(&Row, Tau)> {
        let other = self.ring.row(number).filter(|other| other.did == row.did)?;
        let cell = self.ring.cell(number, m).filter(|cell| cell.delivery() == Some(Mode::Live))?;
        let at = cell.arrival(other.p);
        let fence = self.mirrors.get(m)?.source.fence;
        (at >= fence || self.is_mutant(Mutant::OrderAcrossLinks)).then_some((other, at))
    }

    /// Whether an operation came from the mirror before `row`, which comes now and precedes it.
    fn came_before(&self, number: u64, m: usize, row: &Row) -> bool {
        self.live_on_link(number, m, row).is_some_and(|(other, _)| precedes(row, other))
    }

    /// Whether an operation that precedes `row` came from the mirror after it.
    fn came_after(&self, number: u64, m: usize, row: &Row, at: Tau) -> bool {
        let Some((other, other_at)) = self.live_on_link(number, m, row).filter(|(other, _)| precedes(other, row))
        else {
            return false;
        };
        // A cell keeps whole microseconds. What one read brought has one stamp: there the stream's own order decides.
        let later_ns = other_at.since(at);
        let in_doubt = || later_ns > -US && self.is_before(m, row, other);
        later_ns > 0 || in_doubt()
    }

    fn is_before(&self, m: usize, one: &Row, other: &Row) -> bool {
        self.mirrors.get(m).is_some_and(|mirror| mirror.source.numbers.is_before(&one.key(), &other.key()))
    }

    /// The primary sent an operation live: one that names it as its `prev` came before when `createdAt` or numbers went back.
    pub(super) fn watch_primary_order(&mut self, op: &Op, at: Tau) {
        let is_number_back = op.seq.zip(self.primary.live_seq).is_some_and(|(seq, largest)| seq < largest);
        let is_back = is_number_back || op.created_ms < self.newest_created_ms;
        self.newest_created_ms = self.newest_created_ms.max(op.created_ms);
        if !is_back {
            return;
        }
        let place = self.prevs.find_back(Prev::of(Some(&op.key.cid)), COMPARED_MAX as usize);
        let number = place.and_then(|back| self.ring.next().checked_sub(1 + back as u64));
        let Some(row) = number.and_then(|n| self.ring.row(n)) else { return };
        if row.did == op.key.did && !row.is_filled && row.p >= self.primary.fence {
            self.notice(SourceIx::PRIMARY, row.key(), Finding::OrderViolation, at);
        }
    }
}
