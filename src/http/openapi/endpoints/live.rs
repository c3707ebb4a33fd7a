//! What changes, as it changes; and the log that nodes share.

use super::super::endpoint::Endpoint;
use super::super::parameter::{self, Parameter};
use super::super::shape::log::LogPage;
use serde_json::{Value, json};

/// Why a connection that stays is not given.
fn seated(endpoint: Endpoint) -> Endpoint {
    endpoint
        .problem(403, &["wrong_origin"])
        .problem(429, &["rate_limited", "too_many_sockets"])
        .problem(503, &["restarting", "overloaded"])
}

fn socket(path: &'static str, id: &'static str, summary: &'static str) -> Endpoint {
    seated(Endpoint::new("get", path, id, summary))
        .strict()
        .respond(101, "The connection is a WebSocket from now on.", &Value::Null, &[])
        .problem(400, &["bad_handshake"])
        .problem(426, &["upgrade_required"])
}

fn events(path: &'static str, id: &'static str, summary: &'static str) -> Endpoint {
    let last = Parameter::header("Last-Event-ID", "Id of the last event that came.", &json!({ "type": "string" }));
    seated(Endpoint::new("get", path, id, summary))
        .strict()
        .text(200, "Server-sent events, without an end.", "text/event-stream", &["Cache-Control"])
        .with(last)
}

/// The addresses.
pub(super) fn all() -> Vec<Endpoint> {
    let number = json!({ "type": "integer", "minimum": 0 });
    let after = || Parameter::query("after", "Only what has a higher number.", &number);
    let kind = || {
        let schema = json!({ "type": "string", "pattern": "^[^*]+\\**$|^\\*+$" });
        Parameter::query("type", "Only this type; with `*` at its end, every type that begins so.", &schema)
    };
    let last = json!({ "type": "integer", "minimum": 1, "maximum": 1000 });
    let topics = json!({ "type": "string" });
    vec![
        socket("/api/v1/live", "live", "Which page has a new revision, over WebSocket")
            .about(
                "First a `hello` with the topics; then `{\"type\":\"revision\",\"topic\",\"revision\"}` for each page that \
                 changed, and `{\"type\":\"lagged\"}` to who reads slowly. `{\"type\":\"subscribe\",\"topics\":[…]}` narrows it. \
                 The topic `ops`, which nobody gets without asking, brings `{\"type\":\"ops\"}`: the newest operations as \
                 `/api/v1/ops/recent` tells them, all of them first (`is_whole`), then those that changed; or \
                 `{\"type\":\"refused\",\"topic\":\"ops\",\"code\":\"too_many_ops_readers\",\"limit\"}` while as many \
                 readers get them as may: ask again later.",
            )
            .tag("live"),
        events("/api/v1/stream", "stream", "The same as server-sent events")
            .with(Parameter::query("topics", "Only these, with commas between them.", &topics).example("overview,events"))
            .problem(400, &["bad_topics"])
            .problem(406, &["not_acceptable"])
            .problem(429, &["too_many_ops_readers"])
            .tag("live"),
        Endpoint::new("get", "/api/v1/log", "log", "The log that nodes share, page by page")
            .strict()
            .answer_unkept::<LogPage>(200, "Actions by their numbers, oldest first.")
            .header(200, "Link")
            .tabular()
            .with(after())
            .with(parameter::limit())
            .with(kind())
            .with(Parameter::query("last", "So many of the newest, oldest first: of one `type`, without `after`.", &last))
            .problem(400, &["bad_after", "bad_last", "bad_limit", "bad_type"])
            .problem(404, &["not_found"])
            .problem(406, &["not_acceptable"])
            .problem(429, &["rate_limited"])
            .problem(503, &["log_unavailable"])
            .tag("nodes"),
        events("/api/v1/log/stream", "log_stream", "The same as server-sent events, whose ids are the numbers")
            .with(after())
            .with(kind())
            .problem(400, &["bad_after", "bad_last_event_id", "bad_type"])
            .problem(404, &["not_found"])
            .tag("nodes"),
        socket("/api/v1/sync", "sync", "The same over the Logux protocol")
            .problem(404, &["not_found"])
            .tag("nodes"),
        socket("/api/v1/logux", "logux", "What is published, in channels of the Logux protocol")
            .about(
                "For npm's `@logux/client`: `logux/subscribe` with a channel brings its state, `logux/processed`, and each newer \
                 state from then on, until `logux/unsubscribe`. Channels are `mirrors`, `mirrors/{id}` and `incidents`, as \
                 `{\"type\":\"mirrorwatch/mirrors\",\"channel\",\"revision\",\"generated_at\",\"data\"}` with the data of the \
                 page of that name (`mirrorwatch/mirror`, `mirrorwatch/incidents`), and `nodes`, whose actions are those of \
                 the log. Nothing is written here: any other action is undone.",
            )
            .problem(404, &["not_found"])
            .tag("nodes"),
    ]
}
