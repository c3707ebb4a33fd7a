//! Every address from outside: what it answers, with which headers, and what it refuses.

mod best;
mod forms;
mod headers;
mod openapi;
mod recheck;
mod wire;
mod words;
pub(super) mod world;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::{test, web};
use futures_util::future::join_all;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{HttpOptions, HttpParts, HttpState, SourceOrigins, Tallies, app, bind, page_specs, server};
use crate::ports::fail_point::FailPoints;
use crate::ports::memory::Pressure;
use crate::publish::Pages;
pub use world::get;
pub use world::{Silent, World, publish, world, world_with};
use world::{ask, assert_problem, assert_security_headers};

const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const NOW_MS: i64 = 1_700_000_000_000;

/// Every address that is answered from a finished page.
const CANONICAL: [&str; 24] = [
    "/api/v1/overview",
    "/api/v1/analytics/coverage",
    "/api/v1/analytics/coverage?window=30d",
    "/api/v1/analytics/lag",
    "/api/v1/analytics/misses?window=5m",
    "/api/v1/analytics/history",
    "/api/v1/analytics/rtt",
    "/api/v1/analytics/divergence",
    "/api/v1/propagation",
    "/api/v1/propagation?window=24h",
    "/api/v1/mirrors",
    "/api/v1/mirrors/m1",
    "/api/v1/mirrors/m1/readiness",
    "/api/v1/mirrors/m1/check",
    "/api/v1/primary",
    "/api/v1/observer",
    "/api/v1/events",
    "/api/v1/incidents",
    "/api/v1/slo",
    "/api/v1/internals",
    "/api/v1/methodology",
    "/api/v1/vantages",
    "/api/stats",
    "/api/v1/mirrors/m2",
];

/// Every address whose answer is computed for the request.
const DETAILS: [&str; 14] = [
    "/api/v1/ops/recent",
    "/api/v1/mirrors/m1/ops",
    "/api/v1/mirrors/m1/sessions",
    "/api/v1/mirrors/m1/windows?resolution=1h",
    "/api/v1/mirrors/m1/lag?window=6h",
    "/api/v1/mirrors/m1/freshness",
    "/api/v1/mirrors/m1/rtt",
    "/api/v1/mirrors/m1/divergence",
    "/api/v1/incidents/m1-20231114T000000000Z",
    "/api/v1/ops?mirror=m2&verdict=missed",
    "/api/v1/dids/did:plc:ewvi7nxzyoun6zhxrhs64oiz",
    OP,
    "/api/v1/ops/did:plc:ewvi7nxzyoun6zhxrhs64oiz/bafyreibfvkh3n6odvdpwj54j4xxdsgnn4zo5utbyf7z7nfbyikhtygzjcq/evidence",
    "/api/v1/compare?a=m1&b=p&window=24h",
];

/// The page's own addresses.
const HTML: [&str; 17] = [
    "/live?kind=update",
    "/",
    "/misses?verdict=missed",
    "/compare?a=p&b=m1",
    "/events",
    "/incidents",
    "/incidents/m1-20260101T000000Z",
    "/vantages",
    "/methodology",
    "/internals",
    "/nodes",
    "/readiness",
    "/docs",
    "/docs/errors",
    "/mirrors/m1",
    "/did/did:plc:x",
    "/op/did:plc:x/bafy",
];

const OP: &str =
    "/api/v1/ops/did:plc:ewvi7nxzyoun6zhxrhs64oiz/bafyreibfvkh3n6odvdpwj54j4xxdsgnn4zo5utbyf7z7nfbyikhtygzjcq";

#[actix_web::test]
async fn every_page_answers_with_its_validators_and_headers() {
    let world = world();
    for uri in CANONICAL {
        let got = get(&world, uri).await;
        assert_eq!(got.status, 200, "{uri}");
        assert_eq!(got.header("content-type"), "application/json", "{uri}");
        assert_eq!(got.header("etag"), "\"run.1\"", "{uri}");
        assert_eq!(got.header("last-modified"), "Tue, 14 Nov 2023 22:13:20 GMT", "{uri}");
        assert_eq!(got.header("cache-control"), "public, max-age=3, stale-while-revalidate=30", "{uri}");
        assert_eq!(got.header("vary"), "Accept, Accept-Encoding", "{uri}");
        assert_eq!(got.header("server-timing"), "snap;desc=age;dur=1500", "{uri}");
        assert_security_headers(&got, uri);
        if uri != "/api/stats" {
            let body = got.json();
            assert_eq!(body["meta"]["revision"], 1, "{uri}");
            assert!(body["links"]["self"].as_str().unwrap().starts_with(uri), "{uri}");
        }
    }
    let coverage = get(&world, "/api/v1/analytics/coverage").await.json();
    assert_eq!(coverage["data"]["key"], "analytics/coverage?window=6h");
    assert_eq!(get(&world, "/api/v1/analytics/lag").await.json()["data"]["key"], "analytics/lag?window=1h");
    assert_eq!(get(&world, "/api/v1/mirrors/m2").await.json()["data"]["key"], "mirrors/m2");
    assert_eq!(get(&world, "/api/stats").await.json()["key"], "stats", "no envelope");
}

