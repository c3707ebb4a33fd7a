//! The rules of the ledger one by one; the property tests beside them look for what nobody thought of.

use super::*;
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::interval::{ExtraState, Status};
use crate::domain::op::{Kind, OpKey};
use crate::domain::time::SECOND;
use crate::domain::verdict::Verdict;

mod findings;
mod loss;

const UTC0: i64 = 1_700_000_100_000;

pub(in crate::domain) fn op(i: u64, at: Tau) -> Op {
    let mut cid = [0; 32];
    cid[..8].copy_from_slice(&i.to_be_bytes());
    let mut did = [0; 15];
    did[..8].copy_from_slice(&(i % 7).to_be_bytes());
    Op {
        key: OpKey { did: Did(did), cid: Cid(cid) },
        kind: Kind::Update,
        created_ms: UTC0 + at.0 / 1_000_000 - 80,
        seq: Some(i),
        prev: None,
    }
}

pub(super) fn at(ms: i64) -> Tau {
    Tau(ms * 1_000_000)
}

pub(super) fn ledger(mirrors: usize) -> Ledger {
    let params = Params { look_back_ns: 0, horizon_ns: 86_400 * SECOND, settle_ns: 0, interval_ms: 300_000 };
    let limits = Limits { held_ops: 10_000, unknown_keys_per_mirror: 100, listed_per_mirror: 100 };
    let mirror = MirrorParams { on_time_ns: 10 * SECOND, grace_ns: 60 * SECOND };
    let mut ledger =
        Ledger::new(params, limits, Labels { anchor_tau: Tau(0), anchor_utc_ms: UTC0 }, &vec![mirror; mirrors]);
    ledger.open(SourceIx::PRIMARY, at(0));
    (0..mirrors).for_each(|m| ledger.open(SourceIx::mirror(m), at(0)));
    ledger
}

/// Two ticks: what is due at the first is decided at the second.
pub(super) fn ticks(l: &mut Ledger, ms: i64) {
    l.tick(at(ms));
    l.tick(at(ms + 1));
}

pub(super) fn verdict(l: &Ledger, number: u64, m: usize) -> Verdict {
    l.ring.cell(number, m).unwrap().verdict()
}

pub(super) const M: SourceIx = SourceIx::mirror(0);

/// A chain that lists everything.
pub(in crate::domain) const WHOLE: ChainOutcome = ChainOutcome::Complete { since: Tau::MIN, earliest: Tau::MIN };

#[test]
fn who_refuses_a_broken_operation_is_not_blamed() {
    let mut l = ledger(2);
    let other = SourceIx::mirror(1);
    let keys: Vec<_> = (0..3).map(|i| op(i, at(1_000 + i as i64))).collect();
    for broken in &keys {
        l.arrive(SourceIx::PRIMARY, broken, at(1_000), Mode::Live);
    }
    l.arrive(other, &keys[0], at(1_040), Mode::Live);
    l.dispute(&keys[0].key);
    l.dispute(&OpKey { did: Did([9; 15]), ..keys[2].key });
    l.dispute(&op(77, at(0)).key);
    ticks(&mut l, 30_000);
    assert_eq!([verdict(&l, 0, 0), verdict(&l, 0, 1)], [Verdict::Pending, Verdict::OnTime], "not before its time");
    l.prove(M, at(400_000));
    l.prove(other, at(400_000));
    ticks(&mut l, 400_000);
    let verdicts = |l: &Ledger, m| [0, 1, 2].map(|n| verdict(l, n, m));
    assert_eq!(verdicts(&l, 0), [Verdict::Disputed, Verdict::Missed, Verdict::Missed]);
    assert_eq!(verdicts(&l, 1), [Verdict::OnTime, Verdict::Missed, Verdict::Missed]);
    // What was called missed before anything was known against it.
    l.dispute(&keys[1].key);
    l.dispute(&keys[1].key);
    assert_eq!(verdicts(&l, 0), [Verdict::Disputed, Verdict::Disputed, Verdict::Missed]);
    assert_eq!(l.capture(true).mirrors[0].open_misses, 1);
    // It stays so when the mirror sends it after all.
    l.arrive(M, &keys[0], at(400_100), Mode::Live);
    ticks(&mut l, 400_200);
    assert_eq!(verdict(&l, 0, 0), Verdict::Disputed);
    let acc = &l.interval(l.interval_of(at(1_000))).unwrap().mirrors[0];
    assert_eq!((acc.eligible(), acc.decided()), (3, 1));

    let mut l = ledger(1);
    l.arrive(SourceIx::PRIMARY, &keys[0], at(1_000), Mode::Live);
    l.dispute(&keys[0].key);
    l.prove(M, at(1_100));
    ticks(&mut l, 1_200);
    let (mut again, _) = restored(&saved(&mut l));
    for s in [SourceIx::PRIMARY, M] {
        again.open(s, at(2_000));
        again.filled(s, at(3_000));
        again.prove(s, at(400_000));
    }
    ticks(&mut again, 400_000);
    assert_eq!(verdict(&again, 0, 0), Verdict::Disputed, "a restart forgets nothing");
}

