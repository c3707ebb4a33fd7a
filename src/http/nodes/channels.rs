//! The channels of npm's `@logux/client`: what a viewer is subscribed to is read off the finished pages and off the log.

use std::sync::{Arc, OnceLock};

use futures_util::Stream;
use futures_util::stream::{self, LocalBoxStream};

use super::super::live::{BATCH_GAP, changes};
use super::super::sockets::Seat;
use super::super::state::HttpState;
use super::exchange::{Exchange, options, user_of};
use super::peer::Beside;
use super::{Guest, NodesDoor, NodesState, Present};
use crate::domain::time::rfc3339_ms;
use crate::logux::channels::{Channel, Channels, Shown, Sight, Wanted};
use crate::logux::options::Rights;
use crate::logux::{Credentials, Entry, Json, Options, Page};
use crate::ports::log_book::LogError;
use crate::publish::{Pages, UtcNow};

/// Actions of each type of which the state of `nodes` is made.
const NEWEST_MAX: usize = 256;

/// Who a viewer is, once it is in, and what it can see.
struct Viewer {
    nodes: Arc<NodesState>,
    pages: Arc<Pages>,
    guest: Arc<OnceLock<Guest>>,
}

/// See the module's words.
pub(super) struct Viewing {
    viewer: Viewer,
    utc_now_ms: UtcNow,
    /// Our name in this connection.
    node_id: String,
    /// The number before the first of this connection.
    begin: u64,
    channels: Option<Channels>,
    /// Counts it among the viewers.
    _seat: Seat,
}

impl Viewing {
    /// A viewer that is not in yet.
    pub(super) fn new(nodes: Arc<NodesState>, state: &HttpState, seat: Seat) -> Viewing {
        let pages = Arc::clone(&state.pages);
        Viewing {
            node_id: format!("{}:{}:{}", nodes.door.node_id, pages.snapshot_id(), nodes.next_key()),
            // Numbers grow from one connection of a client to the next.
            begin: u64::try_from(state.now_ms()).unwrap_or(0),
            viewer: Viewer { nodes, pages, guest: Arc::default() },
            utc_now_ms: state.utc_clock(),
            channels: None,
            _seat: seat,
        }
    }
}

/// What someone may see: with a token what its user may read, without one what everyone may, under a name that no token has.
fn guest(door: &NodesDoor, who: &Credentials<'_>) -> Option<Guest> {
    let user = user_of(who)?;
    match who.token {
        Some(token) => (door.admit)(user, token),
        None => (!door.users.contains(user) && !door.public.readable.is_empty()).then(|| door.public.clone()),
    }
}

impl Exchange for Viewing {
    type Found = Option<Page>;

    fn options(&self) -> Options {
        let (nodes, known) = (Arc::clone(&self.viewer.nodes), Arc::clone(&self.viewer.guest));
        let authenticate =
            Arc::new(move |who: Credentials<'_>| known.set(guest(&nodes.door, &who)?).ok().map(|()| Rights::all()));
        options(&self.viewer.nodes.door, self.node_id.clone(), self.begin, authenticate)
    }

    fn clients(&self) -> &Present {
        &self.viewer.nodes.viewers
    }

    fn let_in(&mut self, node_id: &str, _: Option<&Json>) -> Option<LocalBoxStream<'static, Beside>> {
        self.channels = Some(Channels::new(self.node_id.clone(), node_id, self.begin));
        None
    }

    fn keep(&mut self, entries: Vec<Entry>) -> impl Future<Output = bool> + 'static {
        let is_taken = match &mut self.channels {
            Some(channels) => entries.into_iter().all(|entry| channels.ask(entry)),
            None => false,
        };
        std::future::ready(is_taken)
    }

    fn read(&mut self, _: u64, limit: usize) -> impl Future<Output = Result<Option<Page>, LogError>> + 'static {
        let wanted = self.channels.as_ref().and_then(|channels| channels.wanted(&self.viewer));
        let log = self.viewer.nodes.door.log.clone();
        async move {
            match wanted {
                None => Ok(None),
                Some(Wanted::After(number)) => log.page(number, limit).await.map(Some),
                // Whoever asked is told that it cannot be read.
                Some(Wanted::Newest) => {
                    let found = log.newest_of(Channel::Nodes.kinds(), NEWEST_MAX).await;
                    Ok(found.inspect_err(|error| tracing::warn!(%error, "a viewer gets nothing of the log")).ok())
                }
            }
        }
    }

    fn page(&mut self, found: Option<Page>, limit: usize) -> Page {
        let utc_ms = (self.utc_now_ms)();
        match &mut self.channels {
            Some(channels) => channels.page(limit, utc_ms, &self.viewer, found.as_ref()),
            None => Page { entries: Vec::new(), through: self.begin },
        }
    }

    fn head(&self) -> u64 {
        self.channels.as_ref().map_or(self.begin, |channels| channels.head(&self.viewer))
    }

    fn news(&self) -> impl Stream<Item = ()> + 'static {
        let log = changes(self.viewer.nodes.door.log.head(), BATCH_GAP);
        stream::select(changes(self.viewer.pages.changes(), BATCH_GAP), log)
    }
}

impl Sight for Viewer {
    fn may_read(&self, kind: &str) -> bool {
        self.guest.get().is_some_and(|guest| guest.may_read(kind))
    }

    fn revision(&self, channel: &Channel) -> Option<u64> {
        if *channel == Channel::Nodes {
            return u64::try_from(*self.nodes.door.log.head().borrow()).ok();
        }
        self.pages.get(&channel.name()).map(|page| page.revision())
    }

    fn state(&self, channel: &Channel) -> Option<Shown> {
        let page = self.pages.get(&channel.name())?.load_full();
        let data = std::str::from_utf8(page.data()).ok()?;
        Some(Shown {
            revision: page.revision,
            generated_at: rfc3339_ms(page.generated_at_ms),
            data: Json::parse(data).ok()?,
        })
    }
}
