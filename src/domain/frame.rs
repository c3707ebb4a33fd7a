//! One message of a source's stream, or one line of its `/export`, read into a checked operation.
//!
//! A frame is believed only after its DID, its CID and its content agree: the CID is recomputed from `operation`, and a
//! genesis must make the DID that the frame names. What does not agree is refused with a [`Reject`], which is counted
//! and never fatal. Reading borrows from the text; the content is hashed once for each distinct form of an operation
//! ([`FormCache`]), not once for each source that sends it.
//!
//! Whether a `seq` follows the one before it is not decided here: a frame knows nothing of its neighbours.

mod cache;
mod created;
mod fields;
mod layout;
mod reject;

pub use cache::{DEFAULT_FORMS, Form, FormCache};
pub use created::parse_created_ms;
pub use reject::{Claim, Reject, SeqFault};

use super::cid::{Cid, ContentError, MAX_DEPTH};
use super::did::Did;
use super::op::{Kind, Op, OpKey};
use fields::Fields;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The largest `seq` that every reader of JSON keeps exactly: 2^53 − 1.
pub const MAX_SEQ: u64 = (1 << 53) - 1;

/// Where the text of a frame comes from, which decides what it must hold.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Shape {
    /// A message of `/export/stream`, or a line of `/export?after=SEQ`: `seq` must be there.
    Sequenced,
    /// A line of `/export` by time, which has no `seq`.
    Legacy,
    /// A message of a plcbundle server's `/ws`: no `seq` that means anything, no `type`, and the time is `created_at`.
    Bundled,
}

/// One frame that was read and found true to itself.
#[derive(Copy, Clone, PartialEq, Debug)]
pub struct Frame<'a> {
    /// The operation.
    pub op: Op,
    /// Its content exactly as the source sent it.
    pub operation: &'a str,
}

/// Reads one frame.
///
/// Keys may come in any order and unknown ones are ignored. `type` may be absent; another value than `sequenced_op` is
/// refused as [`Reject::UnknownType`].
///
/// # Errors
/// The first reason that applies: form, then fields, then content. The size of `text` is the caller's to limit
/// ([`Reject::TooLarge`]).
pub fn parse<'a>(text: &'a str, shape: Shape, forms: &mut FormCache) -> Result<Frame<'a>, Reject> {
    // The usual layouts are those of numbered frames, and a bundle has no numbers.
    if shape != Shape::Bundled
        && let Some(frame) = known(text, forms)
    {
        return Ok(frame);
    }
    if is_too_deep(text.as_bytes()) {
        return Err(Reject::TooDeep);
    }
    let fields = Fields::read(text)?;
    if let Some(kind) = fields.kind {
        let name = string(kind);
        if name.as_deref() != Some("sequenced_op") {
            return Err(Reject::unknown_type(name.as_deref().unwrap_or(kind.get())));
        }
    }
    let did = required(fields.did, "did")?;
    let cid = required(fields.cid, "cid")?;
    let seq = match (fields.seq, shape) {
        (None, Shape::Sequenced) => return Err(Reject::Missing("seq")),
        (None, Shape::Legacy) | (_, Shape::Bundled) => None,
        (Some(raw), _) => Some(seq(raw.get())?),
    };
    let operation = required(fields.operation, "operation")?.get();
    let created_at = match shape {
        Shape::Bundled => fields.created_at.or(fields.created_at_alias),
        Shape::Sequenced | Shape::Legacy => fields.created_at,
    };
    let created_at = required(created_at, "createdAt")?;
    let form = forms.form(operation).map_err(|reject| reject.moved_by(offset_in(text, operation)));
    let (did, cid, created_at) = (string(did), string(cid), string(created_at));
    checked(did.as_deref(), cid.as_deref(), created_at.as_deref(), seq, form, operation)
}

