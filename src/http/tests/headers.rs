//! One table: every address, every method. Whatever is answered has the headers that protect a browser, and what is not
//! allowed says what is.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::Method;

use super::forms::{TABLES, suffixed};
use super::world::{Got, World, ask, assert_security_headers, get, world_with};
use super::{CANONICAL, DETAILS, DID, HTML};
use crate::http::HttpOptions;

const METHODS: [&str; 10] =
    ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND"];

/// What an address allows, and what it answers to GET.
pub(super) fn table() -> Vec<(String, &'static str, u16)> {
    const READ: &str = "GET, HEAD, OPTIONS";
    let mut rows: Vec<(String, &str, u16)> = Vec::new();
    for uri in CANONICAL.into_iter().chain(DETAILS).chain(["/healthz", "/readyz"]) {
        rows.push((uri.to_owned(), READ, 200));
    }
    for uri in TABLES {
        rows.extend([".csv", ".ndjson"].map(|suffix| (suffixed(uri, suffix), READ, 200)));
    }
    for file in ["state.svg", "state.json", "coverage.svg", "lag-p95.svg", "freshness.json"] {
        rows.push((format!("/badge/m1/{file}"), READ, 200));
    }
    rows.push(("/badge/m1/none.svg".to_owned(), READ, 404));
    for chart in ["state", "coverage", "lag", "freshness"] {
        rows.push((format!("/embed/m1/{chart}"), READ, 200));
    }
    for uri in [
        "/api/v1/best",
        "/api/v1/best?purpose=resolve&region=eu+west",
        "/mirrorlist.txt",
        "/llms.txt",
        "/embed.css",
        "/feeds/events.atom",
        "/feeds/events.json",
        "/feeds/incidents.atom",
        "/feeds/incidents.json",
    ] {
        rows.push((uri.to_owned(), READ, 200));
    }
    rows.push(("/embed/m1/none".to_owned(), READ, 404));
    rows.push(("/feeds/none.atom".to_owned(), READ, 404));
    // Only this machine may read it.
    rows.push(("/metrics".to_owned(), READ, 403));
    rows.push(("/api/v1/live".to_owned(), READ, 426));
    // What it answers else has no end.
    rows.push(("/api/v1/stream?topics=x".to_owned(), READ, 400));
    rows.push(("/api/v1/openapi.json".to_owned(), READ, 200));
    rows.push(("/status".to_owned(), READ, 200));
    rows.push(("/status.css".to_owned(), READ, 200));
    rows.push(("/api/v1/sync".to_owned(), READ, 426));
    rows.push(("/api/v1/logux".to_owned(), READ, 426));
    rows.push(("/api/v1/log?after=0&type=a/*".to_owned(), READ, 200));
    // A stream that is opened does not end.
    rows.push(("/api/v1/log/stream?after=x".to_owned(), READ, 400));
    rows.push((format!("/api/v1/dids/{DID}/recheck"), "POST, OPTIONS", 405));
    rows.push(("/api/v1/mirrors/m1/reprobe".to_owned(), "POST, OPTIONS", 405));
    #[cfg(feature = "dashboard")]
    {
        rows.extend(HTML.into_iter().map(|uri| (uri.to_owned(), READ, 200)));
        let html = String::from_utf8(crate::http::assets::index_html().unwrap().to_vec()).unwrap();
        let script = html[html.find("/assets/").unwrap()..].split('"').next().unwrap().to_owned();
        rows.push((script, READ, 200));
        rows.push(("/assets/none.js".to_owned(), READ, 404));
        rows.push(("/assets/%ff%00".to_owned(), READ, 404));
    }
    rows
}

/// A world that is asked more than one client may.
fn patient() -> World {
    world_with(HttpOptions { detail_burst: 10_000, ..HttpOptions::default() }, 0, Arc::new(|| Ok(())))
}

fn assert_answer(got: &Got, method: &str, uri: &str, allow: &str, read: u16) {
    let what = format!("{method} {uri}");
    assert_security_headers(got, uri);
    let is_read = allow.starts_with("GET");
    match method {
        "GET" | "HEAD" if is_read => assert_eq!(got.status, read, "{what}"),
        "OPTIONS" => assert_eq!((got.status, got.header("allow")), (204, allow), "{what}"),
        "POST" if !is_read => assert_eq!(got.status, 404, "{what}: it is not allowed here"),
        _ => {
            assert_eq!((got.status, got.header("allow")), (405, allow), "{what}");
            assert_eq!(got.json()["code"], "method_not_allowed", "{what}");
            assert_eq!(got.json()["allowed"].as_array().unwrap().len(), allow.split(", ").count(), "{what}");
        }
    }
    if got.status >= 400 {
        assert_eq!(got.header("content-type"), "application/problem+json", "{what}");
        assert_eq!(got.header("cache-control"), "no-store", "{what}");
        assert!(!got.json()["code"].as_str().unwrap().is_empty(), "{what}");
    }
}

