//! The world of the demonstration: a primary and five mirrors, each with a fault of its own, and the truth about them.

use super::behaviour::{Behaviour, Delay, Numbering};
use super::op::OpMaker;
use super::server::{Directory, NowMs};
use super::truth::{Journal, MirrorTruth, Truth, median_ms};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// How long the world waits for its observer before it begins without one.
const WAIT_FOR_OBSERVER: Duration = Duration::from_secs(10);
/// How often it looks for one.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The choices of a demonstration.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Operations that the primary publishes each second, above 0 and at most 10,000.
    pub rate_per_s: f64,
    /// Decides every operation and every fault.
    pub seed: u64,
    /// The limit between on time and late that the truth is told with, in seconds.
    pub on_time_s: f64,
}

impl Default for DemoOptions {
    fn default() -> DemoOptions {
        DemoOptions { rate_per_s: 20.0, seed: 1, on_time_s: 10.0 }
    }
}

/// A running world; it ends when this is dropped.
pub struct DemoWorld {
    /// The primary's address, `ws://127.0.0.1:PORT`.
    pub primary_url: String,
    /// Names and addresses of the mirrors.
    pub mirrors: Vec<(String, String)>,
    /// What a mirror delivers appears at most this long after its publication.
    pub longest_delay: Duration,
    servers: Arc<Servers>,
    journal: Arc<Mutex<Journal>>,
    publisher: TaskTracker,
    token: CancellationToken,
    _life: DropGuard,
}

struct Servers {
    primary: Directory,
    mirrors: Vec<(&'static str, Directory)>,
}

/// Starts a world on the current runtime. It publishes as soon as each of its servers has a stream open, so that an
/// observer misses nothing of the truth, or after ten seconds.
///
/// # Errors
/// When a loopback port cannot be bound.
pub fn start(options: &DemoOptions, now_ms: NowMs) -> io::Result<DemoWorld> {
    let spawn = |behaviour, number: u64| {
        Directory::spawn(behaviour, options.seed.wrapping_mul(31).wrapping_add(number), now_ms.clone())
    };
    let primary = spawn(Behaviour::default(), 0)?;
    let cast = cast();
    let longest_delay = cast.iter().map(|(_, behaviour)| behaviour.delay.longest()).max().unwrap_or_default();
    let mirrors: Vec<(&'static str, Directory)> = cast
        .into_iter()
        .zip(1..)
        .map(|((name, behaviour), number)| Ok((name, spawn(behaviour, number)?)))
        .collect::<io::Result<_>>()?;
    let journal = Arc::new(Mutex::new(Journal::new(Duration::from_secs_f64(options.on_time_s.clamp(0.0, 86_400.0)))));
    let token = CancellationToken::new();
    let servers = Arc::new(Servers { primary, mirrors });
    let publisher = TaskTracker::new();
    let publishing = publish(servers.clone(), journal.clone(), OpMaker::new(options.seed), options.rate_per_s, now_ms);
    publisher.spawn({
        let token = token.clone();
        async move {
            tokio::select! {
                () = publishing => {}
                () = token.cancelled() => {}
            }
        }
    });
    publisher.close();
    Ok(DemoWorld {
        primary_url: servers.primary.url(),
        mirrors: servers.mirrors.iter().map(|(name, mirror)| ((*name).to_owned(), mirror.url())).collect(),
        longest_delay,
        servers,
        journal,
        publisher,
        _life: token.clone().drop_guard(),
        token,
    })
}

/// The mirrors and their faults.
fn cast() -> Vec<(&'static str, Behaviour)> {
    let slow = Delay { fixed_ms: 400, jitter_ms: 100, straggler_share: 0.05, straggler_ms: 12_000, keep_order: false };
    vec![
        ("faithful", Behaviour::default()),
        // Stragglers are overtaken, so this one counts for itself: its numbers must rise in its own order.
        ("slow", Behaviour { delay: slow, numbering: Numbering::Own, ..Behaviour::default() }),
        ("dropping", Behaviour { drop_share: 0.01, ..Behaviour::default() }),
        ("disconnecting", Behaviour { disconnect_after: Some(Duration::from_secs(45)), ..Behaviour::default() }),
        ("lying", Behaviour { invent_share: 0.01, alter_share: 0.01, ..Behaviour::default() }),
    ]
}

impl DemoWorld {
    /// What really happened so far, over the last 500,000 operations.
    #[must_use]
    pub fn truth(&self) -> Truth {
        self.truth_between(i64::MIN, i64::MAX)
    }

    /// What really happened to the operations with `from_ms ≤ createdAt < to_ms`, in milliseconds since 1970.
    #[must_use]
    pub fn truth_between(&self, from_ms: i64, to_ms: i64) -> Truth {
        let named = self.servers.mirrors.iter().map(|(name, mirror)| MirrorTruth {
            name: (*name).to_owned(),
            url: mirror.url(),
            lag_p50_ms: median_ms(mirror.appeared_us()),
            ..MirrorTruth::default()
        });
        let named = named.collect();
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).count(from_ms, to_ms, named)
    }

    /// `createdAt` of the oldest operation that the truth is about, in milliseconds since 1970; none before the first.
    #[must_use]
    pub fn remembered_from_ms(&self) -> Option<i64> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).remembered_from_ms()
    }

    /// Stops publishing while the servers go on, so that what is under way can arrive.
    pub async fn hush(&self) {
        self.token.cancel();
        self.publisher.wait().await;
    }

    /// Stops everything; the truth stays readable.
    pub async fn stop(&self) {
        self.hush().await;
        self.servers.primary.stop().await;
        for (_, mirror) in &self.servers.mirrors {
            mirror.stop().await;
        }
    }
}

async fn publish(servers: Arc<Servers>, journal: Arc<Mutex<Journal>>, mut maker: OpMaker, rate: f64, now_ms: NowMs) {
    let _ = tokio::time::timeout(WAIT_FOR_OBSERVER, servers.all_watched()).await;
    let rate = if rate.is_finite() { rate.clamp(0.001, 10_000.0) } else { 1.0 };
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        ticks.tick().await;
        let op = maker.next(now_ms());
        servers.primary.publish(&op);
        let fates: Vec<_> = servers.mirrors.iter().map(|(_, mirror)| mirror.publish(&op)).collect();
        journal.lock().unwrap_or_else(PoisonError::into_inner).note(op.created_ms, &fates);
    }
}

impl Servers {
    async fn all_watched(&self) {
        loop {
            let all = || self.mirrors.iter().map(|(_, mirror)| mirror).chain([&self.primary]);
            if all().all(|server| server.received().open_streams > 0) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
