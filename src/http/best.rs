//! Which mirror to use, by what for and where; and the addresses of all that can be used, one a line. They are finished pages.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use actix_web::{HttpRequest, HttpResponse, web};

use super::canonical::{self, JSON};
use super::problem::{Problem, quote};
use super::query::{Params, one_of};
use super::routes::{API, published, readable};
use super::state::HttpState;
use crate::domain::probes::Purpose;
use crate::publish::{PageSpec, Published};

/// Key of the page unless asked otherwise, and its address below `/api/v1/`.
const KEY: &str = "best";
const RESOLVE_KEY: &str = "best?purpose=resolve";
const LIST_KEY: &str = "mirrorlist.txt";
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// A mirror that is let go must be let go by those who ask within a quarter of a minute: a copy may not be older.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=15");

/// The pages of this observer.
pub(super) fn specs() -> [PageSpec; 3] {
    let spec = |key: &str| PageSpec {
        key: key.to_owned(),
        self_path: format!("{API}{key}"),
        html_path: "/".to_owned(),
        is_bare: false,
    };
    [spec(KEY), spec(RESOLVE_KEY), PageSpec::bare(LIST_KEY.to_owned(), format!("{API}{KEY}"))]
}

/// The key of the page of a region, among those of all regions.
fn region_key(purpose: Purpose, region: &str) -> String {
    format!("{}/{region}", purpose.name())
}

/// The page of a region.
#[must_use]
pub fn region_spec(purpose: Purpose, region: &str) -> PageSpec {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("purpose", purpose.name())
        .append_pair("region", region)
        .finish();
    PageSpec {
        key: region_key(purpose, region),
        self_path: format!("{API}{KEY}?{query}"),
        html_path: "/vantages".to_owned(),
        is_bare: false,
    }
}

/// Registers the addresses.
pub(super) fn configure(config: &mut web::ServiceConfig, state: &web::Data<HttpState>) {
    config
        .service(readable("/api/v1/best", state, |request, state| {
            canonical::check_accept(request)?;
            let page = asked(request, state)?;
            answer(&page, request, state, JSON)
        }))
        .service(readable("/mirrorlist.txt", state, |request, state| {
            Params::parse(request.query_string(), &[])?;
            let page = published(state, LIST_KEY)?;
            answer(&page, request, state, TEXT)
        }));
}

fn asked(request: &HttpRequest, state: &HttpState) -> Result<Arc<Published>, Problem> {
    let params = Params::parse(request.query_string(), &["purpose", "region"])?;
    let purpose = match params.get("purpose") {
        None => Purpose::Stream,
        Some(name) => Purpose::parse(name)
            .ok_or_else(|| one_of("bad_purpose", "purpose", name, Purpose::ALL.map(Purpose::name)))?,
    };
    match (params.get("region"), purpose) {
        (Some(region), _) => {
            state.regions.get(&region_key(purpose, region)).ok_or_else(|| no_such_region(region, state))
        }
        (None, Purpose::Stream) => published(state, KEY),
        (None, Purpose::Resolve) => published(state, RESOLVE_KEY),
    }
}

fn no_such_region(region: &str, state: &HttpState) -> Problem {
    let prefix = region_key(Purpose::Stream, "");
    let pages = state.regions.all();
    let known: Vec<&str> = pages.iter().filter_map(|page| page.spec().key.strip_prefix(&prefix)).collect();
    let detail = match known.as_slice() {
        [] => format!("{}; no observer that is known here names its region", quote(region)),
        known => format!("{}; known: {}", quote(region), known.join(", ")),
    };
    Problem::new(StatusCode::NOT_FOUND, "no_such_region", detail).allowed(known)
}

fn answer(
    page: &Published,
    request: &HttpRequest,
    state: &HttpState,
    content_type: HeaderValue,
) -> Result<HttpResponse, Problem> {
    let current = page.load();
    canonical::check_ready(&current)?;
    let mut ready = canonical::ready(page, &current, (&current.body, &current.etag), content_type, state.now_ms());
    ready.cache_control = CACHE;
    Ok(canonical::respond(&ready, request))
}
