//! `/metrics` for Prometheus: the figures of the published pages under other names, for the machine's own scraper.
//!
//! A scrape reads what readers read and asks nobody. Labels are few and known: ids of sources, words, names of parts; never a
//! DID or a CID. A value that cannot be told is left out.

use std::fmt::Write;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::problem::Problem;
use super::query::Params;
use super::state::HttpState;

/// The version of the text format.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Every metric: name, kind, and what it says.
pub const METRICS: [(&str, &str, &str); 25] = [
    ("mirrorwatch_build_info", "gauge", "The version, where it may be told"),
    ("mirrorwatch_mirror_info", "gauge", "Who the sources are"),
    ("mirrorwatch_ops_received_total", "counter", "Operations that came from a source"),
    ("mirrorwatch_ops_duplicate_total", "counter", "Operations that a source sent again"),
    ("mirrorwatch_frames_rejected_total", "counter", "Frames of a source that were refused"),
    ("mirrorwatch_ops_pending", "gauge", "Operations that are not decided at a mirror"),
    ("mirrorwatch_missing_ops", "gauge", "Operations that a mirror misses now"),
    ("mirrorwatch_coverage_ratio", "gauge", "Delivered of what was decided"),
    ("mirrorwatch_lag_uncertainty_seconds", "gauge", "How far the corrected lag may be off"),
    ("mirrorwatch_lag_quantile_seconds", "gauge", "Corrected lag of one hour"),
    ("mirrorwatch_head_lag_ops", "gauge", "Operations that a mirror is behind"),
    ("mirrorwatch_head_age_seconds", "gauge", "How old the newest operation of a mirror is"),
    ("mirrorwatch_rtt_seconds", "gauge", "Round trip to a source"),
    ("mirrorwatch_connection_state", "gauge", "1 for the state that a link is in"),
    ("mirrorwatch_reconnects_total", "counter", "Connections that followed a lost one"),
    ("mirrorwatch_last_op_timestamp_seconds", "gauge", "When the last operation came"),
    ("mirrorwatch_verdict", "gauge", "1 for the state that a mirror is in"),
    ("mirrorwatch_observer_impaired", "gauge", "1 for each reason why the observer cannot be believed now"),
    ("mirrorwatch_store_degraded", "gauge", "1 while nothing can be kept"),
    ("mirrorwatch_recompute_duration_seconds", "gauge", "The last computation of a page"),
    ("mirrorwatch_recompute_total", "counter", "Computations by result"),
    ("mirrorwatch_snapshot_age_seconds", "gauge", "How old the pages of a recomputer are"),
    ("mirrorwatch_tracker_entries", "gauge", "Operations that are held"),
    ("mirrorwatch_log_actions_total", "counter", "Actions that other nodes sent, by what became of them"),
    ("mirrorwatch_restarts_total", "counter", "Parts that ended by themselves and were started anew"),
];

/// States of a link, as the pages name them.
const LINK_STATES: [&str; 6] = ["disconnected", "waiting", "connecting", "catching_up", "synchronized", "unsupported"];
/// States of a mirror, as the pages name them.
const VERDICTS: [&str; 6] = ["losing", "disconnected", "lagging", "unsupported", "unknown", "ok"];
/// Reasons why the observer cannot be believed, as the pages name them.
const FLAGS: [&str; 4] = ["late_reader", "primary_down", "net_down", "primary_delay"];
/// Percentiles of lag, and their names in the pages.
const QUANTILES: [(&str, &str); 3] = [("0.5", "p50_ms"), ("0.95", "p95_ms"), ("0.99", "p99_ms")];

/// Answers a scrape.
///
/// # Errors
/// 403 for whoever is not on this machine.
pub fn answer(request: &HttpRequest, state: &HttpState) -> Result<HttpResponse, Problem> {
    if !state.client(request).to_canonical().is_loopback() {
        return Err(Problem::new(StatusCode::FORBIDDEN, "loopback_only", "metrics are for this machine alone"));
    }
    Params::parse(request.query_string(), &[])?;
    let data = |key: &str| {
        let page = state.pages.get(key).map(|page| page.load().body.identity.clone()).unwrap_or_default();
        let page = serde_json::from_slice::<Value>(&page).unwrap_or_default();
        page.get("data").cloned().unwrap_or_default()
    };
    let text = exposition(&data("overview"), &data("internals"), state.options.version.as_deref());
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .content_type(TEXT)
        .body(text))
}

/// Samples, in the order of [`METRICS`].
#[derive(Default)]
struct Samples([String; METRICS.len()]);

