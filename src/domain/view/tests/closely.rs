//! One mirror, looked at closely: that the parts are the whole.

use super::{A, B, OPS, UTC0, at, ledger_that, picture_of};
use crate::domain::address::Peer;
use crate::domain::past::{Keeping, Past};
use crate::domain::resolution::Resolution;
use crate::domain::source::SourceIx;
use crate::domain::time::MS;
use crate::domain::view::windows::{TooMany, WindowsQuery};
use crate::domain::view::{Picture, coverage, divergence, freshness, lag, propagation, rtt, windows};
use crate::domain::window_kind::WindowKind;
use serde_json::{Value, json};

/// The world with round trips of 20 ms to the primary, 40 ms to A and 20 ms to B.
pub(crate) fn measured() -> Picture {
    picture_of(ledger_that(|l| {
        for (source, rtt_ms) in [(SourceIx::PRIMARY, 20), (A, 40), (B, 20)] {
            l.rtt(source, at(0), Peer::from(([127, 0, 0, 1], 1)), rtt_ms * MS);
        }
    }))
}

fn query(resolution: Resolution) -> WindowsQuery {
    WindowsQuery { resolution, from_ms: None, to_ms: None }
}

/// What memory tells of windows, with their bounds.
fn windows_of(p: &Picture, m: usize, query: &WindowsQuery) -> (Value, (i64, i64)) {
    let stretch = query.stretch(&p.capture).unwrap();
    let past = Past { keeping: Keeping::of(&p.capture), ..Past::default() };
    (windows::page(p, m, &stretch, &past), stretch.bounds_ms(300_000))
}

fn sum(page: &Value, column: &str) -> u64 {
    page[column].as_array().unwrap().iter().filter_map(Value::as_u64).sum()
}

#[test]
fn windows_of_any_resolution_add_up_to_the_coverage_of_the_whole() {
    let p = measured();
    let (whole, ..) = coverage::page(&p, &p.capture.counts(WindowKind::H1));
    for resolution in Resolution::ALL {
        for m in 0..2 {
            let (page, (from_ms, to_ms)) = windows_of(&p, m, &query(resolution));
            let counts = &whole["mirrors"][m]["coverage"]["counts"];
            for name in ["eligible", "decided", "on_time", "missed", "pending", "unknown", "not_eligible", "extra"] {
                assert_eq!(sum(&page, name), counts[name].as_u64().unwrap(), "{resolution:?} {m} {name}");
            }
            assert_eq!(sum(&page, "primary_ops"), OPS);
            let times = page["t_unix_ms"].as_array().unwrap();
            assert_eq!((times.len() as i64, times[0].as_i64()), (resolution.steps(), Some(from_ms)));
            assert_eq!(to_ms, from_ms + resolution.steps() * resolution.step_ms(300_000));
            for (name, column) in page.as_object().unwrap() {
                assert!(column.as_array().is_none_or(|c| c.len() == times.len()), "{name}");
            }
        }
    }
}

#[test]
fn a_window_without_anything_is_null_beside_its_reason() {
    let p = measured();
    let (page, _) = windows_of(&p, 0, &query(Resolution::Interval));
    let last = |column: &str| page[column].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&page["status"][0], &page["missed"][0], &page["ratio_reason"][0]),
        (&json!(null), &json!(null), &json!("before_first_start"))
    );
    assert_eq!(
        (last("status"), last("lag_p50_ms"), last("lag_reason")),
        (json!("provisional"), json!(30.0), json!(null))
    );
    assert_eq!((last("lag_uncertainty_ms"), last("ratio_reason")), (json!(30.0), json!(null)));
    let far = WindowsQuery { from_ms: Some(UTC0 - 86_400_000 * 30), ..query(Resolution::Interval) };
    assert_eq!(far.stretch(&p.capture), Err(TooMany { asked: 8_641 }));
}

