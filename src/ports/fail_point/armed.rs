//! What stands behind fail points where tests run.

use super::FailPoints;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Points that may be armed at once.
const ARMED_MAX: usize = 64;
/// The longest that a point keeps its thread, should nobody release it.
const STICK_MAX: Duration = Duration::from_mins(1);

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Act {
    Panic,
    Stick,
}

#[derive(Debug, Default)]
struct Points {
    waiting: Vec<(&'static str, String, Act)>,
    is_released: bool,
}

/// The armed points of one program.
#[derive(Clone, Debug, Default)]
pub(super) struct Armed {
    is_any: Arc<AtomicBool>,
    points: Arc<(Mutex<Points>, Condvar)>,
}

impl Armed {
    fn arm(&self, name: &'static str, of: &str, act: Act) {
        let mut points = self.points.0.lock().unwrap_or_else(PoisonError::into_inner);
        if points.waiting.len() < ARMED_MAX {
            points.waiting.push((name, of.to_owned(), act));
        }
        points.is_released = false;
        self.is_any.store(true, Ordering::Release);
    }

    pub(super) fn reach(&self, name: &'static str, of: &str) {
        if !self.is_any.load(Ordering::Acquire) {
            return;
        }
        match self.take(name, of) {
            None => {}
            #[expect(clippy::panic, reason = "what a test armed the point for")]
            Some(Act::Panic) => panic!("fail point {name} {of}"),
            Some(Act::Stick) => self.stick(),
        }
    }

    fn take(&self, name: &str, of: &str) -> Option<Act> {
        let mut points = self.points.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = points.waiting.iter().position(|(n, o, _)| *n == name && o == of)?;
        let (_, _, act) = points.waiting.swap_remove(place);
        self.is_any.store(!points.waiting.is_empty(), Ordering::Release);
        Some(act)
    }

    fn stick(&self) {
        let (points, released) = &*self.points;
        let held = points.lock().unwrap_or_else(PoisonError::into_inner);
        // Whether it was released or the time is over, the thread goes on.
        drop(released.wait_timeout_while(held, STICK_MAX, |points| !points.is_released));
    }
}

impl FailPoints {
    /// Lets the program panic when it next comes to this point.
    pub fn panic_at(&self, name: &'static str, of: &str) {
        self.armed.arm(name, of, Act::Panic);
    }

    /// Keeps the thread that next comes to this point until [`FailPoints::release`].
    pub fn stick_at(&self, name: &'static str, of: &str) {
        self.armed.arm(name, of, Act::Stick);
    }

    /// Lets every thread go on.
    pub fn release(&self) {
        let mut points = self.armed.points.0.lock().unwrap_or_else(PoisonError::into_inner);
        points.is_released = true;
        self.armed.points.1.notify_all();
    }

    /// Whether the program has come to every point that was armed.
    #[must_use]
    pub fn are_spent(&self) -> bool {
        self.armed.points.0.lock().unwrap_or_else(PoisonError::into_inner).waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_fails_once_and_only_where_it_was_armed() {
        let points = FailPoints::default();
        points.panic_at("stream", "a");
        points.reach("stream", "b");
        points.reach("reader", "a");
        assert!(!points.are_spent());
        let shared = points.clone();
        assert!(std::panic::catch_unwind(move || shared.reach("stream", "a")).is_err());
        assert!(points.are_spent());
        points.reach("stream", "a");
    }

    #[test]
    fn a_stuck_thread_goes_on_when_it_is_released() {
        let points = FailPoints::default();
        points.stick_at("collector", "");
        let shared = points.clone();
        let stuck = std::thread::spawn(move || shared.reach("collector", ""));
        while !points.are_spent() {
            std::thread::yield_now();
        }
        assert!(!stuck.is_finished());
        points.release();
        stuck.join().unwrap();
    }
}
