//! Every key that only mirrors have, packed: a flood of them is what costs most memory of all.
//!
//! The sightings of one content hang together in a chain that begins where the first eight bytes of its CID lead. Whoever
//! makes two contents alike there has done 2⁶⁴ hashes for a chain that is longer by one.

use super::Sighting;
use super::list::Recent;
use super::slots::{NOWHERE, Slots};
use crate::domain::cid::Cid;
use crate::domain::ledger::journal::Journal;
use crate::domain::ledger::state::MirrorState;
use crate::domain::op::OpKey;
use crate::domain::time::Tau;
use std::collections::{BTreeSet, HashMap, VecDeque};

/// Chains for which tables keep their size although most of it is empty.
const SMALL: usize = 1_024;

/// Every key that only mirrors have.
#[derive(Debug, Default)]
pub(in crate::domain::ledger) struct Foreigns {
    /// Where chains begin.
    heads: HashMap<u64, u32, foldhash::fast::RandomState>,
    slots: Slots,
    /// Those that may still be decided otherwise, by their arrival.
    pub(super) open: BTreeSet<(Tau, u32)>,
    /// Those that were decided, in that order, until they are forgotten.
    closed: VecDeque<(Tau, u32)>,
    /// Keys that were decided latest.
    pub(super) recent: Recent,
    /// Keys that came latest and are not decided.
    pub(super) undecided: Recent,
    pub(super) judged_at: Option<Tau>,
    /// The key that was judged last, while those behind it are left for the next tick.
    pub(super) judged_to: Option<(Tau, u32)>,
    pub(super) chain_wanted: Option<Tau>,
    /// The same of what was judged so far, until all that is due was.
    pub(super) chain_wanting: Option<Tau>,
    /// The latest instant from which a chain was asked for since the last one ended.
    pub(super) chain_asked: Option<Tau>,
    /// When the last complete chain was asked for, and from which instant on it lists everything.
    pub(super) chain_done: Option<(Tau, Tau)>,
    /// From before this no chain lists anything.
    pub(super) chain_earliest: Tau,
    pub(super) has_no_export: bool,
}

