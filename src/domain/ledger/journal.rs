//! The journal: every change of the ledger as a few bytes, from which a restart rebuilds it.
//!
//! A segment is what one transaction keeps. It begins with the mirrors' ids, so that their indices mean the same after the
//! configuration changed; then records follow, each a tag and its fields. Numbers that follow one another are written as the
//! difference to the one before in the same segment, in groups of seven bits: a full stream makes tens of thousands of
//! records a second, and each byte is copied and checked several times on its way to the disk.

mod error;
mod segment;

pub use error::JournalError;
pub use segment::Segment;

use super::super::cid::Cid;
use super::super::did::Did;
use super::super::interval::ExtraState;
use super::super::op::{Kind, OpKey};
use super::super::ring::Row;
use super::super::rtt::Correction;
use super::super::time::Tau;
use super::super::verdict::{Cell, Mode, Reason};
use super::extra::Sighting;

/// A record of the journal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Record {
    /// An operation of the primary got this number.
    Op(u64, Row),
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
}

/// Writes records; drained once a transaction.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// The mirrors' ids as of the last segment, then what was written since.
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
/// No record: what follows counts its differences from nothing.
const RESTART: u8 = 9;

/// Flags of an operation.
const FILLED: u8 = 1;
const DISPUTED: u8 = 2;

