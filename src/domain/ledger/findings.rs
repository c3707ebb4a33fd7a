//! What is found about misses and extras beside their verdicts: which want to be explained, and what asking came to.
//!
//! A finding changes no count, but for three answers: the primary lists what only a mirror sent, which is an arrival of the
//! primary from then on; it does not list any more what it sent, which no mirror can be blamed for lacking; and an extra that
//! was nullified, withdrawn or against the rules is explained. Every mirror has bounds of its own. Findings are journaled:
//! a restart knows them, and asks about what nobody explained.

mod found;

pub use found::Found;

use super::Ledger;
use super::mutant::Mutant;
use crate::domain::confirm::AGAIN_NS;
use crate::domain::finding::{About, Finding};
use crate::domain::op::{Op, OpKey};
use crate::domain::ring::Row;
use crate::domain::source::SourceIx;
use crate::domain::time::{SECOND, Tau};
use crate::domain::verdict::{Mode, Reason, Verdict};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Misses and extras of one mirror that wait to be taken; beyond it the oldest are left unexplained, and counted.
const WAITING_MAX: usize = 20_000;
/// Extras of one mirror that wait to be taken; beyond it those that come are left unexplained, and counted. Fewer, because a
/// mirror can make as many as it likes.
pub(super) const EXTRAS_WAITING_MAX: usize = 2_000;
/// Findings of one mirror that are held; beyond it the oldest are known from the disk alone, and counted.
const HELD_MAX: usize = 20_000;
/// Misses and extras that are taken at a time, of all mirrors in turn.
const TAKEN_MAX: usize = 1_000;
/// How long after an operation the last look at its miss is at most due: the last of [`AGAIN_NS`], and the longest grace.
const LAST_LOOK_NS: i64 = {
    let [.., last] = AGAIN_NS;
    last + 3_600 * SECOND
};
/// What is kept of the findings of one mirror beside themselves.
#[derive(Debug, Default)]
struct OfMirror {
    waiting: VecDeque<(OpKey, About)>,
    /// Extras among them.
    extras: usize,
    /// Those that are held, oldest first.
    order: VecDeque<(SourceIx, OpKey)>,
    let_go: u64,
}

/// What wants to be explained, and what was.
#[derive(Debug)]
pub(super) struct Findings {
    mirrors: Vec<OfMirror>,
    found: Found,
    /// The mirror whose turn it is.
    turn: usize,
    /// Findings of one mirror that are held.
    pub(super) held_max: usize,
}

impl OfMirror {
    fn next(&mut self) -> Option<(OpKey, About)> {
        let (key, about) = self.waiting.pop_front()?;
        self.extras -= usize::from(about == About::Extra);
        Some((key, about))
    }
}

impl Default for Findings {
    fn default() -> Findings {
        Findings { mirrors: Vec::new(), found: Found::default(), turn: 0, held_max: HELD_MAX }
    }
}

impl Findings {
    fn of_mirror(&mut self, m: usize) -> Option<&mut OfMirror> {
        if self.mirrors.len() <= m {
            self.mirrors.resize_with(m + 1, OfMirror::default);
        }
        self.mirrors.get_mut(m)
    }

    pub(super) fn want(&mut self, source: SourceIx, key: OpKey, about: About) {
        let Some(of) = source.mirror_index().and_then(|m| self.of_mirror(m)) else { return };
        let is_extra = about == About::Extra;
        if is_extra && of.extras == EXTRAS_WAITING_MAX {
            of.let_go += 1;
            return;
        }
        if of.waiting.len() == WAITING_MAX {
            of.next();
            of.let_go += 1;
        }
        of.waiting.push_back((key, about));
        of.extras += usize::from(is_extra);
    }

    pub(super) fn found(&self) -> &Found {
        &self.found
    }

    /// Misses and extras of a mirror that were left unexplained, and findings of it that are not held any more, since the start.
    pub(super) fn let_go(&self, m: usize) -> u64 {
        self.mirrors.get(m).map_or(0, |of| of.let_go)
    }

    /// Takes a finding of mirror `m` within the bound of mirror `of`.
    fn add(&mut self, m: usize, of: usize, key: OpKey, finding: Finding) {
        let (subject, max) = ((SourceIx::mirror(m), key), self.held_max);
        if self.found.insert(subject, finding).is_some() {
            return;
        }
        let Some(of) = self.of_mirror(of) else { return };
        of.order.push_back(subject);
        if of.order.len() > max
            && let Some(oldest) = of.order.pop_front()
        {
            of.let_go += 1;
            self.found.remove(&oldest);
        }
    }

