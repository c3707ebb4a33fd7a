//! How mirrors answer: the latest latencies, and failures that good answers outweigh one by one.
//!
//! Nothing is asked for this: the connects and requests that are made anyway are counted. A failure counts only where the
//! primary answered shortly before and after it and failed nothing in between; what happened while we could not be believed
//! counts for nothing, good or bad.

use super::source::SourceIx;
use super::time::{SECOND, Tau};
use std::collections::VecDeque;

/// Latencies that the mean is of, newest.
pub const LATENCIES_MAX: usize = 20;
/// What a failure adds.
pub const FAILURE_STEP: u32 = 3;
/// The most that failures add up to: ten good answers a failure at most.
pub const FAILURES_MAX: u32 = 30;
/// So long it is waited for news of ourselves before a probe counts, nanoseconds.
const SETTLE_NS: i64 = 2 * SECOND;
/// The same for a failure, nanoseconds: by then it is known what else failed meanwhile.
const SETTLE_FAILED_NS: i64 = 15 * SECOND;
/// So near to a failure the primary must have answered, before it and after, nanoseconds.
const WITNESS_NS: i64 = 60 * SECOND;
/// Probes of one mirror that wait to be counted; beyond them the oldest counts for nothing.
const WAITING_MAX: usize = 256;
/// Answers and failures of the primary that are remembered, newest.
const WITNESSES_MAX: usize = 512;

/// What an app wants of a mirror.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Purpose {
    /// To read all operations as they come.
    Stream,
    /// To look up single DIDs.
    Resolve,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Purpose; 2] = [Purpose::Stream, Purpose::Resolve];

    /// The word in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Purpose::Stream => "stream",
            Purpose::Resolve => "resolve",
        }
    }

    /// The purpose of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Purpose> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

/// One thing for each purpose.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ByPurpose<T> {
    /// For [`Purpose::Stream`].
    pub stream: T,
    /// For [`Purpose::Resolve`].
    pub resolve: T,
}

impl<T> ByPurpose<T> {
    /// What `make` makes for each.
    pub fn make(mut make: impl FnMut(Purpose) -> T) -> ByPurpose<T> {
        ByPurpose { stream: make(Purpose::Stream), resolve: make(Purpose::Resolve) }
    }

    /// The one for a purpose.
    pub const fn of(&self, purpose: Purpose) -> &T {
        match purpose {
            Purpose::Stream => &self.stream,
            Purpose::Resolve => &self.resolve,
        }
    }

    /// The same, to be changed.
    pub const fn of_mut(&mut self, purpose: Purpose) -> &mut T {
        match purpose {
            Purpose::Stream => &mut self.stream,
            Purpose::Resolve => &mut self.resolve,
        }
    }
}

/// What came of a probe.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// An answer, after so many nanoseconds.
    Answered(i64),
    /// A connection; how long that takes is measured otherwise.
    Connected,
    /// Neither.
    Failed,
}

/// A connect or a request.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Probe {
    /// When it began.
    pub began: Tau,
    /// When it ended.
    pub ended: Tau,
    /// How.
    pub outcome: Outcome,
}

/// What the probes of one mirror came to.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// [`FAILURE_STEP`] for each that failed, one less for each good one since; from 0 to [`FAILURES_MAX`].
    pub failures: u32,
    /// Latencies that mean and median are of.
    pub samples: u32,
    /// Their mean, microseconds; none without any.
    pub mean_us: Option<i64>,
    /// Their median, microseconds.
    pub median_us: Option<i64>,
    /// When the newest of them was measured.
    pub answered: Option<Tau>,
    /// Probes that counted for nothing, because what came of them may have been our doing.
    pub left_out: u64,
}

#[derive(Clone, Debug, Default)]
struct History {
    waiting: VecDeque<Probe>,
    failures: u32,
    latencies_us: VecDeque<i64>,
    answered: Option<Tau>,
    left_out: u64,
}

