//! Reads a segment of the journal, byte by byte, believing none of them.

use super::{
    CELL, DISPUTED, EVICTED, FORK_SHIFT, FOUND, GONE, IS_ALTERED, IS_CLOSED, JournalError, Last, MOVED, NOTICED, OP,
    OP_AFTER, Record, SAMPLE, SAMPLE_PLAIN, SIGHTING, SIGHTING_AFTER, unzigzag,
};
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::finding::Finding;
use crate::domain::interval::ExtraState;
use crate::domain::ledger::content::Noticed;
use crate::domain::ledger::extra::Sighting;
use crate::domain::ledger::forks::Fork;
use crate::domain::ledger::prevs::Prev;
use crate::domain::op::{Kind, OpKey};
use crate::domain::ring::Row;
use crate::domain::rtt::Correction;
use crate::domain::source::SourceIx;
use crate::domain::time::Tau;
use crate::domain::verdict::{Cell, Mode, Reason};

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

    fn key(&mut self) -> Result<OpKey, JournalError> {
        Ok(OpKey { did: Did(self.take()?), cid: Cid(self.take()?) })
    }

    fn finding(&mut self) -> Result<Finding, JournalError> {
        let at = self.at;
        Finding::from_number(self.u8()?).ok_or(JournalError::Unknown(at))
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
        let is_filled = self.u8()? != 0;
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
        row.is_filled = is_filled;
        Ok((number, row))
    }

    fn cell(&mut self) -> Result<Record, JournalError> {
        let (number, mirror) = self.pair()?;
        let known = u64::from(self.u16()?);
        Ok(Record::Cell(number, mirror, Cell(self.difference(0)? << 16 | known)))
    }

    fn sighting(&mut self) -> Result<Sighting, JournalError> {
        let key = self.key()?;
        let kind = self.kind()?;
        let at = self.at;
        let mode = if self.u8()? == Mode::Live as u8 { Mode::Live } else { Mode::Filled };
        let state = match self.u8()? {
            0 => ExtraState::Pending,
            1 => ExtraState::Extra,
            2 => ExtraState::Unknown,
            3 => ExtraState::Explained,
            _ => return Err(JournalError::Unknown(at)),
        };
        let reason = Reason::from_number(self.u8()?);
        let known = self.u8()?;
        let mirror = self.u16()?;
        Ok(Sighting {
            key,
            kind,
            mode,
            state,
            reason,
            is_closed: known & IS_CLOSED != 0,
            is_altered: known & IS_ALTERED != 0,
            fork: Fork::from_number(known >> FORK_SHIFT),
            prev: Prev::NONE,
            order: 0,
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
                Record::Op(number, row, Prev::NONE)
            }
            OP_AFTER => {
                let (number, row) = self.row()?;
                Record::Op(number, row, Prev(self.u64()?))
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
            SIGHTING_AFTER => {
                let sighting = self.sighting()?;
                Record::Sighting(Sighting { prev: Prev(self.u64()?), ..sighting })
            }
            GONE => Record::Gone(Cid(self.take()?)),
            EVICTED => Record::Evicted(self.u64()?),
            FOUND => Record::Found(self.small()?, self.key()?, self.finding()?),
            DISPUTED => Record::Disputed(self.name()?),
            NOTICED => Record::Noticed(Noticed {
                source: SourceIx(self.small()?),
                key: self.key()?,
                finding: self.finding()?,
                at: Tau(self.i64()?),
            }),
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
    while reader.at < bytes.len() {
        let record = reader.record()?;
        each(&ids, record);
    }
    Ok(())
}
