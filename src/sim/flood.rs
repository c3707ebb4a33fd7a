//! What a hostile mirror sends: as much as the wire takes, of whatever hurts.
//!
//! Frames are written as bytes, because no library would send them so. Between two lumps of a flood streams carry what the
//! log holds, so that an observer which lets anything go is found out.

use super::op::{OpMaker, SimOp};
use crate::domain::cid::{Cid, Content};
use crate::domain::op::Kind;
use crate::domain::time::rfc3339_ms;
use std::ops::Range;

/// Messages written at a time.
const LUMP: usize = 64;
/// Digits of the number that tells operations apart, in place of the start of their signature.
const DIGITS: usize = 12;

/// What a flood is made of.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Flood {
    /// Operations that nobody has, each another one, whole but for their signature.
    Distinct,
    /// The newest operation again and again.
    Repeats,
    /// Frames that look like operations and are none, and operations with absurd dates and numbers.
    Poison,
    /// Messages in frames of one byte.
    Fragments,
    /// A message that never ends, in frames of no byte.
    Endless,
    /// Pings.
    Pings,
    /// Frames that announce more than anyone takes.
    Giants,
    /// A frame that breaks the protocol.
    Broken,
}

/// Makes the lumps of one stream.
pub(super) struct Source {
    flood: Flood,
    made: u64,
    json: String,
    cbor: Vec<u8>,
    json_digits: Range<usize>,
    cbor_digits: Range<usize>,
    op: SimOp,
    has_begun: bool,
}

impl Source {
    /// A flood of operations that are told apart by `seed` from those of other streams.
    pub(super) fn new(flood: Flood, seed: u64, now_ms: i64) -> Source {
        let mut maker = OpMaker::new(seed);
        maker.of_kind(Kind::Genesis, now_ms);
        let op = (*maker.of_kind(Kind::Update, now_ms)).clone();
        let cbor = Content::read(&op.operation).ok().and_then(|content| content.to_cbor().ok()).unwrap_or_default();
        let signature =
            op.operation.rsplit("\"sig\":\"").next().and_then(|rest| rest.get(..DIGITS)).unwrap_or_default();
        let place = |hay: &[u8]| {
            let at = hay.windows(DIGITS).position(|window| window == signature.as_bytes()).unwrap_or_default();
            at..at + DIGITS
        };
        let (json_digits, cbor_digits) = (place(op.operation.as_bytes()), place(&cbor));
        Source {
            flood,
            made: seed << 32,
            json: op.operation.clone(),
            cbor,
            json_digits,
            cbor_digits,
            op,
            has_begun: false,
        }
    }

    /// The next operation that nobody has.
    fn next_op(&mut self) -> (Cid, String) {
        self.made += 1;
        let digits = format!("{:0DIGITS$}", self.made % 10_u64.pow(DIGITS as u32));
        self.json.replace_range(self.json_digits.clone(), &digits);
        if let Some(place) = self.cbor.get_mut(self.cbor_digits.clone()) {
            place.copy_from_slice(digits.as_bytes());
        }
        (Cid::of_cbor(&self.cbor), self.json.clone())
    }

    fn distinct(&mut self, seq: &str, created: &str) -> String {
        let (cid, operation) = self.next_op();
        let did = self.op.key.did;
        format!(
            r#"{{"seq":{seq},"type":"sequenced_op","did":"{did}","operation":{operation},"cid":"{cid}","nullified":false,"createdAt":"{created}"}}"#
        )
    }

