//! A hundred readers of one value while it is published and computed anew all the time.

use super::gate::median;
use hdrhistogram::Histogram;
use nix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const READERS: usize = 100;
const WRITERS: usize = 4;
/// Between two publications of one writer.
const PUBLISH_EVERY: Duration = Duration::from_millis(1);
/// Length of the computation that runs in a loop.
const COMPUTE: Duration = Duration::from_millis(20);
/// Length of the part with a clock around each call, and of the part without.
const PART: Duration = Duration::from_millis(700);
/// Between two reads of one thread in the paced part.
const PACE: Duration = Duration::from_millis(2);
/// Calls of a batch without a clock.
const BATCH: u64 = 1_000;
/// Longest latency that is told apart, nanoseconds.
const LONGEST_NS: u64 = 60_000_000_000;

/// A value that is read while others change it.
pub trait Shared: Sync {
    /// One read.
    fn read(&self) -> u64;
    /// One publication by a writer.
    fn publish(&self);
    /// One computation; `work` takes its time.
    fn compute(&self, work: &mut dyn FnMut());
}

/// What one round found.
pub struct Round {
    /// The same of reads that a thread does one by one with a pause between, so that a lock is not found free by those
    /// alone who had it before.
    pub alone_ns: [f64; 5],
    /// Latency of a read, nanoseconds: p50, p90, p99, p99.9, maximum.
    pub read_ns: [f64; 5],
    /// The same of nothing, timed in the same way by the same threads.
    pub empty_ns: [f64; 5],
    /// Time of the reader's thread for a read beyond that of nothing, nanoseconds.
    pub net_ns: f64,
    /// Publications and computations.
    pub changes: [u64; 2],
}

impl Round {
    /// p99 of a read over that of nothing.
    pub fn ratio(&self) -> f64 {
        self.read_ns[2] / self.empty_ns[2].max(1.0)
    }
}

/// The middle of what the rounds found.
pub struct Medians {
    /// p99 of a read, nanoseconds.
    pub p99_ns: f64,
    /// p99 of reads one by one, nanoseconds.
    pub alone_p99_ns: f64,
    /// p99 of a read over that of nothing.
    pub ratio: f64,
    /// Net cost of a read, nanoseconds.
    pub net_ns: f64,
}

impl Medians {
    /// Of these rounds.
    pub fn of(rounds: &[Round]) -> Medians {
        let of = |value: fn(&Round) -> f64| median(rounds.iter().map(value).collect());
        Medians {
            p99_ns: of(|r| r.read_ns[2]),
            alone_p99_ns: of(|r| r.alone_ns[2]),
            ratio: of(Round::ratio),
            net_ns: of(|r| r.net_ns),
        }
    }
}

/// One round: writers and the computation run all the time, readers first with a clock around each call, then in batches.
pub fn round(shared: &dyn Shared) -> Round {
    let [paced, timed, batches, over] = [(); 4].map(|()| AtomicBool::new(false));
    let (mut read, mut empty, mut alone) = (histogram(), histogram(), histogram());
    let (mut nets, mut changes) = (Vec::new(), [0; 2]);
    std::thread::scope(|scope| {
        let change = |is_compute: bool| {
            let over = &over;
            scope.spawn(move || if is_compute { compute(shared, over) } else { publish(shared, over) })
        };
        let writing: Vec<_> = (0..=WRITERS).map(|i| (i == WRITERS, change(i == WRITERS))).collect();
        let reader = || {
            let (paced, timed, batches) = (&paced, &timed, &batches);
            scope.spawn(move || {
                let alone = one_by_one(shared, paced);
                (alone, with_clock(shared, timed), without_clock(shared, batches))
            })
        };
        let readers: Vec<_> = (0..READERS).map(|_| reader()).collect();
        for part in [&paced, &timed, &batches] {
            std::thread::sleep(PART);
            part.store(true, Ordering::Relaxed);
        }
        // Before the readers are waited for: behind a lock that is held all the time they would never come to their end.
        over.store(true, Ordering::Relaxed);
        for reader in readers {
            let (of_alone, (of_read, of_empty), net) = reader.join().expect("a reader panicked");
            alone.add(of_alone).expect("the same bounds");
            read.add(of_read).expect("the same bounds");
            empty.add(of_empty).expect("the same bounds");
            nets.extend(net);
        }
        for (is_compute, changer) in writing {
            changes[usize::from(is_compute)] += changer.join().expect("a writer panicked");
        }
    });
    Round {
        alone_ns: quantiles(&alone),
        read_ns: quantiles(&read),
        empty_ns: quantiles(&empty),
        net_ns: median(nets),
        changes,
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("sound bounds")
}

fn quantiles(h: &Histogram<u64>) -> [f64; 5] {
    [0.5, 0.9, 0.99, 0.999, 1.0].map(|q| h.value_at_quantile(q) as f64)
}

fn publish(shared: &dyn Shared, over: &AtomicBool) -> u64 {
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        shared.publish();
        count += 1;
        std::thread::sleep(PUBLISH_EVERY);
    }
    count
}

fn compute(shared: &dyn Shared, over: &AtomicBool) -> u64 {
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        shared.compute(&mut || {
            let begin = Instant::now();
            while begin.elapsed() < COMPUTE {
                black_box((0..1_000_u64).fold(0, |sum, i| sum ^ black_box(i)));
            }
        });
        count += 1;
    }
    count
}

/// Times one read, then rests.
fn one_by_one(shared: &dyn Shared, ended: &AtomicBool) -> Histogram<u64> {
    let mut alone = histogram();
    while !ended.load(Ordering::Relaxed) {
        std::thread::sleep(PACE);
        let begin = Instant::now();
        black_box(shared.read());
        alone.saturating_record(begin.elapsed().as_nanos() as u64);
    }
    alone
}

/// Times reads, and nothing in between, so that both meet the same machine.
fn with_clock(shared: &dyn Shared, ended: &AtomicBool) -> (Histogram<u64>, Histogram<u64>) {
    let (mut read, mut empty) = (histogram(), histogram());
    while !ended.load(Ordering::Relaxed) {
        let begin = Instant::now();
        black_box(shared.read());
        let ns = begin.elapsed().as_nanos() as u64;
        read.saturating_record(ns);
        let begin = Instant::now();
        black_box(());
        let ns = begin.elapsed().as_nanos() as u64;
        empty.saturating_record(ns);
    }
    (read, empty)
}

/// Nanoseconds of this thread's own time for one read beyond an empty loop, batch by batch.
fn without_clock(shared: &dyn Shared, ended: &AtomicBool) -> Vec<f64> {
    let own_ns =
        || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(0, |t| t.tv_sec() * 1_000_000_000 + t.tv_nsec());
    let mut nets = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        let begin = own_ns();
        for _ in 0..BATCH {
            black_box(shared.read());
        }
        let middle = own_ns();
        for i in 0..BATCH {
            black_box(i);
        }
        let end = own_ns();
        nets.push(((middle - begin) - (end - middle)) as f64 / BATCH as f64);
    }
    nets
}

/// One line of five figures.
pub fn line(ns: &[f64; 5]) -> String {
    let [p50, p90, p99, p999, max] = ns;
    format!("p50 {p50:.0}  p90 {p90:.0}  p99 {p99:.0}  p99.9 {p999:.0}  max {max:.0} ns")
}
