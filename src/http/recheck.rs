//! What a reader may have done: all hosts asked about a DID now, and the way chosen anew in which a mirror's operations are
//! taken. The operator's own unless he allows it to all.
//!
//! Bounded three times: few requests of one client, no second one for a DID or a mirror that was just asked about, and the
//! budget for each host.

use std::time::Duration;

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::head::{BODY_BYTES_MAX, Refusal};
use super::ops_query;
use super::problem::Problem;
use super::query::Params;
use super::routes::known_mirror;
use super::state::HttpState;

/// Requests of one client per second, steadily.
pub const PER_SECOND: u32 = 1;
/// The same, at once.
pub const BURST: u32 = 5;
/// For so long a DID is not asked about again.
pub const SAME_DID: Duration = Duration::from_secs(10);
/// DIDs remembered for that.
pub const DIDS_MAX: u64 = 1_000;
/// Longest time for a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// When to look for what came of it.
const LOOK_AFTER_S: u64 = 3;

const METHODS: HeaderValue = HeaderValue::from_static("POST, OPTIONS");

/// What is asked for.
#[derive(Copy, Clone)]
enum Wish {
    Recheck,
    Reprobe,
}

/// `POST /dids/{did}/recheck`.
pub fn recheck(state: &web::Data<HttpState>) -> Resource {
    resource("/api/v1/dids/{did}/recheck", Wish::Recheck, state)
}

/// `POST /mirrors/{id}/reprobe`.
pub fn reprobe(state: &web::Data<HttpState>) -> Resource {
    resource("/api/v1/mirrors/{id}/reprobe", Wish::Reprobe, state)
}

fn resource(path: &str, wish: Wish, state: &web::Data<HttpState>) -> Resource {
    let shared = state.clone();
    let handler = move |request: HttpRequest, body: web::Payload| {
        let state = shared.clone();
        async move {
            let answer = respond(&request, body, wish, &state).await;
            answer.unwrap_or_else(|problem| problem.respond(&request, state.now_ms()))
        }
    };
    let shared = state.clone();
    let other = move |request: HttpRequest| {
        let response = if request.method() == Method::OPTIONS {
            HttpResponse::NoContent().insert_header((header::ALLOW, METHODS)).finish()
        } else {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "allowed: POST, OPTIONS")
                .allowed(["POST", "OPTIONS"])
                .header(header::ALLOW, METHODS)
                .respond(&request, shared.now_ms())
        };
        std::future::ready(response)
    };
    web::resource(path).route(web::post().to(handler)).default_service(web::to(other))
}

async fn respond(
    request: &HttpRequest,
    body: web::Payload,
    wish: Wish,
    state: &HttpState,
) -> Result<HttpResponse, Problem> {
    if !state.options.allow_recheck {
        let admin = state.admin.as_ref().ok_or(super::detail::RecheckError::NotEnabled)?;
        admin.check(request, state.client(request))?;
    }
    check_origin(request.headers())?;
    check_body(request.headers(), body).await?;
    Params::parse(request.query_string(), &[])?;
    match wish {
        Wish::Recheck => {
            let did = ops_query::did(request.match_info().query("did"))?;
            state.recheck_limit.take(state.client(request))?;
            if state.rechecked.get(&did).await.is_none() {
                state.detail.recheck(did).await?;
                state.rechecked.insert(did, ()).await;
            }
            let (look, html) = (format!("/api/v1/dids/{did}"), format!("/did/{did}"));
            Ok(accepted(&look, &html, &json!({ "did": did.to_string(), "look_after_s": LOOK_AFTER_S })))
        }
        Wish::Reprobe => {
            let id = known_mirror(request, state)?;
            state.recheck_limit.take(state.client(request))?;
            state.detail.reprobe(id)?;
            let (look, html) = (format!("/api/v1/mirrors/{id}"), format!("/mirrors/{id}"));
            Ok(accepted(&look, &html, &json!({ "mirror": id, "look_after_s": LOOK_AFTER_S })))
        }
    }
}

fn accepted(look: &str, html: &str, data: &Value) -> HttpResponse {
    let body = json!({ "data": data, "links": { "self": look, "html": html } });
    HttpResponse::Accepted()
        .insert_header((header::LOCATION, look))
        .insert_header((header::RETRY_AFTER, LOOK_AFTER_S))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(body)
}

/// A page of another site must not have its readers ask.
fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    match site {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(Problem::new(StatusCode::FORBIDDEN, "cross_site", "only this page itself may ask for a check")),
    }
}

/// Refuses a body that is no JSON; what it says is not looked at, and none is as good.
async fn check_body(headers: &HeaderMap, body: web::Payload) -> Result<(), Problem> {
    let bytes = match timeout(BODY_TIMEOUT, body.to_bytes_limited(BODY_BYTES_MAX)).await {
        Ok(Ok(Ok(bytes))) => bytes,
        Ok(Ok(Err(_))) => return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_body", "the body is cut short")),
        Ok(Err(_)) => return Err(Refusal::BodyTooLarge.problem()),
        Err(_) => {
            let detail = format!("the body took longer than {} s", BODY_TIMEOUT.as_secs());
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail));
        }
    };
    if bytes.is_empty() {
        return Ok(());
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let refusal =
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "send application/json");
        return Err(refusal.allowed(["application/json"]));
    }
    serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).map(drop).map_err(|error| {
        let before: usize = bytes.split(|byte| *byte == b'\n').take(error.line() - 1).map(|line| line.len() + 1).sum();
        Problem::new(StatusCode::BAD_REQUEST, "bad_json", format!("at byte {}", before + error.column()))
    })
}
