//! Shares of what a mirror has.

use super::counts::{Counts, CountsByKind};
use super::words::NullReason;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The Wilson 95 % interval of a share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Wilson95 {
    /// Its lower bound.
    #[schema(required, minimum = 0, maximum = 1)]
    pub low95_ratio: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub low95_ratio_reason: Option<NullReason>,
    /// Its upper bound.
    #[schema(required, minimum = 0, maximum = 1)]
    pub high95_ratio: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub high95_ratio_reason: Option<NullReason>,
}

/// How much of a window's operations a mirror has, with the counts behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Coverage {
    /// (on time + late + present) / decided, 0–1.
    #[schema(required, minimum = 0, maximum = 1)]
    pub coverage_ratio: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub coverage_ratio_reason: Option<NullReason>,
    /// Where the share lies with 95 % confidence.
    #[serde(flatten)]
    pub interval: Wilson95,
    /// On time / (on time + late + missed).
    #[schema(required, minimum = 0, maximum = 1)]
    pub timely_ratio: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub timely_ratio_reason: Option<NullReason>,
    /// Decided / (decided + unknown): how much could be judged.
    #[schema(required, minimum = 0, maximum = 1)]
    pub observed_ratio: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub observed_ratio_reason: Option<NullReason>,
    /// Share of the DIDs without a miss, by a sketch.
    #[schema(required, minimum = 0, maximum = 1)]
    pub did_coverage_ratio: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub did_coverage_ratio_reason: Option<NullReason>,
    /// Standard error of the sketch's counts of DIDs.
    pub did_standard_error_ratio: f64,
    /// What the shares are made of.
    pub counts: Counts,
    /// The same by kind.
    pub by_kind: CountsByKind,
}

/// One mirror's coverage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MirrorCoverage {
    /// Stable id.
    pub id: String,
    /// Its coverage.
    pub coverage: Coverage,
}

/// Coverage of every mirror in one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CoveragePage {
    /// Operations of the primary in the window.
    pub primary_ops: u64,
    /// One entry a mirror, in the order of the configuration.
    pub mirrors: Vec<MirrorCoverage>,
}
