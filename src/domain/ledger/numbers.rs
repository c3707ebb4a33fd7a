//! The numbers that a source gives its own operations on its live stream: repeated, given twice, or begun again.
//!
//! They are the source's own and say nothing across sources. Numbers that rise cost one comparison; only one that does not
//! is looked up among the latest.

use super::Ledger;
use super::forks::Fork;
use crate::domain::finding::Finding;
use crate::domain::op::OpKey;
use crate::domain::source::SourceIx;
use crate::domain::time::Tau;
use std::collections::VecDeque;

/// Latest live arrivals of a source whose numbers are remembered.
const RECENT_MAX: usize = 512;

/// A number that came with another operation than before, while it is not known whether the source began again.
#[derive(Copy, Clone, Debug)]
struct Doubt {
    seq: u64,
    first: OpKey,
    second: OpKey,
    at: Tau,
}

/// What is remembered of the numbers of one source.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    /// The largest since they were begun.
    max: u64,
    /// The latest of the present connection, in the order of the stream.
    recent: VecDeque<(u64, OpKey)>,
    doubt: Option<Doubt>,
}

/// What a number that does not rise means.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Meaning {
    /// Two operations under one number: the first, and the second.
    Forked(OpKey, OpKey, Tau),
    /// The source numbers anew since this operation.
    Begun(OpKey, Tau),
}

impl Numbers {
    /// A new connection: which numbers came on an older one does not matter any more, but for the largest.
    pub(super) fn reconnected(&mut self) {
        self.recent.clear();
        self.doubt = None;
    }

    /// Takes a number that follows those before it; false leaves it to [`Numbers::odd`].
    pub(super) fn is_next(&mut self, seq: u64, key: &OpKey) -> bool {
        if seq <= self.max || self.doubt.is_some() {
            return false;
        }
        self.max = seq;
        self.remember(seq, *key);
        true
    }

    fn remember(&mut self, seq: u64, key: OpKey) {
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back((seq, key));
    }

    fn begin(&mut self, seq: u64, key: OpKey) {
        self.recent.clear();
        self.max = seq;
        self.remember(seq, key);
    }

    /// Takes a number that does not follow those before it. `is_repeat` says that the source had delivered the operation.
    ///
    /// A number below the largest that comes with another operation is given twice when the next one goes on where the
    /// numbers stood, and begins them anew when the next one goes on from it.
    fn odd(&mut self, seq: u64, key: OpKey, at: Tau, is_repeat: bool) -> [Option<Meaning>; 2] {
        let before = self.doubt.take().map(|d| {
            if d.seq < seq && seq <= self.max {
                self.begin(d.seq, d.second);
                Meaning::Begun(d.second, d.at)
            } else {
                Meaning::Forked(d.first, d.second, d.at)
            }
        });
        if seq > self.max {
            self.max = seq;
            self.remember(seq, key);
            return [before, None];
        }
        let known = self.recent.iter().rev().find(|r| r.0 == seq).map(|r| r.1);
        let now = match known {
            Some(first) if first.cid == key.cid => None,
            Some(first) if seq == self.max => Some(Meaning::Forked(first, key, at)),
            Some(first) => {
                self.doubt = Some(Doubt { seq, first, second: key, at });
                None
            }
            // Out of order among the latest: what that means is judged by the DID.
            None if self.recent.front().is_some_and(|oldest| seq > oldest.0) => {
                self.remember(seq, key);
                None
            }
            None if is_repeat => None,
            None => {
                self.begin(seq, key);
                Some(Meaning::Begun(key, at))
            }
        };
        [before, now]
    }

    /// Whether of two operations the first came earlier, as far as both are among the latest.
    pub(super) fn is_before(&self, one: &OpKey, other: &OpKey) -> bool {
        let place = |key: &OpKey| self.recent.iter().position(|r| r.1 == *key);
        place(one).zip(place(other)).is_some_and(|(a, b)| a < b)
    }
}