impl Samples {
    /// Adds a sample of a metric of the list; none is left out, and so is what is no number.
    fn add(&mut self, name: &str, labels: &[(&str, &str)], value: impl Into<Option<f64>>) {
        let (Some(value), Some(place)) = (value.into(), METRICS.iter().position(|metric| metric.0 == name)) else {
            debug_assert!(METRICS.iter().any(|metric| metric.0 == name), "{name} is not listed");
            return;
        };
        let Some(lines) = self.0.get_mut(place) else { return };
        lines.push_str(name);
        for (i, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let written = write!(lines, "{}{label}=\"{text}\"", if i == 0 { '{' } else { ',' });
            debug_assert!(written.is_ok());
        }
        let written = writeln!(lines, "{} {value}", if labels.is_empty() { "" } else { "}" });
        debug_assert!(written.is_ok());
    }

    /// One sample for each word, 1 for those that hold.
    fn add_words(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        (label, words): (&str, &[&str]),
        holds: impl Fn(&str) -> bool,
    ) {
        for word in words {
            let labels: Vec<(&str, &str)> = labels.iter().copied().chain([(label, *word)]).collect();
            self.add(name, &labels, f64::from(u8::from(holds(word))));
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for ((name, kind, help), lines) in METRICS.iter().zip(&self.0) {
            let written = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
            debug_assert!(written.is_ok());
        }
        text
    }
}

/// The value at a place of a page; null where there is none.
fn at<'a>(page: &'a Value, place: &str) -> &'a Value {
    page.pointer(place).unwrap_or(&Value::Null)
}

