//! Arrivals: which operation it is, whether it is the first, and what its instant means.

use super::Ledger;
use super::extra::Sighting;
use super::mutant::Mutant;
use super::prevs::Prev;
use crate::domain::finding::Finding;
use crate::domain::interval::ExtraState;
use crate::domain::op::{Op, OpKey};
use crate::domain::ring::Row;
use crate::domain::rtt::Correction;
use crate::domain::source::SourceIx;
use crate::domain::throttle::News;
use crate::domain::time::{MS, SECOND, Span, Tau, US};
use crate::domain::verdict::{Cell, Mode, Reason, Verdict};

impl Ledger {
    pub(super) fn primary_delivers(&mut self, op: &Op, at: Tau, mode: Mode) {
        if mode == Mode::Live {
            self.primary.note_arrival(at);
            self.primary.live_seq = self.primary.live_seq.max(op.seq);
            if !self.ahead.is_empty() {
                self.stream_passes(at);
            }
        }
        let Some(number) = self.ring.find(&op.key.cid) else {
            if !self.ranges.was_let_go(op.created_ms, op.seq) {
                self.primary_is_new(op, at, mode);
            } else if mode == Mode::Live {
                self.notice(SourceIx::PRIMARY, op.key, Finding::Duplicate, at);
            }
            return;
        };
        let Some(row) = self.ring.row(number).copied() else { return };
        if row.did != op.key.did || row.created_ms != op.created_ms {
            self.notice_once(SourceIx::PRIMARY, op.key, Finding::Altered, at);
        }
        if mode == Mode::Filled || row.did != op.key.did {
            return;
        }
        if row.is_filled {
            self.primary_is_live_after_all(number, &row, at);
        } else {
            self.notice(SourceIx::PRIMARY, op.key, Finding::Duplicate, at);
            if self.is_mutant(Mutant::DuplicateCountsAgain) {
                self.count_new(&row, number);
            }
        }
    }

    fn primary_is_new(&mut self, op: &Op, at: Tau, mode: Mode) {
        self.primary.receive(mode);
        if mode == Mode::Live {
            self.watch_primary_order(op, at);
        }
        let foreign = self.foreigns.take(&op.key.cid, &mut self.mirrors);
        let is_filled = mode == Mode::Filled && !self.is_mutant(Mutant::FilledIsLive);
        let (p, delay_ms) =
            if is_filled { self.instant_of_filled(op, at) } else { (at, self.held_back_ms(at, op.created_ms)) };
        let mut row = Row::new(op.key, op.kind, p, op.created_ms, op.seq);
        row.is_filled = is_filled;
        row.delay_ms = u32::try_from(delay_ms).unwrap_or(u32::MAX);
        row.known_after_ms = if is_filled { u32::try_from(at.since(p) / MS + 1).unwrap_or(u32::MAX) } else { 0 };
        row.interval = self.interval_of(p);
        if !is_filled {
            self.ranges.add(at, op.created_ms);
        }
        let cells: Vec<Cell> = (0..self.mirrors.len())
            .map(|m| {
                Cell::new(if self.is_eligible(&row, m) == Some(false) || !self.is_looked_for(&row, m) {
                    Verdict::NotEligible
                } else {
                    Verdict::Pending
                })
            })
            .collect();
        let number = self.ring.push(row, cells.iter().copied());
        let prev = Prev::of(op.prev.as_ref());
        self.prevs.push(prev);
        self.journal.op(number, &row, prev);
        self.count_new(&row, number);
        if self.is_ahead_of_stream(&row) {
            self.ahead.push(number);
        }
        for (m, &cell) in cells.iter().enumerate() {
            if cell.verdict() == Verdict::NotEligible {
                self.journal.cell(number, m, cell);
                self.note_tombstone(&row, m);
                continue;
            }
            self.note_sampled(&row, m, op.prev);
            if let Some(mirror) = self.mirrors.get_mut(m)
                && mirror.source.windows.first().is_none()
            {
                mirror.unbegun.push_back(number);
            }
        }
        if !foreign.is_empty() {
            self.journal.gone(&op.key.cid);
        }
        for sighting in &foreign {
            self.promote(number, &row, sighting);
        }
        while self.ring.len() > self.limits.held_ops {
            self.evict_one();
        }
    }

