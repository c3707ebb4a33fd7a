//! What is told of a mirror alone: its figures, its state, and what was decided about its operations.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{PERCENTILES, Samples, Scrape, at, seconds, word};
use crate::domain::audit_log::LogAgreement;
use crate::domain::finding::Finding;
use crate::domain::mirror_state::State;
use crate::domain::op::Kind;
use crate::domain::slo::Severity;
use crate::domain::verdict::Verdict;

/// Outcomes that have a sample before they happen.
const OUTCOMES: [Verdict; 5] = [Verdict::OnTime, Verdict::Late, Verdict::Present, Verdict::Missed, Verdict::Unknown];
/// Revisions that have one.
const REVISIONS: [(Verdict, Verdict); 5] = [
    (Verdict::Missed, Verdict::Late),
    (Verdict::Missed, Verdict::Present),
    (Verdict::Unknown, Verdict::Late),
    (Verdict::Unknown, Verdict::Missed),
    (Verdict::Unknown, Verdict::Present),
];
/// What misses and extras are explained by.
const CONFIRMATIONS: usize = 9;

/// Adds what the pages say of mirrors.
pub(super) fn add(samples: &mut Samples, scrape: &Scrape) {
    for row in at(&scrape.overview, "/mirrors").as_array().into_iter().flatten() {
        mirror(samples, row);
    }
    for entry in at(&scrape.internals, "/since_start/sources").as_array().into_iter().flatten() {
        if entry["outcomes"].is_array() {
            since_start(samples, entry);
        }
    }
    for (window, page) in &scrape.coverage {
        for row in &page.data.mirrors {
            let labels = [("mirror", row.id.as_str()), ("window", *window)];
            samples.add("mirrorwatch_coverage_ratio", &labels, row.coverage.coverage_ratio);
        }
    }
    by_age(samples, &scrape.divergence);
    burn_rates(samples, &scrape.slo);
    for (id, open) in at(&scrape.incidents, "/open_by_mirror").as_object().into_iter().flatten() {
        samples.add("mirrorwatch_incidents_open", &[("mirror", id)], open.as_f64());
    }
}

fn mirror(samples: &mut Samples, row: &Value) {
    let id = word(&row["id"]);
    let mirror = [("mirror", id)];
    samples.add("mirrorwatch_ops_pending", &mirror, at(row, "/coverage/counts/pending").as_f64());
    samples.add("mirrorwatch_open_misses", &mirror, row["open_misses"].as_f64());
    let correction = seconds(at(row, "/lag/correction_ms"));
    samples.add("mirrorwatch_lag_correction_seconds", &[("mirror", id), ("method", "tcp")], correction);
    samples.add("mirrorwatch_lag_uncertainty_seconds", &mirror, seconds(at(row, "/lag/uncertainty_ms")));
    for (percentile, name) in PERCENTILES {
        let labels = [("mirror", id), ("percentile", percentile)];
        samples.add("mirrorwatch_lag_quantile_seconds", &labels, seconds(at(row, &format!("/lag/{name}"))));
    }
    samples.add("mirrorwatch_head_lag_ops", &mirror, at(row, "/freshness/head_lag_ops").as_f64());
    samples.add("mirrorwatch_head_age_seconds", &mirror, at(row, "/freshness/head_age_s").as_f64());
    let content = &row["content"];
    let labels = [("mirror", id), ("scope", "did")];
    samples.add("mirrorwatch_order_violations_total", &labels, content["order_violation"].as_f64());
    for check in ["corrupt", "altered"] {
        let labels = [("mirror", id), ("check", check)];
        samples.add("mirrorwatch_integrity_failures_total", &labels, content[check].as_f64());
    }
    samples.add("mirrorwatch_equivocations_open", &mirror, content["equivocation"].as_f64());
    let states = State::ALL.map(State::name);
    samples.add_words("mirrorwatch_verdict", &mirror, ("verdict", &states), |state| row["state"] == state);
}

