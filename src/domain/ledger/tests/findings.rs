//! Findings of misses, extras, content and order, one rule at a time.

use super::*;
use crate::domain::finding::{About, Finding};
use crate::domain::frame::Claim;
use crate::domain::ledger::mutant::Mutant;
use crate::domain::time::MS;

const P: SourceIx = SourceIx::PRIMARY;

/// Operation `i` of a DID, after another one of it.
fn linked(did: u8, i: u64, prev: Option<u64>, at: Tau) -> Op {
    let mut op = op(i, at);
    op.key.did = Did([did; 15]);
    op.prev = prev.map(|i| super::op(i, at).key.cid);
    op
}

fn live(l: &mut Ledger, source: SourceIx, op: &Op, ms: i64) {
    l.arrive(source, op, at(ms), Mode::Live);
}

fn prove(l: &mut Ledger, ms: i64) {
    for s in std::iter::once(P).chain((0..l.mirrors.len()).map(SourceIx::mirror)) {
        l.prove(s, at(ms));
    }
}

fn count(l: &Ledger, source: SourceIx, finding: Finding) -> u64 {
    l.source(source).unwrap().content.count(finding)
}

fn named(l: &Ledger, source: SourceIx, finding: Finding) -> Vec<OpKey> {
    let content = l.capture(false);
    content.content(source).unwrap().latest().filter(|n| n.finding == finding).map(|n| n.key).collect()
}

/// A primary that sends an operation a second and a mirror that does too; at 70 s the mirror sends `own` besides. At the end
/// it is decided that the primary does not have it.
fn with_extra(own: &Op) -> Ledger {
    with_extra_beside(own, 1)
}

/// The same with more mirrors, which do not have it.
fn with_extra_beside(own: &Op, mirrors: usize) -> Ledger {
    let mut l = ledger(mirrors);
    for i in 0..200 {
        let p = at(1_000 * i);
        l.arrive(P, &linked(1, i as u64, (i > 0).then(|| i as u64 - 1), p), p, Mode::Live);
        prove(&mut l, 1_000 * i);
        if i == 70 {
            l.arrive(M, own, p, Mode::Live);
        }
        l.tick(p);
    }
    assert!(l.wants_chain().is_some());
    l.chain(at(199_500), WHOLE);
    l.tick(at(199_600));
    assert_eq!(l.foreigns.get(&own.key, 0).unwrap().state, ExtraState::Extra);
    l
}

fn extras(l: &Ledger) -> [u64; 4] {
    let k = l.interval_of(at(70_000));
    ExtraState::ALL.map(|s| l.interval(k).unwrap().mirrors[0].extra(s))
}

#[test]
fn a_wrong_did_does_not_hide_the_right_copy_that_follows() {
    let mut l = ledger(1);
    let right = op(1, at(1_000));
    let mut wrong = right;
    wrong.key.did.0[0] ^= 1;
    live(&mut l, M, &wrong, 990);
    live(&mut l, M, &right, 995);
    live(&mut l, M, &wrong, 996);
    assert_eq!(count(&l, M, Finding::Altered), 1, "it contradicts itself before the primary has said anything");
    live(&mut l, P, &right, 1_000);
    prove(&mut l, 200_000);
    ticks(&mut l, 100_000);
    assert_eq!(verdict(&l, 0, 0), Verdict::OnTime);
    assert!(l.ring.cell(0, 0).unwrap().is_altered());
    assert_eq!((count(&l, M, Finding::Altered), l.foreigns.len()), (1, 0));
}

#[test]
fn what_was_altered_shows_when_the_primary_comes_and_is_nobody_elses() {
    let mut l = ledger(3);
    let right = op(1, at(1_000));
    let (mut other_did, other_time) = (right, Op { created_ms: right.created_ms + 5, ..right });
    other_did.key.did.0[0] ^= 1;
    live(&mut l, M, &other_did, 990);
    live(&mut l, SourceIx::mirror(1), &right, 991);
    live(&mut l, SourceIx::mirror(2), &other_time, 992);
    assert!((0..3).all(|m| count(&l, SourceIx::mirror(m), Finding::Altered) == 0), "nobody knows whose is right");
    live(&mut l, P, &right, 1_000);
    assert_eq!([0, 1, 2].map(|m| count(&l, SourceIx::mirror(m), Finding::Altered)), [1, 0, 1]);
    assert_eq!(named(&l, M, Finding::Altered), [other_did.key]);
    // Afterwards too, and once.
    live(&mut l, SourceIx::mirror(1), &other_did, 1_100);
    live(&mut l, SourceIx::mirror(1), &other_did, 1_200);
    live(&mut l, P, &Op { created_ms: 7, ..right }, 1_300);
    l.arrive(P, &Op { created_ms: 7, ..right }, at(1_400), Mode::Filled);
    assert_eq!((count(&l, SourceIx::mirror(1), Finding::Altered), count(&l, P, Finding::Altered)), (1, 1));
}

