//! Which nodes there are, and which of them is our uplink: the rules of choosing peers, without a socket or a clock.
//!
//! A [`NodeTable`] takes in what happens at links and that time passes, and says what to do. Each node has one uplink at
//! most and serves whoever connects to it. It connects to the node that failed least and answers fastest, stays with it
//! unless another is much faster, tests the others every so often, hears of new ones from its links, and joins with nodes
//! that it knows and cannot reach.

mod announcing;
pub mod constants;
mod defragmenting;
mod dice;
pub mod effect;
pub mod message;
pub mod peer_node;
#[cfg(test)]
mod property;
mod seen;
mod selecting;
#[cfg(test)]
mod tests;
pub mod trial;
mod trying;
pub mod uplink;
#[cfg(test)]
mod world;

use std::collections::{BTreeMap, BTreeSet};

use super::time::{MS, Tau};
use constants::Constants;
use dice::Dice;
use effect::{Effect, Link};
use message::{Message, MessageId, Says};
use peer_node::{Origin, PeerNode};
use seen::Seen;
pub use trying::Tested;
use uplink::Uplink;

/// Who we are.
#[derive(Clone, Debug)]
pub struct Own {
    /// Our name.
    pub node_id: String,
    /// Where others reach us; `None` where they cannot.
    pub address: Option<String>,
}

/// A node that is connected to us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inbound {
    /// Its name.
    pub node_id: String,
    /// Where others reach it; `None` where they cannot.
    pub address: Option<String>,
    /// Whether we are its uplink; else it came to ask something.
    pub is_lasting: bool,
}

/// See the module's words.
#[derive(Debug)]
pub struct NodeTable {
    own: Own,
    constants: Constants,
    is_announced_allowed: bool,
    nodes: Vec<PeerNode>,
    uplink: Uplink,
    /// Attempts since the last that succeeded.
    attempts: u32,
    /// The node that is connected to next, whatever its failures.
    forced: Option<String>,
    /// Whether the uplink was chosen so: it joins fragments, and is not left for a faster one.
    is_bridge: bool,
    /// When we left an uplink of our own will.
    moved_at: Option<Tau>,
    inbound: BTreeMap<u64, Inbound>,
    /// Nodes that can be reached, with when that was told last.
    fragments: BTreeMap<String, Tau>,
    seen: Seen,
    last_message_ms: i64,
    clean_at: Tau,
    tell_at: Tau,
    defragment_at: Tau,
    /// Announced nodes that were not taken in.
    refused_nodes: u64,
    /// Links beyond the bound.
    refused_links: u64,
    dice: Dice,
    effects: Vec<Effect>,
}

impl NodeTable {
    /// A table of the nodes at these addresses. `is_announced_allowed`: whether others are taken in too. `seed`: of the
    /// waits that are left to chance.
    #[must_use]
    pub fn new(
        own: Own,
        initial: &[String],
        is_announced_allowed: bool,
        constants: Constants,
        seed: u64,
        now: Tau,
    ) -> NodeTable {
        let mut table = NodeTable {
            uplink: Uplink::Waiting(now.plus(constants.connect_wait_ns)),
            own,
            is_announced_allowed,
            nodes: Vec::new(),
            attempts: 0,
            forced: None,
            is_bridge: false,
            moved_at: None,
            inbound: BTreeMap::new(),
            fragments: BTreeMap::new(),
            seen: Seen::default(),
            last_message_ms: i64::MIN,
            clean_at: now,
            tell_at: now,
            // Who belongs together finds that out first.
            defragment_at: now.plus(constants.defrag_wait_period_ns),
            refused_nodes: 0,
            refused_links: 0,
            dice: Dice(seed),
            effects: Vec::new(),
            constants,
        };
        for address in initial {
            if table.node(address).is_none() {
                let mut node = PeerNode::new(address.clone(), Origin::Initial, now);
                node.is_self = table.own.address.as_ref() == Some(address);
                table.nodes.push(node);
            }
        }
        table
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Tau) -> Vec<Effect> {
        self.tick_uplink(now);
        if now >= self.clean_at {
            self.clean_at = now.plus(self.constants.clean_interval_ns);
            self.purge(now);
            self.defragment(now);
            self.test_next(now);
            self.tell(now);
        }
        self.take_effects()
    }

    /// When [`NodeTable::tick`] has something to do.
    #[must_use]
    pub fn next_at(&self) -> Tau {
        self.uplink_due().min(self.clean_at)
    }

