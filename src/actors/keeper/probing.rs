//! One look at one rung of the ladder.

use crate::actors::known_dids::KnownDids;
use crate::actors::mirror_stream::{Dialect, StreamDoors, StreamSettings};
use crate::actors::resolver::{Answer, Page, read};
use crate::domain::confirm::speaks_of;
use crate::domain::did::Did;
use crate::domain::frame::{FormCache, parse};
use crate::domain::look_out::Shown;
use crate::domain::transport::{Outcome, Transport, of_status};
use crate::ports::clock::Clock;
use crate::ports::dial::{DialRequest, Dialer};
use crate::ports::dial_error::{DialClass, DialError, Phase};
use crate::ports::export::{ExportClient, ExportPage, ExportTarget, LookUp};
use crate::ports::export_error::{ExportClass, ExportError};
use crate::ports::stream_reader::{Batch, Payload};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use url::Url;

/// A stream that stays open for this long, or says something, is one.
const STREAM_HOLDS: Duration = Duration::from_secs(1);
/// A plcbundle server says something within this time.
const BUNDLE_SPEAKS: Duration = Duration::from_secs(10);
/// DIDs that are asked about before it is said that a host has no logs.
const ASKED_MIN: usize = 2;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(200);

/// Whatever a look needs.
pub(super) struct Prober {
    url: Url,
    allow_private: bool,
    dialer: Arc<dyn Dialer>,
    export: Arc<dyn ExportClient>,
    clock: Arc<dyn Clock>,
    forms: Arc<Mutex<FormCache>>,
    known: KnownDids,
}

impl Prober {
    pub(super) fn new(source: &StreamSettings, doors: &StreamDoors) -> Prober {
        Prober {
            url: source.url.clone(),
            allow_private: source.allow_private,
            dialer: Arc::clone(&doors.dialer),
            export: Arc::clone(&doors.export),
            clock: Arc::clone(&doors.clock),
            forms: Arc::clone(&doors.forms),
            known: doors.known.clone(),
        }
    }

    pub(super) async fn probe(&self, transport: Transport) -> Outcome {
        match transport {
            Transport::Stream => self.stream().await,
            Transport::PlcBundle => self.bundle().await,
            Transport::Export => self.log().await,
            Transport::Resolve => self.resolve().await,
        }
    }

    /// Opens a stream and listens for a while; none when nothing came.
    async fn listen(&self, dialect: Dialect, patience: Duration) -> Result<Option<Batch>, DialError> {
        let request = DialRequest {
            url: self.url.clone(),
            path_and_query: dialect.path().to_owned(),
            allow_private: self.allow_private,
            prefer: None,
            message_bytes_max: None,
        };
        let mut reader = self.dialer.dial(request).await?.reader;
        let batch = timeout(patience, reader.next_batch(1)).await.ok();
        if batch.as_ref().is_none_or(|batch| batch.end.is_none()) {
            reader.close(1000, GOODBYE).await;
        }
        Ok(batch)
    }

    async fn stream(&self) -> Outcome {
        match self.listen(Dialect::Export, STREAM_HOLDS).await {
            Err(error) => of_dial(&error),
            Ok(Some(batch)) if batch.messages.is_empty() && batch.end.is_some() => {
                Outcome::Absent("a false 101: the connection closed before the first byte".to_owned())
            }
            Ok(_) => Outcome::Serves("/export/stream is open".to_owned()),
        }
    }

    async fn bundle(&self) -> Outcome {
        let batch = match self.listen(Dialect::Bundle, BUNDLE_SPEAKS).await {
            Err(error) => return of_dial(&error),
            Ok(batch) => batch,
        };
        let Some(message) = batch.and_then(|batch| batch.messages.into_iter().next()) else {
            return Outcome::Absent("/ws says nothing".to_owned());
        };
        let Payload::Text(text) = &message.payload else {
            return Outcome::Absent("/ws sends no operations".to_owned());
        };
        let mut forms = self.forms.lock().unwrap_or_else(PoisonError::into_inner);
        match parse(text, crate::domain::frame::Shape::Bundled, &mut forms) {
            Ok(_) => Outcome::Serves("/ws sends operations".to_owned()),
            Err(reject) => Outcome::Absent(format!("/ws sends no operations: {}", reject.name())),
        }
    }

    fn target(&self) -> ExportTarget {
        ExportTarget { base: self.url.clone(), allow_private: self.allow_private }
    }

    async fn log(&self) -> Outcome {
        match self.export.page(&self.target(), 0, 1).await {
            Ok(page) => self.of_page(&page),
            // It may know times alone.
            Err(ExportError { class: ExportClass::Http { status: 400..=403 | 422, .. }, .. }) => {
                match self.export.page_since(&self.target(), 0, 1).await {
                    Ok(page) => self.of_page(&page),
                    Err(error) => of_export(&error),
                }
            }
            Err(error) => of_export(&error),
        }
    }

    fn of_page(&self, page: &ExportPage) -> Outcome {
        let Some(line) = page.lines.first() else { return Outcome::Unclear("/export is empty".to_owned()) };
        let mut forms = self.forms.lock().unwrap_or_else(PoisonError::into_inner);
        let text = std::str::from_utf8(line).unwrap_or_default();
        match parse(text, crate::domain::frame::Shape::Legacy, &mut forms) {
            Ok(frame) if frame.op.seq.is_some() => Outcome::Serves("/export is polled by number".to_owned()),
            Ok(_) => Outcome::Serves("/export is polled by time".to_owned()),
            Err(reject) => Outcome::Absent(format!("/export holds no operations: {}", reject.name())),
        }
    }

