//! did:plc identifiers in 15 bytes.
use serde::Serialize;

/// The 24 base32 characters after `did:plc:`, decoded.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Did(pub [u8; 15]);
