//! How often one host may be asked: a least gap between two requests, and pauses that the host itself asks for.
//!
//! [`RateGate`] is the rule, pure, with the present as an argument. [`HostGates`] holds one gate for each host and waits;
//! callers of one host pass in the order in which they came. Nothing here sends a request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::Clock;
use crate::domain::time::{SECOND, Tau};

/// Gates kept at once; beyond it the idle ones are let go, as they hold no wish that still counts.
const GATES_MAX: usize = 1_024;

/// The rule for one host.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct RateGate {
    /// Least nanoseconds between two requests.
    gap_ns: i64,
    /// The next request may begin here.
    open_at: Tau,
}

impl RateGate {
    /// An open gate with `gap_ns` nanoseconds between requests.
    #[must_use]
    pub fn new(gap_ns: i64) -> Self {
        Self { gap_ns: gap_ns.max(0), open_at: Tau::MIN }
    }

    /// Lets one request pass at `now`, or says how many nanoseconds are left until one may.
    ///
    /// # Errors
    /// The wait that is left, nanoseconds, always above 0.
    pub fn try_pass(&mut self, now: Tau) -> Result<(), i64> {
        self.try_pass_for(now, self.gap_ns)
    }

    /// The same for a request behind which the next one may follow after `gap_ns` nanoseconds, or this gate's own distance
    /// when that is less.
    ///
    /// # Errors
    /// As [`RateGate::try_pass`].
    pub fn try_pass_for(&mut self, now: Tau, gap_ns: i64) -> Result<(), i64> {
        if now < self.open_at {
            return Err(self.open_at.since(now));
        }
        self.open_at = now.plus(gap_ns.clamp(0, self.gap_ns));
        Ok(())
    }

    /// Keeps the gate shut for `seconds` from `now`, as a 429 asks; never shortens a longer pause.
    pub fn pause(&mut self, now: Tau, seconds: u32) {
        self.open_at = self.open_at.max(now.plus(i64::from(seconds).saturating_mul(SECOND)));
    }
}

/// One host's gate and the queue before it.
#[derive(Debug)]
struct Host {
    /// The rule; held only for the moment of a question.
    gate: Mutex<RateGate>,
    /// Held by the caller whose turn it is; fair, so callers pass in order.
    turn: tokio::sync::Mutex<()>,
}

/// The gates of all hosts.
pub struct HostGates {
    /// Tells the present.
    clock: Arc<dyn Clock>,
    /// Least nanoseconds between two requests to one host.
    gap_ns: i64,
    /// Longest wait that a caller is kept for, nanoseconds; a longer pause is refused at once.
    wait_max_ns: i64,
    /// By `host:port`, at most [`GATES_MAX`] beside those in use.
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

impl HostGates {
    /// Gates with `gap` between two requests to a host, which keep a caller waiting for at most `wait_max` on a pause.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, gap: Duration, wait_max: Duration) -> Self {
        let ns = |d: Duration| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX);
        Self { clock, gap_ns: ns(gap), wait_max_ns: ns(wait_max), hosts: Mutex::default() }
    }

    /// Waits until `host` may be asked once more.
    ///
    /// # Errors
    /// The seconds that are left, when the host is paused for longer than a caller should wait.
    pub async fn pass(&self, host: &str) -> Result<(), u32> {
        self.pass_for(host, self.gap_ns).await
    }

    /// The same for a request behind which the next one may follow after `gap_ns` nanoseconds, if these gates' own distance
    /// is not less.
    ///
    /// # Errors
    /// As [`HostGates::pass`].
    pub async fn pass_for(&self, host: &str, gap_ns: i64) -> Result<(), u32> {
        let host = self.host(host);
        let _turn = host.turn.lock().await;
        loop {
            let asked = lock(&host.gate).try_pass_for(self.clock.now(), gap_ns);
            match asked {
                Ok(()) => return Ok(()),
                Err(wait_ns) if wait_ns > self.wait_max_ns => {
                    return Err(u32::try_from(wait_ns.saturating_add(SECOND - 1) / SECOND).unwrap_or(u32::MAX));
                }
                Err(wait_ns) => tokio::time::sleep(Duration::from_nanos(wait_ns.unsigned_abs())).await,
            }
        }
    }

    /// Keeps `host` shut for `seconds` from now.
    pub fn pause(&self, host: &str, seconds: u32) {
        lock(&self.host(host).gate).pause(self.clock.now(), seconds);
    }

    /// The gate of `host`, made open when it is new.
    fn host(&self, host: &str) -> Arc<Host> {
        let mut hosts = lock(&self.hosts);
        if let Some(known) = hosts.get(host) {
            return Arc::clone(known);
        }
        if hosts.len() >= GATES_MAX {
            let now = self.clock.now();
            hosts.retain(|_, host| Arc::strong_count(host) > 1 || lock(&host.gate).open_at > now);
        }
        let made = Arc::new(Host { gate: Mutex::new(RateGate::new(self.gap_ns)), turn: tokio::sync::Mutex::default() });
        hosts.insert(host.to_owned(), Arc::clone(&made));
        made
    }
}

