//! The live notices for readers without WebSocket: the same messages as server-sent events (WHATWG HTML §9.2).
//!
//! Nothing is queued: what is due is found by comparing revisions whenever the connection takes more, so that the newest
//! wins and a slow reader costs nothing. The id of a batch is the run and the instant at which it was made; who comes back
//! with it as `Last-Event-ID` is told at once what has changed since.

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::watch;
use tokio::time::sleep;

use super::event_stream::{EVENT_STREAM, LAST_EVENT_ID, Turn, Waiting, respond, respond_to_head};
use super::live::{BATCH_GAP, Notices, OPS_READERS_MAX, TOO_MANY_OPS_READERS, Unwanted, admit, lagged};
use super::negotiate;
use super::pieces::Pieces;
use super::problem::Problem;
use super::query::Params;
use super::state::HttpState;
use crate::publish::UtcNow;

/// How long a reader is asked to wait before it comes back, milliseconds.
const RETRY_MS: u32 = 2_000;
/// Longest message that is written among others, in bytes; longer ones are shared by all who are told.
const COPIED_BYTES_MAX: usize = 1_024;
/// What stands behind the data of an event.
const EVENT_END: &str = "\n\n";
/// Seconds after which one who was refused the operations may try again.
const OPS_RETRY_AFTER_S: u64 = 10;
/// Separates topics in the query; no key has it.
const SEPARATOR: char = ',';

/// Opens a stream of notices of all topics, or of those of `topics`.
///
/// # Errors
/// 400 for a topic that is none, 403 for an origin that is not allowed, 406 where the request takes no event stream, 429 over
/// the limits, of readers of operations too, 503 while stopping and while memory is short.
pub fn open(request: &HttpRequest, state: &HttpState) -> Result<HttpResponse, Problem> {
    let params = Params::parse(request.query_string(), &["topics"])?;
    if !negotiate::accepts(request.headers(), EVENT_STREAM) {
        let problem = Problem::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "offered: text/event-stream");
        return Err(problem.allowed([EVENT_STREAM]));
    }
    let mut notices = state.notices();
    if let Some(topics) = params.get("topics") {
        notices.want(topics.split(SEPARATOR)).map_err(|why| refusal(why, &notices))?;
    }
    if request.method() == Method::HEAD {
        return Ok(respond_to_head());
    }
    let seat = admit(request, state)?;
    let known = request.headers().get(&LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let since_ms = known.and_then(|id| instant_of(id, state.pages.snapshot_id()));
    let reader = Reader {
        changes: notices.changes(),
        ops_changes: notices.ops_changes(),
        notices,
        run: state.pages.snapshot_id().to_owned(),
        clock: state.utc_clock(),
        stage: Stage::Opening { since_ms },
        waiting: Waiting::new(state, seat),
        pieces: Pieces::default(),
    };
    Ok(respond(chunks(reader)))
}

fn refusal(why: Unwanted, notices: &Notices) -> Problem {
    match why {
        Unwanted::NotUnderstood => {
            let detail = "expected topics of /api/v1/live, with commas between them";
            Problem::bad_query("bad_topics", "topics", detail).allowed(notices.known())
        }
        Unwanted::TooManyOpsReaders => {
            let detail = format!("limit {OPS_READERS_MAX} readers of ops; retry in {OPS_RETRY_AFTER_S} s");
            Problem::new(StatusCode::TOO_MANY_REQUESTS, TOO_MANY_OPS_READERS, detail)
                .limit(OPS_READERS_MAX as u64)
                .header(header::RETRY_AFTER, HeaderValue::from(OPS_RETRY_AFTER_S))
        }
    }
}

/// The instant of an id that this run gave out, UTC milliseconds.
fn instant_of(id: &str, run: &str) -> Option<i64> {
    id.strip_prefix(run)?.strip_prefix('.')?.parse().ok()
}

/// What comes next.
#[derive(Copy, Clone)]
enum Stage {
    /// The first words, and what changed since the instant that the reader knows.
    Opening { since_ms: Option<i64> },
    /// Changes.
    Telling,
    /// Nothing.
    Over,
}

