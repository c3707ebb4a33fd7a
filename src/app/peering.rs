//! Starts choosing peers where there are any, and starts it anew when it ended by itself.

use super::assembled::Lasting;
use crate::actors::peering::{Peering, PeeringBoard, PeeringDoors};
use crate::actors::vitals::Vitals;
use crate::config::{Config, Nodes};
use crate::ports::peer_links::PeerLinks;
use actix::{Actor, Addr, Arbiter};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// What it is called as a part.
const PART: &str = "peering";
/// Between two looks whether it is there.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// The longest wait before it is started anew once more.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// The time that connections have to end in order.
const END_WITHIN: Duration = Duration::from_millis(500);

/// What others know it by.
#[derive(Clone, Default)]
pub(super) struct PeeringShared {
    /// Who is connected to us.
    pub(super) links: PeerLinks,
    /// How it stands.
    pub(super) board: PeeringBoard,
}

/// Something to share, where the configuration has peers.
pub(super) fn shared(config: &Config) -> Option<PeeringShared> {
    let has_peers = config.nodes.as_ref().is_some_and(|nodes| !nodes.peers.is_empty());
    has_peers.then(PeeringShared::default)
}

/// Starts it, on an arbiter of its own, where there is something to share.
pub(super) fn start(lasting: &Lasting, stop: &CancellationToken) {
    let Some(((shared, log), nodes)) =
        lasting.peering.clone().zip(lasting.log.clone()).zip(lasting.config.nodes.clone())
    else {
        return;
    };
    let doors = PeeringDoors {
        clock: Arc::clone(&lasting.clock),
        dialer: Arc::clone(&lasting.outside.dialer),
        log,
        links: shared.links,
        board: shared.board,
        stop: stop.clone(),
    };
    lasting.vitals.know(PART);
    actix_rt::spawn(keep(Arc::new(nodes), doors, lasting.vitals.clone()));
}

async fn keep(nodes: Arc<Nodes>, doors: PeeringDoors, vitals: Vitals) {
    let arbiter = Arbiter::new();
    let begin = || -> Addr<Peering> {
        let (nodes, doors) = (Arc::clone(&nodes), doors.clone());
        Peering::start_in_arbiter(&arbiter.handle(), move |_| Peering::new(nodes, doors))
    };
    let (mut peering, mut wait) = (begin(), WATCH_EVERY);
    loop {
        tokio::select! {
            () = doors.stop.cancelled() => break,
            () = sleep(wait) => {}
        }
        if peering.connected() {
            wait = WATCH_EVERY;
            continue;
        }
        let restarts = vitals.restarted(PART);
        tracing::error!(part = PART, restarts, "a part ended by itself and is restarted");
        (peering, wait) = (begin(), (wait * 2).min(BACKOFF_MAX));
    }
    // The other side is told, and how far the logs came is written.
    sleep(END_WITHIN).await;
    arbiter.stop();
}
