//! The rules that an operation must keep, each with a stable name and one line of words.
//!
//! They are those without which an operation of the public directory is no operation: form, identity, signature and chain.
//! Limits that the directory sets to what it accepts today are no rules: they changed over the years, and what was
//! accepted before stays valid.

use serde::Serialize;
use std::fmt;

/// A rule of validity.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The content is a JSON object that DAG-CBOR can hold.
    BadForm,
    /// At most 7,500 bytes of DAG-CBOR.
    TooLarge,
    /// `plc_operation`, `plc_tombstone` or the old `create`.
    UnknownType,
    /// Every field of the type is there, `prev: null` of a genesis among them.
    MissingField,
    /// Every field is of its kind.
    BadField,
    /// No other field is there.
    UnknownField,
    /// `prev` is null at a first operation and a CID at every other.
    BadPrev,
    /// At most 10 rotation keys.
    TooManyRotationKeys,
    /// Rotation keys are `did:key` of secp256k1 or P-256.
    BadRotationKey,
    /// Verification methods are written as `did:key`.
    BadVerificationMethod,
    /// The signature is base64url without padding and with no stray bits.
    SigEncoding,
    /// The signature has 64 raw bytes.
    SigLength,
    /// The signature is the one of its two forms with the lower `s`.
    SigHighS,
    /// An allowed rotation key made the signature.
    BadSignature,
    /// The CID is that of the signed content.
    CidMismatch,
    /// The DID is that of its first operation.
    DidMismatch,
    /// The log begins with a first operation.
    NoGenesis,
    /// The log names an operation once.
    Repeated,
    /// `prev` is an operation of the log.
    UnknownPrev,
    /// `prev` keeps the rules.
    PrevInvalid,
    /// `prev` is not nullified.
    PrevNullified,
    /// `prev` is no tombstone.
    PrevTombstoned,
    /// Who nullifies signs with a stronger key than the one that signed what is nullified.
    WeakerSigner,
    /// What is nullified is at most 72 hours old.
    RecoveryTooLate,
    /// An operation is not older than those before it.
    TimeOrder,
    /// `nullified` says what the log itself says.
    NullifiedFlag,
}

impl Rule {
    /// Every rule, in the order in which they are checked.
    pub const ALL: [Rule; 26] = [
        Rule::BadForm,
        Rule::TooLarge,
        Rule::UnknownType,
        Rule::MissingField,
        Rule::BadField,
        Rule::UnknownField,
        Rule::BadPrev,
        Rule::TooManyRotationKeys,
        Rule::BadRotationKey,
        Rule::BadVerificationMethod,
        Rule::SigEncoding,
        Rule::SigLength,
        Rule::SigHighS,
        Rule::BadSignature,
        Rule::CidMismatch,
        Rule::DidMismatch,
        Rule::NoGenesis,
        Rule::Repeated,
        Rule::UnknownPrev,
        Rule::PrevInvalid,
        Rule::PrevNullified,
        Rule::PrevTombstoned,
        Rule::WeakerSigner,
        Rule::RecoveryTooLate,
        Rule::TimeOrder,
        Rule::NullifiedFlag,
    ];

