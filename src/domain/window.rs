//! Observation windows: the spans for which it is proved that everything a source published reached us.
//!
//! A window is the time since the source was first observed, less its gaps, as far as it is proved. A gap that a fill closed
//! is no gap any more, but it is remembered for what it does to deadlines and timing; a gap that nothing closed is a hole.

use super::time::{SECOND, Span, Tau};
use super::verdict::Reason;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Gaps of one source that are remembered; the oldest are forgotten first, and the window then begins behind them.
pub const GAPS_MAX: usize = 4_096;

/// A gap that nothing closed within this time counts as a hole for the operations in it.
pub const GAP_LIMIT_NS: i64 = 3_600 * SECOND;

/// What became of a gap.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum GapState {
    /// Still down, or up again and not filled yet.
    Open,
    /// Closed by a continuous fill that ended at this instant.
    Filled(Tau),
    /// Nothing will close it. What the source sent until this instant may have been queued behind what it sent again; never
    /// while that goes on.
    Hole(Tau),
}

/// A span in which the source may have published what we did not get.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Gap {
    /// The last instant through which the window was proved.
    pub start: Tau,
    /// When the stream was open again; none while it is down.
    pub reopened: Option<Tau>,
    /// What became of it.
    pub state: GapState,
    /// Whose doing it was, as a number of [`Reason`].
    cause: u8,
}

impl Gap {
    /// Why it exists.
    #[must_use]
    pub fn cause(&self) -> Reason {
        Reason::from_number(self.cause)
    }

    /// The span in which timing means nothing: until the gap is filled, not only until the link is up again. What arrived
    /// at the very instant that is proved still counts.
    #[must_use]
    pub fn impaired(&self) -> Span {
        let to = match self.state {
            GapState::Open => Tau::MAX,
            GapState::Filled(at) | GapState::Hole(at) => at,
        };
        Span { from: self.start.plus(1), to: to.max(self.reopened.unwrap_or(Tau::MIN)) }
    }

    /// When the stream was open again; never while it is down.
    #[must_use]
    pub fn end(&self) -> Tau {
        self.reopened.unwrap_or(Tau::MAX)
    }

    fn is_ours(&self) -> bool {
        self.cause == Reason::DroppedByUs as u8
    }
}

/// What a window says of a span.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Cover {
    /// Everything that the source published in it reached us.
    Proved,
    /// No gap in it, but it is not proved to its end yet.
    NotYet,
    /// A gap in it may still be filled.
    Gap(Reason),
    /// A gap in it was not filled and will not be.
    Hole(Reason),
    /// It begins before the source was first observed.
    Before,
}

/// The observation window of one source.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Windows {
    first: Option<Tau>,
    proved: Tau,
    is_open: bool,
    gaps: VecDeque<Gap>,
}

impl Windows {
    /// When the source was first observed.
    #[must_use]
    pub fn first(&self) -> Option<Tau> {
        self.first
    }

    /// The instant through which the window is proved.
    #[must_use]
    pub fn proved(&self) -> Tau {
        self.proved
    }

    /// Whether the source's stream is open, so that the window can grow.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// The gaps that are remembered, oldest first.
    pub fn gaps(&self) -> impl DoubleEndedIterator<Item = &Gap> {
        self.gaps.iter()
    }

    /// The gaps that may still be filled, newest first: none older than one that is closed.
    pub fn open_gaps(&self) -> impl Iterator<Item = &Gap> {
        let is_open = |g: &&Gap| g.state == GapState::Open;
        self.gaps.iter().rev().take_while(move |g| g.is_ours() || is_open(g)).filter(is_open)
    }

    /// The earliest gap that may still be filled.
    #[must_use]
    pub fn open_gap(&self) -> Option<&Gap> {
        self.open_gaps().last()
    }

    /// The stream is open from `at` on: its first byte, or the first acknowledged ping after the upgrade.
    pub fn open(&mut self, at: Tau) {
        if self.first.is_none() {
            self.first = Some(at);
            self.proved = at;
        }
        if let Some(gap) = self.gaps.iter_mut().rev().find(|g| g.reopened.is_none()) {
            gap.reopened = Some(at.max(gap.start));
        }
        self.is_open = true;
        self.prove(at);
    }

    /// Everything published through `through` has reached us. Counts only while the stream is open.
    pub fn prove(&mut self, through: Tau) {
        if self.is_open {
            self.proved = self.proved.max(through);
        }
    }

    /// The stream is gone: a gap begins at the last instant that was proved.
    pub fn close(&mut self, cause: Reason) {
        if !self.is_open {
            return;
        }
        self.is_open = false;
        self.push(Gap { start: self.proved, reopened: None, state: GapState::Open, cause: cause as u8 });
    }

