//! The machine: what was seen before, and what is shown.

use super::latch::Latch;
use super::{
    CAUGHT_UP_FOR_NS, CAUGHT_UP_NS, Change, DIVERGED_NS, Divergence, Facts, LAGGING_FOR_NS, LAGGING_NS, LOSING_MISSES,
    LOSING_OVER_NS, LOSING_RATIO, LinkFact, RECOVERED_NS, STALLED_NS, STALLED_OPS, STALLED_SENT, Standing, State,
    words,
};
use crate::domain::time::{SECOND, Tau};

/// Two steps further apart than this saw nothing of what lay between.
const STEP_MAX_NS: i64 = 5 * SECOND;
/// How long a start may take to find the state of a run before again.
const RESUME_NS: i64 = 120 * SECOND;

/// What a run before left.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Resumed {
    /// What was shown.
    pub state: State,
    /// Since when.
    pub since: Tau,
    /// Whether it was lagging, stalled, losing, each whether it was shown or not.
    pub holds: [bool; 3],
    /// Watched time without another miss, nanoseconds.
    pub calm_ns: i64,
    /// Whether anything was ever decided.
    pub is_judged: bool,
    /// When the newest finding about content was made.
    pub diverged_at: Option<Tau>,
}

/// A silence of a mirror that owes operations.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Quiet {
    since: Tau,
    received: u64,
    primary_sent: u64,
}

/// The state of one mirror.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a condition of its own")]
pub struct Machine {
    shown: Standing,
    /// What the run before showed and since when, and the start since which it may be found again.
    resumed: Option<(State, Tau, Tau)>,
    impaired: Latch,
    down: Latch,
    lagging: Latch,
    is_stalled: bool,
    /// What had come by the last look at its silence.
    received: Option<u64>,
    quiet: Option<Quiet>,
    is_losing: bool,
    calm_ns: i64,
    /// Open and recent misses of the step before.
    misses: Option<(u64, u64)>,
    is_judged: bool,
    was_believed: bool,
    /// The newest finding about content that is not listed any more.
    diverged_at: Option<Tau>,
    divergence: Option<(Divergence, Tau)>,
    stepped: Option<Tau>,
}

impl Machine {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new(now: Tau) -> Machine {
        Machine {
            shown: Standing { state: State::Unknown, since: now, why: words::STARTING.to_owned() },
            resumed: None,
            impaired: Latch::default(),
            down: Latch::default(),
            lagging: Latch::default(),
            is_stalled: false,
            received: None,
            quiet: None,
            is_losing: false,
            calm_ns: 0,
            misses: None,
            is_judged: false,
            was_believed: false,
            diverged_at: None,
            divergence: None,
            stepped: None,
        }
    }

    /// One that goes on where a run before ended: until it is seen how the mirror does, its state is unknown, and when it is
    /// the same as it was then, nothing has changed.
    #[must_use]
    pub fn resume(now: Tau, left: Resumed) -> Machine {
        let [is_lagging, is_stalled, is_losing] = left.holds;
        Machine {
            resumed: Some((left.state, left.since, now)),
            lagging: Latch::restored(is_lagging),
            is_stalled,
            is_losing,
            calm_ns: left.calm_ns,
            is_judged: left.is_judged,
            diverged_at: left.diverged_at,
            ..Machine::new(now)
        }
    }

    /// What the next run needs.
    #[must_use]
    pub fn left(&self) -> Resumed {
        let (state, since) = self.resumed.map_or((self.shown.state, self.shown.since), |r| (r.0, r.1));
        Resumed {
            state,
            since,
            holds: [self.lagging.is_on(), self.is_stalled, self.is_losing],
            calm_ns: self.calm_ns,
            is_judged: self.is_judged,
            diverged_at: self.divergence.map(|d| d.1).max(self.diverged_at),
        }
    }

    /// The start since which it is not known whether the state of the run before still holds; none once that is known.
    #[must_use]
    pub fn unseen_since(&self) -> Option<Tau> {
        self.resumed.map(|r| r.2)
    }

