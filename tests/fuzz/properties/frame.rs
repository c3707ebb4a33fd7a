//! A message of a stream: what is accepted says what the other reader finds in it, and what is refused is refused for a
//! reason that is so.

use std::cell::RefCell;

use mirrorwatch::domain::cid::{MAX_DEPTH, MAX_OPERATION_BYTES};
use mirrorwatch::domain::did::Did;
use mirrorwatch::domain::frame::{FormCache, Frame, Reject, Shape, parse};
use mirrorwatch::domain::op::Kind;

use super::reference::{Entries, SAFE_MAX, assert_line, cid_of, depth, has_twins, is_base32, is_cid, is_json};

/// Forms that the memory of these tests holds in one generation.
const FORMS: usize = 64;
/// Longest text of a refusal, in characters: its words and 40 bytes of the source's own, each escaped at worst.
const REFUSAL_CHARS_MAX: usize = 300;

thread_local! {
    /// Remembers what earlier inputs held, as the program does: a frame must be judged alike with and without it.
    static WARM: RefCell<FormCache> = RefCell::new(FormCache::new(FORMS, [5, 6]));
}

/// One message of `/export/stream` and of a plcbundle server.
pub fn frame(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let verdict = judged(text, Shape::Sequenced);
    let bundled = judged(text, Shape::Bundled);
    if let (Ok(sequenced), Ok(bundled)) = (&verdict, &bundled) {
        assert_eq!(bundled.op.seq, None, "a bundle has no numbers");
        assert_eq!((bundled.op.key, bundled.op.kind), (sequenced.op.key, sequenced.op.kind));
    }
}

/// The verdict about `text`, which was compared with the other reader's and with what a memory makes of it.
pub fn judged(text: &str, shape: Shape) -> Result<Frame<'_>, Reject> {
    let mut cold = FormCache::new(FORMS, [7, 8]);
    let verdict = parse(text, shape, &mut cold);
    // Twice, so that the second one finds the form of the first.
    for _ in 0..2 {
        assert_eq!(parse(text, shape, &mut cold), verdict, "the second look differs");
        let warm = WARM.with_borrow_mut(|warm| {
            let verdict = parse(text, shape, warm);
            assert!(warm.len() <= 2 * FORMS, "{} forms are remembered", warm.len());
            verdict
        });
        // A numbered line is known by its layout whatever the shape says.
        assert_eq!(warm, verdict, "what is remembered changes the verdict");
    }
    match &verdict {
        Ok(frame) => accepted(text, shape, frame),
        Err(reject) => refused(text, shape, reject),
    }
    verdict
}

/// What an operation says by the other reader: what it does and what it follows.
fn kind_of(operation: &str) -> Option<Kind> {
    let entries = Entries::read(operation)?;
    let prev = entries.raw("prev")?;
    let is_text = serde_json::from_str::<String>(prev).is_ok();
    match (entries.text("type")?.as_str(), prev == "null", is_text) {
        ("plc_operation", true, _) => Some(Kind::Genesis),
        ("plc_operation", _, true) => Some(Kind::Update),
        ("plc_tombstone", _, true) => Some(Kind::Tombstone),
        ("create", true, _) => Some(Kind::LegacyCreate),
        _ => None,
    }
}