    /// Asks about several DIDs: a mirror may lack one of them and serve nevertheless.
    async fn resolve(&self) -> Outcome {
        let now = self.clock.now();
        let settled = self.known.settled(now);
        if settled.len() < ASKED_MIN {
            let Some((did, _)) = self.known.pick(now) else {
                return Outcome::Unclear("no operation of the primary is known yet".to_owned());
            };
            // One that lacks it may be about to get it.
            return match self.log_of(did).await {
                Outcome::Absent(text) => Outcome::Unclear(text),
                told => told,
            };
        }
        let mut told = Vec::new();
        for did in settled {
            match self.log_of(did).await {
                serves @ Outcome::Serves(_) => return serves,
                other => told.push(other),
            }
        }
        let unclear = told.iter().position(|outcome| matches!(outcome, Outcome::Unclear(_)));
        told.into_iter().nth(unclear.unwrap_or(0)).unwrap_or_else(|| Outcome::Unclear("no answer".to_owned()))
    }

    /// Asks for the log of one DID that a mirror should know.
    async fn log_of(&self, did: Did) -> Outcome {
        let mut told = Vec::new();
        for page in [Page::Audit, Page::Last] {
            let look_up = self.export.look_up(&self.target(), &page.path(did)).await;
            match read(page, &look_up) {
                Answer::Shown(Shown::Log(cids)) if !cids.is_empty() => {
                    return Outcome::Serves("/{did}/log/audit is asked about single DIDs".to_owned());
                }
                Answer::Shown(Shown::Last(_)) => {
                    return Outcome::Serves("/{did}/log/last is asked about single DIDs".to_owned());
                }
                Answer::Shown(_) => told.push(of_unknown(did, page, &look_up)),
                Answer::Failed(text) => told.push(of_look_up(did, &look_up, text)),
            }
        }
        let unclear = told.iter().position(|outcome| matches!(outcome, Outcome::Unclear(_)));
        told.into_iter().nth(unclear.unwrap_or(0)).unwrap_or_else(|| Outcome::Unclear("no answer".to_owned()))
    }
}

/// An answer without an operation: one about the DID comes from a host that has such pages.
fn of_unknown(did: Did, page: Page, look_up: &LookUp) -> Outcome {
    let body = look_up.body.as_deref().unwrap_or_default();
    match look_up.status {
        Some(410) => Outcome::Unclear(format!("{did} is gone there")),
        Some(404) if !speaks_of(did, body) => Outcome::Absent(format!("http: 404 for {}", page.path(did))),
        _ => Outcome::Unclear(format!("{did} is not there")),
    }
}

fn of_dial(error: &DialError) -> Outcome {
    let text = error.text.clone();
    match error.class {
        DialClass::Http { status, .. } => of_status(status, text),
        DialClass::Ws | DialClass::Timeout { phase: Phase::Upgrade } => Outcome::Absent(text),
        DialClass::Dns
        | DialClass::RefusedPrivate
        | DialClass::Tcp
        | DialClass::Tls
        | DialClass::Timeout { .. }
        | DialClass::Local => Outcome::Unclear(text),
    }
}

fn of_export(error: &ExportError) -> Outcome {
    let text = error.to_string();
    match error.class {
        ExportClass::NotSupported => Outcome::Absent(text),
        ExportClass::Http { status, .. } => of_status(status, text),
        _ => Outcome::Unclear(text),
    }
}

/// An answer that is no log: a status, or a body of another kind.
fn of_look_up(did: Did, look_up: &LookUp, text: String) -> Outcome {
    let body = look_up.body.as_deref().unwrap_or_default();
    match look_up.status {
        // Damaged, but the log that was asked for.
        Some(200) if speaks_of(did, body) => Outcome::Unclear(text),
        Some(200) => Outcome::Absent(text),
        Some(status) => of_status(status, text),
        None => Outcome::Unclear(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_lacks_a_did_or_shows_its_log_damaged_is_not_one_without_logs() {
        let did = Did([3; 15]);
        let unknown = |status, body: &str| of_unknown(did, Page::Audit, &LookUp::answered(status, body));
        for (status, body) in [
            (404, format!("{{\"message\":\"DID not registered: {did}\"}}")),
            (410, String::new()),
            (200, "[]".to_owned()),
        ] {
            assert!(matches!(unknown(status, &body), Outcome::Unclear(_)), "{status} {body}");
        }
        for body in [String::new(), format!("Cannot GET /{did}/log/audit")] {
            assert!(matches!(unknown(404, &body), Outcome::Absent(_)), "{body}");
        }
        let failed = |status, body: &str| of_look_up(did, &LookUp::answered(status, body), "http: no log".to_owned());
        assert!(matches!(failed(200, &format!("[{{\"did\":\"{did}\"}}]")), Outcome::Unclear(_)), "damaged");
        assert!(matches!(failed(200, "<html>"), Outcome::Absent(_)));
        assert!(matches!(failed(503, ""), Outcome::Unclear(_)));
    }
}