impl History {
    fn add(&mut self, probe: Probe) {
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
            self.left_out += 1;
        }
        self.waiting.push_back(probe);
    }

    fn count(&mut self, probe: &Probe) {
        match probe.outcome {
            Outcome::Failed => self.failures = (self.failures + FAILURE_STEP).min(FAILURES_MAX),
            Outcome::Connected => self.failures = self.failures.saturating_sub(1),
            Outcome::Answered(ns) => {
                self.failures = self.failures.saturating_sub(1);
                if self.latencies_us.len() == LATENCIES_MAX {
                    self.latencies_us.pop_front();
                }
                self.latencies_us.push_back(ns.max(0) / 1_000);
                self.answered = Some(probe.ended);
            }
        }
    }

    fn figures(&self) -> Figures {
        let mut sorted: Vec<i64> = self.latencies_us.iter().copied().collect();
        sorted.sort_unstable();
        let n = sorted.len();
        let middle = sorted.get(n.saturating_sub(1) / 2).zip(sorted.get(n / 2));
        Figures {
            failures: self.failures,
            samples: n as u32,
            mean_us: sorted.iter().sum::<i64>().checked_div(n as i64),
            median_us: middle.map(|(low, high)| i64::midpoint(*low, *high)),
            answered: self.answered,
            left_out: self.left_out,
        }
    }
}

/// What is to become of a failure.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Fate {
    Waits,
    Counts,
    LeftOut,
}

/// The probes of all mirrors, and those of the primary that tell whether we could be believed.
#[derive(Clone, Debug, Default)]
pub struct Probing {
    mirrors: Vec<ByPurpose<History>>,
    /// In the order in which they ended.
    primary: VecDeque<Probe>,
}

impl Probing {
    /// Nothing is known of so many mirrors.
    #[must_use]
    pub fn new(mirrors: usize) -> Probing {
        Probing { mirrors: vec![ByPurpose::default(); mirrors], primary: VecDeque::new() }
    }

    /// Takes a probe that has ended.
    pub fn add(&mut self, source: SourceIx, purpose: Purpose, probe: Probe) {
        let Some(mirror) = source.mirror_index() else {
            if self.primary.len() == WITNESSES_MAX {
                self.primary.pop_front();
            }
            self.primary.push_back(probe);
            return;
        };
        if let Some(mirror) = self.mirrors.get_mut(mirror) {
            mirror.of_mut(purpose).add(probe);
        }
    }

    /// Counts what can be counted by now. While we `is_impaired` nothing that waits counts for anything, and at no time what
    /// lies in a span of which `was_late` says that our reader was late.
    pub fn settle(&mut self, now: Tau, is_impaired: bool, was_late: impl Fn(Tau, Tau) -> bool) {
        for history in self.mirrors.iter_mut().flat_map(|m| [&mut m.stream, &mut m.resolve]) {
            for probe in std::mem::take(&mut history.waiting) {
                match fate(&probe, &self.primary, now) {
                    _ if is_impaired || was_late(probe.began, probe.ended) => history.left_out += 1,
                    Fate::Waits => history.waiting.push_back(probe),
                    Fate::Counts => history.count(&probe),
                    Fate::LeftOut => history.left_out += 1,
                }
            }
        }
    }

    /// What the probes of a mirror came to.
    #[must_use]
    pub fn figures(&self, mirror: usize, purpose: Purpose) -> Figures {
        self.mirrors.get(mirror).map(|m| m.of(purpose).figures()).unwrap_or_default()
    }
}

