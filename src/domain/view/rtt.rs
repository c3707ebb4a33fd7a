//! The `rtt` shape: two measures of the network's distance under their own names.

use super::{Picture, SourceInfo, ns_as_ms, put};
use crate::domain::lag::ms;
use crate::domain::ledger::SourceCapture;
use crate::domain::trail::{KEPT_MS, RoundTrips, STEP_MS};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

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

/// The page of mirror `m`: its round trips, the primary's and what follows from both, now and in the last hours; none where
/// there is no such mirror.
#[must_use]
pub fn mirror(picture: &Picture, m: usize) -> Option<Value> {
    let (info, capture) = (picture.mirrors.get(m)?, picture.capture.mirrors.get(m)?);
    let (primary, correction) = (&picture.capture.primary, capture.correction);
    let mut map = Map::new();
    map.insert("id".into(), info.id.clone().into());
    map.insert("rtt".into(), rtt(picture, &capture.source));
    map.insert("primary_rtt".into(), rtt(picture, primary));
    put(&mut map, "correction_ms", correction.map(|c| ms(c.correction_us as f64)), "no_data");
    put(&mut map, "uncertainty_ms", correction.map(|c| ms(c.uncertainty_us as f64)), "no_data");
    map.insert("series".into(), series(&capture.source, primary));
    Some(Value::Object(map))
}

fn series(source: &SourceCapture, primary: &SourceCapture) -> Value {
    let steps = || source.trail.steps();
    let of_primary: BTreeMap<i64, RoundTrips> =
        primary.trail.steps().filter_map(|s| s.tcp.map(|tcp| (s.at_ms, tcp))).collect();
    let least = |trips: Option<RoundTrips>| trips.map(|t| ns_as_ms(t.min_ns));
    let most = |trips: Option<RoundTrips>| trips.map(|t| ns_as_ms(t.max_ns));
    json!({
        "resolution_s": STEP_MS / 1_000,
        "kept_s": KEPT_MS / 1_000,
        "t_unix_ms": steps().map(|s| s.at_ms).collect::<Vec<_>>(),
        "tcp_min_ms": steps().map(|s| least(s.tcp)).collect::<Vec<_>>(),
        "tcp_max_ms": steps().map(|s| most(s.tcp)).collect::<Vec<_>>(),
        "tcp_samples": steps().map(|s| s.tcp.map_or(0, |t| t.samples)).collect::<Vec<_>>(),
        "tcp_info_min_ms": steps().map(|s| least(s.tcp_info)).collect::<Vec<_>>(),
        "tcp_info_max_ms": steps().map(|s| most(s.tcp_info)).collect::<Vec<_>>(),
        "primary_tcp_min_ms": steps().map(|s| least(of_primary.get(&s.at_ms).copied())).collect::<Vec<_>>(),
    })
}
