//! Which address answers with what: the closed list of finished pages, the details, the probes, the live socket.
//!
//! [`page_specs`] and [`configure`] read the same table, so a page without an address cannot be, nor the reverse.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, Resource, guard, web};
use futures_util::future::ready;

use super::canonical;
use super::problem::{Problem, quote};
use super::query::Params;
use super::state::HttpState;
use super::{
    badges, best, details, embed, feeds, forms, live, llms, metrics, mirror_pages, mirror_parts, openapi, past,
    recheck, sse, status,
};
use crate::domain::view::propagation;
use crate::domain::window_kind::WindowKind;
use crate::publish::{Form, PageSpec, Published};

/// What the addresses of pages begin with.
pub(super) const API: &str = "/api/v1/";
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// One address with finished pages.
struct Endpoint {
    /// Below `/api/v1/`, and the start of the pages' keys.
    key: &'static str,
    /// The same view for people.
    html: &'static str,
    /// The windows, and the one unless asked otherwise, where there are windows.
    windows: Option<(&'static [WindowKind], WindowKind)>,
}

const fn plain(key: &'static str, html: &'static str) -> Endpoint {
    Endpoint { key, html, windows: None }
}

const fn windowed(key: &'static str, window: WindowKind) -> Endpoint {
    Endpoint { key, html: "/", windows: Some((&WindowKind::ALL, window)) }
}

/// The busiest first: the router tries them in turn.
const ENDPOINTS: [Endpoint; 16] = [
    plain("overview", "/"),
    windowed("analytics/coverage", WindowKind::H6),
    windowed("analytics/lag", WindowKind::H1),
    windowed("analytics/misses", WindowKind::H6),
    windowed("analytics/history", WindowKind::H6),
    plain("analytics/rtt", "/"),
    plain("analytics/divergence", "/"),
    Endpoint { key: "propagation", html: "/", windows: Some((&propagation::WINDOWS, WindowKind::H1)) },
    plain("mirrors", "/"),
    plain("primary", "/"),
    plain("observer", "/"),
    plain("events", "/events"),
    plain("incidents", "/incidents"),
    plain("slo", "/"),
    plain("internals", "/internals"),
    plain("methodology", "/methodology"),
];

/// Key of the page in the shape of compare-plc, outside `/api/v1`.
const STATS_KEY: &str = "stats";
const STATS_PATH: &str = "/api/stats";

/// The key of a windowed page, as `analytics/lag?window=1h`.
pub fn window_key(key: &str, window: WindowKind) -> String {
    format!("{key}?window={}", window.name())
}

/// Every page that the addresses need, for these mirrors.
pub fn page_specs(mirror_ids: &[String]) -> Vec<PageSpec> {
    let mut specs = Vec::new();
    let mut push = |key: String, html_path: String| {
        specs.push(PageSpec { self_path: format!("{API}{key}"), key, html_path, is_bare: false });
    };
    for endpoint in &ENDPOINTS {
        let Some((windows, _)) = endpoint.windows else {
            push(endpoint.key.to_owned(), endpoint.html.to_owned());
            continue;
        };
        for &window in windows {
            push(window_key(endpoint.key, window), format!("{}?range={}", endpoint.html, window.name()));
        }
    }
    specs.extend(mirror_ids.iter().flat_map(|id| mirror_pages::specs(id)));
    specs.extend(mirror_ids.iter().flat_map(|id| badges::specs(id)));
    specs.extend(mirror_ids.iter().flat_map(|id| embed::specs(id)));
    specs.extend(feeds::specs());
    specs.extend(best::specs());
    specs.push(status::spec());
    specs.push(PageSpec { self_path: STATS_PATH.to_owned(), ..PageSpec::bare(STATS_KEY.to_owned(), "/".to_owned()) });
    specs
}

/// Registers every address below `/api`, and the probes.
pub fn configure(config: &mut web::ServiceConfig, state: &web::Data<HttpState>) {
    openapi::prepare();
    for endpoint in &ENDPOINTS {
        register(endpoint, None, state, config);
    }
    config
        .service(page(STATS_PATH, STATS_KEY, state))
        .service(mirror_pages::figures(state))
        .service(mirror_pages::readiness(state))
        .service(mirror_pages::check(state))
        .service(details::incident(state))
        .service(details::recent(state))
        .service(details::op(state))
        .service(details::evidence(state))
        .service(details::did(state));
    for form in [None, Some(Form::Csv), Some(Form::Ndjson)] {
        for endpoint in ENDPOINTS.iter().filter(|endpoint| form.is_some() && forms::table_of(endpoint.key).is_some()) {
            register(endpoint, form, state, config);
        }
        config
            .service(details::mirror_ops(state, form))
            .service(details::sessions(state, form))
            .service(details::ops(state, form))
            .service(details::compare(state, form))
            .service(mirror_parts::windows(state, form))
            .service(mirror_parts::lag(state, form))
            .service(mirror_parts::freshness(state, form))
            .service(mirror_parts::rtt(state, form))
            .service(mirror_parts::divergence(state, form));
    }
    best::configure(config, state);
    config
        .service(recheck::recheck(state))
        .service(recheck::reprobe(state))
        .service(live_socket(state))
        .service(readable("/api/v1/stream", state, sse::open))
        .service(readable("/api/v1/openapi.json", state, openapi::answer))
        .service(badges::badge(state))
        .service(embed::document(state))
        .service(readable("/embed.css", state, embed::style))
        .service(feeds::feed(state))
        .service(readable("/llms.txt", state, llms::answer))
        .service(readable("/status", state, status::page))
        .service(readable("/status.css", state, status::style))
        .service(readable("/metrics", state, metrics::answer))
        .service(probe("/healthz", "stuck", state, |state| (state.health)()))
        .service(probe("/readyz", "not_ready", state, |state| (state.readiness)()))
        .service(web::resource("/api/{tail:.*}").default_service(not_found(state)));
}

/// 404 for whatever has no address.
pub fn not_found(state: &web::Data<HttpState>) -> actix_web::Route {
    let state = state.clone();
    web::to(move |request: HttpRequest| {
        let problem = Problem::new(StatusCode::NOT_FOUND, "not_found", "no such address; see /api/v1/overview");
        ready(problem.respond(&request, state.now_ms()))
    })
}

/// A resource that is read: GET and HEAD by `answer`, OPTIONS, 405 for the rest.
pub(super) fn readable(
    path: &str,
    state: &web::Data<HttpState>,
    answer: impl Fn(&HttpRequest, &HttpState) -> Result<HttpResponse, Problem> + Clone + 'static,
) -> Resource {
    let shared = state.clone();
    let handler = move |request: HttpRequest| {
        let response = answer(&request, &shared).unwrap_or_else(|problem| problem.respond(&request, shared.now_ms()));
        ready(response)
    };
    web::resource(path)
        .route(web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(handler))
        .default_service(other_method(state))
}

pub(super) fn other_method(state: &web::Data<HttpState>) -> actix_web::Route {
    let state = state.clone();
    web::to(move |request: HttpRequest| {
        let response = if request.method() == Method::OPTIONS {
            HttpResponse::NoContent().insert_header((header::ALLOW, METHODS)).finish()
        } else {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "allowed: GET, HEAD, OPTIONS")
                .allowed(["GET", "HEAD", "OPTIONS"])
                .header(header::ALLOW, METHODS)
                .respond(&request, state.now_ms())
        };
        ready(response)
    })
}

