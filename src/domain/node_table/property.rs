//! Many nodes together, whatever is cut and whoever ends: one uplink at most, soon another, moves are rare, every action
//! reaches everyone once, and what was apart comes together.

use proptest::prelude::*;

use super::world::World;

const MINUTE_MS: i64 = 60_000;
/// A new uplink is there within the wait and the longest attempt.
const NEW_UPLINK_MS: i64 = 3_000 + 7_000;
/// Moves of one's own will are so far apart.
const MOVES_MS: i64 = 20 * MINUTE_MS;
/// What was apart for less than this after a cut may still be.
const TOGETHER_WITHIN_MS: i64 = 12 * 60 * MINUTE_MS;

/// How many nodes, whether all know all from the start, and how long the ways between them are.
fn plan() -> impl Strategy<Value = (usize, bool, Vec<i64>)> {
    let rtts = |count: usize| prop::collection::vec(1_i64..300, count * count);
    (3_usize..=30).prop_flat_map(move |count| (Just(count), any::<bool>(), rtts(count)))
}

fn world((count, is_mesh, rtts): (usize, bool, Vec<i64>)) -> World {
    let rtt = |a: usize, b: usize| rtts[a.min(b) * count + a.max(b)];
    World::new(count, is_mesh, (0..count).map(|a| (0..count).map(|b| rtt(a, b)).collect()).collect())
}

/// Lets time pass and looks at everything once a second.
fn pass_looking(world: &mut World, ms: i64) {
    for _ in 0..ms / 1_000 {
        world.pass(1_000);
        for node in 0..world.nodes.len() {
            let wires = world.wires_from(node);
            let is_linked = world.nodes[node].table.uplink().address().is_some();
            assert!(wires <= usize::from(is_linked), "node {node} has {wires} uplinks");
        }
    }
}

/// Until all are together; for how long that took.
fn until_together(world: &mut World) -> i64 {
    let begun_ms = world.now_ms;
    while world.components().len() > 1 {
        assert!(world.now_ms - begun_ms < TOGETHER_WITHIN_MS, "still apart: {:?}", world.components());
        world.pass(MINUTE_MS);
    }
    world.now_ms - begun_ms
}

fn moves_are_rare(world: &World) {
    for node in &world.nodes {
        let is_rare = node.moves_ms.windows(2).all(|pair| pair[1] - pair[0] >= MOVES_MS);
        assert!(is_rare, "{:?}", node.moves_ms);
    }
}

/// Every action is where it can be reached from, once.
fn acted_everywhere(world: &mut World) {
    let actions: Vec<u64> = (0..world.nodes.len())
        .filter(|node| world.nodes[*node].is_alive)
        .collect::<Vec<_>>()
        .into_iter()
        .map(|node| world.act(node))
        .collect();
    world.pass(2_000);
    for node in world.nodes.iter().filter(|node| node.is_alive) {
        for action in &actions {
            assert_eq!(node.log.get(action), Some(&1), "action {action}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn after_its_uplink_ended_a_node_has_another_soon(plan in plan(), who in any::<prop::sample::Index>()) {
        let mut world = world(plan);
        pass_looking(&mut world, 15 * MINUTE_MS);
        let dead = who.index(world.nodes.len());
        let orphans: Vec<usize> = (0..world.nodes.len()).filter(|node| world.uplink_of(*node) == Some(dead)).collect();
        world.set_alive(dead, false);
        let mut left = orphans;
        for _ in 0..NEW_UPLINK_MS / 500 {
            world.pass(500);
            left.retain(|node| world.uplink_of(*node).is_none());
        }
        // Whoever is left is connected to by all that it knows.
        for node in left {
            let table = &mut world.nodes[node].table;
            let chosen = table.select();
            let is_dead = chosen.as_deref() == Some(format!("n{dead}.example").as_str());
            prop_assert!(chosen.is_none() || is_dead, "node {} wants {:?}", node, chosen);
        }
        moves_are_rare(&world);
    }

    #[test]
    fn all_come_together_after_cuts_and_every_action_reaches_everyone_once(
        plan in plan(),
        cuts in prop::collection::vec((prop::collection::vec(0_u8..3, 30), 1_i64..120), 0..4),
    ) {
        let mut world = world(plan);
        until_together(&mut world);
        acted_everywhere(&mut world);
        for (side, minutes) in cuts {
            let count = world.nodes.len();
            world.cut(side[..count].to_vec());
            // Made while apart: on the way when all are together again.
            for node in 0..count {
                world.act(node);
            }
            pass_looking(&mut world, minutes * MINUTE_MS);
        }
        let count = world.nodes.len();
        world.cut(vec![0; count]);
        until_together(&mut world);
        acted_everywhere(&mut world);
        let all = world.nodes[0].log.clone();
        prop_assert!(all.values().all(|times| *times == 1));
        prop_assert!(world.nodes.iter().all(|node| node.log == all));
        moves_are_rare(&world);
    }
}

#[test]
fn two_islands_become_one_and_nobody_is_left_alone() {
    // Two groups of three, near each other and far from the others; who is near is chosen first.
    let rtt = |a: usize, b: usize| if a / 3 == b / 3 { 5 } else { 200 };
    let mut world = World::new(6, true, (0..6).map(|a| (0..6).map(|b| rtt(a, b)).collect()).collect());
    world.cut(vec![0, 0, 0, 1, 1, 1]);
    pass_looking(&mut world, 5 * MINUTE_MS);
    assert_eq!(world.components().len(), 2);
    world.cut(vec![0; 6]);
    let took_ms = until_together(&mut world);
    assert!(took_ms < 60 * MINUTE_MS, "{took_ms} ms");
    acted_everywhere(&mut world);
    pass_looking(&mut world, 180 * MINUTE_MS);
    assert_eq!(world.components().len(), 1, "and they stay so");
    moves_are_rare(&world);
}
