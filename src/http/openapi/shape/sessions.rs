//! When the link of one source was up.

use super::text::Instant;
use super::words::{EndedBy, NullReason};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The latest sessions of one mirror, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionsPage {
    /// Stable id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Time with the link up / time watched, last 6 h.
    #[schema(required, minimum = 0, maximum = 1)]
    pub connected_ratio: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub connected_ratio_reason: Option<NullReason>,
    /// Whether older ones are not listed.
    pub truncated: bool,
    /// The sessions.
    pub sessions: Vec<Session>,
}

/// A time at which a link was up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its begin.
    pub opened_at: Instant,
    /// Its end.
    #[schema(required)]
    pub closed_at: Option<Instant>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub closed_at_reason: Option<NullReason>,
    /// Who ended it.
    #[schema(required)]
    pub ended_by: Option<EndedBy>,
    /// Close code of the WebSocket.
    #[schema(required)]
    pub code: Option<u16>,
    /// Why it ended.
    #[schema(required)]
    pub reason: Option<String>,
    /// The source's number from which on it was resumed.
    #[schema(required)]
    pub resumed_from: Option<u64>,
    /// Whether the gap before it was filled.
    pub is_caught_up: bool,
}