#[actix_web::test]
async fn what_is_known_already_is_304_until_it_changes() {
    let world = world();
    for uri in CANONICAL {
        let got = ask(&world, Method::GET, uri, &[("if-none-match", "\"run.1\"")]).await;
        assert_eq!((got.status, got.body.len()), (304, 0), "{uri}");
        assert_eq!(got.header("etag"), "\"run.1\"", "{uri}");
        assert!(got.header("cache-control").contains("max-age=3"), "{uri}");
        assert_eq!(got.header("vary"), "Accept, Accept-Encoding", "{uri}");
        assert_security_headers(&got, uri);
    }
    publish(&world.pages, "overview", "{}", NOW_MS);
    let got = ask(&world, Method::GET, "/api/v1/overview", &[("if-none-match", "\"run.1\"")]).await;
    assert_eq!((got.status, got.header("etag")), (200, "\"run.2\""));
    assert_eq!(got.json()["data"], serde_json::json!({}));
}

#[actix_web::test]
async fn encodings_are_negotiated_among_ready_bytes() {
    use std::io::Read;
    let world = world();
    let plain = get(&world, "/api/v1/overview").await;
    let gzip = ask(&world, Method::GET, "/api/v1/overview", &[("accept-encoding", "gzip")]).await;
    let br = ask(&world, Method::GET, "/api/v1/overview", &[("accept-encoding", "gzip, br")]).await;
    assert_eq!((gzip.header("content-encoding"), br.header("content-encoding")), ("gzip", "br"));
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(&gzip.body[..]).read_to_end(&mut out).unwrap();
    assert_eq!(out, plain.body);
    out.clear();
    brotli::Decompressor::new(&br.body[..], 4096).read_to_end(&mut out).unwrap();
    assert_eq!(out, plain.body);
}

#[actix_web::test]
async fn methods_other_than_reading_are_refused_with_the_list() {
    let world = world();
    for uri in CANONICAL.into_iter().chain(DETAILS).chain(["/healthz", "/readyz", "/api/v1/live"]) {
        let got = ask(&world, Method::DELETE, uri, &[]).await;
        assert_problem(&got, 405, "method_not_allowed", uri);
        assert_eq!(got.header("allow"), "GET, HEAD, OPTIONS", "{uri}");
        let got = ask(&world, Method::OPTIONS, uri, &[]).await;
        assert_eq!((got.status, got.header("allow")), (204, "GET, HEAD, OPTIONS"), "{uri}");
    }
    let preflight = [("origin", "https://a.example"), ("access-control-request-method", "GET")];
    let got = ask(&world, Method::OPTIONS, "/api/v1/overview", &preflight).await;
    assert_eq!(got.status, 204);
    assert_eq!(got.header("access-control-allow-methods"), "GET, HEAD, OPTIONS");
    assert_eq!(got.header("access-control-max-age"), "86400");
    assert_eq!(got.header("access-control-allow-origin"), "*");
}

#[actix_web::test]
async fn a_check_is_told_by_its_status_and_nobody_is_blamed_for_what_we_did_not_see() {
    let world = world();
    let uri = "/api/v1/mirrors/m1/check";
    let set = |state: &str, flags: &[&str]| {
        let check = json!({ "id": "m1", "state": state, "since_at": "", "why": "so", "observer_flags": flags });
        publish(&world.pages, "mirrors/m1/check", &check.to_string(), NOW_MS);
    };
    for state in ["diverged", "losing", "stalled", "disconnected", "throttled", "lagging"] {
        set(state, &[]);
        let got = get(&world, uri).await;
        assert_problem(&got, 422, "mirror_not_well", uri);
        assert_eq!(got.json()["detail"], format!("{state}: so"));
    }
    set("unknown", &["primary_down", "net_down"]);
    let got = get(&world, uri).await;
    assert_problem(&got, 424, "observer_impaired", uri);
    assert_eq!(got.json()["detail"], "unknown: so (primary_down, net_down)");
    for state in ["unknown", "unsupported"] {
        set(state, &[]);
        assert_problem(&get(&world, uri).await, 424, "not_judged", uri);
    }
    set("ok", &[]);
    let well = get(&world, uri).await;
    assert_eq!((well.status, well.json()["data"]["state"].as_str()), (200, Some("ok")));
    let known = ask(&world, Method::GET, uri, &[("if-none-match", well.header("etag"))]).await;
    assert_eq!(known.status, 304);
    assert_problem(&get(&world, "/api/v1/mirrors/m9/check").await, 404, "no_such_mirror", uri);
    assert_problem(&get(&world, "/api/v1/mirrors/m1/check?x=1").await, 400, "unknown_parameter", uri);
    set("of another version", &[]);
    assert_problem(&get(&world, uri).await, 500, "internal", uri);
}

