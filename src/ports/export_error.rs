//! Why a page or an audit log could not be fetched: a class for the caller, and the one line that a reader sees.

use thiserror::Error;

use crate::domain::text::printable;

/// What kind of failure it was.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ExportClass {
    /// The server has no such endpoint, or what stands there is something else.
    NotSupported,
    /// Another HTTP status than 200.
    Http {
        /// It.
        status: u16,
        /// Its `Retry-After`, seconds.
        retry_after_s: Option<u32>,
    },
    /// The host asked for a pause that is not over yet; nothing was sent.
    Paused {
        /// Seconds left.
        retry_after_s: u32,
    },
    /// The name gave no address.
    Dns,
    /// Every address is private, and the source may not have such.
    RefusedPrivate,
    /// No connection.
    Tcp,
    /// No TLS session.
    Tls,
    /// Connected or not, the answer was not complete in time.
    Timeout,
    /// The answer is larger than anything useful.
    TooLarge {
        /// The limit, bytes.
        limit: usize,
    },
    /// The connection ended before the answer did, or the answer breaks HTTP.
    Broken,
}

/// A request over HTTP that brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct ExportError {
    /// For the caller.
    pub class: ExportClass,
    /// For a reader: one line, bounded.
    pub text: String,
}

impl ExportError {
    /// A failure of `class` that reads `text`, made safe to show.
    pub(super) fn new(class: ExportClass, text: &str) -> Self {
        Self { class, text: printable(text, 300) }
    }

    /// The host is paused for `retry_after_s` more seconds.
    pub(super) fn paused(retry_after_s: u32) -> Self {
        Self::new(ExportClass::Paused { retry_after_s }, &format!("http: paused by the server, {retry_after_s} s left"))
    }

    /// The answer exceeds `limit` bytes.
    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(ExportClass::TooLarge { limit }, &format!("http: the answer is larger than {limit} bytes"))
    }

    /// Whether the endpoint may work later: everything but an endpoint that is not there and an address that may not be
    /// dialled.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        !matches!(self.class, ExportClass::NotSupported | ExportClass::RefusedPrivate)
    }
}
