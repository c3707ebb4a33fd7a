//! How a node is reached: which addresses may be, with which token, and as whom.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use url::{Host, Url};

use crate::config::{Nodes, Peer, is_this_machine};
use crate::domain::address::is_private;
use crate::domain::node_table::constants::Constants;
use crate::domain::time::MS;
use crate::logux::kinds::is_of;
use crate::logux::message::Protocol;
use crate::logux::options::Rights;
use crate::logux::peer_message::BEGIN;
use crate::logux::subprotocol::Subprotocol;
use crate::logux::{Entry, Json, Options, Role};
use crate::ports::dial::DialRequest;
use crate::ports::log_book::LogBook;
use crate::ports::store::PeerMarks;

/// Largest message in either direction, bytes, as the server has it.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// The port of announced nodes.
const PORT: u16 = 443;

/// What is done with what a node tells of nodes.
pub(super) type Hear = Arc<dyn Fn(Entry) + Send + Sync>;

/// One node as it is connected to.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) url: Url,
    user: String,
    token: String,
    allow_private: bool,
}

/// The address that a node states, when it may be connected to where others announce it: a public one at the usual port, or
/// one of this machine where ours is one.
pub(super) fn announced(nodes: &Nodes, text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(Url::has_host)?;
    let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let is_here = is_this_machine(&url);
    let is_allowed = if is_here {
        nodes.address.as_ref().is_some_and(is_this_machine) && ["ws", "wss"].contains(&url.scheme())
    } else {
        url.scheme() == "wss" && url.port_or_known_default() == Some(PORT) && !literal(&url).is_some_and(is_private)
    };
    (is_bare && url.fragment().is_none() && is_allowed).then(|| url.to_string())
}

/// The address where it stands in the URL itself.
fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

impl Access {
    /// To the node at `address`. One that was announced gets the user and token of the peer of the
    /// configuration that is at the same host, else of the first. A name
    /// leads to public addresses alone; to another leads only who wrote that very address down.
    pub(super) fn of(nodes: &Nodes, address: &str) -> Option<Access> {
        let configured = nodes.peers.iter().find(|peer| peer.url.as_str() == address);
        let url = Url::parse(address).ok()?;
        let is_there = |peer: &&Peer| peer.url.origin() == url.origin();
        let peer = configured.or_else(|| nodes.peers.iter().find(is_there)).or_else(|| nodes.peers.first())?;
        let allow_private = is_this_machine(&url) || (configured.is_some() && literal(&url).is_some());
        Some(Access { url, user: peer.user.clone(), token: peer.token.clone(), allow_private })
    }

    pub(super) fn request(&self) -> DialRequest {
        let query = self.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        DialRequest {
            url: self.url.clone(),
            path_and_query: format!("{}{query}", self.url.path()),
            allow_private: self.allow_private,
            prefer: None,
            message_bytes_max: Some(MESSAGE_BYTES_MAX),
        }
    }

    /// What our end of the connection is told. `suffix` tells connections of one node apart.
    pub(super) fn options(&self, nodes: &Nodes, suffix: &str, rights: Rights, marks: &PeerMarks, head: i64) -> Options {
        let constants = Constants::default();
        let number = |n: i64| u64::try_from(n).unwrap_or(0);
        let subprotocol = i64::from(nodes.subprotocol);
        Options {
            node_id: format!("{}:{}{suffix}:1", self.user, nodes.id),
            role: Role::Client,
            speaks: Protocol::Seven,
            subprotocol: Subprotocol { major: subprotocol, minor: 0, said: Json::from(subprotocol) },
            token: Some(self.token.clone()),
            authenticate: Arc::new(move |_| Some(rights.clone())),
            ping_ms: number(constants.ping_interval_ns / MS),
            timeout_ms: number(constants.timeout_ns / MS),
            last_sent: number(marks.sent),
            last_received: number(marks.received),
            head: number(head),
        }
    }
}

/// What the uplink may send us: types that nodes may write. What it tells of nodes is heard and not kept.
pub(super) fn rights(nodes: &Nodes, log: &LogBook, hear: Hear) -> Rights {
    let (writable, log) = (nodes.writable.clone(), log.clone());
    let in_filter = move |entry: &Entry| {
        if entry.kind().starts_with(BEGIN) {
            hear(entry.clone());
            return false;
        }
        let may_write = writable.iter().any(|pattern| is_of(pattern, entry.kind()));
        log.counts().refused.fetch_add(u64::from(!may_write), Ordering::Relaxed);
        may_write
    };
    Rights { in_filter: Arc::new(in_filter), ..Rights::all() }
}

/// The same for a connection over which nothing is exchanged.
pub(super) fn no_rights(hear: Hear) -> Rights {
    let in_filter = move |entry: &Entry| {
        if entry.kind().starts_with(BEGIN) {
            hear(entry.clone());
        }
        false
    };
    Rights { in_filter: Arc::new(in_filter), out_filter: Arc::new(|_| false), ..Rights::all() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Peer;

    #[test]
    fn only_public_addresses_are_taken_from_others() {
        let far = Nodes { address: Some(Url::parse("wss://me.example/").unwrap()), ..Nodes::for_testing("me") };
        let near = Nodes { address: Some(Url::parse("ws://127.0.0.1:7/").unwrap()), ..Nodes::for_testing("me") };
        for (text, of_far, of_near) in [
            ("wss://a.example/api/v1/sync", true, true),
            ("wss://a.example:443/x", true, true),
            ("wss://a.example:8443/", false, false),
            ("ws://a.example/", false, false),
            ("https://a.example/", false, false),
            ("wss://u:p@a.example/", false, false),
            ("wss://a.example/?a=b", false, false),
            ("wss://10.0.0.1/", false, false),
            ("wss://[fe80::1]/", false, false),
            ("wss://127.0.0.1/", false, true),
            ("ws://127.0.0.1:9/api/v1/sync", false, true),
            ("ws://localhost:9/", false, true),
            ("nonsense", false, false),
        ] {
            assert_eq!(announced(&far, text).is_some(), of_far, "{text}");
            assert_eq!(announced(&near, text).is_some(), of_near, "{text}");
        }
    }

    #[test]
    fn a_private_address_is_dialled_only_where_it_was_written_down() {
        let peer = |url: &str| Peer { url: Url::parse(url).unwrap(), user: "a".to_owned(), token: "t".to_owned() };
        let peers = vec![peer("wss://a.example/s"), peer("wss://10.0.0.1/s"), peer("ws://localhost:1/s")];
        let nodes = Nodes { peers, ..Nodes::for_testing("me") };
        for (address, allow_private) in [
            ("wss://a.example/s", false),
            ("wss://10.0.0.1/s", true),
            ("ws://localhost:1/s", true),
            ("wss://10.0.0.2/", false),
        ] {
            let request = Access::of(&nodes, address).unwrap().request();
            assert_eq!(request.allow_private, allow_private, "{address}");
        }
        assert_eq!(Access::of(&nodes, "wss://a.example/s").unwrap().request().path_and_query, "/s");
        assert!(Access::of(&Nodes::for_testing("me"), "wss://a.example/").is_none());
    }
}
