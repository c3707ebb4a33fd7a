//! SIGHUP to the running program: what changes, what goes on as if nothing had been, and what is refused.

use crate::world::process::Process;
use crate::world::{GRACE, World, test};
use mirrorwatch::sim::behaviour::Behaviour;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Edits the file and asks for it to be read again.
fn edited(process: &Process, file: &Path, edit: impl FnOnce(&mut Value)) {
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    edit(&mut config);
    // The program may still be reading for the signal before: it finds either file whole.
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, config.to_string()).unwrap();
    std::fs::rename(fresh, file).unwrap();
    process.signal("HUP");
}

async fn told(world: &World, kind: &str, text: &str) -> Value {
    world
        .eventually(&format!("{kind} tells {text}"), async || {
            let events = world.events(kind).await;
            events.into_iter().find(|e| e["text"].as_str().is_some_and(|t| t.contains(text)))
        })
        .await
}

fn ids(overview: &Value) -> Vec<String> {
    let mut ids: Vec<String> =
        overview["mirrors"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// What the page that compares sources by itself may do.
async fn live_policy(world: &World) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{}/live", world.base_url())).send().await.unwrap();
    answer.headers()["content-security-policy"].to_str().unwrap().to_owned()
}

#[test]
fn mirrors_come_and_go_and_the_others_lose_nothing() {
    test(async {
        let mut world = World::new(["leaving", "kept", "coming"].map(|id| (id, Behaviour::default())).into());
        let coming = world.config.mirrors.pop().unwrap();
        // On a busy machine the primary's copies of what was sent before the new mirror's stream began come after that.
        world.config.judging.look_back = Duration::from_secs(1);
        let (mut process, file, log) = world.start_logging().await;
        world.synchronized().await;
        world.publish_every(30, Duration::from_millis(60), None).await;
        world.mirror("kept").set(|b| b.drop_next = 2);
        world.publish(2).await;
        let load = world.babble(Duration::from_millis(10));
        let entry = json!({ "name": "coming", "url": coming.url.as_str().trim_end_matches('/'), "allowPlaintext": true, "allowPrivate": true });
        edited(&process, &file, |config| {
            let mirrors = config["mirrors"].as_array_mut().unwrap();
            mirrors.retain(|m| m["name"] == "kept");
            mirrors.insert(0, entry);
        });
        told(&world, "config_reloaded", "mirrors changed").await;
        world.until("the page shows the mirrors of now", |o| (ids(o) == ["coming", "kept"]).then_some(())).await;
        world.synchronized().await;
        world.hush(load).await;
        // The first of them may fall into the look-back of the new mirror, which does not owe those.
        world.publish_every(150, Duration::from_millis(30), None).await;
        let policy = live_policy(&world).await;
        let has = |id: &str| policy.contains(&format!(" ws://127.0.0.1:{}", world.mirror(id).address().port()));
        assert_eq!([has("leaving"), has("kept"), has("coming")], [false, true, true], "{policy}");
        for (path, status) in [("leaving", 404), ("coming", 200), ("kept", 200)] {
            assert_eq!(world.status(&format!("/api/v1/mirrors/{path}")).await, status, "{path}");
            assert_eq!(world.status(&format!("/api/v1/mirrors/{path}/ops")).await, status, "{path}");
        }
        world.settle().await;
        let counts = world.counts("kept").await;
        assert_eq!((counts.missed, counts.late, counts.extra, counts.unknown), (2, 0, 0, 0), "{counts:?}");
        assert_eq!(counts.delivered() + counts.missed + counts.not_eligible, world.published, "{counts:?}");
        let counts = world.counts("coming").await;
        assert_eq!((counts.missed, counts.late, counts.extra, counts.unknown), (0, 0, 0, 0), "{counts:?}");
        assert!(counts.delivered() >= 115, "{counts:?}");
        assert_eq!(world.get("/api/v1/primary").await["received_ops"], world.published);
        assert!(world.events("observer_down").await.is_empty(), "it was never down");

        edited(&process, &file, |config| config["mirrors"][0]["graceSeconds"] = json!(3));
        world
            .eventually("the grace is that of now", async || {
                let mirrors = world.get("/api/v1/methodology").await["parameters"]["mirrors"].clone();
                let grace_s = |id: &str| mirrors.as_array()?.iter().find(|m| m["id"] == id)?["grace_s"].as_f64();
                (grace_s("coming") == Some(3.0) && grace_s("kept") == Some(GRACE.as_secs_f64())).then_some(())
            })
            .await;
        let reloads = world.events("config_reloaded").await;
        let of_mirrors = reloads.iter().filter(|e| e["text"].as_str().is_some_and(|t| t.contains("mirrors changed")));
        assert_eq!(of_mirrors.count(), 2, "{reloads:?}");
        edited(&process, &file, |config| config["limits"] = json!({ "heldOps": 5_000, "listedMisses": 7 }));
        told(&world, "config_reloaded", "limits changed").await;
        world
            .eventually("the limits are those of now", async || {
                let limits = world.get("/api/v1/internals").await["limits"].clone();
                (limits["held_ops"] == 5_000 && limits["listed_misses"] == 7).then_some(())
            })
            .await;
        world.synchronized().await;
        assert_eq!(world.counts("kept").await.missed, 2);
        process.terminate();
        assert_eq!(process.exit_code(Duration::from_secs(3)).await, Some(0));
        let log = std::fs::read_to_string(log).unwrap();
        assert_eq!(log.lines().filter(|line| line.contains("ERROR")).collect::<Vec<_>>(), Vec::<&str>::new());
    });
}

#[test]
fn intervals_and_the_log_change_without_a_word_to_any_source_and_a_wrong_file_changes_nothing() {
    test(async {
        let mut world = World::new(vec![("kept", Behaviour::default())]);
        let (process, file, log) = world.start_logging().await;
        world.synchronized().await;
        world.publish(10).await;
        let connections = world.mirror("kept").received().upgrades;
        edited(&process, &file, |config| {
            config["analytics"]["recomputeIntervalSeconds"] = json!({ "lag": 0.3 });
            config["log"]["filter"] = json!("info");
            config["retention"] = json!({ "eventDays": 30 });
        });
        told(&world, "config_reloaded", "analytics, retention, log changed").await;
        world
            .eventually("the interval is that of now", async || {
                let page = world.get("/api/v1/internals").await;
                let row = page["recomputers"].as_array()?.iter().find(|row| row["name"] == "lag")?.clone();
                (row["interval_s"] == 0.3).then_some(())
            })
            .await;
        world
            .eventually("the log tells more", async || {
                std::fs::read_to_string(&log).unwrap().contains("analytics, retention, log changed").then_some(())
            })
            .await;

        let good = std::fs::read_to_string(&file).unwrap();
        for (broken, why) in [
            (r#"{ "mirors": [] }"#, r#"unknown key "mirors"; did you mean "mirrors"?"#),
            ("{ \"listen\": ", "config.json:1:"),
        ] {
            std::fs::write(&file, broken).unwrap();
            process.signal("HUP");
            told(&world, "config_refused", why).await;
            assert!(std::fs::read_to_string(&log).unwrap().contains("is refused; the one before stands"));
        }
        std::fs::write(&file, good).unwrap();
        edited(&process, &file, |config| {
            config["listen"] = json!("127.0.0.1:1");
            config["http"] = json!({ "liveSockets": 5 });
        });
        let event = told(&world, "config_needs_restart", "listen").await;
        assert_eq!(event["text"], "listen, http cannot change while it runs; restart to change it");
        world.publish(10).await;
        world.settle().await;
        assert_eq!(world.mirror("kept").received().upgrades, connections, "the connection is the first one still");
        let counts = world.counts("kept").await;
        assert_eq!(counts.delivered(), world.published, "{counts:?}");
        // A machine that froze the program takes timing away, and nothing else.
        assert!(counts.present == 0 || world.was_frozen().await, "{counts:?}");
    });
}