/// `createdAt` in milliseconds by the other reader.
pub fn time_ms(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// `seq` by the other reader.
fn number(raw: &str) -> Option<u64> {
    serde_json::from_str::<u64>(raw).ok().filter(|seq| (1..=SAFE_MAX).contains(seq))
}

fn created(entries: &Entries, shape: Shape) -> Option<&str> {
    let alias = || entries.raw("created_at").filter(|_| shape == Shape::Bundled);
    entries.raw("createdAt").or_else(alias)
}

fn accepted(text: &str, shape: Shape, frame: &Frame<'_>) {
    assert!(depth(text) <= MAX_DEPTH);
    let entries = Entries::read(text).expect("a frame is an object");
    assert!(!entries.has_twins() && !has_twins(frame.operation), "a key stands twice");
    assert!(entries.raw("type").is_none() || entries.text("type").as_deref() == Some("sequenced_op"));
    let op = &frame.op;
    assert_eq!(entries.text("did"), Some(op.key.did.to_string()));
    assert_eq!(entries.text("cid"), Some(op.key.cid.to_string()));
    assert_eq!(entries.raw("operation"), Some(frame.operation));
    let seq = entries.raw("seq").filter(|_| shape != Shape::Bundled);
    assert_eq!(seq.map(number), op.seq.map(Some));
    assert!(op.seq.is_some() || shape != Shape::Sequenced);
    let at: String = serde_json::from_str(created(&entries, shape).expect("a time")).expect("text");
    assert_eq!(time_ms(&at), Some(op.created_ms));
    let (cid, bytes) = cid_of(frame.operation).expect("content");
    assert!(cid == op.key.cid && bytes <= MAX_OPERATION_BYTES);
    assert_eq!(kind_of(frame.operation), Some(op.kind));
    let makes_it = matches!(op.kind, Kind::Genesis | Kind::LegacyCreate);
    assert!(!makes_it || Did::of_genesis(cid) == op.key.did);
    let prev = Entries::read(frame.operation).and_then(|operation| operation.text("prev"));
    assert_eq!(prev.filter(|prev| is_cid(prev)), op.prev.map(|prev| prev.to_string()));
}

fn refused(text: &str, shape: Shape, reject: &Reject) {
    assert_line(&reject.to_string(), REFUSAL_CHARS_MAX);
    assert!(Reject::NAMES.contains(&reject.name()));
    let entries = || Entries::read(text).expect("an object, or the reason would be another");
    let operation = || entries().raw("operation").expect("an operation").to_owned();
    let field = |name| entries().text(name);
    match reject {
        Reject::BadJson(at) => assert!(*at <= text.len() && !is_json(text), "at byte {at} of {} ", text.len()),
        Reject::TooDeep => assert!(depth(text) > MAX_DEPTH),
        Reject::DuplicateKey(key) => {
            assert!(key.len() <= 40 && depth(text) <= MAX_DEPTH);
            // What follows the second key was not read.
            assert!(has_twins(text) || !is_json(text), "no key stands twice");
        }
        Reject::NotObject => assert!(Entries::read(text).is_none()),
        Reject::UnknownType(_) => {
            let is_ours = field("type").as_deref() == Some("sequenced_op") || entries().raw("type").is_none();
            let known = ["plc_operation", "plc_tombstone", "create"].map(|name| Some(name.to_owned()));
            assert!(!is_ours || !known.contains(&Entries::read(&operation()).and_then(|o| o.text("type"))));
        }
        Reject::Missing("createdAt") => assert_eq!(created(&entries(), shape), None),
        Reject::Missing(name) => assert_eq!(entries().raw(name), None),
        Reject::BadDid => assert!(!field("did").is_some_and(|did| is_base32(&did, "did:plc:", 24))),
        Reject::BadCid => assert!(!field("cid").is_some_and(|cid| is_cid(&cid))),
        Reject::BadSeq(_) => assert_eq!(entries().raw("seq").and_then(number), None),
        Reject::BadTime => {
            let at = created(&entries(), shape).and_then(|raw| serde_json::from_str::<String>(raw).ok());
            assert_eq!(at.and_then(|at| time_ms(&at)), None);
        }
        Reject::BadOperation(_) => {
            assert!(kind_of(&operation()).is_none() || has_fraction(&operation()), "an operation like others");
        }
        Reject::CidMismatch(claim) => {
            let content = cid_of(&operation()).expect("content").0;
            assert!(content == claim.computed && claim.computed != claim.key.cid);
            assert_eq!(field("cid"), Some(claim.key.cid.to_string()));
        }
        Reject::GenesisMismatch(claim) => {
            assert_eq!(cid_of(&operation()).map(|content| content.0), Some(claim.key.cid));
            assert_ne!(Did::of_genesis(claim.key.cid), claim.key.did);
        }
        Reject::OpTooLarge(bytes) => {
            assert!(*bytes > MAX_OPERATION_BYTES && cid_of(&operation()).map(|content| content.1) == Some(*bytes));
        }
        Reject::NotText | Reject::TooLarge { .. } | Reject::RateLimited => panic!("not for its reader to say"),
    }
}

/// Whether a number may be written otherwise than as a plain integer, which `-0` is not either. Of two values under one
/// key this reader knows the last alone.
fn has_fraction(operation: &str) -> bool {
    cid_of(operation).is_none() || operation.contains("-0") || has_twins(operation)
}
