//! `/status`: the verdicts for readers without scripts, as a finished page, and its style.

use std::sync::LazyLock;

use actix_web::http::header::HeaderValue;
use actix_web::{HttpRequest, HttpResponse};

use super::canonical;
use super::fixed::{self, Fixed};
use super::problem::Problem;
use super::query::Params;
use super::routes::published;
use super::state::HttpState;
use crate::publish::PageSpec;

/// Key of the page.
pub const KEY: &str = "status";
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
static STYLE: LazyLock<Option<Fixed>> = LazyLock::new(|| Fixed::new(include_bytes!("status.css").to_vec(), fixed::CSS));

/// What the page is published under.
pub fn spec() -> PageSpec {
    PageSpec::bare(KEY.to_owned(), format!("/{KEY}"))
}

/// Answers with the page, whatever the request takes: there is no other form of it.
///
/// # Errors
/// 400 for a parameter; 503 before the first computation.
pub fn page(request: &HttpRequest, state: &HttpState) -> Result<HttpResponse, Problem> {
    Params::parse(request.query_string(), &[])?;
    let page = published(state, KEY)?;
    canonical::answer_as(&page, request, state, HTML)
}

/// Answers with its style.
///
/// # Errors
/// 400 for a parameter.
pub fn style(request: &HttpRequest, _: &HttpState) -> Result<HttpResponse, Problem> {
    fixed::answer(STYLE.as_ref(), request)
}
