//! One connection: the head of a request, and every answer but a stream.

use super::behaviour::{Behaviour, CursorFault, Export, Hangup, Refusal, Upgrade};
use super::log::Place;
use super::pages;
use super::server::{Received, Shared};
use super::state::State;
use super::stream;
use crate::domain::frame::parse_created_ms;
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use url::form_urlencoded;

/// Largest head of a request.
const MAX_HEAD: usize = 16_384;
/// Longest wait for one.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Operations on one page of `/export`.
const MAX_PAGE: usize = 1_000;

/// What the head of a request says.
struct Head {
    method: String,
    path: String,
    query: String,
    /// The key of a request to upgrade to a WebSocket.
    websocket_key: Option<String>,
}

/// Answers one request and closes the connection.
pub(super) async fn serve(mut socket: TcpStream, shared: Arc<Shared>) {
    // Small frames must not wait for one another.
    let _ = socket.set_nodelay(true);
    let Ok(Ok(Some(head))) = timeout(HEAD_WITHIN, read_head(&mut socket)).await else { return };
    let answered = match (&head.websocket_key, head.path.as_str()) {
        (Some(key), path) => return upgrade(socket, &shared, key, path, &head.query).await,
        _ if head.method != "GET" => Answer::status(405),
        (None, "/export") => export(&shared, &head.query),
        (None, path) => pages::answer(&mut shared.state(), path),
    };
    let _ = answered.write(&mut socket).await;
}

async fn read_head(socket: &mut TcpStream) -> io::Result<Option<Head>> {
    let mut bytes = Vec::with_capacity(1_024);
    loop {
        if socket.read_buf(&mut bytes).await? == 0 || bytes.len() > MAX_HEAD {
            return Ok(None);
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&bytes) {
            Ok(httparse::Status::Complete(_)) => return Ok(Some(Head::from(&request))),
            Ok(httparse::Status::Partial) => {}
            Err(_) => return Ok(None),
        }
    }
}

impl From<&httparse::Request<'_, '_>> for Head {
    fn from(request: &httparse::Request<'_, '_>) -> Head {
        let header = |name: &str| {
            let found = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.map(|header| String::from_utf8_lossy(header.value))
        };
        let target = request.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let upgrades = header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
        Head {
            method: request.method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            websocket_key: header("sec-websocket-key").filter(|_| upgrades).map(Cow::into_owned),
        }
    }
}

