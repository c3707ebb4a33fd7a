//! Polling a source's log: when an arrival is live, through when the window is proved, and when the source counts as down.
//!
//! A poll is a chain of pages from the last known operation to a short page. It proves the window through its own start,
//! for whatever was published before that is in its pages. Its arrivals are live when the poll before was complete and
//! began at most two intervals earlier; how exactly their instants are known is the time since that poll's last question. Which
//! pages are asked for, and whether they chain, is decided by [`Fill`](super::fill::Fill) for logs with numbers and by
//! [`Timed`] for logs by time.

mod head;
mod timed;

pub use head::{HeadSearch, HeadStep};
pub use timed::{TimedFill, TimedKeys, TimedStep, overlap_ms};

use super::time::{SECOND, Tau};
use super::verdict::Mode;

/// Polls in a row that fail before the source counts as down.
pub const FAILED_MAX: u32 = 2;
/// The time since the last complete poll after which the source counts as down, nanoseconds.
pub const OVERDUE_NS: i64 = 20 * SECOND;
/// The longest wait between two polls of a source that fails.
const BACKOFF_MAX_NS: i64 = 30 * SECOND;

/// A poll that was complete.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Complete {
    began: Tau,
    closed: Tau,
}

/// The polls of one source.
#[derive(Clone, Debug)]
pub struct Polls {
    interval_ns: i64,
    began: Tau,
    last: Option<Complete>,
    failures: u32,
    is_down: bool,
}

impl Polls {
    /// Polls that begin every `interval_ns` nanoseconds; the source is down until the first one is complete.
    #[must_use]
    pub fn new(interval_ns: i64) -> Polls {
        Polls { interval_ns, began: Tau::MIN, last: None, failures: 0, is_down: true }
    }

    /// A poll begins.
    pub fn begin(&mut self, now: Tau) {
        self.began = now;
    }

    /// How an arrival on a page that came at `received_at` counts, and how much earlier it may have been visible,
    /// nanoseconds: since the page that closed the poll before was asked for.
    #[must_use]
    pub fn mode(&self, received_at: Tau) -> (Mode, i64) {
        match self.last {
            Some(last) if !self.is_down && self.began.since(last.began) <= 2 * self.interval_ns => {
                (Mode::Live, received_at.since(last.closed).max(0))
            }
            _ => (Mode::Filled, 0),
        }
    }

    /// The poll ended in a short page that was asked for at `closed`; the window is proved through the answer, and the flag
    /// says whether the source was down until then.
    pub fn complete(&mut self, closed: Tau) -> (Tau, bool) {
        self.last = Some(Complete { began: self.began, closed });
        self.failures = 0;
        (self.began, std::mem::replace(&mut self.is_down, false))
    }

    /// The poll failed; whether the source counts as down from now on.
    pub fn failed(&mut self) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.failures >= FAILED_MAX && !std::mem::replace(&mut self.is_down, true)
    }

    /// Whether the source counts as down from now on because no poll was complete for long.
    pub fn overdue(&mut self, now: Tau) -> bool {
        let is_overdue = self.last.is_some_and(|last| now.since(last.began) > OVERDUE_NS);
        is_overdue && !std::mem::replace(&mut self.is_down, true)
    }

    /// The log does not go on where it ended: the source counts as down until the next complete poll, and nothing before it
    /// says anything of that one.
    pub fn lose(&mut self) {
        (self.is_down, self.last) = (true, None);
    }

    /// Whether it counts as down.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.is_down
    }

    /// How long to wait from `now` until the next poll, which is `asked_ns` at least where the source asked for patience.
    #[must_use]
    pub fn wait_ns(&self, now: Tau, asked_ns: i64) -> i64 {
        let due = self.began.plus(self.interval_ns).since(now).max(0);
        if self.failures == 0 {
            return due.max(asked_ns);
        }
        let backoff = BACKOFF_MAX_NS.min(self.interval_ns << (self.failures - 1).min(8));
        backoff.max(asked_ns).max(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: f64) -> Tau {
        Tau((seconds * SECOND as f64) as i64)
    }

    fn polled(polls: &mut Polls, began: f64, closed: f64) -> (Tau, bool) {
        polls.begin(s(began));
        polls.complete(s(closed))
    }

    #[test]
    fn an_arrival_is_live_only_behind_a_complete_poll_that_began_just_before() {
        let mut p = Polls::new(SECOND);
        p.begin(s(0.0));
        assert_eq!(p.mode(s(0.0)), (Mode::Filled, 0), "nothing was asked before");
        assert_eq!(p.complete(s(0.4)), (s(0.0), true));
        p.begin(s(1.0));
        assert_eq!(p.mode(s(1.0)), (Mode::Live, 600_000_000), "since the page that closed the poll before");
        assert_eq!(p.mode(s(1.7)), (Mode::Live, 1_300_000_000), "a later page");
        assert_eq!(p.complete(s(1.7)), (s(1.0), false));
        p.begin(s(3.0));
        assert_eq!(p.mode(s(3.0)).0, Mode::Live, "two intervals");
        p.complete(s(3.0));
        p.begin(s(5.1));
        assert_eq!(p.mode(s(5.1)).0, Mode::Filled, "more than two intervals");
    }

    #[test]
    fn a_failed_poll_proves_nothing_and_two_are_down() {
        let mut p = Polls::new(SECOND);
        polled(&mut p, 0.0, 0.0);
        p.begin(s(1.0));
        assert!(!p.failed());
        p.begin(s(2.0));
        assert_eq!(p.mode(s(2.0)).0, Mode::Live, "the poll that was complete began two intervals before");
        assert!(p.failed() && p.is_down());
        p.begin(s(2.5));
        assert_eq!(p.mode(s(2.5)).0, Mode::Filled);
        assert!(!p.failed(), "it is down already");
        assert_eq!(polled(&mut p, 9.0, 9.2), (s(9.0), true));
    }

    #[test]
    fn twenty_seconds_without_a_complete_poll_are_down() {
        let mut p = Polls::new(SECOND);
        assert!(!p.overdue(s(100.0)), "it was never up");
        polled(&mut p, 0.0, 0.0);
        p.begin(s(1.0));
        assert!(!p.overdue(s(20.0)) && p.overdue(s(20.1)) && !p.overdue(s(30.0)));
    }

    #[test]
    fn waits_are_the_interval_and_double_with_failures() {
        let mut p = Polls::new(SECOND);
        polled(&mut p, 10.0, 10.0);
        assert_eq!(p.wait_ns(s(10.25), 0), 750_000_000);
        assert_eq!(p.wait_ns(s(12.0), 0), 0);
        let waits: Vec<i64> = (0..7)
            .map(|_| {
                p.failed();
                p.wait_ns(s(12.0), 0) / SECOND
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(p.wait_ns(s(12.0), 300 * SECOND), 300 * SECOND, "what the source asks for");
    }
}
