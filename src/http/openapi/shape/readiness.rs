//! Whether one mirror can be used, and one word for monitors.

use super::text::Instant;
use super::words::{CriterionStatus, MirrorState, ObserverFlag, Readiness};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a mirror can take the primary's place for who reads operations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadinessPage {
    /// Stable id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// `not_ready` where a criterion fails, `ready` where all hold.
    pub readiness: Readiness,
    /// The same in one sentence.
    pub headline: String,
    /// What it is held against.
    pub criteria: Vec<Criterion>,
}

/// One criterion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Criterion {
    /// Stable id.
    pub id: String,
    /// Whether it holds.
    pub status: CriterionStatus,
    /// What was found and what is needed, in one sentence.
    pub why: String,
    /// Where its figures stand.
    pub link_json: String,
}

/// How one mirror does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckPage {
    /// Stable id.
    pub id: String,
    /// Its state; `ok` in an answer of status 200.
    pub state: MirrorState,
    /// Since when.
    pub since_at: Instant,
    /// Why, in one sentence.
    pub why: String,
    /// Why the observer cannot be believed now; nothing where it can.
    pub observer_flags: Vec<ObserverFlag>,
}