#[actix_web::test]
async fn every_wrong_question_has_its_answer() {
    let world = world();
    for (uri, status, code) in [
        ("/api/v1/analytics/coverage?window=5y", 400, "bad_window"),
        ("/api/v1/analytics/coverage?windw=5m", 400, "unknown_parameter"),
        ("/api/v1/analytics/coverage?window=5m&window=1h", 400, "repeated_parameter"),
        ("/api/v1/analytics/rtt?window=5m", 400, "unknown_parameter"),
        ("/api/v1/propagation?window=7d", 400, "bad_window"),
        ("/api/v1/overview?x", 400, "unknown_parameter"),
        ("/api/v1/mirrors/nope", 404, "no_such_mirror"),
        ("/api/v1/mirrors/nope/ops", 404, "no_such_mirror"),
        ("/api/v1/mirrors/m1/ops?limit=1e9", 400, "bad_limit"),
        ("/api/v1/mirrors/m1/ops?did=x", 400, "bad_did"),
        ("/api/v1/mirrors/m1/ops?cursor=a%00", 400, "bad_page"),
        ("/api/v1/mirrors/m1/ops?cursor=damaged", 400, "bad_page"),
        ("/api/v1/mirrors/m1/ops?cursor=expired", 410, "page_expired"),
        ("/api/v1/mirrors/m1/ops?cursor=broken", 500, "internal"),
        ("/api/v1/mirrors/m1/windows?resolution=2h", 400, "bad_resolution"),
        ("/api/v1/mirrors/m1/windows?from=yesterday", 400, "bad_time"),
        ("/api/v1/mirrors/m1/windows?from=2023-11-14T00:00:00Z&to=2023-11-14T00:00:00Z", 400, "bad_time"),
        ("/api/v1/mirrors/m1/windows?resolution=1d&from=0001-01-01T00:00:00Z", 400, "too_many_windows"),
        ("/api/v1/mirrors/nope/windows", 404, "no_such_mirror"),
        ("/api/v1/mirrors/m1/lag?window=2h", 400, "bad_window"),
        ("/api/v1/mirrors/m1/lag?from=2023-11-14T00:00:00Z", 400, "missing_parameter"),
        ("/api/v1/mirrors/m1/lag?to=2023-11-14T00:00:00Z&from=2023-11-14T00:00:00Z", 400, "bad_time"),
        ("/api/v1/analytics/coverage?from=2023-11-14T00:00:00Z", 400, "missing_parameter"),
        ("/api/v1/analytics/coverage?from=2023-11-13T00:00:00Z&to=tomorrow", 400, "bad_time"),
        ("/api/v1/analytics/lag?from=2023-11-15T00:00:00Z&to=2023-11-16T00:00:00Z", 400, "bad_time"),
        ("/api/v1/analytics/lag?window=6h&from=2023-11-13T00:00:00Z&to=2023-11-14T00:00:00Z", 400, "window_and_range"),
        ("/api/v1/analytics/history.csv?from=2021-11-13T00:00:00Z&to=2023-11-14T00:00:00Z", 400, "range_too_long"),
        ("/api/v1/analytics/misses?from=2023-11-13T00:00:00Z&to=2023-11-14T00:00:00Z", 400, "unknown_parameter"),
        ("/api/v1/mirrors/m1/freshness?window=1h", 400, "unknown_parameter"),
        ("/api/v1/mirrors/nope/rtt", 404, "no_such_mirror"),
        ("/api/v1/mirrors/m1/divergence?x", 400, "unknown_parameter"),
        ("/api/v1/incidents/m1-20231114T000000001Z", 404, "no_such_incident"),
        ("/api/v1/incidents/m1-20231114T000000000Z?x=1", 400, "unknown_parameter"),
        ("/api/v1/incidents?limit=1", 400, "unknown_parameter"),
        ("/api/v1/dids/did:plc:short", 400, "bad_did"),
        ("/api/v1/dids/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", 404, "no_such_did"),
        ("/api/v1/dids/did:plc:ewvi7nxzyoun6zhxrhs64oiz?x=1", 400, "unknown_parameter"),
        ("/api/v1/ops?mirror=nope", 404, "no_such_mirror"),
        ("/api/v1/ops?verdict=lost", 400, "bad_verdict"),
        ("/api/v1/ops?verdict=late&verdict=late", 400, "repeated_parameter"),
        ("/api/v1/ops/did:plc:short/bafy", 400, "bad_did"),
        ("/api/v1/ops/did:plc:ewvi7nxzyoun6zhxrhs64oiz/bafy", 400, "bad_cid"),
        ("/api/v1/ops/did:plc:ewvi7nxzyoun6zhxrhs64oiz", 404, "not_found"),
        (
            "/api/v1/ops/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/bafyreibfvkh3n6odvdpwj54j4xxdsgnn4zo5utbyf7z7nfbyikhtygzjcq",
            404,
            "no_such_op",
        ),
        ("/api/v1/compare?a=m1", 400, "missing_parameter"),
        ("/api/v1/compare?a=m1&b=m1", 400, "same_host"),
        ("/api/v1/compare?a=m1&b=m9", 404, "no_such_host"),
        ("/api/v1/compare?a=m1&b=m2&window=2h", 400, "bad_window"),
        ("/api/v1/compare?a=m1&b=m2&c=m2", 400, "unknown_parameter"),
        ("/badge/nope/state.svg", 404, "no_such_mirror"),
        ("/badge/m1/states.svg", 404, "no_such_badge"),
        ("/badge/m1/state.svg?x=1", 400, "unknown_parameter"),
        ("/api/v1/live", 426, "upgrade_required"),
        ("/api/v1/nothing", 404, "not_found"),
        ("/api/", 404, "not_found"),
        ("/no/such/thing.php", 404, "not_found"),
        ("/api/v1/overview/", 404, "not_found"),
    ] {
        let got = get(&world, uri).await;
        assert_problem(&got, status, code, uri);
        assert!(!String::from_utf8_lossy(&got.body).contains("secret"), "{uri}");
    }
    let many = get(&world, "/api/v1/mirrors/m1/windows?resolution=1d&from=0001-01-01T00:00:00Z").await.json();
    assert_eq!((&many["limit"], &many["detail"]), (&1_000.into(), &"1001 windows; at most 1000 in one answer".into()));
    let bad_window = get(&world, "/api/v1/analytics/lag?window=5y").await.json();
    assert_eq!(bad_window["detail"], "\"5y\"; allowed: 5m, 15m, 1h, 6h, 24h, 7d, 30d");
    assert_eq!(bad_window["allowed"].as_array().unwrap().len(), 7);
    let unknown = get(&world, "/api/v1/analytics/lag?windw=5m").await.json();
    assert_eq!(unknown["detail"], "\"windw\"; did you mean \"window\"?");
}

