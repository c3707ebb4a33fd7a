//! Whoever chooses how operations are taken from one mirror, and keeps that going.
//!
//! With a fixed transport it only starts it. With `auto` it climbs down the [`Ladder`]: probes each rung, takes the first
//! that serves, and looks again daily, when the stream turns out to be none, and on request. The way in use goes on while
//! the rungs are probed, and is not probed itself while it is up; another one takes its place only after it has ended, and
//! goes on from the last operation that it knew.

mod probing;
mod running;

use super::collector::LookerIs;
use super::export_poller::ExportPoller;
use super::message::{Beat, FromSource, LinkIs, LookFor, Reprobe, SourceEvent, Stop};
use super::mirror_stream::{Dialect, MirrorStream, StreamDoors, StreamListeners, StreamSettings};
use super::resolver::{LookUpSettings, Resolver};
use super::watchdog::restarted;
use crate::domain::fill::Anchor;
use crate::domain::link::{Link, LinkError, LinkState};
use crate::domain::time::{SECOND, Tau};
use crate::domain::transport::{Ladder, Next, Taken, Transport};
use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, Recipient, ResponseFuture,
    WrapFuture,
};
use futures_util::future::LocalBoxFuture;
use probing::Prober;
use running::{Running, handed_on};
use std::time::Duration;

/// Mailbox places.
const MAILBOX: usize = 32;
/// Between two looks whether the way in use is alive.
const WATCH_EVERY: Duration = Duration::from_millis(200);
/// The longest wait before a way that keeps failing is started anew.
const BACKOFF_MAX_NS: i64 = 30 * SECOND;
/// A way that lived so long is started anew at once again, nanoseconds.
const LASTING_NS: i64 = 60 * SECOND;
/// Between two climbs that a failing link asks for, nanoseconds.
const CLIMB_AGAIN_NS: i64 = 20 * SECOND;
/// Between two climbs that somebody asks for, nanoseconds.
const ASKED_AGAIN_NS: i64 = 5 * SECOND;
/// Handshakes in a row that hang before the ladder is climbed again.
const HANGS_MAX: u32 = 2;

/// What a keeper is told at construction.
#[derive(Clone)]
pub struct KeeperSettings {
    /// The source.
    pub source: StreamSettings,
    /// The transport, where the configuration names one.
    pub fixed: Option<Transport>,
    /// For looking operations up.
    pub look_ups: LookUpSettings,
    /// Who is told who looks operations up.
    pub looker: Recipient<LookerIs>,
}

/// The actor.
pub struct Keeper {
    settings: KeeperSettings,
    doors: StreamDoors,
    to: StreamListeners,
    ladder: Ladder,
    is_climbing: bool,
    /// Number of the present wait for another climb; older ones are let go.
    wait: u64,
    climbed_at: Tau,
    hangs: u32,
    running: Option<Running>,
    /// Whether operations can arrive by the way in use.
    is_up: bool,
    failures: u32,
    failed_at: Tau,
    chosen: Option<Transport>,
    /// How the chosen way was seen to serve.
    how: String,
    reason: String,
    /// The way that was ended last, and the last operation that it told when it ended.
    ended: Option<(Transport, Option<Anchor>)>,
    link: Link,
}

impl Keeper {
    /// A keeper that begins when it is started.
    #[must_use]
    pub fn new(settings: KeeperSettings, doors: StreamDoors, to: StreamListeners) -> Keeper {
        Keeper {
            settings,
            link: Link::new(doors.clock.now()),
            doors,
            to,
            ladder: Ladder::default(),
            is_climbing: false,
            wait: 0,
            climbed_at: Tau::MIN,
            hangs: 0,
            running: None,
            is_up: false,
            failures: 0,
            failed_at: Tau::MIN,
            chosen: None,
            how: String::new(),
            reason: String::new(),
            ended: None,
        }
    }

