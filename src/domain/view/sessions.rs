//! When the link of one source was up, as the API shows it.

use super::{Picture, put, round6};
use crate::domain::sessions::{Ended, Session};
use crate::domain::source::SourceIx;
use serde_json::{Map, Value};

/// Sessions of each source that are shown, the newest.
const SESSIONS_SHOWN: usize = 64;
/// Sessions of each source that a picture holds: one more says that not all are shown.
pub const SESSIONS_HELD: usize = SESSIONS_SHOWN + 1;

/// The page of a source; none where there is no such source.
#[must_use]
pub fn page(picture: &Picture, source: SourceIx) -> Option<Value> {
    let (info, _) = picture.source(source)?;
    let mut map = Map::new();
    map.insert("id".into(), info.id.clone().into());
    map.insert("name".into(), info.name.clone().into());
    put(&mut map, "connected_ratio", info.connected_ratio.map(round6), "not_watched_yet");
    let rows: Vec<Value> = info.sessions.iter().rev().take(SESSIONS_SHOWN).map(|s| row(picture, s)).collect();
    map.insert("truncated".into(), (info.sessions.len() > SESSIONS_SHOWN).into());
    map.insert("sessions".into(), rows.into());
    Some(Value::Object(map))
}

fn row(picture: &Picture, s: &Session) -> Value {
    let ended = s.ended.as_ref();
    let mut map = Map::new();
    map.insert("opened_at".into(), picture.at(s.span.from).into());
    put(&mut map, "closed_at", picture.end_at(s.span.to), "still_open");
    map.insert("ended_by".into(), ended.map(Ended::by).into());
    map.insert("code".into(), ended.and_then(Ended::code).into());
    map.insert("reason".into(), ended.map(Ended::reason).into());
    map.insert("resumed_from".into(), s.resumed_from.into());
    map.insert("is_caught_up".into(), s.is_filled.into());
    Value::Object(map)
}
