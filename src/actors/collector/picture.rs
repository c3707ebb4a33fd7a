//! The picture that views are made of.

use super::{Collector, Known};
use crate::actors::message::{TakePicture, TakeRecent};
use crate::domain::source::SourceIx;
use crate::domain::time::{SECOND, Span, Tau};
use crate::domain::view::recent::Recent;
use crate::domain::view::sessions::SESSIONS_HELD;
use crate::domain::view::{Picture, SourceInfo};
use actix::{Handler, MessageResult};
use std::sync::Arc;

/// The time over which a link's share is told.
const SHARE_NS: i64 = 6 * 3_600 * SECOND;

fn picture(c: &Collector) -> Picture {
    let capture = c.ledger.capture(true);
    let mut impaired = capture.late.clone();
    impaired.extend(capture.late_since.map(|from| Span { from, to: Tau::MAX }));
    let info = |(i, known): (usize, &Known)| SourceInfo {
        id: known.who.id.clone(),
        name: known.who.name.clone(),
        url: known.who.url.clone(),
        transport: known.taken.as_ref().map_or_else(|| known.who.transport.clone(), |t| t.transport.to_string()),
        taken: known.taken.clone(),
        link: known.link.clone(),
        connected_ratio: known.sessions.connected_ratio(capture.now, SHARE_NS, &impaired),
        sessions: known.sessions.latest(SESSIONS_HELD),
        cursor: known.anchor.map(|a| a.seq).filter(|&seq| seq > 0),
        rejects: known.rejects.clone(),
        last_reject: known.last_reject.clone(),
        refused: known.refused.clone(),
        throttle: known.throttle.state(),
        reconnects: known.reconnects.clone(),
        sampled: known.sampled.clone(),
        standing: c.standings.of(SourceIx(i as u16)),
    };
    let mut sources = c.sources.iter().enumerate().map(info);
    Picture {
        primary: sources.next().unwrap_or_default(),
        mirrors: sources.collect(),
        capture,
        started: c.started,
        events: c.events.latest(),
        recommended: c.standings.recommended(),
        changes: c.events.changes(),
        degraded: c.saver.degraded(),
        internals: (c.internals)(),
        validity: c.invalid.counts(),
        imported: c.imported.clone(),
        evidence: c.audit.evidence.clone(),
        samples: c.audit.samples.clone(),
        audit_load: c.audit.load.clone(),
        impaired_ns: c.standings.impaired_ns().clone(),
        clock_offset_ms: c.clock.utc_ms() - c.labels.utc_ms(c.clock.now()),
    }
}

impl Handler<TakePicture> for Collector {
    type Result = MessageResult<TakePicture>;

    fn handle(&mut self, _: TakePicture, _: &mut Self::Context) -> Self::Result {
        MessageResult(Arc::new(picture(self)))
    }
}

impl Handler<TakeRecent> for Collector {
    type Result = MessageResult<TakeRecent>;

    fn handle(&mut self, TakeRecent(most): TakeRecent, _: &mut Self::Context) -> Self::Result {
        let ids = self.sources.iter().map(|known| known.who.id.clone()).collect();
        MessageResult(Recent { ops: self.ledger.recent_ops(most), ids })
    }
}
