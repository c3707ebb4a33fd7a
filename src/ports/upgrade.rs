//! Turning a connection into a WebSocket: one HTTP request, one answer (RFC 6455 §4.1).
//!
//! The answer is read here and not by the WebSocket library, because refusals matter as much as streams: an HTTP/1.0
//! server's 404 and a proxy's `Connection: keep-alive, Upgrade` are both understood. Reading is bounded in bytes; the
//! caller bounds it in time.

use std::io;

use http::header::{CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, UPGRADE};
use http::{HeaderMap, HeaderValue, StatusCode};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::{Request, generate_request};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::stream_reader::{Transport, WsStream};

/// Largest head of an answer, bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most headers of an answer.
const HEADERS_MAX: usize = 64;

/// Why an answer opened no stream.
#[derive(Debug, Error)]
pub enum UpgradeError {
    /// The request cannot be written as HTTP.
    #[error("the request is malformed")]
    Request,
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The connection ended before the answer did.
    #[error("the server ended the connection instead of answering")]
    Ended,
    /// The answer is not HTTP.
    #[error("the answer is not HTTP")]
    NotHttp,
    /// The answer's head is endless.
    #[error("the head of the answer is larger than {HEAD_BYTES_MAX} bytes")]
    HeadTooLong,
    /// A status other than 101.
    #[error("HTTP {status}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The headers.
        headers: HeaderMap,
        /// As much of the body as came with the head.
        body: Vec<u8>,
    },
    /// A 101 that does not keep to the protocol; names the header at fault.
    #[error("the answer says 101 but its {0} is wrong")]
    NotWebSocket(HeaderName),
}

/// The head of an answer.
struct Head {
    status: StatusCode,
    headers: HeaderMap,
    /// What followed the head in the bytes read so far.
    rest: Vec<u8>,
}

/// Sends `request` over `stream` and, when the answer agrees, returns the WebSocket.
///
/// # Errors
/// See [`UpgradeError`].
pub async fn upgrade(
    request: Request,
    mut stream: Box<dyn Transport>,
    config: WebSocketConfig,
) -> Result<WsStream, UpgradeError> {
    let (bytes, key) = generate_request(request).map_err(|_| UpgradeError::Request)?;
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    let Head { status, headers, rest } = read_head(&mut stream).await?;
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return Err(UpgradeError::Refused { status, headers, body: rest });
    }
    let agrees = |name: &HeaderName, wanted: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case(wanted))
    };
    for (name, wanted) in [(UPGRADE, "websocket"), (CONNECTION, "upgrade")] {
        if !agrees(&name, wanted) {
            return Err(UpgradeError::NotWebSocket(name));
        }
    }
    if headers.get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes)
        != Some(derive_accept_key(key.as_bytes()).as_bytes())
    {
        return Err(UpgradeError::NotWebSocket(SEC_WEBSOCKET_ACCEPT));
    }
    if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Err(UpgradeError::NotWebSocket(SEC_WEBSOCKET_EXTENSIONS));
    }
    Ok(WebSocketStream::from_raw_socket(after(rest, stream), Role::Client, Some(config)).await)
}

/// `stream` with the bytes before it that came together with the answer.
///
/// Not handed to the WebSocket as partially read: its buffer would forget how large it was made, and while messages that
/// were cut out of it are held, read each of the following with two calls of the kernel instead of many with one.
fn after(rest: Vec<u8>, stream: Box<dyn Transport>) -> Box<dyn Transport> {
    if rest.is_empty() {
        return stream;
    }
    let (reading, writing) = tokio::io::split(stream);
    Box::new(tokio::io::join(std::io::Cursor::new(rest).chain(reading), writing))
}

/// Reads until the head of an answer is complete.
async fn read_head(stream: &mut Box<dyn Transport>) -> Result<Head, UpgradeError> {
    let mut bytes = Vec::with_capacity(1_024);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(UpgradeError::Ended);
        }
        if let Some(head) = parse_head(&bytes)? {
            return Ok(head);
        }
        if bytes.len() > HEAD_BYTES_MAX {
            return Err(UpgradeError::HeadTooLong);
        }
    }
}

/// The head at the start of `bytes`, `None` while it is incomplete.
fn parse_head(bytes: &[u8]) -> Result<Option<Head>, UpgradeError> {
    let mut slots = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut slots);
    let length = match answer.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(UpgradeError::HeadTooLong),
        Err(_) => return Err(UpgradeError::NotHttp),
    };
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(UpgradeError::NotHttp)?;
    let mut headers = HeaderMap::new();
    for header in answer.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(header.value)) {
            headers.append(name, value);
        }
    }
    Ok(Some(Head { status, headers, rest: bytes.get(length..).unwrap_or_default().to_vec() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_parsed_once_they_are_complete() {
        assert!(parse_head(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: web").unwrap().is_none());
        let head = parse_head(b"HTTP/1.0 404 Not Found\r\nServer: x\r\n\r\nno such").unwrap().unwrap();
        assert_eq!((head.status, head.rest.as_slice()), (StatusCode::NOT_FOUND, b"no such".as_slice()));
        assert_eq!(head.headers["server"], "x");
        assert!(matches!(parse_head(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), Err(UpgradeError::NotHttp)));
        let many = format!("HTTP/1.1 101 x\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1));
        assert!(matches!(parse_head(many.as_bytes()), Err(UpgradeError::HeadTooLong)));
    }
}
