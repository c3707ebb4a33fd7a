//! Runs recomputers: one task each, on its own interval or when activated.
//!
//! The driver knows nothing of the product. It owns the tasks and the bound on blocking work; what it promises: a first
//! computation before any reader is let in ([`Driver::prime`]); requests during a run collapse into one more run; a
//! panic, an error or an unknown page keeps the previous page and is counted; [`Driver::stop`] ends and reaps every task,
//! and nothing is published after it. Starting or stopping twice is harmless.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use super::{CaptureError, CaptureSource, Captured, Draft, Recompute, StatusBoard};
use crate::ports::fail_point::FailPoints;
use crate::publish::{Pages, Update, UtcNow};

/// Longest wait for a capture before the run counts as failed.
const CAPTURE_WAIT_MAX: Duration = Duration::from_secs(5);
/// Shortest interval of a recomputer.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// What the driver takes besides its recomputers.
pub struct DriverOptions {
    /// Computations that may run at once.
    pub concurrent_max: usize,
    /// Labels pages.
    pub utc_now_ms: UtcNow,
    /// Where statuses are kept; share a clone with whoever shows them.
    pub board: StatusBoard,
    /// Where tests make recomputers fail.
    pub fail: FailPoints,
}

/// What stopping found.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct StopReport {
    /// Tasks that ended within the deadline.
    pub reaped: usize,
    /// Tasks that did not, and were let go of. They publish nothing any more.
    pub overdue: usize,
}

/// Why the first computation failed.
#[derive(Debug, thiserror::Error)]
pub enum PrimeError {
    /// The capture did not come.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A recomputer failed.
    #[error("first computation of {name}: {error}")]
    Compute {
        /// Which.
        name: &'static str,
        /// Its error or the words of its panic.
        error: String,
    },
    /// A page was left without a first version.
    #[error("no recomputer made the page {0:?}")]
    Missing(String),
}

/// Why one run failed.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error("no capture within {} s", CAPTURE_WAIT_MAX.as_secs())]
    CaptureTimeout,
    #[error("{0}")]
    Compute(String),
    #[error("panicked: {0}")]
    Panicked(String),
    #[error("stopped")]
    Stopped,
}

/// What every task shares.
struct Shared<C> {
    source: Arc<dyn CaptureSource<C>>,
    pages: Arc<Pages>,
    utc_now_ms: UtcNow,
    board: StatusBoard,
    permits: Arc<Semaphore>,
    stopping: CancellationToken,
    fail: FailPoints,
}

/// One recomputer with what drives it.
struct Job<C> {
    recompute: Arc<dyn Recompute<C>>,
    interval: watch::Sender<Duration>,
    activated: Arc<Notify>,
}

impl<C> Clone for Job<C> {
    fn clone(&self) -> Self {
        Job {
            recompute: Arc::clone(&self.recompute),
            interval: self.interval.clone(),
            activated: Arc::clone(&self.activated),
        }
    }
}

/// See the module's words.
pub struct Driver<C> {
    shared: Arc<Shared<C>>,
    jobs: Vec<Job<C>>,
    by_name: HashMap<&'static str, Arc<Notify>>,
    /// The running tasks; `None` before the start and after the stop.
    tasks: Mutex<Option<JoinSet<()>>>,
}

