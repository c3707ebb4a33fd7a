//! The whole program under a wall clock that steps back and forth: the verdicts are those of another one beside it, whose
//! clock is left alone. And nodes whose clocks are an hour wrong.

use crate::logux::until;
use crate::world::counts::Counts;
use crate::world::fleet::{Node, all_act, all_have, secrets};
use crate::world::process::{Process, write_config};
use crate::world::{World, tells_of_freezing, test};
use mirrorwatch::ports::clock::{Clock, SystemClock};
use mirrorwatch::sim::behaviour::{Behaviour, Delay, Hangup};
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tokio::time::sleep;

/// Between two steps of the clock.
const STEP_EVERY: Duration = Duration::from_millis(20);
/// How far it steps, seconds.
const STEP_S: i64 = 3_600;
/// Operations, and how often one is published.
const OPS: u64 = 120;
/// Those of them before the first fault: more than the look back takes.
const WARM_UP: u64 = 40;
const EVERY: Duration = Duration::from_millis(60);

/// What shifts the wall clock of a process that loads it; made by the C compiler that links Rust programs too.
fn shim(dir: &Path) -> PathBuf {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/wall_clock.c");
    let library = dir.join("wall_clock.so");
    let done = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([library.as_os_str(), source.as_ref()])
        .output();
    let done = done.expect("a C compiler links every Rust program");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    library
}

fn shift_to(file: &File, seconds: i64) {
    file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
}

async fn data(process: &Process, page: &str) -> Value {
    let answer = reqwest::get(format!("http://{}/api/v1/{page}", process.address)).await.unwrap();
    let mut page: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    page["data"].take()
}

/// The mirrors' rows of a program.
async fn rows(process: &Process) -> Vec<Value> {
    data(process, "overview").await["mirrors"].as_array().unwrap().clone()
}

fn counts_of(rows: &[Value], id: &str) -> Counts {
    Counts::of(rows.iter().find(|row| row["id"] == id).unwrap())
}

fn behaviours() -> Vec<(&'static str, Behaviour)> {
    let late = Delay { straggler_share: 0.2, straggler_ms: 3_000, ..Delay::default() };
    vec![
        ("faithful", Behaviour::default()),
        ("late", Behaviour { delay: late, ..Behaviour::default() }),
        ("dropping", Behaviour { drop_share: 0.1, ..Behaviour::default() }),
        ("inventing", Behaviour { invent_share: 0.05, ..Behaviour::default() }),
        ("restless", Behaviour { disconnect_after: Some(Duration::from_secs(2)), ..Behaviour::default() }),
    ]
}

#[test]
fn a_wall_clock_that_steps_changes_no_verdict() {
    test(async {
        let mut world = World::new(behaviours().into_iter().map(|(id, _)| (id, Behaviour::default())).collect());
        (world.config.judging.grace, world.config.judging.look_back) = (Duration::from_secs(5), Duration::from_secs(1));
        let steady = world.start_process().await;
        let scratch = tempfile::tempdir().unwrap();
        let shift = scratch.path().join("shift");
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(&shift).unwrap();
        shift_to(&file, 0);
        let mut config = world.config.clone();
        config.data_dir = scratch.path().join("data");
        let environment = [("LD_PRELOAD", shim(scratch.path())), ("WALL_CLOCK_SHIFT", shift)];
        let stepped = Process::start_under(&write_config(scratch.path(), &config), &environment).await;
        world.synchronized().await;
        let is_up = |row: &Value| row["link"]["state"] == "synchronized";
        let are_up = async || rows(&stepped).await.iter().all(is_up).then_some(());
        world.eventually("the other one is synchronized too", are_up).await;
        // The two begin at different instants; from here on both look at everything.
        world.publish_every(WARM_UP, EVERY, None).await;
        for ((_, behaviour), (_, server)) in behaviours().into_iter().zip(&world.mirrors) {
            server.set(|b| *b = behaviour);
        }
        world.mirror("restless").kill_connections(Hangup::Eof);

        let mut clock = tokio::spawn(async move {
            let mut steps = 0_u64;
            loop {
                shift_to(&file, if steps.is_multiple_of(2) { STEP_S } else { -STEP_S });
                steps += 1;
                sleep(STEP_EVERY).await;
            }
        });
        world.publish_every(OPS, EVERY, None).await;
        world.settle().await;
        let is_done = async || rows(&stepped).await.iter().all(|row| Counts::of(row).pending == 0).then_some(());
        world.eventually("both have judged everything", is_done).await;
        clock.abort();
        drop((&mut clock).await);

        let (plain, shifted) = (rows(&steady).await, rows(&stepped).await);
        let events = data(&stepped, "events").await;
        let frozen = world.was_frozen().await || tells_of_freezing(&events);
        for (id, _) in behaviours() {
            let (expected, counts) = (counts_of(&plain, id), counts_of(&shifted, id));
            assert!(counts.eligible >= OPS, "{id}: {counts:?}");
            let faults = |c: &Counts| (c.missed, c.extra, c.eligible - c.delivered());
            assert_eq!(faults(&counts), faults(&expected), "{id}: {counts:?} and {expected:?}");
            assert!(frozen || counts.late == expected.late, "{id}: {counts:?} and {expected:?}");
            assert_eq!(counts.missed + counts.extra > 0, ["dropping", "inventing"].contains(&id), "{id}: {counts:?}");
        }
        let steps = events["events"].as_array().unwrap().iter().filter(|e| e["kind"] == "clock_step").count();
        assert!(steps > 0, "it says that its clock was moved");
        // A step would be a lag of an hour.
        for row in &shifted {
            let p99_ms = row["lag"]["p99_ms"].as_f64().unwrap_or_default();
            assert!(p99_ms < 60_000.0, "{}: {p99_ms} ms", row["id"]);
        }
    });
}

