//! Which of the operations that only mirrors have are shown: bounded, newest first, and no mirror hides another's.

use super::Sighting;
use super::foreigns::Foreigns;
use crate::domain::interval::ExtraState;
use crate::domain::op::OpKey;
use std::collections::{BTreeMap, HashMap};

/// Keys that are listed: so many decided ones, and so many that are not.
const LISTED_MAX: usize = 2_000;

/// The latest keys of all mirrors: where there is no room, the mirror with the most of them makes it.
#[derive(Debug, Default)]
pub(super) struct Recent {
    places: HashMap<(OpKey, u16), u64, foldhash::fast::RandomState>,
    /// Oldest first.
    by_mirror: BTreeMap<u16, BTreeMap<u64, OpKey>>,
    next: u64,
}

impl Recent {
    fn add(&mut self, (key, mirror): (OpKey, u16)) {
        if self.places.contains_key(&(key, mirror)) {
            return;
        }
        self.places.insert((key, mirror), self.next);
        self.by_mirror.entry(mirror).or_default().insert(self.next, key);
        self.next += 1;
        if self.places.len() > LISTED_MAX {
            self.let_one_go();
        }
    }

    fn let_one_go(&mut self) {
        let most = self.by_mirror.iter_mut().max_by_key(|(_, keys)| keys.len());
        if let Some((mirror, keys)) = most
            && let Some((_, key)) = keys.pop_first()
        {
            self.places.remove(&(key, *mirror));
        }
    }

    pub(super) fn remove(&mut self, (key, mirror): (OpKey, u16)) {
        let Some(place) = self.places.remove(&(key, mirror)) else { return };
        if let Some(keys) = self.by_mirror.get_mut(&mirror) {
            keys.remove(&place);
        }
    }

    /// Newest first.
    fn newest(&self) -> impl Iterator<Item = (OpKey, u16)> + use<> {
        let of = |(mirror, keys): (&u16, &BTreeMap<u64, OpKey>)| {
            let mirror = *mirror;
            keys.iter().map(move |(place, key)| (*place, *key, mirror)).collect::<Vec<_>>()
        };
        let mut all: Vec<(u64, OpKey, u16)> = self.by_mirror.iter().flat_map(of).collect();
        all.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.0));
        all.into_iter().map(|(_, key, mirror)| (key, mirror))
    }
}

impl Foreigns {
    /// The keys that were decided latest, newest first.
    pub(in crate::domain::ledger) fn recent(&self) -> impl Iterator<Item = &Sighting> {
        let find = |(key, mirror): (OpKey, u16)| self.get(&key, mirror);
        self.recent.newest().filter_map(find).filter(|s| s.state != ExtraState::Pending)
    }

    /// Keys that are not decided, newest first, at most as many as decided ones are listed.
    pub(in crate::domain::ledger) fn pending(&self) -> impl Iterator<Item = &Sighting> {
        let find = |(key, mirror): (OpKey, u16)| self.get(&key, mirror);
        self.undecided.newest().filter_map(find).filter(|s| s.state == ExtraState::Pending)
    }

    /// Whether some keys are on neither list.
    pub(in crate::domain::ledger) fn is_list_cut(&self) -> bool {
        self.recent.places.len() == LISTED_MAX || self.open.len() > LISTED_MAX
    }

    /// Puts a decided key on the list.
    pub(in crate::domain::ledger) fn list(&mut self, s: &Sighting) {
        self.recent.add((s.key, s.mirror));
    }

    /// Puts a key that is not decided on the other list, or takes one from there that is.
    pub(super) fn list_undecided(&mut self, s: &Sighting) {
        if s.state == ExtraState::Pending {
            self.undecided.add((s.key, s.mirror));
        } else {
            self.undecided.remove((s.key, s.mirror));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::extra::tests::sighting;

    #[test]
    fn a_mirror_that_has_most_makes_room_for_the_others() {
        let mut f = Foreigns::default();
        (0..10).for_each(|i| f.put(sighting(i, 1)));
        (10..LISTED_MAX as u64 + 500).for_each(|i| f.put(sighting(i, 0)));
        let of = |f: &Foreigns, mirror: u16| f.pending().filter(|s| s.mirror == mirror).count();
        assert_eq!((of(&f, 1), of(&f, 0)), (10, LISTED_MAX - 10), "those of the flood are not all there is to see");
        let last = LISTED_MAX as u64 + 499;
        assert_eq!(f.pending().next().map(|s| s.q.0), Some(last as i64), "the newest are there");

        for s in (0..10).map(|i| sighting(i, 1)).chain((10..=last).map(|i| sighting(i, 0))) {
            let decided = Sighting { state: ExtraState::Extra, is_closed: true, ..s };
            f.put(decided);
            f.list(&decided);
        }
        let of = |f: &Foreigns, mirror: u16| f.recent().filter(|s| s.mirror == mirror).count();
        assert_eq!((f.pending().count(), of(&f, 1), of(&f, 0)), (0, 10, LISTED_MAX - 10));
        assert_eq!(f.recent().next().map(|s| s.q.0), Some(last as i64));
        assert!(f.is_list_cut() && f.recent.places.len() == LISTED_MAX && f.undecided.places.is_empty());
    }
}
