//! The stream of one source: connects, resumes without loss, and tells the collector what arrived.
//!
//! Which state follows which event is decided by [`Link`]; when a gap is closed by [`Fill`]; here both are joined to a
//! dialer, a reader and an export. The live stream is always opened without a cursor, so that what comes on it is live by
//! construction; the gap before it is paged through `/export`, or, where a source has none, read from a second connection
//! with `cursor=` until that meets the live stream.

mod bundle;
mod care;
mod chain;
mod doors;
mod filling;
mod reading;

pub use bundle::Dialect;
pub use doors::StreamDoors;
pub(super) use reading::rejected;

use super::inbox::Inbox;
use super::line::Line;
use super::message::{AskChain, Beat, FromSource, Happened, LinkIs, PeerIs, Read, ReaderLate, SourceEvent, Stop};
use super::reader::ReaderTask;
use super::validator::{Submitted, ValidatorDoor};
use crate::domain::fill::{Anchor, Fill};
use crate::domain::link::{Link, LinkEffect, LinkEvent, LinkState, OURS};
use crate::domain::mempool::Refill;
use crate::domain::numbering::Numbering;
use crate::domain::op::Op;
use crate::domain::source::SourceIx;
use crate::domain::throttle::Pause;
use crate::domain::time::{SECOND, Tau};
use crate::ports::dial::{DialRequest, Dialed};
use crate::ports::dial_error::{DialClass, DialError};
use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, Recipient, WrapFuture,
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Mailbox places.
const MAILBOX: usize = 64;
/// Where a stream is.
const STREAM_PATH: &str = "/export/stream";
/// Anchors remembered for chains, one a second at most.
const ANCHORS_MAX: usize = 8_192;

/// What a stream is told at construction.
#[derive(Clone)]
pub struct StreamSettings {
    /// Which source.
    pub source: SourceIx,
    /// Its id, for the log.
    pub id: String,
    /// Its origin.
    pub url: Url,
    /// Whether its address may be private.
    pub allow_private: bool,
    /// A closing page is asked for this long after the open, nanoseconds.
    pub fill_settle_ns: i64,
    /// The last operation up to which nothing is missing, from a run before.
    pub anchor: Option<Anchor>,
    /// Whether the source was observed before, so that there is a gap before the first connection.
    pub was_observed: bool,
    /// Which stream it has.
    pub dialect: Dialect,
}

/// Whom a stream tells.
#[derive(Clone)]
pub struct StreamListeners {
    /// What arrived.
    pub collector: Inbox<FromSource>,
    /// Where to measure round trips.
    pub pinger: Line<PeerIs>,
    /// That our own parts made reading wait.
    pub late: Recipient<ReaderLate>,
    /// That a part of ours was restarted.
    pub happened: Recipient<Happened>,
    /// Who checks what was published by all rules; the primary's stream alone has it.
    pub validator: Option<Arc<ValidatorDoor>>,
    /// Who chose this way of taking operations, where somebody did.
    pub watcher: Option<Recipient<LinkIs>>,
}

/// The actor.
pub struct MirrorStream {
    settings: StreamSettings,
    doors: StreamDoors,
    to: StreamListeners,
    link: Link,
    /// Number of the present connection; whatever belongs to an older one is let go.
    epoch: u64,
    connection: CancellationToken,
    anchor: Option<Anchor>,
    /// Newest operation of the present connection's live stream, and its numbers.
    live_high: Option<Anchor>,
    numbering: Numbering,
    anchors: VecDeque<(Tau, Anchor)>,
    fill: Option<Fill>,
    refill: Option<Refill>,
    /// Until then nothing of the present connection is taken in.
    quiet_until: Tau,
    fill_attempts: u32,
    /// Its log is not asked before then.
    ask_not_before: Tau,
    /// Whether its messages are read some time after they came.
    is_behind: bool,
    has_export: bool,
    chain: Option<chain::Chain>,
    was_observed: bool,
    peer: Option<std::net::SocketAddr>,
    /// What is left at the validator's door once the ledger has it.
    submitted: Vec<Submitted>,
}

