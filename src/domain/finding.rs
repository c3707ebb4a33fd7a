//! What is found about an operation at a source, beside its verdict, and the evidence for it.
//!
//! A finding never changes what was counted: it explains a miss or an extra, or says that content or order was wrong. The
//! words are those of `measurement.md` §2 of the design.

use serde::{Deserialize, Serialize};

/// A finding about one operation at one source.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Finding {
    /// Of a miss: the mirror's audit log lists it, so only its stream lost it.
    StreamLoss = 1,
    /// Of a miss: the mirror knows the DID and not the operation.
    DataLoss = 2,
    /// Of a miss: the mirror does not know the DID at all.
    DidUnknown = 3,
    /// The host that would know could not be asked, or gave no usable answer.
    Unverifiable = 4,
    /// Of an extra: the primary's audit log lists it, so the primary's stream, or our reading of it, lost it. The mirror is
    /// credited.
    PrimaryStreamGap = 5,
    /// Of an extra: the primary lists it as nullified.
    Nullified = 6,
    /// Of an extra: the primary had published it and does not list it any more.
    Withdrawn = 7,
    /// Of an extra: it breaks the rules of validity, and the primary rightly does not list it.
    KnownInvalid = 8,
    /// Of an extra: the primary's audit log does not list it, though it keeps the rules.
    PrimaryDenies = 9,
    /// Of content: the claimed CID is not that of the operation.
    Corrupt = 10,
    /// Of content: a known CID under another DID or with another `createdAt`.
    Altered = 11,
    /// Of order: an operation came before the one that it names as `prev`.
    OrderViolation = 12,
    /// Of content: the same `seq`, or the same `prev`, with two contents.
    Equivocation = 13,
    /// Of order: delivered live more than once.
    Duplicate = 14,
    /// Of order: the source's own numbers went back: a new epoch of that server, no fault by itself.
    SeqRegress = 15,
}

impl Finding {
    /// Whether it says that the content of an operation is not what it is said to be: that makes a mirror diverged.
    #[must_use]
    pub const fn is_false_content(self) -> bool {
        matches!(self, Finding::Corrupt | Finding::Altered | Finding::Equivocation)
    }

    /// Every finding, in the order of its number.
    pub const ALL: [Finding; 15] = [
        Finding::StreamLoss,
        Finding::DataLoss,
        Finding::DidUnknown,
        Finding::Unverifiable,
        Finding::PrimaryStreamGap,
        Finding::Nullified,
        Finding::Withdrawn,
        Finding::KnownInvalid,
        Finding::PrimaryDenies,
        Finding::Corrupt,
        Finding::Altered,
        Finding::OrderViolation,
        Finding::Equivocation,
        Finding::Duplicate,
        Finding::SeqRegress,
    ];

    /// The name that the API uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Finding::StreamLoss => "stream_loss",
            Finding::DataLoss => "data_loss",
            Finding::DidUnknown => "did_unknown",
            Finding::Unverifiable => "unverifiable",
            Finding::PrimaryStreamGap => "primary_stream_gap",
            Finding::Nullified => "nullified",
            Finding::Withdrawn => "withdrawn",
            Finding::KnownInvalid => "known_invalid",
            Finding::PrimaryDenies => "primary_denies",
            Finding::Corrupt => "corrupt",
            Finding::Altered => "altered",
            Finding::OrderViolation => "order_violation",
            Finding::Equivocation => "equivocation",
            Finding::Duplicate => "duplicate",
            Finding::SeqRegress => "seq_regress",
        }
    }

    /// Whether another look may find otherwise: a mirror may still take what it lacks, and a host be asked that could not be.
    #[must_use]
    pub const fn may_change(self) -> bool {
        matches!(self, Finding::DataLoss | Finding::DidUnknown | Finding::Unverifiable)
    }

    /// The finding of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Finding> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }

    /// The finding with this number, as kept in the journal.
    #[must_use]
    pub fn from_number(n: u8) -> Option<Finding> {
        Self::ALL.into_iter().find(|f| *f as u8 == n)
    }
}

/// What is to be explained about an operation at a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The mirror missed it: the mirror is asked.
    Miss,
    /// Only the mirror has it: the primary is asked.
    Extra,
}

/// One question to a host and what it answered: enough for the host's operator to check it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProbeEvidence {
    /// Id of the source that was asked.
    pub host: String,
    /// What was asked, whole.
    pub url: String,
    /// When the answer was complete, milliseconds since 1970 by our label.
    pub at_ms: i64,
    /// The status; none when there was no answer.
    pub status: Option<u16>,
    /// SHA-256 of the body as received, lowercase hex; none without a body.
    pub body_sha256: Option<String>,
    /// Why there was no usable answer, in one line.
    pub error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_lead_back_to_their_finding() {
        for finding in Finding::ALL {
            assert_eq!(Finding::from_number(finding as u8), Some(finding));
            assert_eq!(Finding::parse(finding.name()), Some(finding));
            assert_eq!(serde_json::to_value(finding).unwrap(), finding.name());
        }
        assert_eq!((Finding::from_number(0), Finding::parse("")), (None, None));
    }
}
