//! The list of mirrors and one mirror's own page.

use super::{Picture, SourceInfo, content, overview, sample};
use crate::domain::digits::in_groups;
use crate::domain::source::SourceIx;
use crate::domain::window_kind::WindowKind;
use serde_json::{Value, json};

/// Hours, minutes and seconds of a label.
const TIME_OF_LABEL: std::ops::Range<usize> = 11..19;

/// The rows of the overview without what is the primary's.
#[must_use]
pub fn list(overview: &Value) -> Value {
    json!({ "mirrors": overview.get("mirrors").cloned().unwrap_or_default() })
}

/// One mirror: its row of the overview, its figures in every canonical window, and what was refused of it.
#[must_use]
pub fn detail(picture: &Picture, index: usize, overview: &Value, windows: &[(WindowKind, Value)]) -> Option<Value> {
    let (info, m) = (picture.mirrors.get(index)?, picture.capture.mirrors.get(index)?);
    let rows = overview.get("mirrors")?.as_array()?;
    let mut row = rows.iter().find(|r| r["id"] == info.id.as_str())?.clone();
    let object = row.as_object_mut()?;
    let by_window: serde_json::Map<String, Value> = windows
        .iter()
        .filter_map(|(w, page)| {
            let rows = page.get("mirrors")?.as_array()?;
            let own = rows.iter().find(|r| r["id"] == info.id.as_str())?;
            Some((w.name().to_owned(), own.get("coverage")?.clone()))
        })
        .collect();
    object.insert("windows".into(), Value::Object(by_window));
    object.insert("rejects".into(), rejects(picture, info));
    object.insert("sample_differences".into(), sample::differences(picture, index));
    object.insert("findings".into(), content::latest(picture, SourceIx::mirror(index)).into());
    let correction = m.correction.map(|c| {
        json!({ "correction_ms": crate::domain::lag::ms(c.correction_us as f64), "uncertainty_ms": crate::domain::lag::ms(c.uncertainty_us as f64) })
    });
    object.insert("correction_now".into(), correction.unwrap_or(Value::Null));
    object.insert(
        "limits".into(),
        json!({ "on_time_s": m.params.on_time_ns as f64 / 1e9, "grace_s": m.params.grace_ns as f64 / 1e9 }),
    );
    object.insert("observed_since_at".into(), m.source.first.map_or(Value::Null, |at| picture.at(at).into()));
    Some(row)
}

/// What was refused of a source: all of it by reason, the latest, and one line about the last hour.
fn rejects(picture: &Picture, info: &SourceInfo) -> Value {
    let last = info.last_reject.as_ref();
    let text = info.refused.text(&info.name, picture.capture.now).map(|line| match last {
        Some(last) => {
            let label = picture.at(last.at);
            let time = label.get(TIME_OF_LABEL).unwrap_or(&label);
            let what = last.seq.map_or_else(|| last.text.clone(), |seq| format!("seq {}", in_groups(seq, " ")));
            format!("{line}. Last: {time} UTC, {what}.")
        }
        None => format!("{line}."),
    });
    let last = last.map(|last| json!({ "text": last.text, "at": picture.at(last.at), "seq": last.seq }));
    json!({ "by_reason": info.rejects, "last": last, "text": text })
}

/// The primary's own page.
#[must_use]
pub fn primary(picture: &Picture) -> Value {
    let mut row = overview::primary(picture);
    if let Some(object) = row.as_object_mut() {
        object.insert("rejects".into(), rejects(picture, &picture.primary));
    }
    row
}
