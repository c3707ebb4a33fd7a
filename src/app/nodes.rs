//! This node among others: its log, who may come in, and what it tells once a minute.

use super::start_error::StartError;
use crate::config::{Config, NodeRole, NodeToken, Nodes};
use crate::domain::node_event::OwnEvent;
use crate::http::{Guest, HttpState, NodesDoor};
use crate::logux::Json;
use crate::logux::kinds::OVERVIEW;
use crate::ports::log_book::{Horizon, LogBook, LogError};
use crate::ports::peer_links::PeerLinks;
use crate::ports::store::SharedStore;
use crate::publish::{Pages, UtcNow};
use actix_web::web;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Random bytes of a new token.
const TOKEN_BYTES: usize = 32;
/// How often other nodes are told how everything stands.
const OVERVIEW_EVERY: Duration = Duration::from_mins(1);
/// What they are told of each mirror.
const OF_MIRROR: [&str; 9] = ["id", "name", "url", "state", "link", "headline", "coverage", "lag", "purposes"];
/// What they are told of the primary.
const OF_PRIMARY: [&str; 4] = ["id", "name", "url", "link"];
/// Longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 4_096;

/// A new token and its hash, each in a line.
#[must_use]
pub fn token() -> String {
    let token = BASE64URL_NOPAD.encode(&rand::random::<[u8; TOKEN_BYTES]>());
    let hash = HEXLOWER.encode(&Sha256::digest(token.as_bytes()));
    format!("token: {token}\nsha256: {hash}\n")
}

/// The log that nodes share; none where there are no nodes.
pub(super) fn log_book(config: &Config, store: &SharedStore, horizon: Horizon) -> Result<Option<LogBook>, LogError> {
    let Some(nodes) = &config.nodes else { return Ok(None) };
    LogBook::open(Arc::clone(store), &nodes.id, horizon).map(Some)
}

/// Where nodes report what they do; none where that is not asked for.
pub(super) fn events_server(
    config: &Config,
    state: &web::Data<HttpState>,
) -> Result<Option<impl Future<Output = std::io::Result<()>> + use<>>, StartError> {
    let Some(address) = config.nodes.as_ref().and_then(|nodes| nodes.events) else { return Ok(None) };
    let listener = crate::http::bind(address).map_err(|e| StartError::Listen("nodes.events.listen", address, e))?;
    let address = listener.local_addr().map_err(StartError::Server)?;
    tracing::info!(%address, "events of nodes are taken in");
    crate::http::events_server(listener, state).map(Some).map_err(StartError::Server)
}

/// Runs the server, and the one for events where there is one, until both have ended.
pub(super) async fn beside(
    server: impl Future<Output = std::io::Result<()>>,
    events: Option<impl Future<Output = std::io::Result<()>>>,
) -> std::io::Result<()> {
    match events {
        Some(events) => futures_util::future::try_join(server, events).await.map(|_| ()),
        None => server.await,
    }
}

/// What the server needs to let other nodes in.
pub(super) fn door(nodes: &Nodes, log: LogBook, peers: Option<PeerLinks>) -> NodesDoor {
    let (known, holders) = (nodes.clone(), nodes.clone());
    NodesDoor {
        node_id: nodes.id.clone(),
        subprotocol: nodes.subprotocol,
        ping: nodes.ping,
        timeout: nodes.timeout,
        log,
        users: nodes.tokens.iter().map(|token| token.user.clone()).collect(),
        peers,
        public: Guest { readable: nodes.readable.clone(), writable: Vec::new() },
        admit: Arc::new(move |user, token| admitted(&known, user, token)),
        holders: Arc::new(move |token| holders_of(&holders, token)),
    }
}

/// What whoever brings `token` as `user` may do.
fn admitted(nodes: &Nodes, user: &str, token: &str) -> Option<Guest> {
    holders_of(nodes, token).into_iter().filter(|holder| holder.0 == user).map(|holder| holder.1).next_back()
}

