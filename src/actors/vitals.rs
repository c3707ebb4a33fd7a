//! What is known of the program's own parts: which were restarted and how often, which do not answer, who looks.
//!
//! Written by whoever looks after parts, read by the probes, the page of the internals and the metrics. Parts are as many
//! as the configuration makes, so nothing here grows.

use super::inbox::Depth;
use crate::domain::time::{SECOND, Tau};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A part that has not answered for so long is stuck, nanoseconds.
pub const STUCK_NS: i64 = 3 * SECOND;
/// When nobody has looked after the parts for so long, whoever does so is stuck himself, nanoseconds.
const UNSEEN_NS: i64 = 4 * SECOND;

#[derive(Debug, Default)]
struct Parts {
    restarts: BTreeMap<String, u64>,
    /// Parts that do not answer, and since when they were asked.
    stuck: BTreeMap<String, Tau>,
}

#[derive(Debug)]
struct Shared {
    parts: Mutex<Parts>,
    looked_at: AtomicI64,
    core_answered_at: AtomicI64,
    depth: Depth,
}

/// The vitals of one program; clones share them.
#[derive(Clone, Debug)]
pub struct Vitals(Arc<Shared>);

impl Default for Vitals {
    fn default() -> Vitals {
        Vitals(Arc::new(Shared {
            parts: Mutex::default(),
            looked_at: AtomicI64::new(i64::MIN),
            core_answered_at: AtomicI64::new(i64::MIN),
            depth: Depth::default(),
        }))
    }
}

impl Vitals {
    fn parts<T>(&self, read: impl FnOnce(&mut Parts) -> T) -> T {
        read(&mut self.0.parts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How much of what the sources send waits for the collector.
    #[must_use]
    pub fn depth(&self) -> &Depth {
        &self.0.depth
    }

    /// There is such a part, which is restarted when it ends by itself: it counts from 0, so that a first restart is seen as one.
    pub fn know(&self, name: &str) {
        self.parts(|parts| {
            if !parts.restarts.contains_key(name) {
                parts.restarts.insert(name.to_owned(), 0);
            }
        });
    }

    /// A part ended by itself and is started anew; how often that was.
    pub fn restarted(&self, name: &str) -> u64 {
        self.parts(|parts| {
            let count = parts.restarts.entry(name.to_owned()).or_default();
            *count = count.saturating_add(1);
            *count
        })
    }

    /// Restarts since the start by part.
    #[must_use]
    pub fn restarts(&self) -> Vec<(String, u64)> {
        self.parts(|parts| parts.restarts.iter().map(|(name, count)| (name.clone(), *count)).collect())
    }

    /// A part was asked at `since` and does not answer; none when it does.
    pub fn set_stuck(&self, name: &str, since: Option<Tau>) {
        self.parts(|parts| match since {
            Some(since) => drop(parts.stuck.insert(name.to_owned(), since)),
            None => drop(parts.stuck.remove(name)),
        });
    }

    /// Forgets who does not answer: all parts are others now.
    pub fn forget_stuck(&self) {
        self.parts(|parts| parts.stuck.clear());
    }

    /// Somebody looked after all parts just now.
    pub fn looked(&self, now: Tau) {
        self.0.looked_at.store(now.0, Ordering::Relaxed);
    }

    /// The core took in what was sent to it, and answered just now.
    pub fn core_answered(&self, now: Tau) {
        self.0.core_answered_at.store(now.0, Ordering::Relaxed);
    }

    /// Whether the core answered within the last `ns` nanoseconds.
    #[must_use]
    pub fn is_core_alive(&self, now: Tau, ns: i64) -> bool {
        let at = self.0.core_answered_at.load(Ordering::Relaxed);
        at > i64::MIN && now.since(Tau(at)) <= ns
    }

    /// Whether every part answers.
    ///
    /// # Errors
    /// Who does not, and for how long, in words for people.
    pub fn health(&self, now: Tau) -> Result<(), String> {
        let looked_at = self.0.looked_at.load(Ordering::Relaxed);
        if looked_at > i64::MIN && now.since(Tau(looked_at)) > UNSEEN_NS {
            return Err(format!("nobody has looked after the parts for {} s", now.since(Tau(looked_at)) / SECOND));
        }
        let stuck: Vec<String> = self.parts(|parts| {
            let told = |(name, since): (&String, &Tau)| format!("{name} for {} s", now.since(*since) / SECOND);
            parts.stuck.iter().map(told).collect()
        });
        if stuck.is_empty() { Ok(()) } else { Err(format!("no answer from {}", stuck.join(", "))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_answer_is_named_until_it_does() {
        let vitals = Vitals::default();
        let at = |s: i64| Tau(s * SECOND);
        assert_eq!(vitals.health(at(100)), Ok(()), "nothing was looked at yet");
        vitals.looked(at(100));
        vitals.set_stuck("collector", Some(at(97)));
        vitals.set_stuck("source a", Some(at(96)));
        assert_eq!(vitals.health(at(101)), Err("no answer from collector for 4 s, source a for 5 s".to_owned()));
        vitals.set_stuck("collector", None);
        vitals.set_stuck("source a", None);
        assert_eq!(vitals.health(at(101)), Ok(()));
        assert_eq!(vitals.health(at(105)), Err("nobody has looked after the parts for 5 s".to_owned()));
    }

    #[test]
    fn restarts_are_counted_by_part_and_the_core_is_alive_while_it_answers() {
        let vitals = Vitals::default();
        vitals.know("auditor");
        assert_eq!(vitals.restarts(), [("auditor".to_owned(), 0)]);
        assert_eq!((vitals.restarted("auditor"), vitals.restarted("auditor"), vitals.restarted("source a")), (1, 2, 1));
        vitals.know("auditor");
        assert_eq!(vitals.restarts(), [("auditor".to_owned(), 2), ("source a".to_owned(), 1)]);
        assert!(!vitals.is_core_alive(Tau(5), SECOND));
        vitals.core_answered(Tau(5));
        assert!(vitals.is_core_alive(Tau(5 + SECOND), SECOND) && !vitals.is_core_alive(Tau(6 + SECOND), SECOND));
    }
}
