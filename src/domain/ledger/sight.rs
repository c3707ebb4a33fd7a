//! What we could not see of a span: what other observers need to know before they hold a miss against a mirror.

use super::Ledger;
use super::state::SourceState;
use crate::domain::time::Tau;
use crate::domain::vantage::Blind;

impl Ledger {
    /// What kept us from seeing, when it was published, all that the primary and this mirror published in `[from, to)`.
    #[must_use]
    pub fn blind(&self, mirror: usize, from: Tau, to: Tau) -> Option<Blind> {
        let source = &self.mirrors.get(mirror)?.source;
        let began = |s: &SourceState| s.windows.first().is_none_or(|first| first > from);
        let was_down = |s: &SourceState| s.windows.gaps().any(|gap| gap.impaired().overlap_ns(from, to) > 0);
        match () {
            () if began(&self.primary) || began(source) => Some(Blind::Began),
            () if was_down(&self.primary) => Some(Blind::PrimaryDown),
            () if was_down(source) => Some(Blind::LinkDown),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{M, at, ledger};
    use super::*;
    use crate::domain::source::SourceIx;

    #[test]
    fn a_link_that_was_down_is_told_of_that_time_also_when_its_gap_was_filled() {
        let mut l = ledger(2);
        let blind = |l: &Ledger, m, from_ms, to_ms| l.blind(m, at(from_ms), at(to_ms));
        for source in [SourceIx::PRIMARY, M, SourceIx::mirror(1)] {
            l.prove(source, at(100_000));
        }
        assert_eq!(blind(&l, 0, 0, 100_000), None);
        assert_eq!(blind(&l, 0, -1, 100_000), Some(Blind::Began));
        l.close(M);
        l.tick(at(150_000));
        l.open(M, at(150_000));
        l.filled(M, at(151_000));
        assert_eq!((blind(&l, 0, 90_000, 110_000), blind(&l, 1, 90_000, 110_000)), (Some(Blind::LinkDown), None));
        assert_eq!((blind(&l, 0, 0, 90_000), blind(&l, 0, 152_000, 160_000)), (None, None));
        l.close(SourceIx::PRIMARY);
        l.tick(at(170_000));
        assert_eq!(blind(&l, 1, 160_000, 170_000), Some(Blind::PrimaryDown));
        assert_eq!(l.blind(2, at(0), at(1)), None);
    }
}
