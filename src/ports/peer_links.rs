//! Where connections of nodes to the server meet whoever chooses peers: who is connected, what they tell of nodes, and the
//! way to answer.
//!
//! As many as there are sockets; what is told waits within a bound, of each and of all, beyond which it is let go and counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};

use crate::domain::node_table::Inbound;
use crate::logux::Entry;

/// What is told by all together and waits to be taken.
const TOLD_MAX: usize = 1_024;
/// What is told by one node and waits to be taken: it leaves room for the others.
const OF_LINK_MAX: usize = 64;
/// What waits to be sent to one node.
const WAITING_MAX: usize = 256;

/// A node that is connected.
struct Linked {
    who: Inbound,
    to: mpsc::Sender<Entry>,
    /// How much of what it told waits.
    told: usize,
}

/// What is there at one moment.
#[derive(Default)]
struct Now {
    links: BTreeMap<u64, Linked>,
    told: VecDeque<(u64, Entry)>,
    let_go: u64,
}

/// See the module's words.
#[derive(Clone, Default)]
pub struct PeerLinks {
    now: Arc<Mutex<Now>>,
    news: Arc<Notify>,
}

/// What came since the last look.
pub struct PeerNews {
    /// Everyone who is connected, by the number of the connection.
    pub links: BTreeMap<u64, Inbound>,
    /// What was told, in order, with the number of the connection.
    pub told: Vec<(u64, Entry)>,
}

/// A node's place, for as long as its connection lasts.
pub struct PeerSeat {
    links: PeerLinks,
    link: u64,
}

impl PeerLinks {
    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node is connected, over the connection of this number; what is to be sent to it comes out of the receiver.
    #[must_use]
    pub fn enter(&self, link: u64, who: Inbound) -> (PeerSeat, mpsc::Receiver<Entry>) {
        let (to, waiting) = mpsc::channel(WAITING_MAX);
        self.lock().links.insert(link, Linked { who, to, told: 0 });
        self.news.notify_one();
        (PeerSeat { links: self.clone(), link }, waiting)
    }

    /// A connected node told something.
    pub fn tell(&self, link: u64, entry: Entry) {
        let mut guard = self.lock();
        let now = &mut *guard;
        let has_room = now.told.len() < TOLD_MAX;
        match now.links.get_mut(&link).filter(|linked| has_room && linked.told < OF_LINK_MAX) {
            Some(linked) => {
                linked.told += 1;
                now.told.push_back((link, entry));
            }
            None => now.let_go += 1,
        }
        drop(guard);
        self.news.notify_one();
    }

    /// Sends something to a connected node; one that takes nothing gets it not.
    pub fn send(&self, link: u64, entry: Entry) {
        let mut now = self.lock();
        let is_sent = now.links.get(&link).is_none_or(|linked| linked.to.try_send(entry).is_ok());
        now.let_go += u64::from(!is_sent);
    }

    /// Waits until something has changed.
    pub async fn changed(&self) {
        self.news.notified().await;
    }

    /// What is there now; what was told is taken.
    #[must_use]
    pub fn take(&self) -> PeerNews {
        let mut now = self.lock();
        now.links.values_mut().for_each(|linked| linked.told = 0);
        let links = now.links.iter().map(|(link, linked)| (*link, linked.who.clone())).collect();
        PeerNews { links, told: now.told.drain(..).collect() }
    }

    /// How much was let go at a bound.
    #[must_use]
    pub fn let_go(&self) -> u64 {
        self.lock().let_go
    }
}

impl Drop for PeerSeat {
    fn drop(&mut self) {
        self.links.lock().links.remove(&self.link);
        self.links.news.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logux::{ActionId, Json};

    fn entry(ms: u64) -> Entry {
        let id = ActionId { ms, node: "a".to_owned(), counter: 0 };
        Entry { added: 0, id, time_ms: 0, subprotocol: None, from: None, has_more: false, action: Json::Null }
    }

    #[test]
    fn who_enters_is_there_until_the_seat_is_gone_and_what_waits_is_bounded() {
        let links = PeerLinks::default();
        let who = Inbound { node_id: "a".to_owned(), address: None, is_lasting: true };
        let (seat, mut waiting) = links.enter(7, who.clone());
        (0..WAITING_MAX as u64 + 2).for_each(|ms| links.send(7, entry(ms)));
        links.send(8, entry(1));
        assert_eq!(links.let_go(), 2);
        assert_eq!(waiting.try_recv().unwrap(), entry(0));
        assert_eq!(links.take().links, BTreeMap::from([(7, who)]));
        drop(seat);
        assert!(links.take().links.is_empty());
        links.tell(7, entry(1));
        assert_eq!((links.take().told.len(), links.let_go()), (0, 3), "nobody told it");
    }

    #[test]
    fn one_that_tells_without_end_takes_no_room_of_the_others() {
        let links = PeerLinks::default();
        let who = || Inbound { node_id: "a".to_owned(), address: None, is_lasting: true };
        let seats: Vec<_> = (0..2 * TOLD_MAX as u64).map(|link| links.enter(link, who())).collect();
        (0..TOLD_MAX as u64).for_each(|ms| links.tell(0, entry(ms)));
        links.tell(1, entry(5));
        let told = links.take().told;
        assert_eq!((told.len(), told.last()), (OF_LINK_MAX + 1, Some(&(1, entry(5)))));
        assert_eq!(links.let_go(), (TOLD_MAX - OF_LINK_MAX) as u64);
        // What was taken makes room, up to the bound of all.
        (0..seats.len() as u64).for_each(|link| links.tell(link, entry(link)));
        assert_eq!(links.take().told.len(), TOLD_MAX);
    }
}
