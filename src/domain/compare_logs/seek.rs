//! Where in a numbered log a time lies, found with few questions.
//!
//! A host tells the first operation after a number, and nothing about where its log ends. Numbers and `createdAt` rise
//! together but for a little disorder, which the margin of a [`super::Walk`] allows for. First the step grows eightfold
//! until an answer lies past the time, then what is left is halved.

/// Numbers that are left before it is enough: what one page brings.
const NEAR_NUMBERS: u64 = 512;
/// An operation so little before the time is near enough.
const NEAR_MS: i64 = 5 * 60_000;
/// The first step.
const FIRST_STEP: u64 = 1_024;
/// Questions in all; more than any honest log needs.
const QUESTIONS_MAX: u32 = 96;

/// The search for the first operation at or after a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seek {
    target_ms: i64,
    /// Everything up to this number is known to lie before the time.
    low: u64,
    /// Nothing after this number is known to lie before it.
    high: Option<u64>,
    step: u64,
    asked: Option<u64>,
    questions: u32,
    done: bool,
}

impl Seek {
    /// A search for `target_ms`, milliseconds since 1970.
    #[must_use]
    pub fn new(target_ms: i64) -> Seek {
        Seek { target_ms, low: 0, high: None, step: FIRST_STEP, asked: None, questions: 0, done: false }
    }

    /// The number after which the host is to be asked for one operation; `None` when the search is over.
    pub fn ask(&mut self) -> Option<u64> {
        if self.done || self.questions >= QUESTIONS_MAX {
            return None;
        }
        let at = match (self.asked, self.high) {
            (None, _) => 0,
            (Some(_), None) => self.low.saturating_add(self.step),
            (Some(_), Some(high)) if high.saturating_sub(self.low) <= NEAR_NUMBERS => return None,
            (Some(_), Some(high)) => self.low + (high - self.low) / 2,
        };
        self.asked = Some(at);
        self.questions += 1;
        Some(at)
    }

    /// The answer: number and `createdAt` of the first operation after the number asked for, `None` without one.
    pub fn told(&mut self, first: Option<(u64, i64)>) {
        let asked = self.asked.unwrap_or(0);
        match first {
            Some((seq, created_ms)) if created_ms < self.target_ms => {
                self.low = self.high.map_or(seq, |high| seq.min(high)).max(self.low);
                self.step = self.step.saturating_mul(8);
                self.done = self.target_ms.saturating_sub(created_ms) <= NEAR_MS;
            }
            _ => {
                self.high = Some(asked);
                self.done = asked <= self.low;
            }
        }
    }

    /// The number after which nothing that lies at or after the time was passed over.
    #[must_use]
    pub fn after(&self) -> u64 {
        self.low
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Searches a log of (number, time); the place found and the questions asked.
    fn search(log: &[(u64, i64)], target_ms: i64) -> (u64, u32) {
        let mut seek = Seek::new(target_ms);
        let mut questions = 0;
        while let Some(after) = seek.ask() {
            questions += 1;
            seek.told(log.iter().copied().find(|(seq, _)| *seq > after));
        }
        (seek.after(), questions)
    }

    #[test]
    fn a_log_that_begins_later_takes_one_question() {
        assert_eq!(search(&[(5, 1_000)], 1_000), (0, 1));
        assert_eq!(search(&[], 1_000), (0, 1));
    }

    #[test]
    fn a_large_log_takes_few() {
        // A hundred million numbers, one every ten milliseconds: the answer is computed.
        let mut seek = Seek::new(700_000_000);
        let mut questions = 0;
        while let Some(after) = seek.ask() {
            questions += 1;
            seek.told((after < 100_000_000).then_some((after + 1, (after as i64 + 1) * 10)));
        }
        assert!(questions <= 30 && (69_900_000..70_000_000).contains(&seek.after()), "{questions} {seek:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn nothing_is_passed_over(
            gaps in proptest::collection::vec((1_u64..5_000, 0_i64..900_000), 0..200),
            target in 0_i64..90_000_000,
        ) {
            let (mut seq, mut at, mut log) = (0, 0, Vec::new());
            for (step, ms) in gaps {
                seq += step;
                at += ms;
                log.push((seq, at));
            }
            let (after, questions) = search(&log, target);
            let wanted = log.iter().find(|(_, at)| *at >= target);
            prop_assert!(wanted.is_none_or(|(seq, _)| *seq > after));
            prop_assert!(questions <= 40);
            // What is read in vain is little: less than a page, or less than five minutes.
            let vain = log.iter().filter(|(seq, at)| *seq > after && target - at > NEAR_MS).count();
            prop_assert!(vain as u64 <= NEAR_NUMBERS);
        }
    }
}