    /// What is shown.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.shown
    }

    /// Takes what is seen now; tells a change of what is shown. Steps are to be a second apart or so.
    pub fn step(&mut self, f: &Facts) -> Option<Change> {
        let passed_ns = self.stepped.replace(f.now).map_or(0, |before| f.now.since(before));
        let recovered_ns = if self.was_believed { RECOVERED_NS } else { 0 };
        self.impaired.step(f.now, (f.impaired.is_some(), 0), (f.impaired.is_none(), recovered_ns));
        self.was_believed |= f.impaired.is_none();
        self.down.step(f.now, (f.link == LinkFact::Down, 0), (f.link != LinkFact::Down, RECOVERED_NS));
        self.is_judged |= f.seen.is_judged;
        let is_watched = passed_ns <= STEP_MAX_NS
            && f.link == LinkFact::Up
            && f.impaired.is_none()
            && f.seen.is_proved
            && !f.is_throttled;
        let is_timed = is_watched && !f.is_primary_delayed;
        self.watch_age(f, is_timed);
        self.watch_silence(f, is_timed);
        self.watch_losses(f, if is_watched { passed_ns } else { 0 });
        self.watch_content(f);
        let state = self.verdict(f);
        self.show(state, f)
    }

    fn watch_age(&mut self, f: &Facts, is_timed: bool) {
        if !is_timed || !self.is_judged {
            self.lagging.rest();
            return;
        }
        let age_ns = f.seen.owed_since.map_or(0, |since| f.now.since(since));
        let (enters, leaves) = (age_ns > LAGGING_NS, age_ns < CAUGHT_UP_NS);
        self.lagging.step(f.now, (enters, LAGGING_FOR_NS), (leaves, CAUGHT_UP_FOR_NS));
    }

    /// The silence begins when the mirror begins to owe, and ends when anything comes: a directory in which nothing happens
    /// makes no stall.
    fn watch_silence(&mut self, f: &Facts, is_timed: bool) {
        let s = &f.seen;
        // Who sends more than is taken is not silent.
        self.is_stalled &= !f.is_throttled;
        if !is_timed || !self.is_judged {
            self.quiet = None;
            return;
        }
        if s.owed_ops == 0 || *self.received.get_or_insert(s.received) != s.received {
            self.is_stalled = false;
        }
        self.received = Some(s.received);
        if s.owed_ops == 0 {
            self.quiet = None;
            return;
        }
        let fresh = Quiet { since: f.now, received: s.received, primary_sent: s.primary_sent };
        let quiet = *self.quiet.insert(self.quiet.filter(|q| q.received == s.received).unwrap_or(fresh));
        let usual_ns = s.primary_rate_per_s.filter(|&rate| rate > 0.0).map(|rate| STALLED_OPS / rate * SECOND as f64);
        let quiet_ns = f.now.since(quiet.since);
        let is_long = quiet_ns >= STALLED_NS && usual_ns.is_some_and(|usual_ns| quiet_ns as f64 >= usual_ns);
        self.is_stalled |= is_long && s.primary_sent.saturating_sub(quiet.primary_sent) >= STALLED_SENT;
    }

    fn watch_losses(&mut self, f: &Facts, watched_ns: i64) {
        let s = &f.seen;
        let before = self.misses.replace((s.open_misses, s.missed));
        let is_more = before.is_some_and(|(open, recent)| s.open_misses > open || s.missed > recent);
        let is_above = s.missed as f64 > s.decided as f64 * LOSING_RATIO;
        self.is_losing |= s.open_misses >= LOSING_MISSES && is_above;
        if is_more {
            self.calm_ns = 0;
        } else if s.decided > 0 {
            // Where nothing is decided, nothing could be missed.
            self.calm_ns = self.calm_ns.saturating_add(watched_ns);
        }
        if self.is_losing && self.calm_ns >= LOSING_OVER_NS && (!is_above || s.open_misses < LOSING_MISSES) {
            self.is_losing = false;
        }
    }

    fn watch_content(&mut self, f: &Facts) {
        let counts = |at: Tau| f.now.since(at) < DIVERGED_NS;
        self.divergence = f.seen.divergence.filter(|d| counts(d.1));
        self.diverged_at = self.diverged_at.filter(|&at| counts(at));
    }

    fn verdict(&self, f: &Facts) -> State {
        if f.link == LinkFact::Unsupported {
            return State::Unsupported;
        }
        if self.impaired.is_on() {
            return State::Unknown;
        }
        if f.link == LinkFact::Ours {
            return State::Unknown;
        }
        if self.down.is_on() {
            return State::Disconnected;
        }
        if f.link == LinkFact::New {
            return State::Unknown;
        }
        if self.divergence.is_some() || self.diverged_at.is_some() {
            return State::Diverged;
        }
        if self.is_losing {
            return State::Losing;
        }
        let is_time_known = f.seen.is_proved && !f.is_primary_delayed;
        if self.is_stalled && is_time_known {
            return State::Stalled;
        }
        if f.is_throttled {
            return State::Throttled;
        }
        if self.is_stalled || self.lagging.is_on() {
            return if is_time_known { State::Lagging } else { State::Unknown };
        }
        if self.is_judged { State::Ok } else { State::Unknown }
    }

    fn show(&mut self, state: State, f: &Facts) -> Option<Change> {
        let quiet_ns = self.quiet.map_or(0, |q| f.now.since(q.since));
        let why = words::why(state, f, quiet_ns, self.divergence.map(|d| d.0));
        if let Some((left, since, started)) = self.resumed {
            if state == State::Unknown && left != State::Unknown && f.now.since(started) < RESUME_NS {
                self.shown.why = why;
                return None;
            }
            self.resumed = None;
            self.shown.state = left;
            if state == left {
                self.shown = Standing { state, since, why };
                return None;
            }
        }
        let from = self.shown.state;
        if state == from {
            self.shown.why = why;
            return None;
        }
        self.shown = Standing { state, since: f.now, why: why.clone() };
        Some(Change { from, to: state, why })
    }
}
