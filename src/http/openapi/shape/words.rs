//! The closed lists of words. New words may be added to each: whoever reads them must bear a word that it does not know.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Declares a list of words, each with what it means.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$meaning:meta])* $word:ident),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$meaning])* $word),+ }

        impl $name {
            /// Every word.
            pub const ALL: &[$name] = &[$($name::$word),+];
        }
    };
}
pub(super) use words;

words! {
    /// How an operation stands at a host. New words may be added.
    Outcome {
        /// From before the mirror was observed.
        NotEligible,
        /// Not decided yet.
        Pending,
        /// Both arrivals live, within the on-time limit.
        OnTime,
        /// Both arrivals live, later than the on-time limit.
        Late,
        /// Delivered, but when is not known.
        Present,
        /// Not delivered although everything that the mirror published reached us.
        Missed,
        /// Not delivered as far as we know, and we were not looking all the time.
        Unknown,
        /// The primary's log no longer lists it.
        Withdrawn,
        /// It breaks the rules and the mirror refused it.
        Disputed,
        /// Only the mirror has it, and the primary's may still come.
        ExtraPending,
        /// Only the mirror has it.
        Extra,
        /// Only the mirror has it as far as we know.
        ExtraUnknown,
        /// Only the mirror has it, for a reason that is no fault.
        ExtraExplained,
        /// The host did not deliver it.
        NotDelivered,
        /// The primary published it.
        Published,
        /// The primary did not publish it.
        NotPublished,
    }
}

words! {
    /// What an operation does. New words may be added.
    Kind {
        /// The first of a DID.
        Genesis,
        /// A change.
        Update,
        /// The end of a DID.
        Tombstone,
        /// The first of a DID in its old form.
        LegacyCreate,
    }
}

words! {
    /// What was found about an operation. New words may be added.
    Finding {
        /// The mirror's log lists it: only its stream lost it.
        StreamLoss,
        /// The mirror knows the DID and not the operation.
        DataLoss,
        /// The mirror does not know the DID.
        DidUnknown,
        /// The host that would know gave no usable answer.
        Unverifiable,
        /// The primary's log lists it, its stream did not send it.
        PrimaryStreamGap,
        /// The primary lists it as nullified.
        Nullified,
        /// The primary does not list it any more.
        Withdrawn,
        /// It breaks the rules, and the primary rightly does not list it.
        KnownInvalid,
        /// The primary's log does not list it, though it keeps the rules.
        PrimaryDenies,
        /// The claimed CID is not that of the content.
        Corrupt,
        /// A known CID under another DID or with another `createdAt`.
        Altered,
        /// It came before the one that it names as `prev`.
        OrderViolation,
        /// Two contents under one number or one `prev`.
        Equivocation,
        /// Delivered live more than once.
        Duplicate,
        /// The source's own numbers went back.
        SeqRegress,
    }
}

words! {
    /// Why an operation is unknown. New words may be added.
    UnknownReason {
        /// The mirror's link was down and no fill closed the gap.
        LinkDown,
        /// The primary's link was down and no fill closed the gap.
        PrimaryDown,
        /// The observer was not running.
        SelfDown,
        /// Let go for lack of room before it was decided.
        Evicted,
        /// Something of this source was let go at a bound.
        DroppedByUs,
        /// The primary's operations of that time are not complete.
        NoRange,
        /// The primary's `/export` could not be asked.
        NoChain,
        /// From before the oldest time that is held.
        TooOld,
        /// The mirror, asked about this DID, answered nothing.
        Unanswered,
    }
}

words! {
    /// Why a value is `null`. New words may be added.
    NullReason {
        /// Nothing was measured.
        NoData,
        /// It was before this observer was first started.
        BeforeFirstStart,
        /// It is older than what is kept.
        Retention,
        /// Too few samples for this percentile.
        LowN,
        /// The percentile lies among the operations that never came.
        Loss,
        /// The link does not reach the present.
        LinkDown,
        /// No round trip was measured.
        NoRtt,
        /// It was not delivered.
        NotDelivered,
        /// It was not published.
        NotPublished,
        /// It was not watched yet.
        NotWatchedYet,
        /// It goes on.
        StillOpen,
        /// Nothing could be said of it at the end.
        Interrupted,
        /// Nothing was decided.
        NoDecidedOps,
        /// There are no mirrors, or none whose figures could be told.
        NoMirrors,
        /// The observer cannot be believed now.
        ObserverImpaired,
        /// Too little was seen yet.
        WarmingUp,
        /// No mirror is well.
        NoMirrorIsWell,
        /// No mirror that is well is known to serve the purpose.
        NoMirrorServesIt,
    }
}

words! {
    /// How urgent an alarm about a budget is. New words may be added.
    SloAlarm {
        /// None goes off.
        None,
        /// To be looked at within days.
        Ticket,
        /// To be looked at now.
        Page,
    }
}

words! {
    /// Whether a mirror can be used. New words may be added.
    Readiness {
        /// Every criterion holds.
        Ready,
        /// A criterion fails.
        NotReady,
        /// None fails, and some cannot be told.
        Unknown,
    }
}

words! {
    /// How a criterion stands. New words may be added.
    CriterionStatus {
        /// It holds.
        Pass,
        /// It does not.
        Fail,
        /// It cannot be told.
        Unknown,
    }
}

words! {
    /// How an incident stands. New words may be added.
    IncidentPhase {
        /// The mirror is in a bad state.
        Open,
        /// It was when it could last be told.
        Interrupted,
        /// It is over.
        Ended,
    }
}

