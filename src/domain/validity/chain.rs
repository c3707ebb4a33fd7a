//! The operations of one DID as they follow each other: who may sign next, and what is nullified by whom.
//!
//! An operation that follows one which has a follower already nullifies that follower and all that came after it. For
//! that a stronger key must sign than the one that signed the follower, and within 72 hours of it.

use super::key::SigningKey;
use super::operation::Operation;
use super::rule::{Rule, Violation};
use crate::domain::cid::Cid;
use crate::domain::op::Kind;

/// How long a stronger key may nullify an operation, milliseconds; exactly so long is in time.
pub const RECOVERY_WINDOW_MS: i64 = 72 * 3_600 * 1_000;

/// An operation in its place.
#[derive(Clone, Debug)]
struct Link {
    cid: Cid,
    prev: Option<Cid>,
    created_ms: i64,
    is_tombstone: bool,
    keys: Vec<Option<SigningKey>>,
    /// Place of the key that signed it among those of `prev`; none where `prev` is not known.
    signer: Option<usize>,
    is_nullified: bool,
}

/// Why an operation has no place in a chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum NoPlace {
    /// It is in the chain already.
    Known,
    /// What it follows is not in the chain.
    PrevUnknown,
    /// It is older than the newest of the chain: the chain knows what came after it, and not what was when it came. Its
    /// signature is by a key of what it follows.
    Late,
    /// It breaks a rule.
    Broken(Violation),
}

/// Operations of one DID that keep the rules, in the order in which they came.
#[derive(Clone, Default, Debug)]
pub(super) struct Chain {
    links: Vec<Link>,
    refused: Vec<Cid>,
}

impl Chain {
    /// Puts an operation in its place and nullifies what it says; the place of its signer among the keys that were
    /// allowed to.
    pub(super) fn add(&mut self, op: &Operation, created_ms: i64) -> Result<usize, NoPlace> {
        if self.links.iter().any(|link| link.cid == op.cid) {
            return Err(NoPlace::Known);
        }
        let broken = |rule| Err(NoPlace::Broken(Violation::of(rule)));
        let Some(prev) = op.prev else {
            let signer = op.signer(&op.rotation_keys).map_err(NoPlace::Broken)?;
            self.push(op, created_ms, Some(signer));
            return Ok(signer);
        };
        if self.refused.contains(&prev) {
            return broken(Rule::PrevInvalid);
        }
        let Some(before) = self.links.iter().rev().find(|link| link.cid == prev) else {
            return Err(NoPlace::PrevUnknown);
        };
        if before.is_tombstone {
            return broken(Rule::PrevTombstoned);
        }
        let signer = op.signer(&before.keys).map_err(NoPlace::Broken)?;
        if self.links.iter().any(|link| link.created_ms > created_ms) {
            return Err(NoPlace::Late);
        }
        if before.is_nullified {
            return broken(Rule::PrevNullified);
        }
        if let Some(disputed) = self.follower(prev) {
            let disputed_signer = disputed.signer.unwrap_or(usize::MAX);
            if signer >= disputed_signer {
                let text = format!("key {signer} cannot nullify what key {disputed_signer} signed");
                return Err(NoPlace::Broken(Violation::new(Rule::WeakerSigner, text)));
            }
            let age_ms = created_ms.saturating_sub(disputed.created_ms);
            if age_ms > RECOVERY_WINDOW_MS {
                let text = format!("{} s after 72 hours", (age_ms - RECOVERY_WINDOW_MS) / 1_000);
                return Err(NoPlace::Broken(Violation::new(Rule::RecoveryTooLate, text)));
            }
        }
        self.nullify_after(prev);
        self.push(op, created_ms, Some(signer));
        Ok(signer)
    }

    /// Takes an operation whose `prev` is not known as the one that others follow, and forgets what was before.
    pub(super) fn begin_at(&mut self, op: &Operation, created_ms: i64) {
        self.links.clear();
        self.push(op, created_ms, None);
    }

    /// Remembers an operation that breaks the rules: what follows it breaks them too.
    pub(super) fn refuse(&mut self, cid: Cid) {
        self.refused.push(cid);
    }

    /// Whether this operation was nullified.
    pub(super) fn is_nullified(&self, cid: Cid) -> bool {
        self.links.iter().any(|link| link.cid == cid && link.is_nullified)
    }

    /// Whether this operation is in the chain.
    pub(super) fn contains(&self, cid: Cid) -> bool {
        self.links.iter().any(|link| link.cid == cid)
    }

    /// Whether no operation is in the chain.
    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Forgets the oldest operations beyond `max`, valid and refused ones.
    pub(super) fn trim(&mut self, max: usize) {
        self.links.drain(..self.links.len().saturating_sub(max));
        self.refused.drain(..self.refused.len().saturating_sub(max));
    }

    fn push(&mut self, op: &Operation, created_ms: i64, signer: Option<usize>) {
        self.links.push(Link {
            cid: op.cid,
            prev: op.prev,
            created_ms,
            is_tombstone: op.kind == Kind::Tombstone,
            keys: op.rotation_keys.clone(),
            signer,
            is_nullified: false,
        });
    }

    fn follower(&self, prev: Cid) -> Option<&Link> {
        self.links.iter().find(|link| link.prev == Some(prev) && !link.is_nullified)
    }

    fn nullify_after(&mut self, mut prev: Cid) {
        while let Some(link) = self.links.iter_mut().find(|link| link.prev == Some(prev) && !link.is_nullified) {
            link.is_nullified = true;
            prev = link.cid;
        }
    }
}
