//! How fast a mirror is read: a bucket of tokens for what is no news of the primary's.
//!
//! Every operation that the primary does not know costs a token, and so does a refused frame; a repeat, and bytes that
//! carry no operation, cost less. A mirror without tokens is not read for a while, so that what it sends waits with it and
//! not with us: nothing is let go, and an operation of the primary costs nothing. How fast the mirror is read is its own
//! affair: it is no lateness of ours.

use super::time::{SECOND, Span, Tau};
use super::verdict::Mode;

/// How much may be taken at once before the first pause, as time at the full rate.
const BURST_NS: i64 = SECOND;
/// A mirror counts as throttled until it was not paused for so long.
const LINGER_NS: i64 = 30 * SECOND;
/// The longest pause at once: in between the end of a connection is noticed.
const PAUSE_MAX_NS: i64 = 10 * SECOND;
/// The most that a source can owe, as time at the full rate.
const DEBT_MAX_NS: i64 = 60 * SECOND;
/// Parts of a token; a repeat costs one.
const PARTS: u64 = 8;
/// Bytes without an operation that cost as much as an operation.
const NOISE_BYTES: u64 = 256;

/// What an arrival was to the ledger.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// An operation of the primary, for the first time from this source.
    Known,
    /// What the source had sent before.
    Repeat,
    /// An operation that the primary has not delivered.
    Foreign,
}

/// How long a source is not to be read, nanoseconds; 0 for not at all.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Pause {
    /// Its live stream.
    pub live_ns: i64,
    /// What is asked of its log.
    pub filled_ns: i64,
}

impl Pause {
    /// The longer one, for a source that has but one way in.
    #[must_use]
    pub fn longest_ns(self) -> i64 {
        self.live_ns.max(self.filled_ns)
    }
}

/// Tokens that come back with time.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Bucket {
    /// When every token that was taken will have come back.
    full_at: Tau,
    /// Parts of tokens taken since the last look.
    taken: u64,
}

impl Bucket {
    const FULL: Bucket = Bucket { full_at: Tau::MIN, taken: 0 };

    /// Nanoseconds until a token is there, after what was taken.
    fn settle(&mut self, per_s: u32, now: Tau) -> i64 {
        let ns = u128::from(std::mem::take(&mut self.taken)) * SECOND as u128;
        let ns = ns / (u128::from(PARTS) * u128::from(per_s.max(1)));
        let full_at = self.full_at.max(now.plus(-BURST_NS)).plus(i64::try_from(ns).unwrap_or(i64::MAX));
        self.full_at = full_at.min(now.plus(DEBT_MAX_NS));
        self.full_at.since(now).clamp(0, PAUSE_MAX_NS)
    }
}

/// What throttling a source came to.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct ThrottleState {
    /// Since when it is throttled; none when it is not.
    pub since: Option<Tau>,
    /// How often it has been since the start.
    pub times: u64,
    /// For how long it was not read since the start, nanoseconds.
    pub paused_ns: i64,
    /// Operations of it that the primary did not know when they came, since the start.
    pub foreign_ops: u64,
}

/// The buckets of one source: one for its stream, and one for its log, so that filling a gap never slows the stream.
#[derive(Clone, Debug)]
pub struct Throttle {
    per_s: u32,
    live: Bucket,
    filled: Bucket,
    /// The end of the latest pause.
    until: Tau,
    state: ThrottleState,
}

impl Throttle {
    /// Full buckets of `per_s` operations a second.
    #[must_use]
    pub fn new(per_s: u32) -> Throttle {
        Throttle { per_s, live: Bucket::FULL, filled: Bucket::FULL, until: Tau::MIN, state: ThrottleState::default() }
    }

    /// Takes what an arrival costs.
    pub fn arrived(&mut self, news: News, mode: Mode) {
        let parts = match news {
            News::Known => return,
            News::Repeat => 1,
            News::Foreign => PARTS,
        };
        self.state.foreign_ops += u64::from(news == News::Foreign);
        let bucket = if mode == Mode::Filled { &mut self.filled } else { &mut self.live };
        bucket.taken = bucket.taken.saturating_add(parts);
    }

    /// Takes what a refused frame costs.
    pub fn refused(&mut self) {
        self.live.taken = self.live.taken.saturating_add(PARTS);
    }

    /// Takes what bytes cost that carried no operation.
    pub fn noise(&mut self, bytes: u64) {
        self.live.taken = self.live.taken.saturating_add(bytes.saturating_mul(PARTS) / NOISE_BYTES);
    }

    /// How long the source is not to be read from `now` on, after what was taken; whether it is throttled only since now.
    /// While it is not known what the primary has (`is_known` is false), much that it has counts as foreign: a source that
    /// is read no faster then does not count as throttled for it.
    pub fn pause(&mut self, now: Tau, is_known: bool) -> (Pause, bool) {
        let pause =
            Pause { live_ns: self.live.settle(self.per_s, now), filled_ns: self.filled.settle(self.per_s, now) };
        if pause.longest_ns() == 0 {
            return (pause, false);
        }
        let until = now.plus(pause.longest_ns());
        self.state.paused_ns += Span { from: self.until.max(now), to: until.max(self.until) }.len_ns();
        self.until = self.until.max(until);
        let is_news = is_known && self.state.since.is_none();
        if is_news {
            self.state.since = Some(now);
            self.state.times += 1;
        }
        (pause, is_news)
    }