impl Ledger {
    /// Whether the source delivered the operation, or the primary published it.
    pub(super) fn has(&self, source: SourceIx, key: &OpKey) -> bool {
        let Some(m) = source.mirror_index() else { return self.number_of(key).is_some() };
        match self.number_of(key).and_then(|n| self.ring.cell(n, m)) {
            Some(cell) => cell.delivery().is_some(),
            None => self.foreigns.get(key, m as u16).is_some(),
        }
    }

    /// A live arrival came with a number that does not follow those before it.
    pub(super) fn odd_number(&mut self, source: SourceIx, seq: u64, key: OpKey, at: Tau, is_repeat: bool) {
        let Some(state) = self.source_mut(source) else { return };
        for meaning in state.numbers.odd(seq, key, at, is_repeat).into_iter().flatten() {
            match meaning {
                Meaning::Begun(key, at) => self.notice(source, key, Finding::SeqRegress, at),
                Meaning::Forked(first, second, at) => self.number_given_twice(source, &first, &second, at),
            }
        }
    }

    /// The one that the primary does not have is named, or else the second.
    fn number_given_twice(&mut self, source: SourceIx, first: &OpKey, second: &OpKey, at: Tau) {
        let is_first_false = self.number_of(second).is_some() && self.number_of(first).is_none();
        let named = if is_first_false { first } else { second };
        let is_known = [first, second].into_iter().any(|key| self.fork_of(source, key) != Fork::None);
        self.mark_fork(source, first, Fork::BySeq);
        self.mark_fork(source, second, Fork::BySeq);
        if !is_known {
            self.notice(source, *named, Finding::Equivocation, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::did::Did;

    fn key(n: u8) -> OpKey {
        OpKey { did: Did([1; 15]), cid: Cid([n; 32]) }
    }

    /// Tells numbers with operations; what they mean.
    fn told(numbers: &mut Numbers, frames: &[(u64, u8)]) -> Vec<Meaning> {
        let mut meanings = Vec::new();
        for &(seq, n) in frames {
            if !numbers.is_next(seq, &key(n)) {
                meanings.extend(numbers.odd(seq, key(n), Tau(0), false).into_iter().flatten());
            }
        }
        meanings
    }

    #[test]
    fn numbers_that_rise_repeat_or_are_shuffled_mean_nothing() {
        let mut numbers = Numbers::default();
        assert_eq!(told(&mut numbers, &[(5, 1), (9, 2), (9, 2), (5, 1), (8, 3), (12, 4), (8, 3)]), []);
        assert!(numbers.is_before(&key(2), &key(3)) && !numbers.is_before(&key(3), &key(2)));
        assert!(!numbers.is_before(&key(1), &key(77)));
    }

    #[test]
    fn a_number_given_twice_is_found_at_once_or_with_the_next() {
        let mut numbers = Numbers::default();
        let twice = |a, b| Meaning::Forked(key(a), key(b), Tau(0));
        assert_eq!(told(&mut numbers, &[(5, 1), (9, 2), (9, 3)]), [twice(2, 3)]);
        assert_eq!(told(&mut numbers, &[(5, 4)]), [], "it may begin again");
        assert_eq!(told(&mut numbers, &[(10, 5)]), [twice(1, 4)]);
        assert_eq!(told(&mut numbers, &[(11, 6)]), []);
    }

    #[test]
    fn numbers_that_begin_again_are_no_fork() {
        let mut numbers = Numbers::default();
        assert_eq!(told(&mut numbers, &[(1, 1), (2, 2), (3, 3), (4, 4)]), []);
        let begun = |n| Meaning::Begun(key(n), Tau(0));
        assert_eq!(told(&mut numbers, &[(1, 11), (2, 12), (3, 13), (4, 14), (5, 15)]), [begun(11)]);
        assert_eq!(told(&mut numbers, &[(900, 16)]), []);
        numbers.reconnected();
        assert_eq!(told(&mut numbers, &[(3, 17), (4, 18)]), [begun(17)]);
        assert_eq!(numbers.odd(2, key(1), Tau(0), true), [None, None], "it was sent before");
    }
}
