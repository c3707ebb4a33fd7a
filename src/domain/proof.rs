//! How a silent stream is proved: an acknowledged ping, and then a look that finds nothing unread.
//!
//! An acknowledgement says that the peer's machine got our ping, and so that the path was whole when the ping was sent. It
//! can overtake what the peer sent before: frames that lie unread with us, or a lost segment that is sent again. So the
//! proof counts only after a look at least two seconds later that found nothing to read, and it speaks of the time before
//! the ping alone.

use super::time::{SECOND, Tau};

/// How often a ping is sent.
pub const PING_EVERY_NS: i64 = 5 * SECOND;
/// How long after an acknowledgement the look must be.
pub const AFTER_ACK_NS: i64 = 2 * SECOND;
/// How long our bytes may stay without acknowledgement.
pub const DEAD_AFTER_NS: i64 = 15 * SECOND;

/// What to do after a pulse.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Pulse {
    /// Nothing.
    Rest,
    /// Send a ping and call [`PingProof::pinged`].
    Ping,
    /// The first ping of the connection was acknowledged: it is really there.
    Alive,
    /// Everything that the peer sent before this instant has reached us.
    Proved(Tau),
    /// Nothing was acknowledged for too long.
    Dead,
}

/// The pings of one connection.
#[derive(Clone, Debug, Default)]
pub struct PingProof {
    sent: Option<Tau>,
    acked: Option<Tau>,
    next: Option<Tau>,
    is_alive: bool,
}

impl PingProof {
    /// A ping was sent; `at` is an instant before which it was not.
    pub fn pinged(&mut self, at: Tau) {
        self.sent = Some(at);
        self.acked = None;
        self.next = Some(at.plus(PING_EVERY_NS));
    }

    /// Looks at the connection at `now`: whether everything of ours is acknowledged, and whether a look at this moment
    /// found nothing unread.
    pub fn pulse(&mut self, now: Tau, is_all_acked: bool, is_drained: bool) -> Pulse {
        let Some(sent) = self.sent else {
            return if self.next.is_none_or(|next| now >= next) { Pulse::Ping } else { Pulse::Rest };
        };
        match self.acked {
            None if is_all_acked => {
                self.acked = Some(now);
                if !std::mem::replace(&mut self.is_alive, true) {
                    return Pulse::Alive;
                }
                Pulse::Rest
            }
            None if now.since(sent) > DEAD_AFTER_NS => Pulse::Dead,
            Some(acked) if is_drained && now.since(acked) >= AFTER_ACK_NS => {
                self.sent = None;
                Pulse::Proved(sent)
            }
            _ => Pulse::Rest,
        }
    }

    /// Whether a ping waits for its acknowledgement or its proof, so that the kernel is worth asking.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.sent.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: i64) -> Tau {
        Tau(seconds * SECOND)
    }

    #[test]
    fn a_ping_proves_only_what_was_before_it_and_only_after_a_later_empty_look() {
        let mut p = PingProof::default();
        assert_eq!(p.pulse(s(0), true, true), Pulse::Ping);
        p.pinged(s(0));
        assert_eq!(p.pulse(s(1), false, true), Pulse::Rest);
        assert_eq!(p.pulse(s(2), true, true), Pulse::Alive);
        assert_eq!(p.pulse(s(3), true, true), Pulse::Rest, "too early after the acknowledgement");
        assert_eq!(p.pulse(s(4), true, false), Pulse::Rest, "something is unread");
        assert_eq!(p.pulse(s(5), true, true), Pulse::Proved(s(0)));
        assert_eq!(p.pulse(s(5), true, true), Pulse::Ping);
    }

    #[test]
    fn unacknowledged_bytes_are_death_and_silence_is_not() {
        let mut p = PingProof::default();
        p.pinged(s(0));
        assert_eq!(p.pulse(s(15), false, true), Pulse::Rest);
        assert_eq!(p.pulse(s(16), false, true), Pulse::Dead);
        let mut silent = PingProof::default();
        silent.pinged(s(0));
        assert_eq!(silent.pulse(s(1), true, true), Pulse::Alive);
        assert_eq!(silent.pulse(s(100), true, true), Pulse::Proved(s(0)));
    }
}
