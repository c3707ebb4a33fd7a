//! Events that nodes report, over real sockets: to the running program, by its own command, over a kill, and not twice.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use mirrorwatch::config::{Config, Nodes, Transport};
use mirrorwatch::sim::behaviour::Behaviour;
use rand::RngExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::browser::{PICTURES, SCRIPTS, browser};
use crate::world::process::{Process, run, write_config};
use crate::world::{PATIENCE, World, skip, test};

/// A port that is free now, and is given to nobody who asks for any.
fn free_port() -> u16 {
    loop {
        let port = rand::rng().random_range(20_000..32_000);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The configuration of a node whose sources are away, and where it takes events in.
fn config(dir: &Path) -> (PathBuf, String) {
    let mut config = Config::for_testing(dir.join("data")).unwrap();
    config.listen.set_port(0);
    let file = write_config(dir, &config);
    let mut value: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    value["nodes"] = json!({ "id": "paris-1", "events": { "listen": address } });
    #[expect(clippy::disallowed_methods, reason = "scratch of a test")]
    std::fs::write(&file, value.to_string()).unwrap();
    (file, format!("http://{address}"))
}

async fn reported(to: &str, sender: &str, event: &str, message: &str) -> Output {
    run(&["report", "--to", to, "--sender", sender, event, message]).await
}

/// All messages: those of others, and what the node reports of itself.
async fn all_messages(to: &str) -> (Vec<Value>, Vec<Value>) {
    let text = reqwest::get(format!("{to}/messages")).await.unwrap().text().await.unwrap();
    let all = serde_json::from_str::<Value>(&text).unwrap()["messages"].as_array().unwrap().clone();
    all.into_iter().partition(|message| message["sender"] != "paris-1")
}

async fn messages(to: &str) -> Vec<Value> {
    all_messages(to).await.0
}

/// Waits until the node has reported `event` of itself so often.
async fn until_reported(to: &str, event: &str, times: usize) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let own = all_messages(to).await.1;
        let found: Vec<Value> = own.iter().filter(|message| message["eventtype"] == event).cloned().collect();
        if found.len() >= times {
            assert_eq!(found.len(), times, "{own:?}");
            return found;
        }
        assert!(Instant::now() < deadline, "waited for {event}: {own:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn what_a_node_reports_is_kept_once_and_over_a_kill() {
    test(async {
        let dir = TempDir::new().unwrap();
        let (file, to) = config(dir.path());
        let mut process = Process::start(&file).await;
        let done = reported(&to, "paris-2", "Event_NodeStarted", "<b>up</b>").await;
        assert!(done.status.success(), "{done:?}");
        let form = "time=1700000000000000000&sender=b&eventtype=72&message=two";
        let client = reqwest::Client::new();
        for _ in 0..3 {
            let sent = client.post(format!("{to}/send?{form}")).send().await.unwrap();
            assert_eq!((sent.status().as_u16(), sent.text().await.unwrap()), (200, "ACK".to_owned()));
        }
        let started = until_reported(&to, "Event_NodeStarted", 1).await;
        assert!(started[0]["message"].as_str().unwrap().starts_with("mirrorwatch "), "{started:?}");
        let before = messages(&to).await;
        assert_eq!(before.len(), 2, "{before:?}");
        assert_eq!((&before[0]["sender"], &before[0]["message"]), (&json!("paris-2"), &json!("<b>up</b>")));
        process.kill();
        process = Process::start(&file).await;
        assert_eq!(messages(&to).await, before, "what was acknowledged outlasts a kill");
        until_reported(&to, "Event_NodeStarted", 2).await;
        let log = reqwest::get(format!("http://{}/api/v1/log?type=node/*", process.address)).await.unwrap();
        let log: Value = serde_json::from_str(&log.text().await.unwrap()).unwrap();
        let of = |sender: &str| {
            let all = log["data"]["actions"].as_array().unwrap().iter();
            all.filter(|action| action["action"]["sender"] == sender).count()
        };
        assert_eq!((of("paris-2"), of("b"), of("paris-1")), (1, 1, 2), "{log}");
        let page = reqwest::get(&to).await.unwrap().text().await.unwrap();
        assert!(page.contains("Message: &lt;b&gt;up&lt;/b&gt;"), "{page}");
        let newest = reqwest::get(format!("http://{}/api/v1/log?type=node/event&last=1", process.address)).await;
        let newest: Value = serde_json::from_str(&newest.unwrap().text().await.unwrap()).unwrap();
        let actions = newest["data"]["actions"].as_array().unwrap();
        assert_eq!((actions.len(), &actions[0]["action"]["eventtype"]), (1, &json!("Event_NodeStarted")), "{newest}");
        assert_eq!((&newest["links"]["next"], &newest["data"]["through"]), (&Value::Null, &newest["data"]["head"]));
    });
}

#[test]
fn what_cannot_be_taken_ends_with_its_code() {
    test(async {
        let dir = TempDir::new().unwrap();
        let (file, to) = config(dir.path());
        let _process = Process::start(&file).await;
        for (arguments, code) in [
            (vec!["report", "--to", &to, "--sender", "s", "e"], 64),
            (vec!["report", "--to", "ftp://x", "--sender", "s", "e", "m"], 64),
            (vec!["report", "--to", &to, "--sender", "s", "--token-file", "/does/not/exist", "e", "m"], 66),
        ] {
            let done = run(&arguments).await;
            let said = String::from_utf8(done.stderr).unwrap();
            assert_eq!((done.status.code(), said.lines().count()), (Some(code), 1), "{said}");
        }
        let token = dir.path().join("token");
        #[expect(clippy::disallowed_methods, reason = "scratch of a test")]
        std::fs::write(&token, "x".repeat(40)).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&token, mode).unwrap();
        let token = token.to_str().unwrap();
        let done = run(&["report", "--to", &to, "--sender", "s", "--token-file", token, "e", "m"]).await;
        assert_eq!(done.status.code(), Some(77), "a token that lets nobody in: {done:?}");
    });
}

#[test]
fn what_nodes_report_is_shown_as_it_comes() {
    let chromium = match browser() {
        Ok(chromium) => chromium,
        Err(why) => return skip("browser", &why),
    };
    test(async move {
        let dir = TempDir::new().unwrap();
        let (file, to) = config(dir.path());
        let process = Process::start(&file).await;
        until_reported(&to, "Event_NodeStarted", 1).await;
        let mut node = Command::new("node");
        node.args([&format!("{SCRIPTS}/nodes.mjs"), &format!("http://{}/", process.address), PICTURES, &to]);
        node.env("CHROMIUM", chromium);
        let output = tokio::task::spawn_blocking(move || node.output().expect("node runs")).await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("nodes: all checks hold"), "{said}");
    });
}

