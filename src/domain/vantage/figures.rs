//! The figures of one mirror in one span as an observer told them, and their exact sums.

use crate::domain::interval::{Acc, ExtraState};
use crate::domain::lag::{LagHistogram, LagSum};
use crate::domain::verdict::Verdict;

/// Counts and lag. Sums of those of several observers count an operation once for each observer that judged it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    verdicts: [u64; Verdict::ALL.len()],
    extra: u64,
    /// Lag corrected for network distance.
    pub lag: LagHistogram,
    uncertainty_sum_us: i64,
}

impl Figures {
    /// Those of an accumulator of others; none where it contradicts itself.
    #[must_use]
    pub fn of(acc: &Acc) -> Option<Figures> {
        let figures = Figures {
            verdicts: Verdict::ALL.map(|verdict| acc.verdict(verdict)),
            extra: acc.extra(ExtraState::Extra),
            lag: acc.lag.clone(),
            uncertainty_sum_us: acc.uncertainty_sum_us(),
        };
        let timed = figures.verdict(Verdict::OnTime) + figures.verdict(Verdict::Late);
        (figures.lag.is_sound() && figures.lag.count() <= timed).then_some(figures)
    }

    /// Judgements with this verdict.
    #[must_use]
    pub fn verdict(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(verdict as usize).copied().unwrap_or(0)
    }

    /// Judgements of operations that the mirror was to deliver.
    #[must_use]
    pub fn eligible(&self) -> u64 {
        self.count(|verdict| verdict != Verdict::NotEligible)
    }

    /// `on_time` + late + present + missed.
    #[must_use]
    pub fn decided(&self) -> u64 {
        self.count(Verdict::is_decided)
    }

    /// Operations that only the mirror has.
    #[must_use]
    pub fn extra(&self) -> u64 {
        self.extra
    }

    /// How far a lag may be off, mean of the samples, microseconds.
    #[must_use]
    pub fn uncertainty_us(&self) -> Option<f64> {
        let n = self.lag.count();
        (n > 0).then(|| self.uncertainty_sum_us as f64 / n as f64)
    }

    /// Bytes that it takes in memory.
    #[must_use]
    pub(super) fn bytes(&self) -> usize {
        size_of::<Figures>() + self.lag.bytes()
    }

    fn count(&self, is_counted: impl Fn(Verdict) -> bool) -> u64 {
        Verdict::ALL.into_iter().filter(|&verdict| is_counted(verdict)).map(|verdict| self.verdict(verdict)).sum()
    }
}

/// Figures added up.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    /// Everything but the lag.
    counts: Figures,
    lag: LagSum,
}

impl Sum {
    /// Adds everything that `figures` count.
    pub fn add(&mut self, figures: &Figures) {
        for (sum, n) in self.counts.verdicts.iter_mut().zip(figures.verdicts) {
            *sum = sum.saturating_add(n);
        }
        self.counts.extra = self.counts.extra.saturating_add(figures.extra);
        self.counts.uncertainty_sum_us = self.counts.uncertainty_sum_us.saturating_add(figures.uncertainty_sum_us);
        self.lag.add(&figures.lag);
    }

    /// The sum.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures { lag: self.lag.histogram(), ..self.counts.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::did::Did;
    use crate::domain::op::Kind;
    use crate::domain::rtt::Correction;
    use crate::domain::verdict::{Cell, Reason};
    use proptest::prelude::*;

    fn acc(samples: &[i64], missed: usize) -> Acc {
        let mut acc = Acc::default();
        let cell = |verdict| Cell::new(Verdict::Pending).with_verdict(verdict, Reason::None);
        for &us in samples {
            acc.add(Kind::Update, &Did([1; 15]), cell(Verdict::OnTime));
            acc.sample(us, Some(Correction { correction_us: 5, uncertainty_us: 7 }));
        }
        (0..missed).for_each(|_| acc.add(Kind::Update, &Did([2; 15]), cell(Verdict::Missed)));
        acc
    }

    proptest! {
        #[test]
        fn the_sum_of_observers_is_what_one_would_have_counted(
            a in prop::collection::vec(-5_000_i64..5_000_000, 0..60),
            b in prop::collection::vec(-5_000_i64..5_000_000, 0..60),
            missed in 0_usize..5,
        ) {
            let mut sum = Sum::default();
            sum.add(&Figures::of(&acc(&a, missed)).unwrap());
            sum.add(&Figures::of(&acc(&b, 1)).unwrap());
            prop_assert_eq!(sum.figures(), Figures::of(&acc(&[a, b].concat(), missed + 1)).unwrap());
        }
    }

    #[test]
    fn more_lags_than_operations_are_a_contradiction() {
        let mut acc = acc(&[10], 3);
        let figures = Figures::of(&acc).unwrap();
        assert_eq!((figures.decided(), figures.eligible(), figures.uncertainty_us()), (4, 4, Some(7.0)));
        acc.sample(10, Some(Correction { correction_us: 0, uncertainty_us: 0 }));
        assert_eq!(Figures::of(&acc), None);
    }
}
