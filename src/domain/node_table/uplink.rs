//! The one node that we are connected to: waiting before each attempt, the attempt, the connection, and its end.

use super::NodeTable;
use super::effect::Effect;
use crate::domain::time::Tau;

/// How the uplink stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Uplink {
    /// There is none; the next attempt is at this time.
    Waiting(Tau),
    /// An attempt is under way.
    Connecting {
        /// The node.
        address: String,
        /// It has failed when it is not open by then.
        deadline: Tau,
    },
    /// There is one.
    Open {
        /// The node.
        address: String,
        /// Since when.
        since: Tau,
        /// When something came from it last.
        heard: Tau,
    },
}

/// How a connection ended, or an attempt at one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// It failed, was lost, or the other side broke the rules.
    Failed,
    /// The other side will never let us in; why.
    Refused(String),
}

impl Uplink {
    /// The node that is or will be the uplink.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        match self {
            Uplink::Waiting(_) => None,
            Uplink::Connecting { address, .. } | Uplink::Open { address, .. } => Some(address),
        }
    }

    /// Whether there is a connection.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Uplink::Open { .. })
    }
}

impl NodeTable {
    /// The node at `address` let us in under this name.
    pub fn uplink_opened(&mut self, address: &str, node_id: &str, now: Tau) -> Vec<Effect> {
        let is_expected = matches!(&self.uplink, Uplink::Connecting { address: wanted, .. } if wanted == address);
        if !is_expected {
            return Vec::new();
        }
        self.meet(address, node_id);
        if node_id == self.own.node_id {
            self.effects.push(Effect::Disconnect);
            self.wait(now);
            return self.take_effects();
        }
        self.attempts = 0;
        let step = self.constants.success_step;
        if let Some(node) = self.node_mut(address) {
            node.connection_failures = node.connection_failures.saturating_sub(step);
        }
        self.uplink = Uplink::Open { address: address.to_owned(), since: now, heard: now };
        self.tell_at = now;
        self.take_effects()
    }

    /// Something came from the uplink.
    pub fn uplink_heard(&mut self, now: Tau) {
        if let Uplink::Open { heard, .. } = &mut self.uplink {
            *heard = now;
        }
    }

    /// The uplink answered a ping of ours.
    pub fn uplink_pong(&mut self, rtt_us: i64, now: Tau) {
        self.uplink_heard(now);
        let max = self.constants.max_ping_count;
        if let Uplink::Open { address, .. } = &self.uplink
            && let Some(node) = self.nodes.iter_mut().find(|node| node.address == *address)
        {
            node.measured(rtt_us, max);
        }
    }

    /// The connection to the node at `address`, or the attempt at it, has ended, and not because we wanted it to.
    pub fn uplink_ended(&mut self, address: &str, end: End, now: Tau) -> Vec<Effect> {
        if self.uplink.address() == Some(address) {
            if let (End::Refused(why), Some(node)) = (end, self.node_mut(address)) {
                node.refused = Some(why);
            }
            self.fail(now);
        }
        self.take_effects()
    }

    /// Lets time pass for the uplink.
    pub(super) fn tick_uplink(&mut self, now: Tau) {
        match &self.uplink {
            Uplink::Waiting(until) if now >= *until => self.attempt(now),
            Uplink::Connecting { deadline, .. } if now >= *deadline => {
                self.effects.push(Effect::Disconnect);
                self.fail(now);
            }
            Uplink::Open { heard, .. } if now.since(*heard) >= self.constants.silence_ns() => {
                self.effects.push(Effect::Disconnect);
                self.fail(now);
            }
            Uplink::Open { since, .. } => {
                let since = *since;
                self.look_for_better(since, now);
            }
            Uplink::Waiting(_) | Uplink::Connecting { .. } => {}
        }
    }

    /// When the uplink has something to do next.
    pub(super) fn uplink_due(&self) -> Tau {
        match &self.uplink {
            Uplink::Waiting(until) => *until,
            Uplink::Connecting { deadline, .. } => *deadline,
            Uplink::Open { heard, .. } => heard.plus(self.constants.silence_ns()),
        }
    }

    fn attempt(&mut self, now: Tau) {
        let Some(address) = self.select() else { return self.wait(now) };
        self.attempts = self.attempts.saturating_add(1);
        self.uplink = Uplink::Connecting { address: address.clone(), deadline: now.plus(self.constants.timeout_ns) };
        self.effects.push(Effect::Connect(address));
    }

    /// The uplink's node failed once more.
    fn fail(&mut self, now: Tau) {
        let step = self.constants.failure_step;
        let address = self.uplink.address().map(str::to_owned);
        if let Some(node) = address.and_then(|address| self.node_mut(&address)) {
            node.connection_failures = node.connection_failures.saturating_add(step);
        }
        self.wait(now);
    }

    /// From now on there is no uplink until the next attempt.
    pub(super) fn wait(&mut self, now: Tau) {
        let (steady_ns, long_ns) = (self.constants.connect_wait_ns, self.constants.long_wait_ns);
        let chance_ns = if self.attempts > self.constants.steady_attempts { long_ns - steady_ns } else { 0 };
        self.uplink = Uplink::Waiting(now.plus(steady_ns + self.dice.below(chance_ns)));
    }

    /// Leaves the uplink because another node is wanted.
    pub(super) fn leave(&mut self, now: Tau) {
        if self.uplink.address().is_some() {
            self.effects.push(Effect::Disconnect);
        }
        (self.moved_at, self.attempts) = (Some(now), 0);
        self.wait(now);
    }

    /// Whether it is too early to leave an uplink of our own will again.
    pub(super) fn has_moved_lately(&self, now: Tau) -> bool {
        self.moved_at.is_some_and(|at| now.since(at) < self.constants.better_primary_wait_ns)
    }
}
