//! What several observers saw, merged: a finished page where there are nodes, and a sentence where there are none.

use actix_web::http::StatusCode;
use actix_web::web;

use super::forms;
use super::problem::Problem;
use super::query::Params;
use super::routes::{API, published, readable};
use super::state::HttpState;
use crate::domain::view::table::TableKind;
use crate::publish::{Form, PageSpec};

/// The page's key and its address below `/api/v1/`.
const KEY: &str = "vantages";

/// The page, which is there only where there are nodes.
#[must_use]
pub fn spec() -> PageSpec {
    PageSpec {
        key: KEY.to_owned(),
        self_path: format!("{API}{KEY}"),
        html_path: "/vantages".to_owned(),
        is_bare: false,
    }
}

/// Registers the addresses.
pub(super) fn configure(config: &mut web::ServiceConfig, state: &web::Data<HttpState>) {
    for form in [None, Some(Form::Csv), Some(Form::Ndjson)] {
        let path = forms::address("/api/v1/vantages", form);
        if state.nodes.is_none() {
            config.service(readable(&path, state, |_, _| Err(nobody())));
            continue;
        }
        config.service(forms::page("/api/v1/vantages", (TableKind::Vantages, form), state, |request, state| {
            Params::parse(request.query_string(), &[])?;
            published(state, KEY)
        }));
    }
}

fn nobody() -> Problem {
    let why = "this observer knows of no others: give it a name and peers with the key \"nodes\" of its configuration";
    Problem::new(StatusCode::NOT_FOUND, "not_enabled", why)
}
