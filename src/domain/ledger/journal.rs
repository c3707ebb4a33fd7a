//! The journal: every change of the ledger as a few bytes, from which a restart rebuilds it.
//!
//! A transaction keeps segments. Each begins with the mirrors' ids, so that their indices mean the same after the
//! configuration changed; then records follow, each a tag and its fields. Numbers that follow one another are written as the
//! difference to the one before in the same segment, in groups of seven bits: a full stream makes tens of thousands of
//! records a second, and each byte is copied and checked several times on its way to the disk.

mod error;
mod reader;
mod segment;

pub use error::JournalError;
pub use reader::read;
pub use segment::Segment;

use super::content::Noticed;
use super::extra::Sighting;
use super::prevs::Prev;
use crate::domain::cid::Cid;
use crate::domain::finding::Finding;
use crate::domain::op::OpKey;
use crate::domain::ring::Row;
use crate::domain::rtt::Correction;
use crate::domain::verdict::Cell;

/// A record of the journal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Record {
    /// An operation of the primary got this number; with what its `prev` names.
    Op(u64, Row, Prev),
    /// The primary's arrival of this operation changed.
    Moved(u64, Row),
    /// A cell changed.
    Cell(u64, u16, Cell),
    /// A pair's lag was counted with this correction.
    Sample(u64, u16, Option<Correction>),
    /// A key that only mirrors have was seen, or what is known of it changed.
    Sighting(Sighting),
    /// Such a key is not held any more, or the primary delivered it.
    Gone(Cid),
    /// Operations below this number are not held any more.
    Evicted(u64),
    /// What asking about a miss or an extra of this mirror came to.
    Found(u16, OpKey, Finding),
    /// The operation of this number breaks the rules.
    Disputed(u64),
    /// Something was wrong with content or order; the source as its number, 0 the primary and then the mirrors.
    Noticed(Noticed),
}

/// Writes records; drained once a transaction.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Segments that were filled since the last transaction.
    full: Vec<Segment>,
    /// The mirrors' ids as of the last transaction, then what was written since the last full segment.
    bytes: Vec<u8>,
    roster_len: usize,
    last: Last,
    first_op: Option<u64>,
    last_op: Option<u64>,
}

const OP: u8 = 1;
const MOVED: u8 = 2;
const CELL: u8 = 3;
const SAMPLE: u8 = 4;
const SAMPLE_PLAIN: u8 = 5;
const SIGHTING: u8 = 6;
const GONE: u8 = 7;
const EVICTED: u8 = 8;
/// The same as [`OP`], and 8 bytes more for what it names as its `prev`.
const OP_AFTER: u8 = 10;
const FOUND: u8 = 11;
const DISPUTED: u8 = 12;
const NOTICED: u8 = 13;
/// The same as [`SIGHTING`], and 8 bytes more for what it names as its `prev`.
const SIGHTING_AFTER: u8 = 14;

/// Bits of the byte that says what else is known of a sighting; the next two are its [`super::forks::Fork`].
const IS_CLOSED: u8 = 1;
const IS_ALTERED: u8 = 2;
const FORK_SHIFT: u8 = 2;

/// Bytes at which a segment is full. The database copies a whole one more than once on its way to the disk, and memory that
/// is always taken in one size is used again.
const SEGMENT_BYTES: usize = 256 << 10;
/// What a record takes at most, bytes: that of an operation, its numbers at their longest.
const RECORD_BYTES_MAX: usize = 128;

/// The numbers written last in a segment.
#[derive(Copy, Clone, Debug, Default)]
struct Last {
    number: u64,
    p: u64,
    created_ms: u64,
    seq: u64,
    interval: u64,
}

/// A signed number with its sign in the lowest bit, so that small ones are short whatever their sign.
const fn zigzag(n: u64) -> u64 {
    (n << 1) ^ (((n as i64) >> 63) as u64)
}

const fn unzigzag(n: u64) -> u64 {
    (n >> 1) ^ (n & 1).wrapping_neg()
}

impl Journal {
    pub(super) fn op(&mut self, number: u64, row: &Row, prev: Prev) {
        if prev.is_none() {
            self.row(OP, number, row);
        } else {
            self.row(OP_AFTER, number, row);
            self.put(&prev.0.to_be_bytes());
        }
    }

    pub(super) fn moved(&mut self, number: u64, row: &Row) {
        self.row(MOVED, number, row);
    }

