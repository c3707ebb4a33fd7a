//! Two hosts beside each other, without the primary as their judge.

use super::text::{CidText, DidText, Instant};
use super::words::{Kind, NullReason};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What only the one has, what only the other has, what both have, and which of them is ahead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ComparePage {
    /// Id of the first host.
    #[schema(required)]
    pub a: Option<String>,
    /// Id of the second host.
    #[schema(required)]
    pub b: Option<String>,
    /// Operations that both have.
    pub both_ops: u64,
    /// Operations that only the first has.
    pub only_a_ops: u64,
    /// Operations that only the second has.
    pub only_b_ops: u64,
    /// Operations that may still come.
    pub pending_ops: PerSide,
    /// Operations of one side of which we did not see whether the other has them.
    pub unknown_ops: PerSide,
    /// By how much the first is ahead of the second.
    pub lead: Lead,
    /// The newest of those that only the first has.
    pub only_a: Vec<OneSided>,
    /// The newest of those that only the second has.
    pub only_b: Vec<OneSided>,
    /// Arrival of the oldest operation that is held.
    #[schema(required)]
    pub held_from_at: Option<Instant>,
    /// Whether the whole window is held.
    pub is_window_held: bool,
    /// Whether some operations that only mirrors have are not in it.
    pub truncated: bool,
}

/// A count for each side: of the operations that it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PerSide {
    /// Of the first.
    pub a: u64,
    /// Of the second.
    pub b: u64,
}

/// By how much the first host is ahead, milliseconds; negative where it is behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Lead {
    /// Operations that both brought live.
    pub n: u64,
    /// First quartile.
    #[schema(required)]
    pub p25_ms: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub p25_ms_reason: Option<NullReason>,
    /// Median.
    #[schema(required)]
    pub median_ms: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub median_ms_reason: Option<NullReason>,
    /// Third quartile.
    #[schema(required)]
    pub p75_ms: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub p75_ms_reason: Option<NullReason>,
    /// Median less half the difference of the round trips.
    #[schema(required)]
    pub corrected_median_ms: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub corrected_median_ms_reason: Option<NullReason>,
    /// How far the correction may be off.
    #[schema(required)]
    pub uncertainty_ms: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub uncertainty_ms_reason: Option<NullReason>,
}

/// An operation that one side has and the other has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OneSided {
    /// The DID.
    pub did: DidText,
    /// The CID.
    pub cid: CidText,
    /// What it does.
    pub kind: Kind,
    /// When it came.
    pub at: Instant,
}
