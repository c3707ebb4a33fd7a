//! The lengths of the spans whose figures are kept.

/// How long a span an interval row covers.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Tier {
    /// One interval of judging (300 s unless configured).
    Interval,
    /// One hour.
    Hour,
    /// One day.
    Day,
}

impl Tier {
    /// The number that stands for the tier in the file; never reused for another.
    #[must_use]
    pub const fn code(self) -> i64 {
        match self {
            Tier::Interval => 0,
            Tier::Hour => 1,
            Tier::Day => 2,
        }
    }
}
