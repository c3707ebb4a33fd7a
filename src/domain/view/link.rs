//! The `link` shape.

use super::{Picture, SourceInfo, put, round6};
use crate::domain::ledger::SourceCapture;
use serde_json::{Map, Value, json};

/// How a source's connection stands.
#[must_use]
pub fn link(picture: &Picture, info: &SourceInfo, source: &SourceCapture) -> Value {
    let l = &info.link;
    let mut map = Map::new();
    map.insert("state".into(), json!(l.state));
    map.insert("since_at".into(), picture.at(l.since).into());
    put(&mut map, "connected_ratio", info.connected_ratio.map(round6), "no_data");
    let error = l.last_error.as_ref().map(|e| json!({ "class": e.class, "text": e.text, "at": picture.at(e.at) }));
    map.insert("last_error".into(), error.unwrap_or(Value::Null));
    let close = l.last_close.as_ref().map(|c| json!({ "code": c.code, "reason": c.reason, "at": picture.at(c.at) }));
    map.insert("last_close".into(), close.unwrap_or(Value::Null));
    map.insert("reconnects".into(), l.reconnects.into());
    put(&mut map, "cursor", info.cursor, "no_data");
    put(&mut map, "last_op_at", source.last_op_at.map(|at| picture.at(at)), "no_data");
    Value::Object(map)
}
