//! What only ever grows since the start, for programs that make rates of it: one entry for each source.

use super::{Picture, SourceInfo, round6};
use crate::domain::ledger::MirrorCapture;
use crate::domain::tally::{BOUNDS_US, Buckets, Tally};
use crate::domain::time::Tau;
use serde_json::{Map, Value, json};

/// The sources' entries, the primary first, and the observer's own.
#[must_use]
pub fn tallies(picture: &Picture) -> Value {
    let mut sources = vec![source(picture, &picture.primary, None)];
    let mirrors = picture.mirrors.iter().zip(&picture.capture.mirrors);
    sources.extend(mirrors.map(|(info, m)| source(picture, info, Some(m))));
    let impaired: Map<String, Value> =
        picture.impaired_ns.iter().map(|(flag, ns)| ((*flag).to_owned(), round6(*ns as f64 / 1e9).into())).collect();
    json!({
        "sources": sources,
        "impaired_s": impaired,
        "clock_offset_s": picture.clock_offset_ms as f64 / 1e3,
    })
}

fn source(picture: &Picture, info: &SourceInfo, mirror: Option<&MirrorCapture>) -> Value {
    let up = info.sessions.last().filter(|s| s.span.to == Tau::MAX).map(|s| picture.at(s.span.from));
    let received = mirror.map_or(&picture.capture.primary, |m| &m.source);
    let mut entry = Map::new();
    entry.insert("id".into(), info.id.clone().into());
    entry.insert("live_ops".into(), received.received.saturating_sub(received.filled).into());
    entry.insert("filled_ops".into(), received.filled.into());
    entry.insert("up_since_at".into(), up.into());
    entry.insert("reconnects_by_reason".into(), json!(info.reconnects));
    if let Some(m) = mirror {
        judged(&mut entry, &m.tally);
        entry.insert("samples_by_result".into(), json!(info.sampled));
        entry.insert("findings_let_go".into(), m.findings_let_go.into());
    }
    Value::Object(entry)
}

fn judged(entry: &mut Map<String, Value>, tally: &Tally) {
    let outcomes = tally.outcomes().filter(|o| o.2 > 0);
    let outcomes = outcomes.map(|(verdict, kind, n)| json!([verdict.name(), kind.name(), n])).collect::<Vec<_>>();
    let revisions = tally.revisions().filter(|r| r.2 > 0);
    let revisions = revisions.map(|(from, to, n)| json!([from.name(), to.name(), n])).collect::<Vec<_>>();
    let confirmations: Map<String, Value> =
        tally.confirmations().filter(|c| c.1 > 0).map(|(f, n)| (f.name().to_owned(), n.into())).collect();
    entry.insert("outcomes".into(), outcomes.into());
    entry.insert("revisions".into(), revisions.into());
    entry.insert("confirmations".into(), Value::Object(confirmations));
    entry.insert("lag".into(), buckets(&tally.lag));
    entry.insert("lead".into(), buckets(&tally.lead));
}

fn buckets(b: &Buckets) -> Value {
    let bounds_s: Vec<f64> = BOUNDS_US.iter().map(|us| *us as f64 / 1e6).collect();
    json!({ "le_s": bounds_s, "counts": b.counts(), "sum_s": round6(b.sum_us() as f64 / 1e6) })
}
