//! The log as JSON, page by page, and as a stream of events whose ids are its numbers.

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, Resource, guard, web};
use bytes::Bytes;
use futures_util::Stream;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::super::event_stream::{LAST_EVENT_ID, Turn, Waiting, respond, respond_to_head};
use super::super::forms;
use super::super::live::admit;
use super::super::problem::{Problem, quote};
use super::super::query::Params;
use super::super::routes::other_method;
use super::super::state::HttpState;
use crate::domain::time::rfc3339_ms;
use crate::domain::view::table::{Table, TableKind};
use crate::logux::kinds::is_of;
use crate::ports::log_book::{LogBook, LogError};
use crate::ports::store::LogRow;
use crate::publish::Form;

/// Where the pages are.
const PATH: &str = "/api/v1/log";
/// Actions of a page unless asked otherwise.
const LIMIT_DEFAULT: usize = 100;
/// Actions of a page at most, and rows that are looked at for one.
const LIMIT_MAX: usize = 1_000;
/// Rows that a stream reads at once.
const STREAM_ROWS: usize = 100;

/// What is asked for.
struct Query {
    after: i64,
    limit: usize,
    kind: Option<String>,
    /// So many of the newest instead, of one type.
    last: Option<usize>,
}

impl Query {
    fn parse(query: &str, known: &[&str]) -> Result<Query, Problem> {
        let params = Params::parse(query, known)?;
        let after = params.get("after").map_or(Ok(0), |text| number("after", text, 0, i64::MAX))?;
        let limit =
            params.get("limit").map_or(Ok(LIMIT_DEFAULT as i64), |text| number("limit", text, 1, LIMIT_MAX as i64))?;
        let kind = params.get("type").map(str::to_owned);
        if let Some(kind) = kind.as_ref().filter(|kind| kind.is_empty() || kind.trim_end_matches('*').contains('*')) {
            let detail = format!("{}: expected a type, or its begin and \"*\", as \"mirrorwatch/*\"", quote(kind));
            return Err(Problem::bad_query("bad_type", "type", detail));
        }
        let last = params.get("last").map(|text| number("last", text, 1, LIMIT_MAX as i64)).transpose()?;
        if last.is_some() && (kind.as_ref().is_none_or(|kind| kind.ends_with('*')) || params.get("after").is_some()) {
            let detail = "\"last\" is of one type, without \"*\", and without \"after\"".to_owned();
            return Err(Problem::bad_query("bad_last", "last", detail));
        }
        Ok(Query { after, limit: limit as usize, kind, last: last.map(|last| last as usize) })
    }

    /// The actions that are asked for, the number up to which was looked, and the last one of the log.
    async fn look(&self, log: &LogBook, state: &HttpState) -> Result<(Vec<Value>, i64, i64), LogError> {
        let head = *log.head().borrow();
        if let Some((last, kind)) = self.last.zip(self.kind.as_ref()) {
            let rows = log.newest(kind, last).await?;
            // What came meanwhile is behind the number that is told.
            let is_told = |row: &&LogRow| row.added <= head && self.is_met(row, state);
            return Ok((rows.iter().filter(is_told).map(told).collect(), head, head));
        }
        // What is not asked for is looked at as well, so a page may be shorter than its limit and not the last.
        let looked_at = if self.kind.is_some() { LIMIT_MAX } else { self.limit };
        let found = log.rows(self.after, looked_at).await?;
        let mut through = found.through;
        let mut actions = Vec::new();
        for row in found.rows.iter().filter(|row| self.is_met(row, state)) {
            if actions.len() >= self.limit {
                break;
            }
            actions.push(told(row));
            if actions.len() == self.limit && row.added < found.through {
                through = row.added;
            }
        }
        Ok((actions, through, head.max(through)))
    }

    fn is_met(&self, row: &LogRow, state: &HttpState) -> bool {
        let is_asked_for = self.kind.as_ref().is_none_or(|kind| is_of(kind, &row.kind));
        is_asked_for && state.nodes.as_ref().is_some_and(|nodes| nodes.door.public.may_read(&row.kind))
    }
}

fn number(name: &'static str, text: &str, low: i64, high: i64) -> Result<i64, Problem> {
    let found = text.parse().ok().filter(|number| (low..=high).contains(number));
    let code = match name {
        "limit" => "bad_limit",
        "last" => "bad_last",
        _ => "bad_after",
    };
    let expected = if high == i64::MAX { format!("a number from {low}") } else { format!("{low}–{high}") };
    found.ok_or_else(|| Problem::bad_query(code, name, format!("expected {expected}")))
}

/// The number that a reader had last, where it comes back.
fn last_number(request: &HttpRequest) -> Result<Option<i64>, Problem> {
    let Some(last) = request.headers().get(&LAST_EVENT_ID) else { return Ok(None) };
    let number = last.to_str().ok().and_then(|last| last.parse().ok()).filter(|number: &i64| *number >= 0);
    let bad = || Problem::bad_header("bad_last_event_id", "Last-Event-ID", "expected a number from 0");
    number.map(Some).ok_or_else(bad)
}

fn failed(error: &LogError) -> Problem {
    tracing::warn!(%error, "the log cannot be read");
    Problem::unavailable("log_unavailable", "the log cannot be read now; retry in 5 s", 5)
}

/// One action as it is told.
fn told(row: &LogRow) -> Value {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).ok();
    json!({
        "added": row.added,
        "id": format!("{} {} {}", row.ms, row.node, row.counter),
        "time": row.time_ms,
        "reasons": raw(&row.reasons),
        "from": row.source,
        "action": raw(&row.action),
    })
}

/// One action as an event.
fn event(row: &LogRow) -> String {
    format!("id: {}\ndata: {}\n\n", row.added, told(row))
}