/// One reader.
struct Reader {
    notices: Notices,
    changes: watch::Receiver<u64>,
    /// Where it asked for operations.
    ops_changes: Option<watch::Receiver<u64>>,
    run: String,
    clock: UtcNow,
    stage: Stage,
    waiting: Waiting,
    /// What is to be sent before anything else is looked at.
    pieces: Pieces,
}

impl Reader {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.pieces.next() {
                self.waiting.sent();
                return Some(piece);
            }
            match self.stage {
                Stage::Over => return None,
                Stage::Opening { since_ms } => {
                    self.stage = Stage::Telling;
                    self.opening(since_ms);
                }
                Stage::Telling => self.telling().await,
            }
        }
    }

    fn opening(&mut self, since_ms: Option<i64>) {
        // The instant comes before the revisions are read: what changes between the two is told twice, not never.
        let id = self.id();
        let mut text = format!("retry: {RETRY_MS}\n");
        event(&mut text, &id, "hello", &self.notices.hello());
        if let Some(since_ms) = since_ms {
            self.notices.untell_after(since_ms);
        }
        self.batch(text, &id);
    }

    async fn telling(&mut self) {
        let turn = self.waiting.wait(next_change(&mut self.changes, self.ops_changes.as_mut())).await;
        if let Turn::Over(reason) = turn {
            self.stage = Stage::Over;
            self.pieces.push(format!("event: bye\ndata: {{\"type\":\"bye\",\"reason\":\"{reason}\"}}\n\n"));
            return;
        }
        let id = self.id();
        if !self.batch(String::new(), &id) && turn == Turn::Silence {
            self.pieces.push(": nothing new\n\n");
        }
    }

    /// Sends `text`, and what is due behind it; whether there is anything. Long messages are not copied.
    fn batch(&mut self, mut text: String, id: &str) -> bool {
        let due = self.notices.due();
        if due.skipped_ops > 0 {
            event(&mut text, id, "lagged", &lagged(due.skipped_ops));
        }
        for (name, message) in due.texts {
            if message.len() <= COPIED_BYTES_MAX {
                event(&mut text, id, name, &message);
                continue;
            }
            begin_event(&mut text, id, name);
            self.pieces.push(std::mem::take(&mut text));
            self.pieces.push(message.into_bytes());
            text.push_str(EVENT_END);
        }
        let is_any = !text.is_empty();
        self.pieces.push(text);
        is_any
    }

    fn id(&self) -> String {
        format!("{}.{}", self.run, (self.clock)())
    }
}

/// Waits for the next change; says whether there can be more. Those of pages are gathered for a while; those of operations
/// keep their pace by themselves.
async fn next_change(pages: &mut watch::Receiver<u64>, ops: Option<&mut watch::Receiver<u64>>) -> bool {
    let ops = async {
        match ops {
            Some(ops) => ops.changed().await.is_ok(),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        is_changed = ops => is_changed,
        changed = pages.changed() => {
            if changed.is_ok() {
                sleep(BATCH_GAP).await;
            }
            changed.is_ok()
        }
    }
}

/// One event. The data is JSON on one line.
fn event(text: &mut String, id: &str, name: &str, data: &str) {
    begin_event(text, id, name);
    text.push_str(data);
    text.push_str(EVENT_END);
}

/// All of an event that stands before its data.
fn begin_event(text: &mut String, id: &str, name: &str) {
    for part in ["id: ", id, "\nevent: ", name, "\ndata: "] {
        text.push_str(part);
    }
}

fn chunks(reader: Reader) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    futures_util::stream::unfold(reader, |mut reader| async move { Some((Ok(reader.next().await?), reader)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_id_of_this_run_says_what_is_known() {
        assert_eq!(instant_of("run.1700000000000", "run"), Some(1_700_000_000_000));
        for id in ["", "run", "run.", "run.x", "runs.1", "other.1", "run.1.2"] {
            assert_eq!(instant_of(id, "run"), None, "{id}");
        }
    }
}