/// Whom `token` lets in. Every token is compared, so that the time tells nothing.
fn holders_of(nodes: &Nodes, token: &str) -> Vec<(String, Guest)> {
    let token = token.as_bytes();
    let digest = Sha256::digest(token.get(..TOKEN_BYTES_MAX).unwrap_or(token));
    let every = || vec!["*".to_owned()];
    let guest = |role| match role {
        NodeRole::Reader => Guest { readable: nodes.readable.clone(), writable: Vec::new() },
        NodeRole::Node => Guest { readable: every(), writable: nodes.writable.clone() },
        NodeRole::Admin => Guest { readable: every(), writable: every() },
    };
    let is_same = |known: &&NodeToken| bool::from(digest.as_slice().ct_eq(&known.sha256));
    nodes.tokens.iter().filter(is_same).map(|known| (known.user.clone(), guest(known.role))).collect()
}

/// Tells other nodes that this one has started, and once a minute how everything stands here, in `region`, until `stop`.
pub(super) async fn tell_overviews(
    log: LogBook,
    region: Option<String>,
    pages: Arc<Pages>,
    now: UtcNow,
    stop: CancellationToken,
) {
    let started = format!("mirrorwatch {} has started", env!("CARGO_PKG_VERSION"));
    if let Err(error) = log.append_rows(vec![log.own_event(OwnEvent::NodeStarted, &started, now())]).await {
        tracing::warn!(%error, "other nodes are not told that this one has started");
    }
    let mut ticks = interval(OVERVIEW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let page = pages.get("overview").map(|page| page.load().body.identity.clone());
        let Some(action) = page.and_then(|bytes| overview_of(&bytes, region.as_deref())) else { continue };
        let row = log.own(&Json::from(action), now());
        if let Err(error) = log.append_rows(vec![row]).await {
            tracing::warn!(%error, "other nodes are not told how everything stands");
        }
    }
}

/// The action that tells of the page of the overview.
pub(super) fn overview_of(page: &[u8], region: Option<&str>) -> Option<Value> {
    let page: Value = serde_json::from_slice(page).ok()?;
    page.get("data").map(|data| overview(data, region))
}

/// The short form of an overview.
fn overview(data: &Value, region: Option<&str>) -> Value {
    let part = |whole: &Value, keys: &[&str]| -> Value {
        keys.iter().filter_map(|key| Some(((*key).to_owned(), whole.get(*key)?.clone()))).collect()
    };
    let rows = data.get("mirrors").and_then(Value::as_array);
    let mirrors: Vec<Value> = rows.into_iter().flatten().map(|mirror| part(mirror, &OF_MIRROR)).collect();
    json!({
        "type": OVERVIEW,
        "headline": data.get("headline"),
        "region": region,
        "observer": data.get("observer"),
        "primary": data.get("primary").map(|primary| part(primary, &OF_PRIMARY)),
        "mirrors": mirrors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lets_in_its_own_user_alone() {
        let token = |user: &str, role, text: &str| NodeToken {
            user: user.to_owned(),
            role,
            sha256: Sha256::digest(text.as_bytes()).into(),
        };
        let nodes = Nodes {
            tokens: vec![token("a", NodeRole::Reader, "one"), token("b", NodeRole::Node, "two")],
            readable: vec!["x/*".to_owned()],
            writable: vec!["y/*".to_owned()],
            ..Nodes::for_testing("me")
        };
        let reader = admitted(&nodes, "a", "one").unwrap();
        assert!(reader.may_read("x/1") && !reader.may_read("y/1") && !reader.may_write("x/1"));
        let node = admitted(&nodes, "b", "two").unwrap();
        assert!(node.may_read("z") && node.may_write("y/") && !node.may_write("x/1"));
        for (user, token) in [("a", "two"), ("b", "one"), ("a", ""), ("c", "one"), ("", "")] {
            assert!(admitted(&nodes, user, token).is_none(), "{user} {token}");
        }
    }

    #[test]
    fn the_overview_is_told_in_short() {
        let data = json!({ "headline": "h", "observer": {}, "primary": { "url": "u", "rest": 1 }, "mirrors": [{ "id": "m", "rest": 1 }] });
        let told = overview(&data, Some("eu"));
        assert_eq!((&told["primary"], &told["region"]), (&json!({ "url": "u" }), &json!("eu")));
        assert_eq!(told["mirrors"], json!([{ "id": "m" }]));
        assert_eq!((told["type"].as_str(), told["headline"].as_str()), (Some(OVERVIEW), Some("h")));
    }
}