#[actix_web::test]
async fn a_range_is_a_detail_beside_the_finished_pages_of_its_address() {
    let world = world();
    let range = "from=2023-11-13T00%3A00%3A00.000Z&to=2023-11-14T00%3A00%3A00.000Z";
    for name in ["coverage", "lag", "history"] {
        let finished = get(&world, &format!("/api/v1/analytics/{name}?window=6h")).await.json();
        assert_eq!(finished["data"]["key"], format!("analytics/{name}?window=6h"));
        let own = format!("/api/v1/analytics/{name}?{range}");
        for uri in
            [own.clone(), format!("/api/v1/analytics/{name}?to=2023-11-14T01:00:00%2B01:00&from=2023-11-13T00:00:00Z")]
        {
            let got = get(&world, &uri).await.json();
            assert_eq!((&got["data"]["asked"], &got["links"]["self"]), (&own.clone().into(), &own.clone().into()));
            assert_eq!(got["links"]["html"], format!("/?range=custom&{range}"));
        }
        let table = get(&world, &format!("/api/v1/analytics/{name}.csv?{range}")).await;
        let file = format!("mirrorwatch-analytics-{name}-2023-11-13T00-00-00-000Z-2023-11-14T00-00-00-000Z-");
        assert!(table.header("content-disposition").contains(&file), "{}", table.header("content-disposition"));
    }
    let lag = get(&world, &format!("/api/v1/mirrors/m1/lag?{range}")).await.json();
    assert_eq!(lag["data"]["asked"], format!("/api/v1/mirrors/m1/lag?{range}"));
    assert_eq!(lag["links"]["html"], format!("/mirrors/m1?range=custom&{range}"));
}

#[actix_web::test]
async fn the_document_without_scripts_is_a_finished_page() {
    let world = world();
    let got = ask(&world, Method::GET, "/status", &[("accept", "text/html")]).await;
    assert_eq!(
        (got.status, got.header("content-type"), got.header("etag")),
        (200, "text/html; charset=utf-8", "\"run.1\"")
    );
    let known = ask(&world, Method::GET, "/status", &[("if-none-match", "\"run.1\"")]).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
}

