//! One message of a stream, or one line of an export: parsed, and its identity and content checked.
//!
//! The CID is recomputed once for each distinct form of an operation, not once for each mirror: [`FormCache`] remembers the
//! forms already proved by a keyed hash of the raw `operation` bytes, so that nobody can prepare a form that passes for
//! another. A frame that is refused says why in a stable word and is never fatal.

use super::cid::{Cid, CidError, DEPTH_MAX};
use super::did::Did;
use super::op::{Kind, Op, OpKey};
use hashbrown::HashMap;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::hash::BuildHasher;

/// Largest `seq`: 2⁵³ − 1, what every JSON reader can hold.
pub const SEQ_MAX: u64 = (1 << 53) - 1;
/// Forms in one generation of the cache.
pub const FORMS_MAX: usize = 65_536;

/// Why a frame was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject {
    /// A binary message.
    NotText,
    /// Longer than a frame may be: its bytes and the limit.
    TooLarge(usize, usize),
    /// Broken JSON, at this byte.
    BadJson(usize),
    /// Nested too deeply.
    Depth,
    /// A key stands twice.
    DuplicateKey(String),
    /// Not a JSON object.
    NotObject,
    /// Another type of message; skipped.
    UnknownType(String),
    /// A field is not there.
    Missing(&'static str),
    /// Not a did:plc.
    BadDid,
    /// Not the CID of an operation.
    BadCid,
    /// Not a whole number from 1 to 2⁵³ − 1.
    BadSeq,
    /// Not an RFC 3339 instant.
    BadTime,
    /// The operation's content has another CID.
    CidMismatch,
    /// A genesis of another DID.
    GenesisMismatch,
    /// Larger than an operation may be, in bytes of DAG-CBOR.
    OpTooLarge(usize),
    /// The operation is none of the known kinds.
    BadOperation,
}

impl Reject {
    /// The stable word under which it is counted.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Reject::NotText => "not_text",
            Reject::TooLarge(..) => "too_large",
            Reject::BadJson(_) => "bad_json",
            Reject::Depth => "depth",
            Reject::DuplicateKey(_) => "duplicate_key",
            Reject::NotObject => "not_object",
            Reject::UnknownType(_) => "unknown_type",
            Reject::Missing(_) => "missing",
            Reject::BadDid => "bad_did",
            Reject::BadCid => "bad_cid",
            Reject::BadSeq => "bad_seq",
            Reject::BadTime => "bad_time",
            Reject::CidMismatch => "cid_mismatch",
            Reject::GenesisMismatch => "genesis_mismatch",
            Reject::OpTooLarge(_) => "op_too_large",
            Reject::BadOperation => "bad_operation",
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reject::TooLarge(bytes, limit) => write!(f, "too_large ({bytes} > {limit} bytes)"),
            Reject::BadJson(at) => write!(f, "bad_json at byte {at}"),
            Reject::Depth => write!(f, "depth > {DEPTH_MAX}"),
            Reject::DuplicateKey(key) => write!(f, "duplicate_key {:?}", cut(key)),
            Reject::UnknownType(word) => write!(f, "unknown_type {:?}", cut(word)),
            Reject::Missing(field) => write!(f, "missing {field}"),
            Reject::BadSeq => f.write_str("bad_seq (not 1…2^53−1)"),
            Reject::OpTooLarge(bytes) => write!(f, "op_too_large ({bytes} bytes of DAG-CBOR)"),
            other => f.write_str(other.name()),
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Whether a frame must name its type and number.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Form {
    /// A message of `/export/stream`: `type` and `seq` are there.
    Stream,
    /// A line of `/export`: `type` may be missing, and `seq` in the legacy form.
    Line,
}

#[derive(Clone, Copy)]
struct Proved {
    cid: Cid,
    kind: Kind,
    is_first: bool,
}

/// The forms whose CID is known, in two generations of which the older is forgotten when the newer is full.
#[derive(Debug)]
pub struct FormCache {
    max: usize,
    keys: [foldhash::quality::FixedState; 2],
    young: HashMap<u128, Proved>,
    old: HashMap<u128, Proved>,
}

impl fmt::Debug for Proved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cid)
    }
}

