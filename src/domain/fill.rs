//! Filling a gap: when a chain of pages proves that nothing is missing.
//!
//! A fill closes a gap only when it is continuous: asked for from the last known operation's seq − 1, the first operation
//! returned must be that very operation; pages follow one another; and the end is a page asked for some seconds after the
//! live stream was open that holds nothing new, or meets an operation that came live. Anything else leaves a hole.
//!
//! A page with fewer operations than were asked for may be cut as well: servers have limits of their own. [`PageSizes`]
//! tells when it is not; otherwise whatever follows is asked for.

use super::op::OpKey;
use super::time::Tau;
use serde::{Deserialize, Serialize};

/// Operations asked for in one page.
pub const PAGE_OPS: usize = 1_000;
/// No server's own limit is below this, which is the reference server's count where none is asked for.
const LIMIT_MIN: usize = 10;
/// A page that has not even this part of another page's lines is cut by no limit, be it one of lines or of bytes.
const PART: usize = 8;

/// What a server's pages tell of its own limit: whether a page may be cut.
#[derive(Copy, Clone, Debug, Default)]
pub struct PageSizes {
    largest: usize,
    is_small: bool,
}

impl PageSizes {
    /// Takes a page of so many lines; whether the log ends there for sure: it is empty, or far smaller than one before, or
    /// the second one in a row that is smaller than any limit.
    pub fn ends(&mut self, lines: usize) -> bool {
        let was_small = std::mem::replace(&mut self.is_small, lines < LIMIT_MIN);
        let is_end = lines == 0 || lines.saturating_mul(PART) < self.largest || (was_small && self.is_small);
        self.largest = self.largest.max(lines);
        is_end
    }

    /// The same server's sizes for another chain of pages.
    #[must_use]
    pub fn anew(self) -> PageSizes {
        PageSizes { is_small: false, ..self }
    }
}

/// The last operation up to which everything of a source is known.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Anchor {
    /// The source's own number of it.
    pub seq: u64,
    /// Its identity.
    pub key: OpKey,
}

/// A number of an operation is less than this, a `createdAt` in milliseconds more: which of the two an anchor holds.
const NUMBERS_BELOW: u64 = 1_000_000_000_000;

impl Anchor {
    /// Whether it holds a number, and neither a time nor nothing: then streams and `/export` alike can go on from it.
    #[must_use]
    pub const fn is_numbered(&self) -> bool {
        self.seq > 0 && self.seq < NUMBERS_BELOW
    }
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
    sizes: PageSizes,
}

impl Fill {
    /// A fill from `anchor`; its closing page is one asked for at or after `settled_at`.
    #[must_use]
    pub fn new(anchor: Anchor, settled_at: Tau) -> Fill {
        let last_seq = anchor.seq.saturating_sub(1);
        Fill {
            anchor,
            settled_at,
            first_live_seq: None,
            is_anchored: false,
            last_seq,
            last: anchor,
            sizes: PageSizes::default(),
        }
    }

    /// The same where something is known of the server's pages.
    #[must_use]
    pub fn with_sizes(self, sizes: PageSizes) -> Fill {
        Fill { sizes: sizes.anew(), ..self }
    }

