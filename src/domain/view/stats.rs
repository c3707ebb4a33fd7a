//! The page compatible with compare-plc: its field names and shape, bounded.

use super::{Picture, SourceInfo, ns_as_ms};
use crate::domain::interval::{Acc, ExtraState, Interval};
use crate::domain::lag::ms;
use crate::domain::ledger::SourceCapture;
use crate::domain::op::OpKey;
use crate::domain::verdict::Verdict;
use crate::domain::window_kind::WindowKind;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Snapshots in the page at most; the imported ones come first.
const SNAPSHOTS_MAX: usize = 288;
/// CIDs listed for one mirror of a snapshot; totals stay exact.
const CIDS_MAX: usize = 50;

/// The lists of a mirror in a snapshot: DID to CIDs.
const LISTS: [&str; 3] = ["missedCids", "extraCids", "lateCids"];

fn lag_stats(acc: &Acc) -> Value {
    let n = acc.lag.count();
    let rank = |q: f64| acc.lag.at_rank((n as f64 * q).ceil().max(1.0) as u64).map(|us| ms(us as f64));
    let (Some(min), Some(max), Some(mean)) = (acc.lag.min_us(), acc.lag.max_us(), acc.lag.mean_us()) else {
        return Value::Null;
    };
    json!({ "p50": rank(0.5), "p95": rank(0.95), "p99": rank(0.99), "mean": ms(mean), "min": ms(min as f64), "max": ms(max as f64), "n": n })
}

fn row(
    info: &SourceInfo,
    source: &SourceCapture,
    hour: &Interval,
    acc: Option<&Acc>,
    correction_us: Option<i64>,
) -> Value {
    let decided = acc.map(Acc::decided);
    let missed = acc.map(|a| a.verdict(Verdict::Missed));
    let coverage = decided.zip(missed).and_then(|(d, m)| crate::domain::coverage::ratio(d - m, d));
    json!({
        "name": info.name,
        "url": info.url,
        "isPrimary": acc.is_none(),
        "connected": info.link.state.is_up(),
        "totalEvents": source.received,
        "opsInWindow": decided.zip(missed).map_or(u64::from(hour.primary_ops), |(d, m)| d - m),
        "primaryOps": hour.primary_ops,
        "missed": missed.unwrap_or(0),
        "coverage": if acc.is_none() { Some(1.0) } else { coverage },
        "lagStats": acc.map_or(Value::Null, lag_stats),
        "rttMs": source.rtt.min_ns.map(ns_as_ms),
        "correctionMs": correction_us.map(|us| ms(us as f64)),
    })
}

/// Operations by DID, as compare-plc lists them.
fn by_did(keys: impl Iterator<Item = OpKey>) -> Value {
    let mut dids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for key in keys.take(CIDS_MAX) {
        dids.entry(key.did.to_string()).or_default().push(key.cid.to_string());
    }
    json!(dids)
}

/// The operations of one mirror that are missed or late in an interval, bounded.
fn listed(picture: &Picture, m: usize, k: u32, verdict: Verdict) -> Value {
    let c = &picture.capture;
    let listed = c.mirrors.get(m).map_or(&[][..], |x| x.listed.as_slice());
    let found = listed.iter().rev().filter_map(|&number| {
        let (chunk, place) = c.held.find(number)?;
        let (row, cell) = (chunk.rows().get(place)?, chunk.cells(m).get(place)?);
        (row.interval == k && cell.verdict() == verdict).then(|| row.key())
    });
    by_did(found)
}

fn snapshot(picture: &Picture, k: u32, interval: &Interval) -> Value {
    let mut mirrors = Map::new();
    for (m, info) in picture.mirrors.iter().enumerate() {
        let Some(acc) = interval.mirrors.get(m) else { continue };
        let (decided, missed) = (acc.decided(), acc.verdict(Verdict::Missed));
        let extras = picture
            .capture
            .extras
            .iter()
            .filter(|s| usize::from(s.mirror) == m && s.interval == k && s.state == ExtraState::Extra);
        mirrors.insert(
            info.url.clone(),
            json!({
                "coverage": crate::domain::coverage::ratio(decided - missed, decided),
                "missed": missed,
                "ops": decided - missed,
                "primaryOps": interval.primary_ops,
                "missedCids": listed(picture, m, k, Verdict::Missed),
                "extraCids": by_did(extras.map(|s| s.key)),
                "lateCids": listed(picture, m, k, Verdict::Late),
                "truncated": missed as usize > CIDS_MAX,
            }),
        );
    }
    json!({ "ts": (i64::from(k) + 1) * picture.capture.params.interval_ms, "mirrors": mirrors })
}

fn imported(picture: &Picture) -> Vec<Value> {
    let mut snapshots: Vec<(i64, Map<String, Value>)> = Vec::new();
    for row in picture.imported.iter() {
        let mut fields = row.fields.clone();
        // Its lists did not come over; a reader finds them empty.
        for list in LISTS {
            fields.entry(list).or_insert_with(|| json!({}));
        }
        let entry = (row.url.clone(), Value::Object(fields));
        match snapshots.last_mut() {
            Some((ts, mirrors)) if *ts == row.ts_ms => {
                mirrors.insert(entry.0, entry.1);
            }
            _ => snapshots.push((row.ts_ms, Map::from_iter([entry]))),
        }
    }
    snapshots.into_iter().map(|(ts, mirrors)| json!({ "ts": ts, "mirrors": mirrors })).collect()
}

