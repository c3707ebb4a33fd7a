//! How a stream ends: whatever bytes the other side sends, what is told of it is one short line, and a reason is its own
//! text with nothing hidden in it.

use std::io::Cursor;
use std::sync::Arc;

use mirrorwatch::domain::link::{Link, LinkEvent};
use mirrorwatch::domain::text::{is_hidden, printable};
use mirrorwatch::domain::time::Tau;
use mirrorwatch::ports::clock::{Clock, SystemClock};
use mirrorwatch::ports::stamped::ReadStamps;
use mirrorwatch::ports::stream_reader::{Payload, StreamEnd, StreamReader, Transport, ws_config};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::reference::assert_line;

/// Longest message of these streams, bytes.
const FRAME_BYTES_MAX: usize = 1_024;
/// Longest reason that a close frame can carry, bytes.
const REASON_BYTES_MAX: usize = 123;
/// Longest line about an end, in characters: a reason and a few words.
const END_CHARS_MAX: usize = 160;
/// Messages taken at once.
const BATCH: usize = 4;

/// The bytes of a server behind its answer to the upgrade, and the same as the body of a close frame.
pub fn close_reason(data: &[u8]) {
    told(&end_of(data));
    let body = &data[..data.len().min(REASON_BYTES_MAX + 2)];
    let mut frame = vec![0x88, body.len() as u8];
    frame.extend_from_slice(body);
    let end = end_of(&frame);
    told(&end);
    match (body, &end) {
        ([], end) => assert_eq!(*end, StreamEnd::Closed { code: 1005, reason: String::new() }),
        ([high, low, ..], StreamEnd::Closed { code, .. }) if !may_be_sent(u16::from_be_bytes([*high, *low])) => {
            assert_eq!(*code, u16::from(CloseCode::Protocol), "the WebSocket's own word for such a code");
        }
        ([high, low, said @ ..], StreamEnd::Closed { code, reason }) => {
            assert_eq!(*code, u16::from_be_bytes([*high, *low]));
            let said = std::str::from_utf8(said).expect("a reason is text");
            assert_eq!(reason.chars().count(), said.chars().count(), "nothing of a reason is lost");
            let is_shown = |(shown, given): (char, char)| shown == if is_hidden(given) { ' ' } else { given };
            assert!(reason.chars().zip(said.chars()).all(is_shown), "{reason:?} for {said:?}");
        }
        // A body of one byte, or a reason that is no text.
        (_, StreamEnd::Protocol(_) | StreamEnd::NotUtf8) => {}
        (_, other) => panic!("a close frame ended a stream as {other:?}"),
    }
    let text = String::from_utf8_lossy(data);
    for limit in [0, 1, 80] {
        assert_line(&printable(&text, limit), limit + 1);
    }
}

/// Whether a close frame may carry `code` (RFC 6455 §7.4).
fn may_be_sent(code: u16) -> bool {
    CloseCode::from(code).is_allowed()
}

/// Reads a stream of these bytes to its end.
fn end_of(bytes: &[u8]) -> StreamEnd {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let transport: Box<dyn Transport> = Box::new(tokio::io::join(Cursor::new(bytes.to_vec()), tokio::io::sink()));
        let ws = WebSocketStream::from_raw_socket(transport, Role::Client, Some(ws_config(FRAME_BYTES_MAX))).await;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new(0).expect("a clock"));
        let mut reader = StreamReader::new(ws, Arc::new(ReadStamps::default()), None, clock);
        // Every message takes two bytes at least, and each look takes something.
        for _ in 0..=bytes.len() {
            let batch = reader.next_batch(BATCH).await;
            assert!(batch.messages.len() <= BATCH);
            for message in &batch.messages {
                let bytes = match &message.payload {
                    Payload::Text(text) => text.len(),
                    Payload::Binary(bytes) => *bytes,
                };
                assert!(bytes <= FRAME_BYTES_MAX, "a message of {bytes} bytes");
            }
            if let Some(end) = batch.end {
                return end;
            }
        }
        panic!("a stream of {} bytes has no end", bytes.len());
    })
}

/// What a link makes of the end.
fn told(end: &StreamEnd) {
    assert_line(&end.to_string(), END_CHARS_MAX);
    let mut link = Link::new(Tau(0));
    if let StreamEnd::Closed { code, reason } = end {
        link.on(LinkEvent::Closed { code: *code, reason: reason.clone() }, Tau(1), 0.5);
        assert_line(&link.last_close.expect("a close is kept").reason, REASON_BYTES_MAX);
    }
}
