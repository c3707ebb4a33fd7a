//! The document against what is registered, what is answered, and what it was.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use actix_web::http::Method;
use serde_json::Value;

use super::headers::{addresses, table};
use super::world::{Got, ask, get, world};
use super::{DID, HTML, OP};
use crate::domain::past::Past;
use crate::domain::probes::Purpose;
use crate::domain::resolution::Resolution;
use crate::domain::source::SourceIx;
use crate::domain::view::best::tests::recommending;
use crate::domain::view::check::Check;
use crate::domain::view::ops::{OpsFilter, Position};
use crate::domain::view::tests::picture;
use crate::domain::view::{
    best, compare, coverage, did, divergence, event, evidence, freshness, history, incidents, lag, methodology, mirror,
    misses, op, ops, overview, propagation, readiness, recent, rtt, sessions, slo, stats, windows,
};
use crate::domain::window_kind::WindowKind;
use crate::http::openapi::agreement::check;
use crate::http::openapi::document::{TAGS, document};
use crate::http::openapi::endpoints;
use crate::publish::envelope::{Links, Meta, wrap};

/// Renews the file below.
const RENEW: &str = "MIRRORWATCH_RENEW_OPENAPI";
/// The document as it was agreed on.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openapi.json");

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// What the document says about a method at a path.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let method = if *method == Method::HEAD { "get".to_owned() } else { method.as_str().to_lowercase() };
    let endpoint = endpoints::find(&method, path)?;
    Some(&DOCUMENT["paths"][endpoint.path][&endpoint.method])
}

/// Every answer of every test is one that the document knows of, with its type of content, its headers and the code of its
/// problem.
pub fn assert_documented(method: &Method, path: &str, got: &Got) {
    let Some(operation) = operation(method, path).filter(|_| got.status != 405) else { return };
    let what = format!("{method} {path}: {}", got.status);
    let mut answer = &operation["responses"][got.status.to_string()];
    if let Some(reference) = answer["$ref"].as_str() {
        answer = DOCUMENT.pointer(&reference[1..]).unwrap();
    }
    assert!(answer.is_object(), "{what} is not in the document");
    for (name, reference) in answer["headers"].as_object().into_iter().flatten() {
        let header = DOCUMENT.pointer(&reference["$ref"].as_str().unwrap()[1..]).unwrap();
        assert!(!got.header(&name.to_lowercase()).is_empty() || header["required"] == false, "{what} has no {name}");
    }
    let media = got.header("content-type").split(';').next().unwrap();
    let Some(content) = answer["content"].as_object() else {
        assert_eq!(media, "", "{what} has a body");
        return;
    };
    assert!(content.contains_key(media), "{what} is {media:?}");
    if media == "application/problem+json" && !got.body.is_empty() {
        let codes = &content[media]["schema"]["allOf"][1]["properties"]["code"]["enum"];
        assert!(codes.as_array().unwrap().contains(&got.json()["code"]), "{what}: {codes} has not {}", got.json());
    }
}

#[actix_web::test]
async fn the_document_is_a_finished_page() {
    let world = world();
    let got = get(&world, "/api/v1/openapi.json").await;
    assert_eq!((got.status, got.header("content-type")), (200, "application/json"));
    assert_eq!(got.json(), *DOCUMENT);
    assert_eq!(got.json()["openapi"], "3.1.0");
    let etag = got.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.len() == 26, "{etag}");
    let known = ask(&world, Method::GET, "/api/v1/openapi.json", &[("if-none-match", &etag)]).await;
    assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, &*etag));
    for coding in ["gzip", "br"] {
        let got = ask(&world, Method::GET, "/api/v1/openapi.json", &[("accept-encoding", coding)]).await;
        assert_eq!((got.header("content-encoding"), got.header("etag")), (coding, &*etag));
    }
    let refused = ask(&world, Method::GET, "/api/v1/openapi.json", &[("accept", "text/yaml")]).await;
    assert_eq!(refused.status, 406);
}

