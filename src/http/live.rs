//! The live socket: tells a browser which pages have changed, so that it fetches them with their tags.
//!
//! One actor of actix-web-actors per browser. Outbound: a versioned `hello`, then
//! `{"type":"revision","topic","revision"}` for each page that changed, at most four batches a second. There is no queue:
//! what is due is found by comparing revisions, so the newest wins and a slow reader costs nothing. Each batch ends with a
//! ping; until its pong has come nothing more is sent, and the reader is told afterwards how much it missed (`lagged`).
//! Inbound: `{"type":"subscribe","topics":[…]}`. The topic `ops`, which nobody gets without asking, brings the newest
//! operations themselves: all of them first, then what changed, a few messages a second at most; or
//! `{"type":"refused","topic":"ops",…}` while as many readers get them as may.
//!
//! An actor of this kind freezes while its peer does not read, timers too. What ends such a socket are the door, which gives
//! a peer that takes nothing ten seconds, and `TCP_USER_TIMEOUT` on the connection.

mod frame_limit;
mod liveness;
mod notices;
mod ops_feed;
mod shared;

use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, SpawnHandle, StreamHandler, fut};
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws;
use actix_web_actors::ws::{CloseCode, CloseReason, Message, ProtocolError, WebsocketContext};
use futures_util::{Stream, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::guard::is_origin_allowed;
use super::problem::{Problem, quote};
use super::sockets::Seat;
use super::state::HttpState;
use crate::ports::memory::Pressure;
pub(super) use frame_limit::FrameLimit;
use liveness::{Liveness, Sign};
pub(super) use notices::{Notices, TOO_MANY_OPS_READERS, Unwanted, lagged};
pub(super) use ops_feed::{OpsFeed, READERS_MAX as OPS_READERS_MAX};
use shared::{Outbox, WithShared};

/// Largest inbound frame in bytes.
const FRAME_BYTES_MAX: usize = 4_096;
/// Shortest time between two batches of notices.
pub(super) const BATCH_GAP: Duration = Duration::from_millis(250);
/// How often the times below are looked at.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The payload of pings that ask for a sign of life only.
const SIGN_OF_LIFE: &[u8] = b"alive?";

/// Opens a live socket.
///
/// # Errors
/// 426 without an upgrade, 403 for an origin that is not allowed, 429 over the limits, 503 while stopping and while memory is short.
pub fn open(request: &HttpRequest, payload: web::Payload, state: &HttpState) -> Result<HttpResponse, Problem> {
    check_upgrade(request)?;
    super::query::Params::parse(request.query_string(), &[])?;
    let seat = admit(request, state)?;
    let session = Session::new(state.notices(), state.shutdown.clone(), (seat, state.pressure.clone()));
    let outbox = session.outbox.clone();
    let response = ws::WsResponseBuilder::new(session, request, FrameLimit::new(payload, FRAME_BYTES_MAX))
        .frame_size(FRAME_BYTES_MAX)
        .start()
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_handshake", error.to_string()))?;
    Ok(response.map_body(|_, own| BoxBody::new(WithShared::new(own, outbox))))
}

/// Refuses what is no request for a WebSocket.
///
/// # Errors
/// 426.
pub(super) fn check_upgrade(request: &HttpRequest) -> Result<(), Problem> {
    let upgrade = request.headers().get(header::UPGRADE);
    if upgrade.is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket")) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", "this address is a WebSocket")
        .header(header::UPGRADE, HeaderValue::from_static("websocket")))
}

/// A seat for a connection that stays.
///
/// # Errors
/// 403 for an origin that is not allowed, 429 over the limits, 503 while stopping and while memory is short.
pub(super) fn admit(request: &HttpRequest, state: &HttpState) -> Result<Seat, Problem> {
    check_origin(request, state)?;
    if state.shutdown.is_cancelled() {
        return Err(Problem::unavailable("restarting", "stopping; retry in 5 s", 5));
    }
    if state.pressure.drops_readers() {
        return Err(Problem::unavailable("overloaded", "memory is short; retry in 30 s", 30));
    }
    let client = state.client(request);
    state.limit.take(client)?;
    state.sockets.sit(client, state.limit.is_exempt(client))
}

