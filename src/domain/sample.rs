//! Samples of DIDs whose whole history is compared: which DID is taken, and what the samples of a day say of a mirror.
//!
//! A sample is drawn evenly over the distinct DIDs whose operations are held, however many each has: every DID gets a random
//! number that depends on a secret seed, and the least one wins. A mirror cannot know beforehand which one that is. Of a DID
//! that published nothing while it was watched nothing is known, and none is drawn: a log that changed long ago stays unseen.

use super::audit_log::LogAgreement;
use super::coverage::{ratio, wilson95};
use super::did::Did;
use super::op::OpKey;
use super::ring::{CHUNK, Held, Row};
use super::time::{SECOND, Tau};
use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::hash::Hasher;

/// How far back the half of the samples goes that looks at what is new, nanoseconds.
pub const RECENT_NS: i64 = 3_600 * SECOND;
/// Operations of a sampled DID that the primary's log is searched for, newest.
const DELIVERED_MAX: usize = 64;
/// Hours that the figures are about.
const HOURS: i64 = 24;
/// Disagreements that are listed, newest.
const LISTED_MAX: usize = 50;

/// A DID among those of the operations that are held; with `since`, among those with an operation that the primary
/// delivered since then. None when there is none.
#[must_use]
pub fn choose(held: &Held, since: Option<Tau>, seed: u64) -> Option<Did> {
    let shared = SharedSeed::from_u64(!seed);
    let number = |did: &Did| {
        let mut hasher = FoldHasher::with_seed(seed, &shared);
        hasher.write(&did.0);
        hasher.finish()
    };
    let wanted = rows(held).filter(|row| since.is_none_or(|since| row.p >= since));
    wanted.map(|row| (number(&row.did), row.did)).min().map(|least| least.1)
}

/// Operations of a DID that the primary delivered before `before`, newest first, a few.
#[must_use]
pub fn delivered(held: &Held, did: Did, before: Tau) -> Vec<OpKey> {
    let mut keys: Vec<OpKey> = rows(held).filter(|row| row.did == did && row.p < before).map(Row::key).collect();
    keys.reverse();
    keys.truncate(DELIVERED_MAX);
    keys
}

/// The operations that are held, oldest first.
fn rows(held: &Held) -> impl Iterator<Item = &Row> {
    let firsts = (held.chunk_base..).step_by(CHUNK);
    held.chunks.iter().zip(firsts).flat_map(move |(chunk, first)| {
        let skip = usize::try_from(held.base.saturating_sub(first)).unwrap_or(usize::MAX);
        chunk.rows().iter().skip(skip)
    })
}

/// How one sample ended at one mirror.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Sampled {
    /// The logs were compared.
    Judged(LogAgreement),
    /// They differed while the primary's own was changing.
    Unsettled,
    /// The mirror gave no log.
    Unanswered,
}

impl Sampled {
    /// The word in the metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Sampled::Judged(agreement) => agreement.name(),
            Sampled::Unsettled => "unsettled",
            Sampled::Unanswered => "unanswered",
        }
    }
}

/// A sample in which the logs differed.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Difference {
    /// When it was found.
    pub at: Tau,
    /// The DID, decoded.
    did: [u8; 15],
    /// How they differed.
    pub agreement: LogAgreement,
}

impl Difference {
    /// Whose logs they are.
    #[must_use]
    pub fn did(&self) -> Did {
        Did(self.did)
    }
}

/// Samples of one hour.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct Hour {
    number: i64,
    judged: [u32; LogAgreement::ALL.len()],
    unsettled: u32,
    unanswered: u32,
}

/// The samples of one mirror.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Samples {
    hours: VecDeque<Hour>,
    differences: VecDeque<Difference>,
}

/// What the samples of the last 24 hours say.
#[derive(Clone, PartialEq, Debug)]
pub struct SampleFigures {
    /// Samples by outcome, in the order of [`LogAgreement::ALL`].
    pub judged: [u64; LogAgreement::ALL.len()],
    /// Samples that the mirror gave no log for.
    pub unanswered: u64,
    /// Samples about which nothing is said, because the primary's own log was changing.
    pub unsettled: u64,
    /// Share of the judged samples that were the same; none when none was judged.
    pub agreement_ratio: Option<f64>,
    /// Its 95 % interval of confidence.
    pub agreement_ci95: Option<(f64, f64)>,
}

impl Samples {
    /// Counts a sample that ended at `at`.
    pub fn add(&mut self, at: Tau, did: Did, sampled: Sampled) {
        let number = hour(at);
        if self.hours.back().is_none_or(|h| h.number < number) {
            self.hours.push_back(Hour { number, ..Hour::default() });
            while self.hours.front().is_some_and(|h| h.number <= number - HOURS) {
                self.hours.pop_front();
            }
        }
        let Some(hour) = self.hours.back_mut() else { return };
        let count = match sampled {
            Sampled::Judged(agreement) => {
                if agreement != LogAgreement::Same {
                    self.differences.push_front(Difference { at, did: did.0, agreement });
                    self.differences.truncate(LISTED_MAX);
                }
                hour.judged.iter_mut().zip(LogAgreement::ALL).find(|j| j.1 == agreement).map(|j| j.0)
            }
            Sampled::Unsettled => Some(&mut hour.unsettled),
            Sampled::Unanswered => Some(&mut hour.unanswered),
        };
        if let Some(count) = count {
            *count = count.saturating_add(1);
        }
    }

