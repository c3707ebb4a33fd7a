//! How choosing peers stands, for the page of the internals: no user and no token is in it.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use serde_json::{Value, json};

use crate::domain::node_table::NodeTable;
use crate::domain::node_table::peer_node::{Origin, PeerNode};
use crate::domain::node_table::trial::TrialState;
use crate::domain::node_table::uplink::Uplink;
use crate::domain::time::{MS, Tau, rfc3339_ms};

/// Microseconds of a millisecond.
const US_OF_MS: f64 = 1_000.0;

/// The latest view of it.
#[derive(Clone, Default)]
pub struct PeeringBoard(Arc<ArcSwapOption<Value>>);

impl PeeringBoard {
    /// What is shown; nothing before peers are chosen.
    #[must_use]
    pub fn read(&self) -> Option<Value> {
        self.0.load().as_deref().cloned()
    }

    pub(super) fn show(&self, table: &NodeTable, state: &str, error: Option<&str>, let_go: u64, now: (Tau, i64)) {
        let uplink = table.uplink();
        let node = table.nodes().iter().find(|node| Some(node.address.as_str()) == uplink.address());
        let since = match uplink {
            Uplink::Open { since, .. } => Some(rfc3339_ms(now.1.saturating_sub(now.0.since(*since) / MS))),
            Uplink::Waiting(_) | Uplink::Connecting { .. } => None,
        };
        let (refused_nodes, refused_links) = table.refused();
        let told = json!({
            "uplink": {
                "state": state,
                "address": uplink.address(),
                "node": node.filter(|_| uplink.is_open()).and_then(|node| node.node_id.as_deref()),
                "since_at": since,
                "failures": node.map(|node| node.connection_failures),
                "rtt_ms": node.and_then(rtt_ms),
                "last_error": error,
            },
            "peers": table.nodes().iter().map(peer).collect::<Vec<_>>(),
            "connected_to_us": table.inbound().filter(|inbound| inbound.is_lasting).count(),
            "reachable_through_others": table.fragments(),
            "refused_nodes": refused_nodes,
            "refused_links": refused_links,
            "messages_let_go": let_go,
        });
        self.0.store(Some(Arc::new(told)));
    }
}

fn rtt_ms(node: &PeerNode) -> Option<f64> {
    node.mean_rtt_us().map(|us| us as f64 / US_OF_MS)
}

fn peer(node: &PeerNode) -> Value {
    let origin = match node.origin {
        Origin::Initial => "configuration",
        Origin::Client => "connected",
        Origin::Distant => "announced",
    };
    let test = match node.trial.state {
        TrialState::Pending => "pending",
        TrialState::Current(_) => "current",
        TrialState::Success(_) => "success",
        TrialState::Failed => "failed",
    };
    json!({
        "address": node.address,
        "node": node.node_id,
        "origin": origin,
        "is_self": node.is_self,
        "failures": node.connection_failures,
        "rtt_ms": rtt_ms(node),
        "test": test,
        "test_failures": node.trial.failures,
        "refused": node.refused,
    })
}
