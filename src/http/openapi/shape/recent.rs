//! The newest operations as they come.

use super::text::{CidText, DidText, Instant};
use super::words::{Kind, Outcome, UnknownReason};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The newest operations of the primary, newest first, with each mirror's arrival.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecentPage {
    /// When it was looked.
    pub at: Instant,
    /// Ids of the mirrors, in the order of the lists of each operation.
    pub mirrors: Vec<String>,
    /// Every source, the primary first.
    pub hosts: Vec<HostPace>,
    /// The operations.
    pub ops: Vec<RecentOp>,
}

/// How fast operations come from one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HostPace {
    /// Stable id.
    pub id: String,
    /// Live arrivals a second over the last minute.
    #[schema(required)]
    pub rate_ops_per_s: Option<f64>,
    /// Operations that its stream brought since the start, each once, and no fill.
    pub live_ops_total: u64,
}

/// An operation with its arrival at each mirror.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecentOp {
    /// Its place among all that the primary delivered to us.
    pub number: u64,
    /// The primary's number.
    #[schema(required)]
    pub seq: Option<u64>,
    /// The DID.
    pub did: DidText,
    /// The CID.
    pub cid: CidText,
    /// What it does.
    pub kind: Kind,
    /// When it was made, as the primary says.
    pub created_at: Instant,
    /// When it came at the primary.
    pub primary_at: Instant,
    /// Whether it came from the primary by paging a gap.
    pub is_primary_filled: bool,
    /// How it stands at each mirror.
    pub verdicts: Vec<Outcome>,
    /// How much later than the primary's each mirror's arrival came, milliseconds, as measured; `null` where there is none, or
    /// where one of the two was not live.
    pub offsets_ms: Vec<Option<f64>>,
    /// Why it is unknown at each mirror, where it is.
    pub unknown_reasons: Vec<Option<UnknownReason>>,
}
