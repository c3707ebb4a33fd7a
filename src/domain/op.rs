//! One operation of the log: its identity and the few facts about it that judging needs.

use super::cid::Cid;
use super::did::Did;
use serde::{Deserialize, Serialize};

/// Identity of an operation. `seq` is an annotation of one server only and never part of it.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct OpKey {
    /// Whose operation it is.
    pub did: Did,
    /// Recomputed from the operation's content, never taken from the claim.
    pub cid: Cid,
}

/// What an operation does.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Kind {
    /// `plc_operation` whose `prev` is null.
    Genesis = 0,
    /// `plc_operation` that follows another.
    Update = 1,
    /// `plc_tombstone`.
    Tombstone = 2,
    /// The old `create` form.
    LegacyCreate = 3,
}

impl Kind {
    /// Every kind, in the order of its number.
    pub const ALL: [Kind; 4] = [Kind::Genesis, Kind::Update, Kind::Tombstone, Kind::LegacyCreate];

    /// The name that the API uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Genesis => "genesis",
            Kind::Update => "update",
            Kind::Tombstone => "tombstone",
            Kind::LegacyCreate => "legacy_create",
        }
    }

    /// The kind with this number, as kept in the journal.
    #[must_use]
    pub const fn from_number(n: u8) -> Option<Kind> {
        match n {
            0 => Some(Kind::Genesis),
            1 => Some(Kind::Update),
            2 => Some(Kind::Tombstone),
            3 => Some(Kind::LegacyCreate),
            _ => None,
        }
    }
}

/// One checked operation as a source delivered it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Op {
    /// Identity.
    pub key: OpKey,
    /// What it does.
    pub kind: Kind,
    /// The server's own `createdAt`, milliseconds since 1970.
    pub created_ms: i64,
    /// The source's own sequence number, where it has one: used only to resume that source.
    pub seq: Option<u64>,
    /// The operation that this one follows; none for the first of a DID, and where `prev` is no CID.
    pub prev: Option<Cid>,
}
