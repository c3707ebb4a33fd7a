//! Pages and details as tables: which form who gets, under which validator, and that a table is made once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix_web::http::Method;
use actix_web::test;
use futures_util::future::join_all;
use serde_json::json;

use super::NOW_MS;
use super::world::{Got, World, ask, assert_problem, assert_security_headers, get, publish, world, world_with};
use crate::http::openapi::document::document;
use crate::http::openapi::endpoints;
use crate::http::{HttpOptions, app};

/// Every address that is a table, as JSON.
pub const TABLES: [&str; 23] = [
    "/api/v1/overview",
    "/api/v1/mirrors",
    "/api/v1/analytics/coverage",
    "/api/v1/analytics/lag?window=30d",
    "/api/v1/analytics/misses",
    "/api/v1/analytics/history",
    "/api/v1/analytics/rtt",
    "/api/v1/analytics/divergence",
    "/api/v1/events",
    "/api/v1/mirrors/m1/ops?limit=5",
    "/api/v1/ops?mirror=m2",
    "/api/v1/mirrors/m2/sessions",
    "/api/v1/compare?a=m1&b=p",
    "/api/v1/propagation?window=5m",
    "/api/v1/incidents",
    "/api/v1/slo",
    "/api/v1/vantages",
    "/api/v1/mirrors/m1/windows?resolution=1d",
    "/api/v1/mirrors/m1/lag?window=24h",
    "/api/v1/mirrors/m2/freshness",
    "/api/v1/mirrors/m2/rtt",
    "/api/v1/mirrors/m2/divergence",
    "/api/v1/log?after=0",
];

/// The same address ending in this.
pub fn suffixed(uri: &str, suffix: &str) -> String {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    if query.is_empty() { format!("{path}{suffix}") } else { format!("{path}{suffix}?{query}") }
}

async fn accepting(world: &World, uri: &str, accept: &str) -> Got {
    ask(world, Method::GET, uri, &[("accept", accept)]).await
}

#[actix_web::test]
async fn every_table_is_there_by_address_and_by_accept() {
    let world = world_with(HttpOptions { detail_burst: 10_000, ..HttpOptions::default() }, 0, Arc::new(|| Ok(())));
    for uri in TABLES {
        let json = get(&world, uri).await;
        assert_eq!((json.status, json.header("content-type")), (200, "application/json"), "{uri}");
        for (suffix, media, content_type) in [
            (".csv", "text/csv", "text/csv; charset=utf-8; header=present"),
            (".ndjson", "application/x-ndjson", "application/x-ndjson"),
        ] {
            let own = suffixed(uri, suffix);
            let by_address = get(&world, &own).await;
            let by_accept = accepting(&world, uri, &format!("{media}, application/json;q=0.9")).await;
            for got in [&by_address, &by_accept] {
                assert_eq!((got.status, got.header("content-type")), (200, content_type), "{own}");
                let name = got.header("content-disposition");
                assert!(name.starts_with("attachment; filename=\"mirrorwatch-"), "{own}: {name}");
                assert!(name.contains("-20231114T2213") && name.ends_with(&format!("Z{suffix}\"")), "{own}: {name}");
                assert!(got.header("vary").starts_with("Accept"), "{own}");
                assert_security_headers(got, &own);
            }
            assert_eq!(by_address.body, by_accept.body, "{own}");
            if suffix == ".csv" {
                let text = String::from_utf8(by_address.body.to_vec()).unwrap();
                assert!(text.ends_with("\r\n") && text.contains(','), "{own}: {text}");
            }
            let head = ask(&world, Method::HEAD, &own, &[]).await;
            assert_eq!((head.status, head.header("etag")), (200, by_address.header("etag")), "{own}");
            let wrong = accepting(&world, &own, "application/json").await;
            assert_problem(&wrong, 406, "not_acceptable", &own);
            assert_eq!(wrong.json()["allowed"], json!([media]), "{own}");
        }
        let none = accepting(&world, uri, "text/html;q=0.9, image/*").await;
        assert_problem(&none, 406, "not_acceptable", uri);
        assert_eq!(none.json()["allowed"], json!(["application/json", "text/csv", "application/x-ndjson"]), "{uri}");
        let browser = accepting(&world, uri, "text/html,application/xhtml+xml,*/*;q=0.8").await;
        assert_eq!(browser.header("content-type"), "application/json", "{uri}");
    }
    let is_table = |uri: &str| {
        let endpoint = endpoints::find("get", uri.split('?').next().unwrap()).unwrap();
        document()["paths"][endpoint.path]["get"]["responses"]["200"]["content"]["text/csv"].is_object()
    };
    assert!(TABLES.iter().all(|uri| is_table(uri)) && !is_table("/api/v1/primary"), "the document knows which");
    for uri in ["/api/v1/primary.csv", "/api/v1/overview.xml", "/api/v1/internals.ndjson", "/api/stats.csv"] {
        assert_problem(&get(&world, uri).await, 404, "not_found", uri);
    }
    assert_problem(&get(&world, "/api/v1/mirrors/m9/ops.csv").await, 404, "no_such_mirror", "/api/");
    assert_problem(&get(&world, "/api/v1/analytics/lag.csv?window=5y").await, 400, "bad_window", "/api/");
    assert_problem(&get(&world, "/api/v1/overview.csv?x=1").await, 400, "unknown_parameter", "/api/");
}

