//! One end of one connection.

mod connecting;
mod receiving;
mod sending;
mod timing;

use std::collections::VecDeque;

use super::effect::{Close, Effect, State};
use super::entry::{Entry, Terms};
use super::fault::Fault;
use super::json::Json;
use super::message::{Message, Protocol};
use super::options::{Options, Rights, Role};
use receiving::Pending;

/// Messages that wait for the other side to say who it is.
const EARLY_MAX: usize = 64;
/// Bytes of the message of headers that are remembered.
const HEADERS_BYTES_MAX: usize = 8 * 1024;
/// Bytes of their texts.
const EARLY_BYTES_MAX: usize = 1 << 20;

/// The present.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Now {
    /// A clock that nobody sets, milliseconds: for waiting.
    pub tick_ms: u64,
    /// The wall clock, milliseconds since 1970: for labels.
    pub utc_ms: i64,
}

/// What was read of the log.
#[derive(Clone, PartialEq, Debug)]
pub struct Page {
    /// Entries, by number.
    pub entries: Vec<Entry>,
    /// There is nothing up to this number that was not read.
    pub through: u64,
}

/// Who is at the other end.
#[derive(Clone, Debug)]
struct Remote {
    node_id: String,
    terms: Terms,
    rights: Rights,
    /// What it had of ours when it came.
    synced: u64,
    /// The last number of our log then.
    head_before: u64,
}

/// See the module's words.
#[expect(clippy::struct_excessive_bools, reason = "five things that are so or not, each on its own")]
pub struct Node {
    options: Options,
    state: State,
    is_open: bool,
    protocol: Option<Protocol>,
    remote: Option<Remote>,
    remote_headers: Option<Json>,
    /// Texts that came before the other side said who it is.
    early: Vec<String>,
    early_bytes: usize,
    /// When `connect` was sent, by the wall clock.
    connect_sent_ms: i64,
    /// The last number of our log.
    head: u64,
    /// Everything up to this number was written to this connection, or is not for the other side.
    cursor: u64,
    is_reading: bool,
    /// Numbers that were sent and are not confirmed.
    unconfirmed: VecDeque<u64>,
    last_sent: u64,
    last_received: u64,
    pending: VecDeque<Pending>,
    is_ready_sent: bool,
    is_remote_ready: bool,
    ping_at_ms: Option<u64>,
    timeout_at_ms: Option<u64>,
    effects: Vec<Effect>,
}

impl Node {
    /// A node without a connection.
    #[must_use]
    pub fn new(options: Options) -> Node {
        let state = match options.role {
            Role::Client => State::Disconnected,
            Role::Server => State::Connecting,
        };
        Node {
            state,
            head: options.head,
            last_sent: options.last_sent,
            last_received: options.last_received,
            options,
            is_open: false,
            protocol: None,
            remote: None,
            remote_headers: None,
            early: Vec::new(),
            early_bytes: 0,
            connect_sent_ms: 0,
            cursor: 0,
            is_reading: false,
            unconfirmed: VecDeque::new(),
            pending: VecDeque::new(),
            is_ready_sent: false,
            is_remote_ready: false,
            ping_at_ms: None,
            timeout_at_ms: None,
            effects: Vec::new(),
        }
    }

    /// How the connection stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The name of the other side, once it is let in.
    #[must_use]
    pub fn remote_node_id(&self) -> Option<&str> {
        self.remote.as_ref().map(|remote| remote.node_id.as_str())
    }

    /// What else the other side said of itself.
    #[must_use]
    pub const fn remote_headers(&self) -> Option<&Json> {
        self.remote_headers.as_ref()
    }

    /// The connection is there.
    pub fn on_open(&mut self, now: Now) -> Vec<Effect> {
        self.is_open = true;
        self.heard(now);
        self.await_answer(now);
        if self.options.role == Role::Client {
            self.set_state(State::Connecting);
            self.send_connect(now);
        }
        self.take_effects()
    }

    /// A text came.
    pub fn on_message(&mut self, text: &str, now: Now) -> Vec<Effect> {
        if !self.is_open {
            return Vec::new();
        }
        self.heard(now);
        match Message::parse(text, self.protocol) {
            Ok(message) if self.remote.is_none() && is_for_later(&message) => self.queue(text),
            Ok(message) => self.act(message, text, now),
            Err(fault) => self.refuse(&fault, Close::Error),
        }
        self.take_effects()
    }

