//! The audit log of one DID as a host serves it at `/{did}/log/audit`, and how two hosts' logs of it agree.
//!
//! A log is read strictly: an entry whose form is wrong is named, and a log with such entries is no log. What an entry
//! claims is kept beside what its content says; whether the claims are true is a question of its own ([`is_sound`]), so
//! that a host which lies can be told from one which answers something else altogether. Nothing here asks a host.

mod compare;

pub use compare::{LogAgreement, compare, is_sound, is_tombstoned};

use super::cid::Cid;
use super::did::Did;
use super::frame::{Form, parse_created_ms};
use super::op::{Kind, Op, OpKey};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write;

/// Entries of one log that are read; the directory lets a DID have about a hundred operations a week.
pub const ENTRIES_MAX: usize = 2_000;
/// Bad entries of one log that are named; more are counted.
const NAMED_MAX: usize = 8;

/// One entry of an audit log.
#[derive(Clone, PartialEq, Debug)]
pub struct LogEntry {
    /// Recomputed from `operation`.
    pub cid: Cid,
    /// Whether the host states that very CID.
    pub claimed_cid_matches: bool,
    /// The CID that the host states; none when that is none.
    pub claimed_cid: Option<Cid>,
    /// Whose operation it is, as the host states it.
    pub did: Did,
    /// Whether the host holds it as nullified.
    pub nullified: bool,
    /// `createdAt`, milliseconds since 1970.
    pub created_ms: i64,
    /// The operation that this one follows; none for the first of a DID.
    pub prev: Option<Cid>,
    /// What the operation does.
    pub kind: Kind,
    /// The signed operation.
    pub operation: serde_json::Value,
}

impl LogEntry {
    /// Identity, by the recomputed CID.
    #[must_use]
    pub fn key(&self) -> OpKey {
        OpKey { did: self.did, cid: self.cid }
    }

    /// The same entry without the content of its operation, for whoever only compares.
    #[must_use]
    pub fn without_content(self) -> LogEntry {
        LogEntry { operation: serde_json::Value::Null, ..self }
    }
}

/// An entry that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadEntry {
    /// Its place in the log, from 0.
    pub index: usize,
    /// What is wrong with it, in a few words.
    pub why: String,
}

/// Why a body is no audit log.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LogError {
    /// Not UTF-8, not JSON, or no array: the host serves something else there.
    #[error("no audit log: {0}")]
    NotALog(&'static str),
    /// More than [`ENTRIES_MAX`] entries; how many there are.
    #[error("{0} entries, limit {ENTRIES_MAX}")]
    TooLong(usize),
    /// An array with entries that cannot be read: the first ones, and how many there are in all.
    #[error("{}", entries_text(.named, *.total))]
    BadEntries {
        /// The first of them.
        named: Vec<BadEntry>,
        /// All of them.
        total: usize,
    },
}

fn entries_text(named: &[BadEntry], total: usize) -> String {
    let mut text = String::new();
    for bad in named {
        let separator = if text.is_empty() { "" } else { "; " };
        // Writing into a string cannot fail.
        let _ = write!(text, "{separator}entry {}: {}", bad.index, bad.why);
    }
    if total > named.len() {
        let _ = write!(text, "; and {} more", total - named.len());
    }
    text
}

/// An entry as it is written.
#[derive(Deserialize)]
struct RawEntry<'a> {
    #[serde(borrow)]
    did: Cow<'a, str>,
    #[serde(borrow)]
    cid: Cow<'a, str>,
    #[serde(borrow)]
    operation: &'a RawValue,
    nullified: bool,
    #[serde(borrow, rename = "createdAt")]
    created_at: Cow<'a, str>,
}