/// Reads a frame of a usual layout whose content is remembered: then that is known to be one JSON value, and the cut at
/// fixed places is proved by it. `None` leaves the frame, right or wrong, to the full reader.
fn known<'a>(text: &'a str, forms: &mut FormCache) -> Option<Frame<'a>> {
    let pieces = layout::cut(text)?;
    let seq = seq(pieces.seq).ok()?;
    let form = forms.remembered(pieces.operation)?;
    let (did, cid, created_at) = (Some(pieces.did), Some(pieces.cid), Some(pieces.created_at));
    checked(did, cid, created_at, Some(seq), Ok(form), pieces.operation).ok()
}

/// Compares what a frame claims with what its content says.
fn checked<'a>(
    did: Option<&str>,
    cid: Option<&str>,
    created_at: Option<&str>,
    seq: Option<u64>,
    form: Result<Form, Reject>,
    operation: &'a str,
) -> Result<Frame<'a>, Reject> {
    let did = did.and_then(Did::parse).ok_or(Reject::BadDid)?;
    let claimed = cid.and_then(Cid::parse).ok_or(Reject::BadCid)?;
    let created_ms = created_at.and_then(parse_created_ms).ok_or(Reject::BadTime)?;
    let form = form?;
    let claim = || Box::new(Claim { key: OpKey { did, cid: claimed }, seq, computed: form.cid });
    if form.cid != claimed {
        return Err(Reject::CidMismatch(claim()));
    }
    if matches!(form.kind, Kind::Genesis | Kind::LegacyCreate) && Did::of_genesis(form.cid) != did {
        return Err(Reject::GenesisMismatch(claim()));
    }
    let op = Op { key: OpKey { did, cid: claimed }, kind: form.kind, created_ms, seq, prev: form.prev };
    Ok(Frame { op, operation })
}

fn required<'a>(field: Option<&'a RawValue>, name: &'static str) -> Result<&'a RawValue, Reject> {
    field.ok_or(Reject::Missing(name))
}

/// The string that `raw` is; `None` when it is something else.
fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.as_bytes().contains(&b'\\') {
        return serde_json::from_str(raw.get()).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

fn seq(raw: &str) -> Result<u64, Reject> {
    if raw.starts_with('0') || !raw.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Reject::BadSeq(SeqFault::Range));
    }
    match raw.parse() {
        Ok(seq @ 1..=MAX_SEQ) => Ok(seq),
        _ => Err(Reject::BadSeq(SeqFault::Range)),
    }
}

/// The `seq` of a text that was refused, as far as it can be told: the first number under that name, wherever it stands.
#[must_use]
pub fn seq_in(text: &str) -> Option<u64> {
    const NAME: &str = "\"seq\"";
    let mut places = text.match_indices(NAME);
    places.find_map(|(at, _)| {
        let value = text.get(at + NAME.len()..)?.trim_start().strip_prefix(':')?.trim_start();
        let end = value.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(value.len());
        value.get(..end).and_then(|digits| seq(digits).ok())
    })
}

/// Offset of `part`, which is borrowed from `text`.
fn offset_in(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

/// Whether objects and arrays nest deeper than [`MAX_DEPTH`].
///
/// A text with no more opening brackets than that cannot, which settles every ordinary frame with one quick count.
fn is_too_deep(text: &[u8]) -> bool {
    let opening = text.iter().filter(|byte| matches!(byte, b'{' | b'[')).count();
    if opening <= MAX_DEPTH {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

impl From<ContentError> for Reject {
    fn from(error: ContentError) -> Reject {
        match error {
            ContentError::Json(byte) => Reject::BadJson(byte),
            ContentError::TooDeep => Reject::TooDeep,
            ContentError::DuplicateKey(key) => Reject::duplicate_key(&key),
            ContentError::Number => Reject::BadOperation("a number that is not a safe integer"),
            ContentError::TooLarge(bytes) => Reject::OpTooLarge(bytes),
        }
    }
}

#[cfg(test)]
mod tests;