#[actix_web::test]
async fn styles_are_kept_by_whoever_has_them() {
    let world = world();
    for uri in ["/status.css", "/embed.css"] {
        let style = get(&world, uri).await;
        assert_eq!((style.header("content-type"), style.body.is_empty()), ("text/css; charset=utf-8", false));
        let known = ask(&world, Method::GET, uri, &[("if-none-match", style.header("etag"))]).await;
        assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, style.header("etag")), "{uri}");
        let packed = ask(&world, Method::GET, uri, &[("accept-encoding", "br")]).await;
        assert_eq!(packed.header("content-encoding"), "br", "{uri}");
        assert_problem(&get(&world, &format!("{uri}?x=1")).await, 400, "unknown_parameter", uri);
    }
}

#[actix_web::test]
async fn feeds_and_documents_for_other_sites_are_finished_pages() {
    let world = world();
    for (uri, media) in [
        ("/feeds/events.atom", "application/atom+xml; charset=utf-8"),
        ("/feeds/incidents.json", "application/feed+json"),
        ("/embed/m1/coverage", "text/html; charset=utf-8"),
    ] {
        let got = ask(&world, Method::GET, uri, &[("accept", "text/html")]).await;
        assert_eq!((got.status, got.header("content-type"), got.header("etag")), (200, media, "\"run.1\""), "{uri}");
        assert_eq!(got.json()["key"], uri[1..], "{uri}: nothing is put around it");
        let known = ask(&world, Method::GET, uri, &[("if-none-match", "\"run.1\"")]).await;
        assert_eq!((known.status, known.body.len()), (304, 0), "{uri}");
        assert_security_headers(&known, uri);
    }
    for (uri, code) in [
        ("/embed/nope/state", "no_such_mirror"),
        ("/embed/m1/states", "no_such_chart"),
        ("/feeds/events.rss", "no_such_feed"),
    ] {
        assert_problem(&get(&world, uri).await, 404, code, uri);
    }
    let style = get(&world, "/embed.css").await;
    let text = String::from_utf8(style.body.to_vec()).unwrap();
    assert!(text.contains("prefers-color-scheme: dark") && !text.contains("url("), "{text}");
}

#[actix_web::test]
async fn answers_are_timed_by_the_pattern_of_their_route() {
    let world = world();
    for uri in ["/api/v1/overview", "/api/v1/mirrors/m1", "/api/v1/mirrors/m9", "/api/v1/mirrors/m2", "/no/such/thing"]
    {
        get(&world, uri).await;
    }
    ask(&world, Method::GET, "/api/v1/overview", &[("if-none-match", "\"run.1\"")]).await;
    ask(&world, Method::from_bytes(b"BREW").unwrap(), "/api/v1/overview", &[]).await;
    get(&world, "/api/v1/analytics/lag.csv?window=5m").await;
    let told = world.state.timings.told();
    let of = |route: &str| {
        let counts = told.get(route).into_iter().flatten();
        counts.map(|(series, counts)| (*series, counts.buckets.iter().sum::<u64>())).collect::<Vec<_>>()
    };
    assert_eq!(of("/api/v1/overview"), [(("GET", 200), 1), (("GET", 304), 1), (("other", 405), 1)]);
    assert_eq!(of("/api/v1/mirrors/{id}"), [(("GET", 200), 2), (("GET", 404), 1)], "never the path itself");
    assert_eq!(of("/api/v1/analytics/lag.csv"), [(("GET", 200), 1)]);
    assert_eq!(of("none"), [(("GET", 404), 1)]);
    assert_eq!(told.len(), 4, "{told:?}");
}

#[actix_web::test]
async fn badges_are_finished_pages_in_the_type_of_their_name() {
    let world = world();
    for kind in ["state", "coverage", "lag-p95", "freshness"] {
        for (format, media) in [("svg", "image/svg+xml"), ("json", "application/json")] {
            let uri = format!("/badge/m2/{kind}.{format}");
            let got = ask(&world, Method::GET, &uri, &[("accept", &format!("{media},*/*;q=0.1"))]).await;
            assert_eq!((got.status, got.header("content-type")), (200, media), "{uri}");
            assert_eq!(got.header("etag"), "\"run.1\"", "{uri}");
            assert_eq!(got.header("cache-control"), "public, max-age=3, stale-while-revalidate=30", "{uri}");
            assert_eq!(got.json()["key"], uri[1..], "{uri}: nothing is put around it");
            let again = ask(&world, Method::GET, &uri, &[("if-none-match", "\"run.1\"")]).await;
            assert_eq!((again.status, again.body.len()), (304, 0), "{uri}");
        }
    }
    let got = ask(&world, Method::GET, "/badge/m1/state.svg", &[("accept", "text/html")]).await;
    assert_eq!(got.status, 200, "a picture is a picture");
}

