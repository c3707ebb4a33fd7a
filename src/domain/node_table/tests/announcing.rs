//! D: announcing. M: messages that come twice. Bounds.

use super::*;

#[test]
fn d1_a_newcomer_is_announced_and_told_of_all_others() {
    let mut table = table(&["up.example"]);
    connect(&mut table, at(3));
    table.inbound_opened(1, inbound("b"), at(4));
    table.inbound_opened(2, inbound("c"), at(4));
    let told_of = told(&table.inbound_opened(3, inbound("a"), at(5)));
    let named =
        |link: Link, names: &[&str]| names.iter().map(|name| (link.clone(), (*name).to_owned())).collect::<Vec<_>>();
    let want = [
        named(Link::Uplink, &["a"]),
        named(Link::Inbound(1), &["a"]),
        named(Link::Inbound(2), &["a"]),
        named(Link::Inbound(3), &["b", "c"]),
    ];
    assert_eq!(told_of, want.concat());
    let hidden = Inbound { address: None, ..inbound("hidden") };
    let told_of = told(&table.inbound_opened(4, hidden, at(6)));
    assert_eq!(told_of, named(Link::Inbound(4), &["b", "c", "a"]), "who cannot be reached is announced to nobody");
}

#[test]
fn d2_a_node_that_was_unknown_is_taken_in_answered_and_passed_on() {
    let mut table = table(&["up.example"]);
    connect(&mut table, at(3));
    table.inbound_opened(1, inbound("b"), at(4));
    table.inbound_opened(2, inbound("c"), at(4));
    let message = message("b", 1, distant("x"));
    let effects = table.received(&Link::Inbound(1), &message, at(5));
    let [Effect::Send(Link::Inbound(1), answer), Effect::Send(Link::Inbound(2), passed_on)] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(answer.says, Says::DistantNode { node_id: "me".to_owned(), address: None });
    assert_eq!(*passed_on, message, "under its own name");
    let node = table.node("x.example").unwrap();
    assert_eq!((node.origin, node.trial.state), (Origin::Distant, trial::TrialState::Pending));
}

#[test]
fn d3_what_is_known_is_passed_on_to_nobody() {
    let mut table = table(&[]);
    table.inbound_opened(1, inbound("b"), at(4));
    table.inbound_opened(2, inbound("c"), at(4));
    assert!(!table.received(&Link::Inbound(1), &message("b", 1, distant("x")), at(5)).is_empty());
    assert_eq!(table.received(&Link::Inbound(2), &message("c", 1, distant("x")), at(6)), []);
    assert_eq!(table.received(&Link::Inbound(2), &message("c", 2, distant("me")), at(6)), []);
}

#[test]
fn d3_in_a_ring_of_5_every_announcement_ends() {
    // Each is connected to the next; each of them announces a node that nobody knows.
    let mut ring: Vec<NodeTable> = (0..5)
        .map(|n| {
            let own = Own { node_id: format!("n{n}"), address: Some(format!("n{n}.example")) };
            let mut table =
                NodeTable::new(own, &[format!("n{}.example", (n + 1) % 5)], true, Constants::default(), 1, at(0));
            table.tick(at(3));
            table.uplink_opened(&format!("n{}.example", (n + 1) % 5), &format!("n{}", (n + 1) % 5), at(3));
            table.inbound_opened(1, inbound(&format!("n{}", (n + 4) % 5)), at(3));
            table
        })
        .collect();
    let mut on_the_way: Vec<(usize, Link, Message)> = vec![(0, Link::Inbound(1), message("n4", 1, distant("x")))];
    let mut sent = 0;
    while let Some((to, from, message)) = on_the_way.pop() {
        sent += 1;
        assert!(sent <= 5, "it goes on and on");
        for effect in ring[to].received(&from, &message, at(4)) {
            match effect {
                Effect::Send(Link::Uplink, message) => on_the_way.push(((to + 1) % 5, Link::Inbound(1), message)),
                Effect::Send(Link::Inbound(_), message) => on_the_way.push(((to + 4) % 5, Link::Uplink, message)),
                _ => {}
            }
        }
    }
}

#[test]
fn d4_what_the_uplink_announces_is_not_passed_on() {
    let mut table = table(&["up.example"]);
    connect(&mut table, at(3));
    table.inbound_opened(1, inbound("b"), at(4));
    assert_eq!(table.received(&Link::Uplink, &message("up", 1, distant("x")), at(5)), []);
    assert!(table.node("x.example").is_some());
    let nameless = Says::DistantNode { node_id: "up".to_owned(), address: None };
    assert_eq!(table.received(&Link::Uplink, &message("up", 2, nameless), at(5)), []);
    assert_eq!(table.nodes().len(), 3);
}

