//! Nodes of one fleet, each a process of its own whose sources are away.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use futures_util::{SinkExt, StreamExt};
use mirrorwatch::config::Config;
use mirrorwatch::logux::ActionId;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use super::PATIENCE;
use super::process::{Process, write_config};
use crate::logux::{get, started_again, started_under, token, until};

/// What all nodes of the fleet show each other.
pub const SECRET: &str = "a-token-of-more-than-thirty-two-characters";
/// A running node.
pub struct Node {
    pub name: String,
    pub process: Process,
    file: PathBuf,
    pub dir: TempDir,
}

/// The configuration of a node whose sources are away; `peers` are addresses, each with the secret for it, `more` is of
/// nodes too.
fn config(dir: &Path, port: u16, name: &str, peers: &[(String, &str)], more: &Value) -> PathBuf {
    let mut config = Config::for_testing(dir.join("data")).unwrap();
    config.listen.set_port(port);
    let file = write_config(dir, &config);
    let mut value: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let mut nodes = json!({ "id": name, "tokens": [token("fleet", "node", SECRET)], "announced": "allow" });
    let peer = |(url, secret): &(String, &str)| {
        let token_file = dir.join("token");
        #[expect(clippy::disallowed_methods, reason = "scratch of a test")]
        std::fs::write(&token_file, secret).unwrap();
        std::fs::set_permissions(&token_file, std::fs::Permissions::from_mode(0o600)).unwrap();
        json!({ "url": url, "user": "fleet", "tokenFile": token_file })
    };
    if !peers.is_empty() {
        nodes["peers"] = peers.iter().map(peer).collect();
        nodes["address"] = json!(format!("ws://127.0.0.1:{port}"));
    }
    nodes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value["nodes"] = nodes;
    #[expect(clippy::disallowed_methods, reason = "scratch of a test")]
    std::fs::write(&file, value.to_string()).unwrap();
    file
}

/// Where these are, with the secret for each.
pub fn secrets(peers: &[&Node]) -> Vec<(String, &'static str)> {
    peers.iter().map(|peer| (peer.url(), SECRET)).collect()
}

/// The actions that were written for these nodes.
pub fn written(actions: &[String], nodes: &[&Node]) -> Vec<String> {
    let is_theirs = |id: &&String| nodes.iter().any(|node| id.contains(&format!("-{}:", node.name)));
    actions.iter().filter(is_theirs).cloned().collect()
}

impl Node {
    /// Starts one with these peers, with more of its configuration, and with variables of its own. Without peers it knows
    /// itself alone, under another address than it goes by.
    pub async fn start_as(name: &str, peers: &[(String, &str)], more: &Value, variables: &[(&str, PathBuf)]) -> Node {
        let dir = TempDir::new().unwrap();
        let (process, file) = started_under(variables, |port| {
            let itself = [(format!("ws://localhost:{port}"), SECRET)];
            config(dir.path(), port, name, if peers.is_empty() { &itself } else { peers }, more)
        })
        .await;
        Node { name: name.to_owned(), process, file, dir }
    }

    pub async fn start(name: &str, peers: &[&Node]) -> Node {
        Node::start_as(name, &secrets(peers), &json!({}), &[]).await
    }

    /// One that chooses no peers.
    pub async fn start_serving(name: &str) -> Node {
        Node::start_as(name, &[], &json!({ "peers": [] }), &[]).await
    }

    /// Starts it again where it was.
    pub async fn start_again(&mut self) {
        self.process = started_again(&self.file).await;
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.process.address)
    }

    /// How choosing peers stands there.
    pub async fn peering(&self) -> Value {
        get(&self.process, "/api/v1/internals").await.1["data"]["peering"].clone()
    }

    /// Its uplink, once it has one.
    pub async fn uplink(&self) -> Option<String> {
        Some(self.peering().await["uplink"]["node"].as_str()?.to_owned())
    }

    /// Its log.
    pub async fn log(&self) -> Vec<Value> {
        let (_, page) = get(&self.process, "/api/v1/log?after=0&limit=1000").await;
        let actions = page["data"]["actions"].as_array().cloned().unwrap_or_default();
        assert!(actions.len() < 1_000, "all of it is one page");
        actions
    }

    /// Ids of all actions in its log.
    pub async fn actions(&self) -> Vec<String> {
        self.log().await.iter().map(|action| action["id"].as_str().unwrap().to_owned()).collect()
    }

    /// What `sender` told by events of this type, as its log has them.
    pub async fn told(&self, sender: &str, event: &str) -> Vec<String> {
        let log = self.log().await;
        let events = log.iter().map(|action| &action["action"]);
        let is_it = |action: &&Value| action["sender"] == sender && action["eventtype"] == event;
        events.filter(is_it).map(|action| action["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Writes an action into its log, as a client of this name; its id.
    pub async fn act(&self, client: &str) -> String {
        let (mut socket, _) = connect_async(format!("{}/api/v1/sync", self.url())).await.unwrap();
        let who = format!("fleet:{client}:1");
        let connect = json!(["connect", 7, who, 0, { "token": SECRET }]);
        socket.send(Message::text(connect.to_string())).await.unwrap();
        let mut id = None;
        loop {
            let message = timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap();
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            match message[0].as_str().unwrap() {
                "connected" => {
                    let ms = message[3][1].as_u64().unwrap();
                    let made = ActionId { ms, node: who.clone(), counter: 0 };
                    let meta = json!({ "id": made.to_seven(), "time": 0 });
                    let sync = json!(["sync", 1, { "type": "test/act" }, meta]);
                    socket.send(Message::text(sync.to_string())).await.unwrap();
                    id = Some(made.to_string());
                }
                "synced" => return id.unwrap(),
                "error" => panic!("{message}"),
                _ => {}
            }
        }
    }

    /// The first action that it made itself.
    pub async fn own_action(&self) -> String {
        let of_us = format!(" {} 0", self.name);
        until("an action of its own", async || self.actions().await.into_iter().find(|id| id.ends_with(&of_us))).await
    }
}

/// Each of them writes an action; all ids.
pub async fn all_act(nodes: &[Node], client: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for node in nodes {
        ids.push(node.act(&format!("{client}-{}", node.name)).await);
    }
    ids
}

/// Everything is in every log, each once.
pub async fn all_have(nodes: impl IntoIterator<Item = &Node>, actions: &[String]) {
    for node in nodes {
        let log = until("every action at every node", async || {
            let log = node.actions().await;
            actions.iter().all(|action| log.contains(action)).then_some(log)
        })
        .await;
        assert_eq!(log.iter().collect::<BTreeSet<_>>().len(), log.len(), "each once at {}", node.name);
    }
}
