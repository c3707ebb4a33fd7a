//! Reads what compare-plc saves: `<unix ms>.json`, one snapshot of five minutes each, and `totals.json`.
//!
//! A snapshot is `{ "ts", "mirrors": { URL: { "coverage", "missed", "ops", "primaryOps", "missedCids", "extraCids",
//! "lateCids" } } }`; the lists map a DID to its CIDs. Lists may lack (older files) and unknown keys are skipped; counts
//! must be there. Totals are `{ URL: { "ops", "primaryOps", "missed", … } }`, also under a key `mirrors`. Pure: takes
//! bytes, gives figures or the reason why not. Nothing here is believed beyond its bounds.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Mirrors that one file may name.
pub const MIRRORS_MAX: usize = 256;
/// CIDs of one list that are kept; more are counted.
pub const LISTED_MAX: usize = 10_000;
/// Characters of a mirror's address; whatever shows the figures shows it.
pub const URL_CHARS_MAX: usize = 2_048;
/// Bytes of a file that is looked at; the caller reads no more than this.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// Largest count that JSON carries exactly.
const COUNT_MAX: u64 = (1 << 53) - 1;
/// 2020-01-01, before which there was nothing to compare, in UTC milliseconds.
const TS_MIN_MS: i64 = 1_577_836_800_000;
/// 2100-01-01 in UTC milliseconds.
const TS_MAX_MS: i64 = 4_102_444_800_000;

/// What a file's name says that it is.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// `<unix ms>.json`.
    Snapshot,
    /// `totals.json`.
    Totals,
}

/// The kind of the file `name`; `None` when it is none of compare-plc's.
#[must_use]
pub fn kind_of(name: &str) -> Option<Kind> {
    let stem = name.strip_suffix(".json")?;
    if stem == "totals" {
        return Some(Kind::Totals);
    }
    ((10..=16).contains(&stem.len()) && stem.bytes().all(|b| b.is_ascii_digit())).then_some(Kind::Snapshot)
}

/// Why a file is not taken over.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// No bytes, or white space alone.
    #[error("empty file")]
    Empty,
    /// The JSON value `null`.
    #[error("null")]
    Null,
    /// Not text.
    #[error("not UTF-8 at byte {at}")]
    NotUtf8 {
        /// Offset of the first wrong byte.
        at: usize,
    },
    /// Not JSON.
    #[error("line {line}, column {column}: not JSON")]
    BadJson {
        /// Line of the error, from 1.
        line: usize,
        /// Column of the error, from 1.
        column: usize,
    },
    /// Another type than expected.
    #[error("{path}: expected {expected}; found {found}")]
    WrongType {
        /// Where, as a path of keys.
        path: String,
        /// What belongs there.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A key lacks.
    #[error("{path}: missing")]
    Missing {
        /// Which, as a path of keys.
        path: String,
    },
    /// A time that cannot be.
    #[error("ts: {ts} is no time in milliseconds between 2020 and 2100")]
    BadTime {
        /// The time given.
        ts: i64,
    },
    /// More mirrors than [`MIRRORS_MAX`].
    #[error("{given} mirrors; limit {MIRRORS_MAX}")]
    TooManyMirrors {
        /// How many there are.
        given: usize,
    },
    /// An address longer than [`URL_CHARS_MAX`].
    #[error("{url}: an address of {chars} characters; limit {URL_CHARS_MAX}")]
    LongUrl {
        /// Its beginning, quoted.
        url: String,
        /// How long it is.
        chars: usize,
    },
    /// No mirror in it.
    #[error("no mirrors in it")]
    NoMirrors,
}

/// One list of operations: DID to CIDs, as far as it is kept, and how many there were.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Listed {
    /// CIDs by DID, [`LISTED_MAX`] of them at most.
    pub cids: BTreeMap<String, Vec<String>>,
    /// Exact count.
    pub count: u64,
}

/// The figures of one mirror in one snapshot.
#[derive(Clone, PartialEq, Debug)]
pub struct MirrorFigures {
    /// Where the mirror is.
    pub url: String,
    /// As compare-plc worked it out.
    pub coverage: Option<f64>,
    /// Operations that the mirror lacked.
    pub missed: u64,
    /// Operations that the mirror delivered.
    pub ops: u64,
    /// Operations that the primary delivered.
    pub primary_ops: u64,
    /// Those that lacked.
    pub missed_cids: Listed,
    /// Those that the mirror alone had.
    pub extra_cids: Listed,
    /// Those that came after the snapshot.
    pub late_cids: Listed,
}

