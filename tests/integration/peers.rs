//! Nodes that choose peers, as processes of their own on this machine.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mirrorwatch::config::Config;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::logux::{get, started_at_a_port, token, until};
use crate::world::process::{Process, command, write_config};
use crate::world::test;

/// What all nodes of the fleet show each other.
const SECRET: &str = "a-token-of-more-than-thirty-two-characters";
/// Nodes of the fleet.
const COUNT: usize = 5;

/// A running node.
struct Node {
    name: String,
    process: Process,
    file: PathBuf,
    _dir: TempDir,
}

/// The configuration of a node whose sources are away; `url` is its peer's, with `secret`.
fn config(dir: &Path, port: u16, name: &str, peer: Option<(&str, &str)>) -> PathBuf {
    let mut config = Config::for_testing(dir.join("data")).unwrap();
    config.listen.set_port(port);
    let file = write_config(dir, &config);
    let mut value: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let mut nodes = json!({ "id": name, "tokens": [token("fleet", "node", SECRET)], "announced": "allow" });
    if let Some((url, secret)) = peer {
        let token_file = dir.join("token");
        #[expect(clippy::disallowed_methods, reason = "scratch of a test")]
        std::fs::write(&token_file, secret).unwrap();
        std::fs::set_permissions(&token_file, std::fs::Permissions::from_mode(0o600)).unwrap();
        nodes["peers"] = json!([{ "url": url, "user": "fleet", "tokenFile": token_file }]);
        nodes["address"] = json!(format!("ws://127.0.0.1:{port}"));
    }
    value["nodes"] = nodes;
    #[expect(clippy::disallowed_methods, reason = "scratch of a test")]
    std::fs::write(&file, value.to_string()).unwrap();
    file
}

impl Node {
    /// Starts one; `peer` is told its port.
    async fn start(name: &str, peer: impl Fn(u16) -> Option<(String, &'static str)>) -> Node {
        let dir = TempDir::new().unwrap();
        let (process, file) = started_at_a_port(|port| {
            let peer = peer(port);
            config(dir.path(), port, name, peer.as_ref().map(|(url, secret)| (url.as_str(), *secret)))
        })
        .await;
        Node { name: name.to_owned(), process, file, _dir: dir }
    }

    fn url(&self) -> String {
        format!("ws://{}", self.process.address)
    }

    /// How choosing peers stands there.
    async fn peering(&self) -> Value {
        get(&self.process, "/api/v1/internals").await.1["data"]["peering"].clone()
    }

    /// Its uplink, once it has one.
    async fn uplink(&self) -> Option<String> {
        Some(self.peering().await["uplink"]["node"].as_str()?.to_owned())
    }

    /// Ids of all actions in its log.
    async fn actions(&self) -> Vec<String> {
        let (_, page) = get(&self.process, "/api/v1/log?after=0&limit=1000").await;
        let actions = page["data"]["actions"].as_array().cloned().unwrap_or_default();
        actions.iter().map(|action| action["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The first action that it made itself.
    async fn own_action(&self) -> String {
        let of_us = format!(" {} 0", self.name);
        until("an action of its own", async || self.actions().await.into_iter().find(|id| id.ends_with(&of_us))).await
    }
}

/// Everything is in every log, each once.
async fn all_have(nodes: &[Node], actions: &[String]) {
    for node in nodes {
        let log = until("every action at every node", async || {
            let log = node.actions().await;
            actions.iter().all(|action| log.contains(action)).then_some(log)
        })
        .await;
        assert_eq!(log.iter().collect::<BTreeSet<_>>().len(), log.len(), "each once at {}", node.name);
    }
}

#[test]
fn two_nodes_exchange_their_logs_and_go_on_after_a_kill() {
    test(async {
        let hub = Node::start("hub", |_| None).await;
        let url = hub.url();
        let mut leaf = Node::start("leaf", |_| Some((url.clone(), SECRET))).await;
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
        leaf.process = Process::spawn(command(&["--config", leaf.file.to_str().unwrap()])).await;
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
        let hub = Node::start("hub", |_| None).await;
        let url = hub.url();
        let wrong = "another-token-of-more-than-thirty-two-characters";
        let stranger = Node::start("stranger", |_| Some((url.clone(), wrong))).await;
        until("it is refused", async || {
            let peering = stranger.peering().await;
            (peering["peers"][0]["refused"] == "wrong-credentials" && peering["uplink"]["state"] == "wait")
                .then_some(())
        })
        .await;
        assert!(!stranger.peering().await.to_string().contains(wrong));
    });
}

#[test]
fn five_nodes_find_each_other_from_one_address_and_do_without_it() {
    test(async {
        // The first is told of itself alone, under another name than it goes by.
        let first = Node::start("n0", |port| Some((format!("ws://localhost:{port}"), SECRET))).await;
        let url = first.url();
        let mut nodes = vec![first];
        for n in 1..COUNT {
            nodes.push(Node::start(&format!("n{n}"), |_| Some((url.clone(), SECRET))).await);
        }
        let mut actions = Vec::new();
        for node in &nodes {
            actions.push(node.own_action().await);
        }
        all_have(&nodes, &actions).await;
        until("the first knows that it is itself", async || {
            (nodes[0].peering().await["peers"][0]["is_self"] == true).then_some(())
        })
        .await;
        for node in &nodes[1..] {
            until("it knows all others, has tested some and has an uplink", async || {
                let peering = node.peering().await;
                // Which of them leads is its own choice: a disk that was slow for a moment may have cost the first its place.
                let is_found = |peer: &&Value| peer["origin"] != "configuration" && !peer["node"].is_null();
                let peers = peering["peers"].as_array()?;
                let has_tested = peers.iter().filter(is_found).any(|peer| !peer["rtt_ms"].is_null());
                let is_ready = peers.iter().filter(is_found).count() == COUNT - 2 && has_tested;
                (peering["uplink"]["node"].is_string() && is_ready).then_some(())
            })
            .await;
        }

        nodes[0].process.kill();
        nodes.remove(0);
        for node in &nodes {
            until("another uplink, or all others come to it", async || {
                let is_linked = node.uplink().await.is_some_and(|uplink| uplink != "n0");
                let is_root = node.peering().await["connected_to_us"].as_u64() == Some(COUNT as u64 - 2);
                (is_linked || is_root).then_some(())
            })
            .await;
        }
    });
}
