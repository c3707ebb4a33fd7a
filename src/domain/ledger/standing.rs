//! What the state of a mirror follows from, as far as the ledger knows it.

use super::capture::FRESH_NS;
use super::content::Noticed;
use super::{Ledger, MirrorState, SLOT_S};
use crate::domain::lag::LagSum;
use crate::domain::mirror_state::{Divergence, Seen};
use crate::domain::recommend::Record;
use crate::domain::ring::Row;
use crate::domain::time::{MS, Tau};
use crate::domain::verdict::Verdict;
use crate::domain::window::Cover;

/// Operations that are looked at for the first one that a mirror owes, newest.
const LOOK_MAX: u64 = 10_000;
/// The span of recent verdicts, seconds.
const RECENT_S: i64 = 900;
/// Hours that a mirror's record is about.
const RECORD_HOURS: i64 = 6;
const HOUR_MS: i64 = 3_600_000;

impl Ledger {
    /// What is seen of a mirror now; none for an index that is no mirror's.
    #[must_use]
    pub fn seen(&self, mirror: usize) -> Option<Seen> {
        let m = self.mirrors.get(mirror)?;
        let windows = &m.source.windows;
        let (owed_ops, owed_since) = self.owed(mirror, m);
        let (decided, missed) = self.recent(mirror);
        Some(Seen {
            is_proved: windows.is_open()
                && self.now.since(windows.proved()) <= FRESH_NS
                && windows.open_gap().is_none(),
            owed_ops,
            owed_since,
            received: m.source.received,
            primary_sent: self.primary.received,
            primary_rate_per_s: self.primary.rate_per_s(self.now),
            open_misses: m.open_misses.values().map(|&n| u64::from(n)).sum(),
            decided,
            missed,
            is_judged: decided > 0 || self.is_judged(mirror),
            divergence: self.newest_divergence(m),
        })
    }

    /// What a mirror did in the last six hours, and its lag in the last hour.
    #[must_use]
    pub fn record(&self, mirror: usize) -> Record {
        let last = self.labels.utc_ms(self.now).div_euclid(self.params.interval_ms).max(0) as u32;
        let since = |hours: i64| last.saturating_sub((hours * HOUR_MS / self.params.interval_ms) as u32);
        let accs = |from| self.intervals.between(from, last).filter_map(|(_, i)| i.mirrors.get(mirror));
        let mut record = Record::default();
        for acc in accs(since(RECORD_HOURS)) {
            record.decided += acc.decided();
            record.missed += acc.verdict(Verdict::Missed);
            record.late += acc.verdict(Verdict::Late);
        }
        let (mut sum, mut uncertainty_us) = (LagSum::default(), 0.0);
        for acc in accs(since(1)) {
            sum.add(&acc.lag);
            uncertainty_us = acc.correction_us().map_or(uncertainty_us, |c| c.1.max(uncertainty_us));
        }
        let lag = sum.histogram();
        let n = lag.count();
        // Five samples must lie beyond it.
        record.p95_us = (n >= 100).then(|| lag.at_rank((n * 95).div_ceil(100))).flatten();
        record.uncertainty_us = uncertainty_us as i64;
        record
    }

    /// The newest finding about the content of what a mirror sent. One of the primary's own about the same operation says
    /// nothing of a mirror that copies it faithfully.
    fn newest_divergence(&self, m: &MirrorState) -> Option<(Divergence, Tau)> {
        let is_own = |n: &&Noticed| n.finding.is_false_content() && !self.primary.content.has(n.finding, &n.key);
        let found = m.source.content.latest().filter(is_own);
        found.max_by_key(|n| n.at).map(|n| (Divergence::Content(n.finding), n.at))
    }

    /// Since when our reader is late now.
    #[must_use]
    pub fn late_since(&self) -> Option<Tau> {
        self.late.since()
    }

