//! What several observers saw, each from its own place on earth: a vantage is one of them, as its actions in the shared log
//! tell of it.
//!
//! Counts add, histograms merge, and a miss is held against a mirror only as far as observers agree: what all of them miss is
//! the mirror's doing, what one of them misses is that one's path. An observer that could not see says nothing.
//!
//! Everything here is made of what others sent. It is read strictly, and what is kept of it is bounded.

mod agreement;
pub mod block;
mod clock;
mod difference;
mod evidence;
mod figures;
pub mod region;
mod shown;
mod table;
mod told;
mod usable;

pub use agreement::{Agreement, Blame, Silence, Vote};
pub use difference::{Difference, Differing, Part};
pub use evidence::{BLOCKS_MAX as EVIDENT_BLOCKS_MAX, Operations};
pub use figures::{Figures, Sum};
pub use shown::Shown;
pub use table::{Compared, Heard, INTRODUCED_MAX, SamePrimary, VANTAGES_MAX, Vantages};
pub use told::{Blind, MIRRORS_MAX, MirrorRow, Overview, Refused, Told, read, source_key};
pub use usable::Usable;

use super::op::OpKey;
use super::verdict::Verdict;
use super::window_kind::WindowKind;
use block::Digest;
use clock::Clock;
use std::collections::BTreeMap;
use table::BlockNews;

/// The windows for which figures of several observers are told.
pub const WINDOWS: [WindowKind; 3] = [WindowKind::H1, WindowKind::H6, WindowKind::H24];
/// So far back anything is kept, milliseconds: the longest window, and the interval that it begins in.
pub const HORIZON_MS: i64 = (WindowKind::H24.seconds() + 3_600) * 1_000;
/// Bytes of figures that are kept of one observer; the oldest go first.
const BYTES_MAX: usize = 8 << 20;
/// Open misses that are kept of one mirror at one observer; the oldest go first.
const MISSES_MAX: usize = 200;
/// Blocks that are kept of one observer, newest.
const BLOCKS_MAX: usize = 1_000;
/// An observer that has told nothing for so long is not waited for, milliseconds.
pub const QUIET_MS: i64 = 15 * 60_000;
/// How far the clocks of two observers may be apart, and an operation's arrivals with them, milliseconds.
const SKEW_MS: i64 = 2_000;

/// The figures of one mirror in one span, and whether all of it was seen.
#[derive(Clone, Debug)]
struct Watched {
    end_ms: i64,
    blind: Option<Blind>,
    figures: Figures,
}

/// One mirror at one observer.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// By first millisecond.
    spans: BTreeMap<i64, Watched>,
    /// When the primary's operation came, by operation.
    misses: BTreeMap<OpKey, i64>,
}

impl Seen {
    /// The figures of every one of [`WINDOWS`] that ends at `now_ms`; of intervals that are final.
    #[must_use]
    pub fn windows(&self, now_ms: i64) -> [Figures; WINDOWS.len()] {
        let (mut sum, mut spans) = (Sum::default(), self.spans.iter().rev().peekable());
        WINDOWS.map(|window| {
            let begin_ms = now_ms - window.seconds() * 1_000;
            while let Some((_, span)) = spans.next_if(|(_, span)| span.end_ms > begin_ms) {
                sum.add(&span.figures);
            }
            sum.figures()
        })
    }

    /// The operations that are missed still, with when the primary's came.
    pub fn misses(&self) -> impl Iterator<Item = (&OpKey, i64)> {
        self.misses.iter().map(|(key, at_ms)| (key, *at_ms))
    }

    /// The end of the newest interval that is known.
    #[must_use]
    pub fn through_ms(&self) -> Option<i64> {
        self.spans.last_key_value().map(|(_, span)| span.end_ms)
    }

    /// What it says of an operation whose arrival from the primary others saw at `at_ms`; `is_quiet` where nothing more is
    /// expected of the observer.
    #[must_use]
    pub fn vote(&self, key: &OpKey, at_ms: i64, is_quiet: bool) -> Vote {
        let own_ms = self.misses.get(key).copied();
        let at_ms = own_ms.unwrap_or(at_ms);
        let Some((start_ms, span)) = self.spans.range(..=at_ms).next_back().filter(|(_, span)| at_ms < span.end_ms)
        else {
            let is_awaited = !is_quiet && self.through_ms().is_none_or(|through_ms| through_ms <= at_ms);
            return if is_awaited { Vote::Awaited } else { Vote::Silent(Silence::NotWatching) };
        };
        if let Some(blind) = self.near(at_ms).find_map(|near| near.blind) {
            return Vote::Silent(Silence::Blind(blind));
        }
        match own_ms {
            Some(at_ms) if self.is_denied(at_ms) => Vote::Silent(Silence::Contradictory),
            Some(_) => Vote::Missing,
            None => self.has(*start_ms, span),
        }
    }

