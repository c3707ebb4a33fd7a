//! The driver on a paused clock: nothing here waits for real time to pass.

use super::*;
use crate::publish::PageSpec;
use crate::recompute::ComputeError;
use futures_util::future::BoxFuture;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;

/// Hands out the number of captures taken so far.
#[derive(Default)]
struct Counter(AtomicU64);

impl CaptureSource<u64> for Counter {
    fn capture(&self) -> BoxFuture<'static, Result<Captured<u64>, CaptureError>> {
        let n = self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { Ok(Captured { capture: Arc::new(n), at_ms: 0 }) })
    }
}

/// Publishes the capture under its key; can fail, panic or block on purpose.
struct Fake {
    key: &'static str,
    runs: AtomicUsize,
    misbehave: Box<dyn Fn(usize) -> Result<(), ComputeError> + Send + Sync>,
}

impl Fake {
    fn new(
        key: &'static str,
        misbehave: impl Fn(usize) -> Result<(), ComputeError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Fake { key, runs: AtomicUsize::new(0), misbehave: Box::new(misbehave) })
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

impl Recompute<u64> for Fake {
    fn name(&self) -> &'static str {
        self.key
    }

    fn compute(&self, capture: &u64) -> Result<Vec<Draft>, ComputeError> {
        let run = self.runs.fetch_add(1, Ordering::SeqCst);
        (self.misbehave)(run)?;
        Ok(vec![Draft { key: self.key.to_owned(), data: capture.to_string().into_bytes(), window: None }])
    }
}

fn pages(keys: &[&str]) -> Arc<Pages> {
    Arc::new(Pages::new(
        "run",
        keys.iter().map(|key| PageSpec {
            key: (*key).to_owned(),
            self_path: format!("/api/v1/{key}"),
            html_path: "/".to_owned(),
            is_bare: true,
        }),
    ))
}

fn driver(pages: &Arc<Pages>, jobs: &[(Arc<Fake>, u64)]) -> Driver<u64> {
    let options = DriverOptions {
        concurrent_max: 2,
        utc_now_ms: Arc::new(|| 1_000),
        board: StatusBoard::default(),
        fail: FailPoints::default(),
    };
    let mut driver = Driver::new(Arc::new(Counter::default()), Arc::clone(pages), options);
    for (fake, interval_s) in jobs {
        driver.add(Arc::clone(fake) as Arc<dyn Recompute<u64>>, Duration::from_secs(*interval_s));
    }
    driver
}

fn body(pages: &Pages, key: &str) -> String {
    String::from_utf8(pages.get(key).unwrap().load().body.identity.to_vec()).unwrap()
}

/// Lets everything that can run do so: a paused clock moves only when all is idle.
async fn advance(seconds: u64) {
    tokio::time::sleep(Duration::from_millis(seconds * 1000 + 1)).await;
}

#[tokio::test(start_paused = true)]
async fn each_runs_on_its_own_interval_after_the_first_synchronous_run() {
    let pages = pages(&["a", "b"]);
    let (a, b) = (Fake::new("a", |_| Ok(())), Fake::new("b", |_| Ok(())));
    let driver = driver(&pages, &[(a.clone(), 1), (b.clone(), 5)]);
    driver.prime().await.unwrap();
    assert_eq!((body(&pages, "a"), body(&pages, "b")), ("0".to_owned(), "0".to_owned()), "one capture for all");
    driver.start();
    driver.start();
    advance(10).await;
    assert_eq!((a.runs(), b.runs()), (11, 3));
    driver.stop(Duration::from_secs(2)).await;
    advance(10).await;
    assert_eq!((a.runs(), b.runs()), (11, 3), "nothing runs after the stop");
}

#[tokio::test(start_paused = true)]
async fn a_panic_or_an_error_keeps_the_page_and_is_counted() {
    let pages = pages(&["a"]);
    let a = Fake::new("a", |run| match run {
        1 => panic!("on purpose"),
        2 => Err(ComputeError::Other("refused".to_owned())),
        _ => Ok(()),
    });
    let driver = driver(&pages, &[(a, 1)]);
    let board = driver.shared.board.clone();
    driver.prime().await.unwrap();
    driver.start();
    advance(1).await;
    assert_eq!(body(&pages, "a"), "0");
    assert_eq!(board.read(1_000)[0].last_error.as_deref(), Some("panicked: on purpose"));
    advance(1).await;
    assert_eq!(board.read(1_000)[0].last_error.as_deref(), Some("refused"));
    advance(1).await;
    assert_eq!(body(&pages, "a"), "3");
    let status = board.read(1_000).remove(0);
    assert_eq!((status.runs, status.failures, status.last_error), (4, 2, None));
    assert_eq!(driver.stop(Duration::from_secs(2)).await, StopReport { reaped: 1, overdue: 0 });
}

