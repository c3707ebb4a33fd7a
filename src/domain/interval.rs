//! The accumulators of one aligned span: what happened to its operations at every mirror.
//!
//! Accumulators are mergeable, so every longer window is a merge, and a recompute costs intervals × mirrors whatever the
//! number of operations. Nothing here decides; the ledger says what to add.

use super::did::Did;
use super::lag::LagHistogram;
use super::op::Kind;
use super::rtt::Correction;
use super::sketch::DidSketch;
use super::verdict::{Cell, Verdict};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where an operation that only a mirror has stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ExtraState {
    /// Not decided yet.
    Pending = 0,
    /// The primary does not have it.
    Extra = 1,
    /// It cannot be told.
    Unknown = 2,
    /// The primary does not have it, for a reason that is no fault of the mirror: it was nullified or withdrawn, or breaks
    /// the rules.
    Explained = 3,
}

impl ExtraState {
    /// Every state, in the order of its number.
    pub const ALL: [ExtraState; 4] =
        [ExtraState::Pending, ExtraState::Extra, ExtraState::Unknown, ExtraState::Explained];
}

/// What happened at one mirror to the operations of one span.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Acc {
    /// Operations by verdict, indexed by the verdict's number.
    #[serde(rename = "v")]
    verdicts: [u32; 9],
    /// Operations that only the mirror has, by the first three of [`ExtraState`].
    #[serde(rename = "x")]
    extras: [u32; 3],
    /// Those of the fourth, which older intervals do not have.
    #[serde(rename = "xe", default)]
    explained: u32,
    /// Flags: early, healed, credited.
    #[serde(rename = "f")]
    flags: [u32; 3],
    /// (decided, missed) by kind.
    #[serde(rename = "k")]
    kinds: [(u32, u32); 4],
    /// Lag corrected for network distance.
    #[serde(rename = "c")]
    pub lag: LagHistogram,
    /// Lag as measured, of every pair with timing, whether a correction was known or not.
    #[serde(rename = "r")]
    pub raw: LagHistogram,
    /// Sum of the corrections of `lag`, microseconds.
    #[serde(rename = "cs")]
    correction_sum_us: i64,
    /// Sum of the uncertainties of `lag`, microseconds.
    #[serde(rename = "us")]
    uncertainty_sum_us: i64,
    /// DIDs with a decided operation.
    #[serde(rename = "d")]
    pub dids: DidSketch,
    /// DIDs with a missed operation.
    #[serde(rename = "m")]
    pub dids_missed: DidSketch,
}

impl Acc {
    /// Number of operations with this verdict.
    #[must_use]
    pub fn verdict(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(verdict as usize).copied().map_or(0, u64::from)
    }

    /// Number of operations that only the mirror has, in this state.
    #[must_use]
    pub fn extra(&self, state: ExtraState) -> u64 {
        u64::from(self.extras.get(state as usize).copied().unwrap_or(self.explained))
    }

    /// Numbers of the flags early, healed and credited.
    #[must_use]
    pub fn flags(&self) -> [u64; 3] {
        self.flags.map(u64::from)
    }

    /// (decided, missed) of one kind.
    #[must_use]
    pub fn kind(&self, kind: Kind) -> (u64, u64) {
        self.kinds.get(kind as usize).map_or((0, 0), |k| (u64::from(k.0), u64::from(k.1)))
    }

    /// Everything that is judged at this mirror: the sum of all its states but `not_eligible`.
    #[must_use]
    pub fn eligible(&self) -> u64 {
        Verdict::ALL.into_iter().filter(|&v| v != Verdict::NotEligible).map(|v| self.verdict(v)).sum()
    }

    /// `on_time` + late + present + missed.
    #[must_use]
    pub fn decided(&self) -> u64 {
        Verdict::ALL.into_iter().filter(|v| v.is_decided()).map(|v| self.verdict(v)).sum()
    }

