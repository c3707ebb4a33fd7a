//! One connection of a node: an actor of actix-web-actors around the state machine of the protocol.
//!
//! While something is being kept or read, nothing else is taken in: that is what bounds a fast sender. A peer that does not
//! read freezes the actor, as it does that of the live socket, and the door ends it.

use std::collections::VecDeque;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, StreamHandler, WrapFuture, fut};
use actix_http::ws::Item;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws::{self, CloseCode, CloseReason, Message, ProtocolError, WebsocketContext};
use futures_util::StreamExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::live::{FrameLimit, admit};
use super::super::problem::Problem;
use super::super::sockets::Seat;
use super::super::state::HttpState;
use super::exchange::Exchange;
use super::peer::Beside;
use super::{NodesState, Present};
use crate::logux::id::client_of;
use crate::logux::{Close, Effect, Node, Now};

/// Largest message in bytes, in one frame or in many.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// How often the node's times are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Lets a node open a connection, in which `exchange` is what is exchanged.
///
/// # Errors
/// As of the live socket.
pub(super) fn open<E: Exchange>(
    request: &HttpRequest,
    payload: web::Payload,
    (state, nodes): (&web::Data<HttpState>, &NodesState),
    exchange: impl FnOnce() -> Result<E, Problem>,
) -> Result<HttpResponse, Problem> {
    super::super::live::check_upgrade(request)?;
    super::super::query::Params::parse(request.query_string(), &[])?;
    let seat = admit(request, state)?;
    let session = Session::new(exchange()?, nodes.next_key(), state.clone(), seat);
    ws::WsResponseBuilder::new(session, request, FrameLimit::new(payload, MESSAGE_BYTES_MAX))
        .frame_size(MESSAGE_BYTES_MAX)
        .start()
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_handshake", error.to_string()))
}

/// There may be something new to send.
struct News;

struct Session<E> {
    exchange: E,
    node: Node,
    /// Who is in, this one too once it is.
    present: Present,
    state: web::Data<HttpState>,
    key: u64,
    began: Instant,
    /// Cancelled when another connection of the same client takes the place of this one.
    end: CancellationToken,
    client: Option<String>,
    /// What waits for the disk, or for what waits for it.
    work: VecDeque<Effect>,
    is_working: bool,
    /// A message in the making.
    pieces: Vec<u8>,
    is_closing: bool,
    /// Counts this socket for as long as it is open.
    seat: Seat,
}

type Context<E> = WebsocketContext<Session<E>>;

impl<E: Exchange> Session<E> {
    fn new(exchange: E, key: u64, state: web::Data<HttpState>, seat: Seat) -> Session<E> {
        Session {
            node: Node::new(exchange.options()),
            present: exchange.clients().clone(),
            exchange,
            key,
            state,
            began: Instant::now(),
            end: CancellationToken::new(),
            client: None,
            work: VecDeque::new(),
            is_working: false,
            pieces: Vec::new(),
            is_closing: false,
            seat,
        }
    }

    fn now(&self) -> Now {
        Now {
            tick_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            utc_ms: self.state.now_ms(),
        }
    }

    /// Carries out what the node wants.
    fn run(&mut self, effects: Vec<Effect>, ctx: &mut Context<E>) {
        for effect in effects {
            match effect {
                Effect::Send(text) => ctx.text(text),
                Effect::LetIn(node_id) => {
                    let client = client_of(&node_id);
                    tracing::info!(node = %node_id, "a node is in");
                    self.present.enter(client, self.key, self.end.clone());
                    self.client = Some(client.to_owned());
                    if let Some(headers) = self.exchange.headers(self.node.remote_headers()) {
                        let effects = self.node.send_headers(&headers);
                        self.run(effects, ctx);
                    }
                    if let Some(beside) = self.exchange.let_in(&node_id, self.node.remote_headers()) {
                        ctx.add_stream(beside);
                    }
                }
                Effect::Keep(_) | Effect::Read { .. } => self.work.push_back(effect),
                Effect::Told { kind, options } => {
                    let options = options.map(|options| options.to_text().chars().take(200).collect::<String>());
                    tracing::debug!(%kind, ?options, "a node told of an error");
                }
                Effect::Close(why) => self.close_for(why, ctx),
                // What was exchanged is remembered by the client; the state is the node's own.
                Effect::Sent(_) | Effect::Received(_) | Effect::State(_) => {}
            }
        }
        self.begin_work(ctx);
    }

    /// Begins with what waits for the disk, one after the other.
    fn begin_work(&mut self, ctx: &mut Context<E>) {
        if self.is_working || self.is_closing {
            return;
        }
        match self.work.pop_front() {
            Some(Effect::Keep(entries)) => {
                self.is_working = true;
                let keeping = self.exchange.keep(entries);
                ctx.wait(keeping.into_actor(self).map(|is_kept, session, ctx| {
                    session.is_working = false;
                    let effects = session.node.on_kept(is_kept);
                    session.run(effects, ctx);
                    session.look_for_news(ctx);
                }));
            }
            Some(Effect::Read { after, limit }) => {
                self.is_working = true;
                let reading = self.exchange.read(after, limit);
                ctx.wait(reading.into_actor(self).map(move |found, session, ctx| {
                    session.is_working = false;
                    match found {
                        Ok(found) => {
                            let page = session.exchange.page(found, limit);
                            let effects = session.node.on_page(page);
                            session.run(effects, ctx);
                            session.look_for_news(ctx);
                        }
                        Err(error) => {
                            tracing::warn!(%error, "a node gets nothing of the log");
                            session.close(ctx, CloseCode::Again, "log_unavailable");
                        }
                    }
                }));
            }
            _ => {}
        }
    }

