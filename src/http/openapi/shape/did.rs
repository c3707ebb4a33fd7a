//! One DID: every host's log of it side by side.

use super::mirrors::Noticed;
use super::op::Probe;
use super::ops::OpAtMirror;
use super::text::{CidText, DidText, Instant};
use super::words::{AskedAs, Kind, LogAgreement, LogStanding, Role};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A DID as it was delivered, and as hosts answered when they were asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DidPage {
    /// The DID.
    pub did: DidText,
    /// Every host, the primary first.
    pub hosts: Vec<DidHost>,
    /// Its operations that are held, oldest first.
    pub ops: Vec<DidOp>,
    /// How many there are.
    pub total_ops: u64,
    /// Whether not all of them are listed.
    pub truncated: bool,
    /// Operations that only mirrors have.
    pub extras: Vec<OpAtMirror>,
    /// What was wrong with its operations as they were sent.
    pub findings: Vec<Noticed>,
    /// Every host's log as it was when all were asked last; `null` until they were.
    #[schema(required)]
    pub survey: Option<Survey>,
}

/// One host of a DID's page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DidHost {
    /// Stable id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// What the host is.
    pub role: Role,
    /// What it answered when all were asked.
    #[schema(required)]
    pub standing: Option<LogStanding>,
    /// How its log stands to the primary's.
    #[schema(required)]
    pub agreement: Option<LogAgreement>,
    /// The latest question to it about this DID.
    #[schema(required)]
    pub latest_probe: Option<Probe>,
}

/// One operation of a DID's page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DidOp {
    /// The CID.
    pub cid: CidText,
    /// The primary's number.
    #[schema(required)]
    pub seq: Option<u64>,
    /// What it does.
    pub kind: Kind,
    /// When it came at the primary.
    pub primary_at: Instant,
    /// Whether it came from the primary by paging a gap.
    pub is_primary_filled: bool,
    /// When it was made, as it says itself.
    pub created_at: Instant,
    /// The same at each mirror, by its id.
    pub mirrors: BTreeMap<String, OpAtMirror>,
}

/// Every host's log of a DID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Survey {
    /// When the last host had answered.
    pub at: Instant,
    /// Why they were asked.
    pub asked_as: AskedAs,
    /// Whether the primary's log is there to compare with.
    pub has_measure: bool,
    /// Whether all logs are the same; `null` where none could be compared.
    #[schema(required)]
    pub is_identical: Option<bool>,
    /// Ids of the hosts whose logs changed while they were asked.
    pub unsettled: Vec<String>,
    /// CIDs that the primary's log no longer lists.
    pub withdrawn: Vec<CidText>,
    /// Each host's log.
    pub hosts: Vec<HostLog>,
}

/// One host's log of a DID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostLog {
    /// Id of the host.
    #[schema(required)]
    pub id: Option<String>,
    /// What it answered.
    pub standing: LogStanding,
    /// How its log stands to the primary's.
    #[schema(required)]
    pub agreement: Option<LogAgreement>,
    /// Entries of its log.
    pub total_entries: u64,
    /// Whether not all of them are listed.
    pub truncated: bool,
    /// The entries, oldest first.
    pub entries: Vec<LogEntry>,
    /// The question.
    #[schema(required)]
    pub probe: Option<Probe>,
}

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogEntry {
    /// The CID, computed anew.
    pub cid: CidText,
    /// Whether the host claims the same.
    pub is_cid_true: bool,
    /// Whether it is nullified.
    pub is_nullified: bool,
    /// When it was made, as it says itself.
    pub created_at: Instant,
    /// What it follows.
    #[schema(required)]
    pub prev: Option<CidText>,
    /// What it does.
    pub kind: Kind,
}
