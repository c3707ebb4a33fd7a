//! The words of every documented refusal, whole: a reader of the documentation finds them as they come.

use super::world::{ask_with, get, world, world_with};
use crate::http::HttpOptions;
use crate::http::tests::DID;
use actix_web::http::Method;
use std::sync::Arc;

#[actix_web::test]
async fn every_documented_refusal_has_its_words() {
    let world = world();
    for (uri, code, detail) in [
        ("/api/v1/analytics/lag?window=5y", "bad_window", "\"5y\"; allowed: 5m, 15m, 1h, 6h, 24h, 7d, 30d"),
        ("/api/v1/analytics/lag?windw=5m", "unknown_parameter", "\"windw\"; did you mean \"window\"?"),
        ("/api/v1/analytics/lag?window=5m&window=1h", "repeated_parameter", "\"window\" given 2 times"),
        ("/api/v1/mirrors/m1/ops?limit=1e9", "bad_limit", "expected 1–1000"),
        ("/api/v1/mirrors/m1/ops?cursor=damaged", "bad_page", "token is damaged"),
        ("/api/v1/mirrors/m1/ops?cursor=expired", "page_expired", "start again without it"),
        ("/api/v1/dids/did:plc:short", "bad_did", "expected did:plc: and 24 characters a–z 2–7"),
        ("/api/v1/mirrors/x", "no_such_mirror", "\"x\"; see /api/v1/mirrors"),
    ] {
        let body = get(&world, uri).await.json();
        assert_eq!((body["code"].as_str(), body["detail"].as_str()), (Some(code), Some(detail)), "{uri}");
    }
    let options = HttpOptions { allow_recheck: true, ..HttpOptions::default() };
    let world = world_with(options, 0, Arc::new(|| Ok(())));
    let uri = format!("/api/v1/dids/{DID}/recheck");
    let long = "x".repeat(5_000);
    for (kind, body, status, detail) in [
        ("application/json", long.as_str(), 413, "limit 4096"),
        ("text/plain", "{}", 415, "send application/json"),
        ("application/json", "{\"a\":true} and", 400, "at byte 12"),
    ] {
        let headers = [("content-type", kind), ("x-requested-by", "test")];
        let got = ask_with(&world, Method::POST, &uri, &headers, body).await;
        assert_eq!((got.status, got.json()["detail"].as_str()), (status, Some(detail)), "{kind}");
    }
}
