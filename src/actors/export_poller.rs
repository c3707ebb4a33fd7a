//! A source whose log is polled: asks `/export` for what is new, page after page, and tells the collector what arrived.
//!
//! Which pages make a continuous poll is decided by [`Walk`], what a poll proves and when its arrivals are live by [`Polls`].
//! Servers without numbers are read by time. A poll that fails is tried again; two in a row, or a long time without a
//! complete one, are a gap, which the next complete poll closes by itself when it begins where the last one ended.

mod walk;

use super::feed::{Feed, class_word, retry_after_ns};
use super::message::{Beat, SourceEvent, Stop};
use super::mirror_stream::{StreamDoors, StreamListeners, StreamSettings, rejected};
use crate::domain::frame::{Reject, Shape, parse, seq_in};
use crate::domain::link::LinkEvent;
use crate::domain::op::Op;
use crate::domain::poll::{Polls, overlap_ms};
use crate::domain::time::{SECOND, Tau};
use crate::domain::transport::Taken;
use crate::domain::verdict::Mode;
use crate::ports::export::ExportPage;
use crate::ports::export_error::{ExportClass, ExportError};
use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, WrapFuture};
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use walk::{Question, Step, Walk};

/// Between the beginnings of two polls.
pub const POLL_EVERY_NS: i64 = SECOND;
/// Mailbox places.
const MAILBOX: usize = 16;
/// Refused lines that are remembered.
const REFUSED_MAX: usize = 4_096;
/// Between two looks whether a poll is overdue.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// The actor.
pub struct ExportPoller {
    feed: Feed,
    polls: Polls,
    walk: Walk,
    overlap_ms: i64,
    /// Number of the present question; the answer to an older one is let go.
    asked: u64,
    was_observed: bool,
    /// Whether the end of the log was found; until then nothing of it is told of a source that was never observed.
    has_begun: bool,
    /// Why the gap before the next complete poll stays a hole.
    hole: Option<String>,
    /// Digests of refused lines, which overlapping pages show again.
    refused: HashSet<u64, foldhash::fast::RandomState>,
}

impl ExportPoller {
    /// A poller that begins when it is started; `taken` says why the source is polled, and `grace_ns` is the mirror's grace,
    /// nanoseconds.
    #[must_use]
    pub fn new(
        settings: StreamSettings,
        grace_ns: i64,
        doors: StreamDoors,
        to: StreamListeners,
        taken: Taken,
    ) -> ExportPoller {
        let overlap_ms = overlap_ms(grace_ns);
        let taken = Taken { resolution_ns: Some(POLL_EVERY_NS), sampling_ratio: None, ..taken };
        ExportPoller {
            polls: Polls::new(POLL_EVERY_NS),
            walk: Walk::new(settings.anchor, overlap_ms),
            overlap_ms,
            asked: 0,
            was_observed: settings.was_observed,
            has_begun: settings.was_observed,
            hole: None,
            refused: HashSet::default(),
            feed: Feed::new(settings, doors, to, taken),
        }
    }

    fn tell(&self, events: Vec<SourceEvent>, ctx: &mut Context<Self>) {
        if !events.is_empty() {
            ctx.wait(self.feed.telling(events).into_actor(self).map(|pause, act, _| act.feed.paused(pause)));
        }
    }

    fn poll(&mut self, ctx: &mut Context<Self>) {
        self.polls.begin(self.feed.now());
        let question = self.walk.begin();
        self.ask(question, ctx);
    }

    fn ask(&mut self, question: Question, ctx: &mut Context<Self>) {
        self.asked += 1;
        let (asked, export, target) = (self.asked, Arc::clone(&self.feed.doors.export), self.feed.target());
        let asking = actix::fut::ready(()).into_actor(self).then(move |(), act: &mut Self, _| {
            // What the page before cost is known by now.
            let pause = act.feed.pause_left();
            let asking = async move {
                tokio::time::sleep(pause).await;
                match question {
                    Question::Behind { seq, count } => export.page(&target, seq, count as u32).await,
                    Question::Later { created_ms, count } => export.page_since(&target, created_ms, count as u32).await,
                }
            };
            asking.into_actor(act)
        });
        ctx.spawn(asking.map(move |result, act, ctx| {
            if act.asked != asked {
                return;
            }
            let mut events = Vec::new();
            match result {
                Ok(page) => act.page(&page, &mut events, ctx),
                Err(error) => act.failed(&error, &mut events, ctx),
            }
            act.tell(events, ctx);
        }));
    }

    fn page(&mut self, page: &ExportPage, events: &mut Vec<SourceEvent>, ctx: &mut Context<Self>) {
        self.feed.doors.fail.reach("poller", &self.feed.settings.id);
        self.feed.answered_from(page.peer);
        let ops = self.read(page, events);
        let (mode, resolution_ns) = self.polls.mode(page.received_at);
        let (mut news, step) = self.walk.page(&ops, page.lines.len());
        if !self.has_begun {
            news.clear();
        }
        if mode == Mode::Live && !news.is_empty() {
            events.push(SourceEvent::Resolution(page.received_at, resolution_ns));
            events.push(SourceEvent::Measured(Some(resolution_ns), None));
        }
        events.extend(news.into_iter().map(|op| SourceEvent::Arrived(op, page.received_at, mode)));
        match step {
            Step::Ask(question) => self.ask(question, ctx),
            Step::Closed { .. } if !std::mem::replace(&mut self.has_begun, true) => self.poll_later(0, ctx),
            Step::Closed { is_continuous } => {
                self.complete(page.asked_at, is_continuous, events);
                self.poll_later(0, ctx);
            }
            Step::Hole(why) => {
                self.lose(why, events);
                self.poll_later(0, ctx);
            }
        }
    }

