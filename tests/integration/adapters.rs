//! Mirrors without a stream: every way of taking operations finds a faithful mirror complete and a losing one losing, and
//! `auto` ends at the first rung that serves.

use crate::world::counts::Counts;
use crate::world::{World, test};
use mirrorwatch::config::Transport;
use mirrorwatch::sim::behaviour::{Behaviour, CursorFault, Export, Hangup, Refusal, Upgrade, Wire};
use serde_json::Value;
use std::time::Duration;

/// Between two operations where each is looked up.
const SLOWLY: Duration = Duration::from_millis(100);
/// Operations of a mirror's log before it is watched.
const BEFORE: u64 = 6;

const NO_STREAM: Upgrade = Upgrade::Refuse(Refusal { status: 404, retry_after_s: None });

fn no_stream() -> Behaviour {
    Behaviour { upgrade: NO_STREAM, ..Behaviour::default() }
}

fn bundle() -> Behaviour {
    let mut behaviour = Behaviour { export: Export::Absent, ..Behaviour::default() };
    behaviour.style.wire = Wire::Bundle;
    behaviour.replay_on_connect = 10_000;
    behaviour
}

/// One that serves single DIDs alone.
fn replica() -> Behaviour {
    Behaviour { export: Export::Absent, ..no_stream() }
}

/// One of every kind, watched in its own way.
fn kinds() -> Vec<(&'static str, Behaviour, Transport)> {
    vec![
        ("streaming", Behaviour::default(), Transport::Stream),
        ("numbered", no_stream(), Transport::Export),
        ("timed", Behaviour { export_by_number: false, ..no_stream() }, Transport::Export),
        ("bundling", bundle(), Transport::PlcBundle),
        ("resolving", replica(), Transport::Resolve),
        ("resolving-last", Behaviour { audit: Export::Absent, ..replica() }, Transport::Resolve),
    ]
}

fn world(kinds: Vec<(&'static str, Behaviour, Transport)>) -> World {
    let transports: Vec<Transport> = kinds.iter().map(|kind| kind.2).collect();
    let mut world = World::new(kinds.into_iter().map(|(id, behaviour, _)| (id, behaviour)).collect());
    for (mirror, transport) in world.config.mirrors.iter_mut().zip(transports) {
        mirror.transport = transport;
    }
    world.config.audit.requests_per_second = 40.0;
    world
}

/// Watches, and lets operations go on until every source is there.
async fn watched(mut world: World) -> World {
    world.publish(BEFORE).await;
    world.published = 0;
    world.start().await;
    let publisher = world.babble(SLOWLY);
    world.synchronized().await;
    world.hush(publisher).await;
    world
}

fn row_of<'a>(overview: &'a Value, id: &str) -> &'a Value {
    overview["mirrors"].as_array().unwrap().iter().find(|m| m["id"] == id).unwrap()
}

/// Everything that was judged is there, and nothing is said that is not so.
fn assert_complete(id: &str, counts: &Counts, least: u64) {
    let bad = (counts.missed, counts.unknown, counts.extra, counts.extra_unknown, counts.late);
    assert_eq!(bad, (0, 0, 0, 0, 0), "{id}: {counts:?}");
    assert_eq!(counts.delivered(), counts.eligible, "{id}: {counts:?}");
    assert!(counts.eligible >= least, "{id}: {counts:?}");
}

