//! Sources that are observed otherwise than by a live stream alone: a replay at connect, polls, and samples.
//!
//! What such a way of observing cannot tell is never held against the mirror: an operation that was replayed has no timing,
//! one whose poll cannot tell on time from late has none either, and one that was not sampled is not judged there at all.

use super::Ledger;
use crate::domain::cid::Cid;
use crate::domain::op::{Kind, Op, OpKey};
use crate::domain::ring::Row;
use crate::domain::rtt::Correction;
use crate::domain::sampling::{Sampling, Sought};
use crate::domain::source::SourceIx;
use crate::domain::time::{Tau, US};
use crate::domain::verdict::{Mode, Reason, Verdict};

/// Sampled operations that wait to be taken; what comes beyond them is unknown at that mirror.
const SAMPLED_MAX: usize = 10_000;
/// Operations that are looked at for the first one that a sampled mirror lacks.
const HEAD_LOOK_MAX: u64 = 10_000;

/// What a source sends again when it is connected to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Replay {
    /// When it was connected to.
    since: Tau,
    /// The latest arrival of an operation that was published before that.
    through: Tau,
}

impl Ledger {
    /// The source was connected to at `since`, and begins with what it published before. An operation is live from now on
    /// only when the primary published it after the last one of those had come.
    pub fn replaying(&mut self, source: SourceIx, since: Tau) {
        if let Some(s) = self.source_mut(source) {
            s.replay = Some(Replay { since, through: Tau::MIN });
        }
    }

    /// What arrives at `at` may have been visible earlier by this many nanoseconds; none where arrivals have instants of
    /// their own from then on.
    pub fn resolution(&mut self, source: SourceIx, at: Tau, resolution_ns: Option<i64>) {
        if let Some(s) = self.source_mut(source) {
            s.resolutions.set(at, resolution_ns);
        }
    }

    /// From now on only these operations of the primary are looked for at the mirror; none: all of them.
    pub fn sample_by(&mut self, source: SourceIx, sampling: Option<Sampling>) {
        if let Some(mirror) = source.mirror_index().and_then(|m| self.mirrors.get_mut(m)) {
            mirror.sampling = sampling;
        }
    }

    /// Operations that are to be looked for and were not taken before.
    pub fn take_sampled(&mut self) -> Vec<(SourceIx, Sought)> {
        std::mem::take(&mut self.sampled)
    }

    /// Whether the operation's verdict at the mirror is still open, and it may yet be delivered in time.
    #[must_use]
    pub fn is_pending(&self, source: SourceIx, key: &OpKey) -> bool {
        let cell =
            source.mirror_index().zip(self.ring.find(&key.cid)).and_then(|(m, number)| self.ring.cell(number, m));
        cell.is_some_and(|cell| cell.verdict() == Verdict::Pending)
    }

    /// What the mirror shows of the operation cannot tell whether it has it: it is not judged there.
    pub fn skip(&mut self, source: SourceIx, key: &OpKey) {
        self.settle_unseen(source, key, Verdict::NotEligible, Reason::None);
    }

    /// The operation is of the sample and was not looked for to the end: it is unknown there, and that is seen. What became of
    /// it may depend on what the mirror does, so that leaving it out would let a mirror choose by what it is judged.
    pub fn lost_sight(&mut self, source: SourceIx, key: &OpKey, reason: Reason) {
        let row = self.number_of(key).and_then(|number| self.ring.row(number).copied());
        let is_eligible = source.mirror_index().zip(row).and_then(|(m, row)| self.is_eligible(&row, m)) == Some(true);
        let (verdict, reason) =
            if is_eligible { (Verdict::Unknown, reason) } else { (Verdict::NotEligible, Reason::None) };
        self.settle_unseen(source, key, verdict, reason);
    }

    fn settle_unseen(&mut self, source: SourceIx, key: &OpKey, verdict: Verdict, reason: Reason) {
        let Some(m) = source.mirror_index() else { return };
        let Some(number) = self.number_of(key) else { return };
        if let Some(cell) = self.ring.cell(number, m)
            && cell.verdict() == Verdict::Pending
            && cell.delivery().is_none()
        {
            self.set_cell(number, m, cell.with_verdict(verdict, reason));
        }
    }

