//! did:plc identifiers in 15 bytes.

use data_encoding::{BASE32_NOPAD, Encoding, Specification};
use serde::{Serialize, Serializer};
use std::fmt;
use std::sync::LazyLock;

const PREFIX: &str = "did:plc:";

/// RFC 4648 base32 in lower case without padding; trailing bits must be zero.
pub(super) static BASE32_LOWER: LazyLock<Encoding> = LazyLock::new(|| {
    let mut spec = Specification::new();
    spec.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    // The alphabet is a constant of the right length, so that this cannot fail; the upper-case one stands in all the same.
    spec.encoding().unwrap_or(BASE32_NOPAD)
});

/// The 24 base32 characters after `did:plc:`, decoded.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Did(pub [u8; 15]);

impl Did {
    /// Reads `did:plc:` and exactly 24 characters a–z 2–7.
    #[must_use]
    pub fn parse(text: &str) -> Option<Did> {
        let body = text.strip_prefix(PREFIX)?;
        let mut bytes = [0; 15];
        decode_exact(body, &mut bytes)?;
        Some(Did(bytes))
    }
}

/// Decodes base32 of exactly the length that fills `out`.
pub(super) fn decode_exact(text: &str, out: &mut [u8]) -> Option<()> {
    if BASE32_LOWER.decode_len(text.len()).ok()? != out.len() {
        return None;
    }
    BASE32_LOWER.decode_mut(text.as_bytes(), out).ok().map(|_| ())
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", BASE32_LOWER.encode_display(&self.0))
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
    fn only_the_exact_form_is_read_and_it_prints_as_it_was() {
        let text = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
        assert_eq!(Did::parse(text).unwrap().to_string(), text);
        let bad = [
            "did:plc:ewvi7nxzyoun6zhxrhs64oi",
            "did:plc:ewvi7nxzyoun6zhxrhs64oizz",
            "did:plc:EWVI7nxzyoun6zhxrhs64oiz",
            "did:plc:ewvi7nxzyoun6zhxrhs64oi1",
            "did:web:ewvi7nxzyoun6zhxrhs64oiz",
            "__proto__",
            "",
        ];
        for text in bad {
            assert_eq!(Did::parse(text), None, "{text}");
        }
    }
}
