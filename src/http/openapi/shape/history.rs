//! One entry an interval, in columns: the n-th value of each belongs to the n-th instant.

use super::words::{IntervalStatus, NullReason};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The intervals of a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryPage {
    /// Length of an entry, seconds.
    pub resolution_s: i64,
    /// Begin of each entry, milliseconds since 1970.
    pub t_unix_ms: Vec<i64>,
    /// The primary.
    pub primary: PrimaryColumns,
    /// Whether we were impaired in it.
    pub impaired: Vec<bool>,
    /// Why nothing is known of it; `null` where something is.
    pub reason: Vec<Option<NullReason>>,
    /// The mirrors, in the order of the configuration.
    pub mirrors: Vec<MirrorColumns>,
}

/// The primary's columns; `null` where nothing was observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PrimaryColumns {
    /// Operations.
    pub ops: Vec<Option<u64>>,
}

/// One mirror's columns; `null` where nothing was observed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MirrorColumns {
    /// Stable id.
    pub id: String,
    /// Every operation but those from before the mirror was observed.
    pub eligible: Vec<Option<u64>>,
    /// On time, late, present or missed.
    pub decided: Vec<Option<u64>>,
    /// Within the on-time limit.
    pub on_time: Vec<Option<u64>>,
    /// Later than the on-time limit.
    pub late: Vec<Option<u64>>,
    /// Delivered, but when is not known.
    pub present: Vec<Option<u64>>,
    /// Not delivered.
    pub missed: Vec<Option<u64>>,
    /// Not decided yet.
    pub pending: Vec<Option<u64>>,
    /// We were not looking all the time.
    pub unknown: Vec<Option<u64>>,
    /// Only the mirror has them.
    pub extra: Vec<Option<u64>>,
    /// (on time + late + present) / decided.
    pub coverage_ratio: Vec<Option<f64>>,
    /// Median of the lag, milliseconds.
    pub lag_p50_ms: Vec<Option<f64>>,
    /// 95th percentile of the lag, milliseconds.
    pub lag_p95_ms: Vec<Option<f64>>,
    /// How settled the entry is.
    pub status: Vec<Option<IntervalStatus>>,
}
