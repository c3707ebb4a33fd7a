//! Badges: small pictures of a mirror's figures for other sites, and the same for shields.io. They are finished pages.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use actix_web::{Resource, web};

use super::canonical;
use super::problem::{Problem, quote};
use super::query::Params;
use super::routes::{known_mirror, published, readable};
use super::state::HttpState;
use crate::domain::view::badge::BadgeKind;
use crate::publish::PageSpec;

/// How the keys of badges begin.
pub const PREFIX: &str = "badge/";

const SVG: HeaderValue = HeaderValue::from_static("image/svg+xml");

/// The pages of one mirror's badges.
pub fn specs(mirror_id: &str) -> impl Iterator<Item = PageSpec> {
    let spec = move |key: String| PageSpec::bare(key, format!("/mirrors/{mirror_id}"));
    files().map(move |file| spec(format!("{PREFIX}{mirror_id}/{file}")))
}

/// The names of a mirror's badges.
pub(super) fn files() -> impl Iterator<Item = String> {
    BadgeKind::ALL.into_iter().flat_map(|kind| ["svg", "json"].map(|format| format!("{}.{format}", kind.name())))
}

/// The address of all badges.
pub fn badge(state: &web::Data<HttpState>) -> Resource {
    readable("/badge/{id}/{file}", state, |request, state| {
        Params::parse(request.query_string(), &[])?;
        let id = known_mirror(request, state)?;
        let file = request.match_info().query("file");
        if !files().any(|known| known == file) {
            let detail =
                format!("{}; there are state, coverage, lag-p95 and freshness, each .svg and .json", quote(file));
            return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_badge", detail).allowed(files()));
        }
        let key = format!("{PREFIX}{id}/{file}");
        let page = published(state, &key)?;
        match file.rsplit_once('.') {
            Some((_, "svg")) => canonical::answer_as(&page, request, state, SVG),
            _ => canonical::answer(&page, request, state),
        }
    })
}