    /// A continuous fill that ended at `at` closed every gap behind the present stream, but for those that were forsaken.
    pub fn filled(&mut self, at: Tau) {
        self.catch_up(at, GapState::Filled(at));
    }

    /// Nothing will fill the gaps behind the present stream.
    pub fn give_up(&mut self, at: Tau) {
        self.catch_up(at, GapState::Hole(at));
    }

    fn catch_up(&mut self, at: Tau, open_becomes: GapState) {
        for gap in self.gaps.iter_mut().filter(|g| g.reopened.is_some()) {
            gap.state = match gap.state {
                GapState::Open => open_becomes,
                GapState::Hole(Tau::MAX) => GapState::Hole(at),
                ended => ended,
            };
        }
    }

    /// Every gap that is not filled is a hole, those that are still down too: the clock says nothing of the time between.
    /// What the source sends again is no less replayed for that, so timing means nothing until a fill has ended.
    pub fn forsake(&mut self) {
        for gap in self.gaps.iter_mut().filter(|g| g.state == GapState::Open) {
            gap.state = GapState::Hole(Tau::MAX);
        }
    }

    /// A hole of our own making: something that the source sent between `from` and `at` was let go.
    pub fn drop_between(&mut self, from: Tau, at: Tau) {
        let to = at.plus(1);
        if let Some(last) = self.gaps.back_mut()
            && last.is_ours()
            && from.since(last.end()) < SECOND
        {
            let to = to.max(last.end());
            (last.start, last.reopened, last.state) = (last.start.min(from), Some(to), GapState::Hole(to));
            return;
        }
        self.push(Gap { start: from, reopened: Some(to), state: GapState::Hole(to), cause: Reason::DroppedByUs as u8 });
    }

    /// Nothing that was proved can be believed any more: all of it is a hole, until the stream is open again.
    pub fn distrust(&mut self) {
        let Some(first) = self.first else { return };
        self.gaps.clear();
        self.is_open = false;
        let state = GapState::Hole(Tau::MAX);
        self.push(Gap { start: first, reopened: None, state, cause: Reason::SelfDown as u8 });
    }

    /// What is known of the half-open span `[from, to)`, with the end proved too. Of several holes the oldest is the reason, so
    /// that it does not matter how much later `to` is moved.
    #[must_use]
    pub fn cover(&self, from: Tau, to: Tau) -> Cover {
        if self.first.is_none_or(|first| from < first) {
            return Cover::Before;
        }
        let (mut hole, mut waiting) = (None, None);
        for gap in self.gaps.iter().rev() {
            if gap.end() <= from {
                // Gaps of our own making may lie between, so older ones are looked at as well while they can reach in.
                if gap.is_ours() {
                    continue;
                }
                break;
            }
            if gap.start >= to {
                continue;
            }
            match gap.state {
                GapState::Hole(_) => hole = Some(gap.cause()),
                GapState::Open => waiting = Some(gap.cause()),
                GapState::Filled(_) => {}
            }
        }
        match (hole, waiting) {
            (Some(cause), _) => Cover::Hole(cause),
            (None, Some(cause)) => Cover::Gap(cause),
            (None, None) if self.proved < to => Cover::NotYet,
            (None, None) => Cover::Proved,
        }
    }

    /// The gaps whose impairment reaches beyond `from`, newest first.
    pub fn reaching(&self, from: Tau) -> impl Iterator<Item = &Gap> {
        let reaches = move |g: &&Gap| g.impaired().to > from;
        // Each gap ends no earlier than those before it, but for those of our own making.
        self.gaps.iter().rev().take_while(move |g| g.is_ours() || reaches(g)).filter(reaches)
    }

    /// The latest end of a fill among the gaps that `[from, to)` touches.
    #[must_use]
    pub fn filled_at(&self, from: Tau, to: Tau) -> Option<Tau> {
        let touching = self.reaching(from).filter(|g| g.start < to);
        touching.filter_map(|g| if let GapState::Filled(at) = g.state { Some(at) } else { None }).max()
    }

    /// The same, and the latest end of what the source sent again after a hole that lies before `from`: what it sent then may
    /// have queued behind that.
    #[must_use]
    pub fn caught_up_at(&self, from: Tau, to: Tau) -> Option<Tau> {
        let behind = self.reaching(from).filter(|g| g.end() <= from);
        let holes = behind.filter_map(|g| if let GapState::Hole(at) = g.state { Some(at) } else { None });
        self.filled_at(from, to).max(holes.filter(|&at| at < Tau::MAX).max())
    }

    /// Forgets the gaps that ended before `before`; nothing asks about that time any more.
    pub fn forget(&mut self, before: Tau) {
        while self.gaps.front().is_some_and(|g| g.impaired().to < before) {
            self.gaps.pop_front();
        }
    }

