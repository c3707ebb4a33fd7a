//! Service level objectives: which share of its operations a mirror is held to, how much of the faults that this leaves room
//! for is spent, and how fast it is being spent.
//!
//! Decided operations alone count: what is unknown, because nobody was looking, spends nothing.
//!
//! Source of the burn rates: Google, "The Site Reliability Workbook" (2018), chapter 5, multiwindow, multi-burn-rate alerts.

use super::coverage::ratio;
use super::interval::Acc;
use super::verdict::Verdict;
use super::window_kind::WindowKind;

/// The time for which a budget is given.
pub const WINDOW: WindowKind = WindowKind::D30;
/// Faults in the long window below which nobody is alarmed: at little traffic one of them is a high rate already.
pub const FAULTS_MIN: u64 = 3;

/// What a mirror is held to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Slo {
    /// It has the operation.
    Coverage,
    /// It has it, and not late.
    OnTime,
}

/// Operations, and those of them that are not as they should be.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Spent {
    /// Those that count.
    pub ops: u64,
    /// The faults among them.
    pub faults: u64,
}

impl Slo {
    /// Every objective.
    pub const ALL: [Slo; 2] = [Slo::Coverage, Slo::OnTime];

    /// The word in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Slo::Coverage => "coverage",
            Slo::OnTime => "on_time",
        }
    }

    /// One fault in so many operations is allowed.
    #[must_use]
    pub const fn one_in(self) -> u32 {
        match self {
            Slo::Coverage => 1_000,
            Slo::OnTime => 100,
        }
    }

    /// The share of operations that must be as they should be.
    #[must_use]
    pub fn target_ratio(self) -> f64 {
        1.0 - 1.0 / f64::from(self.one_in())
    }

    /// What of this was spent.
    #[must_use]
    pub fn spent(self, acc: &Acc) -> Spent {
        let missed = acc.verdict(Verdict::Missed);
        // What came without a timing is no fault and makes room all the same: else a time in which we could not time would
        // leave the misses alone.
        let faults = match self {
            Slo::Coverage => missed,
            Slo::OnTime => missed + acc.verdict(Verdict::Late),
        };
        Spent { ops: acc.decided(), faults }
    }

    /// The share of the budget that is left, below zero where more was spent; none as long as the operations do not make up
    /// room for one fault.
    #[must_use]
    pub fn left_ratio(self, spent: Spent) -> Option<f64> {
        let one_in = u64::from(self.one_in());
        (spent.ops >= one_in).then(|| 1.0 - (spent.faults * one_in) as f64 / spent.ops as f64)
    }

    /// How many times as fast the budget is spent as would use it up exactly; none without operations.
    #[must_use]
    pub fn burn_rate(self, spent: Spent) -> Option<f64> {
        ratio(spent.faults * u64::from(self.one_in()), spent.ops)
    }
}

/// How urgent an alarm is.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// To be looked at within days.
    Ticket,
    /// To be looked at now.
    Page,
}

impl Severity {
    /// The word in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Ticket => "ticket",
            Severity::Page => "page",
        }
    }
}

/// An alarm goes off where the budget is spent this fast over a long window, and still is over a short one: so that it is
/// neither noise nor over already.
#[derive(Copy, Clone, PartialEq, Debug)]
pub struct Alarm {
    /// How urgent it is.
    pub severity: Severity,
    /// The window that shows that it matters.
    pub long: WindowKind,
    /// The window that shows that it goes on.
    pub short: WindowKind,
    /// The least burn rate of both.
    pub burn_rate: f64,
}

/// The alarms, fastest first. Over their long windows they spend 2 %, 5 %, 10 % and 23 % of the budget.
pub const ALARMS: [Alarm; 4] = [
    Alarm { severity: Severity::Page, long: WindowKind::H1, short: WindowKind::M5, burn_rate: 14.4 },
    Alarm { severity: Severity::Page, long: WindowKind::H6, short: WindowKind::M15, burn_rate: 6.0 },
    Alarm { severity: Severity::Ticket, long: WindowKind::H24, short: WindowKind::H1, burn_rate: 3.0 },
    Alarm { severity: Severity::Ticket, long: WindowKind::D7, short: WindowKind::H6, burn_rate: 1.0 },
];

