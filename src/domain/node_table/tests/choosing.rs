//! S: whom to choose. F: failures. R: round trips. H: moving to a better one. L: silence.

use super::*;

#[test]
fn s1_ourselves_and_nodes_that_are_connected_to_us_are_skipped() {
    let mut table = table(&["me.example", "in.example", "x.example"]);
    table.inbound_opened(1, inbound("in"), at(0));
    assert_eq!(table.select().as_deref(), Some("x.example"));
    // Known by its name as well, wherever it says to be.
    table.meet("x.example", "x");
    table.inbound_opened(2, Inbound { address: None, ..inbound("x") }, at(0));
    assert_eq!(table.select(), None);
    table.inbound_closed(2);
    assert_eq!(table.select().as_deref(), Some("x.example"));
}

#[test]
fn s2_the_fewest_failures() {
    let mut table = table(&["a.example", "b.example", "c.example"]);
    set(&mut table, "a.example", 3, None);
    assert_eq!(table.select().as_deref(), Some("b.example"), "the first of equals");
}

#[test]
fn s3_of_those_the_fastest() {
    let mut table = table(&["a.example", "b.example", "c.example"]);
    set(&mut table, "a.example", 0, Some(80));
    set(&mut table, "b.example", 0, Some(20));
    set(&mut table, "c.example", 3, Some(5));
    assert_eq!(table.select().as_deref(), Some("b.example"));
}

#[test]
fn s3a_the_unmeasured_never_beats_the_measured() {
    let mut table = table(&["a.example", "b.example"]);
    set(&mut table, "b.example", 0, Some(50));
    assert_eq!(table.select().as_deref(), Some("b.example"));
}

#[test]
fn s4_whoever_is_forced_wins_once() {
    let mut table = table(&["b.example", "c.example"]);
    set(&mut table, "c.example", 9, None);
    table.forced = Some("c.example".to_owned());
    assert_eq!(table.select().as_deref(), Some("c.example"));
    assert_eq!(table.select().as_deref(), Some("b.example"));
}

#[test]
fn s5_with_nobody_to_connect_to_it_looks_again_every_3_s() {
    let mut table = table(&["me.example"]);
    for s in [3, 6, 9] {
        assert_eq!(wanted(&table.tick(at(s))), Vec::<&str>::new());
        assert_eq!(*table.uplink(), Uplink::Waiting(at(s + 3)));
    }
}

#[test]
fn s6_3_s_pass_before_every_attempt() {
    let mut table = table(&["a.example"]);
    assert_eq!(wanted(&table.tick(at(3).plus(-1))), Vec::<&str>::new());
    connect(&mut table, at(3));
    table.uplink_ended("a.example", End::Failed, at(100));
    assert_eq!(wanted(&table.tick(at(103).plus(-1))), Vec::<&str>::new());
    assert_eq!(wanted(&table.tick(at(103))), ["a.example"]);
}

#[test]
fn after_the_tenth_attempt_in_a_row_the_wait_is_left_to_chance() {
    let mut table = table(&["a.example"]);
    let mut now = at(3);
    let mut waits_ns = Vec::new();
    for _ in 0..40 {
        assert_eq!(wanted(&table.tick(now)), ["a.example"]);
        table.uplink_ended("a.example", End::Failed, now);
        let Uplink::Waiting(until) = *table.uplink() else { panic!() };
        waits_ns.push(until.since(now));
        now = until;
    }
    assert!(waits_ns[..10].iter().all(|ns| *ns == 3 * SECOND), "{waits_ns:?}");
    assert!(waits_ns[10..].iter().all(|ns| (3 * SECOND..60 * SECOND).contains(ns)), "{waits_ns:?}");
    assert!(waits_ns[10..].iter().any(|ns| *ns > 30 * SECOND) && waits_ns[10..].iter().any(|ns| *ns < 30 * SECOND));
    table.tick(now);
    table.uplink_opened("a.example", "a", now);
    table.uplink_ended("a.example", End::Failed, now);
    assert_eq!(*table.uplink(), Uplink::Waiting(now.plus(3 * SECOND)));
}

