//! The program with too few open files for all who want to read: readers wait, and measuring and saving go on.

use crate::world::process::{Process, write_config};
use crate::world::{World, test};
use mirrorwatch::sim::behaviour::{Behaviour, Hangup};
use std::process::Command;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Open files that the program may have.
const FILES: u64 = 160;
/// Connections of readers that say nothing.
const READERS: usize = 400;
/// A reader that is waited for is not answered within this.
const WAITS: Duration = Duration::from_secs(1);

#[test]
fn readers_take_no_file_from_the_sources_or_the_database() {
    test(async {
        let mut world = World::new(["faithful", "leaving"].map(|id| (id, Behaviour::default())).into());
        let file = write_config(world.dir(), &world.config);
        let run = format!("ulimit -n {FILES}; exec \"$0\" --config \"$1\"");
        let mut command = Command::new("sh");
        command.env_clear().args(["-c", &run, env!("CARGO_BIN_EXE_mirrorwatch")]).arg(&file);
        let mut process = Process::spawn(command).await;
        world.ask(&process);
        world.synchronized().await;
        world.publish(10).await;

        let mut crowd = Vec::new();
        for _ in 0..READERS {
            crowd.push(TcpStream::connect(process.address).await.unwrap());
        }
        // The program asks for a head for five seconds: until then every place of a reader is taken.
        let upgrades = world.mirror("leaving").received().upgrades;
        world.mirror("leaving").kill_connections(Hangup::Eof);
        world.publish_every(40, Duration::from_millis(50), None).await;
        let page = format!("{}/healthz", world.base_url());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        assert!(timeout(WAITS, client.get(page).send()).await.is_err(), "no reader more is taken");
        let is_back = world.mirror("leaving").received().upgrades > upgrades;
        assert!(is_back, "a source is connected to anew all the same");
        drop(crowd);

        let told = async |kind: &str| world.events(kind).await.len();
        world
            .eventually("it is told, and readers are taken again", async || {
                (told("files_short").await >= 1 && told("files_enough").await >= 1).then_some(())
            })
            .await;
        assert_eq!(told("state_degraded").await, 0);
        world.settle().await;
        // What was saved meanwhile is there after an end without a goodbye.
        world.kept().await;
        process.kill();
        let mut process = world.start_process().await;
        world.synchronized().await;
        world.settle().await;
        for id in ["faithful", "leaving"] {
            let counts = world.counts(id).await;
            assert_eq!((counts.missed, counts.late, counts.extra), (0, 0, 0), "{id}: {counts:?}");
            assert!(counts.delivered() >= 50, "{id}: {counts:?}");
        }
        process.terminate();
        assert_eq!(process.exit_code(Duration::from_secs(3)).await, Some(0));
    });
}

#[test]
fn while_memory_is_short_gaps_wait_and_measuring_goes_on() {
    test(async {
        let world = World::new(["faithful", "leaving"].map(|id| (id, Behaviour::default())).into());
        let group = world.config.data_dir.with_file_name("cgroup");
        std::fs::create_dir(&group).unwrap();
        let used = |percent: u64| std::fs::write(group.join("memory.current"), percent.to_string()).unwrap();
        std::fs::write(group.join("memory.max"), "100").unwrap();
        used(50);
        let mut world = world.watched().await;
        world.publish(10).await;
        world.settle().await;
        used(96);
        let short = async || world.events("memory_short").await.first().cloned();
        let told = world.eventually("the shortage is told", short).await;
        let text = "96 % of the memory that may be used is used: the oldest live sockets are closed and new ones refused, and gaps wait to be filled";
        assert_eq!(told["text"], text);
        world.mirror("leaving").kill_connections(Hangup::Eof);
        let catching_up = |o: &serde_json::Value| {
            let row = o["mirrors"].as_array()?.iter().find(|row| row["id"] == "leaving")?.clone();
            (row["link"]["state"] == "catching_up").then_some(())
        };
        world.until("the gap waits", catching_up).await;
        world.publish(10).await;
        world.until("still", catching_up).await;
        let of_others = world.counts("faithful").await;
        assert_eq!((of_others.missed, of_others.unknown), (0, 0), "{of_others:?}");
        used(50);
        world.synchronized().await;
        world.settle().await;
        let counts = world.counts("leaving").await;
        assert_eq!((counts.missed, counts.unknown, counts.delivered()), (0, 0, world.published), "{counts:?}");
        assert_eq!(world.events("memory_enough").await.len(), 1);
        world.stop().await;
    });
}
