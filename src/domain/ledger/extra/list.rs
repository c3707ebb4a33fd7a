//! Which of the operations that only mirrors have are shown: bounded, newest first.

use super::{Foreigns, Sighting};
use crate::domain::interval::ExtraState;
use crate::domain::op::OpKey;

/// Keys that are listed: so many decided ones, and so many that are not.
const LISTED_MAX: usize = 2_000;

impl Foreigns {
    /// The keys that were decided latest, newest first.
    pub(in crate::domain::ledger) fn recent(&self) -> impl Iterator<Item = &Sighting> {
        let find = |(key, mirror): &(OpKey, u16)| self.get(key, *mirror);
        self.recent.iter().rev().filter_map(find).filter(|s| s.state != ExtraState::Pending)
    }

    /// Keys that are not decided, newest first, at most as many as decided ones are listed.
    pub(in crate::domain::ledger) fn pending(&self) -> impl Iterator<Item = &Sighting> {
        let newest = self.open.iter().rev().take(LISTED_MAX);
        newest.filter_map(|(_, mirror, key)| self.get(key, *mirror)).filter(|s| s.state == ExtraState::Pending)
    }

    /// Whether some keys are on neither list.
    pub(in crate::domain::ledger) fn is_list_cut(&self) -> bool {
        self.recent.len() == LISTED_MAX || self.open.len() > LISTED_MAX
    }

    /// Puts a decided key on the list.
    pub(in crate::domain::ledger) fn list(&mut self, s: &Sighting) {
        let entry = (s.key, s.mirror);
        if !self.recent.contains(&entry) {
            if self.recent.len() == LISTED_MAX {
                self.recent.pop_front();
            }
            self.recent.push_back(entry);
        }
    }
}
