//! How long the machine itself let nobody run: no fault of the program under test.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Delays that are remembered one by one; more than any test sees.
const KEPT_MAX: usize = 100_000;

/// Delays that were seen.
#[derive(Default)]
struct Seen {
    total_ms: u64,
    /// When each ended, and how long it was.
    each: VecDeque<(Instant, Duration)>,
}

/// Tells how long this machine let nobody run: so much later than planned may a program be for no fault of its own.
pub struct Stalls {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
}

impl Stalls {
    /// Begins to look.
    pub fn watch() -> Stalls {
        let stalls = Stalls { seen: Arc::default(), stop: Arc::default() };
        let (seen, stop) = (Arc::clone(&stalls.seen), Arc::clone(&stalls.stop));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                std::thread::sleep(LOOK_EVERY);
                let ended = Instant::now();
                let late = Duration::from_millis((ended - begun).saturating_sub(LOOK_EVERY).as_millis() as u64);
                if late.is_zero() {
                    continue;
                }
                let mut seen = seen.lock().unwrap();
                seen.total_ms += late.as_millis() as u64;
                seen.each.push_back((ended, late));
                if seen.each.len() > KEPT_MAX {
                    seen.each.pop_front();
                }
            }
        });
        stalls
    }

    /// The delays since the last call, together.
    pub fn take_ms(&self) -> u64 {
        std::mem::take(&mut self.seen.lock().unwrap().total_ms)
    }

    /// The delays between two instants, together.
    pub fn between(&self, from: Instant, to: Instant) -> Duration {
        let seen = self.seen.lock().unwrap();
        let first = seen.each.partition_point(|(ended, _)| *ended <= from);
        let begun = seen.each.iter().skip(first).map(|(ended, late)| (ended.checked_sub(*late).unwrap(), *ended));
        begun.take_while(|(begun, _)| *begun < to).map(|(begun, ended)| ended.min(to) - begun.max(from)).sum()
    }
}

/// Those of the whole run.
static OF_ALL: LazyLock<Stalls> = LazyLock::new(Stalls::watch);

/// A wait of so long, without what the machine let nobody run meanwhile, up to three times as long again.
pub struct Patience {
    begun: Instant,
    within: Duration,
}

impl Patience {
    /// Begins to wait.
    pub fn of(within: Duration) -> Patience {
        LazyLock::force(&OF_ALL);
        Patience { begun: Instant::now(), within }
    }

    /// Whether it was long enough.
    pub fn is_over(&self) -> bool {
        let (waited, now) = (self.begun.elapsed(), Instant::now());
        waited > self.within && waited > self.within + OF_ALL.between(self.begun, now).min(3 * self.within)
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
