//! Filling the gap before a stream, through `/export` or a second connection with a cursor.

use super::MirrorStream;
use super::reading::rejected;
use crate::actors::message::SourceEvent;
use crate::domain::digits::in_groups;
use crate::domain::fill::{Fill, FillStep, PAGE_OPS};
use crate::domain::frame::{Frame, Reject, Shape, parse, seq_in};
use crate::domain::link::LinkEvent;
use crate::domain::op::{Op, OpKey};
use crate::domain::throttle::Pause;
use crate::domain::time::{MS, SECOND, Tau};
use crate::domain::verdict::Mode;
use crate::ports::dial::DialRequest;
use crate::ports::dial_error::{DialClass, DialError};
use crate::ports::export::{ExportPage, ExportTarget};
use crate::ports::export_error::{ExportClass, ExportError};
use crate::ports::memory::Pressure;
use crate::ports::stream_reader::{Arrived, Payload, StreamEnd};
use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Between two looks whether there is memory again.
const MEMORY_LOOK: Duration = Duration::from_millis(500);
/// The first wait after a page that could not be had.
const RETRY_NS: i64 = SECOND;
/// The longest such wait.
const RETRY_MAX_NS: i64 = 30 * SECOND;
/// Messages of a replay taken at once.
const REPLAY_MAX: usize = 256;

/// What one look at a replay brought.
struct Replayed {
    messages: Vec<Arrived>,
    end: Option<Result<StreamEnd, DialError>>,
}

impl MirrorStream {
    /// Begins to fill the gap before the stream that was just opened.
    pub(super) fn start_fill(&mut self, events: &mut Vec<SourceEvent>, ctx: &mut Context<Self>) {
        let now = self.now();
        self.fill_attempts = 0;
        let Some(anchor) = self.anchor else {
            self.hole("no operation of this source is known to resume from".to_owned(), events, ctx);
            return;
        };
        if self.is_bundle() {
            self.start_refill(anchor);
            return;
        }
        let fill = Fill::new(anchor, now.plus(self.settings.fill_settle_ns));
        let first = fill.first();
        self.fill = Some(fill);
        if self.has_export {
            self.follow(first, events, ctx);
        } else {
            self.replay(ctx);
        }
    }

    /// Does what a fill says next.
    pub(super) fn follow(&mut self, step: FillStep, events: &mut Vec<SourceEvent>, ctx: &mut Context<Self>) {
        match step {
            FillStep::Ask { after, not_before } => {
                let wait_ns = if not_before == Tau::MIN { 0 } else { not_before.since(self.now()).max(0) };
                self.ask_page(after, wait_ns, ctx);
            }
            FillStep::Closed => {
                let now = self.now();
                events.push(SourceEvent::Filled(now));
                let filled = self.fill.take().map(|fill| fill.last());
                if let Some(high) = self.live_high.into_iter().chain(filled).max_by_key(|anchor| anchor.seq) {
                    self.anchored(high, events);
                }
                self.step(LinkEvent::CaughtUp, events, ctx);
            }
            FillStep::Hole(why) => self.hole(why, events, ctx),
        }
    }

    fn hole(&mut self, why: String, events: &mut Vec<SourceEvent>, ctx: &mut Context<Self>) {
        tracing::warn!(source = %self.settings.id, %why, "the gap before the stream stays a hole");
        self.fill = None;
        self.anchor = self.live_high;
        events.push(SourceEvent::Hole(self.now(), why));
        if let Some(high) = self.live_high {
            self.anchored(high, events);
        }
        self.step(LinkEvent::CaughtUp, events, ctx);
    }

    /// Where the source's export is.
    pub(super) fn export_target(&self) -> ExportTarget {
        ExportTarget { base: self.settings.url.clone(), allow_private: self.settings.allow_private }
    }

    fn ask_page(&mut self, after: u64, wait_ns: i64, ctx: &mut Context<Self>) {
        let (epoch, export, target) = (self.epoch, Arc::clone(&self.doors.export), self.export_target());
        let waiting = tokio::time::sleep(Duration::from_nanos(wait_ns.max(0) as u64));
        let asking = waiting.into_actor(self).then(move |(), act, _| {
            // What the page before cost is known by now.
            let pause_ns = act.ask_not_before.since(act.now()).max(0);
            let pressure = act.doors.pressure.clone();
            let asking = async move {
                tokio::time::sleep(Duration::from_nanos(pause_ns as u64)).await;
                until_there_is_memory(&pressure).await;
                export.page(&target, after, PAGE_OPS as u32).await
            };
            asking.into_actor(act)
        });
        ctx.spawn(asking.map(move |result, act, ctx| {
            if act.epoch != epoch || act.fill.is_none() {
                return;
            }
            let mut events = Vec::new();
            match result {
                Ok(page) => act.page(&page, &mut events, ctx),
                Err(error) => act.page_failed(&error, after, &mut events, ctx),
            }
            act.tell(events, ctx);
        }));
    }