#[actix_web::test]
async fn what_cannot_be_offered_or_taken_is_refused() {
    let world = world();
    let (json, tables) = ("application/json", ["text/csv", "application/x-ndjson"]);
    for (uri, is_table) in [("/api/v1/overview", true), ("/api/stats", false), ("/api/v1/mirrors/m1/ops", true)] {
        let got = ask(&world, Method::GET, uri, &[("accept", "text/html")]).await;
        assert_problem(&got, 406, "not_acceptable", uri);
        let allowed: Vec<&str> = std::iter::once(json).chain(tables.into_iter().filter(|_| is_table)).collect();
        assert_eq!(got.json()["allowed"], serde_json::json!(allowed), "{uri}");
    }
    let uri = "/api/v1/overview";
    let body = [("content-length", "5")];
    assert_problem(&ask(&world, Method::GET, uri, &body).await, 413, "body_too_large", uri);
}

#[actix_web::test]
async fn details_are_wrapped_linked_and_validated() {
    let world = world();
    let got = get(&world, "/api/v1/mirrors/m1/ops?limit=5").await;
    assert_eq!(got.status, 200);
    assert_eq!(got.json()["data"]["scope"], "Mirror(\"m1\")");
    assert_eq!(got.json()["links"]["html"], "/misses?mirror=m1&verdict=any&chain=any");
    assert_eq!(got.header("link"), "</api/v1/mirrors/m1/ops?limit=5&cursor=n1>; rel=\"next\"");
    assert_eq!(got.json()["links"]["next"], "/api/v1/mirrors/m1/ops?limit=5&cursor=n1");
    assert_eq!(got.header("cache-control"), "public, max-age=1, stale-while-revalidate=30");
    assert_security_headers(&got, "/api/v1/");
    let etag = got.header("etag").to_owned();
    let again = ask(&world, Method::GET, "/api/v1/mirrors/m1/ops?limit=5", &[("if-none-match", &etag)]).await;
    assert_eq!(again.status, 304, "within the life of the answer");
    assert_eq!(world.detail.computed.load(Ordering::SeqCst), 1);
    let did = get(&world, &format!("/api/v1/dids/{DID}")).await;
    assert_eq!(did.json()["data"]["did"], DID);
    let encoded = get(&world, &format!("/api/v1/dids/{}", DID.replace(':', "%3A"))).await;
    assert_eq!(encoded.status, 200);
}

#[actix_web::test]
async fn every_detail_answers_and_says_where_it_stands() {
    let world = world();
    for uri in DETAILS {
        let got = get(&world, uri).await;
        assert_eq!(got.status, 200, "{uri}");
        let own = got.json()["links"]["self"].as_str().unwrap().to_owned();
        assert!(own.starts_with(uri), "{uri}: {own}");
        assert_eq!(get(&world, &own).await.json()["links"]["self"], own.as_str(), "{uri}");
        assert_security_headers(&got, uri);
    }
    let evidence = get(&world, &format!("{OP}/evidence")).await;
    let name = "attachment; filename=\"mirrorwatch-evidence-bafyreibfvkh3n6odvdpwj54j4xxdsgnn4zo5utbyf7z7nfbyikhtygzjcq.json\"";
    assert_eq!(evidence.header("content-disposition"), name);
    assert_eq!(get(&world, OP).await.header("content-disposition"), "");
    let compared = get(&world, "/api/v1/compare?b=p&a=m1").await.json();
    assert_eq!(compared["meta"]["window"]["to_at"], "1970-01-01T00:00:01.000Z");
    assert_eq!(compared["links"]["self"], "/api/v1/compare?a=m1&b=p&window=6h");
    assert_eq!(compared["links"]["html"], "/compare?a=m1&b=p&window=6h");
}

#[actix_web::test]
async fn a_check_on_request_is_off_unless_allowed_and_bounded_when_it_is() {
    let uri = format!("/api/v1/dids/{DID}/recheck");
    let off = world();
    assert_problem(&ask(&off, Method::POST, &uri, &[]).await, 404, "not_enabled", &uri);
    let world = world_with(HttpOptions { allow_recheck: true, ..HttpOptions::default() }, 0, Arc::new(|| Ok(())));
    let got = ask(&world, Method::POST, &uri, &[("sec-fetch-site", "same-origin")]).await;
    assert_eq!((got.status, got.header("location")), (202, &*format!("/api/v1/dids/{DID}")));
    assert_eq!(got.json()["links"]["html"], format!("/did/{DID}"));
    assert_security_headers(&got, &uri);
    assert_eq!(ask(&world, Method::POST, &uri, &[]).await.status, 202);
    assert_eq!(world.detail.rechecked.load(Ordering::SeqCst), 1, "the second one found the first under way");
    assert_problem(&ask(&world, Method::GET, &uri, &[]).await, 405, "method_not_allowed", &uri);
    assert_eq!(ask(&world, Method::OPTIONS, &uri, &[]).await.header("allow"), "POST, OPTIONS");
    for (headers, status, code) in [(("sec-fetch-site", "cross-site"), 403, "cross_site")] {
        assert_problem(&ask(&world, Method::POST, &uri, &[headers]).await, status, code, &uri);
    }
    let bad = "/api/v1/dids/did:plc:short/recheck";
    assert_problem(&ask(&world, Method::POST, bad, &[]).await, 400, "bad_did", bad);
    let busy = "/api/v1/dids/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/recheck";
    let got = ask(&world, Method::POST, busy, &[]).await;
    assert_problem(&got, 503, "overloaded", busy);
    assert_eq!(got.header("retry-after"), "5");
    for _ in 0..2 {
        ask(&world, Method::POST, busy, &[]).await;
    }
    assert_problem(&ask(&world, Method::POST, busy, &[]).await, 429, "rate_limited", busy);
}

