//! What mirrors are held to, how much of their budgets is left, and how fast it is being spent.

use super::coverage::share;
use super::{Picture, SourceInfo, put, round6};
use crate::domain::interval::Acc;
use crate::domain::ledger::capture::WindowFigures;
use crate::domain::slo::{ALARMS, FAULTS_MIN, Severity, Slo, Spent, WINDOW, alarm};
use crate::domain::window_kind::WindowKind;
use serde_json::{Map, Value, json};

/// What mirror `m` did in each window.
fn accs(windows: &[(WindowKind, WindowFigures)], m: usize) -> Vec<(WindowKind, &Acc)> {
    windows.iter().filter_map(|(w, figures)| Some((*w, figures.interval.mirrors.get(m)?.as_ref()))).collect()
}

/// What a mirror spent of one budget in a window.
fn spent_in(slo: Slo, accs: &[(WindowKind, &Acc)], window: WindowKind) -> Spent {
    accs.iter().find(|(w, _)| *w == window).map_or_else(Spent::default, |(_, acc)| slo.spent(acc))
}

/// What mirror `m` spent in all of the budget's time.
#[must_use]
pub fn spent(slo: Slo, windows: &[(WindowKind, WindowFigures)], m: usize) -> Spent {
    spent_in(slo, &accs(windows, m), WINDOW)
}

/// One objective of one mirror.
fn objective(slo: Slo, accs: &[(WindowKind, &Acc)]) -> Value {
    let all = spent_in(slo, accs, WINDOW);
    let left = slo.left_ratio(all);
    let too_few = if all.ops == 0 { "no_data" } else { "low_n" };
    let alarm = alarm(slo, |window| spent_in(slo, accs, window));
    let mut map = Map::new();
    map.insert("slo".into(), slo.name().into());
    map.insert("target_ratio".into(), slo.target_ratio().into());
    map.insert("ops".into(), all.ops.into());
    map.insert("fault_ops".into(), all.faults.into());
    put(&mut map, "good_ratio", share(all.ops - all.faults, all.ops), "no_data");
    map.insert("allowed_ops".into(), (all.ops / u64::from(slo.one_in())).into());
    put(&mut map, "budget_left_ratio", left.map(round6), too_few);
    put(&mut map, "is_met", left.map(|left| left >= 0.0), too_few);
    map.insert("alarm".into(), alarm.map_or("none", Severity::name).into());
    map.insert("burn_rates".into(), burn_rates(slo, accs));
    Value::Object(map)
}

fn burn_rates(slo: Slo, accs: &[(WindowKind, &Acc)]) -> Value {
    let (mut map, mut reasons) = (Map::new(), Map::new());
    for (window, acc) in accs {
        let rate = slo.burn_rate(slo.spent(acc));
        if rate.is_none() {
            reasons.insert(window.name().to_owned(), "no_data".into());
        }
        map.insert(window.name().to_owned(), rate.map(round6).into());
    }
    map.insert("reasons".into(), Value::Object(reasons));
    Value::Object(map)
}

/// The page, of every canonical window, with the bounds of the budgets' time.
#[must_use]
pub fn page(picture: &Picture, windows: &[(WindowKind, WindowFigures)]) -> (Value, i64, i64) {
    let alarms = ALARMS.map(|alarm| {
        json!({
            "severity": alarm.severity.name(),
            "long_window": alarm.long.name(),
            "short_window": alarm.short.name(),
            "burn_rate": alarm.burn_rate,
        })
    });
    let of_mirror = |(m, info): (usize, &SourceInfo)| {
        let accs = accs(windows, m);
        json!({ "id": info.id, "objectives": Slo::ALL.map(|slo| objective(slo, &accs)) })
    };
    let data = json!({
        "window": WINDOW.name(),
        "alarms": alarms,
        "alarm_faults_min": FAULTS_MIN,
        "mirrors": picture.mirrors.iter().enumerate().map(of_mirror).collect::<Vec<_>>(),
    });
    let bounds = windows.iter().find(|(w, _)| *w == WINDOW).map_or((0, 0), |(_, f)| (f.from_ms, f.to_ms));
    (data, bounds.0, bounds.1)
}
