//! Rules that operations keep or break together: chains, nullification, logs, and streams with gaps.

use super::keeper::{Keeper, Known};
use super::make::{SECOND_MS, cid_of, create, tombstone};
use super::*;
use crate::domain::op::OpKey;

const WINDOW_MS: i64 = RECOVERY_WINDOW_MS;

/// A log of one genesis whose keys are 1, 2 and 3, strongest first.
fn log() -> Log {
    Log::new(sign(&op(None, &[&Key::k(1), &Key::p(2), &Key::k(3)], "0"), &Key::k(1)))
}

/// An operation with the same keys after `prev`, signed by `key`.
fn next(prev: Cid, key: &Key, handle: &str) -> String {
    sign(&op(Some(prev), &[&Key::k(1), &Key::p(2), &Key::k(3)], handle), key)
}

fn entry(log: &Log, operation: String, created_ms: i64) -> Entry<'static> {
    Entry { did: log.did, cid: Some(cid_of(&operation)), operation: operation.into(), created_ms, nullified: false }
}

#[test]
fn a_chain_is_valid_from_the_old_form_to_the_tombstone() {
    let mut log = Log::new(sign(&create(&Key::k(1), &Key::p(2)), &Key::p(2)));
    log.push(next(log.cid(0), &Key::k(1), "1"));
    log.push(next(log.cid(1), &Key::k(3), "2"));
    log.push(sign(&tombstone(log.cid(2)), &Key::p(2)));
    let check = log.check();
    assert!(check.is_valid(), "{:?}", check.violations);
    assert_eq!(check.signers, [Some(1), Some(0), Some(2), Some(1)]);
    assert_eq!(check.nullified, [false; 4]);
}

#[test]
fn only_the_keys_of_what_is_followed_may_sign() {
    let mut log = log();
    log.push(sign(&op(Some(log.cid(0)), &[&Key::k(7)], "1"), &Key::k(1)));
    log.push(next(log.cid(1), &Key::k(1), "2"));
    assert_eq!(log.broken(), [(2, "bad_signature")]);
    log.entries[2] = entry(&log, next(log.cid(1), &Key::k(7), "2"), log.now_ms);
    assert_eq!(log.broken(), []);
    // Without rotation keys nobody may go on.
    log.push(sign(&op(Some(log.cid(2)), &[], "3"), &Key::k(1)));
    assert_eq!(log.broken(), []);
    log.push(next(log.cid(3), &Key::k(1), "4"));
    assert_eq!(log.broken(), [(4, "bad_signature")]);
}

#[test]
fn a_stronger_key_nullifies_a_branch() {
    let mut log = log();
    log.push(next(log.cid(0), &Key::p(2), "1"));
    log.push(next(log.cid(1), &Key::k(1), "2"));
    log.push(sign(&tombstone(log.cid(2)), &Key::k(1)));
    log.push(next(log.cid(0), &Key::k(1), "4"));
    log.push(next(log.cid(4), &Key::k(3), "5"));
    assert_eq!(log.check().nullified, [false, true, true, true, false, false]);
    assert_eq!(log.broken(), [(1, "nullified_flag"), (2, "nullified_flag"), (3, "nullified_flag")]);
    log.nullified(&[1, 2, 3]);
    assert_eq!(log.broken(), []);
    log.nullified(&[4]);
    assert_eq!(log.broken(), [(4, "nullified_flag")]);
}

#[test]
fn only_a_stronger_key_nullifies() {
    for (key, is_valid) in [(Key::k(1), true), (Key::p(2), false), (Key::k(3), false)] {
        let mut log = log();
        log.push(next(log.cid(0), &Key::p(2), "1"));
        log.nullified(&[1]);
        log.push(next(log.cid(0), &key, "2"));
        assert_eq!(log.broken(), if is_valid { vec![] } else { vec![(2, "weaker_signer")] });
    }
    // A branch that nullified may be nullified in turn, by a key stronger than its own.
    let mut log = log();
    log.push(next(log.cid(0), &Key::k(3), "1"));
    log.push(next(log.cid(0), &Key::p(2), "2"));
    log.push(next(log.cid(0), &Key::k(1), "3"));
    log.nullified(&[1, 2]);
    assert_eq!(log.broken(), []);
    log.push(next(log.cid(0), &Key::k(1), "4"));
    assert_eq!(log.broken(), [(4, "weaker_signer")]);
}

#[test]
fn a_key_that_stands_twice_is_as_strong_as_its_first_place() {
    let mut log = Log::new(sign(&op(None, &[&Key::k(1), &Key::k(1)], "0"), &Key::k(1)));
    log.push(next(log.cid(0), &Key::k(1), "1"));
    log.nullified(&[1]);
    log.push(next(log.cid(0), &Key::k(1), "2"));
    assert_eq!(log.broken(), [(2, "weaker_signer")]);
}

