//! Which mirror to use, and why.

use super::{Picture, SourceInfo, put};
use serde_json::{Map, Value, json};

/// Whether this mirror is the one that is recommended.
#[must_use]
pub fn is_recommended(picture: &Picture, mirror: usize) -> bool {
    picture.recommended.mirror.is_some_and(|chosen| chosen.0 == mirror)
}

/// The page.
#[must_use]
pub fn page(picture: &Picture) -> Value {
    let r = &picture.recommended;
    let chosen = r.mirror.and_then(|(m, since)| Some((picture.mirrors.get(m)?, m, since)));
    let why = chosen.and_then(|(_, m, _)| r.said.iter().find(|s| s.mirror == m)).map(|s| s.why.clone());
    let identity = |info: &SourceInfo| json!({ "id": info.id, "name": info.name, "url": info.url });
    let mut map = Map::new();
    put(&mut map, "mirror", chosen.map(|c| identity(c.0)), r.nobody.name());
    put(&mut map, "since_at", chosen.map(|c| picture.at(c.2)), r.nobody.name());
    map.insert("why".into(), why.unwrap_or_else(|| r.nobody.text()).into());
    let candidates = r.said.iter().filter_map(|s| {
        let id = &picture.mirrors.get(s.mirror)?.id;
        Some(json!({ "id": id, "is_eligible": s.is_eligible, "why": s.why }))
    });
    map.insert("candidates".into(), candidates.collect());
    Value::Object(map)
}
