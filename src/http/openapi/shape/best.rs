//! Which mirror to use.

use super::text::Instant;
use super::words::NullReason;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The mirror that is recommended, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BestPage {
    /// The mirror; never one that is not well, and none while the observer cannot be believed.
    #[schema(required)]
    pub mirror: Option<RecommendedMirror>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub mirror_reason: Option<NullReason>,
    /// Since when it is recommended.
    #[schema(required)]
    pub since_at: Option<Instant>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub since_at_reason: Option<NullReason>,
    /// What speaks for it, or why there is none, in one sentence.
    pub why: String,
    /// Every mirror, best first.
    pub candidates: Vec<RecommendationCandidate>,
}

/// Who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecommendedMirror {
    /// Stable id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Where it is connected to.
    pub url: String,
}

/// What is said of one mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecommendationCandidate {
    /// Stable id.
    pub id: String,
    /// Whether it could be recommended.
    pub is_eligible: bool,
    /// What speaks for it or against it, in one sentence.
    pub why: String,
}