#[actix_web::test]
async fn a_mirrors_transport_is_chosen_anew_on_request_where_that_is_allowed() {
    let uri = "/api/v1/mirrors/m1/reprobe";
    assert_problem(&ask(&world(), Method::POST, uri, &[]).await, 404, "not_enabled", uri);
    let world = world_with(HttpOptions { allow_recheck: true, ..HttpOptions::default() }, 0, Arc::new(|| Ok(())));
    let got = ask(&world, Method::POST, uri, &[]).await;
    assert_eq!((got.status, got.header("location")), (202, "/api/v1/mirrors/m1"));
    assert_eq!(got.json()["data"]["mirror"], "m1");
    let fixed = "/api/v1/mirrors/m2/reprobe";
    assert_problem(&ask(&world, Method::POST, fixed, &[]).await, 409, "fixed_transport", fixed);
    let unknown = "/api/v1/mirrors/m9/reprobe";
    assert_problem(&ask(&world, Method::POST, unknown, &[]).await, 404, "no_such_mirror", unknown);
    assert_problem(&ask(&world, Method::GET, uri, &[]).await, 405, "method_not_allowed", uri);
    for _ in 0..3 {
        ask(&world, Method::POST, uri, &[]).await;
    }
    assert_problem(&ask(&world, Method::POST, uri, &[]).await, 429, "rate_limited", uri);
}

#[actix_web::test]
async fn details_are_limited_per_client_and_pages_are_not() {
    let options = HttpOptions {
        detail_requests_per_second: 1,
        detail_burst: 3,
        trusted_proxies: vec!["192.0.2.1".parse().unwrap()],
        ..HttpOptions::default()
    };
    let world = world_with(options, 0, Arc::new(|| Ok(())));
    let uri = "/api/v1/mirrors/m1/ops";
    for _ in 0..3 {
        assert_eq!(get(&world, uri).await.status, 200);
    }
    let got = get(&world, uri).await;
    assert_problem(&got, 429, "rate_limited", uri);
    assert_eq!((got.header("retry-after"), got.json()["limit"].as_u64()), ("1", Some(1)));
    assert_eq!(got.header("ratelimit"), "\"details\";r=0;t=1");
    for _ in 0..50 {
        assert_eq!(get(&world, "/api/v1/overview").await.status, 200);
    }
    let other = ask(&world, Method::GET, uri, &[("x-forwarded-for", "198.51.100.7")]).await;
    assert_eq!(other.status, 200, "another client behind the trusted proxy");
}

#[actix_web::test]
async fn hosts_origins_and_proxies_follow_the_settings() {
    let options = HttpOptions {
        allowed_hosts: vec!["status.example.org".to_owned()],
        cors_origins: vec!["https://a.example".to_owned()],
        trusted_proxies: vec!["192.0.2.0/24".parse().unwrap()],
        ..HttpOptions::default()
    };
    let world = world_with(options, 0, Arc::new(|| Ok(())));
    let uri = "/api/v1/overview";
    let got = ask(&world, Method::GET, uri, &[("host", "evil.example")]).await;
    assert_eq!((got.status, got.json()["code"].as_str()), (421, Some("wrong_host")));
    let host = ("host", "status.example.org:7331");
    let got =
        ask(&world, Method::GET, uri, &[host, ("origin", "https://a.example"), ("x-forwarded-proto", "https")]).await;
    assert_eq!((got.status, got.header("access-control-allow-origin")), (200, "https://a.example"));
    assert!(got.header("vary").contains("Origin"));
    assert!(got.header("strict-transport-security").starts_with("max-age=31536000"));
    let got = ask(&world, Method::GET, uri, &[host, ("origin", "https://b.example")]).await;
    assert_eq!(got.header("access-control-allow-origin"), "");
}

#[actix_web::test]
async fn probes_tell_process_and_readiness_apart() {
    let world = world_with(HttpOptions::default(), 0, Arc::new(|| Err("disk_full since 02:10 UTC".to_owned())));
    assert_eq!(get(&world, "/healthz").await.status, 200);
    let got = get(&world, "/readyz").await;
    assert_problem(&got, 503, "not_ready", "/readyz");
    assert_eq!(got.json()["detail"], "disk_full since 02:10 UTC");
    assert_eq!(get(&world::world(), "/readyz").await.status, 200);
}

