//! Frames that an observer must refuse, each for a reason of its own.

use super::op::SimOp;
use crate::domain::time::rfc3339_ms;
use tokio_tungstenite::tungstenite::Message;

/// A way in which a frame can be wrong by itself.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Garbage {
    /// A binary message.
    Binary,
    /// 300,000 bytes.
    TooLarge,
    /// Cut in the middle.
    Cut,
    /// Forty levels of arrays.
    Deep,
    /// `cid` twice.
    DuplicateKey,
    /// An array.
    NotObject,
    /// `type` is `identity`.
    UnknownType,
    /// No `did`.
    NoDid,
    /// A `did:web`.
    BadDid,
    /// A CID of raw bytes.
    BadCid,
    /// `seq` is 0.
    BadSeq,
    /// `createdAt` is a number.
    BadTime,
    /// `operation` is a string.
    BadOperation,
    /// A CID that the content does not have.
    CidMismatch,
    /// A genesis under a DID that it does not make; any other operation under its own DID is turned into
    /// [`Garbage::CidMismatch`].
    GenesisMismatch,
    /// 9,000 bytes of operation.
    OpTooLarge,
}

impl Garbage {
    /// Every way, in order.
    pub const ALL: [Garbage; 16] = [
        Garbage::Binary,
        Garbage::TooLarge,
        Garbage::Cut,
        Garbage::Deep,
        Garbage::DuplicateKey,
        Garbage::NotObject,
        Garbage::UnknownType,
        Garbage::NoDid,
        Garbage::BadDid,
        Garbage::BadCid,
        Garbage::BadSeq,
        Garbage::BadTime,
        Garbage::BadOperation,
        Garbage::CidMismatch,
        Garbage::GenesisMismatch,
        Garbage::OpTooLarge,
    ];

    /// Such a frame, made from `op` under the number `seq`.
    #[must_use]
    pub fn frame(self, op: &SimOp, seq: u64) -> Message {
        let good = op.stream_text(seq, super::behaviour::Style::default());
        let (did, cid) = (op.key.did.to_string(), op.key.cid.to_string());
        let created = rfc3339_ms(op.created_ms);
        let other_did = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
        Message::text(match self {
            Garbage::Binary => return Message::binary(good.into_bytes()),
            Garbage::TooLarge => good.replacen('{', &format!(r#"{{"padding":"{}","#, "x".repeat(300_000)), 1),
            Garbage::Cut => good.chars().take(good.len() / 2).collect(),
            Garbage::Deep => good.replacen('{', &format!(r#"{{"deep":{}{},"#, "[".repeat(40), "]".repeat(40)), 1),
            Garbage::DuplicateKey => good.replacen('{', &format!(r#"{{"cid":"{cid}","#), 1),
            Garbage::NotObject => format!("[{good}]"),
            Garbage::UnknownType => good.replacen("\"sequenced_op\"", "\"identity\"", 1),
            Garbage::NoDid => good.replacen(&format!(r#""did":"{did}","#), "", 1),
            Garbage::BadDid => good.replacen(&did, "did:web:example.test", 1),
            // Only the claim: a child's `prev` must not look like it.
            Garbage::BadCid => good.replacen(&format!(r#""cid":"{cid}""#), r#""cid":"bafkreiaa""#, 1),
            Garbage::BadSeq => good.replacen(&format!(r#""seq":{seq}"#), r#""seq":0"#, 1),
            Garbage::BadTime => good.replacen(&format!("\"{created}\""), &op.created_ms.to_string(), 1),
            Garbage::BadOperation => good.replacen(&op.operation, "\"operation\"", 1),
            Garbage::CidMismatch => op.with_other_content().stream_text(seq, super::behaviour::Style::default()),
            Garbage::GenesisMismatch if op.is_genesis() => good.replacen(&did, other_did, 1),
            Garbage::GenesisMismatch => return Garbage::CidMismatch.frame(op, seq),
            Garbage::OpTooLarge => good.replacen(&op.operation, &op.operation.replacen('{', &padded(9_000), 1), 1),
        })
    }
}

fn padded(bytes: usize) -> String {
    format!(r#"{{"padding":"{}","#, "x".repeat(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::frame::{FormCache, Reject, Shape, parse};
    use crate::domain::op::Kind;
    use crate::sim::op::OpMaker;

    #[test]
    fn each_frame_is_refused_for_its_own_reason() {
        let op = OpMaker::new(1).of_kind(Kind::Genesis, 1_700_000_000_000);
        let mut forms = FormCache::new(16, [1, 2]);
        let mut reasons = Vec::new();
        for garbage in Garbage::ALL {
            match garbage.frame(&op, 5) {
                Message::Text(text) if text.len() > 262_144 => reasons.push("too_large"),
                Message::Text(text) => {
                    reasons.push(parse(&text, Shape::Sequenced, &mut forms).expect_err(&text).name());
                }
                _ => reasons.push("not_text"),
            }
        }
        let expected: Vec<&str> = Reject::NAMES.into_iter().filter(|name| *name != "rate_limited").collect();
        assert_eq!(reasons, expected);
    }
}