    /// Whether every operation of the span is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.verdict(Verdict::Pending) == 0 && self.extra(ExtraState::Pending) == 0
    }

    /// Mean correction and uncertainty of the corrected samples, microseconds.
    #[must_use]
    pub fn correction_us(&self) -> Option<(f64, f64)> {
        let n = self.lag.count();
        (n > 0).then(|| (self.correction_sum_us as f64 / n as f64, self.uncertainty_sum_us as f64 / n as f64))
    }

    /// Sum of the uncertainties of the corrected samples, microseconds.
    #[must_use]
    pub fn uncertainty_sum_us(&self) -> i64 {
        self.uncertainty_sum_us
    }

    /// Counts an operation in its present state.
    pub fn add(&mut self, kind: Kind, did: &Did, cell: Cell) {
        self.count(kind, cell, 1);
        self.sketch(did, cell);
    }

    /// Takes an operation out again; the sketches keep its DID, which is within what they promise.
    pub fn remove(&mut self, kind: Kind, cell: Cell) {
        self.count(kind, cell, -1);
    }

    /// An operation went from one state to another.
    pub fn change(&mut self, kind: Kind, did: &Did, from: Cell, to: Cell) {
        self.count(kind, from, -1);
        self.count(kind, to, 1);
        if from.verdict() != to.verdict() {
            self.sketch(did, to);
        }
    }

    /// Counts a lag, as measured and, where a correction is known, corrected.
    pub fn sample(&mut self, raw_us: i64, correction: Option<Correction>) {
        self.raw.record(raw_us);
        if let Some(c) = correction {
            self.lag.record(raw_us - c.correction_us);
            self.correction_sum_us += c.correction_us;
            self.uncertainty_sum_us += c.uncertainty_us;
        }
    }

    /// Counts an operation that only the mirror has; `from` is its state before, if it had one.
    pub fn change_extra(&mut self, from: Option<ExtraState>, to: Option<ExtraState>) {
        for (state, by) in [(from, -1), (to, 1)] {
            let Some(state) = state else { continue };
            let n = self.extras.get_mut(state as usize).unwrap_or(&mut self.explained);
            *n = n.wrapping_add_signed(by);
        }
    }

    /// What is undecided will not be decided any more: it becomes unknown.
    pub fn give_up(&mut self) {
        shift(&mut self.verdicts, Verdict::Pending as usize, Verdict::Unknown as usize);
        shift(&mut self.extras, ExtraState::Pending as usize, ExtraState::Unknown as usize);
    }

    /// Adds everything that `other` counted.
    pub fn merge(&mut self, other: &Acc) {
        self.merge_counts(other);
        self.lag.merge(&other.lag);
        self.raw.merge(&other.raw);
    }

    /// Adds everything that `other` counted but its lag.
    pub fn merge_counts(&mut self, other: &Acc) {
        self.verdicts.iter_mut().zip(other.verdicts).for_each(|(a, b)| *a += b);
        self.extras.iter_mut().zip(other.extras).for_each(|(a, b)| *a += b);
        self.explained += other.explained;
        self.flags.iter_mut().zip(other.flags).for_each(|(a, b)| *a += b);
        for (a, b) in self.kinds.iter_mut().zip(other.kinds) {
            *a = (a.0 + b.0, a.1 + b.1);
        }
        self.correction_sum_us += other.correction_sum_us;
        self.uncertainty_sum_us += other.uncertainty_sum_us;
        self.dids.merge(&other.dids);
        self.dids_missed.merge(&other.dids_missed);
    }

    // Every removal takes back what an addition counted, so the sums never go below zero; wrapping keeps a broken
    // promise visible in the invariant "eligible = sum of all states" instead of hiding it behind a clamp.
    fn count(&mut self, kind: Kind, cell: Cell, by: i32) {
        let verdict = cell.verdict();
        if let Some(n) = self.verdicts.get_mut(verdict as usize) {
            *n = n.wrapping_add_signed(by);
        }
        for (flag, n) in [cell.is_early(), cell.is_healed(), cell.is_credited()].into_iter().zip(&mut self.flags) {
            if flag && verdict != Verdict::NotEligible {
                *n = n.wrapping_add_signed(by);
            }
        }
        if verdict.is_decided()
            && let Some((decided, missed)) = self.kinds.get_mut(kind as usize)
        {
            *decided = decided.wrapping_add_signed(by);
            if verdict == Verdict::Missed {
                *missed = missed.wrapping_add_signed(by);
            }
        }
    }

    fn sketch(&mut self, did: &Did, cell: Cell) {
        if cell.verdict().is_decided() {
            self.dids.add(did);
            if cell.verdict() == Verdict::Missed {
                self.dids_missed.add(did);
            }
        }
    }
}

/// Counts under `to` what was counted under `from`.
fn shift(counts: &mut [u32], from: usize, to: usize) {
    let moved = counts.get_mut(from).map_or(0, std::mem::take);
    if let Some(count) = counts.get_mut(to) {
        *count += moved;
    }
}

