//! The log that nodes share: over Logux for nodes, as JSON and as a stream of events for everyone. And what is published, in
//! channels of Logux.
//!
//! Without nodes in the configuration none of these addresses is there.

mod channels;
mod exchange;
mod log;
mod peer;
mod session;
mod whole_log;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Resource, guard, web};
use futures_util::future::ready;
use tokio_util::sync::CancellationToken;

use super::problem::Problem;
use super::routes::other_method;
use super::sockets::Sockets;
use super::state::HttpState;
use crate::domain::node_event::OwnEvent;
use crate::logux::kinds::is_of;
use crate::ports::log_book::LogBook;
use crate::ports::peer_links::PeerLinks;
use crate::publish::Form;
use channels::Viewing;
use whole_log::WholeLog;

/// Clients that look at channels at once: each gets the states that it looks at written for itself.
const VIEWERS_MAX: usize = 256;

/// What someone may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Guest {
    /// Types that it gets, with `*` for any rest.
    pub readable: Vec<String>,
    /// Types that are taken of it.
    pub writable: Vec<String>,
}

impl Guest {
    /// Whether it gets actions of this type.
    #[must_use]
    pub fn may_read(&self, kind: &str) -> bool {
        self.readable.iter().any(|pattern| is_of(pattern, kind))
    }

    /// Whether actions of this type are taken of it.
    #[must_use]
    pub fn may_write(&self, kind: &str) -> bool {
        self.writable.iter().any(|pattern| is_of(pattern, kind))
    }
}

/// Says what whoever brings this token as this user may do; `None` lets nobody in.
pub type Admit = Arc<dyn Fn(&str, &str) -> Option<Guest> + Send + Sync>;

/// Says whom this token lets in, and what each may do.
pub type Holders = Arc<dyn Fn(&str) -> Vec<(String, Guest)> + Send + Sync>;

/// What the server needs to let other nodes in.
pub struct NodesDoor {
    /// Our name.
    pub node_id: String,
    /// The version of what our actions mean.
    pub subprotocol: u32,
    /// So long after the last message received a sign of life is asked for.
    pub ping: Duration,
    /// So long an answer may take.
    pub timeout: Duration,
    /// The log.
    pub log: LogBook,
    /// Who may do what.
    pub admit: Admit,
    /// The same of a token alone.
    pub holders: Holders,
    /// What everyone may read.
    pub public: Guest,
    /// Users that have a token: nobody comes in as one of them without it.
    pub users: HashSet<String>,
    /// Who is told which nodes connect; `None` where no peers are chosen.
    pub peers: Option<PeerLinks>,
}

impl fmt::Debug for NodesDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodesDoor").field("node_id", &self.node_id).finish_non_exhaustive()
    }
}

/// The clients that are in, so that a new connection ends the older one of the same client, which may be half open. Bounded by
/// the limit on sockets.
#[derive(Clone, Debug, Default)]
pub(super) struct Present {
    clients: Arc<Mutex<HashMap<String, (u64, CancellationToken)>>>,
}

impl Present {
    /// Takes in a connection of a client; one before it is told to end.
    fn enter(&self, client: &str, key: u64, end: CancellationToken) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, older)) = clients.insert(client.to_owned(), (key, end)) {
            older.cancel();
        }
    }

    fn leave(&self, client: &str, key: u64) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.get(client).is_some_and(|(held, _)| *held == key) {
            clients.remove(client);
        }
    }
}

/// Names of nodes that are remembered; of one more nothing is told.
const MET_MAX: usize = 1_024;

/// The nodes that were in since the start, by their names.
#[derive(Debug, Default)]
struct Peers(Mutex<HashSet<String>>);

impl Peers {
    /// What to tell of a node that is in; nothing where it was before.
    fn meet(&self, name: &str) -> Option<OwnEvent> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let event = if known.is_empty() { OwnEvent::FirstPeerConnected } else { OwnEvent::NewPeerConnected };
        (known.len() < MET_MAX && known.insert(name.to_owned())).then_some(event)
    }
}