fn head(cid: &Cid) -> u64 {
    cid.0.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

impl Foreigns {
    fn chain(&self, cid: &Cid) -> impl Iterator<Item = (u32, &Sighting)> {
        let (mut at, cid) = (self.heads.get(&head(cid)).copied().unwrap_or(NOWHERE), *cid);
        let nodes = std::iter::from_fn(move || {
            let (slot, node) = (at, self.slots.get(at)?);
            at = node.next;
            Some((slot, &node.sighting))
        });
        nodes.filter(move |(_, s)| s.key.cid == cid)
    }

    /// Takes everything that is known of a content away; in the order in which it came.
    pub(in crate::domain::ledger) fn take(&mut self, cid: &Cid, mirrors: &mut [MirrorState]) -> Vec<Sighting> {
        let slots: Vec<u32> = self.chain(cid).map(|(slot, _)| slot).collect();
        let taken: Vec<Sighting> = slots.into_iter().filter_map(|slot| self.remove(slot)).collect();
        for s in &taken {
            if let Some(mirror) = mirrors.get_mut(usize::from(s.mirror)) {
                mirror.unknown_keys = mirror.unknown_keys.saturating_sub(1);
            }
        }
        taken
    }

    fn remove(&mut self, slot: u32) -> Option<Sighting> {
        let node = self.slots.take(slot)?;
        let s = node.sighting;
        let head = head(&s.key.cid);
        match self.heads.get(&head).copied() {
            Some(first) if first == slot && node.next == NOWHERE => drop(self.heads.remove(&head)),
            Some(first) if first == slot => drop(self.heads.insert(head, node.next)),
            first => {
                let mut at = first.unwrap_or(NOWHERE);
                while let Some(before) = self.slots.get_mut(at) {
                    at = before.next;
                    if at == slot {
                        before.next = node.next;
                    }
                }
            }
        }
        self.open.remove(&(s.q, slot));
        self.undecided.remove((s.key, s.mirror));
        Some(s)
    }

    fn find(&self, key: &OpKey, mirror: u16) -> Option<(u32, &Sighting)> {
        self.chain(&key.cid).find(|(_, s)| s.mirror == mirror && s.key == *key)
    }

    pub(in crate::domain::ledger) fn get(&self, key: &OpKey, mirror: u16) -> Option<&Sighting> {
        self.find(key, mirror).map(|(_, s)| s)
    }

    /// For changes of anything but the arrival and whether it is decided, which [`Foreigns::put`] is for.
    pub(in crate::domain::ledger) fn get_mut(&mut self, key: &OpKey, mirror: u16) -> Option<&mut Sighting> {
        let (slot, _) = self.find(key, mirror)?;
        self.slots.get_mut(slot).map(|node| &mut node.sighting)
    }

    /// The sighting in a slot.
    pub(super) fn at(&self, slot: u32) -> Option<&Sighting> {
        self.slots.get(slot).map(|node| &node.sighting)
    }

    /// What is known of a content at every mirror.
    pub(in crate::domain::ledger) fn of_cid(&self, cid: &Cid) -> impl Iterator<Item = &Sighting> {
        self.chain(cid).map(|(_, s)| s)
    }

    /// Puts a sighting in, in place of what is known of the same key at the same mirror.
    pub(in crate::domain::ledger) fn put(&mut self, s: Sighting) {
        let known = self.find(&s.key, s.mirror).map(|(slot, old)| (slot, old.q));
        let slot = if let Some((slot, q)) = known {
            self.open.remove(&(q, slot));
            if let Some(node) = self.slots.get_mut(slot) {
                node.sighting = s;
            }
            slot
        } else {
            self.append(s)
        };
        if s.is_closed {
            self.closed.push_back((s.q, slot));
        } else {
            self.open.insert((s.q, slot));
        }
        self.list_undecided(&s);
    }

    /// Puts a sighting at the end of its chain.
    fn append(&mut self, s: Sighting) -> u32 {
        let slot = self.slots.insert(s);
        let mut at = *self.heads.entry(head(&s.key.cid)).or_insert(slot);
        while at != slot
            && let Some(node) = self.slots.get_mut(at)
        {
            at = node.next;
            if at == NOWHERE {
                (node.next, at) = (slot, slot);
            }
        }
        slot
    }

    pub(in crate::domain::ledger) fn sightings(&self) -> impl Iterator<Item = &Sighting> {
        self.slots.iter()
    }

    pub(in crate::domain::ledger) fn drop_key(&mut self, cid: &Cid) {
        self.take(cid, &mut []);
    }

    /// Forgets keys whose every sighting is decided and older than `before`. Each decision is looked at once, when it is
    /// the oldest one left, so that the cost does not grow with what is held.
    pub(in crate::domain::ledger) fn forget(
        &mut self,
        before: Tau,
        mirrors: &mut [MirrorState],
        journal: &mut Journal,
    ) {
        let mut has_forgotten = false;
        while let Some((_, slot)) = self.closed.pop_front_if(|c| c.0 < before) {
            let Some(cid) = self.at(slot).map(|s| s.key.cid) else { continue };
            if self.of_cid(&cid).all(|s| s.is_closed && s.q < before) {
                self.take(&cid, mirrors);
                journal.gone(&cid);
                has_forgotten = true;
            }
        }
        if has_forgotten {
            self.give_back();
        }
    }

    /// Gives back what a flood took, when most of it is not needed any more.
    fn give_back(&mut self) {
        self.slots.give_back();
        if self.heads.capacity() > SMALL.max(4 * self.heads.len()) {
            self.heads.shrink_to_fit();
        }
        if self.closed.capacity() > SMALL.max(4 * self.closed.len()) {
            self.closed.shrink_to_fit();
        }
    }

    /// Contents that are held.
    pub(in crate::domain::ledger) fn len(&self) -> usize {
        self.heads.len()
    }

    pub(in crate::domain::ledger) fn has_no_export(&self) -> bool {
        self.has_no_export
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::extra::tests::sighting;

    const FLOOD: u64 = 50_000;

    /// Another content in the same chain.
    fn beside(s: Sighting, n: u8) -> Sighting {
        let mut cid = s.key.cid;
        cid.0[31] ^= n;
        Sighting { key: OpKey { cid, ..s.key }, ..s }
    }

    #[test]
    fn contents_that_share_a_chain_stay_apart_and_what_is_taken_leaves_the_others() {
        let mut f = Foreigns::default();
        let [a, b, c] = [sighting(1, 0), beside(sighting(1, 0), 1), beside(sighting(1, 1), 2)];
        let again = Sighting { mirror: 3, ..b };
        for s in [a, b, c, again] {
            f.put(s);
        }
        assert_eq!((f.len(), f.sightings().count(), f.open.len()), (1, 4, 4));
        assert_eq!(f.of_cid(&b.key.cid).copied().collect::<Vec<_>>(), [b, again]);
        assert_eq!((f.get(&c.key, 1), f.get(&c.key, 0)), (Some(&c), None));
        f.put(Sighting { is_closed: true, ..again });
        assert_eq!((f.open.len(), f.closed.len(), f.sightings().count()), (3, 1, 4));
        assert_eq!(f.take(&b.key.cid, &mut []), [b, Sighting { is_closed: true, ..again }]);
        assert_eq!(f.sightings().copied().collect::<Vec<_>>(), [a, c]);
        f.drop_key(&a.key.cid);
        assert_eq!((f.get(&c.key, 1), f.len()), (Some(&c), 1));
        f.drop_key(&c.key.cid);
        assert_eq!((f.len(), f.sightings().count(), f.open.len()), (0, 0, 0));
    }

    #[test]
    fn what_a_flood_took_is_given_back() {
        let mut f = Foreigns::default();
        for i in 0..FLOOD {
            f.put(sighting(i, 0));
        }
        for i in 0..FLOOD {
            f.put(Sighting { is_closed: true, ..sighting(i, 0) });
        }
        assert_eq!((f.open.len(), f.closed.len(), f.len()), (0, FLOOD as usize, FLOOD as usize));
        f.forget(Tau(FLOOD as i64 - 10), &mut [], &mut Journal::default());
        assert_eq!((f.len(), f.sightings().count()), (10, 10));
        assert!(f.heads.capacity() <= 2 * SMALL && f.closed.capacity() <= 2 * SMALL);
    }
}
