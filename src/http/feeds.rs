//! Feeds of what happened, for readers of news. They are finished pages.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use actix_web::{Resource, web};

use super::canonical;
use super::problem::{Problem, quote};
use super::query::Params;
use super::routes::{published, readable};
use super::state::HttpState;
use crate::domain::view::feed::FeedKind;
use crate::publish::PageSpec;

/// How the keys of feeds begin.
pub const PREFIX: &str = "feeds/";

const ATOM: HeaderValue = HeaderValue::from_static("application/atom+xml; charset=utf-8");
const JSON_FEED: HeaderValue = HeaderValue::from_static("application/feed+json");

/// The pages of the feeds.
pub fn specs() -> impl Iterator<Item = PageSpec> {
    files().map(|file| PageSpec::bare(format!("{PREFIX}{file}"), "/events".to_owned()))
}

/// The names of the feeds.
pub fn files() -> impl Iterator<Item = String> {
    FeedKind::ALL.into_iter().flat_map(|kind| ["atom", "json"].map(|format| format!("{}.{format}", kind.name())))
}

/// The address of all feeds.
pub fn feed(state: &web::Data<HttpState>) -> Resource {
    readable("/feeds/{file}", state, |request, state| {
        Params::parse(request.query_string(), &[])?;
        let file = request.match_info().query("file");
        if !files().any(|known| known == file) {
            let detail = format!("{}; there are events and incidents, each .atom and .json", quote(file));
            return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_feed", detail).allowed(files()));
        }
        let key = format!("{PREFIX}{file}");
        let page = published(state, &key)?;
        match file.rsplit_once('.') {
            Some((_, "atom")) => canonical::answer_as(&page, request, state, ATOM),
            _ => canonical::answer_as(&page, request, state, JSON_FEED),
        }
    })
}