impl MirrorStream {
    /// A stream that connects when it is started.
    #[must_use]
    pub fn new(settings: StreamSettings, doors: StreamDoors, to: StreamListeners) -> MirrorStream {
        MirrorStream {
            anchor: settings.anchor,
            was_observed: settings.was_observed,
            settings,
            link: Link::waiting_at_most(doors.longest_wait_ns),
            doors,
            to,
            epoch: 0,
            connection: CancellationToken::new(),
            live_high: None,
            numbering: Numbering::default(),
            anchors: VecDeque::new(),
            fill: None,
            refill: None,
            quiet_until: Tau::MIN,
            fill_attempts: 0,
            ask_not_before: Tau::MIN,
            is_behind: false,
            has_export: true,
            chain: None,
            peer: None,
            submitted: Vec::new(),
        }
    }

    fn now(&self) -> Tau {
        self.doors.clock.now()
    }

    /// Gives the link an event and does what follows; what the collector must know is added to `events`.
    fn step(&mut self, event: LinkEvent, events: &mut Vec<SourceEvent>, ctx: &mut Context<Self>) {
        let (before, was_open) = (self.link.clone(), self.link.is_open());
        let now = self.now();
        let effect = self.link.on(event, now, rand::random());
        if was_open && !self.link.is_open() {
            events.push(SourceEvent::Closed);
        }
        if self.link.state != before.state
            || self.link.last_error != before.last_error
            || self.link.last_close != before.last_close
        {
            events.push(SourceEvent::Link(Box::new(self.link.clone())));
            self.log_change(before.state);
            if let Some(watcher) = &self.to.watcher
                && watcher.try_send(LinkIs::of(&self.link, self.anchor)).is_err()
            {
                tracing::debug!(source = %self.settings.id, "whoever chose the transport was not told how the link stands");
            }
        }
        match effect {
            LinkEffect::Dial => self.dial(ctx),
            LinkEffect::Wait(ns) => {
                self.drop_connection();
                ctx.run_later(Duration::from_nanos(ns.max(0) as u64), |act, ctx| {
                    let mut events = Vec::new();
                    act.step(LinkEvent::Waited, &mut events, ctx);
                    act.tell(events, ctx);
                });
            }
            LinkEffect::Fill => self.start_fill(events, ctx),
            LinkEffect::Gap => self.drop_connection(),
            LinkEffect::None => {}
        }
    }

    fn log_change(&self, before: LinkState) {
        if self.link.state != before {
            let error = self.link.last_error.as_ref().map(|e| e.text.as_str()).unwrap_or_default();
            tracing::info!(source = %self.settings.id, state = ?self.link.state, error, "link");
        }
    }

    fn drop_connection(&mut self) {
        self.connection.cancel();
        self.epoch += 1;
        (self.fill, self.refill, self.peer) = (None, None, None);
        if self.to.pinger.try_send(PeerIs(None)).is_err() {
            tracing::debug!(source = %self.settings.id, "the pinger was not told that the connection is gone");
        }
    }

    fn dial(&mut self, ctx: &mut Context<Self>) {
        self.epoch += 1;
        self.connection = CancellationToken::new();
        let epoch = self.epoch;
        let request = DialRequest {
            url: self.settings.url.clone(),
            path_and_query: self.settings.dialect.path().to_owned(),
            allow_private: self.settings.allow_private,
            prefer: None,
            message_bytes_max: None,
        };
        let dialer = Arc::clone(&self.doors.dialer);
        let attempt = async move { dialer.dial(request).await };
        ctx.spawn(attempt.into_actor(self).map(move |result, act, ctx| {
            if act.epoch != epoch {
                return;
            }
            let mut events = Vec::new();
            match result {
                Ok(open) => act.dialed(open, &mut events, ctx),
                Err(error) => act.step(failed(&error), &mut events, ctx),
            }
            act.tell(events, ctx);
        }));
    }

    fn dialed(&mut self, dialed: Dialed, events: &mut Vec<SourceEvent>, ctx: &mut Context<Self>) {
        self.step(LinkEvent::Upgraded, events, ctx);
        (self.live_high, self.numbering) = (None, Numbering::default());
        if self.is_bundle() {
            self.begin_replay(events);
        }
        self.peer = Some(dialed.peer);
        if self.to.pinger.try_send(PeerIs(Some(dialed.peer))).is_err() {
            tracing::warn!(source = %self.settings.id, "the pinger was not told where to measure to");
        }
        let task = ReaderTask {
            epoch: self.epoch,
            reader: dialed.reader,
            tcp: dialed.tcp,
            to: ctx.address().recipient(),
            late: self.to.late.clone(),
            clock: Arc::clone(&self.doors.clock),
            readers: self.doors.readers.clone(),
            stop: self.connection.clone(),
            id: self.settings.id.clone(),
            fail: self.doors.fail.clone(),
        };
        self.look_after("reader", actix_rt::spawn(task.run()), ctx);
    }