/// The page.
#[must_use]
pub fn page(picture: &Picture) -> Value {
    let c = &picture.capture;
    let hour = c.window(WindowKind::H1).interval;
    let mut mirrors = Map::new();
    let primary = &picture.primary;
    mirrors.insert(primary.url.clone(), row(primary, &c.primary, &hour, None, None));
    for (m, info) in picture.mirrors.iter().enumerate() {
        let (Some(acc), Some(mirror)) = (hour.mirrors.get(m), c.mirrors.get(m)) else { continue };
        let correction = mirror.correction.map(|x| x.correction_us);
        mirrors.insert(info.url.clone(), row(info, &mirror.source, &hour, Some(acc), correction));
    }
    let current = c.current_interval();
    let from = current.saturating_sub(SNAPSHOTS_MAX as u32);
    let mut snapshots = imported(picture);
    snapshots.extend(c.intervals.between(from, current.saturating_sub(1)).map(|(k, i)| snapshot(picture, k, i)));
    let surplus = snapshots.len().saturating_sub(SNAPSHOTS_MAX);
    snapshots.drain(..surplus);
    json!({ "mirrors": mirrors, "snapshots": snapshots, "truncated": surplus > 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::compare_plc;
    use crate::domain::view::Imported;
    use crate::domain::view::tests::picture;
    use std::sync::Arc;

    /// compare-plc's own members by name and kind; a kind that ends in `?` may be `null`.
    const MIRROR: [(&str, &str); 12] = [
        ("name", "string"),
        ("url", "string"),
        ("isPrimary", "boolean"),
        ("connected", "boolean"),
        ("totalEvents", "integer"),
        ("opsInWindow", "integer"),
        ("primaryOps", "integer"),
        ("missed", "integer"),
        ("coverage", "number?"),
        ("lagStats", "object?"),
        ("rttMs", "number?"),
        ("correctionMs", "number?"),
    ];
    const LAG: [(&str, &str); 7] = [
        ("p50", "number"),
        ("p95", "number"),
        ("p99", "number"),
        ("mean", "number"),
        ("min", "number"),
        ("max", "number"),
        ("n", "integer"),
    ];
    const SNAPSHOT: [(&str, &str); 8] = [
        ("coverage", "number?"),
        ("missed", "integer"),
        ("ops", "integer"),
        ("primaryOps", "integer"),
        ("missedCids", "object"),
        ("extraCids", "object"),
        ("lateCids", "object"),
        // Ours: the lists are cut, the counts are not.
        ("truncated", "boolean"),
    ];

    fn is_kind(value: &Value, kind: &str) -> bool {
        let (kind, may_be_null) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
        let is = match kind {
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_u64(),
            "number" => value.is_number(),
            _ => value.is_object(),
        };
        is || (may_be_null && value.is_null())
    }

    /// Exactly these members, each of its kind.
    fn assert_shape(value: &Value, shape: &[(&str, &str)]) {
        let mut names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected: Vec<&str> = shape.iter().map(|member| member.0).collect();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected);
        for (name, kind) in shape {
            assert!(is_kind(&value[name], kind), "{name}: {} is no {kind}", value[name]);
        }
    }

    #[test]
    fn the_page_has_the_shape_of_compare_plc_member_by_member() {
        let mut picture = picture();
        // As if the interval of the small world were over.
        picture.capture.now = picture.capture.now.plus(300 * crate::domain::time::SECOND);
        let fields = json!({ "coverage": 99.5, "missed": 2, "ops": 398, "primaryOps": 400 });
        let fields = fields.as_object().unwrap().clone();
        picture.imported =
            Arc::new(vec![Imported { ts_ms: 1_600_000_000_000, url: "wss://old.example".to_owned(), fields }]);
        let page = page(&picture);
        let names: Vec<&String> = page.as_object().unwrap().keys().collect();
        assert_eq!(names, ["mirrors", "snapshots", "truncated"]);
        let mirrors = page["mirrors"].as_object().unwrap();
        assert_eq!(mirrors.len(), 3);
        for (url, mirror) in mirrors {
            assert_shape(mirror, &MIRROR);
            assert_eq!(mirror["url"], url.as_str());
            assert_eq!(mirror["isPrimary"], url == "wss://primary.example");
        }
        let mut acc = Acc::default();
        (1..=20).for_each(|us| acc.lag.record(us * 1_000));
        assert_shape(&lag_stats(&acc), &LAG);
        assert_eq!(lag_stats(&Acc::default()), Value::Null);
        let snapshots = page["snapshots"].as_array().unwrap();
        assert_eq!(snapshots.len(), 2);
        for snapshot in snapshots {
            assert!(snapshot["ts"].is_u64() && snapshot.as_object().unwrap().len() == 2);
            // What reads the files of compare-plc reads what is ours, with every list.
            let read = compare_plc::parse_snapshot(0, snapshot.to_string().as_bytes()).unwrap();
            assert_eq!(read.ts_ms, snapshot["ts"].as_i64().unwrap());
            for figures in &read.mirrors {
                let told = &snapshot["mirrors"][&figures.url];
                assert_eq!(json!([figures.missed, figures.ops]), json!([told["missed"], told["ops"]]));
            }
        }
        let own = snapshots[1]["mirrors"].as_object().unwrap();
        own.values().for_each(|mirror| assert_shape(mirror, &SNAPSHOT));
        let read = compare_plc::parse_snapshot(0, snapshots[1].to_string().as_bytes()).unwrap();
        let of = |url: &str| read.mirrors.iter().find(|m| m.url == url).unwrap();
        assert_eq!((of("wss://a.example").missed, of("wss://a.example").missed_cids.count), (3, 3));
        assert_eq!(of("wss://b.example").extra_cids.count, 1);
        assert_eq!(snapshots[0]["mirrors"]["wss://old.example"]["missedCids"], json!({}));
    }
}
