//! How things stand.

use super::super::endpoint::Endpoint;
use super::super::parameter::{Parameter, one_of};
use super::super::shape::best::BestPage;
use super::super::shape::events::EventsPage;
use super::super::shape::incidents::{IncidentPage, IncidentsPage};
use super::super::shape::internals::InternalsPage;
use super::super::shape::methodology::MethodologyPage;
use super::super::shape::mirrors::{MirrorList, MirrorPage};
use super::super::shape::overview::{Observer, Overview};
use super::super::shape::readiness::{CheckPage, ReadinessPage};
use super::super::shape::source::PrimaryPage;
use super::super::shape::vantages::VantagesPage;
use crate::domain::probes::Purpose;
use serde_json::json;

fn best() -> Endpoint {
    let purpose = one_of(Purpose::ALL.map(Purpose::name));
    let region = json!({ "type": "string" });
    Endpoint::page::<BestPage>("/api/v1/best", "best", "Which mirror to use and why, or why none")
        .about("A copy may be 15 s old: a mirror that is found to lose, to lag or to lie is left at once.")
        .with(Parameter::query("purpose", "What for; `stream` unless given.", &purpose))
        .with(Parameter::query(
            "region",
            "For which region, as its vantages name it in `/api/v1/vantages`; wherever this observer is unless given.",
            &region,
        ))
        .problem(400, &["bad_purpose"])
        .problem(404, &["no_such_region"])
}

/// The addresses.
pub(super) fn all() -> Vec<Endpoint> {
    vec![
        Endpoint::page::<Overview>(
            "/api/v1/overview",
            "overview",
            "One sentence, the observer, the primary, every mirror worst first",
        )
        .tabular(),
        Endpoint::page::<MirrorList>("/api/v1/mirrors", "mirrors", "The mirrors, worst first").tabular(),
        Endpoint::page::<MirrorPage>("/api/v1/mirrors/{id}", "mirror", "One mirror in every window").of_mirror(),
        Endpoint::page::<ReadinessPage>(
            "/api/v1/mirrors/{id}/readiness",
            "readiness",
            "Whether a mirror can be used in the primary's place, criterion by criterion",
        )
        .of_mirror(),
        Endpoint::page::<CheckPage>(
            "/api/v1/mirrors/{id}/check",
            "check",
            "One mirror for monitors, by the status alone",
        )
        .of_mirror()
        .about("200 while it is well, 422 while it is not, 424 while that cannot be told: then it is not its fault.")
        .problem(424, &["observer_impaired", "not_judged"])
        .problem(422, &["mirror_not_well"]),
        Endpoint::page::<VantagesPage>("/api/v1/vantages", "vantages", "What several observers saw, merged")
            .tabular()
            .about("There only where the configuration has nodes.")
            .problem(404, &["not_enabled"]),
        Endpoint::page::<PrimaryPage>("/api/v1/primary", "primary", "The source of truth"),
        Endpoint::page::<Observer>("/api/v1/observer", "observer", "Whether the observer can be believed now"),
        Endpoint::page::<EventsPage>("/api/v1/events", "events", "What happened, newest first").tabular(),
        Endpoint::page::<IncidentsPage>(
            "/api/v1/incidents",
            "incidents",
            "The spans in which a mirror was lagging, stalled, losing or diverged, newest first",
        )
        .tabular(),
        Endpoint::detail::<IncidentPage>("/api/v1/incidents/{id}", "incident", "One of them with its changes")
            .with(Parameter::path("id", "Id of an incident.", &json!({ "type": "string", "minLength": 1 })))
            .problem(404, &["no_such_incident"]),
        best(),
        Endpoint::page::<InternalsPage>(
            "/api/v1/internals",
            "internals",
            "What the observer itself is doing: recomputers, queues, limits",
        ),
        Endpoint::page::<MethodologyPage>(
            "/api/v1/methodology",
            "methodology",
            "The formulas by id, with the parameters in force",
        ),
        Endpoint::new("get", "/api/v1/openapi.json", "openapi", "This document")
            .strict()
            .problem(406, &["not_acceptable"])
            .respond(
                200,
                "The document.",
                &json!({ "application/json": { "schema": { "type": "object" } } }),
                &["ETag", "Cache-Control", "Vary"],
            )
            .respond(304, "Known already by `If-None-Match`.", &json!(null), &["ETag", "Cache-Control", "Vary"]),
    ]
}
