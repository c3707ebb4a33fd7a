//! The evidence for what is said about one operation, in one piece that the operator of a host can check: when it arrived
//! from every host, how each link stood around that, what disturbed us, and what hosts were asked and answered.

use super::event::Event;
use super::{Picture, op};
use crate::domain::op::OpKey;
use crate::domain::source::SourceIx;
use crate::domain::time::{SECOND, Span, Tau};
use serde_json::{Value, json};
use std::sync::Arc;

/// The form of the bundle; changes only with it.
pub const FORMAT: &str = "mirrorwatch-evidence-1";
/// Before the first arrival and behind the last deadline links are shown for so long.
const AROUND_NS: i64 = 600 * SECOND;

/// How to check the bundle, in words.
const HOW_TO_CHECK: [&str; 3] = [
    "The CID is that of the operation's DAG-CBOR (SHA-256, CIDv1): ask any host for /{did}/log/audit and compute it anew.",
    "Each probe names its URL, the instant of the answer by our clock, the status and the SHA-256 of the body as received: \
     `curl -s URL | sha256sum` gives the same while the answer is the same.",
    "A miss holds only while the mirror's link was proved from the look-back before the primary's arrival through the deadline: \
     sessions, gaps and holes of the link stand under each host.",
];

/// The bundle; none where nobody has the operation.
#[must_use]
pub fn page(picture: &Picture, key: OpKey) -> Option<Value> {
    let found = op::find(picture, key)?;
    let operation = op::page(picture, key)?;
    let (first, last) = (found.first()?, found.last()?);
    let c = &picture.capture;
    let grace_ns = c.mirrors.iter().map(|m| m.params.grace_ns).max().unwrap_or(0);
    let around = Span { from: first.plus(-AROUND_NS), to: last.plus(grace_ns).plus(AROUND_NS) };
    let links: Vec<Value> = picture.sources().filter_map(|s| link(picture, s, around)).collect();
    let late: Vec<Span> =
        c.late.iter().chain(c.late_since.map(|from| Span { from, to: Tau::MAX }).as_ref()).copied().collect();
    Some(json!({
        "format": FORMAT,
        "operation": operation,
        "observer": {
            "observing_since_at": picture.at(picture.started),
            "taken_at": picture.at(c.now),
            "late_reader": spans(picture, &late, around),
            "is_primary_delayed": c.is_primary_delayed,
        },
        "around": { "from_at": picture.at(around.from), "to_at": picture.at(around.to) },
        "look_back_s": c.params.look_back_ns as f64 / 1e9,
        "links": links,
        "probes": probes(picture, key),
        "how_to_check": HOW_TO_CHECK,
    }))
}

/// How a host's link stood around the operation.
fn link(picture: &Picture, source: SourceIx, around: Span) -> Option<Value> {
    let (info, s) = picture.source(source)?;
    let params = source.mirror_index().and_then(|m| picture.capture.mirrors.get(m)).map(|m| m.params);
    let is_about = |e: &&Arc<Event>| {
        let at = picture.capture.labels.tau(e.at_ms);
        e.source.as_deref() == Some(&info.id) && around.from <= at && at < around.to
    };
    let sessions: Vec<Span> = info.sessions.iter().map(|s| s.span).collect();
    let events: Vec<Value> = picture
        .events
        .iter()
        .filter(is_about)
        .map(|e| json!({ "at": crate::domain::time::rfc3339_ms(e.at_ms), "kind": e.kind, "text": e.text }))
        .collect();
    Some(json!({
        "id": info.id,
        "url": info.url,
        "transport": info.transport,
        "on_time_s": params.map(|p| p.on_time_ns as f64 / 1e9),
        "grace_s": params.map(|p| p.grace_ns as f64 / 1e9),
        "observed_since_at": s.first.map(|at| picture.at(at)),
        "proved_until_at": picture.at(s.proved),
        "is_open": s.is_open,
        "sessions": spans(picture, &sessions, around),
        "gaps": spans(picture, &s.gaps, around),
        "holes": spans(picture, &s.holes, around),
        "events": events,
    }))
}

/// Those of the spans that reach into `around`; one that goes on has no end.
fn spans(picture: &Picture, spans: &[Span], around: Span) -> Vec<Value> {
    let within = spans.iter().filter(|s| s.from < around.to && s.to > around.from);
    within.map(|s| json!({ "from_at": picture.at(s.from), "to_at": picture.end_at(s.to) })).collect()
}

/// What hosts were asked about the operation, and about its DID.
fn probes(picture: &Picture, key: OpKey) -> Vec<Value> {
    let Some(evidence) = picture.evidence.of_did(key.did) else { return Vec::new() };
    let id = |s: SourceIx| picture.source(s).map(|(info, _)| info.id.clone());
    let checks = evidence.checks().iter().filter(|c| c.key == key).flat_map(|c| {
        let about = json!({ "mirror": id(c.source), "finding": c.finding, "is_final": c.is_final, "looks": c.looks });
        c.probes.iter().map(move |p| json!({ "about": about, "probe": op::probe(p) }))
    });
    let survey = evidence.survey().into_iter().flat_map(|s| &s.hosts).filter_map(|h| {
        let about = json!({ "log_of": id(h.source), "standing": h.standing.name(), "agreement": h.agreement });
        h.probe.as_ref().map(|p| json!({ "about": about, "probe": op::probe(p) }))
    });
    checks.chain(survey).collect()
}
