//! A line of `/export`: the same content gets the same verdict as on a stream, whatever the order of its keys.

use mirrorwatch::domain::frame::{Frame, Reject, Shape};
use mirrorwatch::domain::op::Op;

use super::frame::judged;
use super::reference::Entries;

/// Lines of one page that are looked at.
const LINES_MAX: usize = 32;

/// A page of `/export`.
pub fn export_line(data: &[u8]) {
    for line in data.split(|byte| *byte == b'\n').take(LINES_MAX) {
        if let Ok(line) = std::str::from_utf8(line.trim_ascii()) {
            one(line);
        }
    }
}

fn one(line: &str) {
    let legacy = op_of(judged(line, Shape::Legacy));
    let sequenced = op_of(judged(line, Shape::Sequenced));
    match (&legacy, &sequenced) {
        // A number is asked for before what is wrong with the rest.
        (_, Err(Reject::Missing("seq"))) => {
            assert!(legacy.as_ref().is_ok_and(|op| op.seq.is_none()) || legacy.is_err());
        }
        _ => assert_eq!(without_places(&legacy), without_places(&sequenced)),
    }
    let Some(mut entries) = Entries::read(line) else { return };
    if entries.has_twins() {
        return;
    }
    entries.0.reverse();
    same(&legacy, &op_of(judged(&written(&entries), Shape::Legacy)), "another order of keys");
    if entries.raw("more").is_none() && !matches!(legacy, Err(Reject::TooDeep)) {
        let value = serde_json::value::RawValue::from_string("[{}]".to_owned()).expect("JSON");
        entries.0.push(("more".to_owned(), value));
        same(&legacy, &op_of(judged(&written(&entries), Shape::Legacy)), "a key that no one knows");
    }
    if let Ok(op) = legacy {
        entries.0.retain(|(key, _)| key != "seq" && key != "type");
        let expected = Ok(Op { seq: None, ..op });
        assert_eq!(
            op_of(judged(&written(&entries), Shape::Legacy)),
            expected,
            "the number is no part of the operation"
        );
    }
}

fn op_of(verdict: Result<Frame<'_>, Reject>) -> Result<Op, Reject> {
    verdict.map(|frame| frame.op)
}

/// The verdict without what depends on where something stands in the text.
fn without_places(verdict: &Result<Op, Reject>) -> Result<Op, Reject> {
    match verdict {
        Err(Reject::BadJson(_)) => Err(Reject::BadJson(0)),
        other => other.clone(),
    }
}

fn same(one: &Result<Op, Reject>, other: &Result<Op, Reject>, what: &str) {
    assert_eq!(without_places(one), without_places(other), "{what} changes the verdict");
}

/// The object with its values as they were.
fn written(entries: &Entries) -> String {
    let key = |key: &str| serde_json::Value::from(key).to_string();
    let parts: Vec<String> = entries.0.iter().map(|(name, value)| format!("{}:{}", key(name), value.get())).collect();
    format!("{{{}}}", parts.join(","))
}
