//! Texts with a form of their own: instants, DIDs, CIDs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An instant: RFC 3339, UTC, milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String, format = "date-time", example = "2026-11-21T02:00:00.000Z")]
pub struct Instant(pub String);

/// A DID of did:plc.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String, pattern = "^did:plc:[a-z2-7]{24}$", example = "did:plc:ewvi7nxzyoun6zhxrhs64oiz")]
pub struct DidText(pub String);

/// The CID of an operation: CIDv1, DAG-CBOR, SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(
    value_type = String,
    pattern = "^bafyrei[a-h][a-z2-7]{50}[aeimquy4]$",
    example = "bafyreibfvkh3n6odvdpwj54j4xxdsgnn4zo5utbyf7z7nfbyikhtygzjcq"
)]
pub struct CidText(pub String);

/// SHA-256, lower case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
pub struct Sha256Text(pub String);
