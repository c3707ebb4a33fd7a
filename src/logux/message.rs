//! Reading what the other side says. Everything is checked before anything happens: exact lengths, and types as
//! JavaScript has them, as npm's `@logux/core` checks them on a server, and `null` is no object.

use super::entry::{Meta, WireId};
use super::fault::Fault;
use super::json::Json;

/// Which of the two protocols is spoken.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Protocol {
    /// Of `@logux/core` up to 0.10, `@logux/client` and `@logux/server`.
    Five,
    /// Of `@logux/core` from 0.12 on.
    Seven,
}

impl Protocol {
    /// The oldest that is understood.
    pub const OLDEST: i64 = 5;

    /// The protocol that is spoken with a node that speaks `version`; a newer one is expected to speak ours.
    #[must_use]
    pub fn of(version: f64) -> Option<Protocol> {
        if version >= 7.0 {
            Some(Protocol::Seven)
        } else {
            (version >= Protocol::OLDEST as f64).then_some(Protocol::Five)
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Protocol::Five => 5,
            Protocol::Seven => 7,
        }
    }
}

/// A message that is well formed.
#[derive(Clone, PartialEq, Debug)]
pub enum Message {
    /// A client says who it is.
    Connect {
        /// The protocol that it speaks.
        protocol: f64,
        /// Its name.
        node_id: String,
        /// What it has of ours.
        synced: u64,
        /// `subprotocol` and `token`.
        options: Json,
    },
    /// A server lets a client in.
    Connected {
        /// The protocol that it speaks.
        protocol: f64,
        /// Its name.
        node_id: String,
        /// When it had `connect`, and when it answered; by its clock.
        times: (f64, f64),
        /// `subprotocol` and `token`.
        options: Json,
    },
    /// Actions, the oldest first.
    Sync {
        /// Number of the last one in the sender's log.
        added: u64,
        /// Each action with what is said of it.
        entries: Vec<(Json, Meta)>,
    },
    /// Everything up to this number is kept.
    Synced(u64),
    /// Asks for a sign of life.
    Ping(u64),
    /// The sign of life.
    Pong(u64),
    /// Everything from before the connection was sent.
    Ready(u64),
    /// What else a node says of itself.
    Headers(Json),
    /// A text for developers.
    Debug(String),
    /// The other side names an error of ours.
    Error {
        /// Its kind.
        kind: String,
        /// More of it.
        options: Option<Json>,
    },
}

impl Message {
    /// Reads a text; `spoken` is the protocol once it is known, and until then both are understood.
    ///
    /// # Errors
    /// What to tell the sender.
    pub fn parse(text: &str, spoken: Option<Protocol>) -> Result<Message, Fault> {
        let read = Json::parse(text).map_err(|_| Fault::WrongFormat(text.to_owned()))?;
        let wrong = |read: &Json| Fault::WrongFormat(read.to_text());
        let name = read.as_array().and_then(<[Json]>::first).and_then(Json::as_str);
        let name = name.ok_or_else(|| wrong(&read))?.to_owned();
        let is_known = KNOWN.contains(&name.as_str()) && !(name == "ready" && spoken == Some(Protocol::Five));
        if !is_known {
            return Err(Fault::UnknownMessage(name));
        }
        let is_sync = name == "sync" && is_sync(read.as_array().unwrap_or_default(), spoken);
        if is_sync && let Json::Array(items) = read {
            return Ok(take_sync(items));
        }
        let items = read.as_array().unwrap_or_default();
        shaped(&name, items.get(1..).unwrap_or_default()).ok_or_else(|| wrong(&read))
    }
}

const KNOWN: [&str; 10] =
    ["connect", "connected", "sync", "synced", "ping", "pong", "ready", "headers", "debug", "error"];

/// The message of this name with these arguments, except `sync`; `None` when they are not of its shape.
fn shaped(name: &str, arguments: &[Json]) -> Option<Message> {
    Some(match (name, arguments) {
        ("connect", [protocol, Json::String(node_id), synced, rest @ ..]) => Message::Connect {
            protocol: protocol.as_f64()?,
            node_id: node_id.clone(),
            synced: number(synced)?,
            options: options(rest)?,
        },
        ("connected", [protocol, Json::String(node_id), Json::Array(times), rest @ ..]) => Message::Connected {
            protocol: protocol.as_f64()?,
            node_id: node_id.clone(),
            times: match times.as_slice() {
                [start, end] => (start.as_f64()?, end.as_f64()?),
                _ => return None,
            },
            options: options(rest)?,
        },
        ("synced", [added]) => Message::Synced(number(added)?),
        ("ping", [added]) => Message::Ping(number(added)?),
        ("pong", [added]) => Message::Pong(number(added)?),
        ("ready", [added]) => Message::Ready(number(added)?),
        ("headers", [headers]) if is_object(headers) => Message::Headers(headers.clone()),
        ("debug", [Json::String(kind), Json::String(text)]) if kind == "error" => Message::Debug(text.clone()),
        ("error", [Json::String(kind)]) => Message::Error { kind: kind.clone(), options: None },
        ("error", [Json::String(kind), more]) => Message::Error { kind: kind.clone(), options: Some(more.clone()) },
        _ => return None,
    })
}

/// A number of a log.
fn number(value: &Json) -> Option<u64> {
    value.as_f64().map(|n| n as u64)
}

