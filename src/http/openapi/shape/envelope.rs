//! What stands around every answer's data, and the answers that are nothing but small.

use super::text::{DidText, Instant};
use super::words::WindowStatus;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How old an answer is, and how final.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Meta {
    /// When the answer was made.
    pub generated_at: Instant,
    /// Names the run of the program.
    pub snapshot_id: String,
    /// Grows with each change of this address within a run.
    pub revision: u64,
    /// From the capture of the data to the making of the answer, milliseconds.
    pub age_ms: i64,
    /// Time between computations, seconds; `null` where the answer was computed for the request.
    #[schema(required)]
    pub recompute_interval_s: Option<f64>,
    /// How long the computation took, milliseconds.
    pub compute_ms: f64,
    /// The window that the figures cover; `null` where there is none.
    #[schema(required)]
    pub window: Option<Window>,
    /// Names the formulas; changes only with them.
    #[schema(example = "1")]
    pub method_version: String,
}

/// A window: from its first instant to the first that is not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Window {
    /// Its begin.
    pub from_at: Instant,
    /// Its end.
    pub to_at: Instant,
    /// How settled its figures are.
    pub status: WindowStatus,
}

/// Where an answer and its kin stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Links {
    /// This answer.
    #[serde(rename = "self")]
    #[schema(format = "uri-reference")]
    pub own: String,
    /// The next page of it; `null` at the end.
    #[schema(required, format = "uri-reference")]
    pub next: Option<String>,
    /// The same view for people.
    #[schema(format = "uri-reference")]
    pub html: String,
    /// The formulas.
    #[schema(format = "uri-reference")]
    pub methodology: String,
}

/// A part of the process, or all of it, is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    pub status: String,
}

/// All hosts are being asked about a DID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecheckAccepted {
    /// What is asked about.
    pub data: RecheckBegun,
    /// Where to look for what comes of it.
    pub links: AcceptedLinks,
}

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecheckBegun {
    /// The DID.
    pub did: DidText,
    /// When to look, seconds from now.
    pub look_after_s: u64,
}

/// A mirror's transport is being chosen anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReprobeAccepted {
    /// What is looked at.
    pub data: ReprobeBegun,
    /// Where to look for what comes of it.
    pub links: AcceptedLinks,
}

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReprobeBegun {
    /// Id of the mirror.
    pub mirror: String,
    /// When to look, seconds from now.
    pub look_after_s: u64,
}

/// Where to look for what comes of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AcceptedLinks {
    /// For programs.
    #[serde(rename = "self")]
    #[schema(format = "uri-reference")]
    pub own: String,
    /// For people.
    #[schema(format = "uri-reference")]
    pub html: String,
}
