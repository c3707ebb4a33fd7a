//! One operation at every host.

use super::given;
use super::mirrors::Noticed;
use super::ops::Marks;
use super::text::{CidText, DidText, Instant, Sha256Text};
use super::words::{Delivery, Finding, Kind, NullReason, Outcome, Role, UnknownReason};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One operation: when it came from every host, how it is judged there, and what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpPage {
    /// The DID.
    pub did: DidText,
    /// The CID.
    pub cid: CidText,
    /// What it does.
    pub kind: Kind,
    /// The primary's number.
    #[schema(required)]
    pub seq: Option<u64>,
    /// When it was made, as it says itself.
    pub created_at: Instant,
    /// Whether the primary published it.
    pub is_published: bool,
    /// When it came to us first.
    #[schema(required)]
    pub first_at: Option<Instant>,
    /// Every host, the primary first.
    pub hosts: Vec<OpAtHost>,
    /// What was wrong with it as it was sent.
    pub findings: Vec<Noticed>,
}

/// An operation at one host. What is about mirrors is not there for the primary, and little is where it was not delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpAtHost {
    /// Stable id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// What the host is.
    pub role: Role,
    /// How much later than at the first host it came, milliseconds.
    #[schema(required)]
    pub offset_ms: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub offset_ms_reason: Option<NullReason>,
    /// How it stands.
    pub verdict: Outcome,
    /// When it came.
    #[schema(required)]
    pub at: Option<Instant>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub at_reason: Option<NullReason>,
    /// How it reached us; not there where the mirror has it not and the primary neither.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Delivery>)]
    pub delivery: Option<Option<Delivery>>,
    /// What came of asking about it.
    #[schema(required)]
    pub check: Option<Check>,
    /// Why it is unknown.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<UnknownReason>)]
    pub unknown_reason: Option<Option<UnknownReason>>,
    /// What was found about it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Finding>)]
    pub confirmation: Option<Option<Finding>>,
    /// The miss that it follows from.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<CidText>)]
    pub follows: Option<Option<CidText>>,
    /// How many misses follow from it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub followers: Option<Option<u64>>,
    /// The difference to the primary, milliseconds, where both were live; without the correction.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub raw_lag_ms: Option<Option<f64>>,
    /// What else is to be known of it there.
    #[serde(flatten)]
    pub marks: Marks,
    /// Until when the mirror had time.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Instant>)]
    pub deadline_at: Option<Option<Instant>>,
    /// How far the correction may be off, milliseconds.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub uncertainty_ms: Option<Option<f64>>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub uncertainty_ms_reason: Option<NullReason>,
    /// What is taken off the lag for network distance, milliseconds.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub correction_ms: Option<Option<f64>>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub correction_ms_reason: Option<NullReason>,
}

/// What came of asking hosts about an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// What was found.
    #[schema(required)]
    pub finding: Option<Finding>,
    /// Whether it is not looked at again.
    pub is_final: bool,
    /// How often it was looked at.
    pub looks: u64,
    /// When last.
    pub at: Instant,
    /// Each question.
    pub probes: Vec<Probe>,
}

/// One question to a host, and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Probe {
    /// Id of the source.
    pub host: String,
    /// What was asked, whole.
    pub url: String,
    /// When the answer was complete.
    pub at: Instant,
    /// Its status; `null` where there was no answer.
    #[schema(required)]
    pub status: Option<u16>,
    /// SHA-256 of the body as received.
    #[schema(required)]
    pub body_sha256: Option<Sha256Text>,
    /// Why there was no usable answer.
    #[schema(required)]
    pub error: Option<String>,
}
