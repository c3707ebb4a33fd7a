//! What nodes tell each other about nodes, as actions that are for one connection alone and in no log: `dt/…`.

use super::entry::Entry;
use super::id::{ActionId, is_node_name};
use super::json::Json;
use crate::domain::node_table::message::{Message, MessageId, Says};

/// Types of these actions begin so.
pub const BEGIN: &str = "dt/";
/// The key of the headers in which a node that connects says who it is.
const HEADER: &str = "dt";
/// Names in one message.
const NAMES_MAX: usize = 2_048;
/// Longest address, bytes.
const ADDRESS_BYTES_MAX: usize = 2_048;

/// What a node that connects says of itself beside its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Introduction {
    /// Its name among nodes.
    pub node_id: String,
    /// Where others reach it.
    pub address: Option<String>,
    /// Whether it stays; else it came to ask something.
    pub is_lasting: bool,
}

impl Introduction {
    /// As headers.
    #[must_use]
    pub fn headers(&self) -> Json {
        let told = [
            ("node", Json::text(&self.node_id)),
            ("address", optional(self.address.as_deref())),
            ("lasting", Json::Bool(self.is_lasting)),
        ];
        object([(HEADER, object(told))])
    }

    /// Reads headers; `None` where they say nothing of it.
    #[must_use]
    pub fn read(headers: &Json) -> Option<Introduction> {
        let told = headers.get(HEADER)?;
        let node_id = name(told.get("node")?)?;
        let address = address(told.get("address"));
        Some(Introduction { node_id, address, is_lasting: told.get("lasting") == Some(&Json::Bool(true)) })
    }
}

/// What a node that is connected to says of its log to one that stays.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct LogTold {
    /// When it was begun, UTC milliseconds: another one after a loss.
    pub begun: i64,
    /// Its last number.
    pub last: i64,
}

impl LogTold {
    /// As headers.
    #[must_use]
    pub fn headers(&self) -> Json {
        let told = [("log", Json::from(self.begun)), ("last", Json::from(self.last))];
        object([(HEADER, object(told))])
    }

    /// Reads headers; `None` where they say nothing of it.
    #[must_use]
    pub fn read(headers: &Json) -> Option<LogTold> {
        let told = headers.get(HEADER)?;
        let number = |key| told.get(key).and_then(Json::as_f64);
        Some(LogTold { begun: number("log")? as i64, last: number("last")? as i64 })
    }
}

/// The action of a message, made at `utc_ms`.
#[must_use]
pub fn write(message: &Message, utc_ms: i64) -> Entry {
    let action = match &message.says {
        Says::ConnectedNodes(nodes) => {
            let nodes = nodes.iter().map(|node| Json::text(node)).collect();
            object([("type", Json::text("dt/connected_nodes")), ("nodes", Json::Array(nodes))])
        }
        Says::DistantNode { node_id, address } => object([
            ("type", Json::text("dt/distant_node")),
            ("node", Json::text(node_id)),
            ("address", optional(address.as_deref())),
        ]),
        Says::Defragment { nodes } => {
            object([("type", Json::text("dt/defragment")), ("nodes", Json::from(*nodes as i64))])
        }
        Says::DefragmentGreaterCount => object([("type", Json::text("dt/defragment_greater_count"))]),
    };
    let id = ActionId { ms: message.id.ms.max(0) as u64, node: message.id.node_id.clone(), counter: 0 };
    Entry { added: 0, id, time_ms: utc_ms, subprotocol: None, from: None, has_more: false, action }
}