/// Lets any origin in where any origin may read; else those on the list and the page's own.
fn check_origin(request: &HttpRequest, state: &HttpState) -> Result<(), Problem> {
    let Some(origin) = request.headers().get(header::ORIGIN) else {
        return Ok(());
    };
    let host = request.headers().get(header::HOST).map_or(&b""[..], HeaderValue::as_bytes);
    let own = origin.as_bytes().splitn(2, |byte| *byte == b':').nth(1).and_then(|rest| rest.strip_prefix(b"//"));
    if own == Some(host) {
        return Ok(());
    }
    let is_allowed = is_origin_allowed(&state.options.cors_origins, origin);
    state.tallies.foreign_origin(is_allowed);
    if is_allowed {
        return Ok(());
    }
    let detail = format!("{} may not open this socket", quote(&String::from_utf8_lossy(origin.as_bytes())));
    Err(Problem::new(StatusCode::FORBIDDEN, "wrong_origin", detail))
}

/// A page may have changed, or operations may have come.
struct Changed;

/// One browser.
struct Session {
    notices: Notices,
    /// What goes past the actor, for all sockets share it.
    outbox: Outbox,
    /// What wakes it for operations, where it asked for them.
    watching_ops: Option<SpawnHandle>,
    shutdown: CancellationToken,
    liveness: Liveness,
    /// Whether notices were held back because a batch was on its way.
    held: bool,
    is_closing: bool,
    /// Counts this socket for as long as it is open.
    seat: Seat,
    pressure: Pressure,
}

type Context = WebsocketContext<Session>;

impl Session {
    fn new(notices: Notices, shutdown: CancellationToken, (seat, pressure): (Seat, Pressure)) -> Self {
        let liveness = Liveness::new(Instant::now());
        Session {
            notices,
            outbox: Outbox::default(),
            watching_ops: None,
            shutdown,
            liveness,
            held: false,
            is_closing: false,
            seat,
            pressure,
        }
    }

    fn close(&mut self, ctx: &mut Context, code: CloseCode, reason: &str) {
        if !self.is_closing {
            self.is_closing = true;
            ctx.close(Some(CloseReason { code, description: Some(reason.to_owned()) }));
            ctx.stop();
        }
    }

    /// Ends a batch with the ping whose pong says that the reader has it.
    fn end_batch(&mut self, ctx: &mut Context) {
        let batch = self.liveness.batch_sent(Instant::now());
        ctx.ping(&batch.to_be_bytes());
    }

    /// Sends what is due, unless a batch is on its way still.
    fn flush(&mut self, ctx: &mut Context) {
        if self.is_closing {
            return;
        }
        if self.liveness.is_waiting() {
            self.held = true;
            return;
        }
        let due = self.notices.due();
        if due.texts.is_empty() {
            return;
        }
        let skipped = due.skipped.saturating_add(due.skipped_ops);
        if std::mem::take(&mut self.held) && skipped > 0 {
            self.outbox.text(lagged(skipped).into());
        }
        for (_, text) in due.texts {
            self.outbox.text(text);
        }
        self.end_batch(ctx);
    }

    /// Takes up what the reader wants from now on; says whether it was understood.
    fn subscribe(&mut self, message: &str, ctx: &mut Context) -> bool {
        match self.notices.subscribe(message) {
            Ok(()) => {}
            Err(Unwanted::NotUnderstood) => return false,
            Err(Unwanted::TooManyOpsReaders) => self.outbox.text(notices::ops_refused().into()),
        }
        if let Some(before) = self.watching_ops.take() {
            ctx.cancel_future(before);
        }
        // The feed keeps the pace by itself.
        self.watching_ops =
            self.notices.ops_changes().map(|ops| ctx.add_stream(changes(ops, Duration::ZERO).map(|()| Changed)));
        self.flush(ctx);
        true
    }