#[actix_web::test]
async fn each_form_has_its_own_validator_and_one_that_is_known_is_not_made() {
    let world = world();
    let key = "analytics/coverage?window=6h";
    let data = json!({ "primary_ops": 7, "mirrors": [{ "id": "=m1", "coverage": { "coverage_ratio": 0.5, "counts": { "missed": 2 } } }] });
    publish(&world.pages, key, &data.to_string(), NOW_MS);
    let uri = "/api/v1/analytics/coverage.csv?window=6h";
    for known in ["\"run.2.csv\"", "W/\"run.2.csv\", \"x\"", "*"] {
        let got = ask(&world, Method::GET, uri, &[("if-none-match", known)]).await;
        assert_eq!((got.status, got.body.len(), got.header("etag")), (304, 0, "\"run.2.csv\""), "{known}");
    }
    let made = |form| world.pages.get(key).unwrap().load_full().forms.of(form).get().is_some();
    assert!(!made(crate::publish::Form::Csv), "nothing was made for who has it");
    for other in ["\"run.2\"", "\"run.2.ndjson\"", "\"run.1.csv\""] {
        let got = ask(&world, Method::GET, uri, &[("if-none-match", other)]).await;
        assert_eq!(got.status, 200, "{other}");
        let name = "attachment; filename=\"mirrorwatch-analytics-coverage-6h-20231114T221320Z.csv\"";
        assert_eq!(got.header("content-disposition"), name);
        assert_eq!(got.header("cache-control"), "public, max-age=3, stale-while-revalidate=30");
    }
    assert!(made(crate::publish::Form::Csv) && !made(crate::publish::Form::Ndjson));
    let got = get(&world, uri).await;
    let mut reader = csv::Reader::from_reader(&got.body[..]);
    let names = reader.headers().unwrap().clone();
    let row = reader.records().next().unwrap().unwrap();
    let cell = |name: &str| &row[names.iter().position(|column| column == name).unwrap()];
    assert_eq!((cell("id"), cell("primary_ops"), cell("coverage.coverage_ratio")), ("'=m1", "7", "0.5"));
    assert_eq!((cell("coverage.counts.missed"), cell("coverage.counts.late")), ("2", ""));
    let gzip = ask(&world, Method::GET, uri, &[("accept-encoding", "gzip")]).await;
    assert_eq!(gzip.header("content-encoding"), "gzip");
    publish(&world.pages, key, &json!({ "primary_ops": 8, "mirrors": [] }).to_string(), NOW_MS);
    let newer = ask(&world, Method::GET, uri, &[("if-none-match", "\"run.2.csv\"")]).await;
    assert_eq!((newer.status, newer.header("etag")), (200, "\"run.3.csv\""));
}

#[actix_web::test]
async fn a_page_of_a_list_leads_on_in_its_form() {
    let world = world();
    let link = async |uri: &str, accept: &str| accepting(&world, uri, accept).await.header("link").to_owned();
    let uri = "/api/v1/mirrors/m1/ops";
    assert_eq!(
        link(&format!("{uri}.csv?limit=5"), "*/*").await,
        "</api/v1/mirrors/m1/ops.csv?limit=5&cursor=n1>; rel=\"next\""
    );
    assert_eq!(
        link(&format!("{uri}.ndjson?limit=5&verdict=missed"), "*/*").await,
        "</api/v1/mirrors/m1/ops.ndjson?verdict=missed&limit=5&cursor=n1>; rel=\"next\""
    );
    assert_eq!(
        link(&format!("{uri}?limit=5"), "text/csv").await,
        "</api/v1/mirrors/m1/ops?limit=5&cursor=n1>; rel=\"next\""
    );
    assert_eq!(world.detail.computed.load(Ordering::SeqCst), 2, "one answer for all forms of a question");
}

#[actix_web::test]
async fn many_who_ask_for_one_table_have_it_made_once_and_details_stay_limited() {
    let options = HttpOptions { detail_requests_per_second: 1, detail_burst: 3, ..HttpOptions::default() };
    let world = world_with(options, 0, Arc::new(|| Ok(())));
    let service = test::init_service(app(&world.state)).await;
    let request = || test::TestRequest::with_uri("/api/v1/events.csv").to_request();
    let answers = join_all((0..500).map(|_| test::call_service(&service, request()))).await;
    assert!(answers.iter().all(|answer| answer.status() == 200), "pages are not limited, in whatever form");
    for _ in 0..3 {
        assert_eq!(get(&world, "/api/v1/mirrors/m1/sessions.csv").await.status, 200);
    }
    assert_problem(&get(&world, "/api/v1/mirrors/m1/sessions.csv").await, 429, "rate_limited", "/api/");
}
