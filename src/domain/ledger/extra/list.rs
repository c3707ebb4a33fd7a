//! Which of the operations that only mirrors have are shown: bounded, newest first.

use super::{Foreigns, Sighting};
use crate::domain::interval::ExtraState;
use crate::domain::op::OpKey;
use std::collections::{BTreeMap, HashSet, VecDeque};

/// Keys that are listed: so many decided ones, and so many that are not.
const LISTED_MAX: usize = 2_000;

/// The keys that were decided latest, of all mirrors: where there is no room, the mirror with the most of them makes it.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// Oldest first.
    keys: VecDeque<(OpKey, u16)>,
    listed: HashSet<(OpKey, u16), foldhash::fast::RandomState>,
    by_mirror: BTreeMap<u16, usize>,
}

impl Recent {
    fn add(&mut self, entry: (OpKey, u16)) {
        if !self.listed.insert(entry) {
            return;
        }
        self.keys.push_back(entry);
        *self.by_mirror.entry(entry.1).or_default() += 1;
        if self.keys.len() > LISTED_MAX {
            self.let_one_go();
        }
    }

    fn let_one_go(&mut self) {
        let Some((&most, _)) = self.by_mirror.iter().max_by_key(|(_, n)| **n) else { return };
        let oldest = self.keys.iter().position(|(_, mirror)| *mirror == most);
        let Some(entry) = oldest.and_then(|at| self.keys.remove(at)) else { return };
        self.listed.remove(&entry);
        if let Some(n) = self.by_mirror.get_mut(&most) {
            *n -= 1;
        }
    }
}

impl Foreigns {
    /// The keys that were decided latest, newest first.
    pub(in crate::domain::ledger) fn recent(&self) -> impl Iterator<Item = &Sighting> {
        let find = |(key, mirror): &(OpKey, u16)| self.get(key, *mirror);
        self.recent.keys.iter().rev().filter_map(find).filter(|s| s.state != ExtraState::Pending)
    }

    /// Keys that are not decided, newest first, at most as many as decided ones are listed.
    pub(in crate::domain::ledger) fn pending(&self) -> impl Iterator<Item = &Sighting> {
        let newest = self.open.iter().rev().take(LISTED_MAX);
        newest.filter_map(|(_, mirror, key)| self.get(key, *mirror)).filter(|s| s.state == ExtraState::Pending)
    }

    /// Whether some keys are on neither list.
    pub(in crate::domain::ledger) fn is_list_cut(&self) -> bool {
        self.recent.keys.len() == LISTED_MAX || self.open.len() > LISTED_MAX
    }

    /// Puts a decided key on the list.
    pub(in crate::domain::ledger) fn list(&mut self, s: &Sighting) {
        self.recent.add((s.key, s.mirror));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::tests::op;
    use crate::domain::time::Tau;

    #[test]
    fn a_mirror_that_has_most_makes_room_for_the_others() {
        let mut recent = Recent::default();
        let key = |i: usize| op(i as u64, Tau(0)).key;
        (0..10).for_each(|i| recent.add((key(i), 1)));
        (0..LISTED_MAX + 500).for_each(|i| recent.add((key(i), 0)));
        let of = |mirror: u16| recent.keys.iter().filter(|k| k.1 == mirror).count();
        assert_eq!((of(1), of(0), recent.listed.len()), (10, LISTED_MAX - 10, LISTED_MAX));
        assert!(recent.keys.contains(&(key(LISTED_MAX + 499), 0)), "the newest are there");
    }
}
