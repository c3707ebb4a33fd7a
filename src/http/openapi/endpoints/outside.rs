//! Addresses for other programs, pages and machines.

use super::super::endpoint::Endpoint;
use super::super::parameter::{Parameter, one_of};
use super::super::shape::badge::Badge;
use super::super::shape::envelope::Health;
use super::super::shape::stats::Stats;
use crate::domain::view::embed::EmbedKind;
use crate::http::{badges, feeds};
use serde_json::json;

/// Headers of a text that changes with the program only.
const FIXED: &[&str] = &["ETag", "Cache-Control", "Vary"];

/// The addresses.
pub(super) fn all() -> Vec<Endpoint> {
    let endpoints = [
        Endpoint::bare::<Stats>("/api/stats", "stats", "The shape of compare-plc, bounded"),
        badge(),
        embed(),
        style("/embed.css", "embed_style"),
        feed(),
        fixed(
            Endpoint::new("get", "/llms.txt", "llms", "What this is and how to read it, for machines that read texts"),
            "The text.",
            "text/plain",
        ),
        Endpoint::document("/status", "status", "The verdicts as a document without scripts", "text/html"),
        style("/status.css", "status_style"),
        Endpoint::document(
            "/mirrorlist.txt",
            "mirrorlist",
            "The addresses of the mirrors whose stream can be used now, one a line, best first",
            "text/plain",
        )
        .about("Comment lines begin with `#` and say why who is not listed is not. A copy may be 15 s old."),
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

fn style(path: &'static str, id: &'static str) -> Endpoint {
    fixed(Endpoint::new("get", path, id, "Its style"), "The style.", "text/css")
}

/// A text that changes with the program only.
fn fixed(endpoint: Endpoint, about: &str, media: &str) -> Endpoint {
    let made = endpoint.strict().text(200, about, media, FIXED);
    made.respond(304, "Known already by `If-None-Match`.", &json!(null), FIXED)
}

fn embed() -> Endpoint {
    Endpoint::document(
        "/embed/{id}/{chart}",
        "embed",
        "A mirror's figure as a picture with its words, for a frame of another site",
        "text/html",
    )
    .of_mirror()
    .with(Parameter::path("chart", "Which figure.", &one_of(EmbedKind::ALL.map(EmbedKind::name))))
    .problem(404, &["no_such_chart"])
}

fn feed() -> Endpoint {
    let files: Vec<String> = feeds::files().collect();
    let content = json!({
        "application/atom+xml": { "schema": { "type": "string" } },
        "application/feed+json": { "schema": { "type": "object" } },
    });
    let about = "What happened, or changes of state alone, as Atom or JSON Feed 1.1";
    Endpoint::document("/feeds/{file}", "feed", about, "application/atom+xml")
        .respond(200, "The feed.", &content, &["ETag", "Last-Modified", "Cache-Control", "Vary", "Server-Timing"])
        .with(Parameter::path("file", "Which feed, and in which form.", &one_of(files.iter().map(String::as_str))))
        .problem(404, &["no_such_feed"])
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