    /// The operations of a page; what is refused is told once.
    fn read(&mut self, page: &ExportPage, events: &mut Vec<SourceEvent>) -> Vec<Op> {
        let mut forms = self.feed.doors.forms.lock().unwrap_or_else(PoisonError::into_inner);
        let parsed = page.lines.iter().map(|line| {
            let text = std::str::from_utf8(line).map_err(|e| Reject::BadJson(e.valid_up_to()))?;
            parse(text, Shape::Legacy, &mut forms).map(|frame| frame.op)
        });
        let mut ops = Vec::with_capacity(page.lines.len());
        for (line, parsed) in page.lines.iter().zip(parsed) {
            match parsed {
                Ok(op) => ops.push(op),
                Err(reject) => {
                    if self.refused.len() >= REFUSED_MAX {
                        self.refused.clear();
                    }
                    if self.refused.insert(self.refused.hasher().hash_one(line)) {
                        let seq = std::str::from_utf8(line).ok().and_then(seq_in);
                        events.push(rejected(&reject, page.received_at, seq));
                    }
                }
            }
        }
        ops
    }

    /// The poll ended in a short page that was asked for at `closed`.
    fn complete(&mut self, closed: Tau, is_continuous: bool, events: &mut Vec<SourceEvent>) {
        let (through, was_down) = self.polls.complete(closed);
        if was_down {
            let has_gap = std::mem::replace(&mut self.was_observed, true);
            events.push(SourceEvent::Opened(through));
            self.feed.step(LinkEvent::Upgraded, events);
            self.feed.step(LinkEvent::Opened { has_gap }, events);
            self.feed.link.heard();
            if has_gap {
                let now = self.feed.now();
                let hole = self.hole.take().or_else(|| {
                    (!is_continuous).then(|| "no operation of this source is known to resume from".to_owned())
                });
                events.push(hole.map_or(SourceEvent::Filled(now), |why| SourceEvent::Hole(now, why)));
                self.feed.step(LinkEvent::CaughtUp, events);
            }
        }
        self.hole = None;
        events.push(SourceEvent::Proved(through));
        self.feed.anchor = self.walk.anchor();
        events.extend(self.feed.anchor.map(SourceEvent::Anchored));
    }

    /// The log does not go on where the last poll ended: what lies between cannot be told.
    fn lose(&mut self, why: String, events: &mut Vec<SourceEvent>) {
        tracing::warn!(source = %self.feed.settings.id, %why, "the log does not go on where it ended");
        self.polls.lose();
        self.feed.anchor = None;
        self.walk = Walk::new(None, self.overlap_ms);
        self.feed.step(LinkEvent::Dead { text: format!("export: {why}") }, events);
        self.feed.step(LinkEvent::Waited, events);
        self.hole = Some(why);
    }

    fn failed(&mut self, error: &ExportError, events: &mut Vec<SourceEvent>, ctx: &mut Context<Self>) {
        if self.walk.may_be_timed()
            && matches!(error.class, ExportClass::NotSupported | ExportClass::Http { status: 400..=499, .. })
            && !matches!(error.class, ExportClass::Http { status: 408 | 429, .. })
        {
            let question = self.walk.by_time();
            self.ask(question, ctx);
            return;
        }
        let is_unsupported = error.class == ExportClass::NotSupported;
        self.walk.forget_form();
        let goes_down = self.polls.failed();
        self.fail(class_word(error), error.to_string(), goes_down, is_unsupported, events);
        self.poll_later(retry_after_ns(error), ctx);
    }

    fn fail(
        &mut self,
        class: &'static str,
        text: String,
        goes_down: bool,
        is_unsupported: bool,
        events: &mut Vec<SourceEvent>,
    ) {
        if goes_down {
            self.feed.step(LinkEvent::Dead { text: text.clone() }, events);
        }
        if self.polls.is_down() {
            self.feed.step(LinkEvent::Failed { class, text, retry_after_ns: None, is_unsupported }, events);
        } else {
            self.feed.note_error(text, events);
        }
    }

    fn poll_later(&mut self, asked_ns: i64, ctx: &mut Context<Self>) {
        let wait_ns = self.polls.wait_ns(self.feed.now(), asked_ns);
        ctx.run_later(Duration::from_nanos(wait_ns.max(0) as u64), Self::poll);
    }

    fn watch(&mut self, ctx: &mut Context<Self>) {
        let now = self.feed.now();
        if self.polls.overdue(now) {
            let mut events = Vec::new();
            let text = "export: no complete poll for 20 s".to_owned();
            self.feed.step(LinkEvent::Dead { text }, &mut events);
            self.tell(events, ctx);
        }
    }
}

impl Actor for ExportPoller {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        let events = self.feed.begin();
        self.tell(events, ctx);
        ctx.run_interval(WATCH_EVERY, Self::watch);
        self.poll(ctx);
    }
}

impl Handler<Beat> for ExportPoller {
    type Result = ();

    fn handle(&mut self, _: Beat, _: &mut Self::Context) {}
}

impl Handler<Stop> for ExportPoller {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        self.asked += 1;
        // That polling ends is our doing: the window stays open, and the next start closes it as the observer being down.
        let mut events = Vec::new();
        self.feed.step(LinkEvent::Stop, &mut events);
        events.retain(|e| !matches!(e, SourceEvent::Closed));
        let telling = self.feed.telling(events);
        AtomicResponse::new(Box::pin(telling.into_actor(self).map(|_, _, ctx| ctx.stop())))
    }
}
