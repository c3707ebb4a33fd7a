//! History: one entry an interval, in columns.

use super::{Picture, round6};
use crate::domain::coverage::ratio;
use crate::domain::interval::{Acc, ExtraState, Interval};
use crate::domain::ledger::Capture;
use crate::domain::past::{Keeping, Past, Stretch, TimeRange, ceil, floor};
use crate::domain::resolution::Resolution;
use crate::domain::verdict::Verdict;
use crate::domain::window_kind::WindowKind;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Entries of a series at most; longer windows have longer steps.
const ENTRIES_MAX: i64 = 720;
/// Entries of any other range at most, but for days: those of all mirrors may have to be read.
const RANGE_ENTRIES_MAX: i64 = 300;
/// Entries of the windows up to six hours: the matrix of the overview.
const CELLS: i64 = 72;

/// The step of a window in milliseconds: the interval, or as many whole intervals as keep the series short.
fn step_ms(window: WindowKind, interval_ms: i64) -> i64 {
    let entries = if window.seconds() <= WindowKind::H6.seconds() { CELLS } else { ENTRIES_MAX };
    if window.seconds() * 1_000 / interval_ms <= entries {
        return interval_ms;
    }
    match window {
        WindowKind::H24 if interval_ms <= 300_000 => 300_000,
        WindowKind::D7 | WindowKind::D30 => 3_600_000,
        // Trial runs have intervals of seconds: the newest 72 of them are shown, not six hours of nothing.
        _ => interval_ms,
    }
}

/// An entry's first millisecond and what happened in it.
type Entry = (i64, Option<Arc<Interval>>);

/// The step in milliseconds, and the entries of a window.
fn entries(picture: &Picture, window: WindowKind) -> (i64, Vec<Entry>) {
    let c = &picture.capture;
    let step = step_ms(window, c.params.interval_ms);
    let now_ms = c.labels.utc_ms(c.now);
    let count = (window.seconds() * 1_000 / step).clamp(1, ENTRIES_MAX);
    let count = if window.seconds() <= WindowKind::H6.seconds() { count.min(CELLS) } else { count };
    let last = now_ms.div_euclid(step);
    let first = last - count + 1;
    let mut merged: BTreeMap<i64, Arc<Interval>> = BTreeMap::new();
    if step == 3_600_000 && c.params.interval_ms < step {
        merged.extend(
            c.rollups.hours(first.max(0) as u32, last.max(0) as u32).map(|(h, i)| (i64::from(h), Arc::clone(i))),
        );
    } else {
        let per = (step / c.params.interval_ms).max(1);
        let (from, to) = (first * per, last * per + per - 1);
        for (k, interval) in c.intervals.between(from.max(0) as u32, to.max(0) as u32) {
            merged
                .entry(i64::from(k) / per)
                .and_modify(|m| Arc::make_mut(m).merge(interval))
                .or_insert_with(|| Arc::clone(interval));
        }
    }
    (step, (first..=last).map(|n| (n * step, merged.get(&n).cloned())).collect())
}

fn column(cells: &[Option<&Acc>], value: impl Fn(&Acc) -> Value) -> Value {
    cells.iter().map(|c| c.map_or(Value::Null, &value)).collect()
}

fn mirror_columns(id: &str, cells: &[Option<&Acc>], status: &[Value]) -> Value {
    let mut map = Map::new();
    map.insert("id".into(), id.into());
    map.insert("eligible".into(), column(cells, |a| a.eligible().into()));
    map.insert("decided".into(), column(cells, |a| a.decided().into()));
    for v in [Verdict::OnTime, Verdict::Late, Verdict::Present, Verdict::Missed, Verdict::Pending, Verdict::Unknown] {
        map.insert(v.name().into(), column(cells, |a| a.verdict(v).into()));
    }
    map.insert("extra".into(), column(cells, |a| a.extra(ExtraState::Extra).into()));
    let share = |a: &Acc| ratio(super::coverage::delivered(a), a.decided()).map_or(Value::Null, |r| round6(r).into());
    map.insert("coverage_ratio".into(), column(cells, share));
    map.insert("lag_p50_ms".into(), column(cells, |a| a.lag.of_step_ms(0.5).into()));
    map.insert("lag_p95_ms".into(), column(cells, |a| a.lag.of_step_ms(0.95).into()));
    map.insert("status".into(), status.to_vec().into());
    Value::Object(map)
}