    fn page(&mut self, page: &ExportPage, events: &mut Vec<SourceEvent>, ctx: &mut Context<Self>) {
        self.fill_attempts = 0;
        let ops = self.take_lines(page, events);
        let step = match &mut self.fill {
            Some(fill) => fill.page(&ops, page.asked_at, page.lines.len()),
            None => return,
        };
        self.follow(step, events, ctx);
    }

    /// Parses a page's lines; what passes is told as filled.
    pub(super) fn take_lines(&mut self, page: &ExportPage, events: &mut Vec<SourceEvent>) -> Vec<(u64, OpKey)> {
        let mut ops = Vec::new();
        let forms = Arc::clone(&self.doors.forms);
        let mut forms = forms.lock().unwrap_or_else(PoisonError::into_inner);
        for line in &page.lines {
            let parsed = std::str::from_utf8(line)
                .map_err(|e| Reject::BadJson(e.valid_up_to()))
                .and_then(|line| parse(line, Shape::Legacy, &mut forms));
            match parsed {
                Ok(Frame { op, operation }) => {
                    self.submit(&op, operation);
                    ops.extend(op.seq.map(|seq| (seq, op.key)));
                    events.push(SourceEvent::Arrived(op, page.received_at, Mode::Filled));
                }
                Err(reject) => {
                    let seq = std::str::from_utf8(line).ok().and_then(seq_in);
                    events.push(rejected(&reject, page.received_at, seq));
                }
            }
        }
        ops
    }

    fn page_failed(&mut self, error: &ExportError, after: u64, events: &mut Vec<SourceEvent>, ctx: &mut Context<Self>) {
        if error.class == ExportClass::NotSupported {
            tracing::info!(source = %self.settings.id, %error, "no export: filling from the stream's own replay");
            self.has_export = false;
            self.replay(ctx);
            return;
        }
        self.link.last_error = Some(crate::domain::link::LinkError {
            class: "export".to_owned(),
            text: error.to_string(),
            at: self.now(),
        });
        events.push(SourceEvent::Link(Box::new(self.link.clone())));
        let backoff_ns = RETRY_MAX_NS.min(RETRY_NS << self.fill_attempts.min(8));
        self.fill_attempts += 1;
        let asked_ns = retry_after_ns(error);
        self.ask_page(after, backoff_ns.max(asked_ns), ctx);
    }

