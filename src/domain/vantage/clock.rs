//! The clock of an observer, which may be wrong by hours: what it tells is moved to ours.

/// Clocks that are less apart are not told apart, milliseconds, and a difference that is in use is kept unless it changed by
/// more: spans must not overlap for a message that was on its way a little longer.
const SLACK_MS: i64 = 60_000;

/// How far the clock of an observer is behind ours.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Clock {
    behind_ms: i64,
}

impl Clock {
    /// What is to be added to the times in an action that says that it was told at `told_ms` by that clock, and was at `time_ms`
    /// by ours, as those found out that handed it on.
    pub(super) fn behind_ms(&mut self, told_ms: Option<i64>, time_ms: i64) -> i64 {
        let Some(told_ms) = told_ms else { return 0 };
        let found_ms = time_ms.saturating_sub(told_ms);
        if found_ms.saturating_sub(self.behind_ms).saturating_abs() > SLACK_MS {
            self.behind_ms = if found_ms.saturating_abs() > SLACK_MS { found_ms } else { 0 };
        }
        self.behind_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_kept_until_it_is_another() {
        const HOUR_MS: i64 = 3_600_000;
        let mut clock = Clock::default();
        let mut behind = |told_ms, time_ms| clock.behind_ms(told_ms, time_ms);
        assert_eq!(behind(Some(1_000), 1_900), 0, "no difference worth the name");
        assert_eq!(behind(Some(1_000), 1_000 + HOUR_MS), HOUR_MS);
        assert_eq!(behind(Some(2_000), 2_030 + HOUR_MS), HOUR_MS, "a message may be on its way for longer");
        assert_eq!(behind(None, HOUR_MS), 0, "an action that does not say");
        assert_eq!(behind(Some(HOUR_MS), 5_000), 5_000 - HOUR_MS, "it was put right, too far");
        assert_eq!(behind(Some(9_000), 9_001), 0, "it was put right");
        assert_eq!(behind(Some(i64::MIN), i64::MAX), i64::MAX);
    }
}