words! {
    /// How an operation reached us. New words may be added.
    Delivery {
        /// On the live stream: the instant means something.
        Live,
        /// By paging a gap afterwards.
        Filled,
    }
}

words! {
    /// How a connection stands. New words may be added.
    LinkState {
        /// Not started, or stopped.
        Disconnected,
        /// Between two attempts.
        Waiting,
        /// Resolving, connecting, shaking hands.
        Connecting,
        /// Open, and the gap before it is being filled.
        CatchingUp,
        /// Open, and nothing is missing before it.
        Synchronized,
        /// The source offers no stream.
        Unsupported,
    }
}

words! {
    /// How a mirror does, the worst that holds. New words may be added.
    MirrorState {
        /// It contradicts the primary or itself.
        Diverged,
        /// It loses operations.
        Losing,
        /// It owes operations and sends none.
        Stalled,
        /// Its link is down.
        Disconnected,
        /// It sends more unknown operations than are taken.
        Throttled,
        /// It is far behind.
        Lagging,
        /// It serves operations in no way that is known.
        Unsupported,
        /// Nothing can be told now.
        Unknown,
        /// Well.
        Ok,
    }
}

words! {
    /// Whether the observer can be believed now. New words may be added.
    ObserverState {
        /// The primary was not observed yet.
        WarmingUp,
        /// It can.
        Ok,
        /// Figures of now are not to be trusted; see the flags.
        Impaired,
    }
}

words! {
    /// What impairs the observer. New words may be added.
    ObserverFlag {
        /// Our own reading is late.
        LateReader,
        /// The primary is not observed.
        PrimaryDown,
        /// Nearly every source is out of reach.
        NetDown,
        /// The primary's operations come later than usual.
        PrimaryDelay,
    }
}

words! {
    /// How settled a window's figures are. New words may be added.
    WindowStatus {
        /// Operations of the window are still being judged.
        Provisional,
        /// Everything is judged.
        Final,
        /// Judged, and changed afterwards by late evidence.
        Revised,
    }
}

words! {
    /// How settled an interval is. New words may be added.
    IntervalStatus {
        /// It goes on.
        Open,
        /// Over, and some of its operations are not decided.
        Settling,
        /// Everything is judged and kept.
        Final,
        /// Judged, and changed afterwards by late evidence.
        Revised,
    }
}

words! {
    /// What a host is. New words may be added.
    Role {
        /// The source of truth.
        Primary,
        /// One of those that are judged.
        Mirror,
    }
}

words! {
    /// Who ended a session. New words may be added.
    EndedBy {
        /// The source closed it.
        Source,
        /// The network lost it.
        Link,
        /// The observer ended.
        Observer,
    }
}

words! {
    /// What a host answered when it was asked for a DID's log. New words may be added.
    LogStanding {
        /// A log.
        Log,
        /// A log that contradicts itself.
        Damaged,
        /// It does not know the DID.
        Unknown,
        /// It knows that the DID is no more.
        Gone,
        /// Something that is no log.
        Unusable,
        /// Nothing.
        NoAnswer,
    }
}

words! {
    /// How a mirror's log of a DID stands to the primary's. New words may be added.
    LogAgreement {
        /// The same.
        Same,
        /// The begin of the primary's.
        Behind,
        /// The same operations in another order.
        SameSetOtherOrder,
        /// The same operations, others of them nullified.
        NullifiedDiffers,
        /// It lists what the primary's does not.
        Fork,
        /// It contradicts itself.
        Invalid,
    }
}

words! {
    /// Why all hosts were asked. New words may be added.
    AskedAs {
        /// As a sample.
        Sample,
        /// On request.
        Request,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::view::ops::Outcome as Judged;
    use crate::domain::{audit_log, confirm, finding, link, mirror_state, op, verdict};

    fn words<T: Serialize>(all: &[T]) -> Vec<String> {
        all.iter().map(|word| serde_json::to_value(word).unwrap().as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_words_are_those_that_are_used() {
        assert_eq!(words(Kind::ALL), op::Kind::ALL.map(op::Kind::name));
        assert_eq!(words(Finding::ALL), finding::Finding::ALL.map(finding::Finding::name));
        assert_eq!(words(LogAgreement::ALL), audit_log::LogAgreement::ALL.map(audit_log::LogAgreement::name));
        let mut outcomes: Vec<String> = Judged::all().map(|o| o.name().to_owned()).collect();
        outcomes.extend(["not_delivered", "published", "not_published"].map(str::to_owned));
        let mut listed = words(Outcome::ALL);
        outcomes.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, outcomes);
        let reasons = (1..10).map(|n| verdict::Reason::from_number(n).name());
        assert_eq!(words(UnknownReason::ALL), reasons.collect::<Vec<_>>());
        let mut flags = words(ObserverFlag::ALL);
        let mut used = crate::domain::impair::Watching::FLAGS.map(str::to_owned);
        flags.sort_unstable();
        used.sort_unstable();
        assert_eq!(flags, used);
    }

    #[test]
    fn states_are_those_of_links_mirrors_and_logs() {
        use confirm::Standing as S;
        use link::LinkState as L;
        let links = [L::Disconnected, L::Waiting, L::Connecting, L::CatchingUp, L::Synchronized, L::Unsupported];
        assert_eq!(words(LinkState::ALL), words(&links));
        assert_eq!(words(MirrorState::ALL), mirror_state::State::ALL.map(mirror_state::State::name));
        let standings = [S::Log, S::Damaged, S::Unknown, S::Gone, S::Unusable, S::NoAnswer];
        assert_eq!(words(LogStanding::ALL), standings.map(S::name));
    }
}
