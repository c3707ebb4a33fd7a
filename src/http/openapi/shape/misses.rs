//! Misses by DID, worst first.

use super::text::{CidText, DidText, Instant};
use super::words::{Finding, Kind, Outcome};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Misses of every mirror in one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MissesPage {
    /// One entry a mirror, in the order of the configuration.
    pub mirrors: Vec<MirrorMisses>,
}

/// One mirror's misses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MirrorMisses {
    /// Stable id.
    pub id: String,
    /// Misses of the window, exact.
    pub missed: u64,
    /// Those that are listed, by what is found about them.
    pub explained: Explained,
    /// DIDs with an open miss.
    pub dids_affected: u64,
    /// Whether not all of them are listed; all are at `/api/v1/mirrors/{id}/ops`.
    pub truncated: bool,
    /// The DIDs, worst first.
    pub dids: Vec<DidMisses>,
}

/// Misses by what is found about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explained {
    /// Misses that follow from none.
    pub roots: u64,
    /// Misses that only follow from an earlier one of the same DID.
    pub followers: u64,
    /// Each by its finding.
    pub by_confirmation: ByConfirmation,
}

/// The open misses of a mirror by what is found about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenMisses {
    /// Misses that follow from none.
    pub roots: u64,
    /// Misses that only follow from an earlier one of the same DID.
    pub followers: u64,
    /// Each by its finding.
    pub by_confirmation: ByConfirmation,
    /// All of them.
    pub open: u64,
    /// Whether not all of them are among those by finding.
    pub truncated: bool,
}

/// Misses by finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ByConfirmation {
    /// The mirror's log lists it.
    pub stream_loss: u64,
    /// The mirror knows the DID alone.
    pub data_loss: u64,
    /// The mirror does not know the DID.
    pub did_unknown: u64,
    /// It gave no usable answer.
    pub unverifiable: u64,
    /// Nothing is found yet.
    pub none: u64,
}

/// Misses of one DID.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DidMisses {
    /// The DID.
    pub did: DidText,
    /// Its misses.
    pub missed: u64,
    /// Its late operations.
    pub late: u64,
    /// When the first of them came at the primary.
    #[schema(required)]
    pub first_at: Option<Instant>,
    /// When the last one did.
    #[schema(required)]
    pub last_at: Option<Instant>,
    /// Some of them.
    pub ops: Vec<MissedOp>,
}

/// An operation that is missed or late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MissedOp {
    /// Its CID.
    pub cid: CidText,
    /// The primary's number.
    #[schema(required)]
    pub seq: Option<u64>,
    /// What it does.
    pub kind: Kind,
    /// How it stands.
    pub verdict: Outcome,
    /// What was found about it.
    #[schema(required)]
    pub confirmation: Option<Finding>,
    /// The miss that it follows from.
    #[schema(required)]
    pub follows: Option<CidText>,
    /// When it came at the primary.
    pub primary_at: Instant,
}