#[test]
fn on_time_late_and_missed() {
    let mut l = ledger(1);
    for (i, delay) in [(1, Some(40)), (2, Some(12_000)), (3, None)] {
        let p = at(1_000 + i as i64);
        l.arrive(SourceIx::PRIMARY, &op(i, p), p, Mode::Live);
        if let Some(delay) = delay {
            l.arrive(M, &op(i, p), p.plus(delay * 1_000_000), Mode::Live);
        }
    }
    ticks(&mut l, 30_000);
    assert_eq!([0, 1, 2].map(|n| verdict(&l, n, 0)), [Verdict::OnTime, Verdict::Late, Verdict::Pending]);
    l.tick(at(70_000));
    assert_eq!(verdict(&l, 2, 0), Verdict::Pending, "not proved through the deadline yet");
    l.prove(M, at(70_000));
    l.tick(at(70_100));
    assert_eq!(verdict(&l, 2, 0), Verdict::Missed);
    let c = l.capture(true);
    assert_eq!((c.mirrors[0].open_misses, c.mirrors[0].listed.clone()), (1, vec![1, 2]));
    l.arrive(M, &op(3, at(1_003)), at(80_000), Mode::Live);
    ticks(&mut l, 80_100);
    assert_eq!(verdict(&l, 2, 0), Verdict::Late);
    let acc = &l.interval(l.interval_of(at(1_000))).unwrap().mirrors[0];
    assert_eq!((acc.eligible(), acc.decided(), acc.flags()), (3, 3, [0, 1, 0]));
    assert_eq!(l.capture(false).mirrors[0].open_misses, 0);
}

#[test]
fn a_gap_makes_it_unknown_only_when_nothing_fills_it() {
    for fill in [true, false] {
        let mut l = ledger(1);
        l.prove(M, at(500));
        l.close(M);
        l.arrive(SourceIx::PRIMARY, &op(1, at(1_000)), at(1_000), Mode::Live);
        l.arrive(SourceIx::PRIMARY, &op(2, at(1_001)), at(1_001), Mode::Live);
        l.open(M, at(5_000));
        l.arrive(M, &op(1, at(1_000)), at(11_000), Mode::Filled);
        l.prove(M, at(200_000));
        l.tick(at(65_000));
        assert_eq!(verdict(&l, 1, 0), Verdict::Pending);
        if fill {
            l.filled(M, at(66_000));
        } else {
            l.give_up(M, at(66_000));
        }
        ticks(&mut l, 127_000);
        assert_eq!(verdict(&l, 0, 0), Verdict::Present);
        assert_eq!(verdict(&l, 1, 0), if fill { Verdict::Missed } else { Verdict::Unknown });
    }
}

