//! How long the machine itself let nobody run: no fault of the program under test.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Tells how long this machine let nobody run: so much later than planned may a program be for no fault of its own.
pub struct Stalls {
    worst_ms: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Stalls {
    /// Begins to look.
    pub fn watch() -> Stalls {
        let stalls = Stalls { worst_ms: Arc::default(), stop: Arc::default() };
        let (worst_ms, stop) = (Arc::clone(&stalls.worst_ms), Arc::clone(&stalls.stop));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                std::thread::sleep(Duration::from_millis(5));
                worst_ms.fetch_add(begun.elapsed().as_millis() as u64 - 5, Ordering::Relaxed);
            }
        });
        stalls
    }

    /// The delays since the last call, together.
    pub fn take_ms(&self) -> u64 {
        self.worst_ms.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
