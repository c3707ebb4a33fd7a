//! Tests of nodes, one at a time, and letting go of nodes that are gone.

use super::NodeTable;
use super::effect::Effect;
use super::peer_node::Origin;
use super::trial::TrialState;
use crate::domain::time::Tau;

/// What came of a test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tested {
    /// It let us in under this name and answered pings, each after the answer before; microseconds.
    Answered {
        /// Its name.
        node_id: String,
        /// The round trips.
        rtts_us: Vec<i64>,
    },
    /// It did not, or not to all of them.
    Failed,
    /// It will never let us in; why.
    Refused(String),
}

impl NodeTable {
    /// What came of [`Effect::Test`].
    pub fn tested(&mut self, address: &str, tested: Tested, now: Tau) -> Vec<Effect> {
        if let Tested::Answered { node_id, .. } = &tested {
            self.meet(address, node_id);
        }
        let (constants, own) = (self.constants, self.own.node_id.clone());
        let Some(node) = self.node_mut(address).filter(|node| node.trial.is_current()) else { return Vec::new() };
        let max = constants.max_ping_count;
        match tested {
            Tested::Answered { node_id, .. } if node_id == own => node.trial.state = TrialState::Failed,
            Tested::Answered { rtts_us, .. } if rtts_us.len() >= max => {
                for rtt_us in rtts_us {
                    node.measured(rtt_us, max);
                }
                node.trial.passed(now);
            }
            other => {
                if let Tested::Refused(why) = other {
                    node.refused = Some(why);
                }
                node.trial.failed(now, constants.clean_interval_ns, constants.retest_wait_period_ns);
            }
        }
        let is_given_up = node.origin != Origin::Initial && node.trial.failures > constants.max_test_failures;
        if is_given_up {
            self.remove(address);
        }
        self.test_next(now);
        self.take_effects()
    }

    /// Whether a test is under way.
    pub(super) fn is_testing(&self) -> bool {
        self.nodes.iter().any(|node| node.trial.is_current())
    }

    /// Begins the next test, when none is under way.
    pub(super) fn test_next(&mut self, now: Tau) {
        let (retest_ns, lost_ns) = (self.constants.retest_wait_period_ns, self.constants.better_primary_wait_ns);
        let mut due = Vec::new();
        for node in &mut self.nodes {
            if node.trial.is_due(now, retest_ns, lost_ns) && node.is_askable() {
                due.push((node.trial.started, node.address.clone()));
            }
        }
        due.retain(|(_, address)| self.node(address).is_some_and(|node| !self.is_connected(node)));
        if self.is_testing() {
            return;
        }
        let next = due.into_iter().min_by_key(|(started, _)| *started);
        if let Some((_, address)) = next {
            if let Some(node) = self.node_mut(&address) {
                node.trial.begin(now);
            }
            self.effects.push(Effect::Test(address));
        }
    }

    /// Lets go of nodes that nothing was heard of for long, except those of the configuration.
    pub(super) fn purge(&mut self, now: Tau) {
        let wait_ns = self.constants.purge_node_wait_ns;
        let is_gone = |node: &&super::PeerNode| {
            let last = node.trial.last_success.unwrap_or(node.added);
            node.origin != Origin::Initial && now.since(last) > wait_ns && !self.is_connected(node)
        };
        let gone: Vec<String> = self.nodes.iter().filter(is_gone).map(|node| node.address.clone()).collect();
        for address in &gone {
            self.remove(address);
        }
    }

    fn remove(&mut self, address: &str) {
        self.nodes.retain(|node| node.address != address);
        self.effects.push(Effect::Remove(address.to_owned()));
    }
}