#[test]
fn a_faithful_mirror_is_complete_whichever_way_it_is_watched() {
    test(async {
        let mut world = watched(world(kinds())).await;
        let before: Vec<u64> = {
            let mut before = Vec::new();
            for (id, _) in &world.mirrors {
                before.push(world.counts(id).await.eligible);
            }
            before
        };
        world.publish_every(60, SLOWLY, None).await;
        world.settle().await;
        for ((id, _), before) in world.mirrors.iter().zip(before) {
            let counts = world.counts(id).await;
            assert_complete(id, &counts, before + 40);
            let row = world.row(id).await;
            let is_sampled = row["sampling_ratio"].is_number();
            if *id != "streaming" && *id != "bundling" {
                let (resolution, uncertainty) = (row["resolution_ms"].as_f64(), row["lag"]["uncertainty_ms"].as_f64());
                // A look-up tells the distance of two looks as it was; the first one follows after half a second.
                let is_told = |ms: f64| {
                    if is_sampled {
                        ms >= 400.0
                    } else {
                        (500.0..5_000.0).contains(&ms) && (ms - 1_000.0).abs() > f64::EPSILON
                    }
                };
                assert!(resolution.is_some_and(is_told), "{id}: {row}");
                assert!(uncertainty.is_some_and(|ms| ms >= 100.0), "{id}: polling is not that sure: {}", row["lag"]);
            }
            assert!(row["transport_reason"].as_str().is_some_and(|r| r.contains("configured")), "{id}: {row}");
            assert_eq!(is_sampled, id.starts_with("resolving"), "{id}: {row}");
            assert!(row["lag"]["n"].as_u64().unwrap() > 0, "{id}: some have a lag: {}", row["lag"]);
        }
        world.stop().await;
    });
}

#[test]
fn a_mirror_that_loses_operations_is_found_whichever_way_it_is_watched() {
    test(async {
        let mut world = watched(world(kinds())).await;
        world.publish_every(10, SLOWLY, None).await;
        for (_, server) in &world.mirrors {
            server.set(|b| b.drop_next = 5);
        }
        // Genesis operations: nothing that follows tells that they were there.
        world.publish_every(5, SLOWLY, Some(mirrorwatch::domain::op::Kind::Genesis)).await;
        world.publish_every(10, SLOWLY, None).await;
        world.settle().await;
        for (id, _) in &world.mirrors {
            let counts = world.counts(id).await;
            assert_eq!((counts.unknown, counts.extra), (0, 0), "{id}: {counts:?}");
            assert_eq!(counts.delivered() + counts.missed, counts.eligible, "{id}: {counts:?}");
            // Where the last operation of a DID is all that is shown, what came after hides a loss.
            let least = if *id == "resolving-last" { 1 } else { 5 };
            assert!((least..=5).contains(&counts.missed), "{id}: {counts:?}");
        }
        world.stop().await;
    });
}

#[test]
fn what_a_mirror_published_while_it_was_away_is_filled_or_unknown_and_never_missed() {
    test(async {
        let kinds: Vec<_> = kinds().into_iter().filter(|kind| kind.0 != "streaming").collect();
        let mut world = watched(world(kinds)).await;
        world.publish_every(20, SLOWLY, None).await;
        world.settle().await;
        let mut before = Vec::new();
        for (id, server) in &world.mirrors {
            before.push(world.counts(id).await);
            server.stop().await;
            assert_eq!(row_of(&world.get("/api/v1/overview").await, id)["link"]["state"], "synchronized", "{id}");
        }
        let publisher = world.babble(SLOWLY);
        world
            .until("every one of them is seen to be gone", |o| {
                let is_gone =
                    |row: &Value| row["link"]["state"] != "synchronized" && row["link"]["last_error"].is_object();
                o["mirrors"].as_array()?.iter().all(is_gone).then_some(())
            })
            .await;
        world.hush(publisher).await;
        world.publish_every(10, SLOWLY, None).await;
        for (_, server) in &world.mirrors {
            server.start_again().unwrap();
        }
        // A stream without numbers is behind its replay after a pause.
        let publisher = world.babble(Duration::from_millis(2_300));
        world.synchronized().await;
        world.hush(publisher).await;
        world.settle().await;
        for ((id, _), before) in world.mirrors.iter().zip(before) {
            let counts = world.counts(id).await;
            assert_complete(id, &counts, before.eligible + 10);
            assert!(counts.present >= before.present + 10, "{id}: what was filled has no timing: {counts:?}");
        }
        world.stop().await;
    });
}