#[test]
fn an_extra_needs_the_primarys_window_its_range_and_a_chain() {
    let mut l = ledger(1);
    for i in 0..200 {
        let p = at(1_000 * i);
        l.arrive(SourceIx::PRIMARY, &op(i as u64, p), p, Mode::Live);
        l.prove(SourceIx::PRIMARY, p);
        l.prove(M, p);
        if i == 70 {
            l.arrive(M, &op(9_999, p), p, Mode::Live);
        }
        l.tick(p);
    }
    let k = l.interval_of(at(70_000));
    let extras = |l: &Ledger| {
        [ExtraState::Pending, ExtraState::Extra, ExtraState::Unknown]
            .map(|s| l.interval(k).unwrap().mirrors[0].extra(s))
    };
    assert_eq!((extras(&l), l.wants_chain().is_some()), ([1, 0, 0], true));
    l.chain(at(199_500), WHOLE);
    l.tick(at(199_600));
    assert_eq!((extras(&l), l.wants_chain()), ([0, 1, 0], None));
    l.arrive(SourceIx::PRIMARY, &op(9_999, at(70_000)), at(199_700), Mode::Filled);
    assert_eq!(extras(&l), [0, 0, 0]);
    let (number, cell) = (l.ring.find(&op(9_999, at(70_000)).key.cid).unwrap(), 0);
    assert!(l.ring.cell(number, cell).unwrap().is_credited());
}

#[test]
fn what_is_let_go_is_unknown_and_no_mirrors_fault() {
    let mut l = ledger(2);
    l.limits.held_ops = 2;
    for i in 0..4 {
        l.arrive(SourceIx::PRIMARY, &op(i, at(1_000)), at(1_000), Mode::Live);
    }
    let acc = l.interval(l.interval_of(at(1_000))).unwrap();
    assert_eq!((acc.mirrors[0].verdict(Verdict::Unknown), acc.evicted_ops), (2, 2));
    assert_eq!(l.ring.len(), 2);
}

#[test]
fn an_interval_is_final_only_when_it_is_kept() {
    let mut l = ledger(1);
    l.arrive(SourceIx::PRIMARY, &op(1, at(1_000)), at(1_000), Mode::Live);
    l.arrive(M, &op(1, at(1_000)), at(1_040), Mode::Live);
    let k = l.interval_of(at(1_000));
    l.tick(at(2_000));
    assert_eq!(l.interval(k).unwrap().status, Status::Open);
    l.tick(at(400_000));
    assert_eq!(l.interval(k).unwrap().status, Status::Settling);
    let prepared = l.prepare(&["m".to_owned()]);
    assert_eq!(prepared.finals(), [k]);
    l.committed(prepared.finals());
    assert_eq!(l.interval(k).unwrap().status, Status::Final);
    l.tick(at(410_000));
    assert_eq!(l.rollups.hour(l.rollups.hour_of(k)).unwrap().status, Status::Final, "and its hour with it");
}

#[test]
fn what_could_not_be_seen_is_noted_in_its_interval() {
    for is_cut in [true, false] {
        let mut l = ledger(1);
        l.arrive(SourceIx::PRIMARY, &op(1, at(1_000)), at(1_000), Mode::Live);
        l.arrive(M, &op(1, at(1_000)), at(1_040), Mode::Live);
        l.prove(SourceIx::PRIMARY, at(2_000));
        if is_cut {
            l.close(SourceIx::PRIMARY);
            l.open(SourceIx::PRIMARY, at(5_000));
            l.filled(SourceIx::PRIMARY, at(6_000));
        }
        let k = l.interval_of(at(1_000));
        l.prove(SourceIx::PRIMARY, at(400_000));
        l.prove(M, at(400_000));
        ticks(&mut l, 400_000);
        assert_eq!(l.prepare(&["m".to_owned()]).finals(), [k]);
        assert_eq!(l.interval(k).unwrap().is_impaired, is_cut);
    }
}