    /// The next that waits, mirror after mirror.
    fn next(&mut self) -> Option<(SourceIx, OpKey, About)> {
        for _ in 0..self.mirrors.len() {
            let m = self.turn % self.mirrors.len();
            self.turn = m + 1;
            if let Some((key, about)) = self.mirrors.get_mut(m).and_then(OfMirror::next) {
                return Some((SourceIx::mirror(m), key, about));
            }
        }
        None
    }
}

/// Operations that the primary's log lists and that its stream did not send us.
#[derive(Debug, Default)]
pub(super) struct StreamGaps {
    /// All of them.
    pub(super) count: u64,
    /// Numbers of those that are held.
    numbers: BTreeSet<u64>,
}

impl StreamGaps {
    fn found(&mut self, number: u64) {
        self.count += u64::from(self.numbers.insert(number));
    }

    pub(super) fn has(&self, number: u64) -> bool {
        self.numbers.contains(&number)
    }

    /// After a restart: it was counted before.
    pub(super) fn known(&mut self, number: u64) {
        self.numbers.insert(number);
    }

    /// The stream sends it after all.
    pub(super) fn closed(&mut self, number: u64) {
        // Where the count was lost with the ledger's own row, the numbers may be known all the same.
        self.count = self.count.saturating_sub(u64::from(self.numbers.remove(&number)));
    }

    pub(super) fn forget(&mut self, number: u64) {
        self.numbers.remove(&number);
    }
}

impl Ledger {
    /// Misses and extras that want to be explained and were not taken before, of all mirrors in turn, at most [`TAKEN_MAX`];
    /// after a restart also those that are open and that nobody explained.
    pub fn take_checks(&mut self) -> Vec<(SourceIx, OpKey, About)> {
        let mut taken = Vec::new();
        while taken.len() < TAKEN_MAX
            && let Some((source, key, about)) = self.findings.next()
        {
            if self.is_open(source, &key, about) {
                taken.push((source, key, about));
            }
        }
        taken
    }

    /// Whether the miss or extra is still one.
    fn is_open(&self, source: SourceIx, key: &OpKey, about: About) -> bool {
        let Some(m) = source.mirror_index() else { return false };
        match about {
            About::Miss => self
                .number_of(key)
                .and_then(|n| self.ring.cell(n, m))
                .is_some_and(|c| c.verdict() == Verdict::Missed && c.delivery().is_none()),
            About::Extra => self.foreigns.get(key, m as u16).is_some(),
        }
    }

    pub(super) fn number_of(&self, key: &OpKey) -> Option<u64> {
        self.ring.find(&key.cid).filter(|n| self.ring.row(*n).is_some_and(|row| row.did == key.did))
    }

    /// What asking about a miss or an extra came to. It stays as history when the miss heals; a look that failed takes nothing
    /// back.
    pub fn found(&mut self, source: SourceIx, key: &OpKey, finding: Finding) {
        let Some(m) = source.mirror_index().filter(|m| *m < self.mirrors.len()) else { return };
        let known = self.finding(source, key);
        let finding = known.filter(|_| finding == Finding::Unverifiable).unwrap_or(finding);
        if known != Some(finding) {
            self.hold_finding(m, *key, finding);
            self.journal.found(m, key, finding);
            if let Some(mirror) = self.mirrors.get_mut(m) {
                Arc::make_mut(&mut mirror.tally).confirmed(finding);
            }
        }
        if let Some(number) = self.number_of(key) {
            self.persist.verdict(number, m, Verdict::Missed, Verdict::Missed);
        } else if let Some(sighting) = self.foreigns.get(key, m as u16).copied() {
            self.explain_extra(sighting, finding);
        }
    }

    pub(super) fn hold_finding(&mut self, m: usize, key: OpKey, finding: Finding) {
        let of = if self.is_mutant(Mutant::SharedFindings) { 0 } else { m };
        self.findings.add(m, of, key, finding);
    }

    /// What was found about a miss or an extra.
    #[must_use]
    pub fn finding(&self, source: SourceIx, key: &OpKey) -> Option<Finding> {
        self.findings.found.get(&(source, *key))
    }

