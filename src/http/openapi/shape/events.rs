//! What happened.

use super::text::Instant;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The latest events, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventsPage {
    /// The events.
    pub events: Vec<Event>,
    /// The most that are listed; older ones are on disk.
    pub kept_in_memory: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Grows by one with each event.
    pub id: u64,
    /// When.
    pub at: Instant,
    /// Stable word, as `link_synchronized`, `state_changed` or `observer_down`; new ones may be added.
    pub kind: String,
    /// Id of the source that it is about.
    #[schema(required)]
    pub source: Option<String>,
    /// One line.
    pub text: String,
    /// More of it, for programs; its members depend on the kind.
    #[schema(required)]
    pub detail: Option<serde_json::Value>,
}
