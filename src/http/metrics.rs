//! `/metrics` for Prometheus: the figures of the published pages under other names, for the machine's own scraper.
//!
//! A scrape reads what readers read and asks nobody. Labels are few and known: ids of sources, words, names of parts; never a
//! DID or a CID. A value that cannot be told is left out.

mod judged;
mod own;
mod sources;

use std::collections::BTreeMap;
use std::fmt::Write;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::Value;

use super::problem::Problem;
use super::query::Params;
use super::routes::window_key;
use super::state::HttpState;
use super::timings::OfRoute;
use crate::domain::view::at;
use crate::domain::window_kind::WindowKind;

/// The version of the text format.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Every metric: name, kind, and what it says.
pub const METRICS: [(&str, &str, &str); 53] = [
    ("mirrorwatch_build_info", "gauge", "The version, where it may be told"),
    ("mirrorwatch_mirror_info", "gauge", "Who the sources are"),
    (
        "mirrorwatch_ops_received_total",
        "counter",
        "Distinct operations of a source, live or brought by a fill (catchup)",
    ),
    ("mirrorwatch_ops_duplicate_total", "counter", "Operations that a source sent again"),
    ("mirrorwatch_frames_rejected_total", "counter", "Frames of a source that were refused"),
    ("mirrorwatch_op_outcomes_total", "counter", "Operations by outcome at a mirror, counted once decided"),
    ("mirrorwatch_ops_pending", "gauge", "Operations that are not decided at a mirror"),
    ("mirrorwatch_outcome_revisions_total", "counter", "Outcomes that gave way to others"),
    ("mirrorwatch_missing_ops", "gauge", "Operations that a mirror has not delivered for at least so long"),
    ("mirrorwatch_extra_ops", "gauge", "Operations that only a mirror has for at least so long"),
    ("mirrorwatch_open_misses", "gauge", "Operations that a mirror misses now"),
    ("mirrorwatch_coverage_ratio", "gauge", "Delivered of what was decided"),
    ("mirrorwatch_lag_seconds", "histogram", "Corrected lag of what came after the primary's"),
    ("mirrorwatch_lead_seconds", "histogram", "By how much earlier than the primary's, corrected, what came before it"),
    ("mirrorwatch_lag_correction_seconds", "gauge", "What is taken off the lag for network distance, mean of one hour"),
    ("mirrorwatch_lag_uncertainty_seconds", "gauge", "How far the corrected lag may be off"),
    ("mirrorwatch_lag_quantile_seconds", "gauge", "Corrected lag of one hour by percentile, as the pages show it"),
    ("mirrorwatch_head_lag_ops", "gauge", "Operations that a mirror is behind"),
    ("mirrorwatch_head_age_seconds", "gauge", "How old the first operation is that a mirror is behind"),
    ("mirrorwatch_rtt_seconds", "gauge", "Round trip to a source"),
    ("mirrorwatch_connection_state", "gauge", "1 for the state that a link is in"),
    ("mirrorwatch_reconnects_total", "counter", "Connections that followed a lost one, by why that was lost"),
    ("mirrorwatch_connection_uptime_seconds", "gauge", "How long a link is up"),
    ("mirrorwatch_last_op_timestamp_seconds", "gauge", "When the last operation came"),
    ("mirrorwatch_seq_gap_ops_total", "counter", "Operations that a source's log lists and its stream did not send"),
    ("mirrorwatch_order_violations_total", "counter", "Operations that came before the one that they name as prev"),
    ("mirrorwatch_integrity_failures_total", "counter", "Content that is not what it claims to be"),
    ("mirrorwatch_equivocations_open", "gauge", "Two contents under one number or one prev"),
    ("mirrorwatch_confirmations_total", "counter", "Misses and extras that were explained, by what was found"),
    ("mirrorwatch_audit_samples_total", "counter", "Samples of whole logs, by how they compared"),
    ("mirrorwatch_verdict", "gauge", "1 for the state that a mirror is in"),
    ("mirrorwatch_slo_alarm", "gauge", "1 where a mirror uses its budget up so fast that this alarm goes off"),
    (
        "mirrorwatch_slo_burn_rate",
        "gauge",
        "How many times as fast as allowed a mirror uses up what it may miss or delay",
    ),
    ("mirrorwatch_incidents_open", "gauge", "Incidents of a mirror that go on"),
    ("mirrorwatch_observer_impaired", "gauge", "1 for each reason why the observer cannot be believed now"),
    ("mirrorwatch_observer_impaired_seconds_total", "counter", "For how long each such reason held"),
    ("mirrorwatch_clock_offset_seconds", "gauge", "By how much the system's clock has moved away from the labels"),
    ("mirrorwatch_store_degraded", "gauge", "1 while nothing can be kept"),
    ("mirrorwatch_recompute_duration_seconds", "gauge", "The last computation of a page"),
    ("mirrorwatch_recompute_total", "counter", "Computations by result"),
    ("mirrorwatch_snapshot_age_seconds", "gauge", "How old the pages of a recomputer are"),
    ("mirrorwatch_tracker_entries", "gauge", "Operations that are held"),
    ("mirrorwatch_mailbox_depth", "gauge", "Messages of sources that an actor has not answered yet"),
    ("mirrorwatch_dropped_total", "counter", "What was let go at a bound"),
    ("mirrorwatch_log_actions_total", "counter", "Actions that other nodes sent, by what became of them"),
    ("mirrorwatch_restarts_total", "counter", "Parts that ended by themselves and were started anew"),
    ("mirrorwatch_validated_ops_total", "counter", "Operations of the primary that were checked by all rules"),
    ("mirrorwatch_invalid_ops_total", "counter", "Those of them that break a rule"),
    ("mirrorwatch_http_panics_total", "counter", "Answers whose code panicked"),
    (
        "mirrorwatch_http_request_duration_seconds",
        "histogram",
        "From a request's head to the begin of its answer, by the pattern of the route",
    ),
    ("mirrorwatch_live_foreign_origins_total", "counter", "Live sockets that pages of other origins opened"),
    ("mirrorwatch_live_refused_origins_total", "counter", "Live sockets that pages of other origins were refused"),
    (
        "mirrorwatch_live_refused_ops_readers_total",
        "counter",
        "Readers of operations that came when there were too many",
    ),
];

