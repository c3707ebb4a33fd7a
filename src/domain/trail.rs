//! How a source did in the last hours, in steps of half a minute: what a chart of now and just before is drawn from.
//!
//! Kept in memory alone, since the start. A step holds the worst of its seconds, because what is best of a step hides the rest.
//! Chunks of steps are shared with readers by reference count, so that a change while a reader holds them copies the newest.

use std::collections::VecDeque;
use std::sync::Arc;

/// Length of a step, milliseconds.
pub const STEP_MS: i64 = 30_000;
/// How far back steps are kept, milliseconds.
pub const KEPT_MS: i64 = 6 * 3_600_000;
/// Steps that are kept.
const STEPS_MAX: usize = (KEPT_MS / STEP_MS) as usize;
/// Steps in a chunk.
const CHUNK: usize = 30;

/// Round trips of one step.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct RoundTrips {
    /// The shortest, nanoseconds.
    pub min_ns: i64,
    /// The longest, nanoseconds.
    pub max_ns: i64,
    /// How many were measured.
    pub samples: u32,
}

/// One step.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Its first millisecond, UTC.
    pub at_ms: i64,
    /// The most operations that it was behind, and the longest for which it was, nanoseconds; none where in no second of the
    /// step it was proved.
    pub head: Option<(u64, i64)>,
    /// Round trips by TCP connect.
    pub tcp: Option<RoundTrips>,
    /// Round trips of the live socket.
    pub tcp_info: Option<RoundTrips>,
}

/// The steps of one source.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// None of them is empty.
    chunks: VecDeque<Arc<VecDeque<Step>>>,
}

impl Trail {
    /// Notes how many operations the source is behind and for how long, nanoseconds; none while that cannot be told.
    pub fn head(&mut self, at_ms: i64, head: Option<(u64, i64)>) {
        let Some(step) = self.step(at_ms) else { return };
        step.head = match (step.head, head) {
            (Some(a), Some(b)) => Some((a.0.max(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }

    /// Notes a round trip by TCP connect.
    pub fn tcp(&mut self, at_ms: i64, rtt_ns: i64) {
        if let Some(step) = self.step(at_ms) {
            step.tcp = Some(with(step.tcp, rtt_ns));
        }
    }

    /// Notes a round trip of the live socket.
    pub fn tcp_info(&mut self, at_ms: i64, rtt_ns: i64) {
        if let Some(step) = self.step(at_ms) {
            step.tcp_info = Some(with(step.tcp_info, rtt_ns));
        }
    }

    /// The steps, oldest first; one in which nothing was noted is left out.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// The step of this instant, made if it is the newest; the newest one for what comes late.
    fn step(&mut self, at_ms: i64) -> Option<&mut Step> {
        let begin_ms = at_ms.div_euclid(STEP_MS) * STEP_MS;
        let newest = self.chunks.back().and_then(|chunk| chunk.back());
        if newest.is_none_or(|last| last.at_ms < begin_ms) {
            let is_old = |s: &Step| begin_ms.saturating_sub(s.at_ms) >= KEPT_MS;
            while self.steps().count() >= STEPS_MAX || self.steps().next().is_some_and(is_old) {
                self.pop_front();
            }
            if self.chunks.back().is_none_or(|chunk| chunk.len() == CHUNK) {
                self.chunks.push_back(Arc::default());
            }
            let step = Step { at_ms: begin_ms, head: None, tcp: None, tcp_info: None };
            self.chunks.back_mut().map(Arc::make_mut)?.push_back(step);
        }
        self.chunks.back_mut().map(Arc::make_mut)?.back_mut()
    }

    fn pop_front(&mut self) {
        if let Some(first) = self.chunks.front_mut() {
            Arc::make_mut(first).pop_front();
        }
        self.chunks.pop_front_if(|first| first.is_empty());
    }
}

fn with(held: Option<RoundTrips>, rtt_ns: i64) -> RoundTrips {
    let own = RoundTrips { min_ns: rtt_ns, max_ns: rtt_ns, samples: 1 };
    held.map_or(own, |held| RoundTrips {
        min_ns: held.min_ns.min(rtt_ns),
        max_ns: held.max_ns.max(rtt_ns),
        samples: held.samples.saturating_add(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_hours_are_kept_and_no_more() {
        let mut trail = Trail::default();
        for n in 0..2_000 {
            trail.head(n * STEP_MS + 5, Some((n as u64, n)));
        }
        assert_eq!(trail.steps().count(), STEPS_MAX);
        assert_eq!(trail.steps().next().unwrap().at_ms, (2_000 - STEPS_MAX as i64) * STEP_MS);
        trail.tcp(2_000 * STEP_MS + KEPT_MS, 7);
        assert_eq!(trail.steps().count(), 1, "what is older is let go, though nothing came between");
    }

    #[test]
    fn a_change_while_a_reader_holds_it_copies_the_newest_steps_alone() {
        let mut trail = Trail::default();
        for n in 0..10 * CHUNK as i64 {
            trail.head(n * STEP_MS, None);
        }
        let read = trail.clone();
        trail.tcp(10 * CHUNK as i64 * STEP_MS - 1, 7);
        let shared = read.chunks.iter().zip(&trail.chunks).filter(|(a, b)| Arc::ptr_eq(a, b));
        assert_eq!((shared.count(), trail.chunks.len()), (9, 10));
        assert_eq!(read.steps().last().unwrap().tcp, None, "the reader's stay as they were");
    }

    #[test]
    fn a_step_has_the_worst_of_each_and_what_comes_late_is_not_lost() {
        let mut trail = Trail::default();
        trail.head(0, None);
        trail.head(1_000, Some((3, 9)));
        trail.head(2_000, Some((5, 2)));
        trail.head(3_000, None);
        trail.head(30_000, None);
        trail.tcp_info(29_999, 4);
        let steps: Vec<Step> = trail.steps().copied().collect();
        assert_eq!((steps[0].head, steps[1].head), (Some((5, 9)), None));
        assert_eq!(steps[1].tcp_info, Some(RoundTrips { min_ns: 4, max_ns: 4, samples: 1 }));
    }
}
