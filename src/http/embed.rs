//! Figures of a mirror for other sites to show in a frame: finished documents without scripts, and their style.
//!
//! These are the only documents that may stand in a frame of another site; nothing can be done in them but to follow a link.

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use super::canonical;
use super::fixed::{self, Fixed};
use super::problem::{Problem, quote};
use super::query::Params;
use super::routes::{known_mirror, published, readable};
use super::state::HttpState;
use crate::domain::view::embed::EmbedKind;
use crate::publish::PageSpec;

/// How the keys of the documents begin.
pub const PREFIX: &str = "embed/";

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
static STYLE: LazyLock<Option<Fixed>> = LazyLock::new(|| Fixed::new(include_bytes!("embed.css").to_vec(), fixed::CSS));
/// A style of ours, and frames of anybody.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
     frame-ancestors *",
);

/// The pages of one mirror's documents.
pub fn specs(mirror_id: &str) -> impl Iterator<Item = PageSpec> {
    let spec = move |key: String| PageSpec::bare(key, format!("/mirrors/{mirror_id}"));
    EmbedKind::ALL.into_iter().map(move |kind| spec(format!("{PREFIX}{mirror_id}/{}", kind.name())))
}

/// The address of all documents.
pub fn document(state: &web::Data<HttpState>) -> Resource {
    readable("/embed/{id}/{chart}", state, |request, state| {
        Params::parse(request.query_string(), &[])?;
        let id = known_mirror(request, state)?;
        let chart = request.match_info().query("chart");
        let names = EmbedKind::ALL.map(EmbedKind::name);
        if !names.contains(&chart) {
            let detail = format!("{}; there are {}", quote(chart), names.join(", "));
            return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_chart", detail).allowed(names));
        }
        let key = format!("{PREFIX}{id}/{chart}");
        let page = published(state, &key)?;
        let mut response = canonical::answer_as(&page, request, state, HTML)?;
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
        Ok(response)
    })
}

/// Answers with their style.
///
/// # Errors
/// 400 for a parameter.
pub fn style(request: &HttpRequest, _: &HttpState) -> Result<HttpResponse, Problem> {
    fixed::answer(STYLE.as_ref(), request)
}