/// A mirror, and where `auto` must end.
fn ladder() -> Vec<(&'static str, Behaviour, &'static str, &'static str)> {
    let refuse = |status| Upgrade::Refuse(Refusal { status, retry_after_s: None });
    let without = |upgrade| Behaviour { upgrade, ..Behaviour::default() };
    let nothing = Behaviour { audit: Export::Absent, has_logs: false, ..replica() };
    vec![
        ("healthy", Behaviour::default(), "stream", "is open"),
        ("false-101", without(Upgrade::FalseAccept(Hangup::Eof)), "export", "a false 101"),
        ("not-found", without(refuse(404)), "export", "no stream: http: 404"),
        ("upgrade-required", without(refuse(426)), "export", "no stream: http: 426"),
        ("hanging", without(Upgrade::Hang), "export", "was never answered within 1.5 s"),
        ("by-time", Behaviour { export_by_number: false, ..no_stream() }, "export", "polled by time"),
        ("bundling", bundle(), "plcbundle", "/ws sends operations"),
        ("audit-only", replica(), "resolve", "/log/audit is asked about single DIDs"),
        ("nothing", nothing, "auto", ""),
    ]
}

#[test]
fn auto_ends_at_the_first_rung_that_serves_and_says_why() {
    test(async {
        let rows = ladder();
        let kinds = rows.iter().map(|row| (row.0, row.1.clone(), Transport::Auto)).collect();
        let mut world = world(kinds);
        world.publish(BEFORE).await;
        world.published = 0;
        world.start().await;
        let publisher = world.babble(SLOWLY);
        let is_auto = |state: &'static str| {
            move |o: &Value| {
                let row = row_of(o, "nothing");
                let is_open = row["transport"] == "auto" && row["transport_reason"].is_null();
                (is_open && row["link"]["state"] == state).then_some(())
            }
        };
        // What was never answered may be answered once the DIDs are known everywhere.
        world.until("one that serves nothing is waited for", is_auto("waiting")).await;
        for (id, _, transport, reason) in rows.iter().filter(|row| row.2 != "auto") {
            let what = format!("{id} is taken by {transport} because of {reason}");
            let chosen = |o: &Value| {
                let row = row_of(o, id);
                let is_told = row["transport_reason"].as_str()?.contains(reason);
                (row["transport"] == *transport && row["link"]["state"] == "synchronized" && is_told).then_some(())
            };
            world.until(&what, chosen).await;
        }
        world.until("one that serves nothing is unsupported in the end", is_auto("unsupported")).await;
        let told = world.events("link_unsupported").await;
        let [told] = &told[..] else { panic!("once: {told:?}") };
        let text = told["text"].as_str().unwrap();
        let rungs = ["no stream: ", "no plcbundle: ", "no export: ", "no resolve: "];
        assert!(told["source"] == "nothing" && rungs.iter().all(|rung| text.contains(rung)), "{told}");
        world.hush(publisher).await;
        world.publish_every(30, SLOWLY, None).await;
        world.settle().await;
        for (id, _, transport, _) in &rows {
            let counts = world.counts(id).await;
            if *transport == "auto" {
                assert_eq!(counts.eligible, 0, "{id}: it was never observed: {counts:?}");
            } else {
                assert_complete(id, &counts, 20);
            }
        }
        world.stop().await;
    });
}