    /// What is known of the server's pages.
    #[must_use]
    pub fn sizes(&self) -> PageSizes {
        self.sizes
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

    /// Takes a page of `(seq, key)` that was asked for at `asked_at`, with the number of its lines.
    pub fn page(&mut self, ops: &[(u64, OpKey)], asked_at: Tau, lines: usize) -> FillStep {
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
        let is_new = last > self.last_seq.max(self.anchor.seq);
        self.last_seq = last;
        if let Some(&(seq, key)) = ops.last() {
            self.last = Anchor { seq, key };
        }
        let is_short = lines < PAGE_OPS;
        let is_end = self.sizes.ends(lines) || !is_new;
        let meets_live = self.first_live_seq.is_some_and(|live| last >= live);
        if !is_short && !is_new && !meets_live {
            return FillStep::Hole("a full page of the server's export holds nothing new that can be read".to_owned());
        }
        // Before the closing page even what may be cut can wait for it.
        match asked_at >= self.settled_at {
            true if is_end || meets_live => FillStep::Closed,
            false if is_short || meets_live => FillStep::Ask { after: last, not_before: self.settled_at },
            _ => FillStep::Ask { after: last, not_before: Tau::MIN },
        }
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
        assert_eq!(f.page(&page(&[7, 9]), Tau(50), 2), FillStep::Ask { after: 9, not_before: Tau(100) });
        assert_eq!(f.page(&[], Tau(100), 0), FillStep::Closed);
        assert_eq!(f.last(), Anchor { seq: 9, key: key(9) }, "an empty closing page forgets nothing");
    }

    #[test]
    fn a_full_page_asks_on_unless_it_meets_the_live_stream() {
        let mut f = fill();
        assert_eq!(f.page(&page(&[7, 8, 12]), Tau(120), PAGE_OPS), FillStep::Ask { after: 12, not_before: Tau::MIN });
        f.live(13);
        f.live(20);
        assert_eq!(f.page(&page(&[13, 14]), Tau(121), PAGE_OPS), FillStep::Closed);
    }

    #[test]
    fn a_server_that_cuts_pages_short_is_asked_to_the_end_of_its_log() {
        let log: Vec<u64> = (7..1_750).collect();
        for limit in [10, 100, 500, 999] {
            let (mut f, mut step, mut asked_at) = (fill(), fill().first(), Tau(50));
            let mut pages = 0;
            while let FillStep::Ask { after, not_before } = step {
                asked_at = Tau(asked_at.0 + 1).max(not_before);
                let some: Vec<u64> = log.iter().copied().filter(|&seq| seq > after).take(limit).collect();
                step = f.page(&page(&some), asked_at, some.len());
                pages += 1;
            }
            assert_eq!((step, f.last().seq), (FillStep::Closed, 1_749), "pages of {limit}");
            assert!(pages <= 1_743 / limit + 2, "pages of {limit}: {pages}");
        }
        let mut meets = fill();
        meets.live(9);
        assert_eq!(meets.page(&page(&[7, 8, 9]), Tau(100), 3), FillStep::Closed, "the live stream goes on from there");
        assert_eq!(fill().page(&page(&[7]), Tau(100), 1), FillStep::Closed, "nothing behind the last one known");
    }

    #[test]
    fn a_log_that_grows_while_it_is_asked_ends_nevertheless() {
        let mut f = fill();
        assert_eq!(f.page(&page(&[7, 8, 9]), Tau(100), 3), FillStep::Ask { after: 9, not_before: Tau::MIN });
        assert_eq!(f.page(&page(&[10]), Tau(101), 1), FillStep::Closed, "no limit is that small");
        let mut again = fill().with_sizes({
            let mut sizes = PageSizes::default();
            sizes.ends(500);
            sizes
        });
        let some: Vec<u64> = (7..60).collect();
        assert_eq!(again.page(&page(&some), Tau(100), 53), FillStep::Closed, "its pages can be far larger");
    }

    #[test]
    fn an_export_behind_the_stream_is_asked_again_before_it_is_believed_to_have_lost_anything() {
        let mut f = fill();
        assert_eq!(f.page(&[], Tau(50), 0), FillStep::Ask { after: 6, not_before: Tau(100) });
        assert_eq!(f.page(&page(&[7, 8]), Tau(100), 2), FillStep::Ask { after: 8, not_before: Tau::MIN });
        assert_eq!(f.page(&[], Tau(101), 0), FillStep::Closed);
        let mut f = fill();
        f.page(&[], Tau(50), 0);
        assert!(matches!(f.page(&[], Tau(100), 0), FillStep::Hole(_)), "what is gone by then is gone");
    }

    #[test]
    fn anything_else_is_a_hole() {
        let mut nothing = fill();
        nothing.page(&page(&[7, 8]), Tau(120), PAGE_OPS);
        assert!(matches!(nothing.page(&[], Tau(120), PAGE_OPS), FillStep::Hole(_)), "it would be asked for ever");
        assert!(matches!(fill().page(&page(&[8, 9]), Tau(120), 2), FillStep::Hole(_)), "the last known op is gone");
        assert!(matches!(fill().page(&[], Tau(120), 0), FillStep::Hole(_)), "the log was cut");
        let other = [(7, key(99))];
        assert!(matches!(fill().page(&other, Tau(120), 2), FillStep::Hole(_)), "another op under its number");
        assert!(matches!(fill().page(&page(&[7, 9, 8]), Tau(120), 2), FillStep::Hole(_)), "out of order");
    }
}
