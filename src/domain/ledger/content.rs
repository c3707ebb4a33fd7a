//! What was wrong with content and order at each source: counts, and the latest of each kind.
//!
//! None of it changes a verdict. Every source has bounds of its own, so that no source hides what another one did.

use super::Ledger;
use crate::domain::finding::Finding;
use crate::domain::frame::Claim;
use crate::domain::op::OpKey;
use crate::domain::source::SourceIx;
use crate::domain::time::Tau;
use std::collections::VecDeque;
use std::sync::Arc;

/// Findings of one kind and source that are listed, newest.
pub const LATEST_MAX: usize = 50;

/// Findings of content and order.
pub const KINDS: [Finding; 6] = [
    Finding::Corrupt,
    Finding::Altered,
    Finding::OrderViolation,
    Finding::Equivocation,
    Finding::Duplicate,
    Finding::SeqRegress,
];

/// One finding of content or order.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Noticed {
    /// At which source.
    pub source: SourceIx,
    /// Which operation, as that source named it.
    pub key: OpKey,
    /// What was wrong.
    pub finding: Finding,
    /// The arrival that showed it.
    pub at: Tau,
}

/// The findings of content and order of one source.
#[derive(Clone, Debug, Default)]
pub struct Content {
    counts: [u64; KINDS.len()],
    latest: [VecDeque<Noticed>; KINDS.len()],
    /// Arrivals out of order that were not compared with the others of their DID: there were too many.
    pub unchecked: u64,
}

fn place(finding: Finding) -> Option<usize> {
    KINDS.iter().position(|kind| *kind == finding)
}

impl Content {
    /// How often this was found; 0 for a finding of another nature.
    #[must_use]
    pub fn count(&self, finding: Finding) -> u64 {
        place(finding).and_then(|i| self.counts.get(i)).copied().unwrap_or(0)
    }

    /// The latest of every kind, kind by kind, newest first; at most [`LATEST_MAX`] of each.
    pub fn latest(&self) -> impl Iterator<Item = &Noticed> {
        self.latest.iter().flat_map(|of_kind| of_kind.iter().rev())
    }

    /// Whether this is listed about an operation.
    #[must_use]
    pub fn has(&self, finding: Finding, key: &OpKey) -> bool {
        self.latest().any(|n| n.finding == finding && n.key == *key)
    }

    pub(super) fn set_count(&mut self, finding: Finding, count: u64) {
        if let Some(n) = place(finding).and_then(|i| self.counts.get_mut(i)) {
            *n = count;
        }
    }

    /// Puts a finding on its list without counting it.
    pub(super) fn list(&mut self, noticed: Noticed) {
        let Some(list) = place(noticed.finding).and_then(|i| self.latest.get_mut(i)) else { return };
        if list.len() == LATEST_MAX {
            list.pop_front();
        }
        list.push_back(noticed);
    }

    fn add(&mut self, noticed: Noticed) {
        self.set_count(noticed.finding, self.count(noticed.finding) + 1);
        self.list(noticed);
    }

    fn retract(&mut self, finding: Finding, key: &OpKey) {
        self.set_count(finding, self.count(finding).saturating_sub(1));
        self.latest.iter_mut().for_each(|list| list.retain(|n| n.finding != finding || n.key != *key));
    }
}

impl Ledger {
    /// Counts and lists a finding. Repeats are not journaled: a source that repeats everything would fill the disk.
    pub(super) fn notice(&mut self, source: SourceIx, key: OpKey, finding: Finding, at: Tau) {
        let noticed = Noticed { source, key, finding, at };
        let Some(state) = self.source_mut(source) else { return };
        Arc::make_mut(&mut state.content).add(noticed);
        if finding != Finding::Duplicate {
            self.journal.noticed(&noticed);
        }
    }

    /// Takes a finding back: it turned out that the primary has that operation.
    pub(super) fn retract(&mut self, source: SourceIx, key: &OpKey, finding: Finding) {
        if let Some(state) = self.source_mut(source) {
            Arc::make_mut(&mut state.content).retract(finding, key);
        }
    }

    /// A frame of the source was refused because it is not true to itself: content under a CID that is not its own is
    /// `corrupt`; a genesis under its own CID and another DID than it makes is `altered`.
    pub fn lied(&mut self, source: SourceIx, claim: &Claim, at: Tau) {
        if claim.computed != claim.key.cid {
            self.notice(source, claim.key, Finding::Corrupt, at);
            return;
        }
        match (self.ring.find(&claim.key.cid), source.mirror_index()) {
            (Some(number), Some(m)) => self.note_altered(number, m, claim.key, at),
            _ => self.notice_once(source, claim.key, Finding::Altered, at),
        }
    }

    /// Counts a finding that is not listed about the operation yet.
    pub(super) fn notice_once(&mut self, source: SourceIx, key: OpKey, finding: Finding, at: Tau) {
        if !self.source(source).is_some_and(|s| s.content.has(finding, &key)) {
            self.notice(source, key, finding, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::did::Did;

    fn noticed(n: u8, finding: Finding) -> Noticed {
        let key = OpKey { did: Did([1; 15]), cid: Cid([n; 32]) };
        Noticed { source: SourceIx(1), key, finding, at: Tau(i64::from(n)) }
    }

    #[test]
    fn every_kind_keeps_its_latest_and_counts_them_all() {
        let mut content = Content::default();
        content.add(noticed(200, Finding::Equivocation));
        (0..120).for_each(|n| content.add(noticed(n, Finding::Duplicate)));
        assert_eq!((content.count(Finding::Duplicate), content.count(Finding::DataLoss)), (120, 0));
        let at = |finding| content.latest().filter(move |n| n.finding == finding).map(|n| n.at.0);
        assert!(at(Finding::Duplicate).eq((70..120).rev()), "the latest of its kind, newest first");
        assert!(at(Finding::Equivocation).eq([200]), "no other kind pushes it out");
        content.retract(Finding::Equivocation, &noticed(200, Finding::Altered).key);
        assert_eq!(content.count(Finding::Equivocation), 0);
        assert!(content.latest().all(|n| n.finding == Finding::Duplicate));
    }
}
