//! The two layouts in which directories write frames byte for byte: the reference server's, and sorted keys.
//!
//! A frame of such a layout is cut at fixed places without reading its content. That is sound only where the content
//! is known already to be one JSON value, which the caller must have from elsewhere; every other text is left to the
//! full reader.

/// The pieces of a frame, cut but not read.
pub(super) struct Pieces<'a> {
    pub(super) did: &'a str,
    pub(super) cid: &'a str,
    pub(super) created_at: &'a str,
    pub(super) seq: &'a str,
    pub(super) operation: &'a str,
}

const DID_LEN: usize = 32;
const CID_LEN: usize = 59;

/// Cuts `text` if it has one of the layouts.
pub(super) fn cut(text: &str) -> Option<Pieces<'_>> {
    reference(text).or_else(|| sorted(text))
}

/// `{"seq":…,"type":"sequenced_op","did":"…","operation":…,"cid":"…","createdAt":"…"}`
fn reference(text: &str) -> Option<Pieces<'_>> {
    let rest = text.strip_prefix(r#"{"seq":"#)?;
    let (seq, rest) = rest.split_at_checked(rest.bytes().position(|byte| !byte.is_ascii_digit())?)?;
    let rest = rest.strip_prefix(r#","type":"sequenced_op","did":""#)?;
    let (did, rest) = rest.split_at_checked(DID_LEN)?;
    let rest = rest.strip_prefix(r#"","operation":"#)?.strip_suffix(r#""}"#)?;
    // A time holds no quotation mark, so the last one begins it.
    let (rest, created_at) = rest.rsplit_once('"')?;
    let rest = rest.strip_suffix(r#"","createdAt":"#)?;
    let (rest, cid) = rest.split_at_checked(rest.len().checked_sub(CID_LEN)?)?;
    let operation = rest.strip_suffix(r#","cid":""#)?;
    Some(Pieces { did, cid, created_at, seq, operation })
}

/// `{"cid":"…","createdAt":"…","did":"…","nullified":false,"operation":…,"seq":…,"type":"sequenced_op"}`
fn sorted(text: &str) -> Option<Pieces<'_>> {
    let (cid, rest) = text.strip_prefix(r#"{"cid":""#)?.split_at_checked(CID_LEN)?;
    let (created_at, rest) = rest.strip_prefix(r#"","createdAt":""#)?.split_once('"')?;
    let (did, rest) = rest.strip_prefix(r#","did":""#)?.split_at_checked(DID_LEN)?;
    let rest = rest.strip_prefix(r#"","#)?;
    let rest = rest.strip_prefix(r#""nullified":false,"#).unwrap_or(rest);
    let rest = rest.strip_prefix(r#""operation":"#)?.strip_suffix(r#","type":"sequenced_op"}"#)?;
    let seq_len = rest.bytes().rev().position(|byte| !byte.is_ascii_digit())?;
    let (rest, seq) = rest.split_at_checked(rest.len().checked_sub(seq_len)?)?;
    let operation = rest.strip_suffix(r#","seq":"#)?;
    Some(Pieces { did, cid, created_at, seq, operation })
}
