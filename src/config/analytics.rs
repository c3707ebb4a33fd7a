//! `analytics`: how often each published page is computed anew.

use std::collections::BTreeMap;
use std::time::Duration;

use super::reader::Reader;

/// The recomputers that exist, in the order in which they are shown. Each has a key of its own in
/// `analytics.recomputeIntervalSeconds`.
pub const RECOMPUTERS: [&str; 10] =
    ["overview", "coverage", "lag", "misses", "rtt", "history", "divergence", "propagation", "stats", "vantages"];

/// Built-in intervals of [`RECOMPUTERS`], in seconds and in the same order.
const DEFAULT_INTERVALS_S: [f64; 10] = [1.0, 5.0, 5.0, 10.0, 5.0, 30.0, 5.0, 30.0, 30.0, 10.0];

/// Intervals of the recomputers.
#[derive(Clone, Debug, PartialEq)]
pub struct Analytics {
    /// For a recomputer that has no interval of its own. 0.1–86400 s; default 30 s.
    pub default_interval: Duration,
    /// By name, for each of [`RECOMPUTERS`]. 0.1–86400 s, fractions allowed.
    pub recompute_intervals: BTreeMap<&'static str, Duration>,
}

impl Analytics {
    /// How long the recomputer `name` waits between two runs.
    pub fn interval(&self, name: &str) -> Duration {
        self.recompute_intervals.get(name).copied().unwrap_or(self.default_interval)
    }

    /// Every page ten times a second.
    pub fn for_testing() -> Analytics {
        Analytics { default_interval: Duration::from_millis(100), recompute_intervals: BTreeMap::new() }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Analytics {
        let default_key = "analytics.defaultIntervalSeconds";
        let bounds = 0.1..=86_400.0;
        let is_default_given = r.is_given(default_key);
        let default_s = r.number(default_key, 30.0, bounds.clone());
        let mut recompute_intervals = BTreeMap::new();
        for (name, builtin_s) in RECOMPUTERS.into_iter().zip(DEFAULT_INTERVALS_S) {
            // A default that the user states is meant for every page that the user does not name.
            let fallback_s = if is_default_given { default_s } else { builtin_s };
            let path = format!("analytics.recomputeIntervalSeconds.{name}");
            recompute_intervals.insert(name, r.seconds(&path, fallback_s, bounds.clone()));
        }
        Analytics { default_interval: Duration::from_secs_f64(default_s), recompute_intervals }
    }
}