/// Reads the body of an answer to `/{did}/log/audit`.
///
/// An empty array is a log without entries. A claimed CID that is not the content's own is no error here: see
/// [`LogEntry::claimed_cid_matches`].
///
/// # Errors
/// [`LogError`]: what stands there is no log, or not one that can be read to its end.
pub fn parse(bytes: &[u8]) -> Result<Vec<LogEntry>, LogError> {
    let text = std::str::from_utf8(bytes).map_err(|_| LogError::NotALog("not UTF-8"))?;
    let raw: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| LogError::NotALog("no JSON array"))?;
    if raw.len() > ENTRIES_MAX {
        return Err(LogError::TooLong(raw.len()));
    }
    let (mut entries, mut named, mut total) = (Vec::with_capacity(raw.len()), Vec::new(), 0);
    for (index, text) in raw.into_iter().enumerate() {
        match entry(text.get()) {
            Ok(entry) => entries.push(entry),
            Err(why) => {
                total += 1;
                if named.len() < NAMED_MAX {
                    named.push(BadEntry { index, why });
                }
            }
        }
    }
    if total > 0 { Err(LogError::BadEntries { named, total }) } else { Ok(entries) }
}

fn entry(text: &str) -> Result<LogEntry, String> {
    let raw: RawEntry<'_> =
        serde_json::from_str(text).map_err(|e| e.to_string().chars().take(80).collect::<String>())?;
    let did = Did::parse(&raw.did).ok_or("bad_did")?;
    let created_ms = parse_created_ms(&raw.created_at).ok_or("bad_time")?;
    let (form, prev, operation) = content(raw.operation.get())?;
    let claimed_cid = Cid::parse(&raw.cid);
    Ok(LogEntry {
        cid: form.cid,
        claimed_cid_matches: claimed_cid == Some(form.cid),
        claimed_cid,
        did,
        nullified: raw.nullified,
        created_ms,
        prev,
        kind: form.kind,
        operation,
    })
}

fn content(operation: &str) -> Result<(Form, Option<Cid>, serde_json::Value), String> {
    let form = Form::read(operation).map_err(|reject| reject.to_string())?;
    let value: serde_json::Value = serde_json::from_str(operation).map_err(|_| "bad_json")?;
    let prev = match value.get("prev").and_then(serde_json::Value::as_str) {
        None => None,
        Some(text) => Some(Cid::parse(text).ok_or("prev is no CID")?),
    };
    Ok((form, prev, value))
}

/// The CID of the operation that `/{did}/log/last` answers with, and the one that it follows; none when the body is no
/// operation.
#[must_use]
pub fn parse_last(bytes: &[u8]) -> Option<(Cid, Option<Cid>)> {
    let (form, prev, _) = content(std::str::from_utf8(bytes).ok()?).ok()?;
    Some((form.cid, prev))
}

