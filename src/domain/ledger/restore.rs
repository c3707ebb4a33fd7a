//! A ledger from what was kept: the same as before, with the time since then shown as the observer being down.
//!
//! Operations, cells and sightings come from the journal; intervals whose operations are all held are counted anew from
//! them, the others are taken as they were kept in the same transaction. So nothing is counted twice and nothing lost.

use super::Ledger;
use super::content::{KINDS, Noticed};
use super::journal::{self, JournalError, Record};
use super::loss::Loss;
use super::range::CreatedRanges;
use super::saved::{Saved, assemble};
use crate::domain::finding::Finding;
use crate::domain::ring::{Ring, Row};
use crate::domain::rtt::Correction;
use crate::domain::source::SourceIx;
use crate::domain::time::{SECOND, Span, Tau};
use crate::domain::verdict::{Cell, Reason, Verdict};
use crate::domain::window::GapState;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;

/// How far back the spans of a late reader are kept, nanoseconds; what is older than that is decided.
const LATE_KEPT_NS: i64 = 2 * 3_600 * SECOND;
/// Spans of a late reader that are kept.
const LATE_KEPT_MAX: usize = 256;

/// The small state of the ledger that every transaction keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LedgerState {
    interval_ms: i64,
    next_op: u64,
    ranges: CreatedRanges,
    /// Spans in which our reader was late, as far as something undecided can still ask for them.
    #[serde(default)]
    late: Vec<Span>,
    #[serde(default)]
    stream_gaps: u64,
}

/// The counters of a source that every transaction keeps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Counters {
    proved: Tau,
    is_open: bool,
    received: u64,
    #[serde(default)]
    filled: u64,
    duplicates: u64,
    rejected: u64,
    dropped: u64,
    altered: u64,
    last_op_at: Option<Tau>,
    #[serde(default)]
    corrupt: u64,
    #[serde(default)]
    order_violations: u64,
    #[serde(default)]
    equivocations: u64,
    #[serde(default)]
    seq_regresses: u64,
}

impl Counters {
    /// The totals alone, where the clock of the instants is not known any more.
    #[must_use]
    pub fn without_instants(self) -> Counters {
        Counters { proved: Tau::default(), is_open: false, last_op_at: None, ..self }
    }

    /// Of each finding of content and order its count.
    fn of_content(&self) -> [(Finding, u64); KINDS.len()] {
        [
            (Finding::Corrupt, self.corrupt),
            (Finding::Altered, self.altered),
            (Finding::OrderViolation, self.order_violations),
            (Finding::Equivocation, self.equivocations),
            (Finding::Duplicate, self.duplicates),
            (Finding::SeqRegress, self.seq_regresses),
        ]
    }
}

/// What restoring found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// Operations that are held again.
    pub ops: usize,
    /// Segments that could not be read to their end, with the reason of the first.
    pub damaged: Option<(usize, String)>,
    /// What is to be restored instead, on a new ledger, because of them.
    pub loss: Option<Loss>,
}

impl Ledger {
    /// The small state for the next transaction.
    #[must_use]
    pub fn save_state(&self) -> LedgerState {
        let asked_from = self.now.plus(-LATE_KEPT_NS);
        let late = self.late.between(asked_from, Tau::MAX).filter(|s| s.to < Tau::MAX).take(LATE_KEPT_MAX).collect();
        LedgerState {
            interval_ms: self.params.interval_ms,
            next_op: self.ring.next(),
            ranges: self.ranges.clone(),
            late,
            stream_gaps: self.stream_gaps.count,
        }
    }

    /// The counters of a source for the next transaction.
    #[must_use]
    pub fn save_counters(&self, source: SourceIx) -> Counters {
        self.source(source).map_or_else(Counters::default, |s| Counters {
            proved: s.windows.proved(),
            is_open: s.windows.is_open(),
            received: s.received,
            filled: s.filled,
            duplicates: s.content.count(Finding::Duplicate),
            rejected: s.rejected,
            dropped: s.dropped,
            altered: s.content.count(Finding::Altered),
            corrupt: s.content.count(Finding::Corrupt),
            order_violations: s.content.count(Finding::OrderViolation),
            equivocations: s.content.count(Finding::Equivocation),
            seq_regresses: s.content.count(Finding::SeqRegress),
            last_op_at: s.last_op_at,
        })
    }

