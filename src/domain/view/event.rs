//! What happened, for people: link changes, restarts, damage.

use super::Picture;
use serde_json::{Value, json};

/// Events that are kept in memory; older ones are on disk.
pub const EVENTS_MAX: usize = 500;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Grows by one with each event.
    pub id: u64,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Stable word, as `link_synchronized` or `observer_down`.
    pub kind: String,
    /// Id of the source that it is about.
    pub source: Option<String>,
    /// One line.
    pub text: String,
    /// More of it, for programs.
    pub detail: Option<Value>,
}

/// The list of events, newest first.
#[must_use]
pub fn events(picture: &Picture) -> Value {
    let rows: Vec<Value> = picture
        .events
        .iter()
        .map(|e| {
            json!({
                "id": e.id, "at": crate::domain::time::rfc3339_ms(e.at_ms), "kind": e.kind, "source": e.source,
                "text": e.text, "detail": e.detail,
            })
        })
        .collect();
    json!({ "events": rows, "kept_in_memory": EVENTS_MAX })
}
