//! How the log of one DID at a mirror agrees with the primary's.
//!
//! Both are compared as sequences of (CID, nullified, `createdAt`). The primary is the measure; whoever compares makes
//! sure first that what the primary answered is a log at all ([`is_sound`]), because a mirror is not to be blamed for
//! that.

use super::LogEntry;
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::op::Kind;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// How two logs of a DID agree.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogAgreement {
    /// The same sequence, but for operations of the primary that are too fresh to be missing.
    Same,
    /// The mirror lists nothing else than the primary, and lacks something of it that is not fresh.
    Behind,
    /// The same operations in another order.
    SameSetOtherOrder,
    /// The same operations, one of them nullified at one host alone.
    NullifiedDiffers,
    /// The mirror lists an operation that the primary does not list.
    Fork,
    /// The mirror's log contradicts itself, or states another `createdAt`.
    Invalid,
}

impl LogAgreement {
    /// Every outcome.
    pub const ALL: [LogAgreement; 6] = [
        LogAgreement::Same,
        LogAgreement::Behind,
        LogAgreement::SameSetOtherOrder,
        LogAgreement::NullifiedDiffers,
        LogAgreement::Fork,
        LogAgreement::Invalid,
    ];

    /// Whether the mirror's log contradicts the primary's or itself: it is no log that is merely behind.
    #[must_use]
    pub const fn is_contradiction(self) -> bool {
        matches!(self, LogAgreement::Fork | LogAgreement::Invalid)
    }

    /// The name that the API uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LogAgreement::Same => "same",
            LogAgreement::Behind => "behind",
            LogAgreement::SameSetOtherOrder => "same_set_other_order",
            LogAgreement::NullifiedDiffers => "nullified_differs",
            LogAgreement::Fork => "fork",
            LogAgreement::Invalid => "invalid",
        }
    }
}

/// Whether a log of `did` is true to itself: every CID is that of its content, every entry is of that DID, a first
/// operation makes it, and none is listed twice.
#[must_use]
pub fn is_sound(log: &[LogEntry], did: Did) -> bool {
    let mut seen = HashSet::new();
    log.iter().all(|e| {
        let makes_it = e.prev.is_some() || Did::of_genesis(e.cid) == did;
        e.claimed_cid_matches && e.did == did && makes_it && seen.insert(e.cid)
    })
}

/// Whether the log ends in a tombstone that holds.
#[must_use]
pub fn is_tombstoned(log: &[LogEntry]) -> bool {
    log.iter().rev().find(|e| !e.nullified).is_some_and(|e| e.kind == Kind::Tombstone)
}

/// Compares a mirror's log with the primary's, which must be sound.
///
/// An operation that the primary created less than `settle_ms` before `now_ms` (milliseconds since 1970) may be missing at
/// the mirror; while one is, nullified flags are not compared, for they may follow from it. Whoever asked both hosts again
/// after such a time passes `i64::MAX` and 0, and needs no clock for it.
#[must_use]
pub fn compare(primary: &[LogEntry], mirror: &[LogEntry], now_ms: i64, settle_ms: i64) -> LogAgreement {
    let did = primary.first().or(mirror.first()).map(|e| e.did);
    if did.is_some_and(|did| !is_sound(mirror, did)) {
        return LogAgreement::Invalid;
    }
    let places: HashMap<Cid, usize> = primary.iter().enumerate().map(|(i, e)| (e.cid, i)).collect();
    let mut pairs = Vec::with_capacity(mirror.len());
    for theirs in mirror {
        let Some((place, ours)) = places.get(&theirs.cid).and_then(|&i| Some((i, primary.get(i)?))) else {
            return LogAgreement::Fork;
        };
        pairs.push((place, ours, theirs));
    }
    if pairs.iter().any(|(_, ours, theirs)| ours.created_ms != theirs.created_ms) {
        return LogAgreement::Invalid;
    }
    let listed: HashSet<Cid> = mirror.iter().map(|e| e.cid).collect();
    let is_fresh = |e: &LogEntry| e.created_ms > now_ms.saturating_sub(settle_ms);
    let lacking = || primary.iter().filter(|e| !listed.contains(&e.cid));
    if lacking().any(|e| !is_fresh(e)) {
        return LogAgreement::Behind;
    }
    if lacking().next().is_none() && pairs.iter().any(|(_, ours, theirs)| ours.nullified != theirs.nullified) {
        return LogAgreement::NullifiedDiffers;
    }
    if pairs.is_sorted_by_key(|p| p.0) { LogAgreement::Same } else { LogAgreement::SameSetOtherOrder }
}

#[cfg(test)]
mod tests {
    use super::super::tests::chain;
    use super::*;

    /// Much later than everything in the logs.
    const LATER: i64 = 1_000_000;
    const SETTLE: i64 = 60_000;

