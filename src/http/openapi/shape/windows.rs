//! One mirror's past in columns: the n-th value of each belongs to the n-th instant.

use super::words::{NullReason, WindowStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What happened at one mirror in each of many windows; counts and figures are `null` where nothing is kept of a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WindowsPage {
    /// Stable id.
    pub id: String,
    /// `5m` (one interval of judging, whatever its length), `1h` or `1d`.
    pub resolution: String,
    /// Length of a window, seconds.
    pub resolution_s: i64,
    /// Begin of each window, milliseconds since 1970, oldest first.
    pub t_unix_ms: Vec<i64>,
    /// How settled it is.
    pub status: Vec<Option<WindowStatus>>,
    /// Whether we or the primary were impaired in part of it.
    pub is_impaired: Vec<bool>,
    /// Operations of the primary.
    pub primary_ops: Vec<Option<u64>>,
    /// Every operation but those from before the mirror was observed.
    pub eligible: Vec<Option<u64>>,
    /// On time, late, present or missed.
    pub decided: Vec<Option<u64>>,
    /// From before the mirror was observed.
    pub not_eligible: Vec<Option<u64>>,
    /// Not decided yet.
    pub pending: Vec<Option<u64>>,
    /// Within the on-time limit.
    pub on_time: Vec<Option<u64>>,
    /// Later than the on-time limit.
    pub late: Vec<Option<u64>>,
    /// Delivered, but when is not known.
    pub present: Vec<Option<u64>>,
    /// Not delivered.
    pub missed: Vec<Option<u64>>,
    /// We were not looking all the time.
    pub unknown: Vec<Option<u64>>,
    /// The primary's log no longer lists them.
    pub withdrawn: Vec<Option<u64>>,
    /// They break the rules and the mirror refused them.
    pub disputed: Vec<Option<u64>>,
    /// Only the mirror has them.
    pub extra: Vec<Option<u64>>,
    /// Only the mirror has them, and the primary's may still come.
    pub extra_pending: Vec<Option<u64>>,
    /// Only the mirror has them as far as we know.
    pub extra_unknown: Vec<Option<u64>>,
    /// Called missed, and came after all.
    pub healed: Vec<Option<u64>>,
    /// (on time + late + present) / decided, 0–1.
    pub coverage_ratio: Vec<Option<f64>>,
    /// On time / (on time + late + missed).
    pub timely_ratio: Vec<Option<f64>>,
    /// Decided / (decided + unknown).
    pub observed_ratio: Vec<Option<f64>>,
    /// Why the coverage is `null`: also why nothing is known of the window.
    pub ratio_reason: Vec<Option<NullReason>>,
    /// Corrected samples of lag.
    pub lag_n: Vec<Option<u64>>,
    /// 5th percentile of the lag, milliseconds; a percentile is told where a sample lies beyond it.
    pub lag_p5_ms: Vec<Option<f64>>,
    /// Median of the lag, milliseconds.
    pub lag_p50_ms: Vec<Option<f64>>,
    /// 95th percentile of the lag, milliseconds.
    pub lag_p95_ms: Vec<Option<f64>>,
    /// 99th percentile of the lag, milliseconds.
    pub lag_p99_ms: Vec<Option<f64>>,
    /// Smallest lag, milliseconds.
    pub lag_min_ms: Vec<Option<f64>>,
    /// Largest lag, milliseconds.
    pub lag_max_ms: Vec<Option<f64>>,
    /// How far the correction may be off, milliseconds.
    pub lag_uncertainty_ms: Vec<Option<f64>>,
    /// Why a percentile is `null`.
    pub lag_reason: Vec<Option<NullReason>>,
}
