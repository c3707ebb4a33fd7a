//! The formulas behind the figures.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The formulas by id, with the parameters in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MethodologyPage {
    /// Every formula.
    pub formulas: Vec<Formula>,
    /// What is put into them.
    pub parameters: Parameters,
    /// Whether operations that only mirrors have are looked up in the primary's `/export`.
    pub are_extras_confirmed_by_export: bool,
}

/// One formula.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Formula {
    /// Stable id.
    pub id: String,
    /// The formula.
    pub formula: String,
    /// What it means.
    pub meaning: String,
}

/// The parameters of judging.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Parameters {
    /// How much earlier than the primary a mirror may be, seconds.
    pub look_back_s: f64,
    /// For how long verdicts can be revised, seconds.
    pub revision_horizon_s: f64,
    /// How long timing waits for disturbances that show afterwards, seconds.
    pub settle_s: f64,
    /// Length of an interval, seconds.
    pub interval_s: i64,
    /// The limits of each mirror.
    pub mirrors: Vec<MirrorParameters>,
}

/// The limits of one mirror.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MirrorParameters {
    /// Stable id.
    pub id: String,
    /// On time is what comes at most this much after the primary's, seconds.
    pub on_time_s: f64,
    /// Missed is what has not come this long after the primary's, seconds.
    pub grace_s: f64,
}