    /// The figures of the last 24 hours, in steps of one.
    #[must_use]
    pub fn figures(&self, now: Tau) -> SampleFigures {
        let mut judged = [0; LogAgreement::ALL.len()];
        let (mut unsettled, mut unanswered) = (0, 0);
        for h in self.hours.iter().filter(|h| h.number > hour(now) - HOURS) {
            judged.iter_mut().zip(h.judged).for_each(|(sum, n)| *sum += u64::from(n));
            unsettled += u64::from(h.unsettled);
            unanswered += u64::from(h.unanswered);
        }
        let is_same = |j: &(u64, LogAgreement)| j.1 == LogAgreement::Same;
        let same = judged.into_iter().zip(LogAgreement::ALL).find(is_same).map_or(0, |j| j.0);
        let n = judged.iter().sum();
        SampleFigures {
            judged,
            unanswered,
            unsettled,
            agreement_ratio: ratio(same, n),
            agreement_ci95: wilson95(same, n),
        }
    }

    /// The latest samples in which the logs differed, newest first, at most 50.
    pub fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter()
    }
}

fn hour(at: Tau) -> i64 {
    at.0.div_euclid(3_600 * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::op::Kind;
    use crate::domain::ring::Ring;

    const HOUR: i64 = 3_600 * SECOND;

    /// Operations as (number of the DID, seconds).
    fn held(ops: &[(u8, i64)]) -> Held {
        let mut ring = Ring::new(0, 0);
        for (n, (did, at_s)) in ops.iter().enumerate() {
            let mut cid = [0; 32];
            cid[..8].copy_from_slice(&(n as u64).to_be_bytes());
            let key = OpKey { did: Did([*did; 15]), cid: Cid(cid) };
            ring.push(Row::new(key, Kind::Update, Tau(at_s * SECOND), 0, None), std::iter::empty());
        }
        ring.held()
    }

    #[test]
    fn every_did_is_as_likely_whatever_it_does() {
        let mut ops: Vec<(u8, i64)> = (0..4).map(|did| (did, i64::from(did))).collect();
        ops.extend((0..3_000).map(|n| (9, n)));
        let held = held(&ops);
        let mut counts = [0; 10];
        (0..1_000).for_each(|seed| counts[usize::from(choose(&held, None, seed).unwrap().0[0])] += 1);
        for did in [0, 1, 2, 3, 9] {
            assert!((140..260).contains(&counts[did]), "{counts:?}");
        }
        assert_eq!(choose(&held, None, 7), choose(&held, None, 7));
        assert_eq!(choose(&held, Some(Tau(2_999 * SECOND)), 7), Some(Did([9; 15])));
        assert_eq!(choose(&held, Some(Tau(HOUR)), 7), None);
        assert_eq!(choose(&Held::default(), None, 7), None);
    }

    #[test]
    fn what_is_not_held_any_more_is_not_drawn() {
        let mut held = held(&[(1, 1), (2, 2), (1, 3)]);
        held.base += 2;
        assert!((0..100).all(|seed| choose(&held, None, seed) == Some(Did([1; 15]))));
    }

    #[test]
    fn only_what_was_delivered_long_enough_ago_is_searched_for() {
        let held = held(&[(1, 1), (2, 2), (1, 3), (1, 4)]);
        let numbers: Vec<u64> = delivered(&held, Did([1; 15]), Tau(4 * SECOND))
            .iter()
            .map(|k| u64::from_be_bytes(k.cid.0[..8].try_into().unwrap()))
            .collect();
        assert_eq!(numbers, [2, 0]);
    }

    #[test]
    fn a_day_is_counted_and_no_more() {
        let mut samples = Samples::default();
        let did = Did([5; 15]);
        samples.add(Tau(0), did, Sampled::Judged(LogAgreement::Fork));
        for n in 0..99 {
            samples.add(Tau(HOUR + n), did, Sampled::Judged(LogAgreement::Same));
        }
        samples.add(Tau(2 * HOUR), did, Sampled::Judged(LogAgreement::NullifiedDiffers));
        samples.add(Tau(2 * HOUR), did, Sampled::Unanswered);
        samples.add(Tau(2 * HOUR), did, Sampled::Unsettled);
        let f = samples.figures(Tau(3 * HOUR));
        assert_eq!((f.judged, f.unanswered, f.unsettled), ([99, 0, 0, 1, 1, 0], 1, 1));
        let f = samples.figures(Tau(24 * HOUR));
        assert_eq!((f.judged, f.agreement_ratio), ([99, 0, 0, 1, 0, 0], Some(0.99)));
        let (low, high) = f.agreement_ci95.unwrap();
        assert!(low < 0.99 && 0.99 < high && high < 1.0);
        let f = samples.figures(Tau(27 * HOUR));
        assert_eq!((f.agreement_ratio, f.agreement_ci95), (None, None));
        let listed: Vec<_> = samples.differences().map(|d| (d.agreement, d.did())).collect();
        assert_eq!(listed, [(LogAgreement::NullifiedDiffers, did), (LogAgreement::Fork, did)]);
        for n in 0..10_000 {
            samples.add(Tau(n * HOUR), did, Sampled::Judged(LogAgreement::Fork));
        }
        assert!(samples.hours.len() <= 24 && samples.differences.len() == LISTED_MAX);
    }

    #[test]
    fn samples_outlast_a_restart() {
        let mut samples = Samples::default();
        samples.add(Tau(7), Did([5; 15]), Sampled::Judged(LogAgreement::NullifiedDiffers));
        let bytes = serde_ipld_dagcbor::to_vec(&samples).unwrap();
        assert_eq!(serde_ipld_dagcbor::from_slice::<Samples>(&bytes).unwrap(), samples);
    }
}
