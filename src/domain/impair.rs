//! Spans in which the observer, or the primary's own delay, makes timing meaningless.
//!
//! `late_reader` is ours: our reader was not looking, so nothing stamped then has a time. `primary_delay` is found in the
//! primary's data alone: its operations came later after their `createdAt` than they usually do.

use super::time::{MS, SECOND, Span, Tau};
use std::collections::VecDeque;

/// Late spans that are remembered.
const SPANS_MAX: usize = 4_096;
/// Samples of the primary's delay that make up its baseline.
const DELAYS_MAX: usize = 2_048;
/// Samples below which there is no baseline to speak of.
const DELAYS_MIN: usize = 30;
/// The baseline's horizon.
const DELAY_HORIZON_NS: i64 = 600 * SECOND;
/// The smallest excess that is called a delay, milliseconds.
pub const DELAY_MIN_MS: i64 = 250;

/// What tells whether the observer can be believed now.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Watching {
    /// Our reader is late.
    pub is_late: bool,
    /// The primary's link is up.
    pub is_primary_up: bool,
    /// A gap of the primary is not closed.
    pub has_primary_gap: bool,
    /// The primary's operations come later than usual.
    pub is_primary_delayed: bool,
    /// Mirrors that are watched.
    pub mirrors: usize,
    /// Those of them whose link is down.
    pub mirrors_down: usize,
}

impl Watching {
    /// Every flag that there is.
    pub const FLAGS: [&'static str; 4] = ["late_reader", "primary_down", "net_down", "primary_delay"];

    /// The flags that are up.
    #[must_use]
    pub fn flags(&self) -> Vec<&'static str> {
        let (sources, down) = (self.mirrors + 1, self.mirrors_down + 1);
        let is_up = [
            self.is_late,
            !self.is_primary_up || self.has_primary_gap,
            !self.is_primary_up && sources >= 3 && down * 5 >= sources * 4,
            self.is_primary_delayed,
        ];
        Watching::FLAGS.into_iter().zip(is_up).filter(|flag| flag.1).map(|flag| flag.0).collect()
    }
}

/// Spans in which our reader was late.
#[derive(Clone, Debug, Default)]
pub struct LateReader {
    spans: VecDeque<Span>,
    open: Option<Tau>,
}

impl LateReader {
    /// The reader has been late since `from`.
    pub fn begin(&mut self, from: Tau) {
        self.open = Some(self.open.map_or(from, |open| open.min(from)));
    }

    /// Every reader has caught up at `to`.
    pub fn end(&mut self, to: Tau) {
        let Some(from) = self.open.take() else { return };
        if let Some(last) = self.spans.back_mut()
            && last.to >= from
        {
            last.to = last.to.max(to);
            return;
        }
        if self.spans.len() == SPANS_MAX {
            self.spans.pop_front();
        }
        self.spans.push_back(Span { from, to });
    }

    /// Whether a late span is going on.
    #[must_use]
    pub fn since(&self) -> Option<Tau> {
        self.open
    }

    /// Whether the instant lies in a late span.
    #[must_use]
    pub fn contains(&self, at: Tau) -> bool {
        self.open.is_some_and(|from| at >= from) || self.touching(at).any(|s| s.contains(at))
    }

    /// The late spans that touch `[from, to)`, newest first, the open one without an end.
    pub fn between(&self, from: Tau, to: Tau) -> impl Iterator<Item = Span> {
        let open = self.open.map(|o| Span { from: o, to: Tau::MAX });
        open.into_iter().chain(self.touching(from).copied()).filter(move |s| s.overlap_ns(from, to) > 0)
    }

    /// The instant by which `ns` nanoseconds have passed since `from` in which our reader was not late; never while it is.
    #[must_use]
    pub fn after(&self, from: Tau, ns: i64) -> Tau {
        let mut end = from.plus(ns);
        let spans: Vec<Span> = self.touching(from).copied().collect();
        let open = self.open.map(|o| Span { from: o, to: Tau::MAX });
        for span in spans.into_iter().rev().chain(open) {
            if span.from < end {
                end = end.plus(span.overlap_ns(from, Tau::MAX));
            }
        }
        end
    }

    /// Total length of the spans that are remembered.
    #[must_use]
    pub fn total_ns(&self) -> i64 {
        self.spans.iter().map(Span::len_ns).sum()
    }

    /// Every remembered span, oldest first.
    pub fn spans(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter()
    }

    fn touching(&self, from: Tau) -> impl Iterator<Item = &Span> {
        self.spans.iter().rev().take_while(move |s| s.to > from)
    }
}

/// The primary's usual delay between `createdAt` and arrival, and what exceeds it.
///
/// The offset between the two clocks is unknown but constant, so only differences from the rolling median are used.
#[derive(Clone, Debug, Default)]
pub struct PrimaryDelay {
    samples: VecDeque<(Tau, i64)>,
    baseline: Option<(i64, i64)>,
    computed_at: Option<Tau>,
    kept_at: Option<Tau>,
    last_excess: Option<Tau>,
}

