//! How fast mirrors are read: what each costs, how long each is to pause, and what is told of that.

use super::Collector;
use crate::domain::frame::Reject;
use crate::domain::op::Op;
use crate::domain::refused::LastReject;
use crate::domain::source::SourceIx;
use crate::domain::throttle::{Pause, Throttle};
use crate::domain::time::{SECOND, Tau};
use crate::domain::verdict::Mode;

impl Collector {
    /// An operation came: the ledger says what it was, and that what it costs.
    pub(super) fn arrived(&mut self, source: SourceIx, op: &Op, at: Tau, mode: Mode) {
        let news = self.ledger.arrive(source, op, at, mode);
        self.charge(source, |throttle| throttle.arrived(news, mode));
    }

    /// Has a mirror pay. The primary costs nothing: what it sends is what everything is measured with.
    pub(super) fn charge(&mut self, source: SourceIx, pay: impl FnOnce(&mut Throttle)) {
        if source != SourceIx::PRIMARY
            && let Some(known) = self.known(source)
        {
            pay(&mut known.throttle);
        }
    }

    /// How long a source is not to be read, after what it sent.
    pub(super) fn pause(&mut self, source: SourceIx) -> Pause {
        let now = self.clock.now();
        let windows = self.ledger.source(SourceIx::PRIMARY).map(|primary| &primary.windows);
        let is_known = windows.is_some_and(|w| w.is_open() && w.open_gaps().next().is_none());
        let Some(known) = self.known(source) else { return Pause::default() };
        let (pause, is_news) = known.throttle.pause(now, is_known);
        if is_news {
            let per_s = known.throttle.per_s();
            let text =
                format!("sends more than {per_s} operations a second that the primary does not know: read no faster");
            tracing::warn!(source = %known.who.id, text, "throttled");
            self.note_of(source, "throttled", text);
            let reject = Reject::RateLimited;
            self.rejected(source, reject.name(), LastReject { text: reject.to_string(), at: now, seq: None });
        }
        pause
    }

    /// Tells which mirrors are not throttled any more.
    pub(super) fn watch_throttles(&mut self, now: Tau) {
        for i in 0..self.sources.len() {
            let Some(known) = self.sources.get_mut(i) else { continue };
            if known.throttle.ends(now) {
                let paused_s = known.throttle.state().paused_ns / SECOND;
                let text = format!("read as it comes again; paused for {paused_s} s since the start");
                self.note_of(SourceIx(i as u16), "throttle_over", text);
            }
        }
    }
}
