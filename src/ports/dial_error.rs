//! Why a stream could not be opened: a class for the link's state machine, and the one line that a reader sees.

use std::net::SocketAddr;
use std::{fmt, io};

use http::StatusCode;
use thiserror::Error;

use super::resolve::ResolveError;
use super::retry_after::retry_after_of;
use super::upgrade::UpgradeError;
use super::{tcp_socket, tls};
use crate::domain::text::printable;

/// Longest part of a server's own words that is repeated, in characters.
const QUOTE_MAX: usize = 80;

/// The parts of opening a stream, in order.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Name into addresses.
    Dns,
    /// The TCP connection.
    Tcp,
    /// The TLS handshake.
    Tls,
    /// The HTTP request and the answer that turns it into a WebSocket.
    Upgrade,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Dns => "dns",
            Phase::Tcp => "tcp",
            Phase::Tls => "tls",
            Phase::Upgrade => "upgrade",
        })
    }
}

/// What kind of failure it was.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum DialClass {
    /// The name gave no address.
    Dns,
    /// Every address is private, and the source may not have such.
    RefusedPrivate,
    /// No TCP connection.
    Tcp,
    /// No TLS session.
    Tls,
    /// An HTTP answer instead of a stream.
    Http {
        /// Its status.
        status: u16,
        /// Its `Retry-After`, seconds.
        retry_after_s: Option<u32>,
    },
    /// Not a WebSocket after all: an answer that breaks the protocol.
    Ws,
    /// The time for the whole was over during this part. Servers that never answer a bad upgrade end here.
    Timeout {
        /// The part that did not end.
        phase: Phase,
    },
    /// This machine ran short of something: no word about the source.
    Local,
}

/// A stream that could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct DialError {
    /// For the state machine.
    pub class: DialClass,
    /// For a reader: one line, bounded, as "tcp: 203.0.113.9:443 refused".
    pub text: String,
}

impl DialError {
    /// A failure of `class` that reads `text`, made safe to show.
    pub(super) fn new(class: DialClass, text: &str) -> Self {
        Self { class, text: printable(text, 300) }
    }

    /// The name gave no address.
    pub(super) fn dns(error: &ResolveError) -> Self {
        Self::new(DialClass::Dns, &format!("dns: {error}"))
    }

    /// Only private addresses behind `host`.
    pub(super) fn refused_private(host: &str) -> Self {
        let text =
            format!("refused: {host} has only private addresses; set \"allowPrivate\": true if this is intended");
        Self::new(DialClass::RefusedPrivate, &text)
    }

    /// The connect to `address` failed.
    pub(super) fn tcp(address: SocketAddr, error: &io::Error) -> Self {
        if tcp_socket::is_local_shortage(error) {
            return Self::new(DialClass::Local, &format!("local: {error}"));
        }
        Self::new(DialClass::Tcp, &format!("tcp: {}", tcp_socket::connect_error_text(address, error)))
    }

    /// The TLS handshake failed.
    pub(super) fn tls(error: &io::Error) -> Self {
        Self::new(DialClass::Tls, &format!("tls: {}", tls::error_text(error)))
    }

    /// `phase` did not end within `limit_s` seconds from the start of the whole.
    pub(super) fn timeout(phase: Phase, limit_s: f64) -> Self {
        let what = match phase {
            Phase::Dns => "no name server answered",
            Phase::Tcp => "no connection",
            Phase::Tls => "the handshake did not end",
            Phase::Upgrade => "the request for the stream was never answered",
        };
        Self::new(DialClass::Timeout { phase }, &format!("{phase}: {what} within {limit_s} s"))
    }

    /// The upgrade of `path` failed; `utc_ms` reads a `Retry-After` that is a date.
    pub(super) fn upgrade(path: &str, utc_ms: i64, error: &UpgradeError) -> Self {
        match error {
            UpgradeError::Refused { status, headers, body } => {
                let retry_after_s = retry_after_of(headers, utc_ms);
                let class = DialClass::Http { status: status.as_u16(), retry_after_s };
                Self::new(class, &http_text(path, *status, retry_after_s, body))
            }
            UpgradeError::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                Self::new(DialClass::Tcp, "tcp: nothing that was sent was acknowledged")
            }
            UpgradeError::Io(_) => Self::new(DialClass::Ws, &format!("ws: {}", UpgradeError::Ended)),
            other => Self::new(DialClass::Ws, &format!("ws: {other}")),
        }
    }
}

/// What an HTTP `status` in answer to a request for `path` looks like to a reader; `body` is quoted where nothing better
/// can be said.
pub(super) fn http_text(path: &str, status: StatusCode, retry_after_s: Option<u32>, body: &[u8]) -> String {
    let code = status.as_u16();
    if let Some(seconds) = retry_after_s {
        return format!("http: {code}, retry in {seconds} s");
    }
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED) {
        return format!("http: {code} — this server offers no {path}");
    }
    if status.is_redirection() {
        return format!("http: {code} — redirects are not followed");
    }
    let said = printable(String::from_utf8_lossy(body).trim(), QUOTE_MAX);
    if said.is_empty() || said.starts_with('<') {
        format!("http: {code} — {}", status.canonical_reason().unwrap_or("no reason given"))
    } else {
        format!("http: {code} — the server says \"{said}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(status: u16, retry: Option<u32>, body: &str) -> String {
        http_text("/export/stream", StatusCode::from_u16(status).unwrap(), retry, body.as_bytes())
    }

    #[test]
    fn answers_read_as_documented() {
        assert_eq!(text(404, None, "<html>"), "http: 404 — this server offers no /export/stream");
        assert_eq!(text(429, Some(300), ""), "http: 429, retry in 300 s");
        assert_eq!(text(400, None, "FutureCursor\n"), "http: 400 — the server says \"FutureCursor\"");
        assert_eq!(text(502, None, "<html>"), "http: 502 — Bad Gateway");
        assert_eq!(text(302, None, ""), "http: 302 — redirects are not followed");
        assert_eq!(
            DialError::timeout(Phase::Upgrade, 10.0).text,
            "upgrade: the request for the stream was never answered within 10 s"
        );
    }

    #[test]
    fn what_a_server_says_is_cut_and_made_harmless() {
        let said = |body: &str| text(400, None, body);
        assert_eq!(said("a\u{202e}b\r\nc"), "http: 400 — the server says \"a b  c\"");
        assert_eq!(said(&"x".repeat(500)), format!("http: 400 — the server says \"{}…\"", "x".repeat(QUOTE_MAX)));
    }
}
