//! What is told of the observer itself and its parts.

use serde_json::Value;

use super::{Samples, Scrape, at, seconds, word};
use crate::domain::impair::Watching;
use crate::http::timings::BOUNDS_US;

/// What is told of the server, and its names in the page of the internals.
const HTTP: [(&str, &str); 4] = [
    ("mirrorwatch_http_panics_total", "panics"),
    ("mirrorwatch_live_foreign_origins_total", "foreign_origin_sockets"),
    ("mirrorwatch_live_refused_origins_total", "refused_origin_sockets"),
    ("mirrorwatch_live_refused_ops_readers_total", "refused_ops_readers"),
];

/// Adds what the overview and the internals say of us.
pub(super) fn add(samples: &mut Samples, scrape: &Scrape) {
    let observer = at(&scrape.overview, "/observer");
    let flags: Vec<&str> = observer["flags"].as_array().into_iter().flatten().map(word).collect();
    samples.add_words("mirrorwatch_observer_impaired", &[], ("flag", &Watching::FLAGS), |flag| flags.contains(&flag));
    let is_degraded = observer["degraded"].as_array().is_some_and(|degraded| !degraded.is_empty());
    samples.add("mirrorwatch_store_degraded", &[], f64::from(u8::from(is_degraded)));
    let internals = &scrape.internals;
    let impaired = at(internals, "/since_start/impaired_s");
    let flags = ("flag", &Watching::FLAGS[..]);
    samples.add_counts("mirrorwatch_observer_impaired_seconds_total", &[], flags, impaired);
    let offset = at(internals, "/since_start/clock_offset_s").as_f64();
    samples.add("mirrorwatch_clock_offset_seconds", &[], offset);
    for row in internals["recomputers"].as_array().into_iter().flatten() {
        recomputer(samples, row);
    }
    let mut queues = internals["queues"].as_array().into_iter().flatten();
    let collector = queues.find(|queue| queue["name"] == "collector");
    let waiting = collector.and_then(|queue| queue["waiting"].as_f64());
    samples.add("mirrorwatch_mailbox_depth", &[("actor", "collector")], waiting);
    samples.add("mirrorwatch_tracker_entries", &[], at(internals, "/ledger/held_ops").as_f64());
    samples.add("mirrorwatch_validated_ops_total", &[], at(internals, "/validity/validated").as_f64());
    samples.add("mirrorwatch_invalid_ops_total", &[], at(internals, "/validity/invalid").as_f64());
    dropped(samples, internals);
    for outcome in ["received", "too_old", "refused", "busy"] {
        // Where there are no other nodes, nothing came from them.
        let count = at(internals, &format!("/log/{outcome}")).as_f64().unwrap_or(0.0);
        samples.add("mirrorwatch_log_actions_total", &[("outcome", outcome)], count);
    }
    for (name, key) in HTTP {
        samples.add(name, &[], at(internals, &format!("/http/{key}")).as_f64());
    }
    answers(samples, scrape);
    for (part, count) in internals["restarts"].as_object().into_iter().flatten() {
        samples.add("mirrorwatch_restarts_total", &[("part", part)], count.as_f64());
    }
}

/// How long answers took.
fn answers(samples: &mut Samples, scrape: &Scrape) {
    let name = "mirrorwatch_http_request_duration_seconds";
    for (route, of_route) in &scrape.answers {
        for ((method, status), counts) in of_route {
            let status = status.to_string();
            let labels = [("route", route.as_str()), ("method", *method), ("status", status.as_str())];
            let mut sum = 0;
            let ends = BOUNDS_US.iter().map(|us| (*us as f64 / 1e6).to_string()).chain(["+Inf".to_owned()]);
            for (le, n) in ends.zip(counts.buckets) {
                sum += n;
                let labels: Vec<(&str, &str)> = labels.into_iter().chain([("le", le.as_str())]).collect();
                samples.add_part(name, "_bucket", &labels, sum as f64);
            }
            samples.add_part(name, "_sum", &labels, counts.sum_us as f64 / 1e6);
            samples.add_part(name, "_count", &labels, sum as f64);
        }
    }
}

fn recomputer(samples: &mut Samples, row: &Value) {
    let name = word(&row["name"]);
    let by_name = [("name", name)];
    samples.add("mirrorwatch_recompute_duration_seconds", &by_name, seconds(&row["last_compute_ms"]));
    samples.add("mirrorwatch_snapshot_age_seconds", &by_name, seconds(&row["age_ms"]));
    let (runs, failures) = (row["runs"].as_f64().unwrap_or(0.0), row["failures"].as_f64().unwrap_or(0.0));
    for (result, count) in [("ok", runs - failures), ("failed", failures)] {
        samples.add("mirrorwatch_recompute_total", &[("name", name), ("result", result)], count);
    }
}

/// What was let go at a bound: frames or keys of sources, operations that were not checked, findings.
fn dropped(samples: &mut Samples, internals: &Value) {
    let sources = at(internals, "/since_start/sources").as_array().into_iter().flatten();
    let findings: f64 = sources.filter_map(|entry| entry["findings_let_go"].as_f64()).sum();
    for (what, count) in [
        ("frames", at(internals, "/ledger/dropped_by_us").as_f64()),
        ("unchecked_ops", at(internals, "/validity/not_validated").as_f64()),
        ("findings", Some(findings)),
        // Where there are no other nodes, there is no log.
        ("log_actions", Some(at(internals, "/log/dropped").as_f64().unwrap_or(0.0))),
    ] {
        samples.add("mirrorwatch_dropped_total", &[("what", what)], count);
    }
}