    /// Opens a second connection with the cursor before the last known operation and reads it until it meets the live
    /// stream.
    fn replay(&mut self, ctx: &mut Context<Self>) {
        let (Some(fill), epoch) = (&self.fill, self.epoch) else { return };
        let request = DialRequest {
            url: self.settings.url.clone(),
            path_and_query: format!("{}?cursor={}", super::STREAM_PATH, fill.last_seq()),
            allow_private: self.settings.allow_private,
            prefer: None,
            message_bytes_max: None,
        };
        let (dialer, cancelled, address) = (Arc::clone(&self.doors.dialer), self.connection.clone(), ctx.address());
        let (fail, id) = (self.doors.fail.clone(), self.settings.id.clone());
        let pressure = self.doors.pressure.clone();
        let task = actix_rt::spawn(async move {
            fail.reach("replay", &id);
            tokio::select! {
                () = cancelled.cancelled() => return,
                () = until_there_is_memory(&pressure) => {}
            }
            let mut reader = match dialer.dial(request).await {
                Ok(open) => open.reader,
                Err(error) => {
                    let last = Replayed { messages: Vec::new(), end: Some(Err(error)) };
                    let _ = address.send(Replay { epoch, replayed: last }).await;
                    return;
                }
            };
            loop {
                let batch = tokio::select! {
                    () = cancelled.cancelled() => return,
                    batch = reader.next_batch(REPLAY_MAX) => batch,
                };
                let end = batch.end.map(Ok);
                let is_over = end.is_some();
                let replayed = Replayed { messages: batch.messages, end };
                let pause = address.send(Replay { epoch, replayed }).await.unwrap_or_default();
                let Some(pause) = pause.filter(|_| !is_over) else {
                    reader.close(1000, Duration::from_millis(200)).await;
                    return;
                };
                tokio::select! {
                    () = cancelled.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_nanos(pause.filled_ns.max(0) as u64)) => {}
                }
            }
        });
        self.look_after("replay", task, ctx);
    }

    /// Takes what a replay brought; whether more is wanted.
    fn replayed(&mut self, replayed: Replayed, events: &mut Vec<SourceEvent>, ctx: &mut Context<Self>) -> bool {
        let asked_at = self.now();
        let mut ops: Vec<(u64, OpKey)> = Vec::new();
        for message in &replayed.messages {
            if let Some(op) = self.take_replayed(message, events) {
                ops.extend(op.seq.map(|seq| (seq, op.key)));
            }
        }
        if !ops.is_empty()
            && let Some(fill) = &mut self.fill
        {
            self.fill_attempts = 0;
            // A replay has no pages that could be short: it goes on until it meets the live stream.
            match fill.page(&ops, asked_at, PAGE_OPS) {
                FillStep::Ask { .. } => {}
                step => {
                    self.follow(step, events, ctx);
                    return false;
                }
            }
        }
        match replayed.end {
            None => true,
            Some(end) => {
                self.replay_ended(&end, events, ctx);
                false
            }
        }
    }

    fn take_replayed(&mut self, message: &Arrived, events: &mut Vec<SourceEvent>) -> Option<Op> {
        let Payload::Text(text) = &message.payload else { return None };
        let parsed = {
            let mut forms = self.doors.forms.lock().unwrap_or_else(PoisonError::into_inner);
            parse(text, Shape::Sequenced, &mut forms)
        };
        match parsed {
            Ok(Frame { op, operation }) => {
                self.submit(&op, operation);
                events.push(SourceEvent::Arrived(op, message.at, Mode::Filled));
                Some(op)
            }
            Err(reject) => {
                events.push(rejected(&reject, message.at, seq_in(text)));
                None
            }
        }
    }

    /// Why a replay was refused, as people read it. Only a source without `/export` is asked for one.
    fn refusal_text(&self, reason: &str) -> String {
        let cursor = in_groups(self.fill.as_ref().map_or(0, Fill::last_seq), ",");
        let what = if reason == "OutdatedCursor" { "older than it keeps" } else { "newer than what it has" };
        format!("closed by mirror: {reason} (our cursor {cursor} is {what}); it offers no /export: the gap stays")
    }

    fn replay_ended(
        &mut self,
        end: &Result<StreamEnd, DialError>,
        events: &mut Vec<SourceEvent>,
        ctx: &mut Context<Self>,
    ) {
        let refusal = match end {
            Ok(StreamEnd::Closed { reason, .. }) if reason == "OutdatedCursor" || reason == "FutureCursor" => {
                Some(self.refusal_text(reason))
            }
            Err(DialError { class: DialClass::Http { status: 400, .. }, text }) => Some(text.clone()),
            _ => None,
        };
        if let Some(why) = refusal {
            self.hole(why, events, ctx);
            return;
        }
        // Anything else may pass: the replay is taken up where it ended.
        let wait_ns = RETRY_MAX_NS.min(RETRY_NS << self.fill_attempts.min(8)) + 50 * MS;
        self.fill_attempts += 1;
        let epoch = self.epoch;
        ctx.run_later(Duration::from_nanos(wait_ns as u64), move |act, ctx| {
            if act.epoch == epoch && act.fill.is_some() {
                act.replay(ctx);
            }
        });
    }
}

/// Waits while memory is so short that gaps are not filled.
async fn until_there_is_memory(pressure: &Pressure) {
    while pressure.stops_fills() {
        tokio::time::sleep(MEMORY_LOOK).await;
    }
}

/// How long the source asked us to stay away.
fn retry_after_ns(error: &ExportError) -> i64 {
    match error.class {
        ExportClass::Http { retry_after_s: Some(s), .. } | ExportClass::Paused { retry_after_s: s } => {
            i64::from(s) * SECOND
        }
        _ => 0,
    }
}

/// From a replay's reader to its stream actor; the answer is the pause before more is read, or none when no more is wanted.
#[derive(actix::Message)]
#[rtype(result = "Option<Pause>")]
struct Replay {
    epoch: u64,
    replayed: Replayed,
}

impl actix::Handler<Replay> for MirrorStream {
    type Result = actix::AtomicResponse<Self, Option<Pause>>;

    fn handle(&mut self, msg: Replay, ctx: &mut Context<Self>) -> Self::Result {
        let mut events = Vec::new();
        let is_wanted = msg.epoch == self.epoch && self.fill.is_some() && self.replayed(msg.replayed, &mut events, ctx);
        let telling = self.telling(events);
        actix::AtomicResponse::new(Box::pin(
            async move {
                let pause = telling.await;
                is_wanted.then_some(pause)
            }
            .into_actor(self),
        ))
    }
}
