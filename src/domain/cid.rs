//! Content identifiers of operations: CIDv1, dag-cbor, SHA-256, base32 in lower case.
//!
//! The CID of an operation is that of its signed form as DAG-CBOR, `prev: null` of a genesis included (did:plc
//! specification v0.3.0, checked against the public vectors).

use super::did::{BASE32_LOWER, Did, decode_exact};
use ipld_core::ipld::Ipld;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;

/// Version 1, dag-cbor, sha2-256, 32 bytes.
const PREFIX: [u8; 4] = [0x01, 0x71, 0x12, 0x20];
/// Characters of a CID in text.
const TEXT_LEN: usize = 59;
/// Levels of nesting that an operation may have.
pub const DEPTH_MAX: usize = 16;
/// Bytes of DAG-CBOR that an operation may take (did:plc specification).
pub const OP_BYTES_MAX: usize = 7_500;

/// SHA-256 digest of an operation's DAG-CBOR.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Cid(pub [u8; 32]);

/// Why an operation has no CID.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidError {
    /// The JSON is broken, or holds what DAG-CBOR of an operation cannot: a fraction, a repeated key.
    #[error("{0}")]
    Content(String),
    /// Nested too deeply.
    #[error("depth > {DEPTH_MAX}")]
    Depth,
    /// Larger than an operation may be.
    #[error("op_too_large ({0} > {OP_BYTES_MAX} bytes of DAG-CBOR)")]
    TooLarge(usize),
}

impl Cid {
    /// Reads the one textual form that operations have.
    #[must_use]
    pub fn parse(text: &str) -> Option<Cid> {
        let body = text.strip_prefix('b')?;
        let mut bytes = [0; 36];
        if text.len() != TEXT_LEN {
            return None;
        }
        decode_exact(body, &mut bytes)?;
        let (head, digest) = bytes.split_at(4);
        (head == PREFIX).then(|| digest.try_into().ok().map(Cid)).flatten()
    }

    /// The CID of an operation from its JSON.
    pub fn of_operation(json: &str) -> Result<Cid, CidError> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let value = Node { depth: 0 }.deserialize(&mut deserializer).map_err(|e| told(&e))?;
        deserializer.end().map_err(|e| told(&e))?;
        Self::of_ipld(&value)
    }

    fn of_ipld(value: &Ipld) -> Result<Cid, CidError> {
        let bytes = serde_ipld_dagcbor::to_vec(value).map_err(|e| CidError::Content(e.to_string()))?;
        if bytes.len() > OP_BYTES_MAX {
            return Err(CidError::TooLarge(bytes.len()));
        }
        Ok(Cid(Sha256::digest(&bytes).into()))
    }

    /// The DID whose genesis has this CID: the first 24 characters of base32 of the digest.
    #[must_use]
    pub fn did_of_genesis(&self) -> Did {
        let mut bytes = [0; 15];
        bytes.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        Did(bytes)
    }
}

const DEPTH_MARK: &str = "nested too deeply";

fn told(e: &serde_json::Error) -> CidError {
    let text = e.to_string();
    if text.starts_with(DEPTH_MARK) { CidError::Depth } else { CidError::Content(text) }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 36];
        let (head, digest) = bytes.split_at_mut(4);
        head.copy_from_slice(&PREFIX);
        digest.copy_from_slice(&self.0);
        write!(f, "b{}", BASE32_LOWER.encode_display(&bytes))
    }
}

impl Serialize for Cid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads JSON into IPLD, refusing fractions, repeated keys and deep nesting on the way.
struct Node {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Ipld;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Ipld, D::Error> {
        if self.depth > DEPTH_MAX {
            return Err(D::Error::custom(DEPTH_MARK));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Ipld;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a boolean, a whole number, a string, a list or an object")
    }

    fn visit_unit<E>(self) -> Result<Ipld, E> {
        Ok(Ipld::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Ipld, E> {
        Ok(Ipld::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Ipld, E> {
        Ok(Ipld::Integer(v.into()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Ipld, E> {
        Ok(Ipld::Integer(v.into()))
    }

    fn visit_str<E>(self, v: &str) -> Result<Ipld, E> {
        Ok(Ipld::String(v.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Ipld, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element_seed(Node { depth: self.depth + 1 })? {
            list.push(item);
        }
        Ok(Ipld::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ipld, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(Node { depth: self.depth + 1 })?;
            if let Some(_old) = entries.insert(key.clone(), value) {
                return Err(A::Error::custom(format!("duplicate_key {key:?}")));
            }
        }
        Ok(Ipld::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_form_is_read_and_it_prints_as_it_was() {
        let text = "bafyreibjo4xmgaevkgud7mbifn3dzp4v4lyyclq6mo7b6xqsyvqbo4bo3u";
        if let Some(cid) = Cid::parse(text) {
            assert_eq!(cid.to_string(), text);
        }
        let cid = Cid([7; 32]);
        assert_eq!(cid.to_string().len(), TEXT_LEN);
        assert!(cid.to_string().starts_with("bafyrei"));
        assert_eq!(Cid::parse(&cid.to_string()), Some(cid));
        for bad in ["", "bafyrei", &cid.to_string().to_uppercase(), &cid.to_string()[..58]] {
            assert_eq!(Cid::parse(bad), None, "{bad}");
        }
        let other_codec = cid.to_string().replacen("bafyrei", "bafkrei", 1);
        assert_eq!(Cid::parse(&other_codec), None, "raw is no operation");
    }

    #[test]
    fn what_dag_cbor_cannot_hold_is_refused() {
        assert!(matches!(Cid::of_operation(r#"{"a":1.5}"#), Err(CidError::Content(_))));
        assert!(matches!(Cid::of_operation(r#"{"a":1,"a":2}"#), Err(CidError::Content(_))));
        assert!(matches!(Cid::of_operation(r#"{"a":1} x"#), Err(CidError::Content(_))));
        let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
        assert_eq!(Cid::of_operation(&deep), Err(CidError::Depth));
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(8_000));
        assert!(matches!(Cid::of_operation(&large), Err(CidError::TooLarge(n)) if n > 8_000));
    }

    #[test]
    fn key_order_does_not_matter() {
        let a = Cid::of_operation(r#"{"type":"plc_tombstone","prev":null,"sig":"x"}"#).unwrap();
        assert_eq!(Cid::of_operation(r#"{"sig":"x","type":"plc_tombstone","prev":null}"#), Ok(a));
        assert_ne!(Cid::of_operation(r#"{"sig":"x","type":"plc_tombstone"}"#), Ok(a), "prev: null counts");
    }

    /// Every entry of the public vectors, where they are beside the checkout.
    #[test]
    fn the_public_vectors_have_the_cids_that_they_claim() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/interop/valid");
        let Ok(files) = std::fs::read_dir(&dir) else {
            println!("skipped: the public interop vectors are not here");
            return;
        };
        let mut checked = 0;
        for file in files {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let log: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
            for entry in log {
                let operation = entry["operation"].to_string();
                let cid = Cid::of_operation(&operation).unwrap();
                assert_eq!(Some(cid.to_string().as_str()), entry["cid"].as_str());
                if entry["operation"]["prev"].is_null() {
                    assert_eq!(Some(cid.did_of_genesis().to_string().as_str()), entry["did"].as_str());
                }
                checked += 1;
            }
        }
        assert!(checked > 20, "{checked} operations checked");
    }
}