/// Memory that an empty journal keeps at most, bytes.
const KEPT_MAX: usize = 8 << 20;

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
    pub(super) fn op(&mut self, number: u64, row: &Row) {
        self.row(OP, number, row);
    }

    pub(super) fn moved(&mut self, number: u64, row: &Row) {
        self.row(MOVED, number, row);
    }

    fn row(&mut self, tag: u8, number: u64, row: &Row) {
        self.name(tag, number);
        self.put(&row.did.0);
        let flags = (u8::from(row.is_filled) * FILLED) | (u8::from(row.is_disputed) * DISPUTED);
        self.bytes.extend([row.kind as u8, flags]);
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
        self.bytes.push(SIGHTING);
        self.put(&s.key.did.0);
        self.put(&s.key.cid.0);
        self.bytes.extend([s.kind as u8, s.mode as u8, s.state as u8, s.reason as u8, u8::from(s.is_closed)]);
        self.put(&s.mirror.to_be_bytes());
        self.put(&s.q.0.to_be_bytes());
        self.put(&s.created_ms.to_be_bytes());
        self.put(&s.since.0.to_be_bytes());
        self.put(&s.interval.to_be_bytes());
    }

    pub(super) fn gone(&mut self, cid: &Cid) {
        self.bytes.push(GONE);
        self.put(&cid.0);
    }

    pub(super) fn evicted(&mut self, base: u64) {
        self.bytes.push(EVICTED);
        self.put(&base.to_be_bytes());
    }

    /// Takes what was written since the last call, behind the ids of the mirrors; none when nothing was.
    pub fn take(&mut self, mirror_ids: &[String]) -> Option<Segment> {
        if self.waiting_bytes() == 0 {
            return None;
        }
        let ids = mirror_ids.join("\n");
        let mut roster = Vec::with_capacity(4 + ids.len());
        roster.extend((ids.len() as u32).to_be_bytes());
        roster.extend(ids.as_bytes());
        if self.bytes.get(..self.roster_len) != Some(&roster[..]) {
            self.bytes.splice(..self.roster_len, roster.iter().copied());
        }
        // The next one is as long, most likely; room that is not written to costs nothing.
        let mut next = Vec::with_capacity(self.bytes.len().min(KEPT_MAX));
        next.extend_from_slice(&roster);
        self.roster_len = next.len();
        self.last = Last::default();
        let bytes = std::mem::replace(&mut self.bytes, next);
        Some(Segment { first_op: self.first_op.take(), last_op: self.last_op.take(), bytes })
    }

    /// Bytes that wait for a transaction.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.bytes.len() - self.roster_len
    }

    /// Puts a segment back in front of what was written since it was taken, for the same mirrors.
    pub fn put_back(&mut self, segment: Segment) {
        let newer = std::mem::replace(&mut self.bytes, segment.bytes);
        let roster_len = self.bytes.first_chunk::<4>().map_or(0, |n| 4 + u32::from_be_bytes(*n) as usize);
        let newer_from = std::mem::replace(&mut self.roster_len, roster_len.min(self.bytes.len()));
        self.bytes.push(RESTART);
        self.bytes.extend(newer.into_iter().skip(newer_from));
        self.first_op = [segment.first_op, self.first_op].into_iter().flatten().min();
        self.last_op = self.last_op.max(segment.last_op);
    }

    /// Begins a record that names an operation.
    fn name(&mut self, tag: u8, number: u64) {
        self.first_op = Some(self.first_op.map_or(number, |n| n.min(number)));
        self.last_op = self.last_op.max(Some(number));
        self.bytes.push(tag);
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

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    last: Last,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], JournalError> {
        let slice = self.bytes.get(self.at..self.at + N).ok_or(JournalError::Short(self.at))?;
        self.at += N;
        slice.try_into().map_err(|_| JournalError::Short(self.at))
    }

    fn u8(&mut self) -> Result<u8, JournalError> {
        Ok(u8::from_be_bytes(self.take()?))
    }

    fn u16(&mut self) -> Result<u16, JournalError> {
        Ok(u16::from_be_bytes(self.take()?))
    }

    fn u32(&mut self) -> Result<u32, JournalError> {
        Ok(u32::from_be_bytes(self.take()?))
    }

    fn u64(&mut self) -> Result<u64, JournalError> {
        Ok(u64::from_be_bytes(self.take()?))
    }

    fn i64(&mut self) -> Result<i64, JournalError> {
        Ok(i64::from_be_bytes(self.take()?))
    }

    fn kind(&mut self) -> Result<Kind, JournalError> {
        let at = self.at;
        Kind::from_number(self.u8()?).ok_or(JournalError::Unknown(at))
    }

    fn number(&mut self) -> Result<u64, JournalError> {
        let at = self.at;
        let mut n = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.u8()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(JournalError::Unknown(at))
    }

    fn difference(&mut self, old: u64) -> Result<u64, JournalError> {
        Ok(old.wrapping_add(unzigzag(self.number()?)))
    }

    /// The number of an operation, and of the mirror behind it.
    fn pair(&mut self) -> Result<(u64, u16), JournalError> {
        let number = self.name()?;
        Ok((number, self.small()?))
    }

    fn name(&mut self) -> Result<u64, JournalError> {
        self.last.number = self.difference(self.last.number)?;
        Ok(self.last.number)
    }

    /// A number that must fit.
    fn small<T: TryFrom<u64>>(&mut self) -> Result<T, JournalError> {
        let at = self.at;
        T::try_from(self.number()?).map_err(|_| JournalError::Unknown(at))
    }

    fn row(&mut self) -> Result<(u64, Row), JournalError> {
        let number = self.name()?;
        let did = Did(self.take()?);
        let kind = self.kind()?;
        let flags = self.u8()?;
        let cid = Cid(self.take()?);
        let at = self.at;
        let last = Last {
            number,
            p: self.difference(self.last.p)?,
            created_ms: self.difference(self.last.created_ms)?,
            seq: self.difference(self.last.seq)?,
            interval: self.difference(self.last.interval)?,
        };
        self.last = last;
        let seq = (last.seq != u64::MAX).then_some(last.seq);
        let mut row = Row::new(OpKey { did, cid }, kind, Tau(last.p as i64), last.created_ms as i64, seq);
        row.interval = u32::try_from(last.interval).map_err(|_| JournalError::Unknown(at))?;
        (row.delay_ms, row.known_after_ms) = (self.small()?, self.small()?);
        (row.is_filled, row.is_disputed) = (flags & FILLED != 0, flags & DISPUTED != 0);
        Ok((number, row))
    }

    fn cell(&mut self) -> Result<Record, JournalError> {
        let (number, mirror) = self.pair()?;
        let known = u64::from(self.u16()?);
        Ok(Record::Cell(number, mirror, Cell(self.difference(0)? << 16 | known)))
    }

    fn sighting(&mut self) -> Result<Sighting, JournalError> {
        let key = OpKey { did: Did(self.take()?), cid: Cid(self.take()?) };
        let kind = self.kind()?;
        let at = self.at;
        let mode = if self.u8()? == Mode::Live as u8 { Mode::Live } else { Mode::Filled };
        let state = match self.u8()? {
            0 => ExtraState::Pending,
            1 => ExtraState::Extra,
            2 => ExtraState::Unknown,
            _ => return Err(JournalError::Unknown(at)),
        };
        let reason = Reason::from_number(self.u8()?);
        let is_closed = self.u8()? != 0;
        let mirror = self.u16()?;
        Ok(Sighting {
            key,
            kind,
            mode,
            state,
            reason,
            is_closed,
            mirror,
            q: Tau(self.i64()?),
            created_ms: self.i64()?,
            since: Tau(self.i64()?),
            interval: self.u32()?,
        })
    }

    fn record(&mut self) -> Result<Record, JournalError> {
        let at = self.at;
        Ok(match self.u8()? {
            OP => {
                let (number, row) = self.row()?;
                Record::Op(number, row)
            }
            MOVED => {
                let (number, row) = self.row()?;
                Record::Moved(number, row)
            }
            CELL => self.cell()?,
            SAMPLE => {
                let (number, mirror) = self.pair()?;
                let correction = Correction {
                    correction_us: self.difference(0)? as i64,
                    uncertainty_us: self.difference(0)? as i64,
                };
                Record::Sample(number, mirror, Some(correction))
            }
            SAMPLE_PLAIN => {
                let (number, mirror) = self.pair()?;
                Record::Sample(number, mirror, None)
            }
            SIGHTING => Record::Sighting(self.sighting()?),
            GONE => Record::Gone(Cid(self.take()?)),
            EVICTED => Record::Evicted(self.u64()?),
            _ => return Err(JournalError::Unknown(at)),
        })
    }
}

