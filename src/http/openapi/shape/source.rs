//! What is told of every source: who it is and what came from it.

use super::coverage::Wilson95;
use super::link::Link;
use super::rtt::Rtt;
use super::text::Instant;
use super::words::NullReason;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A source: who it is and what came from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// Stable id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Where it is connected to.
    pub url: String,
    /// How operations are taken from it: `stream`, `plcbundle`, `export`, `resolve` or, until that is known, `auto`.
    pub transport: String,
    /// Why so.
    #[schema(required)]
    pub transport_reason: Option<String>,
    /// How finely instants are told, milliseconds; `null` where they are exact.
    #[schema(required)]
    pub resolution_ms: Option<f64>,
    /// Share of the operations that is looked for; `null` where it is all of them.
    #[schema(required)]
    pub sampling_ratio: Option<f64>,
    /// Its connection.
    pub link: Link,
    /// The round trip to it.
    pub rtt: Rtt,
    /// Distinct operations received.
    pub received_ops: u64,
    /// Operations sent again.
    pub duplicate_ops: u64,
    /// Known operations with another DID or `createdAt`.
    pub altered_ops: u64,
    /// Operations that we let go at a bound.
    pub dropped_by_us_ops: u64,
    /// Frames that were refused.
    pub rejected_frames: u64,
}

/// The primary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Primary {
    /// Who it is and what came from it.
    #[serde(flatten)]
    pub source: Source,
    /// Live arrivals per second, of the last minute.
    #[schema(required)]
    pub rate_ops_per_s: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rate_ops_per_s_reason: Option<NullReason>,
    /// How complete its own stream is.
    pub completeness: Completeness,
    /// Whether its `/export` can be asked.
    pub is_export_offered: bool,
}

/// How complete the primary's own stream is, as far as mirrors made it known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Completeness {
    /// Share of the operations known that its stream sent.
    #[schema(required, minimum = 0, maximum = 1)]
    pub stream_ratio: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub stream_ratio_reason: Option<NullReason>,
    /// Where the share lies with 95 % confidence.
    #[serde(flatten)]
    pub interval: Wilson95,
    /// Operations that its log is known to list.
    pub known_ops: u64,
    /// Those of them that its stream did not send.
    pub stream_gap_ops: u64,
}

/// The primary's own page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PrimaryPage {
    /// As in the overview.
    #[serde(flatten)]
    pub primary: Primary,
    /// What was refused of it.
    pub rejects: Rejects,
}

/// What was refused of a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rejects {
    /// Refused frames by reason.
    pub by_reason: BTreeMap<String, u64>,
    /// The latest one.
    #[schema(required)]
    pub last: Option<LastReject>,
    /// One line about the last hour; `null` where nothing was refused in it.
    #[schema(required)]
    pub text: Option<String>,
}

/// A refused frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastReject {
    /// Why it was refused, one line.
    pub text: String,
    /// When.
    pub at: Instant,
    /// The source's number, where it could be read.
    #[schema(required)]
    pub seq: Option<u64>,
}
