//! The newest events as they are shown: read and written once for all who ask, and again only when an event has come.

use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use bytes::Bytes;
use tokio::sync::{Mutex, OnceCell};
use tokio::task::{JoinError, spawn_blocking};

use crate::domain::node_event::{self, NodeEvent};
use crate::ports::log_book::{LogBook, LogError};
use crate::ports::store::LogRow;

/// Events that are shown at most: the newest.
const SHOWN_MAX: usize = 1_000;
/// What surrounds the events, as gophy's server writes it.
const ALL: (&str, &str) = ("{\"messages\":[", "]}\n");

/// An event and its number.
struct Numbered {
    added: i64,
    event: NodeEvent,
    /// The event as it stands in an answer.
    json: Bytes,
}

/// The newest events, in the order of arrival.
pub(super) struct Shown {
    /// The newest event's number; 0 where there is none.
    newest: i64,
    /// That number as a strong validator.
    pub(super) etag: HeaderValue,
    events: Vec<Numbered>,
    /// The answer that has them all.
    all: Bytes,
    /// The page that has them all, once somebody asked for it.
    page: OnceCell<Bytes>,
}

impl Shown {
    fn new(newest: i64, rows: &[LogRow]) -> Shown {
        let numbered = |row: &LogRow| {
            let event = NodeEvent::of_action(&row.action)?;
            let json = as_go_writes_it(&serde_json::to_string(&event).ok()?);
            Some(Numbered { added: row.added, event, json })
        };
        let events: Vec<Numbered> = rows.iter().filter_map(numbered).collect();
        let all = messages(events.iter());
        let etag = HeaderValue::from_str(&format!("\"{newest}\"")).unwrap_or(HeaderValue::from_static("\"0\""));
        Shown { newest, etag, events, all, page: OnceCell::new() }
    }

    /// Those behind a number, of one sender where that is asked for.
    pub(super) fn messages(&self, after: i64, sender: Option<&str>) -> Bytes {
        let is_asked_for =
            |event: &&Numbered| event.added > after && sender.is_none_or(|sender| *sender == event.event.sender);
        let asked_for: Vec<&Numbered> = self.events.iter().filter(is_asked_for).collect();
        if asked_for.len() == self.events.len() {
            return self.all.clone();
        }
        messages(asked_for.into_iter())
    }

    /// All of them as a page.
    ///
    /// # Errors
    /// When writing it failed; the next one who asks has it written anew.
    pub(super) async fn page(self: &Arc<Self>) -> Result<Bytes, JoinError> {
        let shown = Arc::clone(self);
        let make = || async {
            let made = spawn_blocking(move || node_event::document(shown.events.iter().map(|event| &event.event)));
            made.await.map(Bytes::from)
        };
        self.page.get_or_try_init(make).await.cloned()
    }
}

fn messages<'a>(events: impl Iterator<Item = &'a Numbered> + Clone) -> Bytes {
    let bytes: usize = events.clone().map(|event| event.json.len() + 1).sum();
    let mut text = Vec::with_capacity(bytes + ALL.0.len() + ALL.1.len());
    text.extend_from_slice(ALL.0.as_bytes());
    for (n, event) in events.enumerate() {
        if n > 0 {
            text.push(b',');
        }
        text.extend_from_slice(&event.json);
    }
    text.extend_from_slice(ALL.1.as_bytes());
    Bytes::from(text)
}

/// Go's encoder writes what HTML would read as markup by number.
fn as_go_writes_it(json: &str) -> Bytes {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            c => text.push(c),
        }
    }
    Bytes::from(text)
}

/// What was last shown.
#[derive(Default)]
pub(super) struct Shelf(Mutex<Held>);

#[derive(Default)]
struct Held {
    /// The head of the log when it was last looked at.
    head: i64,
    shown: Option<Arc<Shown>>,
}

impl Shelf {
    /// The newest events. One reads them, and whoever asks meanwhile waits for that; where nothing but other actions has come,
    /// they are as they were.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(super) async fn newest(&self, log: &LogBook) -> Result<Arc<Shown>, LogError> {
        let mut last = self.0.lock().await;
        let head = *log.head().borrow();
        if let Some(shown) = last.shown.as_ref().filter(|_| last.head == head) {
            return Ok(Arc::clone(shown));
        }
        let newest = log.newest(node_event::KIND, 1).await?.last().map_or(0, |row| row.added);
        let same = last.shown.as_ref().filter(|shown| shown.newest == newest).map(Arc::clone);
        let shown = if let Some(shown) = same {
            shown
        } else {
            let rows = log.newest(node_event::KIND, SHOWN_MAX).await?;
            let made = spawn_blocking(move || Arc::new(Shown::new(newest, &rows)));
            made.await.map_err(|_| LogError::Closed)?
        };
        *last = Held { head, shown: Some(Arc::clone(&shown)) };
        Ok(shown)
    }
}