    /// The connection is gone.
    pub fn on_closed(&mut self) -> Vec<Effect> {
        self.forget();
        self.take_effects()
    }

    /// Ends the connection and everything with it.
    pub fn destroy(&mut self) -> Vec<Effect> {
        self.close(Close::Destroyed);
        self.take_effects()
    }

    /// Says something about itself, at once when there is a connection.
    pub fn send_headers(&mut self, headers: &Json) -> Vec<Effect> {
        if self.is_open {
            self.send(&Json::Array(vec![Json::text("headers"), headers.clone()]));
        }
        self.take_effects()
    }

    fn queue(&mut self, text: &str) {
        self.early_bytes += text.len();
        if self.early.len() >= EARLY_MAX || self.early_bytes > EARLY_BYTES_MAX {
            self.close(Close::TooMuch);
        } else {
            self.early.push(text.to_owned());
        }
    }

    fn act(&mut self, message: Message, text: &str, now: Now) {
        match message {
            Message::Connect { protocol, node_id, synced, options } => {
                self.connect_message((protocol, node_id, synced), &options, now);
            }
            Message::Connected { protocol, node_id, times, options } => {
                self.connected_message((protocol, node_id), times, &options, now);
            }
            Message::Sync { added, entries } => {
                if !self.sync_message(added, entries) {
                    let said = Json::parse(text).map_or_else(|_| text.to_owned(), |said| said.to_text());
                    self.refuse(&Fault::WrongFormat(said), Close::Error);
                }
            }
            Message::Synced(added) => self.synced_message(added),
            Message::Ping(added) => {
                self.send_number("pong", self.cursor);
                self.mark_received(Pending::Mark(added));
            }
            Message::Pong(added) => {
                self.answered();
                self.mark_received(Pending::Mark(added));
            }
            Message::Ready(added) => self.mark_received(Pending::Ready(added)),
            Message::Headers(headers) if text.len() <= HEADERS_BYTES_MAX => self.remote_headers = Some(headers),
            Message::Headers(_) => {}
            Message::Debug(text) => {
                self.effects.push(Effect::Told { kind: "debug".to_owned(), options: Some(Json::String(text)) });
            }
            Message::Error { kind, options } => self.effects.push(Effect::Told { kind, options }),
        }
    }

    /// Tells the other side what it did wrong, and ends the connection. A client does not tell: its server is no guest.
    fn refuse(&mut self, fault: &Fault, close: Close) {
        let is_told = self.options.role == Role::Server || close == Close::Refused;
        if is_told && self.is_open {
            self.effects.push(Effect::Send(fault.message()));
        }
        self.close(close);
    }

    fn close(&mut self, why: Close) {
        if self.is_open {
            self.effects.push(Effect::Close(why));
        }
        self.forget();
    }

    /// Back to a node without a connection; what was exchanged is remembered.
    fn forget(&mut self) {
        self.is_open = false;
        self.protocol = None;
        self.remote = None;
        self.early.clear();
        self.early_bytes = 0;
        self.is_reading = false;
        self.unconfirmed.clear();
        self.pending.clear();
        self.is_ready_sent = false;
        self.is_remote_ready = false;
        self.ping_at_ms = None;
        self.timeout_at_ms = None;
        self.set_state(State::Disconnected);
    }

    fn send(&mut self, message: &Json) {
        self.effects.push(Effect::Send(message.to_text()));
    }

    fn send_number(&mut self, name: &str, number: u64) {
        self.send(&Json::Array(vec![Json::text(name), Json::from(number as i64)]));
    }

    fn set_state(&mut self, state: State) {
        if self.state != state {
            self.state = state;
            self.effects.push(Effect::State(state));
        }
    }

    fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }
}

/// What has no meaning before the other side is known.
const fn is_for_later(message: &Message) -> bool {
    matches!(
        message,
        Message::Sync { .. } | Message::Synced(_) | Message::Ping(_) | Message::Pong(_) | Message::Ready(_)
    )
}
