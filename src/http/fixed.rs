//! Texts that change with the program only: made once, whole, and served with their validator.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::canonical;
use super::problem::Problem;
use super::query::Params;
use crate::publish::Encoded;

/// Of style sheets.
pub(super) const CSS: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");
/// It changes with the program only; asking again costs one comparison.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300, stale-while-revalidate=30");
/// Bytes of the digest that stand in the `ETag`.
const ETAG_BYTES: usize = 12;

/// A text in every encoding, with its strong tag.
pub(super) struct Fixed {
    body: Encoded,
    etag: HeaderValue,
    content_type: HeaderValue,
}

impl Fixed {
    /// The text as it is served; `None` where it cannot be compressed, which is not known to happen in memory.
    pub(super) fn new(text: Vec<u8>, content_type: HeaderValue) -> Option<Fixed> {
        let digest = HEXLOWER.encode(Sha256::digest(&text).get(..ETAG_BYTES)?);
        let etag = HeaderValue::from_str(&format!("\"{digest}\"")).ok()?;
        Some(Fixed { body: Encoded::new(text).ok()?, etag, content_type })
    }

    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        canonical::respond_with((&self.body, &self.etag), &self.content_type, request, |response| {
            response.insert_header((header::CACHE_CONTROL, CACHE));
        })
    }
}

/// Answers with a text that was made when it was first asked for.
///
/// # Errors
/// 400 for a parameter.
pub(super) fn answer(text: Option<&Fixed>, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    Params::parse(request.query_string(), &[])?;
    text.map(|text| text.answer(request)).ok_or_else(Problem::internal)
}
