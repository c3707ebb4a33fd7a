//! The round-trip pinger of one source: a TCP connect every few seconds to the very address that the stream uses.
//!
//! An actor of its own, because a busy mailbox starves an actor's timers.

use super::message::{Beat, PeerIs, RttSample, Stop};
use crate::domain::source::SourceIx;
use crate::ports::clock::Clock;
use crate::ports::fail_point::FailPoints;
use crate::ports::probe::{Probe, ProbeError};
use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Recipient, WrapFuture};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Mailbox places.
const MAILBOX: usize = 16;

/// The address that is measured to.
#[derive(Clone, Debug, Default)]
pub struct PeerSlot(Arc<Mutex<Option<SocketAddr>>>);

impl PeerSlot {
    fn get(&self) -> Option<SocketAddr> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, peer: Option<SocketAddr>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = peer;
    }
}

/// The pinger.
#[derive(Clone)]
pub struct RttPinger {
    /// Whose round trip it is.
    pub source: SourceIx,
    /// Between two connects.
    pub interval: Duration,
    /// The longest that one may take.
    pub timeout: Duration,
    /// How to connect.
    pub probe: Arc<dyn Probe>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Who is told.
    pub collector: Recipient<RttSample>,
    /// Where to; none while the stream is not connected. Outlives the actor.
    pub peer: PeerSlot,
    /// Id of the source.
    pub id: String,
    /// Where tests make it fail.
    pub fail: FailPoints,
    /// Whether a connect is under way.
    pub is_busy: bool,
    /// Whether the last one to this peer timed out.
    pub has_timed_out: bool,
}

impl RttPinger {
    fn ping(&mut self, ctx: &mut Context<Self>) {
        self.fail.reach("pinger", &self.id);
        let Some(peer) = self.peer.get() else { return };
        if std::mem::replace(&mut self.is_busy, true) {
            return;
        }
        let (probe, timeout, began) = (Arc::clone(&self.probe), self.timeout, self.clock.now());
        let measure = async move { probe.tcp_connect(peer, timeout).await };
        ctx.spawn(measure.into_actor(self).map(move |result, act, _| {
            act.is_busy = false;
            let was_silent = std::mem::take(&mut act.has_timed_out);
            let rtt_ns = match result {
                // A connect that had to be repeated measures the kernel's patience, not the path.
                Ok(sample) if sample.retransmitted => return,
                Ok(sample) => Some(sample.rtt_ns()),
                Err(ProbeError::Timeout(_)) if !was_silent && act.source != SourceIx::PRIMARY => {
                    // One alone may be an outage of ours between two looks at the primary; two in a row span one.
                    act.has_timed_out = true;
                    return;
                }
                Err(ProbeError::Local(why)) => {
                    tracing::warn!(%why, "no round trip");
                    return;
                }
                Err(why) => {
                    act.has_timed_out = matches!(why, ProbeError::Timeout(_));
                    tracing::debug!(%why, "no round trip");
                    None
                }
            };
            if act.peer.get() == Some(peer) {
                let told = RttSample { source: act.source, began, at: act.clock.now(), peer, rtt_ns };
                if act.collector.try_send(told).is_err() {
                    tracing::debug!(source = act.source.0, "a round trip was let go: the collector is busy");
                }
            }
        }));
    }
}

impl Actor for RttPinger {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(self.interval, Self::ping);
    }
}

impl Handler<PeerIs> for RttPinger {
    type Result = ();

    fn handle(&mut self, msg: PeerIs, ctx: &mut Self::Context) {
        if self.peer.get() != msg.0 {
            self.peer.set(msg.0);
            self.has_timed_out = false;
            self.ping(ctx);
        }
    }
}

impl Handler<Beat> for RttPinger {
    type Result = ();

    fn handle(&mut self, _: Beat, _: &mut Self::Context) {}
}

impl Handler<Stop> for RttPinger {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
