//! Operations on one side only, by age.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is on one side only for at least so long of proved observation, in both directions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DivergencePage {
    /// The ages in seconds; the n-th count of each list is of those at least so old.
    pub age_ge_s: Vec<i64>,
    /// One entry a mirror, in the order of the configuration.
    pub mirrors: Vec<MirrorDivergence>,
}

/// One mirror's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MirrorDivergence {
    /// Stable id.
    pub id: String,
    /// Operations that it was to deliver and has not.
    pub missing_ops: Vec<u64>,
    /// Operations that only it has.
    pub extra_ops: Vec<u64>,
    /// Known operations that it sent with another DID or `createdAt`.
    pub altered_ops: u64,
    /// Whether some of those that only it has are not counted.
    pub extra_truncated: bool,
}
