//! `/status`: the verdicts for readers without scripts, as a finished page, and its style.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use super::canonical;
use super::problem::Problem;
use super::query::Params;
use super::routes::missing;
use super::state::HttpState;
use crate::publish::PageSpec;

/// Key of the page.
pub const KEY: &str = "status";
const PATH: &str = "/status";
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const CSS: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");
/// The style may be an hour old: it changes with the program only.
const STYLE_CACHE: HeaderValue = HeaderValue::from_static("public, max-age=3600");
const STYLE: &str = include_str!("status.css");

/// What the page is published under.
pub fn spec() -> PageSpec {
    PageSpec { key: KEY.to_owned(), self_path: PATH.to_owned(), html_path: PATH.to_owned(), is_bare: true }
}

/// Answers with the page, whatever the request takes: there is no other form of it.
///
/// # Errors
/// 400 for a parameter; 503 before the first computation.
pub fn page(request: &HttpRequest, state: &HttpState) -> Result<HttpResponse, Problem> {
    Params::parse(request.query_string(), &[])?;
    let page = state.pages.get(KEY).ok_or_else(|| missing(KEY))?;
    canonical::answer_as(&page, request, state, HTML)
}

/// Answers with its style.
///
/// # Errors
/// 400 for a parameter.
pub fn style(request: &HttpRequest, _: &HttpState) -> Result<HttpResponse, Problem> {
    Params::parse(request.query_string(), &[])?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, STYLE_CACHE));
    Ok(response.content_type(CSS).body(STYLE))
}