#[test]
fn one_content_under_many_dids_fills_nothing_and_blames_nobody_for_the_right_one() {
    let mut l = ledger(1);
    let right = op(1, at(60_000));
    for i in 0..40_u8 {
        let mut copy = right;
        copy.key.did.0[14] = i + 1;
        live(&mut l, M, &copy, 1_000 + i64::from(i));
    }
    live(&mut l, M, &right, 59_990);
    assert_eq!(l.foreigns.sightings().count(), 16);
    live(&mut l, P, &right, 60_000);
    prove(&mut l, 200_000);
    ticks(&mut l, 130_000);
    assert_eq!(verdict(&l, 0, 0), Verdict::Unknown, "it may have been among those that we let go");
}

#[test]
fn what_is_not_true_to_itself_is_named_by_what_it_claims() {
    let mut l = ledger(1);
    let genesis = op(1, at(1_000)).key;
    let claim = |computed| Claim { key: genesis, seq: None, computed };
    l.lied(M, &claim(Cid([7; 32])), at(1_000));
    l.lied(M, &claim(genesis.cid), at(1_001));
    l.lied(M, &claim(genesis.cid), at(1_002));
    assert_eq!((named(&l, M, Finding::Corrupt), named(&l, M, Finding::Altered)), (vec![genesis], vec![genesis]));
}

#[test]
fn what_was_withdrawn_is_nobodys_miss_and_counted_everywhere() {
    let mut l = ledger(3);
    let lost = op(1, at(1_000));
    live(&mut l, P, &lost, 1_000);
    live(&mut l, M, &lost, 1_040);
    prove(&mut l, 200_000);
    ticks(&mut l, 100_000);
    let late = op(2, at(150_000));
    live(&mut l, P, &late, 150_000);
    assert_eq!([0, 1].map(|m| verdict(&l, 0, m)), [Verdict::OnTime, Verdict::Missed]);
    l.withdraw(&lost.key);
    l.withdraw(&late.key);
    assert!((0..2).all(|n| (0..3).all(|m| verdict(&l, n, m) == Verdict::Withdrawn)));
    let acc = &l.interval(l.interval_of(at(1_000))).unwrap().mirrors[1];
    assert_eq!((acc.eligible(), acc.verdict(Verdict::Withdrawn), acc.decided()), (2, 2, 0));
    live(&mut l, SourceIx::mirror(1), &lost, 160_000);
    ticks(&mut l, 400_000);
    assert_eq!((verdict(&l, 0, 1), verdict(&l, 1, 2)), (Verdict::Withdrawn, Verdict::Withdrawn));
    assert_eq!(l.capture(false).mirrors[1].open_misses, 0);
    let other = OpKey { did: Did([9; 15]), ..lost.key };
    l.withdraw(&other);
    l.dispute(&other);
    assert!(l.disputed.is_empty(), "another DID's operation is another one");
}

#[test]
fn whoever_refuses_what_breaks_the_rules_has_not_missed_it() {
    let mut l = ledger(1);
    let (early, late) = (op(1, at(1_000)), op(2, at(100_000)));
    live(&mut l, P, &early, 1_000);
    prove(&mut l, 99_000);
    ticks(&mut l, 99_000);
    assert_eq!(verdict(&l, 0, 0), Verdict::Missed);
    live(&mut l, P, &late, 100_000);
    live(&mut l, P, &op(3, at(100_001)), 100_001);
    live(&mut l, M, &op(3, at(100_001)), 100_050);
    (1..=3).for_each(|i| l.dispute(&op(i, at(0)).key));
    assert_eq!([0, 1].map(|n| verdict(&l, n, 0)), [Verdict::Disputed, Verdict::Pending]);
    // A restart does not forget it.
    let (mut again, _) = restored(&saved(&mut l));
    for l in [&mut l, &mut again] {
        for s in [P, M] {
            l.open(s, at(110_000));
            l.filled(s, at(116_000));
        }
        prove(l, 300_000);
        ticks(l, 300_000);
        assert_eq!([0, 1].map(|n| verdict(l, n, 0)), [Verdict::Disputed; 2]);
        assert!(matches!(verdict(l, 2, 0), Verdict::OnTime | Verdict::Present), "what was delivered was delivered");
        assert_eq!(l.capture(false).mirrors[0].open_misses, 0);
    }
}

