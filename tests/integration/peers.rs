//! Nodes that choose peers, as processes of their own on this machine.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::logux::{get, until};
use crate::world::fleet::{Node, SECRET, all_act, all_have, secrets, written};
use crate::world::stalls::Stalls;
use crate::world::test;

/// Nodes of the fleet.
const COUNT: usize = 5;
/// After the uplink's end another one is there within this, or the node is everyone's.
const NEW_UPLINK_WITHIN: Duration = Duration::from_secs(10);
/// How often a new uplink is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[test]
fn two_nodes_exchange_their_logs_and_go_on_after_a_kill() {
    test(async {
        let hub = Node::start_serving("hub").await;
        let mut leaf = Node::start("leaf", &[&hub]).await;
        let actions = vec![hub.own_action().await, leaf.own_action().await];
        let mut nodes = vec![hub, leaf];
        all_have(&nodes, &actions).await;
        until("both have everything", async || {
            let peering = nodes[1].peering().await;
            (peering["uplink"]["state"] == "synchronized" && peering["uplink"]["node"] == "hub").then_some(())
        })
        .await;
        assert_eq!(nodes[0].peering().await, Value::Null, "who has no peers chooses none");
        let (_, internals) = get(&nodes[1].process, "/api/v1/internals").await;
        assert!(!internals.to_string().contains(SECRET));

        leaf = nodes.remove(1);
        let before = leaf.actions().await;
        leaf.process.kill();
        leaf.start_again().await;
        let of_leaf = " leaf 0";
        let new = until("a new action of the leaf", async || {
            leaf.actions().await.into_iter().find(|id| id.ends_with(of_leaf) && !before.contains(id))
        })
        .await;
        nodes.push(leaf);
        all_have(&nodes, &[actions, vec![new]].concat()).await;
    });
}

#[test]
fn a_peer_that_never_lets_us_in_is_shown_and_not_asked_again() {
    test(async {
        let hub = Node::start_serving("hub").await;
        let wrong = "another-token-of-more-than-thirty-two-characters";
        let stranger = Node::start_as("stranger", &[(hub.url(), wrong)], &json!({}), &[]).await;
        until("it is refused", async || {
            let peering = stranger.peering().await;
            (peering["peers"][0]["refused"] == "wrong-credentials" && peering["uplink"]["state"] == "wait")
                .then_some(())
        })
        .await;
        assert!(!stranger.peering().await.to_string().contains(wrong));
    });
}

/// Waits until each has another uplink than `dead`, or all others come to it: within the limit, but for what the machine
/// took away of both that are to connect.
async fn all_have_another_uplink(nodes: &[Node], dead: &mut Node) {
    let stalls = Stalls::watch();
    let waited = |nodes: &[Node]| -> Vec<u64> { nodes.iter().map(|node| node.process.waited_ms()).collect() };
    let before_ms = waited(nodes);
    dead.process.kill();
    let killed = Instant::now();
    let mut left: Vec<&Node> = nodes.iter().collect();
    loop {
        let mut without = Vec::new();
        for node in left {
            let is_linked = node.uplink().await.is_some_and(|uplink| uplink != dead.name);
            let others = nodes.len() as u64 - 1;
            if !is_linked && node.peering().await["connected_to_us"].as_u64() != Some(others) {
                without.push(node);
            }
        }
        if without.is_empty() {
            return;
        }
        left = without;
        let mut waited_ms: Vec<u64> = waited(nodes).iter().zip(&before_ms).map(|(now, before)| now - before).collect();
        waited_ms.sort_unstable();
        let of_two: u64 = waited_ms.iter().rev().take(2).sum();
        let taken = stalls.between(killed.into_std(), Instant::now().into_std()).max(Duration::from_millis(of_two));
        let names: Vec<&str> = left.iter().map(|node| node.name.as_str()).collect();
        let took = killed.elapsed();
        assert!(took <= NEW_UPLINK_WITHIN + taken, "{names:?} have none after {took:?}, of which {taken:?} were taken");
        sleep(LOOK_EVERY).await;
    }
}

/// Those that are linked with each other, directly or through others.
async fn components(nodes: &[Node]) -> Vec<Vec<&Node>> {
    let mut components: Vec<Vec<&Node>> = nodes.iter().map(|node| vec![node]).collect();
    for node in nodes {
        let Some(uplink) = node.uplink().await else { continue };
        let linked = [node.name.as_str(), uplink.as_str()];
        let touches = |component: &Vec<&Node>| component.iter().any(|node| linked.contains(&node.name.as_str()));
        let (touching, mut apart): (Vec<_>, Vec<_>) = components.into_iter().partition(touches);
        apart.push(touching.into_iter().flatten().collect());
        components = apart;
    }
    components
}