/// Reads a segment: the ids of the mirrors, then each record in order.
pub fn read(bytes: &[u8], mut each: impl FnMut(&[&str], Record)) -> Result<(), JournalError> {
    let mut reader = Reader { bytes, at: 0, last: Last::default() };
    let length = reader.u32()? as usize;
    let roster = bytes.get(4..4 + length).ok_or(JournalError::Short(4))?;
    let roster = std::str::from_utf8(roster).map_err(|_| JournalError::Unknown(4))?;
    let ids: Vec<&str> = roster.split('\n').collect();
    reader.at = 4 + length;
    while let Some(&tag) = bytes.get(reader.at) {
        if tag == RESTART {
            (reader.at, reader.last) = (reader.at + 1, Last::default());
            continue;
        }
        let record = reader.record()?;
        each(&ids, record);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verdict::Verdict;

    fn sample_records() -> (Journal, Vec<Record>) {
        let key = OpKey { did: Did([3; 15]), cid: Cid([9; 32]) };
        let mut row = Row::new(key, Kind::Tombstone, Tau(-5), 1_700_000_000_123, None);
        (row.interval, row.delay_ms, row.known_after_ms, row.is_filled) = (7, 260, 31, true);
        row.is_disputed = true;
        let cell = Cell::new(Verdict::Late).with_delivery(Mode::Live, 12_345);
        let correction = Correction { correction_us: -3, uncertainty_us: 8 };
        let sighting = Sighting {
            key,
            kind: Kind::Genesis,
            mode: Mode::Filled,
            state: ExtraState::Extra,
            reason: Reason::NoRange,
            is_closed: true,
            mirror: 4,
            q: Tau(77),
            created_ms: 5,
            since: Tau(70),
            interval: 6,
        };
        let mut j = Journal::default();
        j.op(41, &row);
        j.moved(41, &row);
        j.cell(42, 2, cell);
        j.sample(42, 2, Some(correction));
        j.sample(43, 1, None);
        j.sighting(&sighting);
        j.gone(&key.cid);
        j.evicted(40);
        let records = vec![
            Record::Op(41, row),
            Record::Moved(41, row),
            Record::Cell(42, 2, cell),
            Record::Sample(42, 2, Some(correction)),
            Record::Sample(43, 1, None),
            Record::Sighting(sighting),
            Record::Gone(key.cid),
            Record::Evicted(40),
        ];
        (j, records)
    }

    #[test]
    fn what_is_written_is_read() {
        let (mut journal, records) = sample_records();
        let ids = ["a".to_owned(), "b".to_owned()];
        let segment = journal.take(&ids).unwrap();
        assert_eq!((segment.first_op, segment.last_op), (Some(41), Some(43)));
        let mut read_back = Vec::new();
        read(&segment.bytes, |roster, record| {
            assert_eq!(roster, ["a", "b"]);
            read_back.push(record);
        })
        .unwrap();
        assert_eq!(read_back, records);
        assert_eq!(journal.take(&ids), None);
        // The next segment stands alone, also when the mirrors are others meanwhile.
        let others = ["c".to_owned()];
        journal.evicted(7);
        let segment = journal.take(&others).unwrap();
        let mut read_back = Vec::new();
        read(&segment.bytes, |roster, record| read_back.push((roster.join(","), record))).unwrap();
        assert_eq!((segment.last_op, read_back), (None, vec![("c".to_owned(), Record::Evicted(7))]));
    }

    #[test]
    fn what_is_put_back_is_read_before_what_came_since() {
        let (mut journal, mut records) = sample_records();
        let ids = ["a".to_owned()];
        let cell = Cell::new(Verdict::Missed);
        for number in [900, 901] {
            let segment = journal.take(&ids).unwrap();
            journal.cell(number, 1, cell);
            journal.put_back(segment);
            journal.cell(number - 1, 2, cell);
            records.extend([Record::Cell(number, 1, cell), Record::Cell(number - 1, 2, cell)]);
        }
        let segment = journal.take(&ids).unwrap();
        let mut read_back = Vec::new();
        read(&segment.bytes, |_, record| read_back.push(record)).unwrap();
        assert_eq!(read_back, records);
        assert_eq!((segment.first_op, segment.last_op), (Some(41), Some(901)));
        journal.put_back(segment);
        assert!(journal.waiting_bytes() > 0 && journal.take(&ids).is_some() && journal.take(&ids).is_none());
    }

    #[test]
    fn numbers_of_any_size_are_read_as_they_were_written() {
        let mut journal = Journal::default();
        let mut records = Vec::new();
        for n in [0, 1, 63, 64, 127, 128, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX - 1, 5] {
            let key = OpKey { did: Did([1; 15]), cid: Cid([2; 32]) };
            let mut row = Row::new(key, Kind::Update, Tau(n as i64), n as i64, Some(n));
            (row.interval, row.delay_ms) = (n as u32, n as u32);
            journal.op(n, &row);
            let cell = Cell(n);
            journal.cell(n, n as usize & 0xffff, cell);
            let correction = Correction { correction_us: n as i64, uncertainty_us: (n as i64).wrapping_neg() };
            journal.sample(n, 3, Some(correction));
            records.push(Record::Op(n, row));
            records.push(Record::Cell(n, n as u16, cell));
            records.push(Record::Sample(n, 3, Some(correction)));
        }
        let mut read_back = Vec::new();
        read(&journal.take(&[]).unwrap().bytes, |_, record| read_back.push(record)).unwrap();
        assert_eq!(read_back, records);
    }

    #[test]
    fn a_cut_segment_is_told_and_never_a_panic() {
        let segment = sample_records().0.take(&["a".to_owned()]).unwrap();
        for cut in 0..segment.bytes.len() {
            let _ = read(&segment.bytes[..cut], |_, _| {});
        }
        assert!(matches!(read(&segment.bytes[..segment.bytes.len() - 1], |_, _| {}), Err(JournalError::Short(_))));
        assert!(matches!(read(&[0, 0, 0, 0, 99], |_, _| {}), Err(JournalError::Unknown(4))));
    }
}