#[test]
fn an_explained_extra_is_counted_apart_and_may_turn_out_otherwise() {
    let own = linked(1, 9_999, None, at(70_000));
    let mut l = with_extra(&own);
    assert_eq!(extras(&l), [0, 1, 0, 0]);
    let asked: Vec<OpKey> = l.take_checks().iter().filter(|c| c.2 == About::Extra).map(|c| c.1).collect();
    assert_eq!(asked, [own.key]);
    for (finding, expected) in [
        (Finding::Unverifiable, [0, 1, 0, 0]),
        (Finding::KnownInvalid, [0, 0, 0, 1]),
        (Finding::PrimaryDenies, [0, 1, 0, 0]),
        (Finding::Withdrawn, [0, 0, 0, 1]),
    ] {
        l.found(M, &own.key, finding);
        assert_eq!((extras(&l), l.finding(M, &own.key)), (expected, Some(finding)), "{finding:?}");
    }
    let (again, _) = restored(&saved(&mut l));
    assert_eq!((extras(&again), again.finding(M, &own.key)), (extras(&l), Some(Finding::Withdrawn)));
    l.arrive(P, &own, at(199_700), Mode::Filled);
    assert_eq!(extras(&l), [0; 4]);
}

#[test]
fn what_the_primarys_log_lists_is_a_gap_of_its_stream_until_that_sends_it() {
    let own = linked(1, 9_999, None, at(70_000));
    let mut l = with_extra(&own);
    assert!(l.credit(&own, at(199_700)));
    l.found(M, &own.key, Finding::PrimaryStreamGap);
    let number = l.number_of(&own.key).unwrap();
    assert!(l.ring.cell(number, 0).unwrap().is_credited());
    assert_eq!((extras(&l), l.capture(false).primary_stream_gaps), ([0; 4], 1));
    assert!(!l.credit(&own, at(199_800)), "once");
    let (again, _) = restored(&saved(&mut l));
    assert_eq!(again.capture(false).primary_stream_gaps, 1);
    live(&mut l, P, &own, 199_900);
    assert_eq!(l.capture(false).primary_stream_gaps, 0);
}

#[test]
fn what_the_primarys_stream_lost_is_no_miss_of_a_mirror_that_follows_it() {
    let own = linked(1, 9_999, None, at(70_000));
    let mut l = with_extra_beside(&own, 2);
    assert!(l.credit(&own, at(199_700)));
    l.found(M, &own.key, Finding::PrimaryStreamGap);
    let kept = saved(&mut l);
    prove(&mut l, 400_000);
    ticks(&mut l, 400_000);
    let number = l.number_of(&own.key).unwrap();
    let cell = l.ring.cell(number, 1).unwrap();
    assert_eq!((cell.verdict(), cell.reason()), (Verdict::Unknown, Reason::PrimaryDown));
    // A restart knows it too.
    let (mut again, _) = restored(&kept);
    assert!(again.stream_gaps.has(again.number_of(&own.key).unwrap()));
    live(&mut again, P, &own, 199_900);
    assert_eq!(again.capture(false).primary_stream_gaps, 0);
}

