//! Reading one open stream: messages in batches, each with the instant of the read that completed it.
//!
//! [`StreamReader`] waits for one message and then takes all that are there, so that a wake-up is paid once a batch. It
//! knows when nothing was left unread, which an acknowledged ping needs as its witness. One task owns it: reading, pings
//! and the close all go through `&mut self`, with no channel between. It judges no message and reconnects nothing.

use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{fmt, io};

use futures_util::{Sink, SinkExt, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message, Utf8Bytes};

use super::clock::Clock;
use super::stamped::ReadStamps;
use super::tcp_info::{TcpHandle, has_unread};
use crate::domain::text::printable;
use crate::domain::time::Tau;

/// Read buffer of one stream, bytes. It is cleared before each read, so a larger one costs every small read.
const READ_BUFFER_BYTES: usize = 64 * 1024;
/// Pongs and pings that wait for a peer that does not read, bytes; more ends the stream.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;
/// Messages of ours, each of the largest size, that wait for a peer that we talk with; more ends the stream.
const WAITING_MAX: usize = 4;
/// Longest part of a close reason that is kept, characters.
const REASON_MAX: usize = 123;

/// A byte stream below a WebSocket, whatever lies between it and the wire.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// A WebSocket over any [`Transport`].
pub type WsStream = WebSocketStream<Box<dyn Transport>>;

/// The limits of a stream whose messages and frames have at most `frame_bytes_max` bytes.
#[must_use]
pub fn ws_config(frame_bytes_max: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(Some(frame_bytes_max))
        .max_frame_size(Some(frame_bytes_max))
}

/// The limits of a stream on which both sides talk: messages of at most `message_bytes_max` in either direction, few of ours
/// waiting.
#[must_use]
pub fn talk_config(message_bytes_max: usize) -> WebSocketConfig {
    ws_config(message_bytes_max).max_write_buffer_size(WAITING_MAX.saturating_mul(message_bytes_max))
}

/// One message of the peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Payload {
    /// A text message, valid UTF-8.
    Text(Utf8Bytes),
    /// A binary message of this many bytes, let go at once: no source sends operations so.
    Binary(usize),
}

/// One message and when it had arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrived {
    /// The instant at which the read that completed the message returned.
    pub at: Tau,
    /// The message.
    pub payload: Payload,
}

/// How a stream ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StreamEnd {
    /// The peer sent a close frame.
    Closed {
        /// Its code; 1005 when it gave none (RFC 6455 §7.1.5).
        code: u16,
        /// Its reason, cut and made safe to show; often empty.
        reason: String,
    },
    /// The connection ended without a close frame, as it does when the peer's process ends (1006).
    Reset,
    /// The kernel gave up: what we sent stayed unacknowledged.
    Unacknowledged,
    /// A message above the limit; what follows it cannot be read.
    TooLarge {
        /// Its size, bytes, as far as it was announced.
        bytes: usize,
        /// The limit, bytes.
        limit: usize,
    },
    /// A text message that is not UTF-8.
    NotUtf8,
    /// The peer broke the protocol.
    Protocol(String),
    /// Reading failed otherwise.
    Io(String),
}

impl fmt::Display for StreamEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StreamEnd::Closed { code, reason } if reason.is_empty() => write!(f, "closed with {code}"),
            StreamEnd::Closed { code, reason } => write!(f, "closed with {code}: {reason}"),
            StreamEnd::Reset => f.write_str("ws: the connection ended without a close"),
            StreamEnd::Unacknowledged => f.write_str("tcp: nothing that was sent was acknowledged"),
            StreamEnd::TooLarge { bytes, limit } => write!(f, "ws: too_large ({bytes} > {limit} bytes)"),
            StreamEnd::NotUtf8 => f.write_str("ws: not_text (invalid UTF-8)"),
            StreamEnd::Protocol(what) => write!(f, "ws: {what}"),
            StreamEnd::Io(what) => write!(f, "tcp: {what}"),
        }
    }
}

