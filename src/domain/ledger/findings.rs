//! What is found about misses and extras beside their verdicts: which want to be explained, and what asking came to.
//!
//! A finding changes no count. Two answers do change something: the primary lists what only a mirror sent, which is an
//! arrival of the primary from then on, and the primary does not list any more what it sent, which no mirror can be blamed
//! for lacking.

use super::Ledger;
use crate::domain::finding::{About, Finding};
use crate::domain::op::{Op, OpKey};
use crate::domain::source::SourceIx;
use crate::domain::time::Tau;
use crate::domain::verdict::{Mode, Reason, Verdict};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Misses and extras that wait to be taken; beyond it the oldest are left unexplained.
const WAITING_MAX: usize = 100_000;
/// Misses and extras that are taken at a time.
const TAKEN_MAX: usize = 1_000;
/// Findings that are held; beyond it the oldest are known from the disk alone.
const FOUND_MAX: usize = 100_000;

/// A miss or an extra, by its mirror and key.
type Subject = (SourceIx, OpKey);

/// The findings that are held, shared with readers.
pub type Found = Arc<HashMap<Subject, Finding, foldhash::fast::RandomState>>;

/// What wants to be explained, and what was.
#[derive(Debug, Default)]
pub(super) struct Findings {
    waiting: VecDeque<(SourceIx, OpKey, About)>,
    found: Found,
    order: VecDeque<Subject>,
}

impl Findings {
    pub(super) fn want(&mut self, source: SourceIx, key: OpKey, about: About) {
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back((source, key, about));
    }

    pub(super) fn found(&self) -> &Found {
        &self.found
    }

    fn add(&mut self, subject: Subject, finding: Finding) {
        let found = Arc::make_mut(&mut self.found);
        if found.insert(subject, finding).is_none() {
            self.order.push_back(subject);
        }
        if self.order.len() > FOUND_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            found.remove(&oldest);
        }
    }
}

impl Ledger {
    /// Misses and extras that want to be explained and were not taken before, at most [`TAKEN_MAX`].
    pub fn take_checks(&mut self) -> Vec<(SourceIx, OpKey, About)> {
        let mut taken = Vec::new();
        while taken.len() < TAKEN_MAX
            && let Some((source, key, about)) = self.findings.waiting.pop_front()
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

    fn number_of(&self, key: &OpKey) -> Option<u64> {
        self.ring.find(&key.cid).filter(|n| self.ring.row(*n).is_some_and(|row| row.did == key.did))
    }

    /// What asking about a miss or an extra came to.
    pub fn found(&mut self, source: SourceIx, key: &OpKey, finding: Finding) {
        let Some(m) = source.mirror_index() else { return };
        self.findings.add((source, *key), finding);
        if let Some(number) = self.number_of(key) {
            self.persist.verdict(number, m, Verdict::Missed, Verdict::Missed);
        } else if let Some(sighting) = self.foreigns.get(key, m as u16).copied() {
            self.persist.extra(sighting);
        }
    }

    /// What was found about a miss or an extra.
    #[must_use]
    pub fn finding(&self, source: SourceIx, key: &OpKey) -> Option<Finding> {
        self.findings.found.get(&(source, *key)).copied()
    }

    /// The primary's audit log does not list the operation any more: every mirror's verdict of it becomes `withdrawn`.
    pub fn withdraw(&mut self, key: &OpKey) {
        let Some(number) = self.number_of(key) else { return };
        for m in 0..self.mirrors.len() {
            let Some(cell) = self.ring.cell(number, m) else { continue };
            if cell.verdict().may_become(Verdict::Withdrawn) {
                self.set_cell(number, m, cell.with_verdict(Verdict::Withdrawn, Reason::None));
            }
        }
    }

    /// The primary's audit log lists what only mirrors sent: it is an arrival of the primary's, and they are credited. Whether
    /// that counts: what lies before the oldest range of the primary's keys does not.
    pub fn credit(&mut self, op: &Op, at: Tau) -> bool {
        let is_counted = self.foreigns.of_cid(&op.key.cid).any(|s| s.key == op.key && s.reason != Reason::TooOld);
        if is_counted {
            self.arrive(SourceIx::PRIMARY, op, at, Mode::Filled);
        }
        is_counted
    }
}
