//! A whole log of one DID, checked from its first operation on.

use super::chain::{Chain, NoPlace};
use super::operation::Operation;
use super::rule::{Rule, Violation};
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use std::borrow::Cow;

/// One entry of a log as a host serves it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// Whose operation it is said to be.
    pub did: Did,
    /// The CID that is claimed; none where nothing is claimed, or where the claim was compared before.
    pub cid: Option<Cid>,
    /// The signed operation as JSON.
    pub operation: Cow<'a, str>,
    /// `createdAt`, milliseconds since 1970.
    pub created_ms: i64,
    /// Whether the host says that it is nullified.
    pub nullified: bool,
}

/// What checking a log came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogCheck {
    /// Broken rules by the place of the entry, in the order of the log; at most one an entry.
    pub violations: Vec<(usize, Violation)>,
    /// What `nullified` of each entry must be; false for those that break a rule.
    pub nullified: Vec<bool>,
    /// The place of each signer among the rotation keys that were allowed to sign; none for entries that break a rule.
    pub signers: Vec<Option<usize>>,
}

impl LogCheck {
    /// Whether no rule is broken.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.violations.is_empty()
    }
}

/// Checks a log of `did`, oldest entry first, nullified ones included.
///
/// An entry that breaks a rule counts as absent, and what follows it breaks [`Rule::PrevInvalid`]. The flags `nullified`
/// are compared only where nothing else is wrong, for one broken entry changes what the others must say.
#[must_use]
pub fn check_log(did: Did, entries: &[Entry<'_>]) -> LogCheck {
    let mut chain = Chain::default();
    let mut check = LogCheck::default();
    let mut cids = Vec::with_capacity(entries.len());
    for (place, entry) in entries.iter().enumerate() {
        let read = if entry.did == did {
            Operation::read(&entry.operation)
        } else {
            Err(Violation::new(Rule::DidMismatch, format!("an entry of {}", entry.did)))
        };
        let cid = read.as_ref().map_or(entry.cid, |op| Some(op.cid));
        cids.push(cid);
        let result = read.and_then(|op| {
            op.check_identity(did, entry.cid)?;
            add(&mut chain, &op, entry.created_ms)
        });
        check.signers.push(result.as_ref().ok().copied());
        if let Err(violation) = result {
            if violation.rule != Rule::Repeated {
                cid.into_iter().for_each(|cid| chain.refuse(cid));
            }
            check.violations.push((place, violation));
        }
    }
    let is_nullified = |cid: &Option<Cid>| cid.is_some_and(|cid| chain.is_nullified(cid));
    check.nullified = cids.iter().map(is_nullified).collect();
    if check.is_valid() {
        let flags = check.nullified.iter().zip(entries).enumerate();
        let wrong = flags.filter(|(_, (is_nullified, entry))| **is_nullified != entry.nullified);
        let violation = |entry: &Entry<'_>| {
            Violation::new(Rule::NullifiedFlag, format!("says {}, the log says {}", entry.nullified, !entry.nullified))
        };
        check.violations = wrong.map(|(place, (_, entry))| (place, violation(entry))).collect();
    }
    check
}

/// Whether an operation that the log does not list breaks the rules, as far as the log can tell: it is put where its
/// `createdAt` belongs. `None` says that nothing speaks against it, also because it follows an operation that the log does
/// not list either.
#[must_use]
pub fn is_known_invalid(extra: &Entry<'_>, log: &[Entry<'_>]) -> Option<Violation> {
    let op = match Operation::read(&extra.operation) {
        Ok(op) => op,
        Err(violation) => return Some(violation),
    };
    if let Err(violation) = op.check_identity(extra.did, extra.cid) {
        return Some(violation);
    }
    let mut chain = Chain::default();
    for entry in log.iter().filter(|entry| entry.did == extra.did && entry.created_ms <= extra.created_ms) {
        if let Ok(listed) = Operation::read(&entry.operation) {
            // What the log lists wrongly is a matter of the log: here it is as if it were not listed.
            let _ = chain.add(&listed, entry.created_ms);
        }
    }
    match chain.add(&op, extra.created_ms) {
        Err(NoPlace::Broken(violation)) => Some(violation),
        Ok(_) | Err(NoPlace::Known | NoPlace::PrevUnknown | NoPlace::Late) => None,
    }
}

fn add(chain: &mut Chain, op: &Operation, created_ms: i64) -> Result<usize, Violation> {
    let is_first = chain.is_empty();
    chain.add(op, created_ms).map_err(|why| match why {
        NoPlace::Known => Violation::of(Rule::Repeated),
        NoPlace::PrevUnknown if is_first => Violation::of(Rule::NoGenesis),
        NoPlace::PrevUnknown => Violation::of(Rule::UnknownPrev),
        NoPlace::Late => Violation::of(Rule::TimeOrder),
        NoPlace::Broken(violation) => violation,
    })
}