    /// The mirror shows what it missed after all: it came at `at`, nobody knows when.
    pub fn shown_after_all(&mut self, source: SourceIx, key: &OpKey, at: Tau) {
        let Some(row) = self.number_of(key).and_then(|number| self.ring.row(number).copied()) else { return };
        let op = Op { key: *key, kind: row.kind, created_ms: row.created_ms, seq: None, prev: None };
        self.arrive(source, &op, at, Mode::Filled);
    }

    /// Whether a new operation is looked for at the mirror: all are, but where a sample is.
    pub(super) fn is_looked_for(&self, row: &Row, m: usize) -> bool {
        let sampling = self.mirrors.get(m).and_then(|mirror| mirror.sampling);
        sampling.is_none_or(|s| !row.is_filled && s.takes(&row.key().cid))
    }

    /// Whether a mirror that had sent something at `first` sends it again only because it was connected to anew.
    pub(super) fn is_resent(&self, m: usize, first: Tau) -> bool {
        let replay = self.mirrors.get(m).and_then(|mirror| mirror.source.replay);
        replay.is_some_and(|replay| first < replay.since)
    }

    /// Whether the order of a mirror's arrivals is its own: what is looked up comes in the order of the questions.
    pub(super) fn is_ordered(&self, m: usize) -> bool {
        self.mirrors.get(m).is_some_and(|mirror| mirror.sampling.is_none())
    }

    /// Notes a new operation that is to be looked for.
    pub(super) fn note_sampled(&mut self, row: &Row, m: usize, prev: Option<Cid>) {
        if self.mirrors.get(m).is_none_or(|mirror| mirror.sampling.is_none()) {
            return;
        }
        let source = SourceIx::mirror(m);
        if self.sampled.len() < SAMPLED_MAX {
            self.sampled.push((source, sought(row, prev, true)));
        } else {
            self.lost_sight(source, &row.key(), Reason::DroppedByUs);
        }
    }

    /// Notes an operation that is not looked for at the mirror: a tombstone is to be known there all the same, because it
    /// makes a DID disappear of which other operations are looked for.
    pub(super) fn note_tombstone(&mut self, row: &Row, m: usize) {
        let is_sampled = self.mirrors.get(m).is_some_and(|mirror| mirror.sampling.is_some());
        if row.kind == Kind::Tombstone && is_sampled && self.sampled.len() < SAMPLED_MAX {
            self.sampled.push((SourceIx::mirror(m), sought(row, None, false)));
        }
    }

    /// What the instant of an arrival at mirror `m` is worth once the primary's is known.
    pub(super) fn mode_of(&mut self, row: &Row, m: usize, at: Tau, mode: Mode) -> Mode {
        let Some(mirror) = self.mirrors.get_mut(m).filter(|_| mode == Mode::Live) else { return mode };
        if let Some(replay) = mirror.source.replay.as_mut().filter(|_| !row.is_filled) {
            if row.p < replay.since {
                replay.through = replay.through.max(at);
                return Mode::Filled;
            }
            if row.p <= replay.through {
                return Mode::Filled;
            }
        }
        let resolution_ns = mirror.source.resolutions.at(at).unwrap_or(0);
        let (lag_ns, on_time_ns) = (at.since(row.p), mirror.params.on_time_ns);
        let is_told = lag_ns <= on_time_ns || lag_ns - resolution_ns > on_time_ns;
        if is_told { Mode::Live } else { Mode::Filled }
    }

    /// The correction of an arrival at `at`, rounded down to a microsecond, less sure by what polling cannot tell.
    pub(super) fn widened(&self, m: usize, at: Tau, correction: Correction) -> Correction {
        // What is told of an arrival holds from its very nanosecond on.
        let at = at.plus(US - 1);
        let resolution_ns = self.mirrors.get(m).and_then(|mirror| mirror.source.resolutions.at(at)).unwrap_or(0);
        Correction { uncertainty_us: correction.uncertainty_us + resolution_ns / US, ..correction }
    }

    /// From number `first` on, how many operations a mirror lacks and the primary's arrival of the first of them: all that
    /// are newer than its newest, or those of the sample.
    pub(super) fn lacking(&self, m: usize, first: u64) -> (u64, Option<Tau>) {
        let is_sampled = self.mirrors.get(m).is_some_and(|mirror| mirror.sampling.is_some());
        let first = first.max(self.ring.base());
        if !is_sampled {
            return (self.ring.next().saturating_sub(first), self.ring.row(first).map(|row| row.p));
        }
        let is_lacking = |n: &u64| self.ring.cell(*n, m).is_some_and(|c| c.verdict() != Verdict::NotEligible);
        let mut lacking = (first..self.ring.next()).take(HEAD_LOOK_MAX as usize).filter(is_lacking);
        let oldest = lacking.next();
        let count = u64::from(oldest.is_some()) + lacking.count() as u64;
        (count, oldest.and_then(|n| self.ring.row(n)).map(|row| row.p))
    }
}

