//! Operations that only mirrors have: from first sight to extra, unknown, or the primary's after all.

mod foreigns;
mod judge;
mod list;
mod slots;

use super::Ledger;
use super::forks::Fork;
use super::mutant::Mutant;
use super::prevs::Prev;
use crate::domain::finding::Finding;
use crate::domain::interval::ExtraState;
use crate::domain::op::{Kind, Op, OpKey};
use crate::domain::source::SourceIx;
use crate::domain::throttle::News;
use crate::domain::time::Tau;
use crate::domain::verdict::{Mode, Reason};

pub(super) use foreigns::Foreigns;

/// DIDs under which one mirror's copies of one content are told apart; of more it is not known whether one was right.
const DIDS_OF_CID_MAX: usize = 16;

/// One key at one mirror that the primary has not delivered.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Sighting {
    /// Identity as the mirror gave it.
    pub key: OpKey,
    /// What the operation does.
    pub kind: Kind,
    /// How it came.
    pub mode: Mode,
    /// What is decided.
    pub state: ExtraState,
    /// Why it cannot be told.
    pub reason: Reason,
    /// Nothing but the primary delivering it, or what asking comes to, changes this any more.
    pub is_closed: bool,
    /// The mirror sent its content under two DIDs or with two `createdAt`.
    pub is_altered: bool,
    /// Whether it contradicts another operation.
    pub fork: Fork,
    /// What it names as its `prev`.
    pub prev: Prev,
    /// Its place among the live arrivals of its mirror since the start; 0 when that is not known.
    pub order: u64,
    /// Which mirror.
    pub mirror: u16,
    /// The mirror's arrival.
    pub q: Tau,
    /// `createdAt` as the mirror gave it, milliseconds since 1970.
    pub created_ms: i64,
    /// About when the primary published it if it did, as its `createdAt` says; never later than `q`.
    pub since: Tau,
    /// The interval that counts it.
    pub interval: u32,
}

impl Sighting {
    /// Whether the primary is asked about it alone: it counts against the mirror, or nothing else will tell any more.
    pub(super) fn is_asked_about(&self) -> bool {
        let is_settled = self.reason == Reason::TooOld || (self.reason == Reason::NoChain && self.is_closed);
        self.state == ExtraState::Extra || is_settled
    }
}

/// An extra as a reader sees it.
pub type ExtraRow = Sighting;

/// How a chain of the primary's `/export` ended that was asked for to settle extras.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ChainOutcome {
    /// Continuous from an operation that was known to a short page.
    Complete {
        /// It lists everything that the primary published since then.
        since: Tau,
        /// No chain can list anything from before this: what was known then is forgotten.
        earliest: Tau,
    },
    /// It could not be had now.
    Failed,
    /// The primary has no `/export`.
    Unsupported,
}

impl Ledger {
    /// Since when a chain of the primary's `/export` must list its operations to settle what waits; none when nothing does.
    /// Whoever gets an answer may ask for that chain.
    #[must_use]
    pub fn wants_chain(&mut self) -> Option<Tau> {
        self.foreigns.chain_asked = self.foreigns.chain_asked.max(self.foreigns.chain_wanted);
        self.foreigns.chain_wanted
    }

    /// A chain that was asked for at `asked_at` ended; what it found arrived before as filled arrivals of the primary.
    pub fn chain(&mut self, asked_at: Tau, outcome: ChainOutcome) {
        let since = self.foreigns.chain_asked.take();
        match outcome {
            ChainOutcome::Complete { since: listed, earliest } => {
                let listed = if self.is_mutant(Mutant::ChainsListAll) { Tau::MIN } else { listed };
                self.foreigns.chain_done = since.map(|since| (asked_at, since.max(listed)));
                self.foreigns.chain_earliest = earliest;
                self.foreigns.has_no_export = false;
            }
            ChainOutcome::Failed => {}
            ChainOutcome::Unsupported => self.foreigns.has_no_export = true,
        }
    }

    /// Whether the primary is known to have no `/export`, so that extras rest on its stream alone.
    #[must_use]
    pub fn primary_has_no_export(&self) -> bool {
        self.foreigns.has_no_export()
    }

