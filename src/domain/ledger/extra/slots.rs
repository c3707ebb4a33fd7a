//! Sightings in numbered slots: no allocation for each, and blocks that are given back when a flood of them is over.

use super::Sighting;
use std::collections::BTreeSet;

/// Slots of one block.
const BLOCK: usize = 1_024;
/// No slot.
pub(super) const NOWHERE: u32 = u32::MAX;

/// A sighting, and the slot of the next one of the same chain.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) sighting: Sighting,
    pub(super) next: u32,
}

#[derive(Debug)]
struct Block {
    nodes: Vec<Option<Node>>,
    used: usize,
}

/// The slots.
#[derive(Debug, Default)]
pub(super) struct Slots {
    blocks: Vec<Block>,
    /// Empty slots of the blocks; the lowest are used first, so that the last blocks run empty.
    free: BTreeSet<u32>,
}

const fn place(slot: u32) -> (usize, usize) {
    (slot as usize / BLOCK, slot as usize % BLOCK)
}

impl Slots {
    pub(super) fn get(&self, slot: u32) -> Option<&Node> {
        let (block, at) = place(slot);
        self.blocks.get(block)?.nodes.get(at)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Node> {
        let (block, at) = place(slot);
        self.blocks.get_mut(block)?.nodes.get_mut(at)?.as_mut()
    }

    /// Puts a sighting into a slot of its own.
    pub(super) fn insert(&mut self, sighting: Sighting) -> u32 {
        let slot = self.free.pop_first().unwrap_or_else(|| self.grow());
        let (block, at) = place(slot);
        if let Some(block) = self.blocks.get_mut(block)
            && let Some(node) = block.nodes.get_mut(at)
        {
            *node = Some(Node { sighting, next: NOWHERE });
            block.used += 1;
        }
        slot
    }

    /// Adds a block; its first slot, which is not among the free ones.
    fn grow(&mut self) -> u32 {
        let first = (self.blocks.len() * BLOCK) as u32;
        self.blocks.push(Block { nodes: std::iter::repeat_with(|| None).take(BLOCK).collect(), used: 0 });
        self.free.extend(first + 1..first + BLOCK as u32);
        first
    }

    pub(super) fn take(&mut self, slot: u32) -> Option<Node> {
        let (block, at) = place(slot);
        let block = self.blocks.get_mut(block)?;
        let node = block.nodes.get_mut(at)?.take()?;
        block.used -= 1;
        self.free.insert(slot);
        Some(node)
    }

    /// Gives the memory of the last blocks back when nothing is in them.
    pub(super) fn give_back(&mut self) {
        while self.blocks.pop_if(|block| block.used == 0).is_some() {
            let first = (self.blocks.len() * BLOCK) as u32;
            self.free.split_off(&first);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Sighting> {
        self.blocks.iter().flat_map(|block| block.nodes.iter().flatten()).map(|node| &node.sighting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::extra::tests::sighting;

    #[test]
    fn a_node_is_small() {
        assert_eq!((size_of::<Sighting>(), size_of::<Option<Node>>()), (104, 112));
    }

    #[test]
    fn slots_are_used_again_and_empty_blocks_given_back() {
        let mut slots = Slots::default();
        let used: Vec<u32> = (0..3 * BLOCK as u64).map(|i| slots.insert(sighting(i, 0))).collect();
        assert_eq!(used, (0..3 * BLOCK as u32).collect::<Vec<_>>());
        assert_eq!((slots.blocks.len(), slots.iter().count()), (3, 3 * BLOCK));
        for slot in used.iter().filter(|slot| **slot != 5) {
            assert!(slots.take(*slot).is_some() && slots.take(*slot).is_none() && slots.get(*slot).is_none());
        }
        slots.give_back();
        assert_eq!((slots.blocks.len(), slots.free.len(), slots.iter().count()), (1, BLOCK - 1, 1));
        assert_eq!(slots.insert(sighting(9, 0)), 0);
        assert_eq!(slots.get(5).map(|node| node.sighting), Some(sighting(5, 0)));
        slots.take(0);
        slots.take(5);
        slots.give_back();
        assert_eq!((slots.blocks.len(), slots.free.len()), (0, 0));
    }
}
