//! Texts that change with the program only: made once, whole, and served with their validator.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::negotiate::{self, Coding};
use crate::publish::Encoded;

/// It changes with the program only; asking again costs one comparison.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300, stale-while-revalidate=30");
const VARY: HeaderValue = HeaderValue::from_static("Accept, Accept-Encoding");
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

    /// 200 in the best encoding, or 304.
    pub(super) fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let is_known = negotiate::has_already(request.headers(), &self.etag);
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header((header::ETAG, self.etag.clone()))
            .insert_header((header::CACHE_CONTROL, CACHE))
            .insert_header((header::VARY, VARY));
        if is_known {
            return response.finish();
        }
        let coding = negotiate::coding(request.headers());
        if let Some(value) = coding.header() {
            response.insert_header((header::CONTENT_ENCODING, value));
        }
        response.insert_header((header::CONTENT_TYPE, self.content_type.clone()));
        response.body(match coding {
            Coding::Identity => self.body.identity.clone(),
            Coding::Gzip => self.body.gzip.clone(),
            Coding::Brotli => self.body.br.clone(),
        })
    }
}