    /// Takes everything back that was kept. To be called once, on a new ledger, before anything else; `ids` are those of the
    /// mirrors in the order of their indices and `primary` that of the primary.
    pub fn restore(&mut self, saved: &Saved, primary: &str, ids: &[String]) -> RestoreReport {
        let mut report = RestoreReport::default();
        let same_intervals = saved.state.as_ref().is_none_or(|s| s.interval_ms == self.params.interval_ms);
        let is_lossy = saved.loss.is_some();
        if let Some(state) = &saved.state {
            self.ranges = state.ranges.clone();
            self.stream_gaps.count = state.stream_gaps;
            for span in state.late.iter().rev() {
                self.late_reader(span.from, Some(span.to));
            }
        }
        let samples = self.replay(saved, ids, &mut report);
        if let Some(state) = &saved.state
            && self.ring.is_empty()
        {
            self.ring = Ring::new(self.mirrors.len(), state.next_op);
        }
        if !same_intervals {
            self.renumber_intervals();
        }
        let fixed = if same_intervals { self.take_intervals(saved, ids) } else { HashSet::new() };
        for hour in &saved.hours {
            let number = (hour.start_ms / 3_600_000) as u32;
            Arc::make_mut(&mut self.rollups).restore_hour(number, assemble(hour, ids));
        }
        for day in &saved.days {
            let number = (day.start_ms / 86_400_000) as u32;
            Arc::make_mut(&mut self.rollups).restore_day(number, assemble(day, ids));
        }
        self.recount(&fixed, &samples);
        self.restore_sources(saved, primary, ids);
        self.journal = journal::Journal::default();
        if is_lossy {
            self.distrust();
            self.keep_frozen(&fixed);
        }
        self.restore_lists(saved.is_rebooted || is_lossy);
        self.want_unexplained();
        report.ops = self.ring.len();
        report
    }

    fn replay(
        &mut self,
        saved: &Saved,
        ids: &[String],
        report: &mut RestoreReport,
    ) -> Vec<(u64, usize, Option<Correction>)> {
        let mut samples = Vec::new();
        let mut started = false;
        let believed_from = saved.loss.map_or(0, |loss| loss.believed_from);
        for (place, segment) in saved.segments.iter().enumerate().skip(believed_from) {
            let result = journal::read(segment, |roster, record| {
                let index = |m: u16| roster.get(usize::from(m)).and_then(|id| ids.iter().position(|i| i == id));
                self.apply(record, &index, roster.len() as u16, &mut samples, &mut started);
            });
            if let Err(e) = result {
                let (count, first) = report.damaged.take().unwrap_or_else(|| (0, JournalError::to_string(&e)));
                report.damaged = Some((count + 1, first));
                report.loss = Some(Loss { believed_from: place + 1 });
            }
        }
        samples
    }

    fn apply(
        &mut self,
        record: Record,
        index: &dyn Fn(u16) -> Option<usize>,
        roster_len: u16,
        samples: &mut Vec<(u64, usize, Option<Correction>)>,
        started: &mut bool,
    ) {
        match record {
            Record::Op(number, row, prev) => {
                if !*started || number != self.ring.next() {
                    // Numbers are dense; a jump means that a segment is missing, and what was before it is not continuous.
                    self.ring = Ring::new(self.mirrors.len(), number);
                    self.prevs.clear();
                    *started = true;
                }
                // A mirror that was not configured then has no cell in the journal: it is not eligible.
                let mut cells = vec![Cell::new(Verdict::NotEligible); self.mirrors.len()];
                for m in (0..roster_len).filter_map(index) {
                    if let Some(cell) = cells.get_mut(m) {
                        *cell = Cell::new(Verdict::Pending);
                    }
                }
                // Sightings are not told to be gone while their mirror is not configured.
                self.foreigns.drop_key(&row.cid);
                self.ring.push(row, cells.into_iter());
                self.prevs.push(prev);
            }
            Record::Moved(number, row) => {
                if let Some(r) = self.ring.row_mut(number) {
                    *r = row;
                }
            }
            Record::Cell(number, m, cell) => {
                if let Some(m) = index(m) {
                    self.ring.set_cell(number, m, cell);
                }
            }
            Record::Sample(number, m, correction) => {
                if let Some(m) = index(m) {
                    samples.push((number, m, correction));
                }
            }
            Record::Sighting(mut s) => {
                if let Some(m) = index(s.mirror) {
                    s.mirror = m as u16;
                    self.foreigns.put(s);
                }
            }
            Record::Gone(cid) => self.foreigns.drop_key(&cid),
            Record::Evicted(base) => {
                while self.ring.base() < base && !self.ring.is_empty() {
                    self.disputed.remove(&self.ring.base());
                    self.stream_gaps.forget(self.ring.base());
                    self.ring.pop();
                    self.prevs.pop();
                }
            }
            Record::Found(m, key, finding) => {
                if let Some(m) = index(m) {
                    self.hold_finding(m, key, finding);
                }
                if finding == Finding::PrimaryStreamGap
                    && let Some(number) = self.number_of(&key)
                {
                    self.stream_gaps.known(number);
                }
            }
            Record::Disputed(number) => {
                self.disputed.extend(self.ring.row(number).map(|_| number));
            }
            Record::Noticed(noticed) => self.restore_noticed(noticed, index),
        }
    }

