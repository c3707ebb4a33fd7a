//! Link sessions as they are kept, and back.

use super::{Collector, Known};
use crate::domain::link::{Link, LinkState};
use crate::domain::sessions::{Ended, Session, Sessions};
use crate::domain::time::{Labels, Span, Tau};
use crate::ports::store::SessionRow;
use std::collections::HashMap;

/// What ended the session, as the link stands behind it.
pub(super) fn ended(link: &Link) -> Ended {
    let close = link.last_close.as_ref().filter(|c| c.at == link.since);
    let error = link.last_error.as_ref().filter(|e| e.at == link.since);
    match (link.state, close, error) {
        (LinkState::Disconnected, ..) => Ended::ByObserver,
        (_, Some(close), _) => Ended::Closed(close.code, close.reason.clone()),
        (_, None, Some(error)) => Ended::Lost(error.text.clone()),
        (_, None, None) => Ended::Lost(String::new()),
    }
}

/// The sessions of a run before by source, given oldest first; that run was saved through `saved_ms`.
pub(super) fn restored(rows: Vec<SessionRow>, labels: &Labels, saved_ms: i64) -> HashMap<String, Sessions> {
    let session = |row: SessionRow| Session {
        span: Span { from: labels.tau(row.opened_ms), to: row.closed_ms.map_or(Tau::MAX, |ms| labels.tau(ms)) },
        ended: row.closed_ms.map(|_| Ended::from_parts(row.code, row.reason.unwrap_or_default())),
        resumed_from: row.resumed_from.and_then(|seq| u64::try_from(seq).ok()),
        is_filled: row.filled,
    };
    let mut by_source: HashMap<String, Vec<Session>> = HashMap::new();
    for mut row in rows {
        let source = std::mem::take(&mut row.source);
        by_source.entry(source).or_default().push(session(row));
    }
    let saved = labels.tau(saved_ms);
    by_source.into_iter().map(|(source, kept)| (source, Sessions::restored(kept, saved))).collect()
}

impl Collector {
    /// The rows of everything that changed.
    pub(super) fn session_rows(&mut self) -> Vec<SessionRow> {
        let labels = self.labels;
        let row = |source: &str, session: Session| SessionRow {
            source: source.to_owned(),
            opened_ms: labels.utc_ms(session.span.from),
            closed_ms: session.ended.as_ref().map(|_| labels.utc_ms(session.span.to)),
            code: session.ended.as_ref().and_then(Ended::code),
            reason: session.ended.as_ref().map(|ended| ended.reason().to_owned()),
            resumed_from: session.resumed_from.map(|seq| seq as i64),
            filled: session.is_filled,
        };
        let mut rows = Vec::new();
        for Known { who, sessions, .. } in &mut self.sources {
            rows.extend(sessions.take_changed().into_iter().map(|session| row(&who.id, session)));
        }
        rows
    }
}