#[actix_web::test]
async fn before_the_first_computation_pages_are_503() {
    let mut parts = world();
    let pages = Arc::new(Pages::new("run", page_specs(&[])));
    parts.state = web::Data::new(HttpState::new(HttpParts {
        nodes: None,
        pages,
        regions: Arc::new(Pages::new("run", [])),
        recent: Arc::new(Silent),
        source_origins: SourceOrigins::default(),
        primary_id: "p".to_owned(),
        detail: Arc::new(Arc::clone(&parts.detail)),
        health: Arc::new(|| Err("no answer from x".to_owned())),
        readiness: Arc::new(|| Ok(())),
        utc_now_ms: Arc::new(|| NOW_MS),
        options: HttpOptions::default(),
        shutdown: CancellationToken::new(),
        tallies: Tallies::default(),
        pressure: Pressure::default(),
        fail: FailPoints::default(),
    }));
    let got = get(&parts, "/api/v1/overview").await;
    assert_problem(&got, 503, "not_ready", "/api/v1/overview");
    assert_eq!(got.header("retry-after"), "1");
    for uri in ["/api/v1/vantages", "/api/v1/vantages.csv", "/api/v1/vantages.ndjson"] {
        let got = get(&parts, uri).await;
        assert_problem(&got, 404, "not_enabled", uri);
        assert!(got.json()["detail"].as_str().unwrap().contains("\"nodes\""), "it says how there may be some");
    }
}

#[actix_web::test]
async fn max_age_counts_down_to_nought_and_never_below() {
    let world = world();
    for (elapsed_ms, max_age) in [(0, 5), (4_001, 0), (60_000, 0)] {
        world.now_ms.store(NOW_MS + elapsed_ms, Ordering::SeqCst);
        let got = get(&world, "/api/v1/overview").await;
        assert!(got.header("cache-control").contains(&format!("max-age={max_age},")), "{elapsed_ms}");
    }
}

/// Over real sockets: what the test service cannot show.
#[actix_web::test]
async fn a_real_server_answers_head_and_stops_when_told() {
    let world = world();
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let running = actix_web::rt::spawn(server(listener, &world.state).unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let full = client.get(format!("{base}/api/v1/overview")).send().await.unwrap();
    let head =
        client.head(format!("{base}/api/v1/overview")).header("accept-encoding", "identity").send().await.unwrap();
    assert_eq!(head.status(), StatusCode::OK.as_u16());
    assert_eq!(head.headers()["etag"], full.headers()["etag"]);
    let length: usize = head.headers()["content-length"].to_str().unwrap().parse().unwrap();
    assert!(length > 2000);
    assert!(head.bytes().await.unwrap().is_empty());
    drop(full);
    world.state.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(3), running).await.unwrap().unwrap().unwrap();
}

/// Ten thousand of the same question in parallel cost a few computations, and pages are read all the while.
#[actix_web::test]
async fn a_flood_of_details_neither_multiplies_work_nor_stalls_pages() {
    let world = world_with(HttpOptions { detail_burst: 1_000_000, ..HttpOptions::default() }, 50, Arc::new(|| Ok(())));
    let service = test::init_service(app(&world.state)).await;
    let request = |uri: &str| test::TestRequest::with_uri(uri).to_request();
    let flood = join_all((0..10_000).map(|_| test::call_service(&service, request("/api/v1/mirrors/m1/ops"))));
    let pages = join_all((0..100).map(|_| test::call_service(&service, request("/api/v1/overview"))));
    let (flood, pages) = tokio::join!(flood, pages);
    assert!(pages.iter().all(|response| response.status() == StatusCode::OK));
    assert!(flood.iter().all(|response| response.status() == StatusCode::OK));
    let computed = world.detail.computed.load(Ordering::SeqCst);
    assert!((1..=3).contains(&computed), "{computed}");
    let different: Vec<String> = (1..=1000).map(|limit| format!("/api/v1/mirrors/m1/ops?limit={limit}")).collect();
    let flood = join_all(different.iter().map(|uri| test::call_service(&service, request(uri)))).await;
    let refused: Vec<_> = flood.iter().filter(|r| r.status() == StatusCode::SERVICE_UNAVAILABLE).collect();
    assert!(refused.len() >= 900, "{}", refused.len());
    assert!(refused.iter().all(|response| response.headers().contains_key("retry-after")));
}

/// What ends a live socket whose peer has stopped reading.
#[actix_web::test]
async fn accepted_connections_end_when_sent_bytes_are_not_taken() {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    super::limit_unread(&stream);
    let socket = socket2::SockRef::from(&stream);
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(super::door::STALL_MAX));
    assert!(socket.send_buffer_size().unwrap() <= 2 * super::UNREAD_BYTES_MAX);
}
