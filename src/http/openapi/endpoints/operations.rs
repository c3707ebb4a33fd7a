//! Single operations and DIDs.

use super::super::endpoint::Endpoint;
use super::super::parameter::{self, Parameter, one_of};
use super::super::shape::compare::ComparePage;
use super::super::shape::did::DidPage;
use super::super::shape::evidence::EvidencePage;
use super::super::shape::op::OpPage;
use super::super::shape::ops::OpsPage;
use super::super::shape::recent::RecentPage;
use super::super::shape::sessions::SessionsPage;
use crate::domain::op::Kind;
use crate::domain::view::ops::{Confirmation, Outcome};
use crate::domain::window_kind::WindowKind;
use serde_json::{Value, json};

/// The addresses.
pub(super) fn all() -> Vec<Endpoint> {
    let endpoints = [
        filtered(
            Endpoint::detail::<OpsPage>("/api/v1/mirrors/{id}/ops", "mirror_ops", "Operations of one mirror")
                .of_mirror(),
        ),
        Endpoint::detail::<SessionsPage>(
            "/api/v1/mirrors/{id}/sessions",
            "sessions",
            "When a mirror's link was up, and what ended each time",
        )
        .of_mirror()
        .tabular(),
        filtered(
            Endpoint::detail::<OpsPage>("/api/v1/ops", "ops", "Operations of all mirrors")
                .with(Parameter::query("mirror", "Only those of this mirror.", &json!({ "type": "string" })))
                .problem(404, &["no_such_mirror"]),
        ),
        Endpoint::detail::<RecentPage>(
            "/api/v1/ops/recent",
            "recent_ops",
            "The newest operations with each mirror's arrival",
        )
        .about("The same as the topic `ops` of `/api/v1/live` and `/api/v1/stream` brings first."),
        of_op(Endpoint::detail::<OpPage>("/api/v1/ops/{did}/{cid}", "op", "One operation at every host")),
        of_op(Endpoint::detail::<EvidencePage>(
            "/api/v1/ops/{did}/{cid}/evidence",
            "evidence",
            "What an operator needs to check what is said about one operation",
        ))
        .header(200, "Content-Disposition")
        .about("To be kept as a file, which `Content-Disposition` names."),
        Endpoint::detail::<DidPage>("/api/v1/dids/{did}", "did", "One DID at every host")
            .with(parameter::did())
            .problem(400, &["bad_did"])
            .problem(404, &["no_such_did"]),
        Endpoint::detail::<ComparePage>(
            "/api/v1/compare",
            "compare",
            "Two hosts side by side, without the primary as their judge",
        )
        .with(host("a", "Id of one host: a mirror or the primary."))
        .with(host("b", "Id of another host."))
        .windowed(WindowKind::H6)
        .problem(400, &["missing_parameter", "same_host"])
        .problem(404, &["no_such_host"])
        .tabular(),
    ];
    endpoints.into_iter().map(|endpoint| endpoint.tag("operations")).collect()
}

fn host(name: &str, about: &str) -> Parameter {
    Parameter::query(name, about, &json!({ "type": "string" })).required()
}

fn of_op(endpoint: Endpoint) -> Endpoint {
    endpoint
        .with(parameter::did())
        .with(parameter::cid())
        .problem(400, &["bad_did", "bad_cid"])
        .problem(404, &["no_such_op"])
}

/// A list of operations: what it can be narrowed to, and its pages.
fn filtered(endpoint: Endpoint) -> Endpoint {
    let reference = |name: &str| -> Value { json!({ "$ref": format!("#/components/schemas/{name}") }) };
    let instant = json!({ "type": "string", "format": "date-time" });
    let words = [
        (
            "verdict",
            "Only of this outcome; without it, whatever is not on time.",
            one_of(Outcome::all().map(Outcome::name)),
        ),
        (
            "confirmation",
            "Only with this finding; `none` is without any.",
            one_of(Confirmation::all().map(Confirmation::name)),
        ),
        (
            "chain",
            "Only misses that follow from none (`root`), or from an earlier one (`follower`). Not beside `follows`.",
            one_of(["root", "follower"]),
        ),
        ("follows", "Only misses that follow from the one with this CID. Not beside `chain`.", reference("CidText")),
        ("did", "Only of this DID.", reference("DidText")),
        ("kind", "Only of this kind.", one_of(Kind::ALL.map(Kind::name))),
        (
            "from",
            "Only from this instant on, at the primary; at the mirror where the primary has it not.",
            instant.clone(),
        ),
        ("to", "Only before this instant, which is later than `from`.", instant),
    ];
    let with_words = words
        .iter()
        .fold(endpoint, |endpoint, (name, about, schema)| endpoint.with(Parameter::query(name, about, schema)));
    with_words
        .with(parameter::limit())
        .with(parameter::cursor())
        .about(
            "The primary's by their numbers, then those that only mirrors have, each newest first. `links.next` and \
                `Link` lead to the next page, which is of the same picture.",
        )
        .problem(400, &["bad_verdict", "bad_confirmation", "bad_chain", "bad_cid", "bad_did", "bad_kind", "bad_time"])
        .problem(400, &["bad_limit", "bad_page"])
        .problem(410, &["page_expired"])
        .header(200, "Link")
        .tabular()
}