    /// Puts what was wrong at a source back on its list; the counts are kept apart.
    fn restore_noticed(&mut self, noticed: Noticed, index: &dyn Fn(u16) -> Option<usize>) {
        let source = match noticed.source.mirror_index() {
            None => Some(SourceIx::PRIMARY),
            Some(m) => index(m as u16).map(SourceIx::mirror),
        };
        let Some(source) = source else { return };
        if let Some(state) = self.source_mut(source) {
            Arc::make_mut(&mut state.content).list(Noticed { source, ..noticed });
        }
    }

    fn renumber_intervals(&mut self) {
        for number in self.ring.base()..self.ring.next() {
            let k = self.ring.row(number).map(|r| self.interval_of(r.p));
            if let (Some(row), Some(k)) = (self.ring.row_mut(number), k) {
                row.interval = k;
            }
        }
    }

    fn restore_sources(&mut self, saved: &Saved, primary: &str, ids: &[String]) {
        let sources = std::iter::once((SourceIx::PRIMARY, primary))
            .chain(ids.iter().enumerate().map(|(i, id)| (SourceIx::mirror(i), id.as_str())));
        for (ix, id) in sources {
            let windows = saved.windows.get(id).cloned();
            let counters = saved.counters.get(id).cloned().unwrap_or_default();
            let Some(s) = self.source_mut(ix) else { continue };
            if let Some(mut windows) = windows {
                windows.prove(counters.proved);
                windows.close(Reason::SelfDown);
                // What is measured from now on may be another path than that of the arrivals before.
                s.rtts.part(windows.proved().max(counters.last_op_at.unwrap_or(Tau::MIN)));
                s.windows = windows;
                s.windows_version += 1;
            }
            (s.received, s.filled, s.rejected) = (counters.received, counters.filled, counters.rejected);
            (s.dropped, s.last_op_at) = (counters.dropped, counters.last_op_at);
            let content = Arc::make_mut(&mut s.content);
            counters.of_content().into_iter().for_each(|(finding, count)| content.set_count(finding, count));
        }
    }

    /// The observer is down from now on: what a start makes of every window, without one.
    #[cfg(test)]
    pub fn go_down(&mut self) {
        for s in std::iter::once(&mut self.primary).chain(self.mirrors.iter_mut().map(|m| &mut m.source)) {
            s.windows.close(Reason::SelfDown);
            s.rtts.part(s.windows.proved().max(s.last_op_at.unwrap_or(Tau::MIN)));
        }
    }

    /// Makes the lists of what is not settled anew. After a reboot whatever is still open cannot be decided any more.
    fn restore_lists(&mut self, is_rebooted: bool) {
        for number in self.ring.base()..self.ring.next() {
            let Some(row) = self.ring.row(number).copied() else { continue };
            if !row.is_filled {
                self.primary.live_seq = self.primary.live_seq.max(row.seq());
            }
            for m in 0..self.mirrors.len() {
                self.restore_cell(number, &row, m, is_rebooted);
            }
        }
        self.deadline_cursor = self.ring.base();
        let numbers = self.ring.base()..self.ring.next();
        self.ahead = numbers.filter(|&n| self.ring.row(n).is_some_and(|row| self.is_ahead_of_stream(row))).collect();
        if is_rebooted {
            for gap in self.primary.windows.gaps().filter(|g| g.state == GapState::Open) {
                self.ranges.part(gap.start, gap.end());
            }
            self.primary.windows.forsake();
            self.mirrors.iter_mut().for_each(|m| m.source.windows.forsake());
        }
    }

    fn restore_cell(&mut self, number: u64, row: &Row, m: usize, is_rebooted: bool) {
        let (cap, settle_ns) = (self.limits.listed_per_mirror, self.params.settle_ns);
        let (Some(cell), Some(mirror)) = (self.ring.cell(number, m), self.mirrors.get_mut(m)) else { return };
        mirror.list(number, row, Verdict::Pending, cell.verdict(), cap);
        if cell.delivery().is_some() {
            mirror.head = mirror.head.max(Some(number));
            if matches!(cell.verdict(), Verdict::Pending | Verdict::Missed | Verdict::Unknown) {
                mirror.settling.push_back((number, cell.arrival(row.p).max(row.p).plus(settle_ns)));
            }
        } else if cell.verdict() == Verdict::Pending && mirror.source.windows.first().is_none() {
            mirror.unbegun.push_back(number);
        } else if is_rebooted && cell.verdict() == Verdict::Pending {
            self.set_cell(number, m, cell.with_verdict(Verdict::Unknown, Reason::SelfDown));
        }
    }
}