/// The entries that any range is shown in: intervals, hours or days, the shortest of which there are not too many and that are
/// kept.
#[must_use]
pub fn stretch(capture: &Capture, range: TimeRange, keeping: &Keeping) -> Stretch {
    let now_ms = capture.labels.utc_ms(capture.now);
    let entries = |resolution: Resolution| {
        let step_ms = resolution.step_ms(capture.params.interval_ms);
        let end_ms = ceil(range.to_ms, step_ms).min(floor(now_ms, step_ms) + step_ms);
        let numbers = range.from_ms.div_euclid(step_ms)..end_ms / step_ms;
        Stretch { resolution, numbers }
    };
    let serves = |stretch: &Stretch| {
        stretch.numbers.end - stretch.numbers.start <= RANGE_ENTRIES_MAX
            && keeping.is_kept(stretch.resolution, stretch.bounds_ms(capture.params.interval_ms).0)
    };
    let short = [Resolution::Interval, Resolution::Hour].map(entries).into_iter().find(serves);
    short.unwrap_or_else(|| entries(Resolution::Day))
}

/// The page of a stretch; `past` is what the store has of it.
#[must_use]
pub fn of_stretch(picture: &Picture, stretch: &Stretch, past: &Past) -> Value {
    let step_ms = stretch.resolution.step_ms(picture.capture.params.interval_ms);
    let entry = |n: i64| (n * step_ms, past.span(&picture.capture, stretch.resolution, n));
    let entries: Vec<Entry> = stretch.numbers.clone().map(entry).collect();
    shown(picture, (stretch.resolution, step_ms), &entries, &past.keeping)
}

/// The page of one window.
#[must_use]
pub fn page(picture: &Picture, window: WindowKind) -> (Value, i64, i64) {
    let (step_ms, entries) = entries(picture, window);
    let (from, to) = (entries.first().map_or(0, |e| e.0), entries.last().map_or(0, |e| e.0) + step_ms);
    let keeping = Keeping::of(&picture.capture);
    (shown(picture, (Resolution::Interval, step_ms), &entries, &keeping), from, to)
}

fn shown(picture: &Picture, (resolution, step_ms): (Resolution, i64), entries: &[Entry], keeping: &Keeping) -> Value {
    let status: Vec<Value> =
        entries.iter().map(|e| e.1.as_ref().map_or(Value::Null, |i| i.status.name().into())).collect();
    let mirrors: Vec<Value> = picture
        .mirrors
        .iter()
        .enumerate()
        .map(|(m, info)| {
            let cells: Vec<Option<&Acc>> =
                entries.iter().map(|e| e.1.as_ref().and_then(|i| i.mirrors.get(m)).map(AsRef::as_ref)).collect();
            mirror_columns(&info.id, &cells, &status)
        })
        .collect();
    let reason = |(from_ms, interval): &Entry| {
        interval.is_none().then(|| keeping.reason(resolution, (*from_ms, from_ms + step_ms)))
    };
    let is_impaired = |(from_ms, interval): &Entry| {
        interval.as_ref().is_some_and(|i| i.is_impaired) || picture.capture.is_impaired(*from_ms, from_ms + step_ms)
    };
    json!({
        "resolution_s": step_ms / 1_000,
        "t_unix_ms": entries.iter().map(|e| e.0).collect::<Vec<_>>(),
        "primary": { "ops": entries.iter().map(|e| e.1.as_ref().map(|i| i.primary_ops)).collect::<Vec<_>>() },
        "impaired": entries.iter().map(is_impaired).collect::<Vec<_>>(),
        "reason": entries.iter().map(reason).collect::<Vec<_>>(),
        "mirrors": mirrors,
    })
}
