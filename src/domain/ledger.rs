//! The ledger: arrivals and proofs in, verdicts out. The single source of truth, with one writer.
//!
//! It holds every operation of the revision horizon with one cell for each mirror, the keys that only mirrors have, the
//! observation windows of all sources, and the accumulators of the intervals. Everything is bounded by [`Limits`]; what is
//! let go becomes `unknown`, never a mirror's fault. Every change is written into a journal from which a restart rebuilds
//! the same ledger. `measurement.md` §1–3 of the design gives the rules; each function names the one that it follows.

pub mod capture;
pub mod chains;
pub mod content;
mod count;
mod deliver;
mod extra;
pub mod findings;
pub mod forks;
pub mod journal;
mod judge;
pub mod loss;
mod manner;
mod mutant;
mod numbers;
mod order;
pub mod persist;
pub mod prevs;
mod primary;
mod range;
pub mod recent;
mod recount;
pub mod restore;
pub mod saved;
pub mod series;
mod sight;
mod standing;
mod state;
mod trails;

pub use capture::{Capture, MirrorCapture, SourceCapture};
pub use chains::ChainCounts;
pub use content::{Content, Noticed};
pub use extra::{ChainOutcome, ExtraRow};
pub use persist::Persist;
pub use saved::Saved;
pub use state::{MirrorState, SourceState};

use super::address::Peer;
use super::impair::{LateReader, PrimaryDelay};
use super::interval::Interval;
use super::op::{Op, OpKey};
use super::ring::Ring;
use super::rollup::Rollups;
use super::sampling::Sought;
use super::source::SourceIx;
use super::throttle::News;
use super::time::{Labels, Tau};
use super::verdict::{Mode, Reason};
use super::window::GapState;
use extra::Foreigns;
use findings::{Findings, StreamGaps};
use journal::Journal;
use mutant::Mutant;
use prevs::Prevs;
use range::CreatedRanges;
use series::Series;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Seconds of a slot of the rolling short windows.
pub const SLOT_S: i64 = 10;

/// The time limits of judging, the same for all mirrors.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Params {
    /// How much earlier than the primary a mirror may be, nanoseconds.
    pub look_back_ns: i64,
    /// How long verdicts may be revised, nanoseconds.
    pub horizon_ns: i64,
    /// How long a pair waits for late flags before its timing counts, nanoseconds.
    pub settle_ns: i64,
    /// Length of an interval, milliseconds of the label.
    pub interval_ms: i64,
}

/// The time limits of one mirror.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct MirrorParams {
    /// An arrival up to this much after the primary's is on time, nanoseconds.
    pub on_time_ns: i64,
    /// How long a mirror may take before an operation is missed, nanoseconds; at least `on_time_ns`.
    pub grace_ns: i64,
}

/// What the ledger may hold.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Operations of the primary.
    pub held_ops: usize,
    /// Keys of one mirror that the primary has not delivered.
    pub unknown_keys_per_mirror: usize,
    /// Operations of one mirror that are listed as missed or late.
    pub listed_per_mirror: usize,
}

/// Everything that is being judged.
#[derive(Debug)]
pub struct Ledger {
    params: Params,
    limits: Limits,
    labels: Labels,
    now: Tau,
    /// The tick before: what is due by then is decided, because whatever was read by then has been handed over since.
    before: Tau,
    primary: SourceState,
    mirrors: Vec<MirrorState>,
    ring: Ring,
    prevs: Prevs,
    deadline_cursor: u64,
    /// Numbers of operations that `/export` brought and the primary's stream has not come to.
    ahead: Vec<u64>,
    foreigns: Foreigns,
    findings: Findings,
    /// Operations that are to be looked for at mirrors of which only a sample is judged.
    sampled: Vec<(SourceIx, Sought)>,
    /// Numbers of held operations that break the rules.
    disputed: BTreeSet<u64>,
    /// Operations that were withdrawn and mirrors whose window is not known to have begun by then.
    withdrawn_early: BTreeSet<(u64, usize)>,
    /// The newest `createdAt` of a live arrival of the primary, milliseconds since 1970.
    newest_created_ms: i64,
    /// Comparisons that are left for arrivals out of order until the next tick.
    order_budget: u64,
    /// Operations that the primary's log lists and its stream did not send us.
    stream_gaps: StreamGaps,
    ranges: CreatedRanges,
    late: LateReader,
    delay: PrimaryDelay,
    intervals: Series,
    slots: Series,
    unsettled: BTreeSet<u32>,
    rollups: Arc<Rollups>,
    dirty_hours: BTreeSet<u32>,
    rollups_at: Tau,
    /// When it was last noted how far behind mirrors are.
    trailed_at: Tau,
    persist: Persist,
    journal: Journal,
    #[cfg(test)]
    pub(in crate::domain) mutant: Option<Mutant>,
}