#[test]
fn a_restart_knows_what_was_found_and_asks_about_the_rest() {
    let mut l = ledger(1);
    for i in 1..=4 {
        live(&mut l, P, &op(i, at(1_000)), 1_000 + i as i64);
    }
    prove(&mut l, 100_000);
    ticks(&mut l, 100_000);
    let keys = [1, 2, 3, 4].map(|i| op(i, at(1_000)).key);
    assert_eq!(l.take_checks(), keys.map(|key| (M, key, About::Miss)));
    assert_eq!(l.take_checks(), [], "once");
    l.found(M, &keys[0], Finding::DataLoss);
    l.found(M, &keys[1], Finding::Unverifiable);
    l.found(M, &keys[3], Finding::StreamLoss);
    live(&mut l, M, &op(4, at(1_000)), 100_100);
    ticks(&mut l, 200_000);
    let kept = saved(&mut l);
    let (mut again, _) = restored(&kept);
    assert_eq!(
        again.take_checks(),
        [0, 1, 2].map(|i: usize| (M, keys[i], About::Miss)),
        "the mirror may take it still"
    );
    let (mut much_later, _) = restored_after(&kept, 8 * 3_600 * SECOND);
    assert_eq!(much_later.take_checks(), [1, 2].map(|i: usize| (M, keys[i], About::Miss)), "the last look is over");
    again.found(M, &keys[0], Finding::Unverifiable);
    let c = again.capture(true);
    assert_eq!(
        keys.map(|key| c.finding(M, &key)),
        [Some(Finding::DataLoss), Some(Finding::Unverifiable), None, Some(Finding::StreamLoss)]
    );
    assert_eq!(c.mirrors[0].open_misses, 3, "what healed keeps its finding and is not open");
}

#[test]
fn findings_are_bounded_for_each_mirror_alone() {
    let mut l = ledger(2);
    l.findings.held_max = 3;
    let key = |i| op(i, at(0)).key;
    l.found(SourceIx::mirror(1), &key(1), Finding::DataLoss);
    (0..10).for_each(|i| l.found(M, &key(i), Finding::StreamLoss));
    l.found(SourceIx::mirror(7), &key(1), Finding::DataLoss);
    let c = l.capture(false);
    assert_eq!(
        (c.finding(SourceIx::mirror(1), &key(1)), c.finding(M, &key(9))),
        (Some(Finding::DataLoss), Some(Finding::StreamLoss))
    );
    assert_eq!((c.finding(M, &key(6)), c.found.iter().count()), (None, 4));
    assert_eq!([0, 1].map(|m: usize| c.mirrors[m].findings_let_go), [7, 0]);
}

#[test]
fn an_operation_that_overtakes_one_of_its_did_is_out_of_order() {
    let ops = [linked(1, 1, None, at(1_000)), linked(2, 2, None, at(1_000)), linked(1, 3, Some(1), at(1_000))];
    // Behind the primary; ahead of it; ahead of it and in one read.
    for (offset_ms, step_ms) in [(50, 1), (-500, 1), (-500, 0)] {
        for order in [[0, 1, 2], [2, 1, 0], [2, 0, 1], [1, 0, 2]] {
            let mut l = ledger(2);
            let mut told: Vec<(i64, SourceIx, usize)> = (0..3).map(|i| (1_000 + i as i64, P, i)).collect();
            told.extend((0..).zip(order).map(|(n, i)| (1_000 + offset_ms + n * step_ms, M, i)));
            told.sort_by_key(|t| t.0);
            for (ms, source, i) in told {
                let seq = if source == P {
                    10 + i as u64
                } else {
                    500 + ms.unsigned_abs() * 10 + order.iter().position(|o| *o == i).unwrap() as u64
                };
                live(&mut l, source, &Op { seq: Some(seq), ..ops[i] }, ms);
            }
            let is_wrong = order.iter().position(|i| *i == 2) < order.iter().position(|i| *i == 0);
            let expected = if is_wrong { vec![ops[2].key] } else { Vec::new() };
            assert_eq!(named(&l, M, Finding::OrderViolation), expected, "{order:?} {offset_ms} {step_ms}");
            assert_eq!([P, SourceIx::mirror(1)].map(|s| count(&l, s, Finding::OrderViolation)), [0, 0]);
        }
    }
}

#[test]
fn our_reconnects_and_fills_are_no_disorder_of_a_mirror() {
    let (first, second) = (linked(1, 1, None, at(1_000)), linked(1, 2, Some(1), at(1_001)));
    // A fill brings the first; a new connection brings it; we let frames go; the primary's own order came from a fill.
    for case in 0..4 {
        let mut l = ledger(1);
        if case == 3 {
            l.close(P);
            l.open(P, at(1_000));
            live(&mut l, P, &second, 1_001);
            l.arrive(P, &first, at(1_002), Mode::Filled);
        } else {
            live(&mut l, P, &first, 1_000);
            live(&mut l, P, &second, 1_001);
        }
        live(&mut l, M, &second, 1_050);
        match case {
            0 => {
                l.arrive(M, &first, at(1_100), Mode::Filled);
            }
            1 => {
                l.close(M);
                l.open(M, at(1_080));
            }
            2 => l.dropped(M, at(1_080)),
            _ => {}
        }
        live(&mut l, M, &first, 1_200);
        assert_eq!(count(&l, M, Finding::OrderViolation), 0, "case {case}");
    }
}

