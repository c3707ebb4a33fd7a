//! The walk through one host's log, page by page, from before a range of `createdAt` to behind it.
//!
//! A numbered log is walked by number. Any other is walked by time, where a page begins within the millisecond in which
//! the one before it ended, so that operations that share it are not lost between two pages; what comes twice by that is
//! dropped. A few operations with a wrong `createdAt` cannot lead the walk astray: its progress is the middle one of a
//! page.

use super::Range;
use super::line::{Item, Line};
use crate::domain::op::OpKey;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use thiserror::Error;

/// How far before and behind the range a log is read, milliseconds: for `createdAt` that differ between the two hosts, and
/// for numbers that do not follow it exactly.
pub const MARGIN_MS: i64 = 10 * 60_000;

/// By what a log is walked.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Paging {
    /// By the host's own numbers.
    Seq,
    /// By `createdAt`.
    Time,
}

/// What to ask a host for: the operations after this.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// A number of its own, exclusive.
    AfterSeq(u64),
    /// A `createdAt`, milliseconds since 1970, exclusive.
    AfterTime(i64),
}

/// Why a walk cannot go on.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum WalkError {
    /// The numbers of a page do not rise above those before it.
    #[error("its pages do not chain: number {0} comes after {1}")]
    Regress(u64, u64),
    /// Not one line of a page tells where the next one begins.
    #[error("its pages do not chain: no line of a page can be read ({0})")]
    Blind(String),
    /// A page by time begins before the time that was asked for.
    #[error("its pages do not chain: a page by time ends before it begins")]
    Backwards,
}

/// The state of one walk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Walk {
    /// By what it is walked.
    pub paging: Paging,
    next: Option<Ask>,
    until_ms: i64,
    /// Everything before this was read, but for what is out of order.
    reached_ms: i64,
    /// What the next page by time may bring once more.
    #[serde(with = "super::comparison::keys")]
    overlap: HashSet<OpKey>,
    /// Operations that were read.
    pub read: u64,
    /// Those that stand far behind their place.
    out_of_order: u64,
    /// Whether more operations share a millisecond than a page can bring, so that some may have been passed over.
    pub crowded: bool,
}

impl Walk {
    /// A walk over `range` and its margins that begins with `first` at `now_ms`, milliseconds since 1970: it does not go on
    /// behind that, where the log of a living host never ends.
    #[must_use]
    pub fn new(first: Ask, range: Range, now_ms: i64) -> Walk {
        let paging = match first {
            Ask::AfterSeq(_) => Paging::Seq,
            Ask::AfterTime(_) => Paging::Time,
        };
        Walk {
            paging,
            next: Some(first),
            until_ms: range.to_ms.saturating_add(MARGIN_MS).min(now_ms).max(range.to_ms),
            reached_ms: i64::MIN,
            overlap: HashSet::new(),
            read: 0,
            out_of_order: 0,
            crowded: false,
        }
    }

    /// What to ask for next; `None` when the walk is over.
    #[must_use]
    pub fn ask(&self) -> Option<Ask> {
        self.next
    }

    /// Up to where everything was read, but for what is out of order; the end of time when the walk is over.
    #[must_use]
    pub fn reached_ms(&self) -> i64 {
        if self.next.is_some() { self.reached_ms } else { i64::MAX }
    }

    /// Whether so much is out of order that a range of time is no range of this log.
    #[must_use]
    pub fn is_disordered(&self) -> bool {
        self.out_of_order.saturating_mul(100) > self.read
    }

    /// Takes the page that was asked for, of at most `asked` lines, and gives the operations that it brought anew.
    ///
    /// # Errors
    /// [`WalkError`]: the walk cannot go on from this page; it stays where it was.
    pub fn take(&mut self, lines: &[Line], asked: usize) -> Result<Vec<Item>, WalkError> {
        let items: Vec<Item> = lines.iter().filter_map(|line| line.item.clone().ok().flatten()).collect();
        let next = match self.next {
            None => return Ok(Vec::new()),
            Some(Ask::AfterSeq(after)) => Self::next_number(lines, after)?,
            Some(Ask::AfterTime(after)) => self.next_time(lines, &items, after, asked)?,
        };
        let fresh: Vec<Item> = items.iter().filter(|item| !self.overlap.contains(&item.key)).copied().collect();
        self.next = next;
        self.overlap.clear();
        if let Some(Ask::AfterTime(after)) = next {
            self.overlap.extend(items.iter().filter(|item| item.created_ms > after).map(|item| item.key));
        }
        let behind = self.reached_ms.saturating_sub(MARGIN_MS);
        self.out_of_order += fresh.iter().filter(|item| item.created_ms < behind).count() as u64;
        self.read += fresh.len() as u64;
        if let Some(middle_ms) = middle(&items) {
            self.reached_ms = self.reached_ms.max(middle_ms);
            if middle_ms > self.until_ms {
                self.next = None;
            }
        }
        Ok(fresh)
    }