/// What JavaScript's nodes take for an object; a `length` that is a number would be an array's.
fn is_object(value: &Json) -> bool {
    matches!(value, Json::Object(_)) && value.get("length").and_then(Json::as_f64).is_none()
}

fn options(rest: &[Json]) -> Option<Json> {
    match rest {
        [] => Some(Json::Object(Vec::new())),
        [options] if is_object(options) => Some(options.clone()),
        _ => None,
    }
}

fn is_sync(items: &[Json], spoken: Option<Protocol>) -> bool {
    let Some((_, [added, entries @ ..])) = items.split_first() else { return false };
    let is_entry = |pair: &[Json]| {
        let [action, meta] = pair else { return false };
        is_object(action)
            && action.get("type").and_then(Json::as_str).is_some()
            && is_object(meta)
            && meta.get("time").and_then(Json::as_f64).is_some()
            && meta.get("id").and_then(|id| WireId::parse(id, spoken)).is_some()
    };
    added.as_f64().is_some() && entries.chunks(2).all(is_entry)
}

/// Takes apart what [`is_sync`] found well formed.
fn take_sync(items: Vec<Json>) -> Message {
    let added = items.get(1).and_then(number).unwrap_or_default();
    let mut entries = Vec::with_capacity(items.len() / 2);
    let mut rest = items.into_iter().skip(2);
    while let (Some(action), Some(meta)) = (rest.next(), rest.next()) {
        entries.extend(Meta::parse(&meta).map(|meta| (action, meta)));
    }
    Message::Sync { added, entries }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, spoken: Option<Protocol>) -> String {
        Message::parse(text, spoken).unwrap_err().message()
    }

    #[test]
    fn what_is_not_of_the_shape_is_told_with_its_text() {
        for text in [
            "1",
            "{\"hi\":1}",
            "[]",
            "[1]",
            "null",
            "[null]",
            "[\"connect\"]",
            "[\"connect\",5,\"a\",0,null]",
            "[\"connect\",5,\"a\",0,[]]",
            "[\"connect\",\"5\",\"a\",0]",
            "[\"connect\",5,\"a\",0,{},1]",
            "[\"connect\",5,\"a\",0,{\"length\":1}]",
            "[\"connected\",5,\"a\",[0]]",
            "[\"connected\",5,\"a\",0]",
            "[\"sync\"]",
            "[\"sync\",1,{}]",
            "[\"sync\",1,{\"type\":\"a\"}]",
            "[\"sync\",1,null,{}]",
            "[\"sync\",1,{\"type\":1},{\"id\":0,\"time\":0}]",
            "[\"sync\",1,{\"type\":\"a\"},{\"id\":0}]",
            "[\"sync\",1,{\"type\":\"a\"},null]",
            "[\"sync\",1,{\"type\":\"a\"},{\"id\":[1],\"time\":0}]",
            "[\"sync\",1,{\"type\":\"a\"},{\"id\":[1,\"a\",\"b\"],\"time\":0}]",
            "[\"synced\"]",
            "[\"synced\",\"1\"]",
            "[\"synced\",1,2]",
            "[\"ping\",null]",
            "[\"pong\"]",
            "[\"ready\"]",
            "[\"headers\",null]",
            "[\"headers\",[]]",
            "[\"debug\",\"warning\",\"a\"]",
            "[\"debug\",\"error\"]",
            "[\"error\"]",
            "[\"error\",1]",
            "[\"error\",\"a\",1,2]",
        ] {
            let want = Json::Array(vec![Json::text("error"), Json::text("wrong-format"), Json::text(text)]).to_text();
            assert_eq!(told(text, None), want);
        }
        assert_eq!(told("[ \"ping\" ,\"1\"]", None), r#"["error","wrong-format","[\"ping\",\"1\"]"]"#);
        assert_eq!(told("nonsense [", None), r#"["error","wrong-format","nonsense ["]"#);
        assert_eq!(told("[\"nope\",1]", None), r#"["error","unknown-message","nope"]"#);
        assert_eq!(told("[\"duilian\",\"x\"]", None), r#"["error","unknown-message","duilian"]"#);
        assert_eq!(told("[\"ready\",1]", Some(Protocol::Five)), r#"["error","unknown-message","ready"]"#);
    }

    #[test]
    fn an_id_is_spelled_as_the_protocol_says() {
        let of = |id: &str| format!("[\"sync\",1,{{\"type\":\"a\"}},{{\"id\":{id},\"time\":0}}]");
        for (id, five, seven) in [
            ("1", true, false),
            ("[1,2]", true, false),
            ("[1,\"n\",2]", true, false),
            ("\"0 n\"", false, true),
            ("\"0\"", false, true),
            ("\"! n\"", false, false),
        ] {
            assert_eq!(Message::parse(&of(id), Some(Protocol::Five)).is_ok(), five, "{id}");
            assert_eq!(Message::parse(&of(id), Some(Protocol::Seven)).is_ok(), seven, "{id}");
            assert_eq!(Message::parse(&of(id), None).is_ok(), five || seven, "{id}");
        }
        let Ok(Message::Sync { added: 1, entries }) = Message::parse("[\"sync\",1]", None) else { panic!() };
        assert!(entries.is_empty());
    }
}