impl StreamEnd {
    /// The end behind an error of the WebSocket.
    fn of(error: WsError) -> Self {
        match error {
            WsError::ConnectionClosed
            | WsError::AlreadyClosed
            | WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => StreamEnd::Reset,
            WsError::Io(error) => match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                    StreamEnd::Unacknowledged
                }
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => StreamEnd::Reset,
                _ => StreamEnd::Io(printable(&error.to_string(), REASON_MAX)),
            },
            WsError::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
                StreamEnd::TooLarge { bytes: size, limit: max_size }
            }
            WsError::Utf8(_) => StreamEnd::NotUtf8,
            WsError::WriteBufferFull(_) => StreamEnd::Protocol("the peer reads nothing".to_owned()),
            other => StreamEnd::Protocol(printable(&other.to_string(), REASON_MAX)),
        }
    }

    /// The end behind a close frame of the peer.
    fn closed(frame: Option<CloseFrame>) -> Self {
        let (code, reason) = frame.map_or((1005, String::new()), |frame| {
            (u16::from(frame.code), printable(frame.reason.as_str(), REASON_MAX))
        });
        StreamEnd::Closed { code, reason }
    }
}

/// What was there when the reader was woken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// The messages in the order of the stream; empty when only pings, pongs or the end came.
    pub messages: Vec<Arrived>,
    /// The newest instant at which bytes arrived; everything that the peer sent before them is in this batch or was in
    /// an earlier one, but for messages cut off by the limit of the batch.
    pub last_read: Option<Tau>,
    /// When everything that had arrived is handed over: an instant after which nothing lay unread anywhere. `None` when
    /// the batch was full, or when nobody looked; [`StreamReader::prove_drained`] looks.
    pub drained_at: Option<Tau>,
    /// Set on the last batch, and on every later one.
    pub end: Option<StreamEnd>,
}

/// The reader of one open stream.
pub struct StreamReader {
    /// The stream.
    ws: WsStream,
    /// Notes of the reads below it.
    stamps: Arc<ReadStamps>,
    /// A duplicate of its socket's descriptor, through which the kernel is asked; closed together with the stream.
    socket: Option<Arc<OwnedFd>>,
    /// Tells the present.
    clock: Arc<dyn Clock>,
    /// Whether the newest poll found nothing more: all bytes read have become messages, and those were handed over.
    idle: bool,
    /// Whether something of ours still waits to be written.
    unflushed: bool,
    /// Why there will be no more, once that is known.
    end: Option<StreamEnd>,
}

impl StreamReader {
    /// A reader of `ws`, whose bytes come through the stream that writes `stamps`. `socket` is a duplicate of its socket's
    /// descriptor; `None` for a stream that has no socket.
    #[must_use]
    pub fn new(ws: WsStream, stamps: Arc<ReadStamps>, socket: Option<Arc<OwnedFd>>, clock: Arc<dyn Clock>) -> Self {
        Self { ws, stamps, socket, clock, idle: false, unflushed: false, end: None }
    }

    /// Looks at this stream's socket for as long as the reader lives.
    #[must_use]
    pub fn tcp(&self) -> TcpHandle {
        self.socket.as_ref().map(TcpHandle::new).unwrap_or_default()
    }

    /// The notes about this stream's reads.
    #[must_use]
    pub fn stamps(&self) -> &Arc<ReadStamps> {
        &self.stamps
    }

    /// Waits until the peer says anything or the stream ends, then takes all that is there, at most `max` messages.
    ///
    /// Cancel-safe: a dropped future has taken nothing. Pings of the peer are answered on the way.
    pub async fn next_batch(&mut self, max: usize) -> Batch {
        std::future::poll_fn(|cx| self.poll_batch(cx, max.max(1))).await
    }

