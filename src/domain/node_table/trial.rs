//! The test of a node: a short connection with pings, before it may become the uplink and every so often.

use crate::domain::time::Tau;

/// How a node's test stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum TrialState {
    /// It is to be tested.
    Pending,
    /// It is being tested since.
    Current(Tau),
    /// It passed then.
    Success(Tau),
    /// It did not pass.
    Failed,
}

/// A node's tests.
#[derive(Clone, Debug)]
pub struct Trial {
    /// How it stands.
    pub state: TrialState,
    /// When the last one began.
    pub started: Option<Tau>,
    /// When one was passed last.
    pub last_success: Option<Tau>,
    /// How many failed since.
    pub failures: u32,
    /// The next one waits until then.
    pub(super) not_before: Tau,
}

impl Trial {
    pub(super) const fn new() -> Trial {
        Trial { state: TrialState::Pending, started: None, last_success: None, failures: 0, not_before: Tau::MIN }
    }

    /// Whether one is under way.
    #[must_use]
    pub const fn is_current(&self) -> bool {
        matches!(self.state, TrialState::Current(_))
    }

    pub(super) fn begin(&mut self, now: Tau) {
        (self.state, self.started) = (TrialState::Current(now), Some(now));
    }

    pub(super) fn passed(&mut self, now: Tau) {
        (self.state, self.last_success, self.failures) = (TrialState::Success(now), Some(now), 0);
    }

    /// Did not pass; the next one waits twice as long each time, from `step_ns` up to `max_ns`.
    pub(super) fn failed(&mut self, now: Tau, step_ns: i64, max_ns: i64) {
        self.failures = self.failures.saturating_add(1);
        let wait_ns = step_ns.saturating_mul(1 << self.failures.min(16)).min(max_ns);
        (self.state, self.not_before) = (TrialState::Failed, now.plus(wait_ns));
    }

    /// Whether it is to be tested now; a test that was passed holds for `retest_ns`, one that is lost is begun anew after
    /// `lost_ns`.
    pub(super) fn is_due(&mut self, now: Tau, retest_ns: i64, lost_ns: i64) -> bool {
        let is_over = match self.state {
            TrialState::Pending => false,
            TrialState::Current(since) => now.since(since) > lost_ns,
            TrialState::Success(at) => now.since(at) >= retest_ns,
            TrialState::Failed => true,
        };
        if is_over {
            self.state = TrialState::Pending;
        }
        self.state == TrialState::Pending && now >= self.not_before
    }
}
