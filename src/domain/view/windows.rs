//! What happened at one mirror in each of many windows, in columns: intervals, hours or days of any range that is kept.

use super::coverage::delivered;
use super::{Picture, round6};
use crate::domain::coverage::ratio;
use crate::domain::interval::{Acc, ExtraState, Interval, Status};
use crate::domain::lag::ms;
use crate::domain::ledger::Capture;
use crate::domain::past::{Past, Stretch, ceil, floor};
use crate::domain::resolution::Resolution;
use crate::domain::verdict::Verdict;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Windows of one answer at most.
pub const WINDOWS_MAX: i64 = 1_000;

/// Which windows are asked for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct WindowsQuery {
    /// Their length.
    pub resolution: Resolution,
    /// An instant of the first, UTC milliseconds; as many as are usual where none is given.
    pub from_ms: Option<i64>,
    /// The end of the last, UTC milliseconds; the open one where none is given.
    pub to_ms: Option<i64>,
}

/// More windows were asked for than one answer has.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct TooMany {
    /// How many.
    pub asked: i64,
}

impl WindowsQuery {
    /// The range in whole windows: the first millisecond and the one behind the last.
    fn range(&self, step_ms: i64, now_ms: i64) -> Result<(i64, i64), TooMany> {
        let open_end = (now_ms.div_euclid(step_ms) + 1) * step_ms;
        let to_ms = self.to_ms.map_or(open_end, |to| ceil(to, step_ms)).min(open_end);
        let usual = to_ms - self.resolution.steps() * step_ms;
        let from_ms = self.from_ms.map_or(usual, |from| floor(from, step_ms)).min(to_ms);
        let asked = (to_ms - from_ms) / step_ms;
        if asked > WINDOWS_MAX { Err(TooMany { asked }) } else { Ok((from_ms, to_ms)) }
    }

    /// The windows.
    ///
    /// # Errors
    /// [`TooMany`], where they are more than [`WINDOWS_MAX`].
    pub fn stretch(&self, capture: &Capture) -> Result<Stretch, TooMany> {
        let step_ms = self.resolution.step_ms(capture.params.interval_ms);
        let (from_ms, to_ms) = self.range(step_ms, capture.labels.utc_ms(capture.now))?;
        Ok(Stretch { resolution: self.resolution, numbers: from_ms / step_ms..to_ms / step_ms })
    }
}

/// The word of how settled a window is.
const fn status(status: Status) -> &'static str {
    match status {
        Status::Open | Status::Settling => "provisional",
        Status::Final => "final",
        Status::Revised => "revised",
    }
}

/// The rows, to be turned into columns.
struct Rows<'a> {
    windows: &'a [Option<Arc<Interval>>],
    /// Why nothing is known of a window, of each.
    absent: &'a [&'static str],
    mirror: usize,
    map: Map<String, Value>,
}

impl Rows<'_> {
    fn of_window(&mut self, name: &str, value: impl Fn(&Interval) -> Value) {
        let column = self.windows.iter().map(|w| w.as_ref().map_or(Value::Null, |w| value(w))).collect();
        self.map.insert(name.to_owned(), column);
    }

    /// A column of what the mirror did; null where nothing is kept.
    fn of_mirror(&mut self, name: &str, value: impl Fn(&Acc) -> Value) {
        let mirror = self.mirror;
        self.of_window(name, |w| w.mirrors.get(mirror).map_or(Value::Null, |acc| value(acc)));
    }

    /// A column of reasons: of what is kept, and of what is not.
    fn reasons(&mut self, name: &str, value: impl Fn(&Acc) -> Option<&'static str>) {
        let mirror = self.mirror;
        let reason = |(w, absent): (&Option<Arc<Interval>>, &&'static str)| {
            w.as_ref().and_then(|w| w.mirrors.get(mirror)).map_or(Some(*absent), |acc| value(acc))
        };
        self.map.insert(name.to_owned(), self.windows.iter().zip(self.absent).map(reason).collect());
    }
}

fn counts(rows: &mut Rows<'_>) {
    rows.of_mirror("eligible", |a| a.eligible().into());
    rows.of_mirror("decided", |a| a.decided().into());
    for verdict in Verdict::ALL {
        rows.of_mirror(verdict.name(), |a| a.verdict(verdict).into());
    }
    for (name, state) in
        [("extra", ExtraState::Extra), ("extra_pending", ExtraState::Pending), ("extra_unknown", ExtraState::Unknown)]
    {
        rows.of_mirror(name, |a| a.extra(state).into());
    }
    rows.of_mirror("healed", |a| {
        let [_, healed, _] = a.flags();
        healed.into()
    });
}