/// What the next transaction of a ledger with one mirror keeps.
fn saved(l: &mut Ledger) -> Saved {
    let sources = [("p", SourceIx::PRIMARY), ("m", M)];
    Saved {
        segments: l.prepare(&["m".to_owned()]).segments.into_iter().map(|s| s.bytes).collect(),
        state: Some(l.save_state()),
        windows: sources.map(|(id, s)| (id.to_owned(), l.source(s).unwrap().windows.clone())).into(),
        counters: sources.map(|(id, s)| (id.to_owned(), l.save_counters(s))).into(),
        ..Saved::default()
    }
}

fn restored(saved: &Saved) -> (Ledger, restore::RestoreReport) {
    restored_after(saved, 0)
}

/// What is known when the restart is so much later than the anchor of the labels.
fn restored_after(saved: &Saved, later_ns: i64) -> (Ledger, restore::RestoreReport) {
    let mut again = ledger(1);
    again.now = again.now.plus(later_ns);
    again.primary = SourceState::default();
    again.mirrors[0].source = SourceState::default();
    let report = again.restore(saved, "p", &["m".to_owned()]);
    (again, report)
}

#[test]
fn a_restart_counts_nothing_twice() {
    let mut l = ledger(1);
    for i in 0..50 {
        let p = at(1_000 + i as i64 * 100);
        l.arrive(SourceIx::PRIMARY, &op(i, p), p, Mode::Live);
        if i % 10 != 0 {
            l.arrive(M, &op(i, p), p.plus(40_000_000), Mode::Live);
        }
    }
    l.prove(M, at(6_000));
    l.prove(SourceIx::PRIMARY, at(6_000));
    l.tick(at(6_000));
    let saved = saved(&mut l);
    let k = l.interval_of(at(1_000));
    let (mut again, report) = restored(&saved);
    assert_eq!((report.ops, report.damaged), (50, None));
    assert_eq!(again.interval(k), l.interval(k));
    assert_eq!(again.source(M).unwrap().received, 45);
    // The gap begins at the last proof; what is found in a fill was there, what is not is missed only once all is filled.
    again.tick(at(70_000));
    assert_eq!(verdict(&again, 0, 0), Verdict::Pending);
    for s in [SourceIx::PRIMARY, M] {
        again.open(s, at(70_000));
        again.filled(s, at(76_000));
        again.prove(s, at(200_000));
    }
    ticks(&mut again, 136_500);
    assert_eq!(verdict(&again, 0, 0), Verdict::Missed);
}

#[test]
fn what_the_primary_holds_back_before_its_habit_is_known_has_no_timing() {
    let mut l = ledger(1);
    let held_back_ms = 20_000;
    for (i, p, created) in [(1, at(1_000), at(1_000)), (2, at(30_000), at(30_000 - held_back_ms))] {
        l.arrive(SourceIx::PRIMARY, &op(i, created), p, Mode::Live);
        l.arrive(M, &op(i, created), p.plus(40_000_000), Mode::Live);
    }
    l.prove(M, at(200_000));
    ticks(&mut l, 200_000);
    assert_eq!(verdict(&l, 0, 0), Verdict::OnTime);
    assert_eq!(verdict(&l, 1, 0), Verdict::Present, "the mirror may have had it for 20 s");
    assert_eq!(i64::from(l.ring.row(1).unwrap().delay_ms), held_back_ms);
}

