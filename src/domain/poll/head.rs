//! Finding the newest operation of a log by number when none is known: no endpoint tells it.
//!
//! Single operations are asked for at growing distances until there is none behind, and then between, until so few can be
//! left that one page holds them.

use crate::domain::fill::PAGE_OPS;
use crate::domain::frame::MAX_SEQ;

/// A search under way.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct HeadSearch {
    /// There is an operation of this number, or none is known.
    low: u64,
    /// There was none behind this number.
    high: Option<u64>,
    asked: u64,
}

/// What to do next.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum HeadStep {
    /// Ask for one operation behind this number.
    Probe(u64),
    /// Read pages from behind this number: the newest operation is in them.
    Read(u64),
}

impl HeadSearch {
    /// The first question.
    #[must_use]
    pub fn first(&self) -> HeadStep {
        HeadStep::Probe(0)
    }

    /// The number of the one operation that the probe brought, if it brought one.
    pub fn probed(&mut self, found: Option<u64>) -> HeadStep {
        match found {
            Some(seq) => self.low = self.low.max(seq),
            None => self.high = Some(self.asked),
        }
        let next = match self.high {
            // What is published meanwhile lies behind; reading goes on to a short page.
            Some(high) if high.saturating_sub(self.low) < PAGE_OPS as u64 => {
                return HeadStep::Read(self.low.saturating_sub(1));
            }
            Some(high) => u64::midpoint(self.low, high),
            None if self.low >= MAX_SEQ / 2 => return HeadStep::Read(self.low.saturating_sub(1)),
            None => self.low.saturating_mul(2).max(PAGE_OPS as u64 / 2),
        };
        self.asked = next;
        HeadStep::Probe(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Questions until the newest of `log` is on the page that is to be read, and where that begins.
    fn search(log: &[u64]) -> (u32, u64) {
        let mut search = HeadSearch::default();
        let mut step = search.first();
        for asked in 1.. {
            match step {
                HeadStep::Probe(after) => step = search.probed(log.iter().copied().find(|&seq| seq > after)),
                HeadStep::Read(after) => return (asked, after),
            }
        }
        unreachable!()
    }

    #[test]
    fn the_newest_operation_is_found_in_few_questions() {
        for newest in [1_u64, 7, 999, 1_000, 1_001, 81_200_113, 1 << 50] {
            let log: Vec<u64> =
                (0..3_000).rev().filter_map(|back| newest.checked_sub(back * 2)).filter(|&s| s > 0).collect();
            let (asked, after) = search(&log);
            let page: Vec<u64> = log.iter().copied().filter(|&seq| seq > after).collect();
            assert!(page.len() < PAGE_OPS + 1 && page.last() == Some(&newest), "{newest}: {} on the page", page.len());
            assert!(asked <= 100, "{newest}: {asked} questions");
        }
        assert_eq!(search(&[]), (2, 0), "an empty log");
    }
}
