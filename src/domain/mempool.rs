//! A source that begins each connection with everything that it has not put away yet: when that closes the gap before it.
//!
//! Such a source has no numbers. The gap is closed when the replay holds the last operation that was known, for what the
//! source published behind it follows on the same connection; and when the replay is over, which nothing marks but a pause.

use super::op::OpKey;
use super::time::{SECOND, Tau};

/// A pause that ends a replay, nanoseconds.
const PAUSE_NS: i64 = SECOND;
/// A connection that never pauses is behind its replay after this long, nanoseconds.
const REPLAY_MAX_NS: i64 = 60 * SECOND;

/// The replay of one connection.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Refill {
    last_known: OpKey,
    settled_at: Tau,
    opened_at: Tau,
    last_at: Tau,
    is_seen: bool,
}

/// What a replay came to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Refilled {
    /// It goes on.
    NotYet,
    /// Nothing is missing.
    Closed,
    /// The last known operation was not in it.
    Hole,
}

impl Refill {
    /// The replay of a connection that opened at `opened_at`; it is not over before `settled_at`.
    #[must_use]
    pub fn new(last_known: OpKey, opened_at: Tau, settled_at: Tau) -> Refill {
        Refill { last_known, settled_at, opened_at, last_at: opened_at, is_seen: false }
    }

    /// An operation came.
    pub fn op(&mut self, key: &OpKey, at: Tau) {
        self.is_seen |= *key == self.last_known;
        self.last_at = self.last_at.max(at);
    }

    /// Everything that was sent before `through` has come.
    #[must_use]
    pub fn proved(&self, through: Tau) -> Refilled {
        let is_over = through.since(self.last_at) >= PAUSE_NS || through.since(self.opened_at) >= REPLAY_MAX_NS;
        match (is_over && through >= self.settled_at, self.is_seen) {
            (false, _) => Refilled::NotYet,
            (true, true) => Refilled::Closed,
            (true, false) => Refilled::Hole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::did::Did;

    fn key(n: u8) -> OpKey {
        OpKey { did: Did([1; 15]), cid: Cid([n; 32]) }
    }

    fn s(seconds: i64) -> Tau {
        Tau(seconds * SECOND)
    }

    #[test]
    fn a_gap_is_closed_by_a_replay_that_holds_the_last_known_operation_and_is_over() {
        let mut r = Refill::new(key(7), s(0), s(5));
        r.op(&key(6), s(1));
        assert_eq!(r.proved(s(4)), Refilled::NotYet, "too early to be over");
        assert_eq!(r.proved(s(6)), Refilled::Hole, "it does not reach back to what was known");
        r.op(&key(7), s(6));
        assert_eq!(r.proved(s(6)), Refilled::NotYet, "no pause yet");
        assert_eq!(r.proved(s(7)), Refilled::Closed);
        (6..60).for_each(|at| r.op(&key(8), s(at)));
        assert_eq!((r.proved(s(59)), r.proved(s(60))), (Refilled::NotYet, Refilled::Closed), "it never pauses");
    }
}
