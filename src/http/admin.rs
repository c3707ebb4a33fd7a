//! Who may do what only the operator may: whoever brings the token whose digest the configuration holds.
//!
//! A token in a header, never a cookie, so that no other site can have a browser bring it along. No token and a wrong one
//! get the same answer; neither is ever logged.

use std::net::IpAddr;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::limit::ClientLimit;
use super::problem::Problem;

/// Failures of one client that are answered as such.
const FAILURES_MAX: u32 = 5;
/// The time in which so many are.
const FAILURES_WITHIN: Duration = Duration::from_mins(1);
/// Longest token in bytes that is looked at.
const TOKEN_BYTES_MAX: usize = 4_096;
/// Says that a script of the page itself asks: a form cannot send it.
const REQUESTED_BY: &str = "x-requested-by";

/// The operator's token, by its digest.
#[derive(Debug)]
pub struct Admin {
    sha256: [u8; 32],
    failures: ClientLimit,
}

impl Admin {
    /// Knows the token whose SHA-256 is `sha256`.
    pub fn new(sha256: [u8; 32]) -> Self {
        Admin { sha256, failures: ClientLimit::per_period("attempts", FAILURES_MAX, FAILURES_WITHIN) }
    }

    /// Lets the operator pass.
    ///
    /// # Errors
    /// 401 without the token; 429 after [`FAILURES_MAX`] failures of a client in a minute; 400 without `X-Requested-By`.
    pub fn check(&self, request: &HttpRequest, client: IpAddr) -> Result<(), Problem> {
        if !self.is_right(request.headers()) {
            self.failures.take(client)?;
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "send the operator's token")
                .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        if request.headers().contains_key(REQUESTED_BY) {
            return Ok(());
        }
        Err(Problem::new(StatusCode::BAD_REQUEST, "missing_requested_by", "send X-Requested-By, with any value"))
    }

    /// Whether the token is there; takes as long when it is not.
    fn is_right(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(header::AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
        let (scheme, token) = value.split_at_checked(7).unwrap_or((b"", b""));
        let token = token.get(..TOKEN_BYTES_MAX).unwrap_or(token).trim_ascii();
        let is_same = Sha256::digest(token).as_slice().ct_eq(&self.sha256);
        bool::from(is_same) & scheme.eq_ignore_ascii_case(b"bearer ")
    }
}
