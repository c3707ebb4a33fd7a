//! One log of a comparison: how its host is paged, where its walk begins, and patience with it.

use crate::cli::hosts::Paging;
use crate::config::{SourceConfig, in_words_of_the_command_line};
use crate::domain::compare_logs::{Ask, Line, MARGIN_MS, Range, Seek, Walk};
use crate::domain::time::rfc3339_ms;
use crate::ports::export::{ExportTarget, HttpExport};
use crate::ports::export_error::{ExportClass, ExportError};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// Requests for one page before it is given up.
const ATTEMPTS_MAX: u32 = 6;

/// One host's log.
pub(super) struct Source {
    export: Arc<HttpExport>,
    target: ExportTarget,
    paging: Paging,
}

impl Source {
    pub(super) fn new(export: Arc<HttpExport>, config: &SourceConfig, paging: Paging) -> Source {
        let target = ExportTarget { base: config.url.clone(), allow_private: config.allow_private };
        Source { export, target, paging }
    }

    /// A walk over `range` that begins at `now_ms`, by number where the host has numbers, unless time is asked for.
    ///
    /// # Errors
    /// Why the host's log cannot be read, in one line.
    pub(super) async fn begin(&self, range: Range, now_ms: i64) -> Result<Walk, String> {
        let from_ms = range.from_ms.saturating_sub(MARGIN_MS);
        let by_time = || Walk::new(Ask::AfterTime(from_ms), range, now_ms);
        if self.paging == Paging::Time {
            return Ok(by_time());
        }
        let mut seek = Seek::new(from_ms);
        let mut is_first = true;
        while let Some(after) = seek.ask() {
            let first = match self.page(Ask::AfterSeq(after), 1, !is_first).await {
                Ok(page) => page.first().map(|line| Line::read(line)),
                // No operation has such a number yet, or the host has no numbers at all.
                Err(error) if matches!(error.class, ExportClass::Http { status: 400, .. }) => {
                    if is_first && self.paging == Paging::Auto {
                        return Ok(by_time());
                    }
                    None
                }
                Err(error) => return Err(error.text),
            };
            match first {
                None => seek.told(None),
                Some(Line { seq: Some(seq), item }) => {
                    // What cannot be read tells no time: it is passed over, it alone.
                    let created_ms = item.ok().flatten().map_or(i64::MIN, |item| item.created_ms);
                    seek.told(Some((seq, created_ms)));
                }
                Some(Line { seq: None, .. }) if self.paging == Paging::Auto => return Ok(by_time()),
                Some(Line { seq: None, .. }) => return Err("it gives its operations no numbers".to_owned()),
            }
            is_first = false;
        }
        Ok(Walk::new(Ask::AfterSeq(seek.after()), range, now_ms))
    }

    /// The lines of one page of at most `count`. `is_known` when the host has answered before, so that a failure to reach
    /// it may pass.
    ///
    /// # Errors
    /// Why there is no page, after all attempts.
    pub(super) async fn page(&self, ask: Ask, count: u32, is_known: bool) -> Result<Vec<Bytes>, ExportError> {
        let after = match ask {
            Ask::AfterSeq(seq) => seq.to_string(),
            Ask::AfterTime(ms) => rfc3339_ms(ms),
        };
        let path = format!("/export?after={after}&count={count}");
        let mut attempt = 0;
        loop {
            let error = match self.export.ask(&self.target, &path).await.page() {
                Ok(page) => return Ok(page.lines),
                Err(error) => error,
            };
            attempt += 1;
            let is_busy = match error.class {
                ExportClass::Http { status, .. } => status == 429 || status >= 500,
                ExportClass::Timeout => true,
                ExportClass::Tcp | ExportClass::Broken | ExportClass::Dns => is_known,
                _ => false,
            };
            if !is_busy || attempt >= ATTEMPTS_MAX {
                return Err(ExportError { text: in_words_of_the_command_line(&error.text), ..error });
            }
            // A pause that the host named is kept by its gate.
            tokio::time::sleep(Duration::from_secs(1 << attempt.min(4))).await;
        }
    }
}
