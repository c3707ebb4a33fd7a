//! One connection of a node: an actor of actix-web-actors around the state machine of the protocol.
//!
//! While something is being kept or read, nothing else is taken in: that is what bounds a fast sender. A peer that does not
//! read freezes the actor, as it does that of the live socket, and the door ends it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, StreamHandler, WrapFuture, fut};
use actix_http::ws::Item;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws::{self, CloseCode, CloseReason, Message, ProtocolError, WebsocketContext};
use futures_util::Stream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::live::{FrameLimit, admit};
use super::super::problem::Problem;
use super::super::sockets::Seat;
use super::super::state::HttpState;
use super::peer::{Beside, PeerSide};
use super::{Guest, NodesDoor, NodesState};
use crate::logux::message::Protocol;
use crate::logux::options::Rights;
use crate::logux::subprotocol::Subprotocol;
use crate::logux::{Close, Credentials, Effect, Entry, Json, Node, Now, Options, Role};
use crate::ports::log_book::LogBook;
use crate::ports::peer_links::PeerSeat;

/// Largest message in bytes, in one frame or in many.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// How often the node's times are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The user that no client can be.
const SERVER_USER: &str = "server";

/// Lets a node open a connection.
///
/// # Errors
/// As of the live socket.
pub(super) fn open(
    request: &HttpRequest,
    payload: web::Payload,
    state: &web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    super::super::live::check_upgrade(request)?;
    super::super::query::Params::parse(request.query_string(), &[])?;
    let seat = admit(request, state)?;
    let Some(nodes) = &state.nodes else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "there are no nodes"));
    };
    let session = Session::new(Arc::clone(nodes), state.clone(), seat);
    ws::WsResponseBuilder::new(session, request, FrameLimit::new(payload, MESSAGE_BYTES_MAX))
        .frame_size(MESSAGE_BYTES_MAX)
        .start()
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_handshake", error.to_string()))
}

/// The log has grown.
struct Grown(i64);

struct Session {
    node: Node,
    nodes: Arc<NodesState>,
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
    peer: PeerSide,
    peer_seat: Option<PeerSeat>,
}

type Context = WebsocketContext<Session>;

/// What a node is told of us and of its guests.
fn options(door: &NodesDoor, admit: super::Admit, peer: PeerSide) -> Options {
    let subprotocol = i64::from(door.subprotocol);
    let log = door.log.clone();
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Options {
        node_id: door.node_id.clone(),
        role: Role::Server,
        speaks: Protocol::Seven,
        subprotocol: Subprotocol { major: subprotocol, minor: 0, said: Json::from(subprotocol) },
        token: None,
        authenticate: Arc::new(move |who| {
            let user = user_of(who)?;
            let guest = admit(user, who.token?)?;
            peer.admit(&guest);
            Some(rights(&guest, &log, &peer))
        }),
        ping_ms: millis(door.ping),
        timeout_ms: millis(door.timeout),
        last_sent: 0,
        last_received: 0,
        head: u64::try_from(*door.log.head().borrow()).unwrap_or(0),
    }
}

/// The user that a name says to be of.
fn user_of(who: Credentials<'_>) -> Option<&str> {
    who.node_id.split(':').next().filter(|user| *user != SERVER_USER && !user.is_empty())
}

fn rights(guest: &Guest, log: &LogBook, peer: &PeerSide) -> Rights {
    let (reader, writer, log, peer) = (guest.clone(), guest.clone(), log.clone(), peer.clone());
    Rights {
        out_filter: Arc::new(move |entry: &Entry| reader.may_read(entry.kind())),
        in_filter: Arc::new(move |entry: &Entry| {
            if peer.takes(entry) {
                return false;
            }
            let may_write = writer.may_write(entry.kind());
            log.counts().refused.fetch_add(u64::from(!may_write), Ordering::Relaxed);
            may_write
        }),
        ..Rights::all()
    }
}

/// The client that a node's name names, which may have one connection: user and client without the tab.
fn client_of(node_id: &str) -> String {
    node_id.splitn(3, ':').take(2).collect::<Vec<_>>().join(":")
}

impl Session {
    fn new(nodes: Arc<NodesState>, state: web::Data<HttpState>, seat: Seat) -> Session {
        let key = nodes.keys.fetch_add(1, Ordering::Relaxed);
        let peer = PeerSide::new(nodes.door.peers.clone(), key);
        let node = Node::new(options(&nodes.door, Arc::clone(&nodes.door.admit), peer.clone()));
        Session {
            node,
            key,
            nodes,
            state,
            began: Instant::now(),
            end: CancellationToken::new(),
            client: None,
            work: VecDeque::new(),
            is_working: false,
            pieces: Vec::new(),
            is_closing: false,
            seat,
            peer,
            peer_seat: None,
        }
    }

