//! What the operator may do, and others where he allows it.

use super::super::endpoint::Endpoint;
use super::super::parameter;
use super::super::shape::envelope::{RecheckAccepted, ReprobeAccepted};

const HEADERS: &[&str] = &["Location", "Retry-After", "Cache-Control"];

fn act(path: &'static str, id: &'static str, summary: &'static str) -> Endpoint {
    Endpoint::new("post", path, id, summary)
        .operators()
        .about("A body is not needed; one that is sent must be JSON, and is not looked at.")
        .strict()
        .problem(400, &["bad_body", "bad_json", "missing_requested_by"])
        .problem(401, &["unauthorized"])
        .problem(403, &["cross_site"])
        .problem(404, &["not_enabled"])
        .problem(408, &["request_timeout"])
        .problem(411, &["length_required"])
        .problem(415, &["unsupported_media_type"])
        .problem(429, &["rate_limited"])
        .problem(503, &["overloaded"])
        .tag("operator")
}

/// The addresses.
pub(super) fn all() -> Vec<Endpoint> {
    vec![
        act("/api/v1/dids/{did}/recheck", "recheck", "Ask every host about a DID now")
            .answer::<RecheckAccepted>(202, "Begun, or under way already.", HEADERS)
            .with(parameter::did())
            .problem(400, &["bad_did"]),
        act("/api/v1/mirrors/{id}/reprobe", "reprobe", "Choose anew how a mirror's operations are taken")
            .answer::<ReprobeAccepted>(202, "Begun.", HEADERS)
            .of_mirror()
            .problem(409, &["fixed_transport"]),
    ]
}
