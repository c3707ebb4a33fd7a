//! Why a frame was refused: the closed list of reasons, each with its stable name and its text for people.

use crate::domain::cid::{Cid, MAX_DEPTH, MAX_OPERATION_BYTES};
use crate::domain::op::OpKey;

/// Longest piece of a source's own text that a reason repeats, in bytes.
const MAX_QUOTED: usize = 40;

/// What a frame said about itself that its content contradicts.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The DID and the CID that the frame claims.
    pub key: OpKey,
    /// The `seq` that it came with.
    pub seq: Option<u64>,
    /// The CID of the content that it brought.
    pub computed: Cid,
}

/// What is wrong with a `seq`.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SeqFault {
    /// Not an integer from 1 to 2^53 − 1.
    #[error("not 1…2^53−1")]
    Range,
    /// Not above the one before it.
    #[error("regress")]
    Regress,
    /// More than a million above the one before it.
    #[error("jump > 1e6")]
    Jump,
}

/// Why a frame was refused. Never fatal: it is counted by [`Reject::name`], and a sample is shown.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Reject {
    /// A binary message, or bytes that are not UTF-8.
    #[error("not_text")]
    NotText,
    /// Above the limit of bytes for a frame.
    #[error("too_large ({bytes} > {limit} bytes)")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Not JSON; the offset at which reading stopped.
    #[error("bad_json at byte {0}")]
    BadJson(usize),
    /// Nested too deeply.
    #[error("depth > {MAX_DEPTH}")]
    TooDeep,
    /// A key occurs twice in one object.
    #[error("duplicate_key {0:?}")]
    DuplicateKey(Box<str>),
    /// JSON, but no object.
    #[error("not_object")]
    NotObject,
    /// Another kind of message, or of operation.
    #[error("unknown_type {0:?}")]
    UnknownType(Box<str>),
    /// This field is absent.
    #[error("missing {0}")]
    Missing(&'static str),
    /// `did` is no `did:plc`.
    #[error("bad_did")]
    BadDid,
    /// `cid` is no version 1 CID of `dag-cbor` and `sha-256`.
    #[error("bad_cid")]
    BadCid,
    /// `seq` cannot be right.
    #[error("bad_seq ({0})")]
    BadSeq(SeqFault),
    /// `createdAt` is no RFC 3339 time.
    #[error("bad_time")]
    BadTime,
    /// `operation` is no operation: the reason.
    #[error("bad_operation ({0})")]
    BadOperation(&'static str),
    /// The content does not have the CID that the frame claims.
    #[error("cid_mismatch")]
    CidMismatch(Box<Claim>),
    /// A genesis of another DID than the frame claims.
    #[error("genesis_mismatch")]
    GenesisMismatch(Box<Claim>),
    /// Above what the directory accepts; bytes of DAG-CBOR.
    #[error("op_too_large ({0} > {MAX_OPERATION_BYTES} B CBOR)")]
    OpTooLarge(usize),
    /// The source sent more than its share: told once each time that it is read no faster; the frame waits and is taken.
    #[error("rate_limited")]
    RateLimited,
}

impl Reject {
    /// Every name, in the order in which pages list them.
    pub const NAMES: [&'static str; 17] = [
        "not_text",
        "too_large",
        "bad_json",
        "too_deep",
        "duplicate_key",
        "not_object",
        "unknown_type",
        "missing_field",
        "bad_did",
        "bad_cid",
        "bad_seq",
        "bad_time",
        "bad_operation",
        "cid_mismatch",
        "genesis_mismatch",
        "op_too_large",
        "rate_limited",
    ];

    /// Place of the reason in [`Reject::NAMES`], for counters.
    #[must_use]
    pub const fn number(&self) -> usize {
        match self {
            Reject::NotText => 0,
            Reject::TooLarge { .. } => 1,
            Reject::BadJson(_) => 2,
            Reject::TooDeep => 3,
            Reject::DuplicateKey(_) => 4,
            Reject::NotObject => 5,
            Reject::UnknownType(_) => 6,
            Reject::Missing(_) => 7,
            Reject::BadDid => 8,
            Reject::BadCid => 9,
            Reject::BadSeq(_) => 10,
            Reject::BadTime => 11,
            Reject::BadOperation(_) => 12,
            Reject::CidMismatch(_) => 13,
            Reject::GenesisMismatch(_) => 14,
            Reject::OpTooLarge(_) => 15,
            Reject::RateLimited => 16,
        }
    }

    /// The name under which it is counted.
    #[must_use]
    pub fn name(&self) -> &'static str {
        Self::NAMES.get(self.number()).copied().unwrap_or_default()
    }

    /// What the frame claimed, where it was read that far.
    #[must_use]
    pub fn claim(&self) -> Option<&Claim> {
        match self {
            Reject::CidMismatch(claim) | Reject::GenesisMismatch(claim) => Some(claim),
            _ => None,
        }
    }

    pub(super) fn unknown_type(name: &str) -> Reject {
        Reject::UnknownType(cut(name))
    }

    pub(super) fn duplicate_key(name: &str) -> Reject {
        Reject::DuplicateKey(cut(name))
    }

    /// The same reason, for a part that begins `offset` bytes into the frame.
    pub(super) fn moved_by(self, offset: usize) -> Reject {
        match self {
            Reject::BadJson(byte) => Reject::BadJson(byte + offset),
            other => other,
        }
    }
}

/// The start of `text`, so that no hostile name can fill a log.
fn cut(text: &str) -> Box<str> {
    let end = text.floor_char_boundary(MAX_QUOTED);
    text.get(..end).unwrap_or_default().into()
}
