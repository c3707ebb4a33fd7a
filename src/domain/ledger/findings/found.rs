//! The findings that are held, by mirror and operation. Parts of them are shared with readers by reference count, so that
//! another one while a reader holds them copies one part.

use crate::domain::finding::Finding;
use crate::domain::op::OpKey;
use crate::domain::source::SourceIx;
use std::collections::HashMap;
use std::sync::Arc;

/// Parts: each has the findings of one in so many operations.
const PARTS: usize = 256;

/// A mirror and an operation.
type Subject = (SourceIx, OpKey);
/// The findings of some operations.
type Part = HashMap<Subject, Finding, foldhash::fast::RandomState>;

/// The findings that are held.
#[derive(Clone, Debug)]
pub struct Found {
    parts: Vec<Arc<Part>>,
}

impl Default for Found {
    fn default() -> Found {
        Found { parts: (0..PARTS).map(|_| Arc::default()).collect() }
    }
}

/// The part that has the findings of an operation.
fn part(subject: &Subject) -> usize {
    let digest = subject.1.cid.0.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    (digest % PARTS as u64) as usize
}

impl Found {
    /// What was found about an operation at a mirror.
    #[must_use]
    pub fn get(&self, subject: &Subject) -> Option<Finding> {
        self.parts.get(part(subject))?.get(subject).copied()
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Subject, &Finding)> {
        self.parts.iter().flat_map(|part| part.iter())
    }

    /// Holds a finding; tells the one that was held.
    pub(super) fn insert(&mut self, subject: Subject, finding: Finding) -> Option<Finding> {
        let part = self.parts.get_mut(part(&subject)).map(Arc::make_mut)?;
        part.insert(subject, finding)
    }

    pub(super) fn remove(&mut self, subject: &Subject) {
        if let Some(part) = self.parts.get_mut(part(subject)).map(Arc::make_mut) {
            part.remove(subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::tests::op;
    use crate::domain::time::Tau;

    #[test]
    fn another_finding_while_a_reader_holds_them_copies_one_part() {
        let mut found = Found::default();
        let subject = |i| (SourceIx::mirror(0), op(i, Tau(0)).key);
        for i in 0..1_000 {
            assert_eq!(found.insert(subject(i), Finding::DataLoss), None);
        }
        let read = found.clone();
        assert_eq!(found.insert(subject(7), Finding::StreamLoss), Some(Finding::DataLoss));
        let copied = read.parts.iter().zip(&found.parts).filter(|(a, b)| !Arc::ptr_eq(a, b)).count();
        assert_eq!((copied, read.iter().count()), (1, 1_000));
        assert_eq!(
            (read.get(&subject(7)), found.get(&subject(7))),
            (Some(Finding::DataLoss), Some(Finding::StreamLoss))
        );
        found.remove(&subject(7));
        assert_eq!((found.get(&subject(7)), found.iter().count()), (None, 999));
    }
}
