//! An audit log: all of it is read, in its order, or what cannot be read is named by its place.

use mirrorwatch::domain::audit_log::{
    ENTRIES_MAX, LogAgreement, LogEntry, LogError, compare, is_sound, is_tombstoned, parse, parse_last,
};
use serde_json::value::RawValue;

use super::frame::time_ms;
use super::reference::{Entries, assert_line, cid_of, has_twins};

/// Bad entries that a refusal names.
const NAMED_MAX: usize = 8;
/// Longest text of a refusal, in characters: eight reasons of eighty, each escaped.
const REFUSAL_CHARS_MAX: usize = 2_000;

/// The answer to `/{did}/log/audit`, or to `/{did}/log/last`.
pub fn audit_log(data: &[u8]) {
    if let Some((cid, prev)) = parse_last(data) {
        let text = std::str::from_utf8(data).expect("text");
        assert_eq!(cid_of(text).map(|content| content.0), Some(cid));
        assert!(prev.is_none_or(|prev| text.contains(&prev.to_string()[1..8])), "a predecessor out of nothing");
    }
    let raw = std::str::from_utf8(data).ok().and_then(|text| serde_json::from_str::<Vec<Box<RawValue>>>(text).ok());
    let read = parse(data);
    if let Err(error) = &read {
        assert_line(&error.to_string(), REFUSAL_CHARS_MAX);
    }
    let Some(raw) = raw else {
        assert!(matches!(read, Err(LogError::NotALog(_))), "a log out of no list");
        return;
    };
    if raw.len() > ENTRIES_MAX {
        assert_eq!(read, Err(LogError::TooLong(raw.len())));
        return;
    }
    // Each entry is judged alike whatever stands beside it.
    let single = |entry: &RawValue| parse(format!("[{}]", entry.get()).as_bytes());
    let singles: Vec<Result<Vec<LogEntry>, LogError>> = raw.iter().map(|entry| single(entry)).collect();
    match read {
        Ok(log) => {
            assert_eq!(Ok(&log), singles.into_iter().collect::<Result<Vec<_>, _>>().map(|all| all.concat()).as_ref());
            for (entry, raw) in log.iter().zip(&raw) {
                read_entry(entry, raw.get());
            }
            agreements(&log);
        }
        Err(LogError::BadEntries { named, total }) => {
            let bad: Vec<usize> = (0..raw.len()).filter(|place| singles[*place].is_err()).collect();
            assert_eq!((total, named.len()), (bad.len(), bad.len().min(NAMED_MAX)));
            assert!(named.iter().map(|entry| entry.index).eq(bad.into_iter().take(NAMED_MAX)));
        }
        Err(error) => panic!("a list of {} entries: {error}", raw.len()),
    }
}

fn read_entry(entry: &LogEntry, raw: &str) {
    let entries = Entries::read(raw).expect("an object");
    let operation = entries.raw("operation").expect("an operation");
    assert!(!has_twins(operation), "a key stands twice");
    assert_eq!(entries.text("did"), Some(entry.did.to_string()));
    assert_eq!(entries.raw("nullified"), Some(if entry.nullified { "true" } else { "false" }));
    assert_eq!(entries.text("createdAt").and_then(|at| time_ms(&at)), Some(entry.created_ms));
    assert_eq!(cid_of(operation).map(|content| content.0), Some(entry.cid));
    assert_eq!(entry.claimed_cid_matches, entries.text("cid") == Some(entry.cid.to_string()));
    let prev = entry.operation.get("prev").and_then(|prev| prev.as_str()).map(str::to_owned);
    assert_eq!(prev, entry.prev.map(|prev| prev.to_string()));
}

/// What two hosts' logs are to each other, told of a log and of what can be made from it.
fn agreements(log: &[LogEntry]) {
    let verdict = |mirror: &[LogEntry]| compare(log, mirror, i64::MAX, 0);
    let Some(first) = log.first() else { return };
    if !is_sound(log, first.did) {
        assert_eq!(verdict(log), LogAgreement::Invalid);
        return;
    }
    assert_eq!(verdict(log), LogAgreement::Same);
    assert!(log.iter().any(|entry| !entry.nullified) || !is_tombstoned(log));
    let (shorter, mut reversed, mut otherwise) = (&log[..log.len() - 1], log.to_vec(), log.to_vec());
    reversed.reverse();
    otherwise[0].nullified = !first.nullified;
    assert_eq!(verdict(shorter), LogAgreement::Behind);
    assert_eq!(compare(shorter, log, i64::MAX, 0), LogAgreement::Fork);
    assert_eq!(verdict(&otherwise), LogAgreement::NullifiedDiffers);
    if log.len() > 1 {
        assert_eq!(verdict(&reversed), LogAgreement::SameSetOtherOrder);
    }
}
