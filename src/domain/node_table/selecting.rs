//! Which node is the best to connect to, and whether it is so much better than the present one that we move.

use super::NodeTable;
use super::peer_node::PeerNode;
use crate::domain::time::Tau;

impl NodeTable {
    /// The node to connect to: one that we were told to, once; else the one that failed least and, of those, answers
    /// fastest. One that was never measured comes behind those that were.
    pub(super) fn select(&mut self) -> Option<String> {
        let forced = self.forced.take().filter(|address| self.node(address).is_some_and(PeerNode::is_askable));
        self.is_bridge = forced.is_some();
        if forced.is_some() {
            return forced;
        }
        let eligible = self.nodes.iter().filter(|node| node.is_candidate() && !self.is_inbound(node));
        let rank = |node: &&PeerNode| (node.connection_failures, node.mean_rtt_us().unwrap_or(i64::MAX));
        eligible.min_by_key(rank).map(|node| node.address.clone())
    }

    /// Leaves the uplink where another node is much better.
    pub(super) fn look_for_better(&mut self, since: Tau, now: Tau) {
        let is_early = now.since(since) < self.constants.better_primary_wait_ns || self.has_moved_lately(now);
        if !is_early && !self.is_bridge && !self.is_testing() && self.is_any_better() {
            self.leave(now);
        }
    }

    pub(super) fn is_any_better(&self) -> bool {
        let Some(primary) = self.uplink.address().and_then(|address| self.node(address)) else { return false };
        let Some(primary_us) = primary.mean_rtt_us() else { return false };
        let limit = primary_us.saturating_mul(self.constants.better_primary_latency_permille);
        self.nodes.iter().any(|node| {
            let is_eligible = node.is_candidate()
                && node.trial.last_success.is_some()
                && node.connection_failures <= primary.connection_failures
                && node.samples() >= self.constants.max_ping_count
                && !self.is_connected(node);
            let is_faster = node.mean_rtt_us().is_some_and(|mean_us| mean_us.saturating_mul(1_000) < limit);
            is_eligible && is_faster
        })
    }
}