    /// Where the page after this one begins; nothing after an empty one.
    fn next_number(lines: &[Line], after: u64) -> Result<Option<Ask>, WalkError> {
        let mut last = after;
        for seq in lines.iter().filter_map(|line| line.seq) {
            if seq <= last {
                return Err(WalkError::Regress(seq, last));
            }
            last = seq;
        }
        match lines {
            [] => Ok(None),
            _ if last == after => Err(WalkError::Blind(why(lines))),
            _ => Ok(Some(Ask::AfterSeq(last))),
        }
    }

    /// The same by time: nothing after a page that brings nothing new.
    fn next_time(
        &mut self,
        lines: &[Line],
        items: &[Item],
        after: i64,
        asked: usize,
    ) -> Result<Option<Ask>, WalkError> {
        if lines.is_empty() || (!items.is_empty() && items.iter().all(|item| self.overlap.contains(&item.key))) {
            let is_full = !lines.is_empty() && lines.len() >= asked;
            self.crowded |= is_full;
            // A full page of what is known already: the rest of that millisecond cannot be had.
            return Ok(is_full.then(|| Ask::AfterTime(after.saturating_add(1))));
        }
        let Some(last) = items.last() else { return Err(WalkError::Blind(why(lines))) };
        // One millisecond back, because the time asked for is exclusive.
        let next = last.created_ms.saturating_sub(1);
        if next < after {
            return Err(WalkError::Backwards);
        }
        Ok(Some(Ask::AfterTime(next)))
    }
}

/// The first reason for which a line could not be read.
fn why(lines: &[Line]) -> String {
    lines.iter().find_map(|line| line.item.clone().err()).unwrap_or_else(|| "no number".to_owned())
}

/// The middle one of all `createdAt`.
fn middle(items: &[Item]) -> Option<i64> {
    let mut times: Vec<i64> = items.iter().map(|item| item.created_ms).collect();
    let at = times.len() / 2;
    (!times.is_empty()).then(|| *times.select_nth_unstable(at).1)
}

#[cfg(test)]
mod tests {
    use super::super::property::item;
    use super::*;

    const RANGE: Range = Range { from_ms: 0, to_ms: 1_000 };

    fn lines(items: &[Item]) -> Vec<Line> {
        items.iter().map(|item| Line { seq: item.seq, item: Ok(Some(*item)) }).collect()
    }

    fn numbered(n: u32, created_ms: i64) -> Item {
        Item { seq: Some(u64::from(n)), ..item(n, created_ms) }
    }

    #[test]
    fn a_numbered_log_is_walked_until_a_page_lies_behind_the_range() {
        let mut walk = Walk::new(Ask::AfterSeq(3), RANGE, i64::MAX);
        assert_eq!(walk.paging, Paging::Seq);
        let page = [numbered(4, 10), numbered(9, 20)];
        assert_eq!(walk.take(&lines(&page), 2).unwrap(), page);
        assert_eq!((walk.ask(), walk.reached_ms()), (Some(Ask::AfterSeq(9)), 20));
        // One operation from another time does not end it.
        let odd = [numbered(10, 30), numbered(11, 40), numbered(12, i64::MAX)];
        walk.take(&lines(&odd), 3).unwrap();
        assert_eq!((walk.ask(), walk.reached_ms()), (Some(Ask::AfterSeq(12)), 40));
        let mut at_its_end = walk.clone();
        assert!(at_its_end.take(&[], 3).unwrap().is_empty());
        assert_eq!((at_its_end.ask(), at_its_end.reached_ms()), (None, i64::MAX));
        walk.take(&lines(&[numbered(13, RANGE.to_ms + MARGIN_MS + 1)]), 3).unwrap();
        assert_eq!(walk.ask(), None);
    }

