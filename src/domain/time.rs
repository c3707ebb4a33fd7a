//! Instants and spans of the observer's own clock, and the labels that people read.
//!
//! Logic uses [`Tau`] alone; wall time appears only where an instant is printed, through [`Labels`], so that a step of
//! the system's clock can change no verdict.

use serde::{Deserialize, Serialize};

/// Nanoseconds in a microsecond.
pub const US: i64 = 1_000;
/// Nanoseconds in a millisecond.
pub const MS: i64 = 1_000_000;
/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;

/// An instant of the observer's clock: nanoseconds of CLOCK_BOOTTIME, which counts suspend and never steps.
///
/// After a reboot the clock port adds an offset, so that instants of one data directory never run backwards.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Tau(pub i64);

impl Tau {
    /// Later than every instant that a clock can show.
    pub const MAX: Tau = Tau(i64::MAX);
    /// Earlier than every instant that a clock can show.
    pub const MIN: Tau = Tau(i64::MIN);

    /// The instant `ns` nanoseconds later (earlier when negative); saturates.
    #[must_use]
    pub const fn plus(self, ns: i64) -> Tau {
        Tau(self.0.saturating_add(ns))
    }

    /// Nanoseconds from `earlier` to `self`, negative when `earlier` is later; saturates.
    #[must_use]
    pub const fn since(self, earlier: Tau) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The half-open span `[from, to)`.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Span {
    /// First instant that belongs to the span.
    pub from: Tau,
    /// First instant that does not.
    pub to: Tau,
}

impl Span {
    /// Length in nanoseconds, never negative.
    #[must_use]
    pub fn len_ns(&self) -> i64 {
        self.to.since(self.from).max(0)
    }

    /// Whether `at` lies in the span.
    #[must_use]
    pub fn contains(&self, at: Tau) -> bool {
        self.from <= at && at < self.to
    }

    /// Nanoseconds of `[from, to)` that lie in at least one of the spans, which it puts in order.
    #[must_use]
    pub fn union_ns(spans: &mut [Span], from: Tau, to: Tau) -> i64 {
        spans.sort_unstable_by_key(|s| s.from);
        let (mut covered, mut end) = (0, from);
        for span in spans {
            covered += span.overlap_ns(end, to);
            end = end.max(span.to);
        }
        covered
    }

    /// Nanoseconds that this span shares with `[from, to)`.
    #[must_use]
    pub fn overlap_ns(&self, from: Tau, to: Tau) -> i64 {
        self.to.min(to).since(self.from.max(from)).max(0)
    }
}

/// Turns instants into UTC labels through one anchor that stays fixed while the process runs.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Labels {
    /// The instant of the anchor.
    pub anchor_tau: Tau,
    /// UTC at the anchor, milliseconds since 1970.
    pub anchor_utc_ms: i64,
}

impl Labels {
    /// UTC label of `at`, milliseconds since 1970, rounded down.
    #[must_use]
    pub fn utc_ms(&self, at: Tau) -> i64 {
        self.anchor_utc_ms.saturating_add(at.since(self.anchor_tau).div_euclid(MS))
    }

    /// The instant whose label is `utc_ms`.
    #[must_use]
    pub fn tau(&self, utc_ms: i64) -> Tau {
        self.anchor_tau.plus(utc_ms.saturating_sub(self.anchor_utc_ms).saturating_mul(MS))
    }
}

/// RFC 3339 in UTC with milliseconds and `Z`, as every `_at` field has it; years outside 0–9999 are clamped.
#[must_use]
pub fn rfc3339_ms(utc_ms: i64) -> String {
    let clamped = utc_ms.clamp(-62_167_219_200_000, 253_402_300_799_999);
    jiff::Timestamp::from_millisecond(clamped).map_or_else(|_| String::new(), |t| format!("{t:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_go_both_ways_and_print_as_the_api_has_them() {
        let labels = Labels { anchor_tau: Tau(5 * SECOND), anchor_utc_ms: 1_700_000_000_000 };
        assert_eq!(labels.utc_ms(Tau(6 * SECOND + 999)), 1_700_000_001_000);
        assert_eq!(labels.utc_ms(Tau(5 * SECOND - 1)), 1_699_999_999_999);
        assert_eq!(labels.tau(1_700_000_001_000), Tau(6 * SECOND));
        assert_eq!(rfc3339_ms(1_700_000_001_007), "2023-11-14T22:13:21.007Z");
        assert_eq!(rfc3339_ms(1_700_000_000_000), "2023-11-14T22:13:20.000Z");
    }

    #[test]
    fn overlap_is_never_negative() {
        let span = Span { from: Tau(10), to: Tau(20) };
        assert_eq!(span.overlap_ns(Tau(0), Tau(5)), 0);
        assert_eq!(span.overlap_ns(Tau(15), Tau(90)), 5);
        assert!(span.contains(Tau(10)) && !span.contains(Tau(20)));
        let mut spans = [Span { from: Tau(15), to: Tau(30) }, span, Span { from: Tau(12), to: Tau(14) }];
        assert_eq!(Span::union_ns(&mut spans, Tau(5), Tau(40)), 20);
        assert_eq!(Span::union_ns(&mut spans, Tau(18), Tau(22)), 4);
    }
}