impl Ledger {
    /// An empty ledger for these mirrors, in the order of their indices.
    #[must_use]
    pub fn new(params: Params, limits: Limits, labels: Labels, mirrors: &[MirrorParams]) -> Ledger {
        Ledger {
            params,
            limits,
            labels,
            now: labels.anchor_tau,
            before: labels.anchor_tau,
            primary: SourceState::default(),
            mirrors: mirrors.iter().map(|&p| MirrorState::new(p)).collect(),
            ring: Ring::new(mirrors.len(), 0),
            prevs: Prevs::default(),
            deadline_cursor: 0,
            ahead: Vec::new(),
            foreigns: Foreigns::default(),
            findings: Findings::default(),
            sampled: Vec::new(),
            disputed: BTreeSet::new(),
            withdrawn_early: BTreeSet::new(),
            newest_created_ms: i64::MIN,
            order_budget: order::BUDGET,
            stream_gaps: StreamGaps::default(),
            ranges: CreatedRanges::default(),
            late: LateReader::default(),
            delay: PrimaryDelay::default(),
            intervals: Series::new(mirrors.len()),
            slots: Series::new(mirrors.len()),
            unsettled: BTreeSet::new(),
            rollups: Arc::new(Rollups::new(mirrors.len(), params.interval_ms)),
            dirty_hours: BTreeSet::new(),
            rollups_at: Tau::MIN,
            trailed_at: Tau::MIN,
            persist: Persist::default(),
            journal: Journal::default(),
            #[cfg(test)]
            mutant: None,
        }
    }

    /// The source's own state.
    #[must_use]
    pub fn source(&self, source: SourceIx) -> Option<&SourceState> {
        match source.mirror_index() {
            None => Some(&self.primary),
            Some(i) => self.mirrors.get(i).map(|m| &m.source),
        }
    }

    fn source_mut(&mut self, source: SourceIx) -> Option<&mut SourceState> {
        match source.mirror_index() {
            None => Some(&mut self.primary),
            Some(i) => self.mirrors.get_mut(i).map(|m| &mut m.source),
        }
    }

    /// A source delivered an operation; `at` is the instant of the read that completed its frame. Tells what it was.
    pub fn arrive(&mut self, source: SourceIx, op: &Op, at: Tau, mode: Mode) -> News {
        let odd = op.seq.filter(|_| mode == Mode::Live).filter(|&seq| self.is_odd_number(source, seq, &op.key));
        let odd = odd.map(|seq| (seq, self.has(source, &op.key)));
        let news = match source.mirror_index() {
            None => {
                self.primary_delivers(op, at, mode);
                News::Known
            }
            Some(m) => self.mirror_delivers(m, op, at, mode),
        };
        if let Some((seq, is_repeat)) = odd {
            self.odd_number(source, seq, op.key, at, is_repeat);
        }
        news
    }

    fn is_odd_number(&mut self, source: SourceIx, seq: u64, key: &OpKey) -> bool {
        self.source_mut(source).is_some_and(|s| !s.numbers.is_next(seq, key))
    }

    /// A frame of the source was refused; it is neither a delivery nor an extra.
    pub fn reject(&mut self, source: SourceIx) {
        if let Some(s) = self.source_mut(source) {
            s.rejected += 1;
        }
    }

    /// Something that the source sent at `at` was let go unread: nothing around it can be called missed or extra.
    pub fn dropped(&mut self, source: SourceIx, at: Tau) {
        self.drop_between(source, at, at);
    }

    /// What was let go came after the last proof, however long it lay unread.
    fn drop_between(&mut self, source: SourceIx, from: Tau, at: Tau) {
        let Some(s) = self.source_mut(source) else { return };
        let from = from.min(s.windows.proved());
        s.windows.drop_between(from, at);
        s.windows_version += 1;
        s.dropped += 1;
        s.fence = s.fence.max(at.plus(1));
        if source == SourceIx::PRIMARY && !self.is_mutant(Mutant::LaggingAfterHole) {
            self.ranges.part(from, at.plus(1));
        }
    }

    /// The source's stream is open since `at`: its first byte, or the first acknowledged ping.
    pub fn open(&mut self, source: SourceIx, at: Tau) {
        if let Some(s) = self.source_mut(source) {
            s.windows.open(at);
            s.windows_version += 1;
            s.fence = s.fence.max(at);
            s.numbers.reconnected();
        }
        if source == SourceIx::PRIMARY {
            self.ranges.open(at);
        }
    }