    /// Sends events to the collector in their order: nothing else is handled until it has them.
    fn tell(&mut self, events: Vec<SourceEvent>, ctx: &mut Context<Self>) {
        if !events.is_empty() {
            ctx.wait(self.telling(events).into_actor(self).map(|pause, act, _| act.paused(pause)));
        }
    }

    /// The source's log is not asked before the pause is over.
    fn paused(&mut self, pause: Pause) {
        self.ask_not_before = self.ask_not_before.max(self.now().plus(pause.filled_ns));
    }

    fn telling(&mut self, events: Vec<SourceEvent>) -> impl Future<Output = Pause> + use<> {
        let request = self.to.collector.send(FromSource { source: self.settings.source, events });
        let (validator, submitted) = (self.to.validator.clone(), std::mem::take(&mut self.submitted));
        async move {
            let pause = request.await.unwrap_or_else(|_| {
                tracing::debug!("the collector has gone");
                Pause::default()
            });
            // Not before the ledger knows them: what is found about an operation must find it there.
            if let Some(validator) = validator {
                validator.offer(submitted);
            }
            pause
        }
    }

    /// Notes an operation that is to be checked by all rules.
    fn submit(&mut self, op: &Op, operation: &str) {
        if self.to.validator.is_some() {
            self.submitted.push(Submitted::new(op, operation));
        }
    }

    /// Notes that everything up to `anchor` is known.
    fn anchored(&mut self, anchor: Anchor, events: &mut Vec<SourceEvent>) {
        self.anchor = Some(anchor);
        let now = self.now();
        if self.anchors.back().is_none_or(|last| now.since(last.0) >= SECOND) {
            if self.anchors.len() == ANCHORS_MAX {
                self.anchors.pop_front();
            }
            self.anchors.push_back((now, anchor));
        }
        events.push(SourceEvent::Anchored(anchor));
    }
}

/// What a failed dial means for the link.
fn failed(error: &DialError) -> LinkEvent {
    let (class, retry_after_ns, is_unsupported) = match error.class {
        DialClass::Dns => ("dns", None, false),
        DialClass::RefusedPrivate => ("refused", None, false),
        DialClass::Tcp => ("tcp", None, false),
        DialClass::Tls => ("tls", None, false),
        DialClass::Http { status, retry_after_s } => {
            ("http", retry_after_s.map(|s| i64::from(s) * SECOND), matches!(status, 404 | 405 | 410 | 426 | 501))
        }
        DialClass::Ws => ("ws", None, false),
        DialClass::Timeout { .. } => ("timeout", None, false),
        DialClass::Local => (OURS, None, false),
    };
    LinkEvent::Failed { class, text: error.text.clone(), retry_after_ns, is_unsupported }
}

impl Actor for MirrorStream {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        // A stream that replaces one that panicked finds its window open: what came since the last proof is a gap.
        let mut events = vec![SourceEvent::Closed];
        self.step(LinkEvent::Start, &mut events, ctx);
        self.tell(events, ctx);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.connection.cancel();
    }
}

impl Handler<Read> for MirrorStream {
    type Result = AtomicResponse<Self, Pause>;

    fn handle(&mut self, msg: Read, ctx: &mut Self::Context) -> Self::Result {
        self.doors.fail.reach("stream", &self.settings.id);
        let events = if msg.epoch == self.epoch { self.read(msg, ctx) } else { Vec::new() };
        AtomicResponse::new(Box::pin(self.telling(events).into_actor(self)))
    }
}

impl Handler<Beat> for MirrorStream {
    type Result = ();

    fn handle(&mut self, _: Beat, _: &mut Self::Context) {}
}

impl Handler<AskChain> for MirrorStream {
    type Result = ();

    fn handle(&mut self, msg: AskChain, ctx: &mut Self::Context) {
        self.start_chain(msg.since, ctx);
    }
}

impl Handler<Stop> for MirrorStream {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) -> Self::Result {
        let mut events = Vec::new();
        self.step(LinkEvent::Stop, &mut events, ctx);
        // That the stream ends is our doing: the window stays open, and the next start closes it as the observer being down.
        events.retain(|e| !matches!(e, SourceEvent::Closed));
        AtomicResponse::new(Box::pin(self.telling(events).into_actor(self).map(|_, _, ctx| ctx.stop())))
    }
}
