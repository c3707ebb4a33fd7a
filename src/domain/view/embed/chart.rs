//! The pictures that are made of a series: bars of coverage, lines of lag.

use std::fmt::Write;

use serde_json::Value;

use super::{Shown, svg};
use crate::domain::view::percent::percent;

const WIDTH: u32 = 720;
const HEIGHT: u32 = 120;
/// Space below for the mark of intervals in which we could not see.
const FOOT: f64 = 8.0;
/// The ends of the axis of lag, milliseconds.
const LAG_MS: (f64, f64) = (1.0, 600_000.0);

/// Where a value stands on a logarithmic axis of this length; what lies beyond an end stands at it.
pub(super) fn log_place(value: f64, (low, high): (f64, f64), length: f64) -> f64 {
    if value <= low {
        return 0.0;
    }
    ((value.min(high) / low).log10() / (high / low).log10()).clamp(0.0, 1.0) * length
}

/// The entries of one mirror's column; as long as the series.
fn column(history: &Value, id: &str, name: &str) -> Vec<Option<f64>> {
    let mut mirrors = history["mirrors"].as_array().into_iter().flatten();
    let column = mirrors.find(|mirror| mirror["id"] == id).and_then(|mirror| mirror[name].as_array());
    column.into_iter().flatten().map(Value::as_f64).collect()
}

/// The marks of the intervals in which nobody can be judged.
fn impaired(history: &Value, step: f64) -> String {
    let mut marks = String::new();
    for (i, _) in history["impaired"].as_array().into_iter().flatten().enumerate().filter(|(_, is)| **is == true) {
        // Writing to a string cannot fail.
        let _ = write!(
            marks,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"4\" class=\"impaired\"/>",
            step * i as f64,
            f64::from(HEIGHT) - 4.0,
            step.max(1.0)
        );
    }
    marks
}

/// The class and the height of a share: colour and height say the same, in steps by nines.
fn step_of(ratio: f64) -> (&'static str, f64) {
    match ratio {
        r if r >= 1.0 => ("well", 1.0),
        r if r >= 0.999 => ("nines3", 0.8),
        r if r >= 0.99 => ("nines2", 0.6),
        _ => ("bad", 0.4),
    }
}

/// One bar for each interval.
pub(super) fn coverage(id: &str, history: &Value) -> Shown {
    let (shares, of) = (column(history, id, "coverage_ratio"), column(history, id, "decided"));
    let sum = |counts: &[Option<f64>]| counts.iter().flatten().sum::<f64>();
    let (decided, missed) = (sum(&of), sum(&column(history, id, "missed")));
    let judged = shares.iter().flatten().count();
    let known = shares.iter().zip(&of).filter_map(|(share, of)| share.zip(*of));
    let worst = known.min_by(|a, b| a.0.total_cmp(&b.0));
    let summary = match worst {
        None => "Nothing was judged in these intervals yet.".to_owned(),
        Some(_) if missed == 0.0 => {
            format!("Complete: 0 of {decided:.0} operations missed, {judged} intervals judged.")
        }
        Some((share, of)) => format!(
            "{missed:.0} of {decided:.0} operations missed; the worst of {judged} intervals has {}.",
            percent(share, of as u64)
        ),
    };
    let step = f64::from(WIDTH) / shares.len().max(1) as f64;
    let room = f64::from(HEIGHT) - FOOT;
    let mut inside = impaired(history, step);
    for (i, share) in shares.iter().enumerate() {
        let (class, part) = share.map_or(("unknown", 0.06), step_of);
        // Writing to a string cannot fail.
        let _ = write!(
            inside,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" class=\"{class}\"/>",
            step * i as f64,
            room * (1.0 - part),
            (step - 1.0).max(0.5),
            room * part
        );
    }
    Shown { svg: svg(WIDTH, HEIGHT, &summary, &inside), summary }
}

/// The median as a line, and the way from it to p95 as an area.
pub(super) fn lag(id: &str, history: &Value) -> Shown {
    let (p50, p95) = (column(history, id, "lag_p50_ms"), column(history, id, "lag_p95_ms"));
    let last = |values: &[Option<f64>]| values.iter().rev().flatten().next().copied();
    let summary = match (last(&p50), last(&p95)) {
        (None, _) => "No lag was measured in these intervals yet.".to_owned(),
        (Some(p50), None) => format!("Median {}; too few operations for more.", shown_ms(p50)),
        (Some(p50), Some(p95)) => {
            format!("Median {}, 95 % below {}, corrected for distance.", shown_ms(p50), shown_ms(p95))
        }
    };
    let step = f64::from(WIDTH) / p50.len().max(1) as f64;
    let room = f64::from(HEIGHT) - FOOT;
    let place = |ms: f64| room - log_place(ms, LAG_MS, room);
    let mut inside = impaired(history, step);
    for (ms, label) in [(10.0, "10 ms"), (1_000.0, "1 s"), (60_000.0, "1 min")] {
        let y = place(ms);
        // Writing to a string cannot fail.
        let _ = write!(
            inside,
            "<path d=\"M0 {y:.1}H{WIDTH}\" class=\"axis\"/><text x=\"2\" y=\"{:.1}\" class=\"tick start\">{label}</text>",
            y - 3.0
        );
    }
    for run in runs(&p50) {
        let of = |values: &[Option<f64>], i: usize| values.get(i).copied().flatten();
        let line: Vec<(f64, f64, f64)> = run
            .filter_map(|i| {
                let (x, low) = (step * (i as f64 + 0.5), of(&p50, i)?);
                Some((x, place(low), place(of(&p95, i).unwrap_or(low).max(low))))
            })
            .collect();
        let path = |points: &mut dyn Iterator<Item = (f64, f64)>| {
            points.map(|(x, y)| format!("{x:.1} {y:.1}")).collect::<Vec<_>>().join("L")
        };
        let below = path(&mut line.iter().map(|p| (p.0, p.1)));
        let above = path(&mut line.iter().rev().map(|p| (p.0, p.2)));
        let _ = write!(inside, "<path d=\"M{below}L{above}Z\" class=\"smoke\"/><path d=\"M{below}\" class=\"line\"/>");
        if let [(x, y, _)] = line.as_slice() {
            let _ = write!(inside, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\" class=\"dot\"/>");
        }
    }
    Shown { svg: svg(WIDTH, HEIGHT, &summary, &inside), summary }
}

/// The runs of entries that have a value, so that no line leads over what is not known.
fn runs(values: &[Option<f64>]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (i, _) in values.iter().enumerate().filter(|(_, value)| value.is_some()) {
        match runs.last_mut() {
            Some(run) if run.end == i => run.end = i + 1,
            _ => runs.push(i..i + 1),
        }
    }
    runs
}

fn shown_ms(ms: f64) -> String {
    if ms.abs() < 1_000.0 { format!("{ms:.0} ms") } else { format!("{:.1} s", ms / 1e3) }
}
