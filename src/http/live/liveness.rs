//! When a socket is asked for a sign of life, and when it is given up. Pure: the present is always an argument.

use std::time::Duration;

use tokio::time::Instant;

/// Silence after which the peer is asked for a sign of life.
const PING_AFTER: Duration = Duration::from_secs(15);
/// Silence after which the socket is closed.
const IDLE_MAX: Duration = Duration::from_secs(45);
/// Longest wait for the pong that ends a batch. A look a second and a farewell come on top: ten seconds in all.
const PROGRESS_MAX: Duration = Duration::from_secs(8);
/// Longest life of a socket; a browser reconnects by itself.
const LIFE_MAX: Duration = Duration::from_hours(6);
/// Inbound messages in a second.
const MESSAGES_PER_SECOND_MAX: u32 = 5;

/// What to do about a socket.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Nothing.
    Fine,
    /// Ask for a sign of life.
    Ask,
    /// Close: a batch was not taken in time.
    TooSlow,
    /// Close: nothing was heard.
    Idle,
    /// Close: it was open long enough.
    Expired,
}

/// The times of one socket.
#[derive(Debug)]
pub struct Liveness {
    opened: Instant,
    last_inbound: Instant,
    /// The batch whose pong has not come, and since when.
    in_flight: Option<(u64, Instant)>,
    /// Number of the last batch.
    batch: u64,
    /// Since when a sign of life is awaited.
    asked: Option<Instant>,
    /// Start of the current second of inbound messages, and how many came in it.
    inbound_second: (Instant, u32),
}

impl Liveness {
    /// A socket opened now.
    pub fn new(now: Instant) -> Self {
        Liveness { opened: now, last_inbound: now, in_flight: None, batch: 0, asked: None, inbound_second: (now, 0) }
    }

    /// A batch has been sent; its number goes into the ping behind it.
    pub fn batch_sent(&mut self, now: Instant) -> u64 {
        self.batch = self.batch.wrapping_add(1);
        self.in_flight = Some((self.batch, now));
        self.batch
    }

    /// Whether a batch is on its way still.
    pub fn is_waiting(&self) -> bool {
        self.in_flight.is_some()
    }

    /// The pong of a batch has come; says whether it was awaited.
    pub fn batch_arrived(&mut self, batch: u64) -> bool {
        let is_awaited = self.in_flight.is_some_and(|(awaited, _)| awaited == batch);
        if is_awaited {
            self.in_flight = None;
        }
        is_awaited
    }

    /// The sign of life has come; says whether it was asked for.
    pub fn answered(&mut self) -> bool {
        self.asked.take().is_some()
    }

    /// Something has come in.
    pub fn heard(&mut self, now: Instant) {
        self.last_inbound = now;
    }

    /// Counts an inbound message that nobody asked for; says whether there were too many.
    pub fn is_too_many(&mut self, now: Instant) -> bool {
        let (since, count) = self.inbound_second;
        let is_new_second = now.duration_since(since) >= Duration::from_secs(1);
        self.inbound_second = if is_new_second { (now, 1) } else { (since, count.saturating_add(1)) };
        self.inbound_second.1 > MESSAGES_PER_SECOND_MAX
    }

    /// What is to be done now.
    pub fn look(&mut self, now: Instant) -> Sign {
        let silent = now.duration_since(self.last_inbound);
        if self.in_flight.is_some_and(|(_, since)| now.duration_since(since) >= PROGRESS_MAX) {
            Sign::TooSlow
        } else if silent >= IDLE_MAX {
            Sign::Idle
        } else if now.duration_since(self.opened) >= LIFE_MAX {
            Sign::Expired
        } else if silent >= PING_AFTER && self.asked.is_none_or(|at| now.duration_since(at) >= PING_AFTER) {
            self.asked = Some(now);
            Sign::Ask
        } else {
            Sign::Fine
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> (Instant, Liveness) {
        let now = Instant::now();
        (now, Liveness::new(now))
    }

    #[test]
    fn a_silent_socket_is_asked_thrice_and_then_given_up() {
        let (start, mut live) = start();
        let signs: Vec<(u64, Sign)> = (0..=45)
            .map(|s| (s, live.look(start + Duration::from_secs(s))))
            .filter(|(_, sign)| *sign != Sign::Fine)
            .collect();
        assert_eq!(signs, [(15, Sign::Ask), (30, Sign::Ask), (45, Sign::Idle)]);
        assert!(live.answered() && !live.answered());
    }

    #[test]
    fn a_batch_that_is_not_taken_ends_the_socket() {
        let (start, mut live) = start();
        let first = live.batch_sent(start);
        assert!(live.batch_arrived(first) && !live.batch_arrived(first));
        let second = live.batch_sent(start + Duration::from_secs(5));
        assert!(!live.batch_arrived(first) && live.is_waiting());
        live.heard(start + Duration::from_secs(12));
        assert_eq!(live.look(start + Duration::from_secs(12)), Sign::Fine);
        assert_eq!(live.look(start + Duration::from_secs(13)), Sign::TooSlow);
        assert!(live.batch_arrived(second));
        assert_eq!(live.look(start + Duration::from_secs(13)), Sign::Fine);
    }

    #[test]
    fn a_lively_socket_lives_six_hours() {
        let (start, mut live) = start();
        let almost = start + Duration::from_secs(6 * 3600 - 1);
        live.heard(almost);
        assert_eq!(live.look(almost), Sign::Fine);
        assert_eq!(live.look(almost + Duration::from_secs(1)), Sign::Expired);
    }

    #[test]
    fn five_messages_a_second_are_enough() {
        let (start, mut live) = start();
        assert!((0..5).all(|_| !live.is_too_many(start)));
        assert!(live.is_too_many(start + Duration::from_millis(999)));
        assert!(!live.is_too_many(start + Duration::from_secs(1)));
    }
}
