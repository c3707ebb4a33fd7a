//! The finished pages of one mirror: its figures, whether it is ready to be used, and one word for monitors.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, Resource, web};
use std::sync::Arc;

use super::canonical;
use super::problem::Problem;
use super::query::Params;
use super::routes::{API, known_mirror, published, readable};
use super::state::HttpState;
use crate::domain::mirror_state::State;
use crate::domain::view::check::Check;
use crate::publish::{PageSpec, Published};

/// How long an answer is believed after the next one was due, seconds.
const OVERDUE_MAX_S: i64 = 60;

/// The pages of one mirror.
pub fn specs(mirror_id: &str) -> impl Iterator<Item = PageSpec> {
    ["", "/readiness", "/check"].into_iter().map(move |part| {
        let key = format!("mirrors/{mirror_id}{part}");
        PageSpec { self_path: format!("{API}{key}"), key, html_path: format!("/mirrors/{mirror_id}"), is_bare: false }
    })
}

/// `/mirrors/{id}`.
pub fn figures(state: &web::Data<HttpState>) -> Resource {
    readable("/api/v1/mirrors/{id}", state, |request, state| {
        canonical::answer(&*page(request, state, "")?, request, state)
    })
}

/// `/mirrors/{id}/readiness`.
pub fn readiness(state: &web::Data<HttpState>) -> Resource {
    readable("/api/v1/mirrors/{id}/readiness", state, |request, state| {
        canonical::answer(&*page(request, state, "/readiness")?, request, state)
    })
}

/// `/mirrors/{id}/check`: 200 while the mirror is well, 422 while it is not, 424 while that cannot be told. A status
/// of the 500s would be about us: proxies would let go of us for what a mirror does.
pub fn check(state: &web::Data<HttpState>) -> Resource {
    readable("/api/v1/mirrors/{id}/check", state, |request, state| {
        let page = page(request, state, "/check")?;
        canonical::check_accept(request)?;
        let current = page.load();
        canonical::check_ready(&current)?;
        let check: Check = serde_json::from_slice(current.data()).map_err(|error| {
            tracing::error!(%error, "a check cannot be read");
            Problem::internal()
        })?;
        let now_ms = state.now_ms();
        let overdue_s = now_ms.saturating_sub(page.next_at_ms()) / 1_000;
        if let Some(problem) = too_old(overdue_s).or_else(|| objection(&check)) {
            return Err(problem);
        }
        let form = (&current.body, &current.etag);
        Ok(canonical::respond(&canonical::ready(&page, &current, form, canonical::JSON, now_ms), request))
    })
}

/// Where nobody has looked for so long, nothing is said of a mirror.
fn too_old(overdue_s: i64) -> Option<Problem> {
    let detail = || format!("the next look at it is overdue by {overdue_s} s; {OVERDUE_MAX_S} s are allowed");
    (overdue_s > OVERDUE_MAX_S).then(|| Problem::new(StatusCode::FAILED_DEPENDENCY, "observer_impaired", detail()))
}

/// What speaks against a mirror; nothing against one that is well.
fn objection(check: &Check) -> Option<Problem> {
    let detail = format!("{}: {}", check.state.name(), check.why);
    let (status, code, detail) = match check.state {
        State::Ok => return None,
        state if state.is_bad() => (StatusCode::UNPROCESSABLE_ENTITY, "mirror_not_well", detail),
        _ if check.observer_flags.is_empty() => (StatusCode::FAILED_DEPENDENCY, "not_judged", detail),
        _ => {
            let flags = check.observer_flags.join(", ");
            (StatusCode::FAILED_DEPENDENCY, "observer_impaired", format!("{detail} ({flags})"))
        }
    };
    Some(Problem::new(status, code, detail))
}

/// A page of the mirror that a request names.
fn page(request: &HttpRequest, state: &HttpState, part: &str) -> Result<Arc<Published>, Problem> {
    Params::parse(request.query_string(), &[])?;
    published(state, &format!("mirrors/{}{part}", known_mirror(request, state)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_looked_at_for_long_is_no_mirrors_fault() {
        assert!(too_old(OVERDUE_MAX_S).is_none());
        let problem = too_old(OVERDUE_MAX_S + 1).unwrap();
        assert_eq!((problem.status, problem.code), (StatusCode::FAILED_DEPENDENCY, "observer_impaired"));
        assert_eq!(problem.detail, "the next look at it is overdue by 61 s; 60 s are allowed");
    }
}
