//! Links whose packets are dropped without a word: the connection stays open at both ends, and nothing comes. It is noticed
//! within 20 s, what was not seen is filled afterwards, and nobody is blamed. A node's connection ends after its ping and
//! timeout, and at once when the same client comes anew.
//!
//! Each test runs itself again within a network namespace of its own, where packets can be dropped by port.

use crate::world::counts::Counts;
use crate::world::process::{Process, write_config};
use crate::world::{PATIENCE, World, skip, test};
use data_encoding::HEXLOWER;
use futures_util::{SinkExt, StreamExt};
use mirrorwatch::config::Config;
use mirrorwatch::sim::behaviour::Behaviour;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// Says that this is the run within.
const WITHIN: &str = "MIRRORWATCH_NETWORK_OF_ITS_OWN";
/// A dead link is noticed within this.
const NOTICED_WITHIN: Duration = Duration::from_secs(20);
/// Between two operations while a link is dead.
const EVERY: Duration = Duration::from_millis(150);

/// Where nodes come in.
const DOORS: [&str; 2] = ["/api/v1/sync", "/api/v1/logux"];
/// After so much silence a node is asked for a sign of life, and so long it may take, seconds.
const SHORT_S: (u64, u64) = (1, 2);
/// Longer than the test takes.
const LONG_S: (u64, u64) = (3_600, 3_600);

const PREPARE: &str = "ip link set lo up && nft add table inet cut && nft 'add chain inet cut packets { type filter hook output priority 0; }'";

fn in_namespace(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", script]);
    command
}

