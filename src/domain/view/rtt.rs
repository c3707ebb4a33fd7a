//! The `rtt` shape: two measures of the network's distance under their own names.

use super::{Picture, SourceInfo, ns_as_ms, put};
use crate::domain::ledger::SourceCapture;
use serde_json::{Map, Value, json};

/// The round trips of one source.
#[must_use]
pub fn rtt(picture: &Picture, source: &SourceCapture) -> Value {
    let mut map = Map::new();
    put(&mut map, "tcp_ms", source.rtt.min_ns.map(ns_as_ms), "no_data");
    put(&mut map, "tcp_info_ms", source.tcp_info_rtt.min_ns.map(ns_as_ms), "no_data");
    map.insert("samples".into(), source.rtt.samples.into());
    put(&mut map, "peer", source.rtt.peer.map(|p| p.to_string()), "no_data");
    put(&mut map, "measured_at", source.rtt.measured_at.map(|at| picture.at(at)), "no_data");
    Value::Object(map)
}

/// The page of all round trips.
#[must_use]
pub fn page(picture: &Picture) -> Value {
    let row = |info: &SourceInfo, source: &SourceCapture| json!({ "id": info.id, "rtt": rtt(picture, source) });
    let mirrors: Vec<Value> =
        picture.mirrors.iter().zip(&picture.capture.mirrors).map(|(i, m)| row(i, &m.source)).collect();
    json!({ "primary": row(&picture.primary, &picture.capture.primary), "mirrors": mirrors })
}