    fn look_for_news(&mut self, ctx: &mut Context<E>) {
        let effects = self.node.on_grown(self.exchange.head());
        self.run(effects, ctx);
    }

    fn close_for(&mut self, why: Close, ctx: &mut Context<E>) {
        let (code, reason) = match why {
            Close::Error => (CloseCode::Policy, "error"),
            Close::Refused => (CloseCode::Policy, "refused"),
            Close::TooMuch => (CloseCode::Policy, "too_much_before_connect"),
            Close::Timeout => (CloseCode::Away, "timeout"),
            Close::NotKept => (CloseCode::Again, "not_kept"),
            Close::Destroyed => (CloseCode::Normal, "destroyed"),
        };
        self.close(ctx, code, reason);
    }

    fn close(&mut self, ctx: &mut Context<E>, code: CloseCode, reason: &str) {
        if !self.is_closing {
            self.is_closing = true;
            if let Some(client) = &self.client {
                tracing::info!(%client, reason, "a node is out");
            }
            self.node.on_closed();
            self.exchange.left();
            self.work.clear();
            ctx.close(Some(CloseReason { code, description: Some(reason.to_owned()) }));
            ctx.stop();
        }
    }

    fn take_text(&mut self, text: &str, ctx: &mut Context<E>) {
        let now = self.now();
        let effects = self.node.on_message(text, now);
        self.run(effects, ctx);
    }

    /// Puts a message together that comes in pieces.
    fn take_piece(&mut self, piece: &Item, ctx: &mut Context<E>) {
        let (bytes, is_last) = match piece {
            Item::FirstText(bytes) => {
                self.pieces.clear();
                (bytes, false)
            }
            Item::Continue(bytes) => (bytes, false),
            Item::Last(bytes) => (bytes, true),
            Item::FirstBinary(_) => return self.close(ctx, CloseCode::Unsupported, "text_only"),
        };
        if self.pieces.len() + bytes.len() > MESSAGE_BYTES_MAX {
            return self.close(ctx, CloseCode::Size, "too_large");
        }
        self.pieces.extend_from_slice(bytes);
        if is_last {
            match String::from_utf8(std::mem::take(&mut self.pieces)) {
                Ok(text) => self.take_text(&text, ctx),
                Err(_) => self.close(ctx, CloseCode::Invalid, "not_utf8"),
            }
        }
    }

    fn look(&mut self, ctx: &mut Context<E>) {
        if self.state.pressure.drops_readers() && self.seat.is_given_up(Instant::now()) {
            return self.close(ctx, CloseCode::Again, "overloaded");
        }
        let now = self.now();
        if self.node.next_at_ms().is_some_and(|at| at <= now.tick_ms) {
            let effects = self.node.on_time(now);
            self.run(effects, ctx);
        }
    }
}

impl<E: Exchange> Actor for Session<E> {
    type Context = Context<E>;

    fn started(&mut self, ctx: &mut Context<E>) {
        let now = self.now();
        let effects = self.node.on_open(now);
        self.run(effects, ctx);
        ctx.add_stream(self.exchange.news().map(|()| News));
        ctx.run_interval(LOOK_EVERY, Session::look);
        for (token, reason) in [(self.state.shutdown.clone(), "restarting"), (self.end.clone(), "replaced")] {
            let ended = fut::wrap_future::<_, Session<E>>(token.cancelled_owned());
            ctx.spawn(ended.map(move |(), session, ctx| session.close(ctx, CloseCode::Away, reason)));
        }
    }

    fn stopped(&mut self, _: &mut Context<E>) {
        if let Some(client) = &self.client {
            self.present.leave(client, self.key);
        }
    }
}

impl<E: Exchange> StreamHandler<News> for Session<E> {
    fn handle(&mut self, _: News, ctx: &mut Context<E>) {
        self.look_for_news(ctx);
    }

    /// What it comes from is gone, so the process is ending: the token closes the socket with its reason.
    fn finished(&mut self, _: &mut Context<E>) {}
}

impl<E: Exchange> StreamHandler<Beside> for Session<E> {
    fn handle(&mut self, beside: Beside, ctx: &mut Context<E>) {
        let effects = self.node.send_beside(&beside.0);
        self.run(effects, ctx);
    }

    /// Nobody chooses peers any more; the log is served all the same.
    fn finished(&mut self, _: &mut Context<E>) {}
}

impl<E: Exchange> StreamHandler<Result<Message, ProtocolError>> for Session<E> {
    fn handle(&mut self, message: Result<Message, ProtocolError>, ctx: &mut Context<E>) {
        if self.is_closing {
            return;
        }
        match message {
            Ok(Message::Text(text)) => self.take_text(&text, ctx),
            Ok(Message::Continuation(piece)) => self.take_piece(&piece, ctx),
            Ok(Message::Ping(payload)) => ctx.pong(&payload),
            Ok(Message::Pong(_) | Message::Nop) => {}
            Ok(Message::Close(reason)) => {
                self.is_closing = true;
                self.node.on_closed();
                ctx.close(reason.map(|reason| CloseReason { code: reason.code, description: None }));
                ctx.stop();
            }
            Ok(Message::Binary(_)) => self.close(ctx, CloseCode::Unsupported, "text_only"),
            // What reads the frames wraps the limit of their announced length.
            Err(ProtocolError::Overflow | ProtocolError::Io(_)) => self.close(ctx, CloseCode::Size, "too_large"),
            Err(_) => self.close(ctx, CloseCode::Protocol, "bad_frame"),
        }
    }

    /// The peer's side has ended.
    fn finished(&mut self, ctx: &mut Context<E>) {
        ctx.stop();
    }
}