impl PrimaryDelay {
    /// Takes one live arrival of the primary; returns by how many milliseconds it came later than usual, 0 when it did not.
    pub fn add(&mut self, at: Tau, created_ms: i64) -> i64 {
        let delay_ms = at.0 / MS - created_ms;
        // Samples are spread over the horizon, so that a burst does not become the baseline.
        let spacing = DELAY_HORIZON_NS / DELAYS_MAX as i64;
        if self.kept_at.is_none_or(|k| at.since(k) >= spacing) {
            self.samples.push_back((at, delay_ms));
            self.kept_at = Some(at);
        }
        while self.samples.len() > DELAYS_MAX || self.samples.front().is_some_and(|s| at.since(s.0) > DELAY_HORIZON_NS)
        {
            self.samples.pop_front();
        }
        if self.computed_at.is_none_or(|c| at.since(c) >= SECOND) {
            self.recompute(at);
        }
        let excess_ms = self.excess_ms(at, created_ms).unwrap_or(0);
        if excess_ms > 0 {
            self.last_excess = Some(at);
        }
        excess_ms
    }

    /// By how many milliseconds something created then is later than usual at `at`, 0 when it is not; none while it is not
    /// known what is usual.
    #[must_use]
    pub fn excess_ms(&self, at: Tau, created_ms: i64) -> Option<i64> {
        let (median, mad) = self.baseline?;
        let excess = (at.0 / MS - created_ms).saturating_sub(median);
        Some(if excess > DELAY_MIN_MS.max(5 * mad) { excess } else { 0 })
    }

    /// Whether an operation within the last ten seconds came later than usual.
    #[must_use]
    pub fn is_delayed(&self, now: Tau) -> bool {
        self.last_excess.is_some_and(|at| now.since(at) < 10 * SECOND)
    }

    fn recompute(&mut self, at: Tau) {
        if self.samples.len() < DELAYS_MIN {
            self.baseline = None;
            return;
        }
        let mut values: Vec<i64> = self.samples.iter().map(|s| s.1).collect();
        let middle = values.len() / 2;
        let median = *values.select_nth_unstable(middle).1;
        for v in &mut values {
            *v = (*v - median).abs();
        }
        let mad = *values.select_nth_unstable(middle).1;
        self.baseline = Some((median, mad));
        self.computed_at = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_spans_join_and_overlap() {
        let mut late = LateReader::default();
        late.begin(Tau(10));
        assert!(late.contains(Tau(10)) && late.contains(Tau(99)) && !late.contains(Tau(9)));
        late.end(Tau(20));
        late.begin(Tau(15));
        late.end(Tau(25));
        assert_eq!(late.spans().count(), 1);
        assert_eq!(late.between(Tau(0), Tau(100)).map(|s| s.len_ns()).sum::<i64>(), 15);
        assert_eq!(late.between(Tau(25), Tau(100)).count(), 0);
        assert!(!late.contains(Tau(25)));
    }

    #[test]
    fn time_that_we_slept_through_is_not_counted() {
        let mut late = LateReader::default();
        for (from, to) in [(50, 65), (70, 90)] {
            late.begin(Tau(from));
            late.end(Tau(to));
        }
        assert_eq!(late.after(Tau(0), 40), Tau(40));
        assert_eq!(late.after(Tau(0), 52), Tau(67));
        assert_eq!(late.after(Tau(0), 60), Tau(95), "the second span begins within what the first one added");
        assert_eq!(late.after(Tau(60), 4), Tau(69));
        late.begin(Tau(94));
        assert_eq!(late.after(Tau(0), 60), Tau::MAX);
    }

    #[test]
    fn a_delay_is_told_from_the_primarys_own_habit() {
        let mut delay = PrimaryDelay::default();
        let offset_ms = 1_700_000_000_000;
        for i in 0..100 {
            let at = Tau(i * SECOND);
            assert_eq!(delay.add(at, offset_ms + i * 1_000 - 80 - i % 7), 0);
        }
        let at = Tau(100 * SECOND);
        let excess = delay.add(at, offset_ms + 100_000 - 80 - 3_000);
        assert!((2_990..=3_010).contains(&excess), "{excess}");
        assert!(delay.is_delayed(at) && !delay.is_delayed(at.plus(11 * SECOND)));
    }

    #[test]
    fn a_lasting_delay_becomes_the_new_habit() {
        let mut delay = PrimaryDelay::default();
        for i in 0..600 {
            delay.add(Tau(i * SECOND), i * 1_000);
        }
        let flagged = (600..1_200).filter(|i| delay.add(Tau(i * SECOND), i * 1_000 - 5_000) > 0).count();
        assert!((200..=400).contains(&flagged), "{flagged} of 600 flagged");
        assert_eq!(delay.add(Tau(1_200 * SECOND), 1_200_000 - 5_000), 0);
    }

    #[test]
    fn creation_times_of_another_pace_are_no_delay() {
        let mut delay = PrimaryDelay::default();
        let flagged = (0..2_000).filter(|i| delay.add(Tau(i * 50 * MS), *i) > 0).count();
        assert_eq!(flagged, 0, "a steady drift has no operation that is far above the rest");
    }
}
