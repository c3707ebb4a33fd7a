//! The API's own description: an `OpenAPI` 3.1 document, made once from the types in [`shape`] and the entries in
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

use actix_web::{HttpRequest, HttpResponse};

use super::canonical::{self, JSON};
use super::fixed::{self, Fixed};
use super::problem::Problem;
use super::state::HttpState;

static SERVED: LazyLock<Option<Fixed>> =
    LazyLock::new(|| Fixed::new(serde_json::to_vec(&document::document()).ok()?, JSON));

/// Makes the document, unless it is there: no reader should wait for that.
pub fn prepare() {
    LazyLock::force(&SERVED);
}

/// `/openapi.json`.
///
/// # Errors
/// 400 for a parameter; 406 where the request takes no JSON.
pub fn answer(request: &HttpRequest, _: &HttpState) -> Result<HttpResponse, Problem> {
    canonical::check_accept(request)?;
    fixed::answer(SERVED.as_ref(), request)
}