#[test]
fn the_primary_is_held_to_the_operations_own_order() {
    let mut l = ledger(1);
    let chain = [linked(1, 1, None, at(1_000)), linked(1, 2, Some(1), at(1_010)), linked(1, 3, Some(2), at(1_020))];
    live(&mut l, P, &chain[1], 1_100);
    live(&mut l, P, &chain[0], 1_101);
    live(&mut l, P, &chain[2], 1_102);
    for (op, ms) in chain.iter().zip(1_200..) {
        live(&mut l, M, op, ms);
    }
    assert_eq!(named(&l, P, Finding::OrderViolation), [chain[1].key]);
    assert_eq!(count(&l, M, Finding::OrderViolation), 0, "who puts it right is not blamed");
}

#[test]
fn what_is_too_far_out_of_order_is_counted_as_not_compared() {
    let mut l = ledger(1);
    l.limits.held_ops = 20_000;
    let ops: Vec<Op> = (0..6_000).map(|i| linked((i % 50 + 1) as u8, i, None, at(1_000 + i as i64))).collect();
    for (i, op) in ops.iter().enumerate() {
        live(&mut l, P, op, 1_000 + i as i64);
    }
    live(&mut l, M, &ops[5_999], 9_000);
    live(&mut l, M, &ops[9], 9_001);
    live(&mut l, M, &ops[5_949], 9_002);
    assert_eq!(
        (named(&l, M, Finding::OrderViolation), l.source(M).unwrap().content.unchecked),
        (vec![ops[5_999].key], 1)
    );
    l.order_budget = 10;
    live(&mut l, M, &ops[5_899], 9_003);
    assert_eq!(l.source(M).unwrap().content.unchecked, 2);
    l.tick(at(9_004));
    live(&mut l, M, &ops[5_849], 9_005);
    assert_eq!(count(&l, M, Finding::OrderViolation), 2);
}

#[test]
fn another_content_after_the_same_operation_is_found_once_and_at_its_source() {
    // Of the primary's operation 40 the mirror has a rival.
    let rival = linked(1, 9_999, Some(39), at(70_000));
    let mut l = with_extra(&rival);
    assert_eq!(named(&l, M, Finding::Equivocation), [rival.key]);
    assert_eq!(count(&l, P, Finding::Equivocation), 0);
    let (again, _) = restored(&saved(&mut l));
    assert_eq!(named(&again, M, Finding::Equivocation), [rival.key]);
    l.found(M, &rival.key, Finding::Nullified);
    assert_eq!(count(&l, M, Finding::Equivocation), 0, "the primary has that content too");
    // One that follows what nobody followed contradicts nothing.
    let own = linked(1, 9_999, Some(777), at(70_000));
    assert_eq!(count(&with_extra(&own), M, Finding::Equivocation), 0);
}

#[test]
fn a_mirror_that_contradicts_itself_is_found_and_two_that_contradict_each_other_are_not_told_apart() {
    let (first, second) = (linked(1, 9_998, Some(777), at(70_000)), linked(1, 9_999, Some(777), at(70_000)));
    let other = SourceIx::mirror(1);
    for second_at in [M, other] {
        let mut l = ledger(2);
        for i in 0..200 {
            live(&mut l, P, &linked(1, i as u64, (i > 0).then(|| i as u64 - 1), at(1_000 * i)), 1_000 * i);
            prove(&mut l, 1_000 * i);
            if i == 70 {
                live(&mut l, M, &first, 70_000);
                live(&mut l, second_at, &second, 70_500);
            }
            l.tick(at(1_000 * i));
        }
        assert!(l.wants_chain().is_some());
        l.chain(at(199_500), WHOLE);
        l.tick(at(199_600));
        let expected = if second_at == M { vec![second.key] } else { Vec::new() };
        assert_eq!(named(&l, M, Finding::Equivocation), expected);
        assert_eq!([P, other].map(|s| count(&l, s, Finding::Equivocation)), [0, 0]);
        l.find_forks(&[(M, first.key), (M, second.key)]);
        assert_eq!(named(&l, M, Finding::Equivocation), expected, "once");
    }
}

