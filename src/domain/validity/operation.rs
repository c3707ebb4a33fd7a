//! One signed operation by itself: its form, its CID, and who signed it.
//!
//! Reading checks what needs no other operation: the fields of its type, the keys it names, the writing of its signature.
//! Empty and repeated rotation keys are allowed: the directory takes both, and so do the public test logs.

use super::key::{SIGNATURE_BYTES, SigningKey, Verdict, is_did_key};
use super::rule::{Rule, Violation, quoted};
use crate::domain::cid::{Cid, Content, ContentError};
use crate::domain::did::Did;
use crate::domain::op::Kind;
use data_encoding::BASE64URL_NOPAD;
use std::borrow::Cow;

/// Most rotation keys of an operation.
pub const ROTATION_KEYS_MAX: usize = 10;

const OPERATION_FIELDS: &[&str] =
    &["type", "rotationKeys", "verificationMethods", "alsoKnownAs", "services", "prev", "sig"];
const TOMBSTONE_FIELDS: &[&str] = &["type", "prev", "sig"];
const CREATE_TEXTS: [&str; 4] = ["signingKey", "recoveryKey", "handle", "service"];

/// A signed operation whose form is right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation {
    /// Recomputed from the content.
    pub cid: Cid,
    /// What it does.
    pub kind: Kind,
    /// The operation that it follows; none for the first of a DID.
    pub prev: Option<Cid>,
    /// Who may sign what follows, strongest first; of a legacy create the recovery key, then the signing key. None stands
    /// for a key of a legacy create that is no key, and can sign nothing.
    pub rotation_keys: Vec<Option<SigningKey>>,
    unsigned: Vec<u8>,
    signature: [u8; SIGNATURE_BYTES],
}

impl Operation {
    /// Reads the JSON of a signed operation.
    ///
    /// # Errors
    /// The first rule of form that it breaks.
    pub fn read(json: &str) -> Result<Operation, Violation> {
        let content = Content::read(json).map_err(|error| Violation::new(Rule::BadForm, error.to_string()))?;
        let Content::Map(fields) = &content else {
            return Err(Violation::of(Rule::BadForm));
        };
        let cid = Cid::of_cbor(&content.to_cbor().map_err(form_violation)?);
        let (kind, prev) = kind_and_prev(&content)?;
        let rotation_keys = match kind {
            Kind::Genesis | Kind::Update => regular(&content, fields)?,
            Kind::Tombstone => only(fields, TOMBSTONE_FIELDS).map(|()| Vec::new())?,
            Kind::LegacyCreate => legacy(&content)?,
        };
        let signature = signature(text(&content, "sig")?)?;
        let unsigned = fields.iter().filter(|(name, _)| name != "sig").cloned().collect();
        let unsigned = Content::Map(unsigned).to_cbor().map_err(form_violation)?;
        Ok(Operation { cid, kind, prev, rotation_keys, unsigned, signature })
    }

    /// Compares it with what is claimed of it: its CID, where one is claimed, and the DID that a first operation makes.
    ///
    /// # Errors
    /// [`Rule::CidMismatch`], [`Rule::DidMismatch`].
    pub fn check_identity(&self, did: Did, claimed: Option<Cid>) -> Result<(), Violation> {
        if let Some(claimed) = claimed.filter(|claimed| *claimed != self.cid) {
            return Err(Violation::new(Rule::CidMismatch, format!("claimed {claimed}, computed {}", self.cid)));
        }
        if self.prev.is_none() && Did::of_genesis(self.cid) != did {
            let text = format!("claimed {did}, computed {}", Did::of_genesis(self.cid));
            return Err(Violation::new(Rule::DidMismatch, text));
        }
        Ok(())
    }

    /// The place in `keys` of the first one that made the signature.
    ///
    /// # Errors
    /// [`Rule::SigHighS`], [`Rule::BadSignature`].
    pub fn signer(&self, keys: &[Option<SigningKey>]) -> Result<usize, Violation> {
        let mut is_high = false;
        for (place, key) in keys.iter().enumerate() {
            match key.map(|key| key.verify(&self.unsigned, &self.signature)) {
                Some(Verdict::Made) => return Ok(place),
                Some(Verdict::MadeHighS) => is_high = true,
                Some(Verdict::NotMade) | None => {}
            }
        }
        if is_high {
            return Err(Violation::of(Rule::SigHighS));
        }
        let text = format!("none of the {} allowed rotation keys made it", keys.len());
        Err(Violation::new(Rule::BadSignature, text))
    }
}

fn form_violation(error: ContentError) -> Violation {
    let rule = if matches!(error, ContentError::TooLarge(_)) { Rule::TooLarge } else { Rule::BadForm };
    Violation::new(rule, error.to_string())
}

type Fields<'a> = [(Cow<'a, str>, Content<'a>)];