/// What only ever grew: outcomes, revisions, explanations, samples, lag.
fn since_start(samples: &mut Samples, entry: &Value) {
    let id = word(&entry["id"]);
    let known = OUTCOMES.into_iter().flat_map(|o| Kind::ALL.map(|kind| (o.name(), kind.name())));
    for ((outcome, kind), n) in pairs(known, &entry["outcomes"]) {
        let labels = [("mirror", id), ("outcome", outcome), ("kind", kind)];
        samples.add("mirrorwatch_op_outcomes_total", &labels, n);
    }
    let known = REVISIONS.into_iter().map(|(from, to)| (from.name(), to.name()));
    for ((from, to), n) in pairs(known, &entry["revisions"]) {
        samples.add("mirrorwatch_outcome_revisions_total", &[("mirror", id), ("from", from), ("to", to)], n);
    }
    let mirror = [("mirror", id)];
    let results: Vec<&str> = Finding::ALL.into_iter().take(CONFIRMATIONS).map(Finding::name).collect();
    samples.add_counts("mirrorwatch_confirmations_total", &mirror, ("result", &results), &entry["confirmations"]);
    let results: Vec<&str> =
        LogAgreement::ALL.into_iter().map(LogAgreement::name).chain(["unsettled", "unanswered"]).collect();
    samples.add_counts("mirrorwatch_audit_samples_total", &mirror, ("result", &results), &entry["samples_by_result"]);
    histogram(samples, "mirrorwatch_lag_seconds", id, &entry["lag"]);
    histogram(samples, "mirrorwatch_lead_seconds", id, &entry["lead"]);
}

/// Counts by two words, those that are known at least 0.
fn pairs<'a>(known: impl Iterator<Item = (&'a str, &'a str)>, counts: &'a Value) -> BTreeMap<(&'a str, &'a str), f64> {
    let mut by: BTreeMap<(&str, &str), f64> = known.map(|pair| (pair, 0.0)).collect();
    for row in counts.as_array().into_iter().flatten() {
        if let Some(n) = row[2].as_f64() {
            by.insert((word(&row[0]), word(&row[1])), n);
        }
    }
    by
}

fn histogram(samples: &mut Samples, name: &str, id: &str, buckets: &Value) {
    let mut sum = 0.0;
    let bounds = buckets["le_s"].as_array().into_iter().flatten().map(ToString::to_string);
    let counts = buckets["counts"].as_array().into_iter().flatten().map(|n| n.as_f64().unwrap_or(0.0));
    for (le, n) in bounds.chain(["+Inf".to_owned()]).zip(counts) {
        sum += n;
        samples.add_part(name, "_bucket", &[("mirror", id), ("le", &le)], sum);
    }
    samples.add_part(name, "_sum", &[("mirror", id)], buckets["sum_s"].as_f64());
    samples.add_part(name, "_count", &[("mirror", id)], sum);
}

fn burn_rates(samples: &mut Samples, slo: &Value) {
    for row in slo["mirrors"].as_array().into_iter().flatten() {
        for objective in row["objectives"].as_array().into_iter().flatten() {
            for severity in [Severity::Page, Severity::Ticket].map(Severity::name) {
                let labels = [("mirror", word(&row["id"])), ("slo", word(&objective["slo"])), ("severity", severity)];
                let goes_off = objective["alarm"].as_str().map(|alarm| if alarm == severity { 1.0 } else { 0.0 });
                samples.add("mirrorwatch_slo_alarm", &labels, goes_off);
            }
            for (window, rate) in objective["burn_rates"].as_object().into_iter().flatten() {
                let labels = [("mirror", word(&row["id"])), ("slo", word(&objective["slo"])), ("window", window)];
                samples.add("mirrorwatch_slo_burn_rate", &labels, rate.as_f64());
            }
        }
    }
}

fn by_age(samples: &mut Samples, divergence: &Value) {
    let ages: Vec<String> = divergence["age_ge_s"].as_array().into_iter().flatten().map(ToString::to_string).collect();
    for row in divergence["mirrors"].as_array().into_iter().flatten() {
        let id = word(&row["id"]);
        for (name, field) in [("mirrorwatch_missing_ops", "missing_ops"), ("mirrorwatch_extra_ops", "extra_ops")] {
            for (age, n) in ages.iter().zip(row[field].as_array().into_iter().flatten()) {
                samples.add(name, &[("mirror", id), ("age_ge_seconds", age)], n.as_f64());
            }
        }
    }
}
