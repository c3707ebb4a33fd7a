//! What really happened in a simulated world, for comparison with what was measured.
//!
//! Everything is counted by the operation's publication: what became of it at a mirror is decided then, also where it
//! appears later. Bounded: the newest operations only.

use super::behaviour::Alteration;
use super::server::{Fate, Outcome};
use crate::domain::finding::Finding;
use crate::domain::verdict::Verdict;
use serde::Serialize;
use std::collections::VecDeque;
use std::time::Duration;

/// Operations remembered: seven hours at 20 a second.
const MAX_OPERATIONS: usize = 500_000;

/// The truth about one span of a simulated world.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Truth {
    /// Operations that the primary published.
    pub published: u64,
    /// One element for each mirror, in the order of the world.
    pub mirrors: Vec<MirrorTruth>,
}

/// What one mirror did with the operations of a span.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct MirrorTruth {
    /// Its name.
    pub name: String,
    /// Its address, `ws://…`.
    pub url: String,
    /// Appeared within the on-time limit, also with another `createdAt`.
    pub delivered_on_time: u64,
    /// Appeared later than that.
    pub delivered_late: u64,
    /// Never appeared.
    pub dropped: u64,
    /// Appeared with other content under the same CID only, which is no delivery.
    pub altered_content: u64,
    /// Appeared under another DID only, which is no delivery.
    pub altered_did: u64,
    /// Appeared with another `createdAt`; these are among the delivered.
    pub altered_created_at: u64,
    /// Never appeared because one that they follow never did.
    pub refused: u64,
    /// On no stream, though everything else shows them.
    pub unstreamed: u64,
    /// Appeared only after the one that follows them.
    pub overtaken: u64,
    /// Appeared though the primary never had them.
    pub invented: u64,
    /// Other operations that streams carried under a number that was taken.
    pub rivals: u64,
    /// Median of the time from publication to appearance, over everything that appeared lately, in milliseconds.
    pub lag_p50_ms: Option<f64>,
}

impl MirrorTruth {
    /// Operations that this mirror's stream never delivered: what an observer must find missed.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.dropped + self.refused + self.unstreamed + self.altered_content + self.altered_did
    }
}

/// What an observer must come to about one operation of the primary at one mirror.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Expected {
    /// The verdict, once the grace is past.
    pub verdict: Verdict,
    /// What asking the mirror explains it with.
    pub explained: Option<Finding>,
    /// Whether it is a follower in a chain, and no root.
    pub follows: bool,
    /// What is found about content or order.
    pub content: Option<Finding>,
}

impl Fate {
    /// What must be found about the operation itself, when everything that the mirror sent was observed: `on_time` is the
    /// limit, and `knows_did` says whether the mirror shows another operation of the DID.
    #[must_use]
    pub fn expected(&self, on_time: Duration, knows_did: bool) -> Expected {
        let lost = if knows_did { Finding::DataLoss } else { Finding::DidUnknown };
        let delivered = |delay: Duration| if delay <= on_time { Verdict::OnTime } else { Verdict::Late };
        let (verdict, explained, content) = match self.outcome {
            Outcome::Delivered(delay) => (delivered(delay), None, None),
            Outcome::Altered(Alteration::CreatedAt, delay) => (delivered(delay), None, Some(Finding::Altered)),
            Outcome::Altered(Alteration::Content, _) => (Verdict::Missed, Some(lost), Some(Finding::Corrupt)),
            Outcome::Altered(Alteration::Did, _) => (Verdict::Missed, Some(lost), Some(Finding::Altered)),
            Outcome::Dropped | Outcome::Refused => (Verdict::Missed, Some(lost), None),
            Outcome::Unstreamed(_) => (Verdict::Missed, Some(Finding::StreamLoss), None),
            Outcome::Overtaken => (Verdict::OnTime, None, Some(Finding::OrderViolation)),
        };
        let content = content.or(self.rival.map(|_| Finding::Equivocation));
        Expected { verdict, explained, follows: self.outcome == Outcome::Refused, content }
    }
}

/// What became of one operation at one mirror.
#[derive(Copy, Clone)]
struct Mark {
    outcome: Outcome,
    invented: bool,
    rival: bool,
}

/// Keeps what became of the newest operations at each mirror.
pub(super) struct Journal {
    on_time: Duration,
    operations: VecDeque<(i64, Box<[Mark]>)>,
}

impl Journal {
    pub(super) fn new(on_time: Duration) -> Journal {
        Journal { on_time, operations: VecDeque::new() }
    }

    pub(super) fn note(&mut self, created_ms: i64, fates: &[Fate]) {
        if self.operations.len() >= MAX_OPERATIONS {
            self.operations.pop_front();
        }
        let marks = fates.iter().map(|fate| Mark {
            outcome: fate.outcome,
            invented: fate.invented.is_some(),
            rival: fate.rival.is_some(),
        });
        self.operations.push_back((created_ms, marks.collect()));
    }

    /// `createdAt` from which on no operation has been let go.
    pub(super) fn remembered_from_ms(&self) -> Option<i64> {
        let (oldest_ms, _) = self.operations.front()?;
        // Others of the same millisecond may be gone.
        Some(oldest_ms + i64::from(self.operations.len() >= MAX_OPERATIONS))
    }

    /// Counts the operations with `from_ms ≤ createdAt < to_ms` into `mirrors`, which have their names already.
    pub(super) fn count(&self, from_ms: i64, to_ms: i64, mut mirrors: Vec<MirrorTruth>) -> Truth {
        let mut published = 0;
        for (_, marks) in self.operations.iter().filter(|(created, _)| (from_ms..to_ms).contains(created)) {
            published += 1;
            for (mirror, mark) in mirrors.iter_mut().zip(marks) {
                mirror.add(*mark, self.on_time);
            }
        }
        Truth { published, mirrors }
    }
}

impl MirrorTruth {
    fn add(&mut self, mark: Mark, on_time: Duration) {
        self.invented += u64::from(mark.invented);
        self.rivals += u64::from(mark.rival);
        let delivered = match mark.outcome {
            Outcome::Delivered(delay) => Some(delay),
            Outcome::Altered(Alteration::CreatedAt, delay) => {
                self.altered_created_at += 1;
                Some(delay)
            }
            Outcome::Altered(Alteration::Content, _) => {
                self.altered_content += 1;
                None
            }
            Outcome::Altered(Alteration::Did, _) => {
                self.altered_did += 1;
                None
            }
            Outcome::Dropped => {
                self.dropped += 1;
                None
            }
            Outcome::Refused => {
                self.refused += 1;
                None
            }
            Outcome::Unstreamed(_) => {
                self.unstreamed += 1;
                None
            }
            Outcome::Overtaken => {
                self.overtaken += 1;
                None
            }
        };
        match delivered {
            Some(delay) if delay <= on_time => self.delivered_on_time += 1,
            Some(_) => self.delivered_late += 1,
            None => {}
        }
    }
}

/// Median of these microseconds, in milliseconds.
pub(super) fn median_ms(mut samples_us: Vec<u32>) -> Option<f64> {
    let middle = samples_us.len() / 2;
    if samples_us.is_empty() {
        return None;
    }
    let (_, median, _) = samples_us.select_nth_unstable(middle);
    Some(f64::from(*median) / 1_000.0)
}