/// How settled an interval's figures are.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its time is not over.
    Open,
    /// Its time is over, some of its operations are not closed.
    Settling,
    /// All closed, and on disk.
    Final,
    /// Changed after it was final.
    Revised,
}

impl Status {
    /// The name that the API uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Settling => "settling",
            Status::Final => "final",
            Status::Revised => "revised",
        }
    }
}

/// One span of the label, with an accumulator for each mirror.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Operations of the primary that arrived in it.
    #[serde(rename = "p")]
    pub primary_ops: u32,
    /// Operations of it that are not held any more; while there are none, the interval can be rebuilt from the operations.
    #[serde(rename = "e")]
    pub evicted_ops: u32,
    /// Changes after it was final.
    #[serde(rename = "a")]
    pub amendments: u32,
    /// How settled it is.
    #[serde(rename = "s")]
    pub status: Status,
    /// Whether the observer was impaired during part of it.
    #[serde(rename = "i")]
    pub is_impaired: bool,
    /// One for each mirror, in the order of the configuration.
    #[serde(rename = "m")]
    pub mirrors: Vec<Arc<Acc>>,
}

impl Interval {
    /// An empty interval for this many mirrors.
    #[must_use]
    pub fn new(mirrors: usize) -> Interval {
        Interval {
            primary_ops: 0,
            evicted_ops: 0,
            amendments: 0,
            status: Status::Open,
            is_impaired: false,
            mirrors: (0..mirrors).map(|_| Arc::default()).collect(),
        }
    }

    /// The accumulator of one mirror, to change it; a reader's copy stays as it was.
    pub fn acc_mut(&mut self, mirror: usize) -> Option<&mut Acc> {
        self.mirrors.get_mut(mirror).map(Arc::make_mut)
    }

    /// Adds what `other` counted; the result is as settled as the least settled of its parts.
    pub fn merge(&mut self, other: &Interval) {
        self.primary_ops += other.primary_ops;
        self.evicted_ops += other.evicted_ops;
        self.amendments += other.amendments;
        self.is_impaired |= other.is_impaired;
        for (ours, theirs) in self.mirrors.iter_mut().zip(&other.mirrors) {
            Arc::make_mut(ours).merge(theirs);
        }
    }

    /// Whether every operation of it is closed at every mirror.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.mirrors.iter().all(|m| m.is_closed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verdict::{Mode, Reason};

    #[test]
    fn what_is_added_and_taken_out_leaves_nothing() {
        let did = Did([7; 15]);
        let pending = Cell::new(Verdict::Pending);
        let on_time = pending.with_delivery(Mode::Live, 1_500).with_verdict(Verdict::OnTime, Reason::None).early();
        let mut acc = Acc::default();
        acc.add(Kind::Update, &did, pending);
        assert_eq!((acc.eligible(), acc.decided(), acc.is_closed()), (1, 0, false));
        acc.change(Kind::Update, &did, pending, on_time);
        assert_eq!((acc.eligible(), acc.decided(), acc.flags()), (1, 1, [1, 0, 0]));
        assert_eq!(acc.kind(Kind::Update), (1, 0));
        acc.remove(Kind::Update, on_time);
        assert_eq!((acc.eligible(), acc.flags(), acc.kind(Kind::Update)), (0, [0, 0, 0], (0, 0)));
    }

    #[test]
    fn a_sample_without_a_correction_is_not_mixed_with_those_that_have_one() {
        let mut acc = Acc::default();
        acc.sample(5_000, None);
        acc.sample(9_000, Some(Correction { correction_us: 1_000, uncertainty_us: 3_000 }));
        assert_eq!((acc.raw.count(), acc.lag.count()), (2, 1));
        assert_eq!(acc.lag.max_us(), Some(8_000));
        assert_eq!(acc.correction_us(), Some((1_000.0, 3_000.0)));
    }

    #[test]
    fn an_interval_survives_its_encoding() {
        let mut interval = Interval::new(2);
        interval.primary_ops = 3;
        let acc = interval.acc_mut(1).unwrap();
        acc.add(Kind::Genesis, &Did([1; 15]), Cell::new(Verdict::Missed));
        acc.sample(-14_000, None);
        let bytes = serde_ipld_dagcbor::to_vec(&interval).unwrap();
        assert_eq!(serde_ipld_dagcbor::from_slice::<Interval>(&bytes).unwrap(), interval);
    }
}