/// A change that breaks a reader shows here. `MIRRORWATCH_RENEW_OPENAPI=1 cargo test --lib openapi` takes the change.
#[test]
fn the_document_is_as_it_was_agreed_on() {
    let now = format!("{}\n", serde_json::to_string_pretty(&*DOCUMENT).unwrap());
    if std::env::var_os(RENEW).is_some() {
        #[expect(clippy::disallowed_methods, reason = "a file of the repository, which its owner asked to renew")]
        std::fs::write(Path::new(FILE), &now).unwrap();
    }
    let then = std::fs::read_to_string(FILE).unwrap();
    let differing = now.lines().zip(then.lines()).enumerate().find(|(_, (now, then))| now != then);
    assert!(now == then, "from line {differing:?} on the document is another; {RENEW}=1 takes it over");
}

#[test]
fn every_address_is_in_the_document_and_the_reverse() {
    let is_for_people = |address: &str| {
        address.starts_with("/assets/") || HTML.iter().any(|page| page.split('?').next() == Some(address))
    };
    let registered: BTreeSet<String> = addresses().into_iter().filter(|address| !is_for_people(address)).collect();
    let documented: BTreeSet<String> = DOCUMENT["paths"].as_object().unwrap().keys().cloned().collect();
    assert!(registered.is_subset(&documented), "{:?}", registered.difference(&documented));
    let asked: Vec<String> = table().into_iter().map(|row| row.0.split('?').next().unwrap().to_owned()).collect();
    for path in documented {
        let is_asked = asked.iter().any(|uri| {
            ["get", "post"].iter().any(|method| endpoints::find(method, uri).is_some_and(|e| e.path == path))
        });
        assert!(is_asked, "{path} is in the document and not in the table of addresses");
    }
}

#[test]
fn the_document_holds_together() {
    let text = DOCUMENT.to_string();
    for (at, mark) in text.match_indices("\"$ref\":\"#") {
        let place = text[at + mark.len()..].split('"').next().unwrap();
        assert!(DOCUMENT.pointer(place).is_some(), "{place} is not there");
    }
    let mut ids = BTreeSet::new();
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            assert!(ids.insert(operation["operationId"].to_string()), "{path}: its id is another's");
            assert!(TAGS.iter().any(|tag| operation["tags"][0] == tag.0), "{path}: {}", operation["tags"]);
            let named: BTreeSet<&str> =
                path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let in_path = parameters.filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap());
            assert_eq!(in_path.collect::<BTreeSet<_>>(), named, "{path}");
        }
    }
}

/// A field that may be left out is rare, and each is known.
#[test]
fn what_is_not_always_there_is_known() {
    const SOMETIMES: [&str; 7] =
        ["OpAtHost", "Marks", "LagPart", "ProblemDetails", "SourceTally", "InternalsPage", "SnapshotMirror"];
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        let parts = schema["allOf"].as_array().map_or(vec![schema], |parts| parts.iter().collect());
        for part in parts {
            let required: Vec<&Value> = part["required"].as_array().into_iter().flatten().collect();
            for (field, is) in part["properties"].as_object().into_iter().flatten() {
                let is_required = required.iter().any(|held| *held == field);
                assert!(
                    is["description"].is_string() || is["$ref"].is_string() || is["oneOf"].is_array(),
                    "{name}.{field}"
                );
                if !is_required && !SOMETIMES.contains(&name.as_str()) {
                    assert!(field.ends_with("_reason"), "{name}.{field} may be left out");
                }
            }
        }
    }
}

fn agree(path: &str, data: &Value, is_bare: bool) {
    let meta = Meta {
        generated_at_ms: 1_700_000_000_000,
        snapshot_id: "run",
        revision: 1,
        age_ms: 0,
        recompute_interval_s: Some(1.0),
        compute_ms: 0.5,
        window: None,
    };
    let links = Links { own: path, next: None, html: "/" };
    let bytes = wrap(data.to_string().as_bytes(), &meta, &links);
    let answer = if is_bare { data.clone() } else { serde_json::from_slice(&bytes).unwrap() };
    if let Err(places) = check(path, &answer) {
        panic!("{}", places.join("\n"));
    }
}

