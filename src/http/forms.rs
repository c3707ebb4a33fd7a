//! Pages and details as tables: CSV and NDJSON by the end of the address or by `Accept`.
//!
//! A table is made of a finished body when it is first asked for, once for each revision, in the bounded pool; who asks
//! again gets the same bytes.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Resource, guard, web};
use futures_util::future::{Either, ready};
use serde_json::Value;

use super::canonical::{self, Ready};
use super::detail::{DetailError, Question};
use super::negotiate;
use super::pool::{ANSWER_TTL, Answer};
use super::problem::Problem;
use super::routes::other_method;
use super::state::HttpState;
use crate::domain::time::rfc3339_ms;
use crate::domain::view::table::{Table, TableKind, csv, ndjson};
use crate::publish::{Encoded, Form, Forms, Page, Published, WindowMeta};

/// Media type of the form that every address has.
const JSON_MEDIA: &str = "application/json";
/// Longest name of a file before its end, in bytes.
const NAME_BYTES_MAX: usize = 120;
/// Parameters whose values stand in the name of a file.
const NAMED: [&str; 7] = ["a", "b", "verdict", "window", "resolution", "from", "to"];

/// Which table the finished pages of a key make, if any; `key` is without its window.
pub(super) fn table_of(key: &str) -> Option<TableKind> {
    Some(match key {
        "overview" => TableKind::Overview,
        "mirrors" => TableKind::Mirrors,
        "analytics/coverage" => TableKind::Coverage,
        "analytics/lag" => TableKind::Lag,
        "analytics/misses" => TableKind::Misses,
        "analytics/history" => TableKind::History,
        "analytics/rtt" => TableKind::Rtt,
        "analytics/divergence" => TableKind::Divergence,
        "events" => TableKind::Events,
        "propagation" => TableKind::Propagation,
        "incidents" => TableKind::Incidents,
        "slo" => TableKind::Slo,
        _ => return None,
    })
}

/// Which table the answer to a question makes, if any.
pub(super) fn table_of_answer(question: &Question) -> Option<TableKind> {
    match question {
        Question::Ops(_) => Some(TableKind::Ops),
        Question::Sessions(_) => Some(TableKind::Sessions),
        Question::Compare { .. } => Some(TableKind::Compare),
        Question::Mirror { part, .. } => Some(part.table()),
        Question::Past(question) => Some(question.table()),
        _ => None,
    }
}

/// An address in a form.
pub(super) fn address(path: &str, form: Option<Form>) -> String {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let suffix = form.map_or("", Form::suffix);
    query.map_or_else(|| format!("{path}{suffix}"), |query| format!("{path}{suffix}?{query}"))
}

/// Which form a request gets of what can be a table; none is JSON. `fixed` is the form that the address ends in.
///
/// # Errors
/// 406 with the list.
pub(super) fn wanted(request: &HttpRequest, fixed: Option<Form>) -> Result<Option<Form>, Problem> {
    let offered: Vec<(&str, Option<Form>)> = match fixed {
        Some(form) => vec![(form.media(), fixed)],
        None => [(JSON_MEDIA, None)].into_iter().chain(Form::ALL.map(|form| (form.media(), Some(form)))).collect(),
    };
    let media: Vec<&str> = offered.iter().map(|(media, _)| *media).collect();
    let chosen = negotiate::preferred(request.headers(), &media).and_then(|i| offered.get(i));
    chosen.map(|(_, form)| *form).ok_or_else(|| {
        let detail = format!("offered: {}", media.join(", "));
        Problem::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", detail).allowed(media)
    })
}

/// What a table can be made of.
trait Tabular: Send + Sync + 'static {
    fn data(&self) -> &[u8];
    fn window(&self) -> Option<WindowMeta>;
    fn forms(&self) -> &Forms;
}

impl Tabular for Page {
    fn data(&self) -> &[u8] {
        Page::data(self)
    }
    fn window(&self) -> Option<WindowMeta> {
        self.window
    }
    fn forms(&self) -> &Forms {
        &self.forms
    }
}

impl Tabular for Answer {
    fn data(&self) -> &[u8] {
        Answer::data(self)
    }
    fn window(&self) -> Option<WindowMeta> {
        self.window
    }
    fn forms(&self) -> &Forms {
        &self.forms
    }
}

