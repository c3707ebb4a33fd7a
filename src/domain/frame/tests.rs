//! Frames that are right, and every way in which one frame can be wrong.

use super::*;

const DID: &str = "did:plc:6adr3q2labdllanslzhqkqd3";
const GENESIS_CID: &str = "bafyreihqa4o4gsyai22ydms6j4cua6yr6tuc7trq2temvnycadk2daniru";
const GENESIS: &str = r#"{"sig":"ZznbxHinpBI3NgEYWzXUXLA65s2U1ezJooreZlscHYQRfd4EMlijqhpikGMabs-81Tsy4Mt9Iscpmk7Uz13aAg","prev":null,"type":"plc_operation","services":{},"alsoKnownAs":["at://op0"],"rotationKeys":["did:key:zQ3shmWf4f6ZwzNyjUDYw4oFQjgHWZoYZDjJYtz75YfYYrphB","did:key:zQ3shr2PwdoF6kbuYYymyZq6YbGWShiTXAkdMioCPdSdPL9NV"],"verificationMethods":{}}"#;
const TOMBSTONE_CID: &str = "bafyreifafe44xylxagcom47xb3lrya5pysu3b7zfjmmmitiuimhmgmerze";
const TOMBSTONE: &str = r#"{"sig":"iKFOLyEujXdHWujAAnwFhKfb9kkIcpMDGOV15eNWqlxLM2GtdQD3lVWCshTKWi0dF7InXGseVFDexS0kg0KmEQ","prev":"bafyreihqa4o4gsyai22ydms6j4cua6yr6tuc7trq2temvnycadk2daniru","type":"plc_tombstone"}"#;

fn frame(seq: &str, operation: &str, cid: &str) -> String {
    format!(
        r#"{{"seq":{seq},"type":"sequenced_op","did":"{DID}","operation":{operation},"cid":"{cid}","createdAt":"2025-07-25T15:50:58.440Z"}}"#
    )
}

fn good() -> String {
    frame("7", GENESIS, GENESIS_CID)
}

fn read(text: &str) -> Result<Op, Reject> {
    parse(text, Shape::Sequenced, &mut FormCache::new(16, [3, 4])).map(|frame| frame.op)
}

#[test]
fn a_frame_of_the_primary_is_read() {
    let text = good();
    let mut forms = FormCache::new(16, [3, 4]);
    for _ in 0..2 {
        let frame = parse(&text, Shape::Sequenced, &mut forms).unwrap();
        assert_eq!(frame.operation, GENESIS);
        assert_eq!(frame.op.key.did.to_string(), DID);
        assert_eq!(frame.op.key.cid.to_string(), GENESIS_CID);
        assert_eq!((frame.op.kind, frame.op.seq), (Kind::Genesis, Some(7)));
        assert_eq!(crate::domain::time::rfc3339_ms(frame.op.created_ms), "2025-07-25T15:50:58.440Z");
    }
    assert_eq!(forms.hits_and_misses(), (1, 1));
    assert_eq!(read(&frame("8", TOMBSTONE, TOMBSTONE_CID)).unwrap().kind, Kind::Tombstone);
}

