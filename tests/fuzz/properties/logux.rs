//! What another node says over the protocol of nodes: a message is taken as another reader reads it or refused in the
//! protocol's own words, and a conversation never gets a node to keep, to send or to grow by what it should not.

use std::sync::Arc;

use mirrorwatch::logux::fault::Fault;
use mirrorwatch::logux::message::{Message, Protocol};
use mirrorwatch::logux::options::Rights;
use mirrorwatch::logux::subprotocol::Subprotocol;
use mirrorwatch::logux::{Close, Effect, Json, Node, Now, Options, Page, Role};
use serde_json::Value;

/// The proof that lets a node in.
const TOKEN: &str = "secret";
/// Names of messages.
const KNOWN: [&str; 10] =
    ["connect", "connected", "sync", "synced", "ping", "pong", "ready", "headers", "debug", "error"];
/// Entries of a message at most: two values each.
const ENTRY_BYTES_MIN: usize = 4;

/// One message a line, said by one node to another that serves.
pub fn logux(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for line in text.lines() {
        for spoken in [None, Some(Protocol::Five), Some(Protocol::Seven)] {
            read(line, spoken);
        }
    }
    conversation(text);
}

/// One message alone.
fn read(text: &str, spoken: Option<Protocol>) {
    let other: Result<Value, _> = serde_json::from_str(text);
    let name = other.as_ref().ok().and_then(|value| value.get(0)).and_then(Value::as_str);
    let parsed = Message::parse(text, spoken);
    if let Err(fault) = &parsed {
        refused(text, fault, &other, name, spoken);
        return;
    }
    let (Ok(message), Ok(Value::Array(items)), Some(name)) = (parsed, &other, name) else {
        panic!("{text:?} is a message to one reader alone");
    };
    let number = |at: usize| items.get(at).and_then(Value::as_f64).map(|n| n as u64);
    let shape = match &message {
        Message::Connect { node_id, synced, .. } => {
            name == "connect" && items[2] == node_id.as_str() && number(3) == Some(*synced) && items.len() <= 5
        }
        Message::Connected { node_id, times, .. } => {
            let said = [0, 1].map(|at| items[3].get(at).and_then(Value::as_f64));
            name == "connected" && items[2] == node_id.as_str() && said == [Some(times.0), Some(times.1)]
        }
        Message::Sync { added, entries } => {
            let kinds = items[2..].iter().step_by(2).map(|action| action["type"].as_str());
            let read = entries.iter().map(|(action, _)| action.get("type").and_then(Json::as_str));
            name == "sync"
                && number(1) == Some(*added)
                && kinds.eq(read)
                && entries.len() * ENTRY_BYTES_MIN <= text.len()
        }
        Message::Synced(n) => (name, number(1), items.len()) == ("synced", Some(*n), 2),
        Message::Ping(n) => (name, number(1), items.len()) == ("ping", Some(*n), 2),
        Message::Pong(n) => (name, number(1), items.len()) == ("pong", Some(*n), 2),
        Message::Ready(n) => (name, number(1), items.len()) == ("ready", Some(*n), 2) && spoken != Some(Protocol::Five),
        Message::Headers(_) => name == "headers" && items.len() == 2 && items[1].is_object(),
        Message::Debug(said) => name == "debug" && items[1] == "error" && items[2] == said.as_str(),
        Message::Error { kind, options } => {
            name == "error" && items[1] == kind.as_str() && items.len() == 2 + usize::from(options.is_some())
        }
    };
    assert!(shape, "{text:?} is taken for {message:?}");
}

/// A refusal names what is so, and quotes what the other side can find again.
fn refused(
    text: &str,
    fault: &Fault,
    other: &Result<Value, serde_json::Error>,
    name: Option<&str>,
    spoken: Option<Protocol>,
) {
    let said: Vec<Value> = serde_json::from_str(&fault.message()).expect("a refusal is a message");
    let quoted = said[2].as_str().expect("it quotes");
    match fault {
        Fault::UnknownMessage(unknown) => {
            assert_eq!(
                (Some(unknown.as_str()), said[1].as_str(), quoted),
                (name, Some("unknown-message"), unknown.as_str())
            );
            let is_known = KNOWN.contains(&quoted) && !(quoted == "ready" && spoken == Some(Protocol::Five));
            assert!(!is_known, "{quoted} is known");
        }
        Fault::WrongFormat(_) => {
            assert_eq!(said[1], "wrong-format");
            match other {
                Ok(value) => {
                    let again: Value = serde_json::from_str(quoted).expect("what was JSON is quoted as JSON");
                    assert!(same(&again, value), "{quoted:?} for {value}");
                }
                Err(_) => assert_eq!(quoted, text),
            }
        }
        other => panic!("{text:?} is refused as {other:?}"),
    }
}

/// Whether two values are one to JavaScript, which has one kind of number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

fn options() -> Options {
    Options {
        node_id: "server:x".to_owned(),
        role: Role::Server,
        speaks: Protocol::Seven,
        subprotocol: Subprotocol::parse(&Json::from(1)).expect("a version"),
        token: None,
        authenticate: Arc::new(|who| (who.token == Some(TOKEN)).then(Rights::all)),
        ping_ms: 10_000,
        timeout_ms: 20_000,
        last_sent: 0,
        last_received: 0,
        head: 0,
    }
}

/// The lines as what one node says, with its owner keeping everything and having nothing to send.
fn conversation(text: &str) {
    let mut node = Node::new(options());
    let mut now = Now { tick_ms: 0, utc_ms: 1_700_000_000_000 };
    let mut heard = Heard::default();
    let opened = node.on_open(now);
    heard.take(&mut node, opened);
    for line in text.lines() {
        (now.tick_ms, now.utc_ms) = (now.tick_ms + 7, now.utc_ms + 7);
        let effects = node.on_message(line, now);
        heard.take(&mut node, effects);
        if heard.closed.is_some() {
            break;
        }
    }
    let ended = node.destroy();
    heard.take(&mut node, ended);
    assert!(heard.closed.is_some(), "a destroyed node has no end");
    let after = node.on_message("[\"ping\",0]", now);
    assert!(after.is_empty(), "a node that ended answers {after:?}");
}

/// What a node had its owner do.
#[derive(Default)]
struct Heard {
    is_let_in: bool,
    closed: Option<Close>,
}

impl Heard {
    fn take(&mut self, node: &mut Node, effects: Vec<Effect>) {
        for effect in effects {
            let what = format!("{effect:?}");
            match effect {
                Effect::Send(text) => {
                    assert!(self.closed.is_none(), "sent after the end: {text}");
                    assert!(Message::parse(&text, None).is_ok(), "no message is sent: {text}");
                }
                Effect::LetIn(_) => self.is_let_in = true,
                Effect::Keep(entries) => {
                    assert!(self.is_let_in && !entries.is_empty(), "kept of a stranger: {what}");
                    let then = node.on_kept(true);
                    self.take(node, then);
                }
                Effect::Read { after, limit } => {
                    assert!(self.is_let_in && limit > 0, "read for a stranger: {what}");
                    let then = node.on_page(Page { entries: Vec::new(), through: after });
                    self.take(node, then);
                }
                Effect::Close(why) => self.closed = self.closed.or(Some(why)),
                Effect::Sent(_) | Effect::Received(_) | Effect::State(_) | Effect::Told { .. } => {}
            }
        }
    }
}
