//! How one mirror did in the last hours, in short steps: the n-th value of each column belongs to the n-th instant.

use super::overview::Freshness;
use super::rtt::Rtt;
use super::words::NullReason;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far behind one mirror is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FreshnessPage {
    /// Stable id.
    pub id: String,
    /// Now.
    pub freshness: Freshness,
    /// Since the start, some hours at most.
    pub series: FreshnessSeries,
}

/// The worst second of each step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FreshnessSeries {
    /// Length of a step, seconds.
    pub resolution_s: i64,
    /// How far back it is kept, seconds.
    pub kept_s: i64,
    /// Begin of each step, milliseconds since 1970.
    pub t_unix_ms: Vec<i64>,
    /// Longest age of the first operation that it was behind, seconds.
    pub head_age_s: Vec<Option<f64>>,
    /// Most operations that it was behind.
    pub head_lag_ops: Vec<Option<u64>>,
    /// Why both are `null`.
    pub reason: Vec<Option<NullReason>>,
}

/// How far away one mirror is, and what is taken off its lag for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MirrorRttPage {
    /// Stable id.
    pub id: String,
    /// To the mirror.
    pub rtt: Rtt,
    /// To the primary.
    pub primary_rtt: Rtt,
    /// Half the difference of the round trips, milliseconds: taken off the lag of what comes now.
    #[schema(required)]
    pub correction_ms: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub correction_ms_reason: Option<NullReason>,
    /// Half their sum, milliseconds.
    #[schema(required)]
    pub uncertainty_ms: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub uncertainty_ms_reason: Option<NullReason>,
    /// Since the start, some hours at most.
    pub series: RttSeries,
}

/// The round trips of each step, milliseconds; `null` where none was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RttSeries {
    /// Length of a step, seconds.
    pub resolution_s: i64,
    /// How far back it is kept, seconds.
    pub kept_s: i64,
    /// Begin of each step, milliseconds since 1970.
    pub t_unix_ms: Vec<i64>,
    /// Shortest by TCP connect.
    pub tcp_min_ms: Vec<Option<f64>>,
    /// Longest by TCP connect.
    pub tcp_max_ms: Vec<Option<f64>>,
    /// Connects that were measured.
    pub tcp_samples: Vec<u64>,
    /// Shortest of the live socket's own estimates.
    pub tcp_info_min_ms: Vec<Option<f64>>,
    /// Longest of them.
    pub tcp_info_max_ms: Vec<Option<f64>>,
    /// Shortest by TCP connect to the primary.
    pub primary_tcp_min_ms: Vec<Option<f64>>,
}