    fn row(&mut self, tag: u8, number: u64, row: &Row) {
        self.name(tag, number);
        self.put(&row.did.0);
        self.bytes.extend([row.kind as u8, u8::from(row.is_filled)]);
        self.put(&row.cid.0);
        let (p, created_ms) = (row.p.0 as u64, row.created_ms as u64);
        let (seq, interval) = (row.seq().unwrap_or(u64::MAX), u64::from(row.interval));
        let last = self.last;
        self.last = Last { p, created_ms, seq, interval, ..last };
        for (new, old) in [(p, last.p), (created_ms, last.created_ms), (seq, last.seq), (interval, last.interval)] {
            self.difference(new, old);
        }
        self.number(u64::from(row.delay_ms));
        self.number(u64::from(row.known_after_ms));
    }

    pub(super) fn cell(&mut self, number: u64, mirror: usize, cell: Cell) {
        self.name(CELL, number);
        self.number(mirror as u64);
        // The upper bits are a signed time that is mostly short, the lower ones what is known.
        self.put(&(cell.0 as u16).to_be_bytes());
        self.difference((cell.0 as i64 >> 16) as u64, 0);
    }

    pub(super) fn sample(&mut self, number: u64, mirror: usize, correction: Option<Correction>) {
        self.name(if correction.is_some() { SAMPLE } else { SAMPLE_PLAIN }, number);
        self.number(mirror as u64);
        if let Some(c) = correction {
            self.difference(c.correction_us as u64, 0);
            self.difference(c.uncertainty_us as u64, 0);
        }
    }

    pub(super) fn sighting(&mut self, s: &Sighting) {
        self.begin(if s.prev.is_none() { SIGHTING } else { SIGHTING_AFTER });
        self.key(&s.key);
        let closed = if s.is_closed { IS_CLOSED } else { 0 };
        let known = closed | if s.is_altered { IS_ALTERED } else { 0 } | (s.fork as u8) << FORK_SHIFT;
        self.bytes.extend([s.kind as u8, s.mode as u8, s.state as u8, s.reason as u8, known]);
        self.put(&s.mirror.to_be_bytes());
        self.put(&s.q.0.to_be_bytes());
        self.put(&s.created_ms.to_be_bytes());
        self.put(&s.since.0.to_be_bytes());
        self.put(&s.interval.to_be_bytes());
        if !s.prev.is_none() {
            self.put(&s.prev.0.to_be_bytes());
        }
    }

    pub(super) fn gone(&mut self, cid: &Cid) {
        self.begin(GONE);
        self.put(&cid.0);
    }

    pub(super) fn evicted(&mut self, base: u64) {
        self.begin(EVICTED);
        self.put(&base.to_be_bytes());
    }

    pub(super) fn found(&mut self, mirror: usize, key: &OpKey, finding: Finding) {
        self.begin(FOUND);
        self.number(mirror as u64);
        self.key(key);
        self.bytes.push(finding as u8);
    }

    pub(super) fn disputed(&mut self, number: u64) {
        self.name(DISPUTED, number);
    }

    pub(super) fn noticed(&mut self, n: &Noticed) {
        self.begin(NOTICED);
        self.number(u64::from(n.source.0));
        self.key(&n.key);
        self.bytes.push(n.finding as u8);
        self.put(&n.at.0.to_be_bytes());
    }

    fn key(&mut self, key: &OpKey) {
        self.put(&key.did.0);
        self.put(&key.cid.0);
    }

    /// Takes what was written since the last call, each segment behind the ids of the mirrors.
    pub fn take(&mut self, mirror_ids: &[String]) -> Vec<Segment> {
        if self.bytes.len() > self.roster_len {
            self.fill();
        }
        let ids = mirror_ids.join("\n");
        let mut roster = Vec::with_capacity(4 + ids.len());
        roster.extend((ids.len() as u32).to_be_bytes());
        roster.extend(ids.as_bytes());
        let mut segments = std::mem::take(&mut self.full);
        for bytes in segments.iter_mut().map(|s| &mut s.bytes).chain([&mut self.bytes]) {
            if bytes.get(..self.roster_len) != Some(&roster[..]) {
                bytes.splice(..self.roster_len, roster.iter().copied());
            }
        }
        self.roster_len = roster.len();
        segments
    }

    /// Ends the segment that is written to, and begins the next one.
    fn fill(&mut self) {
        let mut next = Vec::with_capacity(SEGMENT_BYTES + RECORD_BYTES_MAX);
        next.extend(self.bytes.iter().take(self.roster_len));
        let bytes = std::mem::replace(&mut self.bytes, next);
        self.full.push(Segment { first_op: self.first_op.take(), last_op: self.last_op.take(), bytes });
        self.last = Last::default();
    }

