//! T: tests. I: ourselves. P: forgetting.

use super::*;
use trial::TrialState;

fn tests(effects: &[Effect]) -> Vec<&str> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Test(address) = effect { Some(address.as_str()) } else { None })
        .collect()
}

/// A table that knows one announced node, and its uplink.
fn with_announced() -> NodeTable {
    let mut table = table(&["hub.example"]);
    connect(&mut table, at(3));
    table.received(&Link::Uplink, &message("hub", 1, distant("x")), at(3));
    table
}

#[test]
fn t1_a_pending_node_is_tested_with_20_pings_and_one_with_a_link_is_not() {
    let mut table = table(&["a.example", "b.example"]);
    table.inbound_opened(1, inbound("b"), at(0));
    assert_eq!(tests(&table.tick(at(0))), ["a.example"]);
    assert_eq!(tests(&table.tick(at(5))), Vec::<&str>::new(), "one at a time");
    table.node_mut("a.example").unwrap().trial.failures = 2;
    table.tested("a.example", answered("a", 5_000, 20), at(6));
    let node = table.node("a.example").unwrap();
    assert_eq!((node.trial.state, node.trial.failures), (TrialState::Success(at(6)), 0));
    assert_eq!((node.samples(), node.mean_rtt_us(), node.node_id.as_deref()), (20, Some(5_000), Some("a")));
    assert_eq!(tests(&table.tick(at(10))), Vec::<&str>::new());

    let mut table = super::table(&["a.example"]);
    table.tick(at(0));
    table.tested("a.example", answered("a", 5_000, 19), at(1));
    assert_eq!((table.nodes()[0].trial.last_success, table.nodes()[0].trial.failures), (None, 1), "19 are not enough");
}

#[test]
fn t2_a_success_holds_for_10_min() {
    let mut table = table(&["a.example"]);
    table.tick(at(0));
    table.tested("a.example", answered("a", 5_000, 20), at(1));
    table.uplink = Uplink::Waiting(Tau::MAX);
    assert_eq!(tests(&table.tick(at(600))), Vec::<&str>::new());
    assert_eq!(tests(&table.tick(at(605))), ["a.example"]);
}

#[test]
fn t3_a_failed_test_is_repeated_later_and_later() {
    let mut table = table(&["a.example"]);
    table.uplink = Uplink::Waiting(Tau::MAX);
    let mut begun = Vec::new();
    for s in 0..3_000 {
        if tests(&table.tick(at(s))) == ["a.example"] {
            begun.push(s);
            table.tested("a.example", Tested::Failed, at(s));
        }
    }
    let waits: Vec<i64> = begun.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
    assert_eq!(table.nodes().len(), 1, "one of the configuration stays");
}

#[test]
fn t4_the_sixth_failure_removes_an_announced_node() {
    let mut table = with_announced();
    let mut failed = 0;
    for (now, effect) in pass_failing(&mut table) {
        match effect {
            Effect::Test(_) => failed += 1,
            Effect::Remove(address) => {
                assert_eq!((address.as_str(), failed), ("x.example", 6), "{now:?}");
                return;
            }
            _ => {}
        }
    }
    panic!("it is still there");
}

/// Ten minutes in which every test fails.
fn pass_failing(table: &mut NodeTable) -> Vec<(Tau, Effect)> {
    let mut all = Vec::new();
    for s in 4..600 {
        for (now, effect) in pass(table, at(s), at(s), true) {
            let failed = if let Effect::Test(address) = &effect {
                table.tested(address, Tested::Failed, now)
            } else {
                Vec::new()
            };
            all.push((now, effect));
            all.extend(failed.into_iter().map(|effect| (now, effect)));
        }
    }
    all
}

#[test]
fn t5_a_lost_test_is_begun_anew() {
    let mut table = table(&["a.example"]);
    table.uplink = Uplink::Waiting(Tau::MAX);
    assert_eq!(tests(&table.tick(at(0))), ["a.example"]);
    assert_eq!(tests(&table.tick(minutes(20))), Vec::<&str>::new());
    assert_eq!(tests(&table.tick(at(20 * 60 + 5))), ["a.example"]);
}

#[test]
fn t6_one_address_is_one_node_whatever_its_name() {
    let mut table = with_announced();
    table.tick(at(5));
    table.tested("x.example", answered("x-again", 1_000, 20), at(6));
    table.inbound_opened(1, Inbound { node_id: "x-third".to_owned(), ..inbound("x") }, at(7));
    let of_address: Vec<_> = table.nodes().iter().filter(|node| node.address == "x.example").collect();
    assert_eq!(of_address.len(), 1);
    assert_eq!(of_address[0].node_id.as_deref(), Some("x-again"), "as it told us where we connected to");
}

#[test]
fn i1_our_own_name_is_ourselves_for_ever_and_no_failure() {
    // Of the configuration, under two addresses that are not the one we know of.
    let mut table = table(&["nat-1.example", "nat-2.example", "a.example"]);
    assert_eq!(wanted(&table.tick(at(3))), ["nat-1.example"]);
    assert_eq!(table.uplink_opened("nat-1.example", "me", at(4)), [Effect::Disconnect]);
    assert_eq!(tests(&table.tick(at(5))), Vec::<&str>::new(), "the test of the first one is under way");
    table.tested("nat-1.example", answered("me", 1_000, 20), at(5));
    assert_eq!(wanted(&table.tick(at(7))), ["nat-2.example"]);
    table.uplink_opened("nat-2.example", "me", at(7));
    assert_eq!(connect(&mut table, at(10)), "a.example");
    assert!(table.nodes()[..2].iter().all(|node| node.is_self && node.connection_failures == 0 && node.samples() == 0));
    let done = pass(&mut table, at(10), minutes(90), true);
    assert!(!done.iter().any(|(_, effect)| matches!(effect, Effect::Test(address) if address.starts_with("nat"))));
    assert_eq!(table.inbound_opened(1, inbound("me"), minutes(90)), []);
    assert_eq!(table.inbound().count(), 0);
}

#[test]
fn p1_what_was_not_reached_for_an_hour_is_forgotten() {
    let mut table = with_announced();
    table.tick(at(5));
    table.tested("x.example", answered("x", 1_000, 20), at(5));
    table.inbound_opened(1, inbound("y"), at(5));
    let mut removed = Vec::new();
    let mut now = at(5);
    while now < minutes(70) {
        now = now.plus(SECOND);
        table.uplink_heard(now);
        // No test is answered: they are lost, and are no failures.
        for effect in table.tick(now) {
            if let Effect::Remove(address) = effect {
                removed.push((now, address));
            }
        }
    }
    assert_eq!(removed.len(), 1, "{removed:?}");
    assert_eq!(removed[0].1, "x.example");
    assert!(removed[0].0.since(at(5)) > 3_600 * SECOND && removed[0].0.since(at(5)) <= 3_605 * SECOND);
    let left: Vec<_> = table.nodes().iter().map(|node| node.address.as_str()).collect();
    assert_eq!(left, ["hub.example", "y.example"], "the uplink, and who is connected to us");
}