#[test]
fn f1_a_failure_counts_3_and_once_an_attempt() {
    let mut table = table(&["a.example"]);
    let failures = |table: &NodeTable| table.nodes()[0].connection_failures;
    table.tick(at(3));
    table.uplink_ended("a.example", End::Failed, at(4));
    table.uplink_ended("a.example", End::Failed, at(4));
    assert_eq!(failures(&table), 3, "an error and the close behind it are one");
    // Not open within 7 s.
    table.tick(at(7));
    assert_eq!(table.tick(at(14).plus(-1)), []);
    assert!(table.tick(at(14)).contains(&Effect::Disconnect));
    assert_eq!(failures(&table), 6);
    assert_eq!(table.uplink_opened("a.example", "a", at(15)), [], "too late");
    assert!(!table.uplink().is_open());
}

#[test]
fn f2_a_connection_takes_1_away_and_never_below_0() {
    let mut table = table(&["a.example"]);
    set(&mut table, "a.example", 3, None);
    for (s, left) in [(3, 2), (10, 1), (20, 0), (30, 0)] {
        connect(&mut table, at(s));
        assert_eq!(table.nodes()[0].connection_failures, left);
        table.wait(at(s));
    }
}

#[test]
fn f3_failures_outlast_the_connection() {
    let mut table = table(&["a.example", "b.example"]);
    assert_eq!(connect(&mut table, at(3)), "a.example");
    table.uplink_ended("a.example", End::Failed, at(10));
    assert_eq!(connect(&mut table, at(13)), "b.example");
    table.uplink_ended("b.example", End::Failed, at(20));
    assert_eq!(connect(&mut table, at(23)), "a.example", "only when the other one failed as often");
}

#[test]
fn who_will_never_let_us_in_is_not_asked_again() {
    let mut table = table(&["a.example", "b.example"]);
    table.tick(at(3));
    table.uplink_ended("a.example", End::Refused("wrong-credentials".to_owned()), at(4));
    assert_eq!(connect(&mut table, at(7)), "b.example");
    assert_eq!(table.nodes()[0].refused.as_deref(), Some("wrong-credentials"));
    let done = pass(&mut table, at(8), minutes(60), true);
    let is_asked =
        |effect: &Effect| matches!(effect, Effect::Test(address) | Effect::Connect(address) if address == "a.example");
    assert!(!done.iter().any(|(_, effect)| is_asked(effect)));
}

#[test]
fn r1_the_last_20_round_trips() {
    let mut node = PeerNode::new("a.example".to_owned(), Origin::Initial, at(0));
    assert_eq!(node.mean_rtt_us(), None);
    (1..=25).for_each(|ms| node.measured(ms * 1_000, 20));
    assert_eq!((node.samples(), node.mean_rtt_us()), (20, Some(15_500)));
}

#[test]
fn r2_only_what_we_measured_counts() {
    let mut table = table(&["a.example"]);
    table.inbound_opened(1, inbound("b"), at(0));
    table.uplink_pong(1_000, at(1));
    assert!(table.nodes().iter().all(|node| node.samples() == 0), "there is no uplink that could have answered");
    connect(&mut table, at(3));
    table.uplink_pong(1_000, at(4));
    assert_eq!(table.nodes().iter().map(PeerNode::samples).collect::<Vec<_>>(), [1, 0]);
}

/// An uplink that answers within 100 ms, and another node that passed its test with `rtt_ms`.
fn two(rtt_ms: i64, failures: u32) -> NodeTable {
    let mut table = table(&["a.example", "b.example"]);
    set(&mut table, "a.example", 0, Some(100));
    connect_to(&mut table, "a.example");
    table.tested("b.example", answered("b", rtt_ms * 1_000, 20), at(3));
    table.node_mut("b.example").unwrap().connection_failures = failures;
    table
}

fn connect_to(table: &mut NodeTable, address: &str) {
    table.forced = Some(address.to_owned());
    connect(table, at(3));
    table.is_bridge = false;
}