#[test]
fn two_contents_under_one_number_are_one_finding_whichever_comes_first() {
    for is_right_first in [true, false] {
        let mut l = ledger(2);
        let (right, rival) = (linked(1, 1, Some(7), at(1_000)), linked(1, 2, Some(7), at(1_000)));
        let (right, rival) = (Op { seq: Some(5), ..right }, Op { seq: Some(5), ..rival });
        live(&mut l, P, &right, 1_000);
        let order = if is_right_first { [right, rival] } else { [rival, right] };
        order.iter().zip(1_010..).for_each(|(op, ms)| live(&mut l, M, op, ms));
        live(&mut l, SourceIx::mirror(1), &Op { seq: Some(900), ..right }, 1_020);
        assert_eq!(named(&l, M, Finding::Equivocation), [rival.key]);
        prove(&mut l, 100_000);
        l.find_forks(&[(M, rival.key)]);
        assert_eq!([P, M, SourceIx::mirror(1)].map(|s| count(&l, s, Finding::Equivocation)), [0, 1, 0]);
    }
}

#[test]
fn numbers_that_go_back_are_told_and_no_fault() {
    let mut l = ledger(1);
    for (i, seq) in [(1, 900), (2, 901), (3, 1), (4, 2), (4, 2)] {
        live(&mut l, M, &Op { seq: Some(seq), ..op(i, at(1_000)) }, 1_000 + i as i64);
    }
    assert_eq!(named(&l, M, Finding::SeqRegress), [op(3, at(0)).key]);
    assert_eq!((count(&l, M, Finding::Duplicate), count(&l, M, Finding::Equivocation)), (1, 0));
    l.close(M);
    l.open(M, at(2_000));
    live(&mut l, M, &Op { seq: Some(1), ..op(5, at(2_000)) }, 2_100);
    assert_eq!(count(&l, M, Finding::SeqRegress), 2, "the number says so across connections");
}

#[test]
fn counts_and_latest_of_content_outlast_a_restart() {
    let mut l = ledger(1);
    let (a, b) = (linked(1, 1, None, at(1_000)), linked(1, 2, Some(1), at(1_010)));
    for op in [&a, &b] {
        live(&mut l, P, op, 1_100);
    }
    for op in [&b, &a, &a] {
        live(&mut l, M, op, 1_200);
    }
    l.tick(at(1_300).plus(MS));
    let (again, _) = restored(&saved(&mut l));
    assert_eq!([Finding::OrderViolation, Finding::Duplicate].map(|f| count(&again, M, f)), [1, 1]);
    assert_eq!(named(&again, M, Finding::OrderViolation), [b.key]);
}

#[test]
fn extras_that_wait_to_be_explained_are_bounded_and_leave_room_for_misses() {
    use crate::domain::ledger::findings::{EXTRAS_WAITING_MAX, Findings};
    let mut findings = Findings::default();
    let key = |i: usize| op(i as u64, at(0)).key;
    (0..EXTRAS_WAITING_MAX + 5).for_each(|i| findings.want(M, key(i), About::Extra));
    findings.want(M, key(0), About::Miss);
    assert_eq!(findings.let_go(0), 5);
    findings.want(SourceIx::mirror(1), key(9), About::Extra);
    assert_eq!(findings.let_go(1), 0);
}

#[test]
fn a_mirror_that_comes_back_owes_nothing_for_what_the_primary_sent_meanwhile() {
    let own = linked(1, 9_999, None, at(70_000));
    let mut l = ledger(1);
    live(&mut l, M, &own, 70_000);
    assert!(l.foreigns.get(&own.key, 0).is_some());
    let mut kept = saved(&mut l);
    // Without that mirror nobody waits for the operation, and nothing is told to be gone.
    let mut without = ledger(1);
    without.restore(&kept, "p", &["other".to_owned()]);
    live(&mut without, P, &own, 71_000);
    kept.segments.extend(without.prepare(&["other".to_owned()]).segments.into_iter().map(|s| s.bytes));
    kept.state = Some(without.save_state());
    let (again, _) = restored(&kept);
    assert!(again.number_of(&own.key).is_some() && again.foreigns.get(&own.key, 0).is_none());
}