    fn now(&self) -> Now {
        Now {
            tick_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            utc_ms: self.state.now_ms(),
        }
    }

    /// Carries out what the node wants.
    fn run(&mut self, effects: Vec<Effect>, ctx: &mut Context) {
        for effect in effects {
            match effect {
                Effect::Send(text) => ctx.text(text),
                Effect::LetIn(node_id) => {
                    let client = client_of(&node_id);
                    tracing::info!(node = %node_id, "a node is in");
                    self.nodes.present.enter(&client, self.key, self.end.clone());
                    self.client = Some(client);
                    if let Some((seat, beside)) = self.peer.enter(self.node.remote_headers()) {
                        self.peer_seat = Some(seat);
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
    fn begin_work(&mut self, ctx: &mut Context) {
        if self.is_working || self.is_closing {
            return;
        }
        let log = self.nodes.door.log.clone();
        match self.work.pop_front() {
            Some(Effect::Keep(entries)) => {
                self.is_working = true;
                let keeping = async move { log.append(entries).await };
                ctx.wait(keeping.into_actor(self).map(|kept, session, ctx| {
                    session.is_working = false;
                    if let Err(error) = &kept {
                        tracing::warn!(%error, "what a node sent is not kept; it will send it again");
                    }
                    let effects = session.node.on_kept(kept.is_ok());
                    session.run(effects, ctx);
                }));
            }
            Some(Effect::Read { after, limit }) => {
                self.is_working = true;
                let reading = async move { log.page(after, limit).await };
                ctx.wait(reading.into_actor(self).map(|page, session, ctx| {
                    session.is_working = false;
                    match page {
                        Ok(page) => {
                            let effects = session.node.on_page(page);
                            session.run(effects, ctx);
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

    fn close_for(&mut self, why: Close, ctx: &mut Context) {
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

    fn close(&mut self, ctx: &mut Context, code: CloseCode, reason: &str) {
        if !self.is_closing {
            self.is_closing = true;
            self.node.on_closed();
            self.peer_seat = None;
            self.work.clear();
            ctx.close(Some(CloseReason { code, description: Some(reason.to_owned()) }));
            ctx.stop();
        }
    }

    fn take_text(&mut self, text: &str, ctx: &mut Context) {
        let now = self.now();
        let effects = self.node.on_message(text, now);
        self.run(effects, ctx);
    }

    /// Puts a message together that comes in pieces.
    fn take_piece(&mut self, piece: &Item, ctx: &mut Context) {
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

    fn look(&mut self, ctx: &mut Context) {
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

impl Actor for Session {
    type Context = Context;

    fn started(&mut self, ctx: &mut Context) {
        let now = self.now();
        let effects = self.node.on_open(now);
        self.run(effects, ctx);
        ctx.add_stream(growth(self.nodes.door.log.head()));
        ctx.run_interval(LOOK_EVERY, Session::look);
        for (token, reason) in [(self.state.shutdown.clone(), "restarting"), (self.end.clone(), "replaced")] {
            let ended = fut::wrap_future::<_, Session>(token.cancelled_owned());
            ctx.spawn(ended.map(move |(), session, ctx| session.close(ctx, CloseCode::Away, reason)));
        }
    }

    fn stopped(&mut self, _: &mut Context) {
        if let Some(client) = &self.client {
            self.nodes.present.leave(client, self.key);
        }
    }
}

/// One item whenever the log has grown.
fn growth(receiver: watch::Receiver<i64>) -> impl Stream<Item = Grown> {
    futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.changed().await.ok()?;
        let head = *receiver.borrow_and_update();
        Some((Grown(head), receiver))
    })
}

impl StreamHandler<Grown> for Session {
    fn handle(&mut self, grown: Grown, ctx: &mut Context) {
        let effects = self.node.on_grown(u64::try_from(grown.0).unwrap_or(0));
        self.run(effects, ctx);
    }

    /// The log is gone, so the process is ending: the token closes the socket with its reason.
    fn finished(&mut self, _: &mut Context) {}
}

impl StreamHandler<Beside> for Session {
    fn handle(&mut self, beside: Beside, ctx: &mut Context) {
        let effects = self.node.send_beside(&beside.0);
        self.run(effects, ctx);
    }

    /// Nobody chooses peers any more; the log is served all the same.
    fn finished(&mut self, _: &mut Context) {}
}

impl StreamHandler<Result<Message, ProtocolError>> for Session {
    fn handle(&mut self, message: Result<Message, ProtocolError>, ctx: &mut Context) {
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
    fn finished(&mut self, ctx: &mut Context) {
        ctx.stop();
    }
}