fn ratios(rows: &mut Rows<'_>) {
    let share = |k: u64, n: u64| Value::from(ratio(k, n).map(round6));
    rows.of_mirror("coverage_ratio", |a| share(delivered(a), a.decided()));
    rows.of_mirror("timely_ratio", |a| {
        let on_time = a.verdict(Verdict::OnTime);
        share(on_time, on_time + a.verdict(Verdict::Late) + a.verdict(Verdict::Missed))
    });
    rows.of_mirror("observed_ratio", |a| share(a.decided(), a.decided() + a.verdict(Verdict::Unknown)));
    rows.reasons("ratio_reason", |a| (a.decided() == 0).then_some("no_decided_ops"));
}

fn lags(rows: &mut Rows<'_>) {
    let quantiles = [("lag_p5_ms", 0.05), ("lag_p50_ms", 0.5), ("lag_p95_ms", 0.95), ("lag_p99_ms", 0.99)];
    rows.of_mirror("lag_n", |a| a.lag.count().into());
    for (name, q) in quantiles {
        rows.of_mirror(name, |a| a.lag.of_step_ms(q).into());
    }
    rows.of_mirror("lag_min_ms", |a| a.lag.min_us().map(|us| ms(us as f64)).into());
    rows.of_mirror("lag_max_ms", |a| a.lag.max_us().map(|us| ms(us as f64)).into());
    rows.of_mirror("lag_uncertainty_ms", |a| a.correction_us().map(|c| ms(c.1)).into());
    rows.reasons("lag_reason", |a| match a.lag.count() {
        0 => Some("no_data"),
        _ => quantiles.iter().any(|q| a.lag.of_step_ms(q.1).is_none()).then_some("low_n"),
    });
}

/// The page of one mirror; `past` is what the store has of the stretch.
#[must_use]
pub fn page(picture: &Picture, mirror: usize, stretch: &Stretch, past: &Past) -> Value {
    let c = &picture.capture;
    let resolution = stretch.resolution;
    let step_ms = resolution.step_ms(c.params.interval_ms);
    let numbers = || stretch.numbers.clone();
    let windows: Vec<_> = numbers().map(|n| past.span(c, resolution, n)).collect();
    let absent: Vec<_> = numbers().map(|n| past.keeping.reason(resolution, (n * step_ms, (n + 1) * step_ms))).collect();
    let mut rows = Rows { windows: &windows, absent: &absent, mirror, map: Map::new() };
    rows.map.insert("id".into(), picture.mirrors.get(mirror).map_or(Value::Null, |info| info.id.clone().into()));
    rows.map.insert("resolution".into(), resolution.name().into());
    rows.map.insert("resolution_s".into(), (step_ms / 1_000).into());
    rows.map.insert("t_unix_ms".into(), numbers().map(|n| n * step_ms).collect());
    rows.of_window("status", |w| status(w.status).into());
    let is_impaired = |(n, w): (i64, &Option<Arc<Interval>>)| {
        w.as_ref().is_some_and(|w| w.is_impaired) || c.is_impaired(n * step_ms, (n + 1) * step_ms)
    };
    rows.map.insert("is_impaired".into(), numbers().zip(&windows).map(is_impaired).collect());
    rows.of_window("primary_ops", |w| w.primary_ops.into());
    counts(&mut rows);
    ratios(&mut rows);
    lags(&mut rows);
    Value::Object(rows.map)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: i64 = 300_000;

    fn range(from_ms: Option<i64>, to_ms: Option<i64>) -> Result<(i64, i64), TooMany> {
        WindowsQuery { resolution: Resolution::Interval, from_ms, to_ms }.range(STEP, 1_000 * STEP + 7)
    }

    #[test]
    fn a_range_is_whole_windows_through_the_open_one_and_no_more_than_the_limit() {
        assert_eq!(range(None, None), Ok((929 * STEP, 1_001 * STEP)));
        assert_eq!(range(Some(900 * STEP + 1), Some(901 * STEP + 1)), Ok((900 * STEP, 902 * STEP)));
        assert_eq!(range(Some(900 * STEP), Some(901 * STEP)), Ok((900 * STEP, 901 * STEP)));
        assert_eq!(range(Some(990 * STEP), Some(9_990 * STEP)), Ok((990 * STEP, 1_001 * STEP)));
        assert_eq!(range(Some(2_000 * STEP), None), Ok((1_001 * STEP, 1_001 * STEP)), "nothing is known of what comes");
        assert_eq!(range(Some(STEP), Some(1_001 * STEP)), Ok((STEP, 1_001 * STEP)));
        assert_eq!(range(Some(STEP - 1), Some(1_001 * STEP)), Err(TooMany { asked: 1_001 }));
    }
}
