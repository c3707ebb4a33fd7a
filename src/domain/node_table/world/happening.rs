//! What happens between the nodes, one event after the other.

use super::{ERRAND_MS, Event, Wire, World};
use crate::domain::node_table::effect::Link;
use crate::domain::node_table::uplink::End;
use crate::domain::node_table::{Inbound, Tested};

impl World {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Open(link) => self.open(link),
            Event::Refused { node, address } => {
                let now = self.now();
                let effects = self.nodes[node].table.uplink_ended(&address, End::Failed, now);
                self.run(node, effects);
            }
            Event::Arrives { link, to_server, text } => self.arrive(link, to_server, text),
            Event::Action { link, to_server, action } => {
                let Some(wire) = self.wires.get(&link) else { return };
                let (node, is_there) = (if to_server { wire.to } else { wire.from }, self.reach(wire.from, wire.to));
                if is_there && self.is_open(link) {
                    self.take_action(node, action, Some(link));
                }
            }
            Event::Forgotten(link) => {
                if self.wires.get(&link).is_some_and(|wire| !self.reach(wire.from, wire.to)) || !self.is_open(link) {
                    self.reset(link);
                }
            }
            Event::ErrandOver(link) => {
                if let Some(wire) = self.wires.remove(&link) {
                    self.nodes[wire.to].table.inbound_closed(link);
                }
            }
            Event::Tested { node, address, to } => {
                let rtts_us = vec![self.rtt_ms[node][to] * 1_000; 20];
                let passed = Tested::Answered { node_id: format!("n{to}"), rtts_us };
                let tested = if self.reach(node, to) { passed } else { Tested::Failed };
                let now = self.now();
                let effects = self.nodes[node].table.tested(&address, tested, now);
                self.run(node, effects);
            }
        }
    }

    fn open(&mut self, link: u64) {
        let now = self.now();
        let Some(mut wire) = self.wires.get(&link).cloned() else { return };
        if !self.reach(wire.from, wire.to) {
            self.wires.remove(&link);
            return;
        }
        let client = Inbound {
            node_id: format!("n{}", wire.from),
            address: Some(format!("n{}.example", wire.from)),
            is_lasting: wire.is_lasting,
        };
        let effects = self.nodes[wire.to].table.inbound_opened(link, client, now);
        self.run(wire.to, effects);
        let server = format!("n{}", wire.to);
        let Some(errand) = wire.errand.take() else {
            let effects = self.nodes[wire.from].table.uplink_opened(&wire.address, &server, now);
            self.run(wire.from, effects);
            if self.is_open(link) {
                self.exchange(link, &wire);
            }
            return;
        };
        self.nodes[wire.from].table.meet(&wire.address, &server);
        let text = self.next();
        self.texts.insert(text, errand);
        self.later(0, Event::Arrives { link, to_server: true, text });
        self.later(ERRAND_MS, Event::ErrandOver(link));
    }

    /// Both logs are sent from where the other side's ends.
    fn exchange(&mut self, link: u64, wire: &Wire) {
        for (of, to_server) in [(wire.from, true), (wire.to, false)] {
            let actions: Vec<u64> = self.nodes[of].log.keys().copied().collect();
            for action in actions {
                self.later(1, Event::Action { link, to_server, action });
            }
        }
    }

    fn arrive(&mut self, link: u64, to_server: bool, text: u64) {
        let Some(message) = self.texts.remove(&text) else { return };
        let Some(wire) = self.wires.get(&link).cloned() else { return };
        if !self.reach(wire.from, wire.to) {
            return;
        }
        let (node, from) = match (to_server, wire.is_lasting) {
            (true, _) => (wire.to, Link::Inbound(link)),
            (false, true) => (wire.from, Link::Uplink),
            (false, false) => (wire.from, Link::Errand(wire.address)),
        };
        let now = self.now();
        let effects = self.nodes[node].table.received(&from, &message, now);
        self.run(node, effects);
    }
}
