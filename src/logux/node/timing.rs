//! Signs of life. Only what is received shows that the other side is there, so only that delays the next question.

use super::{Node, Now};
use crate::logux::effect::{Close, Effect};

impl Node {
    /// When [`Node::on_time`] has something to do, by the clock that nobody sets; `None` without a connection.
    #[must_use]
    pub fn next_at_ms(&self) -> Option<u64> {
        match (self.ping_at_ms, self.timeout_at_ms) {
            (Some(ping), Some(timeout)) => Some(ping.min(timeout)),
            (ping, timeout) => ping.or(timeout),
        }
    }

    /// Time has passed.
    pub fn on_time(&mut self, now: Now) -> Vec<Effect> {
        let is_due = |at: Option<u64>| at.is_some_and(|at| at <= now.tick_ms);
        if is_due(self.timeout_at_ms) {
            self.close(Close::Timeout);
        } else if is_due(self.ping_at_ms) {
            self.ping_at_ms = None;
            if self.remote.is_some() {
                self.send_number("ping", self.cursor);
                self.await_answer(now);
            }
        }
        self.take_effects()
    }

    /// Something was received.
    pub(super) fn heard(&mut self, now: Now) {
        self.ping_at_ms = Some(now.tick_ms.saturating_add(self.options.ping_ms));
    }

    /// An answer is due from now on; one that is due already stays due.
    pub(super) fn await_answer(&mut self, now: Now) {
        self.timeout_at_ms.get_or_insert(now.tick_ms.saturating_add(self.options.timeout_ms));
    }

    pub(super) fn answered(&mut self) {
        self.timeout_at_ms = None;
    }
}
