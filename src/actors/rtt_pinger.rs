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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Tau;
    use crate::ports::BoxFuture;
    use crate::ports::clock::SystemClock;
    use crate::ports::probe::ConnectSample;
    use std::collections::VecDeque;
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    /// Connects that take so many nanoseconds, or time out.
    struct Scripted(Mutex<VecDeque<Option<i64>>>);

    impl Probe for Scripted {
        fn tcp_connect(&self, peer: SocketAddr, _: Duration) -> BoxFuture<'_, Result<ConnectSample, ProbeError>> {
            let next = self.0.lock().unwrap().pop_front().flatten();
            let sample =
                |elapsed_ns| ConnectSample { at: Tau(0), elapsed_ns, kernel_rtt_ns: None, retransmitted: false };
            Box::pin(std::future::ready(next.map(sample).ok_or(ProbeError::Timeout(peer))))
        }
    }

    struct Heard(UnboundedSender<Option<i64>>);

    impl Actor for Heard {
        type Context = Context<Self>;
    }

    impl Handler<RttSample> for Heard {
        type Result = ();

        fn handle(&mut self, msg: RttSample, _: &mut Self::Context) {
            let _ = self.0.send(msg.rtt_ns);
        }
    }

    /// The first `n` that are told of these connects; all behind them time out.
    async fn told(source: SourceIx, connects: &[Option<i64>], n: usize) -> Vec<Option<i64>> {
        let (sender, mut heard) = unbounded_channel();
        let pinger = RttPinger {
            source,
            interval: Duration::from_millis(1),
            timeout: Duration::from_secs(1),
            probe: Arc::new(Scripted(Mutex::new(connects.iter().copied().collect()))),
            clock: Arc::new(SystemClock::new(0).unwrap()),
            collector: Heard(sender).start().recipient(),
            peer: PeerSlot::default(),
            id: "m".to_owned(),
            fail: FailPoints::default(),
            is_busy: false,
            has_timed_out: false,
        }
        .start();
        pinger.send(PeerIs(Some(([127, 0, 0, 1], 9).into()))).await.unwrap();
        let mut told = Vec::new();
        while told.len() < n {
            told.push(heard.recv().await.unwrap());
        }
        pinger.send(Stop).await.unwrap();
        told
    }

    #[actix::test]
    async fn one_connect_in_silence_is_told_of_the_primary_alone() {
        let connects = [Some(1), None, Some(2), None, None, None, Some(3)];
        let of_mirror = told(SourceIx::mirror(0), &connects, 5).await;
        assert_eq!(of_mirror, [Some(1), Some(2), None, None, Some(3)], "the second in a row, and all that follow");
        assert_eq!(told(SourceIx::PRIMARY, &connects, 3).await, [Some(1), None, Some(2)]);
    }
}
