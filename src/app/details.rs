//! Answers what is not ready-made: lists of operations, one operation, one DID, two hosts. Computed on the blocking pool
//! from a picture, so that the collector gives a few microseconds and the HTTP workers nothing.

use super::auditing::Auditing;
use super::past::Archive;
use super::pictures::Pictures;
use crate::actors::message::RecheckError as Refused;
use crate::domain::did::Did;
use crate::domain::op::OpKey;
use crate::domain::source::SourceIx;
use crate::domain::time::Tau;
use crate::domain::view::ops::{OpsPage, Position};
use crate::domain::view::{
    Picture, compare, did, divergence, evidence, freshness, incidents, op, ops, recent, rtt, sessions,
};
use crate::domain::window_kind::WindowKind;
use crate::http::detail::{Detail, DetailError, DetailPage, Question, RecheckError};
use crate::http::mirror_parts::MirrorPart;
use crate::http::ops_query::{OpsQuery, Scope};
use crate::publish::{WindowMeta, WindowStatus};
use crate::recompute::CaptureSource;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A check on request that is not refused within this time has begun.
const REFUSED_WITHIN: Duration = Duration::from_millis(250);

/// Details from pictures.
pub struct Details {
    /// Where pictures come from.
    pub pictures: Pictures,
    /// What is older than pictures.
    pub archive: Archive,
    /// Who asks hosts about single DIDs.
    pub auditing: Auditing,
    /// Whether readers may have hosts asked about a DID.
    pub allow_recheck: bool,
    /// Names this run.
    pub snapshot_id: String,
    /// Looks again how a mirror's operations can be taken.
    pub reprobe: Box<ReprobeFn>,
}

/// Takes a mirror's id.
pub type ReprobeFn = dyn Fn(&str) -> Result<(), RecheckError> + Send + Sync;

/// What an answer is made with, beside the picture.
struct Means {
    archive: Archive,
    snapshot_id: String,
    allow_recheck: bool,
    /// Ends when nobody waits for the answer any more.
    left: CancellationToken,
}

fn answer(picture: &Picture, question: &Question, means: &Means) -> Result<DetailPage, DetailError> {
    let snapshot_id = &means.snapshot_id;
    let page = |data: &Value| whole(picture, data, snapshot_id, None);
    match question {
        Question::Ops(query) => ops_page(picture, query, snapshot_id),
        Question::Did(did) => did_page(picture, *did, means.allow_recheck).map(|data| page(&data)),
        Question::Op(key) => found(op::page(picture, *key)).map(|data| page(&data)),
        Question::Evidence(key) => found(evidence_page(picture, *key, snapshot_id)).map(|data| page(&data)),
        Question::Recent => Ok(page(&recent::page(&recent::of(picture)))),
        Question::Sessions(id) => sessions_page(picture, id).map(|data| page(&data)),
        Question::Incident(id) => {
            incidents::detail(picture, id).map(|data| page(&data)).ok_or(DetailError::NoSuchIncident)
        }
        Question::Mirror { id, part } => mirror_page(picture, id, *part).map(|data| page(&data)),
        Question::Past(question) => {
            let (data, window) = means.archive.answer(picture, question, &means.left)?;
            Ok(whole(picture, &data, snapshot_id, Some(window)))
        }
        Question::Compare { a, b, window } => {
            let (data, from_ms, to_ms) = compare_page(picture, a, b, *window)?;
            Ok(whole(picture, &data, snapshot_id, Some(provisional((from_ms, to_ms)))))
        }
    }
}

/// An answer in one page.
fn whole(picture: &Picture, data: &Value, snapshot_id: &str, window: Option<WindowMeta>) -> DetailPage {
    DetailPage {
        data: data.to_string().into_bytes(),
        next_cursor: None,
        snapshot_id: snapshot_id.to_owned(),
        revision: picture.capture.held.end(),
        window,
    }
}

/// A time of which something may still be judged.
pub(super) const fn provisional((from_at_ms, to_at_ms): (i64, i64)) -> WindowMeta {
    WindowMeta { from_at_ms, to_at_ms, status: WindowStatus::Provisional }
}

fn found(data: Option<Value>) -> Result<Value, DetailError> {
    data.ok_or(DetailError::NoSuchOp)
}

/// The bundle, with the names of the program and the run that made it.
fn evidence_page(picture: &Picture, key: OpKey, snapshot_id: &str) -> Option<Value> {
    let mut data = evidence::page(picture, key)?;
    let observer = data.get_mut("observer")?.as_object_mut()?;
    observer.insert("run".into(), snapshot_id.into());
    Some(data)
}

pub(super) fn source(picture: &Picture, id: &str) -> Result<SourceIx, DetailError> {
    let unknown = || DetailError::Internal("the host is configured and not known".to_owned());
    picture.find_source(id).ok_or_else(unknown)
}

fn sessions_page(picture: &Picture, id: &str) -> Result<Value, DetailError> {
    found(sessions::page(picture, source(picture, id)?))
}

/// What is said of a mirror that is not in the picture.
pub(super) fn gone() -> DetailError {
    DetailError::Internal("the mirror is configured and not known".to_owned())
}

/// One mirror, looked at closely.
fn mirror_page(picture: &Picture, id: &str, part: MirrorPart) -> Result<Value, DetailError> {
    let m = source(picture, id)?.mirror_index().ok_or_else(gone)?;
    let data = match part {
        MirrorPart::Freshness => freshness::page(picture, m),
        MirrorPart::Rtt => rtt::mirror(picture, m),
        MirrorPart::Divergence => divergence::mirror(picture, m),
    };
    data.ok_or_else(gone)
}

