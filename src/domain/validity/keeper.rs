//! Operations checked as they come, with what is remembered of their DIDs.
//!
//! What an operation follows is known while its DID was heard of lately; where it is not, only what can be checked alone is
//! checked, and the operation becomes the one that later ones are compared with. Nothing is called wrong for being
//! unknown, late, or there twice: a gap may be filled behind what came live.
//!
//! Two generations of DIDs bound the memory: when the young one is full it becomes the old one, and the old one is let go.

use super::chain::{Chain, NoPlace};
use super::operation::Operation;
use super::rule::{Rule, Violation};
use crate::domain::did::Did;
use crate::domain::op::OpKey;
use hashbrown::HashMap;

/// DIDs in one generation unless said otherwise: about 30 MB when both are full of the longest chains.
pub const DEFAULT_DIDS: usize = 8_192;
/// Operations remembered of one DID.
const LINKS_MAX: usize = 8;

/// How much of an operation could be checked.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Known {
    /// All of it: what it follows is known, or it is the first of its DID.
    Whole,
    /// What it follows is not known: form and CID only.
    Alone,
    /// It was checked before.
    Again,
}

/// What is remembered of one DID.
#[derive(Clone, Default, Debug)]
struct Kept {
    chain: Chain,
    /// The number of gaps when it was begun.
    gaps: u64,
}

/// Bounded memory of the latest operations of each DID.
pub struct Keeper {
    young: HashMap<Did, Kept>,
    old: HashMap<Did, Kept>,
    dids_per_generation: usize,
    gaps: u64,
}

impl Default for Keeper {
    fn default() -> Keeper {
        Keeper::new(DEFAULT_DIDS)
    }
}

impl Keeper {
    /// A memory of at most twice `dids_per_generation` DIDs.
    #[must_use]
    pub fn new(dids_per_generation: usize) -> Keeper {
        Keeper { young: HashMap::new(), old: HashMap::new(), dids_per_generation: dids_per_generation.max(1), gaps: 0 }
    }

    /// Notes that operations may have been published that are not checked here.
    pub fn note_gap(&mut self) {
        self.gaps += 1;
    }

    /// Checks the next operation that a source published; `operation` is its signed content as JSON.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(&mut self, key: &OpKey, created_ms: i64, operation: &str) -> Result<Known, Violation> {
        if self.kept(key.did).is_some_and(|kept| kept.chain.contains(key.cid)) {
            return Ok(Known::Again);
        }
        let result = self.check_new(key, created_ms, operation);
        if result.is_err() {
            self.remember(key.did, |kept| kept.chain.refuse(key.cid));
        }
        result
    }

    /// DIDs remembered now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn check_new(&mut self, key: &OpKey, created_ms: i64, operation: &str) -> Result<Known, Violation> {
        let op = Operation::read(operation)?;
        op.check_identity(key.did, Some(key.cid))?;
        let gaps = self.gaps;
        self.remember(key.did, |kept| {
            let is_unknown = match kept.chain.add(&op, created_ms) {
                Ok(_) | Err(NoPlace::Late) => false,
                Err(NoPlace::Known) => return Ok(Known::Again),
                Err(NoPlace::PrevUnknown) => true,
                // In a gap another operation may have nullified the one that would now be too old.
                Err(NoPlace::Broken(Violation { rule: Rule::RecoveryTooLate, .. })) if kept.gaps != gaps => true,
                Err(NoPlace::Broken(violation)) => return Err(violation),
            };
            if is_unknown {
                kept.chain.begin_at(&op, created_ms);
                kept.gaps = gaps;
            }
            Ok(if is_unknown { Known::Alone } else { Known::Whole })
        })
    }

    fn kept(&self, did: Did) -> Option<&Kept> {
        self.young.get(&did).or_else(|| self.old.get(&did))
    }

    /// Changes what is remembered of a DID; it moves to the young generation.
    fn remember<T>(&mut self, did: Did, change: impl FnOnce(&mut Kept) -> T) -> T {
        if self.young.len() >= self.dids_per_generation && !self.young.contains_key(&did) {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        let (before, gaps) = (self.old.remove(&did), self.gaps);
        let begin = || before.unwrap_or(Kept { chain: Chain::default(), gaps });
        let kept = self.young.entry(did).or_insert_with(begin);
        let result = change(kept);
        kept.chain.trim(LINKS_MAX);
        result
    }
}
