//! Answers from finished pages: one load, a comparison of tags, a clone of bytes.
//!
//! Nothing here serialises, compresses, sorts or waits; what is written per request are two short header values.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::negotiate::{self, Coding};
use super::problem::Problem;
use super::state::HttpState;
use crate::publish::{Encoded, Page, Published};

/// Media type of every page but pictures.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// What an answer depends on besides its address.
const VARY: HeaderValue = HeaderValue::from_static("Accept, Accept-Encoding");
static SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// A finished answer and what its headers need.
pub struct Ready<'a> {
    /// The body in every encoding.
    pub body: &'a Encoded,
    /// Strong validator.
    pub etag: &'a HeaderValue,
    /// HTTP date of the body's making.
    pub last_modified: &'a HeaderValue,
    /// Milliseconds since the data was last found true.
    pub age_ms: i64,
    /// For how long it may be kept.
    pub cache_control: HeaderValue,
    /// `rel="next"`, where there is a next page.
    pub next: Option<&'a str>,
    /// Media type of the body.
    pub content_type: HeaderValue,
}

/// Answers with a page.
///
/// # Errors
/// 406 where the request takes no JSON; 503 before the first computation.
pub fn answer(page: &Published, request: &HttpRequest, state: &HttpState) -> Result<HttpResponse, Problem> {
    check_accept(request)?;
    answer_as(page, request, state, JSON)
}

/// The same for a body of another type, whatever the request takes: where a picture stands, a refusal helps nobody.
///
/// # Errors
/// 503 before the first computation.
pub fn answer_as(
    page: &Published,
    request: &HttpRequest,
    state: &HttpState,
    content_type: HeaderValue,
) -> Result<HttpResponse, Problem> {
    let current = page.load();
    check_ready(&current)?;
    Ok(respond(&ready(page, &current, (&current.body, &current.etag), content_type, state.now_ms()), request))
}

/// Refuses what is no page yet.
///
/// # Errors
/// 503 before the first computation.
pub(super) fn check_ready(page: &Page) -> Result<(), Problem> {
    if page.revision > 0 {
        return Ok(());
    }
    Err(Problem::unavailable("not_ready", "the first computation has not ended; retry in 1 s", 1))
}

/// A page, in the form that is given with its validator.
pub(super) fn ready<'a>(
    page: &Published,
    current: &'a Page,
    (body, etag): (&'a Encoded, &'a HeaderValue),
    content_type: HeaderValue,
    now_ms: i64,
) -> Ready<'a> {
    Ready {
        body,
        etag,
        last_modified: &current.last_modified,
        age_ms: now_ms.saturating_sub(page.confirmed_at_ms()).max(0),
        cache_control: newest_for(page.next_at_ms().saturating_sub(now_ms).max(0) / 1000),
        next: None,
        content_type,
    }
}

/// Refuses a request that takes no JSON.
///
/// # Errors
/// 406 with the list.
pub fn check_accept(request: &HttpRequest) -> Result<(), Problem> {
    if negotiate::accepts_json(request.headers()) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "offered: application/json")
        .allowed(["application/json"]))
}

/// 200 in the best encoding, or 304.
pub fn respond(ready: &Ready<'_>, request: &HttpRequest) -> HttpResponse {
    respond_with((ready.body, ready.etag), &ready.content_type, request, |response| {
        response
            .insert_header((header::LAST_MODIFIED, ready.last_modified.clone()))
            .insert_header((header::CACHE_CONTROL, ready.cache_control.clone()))
            .insert_header((SERVER_TIMING.clone(), text(&format!("snap;desc=age;dur={}", ready.age_ms))));
        if let Some(next) = ready.next {
            response.insert_header((header::LINK, text(&format!("<{next}>; rel=\"next\""))));
        }
    })
}

/// The same for a body with its validator, with headers that both answers have.
pub(super) fn respond_with(
    (body, etag): (&Encoded, &HeaderValue),
    content_type: &HeaderValue,
    request: &HttpRequest,
    add_headers: impl FnOnce(&mut HttpResponseBuilder),
) -> HttpResponse {
    let is_known = negotiate::has_already(request.headers(), etag);
    let status = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut response = HttpResponse::build(status);
    response.insert_header((header::ETAG, etag.clone())).insert_header((header::VARY, VARY));
    add_headers(&mut response);
    if is_known {
        return response.finish();
    }
    response.insert_header((header::CONTENT_TYPE, content_type.clone()));
    let coding = negotiate::coding(request.headers());
    if let Some(value) = coding.header() {
        response.insert_header((header::CONTENT_ENCODING, value));
    }
    response.body(match coding {
        Coding::Identity => body.identity.clone(),
        Coding::Gzip => body.gzip.clone(),
        Coding::Brotli => body.br.clone(),
    })
}

/// For an answer that stays the newest for so many whole seconds.
pub(super) fn newest_for(max_age_s: i64) -> HeaderValue {
    text(&format!("public, max-age={max_age_s}, stale-while-revalidate=30"))
}

/// A header value of our own making, which has nothing in it that a header may not have.
pub(super) fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}