/// How far ahead the clocks of nodes are, seconds.
const AHEAD_S: [i64; 3] = [STEP_S, 0, -STEP_S];
/// So much a time may be off for no fault of a clock: what the machine can take of a round trip, and more.
const OFF_MS: i64 = 60_000;

/// A node of each of [`AHEAD_S`]; the others come to the first.
async fn nodes_with_wrong_clocks(dir: &Path) -> Vec<Node> {
    let library = shim(dir);
    let mut nodes = Vec::new();
    for (n, ahead_s) in AHEAD_S.into_iter().enumerate() {
        let shift = dir.join(format!("shift-{n}"));
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(&shift).unwrap();
        shift_to(&file, ahead_s);
        let variables = [("LD_PRELOAD", library.clone()), ("WALL_CLOCK_SHIFT", shift)];
        let peers: Vec<&Node> = nodes.first().into_iter().collect();
        let peers = secrets(&peers);
        nodes.push(Node::start_as(&format!("n{n}"), &peers, &json!({}), &variables).await);
    }
    nodes
}

/// The number of the node that made an action, by the action's id, and the milliseconds in that.
fn maker(id: &str) -> (usize, i64) {
    let [ms, name, _] = id.split(' ').collect::<Vec<_>>()[..] else { panic!("{id}") };
    let name = name.trim_start_matches("fleet:act-").trim_end_matches(":1");
    (name.strip_prefix('n').unwrap().parse().unwrap(), ms.parse().unwrap())
}

#[test]
fn nodes_whose_clocks_are_an_hour_wrong_exchange_everything_and_correct_its_times() {
    test(async {
        let clock = SystemClock::new(0).unwrap();
        let begun_ms = clock.utc_ms();
        let scratch = tempfile::tempdir().unwrap();
        let nodes = nodes_with_wrong_clocks(scratch.path()).await;
        let mut actions = Vec::new();
        for node in &nodes {
            actions.push(node.own_action().await);
        }
        all_have(&nodes, &actions).await;
        // Once more while all are connected, in both directions.
        actions.extend(all_act(&nodes, "act").await);
        all_have(&nodes, &actions).await;

        for (node, ahead_s) in nodes.iter().zip(AHEAD_S) {
            let (first_ms, last_ms) = (begun_ms - OFF_MS, clock.utc_ms() + OFF_MS);
            for action in node.log().await {
                let (maker, made_ms) = maker(action["id"].as_str().unwrap());
                let is_now = |ms: i64, ahead_s: i64| (first_ms..last_ms).contains(&(ms - ahead_s * 1_000));
                assert!(is_now(made_ms, AHEAD_S[maker]), "the name is as it was given: {action}");
                let time_ms = action["time"].as_i64().unwrap();
                assert!(is_now(time_ms, ahead_s), "the time is of the clock of {}: {action}", node.name);
            }
            let vantages = data(&node.process, "vantages").await;
            let rows = vantages["vantages"].as_array().unwrap();
            let refused = rows.iter().chain([&vantages]).filter_map(|row| row["refused"].as_object());
            let refused: Vec<_> = refused.flatten().filter(|(_, count)| **count != 0).collect();
            assert!(refused.is_empty(), "{}: {vantages}", node.name);
            let log = data(&node.process, "internals").await["log"].clone();
            assert_eq!((&log["refused"], &log["too_old"]), (&json!(0), &json!(0)), "{}: {log}", node.name);
        }
        for node in &nodes[1..] {
            // A link that was silent for some seconds, as the machine makes it, is left, and taken up again.
            let linked = async || {
                let peering = node.peering().await;
                (peering["uplink"]["node"] == "n0").then_some(peering)
            };
            let peering = until("the uplink is there", linked).await;
            assert_eq!(peering["peers"][0]["refused"], Value::Null, "{peering}");
            assert_eq!(node.told(&node.name, "Event_UplinkChanged").await.len(), 1, "it stayed");
        }
    });
}