    /// Whoever explains was replaced, and what it had taken is lost: everything open and unexplained waits again.
    pub fn ask_again(&mut self) {
        for of in &mut self.findings.mirrors {
            of.waiting.clear();
            of.extras = 0;
        }
        self.want_unexplained();
    }

    /// After a restart: puts everything that is open and unexplained where it can be taken, and what was to be looked at again:
    /// the last look at a miss follows the first by [`LAST_LOOK_NS`].
    pub(super) fn want_unexplained(&mut self) {
        let explained = |l: &Ledger, source, key: &OpKey| {
            l.finding(source, key).is_some_and(|finding| finding != Finding::Unverifiable)
        };
        let is_settled = |l: &Ledger, source, row: &Row| {
            let is_over = l.now.since(row.p) > LAST_LOOK_NS;
            l.finding(source, &row.key()).is_some_and(|f| !f.may_change() || (is_over && f != Finding::Unverifiable))
        };
        let held = self.ring.held();
        for m in 0..self.mirrors.len() {
            let source = SourceIx::mirror(m);
            for (_, chunk) in held.lacking(m) {
                for place in chunk.undelivered(m) {
                    let (Some(row), Some(cell)) = (chunk.rows().get(place), chunk.cells(m).get(place)) else {
                        continue;
                    };
                    if cell.verdict() == Verdict::Missed && !is_settled(self, source, row) {
                        self.findings.want(source, row.key(), About::Miss);
                    }
                }
            }
        }
        let mut extras: Vec<_> = self
            .foreigns
            .sightings()
            .filter(|s| s.is_asked_about())
            .map(|s| (s.q, SourceIx::mirror(usize::from(s.mirror)), s.key))
            .collect();
        extras.sort_unstable();
        for (_, source, key) in extras {
            if !explained(self, source, &key) {
                self.findings.want(source, key, About::Extra);
            }
        }
    }

    /// The primary's audit log does not list the operation any more: every mirror's verdict of it becomes `withdrawn`.
    pub fn withdraw(&mut self, key: &OpKey) {
        let Some(number) = self.number_of(key) else { return };
        for m in 0..self.mirrors.len() {
            let Some(cell) = self.ring.cell(number, m).filter(|c| c.verdict().may_become(Verdict::Withdrawn)) else {
                continue;
            };
            let is_eligible = self.ring.row(number).and_then(|row| self.is_eligible(row, m)) == Some(true);
            if cell.verdict() == Verdict::Pending && !is_eligible {
                // Whether it is to be judged there is known within seconds.
                self.withdrawn_early.insert((number, m));
                continue;
            }
            let withdrawn = cell.with_verdict(Verdict::Withdrawn, Reason::None);
            if self.is_mutant(Mutant::UncountedWithdrawal) {
                self.ring.set_cell(number, m, withdrawn);
            } else if cell != withdrawn {
                self.set_cell(number, m, withdrawn);
            }
        }
    }

    /// The operation breaks the rules: mirrors that have not delivered it become `disputed` where they are or would be missed.
    pub fn dispute(&mut self, key: &OpKey) {
        let Some(number) = self.number_of(key) else { return };
        if !self.disputed.insert(number) {
            return;
        }
        self.journal.disputed(number);
        for m in 0..self.mirrors.len() {
            let Some(cell) = self.ring.cell(number, m) else { continue };
            let is_missed = cell.verdict() == Verdict::Missed && cell.delivery().is_none();
            let is_blamed = self.is_mutant(Mutant::DisputeBlamesDeliverers) && cell.verdict() != Verdict::NotEligible;
            if is_missed || is_blamed {
                self.set_cell(number, m, cell.with_verdict(Verdict::Disputed, Reason::None));
            }
        }
    }

    /// The primary's audit log lists what only mirrors sent: it is an arrival of the primary's, its stream owes us one, and
    /// they are credited. Whether that counts: what lies before the oldest range of the primary's keys does not.
    pub fn credit(&mut self, op: &Op, at: Tau) -> bool {
        let is_counted = self.foreigns.of_cid(&op.key.cid).any(|s| s.key == op.key && s.reason != Reason::TooOld);
        if is_counted {
            self.arrive(SourceIx::PRIMARY, op, at, Mode::Filled);
            if let Some(number) = self.number_of(&op.key) {
                self.stream_gaps.found(number);
            }
        }
        is_counted
    }
}
