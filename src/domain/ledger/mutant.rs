//! Deliberately broken engines, for measuring the property tests: each must be caught by them.
//!
//! Outside tests there is no mutant and [`Ledger::is_mutant`] is a constant that the compiler removes.

use super::Ledger;

/// One way of being wrong; the names say what is left out or mixed up.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(in crate::domain) enum Mutant {
    NoWindows,
    NoGrace,
    EdgeCut,
    DecidedBeforeProved,
    ZeroGraceAfterFill,
    IgnorePrimaryWindow,
    KeysDroppedEarly,
    StalledPrimaryIsSilence,
    ChainsListAll,
    LaggingAfterHole,
    FilledIsLive,
    FrozenSpanCounts,
    QueuedIsLive,
    WallClockLag,
    NoPeerReset,
    CountBeforeDedupe,
    Clamp,
    AlwaysUnknown,
    FlagVoidsTooMuch,
    WallClockVerdict,
    OrderLeaks,
    SharedDenominators,
    SharedCaps,
    FlagsOfOthers,
    DropBlamesMirror,
    UnboundedKeys,
    DuplicateCountsAgain,
    RepeatIsNews,
    ForbiddenEdge,
    FinalBeforeCommit,
    EveryFlagBlocksMissed,
    UncountedWithdrawal,
    DisputeBlamesDeliverers,
    DisputeForgotten,
    SharedFindings,
    OrderAcrossLinks,
}

impl Ledger {
    /// Whether this engine is broken in this way on purpose.
    #[cfg(test)]
    pub(in crate::domain) fn is_mutant(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Whether this engine is broken in this way on purpose: never.
    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "the same call as in tests, where it depends on the engine")]
    #[inline]
    pub(in crate::domain) const fn is_mutant(&self, _: Mutant) -> bool {
        false
    }
}
