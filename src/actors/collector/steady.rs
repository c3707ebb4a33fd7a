//! What should hold still and is told when it does not: the wall clock, the primary's usual delay, and our own reading. No
//! verdict depends on the first; the others leave operations without timing.

use super::Collector;
use crate::actors::message::ReaderLate;
use crate::domain::source::SourceIx;
use crate::domain::time::{MS, Tau};
use actix::Handler;

/// A step of the wall clock that is told as an event, milliseconds.
const CLOCK_STEP_MS: i64 = 250;

impl Collector {
    /// Tells a step of the wall clock; no verdict depends on it.
    pub(super) fn watch_wall_clock(&mut self, now: Tau) {
        let offset_ms = self.clock.utc_ms() - now.0 / MS;
        if let Some(before) = self.clock_offset_ms.replace(offset_ms)
            && (offset_ms - before).abs() > CLOCK_STEP_MS
        {
            self.note("clock_step", None, format!("the system's clock was moved by {} ms", offset_ms - before));
        }
    }

    /// Tells that the primary's operations come later than usual, which leaves them without timing, and when that is over.
    pub(super) fn watch_primary(&mut self) {
        let is_delayed = self.ledger.is_primary_delayed();
        if std::mem::replace(&mut self.is_primary_delayed, is_delayed) == is_delayed {
            return;
        }
        let (kind, text) = if is_delayed {
            ("primary_delayed", "the primary's operations come later after their createdAt than usual")
        } else {
            ("primary_usual", "the primary's operations come as soon after their createdAt as usual")
        };
        self.note_of(SourceIx::PRIMARY, kind, text.to_owned());
    }
}

impl Handler<ReaderLate> for Collector {
    type Result = ();

    fn handle(&mut self, msg: ReaderLate, _: &mut Self::Context) {
        self.ledger.late_reader(msg.from, msg.to);
        if let Some(to) = msg.to {
            self.note("reader_late", None, format!("our reading was late for {} ms", to.since(msg.from) / MS));
        }
    }
}