    #[test]
    fn a_log_that_goes_on_while_it_is_read_is_read_to_the_present() {
        let began_ms = RANGE.to_ms + 50;
        let mut walk = Walk::new(Ask::AfterSeq(0), RANGE, began_ms);
        walk.take(&lines(&[numbered(1, RANGE.to_ms + 1)]), 9).unwrap();
        assert_eq!(walk.ask(), Some(Ask::AfterSeq(1)), "what is out of order may follow");
        walk.take(&lines(&[numbered(2, began_ms + 1)]), 9).unwrap();
        assert_eq!(walk.ask(), None);
    }

    #[test]
    fn pages_that_do_not_chain_are_an_error_and_change_nothing() {
        let mut walk = Walk::new(Ask::AfterSeq(3), RANGE, i64::MAX);
        let before = walk.clone();
        assert_eq!(walk.take(&lines(&[numbered(3, 10)]), 2), Err(WalkError::Regress(3, 3)));
        assert_eq!(walk.take(&lines(&[numbered(5, 10), numbered(4, 10)]), 2), Err(WalkError::Regress(4, 5)));
        let blind = [Line { seq: None, item: Err("bad_json".into()) }];
        assert!(matches!(walk.take(&blind, 2), Err(WalkError::Blind(why)) if why == "bad_json"));
        assert_eq!(walk, before);
        // A line that cannot be read and has a number chains.
        let numbered = [Line { seq: Some(8), item: Err("bad_did".into()) }];
        assert!(walk.take(&numbered, 2).unwrap().is_empty());
        assert_eq!(walk.ask(), Some(Ask::AfterSeq(8)));
    }

    #[test]
    fn operations_that_share_a_millisecond_come_once_and_none_is_lost() {
        let log: Vec<Item> = [1, 5, 5, 5, 5, 7].into_iter().zip(0..).map(|(at, n)| item(n, at)).collect();
        let mut walk = Walk::new(Ask::AfterTime(0), RANGE, i64::MAX);
        let mut seen = Vec::new();
        for _ in 0..10 {
            let Some(Ask::AfterTime(after)) = walk.ask() else { break };
            let page: Vec<Item> = log.iter().filter(|i| i.created_ms > after).take(5).copied().collect();
            seen.extend(walk.take(&lines(&page), 5).unwrap());
        }
        assert_eq!(seen, log);
        assert_eq!((walk.ask(), walk.crowded, walk.read), (None, false, 6));
    }

    #[test]
    fn more_in_a_millisecond_than_a_page_holds_is_told() {
        let log: Vec<Item> = [5, 5, 5, 7].into_iter().zip(0..).map(|(at, n)| item(n, at)).collect();
        let mut walk = Walk::new(Ask::AfterTime(0), RANGE, i64::MAX);
        let mut seen = Vec::new();
        for _ in 0..10 {
            let Some(Ask::AfterTime(after)) = walk.ask() else { break };
            let page: Vec<Item> = log.iter().filter(|i| i.created_ms > after).take(2).copied().collect();
            seen.extend(walk.take(&lines(&page), 2).unwrap());
        }
        assert_eq!(seen.len(), 3, "the third of that millisecond cannot be had");
        assert!(walk.crowded && walk.ask().is_none());
        let mut walk = Walk::new(Ask::AfterTime(9), RANGE, i64::MAX);
        assert_eq!(walk.take(&lines(&log), 9), Err(WalkError::Backwards));
    }

    #[test]
    fn disorder_is_noticed_and_a_single_wrong_time_is_none() {
        let late = 10 * MARGIN_MS;
        let mut walk = Walk::new(Ask::AfterSeq(0), Range { from_ms: 0, to_ms: late }, i64::MAX);
        let page: Vec<Item> = (1..=200).map(|n| numbered(n, late / 2)).collect();
        walk.take(&lines(&page), 200).unwrap();
        walk.take(&lines(&[numbered(300, 0)]), 200).unwrap();
        assert!(!walk.is_disordered());
        walk.take(&lines(&[numbered(301, 0), numbered(302, 0), numbered(303, 0)]), 200).unwrap();
        assert!(walk.is_disordered());
    }
}