    /// Whether our reader was late at any time in `[from, to]`.
    #[must_use]
    pub fn was_late(&self, from: Tau, to: Tau) -> bool {
        self.late.between(from, to.plus(1)).next().is_some()
    }

    /// How many operations a mirror owes and since when the first: those newer than the newest one it has, from the first on
    /// that was published while everything it sent reached us. What came before, or falls into a hole, is nobody's debt.
    fn owed(&self, mirror: usize, m: &MirrorState) -> (u64, Option<Tau>) {
        let next = self.ring.next();
        let first = m.head.map_or(self.ring.base(), |h| h + 1).max(self.ring.base()).max(next.saturating_sub(LOOK_MAX));
        let owes = |n: &u64| self.ring.row(*n).is_some_and(|row| self.is_owed(*n, row, mirror, m));
        let Some(oldest) = (first..next).find(owes) else { return (0, None) };
        let count = if m.sampling.is_some() { (oldest..next).filter(owes).count() as u64 } else { next - oldest };
        (count, self.ring.row(oldest).map(known_at))
    }

    fn is_owed(&self, number: u64, row: &Row, mirror: usize, m: &MirrorState) -> bool {
        let Some(cell) = self.ring.cell(number, mirror) else { return false };
        if cell.delivery().is_some() || !matches!(cell.verdict(), Verdict::Pending | Verdict::Missed) {
            return false;
        }
        let from = row.p.plus(-self.params.look_back_ns);
        let is_watched = matches!(m.source.windows.cover(from, known_at(row)), Cover::Proved | Cover::NotYet);
        is_watched && !self.is_ahead_of_stream(row)
    }

    /// Decided and missed operations of the last 15 minutes.
    fn recent(&self, mirror: usize) -> (u64, u64) {
        let last = self.labels.utc_ms(self.now).div_euclid(SLOT_S * 1_000).max(0) as u32;
        let first = last.saturating_sub((RECENT_S / SLOT_S) as u32);
        let accs = self.slots.between(first, last).filter_map(|(_, slot)| slot.mirrors.get(mirror));
        accs.fold((0, 0), |(decided, missed), acc| (decided + acc.decided(), missed + acc.verdict(Verdict::Missed)))
    }

    fn is_judged(&self, mirror: usize) -> bool {
        self.intervals.iter().any(|(_, i)| i.mirrors.get(mirror).is_some_and(|acc| acc.decided() > 0))
    }
}

