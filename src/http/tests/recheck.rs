//! What a request that has something done must bring: a body that is JSON or none, and a token where visitors may not ask.

use std::sync::Arc;

use actix_web::http::Method;
use sha2::{Digest, Sha256};

use super::DID;
use super::world::{Got, World, ask, ask_with, assert_problem, world_with};
use crate::http::HttpOptions;

const TOKEN: &str = "an operator's token of more than 32 characters";

fn uri() -> String {
    format!("/api/v1/dids/{DID}/recheck")
}

fn open_to_all() -> World {
    let options = HttpOptions { allow_recheck: true, ..HttpOptions::default() };
    world_with(options, 0, Arc::new(|| Ok(())))
}

async fn post(world: &World, headers: &[(&str, &str)]) -> Got {
    ask(world, Method::POST, &uri(), headers).await
}

#[actix_web::test]
async fn a_body_is_json_or_none() {
    let world = open_to_all();
    let json = [("content-type", "application/json; charset=utf-8")];
    assert_eq!(ask_with(&world, Method::POST, &uri(), &json, "{\"any\": [1]}").await.status, 202);
    let rows = [
        ("text/plain", "{}", 415, "unsupported_media_type", "send application/json"),
        ("", "x", 415, "unsupported_media_type", "send application/json"),
        ("application/json", "{\n \"a\": tru", 400, "bad_json", "at byte 11"),
        ("application/json", "{} x", 400, "bad_json", "at byte 4"),
        ("application/json", &"[".repeat(4_000), 400, "bad_json", "at byte 4000"),
        ("application/json", &" ".repeat(5_000), 413, "body_too_large", "limit 4096"),
    ];
    for (kind, body, status, code, detail) in rows {
        let headers = [("content-type", kind)];
        let got = ask_with(&world, Method::POST, &uri(), if kind.is_empty() { &[] } else { &headers }, body).await;
        assert_problem(&got, status, code, &uri());
        assert_eq!(got.json()["detail"], detail);
    }
}

#[actix_web::test]
async fn the_operator_alone_may_ask_where_visitors_may_not() {
    let digest = Sha256::digest(TOKEN.as_bytes()).into();
    let options = HttpOptions { admin_token_sha256: Some(digest), ..HttpOptions::default() };
    let world = world_with(options, 0, Arc::new(|| Ok(())));
    let bearer = format!("Bearer {TOKEN}");
    let by = ("x-requested-by", "test");
    assert_eq!(post(&world, &[("authorization", &bearer), by]).await.status, 202);
    assert_problem(&post(&world, &[("authorization", &bearer)]).await, 400, "missing_requested_by", &uri());
    let cross = [("authorization", bearer.as_str()), by, ("sec-fetch-site", "cross-site")];
    assert_problem(&post(&world, &cross).await, 403, "cross_site", &uri());
    let mut bodies = Vec::new();
    for wrong in ["", "Bearer", "Bearer x", "Basic eDp4", &format!("bearer {TOKEN}x")] {
        let headers = [("authorization", wrong), by];
        let got = post(&world, if wrong.is_empty() { &[] } else { &headers }).await;
        assert_problem(&got, 401, "unauthorized", &uri());
        assert_eq!(got.header("www-authenticate"), "Bearer");
        let mut body = got.json();
        body["request_id"] = "same".into();
        bodies.push(body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "none and a wrong one look the same");
    let sixth = post(&world, &[("authorization", "Bearer y")]).await;
    assert_problem(&sixth, 429, "rate_limited", &uri());
    assert_eq!(sixth.json()["detail"], "5 attempts per minute; retry in 12 s");
    assert_eq!(post(&world, &[("authorization", &bearer), by]).await.status, 202, "the right one always passes");
}
