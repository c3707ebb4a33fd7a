//! How far each source is known, as the ledger has it: where whoever replaces a panicked part resumes.
//!
//! The collector alone writes it, behind the operations themselves, so that nothing is skipped: what a panicked part had
//! read and not told is behind the anchor.

use crate::domain::fill::Anchor;
use crate::domain::source::SourceIx;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The last operation of each source up to which the ledger misses nothing; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Anchors(Arc<Mutex<BTreeMap<SourceIx, Anchor>>>);

impl Anchors {
    /// Everything of the source up to this operation is in the ledger.
    pub fn set(&self, source: SourceIx, anchor: Anchor) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(source, anchor);
    }

    /// Where to resume the source; none when nothing of it is known.
    #[must_use]
    pub fn get(&self, source: SourceIx) -> Option<Anchor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&source).copied()
    }
}
