//! Content identifiers: version 1, `dag-cbor`, `sha-256`, base32 in lower case; the digest alone is kept.
//!
//! The CID of an operation is recomputed from the content that a source sent: the JSON becomes canonical DAG-CBOR and
//! that is hashed. What the source claims is only ever compared with it.

mod content;

pub(crate) use content::byte_of as content_byte_of;
pub use content::{Content, ContentError, MAX_DEPTH, MAX_OPERATION_BYTES};

use super::did::base32;
use serde::{Serialize, Serializer};
use std::fmt;

/// Version 1, `dag-cbor`, `sha-256`, 32 bytes.
const HEADER: [u8; 4] = [0x01, 0x71, 0x12, 0x20];
const BYTES: usize = HEADER.len() + 32;

/// SHA-256 digest of a version 1 CID of `dag-cbor`.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Cid(pub [u8; 32]);

impl Cid {
    /// Reads the 59 characters `bafyrei…`; `None` for another kind of CID and for every other spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Cid> {
        let mut bytes = [0; BYTES];
        if !base32::decode(text.strip_prefix('b')?.as_bytes(), &mut bytes) {
            return None;
        }
        let (header, digest) = bytes.split_first_chunk()?;
        if *header != HEADER {
            return None;
        }
        digest.try_into().ok().map(Cid)
    }

    /// CID of a signed operation, from its JSON exactly as it was sent, and its size in bytes of DAG-CBOR.
    ///
    /// # Errors
    /// [`ContentError`] when the JSON is no operation that DAG-CBOR can hold, or passes a limit.
    pub fn of_operation(raw_json: &str) -> Result<(Cid, usize), ContentError> {
        let cbor = Content::read(raw_json)?.to_cbor()?;
        Ok((Cid::of_cbor(&cbor), cbor.len()))
    }

    /// CID of these bytes of DAG-CBOR.
    #[must_use]
    pub fn of_cbor(cbor: &[u8]) -> Cid {
        use sha2::Digest;
        Cid(sha2::Sha256::digest(cbor).into())
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; BYTES];
        bytes.iter_mut().zip(HEADER.iter().chain(&self.0)).for_each(|(to, from)| *to = *from);
        let mut text = [0; base32::encoded_len(BYTES)];
        f.write_str("b")?;
        f.write_str(base32::encode(&bytes, &mut text))
    }
}

impl Serialize for Cid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::did::Did;

    /// A signed genesis from the public test log of a tombstoned DID.
    const GENESIS: &str = r#"{"sig":"ZznbxHinpBI3NgEYWzXUXLA65s2U1ezJooreZlscHYQRfd4EMlijqhpikGMabs-81Tsy4Mt9Iscpmk7Uz13aAg","prev":null,"type":"plc_operation","services":{},"alsoKnownAs":["at://op0"],"rotationKeys":["did:key:zQ3shmWf4f6ZwzNyjUDYw4oFQjgHWZoYZDjJYtz75YfYYrphB","did:key:zQ3shr2PwdoF6kbuYYymyZq6YbGWShiTXAkdMioCPdSdPL9NV"],"verificationMethods":{}}"#;
    const GENESIS_CID: &str = "bafyreihqa4o4gsyai22ydms6j4cua6yr6tuc7trq2temvnycadk2daniru";

    #[test]
    fn only_the_exact_form_is_a_cid() {
        let cid = Cid::parse(GENESIS_CID).unwrap();
        assert_eq!(cid.to_string(), GENESIS_CID);
        assert_eq!(serde_json::to_string(&cid).unwrap(), format!("\"{GENESIS_CID}\""));
        let upper = GENESIS_CID.to_uppercase();
        for bad in [
            "",
            &GENESIS_CID[1..],
            &GENESIS_CID[..58],
            &upper,
            // dag-pb, raw and a version 0.
            "bafybeihqa4o4gsyai22ydms6j4cua6yr6tuc7trq2temvnycadk2daniru",
            "bafkreihqa4o4gsyai22ydms6j4cua6yr6tuc7trq2temvnycadk2daniru",
            "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
            // A trailing bit that is not zero.
            "bafyreihqa4o4gsyai22ydms6j4cua6yr6tuc7trq2temvnycadk2danirv",
        ] {
            assert_eq!(Cid::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_cid_of_a_real_genesis_and_its_did_are_recomputed_in_any_key_order() {
        let (cid, bytes) = Cid::of_operation(GENESIS).unwrap();
        assert_eq!(cid.to_string(), GENESIS_CID);
        assert!((300..400).contains(&bytes), "{bytes}");
        assert_eq!(Did::of_genesis(cid).to_string(), "did:plc:6adr3q2labdllanslzhqkqd3");

        let value: serde_json::Value = serde_json::from_str(GENESIS).unwrap();
        let sorted = serde_json::to_string_pretty(&value).unwrap();
        assert_ne!(sorted, GENESIS);
        assert_eq!(Cid::of_operation(&sorted).unwrap().0, cid);

        let without_prev = GENESIS.replace(r#""prev":null,"#, "");
        assert_ne!(Cid::of_operation(&without_prev).unwrap().0, cid);
    }
}