    /// Whether the mirror was observed early enough for an operation; none while it was never observed.
    pub(super) fn is_eligible(&self, row: &Row, m: usize) -> Option<bool> {
        let of = if self.is_mutant(Mutant::SharedDenominators) { 0 } else { m };
        let first = self.mirrors.get(of)?.source.windows.first()?;
        // What the primary held back, or a fill brought, may have been at the mirror by as much earlier.
        Some(row.p.plus(-i64::from(row.delay_ms) * MS) >= first.plus(self.params.look_back_ns))
    }

    /// Decides about the operations that came while a mirror's window was not known to have begun: its beginning may have
    /// been told later than the operation.
    pub(super) fn begin_mirrors(&mut self) {
        for m in 0..self.mirrors.len() {
            while let Some(&number) = self.mirrors.get(m).and_then(|mirror| mirror.unbegun.front()) {
                if let (Some(row), Some(cell)) = (self.ring.row(number).copied(), self.ring.cell(number, m)) {
                    let is_eligible = self.is_eligible(&row, m);
                    if is_eligible.is_none() && self.before.since(row.p) < UNBEGUN_NS {
                        break;
                    }
                    let is_withdrawn = self.withdrawn_early.remove(&(number, m));
                    if is_eligible != Some(true) && cell.verdict() == Verdict::Pending {
                        self.set_cell(number, m, cell.with_verdict(Verdict::NotEligible, Reason::None));
                    } else if is_withdrawn {
                        self.set_cell(number, m, cell.with_verdict(Verdict::Withdrawn, Reason::None));
                    }
                }
                if let Some(mirror) = self.mirrors.get_mut(m) {
                    mirror.unbegun.pop_front();
                }
            }
        }
    }

    pub(super) fn mirror_delivers(&mut self, m: usize, op: &Op, at: Tau, mode: Mode) -> News {
        if mode == Mode::Live
            && let Some(mirror) = self.mirrors.get_mut(m)
        {
            mirror.source.note_arrival(at);
        }
        if self.is_mutant(Mutant::CountBeforeDedupe)
            && let Some(mirror) = self.mirrors.get_mut(m)
        {
            mirror.source.received += 1;
        }
        let Some(number) = self.ring.find(&op.key.cid) else {
            return self.sight(m, op, at, mode);
        };
        let Some(row) = self.ring.row(number).copied() else { return News::Foreign };
        if row.did != op.key.did || row.created_ms != op.created_ms {
            self.note_altered(number, m, op.key, at);
        }
        if row.did != op.key.did {
            return News::Foreign;
        }
        let is_repeat = self.ring.cell(number, m).is_some_and(|cell| cell.delivery().is_some());
        self.deliver(number, m, at, mode, None);
        if is_repeat { News::Repeat } else { News::Known }
    }

    /// The mirror sent the operation under another DID or with another `createdAt`: a finding, counted once.
    pub(super) fn note_altered(&mut self, number: u64, m: usize, key: OpKey, at: Tau) {
        if self.mark_altered(number, m) {
            self.notice(SourceIx::mirror(m), key, Finding::Altered, at);
        }
    }

    fn mark_altered(&mut self, number: u64, m: usize) -> bool {
        let Some(cell) = self.ring.cell(number, m).filter(|c| !c.is_altered()) else { return false };
        self.set_cell(number, m, cell.altered());
        true
    }

    /// The primary delivered what was sighted at a mirror before: it becomes a delivery of that mirror.
    fn promote(&mut self, number: u64, row: &Row, sighting: &Sighting) {
        let m = usize::from(sighting.mirror);
        self.uncount_extra(sighting);
        self.is_no_fork(SourceIx::mirror(m), &sighting.key, sighting.fork);
        if sighting.is_altered {
            // Counted when it was seen.
            self.mark_altered(number, m);
        } else if sighting.key.did != row.did || sighting.created_ms != row.created_ms {
            self.note_altered(number, m, sighting.key, sighting.q);
        }
        if let Some(mirror) = self.mirrors.get_mut(m) {
            // The sighting was counted as received; the delivery counts it again.
            mirror.source.unreceive(sighting.mode);
        }
        if sighting.key.did == row.did {
            let q = if self.is_mutant(Mutant::OrderLeaks) { row.p } else { sighting.q };
            self.deliver(number, m, q, sighting.mode, Some(sighting));
        }
    }