/// Runs this test again where packets can be dropped.
fn again_within(name: &str) {
    if !in_namespace(PREPARE).output().is_ok_and(|done| done.status.success()) {
        skip("namespaces", "no packets can be dropped; it takes root, iproute2 and nftables");
        return;
    }
    let mut command = in_namespace(&format!("{PREPARE} && exec \"$0\" \"$@\""));
    command.arg(std::env::current_exe().unwrap()).args([name, "--exact", "--nocapture"]).env(WITHIN, "1");
    let done = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

fn nft(rule: &str) {
    let done = Command::new("nft").arg(rule).output().unwrap();
    assert!(done.status.success(), "{rule}: {}", String::from_utf8_lossy(&done.stderr));
}

/// From now on no packet of this server's arrives anywhere, and none reaches it.
fn cut(port: u16) {
    nft(&format!("add rule inet cut packets tcp dport {port} drop"));
    nft(&format!("add rule inet cut packets tcp sport {port} drop"));
}

fn mend() {
    nft("flush chain inet cut packets");
}

fn is_up(row: &Value) -> bool {
    row["link"]["state"] == "synchronized"
}

/// Publishes until the link of a source is seen to be down, after its packets were cut off.
async fn until_noticed(world: &mut World, what: &str, source: impl Fn(&Value) -> &Value) {
    let begun = Instant::now();
    let publisher = world.babble(EVERY);
    let down = |o: &Value| (!is_up(source(o))).then(|| source(o)["link"]["last_error"]["text"].clone());
    let text = world.until(&format!("{what} is seen to be dead"), down).await;
    let took = begun.elapsed();
    world.hush(publisher).await;
    let silent = text.as_str().unwrap().strip_prefix("ws: no data and no pong for ");
    let silent_s: u64 = silent.and_then(|rest| rest.strip_suffix(" s")).unwrap().parse().unwrap();
    assert!((14..=21).contains(&silent_s) || world.was_frozen().await, "{what}: {text}");
    assert!(took <= NOTICED_WITHIN || world.was_frozen().await, "{what}: noticed after {took:?}");
}

async fn blames_nobody(world: &World, when: &str) {
    for (id, _) in &world.mirrors {
        let counts = world.counts(id).await;
        assert_eq!((counts.missed, counts.late, counts.extra), (0, 0, 0), "{when}: {id}: {counts:?}");
    }
}

async fn silent_links() {
    let mut world = World::new(["faithful", "silent"].map(|id| (id, Behaviour::default())).into()).watched().await;
    world.publish_every(20, EVERY, None).await;
    world.settle().await;

    cut(world.mirror("silent").address().port());
    until_noticed(&mut world, "the mirror", |o| {
        o["mirrors"].as_array().unwrap().iter().find(|row| row["id"] == "silent").unwrap()
    })
    .await;
    blames_nobody(&world, "while the mirror is cut off").await;
    mend();
    world.synchronized().await;
    world.settle().await;
    blames_nobody(&world, "after the mirror's gap").await;

    let reconnects = world.reconnects().await;
    cut(world.primary.address().port());
    until_noticed(&mut world, "the primary", |o| &o["primary"]).await;
    blames_nobody(&world, "while the primary is cut off").await;
    mend();
    world.regained("after its packets were dropped", reconnects).await;
    world.settle().await;
    blames_nobody(&world, "after the primary's gap").await;
    for (id, _) in &world.mirrors {
        let counts = world.counts(id).await;
        let whole = Counts { present: counts.present, on_time: world.published - counts.present, ..Counts::default() };
        assert!(counts.matches(&whole, world.was_frozen().await), "{id}: {counts:?}, published {}", world.published);
        assert!(counts.present > 0, "{id}: what came in a gap was filled: {counts:?}");
    }
    world.stop().await;
}

#[test]
fn links_that_go_silent_are_noticed_and_blame_nobody() {
    if std::env::var_os(WITHIN).is_some() {
        test(silent_links());
    } else {
        again_within("half_open::links_that_go_silent_are_noticed_and_blame_nobody");
    }
}

/// A program that lets a node in and asks for its signs of life in these times; and its log.
async fn node_with(dir: &Path, (ping_s, timeout_s): (u64, u64)) -> (Process, PathBuf) {
    let mut config = Config::for_testing(dir.join("data")).unwrap();
    config.listen.set_port(0);
    let (file, log) = (write_config(dir, &config), dir.join("log"));
    let mut value: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let digest: [u8; 32] = Sha256::digest(b"token-a").into();
    let token = json!({ "user": "peer-a", "role": "node", "sha256": HEXLOWER.encode(&digest) });
    value["nodes"] = json!({ "id": "paris-1", "tokens": [token], "pingSeconds": ping_s, "timeoutSeconds": timeout_s });
    value["log"] = json!({ "filter": "info" });
    #[expect(clippy::disallowed_methods, reason = "scratch of a test")]
    std::fs::write(&file, value.to_string()).unwrap();
    (Process::start_logged(&file, &log).await, log)
}

type Socket = WebSocketStream<TcpStream>;

/// A connection of a client that is let in, and its port.
async fn let_in(process: &Process, door: &str, node_id: &str) -> (Socket, u16) {
    let stream = TcpStream::connect(process.address).await.unwrap();
    let port = stream.local_addr().unwrap().port();
    let (mut socket, _) = client_async(format!("ws://{}{door}", process.address), stream).await.unwrap();
    say(&mut socket, &json!(["connect", 7, node_id, 0, { "token": "token-a" }])).await;
    hear(&mut socket, "connected").await;
    (socket, port)
}

async fn say(socket: &mut Socket, message: &Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

/// Waits for a message of this name.
async fn hear(socket: &mut Socket, name: &str) {
    let heard = async {
        while let Some(Ok(message)) = socket.next().await {
            let message: Value = serde_json::from_slice(&message.into_data()).unwrap_or_default();
            if message[0] == name {
                return true;
            }
        }
        false
    };
    assert!(timeout(PATIENCE, heard).await.unwrap(), "{name} comes");
}

/// Waits until so many connections of nodes were ended for this reason.
async fn until_out(log: &Path, reason: &str, times: usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(log).unwrap();
        let is_it = |line: &&str| line.contains("a node is out") && line.contains(reason);
        if text.lines().filter(is_it).count() >= times {
            return;
        }
        assert!(Instant::now() < deadline, "waited for {reason}: {text}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn silent_nodes() {
    let dir = TempDir::new().unwrap();
    let (process, log) = node_with(dir.path(), SHORT_S).await;
    for (n, door) in DOORS.into_iter().enumerate() {
        let begun = Instant::now();
        let (socket, port) = let_in(&process, door, "peer-a:c:1").await;
        cut(port);
        until_out(&log, "timeout", n + 1).await;
        let took = begun.elapsed();
        assert!(took >= Duration::from_secs(SHORT_S.0 + SHORT_S.1), "{door}: it may have been slow: {took:?}");
        mend();
        drop(socket);
    }

    let dir = TempDir::new().unwrap();
    let (process, log) = node_with(dir.path(), LONG_S).await;
    for (n, door) in DOORS.into_iter().enumerate() {
        let (zombie, port) = let_in(&process, door, "peer-a:c:1").await;
        cut(port);
        let (mut socket, _) = let_in(&process, door, "peer-a:c:2").await;
        until_out(&log, "replaced", n + 1).await;
        say(&mut socket, &json!(["ping", 0])).await;
        hear(&mut socket, "pong").await;
        mend();
        drop(zombie);
    }
}

#[test]
fn nodes_that_go_silent_are_let_go_and_their_successors_stay() {
    if std::env::var_os(WITHIN).is_some() {
        test(silent_nodes());
    } else {
        again_within("half_open::nodes_that_go_silent_are_let_go_and_their_successors_stay");
    }
}