impl FormCache {
    /// A cache of twice `max` forms; `seeds` must be random and secret.
    #[must_use]
    pub fn new(max: usize, seeds: [u64; 2]) -> FormCache {
        let keys = seeds.map(foldhash::quality::FixedState::with_seed);
        FormCache { max: max.max(1), keys, young: HashMap::new(), old: HashMap::new() }
    }

    fn prove(&mut self, raw: &str) -> Result<Proved, Reject> {
        let [a, b] = &self.keys;
        let key = u128::from(a.hash_one(raw.as_bytes())) << 64 | u128::from(b.hash_one(raw.as_bytes()));
        if let Some(proved) = self.young.get(&key) {
            return Ok(*proved);
        }
        let proved = match self.old.get(&key) {
            Some(proved) => *proved,
            None => prove(raw)?,
        };
        if self.young.len() >= self.max {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, proved);
        Ok(proved)
    }
}

/// What of an operation says its kind.
#[derive(serde::Deserialize)]
struct Operation<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    prev: Option<Cow<'a, str>>,
}

fn prove(raw: &str) -> Result<Proved, Reject> {
    let cid = Cid::of_operation(raw).map_err(|e| match e {
        CidError::Depth => Reject::Depth,
        CidError::TooLarge(bytes) => Reject::OpTooLarge(bytes),
        CidError::Content(text) if text.starts_with("duplicate_key") => {
            Reject::DuplicateKey(text.split('"').nth(1).unwrap_or_default().to_owned())
        }
        CidError::Content(_) => Reject::BadOperation,
    })?;
    let operation: Operation = serde_json::from_str(raw).map_err(|_| Reject::BadOperation)?;
    let is_first = operation.prev.is_none();
    let kind = match operation.kind.as_deref() {
        Some("plc_operation") if is_first => Kind::Genesis,
        Some("plc_operation") => Kind::Update,
        Some("plc_tombstone") => Kind::Tombstone,
        Some("create") => Kind::LegacyCreate,
        _ => return Err(Reject::BadOperation),
    };
    Ok(Proved { cid, kind, is_first })
}

/// The fields of a frame, borrowed from it.
#[derive(Default)]
struct Fields<'a> {
    seq: Option<&'a RawValue>,
    kind: Option<Cow<'a, str>>,
    did: Option<Cow<'a, str>>,
    cid: Option<Cow<'a, str>>,
    created_at: Option<Cow<'a, str>>,
    operation: Option<&'a RawValue>,
}

/// A string that is borrowed when it has no escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

const DUPLICATE: &str = "duplicate_key ";

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        fn once<T, E: serde::de::Error>(slot: &mut Option<T>, value: T, key: &str) -> Result<(), E> {
            if slot.replace(value).is_some() { Err(E::custom(format!("{DUPLICATE}{key}\n"))) } else { Ok(()) }
        }
        let mut f = Fields::default();
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "seq" => once(&mut f.seq, map.next_value()?, "seq")?,
                "type" => once(&mut f.kind, map.next_value::<Text>()?.0, "type")?,
                "did" => once(&mut f.did, map.next_value::<Text>()?.0, "did")?,
                "cid" => once(&mut f.cid, map.next_value::<Text>()?.0, "cid")?,
                "createdAt" => once(&mut f.created_at, map.next_value::<Text>()?.0, "createdAt")?,
                "operation" => once(&mut f.operation, map.next_value()?, "operation")?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(f)
    }
}

fn fields(text: &str) -> Result<Fields<'_>, Reject> {
    if !text.trim_start().starts_with('{') {
        return Err(if serde_json::from_str::<IgnoredAny>(text).is_ok() {
            Reject::NotObject
        } else {
            Reject::BadJson(0)
        });
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let result = deserializer.deserialize_map(FieldsVisitor).and_then(|f| deserializer.end().map(|()| f));
    result.map_err(|e| {
        let told = e.to_string();
        if let Some(key) = told.strip_prefix(DUPLICATE).and_then(|t| t.split('\n').next()) {
            return Reject::DuplicateKey(key.to_owned());
        }
        if told.starts_with("recursion limit") {
            return Reject::Depth;
        }
        let before: usize = text.split('\n').take(e.line().saturating_sub(1)).map(|l| l.len() + 1).sum();
        Reject::BadJson(before + e.column().saturating_sub(1))
    })
}