#[test]
fn other_key_orders_extra_fields_escapes_and_offsets_mean_the_same() {
    let expected = read(&good()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&good()).unwrap();
    let sorted = serde_json::to_string(&value).unwrap();
    let with_extras = good().replacen('{', r#"{"nullified":false,"more":{"deep":[1,2,{}]},"#, 1);
    let offset = good().replace("440Z", "440+00:00");
    let escaped = good().replace("did:plc:6", r"did\u003aplc:6").replace(r#""did""#, r#""d\u0069d""#);
    let untyped = good().replace(r#""type":"sequenced_op","#, "");
    let spaced = serde_json::to_string_pretty(&value).unwrap();
    for text in [sorted, with_extras, offset, escaped, untyped, spaced] {
        assert_eq!(read(&text), Ok(expected), "{text}");
    }
}

/// The usual layouts are cut at fixed places once their content is known: nothing may be accepted there that the full
/// reader refuses, nor read otherwise.
#[test]
fn a_cut_frame_is_read_as_the_full_reader_reads_it() {
    let value: serde_json::Value = serde_json::from_str(&good()).unwrap();
    let sorted = serde_json::to_string(&value).unwrap();
    let with_nullified = sorted.replace(r#""operation""#, r#""nullified":false,"operation""#);
    for base in [good(), sorted, with_nullified] {
        let mut warm = FormCache::new(16, [3, 4]);
        let expected = read(&base);
        assert!(expected.is_ok() && parse(&base, Shape::Sequenced, &mut warm).map(|frame| frame.op) == expected);
        let operation = parse(&base, Shape::Sequenced, &mut warm).unwrap().operation.to_owned();
        assert!(layout::cut(&base).is_some_and(|pieces| pieces.operation == operation));
        // Every byte deleted, doubled and replaced by a few others that mean something to JSON.
        for at in 0..base.len() {
            let (before, after) = (&base[..at], &base[at + 1..]);
            for middle in ["", &base[at..=at].repeat(2), "0", "\"", "\\", ",", "}", " "] {
                let text = format!("{before}{middle}{after}");
                assert_eq!(parse(&text, Shape::Sequenced, &mut warm).map(|frame| frame.op), read(&text), "{text}");
            }
        }
    }
}

#[test]
fn only_a_legacy_line_may_lack_its_seq() {
    let line = good().replace(r#""seq":7,"type":"sequenced_op","#, "");
    assert_eq!(read(&line), Err(Reject::Missing("seq")));
    let mut forms = FormCache::new(16, [3, 4]);
    assert_eq!(parse(&line, Shape::Legacy, &mut forms).unwrap().op.seq, None);
    assert_eq!(parse(&good(), Shape::Legacy, &mut forms).unwrap().op.seq, Some(7));
    let bad = line.replacen('{', r#"{"seq":null,"#, 1);
    assert_eq!(parse(&bad, Shape::Legacy, &mut forms), Err(Reject::BadSeq(SeqFault::Range)));
}

#[test]
fn each_fault_has_its_own_reason() {
    let good = good();
    let other_did = "did:plc:yk4dd2qkboz2yv6tpubpc6co";
    let deep = good.replacen('{', &format!(r#"{{"x":{}{},"#, "[".repeat(16), "]".repeat(16)), 1);
    let long = GENESIS.replace("at://op0", &"x".repeat(7_500));
    let cases = [
        ("", "bad_json at byte 0"),
        ("{", "bad_json at byte 0"),
        (&good[..good.len() - 1], "bad_json at byte 524"),
        (&format!("{good} x"), "bad_json at byte 527"),
        ("[]", "not_object"),
        ("null", "not_object"),
        ("\"text\"", "not_object"),
        ("[", "bad_json at byte 0"),
        (&deep, "depth > 16"),
        (&good.replace(r#""type":"sequenced_op""#, r#""type":"identity""#), "unknown_type \"identity\""),
        (&good.replace(r#""type":"sequenced_op""#, r#""type":7"#), "unknown_type \"7\""),
        (&good.replacen('{', r#"{"cid":1,"#, 1), "duplicate_key \"cid\""),
        (&good.replacen('{', r#"{"more":1,"more":2,"#, 1), "duplicate_key \"more\""),
        (&good.replace(r#""services":{}"#, r#""services":{"a":1,"a":1}"#), "duplicate_key \"a\""),
        (&good.replace(r#""did":"#, r#""dod":"#), "missing did"),
        (&good.replace(r#""cid":"#, r#""cod":"#), "missing cid"),
        (&good.replace(r#""seq":"#, r#""soq":"#), "missing seq"),
        (&good.replace(r#""operation":"#, r#""operatoin":"#), "missing operation"),
        (&good.replace("createdAt", "created_at"), "missing createdAt"),
        (&good.replace(DID, "did:web:example.org"), "bad_did"),
        (&good.replace(&format!("\"{DID}\""), "7"), "bad_did"),
        (&good.replace(GENESIS_CID, "bafkreihqa4o4gsyai22ydms6j4cua6yr6tuc7trq2temvnycadk2daniru"), "bad_cid"),
        (&frame("0", GENESIS, GENESIS_CID), "bad_seq (not 1…2^53−1)"),
        (&frame("-1", GENESIS, GENESIS_CID), "bad_seq (not 1…2^53−1)"),
        (&frame("1.0", GENESIS, GENESIS_CID), "bad_seq (not 1…2^53−1)"),
        (&frame("\"7\"", GENESIS, GENESIS_CID), "bad_seq (not 1…2^53−1)"),
        (&frame("9007199254740992", GENESIS, GENESIS_CID), "bad_seq (not 1…2^53−1)"),
        (&good.replace("440Z", "440"), "bad_time"),
        (&good.replace("\"2025-07-25T15:50:58.440Z\"", "1753458658440"), "bad_time"),
        (&frame("7", "null", GENESIS_CID), "bad_operation (not an object)"),
        (&frame("7", &GENESIS.replace("\"prev\":null,", ""), GENESIS_CID), "bad_operation (no prev)"),
        (
            &frame("7", r#"{"type":"plc_operation","prev":null,"n":1.5}"#, GENESIS_CID),
            "bad_operation (a number that is not a safe integer)",
        ),
        (&frame("7", &GENESIS.replace("op0", "op1"), GENESIS_CID), "cid_mismatch"),
        (&frame("7", TOMBSTONE, GENESIS_CID), "cid_mismatch"),
        (&good.replace(DID, other_did), "genesis_mismatch"),
        (&frame("7", &long, GENESIS_CID), "op_too_large (7797 > 7500 B CBOR)"),
        (&good.replace("at://op0", r"\ud800"), "bad_json at byte 251"),
    ];
    for (text, reason) in cases {
        let reject = read(text).expect_err(reason);
        assert_eq!(reject.to_string(), reason, "{text:.700}");
    }
    // Only a genesis names its own DID.
    assert!(read(&frame("7", TOMBSTONE, TOMBSTONE_CID).replace(DID, other_did)).is_ok());
}

#[test]
fn a_mismatch_keeps_what_was_claimed() {
    let reject = read(&frame("7", TOMBSTONE, GENESIS_CID)).unwrap_err();
    let claim = reject.claim().unwrap();
    assert_eq!((claim.key.did.to_string(), claim.seq), (DID.to_owned(), Some(7)));
    assert_eq!((claim.key.cid.to_string(), claim.computed.to_string()), (GENESIS_CID.into(), TOMBSTONE_CID.into()));
}

#[test]
fn the_number_of_a_refused_frame_is_told_where_it_can_be_read() {
    let good = good();
    assert_eq!(seq_in(&good.replace(DID, "did:web:example.org")), Some(7));
    assert_eq!(seq_in(&good[..12]), Some(7), "cut in the middle");
    assert_eq!(seq_in(r#"{ "seq" : 9007199254740991 ,"#), Some(MAX_SEQ));
    for text in ["", "{", r#"{"seq":0}"#, r#"{"seq":"7"}"#, r#"{"seq":9007199254740992}"#, r#"{"x":"\"seq\":7"}"#] {
        assert_eq!(seq_in(text), None, "{text}");
    }
}

#[test]
fn brackets_in_strings_do_not_nest() {
    let text = good().replacen('{', &format!(r#"{{"x":"\"{}","#, "[".repeat(40)), 1);
    assert!(read(&text).is_ok());
    let wide = good().replacen('{', &format!(r#"{{"x":[{}[]],"#, "[],".repeat(40)), 1);
    assert!(read(&wide).is_ok());
}

#[test]
fn long_names_are_cut() {
    let reject = read(&good().replace("sequenced_op", &"é".repeat(500))).unwrap_err();
    assert_eq!(reject, Reject::unknown_type(&"é".repeat(20)));
    assert_eq!(reject.name(), "unknown_type");
}

#[test]
fn every_reason_has_a_name_of_its_own() {
    let names: std::collections::HashSet<_> = Reject::NAMES.into_iter().collect();
    assert_eq!(names.len(), Reject::NAMES.len());
    assert_eq!(Reject::RateLimited.name(), "rate_limited");
    assert_eq!(Reject::TooLarge { bytes: 482_130, limit: 262_144 }.to_string(), "too_large (482130 > 262144 bytes)");
}