fn kind_and_prev(content: &Content<'_>) -> Result<(Kind, Option<Cid>), Violation> {
    let name = text(content, "type")?;
    if !matches!(name, "plc_operation" | "plc_tombstone" | "create") {
        return Err(Violation::new(Rule::UnknownType, quoted(name)));
    }
    let prev = match content.get("prev") {
        None => return Err(Violation::new(Rule::MissingField, "prev")),
        Some(Content::Null) => None,
        Some(Content::Text(prev)) => Some(Cid::parse(prev).ok_or_else(|| Violation::new(Rule::BadPrev, quoted(prev)))?),
        Some(_) => return Err(Violation::new(Rule::BadField, "prev")),
    };
    match (name, prev) {
        ("plc_operation", None) => Ok((Kind::Genesis, None)),
        ("plc_operation", prev) => Ok((Kind::Update, prev)),
        ("plc_tombstone", Some(prev)) => Ok((Kind::Tombstone, Some(prev))),
        ("create", None) => Ok((Kind::LegacyCreate, None)),
        (_, None) => Err(Violation::new(Rule::BadPrev, "a tombstone follows an operation")),
        (_, Some(_)) => Err(Violation::new(Rule::BadPrev, "a legacy create follows nothing")),
    }
}

/// Checks the fields of a `plc_operation`; its rotation keys.
fn regular(content: &Content<'_>, fields: &Fields<'_>) -> Result<Vec<Option<SigningKey>>, Violation> {
    let keys = texts(content, "rotationKeys")?;
    texts(content, "alsoKnownAs")?;
    for (id, method) in map(content, "verificationMethods")? {
        let Content::Text(key) = method else { return Err(Violation::new(Rule::BadField, "verificationMethods")) };
        if !is_did_key(key) {
            return Err(Violation::new(Rule::BadVerificationMethod, format!("{}: {}", quoted(id), quoted(key))));
        }
    }
    for (_, service) in map(content, "services")? {
        if !["type", "endpoint"].iter().all(|field| matches!(service.get(field), Some(Content::Text(_)))) {
            return Err(Violation::new(Rule::BadField, "services"));
        }
    }
    only(fields, OPERATION_FIELDS)?;
    if keys.len() > ROTATION_KEYS_MAX {
        return Err(Violation::new(Rule::TooManyRotationKeys, format!("{} > {ROTATION_KEYS_MAX}", keys.len())));
    }
    let parse =
        |key: &&str| SigningKey::parse(key).map(Some).ok_or_else(|| Violation::new(Rule::BadRotationKey, quoted(key)));
    keys.iter().map(parse).collect()
}

/// Checks the fields of a `create`; its rotation keys. The old form was never closed to other fields.
fn legacy(content: &Content<'_>) -> Result<Vec<Option<SigningKey>>, Violation> {
    for field in CREATE_TEXTS {
        text(content, field)?;
    }
    Ok(vec![SigningKey::parse(text(content, "recoveryKey")?), SigningKey::parse(text(content, "signingKey")?)])
}

/// Reads 64 bytes of base64url; other spellings of the same bytes are refused.
fn signature(text: &str) -> Result<[u8; SIGNATURE_BYTES], Violation> {
    let bytes = BASE64URL_NOPAD
        .decode(text.as_bytes())
        .map_err(|error| Violation::new(Rule::SigEncoding, format!("base64url: {error}")))?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| Violation::new(Rule::SigLength, format!("{length} bytes, not {SIGNATURE_BYTES}")))
}

fn required<'c, 'a>(content: &'c Content<'a>, field: &'static str) -> Result<&'c Content<'a>, Violation> {
    content.get(field).ok_or_else(|| Violation::new(Rule::MissingField, field))
}

fn text<'c>(content: &'c Content<'_>, field: &'static str) -> Result<&'c str, Violation> {
    match required(content, field)? {
        Content::Text(text) => Ok(text),
        _ => Err(Violation::new(Rule::BadField, field)),
    }
}

fn texts<'c>(content: &'c Content<'_>, field: &'static str) -> Result<Vec<&'c str>, Violation> {
    let Content::List(items) = required(content, field)? else {
        return Err(Violation::new(Rule::BadField, field));
    };
    let text = |item: &'c Content<'_>| match item {
        Content::Text(text) => Ok(text.as_ref()),
        _ => Err(Violation::new(Rule::BadField, field)),
    };
    items.iter().map(text).collect()
}

fn map<'c, 'a>(content: &'c Content<'a>, field: &'static str) -> Result<&'c Fields<'a>, Violation> {
    match required(content, field)? {
        Content::Map(entries) => Ok(entries),
        _ => Err(Violation::new(Rule::BadField, field)),
    }
}

fn only(fields: &Fields<'_>, known: &[&str]) -> Result<(), Violation> {
    match fields.iter().find(|(name, _)| !known.contains(&name.as_ref())) {
        Some((name, _)) => Err(Violation::new(Rule::UnknownField, quoted(name))),
        None => Ok(()),
    }
}
