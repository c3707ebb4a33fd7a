//! Which mirror to use.

use super::text::Instant;
use super::words::{NullReason, words};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// What an app wants of a mirror. New words may be added.
    Purpose {
        /// To read all operations as they come.
        Stream,
        /// To look up single DIDs.
        Resolve,
    }
}

/// The mirror that is recommended, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BestPage {
    /// What for.
    pub purpose: Purpose,
    /// For which region; `null` for wherever this observer is.
    #[schema(required)]
    pub region: Option<String>,
    /// The vantages of the region that had a say; none where no region was asked for.
    pub vantages: Vec<String>,
    /// The mirror; never one that is not well, and none while the observer cannot be believed.
    #[schema(required)]
    pub mirror: Option<RecommendedMirror>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub mirror_reason: Option<NullReason>,
    /// Since when it is recommended.
    #[schema(required)]
    pub since_at: Option<Instant>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub since_at_reason: Option<NullReason>,
    /// What speaks for it, or why there is none, in one sentence.
    pub why: String,
    /// Why it was chosen then, in one sentence: the reason why the one before was left, where there was one.
    #[schema(required)]
    pub chosen_because: Option<String>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub chosen_because_reason: Option<NullReason>,
    /// 3 for each of its probes that failed, one less for each good one since; 30 at most.
    #[schema(required)]
    pub failures: Option<u32>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failures_reason: Option<NullReason>,
    /// Mean of its last 20 latencies, which it is chosen by.
    #[schema(required)]
    pub rtt_ms: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rtt_ms_reason: Option<NullReason>,
    /// Their median.
    #[schema(required)]
    pub rtt_median_ms: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rtt_median_ms_reason: Option<NullReason>,
    /// How late its operations come.
    #[schema(required)]
    pub lag: Option<RecommendedLag>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub lag_reason: Option<NullReason>,
    /// From when on it may be left for another that is much faster; where it cannot be used any more it is left at once.
    #[schema(required)]
    pub next_review_at: Option<Instant>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_review_at_reason: Option<NullReason>,
    /// The other mirrors, best first.
    pub alternatives: Vec<Alternative>,
    /// Every mirror, the recommended one first, then the best.
    pub candidates: Vec<RecommendationCandidate>,
}

/// Who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecommendedMirror {
    /// Stable id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Where it is connected to.
    pub url: String,
}

/// The corrected lag of one hour; of a region the worst of its vantages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecommendedLag {
    /// 95 % stay below it.
    #[schema(required)]
    pub p95_ms: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub p95_ms_reason: Option<NullReason>,
    /// How far that may be off.
    #[schema(required)]
    pub uncertainty_ms: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub uncertainty_ms_reason: Option<NullReason>,
}

/// How a mirror answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProbeFigures {
    /// 3 for each probe that failed, one less for each good one since; 30 at most.
    pub failures: u32,
    /// Latencies that mean and median are of, 20 at most.
    pub samples: u32,
    /// Probes that counted for nothing, because what came of them may have been the observer's doing.
    pub left_out: u64,
    /// Mean of the last 20 latencies.
    #[schema(required)]
    pub rtt_ms: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rtt_ms_reason: Option<NullReason>,
    /// Their median.
    #[schema(required)]
    pub rtt_median_ms: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rtt_median_ms_reason: Option<NullReason>,
}

/// Another mirror.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alternative {
    /// Who it is.
    #[serde(flatten)]
    pub mirror: RecommendedMirror,
    /// Whether it could be recommended.
    pub is_eligible: bool,
    /// What speaks for it or against it, in one sentence.
    pub why: String,
    /// How it answers.
    #[serde(flatten)]
    pub figures: ProbeFigures,
    /// How late its operations come.
    pub lag: RecommendedLag,
}

/// What is said of one mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecommendationCandidate {
    /// Stable id.
    pub id: String,
    /// Whether it could be recommended.
    pub is_eligible: bool,
    /// What speaks for it or against it, in one sentence.
    pub why: String,
}

/// A mirror by what it is wanted for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Purposes {
    /// By those who read all operations as they come.
    pub stream: Usable,
    /// By those who look up single DIDs.
    pub resolve: Usable,
}

/// Whether a mirror can be used, and how it answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Usable {
    /// Whether it could be recommended.
    pub is_eligible: bool,
    /// How it answers.
    #[serde(flatten)]
    pub figures: ProbeFigures,
}
