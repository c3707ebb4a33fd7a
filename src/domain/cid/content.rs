//! The content of an operation: JSON read into the part of the data model that operations use, and written as DAG-CBOR.
//!
//! Reading is strict where two readers could disagree about what was said: duplicate keys, numbers that are not safe
//! integers and deep nesting are refused, never repaired.

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

/// Deepest nesting of objects and arrays that is read.
pub const MAX_DEPTH: usize = 16;
/// Largest operation that the directory accepts, in bytes of DAG-CBOR.
pub const MAX_OPERATION_BYTES: usize = 7_500;
/// Largest integer that every reader of JSON keeps exactly: 2^53 − 1.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Why a JSON text is no content of an operation.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ContentError {
    /// Not JSON; the offset in bytes at which reading stopped.
    #[error("bad_json at byte {0}")]
    Json(usize),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("depth > {MAX_DEPTH}")]
    TooDeep,
    /// An object names this key twice.
    #[error("duplicate_key {0:?}")]
    DuplicateKey(String),
    /// A fraction, or an integer beyond 2^53 − 1.
    #[error("a number that is not a safe integer")]
    Number,
    /// Longer than [`MAX_OPERATION_BYTES`]; its size in bytes.
    #[error("op_too_large ({0} > {MAX_OPERATION_BYTES} B CBOR)")]
    TooLarge(usize),
}

/// One value of an operation, its strings borrowed from the text where they hold no escapes.
#[derive(Clone, PartialEq, Debug)]
pub enum Content<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer of at most 53 bits and a sign.
    Integer(i64),
    /// A string.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Content<'a>>),
    /// An object, in the order of its text.
    Map(Vec<(Cow<'a, str>, Content<'a>)>),
}

impl<'a> Content<'a> {
    /// Reads one JSON value and nothing after it.
    ///
    /// # Errors
    /// [`ContentError`] as each variant says, [`ContentError::TooLarge`] excepted.
    pub fn read(json: &'a str) -> Result<Content<'a>, ContentError> {
        let fault = Cell::new(None);
        let mut reader = serde_json::Deserializer::from_str(json);
        let read = Seed { depth: 0, fault: &fault }.deserialize(&mut reader);
        read.and_then(|content| reader.end().map(|()| content))
            .map_err(|error| fault.take().unwrap_or_else(|| ContentError::Json(byte_of(json, &error))))
    }

    /// The value under `key`, when this is an object that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Content<'a>> {
        match self {
            Content::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Canonical DAG-CBOR: keys ordered by length, then bytewise.
    ///
    /// # Errors
    /// [`ContentError::TooLarge`].
    pub fn to_cbor(&self) -> Result<Vec<u8>, ContentError> {
        // Writing into memory can fail only where memory ends.
        let cbor = serde_ipld_dagcbor::to_vec(self).map_err(|_| ContentError::TooLarge(usize::MAX))?;
        if cbor.len() > MAX_OPERATION_BYTES { Err(ContentError::TooLarge(cbor.len())) } else { Ok(cbor) }
    }
}

/// Offset in bytes of a parse error in `text`.
pub(crate) fn byte_of(text: &str, error: &serde_json::Error) -> usize {
    let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    (line_start + error.column().saturating_sub(1)).min(text.len())
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Content::Null => serializer.serialize_unit(),
            Content::Bool(value) => serializer.serialize_bool(*value),
            Content::Integer(value) => serializer.serialize_i64(*value),
            Content::Text(text) => serializer.serialize_str(text),
            Content::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Content::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                entries.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
        }
    }
}

/// Reads a value that lies `depth` levels deep and leaves the reason of a refusal in `fault`.
#[derive(Copy, Clone)]
struct Seed<'f> {
    depth: usize,
    fault: &'f Cell<Option<ContentError>>,
}