    /// A mirror delivered a key that the primary has not delivered. The first arrival counts.
    pub(super) fn sight(&mut self, m: usize, op: &Op, at: Tau, mode: Mode) -> News {
        let mirror = m as u16;
        let is_altered = self.foreigns.of_cid(&op.key.cid).any(|s| s.mirror == mirror) && self.is_altered(m, op, at);
        if let Some(first) = self.foreigns.get(&op.key, mirror) {
            if (first.mode, mode) == (Mode::Live, Mode::Live) && !self.is_resent(m, first.q) {
                self.notice(SourceIx::mirror(m), op.key, Finding::Duplicate, at);
            }
            return News::Repeat;
        }
        let held: usize = if self.is_mutant(Mutant::SharedCaps) {
            self.mirrors.iter().map(|s| s.unknown_keys).sum()
        } else {
            self.mirrors.get(m).map_or(0, |s| s.unknown_keys)
        };
        let same = self.foreigns.of_cid(&op.key.cid).filter(|s| s.mirror == mirror).count();
        let is_full = held >= self.limits.unknown_keys_per_mirror || same >= DIDS_OF_CID_MAX;
        if is_full && !self.is_mutant(Mutant::UnboundedKeys) {
            self.let_key_go(m, at, mode);
            return News::Foreign;
        }
        let published = self.ranges.instant_of(op.created_ms);
        let mut sighting = Sighting {
            key: op.key,
            kind: op.kind,
            mode,
            state: ExtraState::Pending,
            reason: Reason::None,
            is_closed: false,
            is_altered,
            fork: Fork::None,
            prev: Prev::of(op.prev.as_ref()),
            order: 0,
            mirror,
            q: at,
            created_ms: op.created_ms,
            since: published.map_or(at, |p| p.min(at)),
            interval: self.interval_of(at),
        };
        if let Some(mirror) = self.mirrors.get_mut(m) {
            mirror.unknown_keys += 1;
            mirror.source.receive(mode);
            sighting.order = mirror.source.arrivals;
        }
        self.journal.sighting(&sighting);
        self.foreigns.put(sighting);
        self.count_extra(&sighting, None, Some(ExtraState::Pending));
        News::Foreign
    }

    /// A mirror sent a content again that only mirrors have. Whether it altered it, with what it sent before as the measure:
    /// then that is counted, once, and remembered for when the primary has it.
    fn is_altered(&mut self, m: usize, op: &Op, at: Tau) -> bool {
        let of_mirror = || self.foreigns.of_cid(&op.key.cid).filter(|s| usize::from(s.mirror) == m);
        let differs = of_mirror().any(|s| s.key.did != op.key.did || s.created_ms != op.created_ms);
        let marked: Vec<OpKey> = of_mirror().filter(|s| differs && !s.is_altered).map(|s| s.key).collect();
        let is_news = marked.len() == of_mirror().count();
        if differs && is_news {
            self.notice(SourceIx::mirror(m), op.key, Finding::Altered, at);
        }
        for key in marked {
            if let Some(sighting) = self.foreigns.get_mut(&key, m as u16) {
                sighting.is_altered = true;
                let marked = *sighting;
                self.journal.sighting(&marked);
            }
        }
        differs
    }

    /// There is no room for a key of the mirror: whether it published what the primary sends within the grace is not known
    /// any more, nor when.
    fn let_key_go(&mut self, m: usize, at: Tau, mode: Mode) {
        if self.is_mutant(Mutant::DropBlamesMirror) {
            return;
        }
        let Some(mirror) = self.mirrors.get(m) else { return };
        let gap = mirror.source.windows.open_gap().filter(|_| mode == Mode::Filled);
        let from = gap.map_or(at, |g| g.start.min(at));
        let to = at.plus(mirror.params.grace_ns);
        self.drop_between(SourceIx::mirror(m), from, to);
    }

    fn count_extra(&mut self, s: &Sighting, from: Option<ExtraState>, to: Option<ExtraState>) {
        let slot = self.slot_of(s.q);
        let m = usize::from(s.mirror);
        for interval in [self.intervals.get_mut(s.interval), self.slots.get_mut(slot)].into_iter().flatten() {
            if let Some(acc) = interval.acc_mut(m) {
                acc.change_extra(from, to);
            }
        }
        self.touch_interval(s.interval);
    }

    pub(super) fn uncount_extra(&mut self, s: &Sighting) {
        let counted = s.reason != Reason::TooOld;
        self.count_extra(s, counted.then_some(s.state), None);
    }
}

#[cfg(test)]
pub(in crate::domain::ledger) mod tests {
    use super::*;
    use crate::domain::ledger::tests::op;

    /// One that is not decided; `i` tells keys apart.
    pub(in crate::domain::ledger) fn sighting(i: u64, mirror: u16) -> Sighting {
        let op = op(i, Tau(i as i64));
        Sighting {
            key: op.key,
            kind: op.kind,
            mode: Mode::Live,
            state: ExtraState::Pending,
            reason: Reason::None,
            is_closed: false,
            is_altered: false,
            fork: Fork::None,
            prev: Prev::NONE,
            order: i,
            mirror,
            q: Tau(i as i64),
            created_ms: op.created_ms,
            since: Tau(i as i64),
            interval: 0,
        }
    }
}
