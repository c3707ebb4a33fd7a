//! Sending our log: one cursor walks it by number, old and new alike, with few batches unconfirmed.

use super::{Node, Page};
use crate::logux::effect::{Effect, State};
use crate::logux::entry::Entry;
use crate::logux::json::Json;
use crate::logux::message::Protocol;

/// Actions of one message.
pub const BATCH: usize = 100;
/// Batches that may be on their way unconfirmed.
const UNCONFIRMED_MAX: usize = 4;

impl Node {
    /// Our log has grown; `head` is its last number.
    pub fn on_grown(&mut self, head: u64) -> Vec<Effect> {
        self.head = self.head.max(head);
        self.walk();
        self.take_effects()
    }

    /// Sends an action that is in no log, for the other side of this connection alone.
    pub fn send_beside(&mut self, entry: &Entry) -> Vec<Effect> {
        if let Some(remote) = &self.remote {
            let (action, meta) = remote.terms.write(entry, &self.options.node_id);
            // No number of the log: that the other side has it moves nothing.
            self.send(&Json::Array(vec![Json::text("sync"), Json::from(0), action, meta]));
        }
        self.take_effects()
    }

    /// What [`Effect::Read`] asked for.
    pub fn on_page(&mut self, page: Page) -> Vec<Effect> {
        if !std::mem::take(&mut self.is_reading) {
            return Vec::new();
        }
        self.cursor = self.cursor.max(page.through);
        self.send_batch(page.entries);
        self.walk();
        self.take_effects()
    }

    /// Asks for what comes next, as far as it may be sent.
    pub(super) fn walk(&mut self) {
        if self.remote.is_none() || self.is_reading {
            return;
        }
        if self.cursor >= self.head {
            self.send_ready();
            self.check_synchronized();
        } else if self.unconfirmed.len() < UNCONFIRMED_MAX {
            self.is_reading = true;
            self.effects.push(Effect::Read { after: self.cursor, limit: BATCH });
        }
    }

    fn send_batch(&mut self, entries: Vec<Entry>) {
        let Some(remote) = &self.remote else { return };
        let mut message = vec![Json::text("sync"), Json::Null];
        let mut last = 0;
        for entry in entries {
            // What came from the other side it has; unless it has nothing at all, and may have lost it.
            let is_echo = entry.from.as_deref() == Some(&remote.node_id)
                && (remote.synced > 0 || entry.added > remote.head_before);
            if is_echo || !(remote.rights.out_filter)(&entry) {
                continue;
            }
            last = last.max(entry.added);
            let entry = (remote.rights.out_map)(entry);
            let (action, meta) = remote.terms.write(&entry, &self.options.node_id);
            message.extend([action, meta]);
        }
        if message.len() > 2 {
            if let Some(added) = message.get_mut(1) {
                *added = Json::from(last as i64);
            }
            self.unconfirmed.push_back(last);
            self.set_state(State::Sending);
            self.send(&Json::Array(message));
        }
    }

    fn send_ready(&mut self) {
        let is_seven = self.protocol == Some(Protocol::Seven);
        if is_seven && !self.is_ready_sent {
            self.is_ready_sent = true;
            self.send_number("ready", self.cursor);
        }
    }

    pub(super) fn synced_message(&mut self, added: u64) {
        while self.unconfirmed.front().is_some_and(|sent| *sent <= added) {
            self.unconfirmed.pop_front();
        }
        let added = added.min(self.cursor);
        if added > self.last_sent {
            self.last_sent = added;
            self.effects.push(Effect::Sent(added));
        }
        self.walk();
    }

    pub(super) fn check_synchronized(&mut self) {
        let is_remote_ready = self.is_remote_ready || self.protocol == Some(Protocol::Five);
        let is_sent = self.unconfirmed.is_empty() && !self.is_reading && self.cursor >= self.head;
        if self.remote.is_some() && is_sent && is_remote_ready {
            self.set_state(State::Synchronized);
        }
    }
}
