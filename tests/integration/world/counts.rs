//! The counts of one mirror, as the API shows them.

use serde_json::Value;

/// Operations by outcome; the names are those of the API.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub eligible: u64,
    pub on_time: u64,
    pub late: u64,
    pub present: u64,
    pub missed: u64,
    pub pending: u64,
    pub unknown: u64,
    pub not_eligible: u64,
    pub extra: u64,
    pub extra_pending: u64,
    pub extra_unknown: u64,
    /// Extras that are no fault of the mirror.
    pub extra_explained: u64,
    /// Withdrawn and disputed.
    pub others: u64,
}

impl Counts {
    /// Of a row of the overview, or of `analytics/coverage`.
    pub fn of(row: &Value) -> Counts {
        let counts = &row["coverage"]["counts"];
        let n = |name: &str| counts[name].as_u64().unwrap_or_else(|| panic!("{name} in {row}"));
        Counts {
            eligible: n("eligible"),
            on_time: n("on_time"),
            late: n("late"),
            present: n("present"),
            missed: n("missed"),
            pending: n("pending"),
            unknown: n("unknown"),
            not_eligible: n("not_eligible"),
            extra: n("extra"),
            extra_pending: n("extra_pending"),
            extra_unknown: n("extra_unknown"),
            extra_explained: n("extra_explained"),
            others: n("withdrawn") + n("disputed"),
        }
    }

    /// What `eligible` must be.
    pub fn states(&self) -> u64 {
        self.on_time + self.late + self.present + self.missed + self.pending + self.unknown + self.others
    }

    /// Delivered, whenever that was.
    pub fn delivered(&self) -> u64 {
        self.on_time + self.late + self.present
    }

    /// Whether these are the expected counts, `eligible` and `not_eligible` aside. When the machine froze the program,
    /// timing may be unknown: then what was on time or late may be called present, and nothing else may differ.
    pub fn matches(&self, expected: &Counts, frozen: bool) -> bool {
        let fixed = |c: &Counts| {
            let extras = (c.extra, c.extra_pending, c.extra_unknown, c.extra_explained);
            (c.missed, c.pending, c.unknown, c.others, extras)
        };
        let timing = |c: &Counts| (c.on_time, c.late, c.present);
        fixed(self) == fixed(expected)
            && if frozen {
                self.delivered() == expected.delivered()
                    && self.on_time <= expected.on_time
                    && self.late <= expected.late
            } else {
                timing(self) == timing(expected)
            }
    }
}
