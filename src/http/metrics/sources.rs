//! What is told of every source, the primary too.

use serde_json::Value;

use super::{LINK_STATES, Samples, Scrape, at, seconds, word};

/// Why links are lost, as far as it happens to most.
const LOST_BY: [&str; 4] = ["closed", "dead", "tcp", "ws"];

/// Adds what the overview says of sources, and what only ever grew.
pub(super) fn add(samples: &mut Samples, scrape: &Scrape) {
    let primary = at(&scrape.overview, "/primary");
    source(samples, primary, "primary");
    for row in at(&scrape.overview, "/mirrors").as_array().into_iter().flatten() {
        source(samples, row, "mirror");
    }
    for entry in at(&scrape.internals, "/since_start/sources").as_array().into_iter().flatten() {
        since_start(samples, entry, scrape.now_ms);
    }
    let gaps = at(primary, "/completeness/stream_gap_ops").as_f64();
    samples.add("mirrorwatch_seq_gap_ops_total", &[("host", word(&primary["id"]))], gaps);
}

fn source(samples: &mut Samples, row: &Value, role: &str) {
    let id = word(&row["id"]);
    let (url, transport) = (word(&row["url"]), word(&row["transport"]));
    let labels = [("mirror", id), ("url", url), ("transport", transport), ("role", role)];
    samples.add("mirrorwatch_mirror_info", &labels, 1.0);
    let host = [("host", id)];
    samples.add("mirrorwatch_ops_duplicate_total", &host, row["duplicate_ops"].as_f64());
    samples.add("mirrorwatch_frames_rejected_total", &host, row["rejected_frames"].as_f64());
    for (probe, name) in [("tcp", "tcp_ms"), ("tcp_info", "tcp_info_ms")] {
        let rtt = seconds(at(row, &format!("/rtt/{name}")));
        samples.add("mirrorwatch_rtt_seconds", &[("host", id), ("probe", probe)], rtt);
    }
    let link = &row["link"];
    samples.add_words("mirrorwatch_connection_state", &host, ("state", &LINK_STATES), |state| link["state"] == state);
    let last_op = instant_ms(&link["last_op_at"]).map(|ms| ms as f64 / 1e3);
    samples.add("mirrorwatch_last_op_timestamp_seconds", &host, last_op);
}

fn since_start(samples: &mut Samples, entry: &Value, now_ms: i64) {
    let id = word(&entry["id"]);
    let host = [("host", id)];
    for (class, name) in [("live", "live_ops"), ("catchup", "filled_ops")] {
        samples.add("mirrorwatch_ops_received_total", &[("host", id), ("class", class)], entry[name].as_f64());
    }
    let up = instant_ms(&entry["up_since_at"]).map(|since| now_ms.saturating_sub(since).max(0) as f64 / 1e3);
    samples.add("mirrorwatch_connection_uptime_seconds", &host, up);
    let counts = &entry["reconnects_by_reason"];
    samples.add_counts("mirrorwatch_reconnects_total", &host, ("reason", &LOST_BY), counts);
}

/// Milliseconds since 1970 of a label.
fn instant_ms(label: &Value) -> Option<i64> {
    label.as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok()).map(jiff::Timestamp::as_millisecond)
}