#[actix_web::test]
async fn every_answer_of_every_address_to_every_method_has_the_headers() {
    let world = patient();
    for (uri, allow, read) in table() {
        for method in METHODS {
            let got = ask(&world, Method::from_bytes(method.as_bytes()).unwrap(), &uri, &[]).await;
            assert_answer(&got, method, &uri, allow, read);
        }
    }
    for uri in ["/x", "/api", "/api/v1/x", "/API/v1/overview", "//", "/..", "/api/v1/../overview", "/%00", "/assets/"] {
        for method in METHODS {
            let got = ask(&world, Method::from_bytes(method.as_bytes()).unwrap(), uri, &[]).await;
            assert_security_headers(&got, uri);
            assert_eq!((got.status, got.json()["code"].as_str()), (404, Some("not_found")), "{method} {uri}");
        }
    }
}

/// Streams have no end, and HEAD is answered with the end of a stream: it takes no seat and waits for nothing.
#[actix_web::test]
async fn streams_of_events_answer_head_at_once_with_the_headers_of_the_stream() {
    let world = patient();
    for uri in ["/api/v1/stream?topics=overview", "/api/v1/log/stream?after=0&type=a/*"] {
        for method in METHODS.into_iter().filter(|method| *method != "GET") {
            let asked = ask(&world, Method::from_bytes(method.as_bytes()).unwrap(), uri, &[]);
            let got = tokio::time::timeout(Duration::from_secs(5), asked).await.unwrap();
            assert_answer(&got, method, uri, "GET, HEAD, OPTIONS", 200);
            if method == "HEAD" {
                assert_eq!(
                    (got.header("content-type"), got.header("cache-control")),
                    ("text/event-stream", "no-store")
                );
                assert_eq!((got.header("x-accel-buffering"), got.body.len()), ("no", 0), "{uri}");
            }
        }
    }
    let got = ask(&world, Method::GET, "/api/v1/log/stream?after=5", &[("last-event-id", "-1")]).await;
    assert_eq!((got.status, &got.json()["code"]), (400, &"bad_last_event_id".into()));
    assert_eq!(got.json()["errors"][0]["pointer"], "header:Last-Event-ID");
}

#[actix_web::test]
async fn what_is_not_modified_has_the_headers_too() {
    let world = patient();
    for (uri, ..) in table() {
        let etag = get(&world, &uri).await.header("etag").to_owned();
        if !etag.is_empty() {
            let got = ask(&world, Method::GET, &uri, &[("if-none-match", &etag)]).await;
            assert_eq!(got.status, 304, "{uri}");
            assert_security_headers(&got, &uri);
        }
    }
}

/// The addresses that the sources register.
pub(super) fn addresses() -> Vec<String> {
    let sources = [
        include_str!("../badges.rs"),
        include_str!("../best.rs"),
        include_str!("../embed.rs"),
        include_str!("../feeds.rs"),
        include_str!("../routes.rs"),
        include_str!("../details.rs"),
        include_str!("../mirror_pages.rs"),
        include_str!("../mirror_parts.rs"),
        include_str!("../recheck.rs"),
        include_str!("../assets.rs"),
        include_str!("../nodes.rs"),
        include_str!("../vantages.rs"),
        include_str!("../nodes/log.rs"),
    ];
    let begins = [
        ("resource(\"", ""),
        ("detail(\"", ""),
        ("readable(\"", ""),
        ("forms::address(\"", ""),
        ("probe(\"", ""),
        ("plain(\"", "/api/v1/"),
        ("windowed(\"", "/api/v1/"),
        ("Endpoint { key: \"", "/api/v1/"),
    ];
    let mut found = Vec::new();
    for source in sources {
        for (begin, prefix) in begins {
            let literals =
                source.match_indices(begin).filter_map(|(at, _)| source[at + begin.len()..].split('"').next());
            found.extend(literals.map(|literal| format!("{prefix}{literal}")));
        }
    }
    found.retain(|address| {
        address != "/api/{tail:.*}" && (cfg!(feature = "dashboard") || !address.starts_with("/assets"))
    });
    found
}

/// A new address must be put into the table above.
#[test]
fn the_table_has_every_address() {
    let (table, addresses) = (table(), addresses());
    assert!(addresses.len() >= 20, "{addresses:?}");
    for address in addresses {
        let is_shape = |uri: &str| {
            let path = uri.split('?').next().unwrap();
            let (have, want): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), address.split('/').collect());
            have.len() == want.len() && have.iter().zip(want).all(|(have, want)| want.starts_with('{') || *have == want)
        };
        assert!(table.iter().any(|(uri, ..)| is_shape(uri)), "{address} is not in the table");
    }
}
