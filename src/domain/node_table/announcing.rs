//! How nodes get to know of each other: whoever connects is announced, and what is new is passed on once.

use super::effect::{Effect, Link};
use super::message::{Message, Says};
use super::peer_node::{Origin, PeerNode};
use super::{Inbound, NodeTable};
use crate::domain::time::Tau;

impl NodeTable {
    /// A node has connected to us; `link` names the connection.
    pub fn inbound_opened(&mut self, link: u64, inbound: Inbound, now: Tau) -> Vec<Effect> {
        if inbound.node_id == self.own.node_id {
            return Vec::new();
        }
        if self.inbound.len() >= self.constants.inbound_max {
            self.refused_links += 1;
            return Vec::new();
        }
        let known = self.tellable(&inbound);
        if let Some(address) = &inbound.address {
            self.learn((&inbound.node_id, address), Origin::Client, None, now);
            if inbound.is_lasting {
                let says = Says::DistantNode { node_id: inbound.node_id.clone(), address: Some(address.clone()) };
                self.say_to_all(&says, &Link::Inbound(link), now);
            }
        }
        if inbound.is_lasting {
            self.tell_at = now;
            for says in known {
                self.say(Link::Inbound(link), says, now);
            }
        }
        self.inbound.insert(link, inbound);
        self.take_effects()
    }

    /// The connection is gone.
    pub fn inbound_closed(&mut self, link: u64) {
        self.inbound.remove(&link);
    }

    /// The nodes that a newcomer is told of: all but itself, us, and the uplink.
    fn tellable(&self, newcomer: &Inbound) -> Vec<Says> {
        let is_told = |node: &&PeerNode| {
            node.is_askable()
                && Some(node.address.as_str()) != self.uplink.address()
                && Some(&node.address) != newcomer.address.as_ref()
        };
        let says = |node: &PeerNode| {
            let node_id = node.node_id.clone().filter(|node_id| *node_id != newcomer.node_id)?;
            Some(Says::DistantNode { node_id, address: Some(node.address.clone()) })
        };
        self.nodes.iter().filter(is_told).filter_map(says).take(self.constants.announced_max).collect()
    }

    /// Somebody says that there is a node.
    pub(super) fn distant_node(&mut self, from: &Link, message: &Message, now: Tau) {
        let Says::DistantNode { node_id, address } = &message.says else { return };
        // Without an address it is whom we are connected to, and known.
        let (Some(address), Some(announcer)) = (address, self.name_of(from)) else { return };
        let is_new = self.learn((node_id, address), Origin::Distant, Some(announcer), now);
        if !is_new || *from == Link::Uplink {
            return;
        }
        let ourselves = Says::DistantNode { node_id: self.own.node_id.clone(), address: None };
        self.say(from.clone(), ourselves, now);
        for link in self.lasting_links().filter(|link| link != from) {
            self.effects.push(Effect::Send(link, message.clone()));
        }
    }

    /// Takes note of a node; whether it was not known and is now.
    fn learn(&mut self, (node_id, address): (&str, &str), origin: Origin, by: Option<String>, now: Tau) -> bool {
        let is_own = node_id == self.own.node_id || Some(address) == self.own.address.as_deref();
        if is_own || self.node(address).is_some() {
            return false;
        }
        let of_announcer = self.nodes.iter().filter(|node| by.is_some() && node.announced_by == by).count();
        let is_full = self.nodes.len() >= self.constants.nodes_max || of_announcer >= self.constants.announced_max;
        if !self.is_announced_allowed || is_full {
            self.refused_nodes += 1;
            return false;
        }
        let mut node = PeerNode::new(address.to_owned(), origin, now);
        (node.node_id, node.announced_by) = (Some(node_id.to_owned()), by);
        self.nodes.push(node);
        true
    }
}