#[test]
fn what_queues_behind_a_replay_after_a_reboot_is_neither_missed_nor_timed() {
    let mut l = ledger(1);
    for s in [SourceIx::PRIMARY, M] {
        l.prove(s, at(10_000));
    }
    l.tick(at(10_000));
    let (mut again, _) = restored(&Saved { is_rebooted: true, ..saved(&mut l) });
    for s in [SourceIx::PRIMARY, M] {
        again.open(s, at(20_000));
        again.prove(s, at(300_000));
    }
    again.filled(SourceIx::PRIMARY, at(25_000));
    let p = [at(30_000), at(31_000)];
    for (i, p) in (1..).zip(p) {
        again.arrive(SourceIx::PRIMARY, &op(i, p), p, Mode::Live);
    }
    ticks(&mut again, 100_000);
    assert_eq!(verdict(&again, 0, 0), Verdict::Pending, "the mirror still sends what it sent before");
    again.filled(M, at(110_000));
    again.arrive(M, &op(1, p[0]), at(109_000), Mode::Live);
    ticks(&mut again, 169_000);
    assert_eq!((verdict(&again, 0, 0), verdict(&again, 1, 0)), (Verdict::Present, Verdict::Pending));
    ticks(&mut again, 170_001);
    assert_eq!(verdict(&again, 1, 0), Verdict::Missed);
}

#[test]
fn an_altered_time_makes_no_extra_of_a_key_that_was_let_go() {
    let mut l = ledger(1);
    l.limits.held_ops = 5;
    for i in 0..10 {
        let p = at(100_000 + i as i64 * 1_000);
        l.arrive(SourceIx::PRIMARY, &op(i, p), p, Mode::Live);
    }
    let altered = Op { created_ms: UTC0 + 108_000, ..op(2, at(102_000)) };
    l.arrive(M, &altered, at(110_000), Mode::Live);
    l.prove(SourceIx::PRIMARY, at(400_000));
    ticks(&mut l, 200_000);
    let states: Vec<_> = l.foreigns.sightings().map(|s| (s.state, s.reason)).collect();
    assert_eq!(states, [(ExtraState::Unknown, Reason::NoRange)]);
}

#[test]
fn what_the_primary_sends_just_behind_a_hole_of_the_mirror_is_not_missed() {
    let mut l = ledger(1);
    l.prove(M, at(10_000));
    l.close(M);
    l.open(M, at(20_000));
    l.give_up(M, at(20_001));
    for (i, p) in [(1, at(20_005)), (2, at(21_001))] {
        l.arrive(SourceIx::PRIMARY, &op(i, p), p, Mode::Live);
    }
    l.prove(M, at(200_000));
    ticks(&mut l, 200_000);
    assert_eq!((verdict(&l, 0, 0), verdict(&l, 1, 0)), (Verdict::Unknown, Verdict::Missed));
}

#[test]
fn what_a_fill_brings_before_the_stream_is_waited_for() {
    let mut l = ledger(1);
    for (i, ms) in [(1, 1_000), (4, 21_000)] {
        l.arrive(SourceIx::PRIMARY, &op(i, at(ms)), at(ms), Mode::Live);
        l.prove(SourceIx::PRIMARY, at(ms));
        if i == 1 {
            l.close(SourceIx::PRIMARY);
            l.open(SourceIx::PRIMARY, at(20_000));
        }
    }
    for (i, ms) in [(2, 10_000), (7, 24_000)] {
        l.arrive(SourceIx::PRIMARY, &op(i, at(ms)), at(26_000), Mode::Filled);
    }
    l.filled(SourceIx::PRIMARY, at(26_001));
    l.prove(M, at(400_000));
    ticks(&mut l, 100_000);
    let of = |l: &Ledger, i: u64| verdict(l, l.ring.find(&op(i, at(0)).key.cid).unwrap(), 0);
    assert_eq!((of(&l, 2), of(&l, 7)), (Verdict::Missed, Verdict::Pending), "the stream may still hold the other back");
    l.arrive(SourceIx::PRIMARY, &op(8, at(120_000)), at(120_000), Mode::Live);
    ticks(&mut l, 179_000);
    assert_eq!(of(&l, 7), Verdict::Pending);
    ticks(&mut l, 180_002);
    assert_eq!(of(&l, 7), Verdict::Missed);
}
