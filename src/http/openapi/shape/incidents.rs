//! Spans in which a mirror was in a bad state.

use super::text::Instant;
use super::words::{IncidentPhase, MirrorState, NullReason};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The incidents, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IncidentsPage {
    /// Those that go on.
    pub open: u64,
    /// The same by mirror.
    pub open_by_mirror: BTreeMap<String, u64>,
    /// The latest.
    pub incidents: Vec<Incident>,
    /// Whether older ones are not listed.
    pub truncated: bool,
}

/// A span in which a mirror was lagging, stalled, losing or diverged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Incident {
    /// Stable id: the mirror, and since when.
    pub id: String,
    /// Id of the mirror.
    pub mirror: String,
    /// How it stands.
    pub phase: IncidentPhase,
    /// Whether the mirror is in a bad state now.
    pub is_open: bool,
    /// When it began.
    pub started_at: Instant,
    /// When it ended; at the begin of the last interruption, where nothing bad was found behind it.
    #[schema(required)]
    pub ended_at: Option<Instant>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ended_at_reason: Option<NullReason>,
    /// The bad state of now, or the last one.
    pub state: MirrorState,
    /// The worst of its states.
    pub worst_state: MirrorState,
    /// One sentence.
    pub headline: String,
    /// For how long the mirror was in a bad state, seconds, without interruptions; whole minutes while it goes on.
    pub bad_s: f64,
    /// The latest times in it in which nothing could be said, oldest first.
    pub interruptions: Vec<Interruption>,
    /// Changes of its state that were not listed.
    pub changes_not_listed: u64,
    /// Its own page as JSON.
    pub link_json: String,
    /// Its own page for people.
    pub link_html: String,
    /// The page of the mirror for people.
    pub link_mirror: String,
    /// The misses of the mirror for people.
    pub link_misses: String,
}

/// A time in an incident in which nothing could be said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Interruption {
    /// Its begin.
    pub from_at: Instant,
    /// Its end; `null` while it goes on.
    #[schema(required)]
    pub to_at: Option<Instant>,
    /// The state that was shown.
    pub state: MirrorState,
    /// Why.
    pub why: String,
}

/// One incident with the changes of the mirror's state in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IncidentPage {
    /// As in the list.
    #[serde(flatten)]
    pub incident: Incident,
    /// The latest changes, oldest first.
    pub changes: Vec<StateChange>,
}

/// A change of a mirror's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StateChange {
    /// Number of the event.
    pub event_id: u64,
    /// When.
    pub at: Instant,
    /// From what.
    pub from: MirrorState,
    /// To what.
    pub to: MirrorState,
    /// Why, one sentence.
    pub why: String,
}
