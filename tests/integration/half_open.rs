//! Links whose packets are dropped without a word: the connection stays open at both ends, and nothing comes. It is noticed
//! within 20 s, what was not seen is filled afterwards, and nobody is blamed.
//!
//! The test runs itself again within a network namespace of its own, where packets can be dropped by port.

use crate::world::counts::Counts;
use crate::world::{World, skip, test};
use mirrorwatch::sim::behaviour::Behaviour;
use serde_json::Value;
use std::process::Command;
use std::time::{Duration, Instant};

/// Says that this is the run within.
const WITHIN: &str = "MIRRORWATCH_NETWORK_OF_ITS_OWN";
/// A dead link is noticed within this.
const NOTICED_WITHIN: Duration = Duration::from_secs(20);
/// Between two operations while a link is dead.
const EVERY: Duration = Duration::from_millis(150);

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