/// The most urgent alarm that goes off, given what was spent in each window.
#[must_use]
pub fn alarm(slo: Slo, spent: impl Fn(WindowKind) -> Spent) -> Option<Severity> {
    let is_fast = |spent: Spent, least: f64| slo.burn_rate(spent).is_some_and(|rate| rate >= least);
    let goes_off = |alarm: &&Alarm| {
        let long = spent(alarm.long);
        long.faults >= FAULTS_MIN && is_fast(long, alarm.burn_rate) && is_fast(spent(alarm.short), alarm.burn_rate)
    };
    ALARMS.iter().filter(goes_off).map(|alarm| alarm.severity).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::did::Did;
    use crate::domain::op::Kind;
    use crate::domain::verdict::Cell;
    use proptest::prelude::*;

    fn spent(ops: u64, faults: u64) -> Spent {
        Spent { ops, faults }
    }

    #[test]
    fn a_budget_is_known_from_the_first_fault_that_it_has_room_for_on() {
        assert_eq!(Slo::Coverage.left_ratio(spent(999, 0)), None);
        assert_eq!(Slo::Coverage.left_ratio(spent(1_000, 0)), Some(1.0));
        assert_eq!(Slo::Coverage.left_ratio(spent(10_000, 4)), Some(0.6));
        assert_eq!(Slo::Coverage.left_ratio(spent(1_000, 3)), Some(-2.0), "more is spent than there was");
        assert_eq!(Slo::OnTime.left_ratio(spent(1_000, 5)), Some(0.5));
        assert_eq!((Slo::Coverage.burn_rate(spent(0, 0)), Slo::OnTime.burn_rate(spent(200, 2))), (None, Some(1.0)));
        assert_eq!((Slo::Coverage.target_ratio(), Slo::OnTime.target_ratio()), (0.999, 0.99));
    }

    #[test]
    fn what_is_not_decided_spends_nothing_and_what_has_no_timing_is_no_fault() {
        let did = Did([0; 15]);
        let mut acc = Acc::default();
        for (verdict, n) in [
            (Verdict::OnTime, 90),
            (Verdict::Late, 4),
            (Verdict::Present, 50),
            (Verdict::Missed, 1),
            (Verdict::Unknown, 1_000),
            (Verdict::Pending, 70),
            (Verdict::Withdrawn, 60),
            (Verdict::Disputed, 80),
            (Verdict::NotEligible, 30),
        ] {
            (0..n).for_each(|_| acc.add(Kind::Update, &did, Cell::new(verdict)));
        }
        assert_eq!(Slo::Coverage.spent(&acc), spent(145, 1));
        assert_eq!(Slo::OnTime.spent(&acc), spent(145, 5));
    }

    #[test]
    fn an_alarm_needs_both_windows_and_more_than_one_fault() {
        let of = |long: Spent, short: Spent| {
            alarm(Slo::Coverage, |window| match window {
                WindowKind::H1 => long,
                WindowKind::M5 => short,
                _ => Spent::default(),
            })
        };
        assert_eq!(of(spent(5_000, 72), spent(400, 6)), Some(Severity::Page), "14.4 and 15 times as fast");
        assert_eq!(of(spent(5_000, 71), spent(400, 6)), None, "too slow over the hour");
        assert_eq!(of(spent(5_000, 72), spent(400, 0)), None, "it is over");
        assert_eq!(of(spent(5_000, 72), spent(0, 0)), None, "nothing is decided of the last minutes");
        assert_eq!(of(spent(100, 2), spent(20, 2)), None, "two faults are no trend");
        assert_eq!(alarm(Slo::Coverage, |_| spent(10_000, 40)), Some(Severity::Ticket), "4 times as fast for days");
        assert_eq!(alarm(Slo::Coverage, |_| spent(10_000, 60)), Some(Severity::Page), "the more urgent of two");
    }

    proptest! {
        #[test]
        fn the_budget_is_what_a_burn_rate_of_one_uses_up(ops in 1_000_u64..10_000_000, faults in 0_u64..1_000) {
            for slo in Slo::ALL {
                let (left, rate) = (slo.left_ratio(spent(ops, faults)), slo.burn_rate(spent(ops, faults)));
                prop_assert!((left.unwrap() + rate.unwrap() - 1.0).abs() < 1e-9);
            }
        }

        #[test]
        fn fewer_faults_never_alarm_more(faults in proptest::collection::vec(0_u64..400, 7), less in 0_u64..100) {
            let of = |less: u64| {
                alarm(Slo::OnTime, |window| {
                    let place = WindowKind::ALL.iter().position(|w| *w == window).unwrap();
                    spent(1_000, faults[place].saturating_sub(less))
                })
            };
            prop_assert!(of(less) <= of(0));
        }
    }
}