/// What a watching node has told by events of this type, once there is one; nothing where the machine kept it from knowing.
async fn told(world: &World, event: &str) -> Option<Vec<String>> {
    let find = async || {
        let page = world.get("/api/v1/log?after=0&limit=1000&type=node/event").await;
        let actions = page["actions"].as_array()?.iter().map(|action| &action["action"]);
        let of_event = actions.filter(|action| action["eventtype"] == event && action["sender"] == "paris-1");
        let told: Vec<String> = of_event.map(|action| action["message"].as_str().unwrap().to_owned()).collect();
        (!told.is_empty()).then_some(told)
    };
    world.unless_frozen(event, find).await
}

#[test]
fn what_a_node_finds_at_its_sources_is_told_once() {
    test(async {
        let mut world = World::new(["faithful", "dropping"].map(|id| (id, Behaviour::default())).into());
        world.config.nodes = Some(Nodes::for_testing("paris-1"));
        world.config.mirrors[0].transport = Transport::Auto;
        let mut world = world.watched().await;
        world.publish(20).await;
        world.settle().await;
        // Three are an incident.
        world.mirror("dropping").set(|behaviour| behaviour.drop_next = 6);
        world.publish(20).await;
        world.settle().await;
        for (event, begin) in [
            ("Event_NodeStarted", "mirrorwatch "),
            ("Event_InitialSyncCompleted", "nothing is missing before the streams of 3 sources"),
            ("Event_IncidentOpened", "dropping-"),
            ("Event_ProbeRoundCompleted", "faithful: "),
        ] {
            let Some(told) = told(&world, event).await else { continue };
            assert!(told.iter().all(|message| message.starts_with(begin)), "{event}: {told:?}");
            assert!(told.len() == 1 || event == "Event_ProbeRoundCompleted", "{event}: {told:?}");
        }
        world.stop().await;
    });
}
