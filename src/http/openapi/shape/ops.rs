//! Operations of one mirror or of all, as a list.

use super::text::{CidText, DidText, Instant};
use super::words::{Delivery, Finding, Kind, Outcome, UnknownReason};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A page of operations: the primary's by their numbers, then those that only mirrors have, each newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpsPage {
    /// The operations, each at one mirror.
    pub ops: Vec<OpAtMirror>,
    /// Arrival of the oldest operation that is held; nothing older can be listed.
    #[schema(required)]
    pub held_from_at: Option<Instant>,
    /// Whether some that only mirrors have are not listed.
    pub extra_truncated: bool,
}

/// An operation at one mirror. The flags are of the primary's operations alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpAtMirror {
    /// Id of the mirror.
    #[schema(required)]
    pub mirror: Option<String>,
    /// The DID.
    pub did: DidText,
    /// The CID.
    pub cid: CidText,
    /// The primary's number.
    #[schema(required)]
    pub seq: Option<u64>,
    /// What it does.
    pub kind: Kind,
    /// How it stands.
    pub verdict: Outcome,
    /// Why it is unknown.
    #[schema(required)]
    pub unknown_reason: Option<UnknownReason>,
    /// What was found about it.
    #[schema(required)]
    pub confirmation: Option<Finding>,
    /// The miss that it follows from.
    #[schema(required)]
    pub follows: Option<CidText>,
    /// How many misses follow from it.
    #[schema(required)]
    pub followers: Option<u64>,
    /// How it reached us.
    #[schema(required)]
    pub delivery: Option<Delivery>,
    /// When it came at the primary.
    #[schema(required)]
    pub primary_at: Option<Instant>,
    /// When it came at the mirror.
    #[schema(required)]
    pub mirror_at: Option<Instant>,
    /// The difference, milliseconds, where both were live; without the correction.
    #[schema(required)]
    pub raw_lag_ms: Option<f64>,
    /// When it was made, as it says itself.
    pub created_at: Instant,
    /// What else is to be known of it there.
    #[serde(flatten)]
    pub marks: Marks,
}

/// What is to be known of an operation at a mirror beside its verdict; there only where it is so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Marks {
    /// Whether the mirror was earlier than the primary.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub is_early: Option<bool>,
    /// Whether it was missed first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub is_healed: Option<bool>,
    /// Whether the primary's stream lost it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub is_credited: Option<bool>,
    /// Whether the mirror sent it with another DID or `createdAt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub is_altered: Option<bool>,
    /// Whether it came from the primary by paging a gap.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub is_primary_filled: Option<bool>,
}
