//! Answers what is not ready-made: one mirror's operations, one DID. Computed on the blocking pool from a picture, so that
//! the collector gives a few microseconds and the HTTP workers nothing.

use super::pictures::Pictures;
use crate::domain::did::Did;
use crate::domain::interval::ExtraState;
use crate::domain::verdict::Verdict;
use crate::domain::view::ops::{OpsFilter, OpsPage};
use crate::domain::view::{Picture, did, ops};
use crate::http::detail::{Detail, DetailError, DetailPage, OpsQuery};
use crate::recompute::CaptureSource;
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// Details from pictures.
pub struct Details {
    /// Where pictures come from.
    pub pictures: Pictures,
    /// Names this run.
    pub snapshot_id: String,
}

/// Operations without a row of the primary are asked for by these verdicts.
const EXTRAS: [(&str, ExtraState); 3] =
    [("extra", ExtraState::Extra), ("extra_unknown", ExtraState::Unknown), ("extra_pending", ExtraState::Pending)];

fn page(picture: &Picture, query: &OpsQuery, snapshot_id: &str) -> Result<DetailPage, DetailError> {
    let mirror = picture
        .mirrors
        .iter()
        .position(|m| m.id == query.mirror)
        .ok_or_else(|| DetailError::Internal("the mirror is configured and not known".to_owned()))?;
    let held = &picture.capture.held;
    let (top, below) = match &query.cursor {
        None => (held.end(), None),
        Some(cursor) => read_cursor(cursor, snapshot_id)?,
    };
    let verdict = query.verdict.as_deref();
    let extra = EXTRAS.iter().find(|e| Some(e.0) == verdict);
    if let Some(&(_, state)) = extra {
        let data = ops::extras(picture, mirror, state, query.limit as usize);
        return Ok(answer(&data, None, snapshot_id, top));
    }
    let filter = OpsFilter {
        verdict: verdict.and_then(Verdict::parse),
        did: query.did.as_deref().and_then(Did::parse),
        kind: query.kind,
        from_ms: query.from_ms,
        to_ms: query.to_ms,
        below: Some(below.unwrap_or(top)),
        limit: query.limit as usize,
    };
    let OpsPage { data, next_below } = ops::page(picture, mirror, &filter);
    let cursor = next_below.map(|below| format!("{snapshot_id}_{top}_{below}"));
    Ok(answer(&data, cursor, snapshot_id, top))
}

/// (top, below) of a cursor of this run.
fn read_cursor(cursor: &str, snapshot_id: &str) -> Result<(u64, Option<u64>), DetailError> {
    let mut parts = cursor.rsplitn(3, '_');
    let number = |part: Option<&str>| part.and_then(|p| p.parse::<u64>().ok()).ok_or(DetailError::BadCursor);
    let (below, top) = (number(parts.next())?, number(parts.next())?);
    match parts.next() {
        Some(run) if run == snapshot_id => Ok((top, Some(below))),
        Some(_) => Err(DetailError::CursorExpired),
        None => Err(DetailError::BadCursor),
    }
}

fn answer(data: &serde_json::Value, next_cursor: Option<String>, snapshot_id: &str, revision: u64) -> DetailPage {
    DetailPage { data: data.to_string().into_bytes(), next_cursor, snapshot_id: snapshot_id.to_owned(), revision }
}

impl Details {
    fn compute(
        &self,
        work: impl FnOnce(&Picture, &str) -> Result<DetailPage, DetailError> + Send + 'static,
    ) -> BoxFuture<'static, Result<DetailPage, DetailError>> {
        let (asking, id) = (self.pictures.capture(), self.snapshot_id.clone());
        Box::pin(async move {
            let captured = asking.await.map_err(|e| DetailError::Internal(e.to_string()))?;
            let picture = Arc::clone(&captured.capture);
            drop(captured);
            let computed = tokio::task::spawn_blocking(move || work(&picture, &id)).await;
            computed.unwrap_or_else(|e| Err(DetailError::Internal(e.to_string())))
        })
    }
}

impl Detail for Details {
    fn ops(&self, query: OpsQuery) -> BoxFuture<'static, Result<DetailPage, DetailError>> {
        self.compute(move |picture, id| page(picture, &query, id))
    }

    fn did(&self, text: String) -> BoxFuture<'static, Result<DetailPage, DetailError>> {
        self.compute(move |picture, id| {
            let parsed =
                Did::parse(&text).ok_or_else(|| DetailError::Internal("a checked DID did not parse".to_owned()))?;
            let data = did::page(picture, parsed);
            let is_empty = |key: &str| data.get(key).and_then(serde_json::Value::as_array).is_none_or(Vec::is_empty);
            if is_empty("ops") && is_empty("extras") {
                return Err(DetailError::NoSuchDid);
            }
            Ok(answer(&data, None, id, picture.capture.held.end()))
        })
    }
}
