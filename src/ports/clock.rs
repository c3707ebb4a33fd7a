//! The observer's clock: the only place that asks the system for the time.
//!
//! Logic lives on [`Tau`], which counts through suspend and never steps. UTC is read for labels alone. After a reboot
//! `CLOCK_BOOTTIME` starts again near zero: whoever opens a data directory gives the offset that lets its instants go
//! on.

#[cfg(any(test, feature = "simulator"))]
use std::sync::atomic::{AtomicI64, Ordering};

use nix::time::{ClockId, clock_gettime};
use thiserror::Error;

use crate::domain::time::{MS, SECOND, Tau};

/// Where Linux shows the identity of the running boot.
const BOOT_ID_PATH: &str = "/proc/sys/kernel/random/boot_id";

/// What can be wrong with the system's clocks; met at the start only.
#[derive(Debug, Error)]
pub enum ClockError {
    /// The kernel offers no `CLOCK_BOOTTIME` or refuses to read it.
    #[error("clock: CLOCK_BOOTTIME cannot be read")]
    Boottime(#[source] nix::Error),
    /// The identity of this boot cannot be read.
    #[error("clock: {BOOT_ID_PATH} cannot be read")]
    BootId(#[source] std::io::Error),
}

/// Tells the present.
pub trait Clock: Send + Sync {
    /// The present instant; never earlier than one told before.
    fn now(&self) -> Tau;

    /// The system's idea of UTC, milliseconds since 1970. It may step at any time: for labels, never for logic.
    fn utc_ms(&self) -> i64;
}

/// The clock of the system: `CLOCK_BOOTTIME` plus an offset that stays fixed while the process runs.
#[derive(Debug)]
pub struct SystemClock {
    /// Nanoseconds added to `CLOCK_BOOTTIME`.
    offset_ns: i64,
}

impl SystemClock {
    /// A clock whose instants are `CLOCK_BOOTTIME` plus `offset_ns`.
    ///
    /// # Errors
    /// When `CLOCK_BOOTTIME` cannot be read; after that, reading it cannot fail.
    pub fn new(offset_ns: i64) -> Result<Self, ClockError> {
        clock_gettime(ClockId::CLOCK_BOOTTIME).map_err(ClockError::Boottime)?;
        Ok(Self { offset_ns })
    }

    /// A clock that tells `at_least` or later from now on: how a data directory's instants go on after a reboot.
    ///
    /// The offset is zero where `CLOCK_BOOTTIME` is past `at_least` already, as it is within one boot.
    ///
    /// # Errors
    /// When `CLOCK_BOOTTIME` cannot be read.
    pub fn not_before(at_least: Tau) -> Result<Self, ClockError> {
        let plain = Self::new(0)?;
        Ok(Self { offset_ns: at_least.since(plain.now()).max(0) })
    }

    /// Nanoseconds added to `CLOCK_BOOTTIME`; kept beside the boot id, so that a restart in the same boot uses it again.
    #[must_use]
    pub fn offset_ns(&self) -> i64 {
        self.offset_ns
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Tau {
        Tau(read_ns(ClockId::CLOCK_BOOTTIME).saturating_add(self.offset_ns))
    }

    fn utc_ms(&self) -> i64 {
        read_ns(ClockId::CLOCK_REALTIME).div_euclid(MS)
    }
}

/// Nanoseconds of `clock`; 0 for a clock that the kernel does not have, which [`SystemClock::new`] has ruled out.
fn read_ns(clock: ClockId) -> i64 {
    clock_gettime(clock).map_or(0, |t| t.tv_sec().saturating_mul(SECOND).saturating_add(t.tv_nsec()))
}

/// Identity of the running boot, a UUID: the instants of two boots cannot be compared without an offset.
///
/// # Errors
/// When `/proc` is not mounted or not readable.
pub fn boot_id() -> Result<String, ClockError> {
    std::fs::read_to_string(BOOT_ID_PATH).map(|id| id.trim().to_owned()).map_err(ClockError::BootId)
}

/// A clock that moves only when told to.
#[cfg(any(test, feature = "simulator"))]
#[derive(Debug, Default)]
pub struct ManualClock {
    /// The instant told, nanoseconds.
    now_ns: AtomicI64,
    /// The UTC told, milliseconds since 1970.
    utc_ms: AtomicI64,
}

#[cfg(any(test, feature = "simulator"))]
impl ManualClock {
    /// A clock that stands at `now` and calls it `utc_ms`.
    #[must_use]
    pub fn new(now: Tau, utc_ms: i64) -> Self {
        Self { now_ns: AtomicI64::new(now.0), utc_ms: AtomicI64::new(utc_ms) }
    }

    /// Moves both clocks forward by `ns` nanoseconds; UTC moves by whole milliseconds.
    pub fn advance(&self, ns: i64) {
        self.now_ns.fetch_add(ns.max(0), Ordering::SeqCst);
        self.utc_ms.fetch_add(ns.max(0).div_euclid(MS), Ordering::SeqCst);
    }

    /// Steps the wall clock alone, as an administrator or NTP does.
    pub fn step_utc(&self, delta_ms: i64) {
        self.utc_ms.fetch_add(delta_ms, Ordering::SeqCst);
    }
}

#[cfg(any(test, feature = "simulator"))]
impl Clock for ManualClock {
    fn now(&self) -> Tau {
        Tau(self.now_ns.load(Ordering::SeqCst))
    }

    fn utc_ms(&self) -> i64 {
        self.utc_ms.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_clock_goes_forward_and_carries_its_offset() {
        let plain = SystemClock::new(0).unwrap();
        let shifted = SystemClock::new(1_000 * SECOND).unwrap();
        let first = plain.now();
        let later = shifted.now();
        assert!(later.since(first) >= 1_000 * SECOND && later.since(first) < 1_060 * SECOND);
        assert!(plain.now() >= first);
        assert!(plain.utc_ms() > 1_700_000_000_000);
    }

    #[test]
    fn instants_go_on_after_a_reboot_and_need_no_offset_within_one_boot() {
        let now = SystemClock::new(0).unwrap().now();
        let rebooted = SystemClock::not_before(now.plus(9_999 * SECOND)).unwrap();
        assert!(rebooted.now() >= now.plus(9_999 * SECOND));
        assert!(rebooted.offset_ns() > 0);
        assert_eq!(SystemClock::not_before(Tau(1)).unwrap().offset_ns(), 0);
    }

    #[test]
    fn boot_id_is_a_uuid() {
        let id = boot_id().unwrap();
        assert_eq!(id.len(), 36);
        assert_eq!(id, boot_id().unwrap());
    }

    #[test]
    fn manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(Tau(5), 1_000);
        assert_eq!((clock.now(), clock.utc_ms()), (Tau(5), 1_000));
        clock.advance(2 * MS);
        clock.step_utc(-500);
        assert_eq!((clock.now(), clock.utc_ms()), (Tau(5 + 2 * MS), 502));
    }
}
