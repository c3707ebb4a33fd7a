//! Whether a mirror can take the primary's place for who reads operations: every criterion, what is held against it, and where
//! the figures stand.
//!
//! What cannot be told fails no criterion: it leaves it open.

use super::{Picture, overview, slo};
use crate::domain::digits::in_groups;
use crate::domain::interval::Acc;
use crate::domain::ledger::capture::WindowFigures;
use crate::domain::ledger::content::Content;
use crate::domain::mirror_state::{DIVERGED_NS, LAGGING_NS, State};
use crate::domain::sample::Samples;
use crate::domain::slo::{Slo, WINDOW};
use crate::domain::source::SourceIx;
use crate::domain::time::SECOND;
use crate::domain::verdict::Verdict;
use crate::domain::window_kind::WindowKind;
use serde_json::{Value, json};

/// Operations of a day by which a mirror must be judged.
pub(super) const DECIDED_MIN: u64 = 1_000;
/// Operations in a hundred of a day that must have been decided, and not be unknown.
pub(super) const OBSERVED_MIN_PERCENT: u64 = 90;

/// How one criterion stands, and why, in one sentence.
type Told = (Option<bool>, String);

/// The word of a criterion.
const fn status(holds: Option<bool>) -> &'static str {
    match holds {
        Some(true) => "pass",
        Some(false) => "fail",
        None => "unknown",
    }
}

fn count(n: u64) -> String {
    in_groups(n, " ")
}

fn state(state: State, why: &str) -> Told {
    let holds = if state == State::Ok { Some(true) } else { state.is_bad().then_some(false) };
    (holds, if why.is_empty() { format!("it is {}", state.name()) } else { format!("it is {}: {why}", state.name()) })
}

fn judged(day: &Acc) -> Told {
    let (decided, least) = (day.decided(), count(DECIDED_MIN));
    let holds = (decided >= DECIDED_MIN).then_some(true);
    (holds, format!("{} operations were decided in 24 h; {least} are needed", count(decided)))
}

fn observed(day: &Acc) -> Told {
    let (decided, unknown) = (day.decided(), day.verdict(Verdict::Unknown));
    let all = decided + unknown;
    let holds = (all > 0 && decided * 100 >= all * OBSERVED_MIN_PERCENT).then_some(true);
    (
        holds,
        format!(
            "{} of {} operations could be judged in 24 h; {OBSERVED_MIN_PERCENT} % are needed",
            count(decided),
            count(all)
        ),
    )
}

fn budget(slo: Slo, windows: &[(WindowKind, WindowFigures)], m: usize) -> Told {
    let spent = slo::spent(slo, windows, m);
    let faults = match slo {
        Slo::Coverage => "missed",
        Slo::OnTime => "late or missed",
    };
    let one_in = count(u64::from(slo.one_in()));
    let why = format!(
        "{} of {} operations {faults} in {} d; one in {one_in} may be",
        count(spent.faults),
        count(spent.ops),
        WINDOW.seconds() / 86_400
    );
    (slo.left_ratio(spent).map(|left| left >= 0.0), why)
}

/// An operation that a mirror lacks is one that it owes only where its state says so: it may be disputed, or lie in a gap of
/// ours or of the primary's.
fn freshness(head_age_ns: Option<i64>, state: State) -> Told {
    let most_s = LAGGING_NS / SECOND;
    let age_ns = match head_age_ns {
        None => return (None, "how far it is behind cannot be told while its link is down".to_owned()),
        Some(0) => return (Some(true), "it lacks nothing newer than what it has".to_owned()),
        Some(age_ns) => age_ns,
    };
    let why = format!("the first operation that it lacks is {} s old; {most_s} s are allowed", age_ns / SECOND);
    let is_behind = matches!(state, State::Lagging | State::Stalled).then_some(false);
    (if age_ns <= LAGGING_NS { Some(true) } else { is_behind }, why)
}

fn content(picture: &Picture, m: usize) -> Told {
    let c = &picture.capture;
    if c.mirrors.get(m).is_none_or(|mirror| mirror.source.first.is_none()) {
        return (None, "nothing of it was seen yet".to_owned());
    }
    let sent = c.content(SourceIx::mirror(m)).into_iter().flat_map(Content::latest);
    let found = sent
        .filter(|n| n.finding.is_false_content() && c.now.since(n.at) < DIVERGED_NS)
        .filter(|n| !c.primary.content.has(n.finding, &n.key))
        .count();
    (Some(found == 0), format!("{found} findings of false content or numbers in 24 h; none is allowed"))
}

fn logs(picture: &Picture, m: usize) -> Told {
    let none = Samples::default();
    let (samples, now) = (picture.samples.get(m).unwrap_or(&none), picture.capture.now);
    let compared: u64 = samples.figures(now).judged.iter().sum();
    let found =
        samples.differences().filter(|d| d.agreement.is_contradiction() && now.since(d.at) < DIVERGED_NS).count();
    let why =
        format!("{found} of {} whole logs contradict the primary's or themselves in 24 h; none may", count(compared));
    (if found > 0 { Some(false) } else { (compared > 0).then_some(true) }, why)
}

/// The page of mirror `m`; none where there is no such mirror.
#[must_use]
pub fn page(picture: &Picture, m: usize, windows: &[(WindowKind, WindowFigures)]) -> Option<Value> {
    let (info, capture) = (picture.mirrors.get(m)?, picture.capture.mirrors.get(m)?);
    let day = windows.iter().find(|(w, _)| *w == WindowKind::H24)?.1.interval.mirrors.get(m)?;
    let own = format!("/api/v1/mirrors/{}", info.id);
    let head_age_ns = overview::head_age_ns(picture, capture);
    let criteria = [
        ("state", own.clone(), state(info.standing.state, &info.standing.why)),
        ("judged", "/api/v1/analytics/coverage?window=24h".to_owned(), judged(day)),
        ("observed", "/api/v1/analytics/coverage?window=24h".to_owned(), observed(day)),
        ("coverage", "/api/v1/slo".to_owned(), budget(Slo::Coverage, windows, m)),
        ("on_time", "/api/v1/slo".to_owned(), budget(Slo::OnTime, windows, m)),
        ("freshness", format!("{own}/freshness"), freshness(head_age_ns, info.standing.state)),
        ("content", format!("{own}/divergence"), content(picture, m)),
        ("logs", own, logs(picture, m)),
    ];
    let named = |holds: Option<bool>| {
        let names = criteria.iter().filter(move |c| c.2.0 == holds).map(|c| c.0);
        names.collect::<Vec<_>>().join(", ")
    };
    let (failing, open) = (named(Some(false)), named(None));
    let (readiness, headline) = match () {
        () if !failing.is_empty() => ("not_ready", format!("not ready: {failing}")),
        () if !open.is_empty() => ("unknown", format!("cannot be told yet: {open}")),
        () => ("ready", format!("ready: all {} criteria hold", criteria.len())),
    };
    let told = criteria
        .iter()
        .map(|(id, link, (holds, why))| json!({ "id": id, "status": status(*holds), "why": why, "link_json": link }));
    Some(json!({
        "id": info.id,
        "name": info.name,
        "readiness": readiness,
        "headline": headline,
        "criteria": told.collect::<Vec<_>>(),
    }))
}