    /// A message came. One that came before is dropped, and so is one from nobody.
    pub fn received(&mut self, from: &Link, message: &Message, now: Tau) -> Vec<Effect> {
        let (expire_ns, max) = (self.constants.message_duplicate_expire_ns, self.constants.seen_max);
        let is_of_link = self.is_there(from);
        if is_of_link && self.seen.is_new(&message.id, now, expire_ns, max) {
            match &message.says {
                Says::ConnectedNodes(_) => self.connected_nodes(from, message, now),
                Says::DistantNode { .. } => self.distant_node(from, message, now),
                Says::Defragment { nodes } => self.asked_to_defragment(from, *nodes, now),
                Says::DefragmentGreaterCount => self.told_to_move(from, now),
            }
        }
        self.take_effects()
    }

    /// The node at `address` says that this is its name.
    pub fn meet(&mut self, address: &str, node_id: &str) {
        let is_self = node_id == self.own.node_id;
        if let Some(node) = self.node_mut(address) {
            node.node_id = Some(node_id.to_owned());
            node.is_self |= is_self;
        }
    }

    /// All nodes.
    #[must_use]
    pub fn nodes(&self) -> &[PeerNode] {
        &self.nodes
    }

    /// How the uplink stands.
    #[must_use]
    pub const fn uplink(&self) -> &Uplink {
        &self.uplink
    }

    /// Nodes that are connected to us.
    pub fn inbound(&self) -> impl Iterator<Item = &Inbound> {
        self.inbound.values()
    }

    /// How many nodes can be reached through others.
    #[must_use]
    pub fn fragments(&self) -> usize {
        self.fragments.len()
    }

    /// Announced nodes that were not taken in, and links beyond the bound.
    #[must_use]
    pub const fn refused(&self) -> (u64, u64) {
        (self.refused_nodes, self.refused_links)
    }

    fn node(&self, address: &str) -> Option<&PeerNode> {
        self.nodes.iter().find(|node| node.address == address)
    }

    fn node_mut(&mut self, address: &str) -> Option<&mut PeerNode> {
        self.nodes.iter_mut().find(|node| node.address == address)
    }

    /// Whether it is connected to us.
    fn is_inbound(&self, node: &PeerNode) -> bool {
        self.inbound.values().filter(|inbound| inbound.is_lasting).any(|inbound| {
            inbound.address.as_ref() == Some(&node.address) || node.node_id.as_ref() == Some(&inbound.node_id)
        })
    }

    /// Whether there is a link with it, or one in the making.
    fn is_connected(&self, node: &PeerNode) -> bool {
        let uplink = self.uplink.address();
        let is_uplink = uplink == Some(&node.address)
            || uplink.and_then(|address| self.node(address)).is_some_and(|uplink| {
                self.uplink.is_open() && uplink.node_id.is_some() && uplink.node_id == node.node_id
            });
        is_uplink || self.is_inbound(node)
    }

    /// The names of those with whom there is a link.
    fn connected_ids(&self) -> BTreeSet<String> {
        let lasting = self.inbound.values().filter(|inbound| inbound.is_lasting);
        lasting.map(|inbound| inbound.node_id.clone()).chain(self.name_of(&Link::Uplink)).collect()
    }

    /// The links by which everyone is told something.
    fn links(&self) -> Vec<Link> {
        let uplink = self.uplink.is_open().then_some(Link::Uplink);
        uplink.into_iter().chain(self.lasting_links()).collect()
    }

    fn lasting_links(&self) -> impl Iterator<Item = Link> + use<> {
        let lasting = self.inbound.iter().filter(|(_, inbound)| inbound.is_lasting);
        lasting.map(|(link, _)| Link::Inbound(*link)).collect::<Vec<_>>().into_iter()
    }

    /// Who is at the other end of a link.
    fn name_of(&self, link: &Link) -> Option<String> {
        match link {
            Link::Uplink if !self.uplink.is_open() => None,
            Link::Uplink => self.node(self.uplink.address()?)?.node_id.clone(),
            Link::Inbound(number) => Some(self.inbound.get(number)?.node_id.clone()),
            Link::Errand(address) => self.node(address)?.node_id.clone(),
        }
    }

    /// Whether something may come by this link.
    fn is_there(&self, link: &Link) -> bool {
        match link {
            Link::Uplink => self.uplink.is_open(),
            Link::Inbound(number) => self.inbound.contains_key(number),
            Link::Errand(address) => self.node(address).is_some(),
        }
    }

    /// A message of our own.
    fn message(&mut self, says: Says, now: Tau) -> Message {
        self.last_message_ms = (now.0 / MS).max(self.last_message_ms.saturating_add(1));
        Message { id: MessageId { ms: self.last_message_ms, node_id: self.own.node_id.clone() }, says }
    }

    fn say(&mut self, to: Link, says: Says, now: Tau) {
        let message = self.message(says, now);
        self.effects.push(Effect::Send(to, message));
    }

    fn say_to_all(&mut self, says: &Says, except: &Link, now: Tau) {
        let message = self.message(says.clone(), now);
        for link in self.links().into_iter().filter(|link| link != except) {
            self.effects.push(Effect::Send(link, message.clone()));
        }
    }

    fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }
}
