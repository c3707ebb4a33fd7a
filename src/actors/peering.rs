//! Choosing peers: obeys the table of nodes, connects to the uplink, tests the others, and carries what nodes tell each
//! other of nodes.
//!
//! The log is the only way of actions: what comes from the uplink is appended to it, whoever is connected to us reads it from
//! there by its cursor, and the other way round; its ids see to it that everything is there once.

mod access;
mod board;
mod link;
mod news;
mod short;

pub use board::PeeringBoard;

use self::access::{Access, announced};
use self::link::LinkTask;
use self::news::{News, Told, Which};
use self::short::Errand;
use crate::config::Nodes;
use crate::domain::node_event::OwnEvent;
use crate::domain::node_table::constants::Constants;
use crate::domain::node_table::effect::{Effect, Link};
use crate::domain::node_table::message::{Message, Says};
use crate::domain::node_table::uplink::End;
use crate::domain::node_table::{Inbound, NodeTable, Own};
use crate::logux::peer_message::{self, Introduction};
use crate::logux::{Entry, State};
use crate::ports::clock::Clock;
use crate::ports::dial::Dialer;
use crate::ports::log_book::LogBook;
use crate::ports::peer_links::PeerLinks;
use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Recipient, StreamHandler, WrapFuture, fut,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Mailbox places.
const MAILBOX: usize = 64;
/// How often the table is told that time passes.
const TICK: Duration = Duration::from_millis(250);
/// What waits to be sent to the uplink beside the log.
const BESIDE_MAX: usize = 256;

/// What choosing peers needs.
#[derive(Clone)]
pub struct PeeringDoors {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Opens connections.
    pub dialer: Arc<dyn Dialer>,
    /// The log.
    pub log: LogBook,
    /// Who is connected to us.
    pub links: PeerLinks,
    /// Where it is shown how things stand.
    pub board: PeeringBoard,
    /// Ends everything.
    pub stop: CancellationToken,
}

/// The connection to the uplink, or the attempt at one.
struct Uplink {
    number: u64,
    beside: mpsc::Sender<Entry>,
    /// Ends it when it is dropped.
    _stop: DropGuard,
}

/// The actor.
pub struct Peering {
    nodes: Arc<Nodes>,
    doors: PeeringDoors,
    table: NodeTable,
    uplink: Option<Uplink>,
    /// Connections to uplinks so far.
    number: u64,
    /// The name of the last uplink that let us in.
    last_uplink: Option<String>,
    /// How the exchange with the uplink stands.
    state: State,
    /// The last uplink has our log up to this number.
    sent: u64,
    /// Why the last connection ended.
    last_error: Option<String>,
    inbound: BTreeMap<u64, Inbound>,
    to: Option<Recipient<News>>,
}

/// Who we are, as a node says that connects.
fn introduction(nodes: &Nodes, is_lasting: bool) -> Introduction {
    let address = nodes.address.as_ref().map(ToString::to_string);
    Introduction { node_id: nodes.id.clone(), address, is_lasting }
}

impl Peering {
    /// Begins when it is started.
    #[must_use]
    pub fn new(nodes: Arc<Nodes>, doors: PeeringDoors) -> Peering {
        let own = Own { node_id: nodes.id.clone(), address: nodes.address.as_ref().map(ToString::to_string) };
        let initial: Vec<String> = nodes.peers.iter().map(|peer| peer.url.to_string()).collect();
        let defrag_wait_period_ns = i64::try_from(nodes.defragment.as_nanos()).unwrap_or(i64::MAX);
        let constants = Constants { defrag_wait_period_ns, ..Constants::default() };
        let (seed, now) = (rand::random(), doors.clock.now());
        let table = NodeTable::new(own, &initial, nodes.is_announced_allowed, constants, seed, now);
        Peering {
            nodes,
            doors,
            table,
            uplink: None,
            number: 0,
            last_uplink: None,
            state: State::Disconnected,
            sent: 0,
            last_error: None,
            inbound: BTreeMap::new(),
            to: None,
        }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = self.doors.clock.now();
        if self.table.next_at() <= now {
            let effects = self.table.tick(now);
            self.run(effects, ctx);
        }
        self.show();
    }

