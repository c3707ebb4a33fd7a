//! The document as a whole.

use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use super::endpoint::{EVERYWHERE, problem};
use super::endpoints;
use super::shape::problem::{ProblemDetails, WrongPart};
use super::shape::text::{CidText, DidText};

const ABOUT: &str = "\
How complete, how late and how truthful each mirror of the did:plc directory is.

Units stand in the names; a value that cannot be told is `null`, mostly beside its reason (`NAME_reason`); 0 means zero. Instants \
are RFC 3339 in UTC with milliseconds. Words may be added to every list of words and members to every object: tolerate what \
you do not know.

Finished pages are computed in the background and never limited; their `Cache-Control` says how long they stay the newest. \
Every address that takes GET takes HEAD and OPTIONS too, and answers other methods with 405, the problem \
`method_not_allowed` and `Allow`. All that can be read here may be read by pages of any origin, unless the operator says \
otherwise. Unknown and repeated parameters are refused.

What is a table is CSV and NDJSON too, by `Accept` or at the same path with `.csv` or `.ndjson` at its end: one fact is one row, \
and the name of a column is the path to the member, as `coverage.counts.missed`.";

/// Groups of addresses, in the order in which they are shown.
pub const TAGS: [(&str, &str); 7] = [
    ("now", "How things stand: finished pages."),
    ("analytics", "Figures by window: finished pages, and one mirror looked at closely."),
    ("operations", "Single operations and DIDs: computed for the request."),
    ("live", "What changes, as it changes."),
    ("nodes", "The log that nodes share; there where the operator has configured nodes."),
    ("operator", "What the operator may do, and others where he allows it."),
    ("outside", "Addresses for other programs, pages and machines."),
];

/// The document.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut schemas: Map<String, Value> = Map::new();
    for endpoint in endpoints::all() {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method] = endpoint.told();
        for (name, schema) in &endpoint.schemas {
            schemas.entry(name.clone()).or_insert_with(|| json!(schema));
        }
    }
    add::<ProblemDetails>(&mut schemas);
    add::<WrongPart>(&mut schemas);
    add::<DidText>(&mut schemas);
    add::<CidText>(&mut schemas);
    let tags = TAGS.map(|(name, about)| json!({ "name": name, "description": about }));
    let responses: Map<String, Value> = EVERYWHERE
        .iter()
        .map(|(status, name, codes)| ((*name).to_owned(), problem(*status, codes)))
        .chain([("MethodNotAllowed".to_owned(), problem(405, &["method_not_allowed"]))])
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "mirrorwatch",
            "version": "1",
            "summary": "Watches the did:plc directory and its mirrors",
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses,
            "headers": headers(),
            "securitySchemes": { "operator": {
                "type": "http",
                "scheme": "bearer",
                "description": "The operator's token, with `X-Requested-By` of any value beside it.",
            } },
        },
    })
}

fn add<T: ToSchema + PartialSchema>(schemas: &mut Map<String, Value>) {
    schemas.insert(T::name().into_owned(), json!(T::schema()));
}

/// Every header that answers have, by its name.
fn headers() -> Value {
    let text = |about: &str, is_always: bool| json!({ "description": about, "required": is_always, "schema": { "type": "string" } });
    json!({
        "ETag": text("Strong tag of these very bytes before compression.", true),
        "Last-Modified": text("When the answer was made.", true),
        "Cache-Control": text("For how long the answer stays the newest; `no-store` on problems and live data.", true),
        "Vary": text("What the answer depends on besides its address.", true),
        "Server-Timing": text("`snap;dur=` is the age of the data in milliseconds.", true),
        "Link": text("`rel=\"next\"`: the next page.", false),
        "Content-Disposition": text("The name under which the answer is kept as a file.", true),
        "Location": text("Where to look for what comes of it.", true),
        "Retry-After": text("Seconds to wait before asking again.", true),
        "RateLimit": text("What is left of the limit, and when it is whole again.", false),
        "RateLimit-Policy": text("The limit.", false),
        "Allow": text("The methods that are allowed.", true),
        "Upgrade": text("`websocket`.", true),
        "WWW-Authenticate": text("`Bearer`.", true),
    })
}