/// Locks even after a panic elsewhere: what these locks guard is whole after every statement.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::MS;
    use crate::ports::clock::ManualClock;

    #[test]
    fn requests_keep_their_distance() {
        let mut gate = RateGate::new(700 * MS);
        assert_eq!(gate.try_pass(Tau(0)), Ok(()));
        assert_eq!(gate.try_pass(Tau(100 * MS)), Err(600 * MS));
        assert_eq!(gate.try_pass(Tau(700 * MS)), Ok(()));
        assert_eq!(gate.try_pass_for(Tau(1_400 * MS), 100 * MS), Ok(()));
        assert_eq!(gate.try_pass_for(Tau(1_500 * MS), 9_000 * MS), Ok(()));
        assert_eq!(gate.try_pass(Tau(2_100 * MS)), Err(100 * MS));
    }

    #[test]
    fn a_pause_shuts_the_gate_and_a_shorter_one_does_not_open_it() {
        let mut gate = RateGate::new(700 * MS);
        gate.pause(Tau(0), 30);
        gate.pause(Tau(0), 1);
        assert_eq!(gate.try_pass(Tau(10 * SECOND)), Err(20 * SECOND));
        assert_eq!(gate.try_pass(Tau(30 * SECOND)), Ok(()));
    }

    /// A clock that follows the runtime's paused timers.
    struct PausedClock(tokio::time::Instant);

    impl Clock for PausedClock {
        fn now(&self) -> Tau {
            Tau(i64::try_from(self.0.elapsed().as_nanos()).unwrap())
        }

        fn utc_ms(&self) -> i64 {
            0
        }
    }

    #[tokio::test(start_paused = true)]
    async fn callers_of_one_host_queue_and_others_do_not_wait_for_them() {
        let clock = Arc::new(PausedClock(tokio::time::Instant::now()));
        let gates = HostGates::new(clock.clone(), Duration::from_millis(700), Duration::from_secs(30));
        tokio::join!(
            async {
                gates.pass("a").await.unwrap();
                assert!(clock.now() < Tau(5 * MS));
            },
            async {
                gates.pass("a").await.unwrap();
                assert!(clock.now() >= Tau(700 * MS));
            },
            async {
                gates.pass("b").await.unwrap();
                assert!(clock.now() < Tau(5 * MS));
            },
        );
        gates.pass("a").await.unwrap();
        assert!(clock.now() >= Tau(1_400 * MS));
    }

    #[tokio::test]
    async fn a_long_pause_is_refused_instead_of_waited_for() {
        let clock = Arc::new(ManualClock::new(Tau(0), 0));
        let gates = HostGates::new(clock.clone(), Duration::from_millis(700), Duration::from_secs(30));
        gates.pause("a", 300);
        clock.advance(500 * MS);
        assert_eq!(gates.pass("a").await, Err(300));
        clock.advance(300 * SECOND);
        assert_eq!(gates.pass("a").await, Ok(()));
    }

    #[tokio::test]
    async fn idle_gates_are_let_go_and_paused_ones_kept() {
        let clock = Arc::new(ManualClock::new(Tau(0), 0));
        let gates = HostGates::new(clock.clone(), Duration::from_millis(700), Duration::from_secs(30));
        gates.pause("paused", 300);
        for n in 0..GATES_MAX {
            gates.pass(&format!("host {n}")).await.unwrap();
        }
        clock.advance(SECOND);
        gates.pass("one more").await.unwrap();
        assert!(lock(&gates.hosts).len() <= 3);
        assert_eq!(gates.pass("paused").await, Err(299));
    }
}