    fn push(&mut self, gap: Gap) {
        self.gaps.push_back(gap);
        if self.gaps.len() > GAPS_MAX
            && let Some(gone) = self.gaps.pop_front()
        {
            self.first = self.first.max(gone.reopened);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Tau {
        Tau(s * SECOND)
    }

    #[test]
    fn a_span_is_covered_only_as_far_as_it_is_proved() {
        let mut w = Windows::default();
        assert_eq!(w.cover(at(0), at(1)), Cover::Before);
        w.open(at(10));
        assert_eq!(w.cover(at(9), at(10)), Cover::Before);
        assert_eq!(w.cover(at(10), at(11)), Cover::NotYet);
        w.prove(at(11));
        assert_eq!(w.cover(at(10), at(11)), Cover::Proved);
    }

    #[test]
    fn a_gap_begins_where_the_proof_ended_and_ends_as_a_fill_or_a_hole() {
        let mut w = Windows::default();
        w.open(at(0));
        w.prove(at(5));
        w.close(Reason::LinkDown);
        w.prove(at(9));
        assert_eq!(w.proved(), at(5), "a closed stream proves nothing");
        w.open(at(20));
        w.prove(at(60));
        assert_eq!(w.cover(at(4), at(6)), Cover::Gap(Reason::LinkDown));
        assert_eq!(w.cover(at(21), at(30)), Cover::Proved);
        let mut holed = w.clone();
        w.filled(at(26));
        assert_eq!(w.cover(at(4), at(30)), Cover::Proved);
        assert_eq!(w.filled_at(at(19), at(30)), Some(at(26)));
        assert_eq!(w.filled_at(at(27), at(30)), None);
        holed.give_up(at(26));
        assert_eq!(holed.cover(at(19), at(30)), Cover::Hole(Reason::LinkDown));
        assert_eq!(holed.cover(at(20), at(30)), Cover::Proved);
    }

    #[test]
    fn a_fill_does_not_close_a_gap_that_is_still_down() {
        let mut w = Windows::default();
        w.open(at(0));
        w.close(Reason::LinkDown);
        w.filled(at(3));
        assert_eq!(w.open_gap().map(|g| g.start), Some(at(0)));
    }

    #[test]
    fn a_forsaken_gap_is_a_hole_that_impairs_until_the_fill_behind_it_has_ended() {
        let mut w = Windows::default();
        w.open(at(0));
        w.prove(at(10));
        w.close(Reason::SelfDown);
        w.forsake();
        w.open(at(20));
        w.prove(at(100));
        assert_eq!(w.cover(at(5), at(30)), Cover::Hole(Reason::SelfDown));
        let impaired = |w: &Windows, s| w.gaps().any(|g| g.impaired().contains(at(s)));
        assert!(impaired(&w, 25), "what comes now may be sent again");
        w.filled(at(30));
        assert!(impaired(&w, 25) && !impaired(&w, 31));
        assert_eq!(w.cover(at(5), at(30)), Cover::Hole(Reason::SelfDown), "the clock says nothing of that time");
        assert_eq!(w.filled_at(at(5), at(30)), None);
    }

    #[test]
    fn what_we_let_go_is_a_hole_of_its_own_and_hides_no_older_gap() {
        let mut w = Windows::default();
        w.open(at(0));
        w.prove(at(10));
        w.close(Reason::LinkDown);
        w.open(at(20));
        w.prove(at(100));
        w.drop_between(at(15), at(15));
        assert_eq!(w.cover(at(14), at(16)), Cover::Hole(Reason::DroppedByUs));
        assert_eq!(w.cover(at(17), at(19)), Cover::Gap(Reason::LinkDown));
    }

    #[test]
    fn the_oldest_hole_is_the_reason() {
        let mut w = Windows::default();
        w.open(at(0));
        w.prove(at(10));
        w.close(Reason::LinkDown);
        w.open(at(20));
        w.give_up(at(21));
        w.prove(at(100));
        w.drop_between(at(50), at(50));
        assert_eq!(w.cover(at(15), at(30)), Cover::Hole(Reason::LinkDown));
        assert_eq!(w.cover(at(15), at(60)), Cover::Hole(Reason::LinkDown));
        assert_eq!(w.cover(at(30), at(60)), Cover::Hole(Reason::DroppedByUs));
    }

    #[test]
    fn memory_is_bounded_and_forgetting_moves_the_beginning() {
        let mut w = Windows::default();
        w.open(at(0));
        for i in 0..(GAPS_MAX as i64 + 10) {
            w.prove(at(i * 10));
            w.close(Reason::LinkDown);
            w.open(at(i * 10 + 5));
            w.give_up(at(i * 10 + 5));
        }
        assert_eq!(w.gaps().count(), GAPS_MAX);
        assert!(w.first() > Some(at(0)));
    }
}
