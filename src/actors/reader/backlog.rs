//! What may lie unread because reading paused.

use crate::domain::time::Tau;

/// Whether a reader is behind its source, and for how long it may be.
#[derive(Debug)]
pub(super) struct Backlog {
    /// When everything that had come was read.
    drained: Tau,
    state: State,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum State {
    /// Everything is read as it comes.
    Abreast,
    /// Reading pauses.
    Paused,
    /// Reading went on then, and nothing proved that it has caught up.
    Behind(Tau),
}

impl Backlog {
    pub(super) fn new(now: Tau) -> Backlog {
        Backlog { drained: now, state: State::Abreast }
    }

    /// Everything that had come by then was read. Behind a pause that says nothing: a source whose window was full sends on
    /// only then.
    pub(super) fn drained(&mut self, at: Tau) {
        if self.state == State::Abreast {
            self.drained = at;
        }
    }

    /// Reading pauses.
    pub(super) fn paused(&mut self) {
        self.state = State::Paused;
    }

    /// Reading goes on.
    pub(super) fn resumed(&mut self, now: Tau) {
        self.state = State::Behind(now);
    }

    /// Whether an acknowledged ping that was sent at `through` proves what was before it: not behind a pause, unless it was
    /// sent after that. The reader is not behind any more then.
    pub(super) fn proves(&mut self, through: Tau) -> bool {
        match self.state {
            State::Abreast => true,
            State::Behind(resumed) if through >= resumed => {
                (self.state, self.drained) = (State::Abreast, through);
                true
            }
            State::Paused | State::Behind(_) => false,
        }
    }

    pub(super) fn is_behind(&self) -> bool {
        self.state != State::Abreast
    }

    /// How long what is read now may have been there, nanoseconds; 0 when it is read as it comes.
    pub(super) fn behind_ns(&self, now: Tau) -> i64 {
        if self.is_behind() { now.since(self.drained).max(1) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_a_pause_only_a_later_ping_proves_anything() {
        let mut backlog = Backlog::new(Tau(0));
        backlog.drained(Tau(50));
        assert!(backlog.proves(Tau(40)) && backlog.behind_ns(Tau(60)) == 0);
        backlog.paused();
        assert!(!backlog.proves(Tau(100)), "it still pauses");
        backlog.resumed(Tau(200));
        backlog.drained(Tau(210));
        assert_eq!(backlog.behind_ns(Tau(220)), 170, "an empty look says nothing of what the source held back");
        assert!(!backlog.proves(Tau(199)) && backlog.is_behind());
        assert!(backlog.proves(Tau(200)) && !backlog.is_behind());
        assert_eq!(backlog.behind_ns(Tau(300)), 0);
    }
}