/// The body in this form.
async fn body<T: Tabular>(
    source: &Arc<T>,
    (table, form): (TableKind, Form),
    state: &web::Data<HttpState>,
) -> Result<Encoded, Problem> {
    if let Some(made) = source.forms().of(form).get() {
        return Ok(made.clone());
    }
    let (of, pool) = (Arc::clone(source), state.clone());
    // A task of its own: a reader who leaves does not have it made again for the next one.
    let task = tokio::spawn(async move {
        let make = || {
            let source = Arc::clone(&of);
            let work = pool.pool.run(move || made(&*source, table, form));
            async move { work.await? }
        };
        of.forms().of(form).get_or_try_init(make).await.cloned()
    });
    let ended = task.await.unwrap_or_else(|error| Err(DetailError::Internal(error.to_string())));
    ended.map_err(|error| Problem::from(&error))
}

/// Makes the table and its encodings. Blocks.
fn made<T: Tabular>(source: &T, table: TableKind, form: Form) -> Result<Encoded, DetailError> {
    let data: Value = serde_json::from_slice(source.data()).map_err(|e| DetailError::Internal(e.to_string()))?;
    let window = source.window().map(|w| (rfc3339_ms(w.from_at_ms), rfc3339_ms(w.to_at_ms)));
    let window = window.as_ref().map(|(from, to)| (from.as_str(), to.as_str()));
    let bytes = written(&Table::of(table, &data, window), form)?;
    Encoded::new(bytes).map_err(|e| DetailError::Internal(e.to_string()))
}

/// A table in a form.
pub(super) fn written(table: &Table, form: Form) -> Result<Vec<u8>, DetailError> {
    let bytes = match form {
        Form::Csv => csv(table),
        Form::Ndjson => ndjson(table),
    };
    bytes.map_err(|error| DetailError::Internal(error.to_string()))
}

/// The media type of a form with what a reader needs to know.
pub(super) fn content_type(form: Form) -> HeaderValue {
    HeaderValue::from_static(match form {
        Form::Csv => "text/csv; charset=utf-8; header=present",
        Form::Ndjson => "application/x-ndjson",
    })
}

/// The validator of a form of a body: its own.
fn etag(of: &HeaderValue, form: Form) -> HeaderValue {
    let tag = of.to_str().unwrap_or_default().trim_end_matches('"');
    canonical::text(&format!("{tag}{}\"", form.suffix()))
}

