//! Errors as readers get them: RFC 9457 problem details with a stable `code`.
//!
//! Says what was wrong, with the value quoted and cut, and what is allowed; never says what happened inside.

use std::fmt::Write as _;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

/// The media type of every error.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// Longest quotation of a reader's own value, in characters.
const QUOTE_CHARS_MAX: usize = 80;

/// One error of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable identifier, `snake_case`.
    pub code: &'static str,
    /// What was wrong with this request.
    pub detail: String,
    /// What applies to some problems only; apart, so that a result that may be a problem stays small.
    pub extras: Box<Extras>,
}

/// What applies to some problems only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// The limit that was passed, where one was.
    pub limit: Option<u64>,
    /// Everything that is allowed in this place, where that is a short list.
    pub allowed: Option<Vec<String>>,
    /// Which part of the request, where that can be pointed at.
    pub errors: Vec<Pointed>,
    /// Headers besides the usual, as `Retry-After` or `Allow`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// One wrong part of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pointed {
    /// `query:NAME`, `path:NAME` or `header:NAME`.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    code: &'a str,
    request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<&'a [String]>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Pointed],
}

impl Problem {
    /// A problem with nothing but words.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Problem { status, code, detail: detail.into(), extras: Box::default() }
    }

    /// 400 about one query parameter.
    pub fn bad_query(code: &'static str, parameter: &str, detail: impl Into<String>) -> Self {
        let mut problem = Problem::new(StatusCode::BAD_REQUEST, code, detail);
        problem.extras.errors = vec![Pointed { pointer: format!("query:{parameter}"), detail: problem.detail.clone() }];
        problem
    }

    /// 400 about one header.
    pub fn bad_header(code: &'static str, name: &str, detail: impl Into<String>) -> Self {
        let mut problem = Problem::new(StatusCode::BAD_REQUEST, code, detail);
        problem.extras.errors = vec![Pointed { pointer: format!("header:{name}"), detail: problem.detail.clone() }];
        problem
    }

    /// 503 with `Retry-After`.
    pub fn unavailable(code: &'static str, detail: impl Into<String>, retry_after_s: u64) -> Self {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
            .header(header::RETRY_AFTER, HeaderValue::from(retry_after_s))
    }

    /// 500; the cause goes to the log under the request's id, which is all that the reader is told.
    pub fn internal() -> Self {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "report id")
    }

    /// With the limit that was passed.
    #[must_use]
    pub fn limit(mut self, limit: u64) -> Self {
        self.extras.limit = Some(limit);
        self
    }

    /// With the list of what is allowed.
    #[must_use]
    pub fn allowed(mut self, allowed: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.extras.allowed = Some(allowed.into_iter().map(Into::into).collect());
        self
    }

    /// With one header more.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.extras.headers.push((name, value));
        self
    }

    /// The response. `now_ms` (UTC) goes into the request's id.
    pub fn respond(&self, request: &HttpRequest, now_ms: i64) -> HttpResponse {
        self.respond_to(request.path(), now_ms)
    }

    /// The response to a request for `path`, where nothing more is left of the request.
    pub fn respond_to(&self, path: &str, now_ms: i64) -> HttpResponse {
        let request_id = request_id(now_ms);
        let is_internal = self.status == StatusCode::INTERNAL_SERVER_ERROR;
        if is_internal {
            tracing::error!(%request_id, path = %crate::telemetry::Capped(path), "request failed");
        }
        let detail = if is_internal { format!("{} {request_id}", self.detail) } else { self.detail.clone() };
        let body = Body {
            kind: format!("/docs/errors#{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &detail,
            instance: path,
            code: self.code,
            request_id,
            limit: self.extras.limit,
            allowed: self.extras.allowed.as_deref(),
            errors: &self.extras.errors,
        };
        let mut response = HttpResponse::build(self.status);
        response.content_type(PROBLEM_JSON);
        response.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
        for (name, value) in &self.extras.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        response.body(serde_json::to_vec(&body).unwrap_or_default())
    }
}

/// A ULID: when and which.
fn request_id(now_ms: i64) -> String {
    ulid::Ulid::from_parts(u64::try_from(now_ms).unwrap_or(0), rand::random()).to_string()
}

/// `value` in quotes, escaped and cut at 80 characters.
pub fn quote(value: &str) -> String {
    let cut: String = value.chars().take(QUOTE_CHARS_MAX).collect();
    let mut quoted = format!("{cut:?}");
    if cut.len() < value.len() {
        let _ = write!(quoted, "…");
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[actix_web::test]
    async fn the_body_has_every_member_and_nothing_empty() {
        let request = TestRequest::with_uri("/api/v1/x?y=1").to_http_request();
        let problem = Problem::bad_query("bad_limit", "limit", "expected 1–1000").limit(1000);
        let response = problem.respond(&request, 1_700_000_000_000);
        assert_eq!(response.headers().get("content-type").unwrap(), PROBLEM_JSON);
        let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["type"], "/docs/errors#bad_limit");
        assert_eq!(body["title"], "Bad Request");
        assert_eq!(body["status"], 400);
        assert_eq!(body["instance"], "/api/v1/x");
        assert_eq!(body["limit"], 1000);
        assert_eq!(body["errors"][0]["pointer"], "query:limit");
        assert_eq!(body["request_id"].as_str().unwrap().len(), 26);
        assert!(body.get("allowed").is_none());
    }

    #[test]
    fn quotations_are_escaped_and_cut() {
        assert_eq!(quote("a\"\u{202e}b\n"), "\"a\\\"\\u{202e}b\\n\"");
        assert_eq!(quote(&"x".repeat(100)).chars().count(), 83);
    }
}
