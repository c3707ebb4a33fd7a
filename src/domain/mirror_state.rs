//! The state of a mirror: one word for how it does now, since when, and why.
//!
//! A pure state machine over what was seen: [`Machine::step`] takes [`Facts`] about once a second and tells a [`Change`].
//! Every state has one condition to enter and another to leave, so that noise at a threshold does not make it flap, and only
//! what is proved speaks: while the observer or the primary is impaired, or the mirror's link is down, nothing is held
//! against it. Of the states that hold the worst is shown.

mod latch;
mod machine;
#[cfg(test)]
mod property;
mod words;

pub use machine::{Machine, Resumed};

use super::audit_log::LogAgreement;
use super::finding::Finding;
use super::time::{SECOND, Tau};
use serde::{Deserialize, Serialize};

/// Age of the first operation that is owed beyond which a mirror is lagging.
pub const LAGGING_NS: i64 = 30 * SECOND;
/// For how long it is older than that before the mirror is called so.
pub const LAGGING_FOR_NS: i64 = 10 * SECOND;
/// Age below which it is not lagging any more.
pub const CAUGHT_UP_NS: i64 = 10 * SECOND;
/// For how long it is younger than that before the mirror is called so.
pub const CAUGHT_UP_FOR_NS: i64 = 15 * SECOND;
/// The shortest silence of a mirror that owes operations that is called a stall.
pub const STALLED_NS: i64 = 60 * SECOND;
/// Operations that the primary sends in its usual time that a stall lasts at least.
pub const STALLED_OPS: f64 = 20.0;
/// Operations that the primary must have sent in that silence.
pub const STALLED_SENT: u64 = 5;
/// Open misses below which a mirror is not losing.
pub const LOSING_MISSES: u64 = 3;
/// Share of the operations of 15 minutes above which a mirror with so many is losing.
pub const LOSING_RATIO: f64 = 0.001;
/// Watched time without another miss after which it is not losing any more.
pub const LOSING_OVER_NS: i64 = 900 * SECOND;
/// How long a finding about content counts.
pub const DIVERGED_NS: i64 = 86_400 * SECOND;
/// For how long a link is up, or the observer unimpaired, before anything is said again.
pub const RECOVERED_NS: i64 = 5 * SECOND;

/// The state of a mirror, in the order from worst to best. Which is shown goes by this order too, but that what depends on the link
/// and on the observer comes first: unsupported, unknown because one of those is impaired, disconnected.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// What it serves was found to differ from what it claims or from the primary, within a day.
    Diverged,
    /// It misses operations: [`LOSING_MISSES`] open, and more than [`LOSING_RATIO`] of the last 15 minutes.
    Losing,
    /// It owes operations and sends nothing, while the primary does.
    Stalled,
    /// Its link is down.
    Disconnected,
    /// It sends more that the primary does not know than is taken.
    Throttled,
    /// The first operation that it owes is older than [`LAGGING_NS`].
    Lagging,
    /// It offers nothing to take operations from.
    Unsupported,
    /// It cannot be told now.
    #[default]
    Unknown,
    /// Nothing of the above.
    Ok,
}

impl State {
    /// Every state, worst first.
    pub const ALL: [State; 9] = [
        State::Diverged,
        State::Losing,
        State::Stalled,
        State::Disconnected,
        State::Throttled,
        State::Lagging,
        State::Unsupported,
        State::Unknown,
        State::Ok,
    ];

    /// The word in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::Diverged => "diverged",
            State::Losing => "losing",
            State::Stalled => "stalled",
            State::Disconnected => "disconnected",
            State::Throttled => "throttled",
            State::Lagging => "lagging",
            State::Unsupported => "unsupported",
            State::Unknown => "unknown",
            State::Ok => "ok",
        }
    }

    /// Whether the state is held against the mirror, and so needs an observer and a primary that can be believed.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(
            self,
            State::Diverged | State::Losing | State::Stalled | State::Disconnected | State::Throttled | State::Lagging
        )
    }
}

/// Why nothing can be said about any mirror.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Impaired {
    /// The primary's link is down, or the gap that it left is not filled.
    PrimaryDown,
    /// Nearly every link is down, the primary's too.
    NetDown,
    /// We do not read as fast as we should.
    LateReader,
}

/// How the link to a mirror stands, as far as its state is concerned.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum LinkFact {
    /// Never up and never failed since the start.
    #[default]
    New,
    /// Down.
    Down,
    /// Down, and what failed last is a fault of ours.
    Ours,
    /// Up.
    Up,
    /// The mirror offers nothing to connect to.
    Unsupported,
}

/// What was found about content that makes a mirror [`State::Diverged`].
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Divergence {
    /// About one operation that it sent.
    Content(Finding),
    /// About a log that it served.
    Log(LogAgreement),
}

/// What the ledger says of a mirror.
#[derive(Copy, Clone, PartialEq, Debug, Default)]
pub struct Seen {
    /// Whether its window reaches now, without a gap that waits for its fill.
    pub is_proved: bool,
    /// Operations that it owes: newer than the newest it has, and published while it was watched.
    pub owed_ops: u64,
    /// Since when it owes the first of them.
    pub owed_since: Option<Tau>,
    /// Distinct operations that it delivered.
    pub received: u64,
    /// Distinct operations that the primary delivered.
    pub primary_sent: u64,
    /// Operations a second of the primary over the last minute.
    pub primary_rate_per_s: Option<f64>,
    /// Misses that were not healed.
    pub open_misses: u64,
    /// Decided operations of the last 15 minutes.
    pub decided: u64,
    /// Missed ones of them.
    pub missed: u64,
    /// Whether anything was ever decided.
    pub is_judged: bool,
    /// The newest finding about content, and when it was made.
    pub divergence: Option<(Divergence, Tau)>,
}

/// What the state of a mirror follows from.
#[derive(Copy, Clone, PartialEq, Debug, Default)]
pub struct Facts {
    /// Now.
    pub now: Tau,
    /// Why nothing can be said about any mirror.
    pub impaired: Option<Impaired>,
    /// Whether the primary's operations come later than usual, so that nothing is said about time.
    pub is_primary_delayed: bool,
    /// Its link.
    pub link: LinkFact,
    /// Whether we read it slower than it sends.
    pub is_throttled: bool,
    /// What the ledger says.
    pub seen: Seen,
}

/// A state that was shown gave way to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// What was shown.
    pub from: State,
    /// What is shown now.
    pub to: State,
    /// One sentence.
    pub why: String,
}

/// What is shown of a mirror.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// Its state.
    pub state: State,
    /// Since when.
    pub since: Tau,
    /// One sentence about now.
    pub why: String,
}
