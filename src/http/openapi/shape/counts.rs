//! Operations by outcome.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Operations of a window at one mirror by outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// Every operation but those from before the mirror was observed.
    pub eligible: u64,
    /// On time, late, present or missed.
    pub decided: u64,
    /// From before the mirror was observed.
    pub not_eligible: u64,
    /// Not decided yet.
    pub pending: u64,
    /// Within the on-time limit.
    pub on_time: u64,
    /// Later than the on-time limit.
    pub late: u64,
    /// Delivered, but when is not known.
    pub present: u64,
    /// Not delivered, and that is proved.
    pub missed: u64,
    /// We were not looking all the time.
    pub unknown: u64,
    /// The primary no longer lists them.
    pub withdrawn: u64,
    /// They break the rules and the mirror refused them.
    pub disputed: u64,
    /// Only the mirror has them.
    pub extra: u64,
    /// Only the mirror has them so far.
    pub extra_pending: u64,
    /// Only the mirror has them as far as we know.
    pub extra_unknown: u64,
    /// Only the mirror has them, for a reason that is no fault.
    pub extra_explained: u64,
    /// Earlier than the primary's.
    pub early: u64,
    /// Missed first, and delivered afterwards.
    pub healed: u64,
    /// Lost by the primary's stream and delivered by the mirror.
    pub credited: u64,
}

/// Operations of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KindCounts {
    /// On time, late, present or missed.
    pub decided: u64,
    /// Missed.
    pub missed: u64,
}

/// Operations by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CountsByKind {
    /// The first of a DID.
    pub genesis: KindCounts,
    /// Changes.
    pub update: KindCounts,
    /// Ends of DIDs.
    pub tombstone: KindCounts,
    /// The first of a DID in its old form.
    pub legacy_create: KindCounts,
}
