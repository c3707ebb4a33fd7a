//! Asking a host for any page, for whoever wants to know what it serves: every status is an answer.
//!
//! The same gate, limits and rules apply as for pages of a log.

use super::{
    ExportClass, ExportError, ExportPage, ExportTarget, HttpExport, Pace, gate_key, http_url, read_body, split_lines,
};
use crate::domain::time::{MS, Tau};
use crate::ports::dial_error::http_text;
use crate::ports::retry_after::retry_after_of;
use bytes::Bytes;
use http::StatusCode;
use std::net::SocketAddr;

/// What came of asking.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was asked for: path and query.
    pub asked: String,
    /// Just before the request was sent.
    pub asked_at: Tau,
    /// The system's idea of UTC then, milliseconds since 1970.
    pub asked_utc_ms: i64,
    /// When the last byte had been read, or nothing more was waited for.
    pub received_at: Tau,
    /// The address that answered.
    pub peer: Option<SocketAddr>,
    /// The status; none without an answer.
    pub status: Option<u16>,
    /// Its `Retry-After`, seconds.
    pub retry_after_s: Option<u32>,
    /// Its `Date`, milliseconds since 1970, in whole seconds.
    pub date_ms: Option<i64>,
    /// How long its head took, nanoseconds: a round trip and the host's own time.
    pub head_ns: i64,
    /// The whole body after decompression, whatever the status, or why there is none.
    pub body: Result<Bytes, ExportError>,
}

impl Answer {
    /// The body of a 200.
    ///
    /// # Errors
    /// Why there is none; a status is [`ExportClass::Http`], or [`ExportClass::NotSupported`] where it says that there is
    /// no such page.
    pub fn ok(self) -> Result<Bytes, ExportError> {
        let body = self.body?;
        let status = self.status.unwrap_or_default();
        if status == 200 {
            return Ok(body);
        }
        let class = match status {
            404 | 405 | 426 | 501 => ExportClass::NotSupported,
            _ => ExportClass::Http { status, retry_after_s: self.retry_after_s },
        };
        let path = self.asked.split('?').next().unwrap_or_default();
        let known = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Err(ExportError::new(class, &http_text(path, known, self.retry_after_s, &body)))
    }

    /// The lines of a 200 that is a log.
    ///
    /// # Errors
    /// As [`Answer::ok`]; what is no log is [`ExportClass::NotSupported`].
    pub fn page(self) -> Result<ExportPage, ExportError> {
        let (asked_at, received_at, peer) = (self.asked_at, self.received_at, self.peer);
        let path = self.asked.split('?').next().unwrap_or_default().to_owned();
        let lines = split_lines(&self.ok()?);
        if lines.first().is_some_and(|line| line.first() != Some(&b'{')) {
            let text = format!("http: what stands at {path} is no log");
            return Err(ExportError::new(ExportClass::NotSupported, &text));
        }
        Ok(ExportPage { lines, asked_at, received_at, peer })
    }

    /// How far the host's clock is ahead of the system's, milliseconds, and the uncertainty of that: half of the time that
    /// the head took, and half of the second to which a `Date` is cut.
    #[must_use]
    pub fn clock_skew_ms(&self) -> Option<(i64, i64)> {
        let half_ms = self.head_ns / (2 * MS);
        Some((self.date_ms? + 500 - (self.asked_utc_ms + half_ms), 500 + half_ms))
    }
}

impl HttpExport {
    /// Asks for `path_and_query` and reads the whole answer.
    pub async fn ask(&self, target: &ExportTarget, path_and_query: &str) -> Answer {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let mut url = http_url(&target.base, path);
        url.set_query((!query.is_empty()).then_some(query));
        let asked = path_and_query.to_owned();
        let got = self.get(target.allow_private, url, Pace::Page).await;
        let (head_at, head_utc_ms) = (self.clock.now(), self.clock.utc_ms());
        match got {
            Err(error) => Answer {
                asked,
                asked_at: head_at,
                asked_utc_ms: head_utc_ms,
                received_at: head_at,
                peer: None,
                status: None,
                retry_after_s: None,
                date_ms: None,
                head_ns: 0,
                body: Err(error),
            },
            Ok((mut answer, asked_at)) => {
                let head_ns = head_at.since(asked_at).max(0);
                let headers = answer.headers();
                let date = headers.get(http::header::DATE).and_then(|value| value.to_str().ok());
                let date_ms = date.and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
                let retry_after_s = retry_after_of(headers, head_utc_ms);
                let date_ms = date_ms.map(|date| date.timestamp().as_millisecond());
                let (status, peer) = (Some(answer.status().as_u16()), answer.remote_addr());
                let body = read_body(&mut answer, self.options.page_bytes_max).await;
                Answer {
                    asked,
                    asked_at,
                    asked_utc_ms: head_utc_ms - head_ns / MS,
                    received_at: self.clock.now(),
                    peer,
                    status,
                    retry_after_s,
                    date_ms,
                    head_ns,
                    body,
                }
            }
        }
    }

    /// Waits until the host may be asked once more, for a request that is sent otherwise.
    ///
    /// # Errors
    /// [`ExportClass::Paused`].
    pub async fn turn(&self, target: &ExportTarget) -> Result<(), ExportError> {
        self.gates.pass(&gate_key(&http_url(&target.base, "/"))).await.map_err(ExportError::paused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::SECOND;

    fn answer(status: u16, body: &'static [u8]) -> Answer {
        Answer {
            asked: "/export?after=0".into(),
            asked_at: Tau(0),
            asked_utc_ms: 10_000,
            received_at: Tau(SECOND),
            peer: None,
            status: Some(status),
            retry_after_s: None,
            date_ms: Some(12_000),
            head_ns: 200 * MS,
            body: Ok(Bytes::from_static(body)),
        }
    }

    #[test]
    fn only_a_log_is_a_page() {
        assert_eq!(answer(200, b"{}\n{}").page().unwrap().lines.len(), 2);
        assert!(answer(200, b"").page().unwrap().lines.is_empty());
        let error = answer(200, b"<html>").page().unwrap_err();
        assert_eq!(
            (error.class, error.text.as_str()),
            (ExportClass::NotSupported, "http: what stands at /export is no log")
        );
        let error = answer(404, b"").page().unwrap_err();
        assert_eq!(error.text, "http: 404 — this server offers no /export");
        assert_eq!(answer(400, b"").ok().unwrap_err().class, ExportClass::Http { status: 400, retry_after_s: None });
    }

    #[test]
    fn a_clock_is_compared_at_the_middle_of_the_round_trip() {
        assert_eq!(answer(200, b"").clock_skew_ms(), Some((2_400, 600)));
        assert_eq!(Answer { date_ms: None, ..answer(200, b"") }.clock_skew_ms(), None);
    }
}