    fn run(&mut self, effects: Vec<Effect>, ctx: &mut Context<Self>) {
        for effect in effects {
            match effect {
                Effect::Connect(address) => self.connect(address),
                Effect::Disconnect => self.disconnect(),
                Effect::Test(address) => {
                    let Some(errand) = self.errand(&address) else { continue };
                    ctx.spawn(errand.test().into_actor(self).map(move |tested, act, ctx| {
                        let effects = act.table.tested(&address, tested, act.doors.clock.now());
                        act.run(effects, ctx);
                    }));
                }
                Effect::Send(to, message) => self.send(to, &message),
                Effect::Remove(address) => tracing::info!(%address, "a node is not heard of any more"),
            }
        }
    }

    fn connect(&mut self, address: String) {
        let Some((access, to)) = Access::of(&self.nodes, &address).zip(self.to.clone()) else { return };
        self.number += 1;
        tracing::debug!(%address, "connecting to an uplink");
        let stop = self.doors.stop.child_token();
        let (beside, waiting) = mpsc::channel(BESIDE_MAX);
        let task = LinkTask {
            address,
            access,
            nodes: Arc::clone(&self.nodes),
            doors: self.doors.clone(),
            number: self.number,
            to,
            beside: waiting,
            stop: stop.clone(),
        };
        self.uplink = Some(Uplink { number: self.number, beside, _stop: stop.drop_guard() });
        actix_rt::spawn(task.run());
    }

    fn disconnect(&mut self) {
        (self.uplink, self.state) = (None, State::Disconnected);
    }

    fn errand(&self, address: &str) -> Option<Errand> {
        let access = Access::of(&self.nodes, address)?;
        let (nodes, doors) = (Arc::clone(&self.nodes), self.doors.clone());
        Some(Errand { address: address.to_owned(), access, nodes, doors })
    }

    fn send(&mut self, to: Link, message: &Message) {
        let entry = peer_message::write(message, self.doors.clock.utc_ms());
        match to {
            Link::Uplink => {
                let is_sent = self.uplink.as_ref().is_some_and(|uplink| uplink.beside.try_send(entry).is_ok());
                if !is_sent {
                    tracing::debug!("the uplink takes nothing");
                }
            }
            Link::Inbound(link) => self.doors.links.send(link, entry),
            Link::Errand(address) => {
                if let Some((errand, to)) = self.errand(&address).zip(self.to.clone()) {
                    actix_rt::spawn(errand.say(entry, to));
                }
            }
        }
    }

    /// Something was told of nodes. An address that may not be connected to is as good as none.
    fn received(&mut self, from: &Link, entry: &Entry, ctx: &mut Context<Self>) {
        let Some(mut message) = peer_message::read(entry) else { return };
        if let Says::DistantNode { address, .. } = &mut message.says {
            *address = address.take().and_then(|text| announced(&self.nodes, &text));
        }
        let effects = self.table.received(from, &message, self.doors.clock.now());
        self.run(effects, ctx);
    }

    /// Takes in who has come and gone, and what they told.
    fn look(&mut self, ctx: &mut Context<Self>) {
        let (news, now) = (self.doors.links.take(), self.doors.clock.now());
        for link in self.inbound.keys().filter(|link| !news.links.contains_key(link)) {
            self.table.inbound_closed(*link);
        }
        let known = std::mem::replace(&mut self.inbound, news.links);
        let new: Vec<(u64, Inbound)> = self.inbound.iter().map(|(link, who)| (*link, who.clone())).collect();
        for (link, mut who) in new.into_iter().filter(|(link, _)| !known.contains_key(link)) {
            who.address = who.address.and_then(|text| announced(&self.nodes, &text));
            let effects = self.table.inbound_opened(link, who, now);
            self.run(effects, ctx);
        }
        for (link, entry) in news.told {
            self.received(&Link::Inbound(link), &entry, ctx);
        }
    }

