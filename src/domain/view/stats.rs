//! The page compatible with compare-plc: its field names and shape, bounded.

use super::{Picture, SourceInfo, ns_as_ms};
use crate::domain::interval::{Acc, ExtraState, Interval};
use crate::domain::lag::ms;
use crate::domain::ledger::SourceCapture;
use crate::domain::verdict::Verdict;
use crate::domain::window_kind::WindowKind;
use serde_json::{Map, Value, json};

/// Snapshots in the page at most; the imported ones come first.
const SNAPSHOTS_MAX: usize = 288;
/// CIDs listed for one mirror of a snapshot; totals stay exact.
const CIDS_MAX: usize = 50;

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

/// The CIDs of one mirror that are missed or late in an interval, bounded.
fn cids(picture: &Picture, m: usize, k: u32, verdict: Verdict) -> Vec<String> {
    let c = &picture.capture;
    let listed = c.mirrors.get(m).map_or(&[][..], |x| x.listed.as_slice());
    let found = listed.iter().rev().filter_map(|&number| {
        let (chunk, place) = c.held.find(number)?;
        let (row, cell) = (chunk.rows().get(place)?, chunk.cells(m).get(place)?);
        (row.interval == k && cell.verdict() == verdict).then(|| row.cid.to_string())
    });
    found.take(CIDS_MAX).collect()
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
        let extra_cids: Vec<String> = extras.take(CIDS_MAX).map(|s| s.key.cid.to_string()).collect();
        mirrors.insert(
            info.url.clone(),
            json!({
                "coverage": crate::domain::coverage::ratio(decided - missed, decided),
                "missed": missed,
                "ops": decided - missed,
                "primaryOps": interval.primary_ops,
                "missedCids": cids(picture, m, k, Verdict::Missed),
                "extraCids": extra_cids,
                "lateCids": cids(picture, m, k, Verdict::Late),
                "truncated": missed as usize > CIDS_MAX,
            }),
        );
    }
    json!({ "ts": (i64::from(k) + 1) * picture.capture.params.interval_ms, "mirrors": mirrors })
}

fn imported(picture: &Picture) -> Vec<Value> {
    let mut snapshots: Vec<(i64, Map<String, Value>)> = Vec::new();
    for row in picture.imported.iter() {
        let entry = (row.url.clone(), Value::Object(row.fields.clone()));
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
