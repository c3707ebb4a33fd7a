//! The overview: one sentence, the observer, the primary, every mirror worst first.

use super::best::Purposes;
use super::coverage::{Coverage, Wilson95};
use super::lag::Lag;
use super::misses::OpenMisses;
use super::source::{Primary, Source};
use super::text::Instant;
use super::words::{MirrorState, NullReason, ObserverFlag, ObserverState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The first page that a person sees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// How things stand, in one sentence.
    pub headline: String,
    /// Whether the observer can be believed.
    pub observer: Observer,
    /// The source of truth.
    pub primary: Primary,
    /// Every mirror, worst first.
    pub mirrors: Vec<MirrorRow>,
}

/// The observer itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Observer {
    /// Whether it can be believed now.
    pub state: ObserverState,
    /// What impairs it.
    pub flags: Vec<ObserverFlag>,
    /// Since when it is so.
    pub since_at: Instant,
    /// When it was started.
    pub started_at: Instant,
    /// What is wrong with keeping data, for people; empty when nothing is.
    pub degraded: Vec<String>,
    /// When the totals began anew, where they had to.
    #[schema(required)]
    pub totals_restarted_at: Option<Instant>,
}

/// One mirror.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MirrorRow {
    /// Who it is and what came from it.
    #[serde(flatten)]
    pub source: Source,
    /// Coverage of 6 h.
    pub coverage: Coverage,
    /// Lag of 1 h.
    pub lag: Lag,
    /// How far behind it is now.
    pub freshness: Freshness,
    /// DIDs with an open miss.
    pub dids_affected: u64,
    /// Operations that it misses now.
    pub open_misses: u64,
    /// The open misses by what is found about them.
    pub misses: OpenMisses,
    /// What was wrong with the content and the order of what it sent.
    pub content: ContentCounts,
    /// Samples of whole logs, last 24 h.
    pub samples: Samples,
    /// How fast it is read.
    pub throttle: Throttle,
    /// Whether it is the one that is recommended to those who read the stream.
    pub is_recommended: bool,
    /// Whether it could be recommended, by what for, and how it answers.
    pub purposes: Purposes,
    /// How it does.
    pub state: MirrorState,
    /// Since when it does so.
    pub since_at: Instant,
    /// Why, in one line.
    pub headline: String,
}

/// How far behind the primary's newest operation a mirror is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Freshness {
    /// Operations newer than the newest one that it has.
    #[schema(required)]
    pub head_lag_ops: Option<u64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub head_lag_ops_reason: Option<NullReason>,
    /// Age of the first of them, seconds.
    #[schema(required)]
    pub head_age_s: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub head_age_s_reason: Option<NullReason>,
}

/// How fast a mirror is read, and what that came to since the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Throttle {
    /// Whether it is read no faster now.
    pub is_throttled: bool,
    /// Since when.
    #[schema(required)]
    pub since_at: Option<Instant>,
    /// How often it was.
    pub times: u64,
    /// For how long in all, seconds.
    pub paused_s: f64,
    /// Operations that the primary does not know.
    pub foreign_ops: u64,
}

/// What was wrong with the content and the order of what a source sent, how often each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContentCounts {
    /// The claimed CID was not that of the content.
    pub corrupt: u64,
    /// Another DID or `createdAt`.
    pub altered: u64,
    /// Before its `prev`.
    pub order_violation: u64,
    /// Two contents under one number or one `prev`.
    pub equivocation: u64,
    /// Live more than once.
    pub duplicate: u64,
    /// Its own numbers went back.
    pub seq_regress: u64,
}

/// What samples of whole logs say about a mirror: logs of DIDs that published lately, as far back as operations are held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Samples {
    /// Logs that are the primary's / logs that were compared.
    #[schema(required, minimum = 0, maximum = 1)]
    pub sample_agreement_ratio: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sample_agreement_ratio_reason: Option<NullReason>,
    /// Where the share lies with 95 % confidence.
    #[serde(flatten)]
    pub interval: Wilson95,
    /// Logs that were compared.
    pub judged: u64,
    /// The same by how they stand to the primary's.
    pub by_agreement: AgreementCounts,
    /// Samples that the mirror did not answer.
    pub unanswered: u64,
    /// Samples that were not settled.
    pub unsettled: u64,
}

/// Logs by how they stand to the primary's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgreementCounts {
    /// The same.
    pub same: u64,
    /// The same operations in another order.
    pub same_set_other_order: u64,
    /// The same operations, others of them nullified.
    pub nullified_differs: u64,
    /// The begin of the primary's.
    pub behind: u64,
    /// With operations that the primary's does not list.
    pub fork: u64,
    /// In contradiction with themselves.
    pub invalid: u64,
}