#[test]
fn exactly_72_hours_are_in_time() {
    for (late_ms, broken) in [(0, vec![]), (1, vec![(3, "recovery_too_late")])] {
        let mut log = log();
        log.push(next(log.cid(0), &Key::p(2), "1"));
        log.push(next(log.cid(1), &Key::p(2), "2"));
        log.nullified(&[1, 2]);
        // Counted from the first operation that is nullified, not from the newest.
        log.now_ms = log.entries[1].created_ms + WINDOW_MS + late_ms;
        log.push(next(log.cid(0), &Key::k(1), "3"));
        assert_eq!(log.broken(), broken);
    }
}

#[test]
fn nothing_follows_a_tombstone_or_what_is_nullified() {
    let mut grave = log();
    grave.push(sign(&tombstone(grave.cid(0)), &Key::p(2)));
    grave.push(next(grave.cid(1), &Key::k(1), "2"));
    assert_eq!(grave.broken(), [(2, "prev_tombstoned")]);
    let mut lost = log();
    lost.push(next(lost.cid(0), &Key::p(2), "1"));
    lost.push(next(lost.cid(0), &Key::k(1), "2"));
    lost.push(next(lost.cid(1), &Key::k(1), "3"));
    lost.nullified(&[1]);
    assert_eq!(lost.broken(), [(3, "prev_nullified")]);
    // A tombstone that is nullified does not end the log.
    let mut risen = log();
    risen.push(sign(&tombstone(risen.cid(0)), &Key::p(2)));
    risen.push(next(risen.cid(0), &Key::k(1), "2"));
    risen.nullified(&[1]);
    assert_eq!(risen.broken(), []);
}

#[test]
fn what_follows_a_broken_operation_is_named_as_that() {
    let mut log = log();
    log.push(next(log.cid(0), &Key::k(9), "1"));
    log.push(next(log.cid(1), &Key::k(1), "2"));
    log.push(next(log.cid(2), &Key::k(1), "3"));
    log.push(next(log.cid(0), &Key::k(3), "4"));
    assert_eq!(log.broken(), [(1, "bad_signature"), (2, "prev_invalid"), (3, "prev_invalid")]);
    assert_eq!(log.check().signers, [Some(0), None, None, None, Some(2)]);
}

#[test]
fn a_log_is_whole_and_in_order() {
    let whole = {
        let mut log = log();
        log.push(next(log.cid(0), &Key::k(1), "1"));
        log.push(next(log.cid(1), &Key::k(1), "2"));
        log
    };
    assert_eq!(whole.broken(), []);
    let with = |change: &dyn Fn(&mut Vec<Entry<'static>>)| {
        let mut log = Log { did: whole.did, entries: whole.entries.clone(), now_ms: 0 };
        change(&mut log.entries);
        log.broken()
    };
    assert_eq!(with(&|e| drop(e.remove(0))), [(0, "no_genesis"), (1, "prev_invalid")]);
    assert_eq!(with(&|e| drop(e.remove(1))), [(1, "unknown_prev")]);
    assert_eq!(with(&|e| e.push(e[1].clone())), [(3, "repeated")]);
    assert_eq!(with(&|e| e[2].created_ms = e[1].created_ms - 1), [(2, "time_order")]);
    assert_eq!(with(&|e| e[2].created_ms = e[1].created_ms), []);
    assert_eq!(with(&|e| e[2].did = Did([1; 15])), [(2, "did_mismatch")]);
    assert_eq!(with(&|e| e[2].cid = Some(Cid([1; 32]))), [(2, "cid_mismatch")]);
    assert_eq!(with(&|e| e[2].cid = None), []);
    let other = check_log(Did([1; 15]), &whole.entries);
    assert_eq!(other.violations.len(), 3);
    assert!(check_log(whole.did, &[]).is_valid());
}

#[test]
fn an_extra_is_known_to_be_invalid_only_where_the_log_tells() {
    let mut log = log();
    log.push(next(log.cid(0), &Key::p(2), "1"));
    let first_ms = log.entries[1].created_ms;
    let rule = |operation: String, created_ms| {
        is_known_invalid(&entry(&log, operation, created_ms), &log.entries).map(|violation| violation.rule.name())
    };
    let (root, head) = (log.cid(0), log.cid(1));
    assert_eq!(rule(next(head, &Key::k(9), "x"), log.now_ms), Some("bad_signature"));
    assert_eq!(rule(next(root, &Key::k(3), "x"), log.now_ms), Some("weaker_signer"));
    assert_eq!(rule(next(root, &Key::k(1), "x"), first_ms + WINDOW_MS + 1), Some("recovery_too_late"));
    assert_eq!(rule("{}".to_owned(), log.now_ms), Some("missing_field"));
    // Valid and denied; valid when it came, before what the log lists; after an operation that the log does not list.
    assert_eq!(rule(next(head, &Key::k(3), "x"), log.now_ms), None);
    assert_eq!(rule(next(root, &Key::k(3), "x"), first_ms - 1), None);
    assert_eq!(rule(next(Cid([3; 32]), &Key::k(9), "x"), log.now_ms), None);
    let known = log.entries[1].clone();
    assert_eq!(is_known_invalid(&known, &log.entries), None);
    // A genesis tells everything itself.
    let genesis = log.entries[0].clone();
    assert_eq!(is_known_invalid(&genesis, &[]), None);
    let foreign = Entry { did: Did([1; 15]), ..genesis };
    assert_eq!(is_known_invalid(&foreign, &[]).map(|v| v.rule), Some(Rule::DidMismatch));
}