/// Parses and checks one frame.
pub fn parse(text: &str, form: Form, forms: &mut FormCache) -> Result<Op, Reject> {
    let f = fields(text)?;
    match (&f.kind, form) {
        (Some(kind), _) if kind != "sequenced_op" => return Err(Reject::UnknownType(kind.to_string())),
        (None, Form::Stream) => return Err(Reject::Missing("type")),
        _ => {}
    }
    let seq = match (f.seq, form) {
        (Some(raw), _) => Some(parse_seq(raw.get()).ok_or(Reject::BadSeq)?),
        (None, Form::Line) => None,
        (None, Form::Stream) => return Err(Reject::Missing("seq")),
    };
    let did = Did::parse(&f.did.ok_or(Reject::Missing("did"))?).ok_or(Reject::BadDid)?;
    let claimed = Cid::parse(&f.cid.ok_or(Reject::Missing("cid"))?).ok_or(Reject::BadCid)?;
    let created_ms = parse_time(&f.created_at.ok_or(Reject::Missing("createdAt"))?).ok_or(Reject::BadTime)?;
    let raw = f.operation.ok_or(Reject::Missing("operation"))?;
    let proved = forms.prove(raw.get())?;
    if proved.cid != claimed {
        return Err(Reject::CidMismatch);
    }
    if proved.is_first && proved.cid.did_of_genesis() != did {
        return Err(Reject::GenesisMismatch);
    }
    Ok(Op { key: OpKey { did, cid: claimed }, kind: proved.kind, created_ms, seq })
}

fn parse_seq(raw: &str) -> Option<u64> {
    raw.parse().ok().filter(|&n| (1..=SEQ_MAX).contains(&n))
}

/// Milliseconds since 1970 of an RFC 3339 instant. The one layout that servers use, `YYYY-MM-DDTHH:mm:ss.sssZ`, is read
/// digit by digit; any other goes to the library.
fn parse_time(text: &str) -> Option<i64> {
    fixed_time(text.as_bytes()).or_else(|| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond))
}