/// `/log?after=&limit=&type=`, in JSON or in the form that the address ends in.
pub(super) fn page(state: &web::Data<HttpState>, form: Option<Form>) -> Resource {
    let shared = state.clone();
    let handler = move |request: HttpRequest| {
        let state = shared.clone();
        async move {
            let answer = answer(&request, form, &state).await;
            answer.unwrap_or_else(|problem| problem.respond(&request, state.now_ms()))
        }
    };
    let read = web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    web::resource(forms::address(PATH, form)).route(read.to(handler)).default_service(other_method(state))
}

async fn answer(request: &HttpRequest, fixed: Option<Form>, state: &HttpState) -> Result<HttpResponse, Problem> {
    let form = forms::wanted(request, fixed)?;
    let query = Query::parse(request.query_string(), &["after", "last", "limit", "type"])?;
    state.limit.take(state.client(request))?;
    let log = log_of(state)?;
    let (actions, through, head) = query.look(log, state).await.map_err(|error| failed(&error))?;
    let kind = query.kind.as_ref().map(|kind| {
        let kind: String = url::form_urlencoded::byte_serialize(kind.as_bytes()).collect();
        format!("&type={kind}")
    });
    let path =
        |after: i64| format!("{PATH}?after={after}&limit={}{}", query.limit, kind.as_deref().unwrap_or_default());
    let next = (through < head).then(|| path(through));
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
    response.insert_header((header::VARY, HeaderValue::from_static("Accept")));
    let link = next.as_deref().map(|next| format!("<{}>; rel=\"next\"", forms::address(next, fixed)));
    if let Some(Ok(link)) = link.map(|link| HeaderValue::from_str(&link)) {
        response.insert_header((header::LINK, link));
    }
    let own = query
        .last
        .map_or_else(|| path(query.after), |last| format!("{PATH}?last={last}{}", kind.as_deref().unwrap_or_default()));
    let data = json!({ "actions": actions, "through": through, "head": head });
    if let Some(form) = form {
        let table = forms::written(&Table::of(TableKind::Log, &data, None), form);
        let table = table.map_err(|error| Problem::from(&error))?;
        response.insert_header((header::CONTENT_DISPOSITION, forms::disposition(PATH, state.now_ms(), form)));
        return Ok(response.content_type(forms::content_type(form)).body(table));
    }
    let body = json!({
        "data": data,
        "meta": { "generated_at": rfc3339_ms(state.now_ms()) },
        "links": { "self": own, "next": next },
    });
    Ok(response.content_type("application/json").body(body.to_string()))
}

fn log_of(state: &HttpState) -> Result<&LogBook, Problem> {
    let nodes = state.nodes.as_ref();
    nodes
        .map(|nodes| &nodes.door.log)
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "not_found", "there are no nodes"))
}

/// `/log/stream`: events, each with the number of its action as id; goes on behind `Last-Event-ID`, or `after`.
pub(super) fn stream(state: &web::Data<HttpState>) -> Resource {
    let shared = state.clone();
    let handler = move |request: HttpRequest| {
        let response = open_stream(&request, &shared);
        std::future::ready(response.unwrap_or_else(|problem| problem.respond(&request, shared.now_ms())))
    };
    let read = web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    web::resource("/api/v1/log/stream").route(read.to(handler)).default_service(other_method(state))
}

fn open_stream(request: &HttpRequest, state: &web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    let mut query = Query::parse(request.query_string(), &["after", "type"])?;
    query.after = last_number(request)?.unwrap_or(query.after);
    if request.method() == Method::HEAD {
        return Ok(respond_to_head());
    }
    let seat = admit(request, state)?;
    let log = log_of(state)?.clone();
    let events = Events {
        head: log.head(),
        log,
        query,
        waiting: Waiting::new(state, seat),
        state: state.clone(),
        is_begun: false,
    };
    Ok(respond(events.stream()))
}

/// One reader of the stream. It is read for only as fast as it takes what was read.
struct Events {
    log: LogBook,
    head: watch::Receiver<i64>,
    query: Query,
    state: web::Data<HttpState>,
    is_begun: bool,
    waiting: Waiting,
}

impl Events {
    fn stream(self) -> impl Stream<Item = Result<Bytes, LogError>> {
        futures_util::stream::unfold(self, |mut events| async move {
            let next = events.next().await?;
            events.waiting.sent();
            Some((next, events))
        })
    }

    async fn next(&mut self) -> Option<Result<Bytes, LogError>> {
        if !std::mem::replace(&mut self.is_begun, true) {
            return Some(Ok(Bytes::from_static(b"retry: 3000\n\n")));
        }
        loop {
            let is_behind = *self.head.borrow_and_update() > self.query.after;
            let turn = if is_behind {
                self.waiting.look()
            } else {
                Some(self.waiting.wait(async { self.head.changed().await.is_ok() }).await)
            };
            match turn {
                Some(Turn::Over(_)) => return None,
                Some(Turn::Silence) => return Some(Ok(Bytes::from_static(b": still here\n\n"))),
                Some(Turn::News) => {}
                None => {
                    if let Some(text) = self.read().await.transpose() {
                        return Some(text);
                    }
                }
            }
        }
    }

    /// The next actions; none where none of them is asked for.
    async fn read(&mut self) -> Result<Option<Bytes>, LogError> {
        let page = self.log.rows(self.query.after, STREAM_ROWS).await?;
        self.query.after = self.query.after.max(page.through);
        let rows = page.rows.iter().filter(|row| self.query.is_met(row, &self.state));
        let text = rows.fold(String::new(), |text, row| text + &event(row));
        Ok((!text.is_empty()).then(|| text.into()))
    }
}
