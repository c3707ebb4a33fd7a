//! The state of a mirror from outside: the same word in the API, the badge and the metrics, an event for each change, and
//! nothing new after a restart.

use crate::world::{World, test};
use mirrorwatch::sim::behaviour::Behaviour;
use serde_json::Value;

/// Operations that a mirror loses.
const LOST: u64 = 5;

async fn changes(world: &World, id: &str) -> Vec<(String, String)> {
    let told = |event: &Value, name: &str| event["detail"][name].as_str().unwrap().to_owned();
    let events = world.events("state_changed").await;
    let mut own: Vec<_> = events.iter().filter(|e| e["source"] == id).collect();
    own.sort_by_key(|e| e["id"].as_u64());
    own.iter().map(|e| (told(e, "from"), told(e, "to"))).collect()
}

/// Whether a mirror is ready, once that is computed of what its state was computed of.
async fn readiness(world: &World, id: &str) -> Value {
    let state = world.row(id).await["state"].as_str().unwrap().to_owned();
    world
        .eventually(&format!("{id} is ready or not as it stands"), async || {
            let page = world.get(&format!("/api/v1/mirrors/{id}/readiness")).await;
            page["criteria"][0]["why"].as_str()?.starts_with(&format!("it is {state}")).then_some(page)
        })
        .await
}

async fn is_in(world: &World, id: &str, state: &str) -> Value {
    let find = async || {
        let row = world.row(id).await;
        (row["state"] == state).then_some(row)
    };
    world.eventually(&format!("{id} is {state}"), find).await
}

/// The incident of the mirror that loses goes on, with the time in which nobody was looking.
async fn check_incident(world: &World) {
    let goes_on = async || {
        let page = world.get("/api/v1/incidents").await;
        let incident = page["incidents"].as_array()?.iter().find(|i| i["mirror"] == "dropping")?.clone();
        (incident["phase"] == "open").then_some(incident)
    };
    let incident = world.eventually("the incident goes on", goes_on).await;
    let interruptions = incident["interruptions"].as_array().unwrap();
    let down = interruptions.iter().find(|i| i["why"] == "the observer was down").unwrap();
    assert_eq!(down["state"], "unknown", "{incident}");
    assert!(down["to_at"].is_string() && down["to_at"].as_str() > down["from_at"].as_str(), "{incident}");
}

#[test]
fn a_loser_and_a_liar_are_called_so_everywhere_and_after_a_restart_since_then() {
    test(async {
        let ids = ["faithful", "dropping", "lying"];
        let mut world = World::new(ids.map(|id| (id, Behaviour::default())).into()).watched().await;
        world.publish(20).await;
        world.settle().await;
        is_in(&world, "faithful", "ok").await;
        is_in(&world, "dropping", "ok").await;
        world.mirror("dropping").set(|b| b.drop_next = LOST as u32);
        world.mirror("lying").set(|b| b.alter_share = 1.0);
        world.publish(LOST).await;
        world.mirror("lying").set(|b| b.alter_share = 0.0);
        world.settle().await;
        let losing = is_in(&world, "dropping", "losing").await;
        let diverged = is_in(&world, "lying", "diverged").await;
        assert!(losing["headline"].as_str().unwrap().starts_with("5 of "), "{losing}");
        for (id, state) in [("dropping", "losing"), ("lying", "diverged"), ("faithful", "ok")] {
            let badge = world.get_bare(&format!("/badge/{id}/state.json")).await;
            assert_eq!((&badge["message"], &badge["schemaVersion"]), (&state.into(), &1.into()), "{badge}");
            let picture = world.text(&format!("/badge/{id}/state.svg")).await;
            assert!(picture.contains(&format!("<title>{id} state: {state}</title>")), "{picture}");
            let sample = format!("mirrorwatch_verdict{{mirror=\"{id}\",verdict=\"{state}\"}} 1\n");
            assert!(world.text("/metrics").await.contains(&sample), "{sample}");
            let page = world.get(&format!("/api/v1/mirrors/{id}")).await;
            assert!(page["since_at"].is_string(), "{page}");
            let expected = if state == "ok" { 200 } else { 422 };
            assert_eq!(world.status(&format!("/api/v1/mirrors/{id}/check")).await, expected, "{id}");
            let criterion = readiness(&world, id).await["criteria"][0].clone();
            let status = if state == "ok" { "pass" } else { "fail" };
            assert_eq!((&criterion["id"], &criterion["status"]), (&"state".into(), &status.into()), "{id}");
        }
        let coverage = world.get("/api/v1/analytics/coverage?window=30d").await;
        let slo = world.get("/api/v1/slo").await;
        for (told, held) in coverage["mirrors"].as_array().unwrap().iter().zip(slo["mirrors"].as_array().unwrap()) {
            let objective = &held["objectives"][0];
            assert_eq!((&held["id"], &objective["ops"]), (&told["id"], &told["coverage"]["counts"]["decided"]));
            assert_eq!(objective["fault_ops"], told["coverage"]["counts"]["missed"]);
            let lost = held["id"] != "faithful";
            assert_eq!(objective["alarm"] == "page", lost, "{held}");
        }
        let sample = "mirrorwatch_slo_burn_rate{mirror=\"faithful\",slo=\"coverage\",window=\"1h\"} 0\n";
        assert!(world.text("/metrics").await.contains(sample));
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let dropping = vec![pair("unknown", "ok"), pair("ok", "losing")];
        let lying = changes(&world, "lying").await;
        assert_eq!(changes(&world, "dropping").await, dropping);
        assert_eq!(lying.last(), Some(&pair("ok", "diverged")));
        let faithful = changes(&world, "faithful").await;

        world.stop().await;
        world.start().await;
        let early = world.row("dropping").await;
        assert!(["unknown", "losing"].contains(&early["state"].as_str().unwrap()), "{early}");
        world.synchronized().await;
        assert_eq!(is_in(&world, "dropping", "losing").await["since_at"], losing["since_at"]);
        assert_eq!(is_in(&world, "lying", "diverged").await["since_at"], diverged["since_at"]);
        is_in(&world, "faithful", "ok").await;
        assert_eq!(changes(&world, "dropping").await, dropping, "nothing changed");
        assert_eq!((changes(&world, "lying").await, changes(&world, "faithful").await), (lying, faithful));
        let mut again: Vec<_> =
            world.events("state_found_again").await.iter().map(|e| e["source"].to_string()).collect();
        again.sort();
        assert_eq!(again, ["\"dropping\"", "\"lying\""], "those that were bad, once");
        check_incident(&world).await;
        world.stop().await;
    });
}

#[test]
fn without_the_primary_nobody_is_blamed_and_a_link_of_ours_is_only_down() {
    test(async {
        let mut world = World::new(["one", "two", "three"].map(|id| (id, Behaviour::default())).into()).watched().await;
        world.publish(20).await;
        world.settle().await;
        is_in(&world, "one", "ok").await;
        world.mirror("two").stop().await;
        let down = is_in(&world, "two", "disconnected").await;
        assert!(down["headline"].as_str().unwrap().starts_with("not connected since "), "{down}");
        world.primary.stop().await;
        for id in ["one", "two", "three"] {
            let row = is_in(&world, id, "unknown").await;
            assert_eq!(row["freshness"]["head_lag_ops"].is_null(), id == "two", "{row}");
            let (status, problem) = world.answer(&format!("/api/v1/mirrors/{id}/check")).await;
            assert_eq!((status, &problem["code"]), (424, &"observer_impaired".into()), "{problem}");
            assert!(problem["detail"].as_str().unwrap().contains("primary_down"), "{problem}");
        }
        world.stop().await;
    });
}
