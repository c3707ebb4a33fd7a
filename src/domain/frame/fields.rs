//! The top level of a frame: the fields that matter, each as the raw text of its value.
//!
//! Values stay unread here, so that a wrong value is reported under its own name and not as bad JSON.

use super::reject::Reject;
use crate::domain::cid::content_byte_of;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

/// The raw values of a frame.
#[derive(Copy, Clone, Default)]
pub(super) struct Fields<'a> {
    pub(super) kind: Option<&'a RawValue>,
    pub(super) did: Option<&'a RawValue>,
    pub(super) cid: Option<&'a RawValue>,
    pub(super) seq: Option<&'a RawValue>,
    pub(super) operation: Option<&'a RawValue>,
    pub(super) created_at: Option<&'a RawValue>,
    /// `created_at`, which some servers write in place of `createdAt`.
    pub(super) created_at_alias: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    pub(super) fn read(text: &'a str) -> Result<Fields<'a>, Reject> {
        let twice = Cell::new(None);
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = reader.deserialize_map(FieldsVisitor { twice: &twice }).and_then(|fields| {
            reader.end()?;
            Ok(fields)
        });
        read.map_err(|error| match twice.take() {
            Some(key) => key,
            None if is_other_json(text) => Reject::NotObject,
            None => Reject::BadJson(content_byte_of(text, &error)),
        })
    }
}

/// Whether `text` is JSON and no object.
fn is_other_json(text: &str) -> bool {
    !text.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

struct FieldsVisitor<'f> {
    twice: &'f Cell<Option<Reject>>,
}

impl<'de> Visitor<'de> for FieldsVisitor<'_> {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        let mut nullified = None;
        // Empty, and therefore no allocation, unless a frame has keys that no known server sends.
        let mut others = HashSet::new();
        while let Some(key) = entries.next_key::<Key>()? {
            let (slot, name) = match key {
                Key::Type => (&mut fields.kind, "type"),
                Key::Did => (&mut fields.did, "did"),
                Key::Cid => (&mut fields.cid, "cid"),
                Key::Seq => (&mut fields.seq, "seq"),
                Key::Operation => (&mut fields.operation, "operation"),
                Key::CreatedAt => (&mut fields.created_at, "createdAt"),
                Key::CreatedAtAlias => (&mut fields.created_at_alias, "created_at"),
                Key::Nullified => (&mut nullified, "nullified"),
                Key::Other(name) => {
                    entries.next_value::<IgnoredAny>()?;
                    if let Some(name) = others.replace(name) {
                        self.twice.set(Some(Reject::duplicate_key(&name)));
                        return Err(A::Error::custom("refused"));
                    }
                    continue;
                }
            };
            if slot.replace(entries.next_value::<&'de RawValue>()?).is_some() {
                self.twice.set(Some(Reject::duplicate_key(name)));
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(fields)
    }
}

/// A key of the top level.
enum Key {
    Type,
    Did,
    Cid,
    Seq,
    Operation,
    CreatedAt,
    CreatedAtAlias,
    Nullified,
    Other(Box<str>),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                Ok(match key {
                    "type" => Key::Type,
                    "did" => Key::Did,
                    "cid" => Key::Cid,
                    "seq" => Key::Seq,
                    "operation" => Key::Operation,
                    "createdAt" => Key::CreatedAt,
                    "created_at" => Key::CreatedAtAlias,
                    "nullified" => Key::Nullified,
                    other => Key::Other(other.into()),
                })
            }
        }
        deserializer.deserialize_identifier(KeyVisitor)
    }
}