    /// Tells the collector; done when it knows.
    fn telling(&self, events: Vec<SourceEvent>) -> LocalBoxFuture<'static, ()> {
        let told = self.to.collector.send(FromSource { source: self.settings.source.source, events });
        Box::pin(async move {
            if told.await.is_err() {
                tracing::debug!("the collector has gone");
            }
        })
    }

    fn climb(&mut self, ctx: &mut Context<Self>) {
        if self.is_climbing || self.settings.fixed.is_some() {
            return;
        }
        (self.is_climbing, self.climbed_at) = (true, self.doors.clock.now());
        if self.running.is_none() {
            let link = self.link_is(LinkState::Connecting, None);
            ctx.wait(self.telling(link).into_actor(self));
        }
        let up = self.running.as_ref().filter(|running| self.is_up && running.is_alive());
        let next = self.ladder.begin(up.map(|running| (running.transport, self.how.clone())));
        self.follow(next, ctx);
    }

    fn follow(&mut self, next: Next, ctx: &mut Context<Self>) {
        if let Some(found) = next.found() {
            ctx.wait(self.telling(vec![SourceEvent::Probed(found)]).into_actor(self));
        }
        let again_ns = match next {
            Next::Probe(transport) => {
                let prober = Prober::new(&self.settings.source, &self.doors);
                let probing = async move { prober.probe(transport).await };
                ctx.spawn(probing.into_actor(self).map(move |outcome, act, ctx| {
                    tracing::debug!(source = %act.settings.source.id, %transport, ?outcome, "probed");
                    let next = act.ladder.probed(transport, outcome);
                    act.follow(next, ctx);
                }));
                return;
            }
            Next::Use { again_ns, .. } if self.came_up_meanwhile() => again_ns,
            Next::Use { transport, reason, again_ns } => {
                self.ladder.how().clone_into(&mut self.how);
                self.take(transport, reason, ctx);
                again_ns
            }
            Next::Unsupported { reason, again_ns } => {
                let mut events = self.link_is(LinkState::Unsupported, Some(reason));
                events.push(SourceEvent::NotTaken);
                ctx.wait(self.ending(events).into_actor(self));
                again_ns
            }
            Next::Retry { reason, again_ns } => {
                if self.running.is_none() {
                    let link = self.link_is(LinkState::Waiting, Some(reason));
                    ctx.wait(self.telling(link).into_actor(self));
                }
                again_ns
            }
        };
        self.is_climbing = false;
        self.wait += 1;
        let wait = self.wait;
        ctx.run_later(Duration::from_nanos(again_ns.max(0) as u64), move |act, ctx| {
            if act.wait == wait {
                act.climb(ctx);
            }
        });
    }

    /// Whether the way in use is up after all, though a probe beside it could not tell.
    fn came_up_meanwhile(&self) -> bool {
        self.is_up && self.running.as_ref().is_some_and(|r| r.is_alive() && self.ladder.is_unclear(r.transport))
    }

    /// How the link stands while no way is in use.
    fn link_is(&mut self, state: LinkState, why: Option<String>) -> Vec<SourceEvent> {
        let now = self.doors.clock.now();
        if self.link.state != state {
            (self.link.state, self.link.since) = (state, now);
        }
        if let Some(text) = why {
            self.link.last_error = Some(LinkError { class: "transport".to_owned(), text, at: now });
        }
        vec![SourceEvent::Link(Box::new(self.link.clone()))]
    }

    /// Ends the way in use, and tells `events` behind everything that it told.
    fn ending(&mut self, events: Vec<SourceEvent>) -> LocalBoxFuture<'static, ()> {
        let Some(running) = self.running.take() else { return self.telling(events) };
        if running.transport == Transport::Resolve {
            self.looker_is(None);
        }
        (self.chosen, self.is_up) = (None, false);
        self.ended = Some((running.transport, None));
        (self.settings.source.anchor, self.settings.source.was_observed) = (None, true);
        let all = [SourceEvent::Sampling(None), SourceEvent::Closed].into_iter().chain(events).collect();
        let (source, collector) = (self.settings.source.source, self.to.collector.clone());
        Box::pin(async move {
            running.stop().await;
            if collector.send(FromSource { source, events: all }).await.is_err() {
                tracing::debug!("the collector has gone");
            }
        })
    }

    fn looker_is(&self, looker: Option<Recipient<LookFor>>) {
        if self.settings.looker.try_send(LookerIs { source: self.settings.source.source, looker }).is_err() {
            tracing::warn!(source = %self.settings.source.id, "the collector was not told who looks operations up");
        }
    }

    /// Takes operations this way from now on.
    fn take(&mut self, transport: Transport, reason: String, ctx: &mut Context<Self>) {
        let is_other = self.reason != reason;
        self.reason = reason;
        self.hangs = 0;
        if self.chosen == Some(transport) && self.running.as_ref().is_some_and(Running::is_alive) {
            if is_other {
                ctx.wait(self.telling(vec![SourceEvent::Reason(self.reason.clone())]).into_actor(self));
            }
            return;
        }
        let ending = self.ending(Vec::new());
        self.chosen = Some(transport);
        ctx.wait(ending.into_actor(self).map(move |(), act: &mut Self, ctx| {
            // Behind what the way that ended told last.
            if ctx.address().try_send(Begin(transport)).is_err() {
                act.start(transport, ctx);
            }
        }));
    }

    fn start(&mut self, transport: Transport, ctx: &mut Context<Self>) {
        self.doors.vitals.know(&self.part(transport));
        let mut settings = self.settings.source.clone();
        settings.anchor = settings.anchor.or_else(|| handed_on(self.ended.take(), transport));
        settings.dialect = if transport == Transport::PlcBundle { Dialect::Bundle } else { Dialect::Export };
        let to = StreamListeners { watcher: Some(ctx.address().recipient()), ..self.to.clone() };
        let doors = self.doors.clone();
        let taken = Taken { transport, reason: self.reason.clone(), ..Taken::default() };
        let running = match transport {
            Transport::Stream | Transport::PlcBundle => {
                ctx.wait(self.telling(vec![SourceEvent::Taken(Box::new(taken))]).into_actor(self));
                Running::new(MirrorStream::new(settings, doors, to).start(), transport)
            }
            Transport::Export => {
                let poller = ExportPoller::new(settings, self.settings.look_ups.grace_ns, doors, to, taken);
                Running::new(poller.start(), transport)
            }
            Transport::Resolve => {
                let resolver = Resolver::new(settings, self.settings.look_ups.clone(), doors, to, taken).start();
                self.looker_is(Some(resolver.clone().recipient()));
                Running::new(resolver, transport)
            }
        };
        self.running = Some(running);
    }

    /// What the way in use is called as a part.
    fn part(&self, transport: Transport) -> String {
        format!("{transport} {}", self.settings.source.id)
    }

    /// Starts a way that panicked anew: what it knew is gone.
    fn watch(&mut self, ctx: &mut Context<Self>) {
        self.doors.fail.reach("keeper", &self.settings.source.id);
        let Some(chosen) = self.chosen else { return };
        let now = self.doors.clock.now();
        if now.since(self.failed_at) >= LASTING_NS {
            self.failures = 0;
        }
        let wait_ns = if self.failures == 0 { 0 } else { BACKOFF_MAX_NS.min(SECOND << self.failures.min(8)) };
        if self.running.as_ref().is_some_and(|running| !running.is_alive()) && now.since(self.failed_at) >= wait_ns {
            (self.failures, self.failed_at) = (self.failures.saturating_add(1), now);
            let name = self.part(chosen);
            self.doors.vitals.restarted(&name);
            restarted(&self.to.happened, &name, Some(self.settings.source.id.clone()));
            tracing::error!(source = %self.settings.source.id, transport = %chosen, "it ended by itself and is started anew");
            let reason = self.reason.clone();
            self.take(chosen, reason, ctx);
            self.settings.source.anchor = self.doors.anchored.get(self.settings.source.source);
        }
    }
}

