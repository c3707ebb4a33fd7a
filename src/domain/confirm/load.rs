//! How much is being asked, as others are told it.

use super::SURVEYS_MAX;

/// How much there is to do, and what was let go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Load {
    /// Questions that wait, by source.
    pub waiting: Vec<usize>,
    /// Misses and extras that are being explained, by source.
    pub cases: Vec<usize>,
    /// Misses and extras that there was no room for, by source.
    pub let_go: Vec<u64>,
    /// Samples that there was no room for.
    pub samples_skipped: u64,
}

/// No room for another survey.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{SURVEYS_MAX} are under way already")]
pub struct Full;
