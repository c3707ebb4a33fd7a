//! Two contents in one place: of the same `prev`, or under the same number of one source.
//!
//! An operation that only a mirror has contradicts the primary when the primary has another one with the same `prev`, and
//! itself when it sent two of them. That is looked for when it is decided that the primary does not have it, and taken back
//! when it turns out that it has. Of two mirrors that contradict each other and not the primary nobody can tell which one
//! lies: what each has is an extra, and no more.

use super::Ledger;
use super::prevs::Prev;
use crate::domain::did::Did;
use crate::domain::finding::Finding;
use crate::domain::interval::ExtraState;
use crate::domain::op::OpKey;
use crate::domain::source::SourceIx;
use crate::domain::time::Tau;
use std::collections::BTreeMap;

/// How an operation that only a mirror has is known to contradict another one.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Fork {
    /// It is not.
    #[default]
    None = 0,
    /// Under the same number of that source.
    BySeq = 1,
    /// By the same `prev` as one of the primary's, or as an earlier one of its own.
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

/// One of several operations of a mirror after the same `prev`: when it came, which it is, and what is known of it.
type Rival = (Tau, OpKey, Fork);

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
        let (against, others): (Vec<_>, Vec<_>) = asked.into_iter().partition(|a| named.binary_search(&a.2).is_ok());
        let own = self.own_rivals(&others);
        for (source, key, at) in against.into_iter().map(|(source, key, _, at)| (source, key, at)).chain(own) {
            self.mark_fork(source, &key, Fork::ByPrev);
            self.notice(source, key, Finding::Equivocation, at);
        }
    }

    /// Operations of one mirror and DID after the same `prev` as an earlier one of that mirror's, none of which the primary
    /// has, and that are not marked yet.
    fn own_rivals(&self, asked: &[(SourceIx, OpKey, Prev, Tau)]) -> Vec<(SourceIx, OpKey, Tau)> {
        let mut places: BTreeMap<(SourceIx, Did, Prev), Vec<Rival>> =
            asked.iter().map(|(source, key, prev, _)| ((*source, key.did, *prev), Vec::new())).collect();
        if places.is_empty() {
            return Vec::new();
        }
        for s in self.foreigns.sightings().filter(|s| s.state == ExtraState::Extra && !s.prev.is_none()) {
            if let Some(rivals) = places.get_mut(&(SourceIx::mirror(usize::from(s.mirror)), s.key.did, s.prev)) {
                rivals.push((s.q, s.key, s.fork));
            }
        }
        let mut found = Vec::new();
        for ((source, ..), mut rivals) in places {
            rivals.sort_unstable_by_key(|rival| (rival.0, rival.1));
            let later = rivals.into_iter().skip(1).filter(|rival| rival.2 == Fork::None);
            found.extend(later.map(|(at, key, _)| (source, key, at)));
        }
        found
    }

    /// The primary has the operation after all: having it contradicts nothing.
    pub(super) fn is_no_fork(&mut self, source: SourceIx, key: &OpKey, fork: Fork) {
        if fork == Fork::ByPrev {
            self.retract(source, key, Finding::Equivocation);
        }
    }
}
