//! The other reader: JSON kept raw, canonical DAG-CBOR written by hand, and what one line of text may hold.

use mirrorwatch::domain::cid::Cid;
use mirrorwatch::domain::text::is_hidden;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// Largest integer that every reader of JSON keeps exactly.
pub const SAFE_MAX: u64 = (1 << 53) - 1;

/// An object as it is written: every key in its order, twice where it stands twice, every value unread.
#[derive(Debug)]
pub struct Entries(pub Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entries, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Entries;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(Entries(all))
            }
        }
        deserializer.deserialize_map(All)
    }
}

impl Entries {
    /// The entries of an object; `None` for everything else.
    pub fn read(text: &str) -> Option<Entries> {
        serde_json::from_str(text).ok()
    }

    /// The raw value under `name`.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.get())
    }

    /// The string under `name`.
    pub fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.raw(name)?).ok()
    }

    /// Whether a key stands twice in this object itself.
    pub fn has_twins(&self) -> bool {
        let mut keys: Vec<&str> = self.0.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        keys.windows(2).any(|pair| pair[0] == pair[1])
    }
}

/// Whether an object in `text`, at any depth, has a key twice. The nesting must be known to be shallow.
pub fn has_twins(text: &str) -> bool {
    match Entries::read(text) {
        Some(entries) => entries.has_twins() || entries.0.iter().any(|(_, value)| has_twins(value.get())),
        None => serde_json::from_str::<Vec<Box<RawValue>>>(text)
            .is_ok_and(|items| items.iter().any(|item| has_twins(item.get()))),
    }
}

/// How deep objects and arrays nest; brackets in strings do not count.
pub fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut is_string, mut is_escaped) = (0_usize, 0, false, false);
    for c in text.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_string => is_escaped = true,
            '"' => is_string = !is_string,
            '[' | '{' if !is_string => depth += 1,
            ']' | '}' if !is_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Whether all of `text` is JSON by the full reader, which also refuses what is too large or no character.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok()
}

/// The CID and the size of a signed operation; `None` when it is no JSON or has a number that is no safe integer.
pub fn cid_of(operation: &str) -> Option<(Cid, usize)> {
    let value: Value = serde_json::from_str(operation).ok()?;
    let mut cbor = Vec::new();
    write_cbor(&value, &mut cbor)?;
    Some((Cid::of_cbor(&cbor), cbor.len()))
}

/// Canonical DAG-CBOR (RFC 8949, with map keys ordered by length first, as IPLD has it).
fn write_cbor(value: &Value, out: &mut Vec<u8>) -> Option<()> {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(is_true) => out.push(0xf4 + u8::from(*is_true)),
        Value::Number(number) => {
            if let Some(number) = number.as_u64().filter(|number| *number <= SAFE_MAX) {
                write_head(0, number, out);
            } else {
                let number = number.as_i64().filter(|n| *n < 0 && n.unsigned_abs() <= SAFE_MAX)?;
                write_head(1, number.unsigned_abs() - 1, out);
            }
        }
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            write_head(4, items.len() as u64, out);
            items.iter().try_for_each(|item| write_cbor(item, out))?;
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes())));
            write_head(5, entries.len() as u64, out);
            for (key, value) in entries {
                write_text(key, out);
                write_cbor(value, out)?;
            }
        }
    }
    Some(())
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_head(3, text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

/// A major type with its argument, in as few bytes as there can be.
fn write_head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    match argument {
        0..=23 => out.push(major + argument as u8),
        24..=0xff => out.extend_from_slice(&[major + 24, argument as u8]),
        0x100..=0xffff => {
            out.push(major + 25);
            out.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major + 26);
            out.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major + 27);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}

/// Whether `text` is `prefix` and `count` characters of base32.
pub fn is_base32(text: &str, prefix: &str, count: usize) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| rest.len() == count && rest.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')))
}

/// Whether `text` is a CID: the first character behind what all have in common carries three bits alone, as does the last.
pub fn is_cid(text: &str) -> bool {
    let first = text.as_bytes().get("bafyrei".len());
    is_base32(text, "bafyrei", 52)
        && first.is_some_and(|first| (b'a'..=b'h').contains(first))
        && text.ends_with(['a', 'e', 'i', 'm', 'q', 'u', 'y', '4'])
}

/// `text` is fit for one line of a terminal, a log or a page.
pub fn assert_line(text: &str, chars_max: usize) {
    assert!(!text.chars().any(is_hidden), "hidden characters: {text:?}");
    let chars = text.chars().count();
    assert!(chars <= chars_max, "{chars} characters, limit {chars_max}: {text:?}");
}
