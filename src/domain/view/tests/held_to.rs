//! What mirrors are held to, and whether they are ready: in the small world A misses three of its operations.

use super::{LOST, OPS, at, measured, picture};
use crate::domain::audit_log::LogAgreement;
use crate::domain::did::Did;
use crate::domain::finding::Finding;
use crate::domain::mirror_state::{Standing, State};
use crate::domain::sample::{Sampled, Samples};
use crate::domain::view::check::Check;
use crate::domain::view::{Picture, coverage, readiness, slo};
use crate::domain::window_kind::WindowKind;
use serde_json::{Value, json};
use std::sync::Arc;

fn objective(p: &Picture, mirror: usize, place: usize) -> Value {
    slo::page(p, &p.capture.windows(false)).0["mirrors"][mirror]["objectives"][place].clone()
}

/// The criteria of a mirror by their ids.
fn criterion(p: &Picture, mirror: usize, id: &str) -> Value {
    let page = readiness::page(p, mirror, &p.capture.windows(false)).unwrap();
    page["criteria"].as_array().unwrap().iter().find(|c| c["id"] == id).unwrap().clone()
}

#[test]
fn a_budget_has_the_counts_of_the_coverage_of_its_window() {
    let p = measured();
    let (whole, ..) = coverage::page(&p, &p.capture.counts(WindowKind::D30));
    for m in 0..2 {
        let (there, told) = (objective(&p, m, 0), &whole["mirrors"][m]["coverage"]);
        assert_eq!((&there["slo"], &there["ops"]), (&json!("coverage"), &told["counts"]["decided"]));
        assert_eq!((&there["fault_ops"], &there["good_ratio"]), (&told["counts"]["missed"], &told["coverage_ratio"]));
        let in_time = objective(&p, m, 1);
        assert_eq!((&in_time["slo"], &in_time["ops"]), (&json!("on_time"), &told["counts"]["decided"]));
        let faults = ["late", "missed"].map(|verdict| told["counts"][verdict].as_u64().unwrap());
        assert_eq!(in_time["fault_ops"], faults.iter().sum::<u64>());
    }
    let a = objective(&p, 0, 0);
    assert_eq!(a["fault_ops"], LOST.len());
    assert!(a["ops"].as_u64().unwrap() < OPS, "what is pending is not decided");
    assert_eq!(
        (&a["budget_left_ratio"], &a["is_met"], &a["is_met_reason"]),
        (&Value::Null, &Value::Null, &json!("low_n"))
    );
    let ops = a["ops"].as_f64().unwrap();
    let rate = a["burn_rates"]["1h"].as_f64().unwrap();
    assert!((rate - 3_000.0 / ops).abs() < 1e-6, "{rate}");
    assert_eq!((a["alarm"].as_str(), objective(&p, 1, 0)["alarm"].as_str()), (Some("page"), Some("none")));
    let in_time = objective(&p, 0, 1);
    let left = in_time["budget_left_ratio"].as_f64().unwrap();
    assert!((left - (1.0 - 300.0 / in_time["ops"].as_f64().unwrap())).abs() < 1e-6, "{left}");
    assert_eq!(in_time["is_met"], false);
}

#[test]
fn what_cannot_be_told_fails_no_criterion() {
    let p = picture();
    for (id, status) in [
        ("state", "unknown"),
        ("judged", "unknown"),
        ("observed", "pass"),
        ("coverage", "unknown"),
        ("on_time", "fail"),
        ("freshness", "pass"),
        ("content", "fail"),
        ("logs", "unknown"),
    ] {
        let found = criterion(&p, 0, id);
        assert_eq!(found["status"], status, "{found}");
        assert!(found["why"].as_str().is_some_and(|why| !why.is_empty()) && found["link_json"].is_string(), "{found}");
    }
    let page = |m| readiness::page(&p, m, &p.capture.windows(false)).unwrap();
    assert_eq!(
        (&page(0)["readiness"], &page(0)["headline"]),
        (&json!("not_ready"), &json!("not ready: on_time, content"))
    );
    assert_eq!(
        (&page(1)["readiness"], criterion(&p, 1, "content")["status"].as_str()),
        (&json!("unknown"), Some("pass"))
    );
    assert_eq!(readiness::page(&p, 2, &p.capture.windows(false)), None);
}

#[test]
fn each_criterion_turns_with_what_it_is_about() {
    let mut p = picture();
    let standing = |state| Standing { state, since: at(5), why: "so".to_owned() };
    for (state, status) in [(State::Ok, "pass"), (State::Losing, "fail"), (State::Unsupported, "unknown")] {
        p.mirrors[1].standing = standing(state);
        assert_eq!(criterion(&p, 1, "state")["status"], status);
        let check = Check::of(&p, 1).unwrap();
        assert_eq!((check.id.as_str(), check.state, check.why.as_str()), ("b", state, "so"));
    }
    let mut samples = Samples::default();
    samples.add(at(0), Did([1; 15]), Sampled::Judged(LogAgreement::Behind));
    p.samples = Arc::new(vec![Samples::default(), samples.clone()]);
    assert_eq!(criterion(&p, 1, "logs")["status"], "pass", "a log that is behind contradicts nothing");
    samples.add(at(0), Did([1; 15]), Sampled::Judged(LogAgreement::Fork));
    p.samples = Arc::new(vec![Samples::default(), samples]);
    assert_eq!(criterion(&p, 1, "logs")["status"], "fail");
    p.capture.mirrors[1].source.is_open = false;
    assert_eq!(criterion(&p, 1, "freshness")["status"], "unknown");
    p.capture.primary.content = Arc::clone(&p.capture.mirrors[0].source.content);
    assert!(p.capture.primary.content.count(Finding::Corrupt) > 0);
    assert_eq!(criterion(&p, 0, "content")["status"], "pass", "what the primary did itself is nobody else's fault");
}