/// The operation as a source would deliver it that has no numbers of its own.
impl From<&LogEntry> for Op {
    fn from(entry: &LogEntry) -> Op {
        Op { key: entry.key(), kind: entry.kind, created_ms: entry.created_ms, seq: None, prev: entry.prev }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::time::rfc3339_ms;

    /// The JSON of an operation that follows `prev`, told from others by `n`.
    pub(crate) fn operation(n: u32, prev: Option<Cid>) -> String {
        let prev = prev.map_or("null".to_owned(), |cid| format!("\"{cid}\""));
        format!(r#"{{"type":"plc_operation","alsoKnownAs":["at://op{n}"],"prev":{prev},"sig":"s"}}"#)
    }

    /// One entry of an audit log as a host writes it.
    pub(crate) fn entry_text(did: Did, operation: &str, nullified: bool, created_ms: i64) -> String {
        let (cid, at) = (Cid::of_operation(operation).unwrap().0, rfc3339_ms(created_ms));
        format!(r#"{{"did":"{did}","operation":{operation},"cid":"{cid}","nullified":{nullified},"createdAt":"{at}"}}"#)
    }

    /// A log of `n` operations, one a second, each following the one before.
    pub(crate) fn chain(n: u32) -> Vec<LogEntry> {
        let genesis = Cid::of_operation(&operation(0, None)).unwrap().0;
        let (did, mut prev, mut entries) = (Did::of_genesis(genesis), None, Vec::new());
        for i in 0..n {
            let text = format!("[{}]", entry_text(did, &operation(i, prev), false, 1_000 * i64::from(i)));
            entries.extend(parse(text.as_bytes()).unwrap());
            prev = entries.last().map(|e: &LogEntry| e.cid);
        }
        entries
    }

    #[test]
    fn a_log_is_read_whole_and_its_cids_are_recomputed() {
        let first = operation(0, None);
        let genesis = Cid::of_operation(&first).unwrap().0;
        let did = Did::of_genesis(genesis);
        let tombstone = format!(r#"{{"type":"plc_tombstone","prev":"{genesis}","sig":"s"}}"#);
        let lying = entry_text(did, &operation(7, Some(genesis)), false, 5).replace("op7", "op8");
        let entries = [entry_text(did, &first, true, 3), entry_text(did, &tombstone, false, 4), lying];
        let log = parse(format!(" [{}]\n", entries.join(",")).as_bytes()).unwrap();
        assert_eq!((log[0].cid, log[0].prev, log[0].kind, log[0].nullified), (genesis, None, Kind::Genesis, true));
        assert_eq!((log[1].prev, log[1].kind, log[1].created_ms), (Some(genesis), Kind::Tombstone, 4));
        assert_eq!([true, true, false], [0, 1, 2].map(|i: usize| log[i].claimed_cid_matches));
        assert_eq!(log[0].operation["alsoKnownAs"][0], "at://op0");
        assert_eq!(Op::from(&log[1]).key, OpKey { did, cid: log[1].cid });
        assert!(parse(b"[]").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_log_says_so() {
        for body in ["", "{}", "<!doctype html>", "null", "[", r#"{"message":"DID not registered"}"#] {
            assert!(matches!(parse(body.as_bytes()), Err(LogError::NotALog(_))), "{body}");
        }
        assert_eq!(parse(b"\xff"), Err(LogError::NotALog("not UTF-8")));
        let many = format!("[{}]", vec!["1"; ENTRIES_MAX + 1].join(","));
        assert_eq!(parse(many.as_bytes()), Err(LogError::TooLong(ENTRIES_MAX + 1)));
    }

    #[test]
    fn every_bad_entry_is_named_by_its_place() {
        let good = entry_text(chain(1)[0].did, &operation(0, None), false, 3);
        let bad = [
            ("1".to_owned(), "invalid type"),
            (good.replace("did:plc:", "did:web:"), "bad_did"),
            (good.replace("1970-01-01", "yesterday"), "bad_time"),
            (good.replace(r#""nullified":false,"#, ""), "missing field `nullified`"),
            (good.replace(r#""prev":null,"#, ""), "no prev"),
            (good.replace(r#""prev":null"#, r#""prev":"x""#), "prev is no CID"),
            (good.replace("plc_operation", "plc_surprise"), "plc_surprise"),
            (good.replace(r#""sig":"s""#, r#""sig":1.5"#), "safe integer"),
        ];
        let mut parts = vec![good.clone()];
        parts.extend(bad.iter().map(|b| b.0.clone()));
        let Err(LogError::BadEntries { named, total }) = parse(format!("[{}]", parts.join(",")).as_bytes()) else {
            panic!("a log with bad entries was read");
        };
        assert_eq!(total, bad.len());
        for (n, (found, (_, words))) in named.iter().zip(&bad).enumerate() {
            assert_eq!(found.index, n + 1);
            assert!(found.why.contains(words), "{}: {}", words, found.why);
        }
        let text = parse(format!("[{}]", vec!["1"; 30].join(",")).as_bytes()).unwrap_err().to_string();
        assert!(text.starts_with("entry 0: ") && text.ends_with("; and 22 more"), "{text}");
    }

    #[test]
    fn the_last_operation_is_known_by_its_content() {
        let log = chain(2);
        let last = parse_last(operation(1, Some(log[0].cid)).as_bytes());
        assert_eq!(last, Some((log[1].cid, Some(log[0].cid))));
        assert_eq!((parse_last(b"{}"), parse_last(b"[]"), parse_last(b"\xff")), (None, None, None));
    }
}
