//! Whatever is cut, and whenever: every action reaches the other side once, in order, and nobody believes to have what it
//! has not.

use std::collections::HashSet;

use proptest::prelude::*;

use super::id::ActionId;
use super::local_pair::{LocalPair, Side};
use super::message::Protocol;

#[derive(Clone, Debug)]
enum Step {
    Add(bool, u8),
    Deliver(bool),
    Work(bool),
    Cut,
    Connect,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<bool>(), 1_u8..130).prop_map(|(to, n)| Step::Add(to, n)),
        12 => any::<bool>().prop_map(Step::Deliver),
        8 => any::<bool>().prop_map(Step::Work),
        1 => Just(Step::Cut),
        4 => Just(Step::Connect),
        2 => (1_u64..15_000).prop_map(Step::Pass),
    ]
}

/// All that `have` is believed to have of `of` up to `through` is there.
fn has_no_hole(have: &Side, of: &Side, through: u64) {
    let ids: HashSet<&ActionId> = have.log.iter().map(|entry| &entry.id).collect();
    for entry in of.log.iter().take_while(|entry| entry.added <= through) {
        assert!(ids.contains(&entry.id), "{} of {} is jumped over: {}", entry.added, through, entry.id);
    }
}

fn play(protocol: Protocol, steps: &[Step]) {
    let mut pair = LocalPair::new(protocol);
    pair.client.ahead_ms = 3_600_000;
    for step in steps {
        match step {
            Step::Add(to_server, n) => (0..*n).for_each(|_| pair.add(*to_server, "a")),
            Step::Deliver(to_server) => drop(pair.deliver(*to_server)),
            Step::Work(true) => drop(pair.server.work()),
            Step::Work(false) => drop(pair.client.work()),
            Step::Cut => pair.cut(),
            Step::Connect => pair.connect(),
            Step::Pass(ms) => pair.pass(*ms),
        }
        if pair.client.closed.is_some() || pair.server.closed.is_some() {
            pair.cut();
        }
        has_no_hole(&pair.client, &pair.server, pair.client.received);
        has_no_hole(&pair.server, &pair.client, pair.client.sent);
    }
    pair.cut();
    pair.connect();
    pair.settle();
    same_on_both_sides(&pair);
}

fn same_on_both_sides(pair: &LocalPair) {
    for (maker, other) in [(&pair.client, &pair.server), (&pair.server, &pair.client)] {
        let made = |side: &Side| -> Vec<ActionId> {
            let node = &maker.options.node_id;
            side.log.iter().filter(|entry| entry.id.node == *node).map(|entry| entry.id.clone()).collect()
        };
        assert_eq!(made(maker), made(other), "by {}", maker.options.node_id);
    }
    assert_eq!(pair.client.log.len(), pair.server.log.len());
    assert_eq!(pair.client.node.state(), super::State::Synchronized);
    assert_eq!(pair.server.node.state(), super::State::Synchronized);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_action_arrives_once_and_in_order_in_7(steps in prop::collection::vec(step(), 0..120)) {
        play(Protocol::Seven, &steps);
    }

    #[test]
    fn every_action_arrives_once_and_in_order_in_5(steps in prop::collection::vec(step(), 0..120)) {
        play(Protocol::Five, &steps);
    }
}
