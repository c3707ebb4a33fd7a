//! The web page.

use actix_web::web::ServiceConfig;

/// Registers the page's addresses.
pub fn configure(_config: &mut ServiceConfig) {}