    /// Everything that the source published through `through` has reached us.
    pub fn prove(&mut self, source: SourceIx, through: Tau) {
        if let Some(s) = self.source_mut(source) {
            s.windows.prove(through);
        }
    }

    /// The source's stream is gone.
    pub fn close(&mut self, source: SourceIx) {
        let cause = if source == SourceIx::PRIMARY { Reason::PrimaryDown } else { Reason::LinkDown };
        self.close_because(source, cause);
    }

    fn close_because(&mut self, source: SourceIx, cause: Reason) {
        if let Some(s) = self.source_mut(source) {
            s.windows.close(cause);
            s.windows_version += 1;
        }
    }

    /// A continuous fill that ended at `at` closed the gaps behind the source's present stream.
    pub fn filled(&mut self, source: SourceIx, at: Tau) {
        if let Some(s) = self.source_mut(source) {
            s.windows.filled(at);
            s.windows_version += 1;
        }
        match source.mirror_index() {
            None => (0..self.mirrors.len()).for_each(|m| self.reopen_unknown(m)),
            Some(m) => self.reopen_unknown(m),
        }
    }

    /// Nothing will fill the gaps behind the source's present stream.
    pub fn give_up(&mut self, source: SourceIx, at: Tau) {
        if source == SourceIx::PRIMARY {
            self.part_ranges();
        }
        if let Some(s) = self.source_mut(source) {
            s.windows.give_up(at);
            s.windows_version += 1;
        }
    }

    /// Every gap of the primary that is not filled, and is not down any more, parts the ranges of `createdAt`.
    fn part_ranges(&mut self) {
        if self.is_mutant(Mutant::LaggingAfterHole) {
            return;
        }
        for gap in self.primary.windows.gaps().filter(|g| g.state == GapState::Open && g.reopened.is_some()) {
            self.ranges.part(gap.start, gap.end());
        }
    }

    /// Our reader has been late since `from`, or, with `to`, was late until then.
    pub fn late_reader(&mut self, from: Tau, to: Option<Tau>) {
        self.late.begin(from);
        if let Some(to) = to {
            self.late.end(to);
        }
    }

    /// A round trip of `rtt_ns` nanoseconds by TCP connect to the address that the source's stream is connected to.
    pub fn rtt(&mut self, source: SourceIx, at: Tau, peer: Peer, rtt_ns: i64) {
        let keep = self.is_mutant(Mutant::NoPeerReset);
        let at_ms = self.labels.utc_ms(at);
        let Some(s) = self.source_mut(source) else { return };
        let peer = if keep { s.rtt.peer().unwrap_or(peer) } else { peer };
        s.rtt.add(at, peer, rtt_ns);
        s.rtts.set(at, s.rtt.min_ns());
        Arc::make_mut(&mut s.trail).tcp(at_ms, rtt_ns);
    }

    /// A round trip as the kernel measured it on the live socket.
    pub fn tcp_info_rtt(&mut self, source: SourceIx, at: Tau, peer: Peer, rtt_ns: i64) {
        let at_ms = self.labels.utc_ms(at);
        if let Some(s) = self.source_mut(source) {
            s.tcp_info_rtt.add(at, peer, rtt_ns);
            Arc::make_mut(&mut s.trail).tcp_info(at_ms, rtt_ns);
        }
    }

    /// Takes every decision that is due at `now`.
    pub fn tick(&mut self, now: Tau) {
        self.before = self.now;
        self.now = self.now.max(now);
        self.order_budget = order::BUDGET;
        for s in std::iter::once(&mut self.primary).chain(self.mirrors.iter_mut().map(|m| &mut m.source)) {
            s.forget_rtt(now);
        }
        self.begin_mirrors();
        self.settle_pairs();
        self.collect_overdue();
        self.judge_overdue();
        self.judge_extras();
        self.evict_old();
        self.advance_intervals();
        self.note_heads();
    }

    /// Whether the primary's operations come later after their `createdAt` than usual.
    #[must_use]
    pub fn is_primary_delayed(&self) -> bool {
        self.delay.is_delayed(self.now)
    }

    /// Length of an interval, milliseconds.
    #[must_use]
    pub fn interval_ms(&self) -> i64 {
        self.params.interval_ms
    }

    /// The newest instant that the ledger was told of.
    #[must_use]
    pub fn now(&self) -> Tau {
        self.now
    }

    /// The interval as it stands, for tests and for keeping.
    #[must_use]
    pub fn interval(&self, k: u32) -> Option<&Interval> {
        self.intervals.get(k).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
#[allow(
    clippy::many_single_char_names,
    clippy::struct_excessive_bools,
    clippy::unnecessary_wraps,
    reason = "a simulated world is full of switches, and its formulas of letters"
)]
mod property;
