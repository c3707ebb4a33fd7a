//! How much later than the primary's operations come.

use super::given;
use super::words::NullReason;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Percentiles of times, milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Percentiles {
    /// Median.
    #[schema(required)]
    pub p50_ms: Option<f64>,
    /// 75th percentile.
    #[schema(required)]
    pub p75_ms: Option<f64>,
    /// 90th percentile.
    #[schema(required)]
    pub p90_ms: Option<f64>,
    /// 95th percentile.
    #[schema(required)]
    pub p95_ms: Option<f64>,
    /// 99th percentile.
    #[schema(required)]
    pub p99_ms: Option<f64>,
    /// 99.9th percentile.
    #[schema(required)]
    pub p999_ms: Option<f64>,
}

/// Percentiles of the lag of one window, milliseconds; negative where a mirror was earlier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Lag {
    /// Pairs whose both arrivals were live.
    pub n: u64,
    /// Its percentiles.
    #[serde(flatten)]
    pub percentiles: Percentiles,
    /// Smallest.
    #[schema(required)]
    pub min_ms: Option<f64>,
    /// Largest.
    #[schema(required)]
    pub max_ms: Option<f64>,
    /// Mean.
    #[schema(required)]
    pub mean_ms: Option<f64>,
    /// How far the correction may be off; a smaller lag is about zero.
    #[schema(required)]
    pub uncertainty_ms: Option<f64>,
    /// What was taken off for network distance, mean of the window.
    #[schema(required)]
    pub correction_ms: Option<f64>,
    /// Without the correction.
    pub raw: LagPart,
    /// With every missed operation as infinitely late.
    pub with_loss: LagPart,
    /// Why values are `null`, by their names.
    pub reasons: BTreeMap<String, NullReason>,
}

/// Percentiles of another view of the same lag, milliseconds. Without losses it has its ends and its mean too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LagPart {
    /// Operations in it.
    pub n: u64,
    /// Its percentiles.
    #[serde(flatten)]
    pub percentiles: Percentiles,
    /// Smallest, where nothing is lost.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub min_ms: Option<Option<f64>>,
    /// Largest, where nothing is lost.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub max_ms: Option<Option<f64>>,
    /// Mean, where nothing is lost.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub mean_ms: Option<Option<f64>>,
    /// Why values are `null`, by their names.
    pub reasons: BTreeMap<String, NullReason>,
}

/// One mirror's lag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MirrorLag {
    /// Stable id.
    pub id: String,
    /// Its lag.
    pub lag: Lag,
}

/// Lag of one mirror in one window, with the distribution that it is drawn from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MirrorLagPage {
    /// Stable id.
    pub id: String,
    /// Its lag.
    pub lag: Lag,
    /// How its corrected samples are spread.
    pub histogram: LagHistogram,
    /// Operations that it misses: those that never came.
    pub lost_ops: u64,
}

/// Parts of a distribution in rising order, at most 6.3 % wide; the n-th value of each column belongs to the n-th part. The
/// edge nearer to zero belongs to a part. Those without a sample are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LagHistogram {
    /// Where each begins, milliseconds.
    pub from_ms: Vec<f64>,
    /// Where each ends, milliseconds.
    pub to_ms: Vec<f64>,
    /// Samples in each; their sum is the `n` of the lag.
    pub count: Vec<u64>,
}

/// Lag of every mirror in one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LagPage {
    /// One entry a mirror, in the order of the configuration.
    pub mirrors: Vec<MirrorLag>,
}
