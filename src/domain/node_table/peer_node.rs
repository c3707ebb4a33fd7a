//! What is known of one node.

use std::collections::VecDeque;

use super::trial::Trial;
use crate::domain::time::Tau;

/// How we know of a node.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// From the configuration.
    Initial,
    /// It connected to us.
    Client,
    /// Another node announced it.
    Distant,
}

/// A node with an address.
#[derive(Clone, Debug)]
pub struct PeerNode {
    /// Where it is; no two nodes have the same.
    pub address: String,
    /// Its name, once it is known.
    pub node_id: Option<String>,
    /// How we know of it.
    pub origin: Origin,
    /// Who announced it.
    pub announced_by: Option<String>,
    /// Failed attempts to connect, each several times, less those that succeeded.
    pub connection_failures: u32,
    /// Whether it is ourselves.
    pub is_self: bool,
    /// Why it will never let us in.
    pub refused: Option<String>,
    /// Its tests.
    pub trial: Trial,
    /// The last round trips, microseconds.
    rtts_us: VecDeque<i64>,
    pub(super) added: Tau,
    /// When it was asked last whether it can be reached through others.
    pub(super) defragmented: Tau,
}

impl PeerNode {
    pub(super) const fn new(address: String, origin: Origin, now: Tau) -> PeerNode {
        PeerNode {
            address,
            node_id: None,
            origin,
            announced_by: None,
            connection_failures: 0,
            is_self: false,
            refused: None,
            trial: Trial::new(),
            rtts_us: VecDeque::new(),
            added: now,
            defragmented: Tau::MIN,
        }
    }

    /// Keeps a round trip, and the last `max` of all.
    pub(super) fn measured(&mut self, rtt_us: i64, max: usize) {
        self.rtts_us.push_back(rtt_us);
        while self.rtts_us.len() > max {
            self.rtts_us.pop_front();
        }
    }

    /// How many round trips are known.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.rtts_us.len()
    }

    /// The mean of the last round trips, microseconds.
    #[must_use]
    pub fn mean_rtt_us(&self) -> Option<i64> {
        let count = i64::try_from(self.rtts_us.len()).ok().filter(|count| *count > 0)?;
        Some(self.rtts_us.iter().sum::<i64>() / count)
    }

    /// Whether it may be connected to at all: whoever is not from the configuration has passed a test before.
    pub(super) const fn is_candidate(&self) -> bool {
        let is_tested = matches!(self.origin, Origin::Initial) || self.trial.last_success.is_some();
        !self.is_self && self.refused.is_none() && is_tested
    }

    /// Whether anything may be asked of it.
    pub(super) const fn is_askable(&self) -> bool {
        !self.is_self && self.refused.is_none()
    }
}
