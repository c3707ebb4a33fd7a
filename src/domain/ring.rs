//! The operations that are held, in the order of their numbers, with one cell for each mirror.
//!
//! Chunks of 1,024 operations are shared with readers by reference count and copied when they are changed while a reader
//! holds them, so that a detail query scans a consistent picture and the writer never waits. An index by CID finds an
//! operation in constant time.

use super::cid::Cid;
use super::did::Did;
use super::op::{Kind, OpKey};
use super::time::Tau;
use super::verdict::{Cell, Verdict};
use hashbrown::HashTable;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Operations in a chunk.
pub const CHUNK: usize = 1_024;

/// `seq` of an operation that has none.
const NO_SEQ: u64 = u64::MAX;

/// One operation of the primary.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Whose it is.
    pub did: Did,
    /// What it does.
    pub kind: Kind,
    /// Its content.
    pub cid: Cid,
    /// The primary's arrival; for a filled one the start of its gap.
    pub p: Tau,
    /// The primary's `createdAt`, milliseconds since 1970.
    pub created_ms: i64,
    seq: u64,
    /// Number of the interval that counts it.
    pub interval: u32,
    /// How much later after its `createdAt` it came than usual, milliseconds; 0 when it did not.
    pub delay_ms: u32,
    /// How long after `p` a fill brought it, milliseconds, rounded up; 0 for a live arrival.
    pub known_after_ms: u32,
    /// The primary's arrival is a filled one.
    pub is_filled: bool,
}

impl Row {
    /// The primary's own number of it.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        (self.seq != NO_SEQ).then_some(self.seq)
    }

    /// A row; see the fields.
    #[must_use]
    pub fn new(key: OpKey, kind: Kind, p: Tau, created_ms: i64, seq: Option<u64>) -> Row {
        Row {
            did: key.did,
            kind,
            cid: key.cid,
            p,
            created_ms,
            seq: seq.unwrap_or(NO_SEQ),
            interval: 0,
            delay_ms: 0,
            known_after_ms: 0,
            is_filled: false,
        }
    }

    /// Identity.
    #[must_use]
    pub fn key(&self) -> OpKey {
        OpKey { did: self.did, cid: self.cid }
    }
}

/// A run of operations with the cells of every mirror.
#[derive(Debug)]
pub struct Chunk {
    rows: Vec<Row>,
    /// Mirror after mirror, room for a whole chunk each; in one piece, because an allocator has much room between pieces.
    cells: Vec<Cell>,
    /// The same places as bits: which of the operations the mirror was to deliver and has not.
    undelivered: Vec<u64>,
}

/// Words of 64 bits that mark the operations of a chunk.
const WORDS: usize = CHUNK / 64;

impl Clone for Chunk {
    /// A copy with the room of a whole chunk: a plain copy is as small as it can be, and would double when it grows.
    fn clone(&self) -> Chunk {
        let mut rows = Vec::with_capacity(CHUNK);
        rows.extend_from_slice(&self.rows);
        Chunk { rows, cells: self.cells.clone(), undelivered: self.undelivered.clone() }
    }
}

impl Chunk {
    fn new(mirrors: usize) -> Chunk {
        Chunk {
            rows: Vec::with_capacity(CHUNK),
            cells: vec![Cell::new(Verdict::NotEligible); mirrors * CHUNK],
            undelivered: vec![0; mirrors * WORDS],
        }
    }

    /// The operations, in the order of their numbers.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The cells of one mirror, one for each operation.
    #[must_use]
    pub fn cells(&self, mirror: usize) -> &[Cell] {
        let from = mirror * CHUNK;
        self.cells.get(from..from + self.rows.len()).unwrap_or_default()
    }

