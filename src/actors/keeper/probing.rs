//! One look at one rung of the ladder.

use crate::actors::known_dids::KnownDids;
use crate::actors::mirror_stream::{Dialect, StreamDoors, StreamSettings};
use crate::actors::resolver::{Answer, Page, read};
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

    async fn resolve(&self) -> Outcome {
        let Some((did, should_be_known)) = self.known.pick(self.clock.now()) else {
            return Outcome::Unclear("no operation of the primary is known yet".to_owned());
        };
        let mut told = Outcome::Unclear("no answer".to_owned());
        for page in [Page::Audit, Page::Last] {
            let look_up = self.export.look_up(&self.target(), &page.path(did)).await;
            told = match read(page, &look_up) {
                Answer::Shown(Shown::Log(cids)) if !cids.is_empty() => {
                    return Outcome::Serves("/{did}/log/audit is asked about single DIDs".to_owned());
                }
                Answer::Shown(Shown::Last(..)) => {
                    return Outcome::Serves("/{did}/log/last is asked about single DIDs".to_owned());
                }
                Answer::Shown(_) if should_be_known => Outcome::Absent(format!("http: 404 for {}", page.path(did))),
                Answer::Shown(_) => Outcome::Unclear(format!("{did} is not there yet")),
                Answer::Failed(text) => of_look_up(&look_up, text),
            };
        }
        told
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
fn of_look_up(look_up: &LookUp, text: String) -> Outcome {
    match look_up.status {
        Some(200) => Outcome::Absent(text),
        Some(status) => of_status(status, text),
        None => Outcome::Unclear(text),
    }
}