/// `attachment` under a name of what and when: `own` is path and query of the JSON.
pub(super) fn disposition(own: &str, made_at_ms: i64, form: Form) -> HeaderValue {
    let (path, query) = own.split_once('?').unwrap_or((own, ""));
    let path = path.strip_prefix("/api/v1/").unwrap_or(path);
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let values = pairs.filter(|(name, _)| NAMED.contains(&name.as_ref())).map(|(_, value)| value.into_owned());
    let mut name = format!("mirrorwatch-{path}");
    for value in values {
        name.push('-');
        name.push_str(&value);
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
    let name: String = name.chars().map(plain).take(NAME_BYTES_MAX).collect();
    // `2026-11-21T17:48:49.123Z` in the basic form, which every file system takes.
    let at: String = rfc3339_ms(made_at_ms).chars().take(19).filter(|c| !matches!(c, '-' | ':')).collect();
    canonical::text(&format!("attachment; filename=\"{name}-{at}Z{}\"", form.suffix()))
}

/// An address with finished pages that are tables too: GET and HEAD, OPTIONS, 405 for the rest. `fixed` is the form that
/// the address ends in.
pub(super) fn page(
    path: &str,
    (table, fixed): (TableKind, Option<Form>),
    state: &web::Data<HttpState>,
    find: impl Fn(&HttpRequest, &HttpState) -> Result<Arc<Published>, Problem> + Clone + 'static,
) -> Resource {
    let shared = state.clone();
    let handler = move |request: HttpRequest| {
        let found = find(&request, &shared).and_then(|page| Ok((page, wanted(&request, fixed)?)));
        let answer = match found {
            Ok((page, Some(form))) => {
                let state = shared.clone();
                return Either::Right(async move {
                    let answer = of_page(&page, (table, form), &request, &state).await;
                    answer.unwrap_or_else(|problem| problem.respond(&request, state.now_ms()))
                });
            }
            Ok((page, None)) => canonical::answer_as(&page, &request, &shared, canonical::JSON),
            Err(problem) => Err(problem),
        };
        Either::Left(ready(answer.unwrap_or_else(|problem| problem.respond(&request, shared.now_ms()))))
    };
    web::resource(address(path, fixed))
        .route(web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(handler))
        .default_service(other_method(state))
}

async fn of_page(
    page: &Published,
    (table, form): (TableKind, Form),
    request: &HttpRequest,
    state: &web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let current = page.load_full();
    canonical::check_ready(&current)?;
    let etag = etag(&current.etag, form);
    let body = unless_known(request, &etag, body(&current, (table, form), state)).await?;
    let ready = canonical::ready(page, &current, (&body, &etag), content_type(form), state.now_ms());
    Ok(attached(canonical::respond(&ready, request), &page.spec().self_path, current.generated_at_ms, form))
}

/// Answers with a detail in a form.
///
/// # Errors
/// 503 where too much is asked for.
pub(super) async fn of_answer(
    answer: &Arc<Answer>,
    (table, form, fixed): (TableKind, Form, Option<Form>),
    (own, request): (&str, &HttpRequest),
    state: &web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let etag = etag(&answer.etag, form);
    let body = unless_known(request, &etag, body(answer, (table, form), state)).await?;
    let next = answer.next.as_deref().map(|next| address(next, fixed));
    let ready = Ready {
        body: &body,
        etag: &etag,
        last_modified: &answer.last_modified,
        age_ms: state.now_ms().saturating_sub(answer.generated_at_ms).max(0),
        cache_control: canonical::newest_for(i64::try_from(ANSWER_TTL.as_secs()).unwrap_or(0)),
        next: next.as_deref(),
        content_type: content_type(form),
    };
    Ok(attached(canonical::respond(&ready, request), own, answer.generated_at_ms, form))
}

/// The body, unless the reader has it: then nothing is made.
async fn unless_known(
    request: &HttpRequest,
    etag: &HeaderValue,
    body: impl Future<Output = Result<Encoded, Problem>>,
) -> Result<Encoded, Problem> {
    if negotiate::has_already(request.headers(), etag) { Ok(Encoded::default()) } else { body.await }
}

fn attached(mut response: HttpResponse, own: &str, made_at_ms: i64, form: Form) -> HttpResponse {
    response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition(own, made_at_ms, form));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_what_it_holds_and_when_it_was_made() {
        for (own, name) in [
            ("/api/v1/analytics/coverage?window=6h", "mirrorwatch-analytics-coverage-6h-20231114T221320Z.csv"),
            (
                "/api/v1/mirrors/m-1/ops?verdict=missed&limit=5&cursor=x",
                "mirrorwatch-mirrors-m-1-ops-missed-20231114T221320Z.csv",
            ),
            ("/api/v1/compare?a=p&b=m&window=24h", "mirrorwatch-compare-p-m-24h-20231114T221320Z.csv"),
            (
                "/api/v1/mirrors/m-1/windows?resolution=1d&from=2023-11-01T00%3A00%3A00.000Z",
                "mirrorwatch-mirrors-m-1-windows-1d-2023-11-01T00-00-00-000Z-20231114T221320Z.csv",
            ),
            ("/api/v1/ops?verdict=\"%0d%0a..%2f", "mirrorwatch-ops--------20231114T221320Z.csv"),
        ] {
            let header = disposition(own, 1_700_000_000_000, Form::Csv);
            assert_eq!(header, format!("attachment; filename=\"{name}\""), "{own}");
        }
        assert_eq!(address("/a/ops?limit=5&cursor=a.b", Some(Form::Ndjson)), "/a/ops.ndjson?limit=5&cursor=a.b");
        assert_eq!(address("/a?x=1", None), "/a?x=1");
        assert_eq!(etag(&HeaderValue::from_static("\"run.1\""), Form::Csv), "\"run.1.csv\"");
    }
}