/// What a keeper says of an entry.
fn told(keeper: &mut Keeper, entry: &Entry<'_>) -> Result<Known, &'static str> {
    let key = OpKey { did: entry.did, cid: entry.cid.unwrap() };
    keeper.check(&key, entry.created_ms, &entry.operation).map_err(|violation| violation.rule.name())
}

#[test]
fn a_stream_is_checked_as_far_as_it_is_known() {
    let mut log = log();
    log.push(next(log.cid(0), &Key::p(2), "1"));
    log.push(next(log.cid(1), &Key::k(9), "broken"));
    log.push(next(log.cid(2), &Key::k(1), "after it"));
    log.push(next(log.cid(1), &Key::k(1), "4"));
    log.push(next(log.cid(0), &Key::k(3), "too weak"));
    let mut keeper = Keeper::default();
    let said: Vec<_> = log.entries.iter().map(|entry| told(&mut keeper, entry)).collect();
    let (whole, again) = (Ok(Known::Whole), Ok(Known::Again));
    assert_eq!(said, [whole, whole, Err("bad_signature"), Err("prev_invalid"), whole, Err("weaker_signer")]);
    assert_eq!(told(&mut keeper, &log.entries[4]), again);

    // Who comes in the middle knows only what can be known alone, and then goes on from there.
    let mut keeper = Keeper::default();
    let said: Vec<_> = log.entries[1..].iter().map(|entry| told(&mut keeper, entry)).collect();
    let alone = Ok(Known::Alone);
    assert_eq!(said, [alone, Err("bad_signature"), Err("prev_invalid"), whole, alone]);
    let mut padded: serde_json::Value = serde_json::from_str(&log.entries[5].operation).unwrap();
    padded["sig"] = format!("{}==", padded["sig"].as_str().unwrap()).into();
    let padded = entry(&log, padded.to_string(), log.now_ms);
    assert_eq!(told(&mut Keeper::default(), &padded), Err("sig_encoding"), "form is known alone");
}

#[test]
fn a_gap_filled_behind_the_stream_breaks_no_rule() {
    let mut log = log();
    log.push(next(log.cid(0), &Key::k(3), "lost"));
    log.push(next(log.cid(0), &Key::p(2), "came live"));
    let mut keeper = Keeper::default();
    for place in [0, 2, 1] {
        assert_eq!(told(&mut keeper, &log.entries[place]), Ok(Known::Whole), "{place}");
    }
    let forged = entry(&log, next(log.cid(0), &Key::k(9), "x"), log.entries[1].created_ms);
    assert_eq!(told(&mut keeper, &forged), Err("bad_signature"), "its keys are known though it is late");
}

#[test]
fn what_a_gap_may_have_held_blames_nobody() {
    let mut log = log();
    log.push(next(log.cid(0), &Key::k(3), "1"));
    log.now_ms += WINDOW_MS - SECOND_MS;
    log.push(next(log.cid(0), &Key::p(2), "unseen"));
    log.now_ms += WINDOW_MS - SECOND_MS;
    log.push(next(log.cid(0), &Key::k(1), "3"));
    log.nullified(&[1, 2]);
    assert_eq!(log.broken(), []);
    for (has_gap, said) in [(true, Ok(Known::Alone)), (false, Err("recovery_too_late"))] {
        let mut keeper = Keeper::default();
        told(&mut keeper, &log.entries[0]).unwrap();
        told(&mut keeper, &log.entries[1]).unwrap();
        if has_gap {
            keeper.note_gap();
        }
        assert_eq!(told(&mut keeper, &log.entries[3]), said);
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut keeper = Keeper::new(4);
    let mut first = log();
    told(&mut keeper, &first.entries[0]).unwrap();
    for n in 0..40 {
        let other = Log::new(sign(&op(None, &[&Key::k(1)], &format!("other{n}")), &Key::k(1)));
        assert_eq!(told(&mut keeper, &other.entries[0]), Ok(Known::Whole));
        // A DID that is heard of stays.
        first.push(next(
            *first.entries.iter().filter_map(|e| e.cid.as_ref()).next_back().unwrap(),
            &Key::k(1),
            &format!("{n}"),
        ));
        assert_eq!(told(&mut keeper, first.entries.last().unwrap()), Ok(Known::Whole));
        assert!(keeper.len() <= 8);
    }
    assert_eq!(told(&mut keeper, &first.entries[1]), Ok(Known::Alone), "old operations of a DID are forgotten");
}
