//! Finding out who can be reached through others, and joining with those who cannot.
//!
//! Every node tells everyone whom it is connected to. A node that is known and of whom nothing is told belongs to another
//! fragment; of two that find each other so, the one of the smaller fragment connects to the other.

use std::collections::BTreeSet;

use super::NodeTable;
use super::effect::{Effect, Link};
use super::message::{Message, Says};
use super::peer_node::PeerNode;
use crate::domain::time::Tau;

impl NodeTable {
    /// Tells everyone whom we are connected to, when it is time.
    pub(super) fn tell(&mut self, now: Tau) {
        if now < self.tell_at {
            return;
        }
        self.tell_at = now.plus(self.constants.tell_interval_ns);
        let mut connected: Vec<String> = self.connected_ids().into_iter().collect();
        connected.insert(0, self.own.node_id.clone());
        let message = self.message(Says::ConnectedNodes(connected), now);
        for link in self.links() {
            self.effects.push(Effect::Send(link, message.clone()));
        }
    }

    /// Somebody told whom it is connected to: they can be reached, and everyone else is told as well.
    pub(super) fn connected_nodes(&mut self, from: &Link, message: &Message, now: Tau) {
        let Says::ConnectedNodes(nodes) = &message.says else { return };
        for node_id in nodes.iter().filter(|node_id| **node_id != self.own.node_id) {
            if self.fragments.len() < self.constants.fragments_max || self.fragments.contains_key(node_id) {
                self.fragments.insert(node_id.clone(), now);
            }
        }
        for link in self.links().into_iter().filter(|link| link != from) {
            self.effects.push(Effect::Send(link, message.clone()));
        }
    }

    /// Asks one node that cannot be reached through others, when it is time; the one that was asked least lately.
    pub(super) fn defragment(&mut self, now: Tau) {
        let wait_ns = self.constants.purge_node_wait_ns;
        self.fragments.retain(|_, seen| now.since(*seen) <= wait_ns);
        if now < self.defragment_at || self.is_testing() {
            return;
        }
        let is_apart = |node: &&PeerNode| {
            let is_reached = node.node_id.as_ref().is_some_and(|node_id| self.fragments.contains_key(node_id));
            node.is_askable() && !is_reached && !self.is_connected(node)
        };
        let apart = self.nodes.iter().filter(is_apart).min_by_key(|node| node.defragmented);
        let Some(address) = apart.map(|node| node.address.clone()) else { return };
        self.defragment_at = now.plus(self.constants.defrag_wait_period_ns);
        if let Some(node) = self.node_mut(&address) {
            node.defragmented = now;
        }
        let nodes = self.reachable();
        self.say(Link::Errand(address), Says::Defragment { nodes }, now);
    }

    /// Somebody of another fragment asks: it has `theirs` nodes. Whoever has no more than the other moves; we do not where we
    /// cannot, or moved lately.
    pub(super) fn asked_to_defragment(&mut self, from: &Link, theirs: u64, now: Tau) {
        let Link::Inbound(link) = from else { return };
        let address = self.inbound.get(link).and_then(|inbound| inbound.address.clone());
        let other = address.filter(|address| self.node(address).is_some_and(PeerNode::is_askable));
        let is_ours_to_move = theirs >= self.reachable() && !self.has_moved_lately(now);
        match other {
            Some(address) if is_ours_to_move => self.move_to(&address, now),
            _ => self.say(from.clone(), Says::DefragmentGreaterCount, now),
        }
    }

    /// The other side says that it is ours to move.
    pub(super) fn told_to_move(&mut self, from: &Link, now: Tau) {
        if let Link::Errand(address) = from
            && !self.has_moved_lately(now)
            && self.node(address).is_some_and(PeerNode::is_askable)
        {
            self.move_to(&address.clone(), now);
        }
    }

    /// Leaves the uplink for the node at `address`, which the uplink is told of, so that its fragment can follow.
    fn move_to(&mut self, address: &str, now: Tau) {
        let node_id = self.node(address).and_then(|node| node.node_id.clone());
        if let Some(node_id) = node_id.filter(|_| self.uplink.is_open()) {
            let says = Says::DistantNode { node_id, address: Some(address.to_owned()) };
            self.say(Link::Uplink, says, now);
        }
        self.leave(now);
        self.forced = Some(address.to_owned());
    }

    /// Ourselves and all that can be reached.
    pub(super) fn reachable(&self) -> u64 {
        let mut all: BTreeSet<String> = self.connected_ids();
        all.extend(self.fragments.keys().cloned());
        all.insert(self.own.node_id.clone());
        all.len() as u64
    }
}