#[test]
fn five_nodes_find_each_other_from_one_address_and_do_without_it() {
    test(async {
        let mut first = Node::start("n0", &[]).await;
        let mut nodes = Vec::new();
        for n in 1..COUNT {
            nodes.push(Node::start(&format!("n{n}"), &[&first]).await);
        }
        let mut actions = vec![first.own_action().await];
        for node in &nodes {
            actions.push(node.own_action().await);
        }
        all_have(nodes.iter().chain([&first]), &actions).await;
        until("the first knows that it is itself", async || {
            (first.peering().await["peers"][0]["is_self"] == true).then_some(())
        })
        .await;
        for node in &nodes {
            until("it knows all others, has tested those that it may need, and has an uplink", async || {
                let peering = node.peering().await;
                // Which of them leads is its own choice: a disk that was slow for a moment may have cost the first its place.
                let is_found = |peer: &&Value| peer["origin"] != "configuration" && !peer["node"].is_null();
                let found: Vec<&Value> = peering["peers"].as_array()?.iter().filter(is_found).collect();
                let untested = found.iter().filter(|peer| peer["rtt_ms"].is_null()).count() as u64;
                let is_ready = found.len() == COUNT - 2 && untested <= peering["connected_to_us"].as_u64()?;
                (peering["uplink"]["node"].is_string() && is_ready).then_some(())
            })
            .await;
        }
        tells_of_its_peers(&first).await;

        all_have_another_uplink(&nodes, &mut first).await;
        let actions = all_act(&nodes, "after").await;
        for component in components(&nodes).await {
            all_have(component.iter().copied(), &written(&actions, &component)).await;
        }
        for node in &nodes {
            until("its new uplink is told of", async || {
                let Some(uplink) = node.uplink().await else { return Some(()) };
                let told = node.told(&node.name, "Event_UplinkChanged").await;
                let is_last = told.last()?.starts_with(&format!("{uplink} at ws://127.0.0.1:"));
                (told.len() > 1 && is_last).then_some(())
            })
            .await;
        }
    });
}

/// All of its events of peers are in its log: each node came to it first, and each is told of once.
async fn tells_of_its_peers(first: &Node) {
    let told = |event: &'static str| async move { first.told("n0", event).await };
    let (one, others) = until("it told of all that came", async || {
        let (one, others) = (told("Event_FirstPeerConnected").await, told("Event_NewPeerConnected").await);
        (one.len() + others.len() >= COUNT - 1).then_some((one, others))
    })
    .await;
    let came: BTreeSet<&str> = one.iter().chain(&others).map(String::as_str).collect();
    let all = ["fleet:n1:1 is in", "fleet:n2:1 is in", "fleet:n3:1 is in", "fleet:n4:1 is in"];
    assert_eq!((one.len(), others.len(), came), (1, COUNT - 2, BTreeSet::from(all)), "{others:?}");
    for n in 1..COUNT {
        until("the uplink of each is told of", async || {
            let told = first.told(&format!("n{n}"), "Event_UplinkChanged").await;
            told.first()?.starts_with("n0 at ws://127.0.0.1:").then_some(())
        })
        .await;
        assert_eq!(first.told(&format!("n{n}"), "Event_NodeStarted").await.len(), 1);
    }
}

#[test]
fn two_islands_become_one_by_a_node_that_knows_one_of_each() {
    test(async {
        // Groups look for each other often.
        let soon = json!({ "defragmentSeconds": 5 });
        let start = async |name, peers: &[&Node]| Node::start_as(name, &secrets(peers), &soon, &[]).await;
        let (a, b) = (start("a0", &[]).await, start("b0", &[]).await);
        let (a1, b1) = (start("a1", &[&a]).await, start("b1", &[&b]).await);
        let mut nodes = vec![a, a1, b, b1];
        let mut actions = all_act(&nodes, "before").await;
        for (island, others) in [(&nodes[..2], &nodes[2..]), (&nodes[2..], &nodes[..2])] {
            let of_island = written(&actions, &island.iter().collect::<Vec<_>>());
            all_have(island, &of_island).await;
            for node in others {
                let log = node.actions().await;
                assert!(of_island.iter().all(|id| !log.contains(id)), "nothing gets across yet");
            }
        }
        let bridge = start("bridge", &[&nodes[0], &nodes[2]]).await;
        nodes.push(bridge);
        actions.extend(all_act(&nodes, "while").await);
        all_have(&nodes, &actions).await;
        actions.extend(all_act(&nodes, "after").await);
        for node in &nodes {
            actions.extend(node.actions().await);
        }
        all_have(&nodes, &actions).await;
    });
}

#[test]
fn a_node_that_lost_its_log_gets_it_back_from_those_that_come_to_it() {
    test(async {
        let mut hub = Node::start_serving("hub").await;
        let leaf = Node::start("leaf", &[&hub]).await;
        let mut actions = vec![hub.own_action().await, leaf.own_action().await];
        actions.extend(all_act(std::slice::from_ref(&hub), "before").await);
        all_have([&hub, &leaf], &actions).await;
        hub.process.kill();
        std::fs::remove_dir_all(hub.dir.path().join("data")).unwrap();
        hub.start_again().await;
        actions.push(hub.own_action().await);
        all_have([&hub, &leaf], &actions).await;
    });
}

#[test]
fn who_answers_elsewhere_under_the_name_of_another_changes_nothing_of_what_that_one_has() {
    test(async {
        let mut liar = Node::start_serving("hub").await;
        liar.process.kill();
        let mut hub = Node::start_serving("hub").await;
        let leaf = Node::start("leaf", &[&hub, &liar]).await;
        all_have([&hub, &leaf], &[hub.own_action().await, leaf.own_action().await]).await;
        hub.process.kill();
        liar.start_again().await;
        let missed = leaf.act("while-away").await;
        until("the other one has everything", async || {
            let is_it = liar.actions().await.contains(&missed);
            (is_it && leaf.peering().await["uplink"]["state"] == "synchronized").then_some(())
        })
        .await;
        liar.process.kill();
        hub.start_again().await;
        all_have([&hub, &leaf], &[missed]).await;
    });
}
