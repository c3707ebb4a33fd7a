//! One host, and the doors to it.

use crate::config::{SourceConfig, in_words_of_the_command_line};
use crate::ports::clock::Clock;
use crate::ports::dial::{DialRequest, Dialed, Dialer, TcpDialer};
use crate::ports::export::{Answer, ExportTarget, HttpExport};
use crate::ports::export_error::ExportError;
use std::sync::Arc;

/// A host that is asked.
pub(super) struct Host {
    export: Arc<HttpExport>,
    dialer: Arc<TcpDialer>,
    clock: Arc<dyn Clock>,
    target: ExportTarget,
    /// The address as people know it.
    pub(super) url: String,
}

impl Host {
    pub(super) fn new(
        export: &Arc<HttpExport>,
        dialer: &Arc<TcpDialer>,
        clock: &Arc<dyn Clock>,
        config: &SourceConfig,
    ) -> Host {
        Host {
            export: Arc::clone(export),
            dialer: Arc::clone(dialer),
            clock: Arc::clone(clock),
            target: ExportTarget { base: config.url.clone(), allow_private: config.allow_private },
            url: config.web_address(),
        }
    }

    /// The system's idea of UTC, milliseconds since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        self.clock.utc_ms()
    }

    /// Asks for a page when it is this host's turn.
    pub(super) async fn ask(&self, path_and_query: &str) -> Answer {
        let answer = self.export.ask(&self.target, path_and_query).await;
        let body = answer.body.map_err(|e| ExportError { text: in_words_of_the_command_line(&e.text), ..e });
        Answer { body, ..answer }
    }

    /// Opens a stream when it is this host's turn.
    ///
    /// # Errors
    /// Why there is none, in one line.
    pub(super) async fn dial(&self, path_and_query: &str) -> Result<Dialed, String> {
        self.export.turn(&self.target).await.map_err(|error| error.text)?;
        let request = DialRequest {
            url: self.target.base.clone(),
            path_and_query: path_and_query.to_owned(),
            allow_private: self.target.allow_private,
            prefer: None,
            message_bytes_max: None,
        };
        self.dialer.dial(request).await.map_err(|error| in_words_of_the_command_line(&error.text))
    }
}
