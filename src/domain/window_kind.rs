//! The closed list of windows for which figures are computed ahead of any request.

use serde::Serialize;

/// A canonical window: the last whole intervals that make it up, plus the open one.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
pub enum WindowKind {
    /// Five minutes, rolling in steps of 10 s.
    #[serde(rename = "5m")]
    M5,
    /// Fifteen minutes, rolling in steps of 10 s.
    #[serde(rename = "15m")]
    M15,
    /// One hour.
    #[serde(rename = "1h")]
    H1,
    /// Six hours.
    #[serde(rename = "6h")]
    H6,
    /// One day.
    #[serde(rename = "24h")]
    H24,
    /// Seven days.
    #[serde(rename = "7d")]
    D7,
    /// Thirty days.
    #[serde(rename = "30d")]
    D30,
}

impl WindowKind {
    /// Every canonical window, shortest first.
    pub const ALL: [WindowKind; 7] = [Self::M5, Self::M15, Self::H1, Self::H6, Self::H24, Self::D7, Self::D30];

    /// The word in queries and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::H1 => "1h",
            Self::H6 => "6h",
            Self::H24 => "24h",
            Self::D7 => "7d",
            Self::D30 => "30d",
        }
    }

    /// Length in seconds.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        match self {
            Self::M5 => 300,
            Self::M15 => 900,
            Self::H1 => 3_600,
            Self::H6 => 21_600,
            Self::H24 => 86_400,
            Self::D7 => 604_800,
            Self::D30 => 2_592_000,
        }
    }

    /// The window of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<WindowKind> {
        Self::ALL.into_iter().find(|w| w.name() == name)
    }
}
