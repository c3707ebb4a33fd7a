//! What the primary listed in its audit logs and may take back.

use crate::domain::audit_log::LogEntry;
use crate::domain::cid::Cid;
use std::collections::{HashSet, VecDeque};

/// CIDs that are remembered.
const LISTED_MAX: usize = 65_536;

/// CIDs that the primary listed once, oldest forgotten first.
#[derive(Debug, Default)]
pub(super) struct Listed {
    cids: HashSet<Cid, foldhash::fast::RandomState>,
    order: VecDeque<Cid>,
}

impl Listed {
    pub(super) fn has(&self, cid: &Cid) -> bool {
        self.cids.contains(cid)
    }

    pub(super) fn add_all(&mut self, log: &[LogEntry]) {
        for entry in log {
            self.add(entry.cid);
        }
    }

    fn add(&mut self, cid: Cid) {
        if self.cids.insert(cid) {
            self.order.push_back(cid);
        }
        if self.order.len() > LISTED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.cids.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_and_no_more() {
        let cid = |n: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
            Cid(bytes)
        };
        let mut listed = Listed::default();
        for n in 0..=LISTED_MAX {
            listed.add(cid(n));
            listed.add(cid(n));
        }
        assert!(!listed.has(&cid(0)) && listed.has(&cid(1)) && listed.has(&cid(LISTED_MAX)));
        assert_eq!((listed.cids.len(), listed.order.len()), (LISTED_MAX, LISTED_MAX));
    }
}