impl Seed<'_> {
    fn refuse<E: serde::de::Error>(self, why: ContentError) -> E {
        self.fault.set(Some(why));
        E::custom("refused")
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(self.refuse(ContentError::TooDeep));
        }
        Ok(Seed { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Content<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Content<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Content<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Content<'de>, E> {
        Ok(Content::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content<'de>, E> {
        Ok(Content::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Content<'de>, E> {
        if value > MAX_SAFE_INTEGER {
            return Err(self.refuse(ContentError::Number));
        }
        Ok(Content::Integer(value as i64))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Content<'de>, E> {
        if value.unsigned_abs() > MAX_SAFE_INTEGER {
            return Err(self.refuse(ContentError::Number));
        }
        Ok(Content::Integer(value))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Content<'de>, E> {
        Err(self.refuse(ContentError::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Content<'de>, E> {
        Ok(Content::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Content<'de>, E> {
        Ok(Content::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content<'de>, A::Error> {
        let deeper = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(deeper)? {
            list.push(item);
        }
        Ok(Content::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Content<'de>, A::Error> {
        let deeper = self.deeper()?;
        let mut map: Vec<(Cow<'de, str>, Content<'de>)> = Vec::new();
        while let Some(key) = entries.next_key_seed(deeper)? {
            let Content::Text(key) = key else { return Err(A::Error::custom("a key is a string")) };
            map.push((key, entries.next_value_seed(deeper)?));
        }
        if let Some(twice) = duplicate(&map) {
            return Err(self.refuse(ContentError::DuplicateKey(twice)));
        }
        Ok(Content::Map(map))
    }
}

/// A key that occurs twice; sorts names only, so that a hostile object of many keys stays cheap.
fn duplicate(map: &[(Cow<'_, str>, Content<'_>)]) -> Option<String> {
    let mut names: Vec<&str> = map.iter().map(|(key, _)| key.as_ref()).collect();
    names.sort_unstable();
    names.windows(2).find_map(|pair| match pair {
        [a, b] if a == b => Some((*a).to_owned()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dag_cbor_is_canonical() {
        let content = Content::read(r#"{"bb":[1,-1,true,null],"a":"\u00e9","c":{}}"#).unwrap();
        // Shorter keys first, whatever the order of the text.
        assert_eq!(
            content.to_cbor().unwrap(),
            [0xa3, 0x61, b'a', 0x62, 0xc3, 0xa9, 0x61, b'c', 0xa0, 0x62, b'b', b'b', 0x84, 0x01, 0x20, 0xf5, 0xf6]
        );
    }

    #[test]
    fn what_readers_could_disagree_about_is_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Content::read(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(Content::read(&nested(MAX_DEPTH + 1)), Err(ContentError::TooDeep));
        assert_eq!(Content::read(&nested(100_000)), Err(ContentError::TooDeep));
        assert_eq!(Content::read(r#"{"a":1,"b":2,"\u0061":3}"#), Err(ContentError::DuplicateKey("a".to_owned())));
        for number in ["1.5", "1e3", "-0", "9007199254740992", "-9007199254740992", "99999999999999999999"] {
            assert_eq!(Content::read(number), Err(ContentError::Number), "{number}");
        }
        assert_eq!(Content::read("9007199254740991"), Ok(Content::Integer(9_007_199_254_740_991)));
        assert_eq!(Content::read("{\n\"a\":x}"), Err(ContentError::Json(6)));
        assert!(matches!(Content::read("{} {}"), Err(ContentError::Json(_))));
        assert!(matches!(Content::read(r#""\ud800""#), Err(ContentError::Json(_))));
    }

    #[test]
    fn the_size_limit_is_exact() {
        let of = |len: usize| Content::Text("x".repeat(len).into());
        assert!(of(MAX_OPERATION_BYTES - 3).to_cbor().is_ok());
        assert_eq!(of(MAX_OPERATION_BYTES - 2).to_cbor(), Err(ContentError::TooLarge(MAX_OPERATION_BYTES + 1)));
    }
}
