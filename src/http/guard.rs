//! What holds for every request and every answer: the `Host` check, security and CORS headers.
//!
//! Runs around the router, so that errors get the same headers as pages. It adds; it never changes a body.

use actix_web::body::BoxBody;
use actix_web::dev::{RequestHead, Service, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::{Error, HttpResponse};
use futures_util::future::{Either, ready};

use super::client_address::is_https;
use super::door::Hangup;
use super::head::Refusal;
use super::problem::{Problem, quote};
use super::state::HttpState;

/// Where the data is that any origin may read, and the pictures and documents that other sites show.
const PUBLIC_PREFIXES: [&str; 4] = ["/api/", "/badge/", "/embed/", "/feeds/"];

fn is_public(path: &str) -> bool {
    PUBLIC_PREFIXES.iter().any(|prefix| path.starts_with(prefix))
}

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; base-uri 'none'; object-src 'none'; form-action 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'";

/// Where the policy says whither a page may open connections.
const OWN_CONNECTIONS: &str = "connect-src 'self'";

/// The policy of a page that may open connections to these origins too.
pub(super) fn policy_with(origins: &[String]) -> HeaderValue {
    // A host that is an IPv6 address has no form in a policy: such a source cannot be reached from a page.
    let is_told = |origin: &&String| origin.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:/".contains(&b));
    let connections =
        origins.iter().filter(is_told).fold(OWN_CONNECTIONS.to_owned(), |all, origin| format!("{all} {origin}"));
    let policy = CONTENT_SECURITY_POLICY.replace(OWN_CONNECTIONS, &connections);
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(CONTENT_SECURITY_POLICY))
}

static SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
static CROSS_ORIGIN: HeaderValue = HeaderValue::from_static("cross-origin");
static EXPOSED: HeaderValue = HeaderValue::from_static(
    "ETag, Link, Retry-After, RateLimit, RateLimit-Policy, Server-Timing, Content-Disposition",
);
static PREFLIGHT_AGE_S: HeaderValue = HeaderValue::from_static("86400");
static ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
static ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static("Accept, Content-Type, If-None-Match");
static HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");

/// Headers of every answer that do not depend on the request.
pub(super) fn fixed_headers() -> [(HeaderName, HeaderValue); 5] {
    [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CROSS_ORIGIN_OPENER_POLICY, SAME_ORIGIN.clone()),
        (header::PERMISSIONS_POLICY, HeaderValue::from_static("camera=(), microphone=(), geolocation=()")),
    ]
}

/// Which headers an answer gets, decided from the request before it is handed on.
pub(super) struct Additions {
    resource_policy: &'static HeaderValue,
    is_https: bool,
    allow_origin: Option<HeaderValue>,
    varies_by_origin: bool,
    /// Whether what follows the request is no request: the connection ends with an answer that does not take it over.
    pub(super) is_stream: bool,
}

/// Checks the request, passes it on, and adds the headers to whatever came of it.
pub fn around<S>(
    state: &HttpState,
    request: ServiceRequest,
    service: &S,
) -> impl Future<Output = Result<ServiceResponse, Error>> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
{
    let additions = additions(state, request.head());
    state.fail.reach("request", request.path());
    let answer = match early_answer(state, &request) {
        Some(response) => Either::Left(ready(Ok(request.into_response(response)))),
        None => Either::Right(service.call(request)),
    };
    async move {
        let mut response = answer.await?;
        if additions.is_stream && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
            if let Some(hangup) = response.request().conn_data::<Hangup>() {
                hangup.hang_up();
            }
        }
        add(response.headers_mut(), additions);
        Ok(response)
    }
}

/// The answer to a request that needs no handler: a refusal or a preflight.
fn early_answer(state: &HttpState, request: &ServiceRequest) -> Option<HttpResponse<BoxBody>> {
    if let Some(refusal) = Refusal::of(request.method(), request.path()) {
        return Some(refusal.problem().respond(request.request(), state.now_ms()));
    }
    if let Err(problem) = check(state, request) {
        return Some(problem.respond(request.request(), state.now_ms()));
    }
    let is_preflight = request.method() == Method::OPTIONS
        && is_public(request.path())
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    is_preflight.then(|| {
        HttpResponse::NoContent()
            .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS.clone()))
            .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS.clone()))
            .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE_S.clone()))
            .finish()
    })
}

/// Refuses what has a body where none belongs, or asks for another host. Limits of the head are kept at the door.
fn check(state: &HttpState, request: &ServiceRequest) -> Result<(), Problem> {
    let headers = request.headers();
    if has_body(headers) && matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "limit 0").limit(0));
    }
    check_host(&state.options.allowed_hosts, headers)
}

/// Whether a body follows the head.
fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
}

/// Refuses a `Host` that is not on the list; an empty list allows all.
fn check_host(allowed: &[String], headers: &HeaderMap) -> Result<(), Problem> {
    if allowed.is_empty() {
        return Ok(());
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    let name = without_port(host);
    let is_allowed = allowed.iter().any(|entry| entry.eq_ignore_ascii_case(host) || entry.eq_ignore_ascii_case(name));
    if is_allowed {
        return Ok(());
    }
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "wrong_host", format!("{} is not served here", quote(host))))
}

/// `host` of `host:port`; brackets of an IPv6 address stay.
pub(super) fn without_port(host: &str) -> &str {
    host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(name, _)| name)
}

/// Whether an origin may read the public data.
pub fn is_origin_allowed(origins: &[String], origin: &HeaderValue) -> bool {
    origins.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes())
}

pub(super) fn additions(state: &HttpState, request: &RequestHead) -> Additions {
    let is_public = is_public(request.uri.path());
    let origins = &state.options.cors_origins;
    let allows_any = origins.iter().any(|origin| origin == "*");
    let allow_origin = if !is_public {
        None
    } else if allows_any {
        Some(HeaderValue::from_static("*"))
    } else {
        request.headers.get(header::ORIGIN).filter(|origin| is_origin_allowed(origins, origin)).cloned()
    };
    let is_https = is_https(request.peer_addr, &request.headers, &state.options.trusted_proxies);
    let is_stream = request.method == Method::CONNECT || request.headers.contains_key(header::UPGRADE);
    let resource_policy = if is_public { &CROSS_ORIGIN } else { &SAME_ORIGIN };
    Additions { resource_policy, is_https, allow_origin, varies_by_origin: is_public && !allows_any, is_stream }
}

/// Adds what was decided to an answer.
pub(super) fn add(headers: &mut HeaderMap, additions: Additions) {
    for (name, value) in fixed_headers() {
        // A page may have a policy of its own, as one that opens sockets to the sources.
        if name != header::CONTENT_SECURITY_POLICY || !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CROSS_ORIGIN_RESOURCE_POLICY, additions.resource_policy.clone());
    if additions.is_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS.clone());
    }
    if let Some(origin) = additions.allow_origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED.clone());
    }
    if additions.varies_by_origin {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_without_their_port() {
        let allowed = vec!["status.example.org".to_owned(), "[::1]".to_owned(), "localhost:7331".to_owned()];
        let is_ok = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
            check_host(&allowed, &headers).is_ok()
        };
        assert!(is_ok("status.example.org") && is_ok("STATUS.example.org:443") && is_ok("[::1]:80"));
        assert!(is_ok("localhost:7331") && !is_ok("localhost:80"));
        assert!(!is_ok("evil.example") && !is_ok("[::2]") && !is_ok("status.example.org.evil.example"));
        assert!(check_host(&allowed, &HeaderMap::new()).is_err());
        assert!(check_host(&[], &HeaderMap::new()).is_ok());
    }
}
