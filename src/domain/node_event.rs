//! An event that a node reports of itself: when, who, which, and in what words.
//!
//! The names of the fields, and what is answered where one is missing, are those of gophy's monitoring
//! (github.com/felix314159/gophy, `monitoring`), so that its clients can report here.

use super::text::html_escaped;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The type of the action that holds an event.
pub const KIND: &str = "node/event";
/// The node in the ids of such actions: whoever takes an event in gives it the same id.
pub const ID_NODE: &str = "node-event";
/// Digits of a time at most.
pub const TIME_DIGITS_MAX: usize = 20;
/// Bytes of a sender, and of an event's type, at most.
pub const NAME_BYTES_MAX: usize = 64;
/// Bytes of a message at most.
pub const MESSAGE_BYTES_MAX: usize = 4_096;
/// Nanoseconds of a millisecond.
const MS_NS: u128 = 1_000_000;
/// Bits of a number that JavaScript can hold.
const COUNTER_BITS: u32 = 52;

/// See the module's words.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct NodeEvent {
    /// When it happened, by the sender's clock: nanoseconds since 1970, decimal.
    pub time: String,
    /// Who reports it.
    pub sender: String,
    /// Which of its events; names and digits alike.
    #[serde(rename = "eventtype")]
    pub event_type: String,
    /// In words.
    pub message: String,
}

/// What a node reports of itself.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum OwnEvent {
    /// It has begun to watch.
    NodeStarted,
    /// For the first time since its start another node is in.
    FirstPeerConnected,
    /// A node is in that was not before, since the start.
    NewPeerConnected,
    /// It is connected to another uplink than before.
    UplinkChanged,
    /// For the first time every source is connected, and nothing is missing before its stream.
    InitialSyncCompleted,
    /// All ways of taking a mirror's operations were tried, and it is known which serves.
    ProbeRoundCompleted,
    /// A mirror was found in a bad state.
    IncidentOpened,
    /// It was found well again, or nothing bad was found after an interruption.
    IncidentClosed,
}

impl OwnEvent {
    /// Its name, after gophy's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            OwnEvent::NodeStarted => "Event_NodeStarted",
            OwnEvent::FirstPeerConnected => "Event_FirstPeerConnected",
            OwnEvent::NewPeerConnected => "Event_NewPeerConnected",
            OwnEvent::UplinkChanged => "Event_UplinkChanged",
            OwnEvent::InitialSyncCompleted => "Event_InitialSyncCompleted",
            OwnEvent::ProbeRoundCompleted => "Event_ProbeRoundCompleted",
            OwnEvent::IncidentOpened => "Event_IncidentOpened",
            OwnEvent::IncidentClosed => "Event_IncidentClosed",
        }
    }

    /// What `sender` reports of itself at `utc_ms`; words that are too long are cut.
    #[must_use]
    pub fn reported_by(self, sender: &str, message: &str, utc_ms: i64) -> NodeEvent {
        let cut = message.get(..message.floor_char_boundary(MESSAGE_BYTES_MAX)).unwrap_or_default();
        NodeEvent {
            time: (i128::from(utc_ms) * MS_NS as i128).to_string(),
            sender: sender.to_owned(),
            event_type: self.name().to_owned(),
            message: cut.to_owned(),
        }
    }
}

/// Why an event is not taken.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NodeEventError {
    /// A field is missing or empty.
    #[error("All message fields must be non-empty!")]
    Missing,
    /// The time is no such number.
    #[error("time: expected nanoseconds since 1970 as a decimal number of at most {TIME_DIGITS_MAX} digits")]
    Time,
    /// A field is longer than it may be.
    #[error("{field}: limit {limit} bytes")]
    TooLong {
        /// Which.
        field: &'static str,
        /// Bytes that it may have.
        limit: usize,
    },
}

impl NodeEvent {
    /// The event of these fields.
    ///
    /// # Errors
    /// What is wrong with the first field that is.
    pub fn new(fields: [String; 4]) -> Result<NodeEvent, NodeEventError> {
        let [time, sender, event_type, message] = fields;
        let event = NodeEvent { time, sender, event_type, message };
        let named = [
            ("sender", &event.sender, NAME_BYTES_MAX),
            ("eventtype", &event.event_type, NAME_BYTES_MAX),
            ("message", &event.message, MESSAGE_BYTES_MAX),
        ];
        if event.time.is_empty() || named.iter().any(|(_, text, _)| text.is_empty()) {
            return Err(NodeEventError::Missing);
        }
        if event.time.len() > TIME_DIGITS_MAX || !event.time.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NodeEventError::Time);
        }
        let too_long = named.into_iter().find(|(_, text, limit)| text.len() > *limit);
        match too_long {
            Some((field, _, limit)) => Err(NodeEventError::TooLong { field, limit }),
            None => Ok(event),
        }
    }

    /// The event that an action holds; `None` where it is none.
    #[must_use]
    pub fn of_action(action: &str) -> Option<NodeEvent> {
        let action: Value = serde_json::from_str(action).ok()?;
        let field = |key: &str| action.get(key)?.as_str().map(str::to_owned);
        Some(NodeEvent {
            time: field("time")?,
            sender: field("sender")?,
            event_type: field("eventtype")?,
            message: field("message")?,
        })
    }

    /// The action that holds it.
    #[must_use]
    pub fn action(&self) -> Value {
        json!({ "type": KIND, "time": self.time, "sender": self.sender, "eventtype": self.event_type, "message": self.message })
    }

    /// Milliseconds and counter of its action's id. The same event has the same one, so that whoever reports it again because
    /// an answer was lost is answered again, and nothing is kept twice.
    #[must_use]
    pub fn id(&self) -> (i64, i64) {
        let ms = self.time.parse::<u128>().unwrap_or(0) / MS_NS;
        let mut hash = Sha256::new();
        for text in [&self.time, &self.sender, &self.event_type, &self.message] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        let counter = hash.finalize().iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        (i64::try_from(ms).unwrap_or(i64::MAX), (counter >> (u64::BITS - COUNTER_BITS)) as i64)
    }
}