/// The message of an action; `None` when it is none, or too large.
#[must_use]
pub fn read(entry: &Entry) -> Option<Message> {
    let action = &entry.action;
    let says = match entry.kind() {
        "dt/connected_nodes" => {
            let nodes = action.get("nodes")?.as_array().filter(|nodes| nodes.len() <= NAMES_MAX)?;
            Says::ConnectedNodes(nodes.iter().map(name).collect::<Option<_>>()?)
        }
        "dt/distant_node" => {
            Says::DistantNode { node_id: name(action.get("node")?)?, address: address(action.get("address")) }
        }
        "dt/defragment" => Says::Defragment { nodes: action.get("nodes")?.as_f64()? as u64 },
        "dt/defragment_greater_count" => Says::DefragmentGreaterCount,
        _ => return None,
    };
    let id = MessageId { ms: i64::try_from(entry.id.ms).ok()?, node_id: entry.id.node.clone() };
    Some(Message { id, says })
}

fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.map(|(key, value)| (key.to_owned(), value)).into())
}

fn optional(text: Option<&str>) -> Json {
    text.map_or(Json::Null, Json::text)
}

fn name(value: &Json) -> Option<String> {
    value.as_str().filter(|name| is_node_name(name)).map(str::to_owned)
}

/// An address; what is no text, or too long, is none.
fn address(value: Option<&Json>) -> Option<String> {
    value.and_then(Json::as_str).filter(|text| text.len() <= ADDRESS_BYTES_MAX).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for says in [
            Says::ConnectedNodes(vec!["a".to_owned(), "b".to_owned()]),
            Says::DistantNode { node_id: "a".to_owned(), address: Some("wss://a.example/".to_owned()) },
            Says::DistantNode { node_id: "a".to_owned(), address: None },
            Says::Defragment { nodes: 7 },
            Says::DefragmentGreaterCount,
        ] {
            let message = Message { id: MessageId { ms: 5, node_id: "me".to_owned() }, says };
            let entry = write(&message, 9);
            assert!(entry.kind().starts_with(BEGIN) && entry.time_ms == 9);
            assert_eq!(read(&entry), Some(message));
        }
        let who = Introduction { node_id: "a".to_owned(), address: None, is_lasting: true };
        assert_eq!(Introduction::read(&who.headers()).as_ref(), Some(&who));
        assert_eq!(Introduction::read(&Json::Object(Vec::new())), None);
        let log = LogTold { begun: 1_700_000_000_000, last: 1_700_000_000_007 };
        assert_eq!((LogTold::read(&log.headers()), LogTold::read(&who.headers())), (Some(log), None));
    }

    #[test]
    fn what_is_malformed_or_too_large_is_nothing() {
        let of = |action: &str| Entry { action: Json::parse(action).unwrap(), ..write_any() };
        let many = format!("{{\"type\":\"dt/connected_nodes\",\"nodes\":[{}\"a\"]}}", "\"a\",".repeat(NAMES_MAX));
        for action in [
            many.as_str(),
            "{\"type\":\"dt/connected_nodes\",\"nodes\":[\"a b\"]}",
            "{\"type\":\"dt/connected_nodes\"}",
            "{\"type\":\"dt/distant_node\",\"node\":1}",
            "{\"type\":\"dt/defragment\"}",
            "{\"type\":\"dt/else\"}",
        ] {
            assert_eq!(read(&of(action)), None, "{}", action.get(..60).unwrap_or(action));
        }
    }

    #[test]
    fn an_address_that_is_none_is_as_good_as_not_given() {
        for address in ["1".to_owned(), "[]".to_owned(), format!("\"{}\"", "x".repeat(ADDRESS_BYTES_MAX + 1))] {
            let text = format!("{{\"type\":\"dt/distant_node\",\"node\":\"a\",\"address\":{address}}}");
            let entry = Entry { action: Json::parse(&text).unwrap(), ..write_any() };
            let says = read(&entry).unwrap().says;
            assert_eq!(says, Says::DistantNode { node_id: "a".to_owned(), address: None });
        }
    }

    fn write_any() -> Entry {
        let id = MessageId { ms: 1, node_id: "a".to_owned() };
        write(&Message { id, says: Says::DefragmentGreaterCount }, 1)
    }
}
