//! Filling a gap: when a chain of pages proves that nothing is missing.
//!
//! A fill closes a gap only when it is continuous: asked for from the last known operation's seq − 1, the first operation
//! returned must be that very operation; pages follow one another; and the end is a page asked for some seconds after the
//! live stream was open that is short or empty, or meets an operation that came live. Anything else leaves a hole.

use super::op::OpKey;
use super::time::Tau;
use serde::{Deserialize, Serialize};

/// Operations asked for in one page; a page with fewer is short.
pub const PAGE_OPS: usize = 1_000;

/// The last operation up to which everything of a source is known.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Anchor {
    /// The source's own number of it.
    pub seq: u64,
    /// Its identity.
    pub key: OpKey,
}

/// What to do next.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FillStep {
    /// Ask for the operations after `after`, not before this instant.
    Ask {
        /// Exclusive.
        after: u64,
        /// The earliest instant for it.
        not_before: Tau,
    },
    /// Nothing is missing.
    Closed,
    /// It cannot be shown that nothing is missing.
    Hole(String),
}

/// One fill under way.
#[derive(Clone, Debug)]
pub struct Fill {
    anchor: Anchor,
    settled_at: Tau,
    first_live_seq: Option<u64>,
    is_anchored: bool,
    last_seq: u64,
    last: Anchor,
}

impl Fill {
    /// A fill from `anchor`; its closing page is one asked for at or after `settled_at`.
    #[must_use]
    pub fn new(anchor: Anchor, settled_at: Tau) -> Fill {
        let last_seq = anchor.seq.saturating_sub(1);
        Fill { anchor, settled_at, first_live_seq: None, is_anchored: false, last_seq, last: anchor }
    }

    /// The first question.
    #[must_use]
    pub fn first(&self) -> FillStep {
        FillStep::Ask { after: self.last_seq, not_before: Tau::MIN }
    }

    /// An operation of this number came on the live stream.
    pub fn live(&mut self, seq: u64) {
        self.first_live_seq = Some(self.first_live_seq.map_or(seq, |s| s.min(seq)));
    }

    /// The largest number seen in the pages.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The newest operation of the pages, and the anchor before there is one.
    #[must_use]
    pub fn last(&self) -> Anchor {
        self.last
    }

    /// Takes a page of `(seq, key)` that was asked for at `asked_at`; `is_short` when it held fewer than [`PAGE_OPS`].
    pub fn page(&mut self, ops: &[(u64, OpKey)], asked_at: Tau, is_short: bool) -> FillStep {
        if !self.is_anchored {
            match ops.first() {
                Some(&(seq, key)) if seq == self.anchor.seq && key == self.anchor.key => self.is_anchored = true,
                Some(&(seq, _)) => {
                    return FillStep::Hole(format!(
                        "the server's operation {seq} stands where the last one known was {}",
                        self.anchor.seq
                    ));
                }
                // An operation may be broadcast before it is visible in pages.
                None if asked_at < self.settled_at => {
                    return FillStep::Ask { after: self.last_seq, not_before: self.settled_at };
                }
                None => return FillStep::Hole(format!("the server no longer has operation {}", self.anchor.seq)),
            }
        }
        for pair in ops.windows(2) {
            if let [a, b] = pair
                && b.0 <= a.0
            {
                return FillStep::Hole(format!("operation {} follows {} in the server's export", b.0, a.0));
            }
        }
        let last = ops.last().map_or(self.last_seq, |o| o.0);
        if last < self.last_seq {
            return FillStep::Hole(format!("the server's numbers went back from {} to {last}", self.last_seq));
        }
        self.last_seq = last;
        if let Some(&(seq, key)) = ops.last() {
            self.last = Anchor { seq, key };
        }
        let meets_live = self.first_live_seq.is_some_and(|live| last >= live);
        if !is_short && !meets_live {
            return FillStep::Ask { after: last, not_before: Tau::MIN };
        }
        if asked_at >= self.settled_at {
            return FillStep::Closed;
        }
        FillStep::Ask { after: last, not_before: self.settled_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::did::Did;

    fn key(seq: u64) -> OpKey {
        OpKey { did: Did([1; 15]), cid: Cid([seq as u8; 32]) }
    }

    fn page(seqs: &[u64]) -> Vec<(u64, OpKey)> {
        seqs.iter().map(|&s| (s, key(s))).collect()
    }

    fn fill() -> Fill {
        Fill::new(Anchor { seq: 7, key: key(7) }, Tau(100))
    }

    #[test]
    fn a_short_page_closes_only_when_it_was_asked_for_late_enough() {
        let mut f = fill();
        assert_eq!(f.first(), FillStep::Ask { after: 6, not_before: Tau::MIN });
        assert_eq!(f.page(&page(&[7, 9]), Tau(50), true), FillStep::Ask { after: 9, not_before: Tau(100) });
        assert_eq!(f.page(&[], Tau(100), true), FillStep::Closed);
        assert_eq!(f.last(), Anchor { seq: 9, key: key(9) }, "an empty closing page forgets nothing");
    }

    #[test]
    fn a_full_page_asks_on_unless_it_meets_the_live_stream() {
        let mut f = fill();
        assert_eq!(f.page(&page(&[7, 8, 12]), Tau(120), false), FillStep::Ask { after: 12, not_before: Tau::MIN });
        f.live(13);
        f.live(20);
        assert_eq!(f.page(&page(&[13, 14]), Tau(121), false), FillStep::Closed);
    }

    #[test]
    fn an_export_behind_the_stream_is_asked_again_before_it_is_believed_to_have_lost_anything() {
        let mut f = fill();
        assert_eq!(f.page(&[], Tau(50), true), FillStep::Ask { after: 6, not_before: Tau(100) });
        assert_eq!(f.page(&page(&[7, 8]), Tau(100), true), FillStep::Closed);
        let mut f = fill();
        f.page(&[], Tau(50), true);
        assert!(matches!(f.page(&[], Tau(100), true), FillStep::Hole(_)), "what is gone by then is gone");
    }

    #[test]
    fn anything_else_is_a_hole() {
        assert!(matches!(fill().page(&page(&[8, 9]), Tau(120), true), FillStep::Hole(_)), "the last known op is gone");
        assert!(matches!(fill().page(&[], Tau(120), true), FillStep::Hole(_)), "the log was cut");
        let other = [(7, key(99))];
        assert!(matches!(fill().page(&other, Tau(120), true), FillStep::Hole(_)), "another op under its number");
        assert!(matches!(fill().page(&page(&[7, 9, 8]), Tau(120), true), FillStep::Hole(_)), "out of order");
    }
}