    /// The next bytes, and how many messages they hold; `newest` is the newest frame of the log.
    pub(super) fn lump(&mut self, newest: Option<&str>, now_ms: i64) -> (Vec<u8>, u64) {
        let mut bytes = Vec::new();
        let created = rfc3339_ms(now_ms);
        for n in 0..LUMP {
            match self.flood {
                Flood::Distinct => {
                    let seq = (self.made & 0xffff_ffff).to_string();
                    frame(&mut bytes, TEXT | FIN, self.distinct(&seq, &created).as_bytes());
                }
                Flood::Repeats => frame(&mut bytes, TEXT | FIN, newest.unwrap_or("{}").as_bytes()),
                Flood::Poison => self.poison(n, &created, &mut bytes),
                Flood::Fragments => fragments(&mut bytes, newest.unwrap_or("{}").as_bytes()),
                Flood::Endless => {
                    let kind = if std::mem::replace(&mut self.has_begun, true) { CONTINUATION } else { TEXT };
                    frame(&mut bytes, kind, b"");
                }
                Flood::Pings => frame(&mut bytes, PING | FIN, &[b'p'; 125]),
                Flood::Giants => bytes.extend([TEXT | FIN, 127, 0, 0, 1, 0, 0, 0, 0, 0]),
                Flood::Broken => frame(&mut bytes, 0x73, b"reserved"),
            }
        }
        (bytes, LUMP as u64)
    }

    fn poison(&mut self, n: usize, created: &str, bytes: &mut Vec<u8>) {
        let seqs = [
            "0",
            "-1",
            "9007199254740992",
            "9007199254740991",
            "1e999",
            "1.5",
            "null",
            "\"7\"",
            "18446744073709551616",
        ];
        let dates = [
            "0001-01-01T00:00:00.000Z",
            "9999-12-31T23:59:59.999Z",
            "+275760-09-13T00:00:00.001Z",
            "2026-02-31T00:00:00.000Z",
            "now",
            "",
        ];
        let good = |source: &mut Source| source.distinct("5", created);
        let text = match n % 24 {
            i @ 0..9 => self.distinct(seqs.get(i).copied().unwrap_or_default(), created),
            i @ 9..15 => self.distinct("5", dates.get(i - 9).copied().unwrap_or_default()),
            15 => good(self).replacen("did:plc:", "__proto__", 1),
            16 => good(self).replacen('{', r#"{"__proto__":{"cid":"x"},"constructor":1,"#, 1),
            17 => good(self).replacen('{', r#"{"did":"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa","#, 1),
            18 => good(self).replacen(r#""sig":""#, r#""sig":"\ud800"#, 1),
            19 => good(self).replacen('{', r#"{"number":1e999,"#, 1),
            20 => good(self).replacen('{', &format!(r#"{{"deep":{}{},"#, "[".repeat(50_000), "]".repeat(50_000)), 1),
            21 => "[".repeat(200_000),
            22 => good(self).replacen('{', &format!(r#"{{"long":"{}","#, "x".repeat(200_000)), 1),
            _ => "\u{0}\u{202e}\u{7}".to_owned(),
        };
        frame(bytes, TEXT | FIN, text.as_bytes());
    }
}

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const PING: u8 = 9;

/// Writes one frame as a server does: unmasked.
pub(super) fn frame(bytes: &mut Vec<u8>, head: u8, payload: &[u8]) {
    bytes.push(head);
    match payload.len() {
        n @ 0..=125 => bytes.push(n as u8),
        n @ 126..=65_535 => {
            bytes.push(126);
            bytes.extend((n as u16).to_be_bytes());
        }
        n => {
            bytes.push(127);
            bytes.extend((n as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
}

/// Writes a whole text message.
pub(super) fn text(bytes: &mut Vec<u8>, text: &str) {
    frame(bytes, TEXT | FIN, text.as_bytes());
}

fn fragments(bytes: &mut Vec<u8>, payload: &[u8]) {
    let last = payload.len().saturating_sub(1);
    for (i, byte) in payload.iter().enumerate() {
        let kind = if i == 0 { TEXT } else { CONTINUATION };
        frame(bytes, if i == last { kind | FIN } else { kind }, &[*byte]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::frame::{FormCache, Shape, parse};
    use std::collections::HashSet;

    #[test]
    fn distinct_operations_are_what_they_claim_and_all_different() {
        let mut source = Source::new(Flood::Distinct, 3, 1_700_000_000_000);
        let mut forms = FormCache::new(16, [1, 2]);
        let cids: HashSet<Cid> = (0..100)
            .map(|n| source.distinct(&n.to_string(), "2026-01-01T00:00:00.000Z"))
            .skip(1)
            .map(|text| parse(&text, Shape::Sequenced, &mut forms).unwrap().op.key.cid)
            .collect();
        assert_eq!(cids.len(), 99);
    }
}