    /// One attempt at [`Self::next_batch`].
    fn poll_batch(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<Batch> {
        if self.unflushed && self.end.is_none() {
            self.poll_flush(cx);
        }
        let mut messages = Vec::new();
        let mut heard = false;
        self.idle = false;
        while self.end.is_none() && messages.len() < max {
            let polled = Pin::new(&mut self.ws).poll_next(cx);
            let payload = match polled {
                Poll::Pending => {
                    self.idle = true;
                    break;
                }
                Poll::Ready(Some(Ok(Message::Text(text)))) => Payload::Text(text),
                Poll::Ready(Some(Ok(Message::Binary(bytes)))) => Payload::Binary(bytes.len()),
                Poll::Ready(Some(Ok(Message::Close(frame)))) => {
                    self.end = Some(StreamEnd::closed(frame));
                    self.poll_flush(cx);
                    break;
                }
                Poll::Ready(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))) => {
                    heard = true;
                    continue;
                }
                Poll::Ready(Some(Err(error))) => {
                    self.end = Some(StreamEnd::of(error));
                    break;
                }
                Poll::Ready(None) => {
                    self.end = Some(StreamEnd::Reset);
                    break;
                }
            };
            let at = self.stamps.last_read().unwrap_or(Tau::MIN);
            messages.push(Arrived { at, payload });
        }
        if messages.is_empty() && !heard && self.end.is_none() {
            return Poll::Pending;
        }
        let drained_at = if self.idle { self.stamps.emptied() } else { None };
        Poll::Ready(Batch { messages, last_read: self.stamps.last_read(), drained_at, end: self.end.clone() })
    }

    /// Writes what waits; what the peer does not take now stays for the next attempt. A failure shows when reading.
    fn poll_flush(&mut self, cx: &mut Context<'_>) {
        self.unflushed = Pin::new(&mut self.ws).poll_flush(cx).is_pending();
    }

    /// The present, if at this moment nothing of the peer lies unread anywhere: all that was read has been handed over,
    /// and the kernel holds no more. Asks the kernel, as the runtime's idea of readiness may be old.
    #[must_use]
    pub fn prove_drained(&self) -> Option<Tau> {
        if !self.idle || self.end.is_some() {
            return None;
        }
        let now = self.clock.now();
        let unread = self.socket.as_ref().is_some_and(|socket| has_unread(&**socket));
        (!unread).then_some(now)
    }

    /// Sends a ping without waiting and returns the instant before which it was not sent; `None` when an earlier one is
    /// still waiting for a peer that takes nothing.
    ///
    /// Whether it arrived is told by [`super::tcp_info::TcpInfo::all_acked`], not by a pong: many sources never send one.
    ///
    /// # Errors
    /// How the stream has ended.
    pub fn send_ping(&mut self) -> Result<Option<Tau>, StreamEnd> {
        if let Some(end) = &self.end {
            return Err(end.clone());
        }
        // What cannot be written now is taken up by the next poll of `next_batch`, with the task's own waker.
        let mut cx = Context::from_waker(Waker::noop());
        let at = self.clock.now();
        let ready = Pin::new(&mut self.ws).poll_ready(&mut cx);
        let sent = match ready {
            Poll::Pending => {
                self.unflushed = true;
                return Ok(None);
            }
            Poll::Ready(ready) => {
                ready.and_then(|()| Pin::new(&mut self.ws).start_send(Message::Ping(bytes::Bytes::new())))
            }
        };
        if let Err(error) = sent {
            let end = StreamEnd::of(error);
            self.end = Some(end.clone());
            return Err(end);
        }
        self.poll_flush(&mut cx);
        Ok(Some(at))
    }

    /// Sends a text and waits until it is written.
    ///
    /// # Errors
    /// How the stream has ended.
    pub async fn send_text(&mut self, text: String) -> Result<(), StreamEnd> {
        if let Some(end) = &self.end {
            return Err(end.clone());
        }
        let sent = self.ws.send(Message::text(text)).await;
        sent.map_err(|error| {
            let end = StreamEnd::of(error);
            self.end = Some(end.clone());
            end
        })
    }

    /// Says goodbye with `code` and lets the connection go, waiting at most `limit` for the goodbye to be written. The
    /// peer's reply is not waited for: some never send one.
    pub async fn close(mut self, code: u16, limit: Duration) {
        if self.end.is_none() {
            let frame = CloseFrame { code: CloseCode::from(code), reason: Utf8Bytes::from_static("") };
            // A goodbye that cannot be written in time changes nothing: the connection goes either way.
            let _ = tokio::time::timeout(limit, self.ws.close(Some(frame))).await;
        }
    }
}

#[cfg(test)]
mod tests;