fn parameter(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

async fn upgrade(mut socket: TcpStream, shared: &Arc<Shared>, key: &str, path: &str, query: &str) {
    let asked = parameter(query, "cursor");
    let (behaviour, place) = begin(&mut shared.state(), path, asked);
    if path != behaviour.style.wire.path() {
        return decline(socket, behaviour.upgrade_elsewhere).await;
    }
    // The reference server never answers a cursor that is no number.
    let Some(place) = place else { return hang(socket).await };
    let fault = match place {
        Place::At(_) => None,
        Place::Future => Some(Hangup::FUTURE_CURSOR),
        Place::Outdated => Some(Hangup::OUTDATED_CURSOR),
    };
    if fault.is_some() && behaviour.upgrade == Upgrade::Stream && behaviour.cursor_fault == CursorFault::BadRequest {
        let _ = Answer::status(400).write(&mut socket).await;
        return;
    }
    let hangup = match behaviour.upgrade {
        Upgrade::Stream => fault,
        Upgrade::FalseAccept(hangup) => Some(hangup),
        refusing => return decline(socket, refusing).await,
    };
    let accept = derive_accept_key(key.as_bytes());
    let switching = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    if socket.write_all(switching.as_bytes()).await.is_ok() {
        let begin = match (hangup, place) {
            (Some(hangup), _) => Err(hangup),
            (None, Place::At(place)) => Ok(place),
            (None, _) => Err(Hangup::Eof),
        };
        stream::serve(socket, shared, behaviour.answers_pings, begin).await;
    }
}

/// How the server behaves now, and where a stream from this cursor begins; none when that is no number.
fn begin(state: &mut State, path: &str, asked: Option<String>) -> (Behaviour, Option<Place>) {
    let cursor = asked.as_deref().map(str::parse).transpose();
    if path == state.behaviour.style.wire.path() {
        state.received.upgrades += 1;
        Received::remember(&mut state.received.cursors, asked);
    }
    (state.behaviour.clone(), cursor.ok().map(|cursor| state.place_of(cursor)))
}

/// Answers a request to upgrade with anything but a 101.
async fn decline(mut socket: TcpStream, how: Upgrade) {
    match how {
        Upgrade::Refuse(refusal) => drop(Answer::refusal(refusal).write(&mut socket).await),
        Upgrade::Stream | Upgrade::FalseAccept(_) | Upgrade::Hang => hang(socket).await,
    }
}

/// Keeps the connection without a word until the other side ends it.
async fn hang(mut socket: TcpStream) {
    let mut ignored = [0; 1_024];
    while matches!(socket.read(&mut ignored).await, Ok(1..)) {}
}

fn export(shared: &Shared, query: &str) -> Answer {
    let mut state = shared.state();
    Received::remember(&mut state.received.exports, query.to_owned());
    match &mut state.behaviour.export {
        Export::Pages | Export::Fail { times: 0, .. } => {}
        Export::Absent => return Answer::status(404),
        Export::Fail { times, refusal } => {
            *times -= 1;
            return Answer::refusal(*refusal);
        }
    }
    let count = match parameter(query, "count").map(|text| text.parse::<usize>()) {
        None => MAX_PAGE,
        Some(Ok(count @ 1..=MAX_PAGE)) => count,
        Some(_) => return Answer::status(400),
    };
    let style = state.behaviour.style;
    let now = Instant::now();
    let visible = state.log.entries(now.checked_sub(state.behaviour.export_lag).unwrap_or(now));
    let after = parameter(query, "after");
    let lines: Vec<String> = match after.as_deref().map(|text| (text.parse::<u64>(), parse_created_ms(text))) {
        Some((Ok(seq), _)) if state.behaviour.export_by_number => {
            let later = visible.filter(|entry| entry.seq > seq);
            later.take(count).map(|entry| entry.op.stream_text(entry.seq, style)).collect()
        }
        Some((Err(_), None)) => return Answer::status(400),
        _ if !state.behaviour.export_by_time => return Answer::status(400),
        by_time => {
            // A server without numbers takes one for a year.
            let after_ms = by_time.and_then(|(number, time)| time.filter(|_| number.is_err())).unwrap_or(i64::MIN);
            let mut entries: Vec<_> = visible.filter(|entry| entry.op.created_ms > after_ms).collect();
            entries.sort_by_key(|entry| entry.op.created_ms);
            entries.truncate(count);
            entries.into_iter().map(|entry| entry.legacy_text(style)).collect()
        }
    };
    Answer { status: 200, kind: "application/jsonlines", retry_after_s: None, body: lines.join("\n") }
}

/// An HTTP answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) retry_after_s: Option<u32>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(status: u16, body: String) -> Answer {
        Answer { status, kind: "application/json", retry_after_s: None, body }
    }

    pub(super) fn status(status: u16) -> Answer {
        Answer::json(status, format!(r#"{{"message":"status {status}"}}"#))
    }

    pub(super) fn refusal(refusal: Refusal) -> Answer {
        Answer { retry_after_s: refusal.retry_after_s, ..Answer::status(refusal.status) }
    }

    async fn write(&self, socket: &mut TcpStream) -> io::Result<()> {
        let status = http::StatusCode::from_u16(self.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let retry = self.retry_after_s.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n{retry}\r\n",
            self.kind,
            self.body.len()
        );
        socket.write_all(head.as_bytes()).await?;
        socket.write_all(self.body.as_bytes()).await?;
        socket.shutdown().await
    }
}
