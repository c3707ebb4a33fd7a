//! What was wrong with the content and the order of what sources sent.

use super::Picture;
use crate::domain::ledger::content::{Content, KINDS, Noticed};
use crate::domain::source::SourceIx;
use serde_json::{Map, Value, json};

/// How often each was found at a source.
#[must_use]
pub fn counts(content: &Content) -> Value {
    let by: Map<String, Value> =
        KINDS.iter().map(|kind| (kind.name().to_owned(), content.count(*kind).into())).collect();
    Value::Object(by)
}

/// The latest of one source, kind by kind, newest first.
#[must_use]
pub fn latest(picture: &Picture, source: SourceIx) -> Vec<Value> {
    picture.capture.content(source).into_iter().flat_map(Content::latest).map(|n| noticed(picture, n)).collect()
}

/// Those of every source that are about what `is_meant`.
#[must_use]
pub fn about(picture: &Picture, is_meant: impl Fn(&Noticed) -> bool) -> Vec<Value> {
    let all = picture.sources().filter_map(|s| picture.capture.content(s)).flat_map(Content::latest);
    all.filter(|n| is_meant(n)).map(|n| noticed(picture, n)).collect()
}

fn noticed(picture: &Picture, n: &Noticed) -> Value {
    json!({
        "host": picture.source(n.source).map(|(info, _)| info.id.clone()),
        "finding": n.finding,
        "did": n.key.did.to_string(),
        "cid": n.key.cid.to_string(),
        "at": picture.at(n.at),
    })
}