fn sought(row: &Row, prev: Option<Cid>, is_sampled: bool) -> Sought {
    Sought { key: row.key(), kind: row.kind, p: row.p, created_ms: row.created_ms, prev, is_sampled }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{M, at, ledger, op, ticks, verdict};
    use super::*;
    use crate::domain::finding::Finding;
    use crate::domain::verdict::Cell;

    #[test]
    fn what_was_replayed_at_connect_has_no_timing_nor_has_what_queued_behind_it() {
        let mut l = ledger(1);
        l.replaying(M, at(5_000));
        for (i, p, q) in [(1, 2_000, 5_100), (2, 4_900, 5_900), (3, 5_800, 6_000), (4, 6_500, 6_600)] {
            l.arrive(SourceIx::PRIMARY, &op(i, at(p)), at(p), Mode::Live);
            l.arrive(M, &op(i, at(p)), at(q), Mode::Live);
        }
        ticks(&mut l, 60_000);
        let verdicts: Vec<_> = (0..4).map(|n| verdict(&l, n, 0)).collect();
        assert_eq!(verdicts, [Verdict::Present, Verdict::Present, Verdict::Present, Verdict::OnTime]);
    }

    #[test]
    fn what_a_replay_repeats_of_an_operation_that_a_fill_brought_is_no_duplicate() {
        let mut l = ledger(1);
        let x = op(1, at(2_000));
        l.arrive(M, &x, at(2_000), Mode::Live);
        l.arrive(SourceIx::PRIMARY, &x, at(3_000), Mode::Filled);
        let duplicates = |l: &Ledger| l.source(M).unwrap().content.count(Finding::Duplicate);
        l.replaying(M, at(5_000));
        l.arrive(M, &x, at(5_100), Mode::Live);
        assert_eq!(duplicates(&l), 0);
        // Without a replay in between it is one.
        let y = op(2, at(6_000));
        for _ in 0..2 {
            l.arrive(M, &y, at(6_000), Mode::Live);
        }
        l.arrive(SourceIx::PRIMARY, &y, at(7_000), Mode::Filled);
        assert_eq!(duplicates(&l), 1);
    }

    #[test]
    fn a_poll_that_cannot_tell_on_time_from_late_says_nothing_of_timing() {
        let mut l = ledger(1);
        // On time is up to 10 s: 11 s are late by the poll of half a second, and may be on time by the one of two seconds.
        for (i, resolution_ms) in [(1, 500), (2, 2_000)] {
            // Arrivals are kept in whole microseconds.
            let (p, q) = (at(1_000 + i as i64), at(12_000 + i as i64).plus(700));
            l.arrive(SourceIx::PRIMARY, &op(i, p), p, Mode::Live);
            l.resolution(M, q, Some(resolution_ms * 1_000_000));
            l.arrive(M, &op(i, p), q, Mode::Live);
        }
        ticks(&mut l, 60_000);
        assert_eq!([verdict(&l, 0, 0), verdict(&l, 1, 0)], [Verdict::Late, Verdict::Present]);
        let c = Correction { correction_us: 1, uncertainty_us: 10 };
        assert_eq!(l.widened(0, at(12_001), c), Correction { uncertainty_us: 500_010, ..c });
        assert_eq!(
            l.widened(0, at(12_002), c),
            Correction { uncertainty_us: 2_000_010, ..c },
            "and not that of before"
        );
    }

    #[test]
    fn what_is_not_sampled_is_not_judged_and_the_rest_is() {
        let mut l = ledger(2);
        let sampling = Sampling::new(5, 0.5);
        l.sample_by(M, Some(sampling));
        for i in 0..40 {
            let p = at(1_000 + i as i64 * 10);
            l.arrive(SourceIx::PRIMARY, &op(i, p), p, Mode::Live);
        }
        let taken = l.take_sampled();
        assert!(l.take_sampled().is_empty());
        let expected: Vec<_> = (0..40).filter(|&i| sampling.takes(&op(i, at(0)).key.cid)).collect();
        assert_eq!(
            taken.iter().map(|t| t.1.key).collect::<Vec<_>>(),
            expected.iter().map(|&i| op(i, at(0)).key).collect::<Vec<_>>()
        );
        let (skipped, delivered) = (taken[0].1.key, taken[1].1.key);
        l.skip(M, &skipped);
        let seen = *expected.get(1).unwrap();
        l.arrive(M, &op(seen, at(1_000 + seen as i64 * 10)), at(2_000), Mode::Live);
        assert_eq!(l.mirrors[0].source.received, 1, "{delivered:?}");
        for m in [M, SourceIx::mirror(1)] {
            l.prove(m, at(200_000));
        }
        ticks(&mut l, 200_000);
        let count = |m: usize, v: Verdict| (0..40).filter(|&n| verdict(&l, n, m) == v).count();
        assert_eq!(count(0, Verdict::Missed), expected.len() - 2);
        assert_eq!(count(0, Verdict::NotEligible), 40 - expected.len() + 1);
        assert_eq!(count(1, Verdict::Missed), 40, "the other mirror is judged as ever");
        let lacking = l.capture(true).mirrors.iter().map(|m| m.head_lag_ops).collect::<Vec<_>>();
        assert_eq!(lacking[1], 40);
        assert_eq!(lacking[0], expected.iter().filter(|&&i| i > seen).count() as u64);
    }

    #[test]
    fn a_sampled_mirror_is_as_old_as_the_first_of_the_sample_that_it_lacks() {
        let mut l = ledger(1);
        l.sample_by(M, Some(Sampling::new(1, 0.0)));
        l.arrive(SourceIx::PRIMARY, &op(1, at(1_000)), at(1_000), Mode::Live);
        assert_eq!(l.lacking(0, 0), (0, None), "it lacks nothing that is looked for");
        l.sample_by(M, None);
        assert_eq!(l.lacking(0, 0), (1, Some(at(1_000))));
    }

    #[test]
    fn what_was_not_looked_for_to_the_end_is_unknown_and_stays_so() {
        let mut l = ledger(1);
        l.open(M, at(0));
        l.sample_by(M, Some(Sampling::new(1, 1.0)));
        for i in 0..3 {
            l.arrive(SourceIx::PRIMARY, &op(i, at(5_000)), at(5_000), Mode::Live);
        }
        l.lost_sight(M, &op(0, at(0)).key, Reason::DroppedByUs);
        l.skip(M, &op(1, at(0)).key);
        l.prove(M, at(200_000));
        l.filled(M, at(200_000));
        ticks(&mut l, 200_000);
        let verdicts: Vec<_> = (0..3).map(|n| verdict(&l, n, 0)).collect();
        assert_eq!(verdicts, [Verdict::Unknown, Verdict::NotEligible, Verdict::Missed]);
        assert_eq!(l.ring.cell(0, 0).map(Cell::reason), Some(Reason::DroppedByUs));
    }

    #[test]
    fn what_is_shown_after_its_verdict_is_delivered_and_healed() {
        let mut l = ledger(1);
        l.open(M, at(0));
        l.sample_by(M, Some(Sampling::new(1, 1.0)));
        l.arrive(SourceIx::PRIMARY, &op(1, at(5_000)), at(5_000), Mode::Live);
        l.prove(M, at(200_000));
        ticks(&mut l, 200_000);
        assert_eq!(verdict(&l, 0, 0), Verdict::Missed);
        l.shown_after_all(M, &op(1, at(0)).key, at(200_000));
        l.shown_after_all(M, &op(2, at(0)).key, at(200_000));
        ticks(&mut l, 400_000);
        assert_eq!(verdict(&l, 0, 0), Verdict::Present);
        assert!(l.ring.cell(0, 0).is_some_and(Cell::is_healed));
        assert_eq!(l.mirrors[0].source.received, 1, "what the primary never had is nothing");
    }

    #[test]
    fn tombstones_beyond_the_sample_are_told_to_whoever_looks() {
        let mut l = ledger(2);
        l.sample_by(M, Some(Sampling::new(1, 0.0)));
        let tombstone = Op { kind: Kind::Tombstone, ..op(1, at(1_000)) };
        l.arrive(SourceIx::PRIMARY, &tombstone, at(1_000), Mode::Live);
        l.arrive(SourceIx::PRIMARY, &op(2, at(2_000)), at(2_000), Mode::Live);
        let taken: Vec<_> = l.take_sampled().iter().map(|t| (t.0, t.1.key, t.1.is_sampled)).collect();
        assert_eq!(taken, [(M, tombstone.key, false)]);
    }
}