/// One snapshot.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    /// When it was taken, UTC milliseconds.
    pub ts_ms: i64,
    /// One entry a mirror, by URL.
    pub mirrors: Vec<MirrorFigures>,
}

/// The lifetime figures of one mirror.
#[derive(Clone, PartialEq, Debug)]
pub struct MirrorTotals {
    /// Where the mirror is.
    pub url: String,
    /// Operations that the mirror delivered.
    pub ops: Option<u64>,
    /// Operations that the primary delivered.
    pub primary_ops: Option<u64>,
    /// Operations that the mirror lacked.
    pub missed: Option<u64>,
    /// All numbers that the file gives, by its own names.
    pub numbers: BTreeMap<String, f64>,
}

/// Reads a snapshot; its time is `ts`, or `name_ms` (from the file's name) where it lacks.
///
/// # Errors
/// The first reason to refuse it.
pub fn parse_snapshot(name_ms: i64, bytes: &[u8]) -> Result<Snapshot, Refusal> {
    let root = object_of(bytes)?;
    let ts_ms = match root.get("ts") {
        None => name_ms,
        Some(value) => i64::try_from(count("ts", value)?).unwrap_or(i64::MAX),
    };
    if !(TS_MIN_MS..TS_MAX_MS).contains(&ts_ms) {
        return Err(Refusal::BadTime { ts: ts_ms });
    }
    let value = root.get("mirrors").ok_or_else(|| Refusal::Missing { path: "mirrors".to_owned() })?;
    let mirrors = object("mirrors", value)?;
    if mirrors.is_empty() {
        return Err(Refusal::NoMirrors);
    }
    let mirrors = bounded(mirrors)?
        .iter()
        .map(|(url, value)| figures(url, object(&format!("mirrors.{}", quoted(url)), value)?))
        .collect::<Result<_, _>>()?;
    Ok(Snapshot { ts_ms, mirrors })
}

/// Reads the lifetime totals.
///
/// # Errors
/// The first reason to refuse them.
pub fn parse_totals(bytes: &[u8]) -> Result<Vec<MirrorTotals>, Refusal> {
    let root = object_of(bytes)?;
    let mirrors = match root.get("mirrors") {
        Some(value) => object("mirrors", value)?.clone(),
        None => root.into_iter().filter(|(key, value)| key.contains("://") || value.is_object()).collect(),
    };
    if mirrors.is_empty() {
        return Err(Refusal::NoMirrors);
    }
    bounded(&mirrors)?
        .iter()
        .map(|(url, value)| {
            let path = quoted(url);
            let entry = object(&path, value)?;
            let optional = |key: &str| entry.get(key).map(|value| count(&format!("{path}.{key}"), value)).transpose();
            let totals = MirrorTotals {
                url: url.clone(),
                ops: optional("ops")?.or(optional("totalEvents")?),
                primary_ops: optional("primaryOps")?,
                missed: optional("missed")?,
                numbers: entry.iter().filter_map(|(key, value)| Some((key.clone(), value.as_f64()?))).collect(),
            };
            if totals.ops.is_none() && totals.primary_ops.is_none() && totals.missed.is_none() {
                return Err(Refusal::Missing { path: format!("{path}.ops") });
            }
            Ok(totals)
        })
        .collect()
}

fn figures(url: &str, entry: &Map<String, Value>) -> Result<MirrorFigures, Refusal> {
    let path = |key: &str| format!("mirrors.{}.{key}", quoted(url));
    let needed = |key: &str| {
        let value = entry.get(key).ok_or_else(|| Refusal::Missing { path: path(key) })?;
        count(&path(key), value)
    };
    let list = |key: &str| listed(&path(key), entry.get(key));
    let coverage = match entry.get("coverage") {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.as_f64().ok_or_else(|| wrong(&path("coverage"), "a number or null", value))?),
    };
    Ok(MirrorFigures {
        url: url.to_owned(),
        coverage,
        missed: needed("missed")?,
        ops: needed("ops")?,
        primary_ops: needed("primaryOps")?,
        missed_cids: list("missedCids")?,
        extra_cids: list("extraCids")?,
        late_cids: list("lateCids")?,
    })
}

