//! The network's distance.

use super::text::Instant;
use super::words::NullReason;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Two measures of the round trip to a host, minimum of the last 10 minutes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rtt {
    /// By TCP connect, milliseconds.
    #[schema(required)]
    pub tcp_ms: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tcp_ms_reason: Option<NullReason>,
    /// The live socket's own estimate, milliseconds.
    #[schema(required)]
    pub tcp_info_ms: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tcp_info_ms_reason: Option<NullReason>,
    /// Connects that were measured.
    pub samples: u64,
    /// Address and port that were measured.
    #[schema(required)]
    pub peer: Option<String>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub peer_reason: Option<NullReason>,
    /// When it was measured last.
    #[schema(required)]
    pub measured_at: Option<Instant>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub measured_at_reason: Option<NullReason>,
}

/// One host's round trips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HostRtt {
    /// Stable id.
    pub id: String,
    /// Its round trips.
    pub rtt: Rtt,
}

/// Round trips to every host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RttPage {
    /// To the primary.
    pub primary: HostRtt,
    /// To the mirrors, in the order of the configuration.
    pub mirrors: Vec<HostRtt>,
}
