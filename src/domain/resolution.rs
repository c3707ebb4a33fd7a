//! In which steps a mirror's past is shown.

/// The length of a step.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Resolution {
    /// One interval of judging: five minutes unless configured otherwise.
    Interval,
    /// One hour.
    Hour,
    /// One day.
    Day,
}

impl Resolution {
    /// Every resolution, finest first.
    pub const ALL: [Resolution; 3] = [Self::Interval, Self::Hour, Self::Day];

    /// The word in queries and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interval => "5m",
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }

    /// The resolution of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Resolution> {
        Self::ALL.into_iter().find(|r| r.name() == name)
    }

    /// Length of a step in milliseconds, where intervals are this long.
    #[must_use]
    pub const fn step_ms(self, interval_ms: i64) -> i64 {
        match self {
            Self::Interval => interval_ms,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }

    /// Steps that are shown unless asked otherwise: six hours of five minutes, a week, three months.
    #[must_use]
    pub const fn steps(self) -> i64 {
        match self {
            Self::Interval => 72,
            Self::Hour => 168,
            Self::Day => 90,
        }
    }
}
