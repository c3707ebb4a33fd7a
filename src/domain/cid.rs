//! Content identifiers.

/// SHA-256 digest of a CIDv1 dag-cbor.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Cid(pub [u8; 32]);
