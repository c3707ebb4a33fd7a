//! What each recomputer costs, by operations held and by intervals kept. Exits with 1 when a budget is not kept.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench measures with the system's clock and fails by panicking"
)]

#[path = "support/gate.rs"]
#[allow(dead_code, reason = "the other benches use the rest")]
mod gate;
#[path = "support/history.rs"]
mod history;
#[path = "support/proc.rs"]
#[allow(dead_code, reason = "the other benches use the rest")]
mod proc;

use gate::Gates;
use history::{History, Stretch};
use mirrorwatch::domain::time::SECOND;
use mirrorwatch::domain::view::Picture;
use mirrorwatch::recompute::{
    Recompute, coverage, divergence, history as series, lag, misses, overview, propagation, rtt, stats,
};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MIRRORS: usize = 8;
/// Operations held, in the same six hours.
const OPS: [u64; 3] = [10_000, 100_000, 1_000_000];
const SPAN_NS: i64 = 6 * 3_600 * SECOND;
/// Operations that are missed, whatever the number of all: they are listed, and a list costs what it shows.
const MISSED: u64 = 200;
/// Cost with the most operations over that with the fewest, at most.
const GROWTH_MAX: f64 = 1.5;
/// A page that costs less than this, milliseconds, is held to a multiple of this: it is a few misses of the caches.
const LEAST_MS: f64 = 0.05;
/// What a picture may cost the ledger's thread, milliseconds: a count of references for every 1,024 operations.
const CAPTURE_MS_MAX: f64 = 0.2;
/// Thirty days of intervals.
const INTERVALS: i64 = 8_640;
/// Operations of each of them.
const OPS_OF_INTERVAL: u64 = 60;
const COMPUTE_MS_MAX: f64 = 50.0;
const MONTH_MB_MAX: f64 = 150.0;
/// Runs of which the quickest counts.
const RUNS: usize = 15;

fn main() -> ExitCode {
    match proc::part().as_deref() {
        Some("month") => month(),
        Some(ops) => held(ops.parse().unwrap()),
        None => return all(),
    }
    ExitCode::SUCCESS
}

fn recomputers() -> [Box<dyn Recompute<Picture>>; 9] {
    [
        Box::new(overview::Overview),
        Box::new(coverage::Coverage),
        Box::new(lag::Lag),
        Box::new(misses::Misses { listed: std::sync::Arc::new(200.into()) }),
        Box::new(rtt::Rtt),
        Box::new(series::History),
        Box::new(divergence::Divergence),
        Box::new(propagation::Propagation),
        Box::new(stats::Stats),
    ]
}

fn all() -> ExitCode {
    let mut gates = Gates::default();
    println!("== each recomputer with {OPS:?} operations held, {MIRRORS} mirrors, ms (quickest of {RUNS} runs)");
    let costs = OPS.map(|ops| proc::run_part(&ops.to_string()).unwrap());
    for (i, recomputer) in recomputers().iter().enumerate() {
        let [few, some, many] = [0, 1, 2].map(|n: usize| costs[n][i]);
        println!("{:<12} {few:>9.3} {some:>9.3} {many:>9.3}", recomputer.name());
        // A sample is as large as it gets from the second amount on.
        let begin = if recomputer.name() == "propagation" { some } else { few };
        gates.at_most(&format!("growth of {}", recomputer.name()), many / begin.max(LEAST_MS), GROWTH_MAX, "×");
    }
    let [few, some, many] = [0, 1, 2].map(|n: usize| costs[n][recomputers().len()]);
    println!("{:<12} {few:>9.3} {some:>9.3} {many:>9.3}", "picture");
    gates.at_most("picture", many, CAPTURE_MS_MAX, "ms");
    println!("== {INTERVALS} intervals, {MIRRORS} mirrors");
    let mut costs = proc::run_part("month").unwrap();
    let peak_mb = costs.pop().unwrap();
    for (recomputer, ms) in recomputers().iter().zip(costs) {
        gates.at_most(recomputer.name(), ms, COMPUTE_MS_MAX, "ms");
    }
    gates.at_most("resident memory", peak_mb, MONTH_MB_MAX, "MB");
    gates.exit_code()
}

/// The quickest of some runs, milliseconds.
fn quickest_ms(mut run: impl FnMut()) -> f64 {
    let once = |_| {
        let begin = Instant::now();
        run();
        begin.elapsed().as_secs_f64() * 1e3
    };
    (0..RUNS).map(once).fold(f64::INFINITY, f64::min)
}

/// Of each recomputer, and last of the picture that they are given.
fn costs(history: &History) -> Vec<f64> {
    let picture = history.picture();
    let of = |r: &dyn Recompute<Picture>| quickest_ms(|| drop(black_box(r.compute(&picture).unwrap())));
    let mut costs: Vec<f64> = recomputers().iter().map(|r| of(r.as_ref())).collect();
    costs.push(quickest_ms(|| drop(black_box(history.picture()))));
    costs
}

fn print(figures: &[f64]) {
    println!("{}", figures.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
}

fn held(ops: u64) {
    let mut history = History::new(MIRRORS);
    history.feed(Stretch { ops, length_ns: SPAN_NS, missed: MISSED, silent: None }, |_, prepared| drop(prepared));
    print(&costs(&history));
}

fn month() {
    let mut history = History::new(MIRRORS);
    for _ in 0..INTERVALS / 12 {
        let stretch = Stretch { ops: 12 * OPS_OF_INTERVAL, length_ns: 3_600 * SECOND, missed: 1, silent: None };
        history.feed(stretch, |_, prepared| drop(prepared));
    }
    let mut figures = costs(&history);
    figures.push(proc::peak_mb());
    print(&figures);
}