fn fixed_time(b: &[u8]) -> Option<i64> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2, b'.', f1, f2, f3, b'Z'] =
        b
    else {
        return None;
    };
    let number =
        |digits: &[u8]| digits.iter().try_fold(0_i64, |n, c| c.is_ascii_digit().then(|| n * 10 + i64::from(c - b'0')));
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?);
    let (hour, minute, second, ms) =
        (number(&[h1, h2])?, number(&[i1, i2])?, number(&[s1, s2])?, number(&[f1, f2, f3])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let date = jiff::civil::Date::new(year as i16, month as i8, day as i8).ok()?;
    let days = date.duration_since(jiff::civil::Date::constant(1970, 1, 1)).as_secs() / 86_400;
    Some(((days * 24 + hour) * 60 + minute) * 60_000 + second * 1_000 + ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cache() -> FormCache {
        FormCache::new(4, [1, 2])
    }

    const OPERATION: &str = r#"{"type":"plc_operation","prev":null,"sig":"x","rotationKeys":[]}"#;

    fn frame(edit: impl Fn(&mut serde_json::Value)) -> String {
        let cid = Cid::of_operation(OPERATION).unwrap();
        let mut v = serde_json::json!({
            "seq": 5, "type": "sequenced_op", "did": cid.did_of_genesis().to_string(), "cid": cid.to_string(),
            "createdAt": "2026-11-21T04:05:06.789Z",
            "operation": serde_json::from_str::<serde_json::Value>(OPERATION).unwrap(),
        });
        edit(&mut v);
        v.to_string()
    }

    #[test]
    fn a_good_frame_in_any_order_of_keys_and_with_more_fields() {
        let op = parse(&frame(|_| {}), Form::Stream, &mut cache()).unwrap();
        assert_eq!((op.kind, op.seq, op.created_ms), (Kind::Genesis, Some(5), 1_795_233_906_789));
        let more = frame(|v| v["nullified"] = false.into());
        assert_eq!(parse(&more, Form::Stream, &mut cache()), Ok(op));
        let legacy = frame(|v| {
            v.as_object_mut().unwrap().retain(|k, _| k != "seq" && k != "type");
        });
        assert_eq!(parse(&legacy, Form::Line, &mut cache()).unwrap().seq, None);
        assert_eq!(parse(&legacy, Form::Stream, &mut cache()), Err(Reject::Missing("type")));
    }

    #[test]
    fn every_reason_has_a_frame_that_gives_it() {
        let set = |key: &'static str, value: serde_json::Value| frame(move |v| v[key] = value.clone());
        let without = |key: &'static str| frame(move |v| drop(v.as_object_mut().unwrap().remove(key)));
        let doubled = frame(|_| {}).replacen('{', r#"{"cid":"x","#, 1);
        let deep = frame(|v| {
            let mut nested = serde_json::json!(1);
            (0..20).for_each(|_| nested = serde_json::json!([nested]));
            v["operation"]["x"] = nested;
        });
        let cases = [
            ("[1]".to_owned(), "not_object"),
            ("{\"a\":".to_owned(), "bad_json"),
            ("nonsense".to_owned(), "bad_json"),
            (doubled, "duplicate_key"),
            (deep, "depth"),
            (set("type", "identity".into()), "unknown_type"),
            (without("did"), "missing"),
            (without("operation"), "missing"),
            (without("createdAt"), "missing"),
            (set("did", "did:plc:short".into()), "bad_did"),
            (set("did", "__proto__".into()), "bad_did"),
            (set("cid", "bafyx".into()), "bad_cid"),
            (set("seq", 0.into()), "bad_seq"),
            (set("seq", (1_u64 << 60).into()), "bad_seq"),
            (frame(|_| {}).replace("\"seq\":5", "\"seq\":1e999"), "bad_seq"),
            (set("createdAt", "yesterday".into()), "bad_time"),
            (set("createdAt", "2026-13-40T00:00:00.000Z".into()), "bad_time"),
            (set("operation", serde_json::json!({"type":"plc_operation","prev":null,"sig":"y"})), "cid_mismatch"),
            (set("did", "did:plc:ewvi7nxzyoun6zhxrhs64oiz".into()), "genesis_mismatch"),
            (set("operation", serde_json::json!({"type":"other"})), "bad_operation"),
            (set("operation", serde_json::json!({"type":"plc_operation","x":"y".repeat(8_000)})), "op_too_large"),
        ];
        for (text, name) in cases {
            let result = parse(&text, Form::Stream, &mut cache());
            assert_eq!(result.as_ref().map_err(Reject::name), Err(name), "{}", cut(&text));
        }
    }

    #[test]
    fn the_cache_forgets_but_never_lies() {
        let mut forms = cache();
        for round in 0..3 {
            for i in 0..20 {
                let operation = format!(r#"{{"type":"plc_operation","prev":"p{i}","sig":"{i}"}}"#);
                let proved = forms.prove(&operation).unwrap();
                assert_eq!(proved.cid, Cid::of_operation(&operation).unwrap(), "round {round}");
                assert_eq!(proved.kind, Kind::Update);
                assert!(forms.young.len() <= 4 && forms.old.len() <= 4);
            }
        }
    }

    proptest! {
        #[test]
        fn the_fixed_layout_agrees_with_the_library(ms in -60_000_000_000_000_i64..250_000_000_000_000) {
            let text = super::super::time::rfc3339_ms(ms);
            prop_assert_eq!(fixed_time(text.as_bytes()), Some(ms));
            prop_assert_eq!(parse_time(&text.replace('Z', "+00:00")), Some(ms));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            let _ = parse(&text, Form::Stream, &mut cache());
            let _ = parse(&text, Form::Line, &mut cache());
        }
    }
}