impl Drop for Keeper {
    /// A keeper that panicked leaves nothing running.
    fn drop(&mut self) {
        let told = self.running.take().is_none_or(|running| running.stop.try_send(Stop).is_ok());
        if !told {
            tracing::debug!(source = %self.settings.source.id, "what it kept had ended already");
        }
    }
}

impl Actor for Keeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(WATCH_EVERY, Self::watch);
        match self.settings.fixed {
            Some(transport) => self.take(transport, "as configured".to_owned(), ctx),
            None => self.climb(ctx),
        }
    }
}

/// To itself: this way can begin, the one before it has ended.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct Begin(Transport);

impl Handler<Begin> for Keeper {
    type Result = ();

    fn handle(&mut self, msg: Begin, ctx: &mut Self::Context) {
        if self.running.is_none() && self.chosen == Some(msg.0) {
            self.start(msg.0, ctx);
        }
    }
}

impl Handler<LinkIs> for Keeper {
    type Result = ();

    /// A way that turns out to be none leads back to the ladder.
    fn handle(&mut self, msg: LinkIs, ctx: &mut Self::Context) {
        if self.running.is_none() {
            if let Some(ended) = self.ended.as_mut().filter(|_| msg.state == LinkState::Disconnected) {
                ended.1 = msg.anchor;
            }
            return;
        }
        self.is_up = msg.state.is_up();
        if self.is_up {
            self.hangs = 0;
            return;
        }
        let is_hanging = msg.state == LinkState::Waiting && msg.error_class.as_deref() == Some("timeout");
        self.hangs = if is_hanging { self.hangs.saturating_add(1) } else { self.hangs };
        let is_none = msg.state == LinkState::Unsupported || self.hangs >= HANGS_MAX;
        if is_none && self.doors.clock.now().since(self.climbed_at) >= CLIMB_AGAIN_NS {
            self.climb(ctx);
        }
    }
}

impl Handler<Beat> for Keeper {
    type Result = ResponseFuture<()>;

    /// Answers when the way in use does.
    fn handle(&mut self, _: Beat, _: &mut Self::Context) -> Self::Result {
        let beat = self.running.as_ref().map(|running| running.beat.send(Beat));
        Box::pin(async move {
            if let Some(beat) = beat
                && beat.await.is_err()
            {
                tracing::debug!("the way in use has ended");
            }
        })
    }
}

impl Handler<Reprobe> for Keeper {
    type Result = ();

    /// What was looked at just now is not looked at again.
    fn handle(&mut self, _: Reprobe, ctx: &mut Self::Context) {
        if self.doors.clock.now().since(self.climbed_at) >= ASKED_AGAIN_NS {
            self.climb(ctx);
        }
    }
}

impl Handler<Stop> for Keeper {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        let running = self.running.take();
        let stopping = async move {
            if let Some(running) = running {
                running.stop().await;
            }
        };
        AtomicResponse::new(Box::pin(stopping.into_actor(self).map(|(), _, ctx| ctx.stop())))
    }
}