/// A map of DID to CIDs; `null` and nothing are the empty one, as is the empty list.
fn listed(path: &str, value: Option<&Value>) -> Result<Listed, Refusal> {
    let entries = match value {
        None | Some(Value::Null) => return Ok(Listed::default()),
        Some(Value::Array(items)) if items.is_empty() => return Ok(Listed::default()),
        Some(value) => object(path, value)?,
    };
    let mut list = Listed::default();
    for (did, value) in entries {
        let cids = value.as_array().ok_or_else(|| wrong(path, "lists of CIDs by DID", value))?;
        for cid in cids {
            let text = cid.as_str().ok_or_else(|| wrong(path, "lists of CIDs by DID", cid))?;
            if list.count < LISTED_MAX as u64 {
                list.cids.entry(did.clone()).or_default().push(text.to_owned());
            }
            list.count += 1;
        }
    }
    Ok(list)
}

fn object_of(bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|error| Refusal::NotUtf8 { at: error.valid_up_to() })?;
    if text.trim().is_empty() {
        return Err(Refusal::Empty);
    }
    let value: Value =
        serde_json::from_str(text).map_err(|error| Refusal::BadJson { line: error.line(), column: error.column() })?;
    match value {
        Value::Object(map) => Ok(map),
        Value::Null => Err(Refusal::Null),
        other => Err(wrong("file", "an object", &other)),
    }
}

fn bounded(mirrors: &Map<String, Value>) -> Result<&Map<String, Value>, Refusal> {
    if mirrors.len() > MIRRORS_MAX {
        return Err(Refusal::TooManyMirrors { given: mirrors.len() });
    }
    for url in mirrors.keys() {
        let chars = url.chars().count();
        if chars > URL_CHARS_MAX {
            return Err(Refusal::LongUrl { url: quoted(url), chars });
        }
    }
    Ok(mirrors)
}

fn object<'a>(path: &str, value: &'a Value) -> Result<&'a Map<String, Value>, Refusal> {
    value.as_object().ok_or_else(|| wrong(path, "an object", value))
}

fn count(path: &str, value: &Value) -> Result<u64, Refusal> {
    let whole = value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        (number >= 0.0 && number <= COUNT_MAX as f64 && number.fract() == 0.0).then_some(number as u64)
    });
    whole.filter(|n| *n <= COUNT_MAX).ok_or_else(|| wrong(path, "a whole number, not negative", value))
}

fn wrong(path: &str, expected: &'static str, value: &Value) -> Refusal {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "another number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Refusal::WrongType { path: path.to_owned(), expected, found }
}

