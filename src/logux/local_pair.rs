//! A client and a server without a network: each with a log in memory, between them two queues, above them a virtual clock.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use super::effect::{Close, Effect};
use super::entry::Entry;
use super::id::ActionId;
use super::json::Json;
use super::message::Protocol;
use super::node::{Node, Now, Page};
use super::options::{Options, Rights, Role};
use super::subprotocol::Subprotocol;

/// One side.
pub(super) struct Side {
    pub(super) options: Options,
    pub(super) node: Node,
    pub(super) log: Vec<Entry>,
    ids: HashSet<ActionId>,
    /// What was asked of the disk and is not done.
    disk: VecDeque<Effect>,
    /// Texts on their way to the other side.
    pub(super) wire: VecDeque<String>,
    /// How far its wall clock is ahead, milliseconds.
    pub(super) ahead_ms: i64,
    pub(super) closed: Option<Close>,
    pub(super) told: Vec<(String, Option<Json>)>,
    pub(super) sent: u64,
    pub(super) received: u64,
    /// Texts that it sent, for ever.
    pub(super) said: Vec<String>,
}

/// Both.
pub(super) struct LocalPair {
    pub(super) client: Side,
    pub(super) server: Side,
    pub(super) tick_ms: u64,
    pub(super) is_open: bool,
}

pub(super) fn options(role: Role, node_id: &str) -> Options {
    Options {
        node_id: node_id.to_owned(),
        role,
        speaks: Protocol::Seven,
        subprotocol: Subprotocol::parse(&Json::from(1)).unwrap(),
        token: (role == Role::Client).then(|| "secret".to_owned()),
        authenticate: Arc::new(move |who| (role == Role::Client || who.token == Some("secret")).then(Rights::all)),
        ping_ms: 10_000,
        timeout_ms: 20_000,
        last_sent: 0,
        last_received: 0,
        head: 0,
    }
}

impl Side {
    fn new(options: Options) -> Side {
        Side {
            node: Node::new(options.clone()),
            options,
            log: Vec::new(),
            ids: HashSet::new(),
            disk: VecDeque::new(),
            wire: VecDeque::new(),
            ahead_ms: 0,
            closed: None,
            told: Vec::new(),
            sent: 0,
            received: 0,
            said: Vec::new(),
        }
    }

    pub(super) fn head(&self) -> u64 {
        self.log.last().map_or(0, |entry| entry.added)
    }

    fn put(&mut self, mut entry: Entry) {
        if self.ids.insert(entry.id.clone()) {
            entry.added = self.head() + 1;
            self.log.push(entry);
        }
    }

    /// Adds an action of its own.
    pub(super) fn add(&mut self, kind: &str, utc_ms: i64) {
        let id = ActionId { ms: utc_ms as u64 + self.log.len() as u64, node: self.options.node_id.clone(), counter: 0 };
        let action = Json::Object(vec![("type".to_owned(), Json::text(kind))]);
        self.put(Entry { added: 0, id, time_ms: utc_ms, subprotocol: None, has_more: false, from: None, action });
        self.grown();
    }

    fn grown(&mut self) {
        let head = self.head();
        let effects = self.node.on_grown(head);
        self.take(effects);
    }

    pub(super) fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(text) => {
                    self.said.push(text.clone());
                    self.wire.push_back(text);
                }
                Effect::Keep(_) | Effect::Read { .. } => self.disk.push_back(effect),
                Effect::Sent(added) => self.sent = added,
                Effect::Received(added) => self.received = added,
                Effect::Told { kind, options } => self.told.push((kind, options)),
                Effect::Close(why) => self.closed = Some(why),
                Effect::LetIn(_) | Effect::State(_) => {}
            }
        }
    }

    /// The disk does the oldest thing that it was asked for.
    pub(super) fn work(&mut self) -> bool {
        let Some(asked) = self.disk.pop_front() else { return false };
        match asked {
            Effect::Keep(entries) => {
                for entry in entries {
                    self.put(entry);
                }
                let effects = self.node.on_kept(true);
                self.take(effects);
                self.grown();
            }
            Effect::Read { after, limit } => {
                let entries: Vec<Entry> =
                    self.log.iter().filter(|entry| entry.added > after).take(limit).cloned().collect();
                let through = entries.last().map_or(after, |entry| entry.added);
                let effects = self.node.on_page(Page { entries, through });
                self.take(effects);
            }
            _ => {}
        }
        true
    }

    /// A new node after a cut; what it had asked the disk to keep may be kept or lost.
    fn restart(&mut self) {
        self.disk.clear();
        self.wire.clear();
        self.closed = None;
        let options =
            Options { last_sent: self.sent, last_received: self.received, head: self.head(), ..self.options.clone() };
        self.node = Node::new(options);
    }
}

impl LocalPair {
    pub(super) fn new(protocol: Protocol) -> LocalPair {
        let mut client = options(Role::Client, "peer:client:tab");
        client.speaks = protocol;
        LocalPair::of(client, options(Role::Server, "hub:server:1"))
    }

    pub(super) fn of(client: Options, server: Options) -> LocalPair {
        LocalPair { client: Side::new(client), server: Side::new(server), tick_ms: 0, is_open: false }
    }

    pub(super) fn utc_ms(&self, side: &Side) -> i64 {
        1_700_000_000_000 + self.tick_ms as i64 + side.ahead_ms
    }

    fn now(&self, side: &Side) -> Now {
        Now { tick_ms: self.tick_ms, utc_ms: self.utc_ms(side) }
    }

    pub(super) fn connect(&mut self) {
        if self.is_open {
            return;
        }
        self.is_open = true;
        self.client.restart();
        self.server.restart();
        let (client, server) = (self.now(&self.client), self.now(&self.server));
        let effects = self.server.node.on_open(server);
        self.server.take(effects);
        let effects = self.client.node.on_open(client);
        self.client.take(effects);
    }

    pub(super) fn cut(&mut self) {
        self.is_open = false;
        for side in [&mut self.client, &mut self.server] {
            let effects = side.node.on_closed();
            side.take(effects);
            side.wire.clear();
            side.disk.clear();
        }
    }

    pub(super) fn add(&mut self, to_server: bool, kind: &str) {
        let utc_ms = self.utc_ms(if to_server { &self.server } else { &self.client });
        if to_server { self.server.add(kind, utc_ms) } else { self.client.add(kind, utc_ms) }
    }

    /// The oldest text of one direction arrives.
    pub(super) fn deliver(&mut self, to_server: bool) -> bool {
        let now = self.now(if to_server { &self.server } else { &self.client });
        let (from, to) =
            if to_server { (&mut self.client, &mut self.server) } else { (&mut self.server, &mut self.client) };
        let Some(text) = from.wire.pop_front() else { return false };
        let effects = to.node.on_message(&text, now);
        to.take(effects);
        true
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, ms: u64) {
        self.tick_ms += ms;
        for to_server in [true, false] {
            let now = self.now(if to_server { &self.server } else { &self.client });
            let side = if to_server { &mut self.server } else { &mut self.client };
            let effects = side.node.on_time(now);
            side.take(effects);
        }
    }

    /// Until nothing moves any more.
    pub(super) fn settle(&mut self) {
        while self.deliver(true) | self.deliver(false) | self.client.work() | self.server.work() {}
    }
}
