//! What a server answers about itself and about single DIDs.

use super::behaviour::{Export, Health, Wire};
use super::history;
use super::log::Entry;
use super::request::Answer;
use super::state::State;
use crate::domain::did::Did;
use crate::domain::op::Kind;
use crate::domain::time::rfc3339_ms;
use serde_json::{Value, json};

/// What can be asked about a DID.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Page {
    Document,
    Data,
    Log,
    Last,
    Audit,
}

impl Page {
    const ENDINGS: [(&'static str, Page); 4] =
        [("/log/audit", Page::Audit), ("/log/last", Page::Last), ("/log", Page::Log), ("/data", Page::Data)];

    /// Which page of which DID this path is.
    fn of(path: &str) -> Option<(Did, Page)> {
        let path = path.strip_prefix('/')?;
        let found = Page::ENDINGS.into_iter().find_map(|(ending, page)| Some((path.strip_suffix(ending)?, page)));
        let (did, page) = found.unwrap_or((path, Page::Document));
        Some((Did::parse(did)?, page))
    }
}

impl Wire {
    /// Where streams are.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Wire::Sequenced => "/export/stream",
            Wire::Bundle => "/ws",
        }
    }
}

/// Answers everything but streams and `/export`.
pub(super) fn answer(state: &mut State, path: &str) -> Answer {
    let wire = state.behaviour.style.wire;
    match path {
        "/_health" => health(state),
        "/status" if wire == Wire::Bundle => status(state),
        // A server that has a stream here says that it wants an upgrade.
        "/export/stream" if wire == Wire::Sequenced => Answer::status(426),
        "/ws" if wire == Wire::Bundle => Answer::status(400),
        path => match Page::of(path) {
            Some((did, page)) => about(state, did, page),
            None => Answer::status(404),
        },
    }
}

fn health(state: &mut State) -> Answer {
    state.received.healths += 1;
    let newest = state.log.newest_ms().map(rfc3339_ms);
    let said = match state.behaviour.health {
        Health::Absent => return Answer::status(404),
        Health::Version => json!({ "version": "simulated" }),
        Health::LatestSeq => json!({ "version": "simulated", "latest_seq": state.log.last_seq() }),
        Health::LatestAt => json!({ "version": "simulated", "latest_at": newest }),
        Health::LastCommitted => json!({ "version": "simulated", "lastCommittedOpTime": newest }),
    };
    Answer::json(200, said.to_string())
}

/// What a plcbundle server says of itself. It fills no bundle here: everything is in its mempool.
fn status(state: &State) -> Answer {
    let count = state.log.last_seq();
    let said = json!({
        "server": { "version": "simulated", "websocket_enabled": true },
        "bundles": { "count": 0 },
        "mempool": { "count": count, "last_time": state.log.newest_ms().map(rfc3339_ms) },
    });
    Answer::json(200, said.to_string())
}

fn about(state: &mut State, did: Did, page: Page) -> Answer {
    if let Some(refused) = refuse(state, page) {
        return refused;
    }
    let entries = history::told(state.log.of_did(did), &state.behaviour.lies);
    let valid = || entries.iter().filter(|entry| !entry.nullified);
    let Some(last) = valid().next_back() else {
        return Answer::json(404, json!({ "message": format!("DID not registered: {did}") }).to_string());
    };
    let style = state.behaviour.style;
    match page {
        Page::Audit => list(entries.iter().map(|entry| entry.legacy_text(style))),
        Page::Log => list(valid().map(|entry| entry.op.operation.clone())),
        Page::Last => Answer::json(200, last.op.operation.clone()),
        Page::Document | Page::Data if last.op.kind == Kind::Tombstone => Answer::json(
            state.behaviour.tombstone_status,
            json!({ "message": format!("DID not available: {did}") }).to_string(),
        ),
        Page::Document => document(did, last),
        Page::Data => Answer::json(200, state_of(did, last).to_string()),
    }
}

/// What this server gives in place of a page that it does not have or that fails.
fn refuse(state: &mut State, page: Page) -> Option<Answer> {
    if matches!(page, Page::Document | Page::Data) {
        return None;
    }
    state.received.audits += 1;
    match &mut state.behaviour.audit {
        Export::Absent if page == Page::Audit => return Some(Answer::status(404)),
        Export::Fail { times: times @ 1.., refusal } => {
            *times -= 1;
            return Some(Answer::refusal(*refusal));
        }
        Export::Pages | Export::Absent | Export::Fail { .. } => {}
    }
    (page != Page::Audit && !state.behaviour.has_logs).then(|| Answer::status(404))
}

fn list(elements: impl Iterator<Item = String>) -> Answer {
    Answer::json(200, format!("[{}]", elements.collect::<Vec<_>>().join(",")))
}

/// The state of a DID, without what a resolver adds.
fn state_of(did: Did, last: &Entry) -> Value {
    let mut state: Value = serde_json::from_str(&last.op.operation).unwrap_or_default();
    if let Value::Object(state) = &mut state {
        for name in ["type", "prev", "sig"] {
            state.remove(name);
        }
        state.insert("did".to_owned(), did.to_string().into());
    }
    state
}

fn document(did: Did, last: &Entry) -> Answer {
    let also = state_of(did, last)["alsoKnownAs"].take();
    let document = json!({ "@context": ["https://www.w3.org/ns/did/v1"], "id": did.to_string(), "alsoKnownAs": also });
    Answer { kind: "application/did+json", ..Answer::json(200, document.to_string()) }
}