    /// Mirror `m` has the operation of this number since `at`. The first arrival counts; what was missed or unknown stays so
    /// until its timing is settled, like that of every other pair. `seen` is what was known of it before the primary had it.
    fn deliver(&mut self, number: u64, m: usize, at: Tau, mode: Mode, seen: Option<&Sighting>) {
        let (Some(row), Some(cell)) = (self.ring.row(number).copied(), self.ring.cell(number, m)) else { return };
        let (is_live, credited) = (mode == Mode::Live, seen.is_some_and(|s| s.state != ExtraState::Pending));
        let mode = if self.is_mutant(Mutant::FilledIsLive) { Mode::Live } else { self.mode_of(&row, m, at, mode) };
        if let Some(first) = cell.delivery()
            && !self.is_mutant(Mutant::RepeatIsNews)
        {
            if (first, mode) == (Mode::Live, Mode::Live) && !self.is_resent(m, cell.arrival(row.p)) {
                self.notice(SourceIx::mirror(m), row.key(), Finding::Duplicate, at);
            }
            return;
        }
        if is_live && self.is_ordered(m) {
            self.watch_order(number, m, at, seen.map(|s| s.order));
        }
        let mut next = cell.with_delivery(mode, Cell::us_between(row.p, at));
        if credited {
            next = next.credited();
        }
        self.set_cell(number, m, next);
        if credited {
            self.recount_flags(&row, m, cell, next);
        }
        let due = at.max(row.p).plus(self.params.settle_ns);
        let counts = !self.is_mutant(Mutant::CountBeforeDedupe);
        if let Some(mirror) = self.mirrors.get_mut(m) {
            if counts {
                mirror.source.receive(mode);
            }
            mirror.head = mirror.head.max(Some(number));
            if next.verdict() != Verdict::NotEligible {
                mirror.settling.push_back((number, due));
            }
        }
    }

    /// A flag was set without a change of verdict: the counts of flags follow.
    fn recount_flags(&mut self, row: &Row, m: usize, from: Cell, to: Cell) {
        self.touch_interval(row.interval);
        let slot = self.slot_of(row.p);
        for interval in [self.intervals.existing_mut(row.interval), self.slots.existing_mut(slot)].into_iter().flatten()
        {
            if let Some(acc) = interval.acc_mut(m) {
                acc.change(row.kind, &row.did, from, to);
            }
        }
    }

    /// What the timing of a delivered operation says, as far as is known now: on time, late, or present when it says nothing.
    pub(super) fn timing(&self, row: &Row, cell: Cell, m: usize) -> Verdict {
        let Some(mirror) = self.mirrors.get(m) else { return Verdict::Present };
        if row.is_filled || cell.delivery() != Some(Mode::Live) {
            return Verdict::Present;
        }
        let (p, a) = (row.p, cell.arrival(row.p));
        let lag_ns = if self.is_mutant(Mutant::WallClockVerdict) {
            (self.labels.utc_ms(a) - row.created_ms) * MS
        } else {
            cell.raw_us() * US
        };
        let on_time_ns = mirror.params.on_time_ns;
        if self.is_mutant(Mutant::FlagVoidsTooMuch) && row.created_ms % 3 == 0 {
            return Verdict::Present;
        }
        if !self.is_mutant(Mutant::FrozenSpanCounts)
            && (row.delay_ms > 0 || self.is_voided(m, p, a, lag_ns, on_time_ns))
        {
            return Verdict::Present;
        }
        if lag_ns <= on_time_ns { Verdict::OnTime } else { Verdict::Late }
    }

