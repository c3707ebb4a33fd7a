//! The overview: one sentence, the observer, the primary, and every mirror worst first.

use super::{Picture, SourceInfo, best, chain, content, coverage, lag, link, put, round6, rtt, sample};
use crate::domain::coverage::{ratio, wilson95};
use crate::domain::interval::{Acc, Interval};
use crate::domain::ledger::capture::FRESH_NS;
use crate::domain::ledger::{MirrorCapture, SourceCapture};
use crate::domain::mirror_state::State;
use crate::domain::throttle::ThrottleState;
use crate::domain::verdict::Verdict;
use crate::domain::window_kind::WindowKind;
use serde_json::{Map, Value, json};

/// `head_age` in nanoseconds when the mirror's window reaches now; none otherwise.
pub(super) fn head_age_ns(picture: &Picture, m: &MirrorCapture) -> Option<i64> {
    let c = &picture.capture;
    let reaches_now = m.source.is_open && c.now.since(m.source.proved) <= FRESH_NS;
    reaches_now.then(|| m.head_since.map_or(0, |since| c.now.since(since).max(0)))
}

/// How far behind the primary's newest operation a mirror is.
#[must_use]
pub fn freshness(picture: &Picture, m: &MirrorCapture) -> Value {
    let age = head_age_ns(picture, m);
    let mut map = Map::new();
    put(&mut map, "head_lag_ops", age.map(|_| m.head_lag_ops), "link_down");
    put(&mut map, "head_age_s", age.map(|ns| round6(ns as f64 / 1e9)), "link_down");
    Value::Object(map)
}

/// The primary's row.
#[must_use]
pub fn primary(picture: &Picture) -> Value {
    let (info, source) = (&picture.primary, &picture.capture.primary);
    let mut map = Map::new();
    identity(&mut map, info);
    map.insert("link".into(), link::link(picture, info, source));
    map.insert("rtt".into(), rtt::rtt(picture, source));
    put(&mut map, "rate_ops_per_s", source.rate_per_s.map(|r| (r * 1e3).round() / 1e3), "no_data");
    counters(&mut map, source);
    map.insert("completeness".into(), completeness(picture));
    map.insert("is_export_offered".into(), (!picture.capture.primary_has_no_export).into());
    Value::Object(map)
}

/// How complete the primary's own stream is, as far as mirrors made it known: of the operations that its log is known to
/// list since we count, the share that its stream sent, or `/export` filled where we had a gap.
fn completeness(picture: &Picture) -> Value {
    let (lost, received) = (picture.capture.primary_stream_gaps, picture.capture.primary.received);
    let sent = received.saturating_sub(lost);
    let bounds = wilson95(sent, received);
    let mut map = Map::new();
    put(&mut map, "stream_ratio", ratio(sent, received).map(round6), "no_data");
    put(&mut map, "low95_ratio", bounds.map(|b| round6(b.0)), "no_data");
    put(&mut map, "high95_ratio", bounds.map(|b| round6(b.1)), "no_data");
    map.insert("known_ops".into(), received.into());
    map.insert("stream_gap_ops".into(), lost.into());
    Value::Object(map)
}

fn identity(map: &mut Map<String, Value>, info: &SourceInfo) {
    map.insert("id".into(), info.id.clone().into());
    map.insert("name".into(), info.name.clone().into());
    map.insert("url".into(), info.url.clone().into());
    map.insert("transport".into(), info.transport.clone().into());
    transport(map, info);
}

/// Why operations are taken so, how finely instants are told, and which share is looked for; `null` where that means nothing.
fn transport(map: &mut Map<String, Value>, info: &SourceInfo) {
    let taken = info.taken.as_ref();
    map.insert("transport_reason".into(), taken.map_or(Value::Null, |t| t.reason.clone().into()));
    let resolution = taken.and_then(|t| t.resolution_ns);
    map.insert("resolution_ms".into(), resolution.map_or(Value::Null, |ns| (ns as f64 / 1e6).into()));
    let ratio = taken.and_then(|t| t.sampling_ratio);
    map.insert("sampling_ratio".into(), ratio.map_or(Value::Null, |ratio| round6(ratio).into()));
}

fn counters(map: &mut Map<String, Value>, source: &SourceCapture) {
    map.insert("received_ops".into(), source.received.into());
    map.insert("duplicate_ops".into(), source.duplicates.into());
    map.insert("altered_ops".into(), source.altered.into());
    map.insert("dropped_by_us_ops".into(), source.dropped.into());
    map.insert("rejected_frames".into(), source.rejected.into());
}