fn fate(probe: &Probe, primary: &VecDeque<Probe>, now: Tau) -> Fate {
    let is_failed = probe.outcome == Outcome::Failed;
    if now.since(probe.ended) < if is_failed { SETTLE_FAILED_NS } else { SETTLE_NS } {
        return Fate::Waits;
    }
    if !is_failed {
        return Fate::Counts;
    }
    let is_good = |witness: &Probe| witness.outcome != Outcome::Failed;
    let before = primary.iter().rev().find(|w| w.ended <= probe.began);
    let is_seen_before = before.is_some_and(|w| is_good(w) && probe.began.since(w.ended) <= WITNESS_NS);
    let after = primary.iter().find(|w| w.began >= probe.ended);
    let through = after.map_or(probe.ended, |after| after.ended);
    let failed_too = primary.iter().any(|w| !is_good(w) && w.ended > probe.began && w.began < through);
    if !is_seen_before || failed_too {
        return Fate::LeftOut;
    }
    match after {
        Some(after) if is_good(after) && after.began.since(probe.ended) <= WITNESS_NS => Fate::Counts,
        None if now.since(probe.ended) <= WITNESS_NS => Fate::Waits,
        _ => Fate::LeftOut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::MS;
    use proptest::prelude::*;

    const M: SourceIx = SourceIx::mirror(0);

    fn at(ms: i64) -> Tau {
        Tau(ms * MS)
    }

    fn good(ms: i64, took_ms: i64) -> Probe {
        Probe { began: at(ms), ended: at(ms + took_ms), outcome: Outcome::Answered(took_ms * MS) }
    }

    fn bad(ms: i64, took_ms: i64) -> Probe {
        Probe { outcome: Outcome::Failed, ..good(ms, took_ms) }
    }

    fn never_late(_: Tau, _: Tau) -> bool {
        false
    }

    /// The figures after these probes of the primary and of the mirror, with a look a second and another long after.
    fn figures(primary: &[Probe], mirror: &[Probe]) -> Figures {
        let mut probing = Probing::new(1);
        let mut all: Vec<(SourceIx, Probe)> = primary.iter().map(|p| (SourceIx::PRIMARY, *p)).collect();
        all.extend(mirror.iter().map(|p| (M, *p)));
        all.sort_by_key(|(_, probe)| probe.ended);
        let mut left = all.into_iter().peekable();
        for s in 0..1_000 {
            while let Some((source, probe)) = left.next_if(|(_, probe)| probe.ended <= at(s * 1_000)) {
                probing.add(source, Purpose::Stream, probe);
            }
            probing.settle(at(s * 1_000), false, never_late);
        }
        probing.figures(0, Purpose::Stream)
    }

    #[test]
    fn failures_rise_by_three_fall_by_one_and_are_capped() {
        let mut history = History::default();
        history.count(&bad(0, 1));
        assert_eq!(history.figures().failures, 3);
        history.count(&good(1, 1));
        assert_eq!(history.figures().failures, 2);
        history.count(&Probe { outcome: Outcome::Connected, ..good(2, 1) });
        assert_eq!((history.figures().failures, history.figures().samples), (1, 1), "a connection has no latency");
        (0..3).for_each(|n| history.count(&good(n, 1)));
        assert_eq!(history.figures().failures, 0);
        (0..50).for_each(|n| history.count(&bad(n, 1)));
        assert_eq!(history.figures().failures, FAILURES_MAX);
        (0..29).for_each(|n| history.count(&good(n, 1)));
        assert_eq!(history.figures().failures, 1);
    }

    #[test]
    fn the_mean_is_of_the_last_twenty_and_the_median_stands_beside_it() {
        let mut history = History::default();
        assert_eq!((history.figures().mean_us, history.figures().median_us), (None, None));
        (1..=25).for_each(|ms| history.count(&good(0, ms)));
        let figures = history.figures();
        assert_eq!((figures.samples, figures.mean_us, figures.median_us), (20, Some(15_500), Some(15_500)));
        history.count(&good(0, 1_000));
        let figures = history.figures();
        assert_eq!((figures.mean_us, figures.median_us), (Some(65_200), Some(16_500)));
        assert_eq!(figures.answered, Some(at(1_000)));
    }

    #[test]
    fn a_failure_counts_where_the_primary_answered_before_and_after_it() {
        let around = [good(0, 10), good(5_000, 10), good(10_000, 10)];
        assert_eq!(figures(&around, &[bad(5_200, 3_000)]).failures, 3);
        assert_eq!(figures(&around, &[bad(5_200, 1)]).failures, 3, "refused at once");
        assert_eq!(figures(&around[1..], &[bad(0, 3_000)]).failures, 0, "nobody answered before it");
        assert_eq!(figures(&around, &[bad(10_500, 3_000)]).failures, 0, "nobody answered after it");
        let apart = [good(0, 10), good(200_000, 10)];
        for failed in [bad(10_000, 10), bad(190_000, 10)] {
            let figures = figures(&apart, &[failed]);
            assert_eq!((figures.failures, figures.left_out), (0, 1), "too long ago");
        }
    }

    #[test]
    fn what_fails_with_the_primary_is_no_fault_of_the_mirror() {
        let failing = |at_ms| [good(0, 10), bad(at_ms, 3_000), good(10_000, 10)];
        for at_ms in [1_000, 4_500, 5_000, 7_500, 8_500] {
            let figures = figures(&failing(at_ms), &[bad(5_000, 3_000)]);
            assert_eq!((figures.failures, figures.left_out), (0, 1), "{at_ms}");
        }
    }

    #[test]
    fn what_happens_while_we_cannot_be_believed_counts_for_nothing() {
        let mut probing = Probing::new(1);
        probing.add(SourceIx::PRIMARY, Purpose::Stream, good(0, 1));
        probing.add(M, Purpose::Stream, bad(1_000, 1));
        probing.add(M, Purpose::Resolve, good(1_000, 500));
        probing.settle(at(1_500), false, never_late);
        probing.settle(at(2_500), true, never_late);
        probing.add(SourceIx::PRIMARY, Purpose::Stream, good(5_000, 1));
        probing.settle(at(9_000), false, never_late);
        for purpose in Purpose::ALL {
            let figures = probing.figures(0, purpose);
            assert_eq!((figures.failures, figures.samples, figures.left_out), (0, 0, 1), "{purpose:?}");
        }
        probing.add(M, Purpose::Stream, good(10_000, 700));
        probing.add(M, Purpose::Stream, good(11_000, 20));
        probing.settle(at(12_999), false, |from, to| from <= at(10_500) && at(10_500) <= to);
        assert_eq!(probing.figures(0, Purpose::Stream).left_out, 2, "our reader was late");
        probing.settle(at(13_020), false, never_late);
        assert_eq!(probing.figures(0, Purpose::Stream).mean_us, Some(20_000));
        assert_eq!(probing.figures(0, Purpose::Resolve).samples, 0, "a purpose of its own");
        assert_eq!(probing.figures(1, Purpose::Stream), Figures::default());
    }

    #[test]
    fn what_waits_is_bounded_and_what_is_let_go_is_counted() {
        let mut probing = Probing::new(1);
        (0..=WAITING_MAX as i64).for_each(|ms| probing.add(M, Purpose::Stream, good(ms, 1)));
        (0..=WITNESSES_MAX as i64).for_each(|ms| probing.add(SourceIx::PRIMARY, Purpose::Stream, good(ms, 1)));
        assert_eq!((probing.mirrors[0].stream.waiting.len(), probing.primary.len()), (WAITING_MAX, WITNESSES_MAX));
        assert_eq!(probing.figures(0, Purpose::Stream).left_out, 1);
    }

    proptest! {
        /// Our network goes down at any time and comes back: every probe of that time fails, and none counts.
        #[test]
        fn an_outage_of_ours_counts_against_nobody(
            down_ms in 10_000_i64..200_000,
            lasts_ms in 8_000_i64..100_000,
            phase_ms in 0_i64..5_000,
        ) {
            let up_ms = down_ms + lasts_ms;
            let probe = |ms: i64| if ms + 20 > down_ms && ms < up_ms { bad(ms, 3_000) } else { good(ms, 20) };
            let every = |phase_ms: i64| (0..80).map(|n| probe(n * 5_000 + phase_ms)).collect::<Vec<_>>();
            let figures = figures(&every(0), &every(phase_ms));
            prop_assert_eq!(figures.failures, 0);
            prop_assert!(figures.left_out > 0);
        }

        #[test]
        fn figures_stay_within_their_bounds(outcomes in prop::collection::vec(-1_i64..1_000, 0..300)) {
            let mut history = History::default();
            for ms in outcomes {
                history.count(&if ms < 0 { bad(0, 1) } else { good(0, ms) });
                let f = history.figures();
                prop_assert!(f.failures <= FAILURES_MAX && f.samples as usize <= LATENCIES_MAX);
                prop_assert_eq!(f.mean_us.is_some(), f.samples > 0);
                prop_assert!(f.mean_us.is_none_or(|us| (0..1_000_000).contains(&us)));
            }
        }
    }
}
