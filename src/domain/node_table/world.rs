//! Many nodes and a network between them that can be cut, on a clock of their own.

mod happening;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::constants::Constants;
use super::effect::{Effect, Link};
use super::message::Message;
use super::uplink::{End, Uplink};
use super::{NodeTable, Own};
use crate::domain::time::{MS, Tau};

/// The clock moves by so many milliseconds.
const STEP_MS: i64 = 500;
/// An inbound link that is silent so long is given up by whoever it leads to.
const INBOUND_SILENCE_MS: i64 = 20_000;
/// An errand without an answer ends then.
const ERRAND_MS: i64 = 7_000;

pub(super) fn tau(ms: i64) -> Tau {
    Tau(ms * MS)
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Event {
    /// A connection is there, for both sides.
    Open(u64),
    /// Nobody answers at this address.
    Refused {
        node: usize,
        address: String,
    },
    /// A message of the side that connected, or to it.
    Arrives {
        link: u64,
        to_server: bool,
        text: u64,
    },
    /// A stored action.
    Action {
        link: u64,
        to_server: bool,
        action: u64,
    },
    /// The side that is connected to gives up.
    Forgotten(u64),
    /// The errand has ended.
    ErrandOver(u64),
    Tested {
        node: usize,
        address: String,
        to: usize,
    },
}

#[derive(Clone, Debug)]
struct Wire {
    from: usize,
    to: usize,
    address: String,
    is_lasting: bool,
    /// What is to be said when it is open.
    errand: Option<Message>,
}

pub(super) struct SimNode {
    pub(super) table: NodeTable,
    pub(super) is_alive: bool,
    /// The wire of its uplink.
    uplink: Option<u64>,
    /// How often it took in each action.
    pub(super) log: BTreeMap<u64, u32>,
    /// When it left an uplink that worked.
    pub(super) moves_ms: Vec<i64>,
}

/// See the module's words.
pub(super) struct World {
    pub(super) now_ms: i64,
    pub(super) nodes: Vec<SimNode>,
    rtt_ms: Vec<Vec<i64>>,
    /// Nodes of one number reach each other.
    side: Vec<u8>,
    cut_ms: i64,
    wires: BTreeMap<u64, Wire>,
    texts: BTreeMap<u64, Message>,
    queue: BinaryHeap<Reverse<(i64, u64, Event)>>,
    last: u64,
}

impl World {
    /// Nodes that have each other's addresses in their configuration, or that of the first alone.
    pub(super) fn new(count: usize, is_mesh: bool, rtt_ms: Vec<Vec<i64>>) -> World {
        let address = |n: usize| format!("n{n}.example");
        let initial: Vec<String> = (0..if is_mesh { count } else { 1 }).map(address).collect();
        let node = |n: usize| {
            let own = Own { node_id: format!("n{n}"), address: Some(address(n)) };
            SimNode {
                table: NodeTable::new(own, &initial, true, Constants::default(), n as u64, tau(0)),
                is_alive: true,
                uplink: None,
                log: BTreeMap::new(),
                moves_ms: Vec::new(),
            }
        };
        World {
            now_ms: 0,
            nodes: (0..count).map(node).collect(),
            rtt_ms,
            side: vec![0; count],
            cut_ms: 0,
            wires: BTreeMap::new(),
            texts: BTreeMap::new(),
            queue: BinaryHeap::new(),
            last: 0,
        }
    }

    fn now(&self) -> Tau {
        tau(self.now_ms)
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn later(&mut self, in_ms: i64, event: Event) {
        let order = self.next();
        self.queue.push(Reverse((self.now_ms + in_ms, order, event)));
    }

    fn reach(&self, a: usize, b: usize) -> bool {
        self.nodes[a].is_alive && self.nodes[b].is_alive && self.side[a] == self.side[b]
    }

    fn one_way_ms(&self, wire: &Wire) -> i64 {
        self.rtt_ms[wire.from][wire.to] / 2
    }

    fn at(address: &str) -> usize {
        address.trim_start_matches('n').split('.').next().unwrap().parse().unwrap()
    }

    /// Puts each node on one side; what connects two sides is silent from now on.
    pub(super) fn cut(&mut self, side: Vec<u8>) {
        (self.side, self.cut_ms) = (side, self.now_ms);
        let broken: Vec<u64> =
            self.wires.iter().filter(|(_, wire)| !self.reach(wire.from, wire.to)).map(|(link, _)| *link).collect();
        for link in broken {
            self.later(INBOUND_SILENCE_MS, Event::Forgotten(link));
        }
    }

    /// A node ends, or begins again without what it knew of the others; its connections are reset.
    pub(super) fn set_alive(&mut self, node: usize, is_alive: bool) {
        self.nodes[node].is_alive = is_alive;
        self.cut_ms = self.now_ms;
        if is_alive {
            return;
        }
        let gone: Vec<u64> =
            self.wires.iter().filter(|(_, wire)| wire.from == node || wire.to == node).map(|(link, _)| *link).collect();
        for link in gone {
            self.reset(link);
        }
    }

    /// Both sides see the end of a connection.
    fn reset(&mut self, link: u64) {
        let Some(wire) = self.wires.remove(&link) else { return };
        self.nodes[wire.to].table.inbound_closed(link);
        if wire.is_lasting && self.nodes[wire.from].uplink == Some(link) {
            self.nodes[wire.from].uplink = None;
            let now = self.now();
            let effects = self.nodes[wire.from].table.uplink_ended(&wire.address, End::Failed, now);
            self.run(wire.from, effects);
        }
    }

    /// A new action of a node.
    pub(super) fn act(&mut self, node: usize) -> u64 {
        let action = self.next();
        self.take_action(node, action, None);
        action
    }

    fn take_action(&mut self, node: usize, action: u64, from: Option<u64>) {
        if self.nodes[node].log.contains_key(&action) {
            return;
        }
        *self.nodes[node].log.entry(action).or_default() += 1;
        let links: Vec<(u64, bool)> = self.links_of(node).filter(|(link, _)| Some(*link) != from).collect();
        for (link, to_server) in links {
            self.later(1, Event::Action { link, to_server, action });
        }
    }

    /// Open lasting wires of a node, and whether it is the side that connected.
    fn links_of(&self, node: usize) -> impl Iterator<Item = (u64, bool)> {
        let open = self.wires.iter().filter(|(link, wire)| wire.is_lasting && self.is_open(**link));
        let of_node = open.filter_map(move |(link, wire)| match node {
            node if wire.from == node => Some((*link, true)),
            node if wire.to == node => Some((*link, false)),
            _ => None,
        });
        of_node.collect::<Vec<_>>().into_iter()
    }

    fn is_open(&self, link: u64) -> bool {
        let Some(wire) = self.wires.get(&link) else { return false };
        let from = &self.nodes[wire.from];
        from.uplink == Some(link) && from.table.uplink().is_open()
    }

    fn run(&mut self, node: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Connect(address) => self.connect(node, address, None),
                Effect::Disconnect => self.disconnect(node),
                Effect::Test(address) => {
                    let to = World::at(&address);
                    let is_there = self.reach(node, to);
                    let in_ms = if is_there { 20 * self.rtt_ms[node][to] } else { 7_000 };
                    self.later(in_ms, Event::Tested { node, address, to });
                }
                Effect::Send(Link::Errand(address), message) => self.connect(node, address, Some(message)),
                Effect::Send(to, message) => self.send(node, &to, message),
                Effect::Remove(_) => {}
            }
        }
    }

    fn connect(&mut self, node: usize, address: String, errand: Option<Message>) {
        let to = World::at(&address);
        let is_lasting = errand.is_none();
        if !self.nodes[to].is_alive {
            // The machine is there, the program is not.
            if is_lasting {
                self.later(self.rtt_ms[node][to], Event::Refused { node, address });
            }
            return;
        }
        let link = self.next();
        let wire = Wire { from: node, to, address, is_lasting, errand };
        let in_ms = 2 * self.rtt_ms[node][to];
        self.wires.insert(link, wire);
        if is_lasting {
            self.nodes[node].uplink = Some(link);
        }
        self.later(in_ms, Event::Open(link));
    }

    fn disconnect(&mut self, node: usize) {
        let Some(link) = self.nodes[node].uplink.take() else { return };
        let Some(wire) = self.wires.get(&link).cloned() else { return };
        if self.reach(wire.from, wire.to) {
            let has_worked = self.now_ms - self.cut_ms > 2 * INBOUND_SILENCE_MS && wire.from != wire.to;
            if has_worked && self.nodes[wire.to].table.inbound.contains_key(&link) {
                let now_ms = self.now_ms;
                self.nodes[node].moves_ms.push(now_ms);
            }
            self.wires.remove(&link);
            self.nodes[wire.to].table.inbound_closed(link);
        } else {
            self.later(INBOUND_SILENCE_MS, Event::Forgotten(link));
        }
    }

    fn send(&mut self, node: usize, to: &Link, message: Message) {
        let (link, to_server) = match to {
            Link::Uplink => (self.nodes[node].uplink, true),
            Link::Inbound(link) => (Some(*link), false),
            Link::Errand(_) => (None, true),
        };
        let Some((link, wire)) = link.and_then(|link| Some((link, self.wires.get(&link)?))) else { return };
        let in_ms = self.one_way_ms(wire);
        let text = self.next();
        self.texts.insert(text, message);
        self.later(in_ms, Event::Arrives { link, to_server, text });
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, ms: i64) {
        let end_ms = self.now_ms + ms;
        while self.now_ms < end_ms {
            let step_ms = self.now_ms + STEP_MS;
            while self.queue.peek().is_some_and(|Reverse((at_ms, ..))| *at_ms <= step_ms) {
                let Some(Reverse((at_ms, _, event))) = self.queue.pop() else { break };
                self.now_ms = at_ms.max(self.now_ms);
                self.happen(event);
            }
            self.now_ms = step_ms;
            self.tick();
        }
    }

    fn tick(&mut self) {
        let now = self.now();
        for node in 0..self.nodes.len() {
            if !self.nodes[node].is_alive {
                continue;
            }
            let wire = self.nodes[node].uplink.and_then(|link| self.wires.get(&link).map(|wire| (link, wire.clone())));
            if let Some((link, wire)) = wire
                && self.now_ms % 2_000 == 0
                && self.is_open(link)
                && self.reach(wire.from, wire.to)
            {
                let rtt_us = self.rtt_ms[wire.from][wire.to] * 1_000;
                self.nodes[node].table.uplink_pong(rtt_us, now);
            }
            if self.nodes[node].table.next_at() <= now {
                let effects = self.nodes[node].table.tick(now);
                self.run(node, effects);
            }
        }
    }

    /// The node that is a node's uplink.
    pub(super) fn uplink_of(&self, node: usize) -> Option<usize> {
        match self.nodes[node].table.uplink() {
            Uplink::Open { address, .. } => Some(World::at(address)),
            Uplink::Waiting(_) | Uplink::Connecting { .. } => None,
        }
    }

    /// Lasting wires that begin at a node.
    pub(super) fn wires_from(&self, node: usize) -> usize {
        let is_its = |wire: &&Wire| wire.from == node && wire.is_lasting && self.reach(wire.from, wire.to);
        self.wires.values().filter(is_its).count()
    }

    /// Groups of living nodes that reach each other over open links.
    pub(super) fn components(&self) -> Vec<BTreeSet<usize>> {
        let mut components: Vec<BTreeSet<usize>> = Vec::new();
        for node in (0..self.nodes.len()).filter(|node| self.nodes[*node].is_alive) {
            let mut joined = BTreeSet::from([node]);
            joined.extend(self.uplink_of(node).filter(|uplink| self.reach(node, *uplink)));
            let (touching, apart): (Vec<_>, Vec<_>) =
                components.into_iter().partition(|component| !component.is_disjoint(&joined));
            joined.extend(touching.into_iter().flatten());
            components = apart;
            components.push(joined);
        }
        components
    }
}