#[tokio::test(start_paused = true)]
async fn requests_during_a_run_collapse_into_one_more() {
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let pages = pages(&["a"]);
    let a = Fake::new("a", move |run| {
        if run == 1 {
            gate.lock().unwrap().recv().unwrap();
        }
        Ok(())
    });
    let driver = driver(&pages, &[(a.clone(), 3600)]);
    driver.prime().await.unwrap();
    driver.start();
    assert!(driver.activate("a"));
    assert!(!driver.activate("b"));
    while a.runs() < 2 {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        driver.activate_all();
    }
    release.send(()).unwrap();
    advance(1).await;
    assert_eq!(a.runs(), 3, "the first, the one activated, and one for the hundred");
    driver.stop(Duration::from_secs(2)).await;
}

#[tokio::test(start_paused = true)]
async fn stop_reaps_a_computation_in_flight_and_lets_nothing_be_published_after() {
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let pages = pages(&["a", "b"]);
    let a = Fake::new("a", move |run| {
        if run == 1 {
            gate.lock().unwrap().recv().unwrap();
        }
        Ok(())
    });
    let driver = driver(&pages, &[(a.clone(), 3600), (Fake::new("b", |_| Ok(())), 1)]);
    driver.prime().await.unwrap();
    driver.start();
    driver.activate("a");
    while a.runs() < 2 {
        tokio::task::yield_now().await;
    }
    let (report, ()) = tokio::join!(driver.stop(Duration::from_secs(2)), async { release.send(()).unwrap() });
    assert_eq!(report, StopReport { reaped: 2, overdue: 0 });
    assert_eq!(body(&pages, "a"), "0", "computed after the stop, so not published");
    assert_eq!(driver.stop(Duration::from_secs(2)).await, StopReport { reaped: 0, overdue: 0 });
    driver.start();
    assert_eq!(driver.stop(Duration::from_secs(2)).await, StopReport { reaped: 0, overdue: 0 });
}

/// Real time: a blocked computation holds a paused clock still, and here the deadline itself is what is tested.
#[tokio::test]
async fn a_computation_that_never_ends_is_let_go_of_at_the_deadline() {
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let pages = pages(&["a"]);
    let a = Fake::new("a", move |run| {
        if run == 1 {
            let _ = gate.lock().unwrap().recv();
        }
        Ok(())
    });
    let driver = driver(&pages, &[(a.clone(), 3600)]);
    driver.prime().await.unwrap();
    driver.start();
    driver.activate("a");
    while a.runs() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(driver.stop(Duration::from_millis(20)).await, StopReport { reaped: 0, overdue: 1 });
    drop(release);
}

#[tokio::test(start_paused = true)]
async fn stopping_before_the_start_is_harmless_and_prime_names_what_is_missing() {
    let pages = pages(&["a", "lonely"]);
    let driver = driver(&pages, &[(Fake::new("a", |_| Ok(())), 1)]);
    assert!(matches!(driver.prime().await, Err(PrimeError::Missing(key)) if key == "lonely"));
    assert_eq!(driver.stop(Duration::from_secs(2)).await, StopReport { reaped: 0, overdue: 0 });
    driver.start();
    assert_eq!(driver.stop(Duration::from_secs(2)).await, StopReport { reaped: 0, overdue: 0 });
}

#[tokio::test(start_paused = true)]
async fn a_page_that_does_not_exist_is_a_counted_failure() {
    let pages = pages(&["other"]);
    let driver = driver(&pages, &[(Fake::new("a", |_| Ok(())), 1)]);
    assert!(matches!(driver.prime().await, Err(PrimeError::Compute { name: "a", .. })));
    assert_eq!(driver.shared.board.read(0)[0].failures, 1);
}
