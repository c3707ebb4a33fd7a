//! What a connection of a node has to do with choosing peers: it is told of, and what it tells of nodes goes there and not
//! into the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::Stream;
use tokio::sync::mpsc;

use super::Guest;
use crate::domain::node_table::Inbound;
use crate::logux::Entry;
use crate::logux::peer_message::{self, BEGIN, Introduction};
use crate::ports::peer_links::{PeerLinks, PeerSeat};

/// Something for the node at the other end, beside the log.
pub(super) struct Beside(pub(super) Entry);

/// One connection.
#[derive(Clone)]
pub(super) struct PeerSide {
    links: Option<PeerLinks>,
    /// Names the connection.
    key: u64,
    /// Whether it may write, which readers may not: set when it is let in.
    may_tell: Arc<AtomicBool>,
}

impl PeerSide {
    pub(super) fn new(links: Option<PeerLinks>, key: u64) -> PeerSide {
        PeerSide { links, key, may_tell: Arc::default() }
    }

    /// This guest is let in.
    pub(super) fn admit(&self, guest: &Guest) {
        self.may_tell.store(!guest.writable.is_empty(), Ordering::Relaxed);
    }

    /// Whether it may write.
    pub(super) fn may_tell(&self) -> bool {
        self.may_tell.load(Ordering::Relaxed)
    }

    fn links(&self) -> Option<&PeerLinks> {
        self.links.as_ref().filter(|_| self.may_tell())
    }

    /// Takes what is told of nodes; whether it was that.
    pub(super) fn takes(&self, entry: &Entry) -> bool {
        let is_of_nodes = entry.kind().starts_with(BEGIN);
        if is_of_nodes
            && let Some(links) = self.links()
            && peer_message::read(entry).is_some()
        {
            links.tell(self.key, entry.clone());
        }
        is_of_nodes
    }

    /// Tells of the connection of a node that said who it is; what is to be sent to it.
    pub(super) fn enter(&self, who: Introduction) -> Option<(PeerSeat, impl Stream<Item = Beside> + use<>)> {
        let who = Inbound { node_id: who.node_id, address: who.address, is_lasting: who.is_lasting };
        let (seat, waiting) = self.links()?.enter(self.key, who);
        let next = |mut waiting: mpsc::Receiver<Entry>| async move { Some((Beside(waiting.recv().await?), waiting)) };
        Some((seat, futures_util::stream::unfold(waiting, next)))
    }
}