#[test]
fn h1_a_much_better_node_is_moved_to_after_20_min() {
    let move_at = at(3 + 20 * 60);
    for (rtt_ms, is_moving) in [(70, false), (69, true)] {
        let mut table = two(rtt_ms, 0);
        table.uplink_heard(move_at.plus(-SECOND));
        assert!(!table.tick(move_at.plus(-SECOND)).contains(&Effect::Disconnect), "at 19:59");
        table.uplink_heard(move_at);
        // A test that was due runs first.
        table.tested("b.example", answered("b", rtt_ms * 1_000, 20), move_at);
        assert_eq!(table.tick(move_at).contains(&Effect::Disconnect), is_moving, "{rtt_ms} ms");
        if is_moving {
            assert_eq!(connect(&mut table, move_at.plus(3 * SECOND)), "b.example");
            assert_eq!(table.node("a.example").unwrap().connection_failures, 0, "nothing failed");
        }
    }
}

#[test]
fn h1_not_while_a_test_runs_nor_away_from_a_bridge() {
    let move_at = at(3 + 20 * 60);
    let mut tested = two(50, 0);
    tested.node_mut("b.example").unwrap().trial.begin(move_at);
    tested.uplink_heard(move_at);
    assert!(!tested.tick(move_at).contains(&Effect::Disconnect));
    let mut bridge = two(50, 0);
    bridge.is_bridge = true;
    bridge.uplink_heard(move_at);
    assert!(!bridge.tick(move_at).contains(&Effect::Disconnect));
}

#[test]
fn h2_only_to_who_failed_no_more_and_is_measured_enough() {
    let mut table = two(10, 3);
    let mut now = at(3);
    while now < minutes(24 * 60) {
        now = now.plus(5 * SECOND);
        table.uplink_heard(now);
        for effect in table.tick(now) {
            assert_ne!(effect, Effect::Disconnect, "it does not flap");
            if let Effect::Test(address) = effect {
                table.tested(&address, answered("b", 10_000, 20), now);
            }
        }
    }
    let mut few = two(10, 0);
    few.node_mut("b.example").unwrap().trial.state = trial::TrialState::Success(minutes(20));
    assert!(few.is_any_better());
    few.constants.max_ping_count = 21;
    assert!(!few.is_any_better(), "too few round trips");
}

#[test]
fn h3_one_move_of_our_own_will_in_20_min() {
    let mut table = two(10, 0);
    let (mut now, mut moves) = (at(3), Vec::new());
    // Whoever is not the uplink is always the faster one.
    while now < minutes(120) {
        now = now.plus(SECOND);
        table.uplink_heard(now);
        let effects = table.tick(now);
        for effect in effects {
            match effect {
                Effect::Disconnect => moves.push(now),
                Effect::Connect(address) => {
                    let other = if address == "a.example" { "b.example" } else { "a.example" };
                    table.uplink_opened(&address, address.split('.').next().unwrap(), now);
                    set(&mut table, &address, 0, Some(100));
                    set(&mut table, other, 0, Some(10));
                }
                Effect::Test(address) => {
                    table.tested(&address, answered(address.split('.').next().unwrap(), 10_000, 20), now);
                }
                Effect::Send(..) | Effect::Remove(_) => {}
            }
        }
    }
    assert!(moves.len() > 3, "{moves:?}");
    assert!(moves.windows(2).all(|pair| pair[1].since(pair[0]) >= 20 * 60 * SECOND), "{moves:?}");
}

#[test]
fn l1_an_uplink_that_is_silent_for_4_s_is_left() {
    let mut table = table(&["a.example", "b.example"]);
    connect(&mut table, at(3));
    table.uplink_heard(at(10));
    assert!(!table.tick(at(14).plus(-1)).contains(&Effect::Disconnect));
    assert_eq!(table.next_at(), at(14));
    assert!(table.tick(at(14)).contains(&Effect::Disconnect));
    assert_eq!(connect(&mut table, at(17)), "b.example");
}