/// One mirror's row, with its state.
fn mirror(picture: &Picture, i: usize, w: &Windows) -> Option<(State, u64, Value)> {
    let (info, m) = (picture.mirrors.get(i)?, picture.capture.mirrors.get(i)?);
    let (six, hour) = (w.six_hours.mirrors.get(i)?, w.hour.mirrors.get(i)?);
    let state = info.standing.state;
    let mut map = Map::new();
    identity(&mut map, info);
    map.insert("link".into(), link::link(picture, info, &m.source));
    map.insert("coverage".into(), coverage::coverage(six));
    map.insert("lag".into(), lag::lag(hour));
    map.insert("rtt".into(), rtt::rtt(picture, &m.source));
    map.insert("freshness".into(), freshness(picture, m));
    counters(&mut map, &m.source);
    map.insert("dids_affected".into(), m.dids_affected.into());
    map.insert("open_misses".into(), m.open_misses.into());
    map.insert("misses".into(), misses(picture, i, m));
    map.insert("content".into(), content::counts(&m.source.content));
    map.insert("samples".into(), sample::figures(picture, i));
    map.insert("throttle".into(), throttle(picture, info.throttle));
    map.insert("is_recommended".into(), best::is_recommended(picture, i).into());
    map.insert("purposes".into(), best::purposes(picture, i));
    map.insert("state".into(), state.name().into());
    map.insert("since_at".into(), picture.at(info.standing.since).into());
    map.insert("headline".into(), mirror_headline(picture, info, m, six).into());
    Some((state, six.verdict(Verdict::Missed), Value::Object(map)))
}

/// How fast it is read, and what that came to since the start.
fn throttle(picture: &Picture, t: ThrottleState) -> Value {
    json!({
        "is_throttled": t.since.is_some(),
        "since_at": t.since.map(|at| picture.at(at)),
        "times": t.times,
        "paused_s": round6(t.paused_ns as f64 / 1e9),
        "foreign_ops": t.foreign_ops,
    })
}

/// The open misses by what is found about them; of those that are listed.
fn misses(picture: &Picture, i: usize, m: &MirrorCapture) -> Value {
    let mut value = chain::split(picture, i, m.listed.iter().copied());
    if let Some(object) = value.as_object_mut() {
        // All that are held, though not all may be listed.
        let chains = picture.capture.chains().counts(i);
        object.insert("roots".into(), chains.roots.into());
        object.insert("followers".into(), chains.followers.into());
        object.insert("open".into(), m.open_misses.into());
        object.insert("truncated".into(), m.is_list_cut.into());
    }
    value
}

fn mirror_headline(picture: &Picture, info: &SourceInfo, m: &MirrorCapture, acc: &Acc) -> String {
    let missed = acc.verdict(Verdict::Missed);
    let extra = acc.extra(crate::domain::interval::ExtraState::Extra);
    let mut text = match info.standing.state {
        State::Losing => {
            format!("{} of {} operations missed in 6 h ({} DIDs affected now)", missed, acc.decided(), m.dids_affected)
        }
        State::Disconnected if !info.link.state.is_up() => {
            format!("not connected since {}", picture.at(info.link.since))
        }
        State::Unsupported => {
            info.link.last_error.as_ref().map_or_else(|| info.standing.why.clone(), |e| e.text.clone())
        }
        State::Ok if missed > 0 => format!("{} of {} operations missed in 6 h", missed, acc.decided()),
        State::Ok => format!("complete: 0 of {} operations missed in 6 h", acc.decided()),
        _ => info.standing.why.clone(),
    };
    if extra > 0 {
        text.push_str("; ");
        text.push_str(&extra.to_string());
        text.push_str(" operations that the primary does not have");
    }
    if m.source.rejected > 0 {
        text.push_str("; ");
        text.push_str(&m.source.rejected.to_string());
        text.push_str(" frames refused");
    }
    text
}

struct Windows {
    hour: Interval,
    six_hours: Interval,
}

/// The whole page with the bounds of its coverage window.
#[must_use]
pub fn page(picture: &Picture) -> (Value, i64, i64) {
    let c = &picture.capture;
    let six = c.counts(WindowKind::H6);
    let windows = Windows { hour: c.window(WindowKind::H1).interval, six_hours: six.interval };
    let mut rows: Vec<_> = (0..picture.mirrors.len()).filter_map(|i| mirror(picture, i, &windows)).collect();
    rows.sort_by_key(|r| (r.0, std::cmp::Reverse(r.1)));
    let headline = headline(picture, &rows, &windows.six_hours);
    let data = json!({
        "headline": headline,
        "observer": observer(picture),
        "primary": primary(picture),
        "mirrors": rows.into_iter().map(|r| r.2).collect::<Vec<_>>(),
    });
    (data, six.from_ms, six.to_ms)
}

