//! The log that nodes share: over Logux for nodes, as JSON and as a stream of events for everyone.
//!
//! Without nodes in the configuration none of these addresses is there.

mod log;
mod peer;
mod session;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::{HttpRequest, Resource, guard, web};
use futures_util::future::ready;
use tokio_util::sync::CancellationToken;

use super::routes::other_method;
use super::state::HttpState;
use crate::logux::kinds::is_of;
use crate::ports::log_book::LogBook;
use crate::ports::peer_links::PeerLinks;
use crate::publish::Form;

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
#[derive(Debug, Default)]
pub(super) struct Present {
    clients: Mutex<HashMap<String, (u64, CancellationToken)>>,
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

/// What [`HttpState`] holds of nodes.
#[derive(Debug)]
pub(super) struct NodesState {
    pub(super) door: NodesDoor,
    pub(super) present: Present,
    /// Sessions get their numbers from here.
    pub(super) keys: std::sync::atomic::AtomicU64,
}

impl NodesState {
    /// Nobody is in.
    pub(super) fn new(door: NodesDoor) -> NodesState {
        NodesState { door, present: Present::default(), keys: std::sync::atomic::AtomicU64::new(0) }
    }
}

/// Registers the addresses, where there are nodes.
pub(super) fn configure(config: &mut web::ServiceConfig, state: &web::Data<HttpState>) {
    if state.nodes.is_some() {
        config.service(sync(state)).service(log::stream(state));
        for form in [None, Some(Form::Csv), Some(Form::Ndjson)] {
            config.service(log::page(state, form));
        }
    }
}

fn sync(state: &web::Data<HttpState>) -> Resource {
    let shared = state.clone();
    let handler = move |request: HttpRequest, payload: web::Payload| {
        let response = session::open(&request, payload, &shared);
        ready(response.unwrap_or_else(|problem| problem.respond(&request, shared.now_ms())))
    };
    let read = web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    web::resource("/api/v1/sync").route(read.to(handler)).default_service(other_method(state))
}

#[cfg(test)]
mod tests {
    use super::*;

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
