//! The streams that a host offers: whether a 101 is followed by anything, whether pings are answered, and what a cursor
//! gets that cannot be served.

use super::host::Host;
use super::report::{Feature, State};
use crate::domain::compare_logs::Line;
use crate::domain::frame::MAX_SEQ;
use crate::ports::stream_reader::{Payload, StreamEnd, StreamReader};
use crate::telemetry::Capped;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a stream is listened to before it counts as silent.
const LISTEN: Duration = Duration::from_secs(8);
/// How long a ping is waited for.
const PONG_WITHIN: Duration = Duration::from_secs(3);
/// How long an answer to a cursor is waited for.
const FAULT_WITHIN: Duration = Duration::from_secs(3);
/// How long a goodbye may take.
const CLOSE_WITHIN: Duration = Duration::from_millis(200);
/// Messages taken at a time.
const BATCH: usize = 16;
/// The code of a goodbye.
const NORMAL: u16 = 1000;

/// What a stream said.
struct Heard {
    /// Its first message.
    first: Option<Payload>,
    /// Whether a ping was answered.
    pong: bool,
    end: Option<StreamEnd>,
}

/// Listens until the first message came, and the answer to the ping if there is to be one, or the time is over.
async fn listen(reader: &mut StreamReader, limit: Duration, ping: bool) -> Heard {
    let mut heard = Heard { first: None, pong: false, end: None };
    let began = Instant::now();
    if ping && let Err(end) = reader.send_ping() {
        return Heard { end: Some(end), ..heard };
    }
    loop {
        let is_waiting_for_pong = ping && !heard.pong;
        let deadline = match (&heard.first, is_waiting_for_pong) {
            (Some(_), false) => return heard,
            (Some(_), true) => began + PONG_WITHIN,
            (None, _) => began + limit,
        };
        let Ok(batch) = timeout_at(deadline, reader.next_batch(BATCH)).await else { return heard };
        // Nothing else wakes the reader without a message or an end.
        heard.pong |= batch.messages.is_empty() && batch.end.is_none();
        heard.first = heard.first.or_else(|| batch.messages.into_iter().next().map(|message| message.payload));
        if batch.end.is_some() {
            return Heard { end: batch.end, ..heard };
        }
    }
}

/// What a first message is.
fn described(message: &Payload) -> (State, String) {
    let Payload::Text(text) = message else { return (State::False, "binary messages".to_owned()) };
    match Line::read(text.as_bytes()) {
        Line { seq: Some(seq), item: Ok(_) } => (State::Yes, format!("operations with numbers, as {seq}")),
        Line { item: Ok(_), .. } => (State::Yes, "operations without numbers".to_owned()),
        Line { item: Err(why), .. } => (State::False, format!("messages that are no operations: {}", Capped(&why))),
    }
}

/// Looks at `/export/stream`: the stream, its pings, and what cursors get that lie in the future and far in the past.
pub(super) async fn export_stream(host: &Host, latest_seq: Option<u64>) -> Vec<Feature> {
    let feature = |name, title, (state, says): (State, String)| Feature { name, title, state, says };
    let untested = || (State::Unknown, "not tried without a stream".to_owned());
    // One operation before the end, where the end is known, so that there is something to say.
    let cursor = latest_seq.map(|seq| format!("?cursor={}", seq.saturating_sub(1))).unwrap_or_default();
    let (stream, pings) = match host.dial(&format!("/export/stream{cursor}")).await {
        Err(why) => ((State::No, why), untested()),
        Ok(mut dialed) => {
            let heard = listen(&mut dialed.reader, LISTEN, true).await;
            let pings = match (heard.pong, &heard.end) {
                (true, _) => (State::Yes, "answered".to_owned()),
                (false, None) => (State::No, format!("not answered within {} s", PONG_WITHIN.as_secs())),
                (false, Some(_)) => (State::Unknown, "the stream ended before".to_owned()),
            };
            let stream = match (&heard.first, &heard.end) {
                (Some(message), _) => described(message),
                (None, Some(end)) => (State::False, format!("101, and then: {end}")),
                (None, None) => (State::Yes, format!("open, and silent for {} s", LISTEN.as_secs())),
            };
            dialed.reader.close(NORMAL, CLOSE_WITHIN).await;
            (stream, pings)
        }
    };
    let is_stream = stream.0 == State::Yes;
    let (future, old) =
        if is_stream { (fault(host, MAX_SEQ).await, fault(host, 1).await) } else { (untested(), untested()) };
    vec![
        feature("stream", "/export/stream", stream),
        feature("pings", "  pings", pings),
        feature("future_cursor", "  future cursor", future),
        feature("old_cursor", "  old cursor", old),
    ]
}

/// What a cursor gets; a refusal that says why is a yes.
async fn fault(host: &Host, cursor: u64) -> (State, String) {
    let mut dialed = match host.dial(&format!("/export/stream?cursor={cursor}")).await {
        Err(why) if why.starts_with("http: 400") => return (State::Yes, format!("refused before the upgrade: {why}")),
        Err(why) => return (State::No, why),
        Ok(dialed) => dialed,
    };
    let heard = listen(&mut dialed.reader, FAULT_WITHIN, false).await;
    dialed.reader.close(NORMAL, CLOSE_WITHIN).await;
    match (heard.first, heard.end) {
        (Some(message), _) => {
            let (state, says) = described(&message);
            (state, format!("served: {says}"))
        }
        (None, Some(end @ StreamEnd::Closed { .. })) => (State::Yes, format!("refused: {end}")),
        (None, Some(end)) => (State::No, end.to_string()),
        (None, None) => (State::No, format!("accepted, and silent for {} s", FAULT_WITHIN.as_secs())),
    }
}

/// Looks at `/ws`, the stream of plcbundle servers.
pub(super) async fn ws(host: &Host) -> Feature {
    let (state, says) = match host.dial("/ws").await {
        Err(why) => (State::No, why),
        Ok(mut dialed) => {
            let heard = listen(&mut dialed.reader, FAULT_WITHIN, false).await;
            dialed.reader.close(NORMAL, CLOSE_WITHIN).await;
            match (heard.first, heard.end) {
                (Some(Payload::Text(text)), _) if text.contains("\"created_at\"") => {
                    (State::Yes, "operations of a plcbundle server".to_owned())
                }
                (Some(_), _) => (State::Unknown, "messages of another kind".to_owned()),
                (None, Some(end)) => (State::False, format!("101, and then: {end}")),
                (None, None) => (State::Unknown, format!("open, and silent for {} s", FAULT_WITHIN.as_secs())),
            }
        }
    };
    Feature { name: "ws", title: "/ws", state, says }
}
