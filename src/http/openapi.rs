//! The API's own description: an OpenAPI 3.1 document, made once from the types in [`shape`] and the entries in
//! [`endpoints`], and served as a finished page.
//!
//! A new address is one entry in a file of [`endpoints`] and, where it answers something new, one type in [`shape`]. The tests
//! ask every address and hold each answer, its status and its problem codes against the document.

pub mod agreement;
pub mod document;
pub mod endpoint;
pub mod endpoints;
mod parameter;
pub mod shape;

use std::sync::LazyLock;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::canonical::{self, JSON};
use super::negotiate::{self, Coding};
use super::problem::Problem;
use super::query::Params;
use super::state::HttpState;
use crate::publish::Encoded;

/// It changes with the program only; asking again costs one comparison.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300, stale-while-revalidate=30");
const VARY: HeaderValue = HeaderValue::from_static("Accept, Accept-Encoding");
/// Bytes of the digest that stand in the `ETag`.
const ETAG_BYTES: usize = 12;

/// The document in every encoding, with its strong tag.
struct Served {
    body: Encoded,
    etag: HeaderValue,
}

static SERVED: LazyLock<Option<Served>> = LazyLock::new(|| {
    let text = serde_json::to_vec(&document::document()).ok()?;
    let digest = HEXLOWER.encode(Sha256::digest(&text).get(..ETAG_BYTES)?);
    let etag = HeaderValue::from_str(&format!("\"{digest}\"")).ok()?;
    Some(Served { body: Encoded::new(text).ok()?, etag })
});

/// Makes the document, unless it is there: no reader should wait for that.
pub fn prepare() {
    LazyLock::force(&SERVED);
}

/// `/openapi.json`.
///
/// # Errors
/// 400 for a parameter; 406 where the request takes no JSON.
pub fn answer(request: &HttpRequest, _: &HttpState) -> Result<HttpResponse, Problem> {
    Params::parse(request.query_string(), &[])?;
    canonical::check_accept(request)?;
    let served = SERVED.as_ref().ok_or_else(Problem::internal)?;
    let is_known = negotiate::has_already(request.headers(), &served.etag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, served.etag.clone()))
        .insert_header((header::CACHE_CONTROL, CACHE))
        .insert_header((header::VARY, VARY));
    if is_known {
        return Ok(response.finish());
    }
    let coding = negotiate::coding(request.headers());
    if let Some(value) = coding.header() {
        response.insert_header((header::CONTENT_ENCODING, value));
    }
    response.insert_header((header::CONTENT_TYPE, JSON));
    Ok(response.body(match coding {
        Coding::Identity => served.body.identity.clone(),
        Coding::Gzip => served.body.gzip.clone(),
        Coding::Brotli => served.body.br.clone(),
    }))
}
