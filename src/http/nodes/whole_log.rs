//! The log as nodes exchange it: all of it that one may read, and what the other side may write is kept.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::stream::LocalBoxStream;
use futures_util::{Stream, StreamExt};

use super::super::live::changes;
use super::exchange::{Exchange, options, user_of};
use super::peer::{Beside, PeerSide};
use super::{Guest, NodesState, Present};
use crate::logux::options::Rights;
use crate::logux::peer_message::{Introduction, LogTold};
use crate::logux::{Credentials, Entry, Json, Options, Page};
use crate::ports::log_book::{LogBook, LogError};
use crate::ports::peer_links::PeerSeat;
use crate::publish::UtcNow;

/// See the module's words.
pub(super) struct WholeLog {
    nodes: Arc<NodesState>,
    utc_now_ms: UtcNow,
    peer: PeerSide,
    peer_seat: Option<PeerSeat>,
}

impl WholeLog {
    pub(super) fn new(nodes: Arc<NodesState>, utc_now_ms: UtcNow) -> WholeLog {
        let peer = PeerSide::new(nodes.door.peers.clone(), nodes.next_key());
        WholeLog { nodes, utc_now_ms, peer, peer_seat: None }
    }

    /// Tells of a node that is in for the first time since the start: of one that says its name, or else of its user.
    fn tell_first(&self, node_id: &str, who: Option<&Introduction>) {
        let user = || node_id.split(':').next().unwrap_or_default();
        let Some(event) = self.nodes.peers.meet(who.map_or_else(user, |who| &who.node_id)) else { return };
        let log = self.nodes.door.log.clone();
        let row = log.own_event(event, &format!("{node_id} is in"), (self.utc_now_ms)());
        actix_rt::spawn(async move {
            if let Err(error) = log.append_rows(vec![row]).await {
                tracing::warn!(%error, "other nodes are not told who is in");
            }
        });
    }
}

impl Exchange for WholeLog {
    type Found = Page;

    fn options(&self) -> Options {
        let (admit, log) = (Arc::clone(&self.nodes.door.admit), self.nodes.door.log.clone());
        let peer = self.peer.clone();
        let authenticate = Arc::new(move |who: Credentials<'_>| {
            let user = user_of(&who)?;
            let guest = admit(user, who.token?)?;
            peer.admit(&guest);
            Some(rights(&guest, &log, &peer))
        });
        options(&self.nodes.door, self.nodes.door.node_id.clone(), self.head(), authenticate)
    }

    fn clients(&self) -> &Present {
        &self.nodes.present
    }

    fn let_in(&mut self, node_id: &str, headers: Option<&Json>) -> Option<LocalBoxStream<'static, Beside>> {
        let who = headers.and_then(Introduction::read);
        let is_us = who.as_ref().is_some_and(|who| who.node_id == self.nodes.door.node_id);
        // Whoever only asks or tests is not in; whoever may not write is known by its user alone.
        if !is_us && who.as_ref().is_none_or(|who| who.is_lasting) {
            self.tell_first(node_id, who.as_ref().filter(|_| self.peer.may_tell()));
        }
        let (seat, beside) = self.peer.enter(who?)?;
        self.peer_seat = Some(seat);
        Some(beside.boxed_local())
    }

    fn headers(&self, said: Option<&Json>) -> Option<Json> {
        let who = said.and_then(Introduction::read)?;
        let log = &self.nodes.door.log;
        who.is_lasting.then(|| LogTold { begun: log.begun_ms(), last: *log.head().borrow() }.headers())
    }

    fn left(&mut self) {
        self.peer_seat = None;
    }

    fn keep(&mut self, entries: Vec<Entry>) -> impl Future<Output = bool> + 'static {
        let log = self.nodes.door.log.clone();
        async move {
            let kept = log.append(entries).await;
            if let Err(error) = &kept {
                tracing::warn!(%error, "what a node sent is not kept; it will send it again");
            }
            kept.is_ok()
        }
    }

    fn read(&mut self, after: u64, limit: usize) -> impl Future<Output = Result<Page, LogError>> + 'static {
        let log = self.nodes.door.log.clone();
        async move { log.page(after, limit).await }
    }

    fn page(&mut self, found: Page, _: usize) -> Page {
        found
    }

    fn head(&self) -> u64 {
        u64::try_from(*self.nodes.door.log.head().borrow()).unwrap_or(0)
    }

    fn news(&self) -> impl Stream<Item = ()> + 'static {
        changes(self.nodes.door.log.head(), Duration::ZERO)
    }
}

fn rights(guest: &Guest, log: &LogBook, peer: &PeerSide) -> Rights {
    let (reader, writer, log, peer) = (guest.clone(), guest.clone(), log.clone(), peer.clone());
    Rights {
        out_filter: Arc::new(move |entry: &Entry| reader.may_read(entry.kind())),
        in_filter: Arc::new(move |entry: &Entry| {
            if peer.takes(entry) {
                return false;
            }
            let may_write = writer.may_write(entry.kind());
            log.counts().refused.fetch_add(u64::from(!may_write), Ordering::Relaxed);
            may_write
        }),
        ..Rights::all()
    }
}