/// The page of this key.
///
/// # Errors
/// 503 where there is none yet.
pub(super) fn published(state: &HttpState, key: &str) -> Result<Arc<Published>, Problem> {
    state.pages.get(key).ok_or_else(|| missing(key))
}

fn missing(key: &str) -> Problem {
    Problem::unavailable("not_ready", format!("there is no page {} yet", quote(key)), 1)
}

fn page(path: &str, key: &'static str, state: &web::Data<HttpState>) -> Resource {
    let page = state.pages.get(key);
    readable(path, state, move |request, state| {
        Params::parse(request.query_string(), &[])?;
        canonical::answer(page.as_ref().ok_or_else(|| missing(key))?, request, state)
    })
}

/// An address of the table; a range of its own is looked for first, because finished pages take none.
fn register(endpoint: &Endpoint, form: Option<Form>, state: &web::Data<HttpState>, config: &mut web::ServiceConfig) {
    if let Some(of_range) = past::figures(endpoint.key, form, state) {
        config.service(of_range);
    }
    config.service(finished(endpoint, form, state));
}

/// The finished pages of an address of the table, in JSON or in the form that it ends in.
fn finished(endpoint: &Endpoint, form: Option<Form>, state: &web::Data<HttpState>) -> Resource {
    let (path, key) = (format!("{API}{}", endpoint.key), endpoint.key);
    let table = forms::table_of(key);
    let Some((known, default)) = endpoint.windows else {
        let Some(table) = table else { return page(&path, key, state) };
        let page = state.pages.get(key);
        return forms::page(&path, (table, form), state, move |request, _| {
            Params::parse(request.query_string(), &[])?;
            page.clone().ok_or_else(|| missing(key))
        });
    };
    let pages: Vec<(WindowKind, Arc<Published>)> =
        known.iter().filter_map(|&window| Some((window, state.pages.get(&window_key(key, window))?))).collect();
    let asked = move |request: &HttpRequest| {
        let window = Params::parse(request.query_string(), &["window"])?.window_of(known, default)?;
        let page = pages.iter().find(|(held, _)| *held == window).map(|(_, page)| Arc::clone(page));
        page.ok_or_else(|| missing(key))
    };
    match table {
        Some(table) => forms::page(&path, (table, form), state, move |request, _| asked(request)),
        None => readable(&path, state, move |request, state| {
            let page = asked(request)?;
            canonical::answer(&page, request, state)
        }),
    }
}

pub(super) fn known_mirror<'a>(request: &'a HttpRequest, state: &HttpState) -> Result<&'a str, Problem> {
    let id = request.match_info().query("id");
    if state.is_mirror(id) {
        return Ok(id);
    }
    Err(Problem::new(StatusCode::NOT_FOUND, "no_such_mirror", format!("{}; see /api/v1/mirrors", quote(id))))
}

fn live_socket(state: &web::Data<HttpState>) -> Resource {
    let shared = state.clone();
    let handler = move |request: HttpRequest, payload: web::Payload| {
        let response = live::open(&request, payload, &shared);
        ready(response.unwrap_or_else(|problem| problem.respond(&request, shared.now_ms())))
    };
    let read = web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    web::resource("/api/v1/live").route(read.to(handler)).default_service(other_method(state))
}

fn probe(
    path: &str,
    code: &'static str,
    state: &web::Data<HttpState>,
    check: fn(&HttpState) -> Result<(), String>,
) -> Resource {
    readable(path, state, move |_, state| match check(state) {
        Ok(()) => {
            let mut response = HttpResponse::Ok();
            response.insert_header((header::CACHE_CONTROL, NO_STORE));
            Ok(response.content_type("application/json").body("{\"status\":\"ok\"}"))
        }
        Err(why) => Err(Problem::unavailable(code, why, 1)),
    })
}
