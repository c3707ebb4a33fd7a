//! `judging`: the limits by which an operation is called on time, late or missed.

use std::time::Duration;

use super::reader::Reader;

/// Bounds of `onTimeSeconds`, for all mirrors and for one.
pub(super) const ON_TIME_S: std::ops::RangeInclusive<f64> = 0.1..=3600.0;
/// Bounds of `graceSeconds`, for all mirrors and for one.
pub(super) const GRACE_S: std::ops::RangeInclusive<f64> = 1.0..=3600.0;

/// How operations are judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Judging {
    /// D: a mirror's copy that arrives at most this much after the primary's is on time. 0.1–3600 s; default 10 s, or
    /// the grace when that is given and shorter.
    pub on_time: Duration,
    /// G: what has not arrived this long after the primary's copy is missed. 1–3600 s, at least `on_time`; default 60 s,
    /// or the on-time limit when that is given and longer.
    pub grace: Duration,
    /// L: how much earlier than the primary a mirror may be. 0–600 s; default 10 s.
    pub look_back: Duration,
    /// R: how long a verdict can still be revised. 1–168 h; default 24 h.
    pub revision: Duration,
    /// Length of an interval. 5–3600 s, whole seconds that divide an hour; default 300 s.
    pub interval: Duration,
    /// How long on-time, late and lag wait for impairments that show afterwards. 0–600 s; default 30 s.
    pub settle: Duration,
    /// How long after the live stream is open the page that closes a gap is asked for. 0–60 s; default 5 s.
    pub fill_settle: Duration,
}

impl Judging {
    /// Short limits, so that a test on a simulated clock stays readable.
    pub fn for_testing() -> Judging {
        Judging {
            on_time: Duration::from_secs(1),
            grace: Duration::from_secs(2),
            look_back: Duration::from_secs(1),
            revision: Duration::from_hours(1),
            interval: Duration::from_secs(10),
            settle: Duration::ZERO,
            fill_settle: Duration::ZERO,
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Judging {
        let (on_time_key, grace_key) = ("judging.onTimeSeconds", "judging.graceSeconds");
        // Either limit alone moves the other's default, so that one key is enough for a quick trial run.
        let (on_time_s, grace_s) = if r.is_given(on_time_key) {
            let on_time_s = r.number(on_time_key, 10.0, ON_TIME_S);
            (on_time_s, r.number(grace_key, on_time_s.max(60.0), GRACE_S))
        } else {
            let grace_s = r.number(grace_key, 60.0, GRACE_S);
            let on_time_s = r.number(on_time_key, grace_s.min(10.0), ON_TIME_S);
            // They are told in one order, whichever was read first.
            if let [.., grace, on_time] = r.settings.as_mut_slice() {
                std::mem::swap(grace, on_time);
            }
            (on_time_s, grace_s)
        };
        if grace_s < on_time_s && r.is_sound(&[on_time_key, grace_key]) {
            r.problem(grace_key, format!("({grace_s}) must be at least {on_time_key} ({on_time_s})"));
        }
        let look_back = r.seconds("judging.lookBackSeconds", 10.0, 0.0..=600.0);
        let revision = r.number("judging.revisionHours", 24.0, 1.0..=168.0);
        let interval_key = "judging.intervalSeconds";
        let interval_s = r.integer(interval_key, 300, 5..=3600);
        if 3_600 % interval_s != 0 {
            r.problem(
                interval_key,
                format!("{interval_s} does not divide an hour of 3600 seconds; use 60, 300 or 600"),
            );
        }
        Judging {
            on_time: Duration::from_secs_f64(on_time_s),
            grace: Duration::from_secs_f64(grace_s),
            look_back,
            revision: Duration::from_secs_f64(revision * 3600.0),
            interval: Duration::from_secs(interval_s),
            settle: r.seconds("judging.settleSeconds", 30.0, 0.0..=600.0),
            fill_settle: r.seconds("judging.fillSettleSeconds", 5.0, 0.0..=60.0),
        }
    }
}
