//! G: fragments, and joining them.

use super::*;
use proptest::prelude::*;

/// Whom it asks and what it says to have, with the second.
fn errands(effects: &[(Tau, Effect)]) -> Vec<(i64, String, u64)> {
    let errand = |(now, effect): &(Tau, Effect)| match effect {
        Effect::Send(Link::Errand(address), Message { says: Says::Defragment { nodes }, .. }) => {
            Some((now.0 / SECOND, address.clone(), *nodes))
        }
        _ => None,
    };
    effects.iter().filter_map(errand).collect()
}

/// Its own name is `name`; it can reach `nodes`, itself with them.
fn reaching(name: &str, nodes: u64) -> NodeTable {
    let own = Own { node_id: name.to_owned(), address: Some(format!("{name}.example")) };
    let mut table = NodeTable::new(
        own,
        &["up.example".to_owned(), "other.example".to_owned()],
        true,
        Constants::default(),
        1,
        at(0),
    );
    connect(&mut table, at(3));
    let names = (2..nodes).map(|n| format!("{name}-{n}")).chain(["up".to_owned()]).collect();
    table.received(&Link::Uplink, &message("up", 1, Says::ConnectedNodes(names)), at(3));
    table
}

#[test]
fn g1_who_is_told_to_be_connected_can_be_reached() {
    let mut table = table(&["up.example"]);
    connect(&mut table, at(3));
    let names = ["up", "me", "b", "c"].map(str::to_owned).to_vec();
    table.received(&Link::Uplink, &message("up", 1, Says::ConnectedNodes(names)), at(4));
    assert_eq!(table.fragments.keys().collect::<Vec<_>>(), ["b", "c", "up"], "all but ourselves");
    table.inbound_opened(1, inbound("d"), at(4));
    let told = pass(&mut table, at(5), at(9), true).into_iter().find_map(|(_, effect)| match effect {
        Effect::Send(Link::Uplink, Message { says: Says::ConnectedNodes(names), .. }) => Some(names),
        _ => None,
    });
    assert_eq!(told, Some(["me", "d", "up"].map(str::to_owned).to_vec()), "ourselves and our links");
}

#[test]
fn g2_what_is_not_told_again_is_forgotten_after_an_hour() {
    let mut table = table(&["up.example"]);
    connect(&mut table, at(3));
    table.received(&Link::Uplink, &message("up", 1, Says::ConnectedNodes(vec!["b".to_owned()])), at(5));
    pass(&mut table, at(5), at(5 + 3_600), true);
    assert_eq!(table.fragments(), 1);
    pass(&mut table, at(5 + 3_601), at(5 + 3_606), true);
    assert_eq!(table.fragments(), 0);
}

#[test]
fn g3_a_node_that_cannot_be_reached_is_asked_every_10_min_each_in_turn() {
    let mut table = table(&["up.example", "x.example", "y.example", "z.example"]);
    set(&mut table, "up.example", 0, Some(1));
    connect(&mut table, at(3));
    for (address, node_id) in [("x.example", "x"), ("y.example", "y"), ("z.example", "z")] {
        table.meet(address, node_id);
    }
    let mut effects: Vec<(Tau, Effect)> = vec![(at(3), Effect::Test("x.example".to_owned()))];
    let mut asked = Vec::new();
    for s in 4..3_000 {
        if s % 60 == 0 {
            let of_us = Says::ConnectedNodes(vec!["up".to_owned(), "y".to_owned()]);
            table.received(&Link::Uplink, &message("up", s, of_us), at(s));
        }
        // Every test is passed at once.
        let mut done = 0;
        while let Some((now, effect)) = effects.get(done).cloned() {
            done += 1;
            if let Effect::Test(address) = effect {
                let passed = answered(address.split('.').next().unwrap(), 10_000, 20);
                effects.extend(table.tested(&address, passed, now).into_iter().map(|effect| (now, effect)));
            }
        }
        asked.extend(errands(&effects));
        effects = pass(&mut table, at(s), at(s), true);
    }
    let of: Vec<&str> = asked.iter().map(|(_, address, _)| address.as_str()).collect();
    assert_eq!(of, ["x.example", "z.example", "x.example", "z.example"], "never one that can be reached");
    assert!(asked.iter().all(|(_, _, nodes)| *nodes == 3), "us, our uplink and the one behind it: {asked:?}");
    assert!(asked[0].0 >= 600 && asked.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 600), "{asked:?}");
}

/// Whether the sender of a fragment of `n` moves, and whether the receiver of one of `m` does.
fn meet_and_ask(n: u64, m: u64) -> (bool, bool, Vec<Effect>) {
    let (mut sender, mut receiver) = (reaching("s", n), reaching("r", m));
    let ask = sender.message(Says::Defragment { nodes: sender.reachable() }, at(4));
    receiver.inbound_opened(9, Inbound { is_lasting: false, ..inbound("s") }, at(4));
    let answered = receiver.received(&Link::Inbound(9), &ask, at(4));
    let mut moved = answered.contains(&Effect::Disconnect).then(|| answered.clone());
    let is_receiver_moving = moved.is_some();
    sender.meet("other.example", "r");
    for effect in &answered {
        if let Effect::Send(Link::Inbound(9), message) = effect {
            let effects = sender.received(&Link::Errand("other.example".to_owned()), message, at(5));
            moved = effects.contains(&Effect::Disconnect).then_some(effects).or(moved);
        }
    }
    (sender.forced.is_some(), is_receiver_moving, moved.unwrap_or_default())
}

proptest! {
    #[test]
    fn g4_of_two_fragments_exactly_one_side_moves(n in 2_u64..500, m in 2_u64..500) {
        let (is_sender_moving, is_receiver_moving, _) = meet_and_ask(n, m);
        prop_assert_eq!((is_sender_moving, is_receiver_moving), (n < m, n >= m), "equal: the receiver");
    }
}

#[test]
fn g5_who_moves_tells_its_fragment_where_to() {
    for (n, m, other) in [(2, 5, "r"), (5, 2, "s")] {
        let (_, _, effects) = meet_and_ask(n, m);
        let [Effect::Send(Link::Uplink, told), Effect::Disconnect] = effects.as_slice() else { panic!("{effects:?}") };
        let Says::DistantNode { node_id, .. } = &told.says else { panic!("{told:?}") };
        assert_eq!(node_id, other);
    }
    let mut sender = reaching("s", 2);
    sender.received(&Link::Errand("other.example".to_owned()), &message("r", 1, Says::DefragmentGreaterCount), at(5));
    set(&mut sender, "other.example", 99, None);
    assert_eq!(connect(&mut sender, at(8)), "other.example", "whatever its failures");
    assert!(sender.is_bridge);
}

#[test]
fn g5_nobody_is_made_to_move_twice_in_20_min() {
    let mut table = reaching("r", 2);
    let mut moves = Vec::new();
    for s in 4..3_000 {
        table.inbound_opened(9, Inbound { is_lasting: false, ..inbound("s") }, at(s));
        table.uplink_heard(at(s));
        let asked = table.received(&Link::Inbound(9), &message("s", s, Says::Defragment { nodes: 99 }), at(s));
        moves.extend(asked.contains(&Effect::Disconnect).then_some(s));
        table.inbound_closed(9);
        for effect in table.tick(at(s)) {
            if let Effect::Connect(address) = effect {
                table.uplink_opened(&address, "s", at(s));
            }
        }
    }
    assert_eq!(moves, [4, 1_204, 2_404]);
}
