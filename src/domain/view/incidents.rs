//! Incidents, newest first, and one of them with its changes.

use super::{Picture, put, round6};
use crate::domain::incident::{Incident, Phase, incidents};
use crate::domain::time::rfc3339_ms;
use serde_json::{Map, Value, json};

/// Incidents on the page.
pub const INCIDENTS_MAX: usize = 200;

/// Those of a picture, newest first. Those that have not ended agree with what is shown of the mirror now; of one that is
/// not watched any more nothing can be told.
fn of(picture: &Picture) -> Vec<Incident> {
    let mut found = incidents(picture.changes.iter().rev().map(AsRef::as_ref));
    let utc_ms = |at| picture.capture.labels.utc_ms(at);
    let now_ms = utc_ms(picture.capture.now);
    for incident in found.iter_mut().filter(|i| i.phase != Phase::Ended) {
        if let Some(mirror) = picture.mirrors.iter().find(|m| m.id == incident.mirror) {
            let shown = &mirror.standing;
            incident.reconcile((utc_ms(shown.since), now_ms), shown.state, &shown.why);
        } else if incident.phase == Phase::Open {
            incident.phase = Phase::Interrupted;
            incident.bad_since_ms = None;
        }
    }
    found
}

/// The page.
#[must_use]
pub fn page(picture: &Picture) -> Value {
    let found = of(picture);
    let rows: Vec<Value> = found.iter().take(INCIDENTS_MAX).map(|i| Value::Object(row(picture, i))).collect();
    let open = |id: &str| found.iter().filter(|i| i.mirror == id && i.phase == Phase::Open).count();
    let by_mirror: Map<String, Value> = picture.mirrors.iter().map(|m| (m.id.clone(), open(&m.id).into())).collect();
    json!({
        "open": found.iter().filter(|i| i.phase == Phase::Open).count(),
        "open_by_mirror": by_mirror,
        "incidents": rows,
        "truncated": found.len() > INCIDENTS_MAX,
    })
}

/// The page of one incident; none where there is no such incident.
#[must_use]
pub fn detail(picture: &Picture, id: &str) -> Option<Value> {
    let incident = of(picture).into_iter().find(|i| i.id() == id)?;
    let mut map = row(picture, &incident);
    let turns = incident.turns.iter().map(|t| {
        let (from, to) = (t.from.name(), t.to.name());
        json!({ "event_id": t.event_id, "at": rfc3339_ms(t.at_ms), "from": from, "to": to, "why": t.why })
    });
    map.insert("changes".into(), turns.collect());
    Some(Value::Object(map))
}

fn row(picture: &Picture, i: &Incident) -> Map<String, Value> {
    let id = i.id();
    let now_ms = picture.capture.labels.utc_ms(picture.capture.now);
    let mut map = Map::new();
    map.insert("link_json".into(), format!("/api/v1/incidents/{id}").into());
    map.insert("link_html".into(), format!("/incidents/{id}").into());
    map.insert("id".into(), id.into());
    map.insert("mirror".into(), i.mirror.clone().into());
    map.insert("phase".into(), i.phase.name().into());
    map.insert("is_open".into(), (i.phase == Phase::Open).into());
    map.insert("started_at".into(), rfc3339_ms(i.started_ms).into());
    let reason = if i.phase == Phase::Interrupted { "interrupted" } else { "still_open" };
    put(&mut map, "ended_at", i.ended_ms.map(rfc3339_ms), reason);
    map.insert("state".into(), i.state.name().into());
    map.insert("worst_state".into(), i.worst.0.name().into());
    map.insert("headline".into(), headline(picture, i).into());
    // The page of an incident that goes on changes once a minute, not with each look.
    let bad_for_ms = if i.phase == Phase::Open { i.bad_for_ms(now_ms) / 60_000 * 60_000 } else { i.bad_ms };
    map.insert("bad_s".into(), round6(bad_for_ms as f64 / 1e3).into());
    let interruptions = i.interruptions.iter().map(|x| {
        json!({ "from_at": rfc3339_ms(x.from_ms), "to_at": x.to_ms.map(rfc3339_ms), "state": x.state.name(), "why": x.why })
    });
    map.insert("interruptions".into(), interruptions.collect());
    map.insert("changes_not_listed".into(), i.untold.into());
    map.insert("link_mirror".into(), format!("/mirrors/{}", i.mirror).into());
    map.insert("link_misses".into(), format!("/misses?mirror={}", i.mirror).into());
    map
}

/// One sentence: who, how, since when or how long, and what was said of the worst of it.
fn headline(picture: &Picture, i: &Incident) -> String {
    let name = picture.mirrors.iter().find(|m| m.id == i.mirror).map_or(&i.mirror, |m| &m.name);
    let (worst, why) = (i.worst.0.name(), &i.worst.1);
    let since = rfc3339_ms(i.started_ms);
    match i.phase {
        Phase::Open => format!("{name} is {} since {since}; at worst {worst}: {why}", i.state.name()),
        Phase::Interrupted => {
            format!("{name} was {} when it could last be told, since {since}; at worst {worst}: {why}", i.state.name())
        }
        Phase::Ended => format!("{name} was {worst} for {} s from {since} on: {why}", i.bad_ms / 1_000),
    }
}
