//! `rtt`: how the distance to each source is measured.

use std::time::Duration;

use super::reader::Reader;

/// The TCP connect pings.
#[derive(Clone, Debug, PartialEq)]
pub struct Rtt {
    /// Time between two pings of a source. 1–300 s; default 5 s.
    pub interval: Duration,
    /// When a connect attempt is given up. 0.1–30 s; default 3 s.
    pub timeout: Duration,
}

impl Rtt {
    /// Frequent pings with a short limit, for loopback.
    pub fn for_testing() -> Rtt {
        Rtt { interval: Duration::from_secs(1), timeout: Duration::from_millis(500) }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Rtt {
        Rtt {
            interval: r.seconds("rtt.intervalSeconds", 5.0, 1.0..=300.0),
            timeout: r.seconds("rtt.timeoutSeconds", 3.0, 0.1..=30.0),
        }
    }
}