    /// Whether the source is not throttled any more at `now`, and was until then.
    pub fn ends(&mut self, now: Tau) -> bool {
        self.state.since.is_some() && now.since(self.until) >= LINGER_NS && self.state.since.take().is_some()
    }

    /// What it came to so far.
    #[must_use]
    pub const fn state(&self) -> ThrottleState {
        self.state
    }

    /// Operations a second that are taken.
    #[must_use]
    pub const fn per_s(&self) -> u32 {
        self.per_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::MS;

    const RATE: u32 = 2_000;

    fn taken(throttle: &mut Throttle, n: u32, news: News, mode: Mode, now: Tau) -> Pause {
        (0..n).for_each(|_| throttle.arrived(news, mode));
        throttle.pause(now, true).0
    }

    #[test]
    fn what_the_primary_knows_costs_nothing() {
        let mut throttle = Throttle::new(RATE);
        let pause = taken(&mut throttle, 1_000_000, News::Known, Mode::Live, Tau(0));
        assert_eq!((pause, throttle.state()), (Pause::default(), ThrottleState::default()));
    }

    #[test]
    fn foreign_operations_are_taken_at_the_rate_and_no_faster() {
        let mut throttle = Throttle::new(RATE);
        let (mut now, mut ops) = (Tau(0), 0_u64);
        while now < Tau(100 * SECOND) {
            now = now.plus(taken(&mut throttle, 256, News::Foreign, Mode::Live, now).live_ns);
            ops += 256;
        }
        let allowed = 101 * u64::from(RATE);
        assert!((allowed - 256..=allowed + 256).contains(&ops), "{ops} in 100 s");
        let state = throttle.state();
        assert_eq!((state.since.is_some(), state.times, state.foreign_ops), (true, 1, ops));
        assert!((99 * SECOND..=101 * SECOND).contains(&state.paused_ns), "{state:?}");
    }

    #[test]
    fn a_repeat_costs_an_eighth_and_a_log_has_a_bucket_of_its_own() {
        let mut throttle = Throttle::new(RATE);
        assert_eq!(taken(&mut throttle, 16_000, News::Repeat, Mode::Live, Tau(0)), Pause::default());
        let pause = taken(&mut throttle, 4_000, News::Foreign, Mode::Filled, Tau(0));
        assert_eq!(pause, Pause { live_ns: 0, filled_ns: SECOND });
        let pause = taken(&mut throttle, 16, News::Repeat, Mode::Live, Tau(0));
        assert_eq!(
            pause,
            Pause { live_ns: MS, filled_ns: SECOND },
            "what is owed for the log does not slow the stream"
        );
    }

    #[test]
    fn refused_frames_and_bytes_without_operations_cost_too() {
        let mut throttle = Throttle::new(RATE);
        (0..RATE).for_each(|_| throttle.refused());
        throttle.noise(512_000);
        assert_eq!(throttle.pause(Tau(0), true).0.live_ns, SECOND);
        throttle.noise(u64::MAX);
        assert_eq!(throttle.pause(Tau(0), true).0.live_ns, PAUSE_MAX_NS, "nothing overflows");
        assert_eq!(throttle.pause(Tau(55 * SECOND), true).0.live_ns, 5 * SECOND, "what is owed is paid, up to a limit");
        assert_eq!(throttle.pause(Tau(60 * SECOND), true).0.live_ns, 0);
    }

    #[test]
    fn what_the_primary_may_have_too_throttles_nobody() {
        let mut throttle = Throttle::new(RATE);
        (0..3 * RATE).for_each(|_| throttle.arrived(News::Foreign, Mode::Live));
        let (pause, is_news) = throttle.pause(Tau(0), false);
        assert_eq!(
            (pause.live_ns, is_news, throttle.state().since, throttle.state().times),
            (2 * SECOND, false, None, 0)
        );
        let (_, is_news) = throttle.pause(Tau(SECOND), true);
        assert!(is_news, "still more than is taken, and now it is known whose it is");
    }

    #[test]
    fn it_is_throttled_until_it_was_not_paused_for_a_while() {
        let mut throttle = Throttle::new(RATE);
        (0..3 * RATE).for_each(|_| throttle.arrived(News::Foreign, Mode::Live));
        let (pause, is_news) = throttle.pause(Tau(0), true);
        assert_eq!((pause.live_ns, is_news), (2 * SECOND, true));
        assert!(!throttle.ends(Tau(31 * SECOND)));
        assert!(throttle.ends(Tau(32 * SECOND)) && !throttle.ends(Tau(32 * SECOND)), "told once");
        assert_eq!(
            throttle.state(),
            ThrottleState { since: None, times: 1, paused_ns: 2 * SECOND, foreign_ops: 6_000 }
        );
    }
}