#[test]
fn d5_an_announced_node_is_no_candidate_before_it_passed_a_test() {
    let mut table = table(&["up.example"]);
    connect(&mut table, at(3));
    table.received(&Link::Uplink, &message("up", 1, distant("x")), at(4));
    table.uplink_ended("up.example", End::Failed, at(4));
    assert_eq!(table.select().as_deref(), Some("up.example"), "though that one has failed");
    table.tick(at(5));
    table.tested("up.example", Tested::Failed, at(5));
    table.tick(at(10));
    table.tested("x.example", answered("x", 1_000, 20), at(11));
    assert_eq!(table.select().as_deref(), Some("x.example"));
}

#[test]
fn with_announced_refused_only_the_configuration_counts() {
    let own = Own { node_id: "me".to_owned(), address: None };
    let mut table = NodeTable::new(own, &["up.example".to_owned()], false, Constants::default(), 1, at(0));
    connect(&mut table, at(3));
    table.inbound_opened(1, inbound("b"), at(4));
    table.inbound_opened(2, inbound("c"), at(4));
    assert_eq!(table.received(&Link::Uplink, &message("up", 1, distant("x")), at(5)), []);
    assert_eq!(table.received(&Link::Inbound(1), &message("b", 1, distant("y")), at(5)), []);
    assert_eq!(table.nodes().len(), 1);
    assert_eq!(table.refused(), (4, 0));
    // Nor does anyone make us move to where the configuration does not say.
    let asked = message("b", 2, Says::Defragment { nodes: 99 });
    let effects = table.received(&Link::Inbound(1), &asked, at(6));
    assert!(matches!(effects.as_slice(), [Effect::Send(_, Message { says: Says::DefragmentGreaterCount, .. })]));
}

#[test]
fn m1_a_message_counts_once_in_5_min() {
    let mut table = table(&["up.example"]);
    connect(&mut table, at(3));
    table.inbound_opened(1, inbound("b"), at(4));
    let message = message("far", 1, Says::ConnectedNodes(vec!["far".to_owned()]));
    assert_eq!(table.received(&Link::Uplink, &message, at(5)), [Effect::Send(Link::Inbound(1), message.clone())]);
    assert_eq!(table.received(&Link::Inbound(1), &message, at(6)), []);
    assert_eq!(table.received(&Link::Inbound(1), &message, at(5 + 300)), []);
    let again = table.received(&Link::Inbound(1), &message, at(5 + 301));
    assert_eq!(again, [Effect::Send(Link::Uplink, message.clone())]);
    assert_eq!(table.received(&Link::Inbound(7), &message, at(1_000)), [], "by a link that is not there");
}

#[test]
fn everything_is_bounded() {
    let mut table = table(&["up.example"]);
    table.constants.inbound_max = 300;
    connect(&mut table, at(3));
    let mut ms = 0;
    let mut announce = |table: &mut NodeTable, from: Link, name: String| {
        ms += 1;
        table.received(&from, &message("any", ms, distant(&name)), at(4));
    };
    (0..100).for_each(|n| announce(&mut table, Link::Uplink, format!("u{n}")));
    assert_eq!((table.nodes().len(), table.refused().0), (65, 36), "64 of one announcer");
    (0..400).for_each(|n| drop(table.inbound_opened(n, inbound(&format!("i{n}")), at(5))));
    assert_eq!((table.nodes().len(), table.inbound().count(), table.refused().1), (256, 300, 100));
    let names = (0..5_000).map(|n| format!("f{n}")).collect();
    table.received(&Link::Uplink, &message("up", 9_999, Says::ConnectedNodes(names)), at(6));
    assert_eq!(table.fragments(), 1_024);
    let mut seen = Seen::default();
    (0..10_000).for_each(|ms| assert!(seen.is_new(&MessageId { ms, node_id: String::new() }, at(0), SECOND, 4_096)));
    assert!(!seen.is_new(&MessageId { ms: 9_999, node_id: String::new() }, at(0), SECOND, 4_096));
    assert!(
        seen.is_new(&MessageId { ms: 0, node_id: String::new() }, at(0), SECOND, 4_096),
        "the oldest was forgotten"
    );
}