#[test]
fn a_better_way_is_found_when_somebody_asks_to_look_again() {
    test(async {
        let mut world =
            world(vec![("growing", no_stream(), Transport::Auto), ("polled", no_stream(), Transport::Export)]);
        world.config.audit.allow_recheck = true;
        let mut world = watched(world).await;
        world.publish_every(5, SLOWLY, None).await;
        assert_eq!(world.row("growing").await["transport"], "export");
        assert_eq!(world.post("/api/v1/mirrors/polled/reprobe").await, 409, "its transport is configured");
        let publisher = world.babble(SLOWLY / 4);
        world.mirror("growing").set(|b| b.upgrade = Upgrade::Stream);
        let asked = async || (world.post("/api/v1/mirrors/growing/reprobe").await == 202).then_some(());
        world.eventually("it may be asked for", asked).await;
        let is_streamed = async || {
            // What was looked at just now is not looked at again: somebody asks once more.
            world.post("/api/v1/mirrors/growing/reprobe").await;
            let row = world.row("growing").await;
            (row["transport"] == "stream" && row["link"]["state"] == "synchronized").then_some(())
        };
        world.eventually("its stream is found", is_streamed).await;
        world.hush(publisher).await;
        world.publish_every(10, SLOWLY, None).await;
        world.settle().await;
        let counts = world.counts("growing").await;
        let bad = (counts.missed, counts.extra, counts.unknown);
        assert_eq!(bad, (0, 0, 0), "a change of the way loses nothing: {counts:?}");
        world.stop().await;
    });
}

#[test]
fn a_stream_that_is_open_is_kept_when_the_host_refuses_another_connection() {
    test(async {
        let busy = Upgrade::Refuse(Refusal { status: 429, retry_after_s: None });
        let forbidden = Upgrade::Refuse(Refusal { status: 403, retry_after_s: None });
        let kinds = ["busy", "forbidden"].map(|id| (id, Behaviour::default(), Transport::Auto));
        let mut world = world(kinds.into());
        world.config.audit.allow_recheck = true;
        let mut world = watched(world).await;
        world.mirror("busy").set(|b| b.upgrade = busy.clone());
        world.mirror("forbidden").set(|b| b.upgrade = forbidden.clone());
        // What was looked at just now is not looked at again.
        world.publish_every(55, SLOWLY, None).await;
        for id in ["busy", "forbidden"] {
            let path = format!("/api/v1/mirrors/{id}/reprobe");
            world.eventually("it may be asked for", async || (world.post(&path).await == 202).then_some(())).await;
        }
        world.publish_every(20, SLOWLY, None).await;
        world.settle().await;
        for id in ["busy", "forbidden"] {
            let row = world.row(id).await;
            assert_eq!((&row["transport"], &row["link"]["reconnects"]), (&"stream".into(), &0.into()), "{id}: {row}");
            assert_complete(id, &world.counts(id).await, 20);
        }
        world.stop().await;
    });
}

/// The habits of the fork that public mirrors run: keys in order, `nullified`, no pong, no answer to a close, `/export` by
/// number alone, and 400 before the upgrade for a cursor that it does not keep.
fn fork() -> Behaviour {
    let mut behaviour = Behaviour {
        answers_pings: false,
        cursor_fault: CursorFault::BadRequest,
        oldest_cursor: 1 << 40,
        export_by_time: false,
        ..Behaviour::default()
    };
    behaviour.style.sorted_keys = true;
    behaviour
}

#[test]
fn a_stream_with_the_forks_habits_is_watched_like_any_other() {
    test(async {
        let forks = [("fork", Transport::Stream), ("fork-by-auto", Transport::Auto)];
        let mut world = watched(world(forks.map(|(id, transport)| (id, fork(), transport)).into())).await;
        world.publish(50).await;
        world.settle().await;
        for (id, server) in &world.mirrors {
            assert_complete(id, &world.counts(id).await, 50);
            server.stop().await;
        }
        let is_gone = |row: &Value| row["link"]["state"] != "synchronized";
        world.until("both are gone", |o| o["mirrors"].as_array()?.iter().all(is_gone).then_some(())).await;
        world.publish(15).await;
        for (_, server) in &world.mirrors {
            server.start_again().unwrap();
        }
        world.synchronized().await;
        world.publish(20).await;
        world.settle().await;
        for (id, _) in &world.mirrors {
            let counts = world.counts(id).await;
            assert_complete(id, &counts, 80);
            assert!(counts.present >= 15, "{id}: {counts:?}");
        }
        world.stop().await;
    });
}