/// When the operation was known to be published: its arrival, or that of the fill that brought it.
fn known_at(row: &Row) -> Tau {
    row.p.plus(i64::from(row.known_after_ms) * MS)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{M, at, ledger, op, ticks};
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::finding::Finding;
    use crate::domain::frame::Claim;
    use crate::domain::source::SourceIx;
    use crate::domain::verdict::Mode;

    #[test]
    fn only_what_was_published_while_it_was_watched_is_owed() {
        let mut l = ledger(1);
        l.arrive(SourceIx::PRIMARY, &op(1, at(-1_000)), at(-1_000), Mode::Live);
        l.prove(SourceIx::PRIMARY, at(20_000));
        ticks(&mut l, 20_000);
        let seen = l.seen(0).unwrap();
        assert_eq!((seen.owed_ops, seen.owed_since, seen.is_judged), (0, None, false), "from before it was watched");
        l.arrive(SourceIx::PRIMARY, &op(2, at(40_000)), at(40_000), Mode::Live);
        l.arrive(SourceIx::PRIMARY, &op(3, at(41_000)), at(41_000), Mode::Live);
        l.prove(M, at(41_000));
        ticks(&mut l, 41_000);
        let seen = l.seen(0).unwrap();
        assert_eq!((seen.owed_ops, seen.owed_since, seen.is_proved), (2, Some(at(40_000)), true));
        assert_eq!((seen.primary_sent, seen.received), (3, 0));
        l.arrive(M, &op(3, at(41_000)), at(42_100), Mode::Live);
        let seen = l.seen(0).unwrap();
        assert_eq!((seen.owed_ops, seen.received), (0, 1), "newer than the newest that it has");
        assert!(l.seen(1).is_none());
    }

    #[test]
    fn what_a_hole_hides_is_not_owed_and_an_unproved_window_says_nothing() {
        let mut l = ledger(1);
        for n in 1..=3 {
            let p = at(20_000 * n as i64);
            l.arrive(SourceIx::PRIMARY, &op(n, p), p, Mode::Live);
            match n {
                1 => {
                    l.arrive(M, &op(1, p), p, Mode::Live);
                    l.close(M);
                }
                2 => l.open(M, at(55_000)),
                _ => {}
            }
        }
        ticks(&mut l, 60_000);
        assert!(!l.seen(0).unwrap().is_proved, "the gap is not filled");
        l.give_up(M, at(61_000));
        l.prove(M, at(61_000));
        let seen = l.seen(0).unwrap();
        assert!(seen.is_proved, "{seen:?}");
        assert_eq!((seen.owed_ops, seen.owed_since), (1, Some(at(60_000))), "not what fell into the hole");
        l.arrive(SourceIx::PRIMARY, &op(4, at(90_000)), at(90_000), Mode::Live);
        ticks(&mut l, 90_000);
        let seen = l.seen(0).unwrap();
        assert_eq!((seen.owed_ops, seen.owed_since), (2, Some(at(60_000))));
        assert!(!seen.is_proved, "30 s without a proof");
    }

    #[test]
    fn the_record_is_what_was_decided_and_how_late_it_was() {
        let mut l = ledger(1);
        let peer = crate::domain::address::Peer::from(([127, 0, 0, 1], 1));
        l.rtt(SourceIx::PRIMARY, at(0), peer, 10 * MS);
        l.rtt(M, at(0), peer, 30 * MS);
        for n in 0..200 {
            let p = at(1_000 * n as i64);
            l.arrive(SourceIx::PRIMARY, &op(n, p), p, Mode::Live);
            if n != 7 {
                l.arrive(M, &op(n, p), p.plus(if n < 100 { 50 * MS } else { 11_000 * MS }), Mode::Live);
            }
        }
        for s in [SourceIx::PRIMARY, M] {
            l.prove(s, at(300_000));
        }
        assert_eq!(l.record(0).p95_us, None, "nothing is decided yet");
        ticks(&mut l, 300_000);
        let record = l.record(0);
        assert_eq!((record.decided, record.missed, record.late, record.uncertainty_us), (200, 1, 100, 20_000));
        let p95_us = record.p95_us.unwrap();
        assert!((10_940_000..11_040_000).contains(&p95_us), "{p95_us}");
        assert_eq!(l.record(1), Record::default());
    }

    #[test]
    fn misses_and_what_was_wrong_with_content_are_seen() {
        let mut l = ledger(1);
        for n in 0..40 {
            let p = at(20_000 + 1_000 * n as i64);
            l.arrive(SourceIx::PRIMARY, &op(n, p), p, Mode::Live);
            if n % 10 != 5 {
                l.arrive(M, &op(n, p), p.plus(MS), Mode::Live);
            }
        }
        for s in [SourceIx::PRIMARY, M] {
            l.prove(s, at(200_000));
        }
        ticks(&mut l, 200_000);
        let seen = l.seen(0).unwrap();
        assert_eq!((seen.decided, seen.missed, seen.open_misses, seen.is_judged), (40, 4, 4, true));
        assert_eq!(seen.divergence, None);
        let claim = Claim { key: op(5, at(0)).key, seq: None, computed: Cid([9; 32]) };
        l.lied(M, &claim, at(200_500));
        assert_eq!(l.seen(0).unwrap().divergence, Some((Divergence::Content(Finding::Corrupt), at(200_500))));
    }
}