    fn against(primary: &[LogEntry], change: impl FnOnce(&mut Vec<LogEntry>)) -> LogAgreement {
        let mut mirror = primary.to_vec();
        change(&mut mirror);
        compare(primary, &mirror, LATER, SETTLE)
    }

    #[test]
    fn each_difference_has_its_name() {
        let p = chain(5);
        let other = chain(6).pop().unwrap();
        assert_eq!(against(&p, |_| {}), LogAgreement::Same);
        assert_eq!(against(&p, |m| m.truncate(3)), LogAgreement::Behind);
        assert_eq!(against(&p, Vec::clear), LogAgreement::Behind);
        assert_eq!(against(&p, |m| drop(m.remove(2))), LogAgreement::Behind);
        assert_eq!(against(&p, |m| m.swap(1, 2)), LogAgreement::SameSetOtherOrder);
        assert_eq!(against(&p, |m| m[3].nullified = true), LogAgreement::NullifiedDiffers);
        assert_eq!(against(&p, |m| m.push(other.clone())), LogAgreement::Fork);
        assert_eq!(against(&p, |m| m[4] = other.clone()), LogAgreement::Fork);
        assert_eq!(against(&p, |m| m[2].created_ms += 1), LogAgreement::Invalid);
        assert_eq!(against(&p, |m| m[2].claimed_cid_matches = false), LogAgreement::Invalid);
        assert_eq!(against(&p, |m| m[2].did = Did([7; 15])), LogAgreement::Invalid);
        assert_eq!(against(&p, |m| m.push(p[0].clone())), LogAgreement::Invalid);
        assert_eq!(compare(&[], &[], LATER, SETTLE), LogAgreement::Same);
        assert_eq!(compare(&[], &p, LATER, SETTLE), LogAgreement::Fork);
    }

    #[test]
    fn the_graver_difference_is_told_when_there_are_two() {
        let p = chain(5);
        let other = chain(6).pop().unwrap();
        assert_eq!(
            against(&p, |m| {
                m.swap(1, 2);
                m[1].nullified = true;
            }),
            LogAgreement::NullifiedDiffers
        );
        // Its flags may follow from what it lacks.
        assert_eq!(
            against(&p, |m| {
                m.truncate(3);
                m[2].nullified = true;
            }),
            LogAgreement::Behind
        );
        assert_eq!(
            against(&p, |m| {
                m.truncate(3);
                m.push(other);
            }),
            LogAgreement::Fork
        );
        assert_eq!(
            against(&p, |m| {
                m.truncate(3);
                m[0].created_ms -= 1;
            }),
            LogAgreement::Invalid
        );
    }

    #[test]
    fn a_fresh_operation_makes_no_mirror_behind() {
        let p = chain(5);
        let short = &p[..4];
        let last = p[4].created_ms;
        // Created exactly as long ago as it may take: not fresh any more.
        assert_eq!(compare(&p, short, last + SETTLE, SETTLE), LogAgreement::Behind);
        assert_eq!(compare(&p, short, last + SETTLE - 1, SETTLE), LogAgreement::Same);
        assert_eq!(compare(&p, &p[..3], last + SETTLE - 1, SETTLE), LogAgreement::Behind);
        assert_eq!(compare(&p, short, i64::MAX, 0), LogAgreement::Behind);
        // The fresh one may be what nullifies an older one.
        let mut nullifying = p.clone();
        nullifying[3].nullified = true;
        assert_eq!(compare(&nullifying, short, last + 1, SETTLE), LogAgreement::Same);
        let mut disordered = short.to_vec();
        disordered.swap(1, 2);
        assert_eq!(compare(&p, &disordered, last + 1, SETTLE), LogAgreement::SameSetOtherOrder);
    }

    #[test]
    fn a_primary_that_contradicts_itself_is_not_sound() {
        let p = chain(3);
        let did = p[0].did;
        assert!(is_sound(&p, did) && is_sound(&[], did));
        assert!(!is_sound(&p, Did([7; 15])));
        let broken = |change: fn(&mut Vec<LogEntry>)| {
            let mut log = p.clone();
            change(&mut log);
            !is_sound(&log, did)
        };
        assert!(broken(|l| l[1].claimed_cid_matches = false));
        assert!(broken(|l| l.push(l[1].clone())));
        assert!(broken(|l| l[2].did = Did([7; 15])));
        // Without a predecessor it would have to make the DID.
        assert!(broken(|l| l[2].prev = None));
    }

    #[test]
    fn a_tombstone_counts_while_it_holds() {
        let mut p = chain(3);
        assert!(!is_tombstoned(&p) && !is_tombstoned(&[]));
        p[2].kind = Kind::Tombstone;
        assert!(is_tombstoned(&p));
        p[2].nullified = true;
        assert!(!is_tombstoned(&p));
    }
}