/// Whether the observer can be believed now.
#[must_use]
pub fn observer(picture: &Picture) -> Value {
    let flags = picture.observer_flags();
    let c = &picture.capture;
    let state = if c.primary.first.is_none() {
        "warming_up"
    } else if flags.is_empty() {
        "ok"
    } else {
        "impaired"
    };
    let since = c.late_since.or_else(|| flags.contains(&"primary_down").then_some(picture.primary.link.since));
    json!({
        "state": state,
        "flags": flags,
        "since_at": picture.at(since.unwrap_or(picture.started)),
        "started_at": picture.at(picture.started),
        "degraded": picture.degraded,
        "totals_restarted_at": picture.internals.pointer("/state/totals_restarted_at").cloned().unwrap_or(Value::Null),
    })
}

/// Who, beside those that lose operations, contradicts the primary or itself: the end of a sentence.
fn contradicting(rows: &[(State, u64, Value)]) -> String {
    let name = |row: &(State, u64, Value)| row.2.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut diverged = rows.iter().filter(|r| r.0 == State::Diverged).map(name);
    match (diverged.next(), diverged.count()) {
        (None, _) => String::new(),
        (Some(name), 0) => format!("; {name} contradicts the primary or itself"),
        (Some(name), more) => format!("; {name} and {more} more contradict the primary or themselves"),
    }
}

fn headline(picture: &Picture, rows: &[(State, u64, Value)], six: &Interval) -> String {
    let n = rows.len();
    if n == 0 {
        return "No mirrors are configured.".to_owned();
    }
    if picture.capture.primary.first.is_none() {
        let why = picture.primary.link.last_error.as_ref().map_or_else(String::new, |e| format!(" ({})", e.text));
        return format!("Waiting for the primary, {}{why}.", picture.primary.name);
    }
    if six.primary_ops == 0 {
        return format!("Waiting for the first operation from {}.", picture.primary.name);
    }
    let losing: Vec<&(State, u64, Value)> = rows.iter().filter(|r| r.0 == State::Losing).collect();
    if let Some((_, missed, row)) = losing.first() {
        let others = match losing.len() - 1 {
            0 => String::new(),
            1 => ", and 1 more loses operations".to_owned(),
            more => format!(", and {more} more lose operations"),
        };
        let (name, dids) = (row["name"].as_str().unwrap_or("a mirror"), &row["dids_affected"]);
        let operations = if *missed == 1 { "operation" } else { "operations" };
        return format!("{name} is missing {missed} {operations} ({dids} DIDs) in 6 h{others}{}.", contradicting(rows));
    }
    let bad = rows.iter().filter(|r| r.0.is_bad()).count();
    if let Some((_, _, row)) = rows.iter().find(|r| matches!(r.0, State::Diverged | State::Stalled)) {
        let (name, why) = (row["name"].as_str().unwrap_or("a mirror"), row["headline"].as_str().unwrap_or_default());
        let others = if bad > 1 { format!(", and {} more are not well", bad - 1) } else { String::new() };
        return format!("{name} {}: {why}{others}.", row["state"].as_str().unwrap_or_default());
    }
    let decided = six.mirrors.iter().map(|m| m.decided()).max().unwrap_or(0);
    if decided == 0 {
        return format!("{} operations seen, the first verdicts follow.", six.primary_ops);
    }
    let missed: u64 = rows.iter().map(|r| r.1).sum();
    let judged: u64 = six.mirrors.iter().map(|m| m.decided()).sum();
    let ok = rows.iter().filter(|r| r.0 == State::Ok).count();
    if bad == 0 && missed == 0 && ok == n {
        return format!("All {n} mirrors complete. 0 of {decided} operations missed in 6 h.");
    }
    format!("{ok} of {n} mirrors well. {missed} of {judged} judgements missed in 6 h.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_contradicts_is_named_beside_those_that_lose() {
        let row = |name: &str, state: State| (state, 0, json!({ "name": name }));
        let of = |rows: &[(State, u64, Value)]| contradicting(rows);
        let mut rows = vec![row("a", State::Losing), row("b", State::Ok)];
        assert_eq!(of(&rows), "");
        rows.push(row("c", State::Diverged));
        assert_eq!(of(&rows), "; c contradicts the primary or itself");
        rows.push(row("d", State::Diverged));
        assert_eq!(of(&rows), "; c and 1 more contradict the primary or themselves");
    }
}