    /// Whether a stamp lies in an impaired span of ours, the primary or the mirror, or only what lies between makes it late.
    fn is_voided(&self, m: usize, p: Tau, a: Tau, lag_ns: i64, on_time_ns: i64) -> bool {
        let (from, to) = (p.min(a), p.max(a).plus(1));
        let mut spans: Vec<Span> = self.late.between(from, to).collect();
        let mirrors = self.mirrors.iter().enumerate();
        let own = mirrors.filter(|(i, _)| *i == m || self.is_mutant(Mutant::FlagsOfOthers)).map(|(_, s)| &s.source);
        for gap in std::iter::once(&self.primary).chain(own).flat_map(|s| s.windows.reaching(from)) {
            let mut span = gap.impaired();
            if self.is_mutant(Mutant::QueuedIsLive) {
                span.to = gap.end();
            }
            if span.overlap_ns(from, to) > 0 {
                spans.push(span);
            }
        }
        if spans.iter().any(|s| s.contains(p) || s.contains(a)) {
            return true;
        }
        lag_ns > on_time_ns && lag_ns - Span::union_ns(&mut spans, p, a) <= on_time_ns
    }

    /// Settles the pairs whose time had come at the tick before: their timing and their lag count from now on.
    pub(super) fn settle_pairs(&mut self) {
        for m in 0..self.mirrors.len() {
            while let Some(&(number, due)) = self.mirrors.get(m).and_then(|mirror| mirror.settling.front()) {
                if due > self.before {
                    break;
                }
                if let Some(mirror) = self.mirrors.get_mut(m) {
                    mirror.settling.pop_front();
                }
                self.settle(number, m);
            }
        }
    }

    fn settle(&mut self, number: u64, m: usize) {
        let (Some(row), Some(cell)) = (self.ring.row(number).copied(), self.ring.cell(number, m)) else { return };
        let timing = self.timing(&row, cell, m);
        let mut next = match cell.verdict() {
            Verdict::Pending if timing != Verdict::Present && cell.raw_us() < 0 => {
                cell.with_verdict(timing, Reason::None).early()
            }
            Verdict::Pending => cell.with_verdict(timing, Reason::None),
            Verdict::Missed | Verdict::Unknown => self.healed(cell, timing),
            _ => return,
        };
        if next.verdict() == timing && timing != Verdict::Present && !cell.is_sampled() {
            next = next.sampled();
        }
        let sample = (next.is_sampled() && !cell.is_sampled()).then(|| self.sample(number, &row, next, m));
        self.set_cell_and_sample(number, m, next, sample);
    }

    /// What was missed or unknown came after all: late, or present where its timing says nothing.
    pub(super) fn healed(&self, cell: Cell, timing: Verdict) -> Cell {
        let verdict = match timing {
            _ if self.is_mutant(Mutant::ForbiddenEdge) => Verdict::OnTime,
            Verdict::Late => Verdict::Late,
            _ => Verdict::Present,
        };
        let next = cell.with_verdict(verdict, Reason::None);
        if cell.verdict() == Verdict::Missed { next.healed() } else { next }
    }

    /// The lag of a pair as it is counted: microseconds as measured, and what corrects them.
    fn sample(&mut self, number: u64, row: &Row, cell: Cell, m: usize) -> (i64, Option<Correction>) {
        let mirror_ns = self.mirrors.get(m).and_then(|mirror| mirror.source.rtts.at(cell.arrival(row.p)));
        let primary_ns = self.primary.rtts.at(row.p);
        let widened = |(to, from)| self.widened(m, cell.arrival(row.p), Correction::from_rtts(to, from));
        let correction = mirror_ns.zip(primary_ns).map(widened);
        let raw_us = if self.is_mutant(Mutant::WallClockLag) {
            (self.labels.utc_ms(cell.arrival(row.p)) - row.created_ms) * 1_000
        } else {
            cell.raw_us()
        };
        self.journal.sample(number, m, correction);
        (raw_us, correction)
    }
}

/// How long an operation waits for the news that a mirror's window had begun before.
const UNBEGUN_NS: i64 = 5 * SECOND;