    /// Places of the operations that the mirror was to deliver and has not, in rising order.
    pub fn undelivered(&self, mirror: usize) -> impl Iterator<Item = usize> {
        let words = self.undelivered.get(mirror * WORDS..(mirror + 1) * WORDS).unwrap_or_default();
        (0..).step_by(64).zip(words).flat_map(|(first, &word)| {
            let rest = |w: &u64| Some(w & (w - 1)).filter(|&w| w != 0);
            let words = std::iter::successors(Some(word).filter(|&w| w != 0), rest);
            words.map(move |w| first + w.trailing_zeros() as usize)
        })
    }

    fn cell(&self, mirror: usize, place: usize) -> Option<Cell> {
        self.cells.get(mirror * CHUNK + place).copied()
    }

    fn set_cell(&mut self, mirror: usize, place: usize, cell: Cell) -> Option<Cell> {
        let old = std::mem::replace(self.cells.get_mut(mirror * CHUNK + place)?, cell);
        let word = self.undelivered.get_mut(mirror * WORDS + place / 64)?;
        let bit = 1 << (place % 64);
        *word = if is_undelivered(cell) { *word | bit } else { *word & !bit };
        Some(old)
    }
}

/// The chunks as a reader holds them.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// Chunks, oldest first; all but the last are full.
    pub chunks: Vec<Arc<Chunk>>,
    /// For each chunk and mirror, chunk after chunk, how many of its operations the mirror was to deliver and has not.
    lacking: Vec<u16>,
    /// Number of the first operation of the first chunk.
    pub chunk_base: u64,
    /// Number of the oldest operation that is still held.
    pub base: u64,
}

impl Held {
    /// Number that the next operation would have had.
    #[must_use]
    pub fn end(&self) -> u64 {
        let rows: usize = self.chunks.iter().map(|c| c.rows.len()).sum();
        self.chunk_base + rows as u64
    }

    /// The chunks with operations that the mirror was to deliver and has not, each with the number of its first operation.
    pub fn lacking(&self, mirror: usize) -> impl Iterator<Item = (u64, &Chunk)> {
        let mirrors = (self.lacking.len() / self.chunks.len().max(1)).max(1);
        let counts = self.lacking.iter().skip(mirror).step_by(mirrors);
        let chunks = (self.chunk_base..).step_by(CHUNK).zip(&self.chunks).zip(counts);
        chunks.filter(|(_, n)| **n > 0).map(|((first, chunk), _)| (first, &**chunk))
    }

    /// Every operation, in the order of the numbers.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        let before = (self.base - self.chunk_base) as usize;
        self.chunks.iter().flat_map(|chunk| &chunk.rows).skip(before)
    }

    /// The operation of this number with its chunk and place.
    #[must_use]
    pub fn find(&self, number: u64) -> Option<(&Chunk, usize)> {
        if number < self.base {
            return None;
        }
        let offset = (number - self.chunk_base) as usize;
        let chunk = self.chunks.get(offset / CHUNK)?;
        (offset % CHUNK < chunk.rows.len()).then_some((chunk, offset % CHUNK))
    }
}

/// All operations that are held.
#[derive(Debug)]
pub struct Ring {
    mirrors: usize,
    chunks: VecDeque<Arc<Chunk>>,
    lacking: VecDeque<u16>,
    chunk_base: u64,
    base: u64,
    next: u64,
    index: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
}

impl Ring {
    /// An empty ring whose first operation will have the number `base`.
    #[must_use]
    pub fn new(mirrors: usize, base: u64) -> Ring {
        Ring {
            mirrors,
            chunks: VecDeque::new(),
            lacking: VecDeque::new(),
            chunk_base: base,
            base,
            next: base,
            index: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
        }
    }

