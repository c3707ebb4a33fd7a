//! `did:plc` identifiers, kept in 15 bytes.
//!
//! A DID has one spelling only; every other one is refused, so that equal bytes mean equal identities.

pub(super) mod base32;

use super::cid::Cid;
use serde::{Serialize, Serializer};
use std::fmt;

const PREFIX: &str = "did:plc:";
/// Length of every `did:plc` in characters.
const CHARACTERS: usize = PREFIX.len() + base32::encoded_len(15);

/// The 24 base32 characters after `did:plc:`, decoded.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Did(pub [u8; 15]);

impl Did {
    /// Reads `did:plc:` and 24 characters of `a–z 2–7`; `None` for everything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Did> {
        let mut bytes = [0; 15];
        base32::decode(text.strip_prefix(PREFIX)?.as_bytes(), &mut bytes).then_some(Did(bytes))
    }

    /// The DID that a signed genesis operation makes: the first 15 bytes of its digest.
    #[must_use]
    pub fn of_genesis(genesis: Cid) -> Did {
        let mut bytes = [0; 15];
        bytes.iter_mut().zip(genesis.0).for_each(|(to, from)| *to = from);
        Did(bytes)
    }
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; CHARACTERS - PREFIX.len()];
        f.write_str(PREFIX)?;
        f.write_str(base32::encode(&self.0, &mut text))
    }
}

impl Serialize for Did {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_form_is_a_did() {
        let text = "did:plc:6adr3q2labdllanslzhqkqd3";
        let did = Did::parse(text).unwrap();
        assert_eq!(did.to_string(), text);
        assert_eq!(serde_json::to_string(&did).unwrap(), format!("\"{text}\""));
        for bad in [
            "",
            "did:plc:",
            "did:web:6adr3q2labdllanslzhqkqd3",
            "did:plc:6adr3q2labdllanslzhqkqd",
            "did:plc:6adr3q2labdllanslzhqkqd33",
            "did:plc:6ADR3q2labdllanslzhqkqd3",
            "did:plc:6adr3q2labdllanslzhqkqd1",
            " did:plc:6adr3q2labdllanslzhqkqd3",
        ] {
            assert_eq!(Did::parse(bad), None, "{bad:?}");
        }
    }
}