impl<C: Send + Sync + 'static> Driver<C> {
    /// A driver without recomputers.
    pub fn new(source: Arc<dyn CaptureSource<C>>, pages: Arc<Pages>, options: DriverOptions) -> Self {
        let shared = Shared {
            source,
            pages,
            utc_now_ms: options.utc_now_ms,
            board: options.board,
            permits: Arc::new(Semaphore::new(options.concurrent_max.max(1))),
            stopping: CancellationToken::new(),
            fail: options.fail,
        };
        Driver { shared: Arc::new(shared), jobs: Vec::new(), by_name: HashMap::new(), tasks: Mutex::new(None) }
    }

    /// Adds a recomputer that runs every `interval` (at least 100 ms). Its name must be its own.
    pub fn add(&mut self, recompute: Arc<dyn Recompute<C>>, interval: Duration) {
        let interval = interval.max(INTERVAL_MIN);
        let activated = Arc::new(Notify::new());
        self.shared.board.register(recompute.name(), interval.as_secs_f64());
        self.by_name.insert(recompute.name(), Arc::clone(&activated));
        self.jobs.push(Job { recompute, interval: watch::Sender::new(interval), activated });
    }

    /// Computes every page once, all from one capture. When it returns, no reader can meet an empty page.
    ///
    /// # Errors
    /// The first [`PrimeError`]; every recomputer was tried.
    pub async fn prime(&self) -> Result<(), PrimeError> {
        let captured = self.shared.source.capture().await?;
        let mut first_error = None;
        for job in &self.jobs {
            if let Err(error) = self.shared.run_on(job, captured.clone()).await {
                let error = PrimeError::Compute { name: job.recompute.name(), error: error.to_string() };
                first_error = first_error.or(Some(error));
            }
        }
        if let Some(error) = first_error {
            return Err(error);
        }
        match self.shared.pages.all().iter().find(|page| page.revision() == 0) {
            Some(page) => Err(PrimeError::Missing(page.spec().key.clone())),
            None => Ok(()),
        }
    }

    /// Starts one task per recomputer. A second start, or one after the stop, does nothing. Needs a tokio runtime.
    pub fn start(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if tasks.is_some() || self.shared.stopping.is_cancelled() {
            return;
        }
        let mut set = JoinSet::new();
        for job in &self.jobs {
            set.spawn(Arc::clone(&self.shared).drive(job.clone()));
        }
        *tasks = Some(set);
    }

    /// Asks the recomputer of this name to run now. Requests while it runs collapse into one more run. Says whether
    /// there is one of that name.
    pub fn activate(&self, name: &str) -> bool {
        self.by_name.get(name).map(|activated| activated.notify_one()).is_some()
    }

    /// Asks all of them.
    pub fn activate_all(&self) {
        for job in &self.jobs {
            job.activated.notify_one();
        }
    }

    /// Lets the recomputer of this name run every `interval` (at least 100 ms) from now on.
    pub fn set_interval(&self, name: &str, interval: Duration) {
        let interval = interval.max(INTERVAL_MIN);
        for job in self.jobs.iter().filter(|job| job.recompute.name() == name) {
            let is_other = |held: &mut Duration| std::mem::replace(held, interval) != interval;
            if job.interval.send_if_modified(is_other) {
                self.shared.board.set_interval(name, interval.as_secs_f64());
            }
        }
    }

    /// Tells every task to end and waits for them, at most `deadline`. Nothing is published afterwards. A second stop,
    /// or one before the start, finds nothing to reap.
    pub async fn stop(&self, deadline: Duration) -> StopReport {
        self.shared.stopping.cancel();
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut set) = tasks else {
            return StopReport { reaped: 0, overdue: 0 };
        };
        let mut reaped = 0;
        let reap_all = async {
            while set.join_next().await.is_some() {
                reaped += 1;
            }
        };
        let in_time = timeout(deadline, reap_all).await.is_ok();
        let overdue = set.len();
        if !in_time {
            tracing::warn!(overdue, "recompute tasks did not end in time");
            set.abort_all();
        }
        StopReport { reaped, overdue }
    }
}