    /// Operations held.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.next - self.base) as usize
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.next == self.base
    }

    /// Number of the oldest operation held.
    #[must_use]
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Number that the next operation will get.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Adds an operation with its cells, one for each mirror; returns its number.
    pub fn push(&mut self, row: Row, cells: impl Iterator<Item = Cell>) -> u64 {
        if self.chunks.back().is_none_or(|c| c.rows.len() == CHUNK) {
            if self.chunks.is_empty() {
                self.chunk_base = self.next;
            }
            self.chunks.push_back(Arc::new(Chunk::new(self.mirrors)));
            self.lacking.extend(std::iter::repeat_n(0, self.mirrors));
        }
        let number = self.next;
        let counts = self.lacking.len().saturating_sub(self.mirrors);
        if let Some(chunk) = self.chunks.back_mut() {
            let chunk = Arc::make_mut(chunk);
            let place = chunk.rows.len();
            chunk.rows.push(row);
            for ((mirror, cell), lacking) in cells.enumerate().zip(self.lacking.range_mut(counts..)) {
                chunk.set_cell(mirror, place, cell);
                *lacking += u16::from(is_undelivered(cell));
            }
        }
        self.next += 1;
        let hash = self.hasher.hash_one(row.cid.0);
        let (chunks, chunk_base, hasher) = (&self.chunks, self.chunk_base, &self.hasher);
        self.index.insert_unique(hash, number as u32, |&n| {
            row_at(chunks, chunk_base, widen(n, chunk_base)).map_or(0, |r| hasher.hash_one(r.cid.0))
        });
        number
    }

    /// The number of the operation with this content.
    #[must_use]
    pub fn find(&self, cid: &Cid) -> Option<u64> {
        let hash = self.hasher.hash_one(cid.0);
        let same =
            |n: &u32| row_at(&self.chunks, self.chunk_base, widen(*n, self.chunk_base)).is_some_and(|r| r.cid == *cid);
        self.index.find(hash, same).map(|&n| widen(n, self.chunk_base))
    }

    /// The operation of this number.
    #[must_use]
    pub fn row(&self, number: u64) -> Option<&Row> {
        if number < self.base { None } else { row_at(&self.chunks, self.chunk_base, number) }
    }

    /// Changes an operation in place; its identity must stay.
    pub fn row_mut(&mut self, number: u64) -> Option<&mut Row> {
        let (chunk, place) = self.place(number)?;
        Arc::make_mut(self.chunks.get_mut(chunk)?).rows.get_mut(place)
    }

    /// The cell of this operation at this mirror.
    #[must_use]
    pub fn cell(&self, number: u64, mirror: usize) -> Option<Cell> {
        let (chunk, place) = self.place(number)?;
        self.chunks.get(chunk)?.cell(mirror, place)
    }

    /// Changes the cell of this operation at this mirror; returns what it was.
    pub fn set_cell(&mut self, number: u64, mirror: usize, cell: Cell) -> Option<Cell> {
        let (chunk, place) = self.place(number)?;
        let old = Arc::make_mut(self.chunks.get_mut(chunk)?).set_cell(mirror, place, cell)?;
        let lacking = self.lacking.get_mut(chunk * self.mirrors + mirror)?;
        *lacking = *lacking + u16::from(is_undelivered(cell)) - u16::from(is_undelivered(old));
        Some(old)
    }

    /// Lets the oldest operation go.
    pub fn pop(&mut self) {
        let Some(row) = self.row(self.base).copied() else { return };
        let number = self.base as u32;
        if let Ok(entry) = self.index.find_entry(self.hasher.hash_one(row.cid.0), |&n| n == number) {
            entry.remove();
        }
        self.base += 1;
        if self.base - self.chunk_base >= CHUNK as u64 {
            self.chunks.pop_front();
            self.lacking.drain(..self.mirrors);
            self.chunk_base += CHUNK as u64;
        }
    }

    /// The chunks as they are now, for a reader.
    #[must_use]
    pub fn held(&self) -> Held {
        Held {
            chunks: self.chunks.iter().cloned().collect(),
            lacking: self.lacking.iter().copied().collect(),
            chunk_base: self.chunk_base,
            base: self.base,
        }
    }

    fn place(&self, number: u64) -> Option<(usize, usize)> {
        let offset = number.checked_sub(self.chunk_base)? as usize;
        (number >= self.base && number < self.next).then_some((offset / CHUNK, offset % CHUNK))
    }
}

