//! The addresses whose answers are computed when they are asked for, within the pool's bounds.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Resource, guard, web};

use super::canonical::{self, Ready};
use super::detail::Question;
use super::forms;
use super::ops_query::{self, OpsQuery};
use super::pool::{ANSWER_TTL, Answer};
use super::problem::{Problem, quote};
use super::query::Params;
use super::routes::{known_mirror, other_method};
use super::state::HttpState;
use crate::domain::op::OpKey;
use crate::domain::window_kind::WindowKind;
use crate::publish::Form;

/// `/mirrors/{id}/ops`.
pub fn mirror_ops(state: &web::Data<HttpState>, form: Option<Form>) -> Resource {
    detail("/api/v1/mirrors/{id}/ops", form, state, |request, state| {
        let id = known_mirror(request, state)?;
        OpsQuery::parse(Some(id), request.query_string(), |_| true).map(Question::Ops)
    })
}

/// `/mirrors/{id}/sessions`.
pub fn sessions(state: &web::Data<HttpState>, form: Option<Form>) -> Resource {
    detail("/api/v1/mirrors/{id}/sessions", form, state, |request, state| {
        Params::parse(request.query_string(), &[])?;
        known_mirror(request, state).map(|id| Question::Sessions(id.to_owned()))
    })
}

/// `/incidents/{id}`.
pub fn incident(state: &web::Data<HttpState>) -> Resource {
    detail("/api/v1/incidents/{id}", None, state, |request, _| {
        Params::parse(request.query_string(), &[])?;
        Ok(Question::Incident(request.match_info().query("id").to_owned()))
    })
}

/// `/ops`.
pub fn ops(state: &web::Data<HttpState>, form: Option<Form>) -> Resource {
    detail("/api/v1/ops", form, state, |request, state| {
        let is_mirror = |id: &str| state.is_mirror(id);
        OpsQuery::parse(None, request.query_string(), is_mirror).map(Question::Ops)
    })
}

/// `/ops/recent`.
pub fn recent(state: &web::Data<HttpState>) -> Resource {
    detail("/api/v1/ops/recent", None, state, |request, _| {
        Params::parse(request.query_string(), &[])?;
        Ok(Question::Recent)
    })
}

/// `/ops/{did}/{cid}`.
pub fn op(state: &web::Data<HttpState>) -> Resource {
    detail("/api/v1/ops/{did}/{cid}", None, state, |request, _| key(request).map(Question::Op))
}

/// `/ops/{did}/{cid}/evidence`: to be kept as a file.
pub fn evidence(state: &web::Data<HttpState>) -> Resource {
    detail("/api/v1/ops/{did}/{cid}/evidence", None, state, |request, _| key(request).map(Question::Evidence))
}

/// `/dids/{did}`.
pub fn did(state: &web::Data<HttpState>) -> Resource {
    detail("/api/v1/dids/{did}", None, state, |request, _| {
        Params::parse(request.query_string(), &[])?;
        ops_query::did(request.match_info().query("did")).map(Question::Did)
    })
}

/// `/compare`.
pub fn compare(state: &web::Data<HttpState>, form: Option<Form>) -> Resource {
    detail("/api/v1/compare", form, state, |request, state| {
        let params = Params::parse(request.query_string(), &["a", "b", "window"])?;
        let host = |name: &'static str| {
            let missing =
                || Problem::bad_query("missing_parameter", name, format!("{name}: expected the id of a host"));
            let id = params.get(name).ok_or_else(missing)?;
            if state.is_mirror(id) || state.primary_id == id {
                return Ok(id.to_owned());
            }
            let detail = format!("{}; see /api/v1/overview", quote(id));
            Err(Problem::new(StatusCode::NOT_FOUND, "no_such_host", detail))
        };
        let (a, b) = (host("a")?, host("b")?);
        if a == b {
            return Err(Problem::bad_query("same_host", "b", "a and b must be different hosts"));
        }
        Ok(Question::Compare { a, b, window: params.window(WindowKind::H6)? })
    })
}

fn key(request: &HttpRequest) -> Result<OpKey, Problem> {
    Params::parse(request.query_string(), &[])?;
    let did = ops_query::did(request.match_info().query("did"))?;
    let cid = ops_query::cid("cid", request.match_info().query("cid"))?;
    Ok(OpKey { did, cid })
}

/// A resource that is read, whose answers are waited for: GET and HEAD by what `read` makes of the request, OPTIONS, 405
/// for the rest. `form` is what the address ends in, where it ends in one.
pub(super) fn detail(
    path: &str,
    form: Option<Form>,
    state: &web::Data<HttpState>,
    read: fn(&HttpRequest, &HttpState) -> Result<Question, Problem>,
) -> Resource {
    let shared = state.clone();
    let handler = move |request: HttpRequest| {
        let state = shared.clone();
        async move {
            let answer = respond(&request, &state, form, read).await;
            answer.unwrap_or_else(|problem| problem.respond(&request, state.now_ms()))
        }
    };
    web::resource(forms::address(path, form))
        .route(web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(handler))
        .default_service(other_method(state))
}

async fn respond(
    request: &HttpRequest,
    state: &web::Data<HttpState>,
    fixed: Option<Form>,
    read: fn(&HttpRequest, &HttpState) -> Result<Question, Problem>,
) -> Result<HttpResponse, Problem> {
    let question = read(request, state)?;
    let wanted = match forms::table_of_answer(&question) {
        Some(table) => forms::wanted(request, fixed)?.map(|form| (table, form, fixed)),
        None => canonical::check_accept(request).map(|()| None)?,
    };
    state.limit.take(state.client(request))?;
    let (file, own) = (file_name(&question), question.own());
    let answer = state.pool.answer(question).await.map_err(|error| Problem::from(&*error))?;
    if let Some(wanted) = wanted {
        return forms::of_answer(&answer, wanted, (&own, request), state).await;
    }
    let mut response = ready(&answer, request, state);
    if let Some(value) = file {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// Under which name an answer is kept that is meant to be.
fn file_name(question: &Question) -> Option<HeaderValue> {
    let Question::Evidence(key) = question else { return None };
    HeaderValue::from_str(&format!("attachment; filename=\"mirrorwatch-evidence-{}.json\"", key.cid)).ok()
}

fn ready(answer: &Answer, request: &HttpRequest, state: &HttpState) -> HttpResponse {
    let ready = Ready {
        body: &answer.body,
        etag: &answer.etag,
        last_modified: &answer.last_modified,
        age_ms: state.now_ms().saturating_sub(answer.generated_at_ms).max(0),
        cache_control: canonical::newest_for(i64::try_from(ANSWER_TTL.as_secs()).unwrap_or(0)),
        next: answer.next.as_deref(),
        content_type: canonical::JSON,
    };
    canonical::respond(&ready, request)
}
