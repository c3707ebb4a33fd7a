//! `audit`: how eagerly hosts are asked for the history of a DID.

use super::reader::Reader;

/// Requests about single DIDs: `/{did}/log/audit` and `/{did}/log/last`.
#[derive(Clone, Debug, PartialEq)]
pub struct Audit {
    /// Requests to one host per second, at most. 0.01–10; default 1.
    pub requests_per_second: f64,
    /// DIDs, of those with operations that are held, whose history is compared at every mirror without a suspicion, per
    /// minute. 0–60; default 1.
    pub sample_per_minute: u32,
    /// Whether a visitor may have every host asked about a DID. Default false.
    pub allow_recheck: bool,
}

impl Audit {
    /// As many requests as the bounds allow, and no samples.
    pub fn for_testing() -> Audit {
        Audit { requests_per_second: 10.0, sample_per_minute: 0, allow_recheck: false }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Audit {
        Audit {
            requests_per_second: r.number("audit.requestsPerSecond", 1.0, 0.01..=10.0),
            sample_per_minute: r.integer("audit.samplePerMinute", 1, 0..=60) as u32,
            allow_recheck: r.boolean("audit.allowRecheck", false),
        }
    }
}
