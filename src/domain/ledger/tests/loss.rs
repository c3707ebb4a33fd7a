//! Parts of the journal are lost: nobody is blamed, nothing is counted twice, and what was counted stays.

use super::*;
use crate::domain::interval::{Acc, Interval};
use crate::domain::ledger::loss::Loss;
use crate::domain::ledger::saved::{IntervalHead, SavedInterval};
use std::collections::BTreeMap;

const P: SourceIx = SourceIx::PRIMARY;
/// Operations of each segment.
const EACH: u64 = 10;
/// Segments: one each 100 s.
const SEGMENTS: u64 = 12;

fn ids() -> [String; 1] {
    ["m".to_owned()]
}

/// What is on disk after each transaction, as rows are replaced by their keys.
#[derive(Default)]
struct Disk {
    saved: Saved,
    intervals: BTreeMap<u32, Interval>,
}

impl Disk {
    fn keep(&mut self, l: &mut Ledger) {
        let prepared = l.prepare(&ids());
        l.committed(prepared.finals());
        self.intervals.extend(prepared.intervals.iter().map(|(k, i)| (*k, (**i).clone())));
        self.saved.segments.extend(prepared.segments.into_iter().map(|s| s.bytes));
        self.saved.state = Some(l.save_state());
        for (id, s) in [("p", P), ("m", M)] {
            self.saved.windows.insert(id.to_owned(), l.source(s).unwrap().windows.clone());
            self.saved.counters.insert(id.to_owned(), l.save_counters(s));
        }
    }

    fn restored(&mut self) -> Ledger {
        let row = |(k, i): (&u32, &Interval)| SavedInterval {
            start_ms: i64::from(*k) * 300_000,
            head: IntervalHead::of(i),
            mirrors: vec![("m".to_owned(), Acc::clone(&i.mirrors[0]))],
        };
        self.saved.intervals = self.intervals.iter().map(row).collect();
        let mut again = ledger(1);
        again.primary = SourceState::default();
        again.mirrors[0].source = SourceState::default();
        again.restore(&self.saved, "p", &ids());
        again
    }
}

/// Everything is delivered within a second, half of it a transaction later than it was published.
fn played() -> (Ledger, Disk) {
    let (mut l, mut disk) = (ledger(1), Disk::default());
    for s in 0..SEGMENTS {
        let start = s as i64 * 100_000 + 50_000;
        for n in 0..EACH {
            let p = at(start + n as i64 * 100);
            l.arrive(P, &op(s * EACH + n, p), p, Mode::Live);
            if n % 2 == 0 {
                l.arrive(M, &op(s * EACH + n, p), p.plus(40_000_000), Mode::Live);
            }
        }
        disk.keep(&mut l);
        for n in (1..EACH).step_by(2) {
            let p = at(start + n as i64 * 100);
            l.arrive(M, &op(s * EACH + n, p), at(start + 1_500), Mode::Live);
        }
        for source in [P, M] {
            l.prove(source, at(start + 90_000));
        }
        ticks(&mut l, start + 90_000);
        disk.keep(&mut l);
    }
    // The last one comes from the mirror first, a transaction earlier, and is not judged yet.
    let (p, last) = (at(SEGMENTS as i64 * 100_000 + 50_000), EACH * SEGMENTS);
    l.arrive(M, &op(last, p), p.plus(-1_000_000), Mode::Live);
    disk.keep(&mut l);
    l.arrive(P, &op(last, p), p, Mode::Live);
    disk.keep(&mut l);
    (l, disk)
}

/// The program runs on after the loss, with the streams open again.
fn run_on(l: &mut Ledger) {
    let start = SEGMENTS as i64 * 100_000 + 400_000;
    for source in [P, M] {
        l.open(source, at(start));
        if source == P {
            // The primary is resumed from where it stood before: what is lost comes once more, and the mirror's does not.
            l.arrive(P, &op(EACH * 3, at(350_000)), at(start + 500), Mode::Filled);
        }
        l.filled(source, at(start + 1_000));
        l.prove(source, at(start + 400_000));
    }
    ticks(l, start + 2_000);
    ticks(l, start + 400_000);
}

fn total(l: &Ledger, what: impl Fn(&Acc) -> u64) -> u64 {
    l.intervals.iter().map(|i| what(&i.1.mirrors[0])).sum()
}

#[test]
fn a_lost_segment_blames_nobody_and_what_was_counted_stays() {
    let (l, whole) = played();
    let (eligible, missed) = (total(&l, Acc::eligible), total(&l, |a| a.verdict(Verdict::Missed)));
    assert_eq!((eligible, missed), (EACH * SEGMENTS + 1, 0));
    for lost in 0..whole.saved.segments.len() {
        let mut disk = Disk { intervals: whole.intervals.clone(), ..Disk::default() };
        disk.saved.segments = whole.saved.segments.clone();
        disk.saved.state.clone_from(&whole.saved.state);
        disk.saved.windows.clone_from(&whole.saved.windows);
        disk.saved.counters.clone_from(&whole.saved.counters);
        disk.saved.segments.remove(lost);
        disk.saved.loss = Some(Loss { believed_from: lost });
        let mut again = disk.restored();
        let known = total(&again, Acc::eligible);
        // Intervals that were final are whole; of those that were not yet, what was held behind the loss.
        let kept: u64 = whole.intervals.values().map(|i| i.mirrors[0].eligible()).sum();
        assert!(known >= kept && known <= EACH * SEGMENTS + 1, "segment {lost}: {known} of {kept} kept");
        run_on(&mut again);
        assert_eq!(total(&again, |a| a.verdict(Verdict::Missed)), 0, "segment {lost}");
        assert_eq!(total(&again, |a| a.verdict(Verdict::Pending)), 0, "segment {lost}");
        assert!((0..=1).contains(&(total(&again, Acc::eligible) - known)), "segment {lost}");
        let known = total(&again, Acc::eligible);
        // A second start, with nothing lost since.
        disk.saved.segments.drain(..lost);
        disk.saved.loss = None;
        disk.keep(&mut again);
        let mut third = disk.restored();
        assert_eq!(total(&third, Acc::eligible), known, "segment {lost}");
        run_on(&mut third);
        assert_eq!(total(&third, |a| a.verdict(Verdict::Missed)), 0, "segment {lost}");
    }
}

#[test]
fn a_segment_that_cannot_be_read_is_a_loss() {
    let (_, mut disk) = played();
    let cut = disk.saved.segments[7].len() - 1;
    disk.saved.segments[7].truncate(cut);
    let mut again = ledger(1);
    let report = again.restore(&disk.saved, "p", &ids());
    assert_eq!(report.loss, Some(Loss { believed_from: 8 }));
}
