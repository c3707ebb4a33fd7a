//! Which of the operations that only mirrors have are shown: bounded, newest first.

use super::{Foreigns, Sighting};
use crate::domain::interval::ExtraState;
use crate::domain::op::OpKey;
use std::collections::BTreeMap;

/// Keys that are listed: so many decided ones, and so many that are not.
const LISTED_MAX: usize = 2_000;

impl Foreigns {
    /// The keys that were decided latest, newest first.
    pub(in crate::domain::ledger) fn recent(&self) -> impl Iterator<Item = &Sighting> {
        let find = |(key, mirror): &(OpKey, u16)| self.get(key, *mirror);
        self.recent.iter().rev().filter_map(find).filter(|s| s.state != ExtraState::Pending)
    }

    /// Keys that are not decided, newest first, at most as many as decided ones are listed.
    pub(in crate::domain::ledger) fn pending(&self) -> impl Iterator<Item = &Sighting> {
        let newest = self.open.iter().rev().take(LISTED_MAX);
        newest.filter_map(|(_, mirror, key)| self.get(key, *mirror)).filter(|s| s.state == ExtraState::Pending)
    }

    /// Whether some keys are on neither list.
    pub(in crate::domain::ledger) fn is_list_cut(&self) -> bool {
        self.recent.len() == LISTED_MAX || self.open.len() > LISTED_MAX
    }

    /// Puts a decided key on the list. Where it is full, the oldest one of the mirror that has most of them makes room: the
    /// inventions of one mirror hide nothing of another's.
    pub(in crate::domain::ledger) fn list(&mut self, s: &Sighting) {
        let entry = (s.key, s.mirror);
        if self.recent.contains(&entry) {
            return;
        }
        if self.recent.len() == LISTED_MAX {
            let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
            for (_, mirror) in &self.recent {
                *counts.entry(*mirror).or_default() += 1;
            }
            let most = counts.into_iter().max_by_key(|(_, n)| *n).map(|(mirror, _)| mirror);
            let oldest = self.recent.iter().position(|(_, mirror)| Some(*mirror) == most);
            self.recent.remove(oldest.unwrap_or(0));
        }
        self.recent.push_back(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{at, op};
    use super::*;
    use crate::domain::ledger::forks::Fork;
    use crate::domain::ledger::prevs::Prev;
    use crate::domain::op::Kind;
    use crate::domain::verdict::{Mode, Reason};

    fn decided(i: u64, mirror: u16) -> Sighting {
        Sighting {
            key: op(i, at(0)).key,
            kind: Kind::Update,
            mode: Mode::Live,
            state: ExtraState::Extra,
            reason: Reason::None,
            is_closed: true,
            is_altered: false,
            fork: Fork::None,
            prev: Prev::NONE,
            order: 0,
            mirror,
            q: at(i as i64),
            created_ms: 0,
            since: at(0),
            interval: 0,
        }
    }

    #[test]
    fn the_inventions_of_one_mirror_hide_nothing_of_another() {
        let mut foreigns = Foreigns::default();
        let quiet = decided(0, 1);
        for s in std::iter::once(quiet).chain((1..=5_000).map(|i| decided(i, 0))) {
            foreigns.put(s);
            foreigns.list(&s);
        }
        let listed: Vec<&Sighting> = foreigns.recent().collect();
        assert_eq!((listed.len(), listed.contains(&&quiet)), (LISTED_MAX, true));
        assert_eq!(listed[0].key, op(5_000, at(0)).key, "newest first");
        assert!(foreigns.is_list_cut());
    }
}
