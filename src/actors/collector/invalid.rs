//! Operations of the primary that break the rules: what becomes of them, and how many events they make.

use super::Collector;
use crate::actors::message::Invalid;
use crate::domain::time::{SECOND, Tau};
use actix::Handler;

/// Events about them in one span; more are counted, and the next event tells how many.
const EVENTS_MAX: u32 = 20;
/// The length of that span.
const SPAN_NS: i64 = 60 * SECOND;

/// How many events were made of late, so that a primary which breaks the rules at every operation does not push every
/// other event from the list.
#[derive(Debug, Default)]
pub(super) struct InvalidLog {
    since: Option<Tau>,
    listed: u32,
    unlisted: u64,
}

impl InvalidLog {
    /// Whether one more event may be made, and how many were not made since the last one.
    fn admit(&mut self, now: Tau) -> Option<u64> {
        if self.since.is_none_or(|since| now.since(since) >= SPAN_NS) {
            self.since = Some(now);
            self.listed = 0;
        }
        if self.listed >= EVENTS_MAX {
            self.unlisted += 1;
            return None;
        }
        self.listed += 1;
        Some(std::mem::take(&mut self.unlisted))
    }
}

impl Handler<Invalid> for Collector {
    type Result = ();

    fn handle(&mut self, msg: Invalid, _: &mut Self::Context) {
        self.ledger.dispute(&msg.key);
        let Some(unlisted) = self.invalid.admit(self.clock.now()) else { return };
        let before = if unlisted > 0 { format!(" (and {unlisted} more before it)") } else { String::new() };
        let text = format!("{} {}: {}: {}{before}", msg.key.did, msg.key.cid, msg.rule.name(), msg.text);
        let id = self.sources.first().map(|primary| primary.who.id.clone());
        self.note("primary_invalid_op", id, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_bounded_and_none_is_forgotten() {
        let mut log = InvalidLog::default();
        let at = |s: i64| Tau(s * SECOND);
        for _ in 0..EVENTS_MAX {
            assert_eq!(log.admit(at(100)), Some(0));
        }
        assert_eq!((log.admit(at(101)), log.admit(at(159))), (None, None));
        assert_eq!(log.admit(at(160)), Some(2));
        assert_eq!(log.admit(at(161)), Some(0));
    }
}
