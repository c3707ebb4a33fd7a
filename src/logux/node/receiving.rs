//! Taking in the other side's actions: kept first, confirmed then, in the order in which they came.

use super::Node;
use crate::logux::effect::{Close, Effect};
use crate::logux::entry::{Entry, Meta};
use crate::logux::json::Json;

/// What has come and is not done yet.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Pending {
    /// Actions that are being kept; to be confirmed with this number.
    Sync(u64),
    /// The other side has sent everything up to this number.
    Mark(u64),
    /// The same, and everything from before the connection.
    Ready(u64),
}

impl Node {
    /// Whether all ids name something.
    pub(super) fn sync_message(&mut self, added: u64, said: Vec<(Json, Meta)>) -> bool {
        let Some(remote) = &self.remote else { return true };
        let mut entries: Vec<Entry> = Vec::with_capacity(said.len());
        for (action, meta) in said {
            let Some(entry) = remote.terms.read(action, &meta, &remote.node_id) else { return false };
            let entry = (remote.rights.in_map)(entry);
            if (remote.rights.in_filter)(&entry) {
                entries.push(entry);
            }
        }
        self.pending.push_back(Pending::Sync(added));
        if entries.is_empty() && self.pending.len() == 1 {
            self.settle(true);
        } else {
            // Also when there is nothing to keep: the answers come in the order of the questions.
            self.effects.push(Effect::Keep(entries));
        }
        true
    }

    /// The oldest [`Effect::Keep`] was carried out, or could not be.
    pub fn on_kept(&mut self, is_kept: bool) -> Vec<Effect> {
        if self.is_open {
            self.settle(is_kept);
        }
        self.take_effects()
    }

    fn settle(&mut self, is_kept: bool) {
        let Some(Pending::Sync(added)) = self.pending.pop_front() else { return };
        if !is_kept {
            return self.close(Close::NotKept);
        }
        self.set_received(added);
        self.send_number("synced", added);
        while let Some(mark) = self.pending.front().copied().filter(|next| !matches!(next, Pending::Sync(_))) {
            self.pending.pop_front();
            self.marked(mark);
        }
    }

    /// The other side told where it stands: true only when all that it sent before is kept.
    pub(super) fn mark_received(&mut self, mark: Pending) {
        if self.pending.is_empty() {
            self.marked(mark);
        } else if self.pending.back() != Some(&mark) {
            self.pending.push_back(mark);
        }
    }

    fn marked(&mut self, mark: Pending) {
        match mark {
            Pending::Mark(added) | Pending::Sync(added) => self.set_received(added),
            Pending::Ready(added) => {
                self.set_received(added);
                self.is_remote_ready = true;
                self.check_synchronized();
            }
        }
    }

    fn set_received(&mut self, added: u64) {
        if added > self.last_received {
            self.last_received = added;
            self.effects.push(Effect::Received(added));
        }
    }
}
