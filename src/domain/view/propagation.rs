//! How operations spread over the mirrors: the share of them that so many mirrors had within so many seconds.

use super::{Picture, round6};
use crate::domain::lag::write_percentiles;
use crate::domain::propagation::{Curve, Propagation, grid_us, propagation};
use crate::domain::window_kind::WindowKind;
use serde_json::{Map, Value, json};

/// The windows for which it is told: operations are held no longer than a day.
pub const WINDOWS: [WindowKind; 5] = [WindowKind::M5, WindowKind::M15, WindowKind::H1, WindowKind::H6, WindowKind::H24];

/// The page of one window, which ends when what was published is decided, with its bounds.
#[must_use]
pub fn page(picture: &Picture, window: WindowKind) -> (Value, i64, i64) {
    let c = &picture.capture;
    let grace_ns = c.mirrors.iter().map(|m| m.params.grace_ns).max().unwrap_or(0);
    let to = c.now.plus(-grace_ns).plus(-c.params.settle_ns);
    let from = to.plus(-window.seconds() * crate::domain::time::SECOND);
    let corrections: Vec<Option<i64>> = c.mirrors.iter().map(|m| m.correction.map(|k| k.correction_us)).collect();
    let found = propagation(&c.held, from, to, &corrections);
    (told(picture, &found), c.labels.utc_ms(from), c.labels.utc_ms(to))
}

fn told(picture: &Picture, p: &Propagation) -> Value {
    let id = |m: usize| picture.mirrors.get(m).map(|info| info.id.clone());
    let reason = match (p.used, p.mirrors.len()) {
        (_, 0) => Some("no_mirrors"),
        (0, _) => Some("no_data"),
        _ => None,
    };
    let left_out = p.mirrors_left_out.iter();
    let left_out = left_out
        .map(|(m, why, share)| json!({ "id": id(*m), "reason": why.name(), "known_ratio": round6(*share) }))
        .collect::<Vec<_>>();
    json!({
        "mirrors": p.mirrors.iter().map(|&m| id(m)).collect::<Vec<_>>(),
        "left_out_mirrors": left_out,
        "ops_in_window": p.in_window,
        "ops_used": p.used,
        "ops_left_out": p.left_out,
        "sampled_every": p.every,
        "at_s": grid_us().into_iter().map(|us| us as f64 / 1e6).collect::<Vec<_>>(),
        "mean_mirror_ratio": reason.is_none().then(|| mean(p)),
        "by_mirrors": (1..).zip(&p.curves).map(|(k, curve)| of_number(k, curve, p.used)).collect::<Vec<_>>(),
        "reason": reason,
    })
}

/// The mean share of the mirrors that had an operation by each instant.
fn mean(p: &Propagation) -> Vec<f64> {
    let all = (p.used * p.curves.len() as u64) as f64;
    let had = |at: usize| p.curves.iter().filter_map(|c| c.within.get(at)).sum::<u64>();
    (0..grid_us().len()).map(|at| round6(had(at) as f64 / all)).collect()
}

/// The share of the operations that `k` mirrors had by each instant, and how long that took.
fn of_number(k: usize, curve: &Curve, used: u64) -> Value {
    let (mut map, mut reasons) = (Map::new(), Map::new());
    map.insert("mirrors".into(), k.into());
    let share = |n: &u64| round6(*n as f64 / used as f64);
    map.insert("op_ratio".into(), if used > 0 { curve.within.iter().map(share).collect() } else { Value::Null });
    map.insert("never_ops".into(), curve.never.into());
    write_percentiles(&curve.times, curve.never, &mut map, &mut reasons);
    map.insert("reasons".into(), Value::Object(reasons));
    Value::Object(map)
}
