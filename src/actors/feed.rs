//! What every way of taking operations without a stream has in common: the link that it keeps, and how it tells.

use super::message::{FromSource, LinkIs, PeerIs, SourceEvent};
use super::mirror_stream::{StreamDoors, StreamListeners, StreamSettings};
use crate::domain::fill::Anchor;
use crate::domain::link::{Link, LinkError, LinkEvent, LinkState};
use crate::domain::throttle::Pause;
use crate::domain::time::{SECOND, Tau};
use crate::domain::transport::Taken;
use crate::ports::export::ExportTarget;
use crate::ports::export_error::{ExportClass, ExportError};
use std::net::SocketAddr;
use std::time::Duration;

/// The link of a source that is asked again and again, and everyone who hears of it.
pub(super) struct Feed {
    pub(super) settings: StreamSettings,
    pub(super) doors: StreamDoors,
    pub(super) to: StreamListeners,
    pub(super) link: Link,
    pub(super) taken: Taken,
    /// The last operation up to which nothing is missing, where that is known.
    pub(super) anchor: Option<Anchor>,
    peer: Option<SocketAddr>,
    /// The source is not asked before then.
    ask_not_before: Tau,
}

impl Feed {
    pub(super) fn new(settings: StreamSettings, doors: StreamDoors, to: StreamListeners, taken: Taken) -> Feed {
        Feed { settings, doors, to, link: Link::default(), taken, anchor: None, peer: None, ask_not_before: Tau::MIN }
    }

    pub(super) fn now(&self) -> Tau {
        self.doors.clock.now()
    }

    /// The source is not asked before the pause is over.
    pub(super) fn paused(&mut self, pause: Pause) {
        self.ask_not_before = self.ask_not_before.max(self.now().plus(pause.longest_ns()));
    }

    /// How long the source is still not to be asked.
    pub(super) fn pause_left(&self) -> Duration {
        Duration::from_nanos(self.ask_not_before.since(self.now()).max(0) as u64)
    }

    pub(super) fn target(&self) -> ExportTarget {
        ExportTarget { base: self.settings.url.clone(), allow_private: self.settings.allow_private }
    }

    /// What the collector is told first. One that replaces another finds its window open: what came since the last proof is
    /// a gap.
    pub(super) fn begin(&mut self) -> Vec<SourceEvent> {
        let mut events = vec![SourceEvent::Closed, SourceEvent::Taken(Box::new(self.taken.clone()))];
        self.step(LinkEvent::Start, &mut events);
        events
    }

    /// Gives the link an event; what the collector must know is added to `events`. When to ask again is the caller's.
    pub(super) fn step(&mut self, event: LinkEvent, events: &mut Vec<SourceEvent>) {
        let (before, was_open) = (self.link.clone(), self.link.is_open());
        self.link.on(event, self.now(), 0.0);
        if was_open && !self.link.is_open() {
            events.push(SourceEvent::Closed);
        }
        if self.link.state != before.state || self.link.last_error != before.last_error {
            self.tell_link(before.state, events);
        }
    }

    /// Notes a failure that does not end the link.
    pub(super) fn note_error(&mut self, text: String, events: &mut Vec<SourceEvent>) {
        let state = self.link.state;
        self.link.last_error = Some(LinkError { class: "export".to_owned(), text, at: self.now() });
        self.tell_link(state, events);
    }

    fn tell_link(&self, before: LinkState, events: &mut Vec<SourceEvent>) {
        events.push(SourceEvent::Link(Box::new(self.link.clone())));
        let error = self.link.last_error.as_ref();
        if self.link.state != before {
            let text = error.map(|e| e.text.as_str()).unwrap_or_default();
            tracing::info!(source = %self.settings.id, state = ?self.link.state, error = text, "link");
        }
        if let Some(watcher) = &self.to.watcher
            && watcher.try_send(LinkIs::of(&self.link, self.anchor)).is_err()
        {
            tracing::debug!(source = %self.settings.id, "whoever chose the transport was not told how the link stands");
        }
    }

    /// Notes the address that answered, which round trips are measured to.
    pub(super) fn answered_from(&mut self, peer: Option<SocketAddr>) {
        if peer.is_none() || self.peer == peer {
            return;
        }
        self.peer = peer;
        if self.to.pinger.try_send(PeerIs(peer)).is_err() {
            tracing::warn!(source = %self.settings.id, "the pinger was not told where to measure to");
        }
    }

    /// Sends events to the collector; done when it has them, with how long the source is not to be asked.
    pub(super) fn telling(&self, events: Vec<SourceEvent>) -> impl Future<Output = Pause> + use<> {
        let request =
            (!events.is_empty()).then(|| self.to.collector.send(FromSource { source: self.settings.source, events }));
        async move {
            let Some(request) = request else { return Pause::default() };
            request.await.unwrap_or_else(|_| {
                tracing::debug!("the collector has gone");
                Pause::default()
            })
        }
    }
}

/// The stable word of a failure over HTTP.
pub(super) const fn class_word(error: &ExportError) -> &'static str {
    match error.class {
        ExportClass::Dns => "dns",
        ExportClass::RefusedPrivate => "refused",
        ExportClass::Tcp => "tcp",
        ExportClass::Tls => "tls",
        ExportClass::Timeout => "timeout",
        ExportClass::NotSupported
        | ExportClass::Http { .. }
        | ExportClass::Paused { .. }
        | ExportClass::TooLarge { .. }
        | ExportClass::Broken => "http",
    }
}

/// How long the source asked us to stay away, nanoseconds.
pub(super) fn retry_after_ns(error: &ExportError) -> i64 {
    match error.class {
        ExportClass::Http { retry_after_s: Some(s), .. } | ExportClass::Paused { retry_after_s: s } => {
            i64::from(s) * SECOND
        }
        _ => 0,
    }
}