/// The events as gophy's page shows them, without scripts: by sender, in the order of UTF-16, each in the order of arrival.
#[must_use]
pub fn document<'a>(events: impl IntoIterator<Item = &'a NodeEvent>) -> String {
    let mut by_sender: BTreeMap<Vec<u16>, Vec<&NodeEvent>> = BTreeMap::new();
    for event in events {
        by_sender.entry(event.sender.encode_utf16().collect()).or_default().push(event);
    }
    let mut html = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
                    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
                    <meta http-equiv=\"refresh\" content=\"5\">\n<title>Events of nodes</title>\n</head>\n<body>\n\
                    <h1>Events of nodes</h1>\n"
        .to_owned();
    if by_sender.is_empty() {
        html.push_str("<p>No node has reported anything yet.</p>\n");
    }
    for events in by_sender.values() {
        let sender = events.first().map_or("", |event| event.sender.as_str());
        let _ = write!(html, "<h2>Stats from node: {}</h2>\n<ul>\n", html_escaped(sender));
        for event in events {
            let line = format!("Time: {}, Event: {}, Message: {}", event.time, event.event_type, event.message);
            let _ = writeln!(html, "<li>{}</li>", html_escaped(&line));
        }
        html.push_str("</ul>\n<hr>\n");
    }
    html.push_str("</body>\n</html>\n");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sender: &str, message: &str) -> NodeEvent {
        NodeEvent::new(["1700000000123456789", sender, "Event_NodeStarted", message].map(str::to_owned)).unwrap()
    }

    #[test]
    fn every_field_is_needed_and_bounded() {
        let of = |time: &str, sender: &str, kind: &str, message: &str| {
            NodeEvent::new([time, sender, kind, message].map(str::to_owned))
        };
        for missing in [of("", "s", "e", "m"), of("1", "", "e", "m"), of("1", "s", "", "m"), of("1", "s", "e", "")] {
            assert_eq!(missing.unwrap_err().to_string(), "All message fields must be non-empty!");
        }
        let digits = "9".repeat(TIME_DIGITS_MAX);
        assert!(of(&digits, "s", "e", "m").is_ok());
        for time in ["-1", "1.0", "x", &format!("{digits}9"), "١"] {
            assert_eq!(of(time, "s", "e", "m").unwrap_err(), NodeEventError::Time, "{time}");
        }
        let (name, message) = ("n".repeat(NAME_BYTES_MAX), "m".repeat(MESSAGE_BYTES_MAX));
        assert!(of("1", &name, &name, &message).is_ok());
        assert_eq!(of("1", &format!("{name}n"), "e", "m").unwrap_err().to_string(), "sender: limit 64 bytes");
        assert_eq!(of("1", "s", "e", &format!("{message}m")).unwrap_err().to_string(), "message: limit 4096 bytes");
    }

    #[test]
    fn what_a_node_reports_of_itself_is_an_event_like_any_other() {
        let long = "é".repeat(MESSAGE_BYTES_MAX);
        for message in ["version 2 is up", long.as_str()] {
            let own = OwnEvent::NodeStarted.reported_by("paris-1", message, 1_700_000_000_123);
            let fields = [&own.time, &own.sender, &own.event_type, &own.message].map(String::clone);
            assert_eq!(NodeEvent::new(fields), Ok(own.clone()));
            assert_eq!((own.time.as_str(), own.event_type.as_str()), ("1700000000123000000", "Event_NodeStarted"));
            assert!(message.starts_with(&own.message));
        }
    }

    #[test]
    fn one_event_is_one_action() {
        let one = event("a", "b");
        assert_eq!(one.id(), event("a", "b").id());
        assert_eq!(one.id().0, 1_700_000_000_123);
        for other in
            [event("a", "c"), event("b", "b"), NodeEvent { sender: "ab".into(), message: String::new(), ..one.clone() }]
        {
            assert_ne!(one.id(), other.id(), "{other:?}");
        }
        assert!((0..1_i64 << COUNTER_BITS).contains(&one.id().1));
        let last = NodeEvent { time: "9".repeat(TIME_DIGITS_MAX), ..one.clone() };
        assert!(last.id().0 < 1 << 53, "an id that JavaScript can hold");
        assert_eq!(NodeEvent::of_action(&one.action().to_string()), Some(one));
        assert_eq!(NodeEvent::of_action("{\"type\":\"node/event\",\"time\":1}"), None);
    }

    #[test]
    fn the_document_groups_by_sender_in_order_and_shows_all_as_text() {
        let html = document(&[
            event("b", "1"),
            event("a", "<script>"),
            event("b", "2"),
            event("\u{1f600}", "x"),
            event("\u{ffff}", "y"),
        ]);
        let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}: {html}"));
        assert!(at("node: a<") < at("node: b<"), "{html}");
        assert!(at("node: \u{1f600}") < at("node: \u{ffff}"), "as JavaScript sorts");
        assert!(at("Message: 1<") < at("Message: 2<"));
        assert!(at("Time: 1700000000123456789, Event: Event_NodeStarted, Message: &lt;script&gt;") > 0);
        assert!(!html.contains("<script>") && document(&[]).contains("No node has reported"));
    }
}
