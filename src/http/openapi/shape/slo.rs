//! What mirrors are held to.

use super::words::{NullReason, SloAlarm, SloName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How much of their budgets the mirrors have left, and how fast they spend them. Decided operations alone count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SloPage {
    /// The time for which the budgets are given.
    pub window: String,
    /// What alarms, fastest first.
    pub alarms: Vec<SloAlarmRule>,
    /// Faults in its long window below which no alarm goes off.
    pub alarm_faults_min: u64,
    /// One entry a mirror, in the order of the configuration.
    pub mirrors: Vec<MirrorSlo>,
}

/// An alarm goes off where the budget is spent this fast over both windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SloAlarmRule {
    /// How urgent it is.
    pub severity: SloAlarm,
    /// The window that shows that it matters.
    pub long_window: String,
    /// The window that shows that it goes on.
    pub short_window: String,
    /// The least burn rate of both.
    pub burn_rate: f64,
}

/// One mirror's objectives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MirrorSlo {
    /// Stable id.
    pub id: String,
    /// Each of them.
    pub objectives: Vec<Objective>,
}

/// One objective of one mirror.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Objective {
    /// Which.
    pub slo: SloName,
    /// The share that must be good, 0–1.
    #[schema(minimum = 0, maximum = 1)]
    pub target_ratio: f64,
    /// Operations that count.
    pub ops: u64,
    /// The faults among them.
    pub fault_ops: u64,
    /// The share of `ops` that is no fault; of `coverage`, the `coverage_ratio` of the same window.
    #[schema(required, minimum = 0, maximum = 1)]
    pub good_ratio: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub good_ratio_reason: Option<NullReason>,
    /// Whole faults that so many operations leave room for.
    pub allowed_ops: u64,
    /// What is left of that room, as a share; negative where more is spent. `low_n` before there is room for one fault.
    #[schema(required, maximum = 1)]
    pub budget_left_ratio: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub budget_left_ratio_reason: Option<NullReason>,
    /// Whether no more is spent than there is.
    #[schema(required)]
    pub is_met: Option<bool>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub is_met_reason: Option<NullReason>,
    /// The most urgent alarm that goes off.
    pub alarm: SloAlarm,
    /// How many times as fast as would use the budget up exactly it was spent in each window.
    pub burn_rates: BurnRates,
}

/// Burn rates by window; `null` where nothing that counts is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BurnRates {
    /// 5 minutes.
    #[serde(rename = "5m")]
    #[schema(required)]
    pub m5: Option<f64>,
    /// 15 minutes.
    #[serde(rename = "15m")]
    #[schema(required)]
    pub m15: Option<f64>,
    /// One hour.
    #[serde(rename = "1h")]
    #[schema(required)]
    pub h1: Option<f64>,
    /// 6 hours.
    #[serde(rename = "6h")]
    #[schema(required)]
    pub h6: Option<f64>,
    /// 24 hours.
    #[serde(rename = "24h")]
    #[schema(required)]
    pub h24: Option<f64>,
    /// 7 days.
    #[serde(rename = "7d")]
    #[schema(required)]
    pub d7: Option<f64>,
    /// 30 days.
    #[serde(rename = "30d")]
    #[schema(required)]
    pub d30: Option<f64>,
    /// Why values are `null`, by their windows.
    pub reasons: BTreeMap<String, NullReason>,
}
