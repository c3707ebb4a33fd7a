//! How operations spread over the mirrors.

use super::lag::Percentiles;
use super::words::NullReason;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How long it takes until one, two, … all mirrors have an operation, corrected for network distance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PropagationPage {
    /// Ids of the mirrors that are part of the curves.
    pub mirrors: Vec<String>,
    /// Those that are not.
    pub left_out_mirrors: Vec<LeftOutMirror>,
    /// Operations of the window.
    pub ops_in_window: u64,
    /// Operations that are part of the curves.
    pub ops_used: u64,
    /// Operations that were looked at, and whose time is not known at some mirror.
    pub ops_left_out: u64,
    /// Every so many of the operations was looked at.
    pub sampled_every: u64,
    /// The instants of the curves, seconds after the primary.
    pub at_s: Vec<f64>,
    /// Mean share of the mirrors that had an operation by each instant.
    #[schema(required)]
    pub mean_mirror_ratio: Option<Vec<f64>>,
    /// One curve for each number of mirrors, from one to all.
    pub by_mirrors: Vec<PropagationCurve>,
    /// Why there are no curves.
    #[schema(required)]
    pub reason: Option<NullReason>,
}

/// A mirror that is no part of the curves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LeftOutMirror {
    /// Stable id.
    pub id: String,
    /// Share of the operations of which it is known when it had them.
    #[schema(minimum = 0, maximum = 1)]
    pub known_ratio: f64,
    /// Why: `no_rtt`, or `timing_unknown` for fewer than half of the operations known.
    pub reason: String,
}

/// The time until so many mirrors had an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PropagationCurve {
    /// How many mirrors.
    pub mirrors: u64,
    /// Share of the operations that so many had by each instant.
    #[schema(required)]
    pub op_ratio: Option<Vec<f64>>,
    /// Operations that so many never had.
    pub never_ops: u64,
    /// How long that took, with those that never came as infinite.
    #[serde(flatten)]
    pub percentiles: Percentiles,
    /// Why values are `null`, by their names.
    pub reasons: BTreeMap<String, NullReason>,
}