/// What [`HttpState`] holds of nodes.
#[derive(Debug)]
pub(super) struct NodesState {
    pub(super) door: NodesDoor,
    /// Nodes that exchange the log.
    present: Present,
    peers: Peers,
    /// Clients that look at channels.
    viewers: Present,
    viewers_seats: Arc<Sockets>,
    /// Connections get their numbers from here.
    keys: AtomicU64,
}

impl NodesState {
    /// Nobody is in.
    pub(super) fn new(door: NodesDoor) -> NodesState {
        NodesState {
            door,
            present: Present::default(),
            peers: Peers::default(),
            viewers: Present::default(),
            viewers_seats: Arc::new(Sockets::new(VIEWERS_MAX, VIEWERS_MAX)),
            keys: AtomicU64::new(0),
        }
    }

    fn next_key(&self) -> u64 {
        self.keys.fetch_add(1, Ordering::Relaxed)
    }
}

/// Registers the addresses, where there are nodes.
pub(super) fn configure(config: &mut web::ServiceConfig, state: &web::Data<HttpState>) {
    if state.nodes.is_some() {
        config.service(sync(state)).service(logux(state)).service(log::stream(state));
        for form in [None, Some(Form::Csv), Some(Form::Ndjson)] {
            config.service(log::page(state, form));
        }
    }
}

/// Opens a connection, of a request for one.
type Open = fn(&HttpRequest, web::Payload, &web::Data<HttpState>, &Arc<NodesState>) -> Result<HttpResponse, Problem>;

fn sync(state: &web::Data<HttpState>) -> Resource {
    socket(web::resource("/api/v1/sync"), state, |request, payload, state, nodes| {
        session::open(request, payload, (state, nodes), || Ok(WholeLog::new(Arc::clone(nodes), state.utc_clock())))
    })
}

fn logux(state: &web::Data<HttpState>) -> Resource {
    socket(web::resource("/api/v1/logux"), state, |request, payload, state, nodes| {
        session::open(request, payload, (state, nodes), || {
            let client = state.client(request);
            let seat = nodes.viewers_seats.sit(client, state.limit.is_exempt(client))?;
            Ok(Viewing::new(Arc::clone(nodes), state, seat))
        })
    })
}

fn socket(resource: Resource, state: &web::Data<HttpState>, open: Open) -> Resource {
    let shared = state.clone();
    let handler = move |request: HttpRequest, payload: web::Payload| {
        let response = match &shared.nodes {
            Some(nodes) => open(&request, payload, &shared, nodes),
            None => Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "there are no nodes")),
        };
        ready(response.unwrap_or_else(|problem| problem.respond(&request, shared.now_ms())))
    };
    let read = web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    resource.route(read.to(handler)).default_service(other_method(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_is_met_once_within_bounds() {
        let peers = Peers::default();
        assert_eq!(peers.meet("a"), Some(OwnEvent::FirstPeerConnected));
        assert_eq!((peers.meet("a"), peers.meet("b")), (None, Some(OwnEvent::NewPeerConnected)));
        assert_eq!((peers.meet("a"), peers.meet("b")), (None, None));
        let told = (0..2 * MET_MAX).filter(|n| peers.meet(&n.to_string()).is_some()).count();
        assert_eq!(told, MET_MAX - 2);
    }

    #[test]
    fn a_new_connection_of_a_client_ends_the_older_one() {
        let (present, older, newer) = (Present::default(), CancellationToken::new(), CancellationToken::new());
        present.enter("u:c", 1, older.clone());
        present.enter("u:c", 2, newer.clone());
        assert!(older.is_cancelled() && !newer.is_cancelled());
        present.leave("u:c", 1);
        present.enter("u:c", 3, CancellationToken::new());
        assert!(newer.is_cancelled(), "the older one left without taking the newer one with it");
    }
}
