//! The list of mirrors, and one of them in every window.

use super::coverage::Coverage;
use super::overview::MirrorRow;
use super::source::Rejects;
use super::text::{CidText, DidText, Instant};
use super::words::{Finding, LogAgreement};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Every mirror, worst first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MirrorList {
    /// As in the overview.
    pub mirrors: Vec<MirrorRow>,
}

/// One mirror's own page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MirrorPage {
    /// As in the overview.
    #[serde(flatten)]
    pub row: MirrorRow,
    /// Its coverage in every window.
    pub windows: Windows,
    /// What was refused of it.
    pub rejects: Rejects,
    /// The latest samples in which its log was not the primary's, newest first.
    pub sample_differences: Vec<SampleDifference>,
    /// What was wrong with the content and the order of what it sent, newest first.
    pub findings: Vec<Noticed>,
    /// What is taken off its lag now; `null` without round trips.
    #[schema(required)]
    pub correction_now: Option<CorrectionNow>,
    /// Its limits.
    pub limits: MirrorLimits,
    /// Since when it is observed.
    #[schema(required)]
    pub observed_since_at: Option<Instant>,
}

/// Coverage by window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Windows {
    /// 5 minutes.
    #[serde(rename = "5m")]
    pub m5: Coverage,
    /// 15 minutes.
    #[serde(rename = "15m")]
    pub m15: Coverage,
    /// One hour.
    #[serde(rename = "1h")]
    pub h1: Coverage,
    /// 6 hours.
    #[serde(rename = "6h")]
    pub h6: Coverage,
    /// 24 hours.
    #[serde(rename = "24h")]
    pub h24: Coverage,
    /// 7 days.
    #[serde(rename = "7d")]
    pub d7: Coverage,
    /// 30 days.
    #[serde(rename = "30d")]
    pub d30: Coverage,
}

/// A sample in which a mirror's log was not the primary's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SampleDifference {
    /// Whose log.
    pub did: DidText,
    /// How it stands to the primary's.
    pub agreement: LogAgreement,
    /// When it was compared.
    pub at: Instant,
}

/// Something that was wrong with what a source sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Noticed {
    /// Id of the source.
    #[schema(required)]
    pub host: Option<String>,
    /// What it was.
    pub finding: Finding,
    /// The DID of the operation.
    pub did: DidText,
    /// Its CID.
    pub cid: CidText,
    /// When it came.
    pub at: Instant,
}

/// What is taken off a mirror's lag now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CorrectionNow {
    /// Half the difference of the round trips, milliseconds.
    pub correction_ms: f64,
    /// Half their sum, milliseconds.
    pub uncertainty_ms: f64,
}

/// The limits of judging that are in force for a mirror.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MirrorLimits {
    /// On time is what comes at most this much after the primary's, seconds.
    pub on_time_s: f64,
    /// Missed is what has not come this long after the primary's, seconds.
    pub grace_s: f64,
}