    /// Something of the present connection to the uplink.
    fn of_uplink(&mut self, told: Told, ctx: &mut Context<Self>) {
        let now = self.doors.clock.now();
        let Some(address) = self.table.uplink().address().map(str::to_owned) else { return };
        let effects = match told {
            Told::Opened(node_id) => {
                tracing::info!(%address, node = %node_id, "an uplink let us in");
                let effects = self.table.uplink_opened(&address, &node_id, now);
                self.tell_changed(&address, node_id);
                effects
            }
            Told::Heard => {
                self.table.uplink_heard(now);
                return;
            }
            Told::Pong(rtt_us) => {
                self.table.uplink_pong(rtt_us, now);
                return;
            }
            Told::State(state) => {
                self.state = state;
                return;
            }
            Told::Sent(number) => {
                self.sent = number;
                return;
            }
            Told::Beside(entry) => return self.received(&Link::Uplink, &entry, ctx),
            Told::Ended(end, why) => {
                self.disconnect();
                if matches!(end, End::Refused(_)) {
                    tracing::warn!(%address, %why, "a peer will never let us in; it is not asked again");
                } else {
                    tracing::info!(%address, %why, "the connection to the uplink ended");
                }
                self.last_error = Some(why);
                self.table.uplink_ended(&address, end, now)
            }
        };
        self.run(effects, ctx);
    }

    /// Tells other nodes of an uplink that is another than the last.
    fn tell_changed(&mut self, address: &str, node_id: String) {
        if !self.table.uplink().is_open() || self.last_uplink.as_ref() == Some(&node_id) {
            return;
        }
        let log = self.doors.log.clone();
        // What follows the path may be a secret.
        let address = address.split(['?', '#']).next().unwrap_or_default();
        let message = format!("{node_id} at {address}");
        let row = log.own_event(OwnEvent::UplinkChanged, &message, self.doors.clock.utc_ms());
        actix_rt::spawn(async move {
            if let Err(error) = log.append_rows(vec![row]).await {
                tracing::warn!(%error, "other nodes are not told of another uplink");
            }
        });
        self.last_uplink = Some(node_id);
    }

    fn show(&self) {
        let is_behind = u64::try_from(*self.doors.log.head().borrow()).unwrap_or(0) > self.sent;
        let state = match self.state {
            State::Disconnected if is_behind => "wait",
            State::Disconnected => "disconnected",
            State::Connecting => "connecting",
            State::Sending => "sending",
            State::Synchronized => "synchronized",
        };
        let now = (self.doors.clock.now(), self.doors.clock.utc_ms());
        self.doors.board.show(&self.table, state, self.last_error.as_deref(), self.doors.links.let_go(), now);
    }
}

impl Actor for Peering {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.to = Some(ctx.address().recipient());
        ctx.run_interval(TICK, Self::tick);
        let links = self.doors.links.clone();
        ctx.add_stream(futures_util::stream::unfold(links, |links| async move {
            links.changed().await;
            Some((LinksChanged, links))
        }));
        let stopped = fut::wrap_future::<_, Self>(self.doors.stop.clone().cancelled_owned());
        ctx.spawn(stopped.map(|(), act, ctx| {
            act.disconnect();
            ctx.stop();
        }));
        // Whoever was connected before this one began.
        self.look(ctx);
        self.show();
    }
}

/// Who is connected to us has changed, or something was told.
struct LinksChanged;

impl StreamHandler<LinksChanged> for Peering {
    fn handle(&mut self, _: LinksChanged, ctx: &mut Self::Context) {
        self.look(ctx);
    }
}

impl Handler<News> for Peering {
    type Result = ();

    fn handle(&mut self, news: News, ctx: &mut Self::Context) {
        match news.of {
            Which::Uplink(number) if self.uplink.as_ref().is_some_and(|uplink| uplink.number == number) => {
                self.of_uplink(news.told, ctx);
            }
            // Of one that was left.
            Which::Uplink(_) => {}
            Which::Errand(address) => match news.told {
                Told::Opened(node_id) => self.table.meet(&address, &node_id),
                Told::Beside(entry) => self.received(&Link::Errand(address), &entry, ctx),
                _ => {}
            },
        }
    }
}
