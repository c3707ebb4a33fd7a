//! Messages that came before, by their names, for as long as they may come again.

use std::collections::{HashSet, VecDeque};

use super::message::MessageId;
use crate::domain::time::Tau;

/// See the module's words.
#[derive(Debug, Default)]
pub(super) struct Seen {
    ids: HashSet<MessageId>,
    order: VecDeque<(Tau, MessageId)>,
}

impl Seen {
    /// Whether this one comes for the first time within `expire_ns`; of more than `max` the oldest is forgotten.
    pub(super) fn is_new(&mut self, id: &MessageId, now: Tau, expire_ns: i64, max: usize) -> bool {
        let is_over = |(at, _): &mut (Tau, MessageId)| now.since(*at) > expire_ns;
        while let Some((_, old)) = self.order.pop_front_if(is_over) {
            self.ids.remove(&old);
        }
        if !self.ids.insert(id.clone()) {
            return false;
        }
        self.order.push_back((now, id.clone()));
        if self.order.len() > max
            && let Some((_, old)) = self.order.pop_front()
        {
            self.ids.remove(&old);
        }
        true
    }
}
