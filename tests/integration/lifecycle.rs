//! Starting and stopping as a supervisor sees it: exit codes, the lock, the port, the goodbye, and the import.

use crate::world::process::{self, write_config};
use crate::world::{PATIENCE, World, files, test};
use futures_util::{SinkExt, StreamExt};
use mirrorwatch::sim::behaviour::Behaviour;
use serde_json::json;
use std::process::Output;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// Open pages when it is told to stop.
const PAGES: usize = 1_000;
/// How often it is told to stop.
const ROUNDS: usize = 20;
/// A second signal ends it within this.
const AT_ONCE: Duration = Duration::from_millis(500);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A stop may take this long.
const STOP_WITHIN: Duration = Duration::from_secs(3);

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8(output.stderr.clone()).unwrap())
}

/// Opens a live page, which answers the code that it is closed with.
async fn page(url: &str) -> tokio::task::JoinHandle<Option<CloseCode>> {
    let opening = async {
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        assert!(matches!(socket.next().await, Some(Ok(Message::Text(_)))), "a hello");
        socket
    };
    let mut socket = timeout(PATIENCE, opening).await.expect("a page is let in");
    let topics = r#"{"type":"subscribe","topics":["overview"]}"#;
    socket.send(Message::Text(topics.into())).await.unwrap();
    tokio::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(frame) = message {
                return frame.map(|f| f.code);
            }
        }
        None
    })
}

#[test]
fn a_stop_takes_leave_of_every_page() {
    if !files::are_many() {
        return;
    }
    test(async {
        let mut world = World::new(vec![("faithful", Behaviour::default())]);
        for round in 1..=ROUNDS {
            let mut process = world.start_process().await;
            world.synchronized().await;
            let publisher = world.babble(Duration::from_millis(4));
            let url = format!("ws://{}/api/v1/live", process.address);
            let mut pages = Vec::new();
            for _ in 0..PAGES {
                pages.push(page(&url).await);
            }
            process.terminate();
            let code = process.exit_code(STOP_WITHIN).await;
            assert_eq!(code, Some(0), "round {round}: it ends well, within {STOP_WITHIN:?}");
            let mut codes = Vec::new();
            for page in pages {
                codes.push(timeout(PATIENCE, page).await.expect("a page is let go").unwrap());
            }
            let told = codes.iter().filter(|code| **code == Some(CloseCode::Away)).count();
            assert_eq!(told, PAGES, "round {round}: every page is told that it goes away");
            world.hush(publisher).await;
        }
        let mut again = world.start_process().await;
        let down = world.events("observer_down").await;
        assert_eq!(down.len(), ROUNDS, "{down:?}");
        assert!(down[0]["text"].as_str().unwrap().starts_with("the observer stopped at "), "{down:?}");
        again.terminate();
        assert_eq!(again.exit_code(STOP_WITHIN).await, Some(0));
    });
}

/// How long one that computes is waited for, less what a look at it takes.
const WAITED_FOR: Duration = Duration::from_millis(1_200);
/// A machine that is slow may let that time pass, but not each time.
const TRIES: usize = 10;

#[test]
fn the_store_closes_after_the_last_computation_has_ended() {
    test(async {
        for _ in 0..TRIES {
            let mut world = World::new(vec![("faithful", Behaviour::default())]).watched().await;
            world.publish(5).await;
            world.kept().await;
            let fail = world.fail();
            fail.stick_at("recompute", "overview");
            world.eventually("one computes", async || fail.are_spent().then_some(())).await;
            let (address, begun) = (world.base_url().replace("http://", ""), Instant::now());
            let stopping = world.begin_to_stop();
            while TcpStream::connect(&address).await.is_ok() {
                sleep(LOOK_EVERY).await;
            }
            // Everything before it takes milliseconds.
            let mut closed_early = false;
            while begun.elapsed() < WAITED_FOR / 2 && !closed_early {
                closed_early = world.is_closed();
                sleep(LOOK_EVERY).await;
            }
            let is_told = begun.elapsed() < WAITED_FOR;
            fail.release();
            stopping.await.unwrap();
            assert!(world.is_closed(), "a stop closes the store");
            if is_told {
                assert!(!closed_early, "the store was closed while one computed");
                return;
            }
        }
        panic!("the machine was too slow in each of {TRIES} tries");
    });
}

