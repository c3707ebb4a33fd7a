//! Operations that go on by themselves while a test does something else, with a count of what became of them.

use mirrorwatch::sim::op::OpMaker;
use mirrorwatch::sim::server::{Directory, NowMs, Outcome};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// What was published, and what became of it at each mirror.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Operations of the primary.
    pub published: u64,
    /// Those that a mirror dropped, by the mirrors' order.
    pub dropped: Vec<u64>,
    /// What a mirror invented, by the mirrors' order.
    pub invented: Vec<u64>,
}

/// A task that publishes until it is stopped.
pub struct Publisher {
    stop: CancellationToken,
    task: JoinHandle<(OpMaker, Tally)>,
}

impl Publisher {
    /// Publishes one operation each `pace`.
    pub fn start(
        primary: Directory,
        mirrors: Vec<Directory>,
        maker: OpMaker,
        now_ms: NowMs,
        pace: Duration,
    ) -> Publisher {
        let stop = CancellationToken::new();
        let task = tokio::spawn(publish(primary, mirrors, maker, now_ms, pace, stop.clone()));
        Publisher { stop, task }
    }

    /// Stops it.
    pub async fn stop(self) -> (OpMaker, Tally) {
        self.stop.cancel();
        self.task.await.unwrap()
    }
}

async fn publish(
    primary: Directory,
    mirrors: Vec<Directory>,
    mut maker: OpMaker,
    now_ms: NowMs,
    pace: Duration,
    stop: CancellationToken,
) -> (OpMaker, Tally) {
    let zeros = vec![0; mirrors.len()];
    let mut tally = Tally { published: 0, dropped: zeros.clone(), invented: zeros };
    let mut ticks = interval(pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !stop.is_cancelled() {
        ticks.tick().await;
        let op = maker.next(now_ms());
        primary.publish(&op);
        tally.published += 1;
        for (i, mirror) in mirrors.iter().enumerate() {
            let fate = mirror.publish(&op);
            tally.dropped[i] += u64::from(fate.outcome == Outcome::Dropped);
            tally.invented[i] += u64::from(fate.invented.is_some());
        }
    }
    (maker, tally)
}
