//! Getting to know each other: protocol, subprotocol, token, and how far the clocks are apart.

use super::{Node, Now, Remote};
use crate::logux::effect::{Close, Effect};
use crate::logux::entry::Terms;
use crate::logux::fault::Fault;
use crate::logux::id::is_node_name;
use crate::logux::json::Json;
use crate::logux::message::{Message, Protocol};
use crate::logux::options::{Credentials, Rights, Role};
use crate::logux::subprotocol::Subprotocol;

impl Node {
    pub(super) fn send_connect(&mut self, now: Now) {
        self.connect_sent_ms = now.utc_ms;
        let message = vec![
            Json::text("connect"),
            Json::from(self.options.speaks.number()),
            Json::text(&self.options.node_id),
            Json::from(self.last_received as i64),
            self.own_options(),
        ];
        self.send(&Json::Array(message));
    }

    fn send_connected(&mut self, protocol: Protocol, start_ms: i64, base_ms: i64) {
        let message = vec![
            Json::text("connected"),
            Json::from(protocol.number()),
            Json::text(&self.options.node_id),
            Json::Array(vec![Json::from(start_ms), Json::from(base_ms)]),
            self.own_options(),
        ];
        self.send(&Json::Array(message));
    }

    /// The older nodes of others know a number alone.
    fn own_options(&self) -> Json {
        let mut options = vec![("subprotocol".to_owned(), Json::from(self.options.subprotocol.major))];
        options.extend(self.options.token.as_ref().map(|token| ("token".to_owned(), Json::text(token))));
        Json::Object(options)
    }

    pub(super) fn connect_message(&mut self, who: (f64, String, u64), options: &Json, now: Now) {
        let (version, node_id, synced) = who;
        // Whoever is in already, or is a server itself, has nothing to say with it.
        if self.options.role != Role::Server || self.remote.is_some() {
            return;
        }
        self.answered();
        let Some(protocol) = self.agreed(version, Protocol::OLDEST, options) else { return };
        let Some(rights) = self.authenticated(&node_id, options) else { return };
        // Before the answer: what the owner has to say of itself is there when the other side begins.
        self.effects.push(Effect::LetIn(node_id.clone()));
        let base_ms = now.utc_ms;
        self.send_connected(protocol, now.utc_ms, base_ms);
        let terms = Terms { protocol, base_ms, time_fix_ms: 0 };
        // Who has more of us than there is knows another log of ours: it gets this one from the start.
        let synced = if synced > self.head { 0 } else { synced };
        self.begin(node_id, (terms, rights), synced, now);
    }

    pub(super) fn connected_message(&mut self, who: (f64, String), times: (f64, f64), options: &Json, now: Now) {
        let (version, node_id) = who;
        if self.options.role != Role::Client || self.remote.is_some() {
            return;
        }
        self.answered();
        let Some(protocol) = self.agreed(version, self.options.speaks.number(), options) else { return };
        let Some(rights) = self.authenticated(&node_id, options) else { return };
        let (start, end) = times;
        let sent = self.connect_sent_ms as f64;
        let round_trip = now.utc_ms as f64 - sent - (end - start);
        let time_fix = (sent - start + round_trip / 2.0).floor();
        let terms = Terms { protocol, base_ms: end as i64, time_fix_ms: time_fix as i64 };
        let synced = self.last_sent.min(self.head);
        self.effects.push(Effect::LetIn(node_id.clone()));
        self.begin(node_id, (terms, rights), synced, now);
    }

    /// The protocol that both speak; the other side is told when there is none, or another subprotocol.
    fn agreed(&mut self, version: f64, oldest: i64, options: &Json) -> Option<Protocol> {
        let protocol = Protocol::of(version).filter(|protocol| protocol.number() >= oldest);
        if protocol.is_none() {
            self.refuse(&Fault::WrongProtocol { supported: oldest, used: Json::from(version) }, Close::Refused);
            return None;
        }
        if let Some(said) = options.get("subprotocol") {
            let ours = self.options.subprotocol.major;
            if Subprotocol::parse(said).is_none_or(|theirs| theirs.major != ours) {
                self.refuse(&Fault::WrongSubprotocol { supported: ours, used: said.clone() }, Close::Refused);
                return None;
            }
        }
        protocol
    }

    fn authenticated(&mut self, node_id: &str, options: &Json) -> Option<Rights> {
        let credentials = Credentials { node_id, token: options.get("token").and_then(Json::as_str) };
        let rights = is_node_name(node_id).then(|| (self.options.authenticate)(credentials)).flatten();
        if rights.is_none() {
            self.refuse(&Fault::WrongCredentials, Close::Refused);
        }
        rights
    }

    /// Everything is agreed on: what waited is done, and the log is sent.
    fn begin(&mut self, node_id: String, (terms, rights): (Terms, Rights), synced: u64, now: Now) {
        self.protocol = Some(terms.protocol);
        self.cursor = synced;
        self.remote = Some(Remote { node_id, terms, rights, synced, head_before: self.head });
        self.early_bytes = 0;
        self.walk();
        for text in std::mem::take(&mut self.early) {
            // Read again, because only now it is known how ids have to be spelled.
            match Message::parse(&text, self.protocol) {
                _ if self.remote.is_none() => {}
                Ok(message) => self.act(message, &text, now),
                Err(fault) => self.refuse(&fault, Close::Error),
            }
        }
    }
}
