//! One line of `/export`, in either form, read for comparison with another host's line.
//!
//! Unlike a frame of a stream, a line whose content contradicts its CID is kept: it is what that host lists, and the
//! contradiction is the difference that is looked for.

use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::frame::{Form, MAX_SEQ, Reject, parse_created_ms};
use crate::domain::op::{Kind, OpKey};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What one host lists under one (DID, CID).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Item {
    /// Identity, as the host states it.
    pub key: OpKey,
    /// The CID that the content really has.
    pub content: Cid,
    /// What the operation does.
    pub kind: Kind,
    /// `createdAt`, milliseconds since 1970.
    pub created_ms: i64,
    /// Whether the host holds it as nullified; `None` where the line does not say.
    pub nullified: Option<bool>,
    /// The host's own number for it.
    pub seq: Option<u64>,
}

impl Item {
    /// Whether the content has the stated CID and, for a first operation, makes the stated DID.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let makes_it =
            !matches!(self.kind, Kind::Genesis | Kind::LegacyCreate) || Did::of_genesis(self.content) == self.key.did;
        self.content == self.key.cid && makes_it
    }
}

/// One line and what came of reading it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Its number, also where the rest cannot be read: pages are chained by it.
    pub seq: Option<u64>,
    /// The operation; `None` for a line of another `type`, which is nobody's operation.
    pub item: Result<Option<Item>, String>,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    did: Cow<'a, str>,
    #[serde(borrow)]
    cid: Cow<'a, str>,
    #[serde(borrow)]
    operation: &'a RawValue,
    #[serde(borrow, rename = "createdAt")]
    created_at: Cow<'a, str>,
    #[serde(default)]
    nullified: Option<bool>,
}

/// What every line has, whatever it carries.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(default)]
    seq: Option<u64>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
}

impl Line {
    /// Reads one line.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Line {
        let unread = |seq, why: &str| Line { seq, item: Err(why.to_owned()) };
        let Ok(text) = std::str::from_utf8(bytes) else { return unread(None, "not_text") };
        let Ok(head) = serde_json::from_str::<Head<'_>>(text) else { return unread(None, "bad_json") };
        let seq = head.seq.filter(|seq| (1..=MAX_SEQ).contains(seq));
        if head.seq.is_some() && seq.is_none() {
            return unread(None, "bad_seq");
        }
        if head.kind.is_some_and(|kind| kind != "sequenced_op") {
            return Line { seq, item: Ok(None) };
        }
        Line { seq, item: item(text, seq).map(Some) }
    }
}

fn item(text: &str, seq: Option<u64>) -> Result<Item, String> {
    let raw: Raw<'_> = serde_json::from_str(text).map_err(|e| e.to_string().chars().take(80).collect::<String>())?;
    let did = Did::parse(&raw.did).ok_or("bad_did")?;
    let cid = Cid::parse(&raw.cid).ok_or("bad_cid")?;
    let created_ms = parse_created_ms(&raw.created_at).ok_or("bad_time")?;
    let form = Form::read(raw.operation.get()).map_err(|reject: Reject| reject.to_string())?;
    let key = OpKey { did, cid };
    Ok(Item { key, content: form.cid, kind: form.kind, created_ms, nullified: raw.nullified, seq })
}

/// An [`Item`] as it is kept while a comparison is interrupted.
#[derive(Serialize, Deserialize)]
struct Written {
    did: String,
    cid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    kind: Kind,
    created_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nullified: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
}

impl From<Item> for Written {
    fn from(item: Item) -> Written {
        Written {
            did: item.key.did.to_string(),
            cid: item.key.cid.to_string(),
            content: (item.content != item.key.cid).then(|| item.content.to_string()),
            kind: item.kind,
            created_ms: item.created_ms,
            nullified: item.nullified,
            seq: item.seq,
        }
    }
}

impl TryFrom<Written> for Item {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Item, Self::Error> {
        let cid = |text: &str| Cid::parse(text).ok_or("bad_cid");
        let key = OpKey { did: Did::parse(&written.did).ok_or("bad_did")?, cid: cid(&written.cid)? };
        Ok(Item {
            key,
            content: written.content.as_deref().map_or(Ok(key.cid), cid)?,
            kind: written.kind,
            created_ms: written.created_ms,
            nullified: written.nullified,
            seq: written.seq,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::time::rfc3339_ms;

    const GENESIS: &str = r#"{"type":"plc_operation","alsoKnownAs":["at://op1"],"prev":null,"sig":"s"}"#;

    fn line(seq: Option<u64>, created_ms: i64) -> String {
        let cid = Cid::of_operation(GENESIS).unwrap().0;
        let (did, at) = (Did::of_genesis(cid), rfc3339_ms(created_ms));
        let seq = seq.map(|n| format!(r#""seq":{n},"type":"sequenced_op","#)).unwrap_or_default();
        format!(r#"{{{seq}"did":"{did}","operation":{GENESIS},"cid":"{cid}","nullified":false,"createdAt":"{at}"}}"#)
    }

    fn read(text: &str) -> Line {
        Line::read(text.as_bytes())
    }

    #[test]
    fn both_forms_are_read() {
        let item = read(&line(Some(7), 5_000)).item.unwrap().unwrap();
        assert!(item.is_sound());
        assert_eq!(
            (item.seq, item.created_ms, item.nullified, item.kind),
            (Some(7), 5_000, Some(false), Kind::Genesis)
        );
        let legacy = read(&line(None, 5_000));
        assert_eq!((legacy.seq, legacy.item.unwrap().unwrap().key), (None, item.key));
    }

    #[test]
    fn a_lie_is_kept_and_an_unreadable_line_keeps_its_number() {
        let lie = read(&line(Some(7), 5_000).replace("op1", "op2")).item.unwrap().unwrap();
        assert!(!lie.is_sound() && lie.content != lie.key.cid);
        let rows = [
            (line(Some(7), 0).replace("did:plc", "did:web"), Some(7), "bad_did"),
            (line(Some(7), 0).replace("plc_operation", "plc_surprise"), Some(7), "plc_surprise"),
            (line(Some(7), 0).replace("1970", "x"), Some(7), "bad_time"),
            (line(Some(7), 0).replace(":7,", ":0,"), None, "bad_seq"),
            ("[".to_owned(), None, "bad_json"),
        ];
        for (text, seq, why) in rows {
            let read = read(&text);
            assert_eq!(read.seq, seq, "{text}");
            assert!(read.item.clone().unwrap_err().contains(why), "{read:?}");
        }
        assert_eq!(Line::read(b"\xff").item.unwrap_err(), "not_text");
        let other = line(Some(7), 0).replace("sequenced_op", "identity");
        assert_eq!(read(&other), Line { seq: Some(7), item: Ok(None) });
    }

    #[test]
    fn what_is_kept_comes_back() {
        let sound = read(&line(Some(7), 5_000)).item.unwrap().unwrap();
        let lie = read(&line(None, 5_000).replace("op1", "op2")).item.unwrap().unwrap();
        for item in [sound, lie, Item { nullified: None, ..sound }] {
            let text = serde_json::to_string(&item).unwrap();
            assert_eq!(serde_json::from_str::<Item>(&text).unwrap(), item, "{text}");
        }
        let damaged = serde_json::to_string(&sound).unwrap().replace("did:plc", "did:plx");
        assert!(serde_json::from_str::<Item>(&damaged).is_err());
    }
}