/// States of a link, as the pages name them.
const LINK_STATES: [&str; 6] = ["disconnected", "waiting", "connecting", "catching_up", "synchronized", "unsupported"];
/// Percentiles of lag, and their names in the pages.
const PERCENTILES: [(&str, &str); 3] = [("p50", "p50_ms"), ("p95", "p95_ms"), ("p99", "p99_ms")];

/// Answers a scrape.
///
/// # Errors
/// 403 for whoever is not on this machine.
pub fn answer(request: &HttpRequest, state: &HttpState) -> Result<HttpResponse, Problem> {
    if !state.client(request).to_canonical().is_loopback() {
        return Err(Problem::new(StatusCode::FORBIDDEN, "loopback_only", "metrics are for this machine alone"));
    }
    Params::parse(request.query_string(), &[])?;
    let body = |key: &str| state.pages.get(key).map(|page| page.load().body.identity.clone()).unwrap_or_default();
    let data = |key: &str| {
        let page = serde_json::from_slice::<Value>(&body(key)).unwrap_or_default();
        page.get("data").cloned().unwrap_or_default()
    };
    let coverage = |window: WindowKind| {
        let page = body(&window_key("analytics/coverage", window));
        (window.name(), serde_json::from_slice::<CoveragePage>(&page).unwrap_or_default())
    };
    let scrape = Scrape {
        overview: data("overview"),
        internals: data("internals"),
        divergence: data("analytics/divergence"),
        incidents: data("incidents"),
        slo: data("slo"),
        coverage: WindowKind::ALL.map(coverage).into(),
        answers: state.timings.told(),
        now_ms: state.now_ms(),
    };
    let text = exposition(&scrape, state.options.version.as_deref());
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .content_type(TEXT)
        .body(text))
}