/// A foreign key as it is printed: quoted, escaped and cut at 80 characters.
fn quoted(key: &str) -> String {
    let cut: String = key.chars().take(80).collect();
    format!("{cut:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_763_700_000_000;

    const SNAPSHOT: &str = r#"{"ts":1763700000123,"mirrors":{"wss://a.example":{"coverage":99.5,"missed":2,"ops":398,
        "primaryOps":400,"missedCids":{"did:plc:x":["c1","c2"]},"extraCids":{},"lateCids":{"did:plc:y":["c3"]},"more":1},
        "wss://b.example":{"coverage":null,"missed":0,"ops":0.0,"primaryOps":400}}}"#;

    #[test]
    fn reads_a_snapshot() {
        let snapshot = parse_snapshot(NOW, SNAPSHOT.as_bytes()).unwrap();
        assert_eq!(snapshot.ts_ms, 1_763_700_000_123);
        assert_eq!(snapshot.mirrors.len(), 2);
        let a = &snapshot.mirrors[0];
        assert_eq!((a.url.as_str(), a.missed, a.ops, a.primary_ops), ("wss://a.example", 2, 398, 400));
        assert_eq!(a.coverage, Some(99.5));
        assert_eq!((a.missed_cids.count, a.extra_cids.count, a.late_cids.count), (2, 0, 1));
        assert_eq!(a.missed_cids.cids["did:plc:x"], ["c1", "c2"]);
        assert_eq!(snapshot.mirrors[1].coverage, None);
        let untimed = SNAPSHOT.replace(r#""ts":1763700000123,"#, "");
        assert_eq!(parse_snapshot(NOW, untimed.as_bytes()).unwrap().ts_ms, NOW);
    }

    #[test]
    fn counts_exactly_what_it_does_not_keep() {
        let cids = vec!["\"c\""; LISTED_MAX + 7].join(",");
        let text = format!(
            r#"{{"mirrors":{{"wss://a":{{"missed":1,"ops":1,"primaryOps":1,"missedCids":{{"d":[{cids}]}}}}}}}}"#
        );
        let list = &parse_snapshot(NOW, text.as_bytes()).unwrap().mirrors[0].missed_cids;
        assert_eq!(list.count, LISTED_MAX as u64 + 7);
        assert_eq!(list.cids["d"].len(), LISTED_MAX);
    }

    #[test]
    fn refuses_with_the_reason() {
        for (text, reason) in [
            ("", "empty file"),
            (" \n", "empty file"),
            ("null", "null"),
            ("[]", "file: expected an object; found a list"),
            ("{\"ts\":1763700000123", "line 1, column 19: not JSON"),
            ("{}", "mirrors: missing"),
            (r#"{"mirrors":[]}"#, "mirrors: expected an object; found a list"),
            (r#"{"ts":"x","mirrors":{}}"#, "ts: expected a whole number, not negative; found text"),
            (r#"{"ts":12,"mirrors":{}}"#, "ts: 12 is no time in milliseconds between 2020 and 2100"),
            (r#"{"mirrors":{}}"#, "no mirrors in it"),
            (r#"{"mirrors":{"wss://a":null}}"#, "mirrors.\"wss://a\": expected an object; found null"),
            (r#"{"mirrors":{"wss://a":{"missed":1,"ops":1}}}"#, "mirrors.\"wss://a\".primaryOps: missing"),
            (
                r#"{"mirrors":{"wss://a":{"missed":-1,"ops":1,"primaryOps":1}}}"#,
                "mirrors.\"wss://a\".missed: expected a whole number, not negative; found another number",
            ),
            (
                r#"{"mirrors":{"wss://a":{"missed":1,"ops":1,"primaryOps":1,"lateCids":{"d":[7]}}}}"#,
                "mirrors.\"wss://a\".lateCids: expected lists of CIDs by DID; found another number",
            ),
        ] {
            assert_eq!(parse_snapshot(NOW, text.as_bytes()).unwrap_err().to_string(), reason, "{text}");
        }
        assert_eq!(parse_snapshot(NOW, b"\xff").unwrap_err().to_string(), "not UTF-8 at byte 0");
        let many: Vec<String> = (0..=MIRRORS_MAX).map(|n| format!("\"wss://{n}\":{{}}")).collect();
        let text = format!("{{\"mirrors\":{{{}}}}}", many.join(","));
        assert_eq!(parse_snapshot(NOW, text.as_bytes()).unwrap_err(), Refusal::TooManyMirrors { given: 257 });
        let text = format!("{{\"mirrors\":{{\"wss://{}\":{{}}}}}}", "a".repeat(URL_CHARS_MAX));
        let told = parse_snapshot(NOW, text.as_bytes()).unwrap_err().to_string();
        assert_eq!(told, format!("\"wss://{}\": an address of 2054 characters; limit 2048", "a".repeat(74)));
    }

    #[test]
    fn reads_totals_of_either_shape() {
        for text in [
            r#"{"wss://a":{"ops":5,"primaryOps":6,"missed":1,"extra":2},"since":17}"#,
            r#"{"mirrors":{"wss://a":{"totalEvents":5,"primaryOps":6,"missed":1,"extra":2}}}"#,
        ] {
            let totals = parse_totals(text.as_bytes()).unwrap();
            assert_eq!(totals.len(), 1);
            assert_eq!((totals[0].ops, totals[0].primary_ops, totals[0].missed), (Some(5), Some(6), Some(1)));
            assert!((totals[0].numbers["extra"] - 2.0).abs() < f64::EPSILON);
        }
        assert_eq!(parse_totals(b"{}").unwrap_err(), Refusal::NoMirrors);
        assert_eq!(parse_totals(b"null").unwrap_err(), Refusal::Null);
        assert_eq!(parse_totals(br#"{"wss://a":{"x":1}}"#).unwrap_err().to_string(), "\"wss://a\".ops: missing");
    }

    #[test]
    fn knows_files_by_name() {
        assert_eq!(kind_of("totals.json"), Some(Kind::Totals));
        assert_eq!(kind_of("1763700000123.json"), Some(Kind::Snapshot));
        for other in ["1763700000123.json.tmp", "-1763700000123.json", "17.json", "x.json", "README"] {
            assert_eq!(kind_of(other), None, "{other}");
        }
    }
}
