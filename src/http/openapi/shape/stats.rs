//! The shape of compare-plc: its field names, bounded.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Every host, and what was found in the latest intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Stats {
    /// Hosts by URL.
    pub mirrors: BTreeMap<String, StatsHost>,
    /// The latest intervals, imported ones first.
    pub snapshots: Vec<Snapshot>,
    /// Whether older ones are not listed.
    pub truncated: bool,
}

/// One host in the last hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatsHost {
    /// Name for people.
    pub name: String,
    /// Where it is connected to.
    pub url: String,
    /// Whether it is the source of truth.
    pub is_primary: bool,
    /// Whether its link is up.
    pub connected: bool,
    /// Distinct operations received.
    pub total_events: u64,
    /// Operations of the window that it has.
    pub ops_in_window: u64,
    /// Operations of the window at the primary.
    pub primary_ops: u64,
    /// Operations of the window that it misses.
    pub missed: u64,
    /// Share of the decided operations that it has, 0–1.
    #[schema(required)]
    pub coverage: Option<f64>,
    /// Its lag.
    #[schema(required)]
    pub lag_stats: Option<LagStats>,
    /// The round trip, milliseconds.
    #[schema(required)]
    pub rtt_ms: Option<f64>,
    /// What is taken off the lag, milliseconds.
    #[schema(required)]
    pub correction_ms: Option<f64>,
}

/// Lag, milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LagStats {
    /// Median.
    #[schema(required)]
    pub p50: Option<f64>,
    /// 95th percentile.
    #[schema(required)]
    pub p95: Option<f64>,
    /// 99th percentile.
    #[schema(required)]
    pub p99: Option<f64>,
    /// Mean.
    pub mean: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Pairs.
    pub n: u64,
}

/// One interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Snapshot {
    /// Its end, milliseconds since 1970.
    pub ts: i64,
    /// Mirrors by URL. Our own have the members below; imported ones have those that they were kept with.
    #[schema(value_type = BTreeMap<String, SnapshotMirror>)]
    pub mirrors: BTreeMap<String, serde_json::Value>,
}

/// One mirror in one interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotMirror {
    /// Share of the decided operations that it has, 0–1.
    #[schema(required)]
    pub coverage: Option<f64>,
    /// Operations that it misses.
    pub missed: u64,
    /// Operations that it has.
    pub ops: u64,
    /// Operations at the primary.
    pub primary_ops: u64,
    /// CIDs of those that it misses by DID, bounded.
    pub missed_cids: BTreeMap<String, Vec<String>>,
    /// CIDs of those that only it has by DID, bounded.
    pub extra_cids: BTreeMap<String, Vec<String>>,
    /// CIDs of those that came late by DID, bounded.
    pub late_cids: BTreeMap<String, Vec<String>>,
    /// Whether not all that it misses are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub truncated: Option<bool>,
}