    /// The spans in which what came at `at_ms` may be, as clocks may differ.
    fn near(&self, at_ms: i64) -> impl Iterator<Item = &Watched> {
        let spans = self.spans.range(..at_ms + SKEW_MS).rev().map(|(_, span)| span);
        spans.take_while(move |span| span.end_ms > at_ms - SKEW_MS)
    }

    /// Whether its own final figures say that nothing was missed then: those of the very span, which come behind the miss,
    /// and those beside it.
    fn is_denied(&self, at_ms: i64) -> bool {
        let is_told = self.spans.range(..=at_ms).next_back().is_some_and(|(_, span)| at_ms < span.end_ms);
        is_told && self.near(at_ms).all(|span| span.figures.verdict(Verdict::Missed) == 0)
    }

    fn denied(&self) -> u64 {
        self.misses.values().filter(|at_ms| self.is_denied(**at_ms)).count() as u64
    }

    /// Whether an operation of the span that is not known to be missed is there.
    fn has(&self, start_ms: i64, span: &Watched) -> Vote {
        use Verdict::{Missed, Pending, Unknown};
        let count = |verdict| span.figures.verdict(verdict);
        if span.figures.eligible() == 0 {
            return Vote::Silent(Silence::NotWatching);
        }
        let known = self.misses.values().filter(|at_ms| (start_ms..span.end_ms).contains(at_ms)).count() as u64;
        // It misses more than it told us of, or cannot tell of all: this one may be among them.
        if known < count(Missed) || count(Unknown) + count(Pending) > 0 {
            return Vote::Silent(Silence::Untold);
        }
        Vote::Has
    }

    fn bytes(&self) -> usize {
        self.spans.values().map(|span| span.figures.bytes()).sum()
    }
}

/// One observer.
#[derive(Clone, Debug, Default)]
pub struct Vantage {
    /// When it told the newest of what is known, UTC milliseconds.
    pub told_ms: i64,
    /// Who handed on the newest of it; none for us.
    pub via: Option<String>,
    /// The user that handed on the first of it; none for us.
    introduced_by: Option<String>,
    /// How everything stood there, and when.
    pub overview: Option<(i64, Overview)>,
    /// Actions that were not taken in, by reason.
    refused: BTreeMap<Refused, u64>,
    /// Intervals and misses that were let go for lack of room.
    pub let_go: u64,
    clock: Clock,
    mirrors: BTreeMap<String, Seen>,
    blocks: BTreeMap<(String, u64), Digest>,
    bytes: usize,
}

impl Vantage {
    /// What it saw of the mirror of this address.
    #[must_use]
    pub fn seen(&self, mirror: &str) -> Option<&Seen> {
        self.mirrors.get(mirror)
    }

    /// How the mirror of this address stood there.
    #[must_use]
    pub fn row(&self, mirror: &str) -> Option<&MirrorRow> {
        self.overview.as_ref()?.1.mirrors.iter().find(|row| row.key == mirror)
    }

    /// Actions that were not taken in, and misses that its own figures deny, by reason.
    #[must_use]
    pub fn refused(&self) -> BTreeMap<Refused, u64> {
        let mut refused = self.refused.clone();
        *refused.entry(Refused::Contradictory).or_default() += self.mirrors.values().map(Seen::denied).sum::<u64>();
        refused
    }

    /// The mirrors that it told of.
    pub fn mirrors(&self) -> impl Iterator<Item = &str> {
        let rows = self.overview.iter().flat_map(|(_, overview)| &overview.mirrors).map(|row| row.key.as_str());
        self.mirrors.keys().map(String::as_str).chain(rows)
    }

    /// Whether nothing is expected of it any more.
    #[must_use]
    pub fn is_quiet(&self, now_ms: i64) -> bool {
        now_ms - self.told_ms > QUIET_MS
    }

    /// What it says of an operation that some observer misses.
    #[must_use]
    pub fn vote(&self, mirror: &str, key: &OpKey, at_ms: i64, now_ms: i64) -> Vote {
        let is_quiet = self.is_quiet(now_ms);
        match (self.seen(mirror), self.row(mirror)) {
            (Some(seen), _) => seen.vote(key, at_ms, is_quiet),
            (None, Some(_)) if !is_quiet => Vote::Awaited,
            _ => Vote::Silent(Silence::NotWatching),
        }
    }

    fn take(&mut self, told: Told, at_ms: i64, now_ms: i64) -> Result<Option<BlockNews>, Refused> {
        match told {
            Told::Overview(overview) => {
                if self.overview.as_ref().is_none_or(|(known_ms, _)| *known_ms <= at_ms) {
                    self.overview = Some((at_ms, overview));
                }
            }
            Told::Span(mut span) => {
                let behind_ms = self.clock.behind_ms(span.told_ms, at_ms);
                span.start_ms = span.start_ms.saturating_add(behind_ms);
                span.end_ms = span.end_ms.saturating_add(behind_ms);
                self.take_span(span, now_ms)?;
            }
            Told::Miss(mut miss) => {
                miss.at_ms = miss.at_ms.saturating_add(self.clock.behind_ms(miss.told_ms, at_ms));
                self.take_miss(miss, now_ms)?;
            }
            Told::Block(told) => return self.take_block(told),
            Told::Ops(told) => return self.take_ops(told),
        }
        Ok(None)
    }