#[test]
fn a_second_signal_ends_it_at_once() {
    test(async {
        for (first, second) in [("TERM", "INT"), ("INT", "TERM")] {
            let mut world = World::new(vec![("faithful", Behaviour::default())]);
            let mut process = world.start_process().await;
            world.synchronized().await;
            // Both lie there when it wakes up, so that the stop which the first begins meets the second.
            for signal in ["STOP", first, second, "CONT"] {
                process.signal(signal);
            }
            assert_eq!(process.exit_code(AT_ONCE).await, Some(70), "{first}, {second}");
        }
    });
}

#[test]
fn a_stop_right_after_the_start_is_clean() {
    test(async {
        let mut world = World::new(vec![("faithful", Behaviour::default())]);
        world.primary.stop().await;
        let mut process = world.start_process().await;
        process.terminate();
        assert_eq!(process.exit_code(STOP_WITHIN).await, Some(0));
    });
}

#[test]
fn a_second_instance_and_a_taken_port_are_refused() {
    test(async {
        let mut world = World::new(vec![("faithful", Behaviour::default())]);
        let process = world.start_process().await;
        let file = write_config(world.dir(), &world.config);
        let file = file.to_str().unwrap();
        let (code, line) = said(&process::run(&["--config", file]).await);
        assert_eq!(code, Some(75), "{line}");
        assert!(line.contains(&format!(" is in use by pid {} since 20", process.pid())), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");

        let other = world.dir().join("other");
        let listen = process.address.to_string();
        let arguments = ["--config", file, "--data-dir", other.to_str().unwrap(), "--listen", &listen];
        let (code, line) = said(&process::run(&arguments).await);
        assert_eq!(code, Some(69), "{line}");
        let start = format!("mirrorwatch: listen: {listen}: address in use");
        assert!(line.starts_with(&start) && line.lines().count() == 1, "{line}");
        assert!(world.get("/api/v1/overview").await["headline"].is_string(), "the first goes on");
    });
}

#[test]
fn files_of_another_monitor_are_taken_over_once() {
    test(async {
        let mut world = World::new(vec![("faithful", Behaviour::default())]);
        let old = world.dir().join("old");
        std::fs::create_dir(&old).unwrap();
        let ts = 1_763_700_000_000_i64;
        let row = json!({ "coverage": 99.5, "missed": 2, "ops": 398, "primaryOps": 400, "missedCids": {}, "extraCids": {}, "lateCids": {} });
        let good = json!({ "ts": ts, "mirrors": { "wss://a.example": row } });
        let files = [
            (format!("{ts}.json"), good.to_string()),
            ("totals.json".to_owned(), r#"{"wss://a.example":{"ops":398,"primaryOps":400,"missed":2}}"#.to_owned()),
            ("1763700300000.json".to_owned(), "null".to_owned()),
            ("1763700600000.json".to_owned(), "{\"ts\":".to_owned()),
            ("notes.txt".to_owned(), "not ours".to_owned()),
        ];
        for (name, text) in files {
            #[expect(clippy::disallowed_methods, reason = "scratch of a test")]
            std::fs::write(old.join(name), text).unwrap();
        }
        let data = world.config.data_dir.clone();
        for (imported, known) in [(1, 0), (0, 1)] {
            let output = process::run(&["import", old.to_str().unwrap(), "--data-dir", data.to_str().unwrap()]).await;
            let text = String::from_utf8(output.stdout.clone()).unwrap();
            assert_eq!(output.status.code(), Some(0), "{text} {:?}", said(&output));
            let counts = format!(
                "{imported} snapshots imported, {known} known already, totals of 1 mirrors, 2 files skipped, 1 foreign"
            );
            assert!(text.contains(&counts), "{text}");
        }
        let _process = world.start_process().await;
        let stats = world.get_bare("/api/stats").await;
        let snapshot = &stats["snapshots"][0];
        assert_eq!(
            (&snapshot["ts"], &snapshot["mirrors"]["wss://a.example"]["missed"]),
            (&json!(ts), &json!(2)),
            "{stats}"
        );
    });
}

#[test]
fn a_directory_that_is_not_there_is_said() {
    test(async {
        let dir = tempfile::tempdir().unwrap();
        let (from, data) = (dir.path().join("none"), dir.path().join("data"));
        let output = process::run(&["import", from.to_str().unwrap(), "--data-dir", data.to_str().unwrap()]).await;
        assert_eq!(output.status.code(), Some(66), "{:?}", said(&output));
    });
}
