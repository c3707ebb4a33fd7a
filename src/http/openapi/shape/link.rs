//! How a source's connection stands.

use super::text::Instant;
use super::words::{LinkState, NullReason};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A source's connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Link {
    /// How it stands.
    pub state: LinkState,
    /// Since when.
    pub since_at: Instant,
    /// Time with the link up / time watched, last 6 h.
    #[schema(required, minimum = 0, maximum = 1)]
    pub connected_ratio: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub connected_ratio_reason: Option<NullReason>,
    /// The latest failure.
    #[schema(required)]
    pub last_error: Option<LinkError>,
    /// The latest end that the source gave a reason for.
    #[schema(required)]
    pub last_close: Option<LinkClose>,
    /// Connections that followed a lost one.
    pub reconnects: u64,
    /// The source's own number of the last operation up to which nothing is missing.
    #[schema(required)]
    pub cursor: Option<u64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cursor_reason: Option<NullReason>,
    /// When the last operation came.
    #[schema(required)]
    pub last_op_at: Option<Instant>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_op_at_reason: Option<NullReason>,
}

/// A failure of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkError {
    /// Stable word, as `dns`, `tcp`, `tls`, `dead` or `protocol`; new ones may be added.
    pub class: String,
    /// One line.
    pub text: String,
    /// When.
    pub at: Instant,
}

/// How a source took its leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkClose {
    /// Close code of the WebSocket.
    pub code: u16,
    /// What it said.
    pub reason: String,
    /// When.
    pub at: Instant,
}
