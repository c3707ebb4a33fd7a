//! What the observer itself is doing.

use super::text::Instant;
use super::words::{Finding, Kind, Outcome};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Recomputers, ledger, queues and limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InternalsPage {
    /// Who makes the pages.
    pub recomputers: Vec<Recomputer>,
    /// Queues with their limits.
    pub queues: Vec<Queue>,
    /// The limits in force.
    pub limits: Limits,
    /// What the start found in the data directory.
    pub state: StartState,
    /// What happened at the server.
    pub http: ServerTallies,
    /// Restarts of parts since the start, by part.
    pub restarts: BTreeMap<String, u64>,
    /// The log that nodes share; only there where there are nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub log: Option<SharedLog>,
    /// What judges.
    pub ledger: LedgerState,
    /// Checking the primary's operations by all rules.
    pub validity: Validity,
    /// What only ever grows since the start.
    pub since_start: SinceStart,
    /// What is wrong with keeping data, for people; empty when nothing is.
    pub degraded: Vec<String>,
}

/// One recomputer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Recomputer {
    /// As in the configuration.
    pub name: String,
    /// Time between runs, seconds.
    pub interval_s: f64,
    /// Runs that ended.
    pub runs: u64,
    /// Runs that failed.
    pub failures: u64,
    /// How long the last successful computation took, milliseconds.
    #[schema(required)]
    pub last_compute_ms: Option<f64>,
    /// Since the last success, milliseconds.
    #[schema(required)]
    pub age_ms: Option<i64>,
    /// Bytes of its pages in all encodings.
    pub bytes: u64,
    /// The last failure, until the next success.
    #[schema(required)]
    pub last_error: Option<String>,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// The most that may wait in it.
    pub limit: u64,
    /// Messages of sources that wait for their answer now.
    pub waiting: u64,
}

/// The limits in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// Mirrors.
    pub max_mirrors: u64,
    /// Operations held.
    pub held_ops: u64,
    /// Operations held of one mirror that the primary does not have.
    pub unknown_keys_per_mirror: u64,
    /// Bytes of a frame.
    pub frame_bytes: u64,
    /// DIDs listed on a page of misses.
    pub listed_misses: u64,
    /// Live sockets.
    pub live_sockets: u64,
}

/// What the start found in the data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StartState {
    /// One line for each thing that a person should know.
    pub notes: Vec<String>,
    /// When the totals began anew, where they had to.
    #[schema(required)]
    pub totals_restarted_at: Option<Instant>,
}

/// What happened at the server since the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerTallies {
    /// Answers whose code panicked.
    pub panics: u64,
    /// Live sockets opened by pages of other origins.
    pub foreign_origin_sockets: u64,
    /// Live sockets refused to pages of other origins.
    pub refused_origin_sockets: u64,
    /// Readers of the topic `ops` refused because there were as many as may be.
    pub refused_ops_readers: u64,
}

/// The log that nodes share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SharedLog {
    /// The highest number.
    pub head: i64,
    /// Actions received.
    pub received: u64,
    /// Actions that were too old to be taken.
    pub too_old: u64,
    /// Actions that their sender may not write.
    pub refused: u64,
    /// Actions that came while too many waited for the disk, and whose sender was told so.
    pub busy: u64,
    /// Actions that were let go because there were too many of their kind, or in all.
    pub dropped: u64,
}

/// The ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerState {
    /// Operations held.
    pub held_ops: u64,
    /// Operations held that the primary does not have.
    pub unknown_keys: u64,
    /// Operations that we let go at a bound.
    pub dropped_by_us: u64,
    /// Number of the interval that goes on.
    pub open_interval: u64,
    /// Length of an interval, seconds.
    pub interval_s: i64,
    /// Times at which our reading was late.
    pub late_reader_spans: u64,
}

/// Checking the primary's operations by all rules, since the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Validity {
    /// Checked.
    pub validated: u64,
    /// Let go unchecked.
    pub not_validated: u64,
    /// Of those checked, the ones that break a rule.
    pub invalid: u64,
    /// Waiting now.
    pub queued: u64,
    /// The most that may wait.
    pub queue_limit: u64,
}

/// What only ever grows since the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SinceStart {
    /// Every source, the primary first.
    pub sources: Vec<SourceTally>,
    /// For how long each flag of the observer was up, seconds.
    pub impaired_s: BTreeMap<String, f64>,
    /// By how much the system's clock has moved away from our labels, seconds.
    pub clock_offset_s: f64,
}

/// One source since the start. What is judged is there for mirrors alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SourceTally {
    /// Stable id.
    pub id: String,
    /// Operations that came live.
    pub live_ops: u64,
    /// Operations that came by paging a gap.
    pub filled_ops: u64,
    /// Since when its link is up; `null` while it is not.
    #[schema(required)]
    pub up_since_at: Option<Instant>,
    /// Connections that followed a lost one, by why that was lost.
    pub reconnects_by_reason: BTreeMap<String, u64>,
    /// Samples of its logs by how they ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub samples_by_result: Option<BTreeMap<String, u64>>,
    /// Findings that were let go at a bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub findings_let_go: Option<u64>,
    /// Operations by outcome and kind, with their number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Vec<Vec<serde_json::Value>>>)]
    pub outcomes: Option<Vec<(Outcome, Kind, u64)>>,
    /// Outcomes that gave way to others, with their number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Vec<Vec<serde_json::Value>>>)]
    pub revisions: Option<Vec<(Outcome, Outcome, u64)>>,
    /// Operations by what was found about them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<BTreeMap<String, u64>>)]
    pub confirmations: Option<BTreeMap<Finding, u64>>,
    /// Corrected lag of what came after the primary's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub lag: Option<LagBuckets>,
    /// By how much earlier than the primary's, corrected, what came before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub lead: Option<LagBuckets>,
}

/// A histogram of times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LagBuckets {
    /// Upper bounds, seconds.
    pub le_s: Vec<f64>,
    /// Operations in each bucket and, last, above all bounds.
    pub counts: Vec<u64>,
    /// Sum of the times, seconds.
    pub sum_s: f64,
}