impl<C: Send + Sync + 'static> Shared<C> {
    /// The life of one recomputer.
    async fn drive(self: Arc<Self>, job: Job<C>) {
        let mut wanted = job.interval.subscribe();
        let mut ticks = ticks(*wanted.borrow_and_update());
        loop {
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = job.activated.notified() => {}
                Ok(()) = wanted.changed() => {
                    ticks = self::ticks(*wanted.borrow_and_update());
                }
                _ = ticks.tick() => {}
            }
            match self.run(&job).await {
                Ok(()) | Err(RunError::Stopped) => {}
                Err(error) => tracing::warn!(recomputer = job.recompute.name(), %error, "recompute failed"),
            }
        }
    }

    /// One run: capture, compute, publish.
    async fn run(&self, job: &Job<C>) -> Result<(), RunError> {
        let captured = tokio::select! {
            biased;
            () = self.stopping.cancelled() => return Err(RunError::Stopped),
            captured = timeout(CAPTURE_WAIT_MAX, self.source.capture()) => captured,
        };
        let captured = captured
            .map_err(|_| RunError::CaptureTimeout)
            .and_then(|captured| captured.map_err(RunError::Capture))
            .inspect_err(|error| self.board.failed(job.recompute.name(), &error.to_string()))?;
        self.run_on(job, captured).await
    }

    /// Computes and publishes from a capture. Once the computation has begun, it is awaited to its end: a task that has
    /// ended left nothing behind.
    async fn run_on(&self, job: &Job<C>, captured: Captured<C>) -> Result<(), RunError> {
        let permit = tokio::select! {
            biased;
            () = self.stopping.cancelled() => return Err(RunError::Stopped),
            permit = Arc::clone(&self.permits).acquire_owned() => permit.map_err(|_| RunError::Stopped)?,
        };
        let name = job.recompute.name();
        let work = Work {
            recompute: Arc::clone(&job.recompute),
            captured,
            pages: Arc::clone(&self.pages),
            utc_now_ms: Arc::clone(&self.utc_now_ms),
            interval: *job.interval.borrow(),
            stopping: self.stopping.clone(),
            fail: self.fail.clone(),
        };
        let result = tokio::task::spawn_blocking(move || {
            let result = work.run();
            drop(permit);
            result
        })
        .await
        .unwrap_or_else(|panicked| Err(RunError::Panicked(panic_text(panicked))));
        match result {
            Ok(done) => {
                self.board.succeeded(name, (self.utc_now_ms)(), done.compute_ms, done.bytes);
                Ok(())
            }
            Err(RunError::Stopped) => Err(RunError::Stopped),
            Err(error) => {
                self.board.failed(name, &error.to_string());
                Err(error)
            }
        }
    }
}

/// The ticks of a recomputer; a late one delays those behind it.
fn ticks(every: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// What goes to the blocking pool.
struct Work<C> {
    recompute: Arc<dyn Recompute<C>>,
    captured: Captured<C>,
    pages: Arc<Pages>,
    utc_now_ms: UtcNow,
    interval: Duration,
    stopping: CancellationToken,
    fail: FailPoints,
}

/// What came back from it.
struct Done {
    compute_ms: f64,
    bytes: usize,
}

impl<C: 'static> Work<C> {
    fn run(self) -> Result<Done, RunError> {
        self.fail.reach("recompute", self.recompute.name());
        let begun = Instant::now();
        let drafts =
            self.recompute.compute(&self.captured.capture).map_err(|error| RunError::Compute(error.to_string()))?;
        let compute_ms = begun.elapsed().as_secs_f64() * 1000.0;
        let mut bytes = 0usize;
        let mut first_error = None;
        for draft in drafts {
            if self.stopping.is_cancelled() {
                return Err(RunError::Stopped);
            }
            match self.publish(draft, compute_ms) {
                Ok(page_bytes) => bytes = bytes.saturating_add(page_bytes),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(Done { compute_ms, bytes }), Err)
    }

    /// Publishes one page; gives the bytes of what now stands there.
    fn publish(&self, draft: Draft, compute_ms: f64) -> Result<usize, RunError> {
        let Some(page) = self.pages.get(&draft.key) else {
            return Err(RunError::Compute(format!("there is no page {:?}", draft.key)));
        };
        let update = Update {
            data: draft.data,
            window: draft.window,
            captured_at_ms: self.captured.at_ms,
            now_ms: (self.utc_now_ms)(),
            interval_ms: i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX),
            compute_ms,
        };
        page.publish(update).map_err(|error| RunError::Compute(error.to_string()))?;
        Ok(page.load().body.total_bytes())
    }
}

/// The words of a panic.
fn panic_text(error: JoinError) -> String {
    let payload: Box<dyn Any + Send> = match error.try_into_panic() {
        Ok(payload) => payload,
        Err(error) => return error.to_string(),
    };
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without words".to_owned())
}

#[cfg(test)]
mod tests;
