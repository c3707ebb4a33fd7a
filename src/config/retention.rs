//! `retention`: how long what is kept on disk stays there.

use super::reader::Reader;

/// A hundred years: what a number of days may be at most.
const MOST_DAYS: u64 = 36_500;

/// Ages at which saved data is removed, in days; `None` keeps it for ever (0 in the file).
#[derive(Clone, Debug, PartialEq)]
pub struct Retention {
    /// Snapshots of single intervals. Default 30.
    pub interval_days: Option<u32>,
    /// Hourly roll-ups. Default 400.
    pub hourly_days: Option<u32>,
    /// Daily roll-ups. Default 0: for ever.
    pub daily_days: Option<u32>,
    /// Misses with their evidence. Default 0: for ever.
    pub miss_days: Option<u32>,
    /// Events and link sessions. Default 400.
    pub event_days: Option<u32>,
}

impl Retention {
    /// Nothing is ever removed.
    pub fn for_testing() -> Retention {
        Retention { interval_days: None, hourly_days: None, daily_days: None, miss_days: None, event_days: None }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Retention {
        let mut days = |key: &str, default: u64| {
            let days = r.integer(&format!("retention.{key}"), default, 0..=MOST_DAYS);
            (days > 0).then_some(days as u32)
        };
        Retention {
            interval_days: days("intervalDays", 30),
            hourly_days: days("hourlyDays", 400),
            daily_days: days("dailyDays", 0),
            miss_days: days("missDays", 0),
            event_days: days("eventDays", 400),
        }
    }
}