    /// Bytes that wait for a transaction.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        let full: usize = self.full.iter().map(|s| s.bytes.len()).sum();
        full + self.bytes.len() - self.roster_len
    }

    /// Puts segments back in front of what was written since they were taken, for the same mirrors.
    pub fn put_back(&mut self, segments: Vec<Segment>) {
        self.full.splice(..0, segments);
    }

    /// Begins a record.
    fn begin(&mut self, tag: u8) {
        if self.bytes.len() >= SEGMENT_BYTES {
            self.fill();
        }
        self.bytes.push(tag);
    }

    /// Begins a record that names an operation.
    fn name(&mut self, tag: u8, number: u64) {
        self.begin(tag);
        self.first_op = Some(self.first_op.map_or(number, |n| n.min(number)));
        self.last_op = self.last_op.max(Some(number));
        let last = std::mem::replace(&mut self.last.number, number);
        self.difference(number, last);
    }

    fn difference(&mut self, new: u64, old: u64) {
        self.number(zigzag(new.wrapping_sub(old)));
    }

    fn number(&mut self, mut n: u64) {
        while n > 0x7f {
            self.bytes.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.bytes.push(n as u8);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::did::Did;
    use crate::domain::interval::ExtraState;
    use crate::domain::ledger::forks::Fork;
    use crate::domain::op::Kind;
    use crate::domain::source::SourceIx;
    use crate::domain::time::Tau;
    use crate::domain::verdict::{Mode, Reason, Verdict};

    fn sample_records() -> (Journal, Vec<Record>) {
        let key = OpKey { did: Did([3; 15]), cid: Cid([9; 32]) };
        let mut row = Row::new(key, Kind::Tombstone, Tau(-5), 1_700_000_000_123, None);
        (row.interval, row.delay_ms, row.known_after_ms, row.is_filled) = (7, 260, 31, true);
        let cell = Cell::new(Verdict::Late).with_delivery(Mode::Live, 12_345);
        let correction = Correction { correction_us: -3, uncertainty_us: 8 };
        let sighting = Sighting {
            key,
            kind: Kind::Genesis,
            mode: Mode::Filled,
            state: ExtraState::Extra,
            reason: Reason::NoRange,
            is_closed: true,
            is_altered: true,
            fork: Fork::ByPrev,
            prev: Prev(8),
            order: 0,
            mirror: 4,
            q: Tau(77),
            created_ms: 5,
            since: Tau(70),
            interval: 6,
        };
        let noticed = Noticed { source: SourceIx(3), key, finding: Finding::Altered, at: Tau(-9) };
        let mut j = Journal::default();
        j.op(41, &row, Prev(77));
        j.op(41, &row, Prev::NONE);
        j.moved(41, &row);
        j.cell(42, 2, cell);
        j.sample(42, 2, Some(correction));
        j.sample(43, 1, None);
        j.sighting(&sighting);
        j.sighting(&Sighting { prev: Prev::NONE, ..sighting });
        j.gone(&key.cid);
        j.evicted(40);
        j.found(2, &key, Finding::DataLoss);
        j.disputed(42);
        j.noticed(&noticed);
        let records = vec![
            Record::Op(41, row, Prev(77)),
            Record::Op(41, row, Prev::NONE),
            Record::Moved(41, row),
            Record::Cell(42, 2, cell),
            Record::Sample(42, 2, Some(correction)),
            Record::Sample(43, 1, None),
            Record::Sighting(sighting),
            Record::Sighting(Sighting { prev: Prev::NONE, ..sighting }),
            Record::Gone(key.cid),
            Record::Evicted(40),
            Record::Found(2, key, Finding::DataLoss),
            Record::Disputed(42),
            Record::Noticed(noticed),
        ];
        (j, records)
    }

    #[test]
    fn what_is_written_is_read() {
        let (mut journal, records) = sample_records();
        let ids = ["a".to_owned(), "b".to_owned()];
        let [segment] = &journal.take(&ids)[..] else { panic!("one segment") };
        assert_eq!((segment.first_op, segment.last_op), (Some(41), Some(43)));
        let mut read_back = Vec::new();
        read(&segment.bytes, |roster, record| {
            assert_eq!(roster, ["a", "b"]);
            read_back.push(record);
        })
        .unwrap();
        assert_eq!(read_back, records);
        assert_eq!((journal.take(&ids), journal.waiting_bytes()), (vec![], 0));
        // The next segment stands alone, also when the mirrors are others meanwhile.
        let others = ["c".to_owned()];
        journal.evicted(7);
        let [segment] = &journal.take(&others)[..] else { panic!("one segment") };
        let mut read_back = Vec::new();
        read(&segment.bytes, |roster, record| read_back.push((roster.join(","), record))).unwrap();
        assert_eq!((segment.last_op, read_back), (None, vec![("c".to_owned(), Record::Evicted(7))]));
    }

    fn read_back(segments: &[Segment]) -> Vec<Record> {
        let mut records = Vec::new();
        for segment in segments {
            read(&segment.bytes, |roster, record| {
                assert_eq!(roster, ["a"]);
                records.push(record);
            })
            .unwrap();
        }
        records
    }

    #[test]
    fn what_is_put_back_is_read_before_what_came_since() {
        let (mut journal, mut records) = sample_records();
        let ids = ["a".to_owned()];
        let cell = Cell::new(Verdict::Missed);
        for number in [900, 901] {
            let segments = journal.take(&ids);
            journal.cell(number, 1, cell);
            journal.put_back(segments);
            journal.cell(number - 1, 2, cell);
            records.extend([Record::Cell(number, 1, cell), Record::Cell(number - 1, 2, cell)]);
        }
        let segments = journal.take(&ids);
        assert_eq!(read_back(&segments), records);
        let numbers: Vec<_> = segments.iter().map(|s| (s.first_op, s.last_op)).collect();
        assert_eq!(numbers, [(41, 43), (899, 900), (900, 901)].map(|(first, last)| (Some(first), Some(last))));
        journal.put_back(segments);
        assert!(journal.waiting_bytes() > 0 && !journal.take(&ids).is_empty() && journal.take(&ids).is_empty());
    }

    #[test]
    fn a_segment_ends_when_it_is_full_and_the_next_stands_alone() {
        let ids = ["a".to_owned()];
        let mut journal = Journal::default();
        for round in 0..2 {
            let mut records = Vec::new();
            for number in 0..60_000 {
                let key = OpKey { did: Did([3; 15]), cid: Cid([9; 32]) };
                let row = Row::new(key, Kind::Update, Tau(number as i64), 5, Some(number));
                journal.op(number, &row, Prev(8));
                records.push(Record::Op(number, row, Prev(8)));
            }
            let waiting = journal.waiting_bytes();
            let segments = journal.take(&ids);
            let full = &segments[..segments.len() - 1];
            assert!(full.len() > 10 && full.iter().all(|s| s.bytes.len() >= SEGMENT_BYTES), "{round}");
            let largest = segments.iter().map(|s| s.bytes.len()).max().unwrap();
            assert!(largest < SEGMENT_BYTES + RECORD_BYTES_MAX, "{largest}");
            assert!(waiting >= full.len() * SEGMENT_BYTES);
            assert_eq!(read_back(&segments), records);
            assert!(segments.windows(2).all(|two| two[0].last_op < two[1].first_op));
        }
    }

    #[test]
    fn numbers_of_any_size_are_read_as_they_were_written() {
        let mut journal = Journal::default();
        let mut records = Vec::new();
        for n in [0, 1, 63, 64, 127, 128, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX - 1, 5] {
            let key = OpKey { did: Did([1; 15]), cid: Cid([2; 32]) };
            let mut row = Row::new(key, Kind::Update, Tau(n as i64), n as i64, Some(n));
            (row.interval, row.delay_ms) = (n as u32, n as u32);
            journal.op(n, &row, Prev(n));
            let cell = Cell(n);
            journal.cell(n, n as usize & 0xffff, cell);
            let correction = Correction { correction_us: n as i64, uncertainty_us: (n as i64).wrapping_neg() };
            journal.sample(n, 3, Some(correction));
            records.push(Record::Op(n, row, Prev(n)));
            records.push(Record::Cell(n, n as u16, cell));
            records.push(Record::Sample(n, 3, Some(correction)));
        }
        let mut read_back = Vec::new();
        read(&journal.take(&[])[0].bytes, |_, record| read_back.push(record)).unwrap();
        assert_eq!(read_back, records);
    }

    #[test]
    fn a_cut_segment_is_told_and_never_a_panic() {
        let segment = sample_records().0.take(&["a".to_owned()]).remove(0);
        for cut in 0..segment.bytes.len() {
            let _ = read(&segment.bytes[..cut], |_, _| {});
        }
        assert!(matches!(read(&segment.bytes[..segment.bytes.len() - 1], |_, _| {}), Err(JournalError::Short(_))));
        assert!(matches!(read(&[0, 0, 0, 0, 99], |_, _| {}), Err(JournalError::Unknown(4))));
    }
}