fn is_undelivered(cell: Cell) -> bool {
    cell.delivery().is_none() && cell.verdict() != Verdict::NotEligible
}

fn row_at(chunks: &VecDeque<Arc<Chunk>>, chunk_base: u64, number: u64) -> Option<&Row> {
    let offset = number.checked_sub(chunk_base)? as usize;
    chunks.get(offset / CHUNK)?.rows.get(offset % CHUNK)
}

/// The full number behind the low half kept in the index: the one at or after `base`, of which fewer than 2³² are held.
fn widen(low: u32, base: u64) -> u64 {
    base + u64::from(low.wrapping_sub(base as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verdict::Mode;

    fn row(i: u64) -> Row {
        let mut cid = [0; 32];
        cid[..8].copy_from_slice(&i.to_be_bytes());
        Row::new(OpKey { did: Did([1; 15]), cid: Cid(cid) }, Kind::Update, Tau(i as i64), 0, Some(i))
    }

    #[test]
    fn operations_are_found_until_they_are_let_go() {
        let start = u64::from(u32::MAX) - 700;
        let mut ring = Ring::new(2, start);
        for i in 0..3_000 {
            assert_eq!(ring.push(row(i), std::iter::repeat_n(Cell::new(Verdict::Pending), 2)), start + i);
        }
        assert_eq!(ring.find(&row(2_999).cid), Some(start + 2_999));
        for _ in 0..1_500 {
            ring.pop();
        }
        assert_eq!((ring.len(), ring.find(&row(1_499).cid)), (1_500, None));
        assert_eq!(ring.find(&row(1_500).cid), Some(start + 1_500));
        assert_eq!(ring.row(start + 1_499), None);
        (1_500..3_000).for_each(|_| ring.pop());
        assert!(ring.is_empty());
        assert_eq!(ring.push(row(9), std::iter::repeat_n(Cell::new(Verdict::Pending), 2)), start + 3_000);
        assert_eq!(ring.find(&row(9).cid), Some(start + 3_000));
    }

    #[test]
    fn a_reader_keeps_its_picture_and_undelivered_is_counted() {
        let mut ring = Ring::new(1, 0);
        ring.push(row(0), std::iter::once(Cell::new(Verdict::Pending)));
        let held = ring.held();
        let delivered = Cell::new(Verdict::Pending).with_delivery(Mode::Live, 5);
        assert_eq!(ring.set_cell(0, 0, delivered), Some(Cell::new(Verdict::Pending)));
        assert_eq!(held.chunks[0].undelivered(0).collect::<Vec<_>>(), [0]);
        assert_eq!(ring.held().chunks[0].undelivered(0).count(), 0);
        assert_eq!(held.find(0).unwrap().0.cells(0)[0].delivery(), None);
    }

    #[test]
    fn what_is_not_delivered_is_found_by_place_and_mirror() {
        let mut ring = Ring::new(2, 0);
        for i in 0..CHUNK as u64 {
            ring.push(row(i), std::iter::repeat_n(Cell::new(Verdict::Pending), 2));
        }
        let lacking = [0, 63, 64, 500, CHUNK as u64 - 1];
        for i in (0..CHUNK as u64).filter(|i| !lacking.contains(i)) {
            ring.set_cell(i, 1, Cell::new(Verdict::Pending).with_delivery(Mode::Live, 5));
        }
        let held = ring.held();
        assert_eq!(held.lacking, [CHUNK as u16, lacking.len() as u16]);
        assert!(held.chunks[0].undelivered(1).eq(lacking.map(|i| i as usize)));
        assert_eq!((held.chunks[0].undelivered(0).count(), held.chunks[0].undelivered(2).count()), (CHUNK, 0));
    }
}
