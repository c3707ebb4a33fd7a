//! Two contents in one place: of the same `prev`, or under the same number of one source.
//!
//! An operation that only a mirror has contradicts the primary when the primary has another one with the same `prev`. That is
//! looked for when it is decided that the primary does not have it, and taken back when it turns out that it has.

use super::Ledger;
use super::prevs::Prev;
use crate::domain::finding::Finding;
use crate::domain::op::OpKey;
use crate::domain::source::SourceIx;

/// How an operation that only a mirror has is known to contradict another one.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Fork {
    /// It is not.
    #[default]
    None = 0,
    /// Under the same number of that source.
    BySeq = 1,
    /// By the same `prev` as one of the primary's.
    ByPrev = 2,
}

impl Fork {
    /// The one with this number, as kept in the journal.
    #[must_use]
    pub const fn from_number(n: u8) -> Fork {
        match n {
            1 => Fork::BySeq,
            2 => Fork::ByPrev,
            _ => Fork::None,
        }
    }
}

impl Ledger {
    /// How an operation of a mirror is known to contradict another one.
    pub(super) fn fork_of(&self, source: SourceIx, key: &OpKey) -> Fork {
        let sighting = source.mirror_index().and_then(|m| self.foreigns.get(key, m as u16));
        sighting.map_or(Fork::None, |s| s.fork)
    }

    /// Remembers it, so that it is counted once.
    pub(super) fn mark_fork(&mut self, source: SourceIx, key: &OpKey, fork: Fork) {
        let sighting = source.mirror_index().and_then(|m| self.foreigns.get_mut(key, m as u16));
        if let Some(sighting) = sighting.filter(|s| s.fork == Fork::None) {
            sighting.fork = fork;
            let marked = *sighting;
            self.journal.sighting(&marked);
        }
    }

    /// Looks whether operations that the primary does not have contradict some that it has.
    pub(super) fn find_forks(&mut self, decided: &[(SourceIx, OpKey)]) {
        let of = |(source, key): &(SourceIx, OpKey)| {
            let s = self.foreigns.get(key, source.mirror_index()? as u16)?;
            (s.fork == Fork::None && !s.prev.is_none()).then_some((*source, *key, s.prev, s.q))
        };
        let asked: Vec<_> = decided.iter().filter_map(of).collect();
        if asked.is_empty() {
            return;
        }
        let named: Vec<Prev> = self.prevs.among(asked.iter().map(|a| a.2).collect());
        for (source, key, prev, at) in asked {
            if named.binary_search(&prev).is_ok() {
                self.mark_fork(source, &key, Fork::ByPrev);
                self.notice(source, key, Finding::Equivocation, at);
            }
        }
    }

    /// The primary has the operation after all: having it contradicts nothing.
    pub(super) fn is_no_fork(&mut self, source: SourceIx, key: &OpKey, fork: Fork) {
        if fork == Fork::ByPrev {
            self.retract(source, key, Finding::Equivocation);
        }
    }
}