fn compare_page(picture: &Picture, a: &str, b: &str, window: WindowKind) -> Result<(Value, i64, i64), DetailError> {
    Ok(compare::page(picture, [source(picture, a)?, source(picture, b)?], window))
}

fn did_page(picture: &Picture, did: Did, allow_recheck: bool) -> Result<Value, DetailError> {
    let mut data = did::page(picture, did);
    let is_empty = |key: &str| data.get(key).and_then(Value::as_array).is_none_or(Vec::is_empty);
    let is_asked = data.get("survey").is_some_and(|s| !s.is_null());
    if is_empty("ops") && is_empty("extras") && !is_asked {
        return Err(DetailError::NoSuchDid);
    }
    if let Some(object) = data.as_object_mut() {
        object.insert("is_recheck_allowed".into(), allow_recheck.into());
    }
    Ok(data)
}

fn ops_page(picture: &Picture, query: &OpsQuery, snapshot_id: &str) -> Result<DetailPage, DetailError> {
    let named = match &query.scope {
        Scope::Mirror(id) => Some(id),
        Scope::Every(named) => named.as_ref(),
    };
    let is_meant = |(_, info): &(usize, &crate::domain::view::SourceInfo)| named.is_none_or(|id| info.id == *id);
    let mirrors: Vec<usize> = picture.mirrors.iter().enumerate().filter(is_meant).map(|(m, _)| m).collect();
    let end = picture.capture.held.end();
    let (top, position) = match &query.cursor {
        None => (end, Position::Row { number: end, mirror: 0 }),
        Some(cursor) => read_cursor(cursor, snapshot_id)?,
    };
    let OpsPage { data, next } = ops::page(picture, &mirrors, &query.filter, position);
    Ok(DetailPage {
        data: data.to_string().into_bytes(),
        next_cursor: next.map(|position| write_cursor(snapshot_id, top, position)),
        snapshot_id: snapshot_id.to_owned(),
        revision: top,
        window: None,
    })
}

fn write_cursor(snapshot_id: &str, top: u64, position: Position) -> String {
    match position {
        Position::Row { number, mirror } => format!("{snapshot_id}_{top}_r_{number}_{mirror}"),
        Position::Extra { at, skip } => format!("{snapshot_id}_{top}_x_{}_{skip}", at.0),
    }
}

/// The listing that a cursor of this run goes on with: where it began, and where this page begins.
fn read_cursor(cursor: &str, snapshot_id: &str) -> Result<(u64, Position), DetailError> {
    fn number<T: std::str::FromStr>(part: Option<&str>) -> Result<T, DetailError> {
        part.and_then(|p| p.parse().ok()).ok_or(DetailError::BadCursor)
    }
    let mut parts = cursor.rsplitn(5, '_');
    let (second, first, how) = (parts.next(), parts.next(), parts.next());
    let top = number(parts.next())?;
    let position = match how {
        Some("r") => Position::Row { number: number(first)?, mirror: number(second)? },
        Some("x") => Position::Extra { at: Tau(number(first)?), skip: number(second)? },
        _ => return Err(DetailError::BadCursor),
    };
    match parts.next() {
        Some(run) if run == snapshot_id => Ok((top, position)),
        Some(_) => Err(DetailError::CursorExpired),
        None => Err(DetailError::BadCursor),
    }
}

impl Detail for Details {
    fn answer(&self, question: Question) -> BoxFuture<'static, Result<DetailPage, DetailError>> {
        let asking = self.pictures.capture();
        let means = Means {
            archive: self.archive.clone(),
            snapshot_id: self.snapshot_id.clone(),
            allow_recheck: self.allow_recheck,
            left: CancellationToken::new(),
        };
        Box::pin(async move {
            let captured = asking.await.map_err(|e| DetailError::Internal(e.to_string()))?;
            let picture = Arc::clone(&captured.capture);
            drop(captured);
            let _waiting = means.left.clone().drop_guard();
            let computed = tokio::task::spawn_blocking(move || answer(&picture, &question, &means)).await;
            computed.unwrap_or_else(|e| Err(DetailError::Internal(e.to_string())))
        })
    }

    fn recheck(&self, did: Did) -> BoxFuture<'static, Result<(), RecheckError>> {
        let asking = self.auditing.recheck(did);
        Box::pin(async move {
            match tokio::time::timeout(REFUSED_WITHIN, asking).await {
                // What the hosts answer goes to the collector, and from there into the page of the DID.
                Err(_) | Ok(Ok(_)) => Ok(()),
                Ok(Err(Refused::Off)) => Err(RecheckError::NotEnabled),
                Ok(Err(Refused::Full | Refused::Stopping)) => Err(RecheckError::Busy),
            }
        })
    }

    fn reprobe(&self, mirror: &str) -> Result<(), RecheckError> {
        (self.reprobe)(mirror)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place_in_this_run_alone() {
        let row = Position::Row { number: 7, mirror: 2 };
        let extra = Position::Extra { at: Tau(-5), skip: 3 };
        for position in [row, Position::Extra { at: Tau(i64::MAX), skip: 0 }] {
            let cursor = write_cursor("run", 9, position);
            assert_eq!(read_cursor(&cursor, "run").unwrap(), (9, position));
            assert!(matches!(read_cursor(&cursor, "other"), Err(DetailError::CursorExpired)));
        }
        assert_eq!(read_cursor(&write_cursor("run", 9, extra), "run").unwrap(), (9, extra));
        for damaged in ["", "run", "run_9_r_7", "run_9_y_7_2", "9_r_7_2", "run_9_r_x_2", "run_x_r_7_2"] {
            assert!(matches!(read_cursor(damaged, "run"), Err(DetailError::BadCursor)), "{damaged}");
        }
    }
}