fn seconds(ms: &Value) -> Option<f64> {
    ms.as_f64().map(|ms| ms / 1e3)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What the pages say, as text for Prometheus.
fn exposition(overview: &Value, internals: &Value, version: Option<&str>) -> String {
    let mut samples = Samples::default();
    samples.add("mirrorwatch_build_info", &[("version", version.unwrap_or("hidden"))], 1.0);
    source(&mut samples, &overview["primary"], "primary");
    for row in overview["mirrors"].as_array().into_iter().flatten() {
        source(&mut samples, row, "mirror");
        mirror(&mut samples, row);
    }
    let observer = &overview["observer"];
    let flags: Vec<&str> = observer["flags"].as_array().into_iter().flatten().map(word).collect();
    samples.add_words("mirrorwatch_observer_impaired", &[], ("flag", &FLAGS), |flag| flags.contains(&flag));
    let is_degraded = observer["degraded"].as_array().is_some_and(|degraded| !degraded.is_empty());
    samples.add("mirrorwatch_store_degraded", &[], f64::from(u8::from(is_degraded)));
    own_parts(&mut samples, internals);
    samples.text()
}

/// What is told of every source.
fn source(samples: &mut Samples, row: &Value, role: &str) {
    let id = word(&row["id"]);
    let (url, transport) = (word(&row["url"]), word(&row["transport"]));
    let labels = [("mirror", id), ("url", url), ("transport", transport), ("role", role)];
    samples.add("mirrorwatch_mirror_info", &labels, 1.0);
    let host = [("host", id)];
    samples.add("mirrorwatch_ops_received_total", &host, row["received_ops"].as_f64());
    samples.add("mirrorwatch_ops_duplicate_total", &host, row["duplicate_ops"].as_f64());
    samples.add("mirrorwatch_frames_rejected_total", &host, row["rejected_frames"].as_f64());
    for (probe, name) in [("tcp", "tcp_ms"), ("tcp_info", "tcp_info_ms")] {
        samples.add(
            "mirrorwatch_rtt_seconds",
            &[("host", id), ("probe", probe)],
            seconds(at(row, &format!("/rtt/{name}"))),
        );
    }
    let link = &row["link"];
    samples.add_words("mirrorwatch_connection_state", &host, ("state", &LINK_STATES), |state| link["state"] == state);
    samples.add("mirrorwatch_reconnects_total", &host, link["reconnects"].as_f64());
    let last_op = link["last_op_at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
    let last_op = last_op.map(|at| at.as_millisecond() as f64 / 1e3);
    samples.add("mirrorwatch_last_op_timestamp_seconds", &host, last_op);
}

/// What is told of a mirror alone.
fn mirror(samples: &mut Samples, row: &Value) {
    let id = word(&row["id"]);
    let mirror = [("mirror", id)];
    let coverage = &row["coverage"];
    samples.add("mirrorwatch_ops_pending", &mirror, at(coverage, "/counts/pending").as_f64());
    samples.add("mirrorwatch_missing_ops", &mirror, row["open_misses"].as_f64());
    let labels = [("mirror", id), ("window", "6h")];
    samples.add("mirrorwatch_coverage_ratio", &labels, coverage["coverage_ratio"].as_f64());
    samples.add("mirrorwatch_lag_uncertainty_seconds", &mirror, seconds(at(row, "/lag/uncertainty_ms")));
    for (quantile, name) in QUANTILES {
        let labels = [("mirror", id), ("quantile", quantile)];
        samples.add("mirrorwatch_lag_quantile_seconds", &labels, seconds(at(row, &format!("/lag/{name}"))));
    }
    samples.add("mirrorwatch_head_lag_ops", &mirror, at(row, "/freshness/head_lag_ops").as_f64());
    samples.add("mirrorwatch_head_age_seconds", &mirror, at(row, "/freshness/head_age_s").as_f64());
    samples.add_words("mirrorwatch_verdict", &mirror, ("verdict", &VERDICTS), |verdict| row["state"] == verdict);
}

/// What is told of the observer's own parts.
fn own_parts(samples: &mut Samples, internals: &Value) {
    for row in internals["recomputers"].as_array().into_iter().flatten() {
        let name = word(&row["name"]);
        let by_name = [("name", name)];
        samples.add("mirrorwatch_recompute_duration_seconds", &by_name, seconds(&row["last_compute_ms"]));
        samples.add("mirrorwatch_snapshot_age_seconds", &by_name, seconds(&row["age_ms"]));
        let (runs, failures) = (row["runs"].as_f64().unwrap_or(0.0), row["failures"].as_f64().unwrap_or(0.0));
        for (result, count) in [("ok", runs - failures), ("failed", failures)] {
            samples.add("mirrorwatch_recompute_total", &[("name", name), ("result", result)], count);
        }
    }
    samples.add("mirrorwatch_tracker_entries", &[], at(internals, "/ledger/held_ops").as_f64());
    for outcome in ["received", "too_old", "refused"] {
        let count = at(internals, &format!("/log/{outcome}")).as_f64();
        samples.add("mirrorwatch_log_actions_total", &[("outcome", outcome)], count);
    }
    for (part, count) in internals["restarts"].as_object().into_iter().flatten() {
        samples.add("mirrorwatch_restarts_total", &[("part", part)], count.as_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pages_become_samples_and_what_cannot_be_told_is_left_out() {
        let row = |id: &str| {
            json!({ "id": id, "url": "wss://x\"y", "transport": "stream", "received_ops": 5, "state": "ok",
                "link": { "state": "synchronized", "reconnects": 2, "last_op_at": "1970-01-01T00:00:01.500Z" },
                "rtt": { "tcp_ms": 1.5, "tcp_info_ms": null }, "coverage": { "coverage_ratio": null, "counts": { "pending": 3 } } })
        };
        let overview = json!({ "primary": row("p"), "mirrors": [row("a")], "observer": { "flags": ["net_down"], "degraded": [] } });
        let internals = json!({ "recomputers": [{ "name": "lag", "runs": 5, "failures": 1, "age_ms": 250 }], "restarts": { "auditor": 2 },
            "log": { "received": 4, "too_old": 1, "refused": 0 } });
        let text = exposition(&overview, &internals, Some("1"));
        for line in [
            "mirrorwatch_build_info{version=\"1\"} 1",
            "mirrorwatch_mirror_info{mirror=\"a\",url=\"wss://x\\\"y\",transport=\"stream\",role=\"mirror\"} 1",
            "mirrorwatch_ops_received_total{host=\"p\"} 5",
            "mirrorwatch_rtt_seconds{host=\"a\",probe=\"tcp\"} 0.0015",
            "mirrorwatch_connection_state{host=\"a\",state=\"synchronized\"} 1",
            "mirrorwatch_connection_state{host=\"a\",state=\"waiting\"} 0",
            "mirrorwatch_last_op_timestamp_seconds{host=\"a\"} 1.5",
            "mirrorwatch_observer_impaired{flag=\"net_down\"} 1",
            "mirrorwatch_store_degraded 0",
            "mirrorwatch_recompute_total{name=\"lag\",result=\"ok\"} 4",
            "mirrorwatch_snapshot_age_seconds{name=\"lag\"} 0.25",
            "mirrorwatch_log_actions_total{outcome=\"too_old\"} 1",
            "mirrorwatch_restarts_total{part=\"auditor\"} 2",
        ] {
            assert!(text.lines().any(|l| l == line), "no {line} in\n{text}");
        }
        assert!(!text.contains("probe=\"tcp_info\"") && !text.contains("mirrorwatch_coverage_ratio{"), "{text}");
        for (name, kind, _) in METRICS {
            assert!(text.contains(&format!("# TYPE {name} {kind}\n")));
        }
    }
}