    fn heartbeat(&mut self, ctx: &mut Context) {
        if self.pressure.drops_readers() && self.seat.is_given_up(Instant::now()) {
            self.close(ctx, CloseCode::Again, "overloaded");
        }
        match self.liveness.look(Instant::now()) {
            Sign::Fine => {}
            Sign::Ask => ctx.ping(SIGN_OF_LIFE),
            Sign::TooSlow => self.close(ctx, CloseCode::Again, "too_slow"),
            Sign::Idle => self.close(ctx, CloseCode::Away, "idle"),
            Sign::Expired => self.close(ctx, CloseCode::Away, "expired"),
        }
    }

    /// Whether the pong answers a ping of ours; sends what its batch held back.
    fn take_pong(&mut self, payload: &[u8], ctx: &mut Context) -> bool {
        if payload == SIGN_OF_LIFE {
            return self.liveness.answered();
        }
        let batch = payload.try_into().map(u64::from_be_bytes);
        let is_answer = batch.is_ok_and(|batch| self.liveness.batch_arrived(batch));
        if is_answer && self.held {
            self.flush(ctx);
        }
        is_answer
    }
}

impl Actor for Session {
    type Context = Context;

    fn started(&mut self, ctx: &mut Context) {
        ctx.text(self.notices.hello());
        self.end_batch(ctx);
        ctx.add_stream(changes(self.notices.changes(), BATCH_GAP).map(|()| Changed));
        ctx.run_interval(HEARTBEAT, Session::heartbeat);
        let stop = fut::wrap_future::<_, Session>(self.shutdown.clone().cancelled_owned());
        ctx.spawn(stop.map(|(), session, ctx| session.close(ctx, CloseCode::Away, "restarting")));
    }
}

/// One item at a change, at most one in `gap`.
pub(super) fn changes<T: 'static>(receiver: watch::Receiver<T>, gap: Duration) -> impl Stream<Item = ()> {
    futures_util::stream::unfold((receiver, false), move |(mut receiver, is_paced)| async move {
        if is_paced && !gap.is_zero() {
            sleep(gap).await;
        }
        receiver.changed().await.ok()?;
        Some(((), (receiver, true)))
    })
}

impl StreamHandler<Changed> for Session {
    fn handle(&mut self, _: Changed, ctx: &mut Context) {
        self.flush(ctx);
    }

    /// The pages are gone, so the process is ending: the token closes the socket with its reason.
    fn finished(&mut self, _: &mut Context) {}
}

impl StreamHandler<Result<Message, ProtocolError>> for Session {
    fn handle(&mut self, message: Result<Message, ProtocolError>, ctx: &mut Context) {
        if self.is_closing {
            return;
        }
        let now = Instant::now();
        self.liveness.heard(now);
        let is_pong = matches!(&message, Ok(Message::Pong(payload)) if self.take_pong(payload, ctx));
        if is_pong {
            return;
        }
        if self.liveness.is_too_many(now) {
            self.close(ctx, CloseCode::Policy, "rate_limited");
            return;
        }
        match message {
            Ok(Message::Text(text)) if self.subscribe(&text, ctx) => {}
            Ok(Message::Ping(payload)) => ctx.pong(&payload),
            Ok(Message::Pong(_) | Message::Nop) => {}
            Ok(Message::Close(reason)) => {
                self.is_closing = true;
                ctx.close(reason.map(|reason| CloseReason { code: reason.code, description: None }));
                ctx.stop();
            }
            Ok(Message::Text(_) | Message::Binary(_) | Message::Continuation(_)) | Err(_) => {
                self.close(ctx, CloseCode::Policy, "bad_message");
            }
        }
    }

    /// The peer's side has ended.
    fn finished(&mut self, ctx: &mut Context) {
        ctx.stop();
    }
}

#[cfg(test)]
mod tests;