#[test]
fn the_distribution_of_lag_has_every_sample_and_lies_where_it_was_put() {
    let p = measured();
    for (m, lag_ms) in [(0, 30.0), (1, 90.0)] {
        let page = lag::mirror(&p, m, &p.capture.window(WindowKind::H1)).unwrap();
        assert_eq!(page["lag"]["n"].as_u64().unwrap(), sum(&page["histogram"], "count"));
        let parts = page["histogram"]["count"].as_array().unwrap().len();
        let edge = |name: &str, i: usize| page["histogram"][name][i].as_f64().unwrap();
        assert!(edge("from_ms", 0) <= lag_ms && lag_ms < edge("to_ms", parts - 1), "{page}");
    }
    let a = lag::mirror(&p, 0, &p.capture.window(WindowKind::H1)).unwrap();
    assert_eq!(a["lost_ops"], 3);
    assert_eq!(lag::mirror(&p, 2, &p.capture.window(WindowKind::H1)), None);
}

#[test]
fn now_and_just_before_are_told_with_their_steps() {
    let p = measured();
    let a = freshness::page(&p, 0).unwrap();
    let steps = a["series"]["t_unix_ms"].as_array().unwrap();
    assert_eq!((steps.len(), steps[0].as_i64().unwrap() % 30_000), (7, 0), "200 s are seven half minutes");
    for column in ["head_age_s", "head_lag_ops", "reason"] {
        assert_eq!(a["series"][column].as_array().unwrap().len(), steps.len());
    }
    assert_eq!((&a["freshness"]["head_lag_ops"], &a["series"]["reason"][3]), (&json!(0), &json!(null)));
    let a = rtt::mirror(&p, 0).unwrap();
    assert_eq!((&a["correction_ms"], &a["uncertainty_ms"]), (&json!(10.0), &json!(30.0)));
    let series = &a["series"];
    assert_eq!(
        (&series["tcp_min_ms"][0], &series["tcp_max_ms"][0], &series["tcp_samples"][0]),
        (&json!(40.0), &json!(40.0), &json!(1))
    );
    assert_eq!((&series["primary_tcp_min_ms"][0], &series["tcp_min_ms"][1]), (&json!(20.0), &json!(null)));
    let whole = divergence::page(&p);
    let b = divergence::mirror(&p, 1).unwrap();
    assert_eq!((&b["extra_ops"], &b["age_ge_s"]), (&whole["mirrors"][1]["extra_ops"], &whole["age_ge_s"]));
    assert_eq!(divergence::mirror(&p, 0).unwrap()["findings"][0]["finding"], "corrupt");
}

#[test]
fn how_operations_spread_is_told_of_those_that_are_decided() {
    let p = measured();
    let (page, from_ms, to_ms) = propagation::page(&p, WindowKind::H1);
    assert_eq!((to_ms, from_ms), (UTC0 + 139_600, to_ms - 3_600_000), "a grace before now");
    assert_eq!(
        (&page["ops_in_window"], &page["ops_used"], &page["mirrors"]),
        (&json!(140), &json!(140), &json!(["a", "b"]))
    );
    let grid = page["at_s"].as_array().unwrap();
    let place = |s: f64| grid.iter().rposition(|at| at.as_f64().unwrap() <= s).unwrap();
    let [one, both] = [0, 1].map(|k| page["by_mirrors"][k].clone());
    // A comes 30 ms behind the primary and B 90 ms; A lost three.
    assert_eq!((&one["op_ratio"][place(0.02)], &one["op_ratio"][place(0.05)]), (&json!(0.0), &json!(0.978_571)));
    assert_eq!((&one["op_ratio"][place(0.2)], &both["op_ratio"][place(0.2)]), (&json!(1.0), &json!(0.978_571)));
    assert_eq!((&one["never_ops"], &both["never_ops"], &both["mirrors"]), (&json!(0), &json!(3), &json!(2)));
    assert_eq!((&page["mean_mirror_ratio"][place(0.2)], &page["reason"]), (&json!(0.989_286), &json!(null)));
    let unmeasured = super::picture();
    let (page, ..) = propagation::page(&unmeasured, WindowKind::H1);
    assert_eq!((&page["reason"], &page["left_out_mirrors"][0]["reason"]), (&json!("no_mirrors"), &json!("no_rtt")));
    assert_eq!((&page["mean_mirror_ratio"], &page["by_mirrors"]), (&json!(null), &json!([])));
}
