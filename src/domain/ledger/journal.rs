//! The journal: every change of the ledger as a few bytes, from which a restart rebuilds it.
//!
//! A segment is what one transaction keeps. It begins with the mirrors' ids, so that their indices mean the same after the
//! configuration changed; then records follow, each a tag and fixed fields, integers in big-endian order.

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
    bytes: Vec<u8>,
    first_op: Option<u64>,
    last_op: Option<u64>,
}

/// What one transaction keeps of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Smallest number of an operation that it names.
    pub first_op: Option<u64>,
    /// Largest number of an operation that it names.
    pub last_op: Option<u64>,
    /// Mirrors and records.
    pub bytes: Vec<u8>,
}

const OP: u8 = 1;
const MOVED: u8 = 2;
const CELL: u8 = 3;
const SAMPLE: u8 = 4;
const SAMPLE_PLAIN: u8 = 5;
const SIGHTING: u8 = 6;
const GONE: u8 = 7;
const EVICTED: u8 = 8;

impl Journal {
    pub(super) fn op(&mut self, number: u64, row: &Row) {
        self.row(OP, number, row);
    }

    pub(super) fn moved(&mut self, number: u64, row: &Row) {
        self.row(MOVED, number, row);
    }

    fn row(&mut self, tag: u8, number: u64, row: &Row) {
        self.name(number);
        self.bytes.push(tag);
        self.put(&number.to_be_bytes());
        self.put(&row.did.0);
        self.bytes.push(row.kind as u8);
        self.put(&row.cid.0);
        self.put(&row.p.0.to_be_bytes());
        self.put(&row.created_ms.to_be_bytes());
        self.put(&row.seq().unwrap_or(u64::MAX).to_be_bytes());
        self.put(&row.interval.to_be_bytes());
        self.put(&row.delay_ms.to_be_bytes());
        self.put(&row.known_after_ms.to_be_bytes());
        self.bytes.push(u8::from(row.is_filled));
    }

    pub(super) fn cell(&mut self, number: u64, mirror: usize, cell: Cell) {
        self.name(number);
        self.bytes.push(CELL);
        self.put(&number.to_be_bytes());
        self.put(&(mirror as u16).to_be_bytes());
        self.put(&cell.0.to_be_bytes());
    }

    pub(super) fn sample(&mut self, number: u64, mirror: usize, correction: Option<Correction>) {
        self.name(number);
        self.bytes.push(if correction.is_some() { SAMPLE } else { SAMPLE_PLAIN });
        self.put(&number.to_be_bytes());
        self.put(&(mirror as u16).to_be_bytes());
        if let Some(c) = correction {
            self.put(&c.correction_us.to_be_bytes());
            self.put(&c.uncertainty_us.to_be_bytes());
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
        if self.bytes.is_empty() {
            return None;
        }
        let roster = mirror_ids.join("\n");
        let mut bytes = Vec::with_capacity(4 + roster.len() + self.bytes.len());
        bytes.extend((roster.len() as u32).to_be_bytes());
        bytes.extend(roster.as_bytes());
        bytes.append(&mut self.bytes);
        self.bytes.shrink_to(1 << 20);
        Some(Segment { first_op: self.first_op.take(), last_op: self.last_op.take(), bytes })
    }

    /// Bytes that wait for a transaction.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Puts a segment back in front of what was written since it was taken, for the same mirrors.
    pub fn put_back(&mut self, segment: Segment) {
        let roster = segment.bytes.first_chunk::<4>().map_or(0, |n| u32::from_be_bytes(*n) as usize);
        let newer = std::mem::take(&mut self.bytes);
        self.bytes.extend(segment.bytes.into_iter().skip(4 + roster));
        self.bytes.extend(newer);
        self.first_op = [segment.first_op, self.first_op].into_iter().flatten().min();
        self.last_op = self.last_op.max(segment.last_op);
    }

    fn name(&mut self, number: u64) {
        self.first_op = Some(self.first_op.map_or(number, |n| n.min(number)));
        self.last_op = self.last_op.max(Some(number));
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

/// Why a segment could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum JournalError {
    /// It ends in the middle of a record.
    #[error("the segment ends in the middle of a record at byte {0}")]
    Short(usize),
    /// A record's tag or a value in it is not known.
    #[error("unknown tag or value at byte {0}")]
    Unknown(usize),
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
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

    fn row(&mut self) -> Result<(u64, Row), JournalError> {
        let number = self.u64()?;
        let did = Did(self.take()?);
        let kind = self.kind()?;
        let cid = Cid(self.take()?);
        let (p, created_ms, seq) = (Tau(self.i64()?), self.i64()?, self.u64()?);
        let mut row = Row::new(OpKey { did, cid }, kind, p, created_ms, (seq != u64::MAX).then_some(seq));
        row.interval = self.u32()?;
        row.delay_ms = self.u32()?;
        row.known_after_ms = self.u32()?;
        row.is_filled = self.u8()? != 0;
        Ok((number, row))
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
            CELL => Record::Cell(self.u64()?, self.u16()?, Cell(self.u64()?)),
            SAMPLE => {
                let (number, mirror) = (self.u64()?, self.u16()?);
                let correction = Correction { correction_us: self.i64()?, uncertainty_us: self.i64()? };
                Record::Sample(number, mirror, Some(correction))
            }
            SAMPLE_PLAIN => Record::Sample(self.u64()?, self.u16()?, None),
            SIGHTING => Record::Sighting(self.sighting()?),
            GONE => Record::Gone(Cid(self.take()?)),
            EVICTED => Record::Evicted(self.u64()?),
            _ => return Err(JournalError::Unknown(at)),
        })
    }
}

/// Reads a segment: the ids of the mirrors, then each record in order.
pub fn read(bytes: &[u8], mut each: impl FnMut(&[&str], Record)) -> Result<(), JournalError> {
    let mut reader = Reader { bytes, at: 0 };
    let length = reader.u32()? as usize;
    let roster = bytes.get(4..4 + length).ok_or(JournalError::Short(4))?;
    let roster = std::str::from_utf8(roster).map_err(|_| JournalError::Unknown(4))?;
    let ids: Vec<&str> = roster.split('\n').collect();
    reader.at = 4 + length;
    while reader.at < bytes.len() {
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
        journal.put_back(segment.clone());
        assert_eq!(journal.take(&ids), Some(segment));
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