/// A mirror's own operation, and a ledger to which the primary's chain came that lists what it has since `since`.
fn chained(since: Tau, earliest: Tau, mutant: Option<Mutant>) -> (Op, Ledger) {
    let own = op(9_999, at(70_000));
    let mut l = ledger(1);
    l.mutant = mutant;
    for i in 0..200 {
        let p = at(1_000 * i);
        l.arrive(P, &op(i as u64, p), p, Mode::Live);
        prove(&mut l, 1_000 * i);
        if i == 70 {
            l.arrive(M, &own, p, Mode::Live);
        }
        l.tick(p);
    }
    assert!(l.wants_chain().is_some());
    l.chain(at(199_500), ChainOutcome::Complete { since, earliest });
    l.tick(at(199_600));
    (own, l)
}

#[test]
fn a_chain_that_begins_behind_an_operation_says_nothing_of_it() {
    let played = |since, earliest, mutant| {
        let (own, mut l) = chained(since, earliest, mutant);
        let sighting = l.foreigns.get(&own.key, 0).unwrap();
        ((sighting.state, sighting.reason, sighting.is_closed), l.wants_chain().is_some())
    };
    let of = |state, reason, is_closed| (state, reason, is_closed);
    assert_eq!(played(at(60_000), at(60_000), None), (of(ExtraState::Extra, Reason::None, true), false));
    assert_eq!(played(at(100_000), at(100_000), None), (of(ExtraState::Unknown, Reason::NoChain, true), false));
    assert_eq!(
        played(at(100_000), at(60_000), None),
        (of(ExtraState::Pending, Reason::None, false), true),
        "another one may"
    );
    let blamed = played(at(100_000), at(100_000), Some(Mutant::ChainsListAll));
    assert_eq!(blamed.0.0, ExtraState::Extra, "an engine that believes every chain is caught here");
}

#[test]
fn an_extra_that_no_chain_settles_is_asked_about() {
    let (own, mut l) = chained(at(100_000), at(100_000), None);
    let of_own = |l: &mut Ledger| {
        let checks = l.take_checks().into_iter();
        checks.filter(|(_, key, about)| (*key, *about) == (own.key, About::Extra)).count()
    };
    assert_eq!((of_own(&mut l), of_own(&mut l)), (1, 0));
    l.ask_again();
    assert_eq!(of_own(&mut l), 1, "whoever had it was lost");
    l.found(M, &own.key, Finding::PrimaryDenies);
    l.ask_again();
    assert_eq!((of_own(&mut l), l.foreigns.get(&own.key, 0).unwrap().state), (0, ExtraState::Unknown));
    // What may still be listed by a chain waits for that.
    let (_, mut l) = chained(at(100_000), at(60_000), None);
    l.ask_again();
    assert_eq!(of_own(&mut l), 0);
}

#[test]
fn whoever_copies_what_the_primary_got_wrong_is_not_diverged() {
    let mut l = ledger(2);
    let claim = |n: u64| Claim { key: op(n, at(0)).key, seq: None, computed: Cid([7; 32]) };
    l.lied(P, &claim(1), at(1_000));
    l.lied(M, &claim(1), at(1_100));
    assert_eq!((count(&l, M, Finding::Corrupt), l.seen(0).unwrap().divergence), (1, None));
    l.lied(SourceIx::mirror(1), &claim(7), at(1_200));
    assert!(l.seen(1).unwrap().divergence.is_some());
}

#[test]
fn what_a_lost_auditor_had_taken_is_asked_about_again() {
    let mut l = ledger(1);
    live(&mut l, P, &op(1, at(1_000)), 1_000);
    prove(&mut l, 100_000);
    ticks(&mut l, 100_000);
    let taken = l.take_checks();
    assert_eq!(taken.len(), 1);
    l.ask_again();
    l.ask_again();
    assert_eq!(l.take_checks(), taken, "once");
    l.found(M, &op(1, at(1_000)).key, Finding::DataLoss);
    ticks(&mut l, 8 * 3_600_000);
    l.ask_again();
    assert_eq!(l.take_checks(), [], "what is explained and over is not");
}

#[test]
fn a_gap_of_the_stream_whose_count_was_lost_closes_without_harm() {
    let mut gaps = crate::domain::ledger::findings::StreamGaps::default();
    gaps.known(5);
    gaps.closed(5);
    assert_eq!((gaps.count, gaps.has(5)), (0, false));
}