    /// The name that the API uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Rule::BadForm => "bad_form",
            Rule::TooLarge => "too_large",
            Rule::UnknownType => "unknown_type",
            Rule::MissingField => "missing_field",
            Rule::BadField => "bad_field",
            Rule::UnknownField => "unknown_field",
            Rule::BadPrev => "bad_prev",
            Rule::TooManyRotationKeys => "too_many_rotation_keys",
            Rule::BadRotationKey => "bad_rotation_key",
            Rule::BadVerificationMethod => "bad_verification_method",
            Rule::SigEncoding => "sig_encoding",
            Rule::SigLength => "sig_length",
            Rule::SigHighS => "sig_high_s",
            Rule::BadSignature => "bad_signature",
            Rule::CidMismatch => "cid_mismatch",
            Rule::DidMismatch => "did_mismatch",
            Rule::NoGenesis => "no_genesis",
            Rule::Repeated => "repeated",
            Rule::UnknownPrev => "unknown_prev",
            Rule::PrevInvalid => "prev_invalid",
            Rule::PrevNullified => "prev_nullified",
            Rule::PrevTombstoned => "prev_tombstoned",
            Rule::WeakerSigner => "weaker_signer",
            Rule::RecoveryTooLate => "recovery_too_late",
            Rule::TimeOrder => "time_order",
            Rule::NullifiedFlag => "nullified_flag",
        }
    }

    /// What it asks for, in one line for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Rule::BadForm => "an operation is one JSON object that DAG-CBOR can hold",
            Rule::TooLarge => "an operation has at most 7500 bytes of DAG-CBOR",
            Rule::UnknownType => "the type is plc_operation, plc_tombstone or create",
            Rule::MissingField => "every field of the type is there, prev: null included",
            Rule::BadField => "every field is of its kind",
            Rule::UnknownField => "no other field is there",
            Rule::BadPrev => "prev is null at a first operation and a CID at every other",
            Rule::TooManyRotationKeys => "there are at most 10 rotation keys",
            Rule::BadRotationKey => "rotation keys are did:key of secp256k1 or P-256",
            Rule::BadVerificationMethod => "verification methods are did:key in base58btc",
            Rule::SigEncoding => "the signature is base64url without padding, stray bits or other characters",
            Rule::SigLength => "the signature has 64 raw bytes",
            Rule::SigHighS => "the signature is in low-S form",
            Rule::BadSignature => "an allowed rotation key made the signature",
            Rule::CidMismatch => "the CID is that of the signed content",
            Rule::DidMismatch => "the DID is made from its first operation",
            Rule::NoGenesis => "a log begins with a first operation",
            Rule::Repeated => "a log names each operation once",
            Rule::UnknownPrev => "prev is an operation of the log",
            Rule::PrevInvalid => "prev keeps the rules itself",
            Rule::PrevNullified => "prev is not nullified",
            Rule::PrevTombstoned => "nothing follows a tombstone",
            Rule::WeakerSigner => "only a stronger key nullifies what another one signed",
            Rule::RecoveryTooLate => "what is nullified is at most 72 hours old",
            Rule::TimeOrder => "an operation is not older than those before it",
            Rule::NullifiedFlag => "nullified agrees with the log",
        }
    }

    /// The rule of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Rule> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }
}

/// A broken rule.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct Violation {
    /// Which one.
    pub rule: Rule,
    /// How, in one line for people; text of a source in it is cut to 60 characters.
    pub text: String,
}

impl Violation {
    pub(super) fn new(rule: Rule, text: impl Into<String>) -> Violation {
        Violation { rule, text: text.into() }
    }

    /// A violation of which the rule's own words say everything.
    pub(super) fn of(rule: Rule) -> Violation {
        Violation::new(rule, rule.words())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule.name(), self.text)
    }
}

/// A piece of a source's text, escaped and short enough to be repeated.
pub(super) fn quoted(text: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    let mut end = text.char_indices().map(|(at, _)| at).skip(CHARACTERS_MAX);
    match end.next() {
        Some(end) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_one_name_and_its_own_words() {
        let mut words: Vec<&str> = Rule::ALL.iter().map(|rule| rule.words()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Rule::ALL.len());
        for rule in Rule::ALL {
            assert_eq!(Rule::parse(rule.name()), Some(rule));
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.name());
        }
        assert_eq!(Rule::parse("no_such_rule"), None);
    }

    #[test]
    fn what_a_source_wrote_is_repeated_in_part_only() {
        assert_eq!(quoted("a\n"), r#""a\n""#);
        assert_eq!(quoted(&"é".repeat(100)), format!("{:?}…", "é".repeat(60)));
    }
}