/// Every view of a world with misses, extras, lies and evidence is what the document says. Those of the running program are
/// held against it in `tests/integration/openapi.rs`.
#[test]
fn every_view_is_what_the_document_says() {
    let p = picture();
    let all = overview::page(&p).0;
    let by_window = WindowKind::ALL.map(|window| (window, coverage::page(&p, &p.capture.counts(window)).0));
    let six = p.capture.window(WindowKind::H6);
    let asked = windows::WindowsQuery { resolution: Resolution::Interval, from_ms: None, to_ms: None };
    for (path, data) in [
        ("/api/v1/overview", all.clone()),
        ("/api/v1/mirrors", mirror::list(&all)),
        ("/api/v1/mirrors/a", mirror::detail(&p, 0, &all, &by_window).unwrap()),
        ("/api/v1/mirrors/a/readiness", readiness::page(&p, 0, &p.capture.windows(false)).unwrap()),
        ("/api/v1/mirrors/a/check", serde_json::to_value(Check::of(&p, 0).unwrap()).unwrap()),
        ("/api/v1/slo", slo::page(&p, &p.capture.windows(false)).0),
        ("/api/v1/primary", mirror::primary(&p)),
        ("/api/v1/observer", overview::observer(&p)),
        ("/api/v1/events", event::events(&p)),
        ("/api/v1/methodology", methodology::page(&p)),
        ("/api/v1/analytics/coverage", by_window[3].1.clone()),
        ("/api/v1/analytics/lag", lag::page(&p, &six).0),
        ("/api/v1/analytics/misses", misses::page(&p, &six, 10).0),
        ("/api/v1/analytics/history", history::page(&p, WindowKind::H6).0),
        ("/api/v1/analytics/rtt", rtt::page(&p)),
        ("/api/v1/analytics/divergence", divergence::page(&p)),
        ("/api/v1/propagation", propagation::page(&p, WindowKind::H1).0),
        ("/api/v1/incidents", incidents::page(&p)),
        ("/api/v1/best", best::page(&p, Purpose::Stream)),
        ("/api/v1/best", best::page(&recommending(), Purpose::Stream)),
        ("/api/v1/best", best::page(&recommending(), Purpose::Resolve)),
        ("/api/v1/mirrors/a/windows", windows::page(&p, 0, &asked.stretch(&p.capture).unwrap(), &Past::default())),
        ("/api/v1/mirrors/a/lag", lag::mirror(&p, 0, &six).unwrap()),
        ("/api/v1/mirrors/a/freshness", freshness::page(&p, 0).unwrap()),
        ("/api/v1/mirrors/a/rtt", rtt::mirror(&p, 0).unwrap()),
        ("/api/v1/mirrors/a/divergence", divergence::mirror(&p, 0).unwrap()),
        ("/api/v1/mirrors/a/sessions", sessions::page(&p, SourceIx::mirror(0)).unwrap()),
        ("/api/v1/ops/recent", recent::page(&recent::of(&p))),
        ("/api/v1/compare", compare::page(&p, [SourceIx::mirror(0), SourceIx::mirror(1)], WindowKind::H6).0),
    ] {
        agree(path, &data, false);
    }
    agree("/api/stats", &stats::page(&p), true);
    let start = Position::Row { number: u64::MAX, mirror: 0 };
    let listed = ops::page(&p, &[0, 1], &OpsFilter { limit: 1_000, ..OpsFilter::default() }, start).data;
    agree("/api/v1/ops", &listed, false);
    agree("/api/v1/mirrors/a/ops", &listed, false);
    let rows = listed["ops"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["verdict"] == "missed") && rows.iter().any(|row| row["verdict"] == "extra"));
    for row in rows {
        let did = crate::domain::did::Did::parse(row["did"].as_str().unwrap()).unwrap();
        let cid = crate::domain::cid::Cid::parse(row["cid"].as_str().unwrap()).unwrap();
        let key = crate::domain::op::OpKey { did, cid };
        agree(OP, &op::page(&p, key).unwrap(), false);
        let mut bundle = evidence::page(&p, key).unwrap();
        // Whoever answers the question adds this, and what the page of a DID says of asking.
        bundle["observer"]["run"] = "run".into();
        agree(&format!("{OP}/evidence"), &bundle, false);
        let mut sides = did::page(&p, did);
        sides["is_recheck_allowed"] = false.into();
        agree(&format!("/api/v1/dids/{DID}"), &sides, false);
    }
}
