//! Addresses for other programs, pages and machines.

use super::super::endpoint::Endpoint;
use super::super::parameter::{Parameter, one_of};
use super::super::shape::badge::Badge;
use super::super::shape::envelope::Health;
use super::super::shape::stats::Stats;
use crate::http::badges;
use serde_json::json;

/// The addresses.
pub(super) fn all() -> Vec<Endpoint> {
    let endpoints = [
        Endpoint::bare::<Stats>("/api/stats", "stats", "The shape of compare-plc, bounded"),
        badge(),
        Endpoint::document("/status", "status", "The verdicts as a document without scripts", "text/html"),
        Endpoint::new("get", "/status.css", "status_style", "Its style").strict().text(
            200,
            "The style.",
            "text/css",
            &["Cache-Control"],
        ),
        Endpoint::new("get", "/metrics", "metrics", "The figures for Prometheus")
            .about("For this machine alone. No label is ever a DID or a CID.")
            .strict()
            .text(200, "The text format 0.0.4.", "text/plain", &[])
            .problem(403, &["loopback_only"]),
        probe("/healthz", "healthz", "Whether every part of the process answers", "stuck"),
        probe("/readyz", "readyz", "Whether every page was computed and everything can be kept", "not_ready"),
    ];
    endpoints.into_iter().map(|endpoint| endpoint.tag("outside")).collect()
}

fn probe(path: &'static str, id: &'static str, summary: &'static str, code: &'static str) -> Endpoint {
    Endpoint::new("get", path, id, summary).answer_unkept::<Health>(200, "It is so.").problem(503, &[code])
}

fn badge() -> Endpoint {
    let files: Vec<String> = badges::files().collect();
    let schema = one_of(files.iter().map(String::as_str));
    let mut made = Endpoint::bare::<Badge>(
        "/badge/{id}/{file}",
        "badge",
        "A badge of a mirror's figure for other sites: a picture, or what shields.io makes one of",
    );
    let shape = made.describe::<Badge>();
    let content = json!({
        "image/svg+xml": { "schema": { "type": "string" } },
        "application/json": { "schema": shape },
    });
    made.respond(200, "The badge.", &content, &["ETag", "Last-Modified", "Cache-Control", "Vary", "Server-Timing"])
        .of_mirror()
        .with(Parameter::path("file", "Which figure, and in which form.", &schema))
        .problem(404, &["no_such_badge"])
}