    fn seen_mut(&mut self, mirror: String) -> Result<&mut Seen, Refused> {
        if self.mirrors.len() >= MIRRORS_MAX && !self.mirrors.contains_key(&mirror) {
            return Err(Refused::TooMany);
        }
        Ok(self.mirrors.entry(mirror).or_default())
    }

    fn take_span(&mut self, span: told::Span, now_ms: i64) -> Result<(), Refused> {
        if span.end_ms <= span.start_ms {
            return Err(Refused::Malformed);
        }
        if span.end_ms > now_ms + table::AHEAD_MS {
            return Err(Refused::Future);
        }
        if span.end_ms <= now_ms - HORIZON_MS {
            return Ok(());
        }
        let told::Span { mirror, start_ms, end_ms, blind, figures, .. } = span;
        let seen = self.seen_mut(mirror)?;
        let before = seen.spans.range(..start_ms).next_back().map(|(_, before)| before.end_ms);
        let behind = seen.spans.range(start_ms + 1..).next().map(|(start_ms, _)| *start_ms);
        if before.is_some_and(|before_ms| before_ms > start_ms) || behind.is_some_and(|behind_ms| behind_ms < end_ms) {
            return Err(Refused::Contradictory);
        }
        let added = figures.bytes();
        let old = seen.spans.insert(start_ms, Watched { end_ms, blind, figures });
        self.bytes = self.bytes + added - old.map_or(0, |old| old.figures.bytes());
        while self.bytes > BYTES_MAX && self.let_go_oldest() {}
        Ok(())
    }

    fn let_go_oldest(&mut self) -> bool {
        let oldest = self.mirrors.values_mut().filter(|seen| !seen.spans.is_empty());
        let oldest = oldest.min_by_key(|seen| seen.spans.first_key_value().map(|(start_ms, _)| *start_ms));
        let Some((_, gone)) = oldest.and_then(|seen| seen.spans.pop_first()) else { return false };
        self.bytes -= gone.figures.bytes();
        self.let_go += 1;
        true
    }

    fn take_miss(&mut self, miss: told::Miss, now_ms: i64) -> Result<(), Refused> {
        if miss.at_ms > now_ms + table::AHEAD_MS {
            return Err(Refused::Future);
        }
        let seen = self.seen_mut(miss.mirror)?;
        if !miss.is_open {
            seen.misses.remove(&miss.key);
            return Ok(());
        }
        if miss.at_ms <= now_ms - HORIZON_MS {
            return Ok(());
        }
        seen.misses.insert(miss.key, miss.at_ms);
        if seen.misses.len() > MISSES_MAX {
            let oldest = seen.misses.iter().min_by_key(|(_, at_ms)| **at_ms).map(|(key, _)| *key);
            oldest.map(|key| seen.misses.remove(&key));
            self.let_go += 1;
        }
        Ok(())
    }

    fn take_block(&mut self, told: told::BlockTold) -> Result<Option<BlockNews>, Refused> {
        let told::BlockTold { primary, first_seq, digest } = told;
        let key = (primary, first_seq);
        match self.blocks.get(&key) {
            Some(known) if *known != digest => return Err(Refused::Contradictory),
            Some(_) => return Ok(None),
            None => self.blocks.insert(key.clone(), digest),
        };
        if self.blocks.len() > BLOCKS_MAX {
            let oldest = self.blocks.keys().min_by_key(|(_, seq)| *seq).cloned();
            oldest.map(|oldest| self.blocks.remove(&oldest));
        }
        let (primary, first_seq) = key;
        Ok(Some(BlockNews { primary, first_seq, ops: None }))
    }

    /// Operations that do not come to the digest that was told of them are no evidence.
    fn take_ops(&mut self, told: told::OpsTold) -> Result<Option<BlockNews>, Refused> {
        let told::OpsTold { primary, first_seq, ops } = told;
        let known = self.blocks.get(&(primary.clone(), first_seq)).copied();
        let Some(digest) = ops.as_ref().map(Shown::digest).or(known) else { return Ok(None) };
        // It may come before the digest, or that be forgotten already.
        self.take_block(told::BlockTold { primary: primary.clone(), first_seq, digest })?;
        Ok(Some(BlockNews { primary, first_seq, ops: Some((digest, ops)) }))
    }

    /// Forgets what is older than anything that is shown.
    fn forget(&mut self, now_ms: i64) {
        let oldest_ms = now_ms - HORIZON_MS;
        for seen in self.mirrors.values_mut() {
            seen.spans.retain(|_, span| span.end_ms > oldest_ms);
            seen.misses.retain(|_, at_ms| *at_ms > oldest_ms);
        }
        self.mirrors.retain(|_, seen| !seen.spans.is_empty() || !seen.misses.is_empty());
        self.bytes = self.mirrors.values().map(Seen::bytes).sum();
    }
}

#[cfg(test)]
pub(in crate::domain) mod tests;