/// The pages that a scrape is made of.
struct Scrape {
    overview: Value,
    internals: Value,
    divergence: Value,
    incidents: Value,
    slo: Value,
    coverage: Vec<(&'static str, CoveragePage)>,
    answers: BTreeMap<String, OfRoute>,
    now_ms: i64,
}

/// The little that is read of the largest pages.
#[derive(Default, Deserialize)]
struct CoveragePage {
    data: CoverageRows,
}

#[derive(Default, Deserialize)]
struct CoverageRows {
    mirrors: Vec<CoverageRow>,
}

#[derive(Deserialize)]
struct CoverageRow {
    id: String,
    coverage: CoverageRatio,
}

#[derive(Deserialize)]
struct CoverageRatio {
    coverage_ratio: Option<f64>,
}

/// Samples, in the order of [`METRICS`].
struct Samples(Vec<String>);

impl Samples {
    /// Adds a sample of a metric of the list; none is left out, and so is what is no number.
    fn add(&mut self, name: &str, labels: &[(&str, &str)], value: impl Into<Option<f64>>) {
        self.add_part(name, "", labels, value);
    }

    /// The same for a part of a histogram.
    fn add_part(&mut self, name: &str, suffix: &str, labels: &[(&str, &str)], value: impl Into<Option<f64>>) {
        let (Some(value), Some(place)) = (value.into(), METRICS.iter().position(|metric| metric.0 == name)) else {
            debug_assert!(METRICS.iter().any(|metric| metric.0 == name), "{name} is not listed");
            return;
        };
        let Some(lines) = self.0.get_mut(place) else { return };
        lines.push_str(name);
        lines.push_str(suffix);
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

    /// One sample for each word of a count by word: those that are known, at least 0, and whatever else is counted.
    fn add_counts(&mut self, name: &str, labels: &[(&str, &str)], (label, known): (&str, &[&str]), counts: &Value) {
        let mut by_word: BTreeMap<&str, f64> = known.iter().map(|word| (*word, 0.0)).collect();
        let counted = counts.as_object().into_iter().flatten();
        by_word.extend(counted.filter_map(|(word, count)| Some((word.as_str(), count.as_f64()?))));
        for (word, count) in by_word {
            let labels: Vec<(&str, &str)> = labels.iter().copied().chain([(label, word)]).collect();
            self.add(name, &labels, count);
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

fn seconds(ms: &Value) -> Option<f64> {
    ms.as_f64().map(|ms| ms / 1e3)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What the pages say, as text for Prometheus.
fn exposition(scrape: &Scrape, version: Option<&str>) -> String {
    let mut samples = Samples(vec![String::new(); METRICS.len()]);
    samples.add("mirrorwatch_build_info", &[("version", version.unwrap_or("hidden"))], 1.0);
    sources::add(&mut samples, scrape);
    judged::add(&mut samples, scrape);
    own::add(&mut samples, scrape);
    samples.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::timings::Counts;
    use serde_json::json;

    fn scrape() -> Scrape {
        let row = |id: &str| {
            json!({ "id": id, "url": "wss://x\"y", "transport": "stream", "received_ops": 5, "state": "stalled",
                "link": { "state": "synchronized", "reconnects": 2, "last_op_at": "1970-01-01T00:00:01.500Z" },
                "rtt": { "tcp_ms": 1.5, "tcp_info_ms": null }, "content": { "corrupt": 2, "equivocation": 1 },
                "lag": { "correction_ms": -3.0, "p95_ms": 40 }, "coverage": { "counts": { "pending": 3 } } })
        };
        let lag = json!({ "le_s": [0.001, 0.01], "counts": [2, 1, 4], "sum_s": 7.5 });
        let tally = json!({ "id": "a", "live_ops": 4, "filled_ops": 1, "up_since_at": "1970-01-01T00:00:01.000Z",
            "reconnects_by_reason": { "dead": 3 }, "outcomes": [["missed", "update", 2]], "confirmations": { "data_loss": 1 },
            "revisions": [["missed", "late", 1]], "samples_by_result": { "fork": 1 }, "lag": lag, "lead": lag, "findings_let_go": 5 });
        Scrape {
            overview: json!({ "primary": row("p"), "mirrors": [row("a")],
                "observer": { "flags": ["net_down"], "degraded": [] } }),
            internals: json!({ "recomputers": [{ "name": "lag", "runs": 5, "failures": 1, "age_ms": 250 }],
                "queues": [{ "name": "collector", "limit": 1024, "waiting": 2 }, { "name": "other", "limit": 3, "waiting": 1 }],
                "restarts": { "auditor": 2, "source a": 0 }, "validity": { "validated": 9, "not_validated": 1, "invalid": 0 },
                "ledger": { "held_ops": 7, "dropped_by_us": 3 },
                "since_start": { "sources": [tally], "impaired_s": { "net_down": 2.5 }, "clock_offset_s": -0.04 }, "http": { "panics": 3, "refused_ops_readers": 2 },
                "log": { "received": 4, "too_old": 1, "refused": 0, "busy": 6, "dropped": 8 } }),
            divergence: json!({ "age_ge_s": [1, 60], "mirrors": [{ "id": "a", "missing_ops": [4, 2], "extra_ops": [1, 0] }] }),
            incidents: json!({ "open_by_mirror": { "a": 2 } }),
            slo: json!({ "mirrors": [{ "id": "a", "objectives": [
                { "slo": "coverage", "alarm": "page", "burn_rates": { "1h": 14.5, "5m": null, "reasons": { "5m": "no_data" } } }
            ] }] }),
            coverage: vec![(
                "5m",
                serde_json::from_value(json!({ "data": { "mirrors": [
                    { "id": "a", "coverage": { "coverage_ratio": 0.5 } }, { "id": "b", "coverage": { "coverage_ratio": null } }
                ] } }))
                .unwrap(),
            )],
            answers: BTreeMap::from([(
                "/a/{id}".to_owned(),
                OfRoute::from([(("GET", 200), Counts { buckets: [1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], sum_us: 3_000_000 })]),
            )]),
            now_ms: 61_000,
        }
    }

    #[test]
    fn pages_become_samples_and_what_cannot_be_told_is_left_out() {
        let text = exposition(&scrape(), Some("1"));
        for line in [
            "mirrorwatch_build_info{version=\"1\"} 1",
            "mirrorwatch_mirror_info{mirror=\"a\",url=\"wss://x\\\"y\",transport=\"stream\",role=\"mirror\"} 1",
            "mirrorwatch_ops_received_total{host=\"a\",class=\"live\"} 4",
            "mirrorwatch_ops_received_total{host=\"a\",class=\"catchup\"} 1",
            "mirrorwatch_rtt_seconds{host=\"a\",probe=\"tcp\"} 0.0015",
            "mirrorwatch_connection_state{host=\"a\",state=\"synchronized\"} 1",
            "mirrorwatch_connection_state{host=\"a\",state=\"waiting\"} 0",
            "mirrorwatch_connection_uptime_seconds{host=\"a\"} 60",
            "mirrorwatch_reconnects_total{host=\"a\",reason=\"closed\"} 0",
            "mirrorwatch_reconnects_total{host=\"a\",reason=\"dead\"} 3",
            "mirrorwatch_last_op_timestamp_seconds{host=\"a\"} 1.5",
            "mirrorwatch_op_outcomes_total{mirror=\"a\",outcome=\"missed\",kind=\"update\"} 2",
            "mirrorwatch_op_outcomes_total{mirror=\"a\",outcome=\"on_time\",kind=\"genesis\"} 0",
            "mirrorwatch_outcome_revisions_total{mirror=\"a\",from=\"missed\",to=\"late\"} 1",
            "mirrorwatch_missing_ops{mirror=\"a\",age_ge_seconds=\"60\"} 2",
            "mirrorwatch_incidents_open{mirror=\"a\"} 2",
            "mirrorwatch_mailbox_depth{actor=\"collector\"} 2",
            "mirrorwatch_slo_burn_rate{mirror=\"a\",slo=\"coverage\",window=\"1h\"} 14.5",
            "mirrorwatch_slo_alarm{mirror=\"a\",slo=\"coverage\",severity=\"page\"} 1",
            "mirrorwatch_slo_alarm{mirror=\"a\",slo=\"coverage\",severity=\"ticket\"} 0",
            "mirrorwatch_extra_ops{mirror=\"a\",age_ge_seconds=\"1\"} 1",
            "mirrorwatch_coverage_ratio{mirror=\"a\",window=\"5m\"} 0.5",
            "mirrorwatch_lag_seconds_bucket{mirror=\"a\",le=\"0.01\"} 3",
            "mirrorwatch_lag_seconds_bucket{mirror=\"a\",le=\"+Inf\"} 7",
            "mirrorwatch_lag_seconds_sum{mirror=\"a\"} 7.5",
            "mirrorwatch_lag_seconds_count{mirror=\"a\"} 7",
            "mirrorwatch_lag_correction_seconds{mirror=\"a\",method=\"tcp\"} -0.003",
            "mirrorwatch_lag_quantile_seconds{mirror=\"a\",percentile=\"p95\"} 0.04",
            "mirrorwatch_integrity_failures_total{mirror=\"a\",check=\"corrupt\"} 2",
            "mirrorwatch_equivocations_open{mirror=\"a\"} 1",
            "mirrorwatch_confirmations_total{mirror=\"a\",result=\"data_loss\"} 1",
            "mirrorwatch_audit_samples_total{mirror=\"a\",result=\"fork\"} 1",
            "mirrorwatch_verdict{mirror=\"a\",verdict=\"stalled\"} 1",
            "mirrorwatch_verdict{mirror=\"a\",verdict=\"ok\"} 0",
            "mirrorwatch_observer_impaired{flag=\"net_down\"} 1",
            "mirrorwatch_observer_impaired_seconds_total{flag=\"net_down\"} 2.5",
            "mirrorwatch_clock_offset_seconds -0.04",
            "mirrorwatch_store_degraded 0",
            "mirrorwatch_recompute_total{name=\"lag\",result=\"ok\"} 4",
            "mirrorwatch_snapshot_age_seconds{name=\"lag\"} 0.25",
            "mirrorwatch_dropped_total{what=\"findings\"} 5",
            "mirrorwatch_dropped_total{what=\"frames\"} 3",
            "mirrorwatch_log_actions_total{outcome=\"too_old\"} 1",
            "mirrorwatch_log_actions_total{outcome=\"busy\"} 6",
            "mirrorwatch_dropped_total{what=\"log_actions\"} 8",
            "mirrorwatch_restarts_total{part=\"auditor\"} 2",
            "mirrorwatch_restarts_total{part=\"source a\"} 0",
            "mirrorwatch_http_panics_total 3",
            "mirrorwatch_live_refused_ops_readers_total 2",
            "mirrorwatch_http_request_duration_seconds_bucket{route=\"/a/{id}\",method=\"GET\",status=\"200\",le=\"0.0001\"} 1",
            "mirrorwatch_http_request_duration_seconds_bucket{route=\"/a/{id}\",method=\"GET\",status=\"200\",le=\"2.5\"} 3",
            "mirrorwatch_http_request_duration_seconds_bucket{route=\"/a/{id}\",method=\"GET\",status=\"200\",le=\"+Inf\"} 4",
            "mirrorwatch_http_request_duration_seconds_sum{route=\"/a/{id}\",method=\"GET\",status=\"200\"} 3",
            "mirrorwatch_http_request_duration_seconds_count{route=\"/a/{id}\",method=\"GET\",status=\"200\"} 4",
        ] {
            assert!(text.lines().any(|l| l == line), "no {line} in\n{text}");
        }
        assert!(!text.contains("probe=\"tcp_info\"") && !text.contains("mirror=\"b\""), "{text}");
        for (name, kind, _) in METRICS {
            assert!(text.contains(&format!("# TYPE {name} {kind}\n")));
        }
    }
}
