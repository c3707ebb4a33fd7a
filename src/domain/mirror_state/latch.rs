//! A condition that holds once it has lasted, and ends once its opposite has.

use crate::domain::time::Tau;

/// Off at first; see [`Latch::step`].
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Latch {
    is_on: bool,
    /// Since when what would turn it has held.
    turning: Option<Tau>,
}

impl Latch {
    /// One that is as it was left.
    pub(super) const fn restored(is_on: bool) -> Latch {
        Latch { is_on, turning: None }
    }

    /// Whether it is on.
    pub(super) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// Turns on when `enters` has held for `enter_ns`, off when `leaves` has held for `leave_ns`.
    pub(super) fn step(&mut self, now: Tau, (enters, enter_ns): (bool, i64), (leaves, leave_ns): (bool, i64)) {
        let (turns, after_ns) = if self.is_on { (leaves, leave_ns) } else { (enters, enter_ns) };
        if !turns {
            self.turning = None;
            return;
        }
        let since = *self.turning.get_or_insert(now);
        if now.since(since) >= after_ns {
            self.is_on = !self.is_on;
            self.turning = None;
        }
    }

    /// Nobody looked: whatever was turning it begins anew.
    pub(super) fn rest(&mut self) {
        self.turning = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_turns_when_the_condition_lasted() {
        let mut latch = Latch::default();
        let mut step = |at, enters, leaves| {
            latch.step(Tau(at), (enters, 10), (leaves, 15));
            latch.is_on()
        };
        assert!(!step(0, true, false) && !step(9, true, false));
        assert!(!step(10, false, false) && !step(11, true, false) && !step(20, true, false), "it began anew");
        assert!(step(21, true, false) && step(22, true, false), "on, and no reason to leave");
        assert!(step(30, false, true) && step(44, false, true) && !step(45, false, true));
        latch.step(Tau(50), (true, 10), (false, 15));
        latch.rest();
        latch.step(Tau(60), (true, 10), (false, 15));
        assert!(!latch.is_on(), "what was seen before the rest does not count");
    }
}
