//! What hosts were asked and when links were up outlasts the process, however it ends: the pages say the same as before.

use crate::world::{World, test};
use mirrorwatch::domain::did::Did;
use mirrorwatch::domain::op::Kind;
use mirrorwatch::sim::behaviour::{Behaviour, Hangup};
use serde_json::{Value, json};
use std::time::Duration;

const PACE: Duration = Duration::from_millis(60);

/// Has the stream of one mirror lose an operation, and one mirror close its stream.
async fn eventful(world: &mut World) {
    world.publish_every(15, PACE, Some(Kind::Genesis)).await;
    world.mirror("closing").kill_connections(Hangup::Close { code: 1000, reason: "ConsumerTooSlow" });
    // This one will not be looked at again after a restart: what was found is final.
    world.mirror("lossy").set(|b| b.unstreamed_next = 1);
    world.publish_updates(1).await;
    world.settle().await;
}

/// The address of the operation that the mirror lost, once it is explained.
async fn lost(world: &World) -> (String, String) {
    let found = async || {
        let page = world.get("/api/v1/mirrors/lossy/ops?verdict=missed").await;
        let op = page["ops"].as_array()?.first()?.clone();
        let (did, cid) = (op["did"].as_str()?.to_owned(), op["cid"].as_str()?.to_owned());
        let op = world.get(&format!("/api/v1/ops/{did}/{cid}")).await;
        let host = op["hosts"].as_array()?.iter().find(|h| h["id"] == "lossy")?.clone();
        (host["check"]["finding"] == "stream_loss").then_some((did, cid))
    };
    world.eventually("the loss is explained", found).await
}

/// What the pages about the lost operation say of what was asked.
async fn asked(world: &World, (did, cid): &(String, String)) -> Value {
    let evidence = world.get(&format!("/api/v1/ops/{did}/{cid}/evidence")).await;
    let page = world.get(&format!("/api/v1/dids/{did}")).await;
    let checks: Vec<Value> = evidence["operation"]["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|h| json!([h["id"], h["verdict"], h["at"], h["finding"], h["check"]]))
        .collect();
    assert!(!evidence["probes"].as_array().unwrap().is_empty(), "{evidence}");
    json!([evidence["probes"], checks, page["hosts"], page["survey"]])
}

/// The sessions of a mirror, newest first.
async fn sessions(world: &World, id: &str) -> Vec<Value> {
    world.get(&format!("/api/v1/mirrors/{id}/sessions")).await["sessions"].as_array().unwrap().clone()
}

/// What was told before is told again, but that the session which went on then was ended by the observer, between these.
fn assert_remembered(before: &[Value], after: &[Value], (from, to): (&str, &str), what: &str) {
    let ours: Vec<&Value> = after.iter().filter(|s| s["opened_at"].as_str().unwrap() < to).collect();
    assert_eq!(ours.len(), before.len(), "{what}: {before:?}\n{after:?}");
    for (before, after) in before.iter().zip(ours) {
        if !before["closed_at"].is_null() {
            assert_eq!(before, after, "{what}");
            continue;
        }
        let closed = after["closed_at"].as_str().unwrap();
        assert!(from <= closed && closed <= to, "{what}: {from} {after} {to}");
        assert_eq!((&after["ended_by"], &after["code"]), (&json!("observer"), &Value::Null), "{what}: {after}");
        for field in ["opened_at", "resumed_from", "is_caught_up"] {
            assert_eq!(before[field], after[field], "{what}: {field}");
        }
    }
}

fn now(world: &World) -> String {
    mirrorwatch::domain::time::rfc3339_ms((world.now_ms())())
}

const IDS: [&str; 2] = ["lossy", "closing"];

fn world() -> World {
    World::new(IDS.map(|id| (id, Behaviour::default())).into())
}

#[test]
fn an_orderly_restart_forgets_no_evidence_and_no_session() {
    test(async {
        let mut world = world();
        world.config.audit.allow_recheck = true;
        let mut world = world.watched().await;
        eventful(&mut world).await;
        let lost = lost(&world).await;
        world.recheck(Did::parse(&lost.0).unwrap()).await.unwrap();
        let surveyed = async || {
            let page = world.get(&format!("/api/v1/dids/{}", lost.0)).await;
            (page["survey"]["hosts"].as_array()?.len() == 3).then_some(())
        };
        world.eventually("every host was asked about the DID", surveyed).await;
        let before = (asked(&world, &lost).await, sessions(&world, "lossy").await, sessions(&world, "closing").await);
        assert!(before.2.len() >= 2 && before.2[1]["ended_by"] == "source", "{:?}", before.2);
        let from = now(&world);
        world.stop().await;
        let to = now(&world);
        world.start().await;
        assert_eq!(asked(&world, &lost).await, before.0);
        assert_remembered(&before.1, &sessions(&world, "lossy").await, (&from, &to), "lossy");
        assert_remembered(&before.2, &sessions(&world, "closing").await, (&from, &to), "closing");
        world.stop().await;
    });
}

#[test]
fn a_kill_costs_no_evidence_and_no_session_that_was_kept() {
    test(async {
        let mut world = world();
        let config = crate::world::process::write_config(world.dir(), &world.config);
        let mut process = world.start_process().await;
        world.synchronized().await;
        eventful(&mut world).await;
        let lost = lost(&world).await;
        world.kept().await;
        let before = (asked(&world, &lost).await, sessions(&world, "lossy").await, sessions(&world, "closing").await);
        process.kill();
        let to = now(&world);
        let from = mirrorwatch::domain::time::rfc3339_ms((world.now_ms())() - 5_000);
        let again = crate::world::process::Process::start(&config).await;
        world.ask(&again);
        assert_eq!(asked(&world, &lost).await, before.0);
        assert_remembered(&before.1, &sessions(&world, "lossy").await, (&from, &to), "lossy");
        assert_remembered(&before.2, &sessions(&world, "closing").await, (&from, &to), "closing");
    });
}
