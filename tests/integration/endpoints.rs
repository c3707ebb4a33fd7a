//! The views of one mirror from outside: whatever they take apart adds up to what the overview and the analytics say.

use crate::world::{World, test};
use mirrorwatch::sim::behaviour::Behaviour;
use serde_json::Value;

/// Operations that one mirror loses; three are an incident.
const LOST: u32 = 6;

fn column_sum(page: &Value, column: &str) -> u64 {
    page[column].as_array().unwrap().iter().filter_map(Value::as_u64).sum()
}

/// What an analytics page says of one mirror.
async fn of(world: &World, path: &str, id: &str, what: &str) -> Value {
    let page = world.get(path).await;
    page["mirrors"].as_array().unwrap().iter().find(|row| row["id"] == id).unwrap()[what].clone()
}

#[test]
fn what_is_taken_apart_adds_up() {
    test(async {
        let mut world =
            World::new(["faithful", "dropping"].map(|id| (id, Behaviour::default())).into()).watched().await;
        world.publish(60).await;
        world.mirror("dropping").set(|b| b.drop_next = LOST);
        world.publish(60).await;
        world.settle().await;
        for id in ["faithful", "dropping"] {
            adds_up(&world, id).await;
        }
        spreads(&world).await;
        world.stop().await;
    });
}

async fn adds_up(world: &World, id: &str) {
    let settled = async || {
        let coverage = of(world, "/api/v1/analytics/coverage?window=24h", id, "coverage").await;
        let lag = of(world, "/api/v1/analytics/lag?window=24h", id, "lag").await;
        let is_whole = coverage["counts"]["pending"] == 0 && lag["raw"]["n"] == coverage["counts"]["on_time"];
        is_whole.then_some((coverage["counts"].clone(), lag))
    };
    let (counts, lag) = world.eventually("the analytics have everything", settled).await;
    for resolution in ["5m", "1h", "1d"] {
        let page = world.get(&format!("/api/v1/mirrors/{id}/windows?resolution={resolution}")).await;
        for name in
            ["eligible", "decided", "on_time", "late", "present", "missed", "pending", "unknown", "not_eligible"]
        {
            assert_eq!(column_sum(&page, name), counts[name].as_u64().unwrap(), "{id} {resolution} {name}: {page}");
        }
        assert_eq!(column_sum(&page, "lag_n"), lag["n"].as_u64().unwrap(), "{id} {resolution}");
    }
    let page = world.get(&format!("/api/v1/mirrors/{id}/lag?window=24h")).await;
    assert_eq!(column_sum(&page["histogram"], "count"), lag["n"].as_u64().unwrap(), "{page}");
    assert_eq!((&page["lag"], &page["lost_ops"]), (&lag, &counts["missed"]));
    let fresh = world.get(&format!("/api/v1/mirrors/{id}/freshness")).await;
    assert_eq!(fresh["series"]["resolution_s"], 30, "{fresh}");
    assert!(fresh["series"]["head_age_s"].as_array().unwrap().iter().any(Value::is_number), "{fresh}");
    let rtt = world.get(&format!("/api/v1/mirrors/{id}/rtt")).await;
    assert_eq!(rtt["rtt"]["peer"], world.row(id).await["rtt"]["peer"], "{rtt}");
    assert!(column_sum(&rtt["series"], "tcp_samples") > 0, "{rtt}");
    let apart = world.get(&format!("/api/v1/mirrors/{id}/divergence")).await;
    assert_eq!(apart["open_misses"], counts["missed"], "{apart}");
}

async fn spreads(world: &World) {
    let page = world.get("/api/v1/propagation?window=1h").await;
    let missed = world.counts("dropping").await.missed;
    let of = |name: &str| page[name].as_u64().unwrap();
    assert_eq!((of("ops_used") + of("ops_left_out"), of("sampled_every")), (of("ops_in_window"), 1), "{page}");
    let both = &page["by_mirrors"][1];
    let never = both["never_ops"].as_u64().unwrap();
    // What was published while this machine was busy has no time, and is left out.
    assert!(never == missed || of("ops_left_out") > 0 && never < missed, "{missed}: {page}");
    let last = both["op_ratio"].as_array().unwrap().last().unwrap().as_f64().unwrap();
    assert!((last - (1.0 - never as f64 / of("ops_used") as f64)).abs() < 1e-5, "{page}");
}

#[test]
fn an_incident_is_told_and_goes_on_behind_a_restart() {
    test(async {
        let mut world =
            World::new(["faithful", "dropping"].map(|id| (id, Behaviour::default())).into()).watched().await;
        world.publish(20).await;
        world.settle().await;
        world.mirror("dropping").set(|b| b.drop_next = LOST);
        world.publish(20).await;
        world.settle().await;
        let before = open_incident(&world).await;
        let id = before["id"].as_str().unwrap();
        assert_eq!((&before["worst_state"], &before["mirror"]), (&"losing".into(), &"dropping".into()), "{before}");
        let one = world.get(&format!("/api/v1/incidents/{id}")).await;
        let changes = one["changes"].as_array().unwrap();
        assert_eq!(changes.last().unwrap()["to"], "losing", "{one}");
        let sample = |id: &str, n: u64| format!("mirrorwatch_incidents_open{{mirror=\"{id}\"}} {n}\n");
        let metrics = world.text("/metrics").await;
        assert!(metrics.contains(&sample("dropping", 1)) && metrics.contains(&sample("faithful", 0)), "{metrics}");
        let best = world.get("/api/v1/best").await;
        assert_ne!(best["mirror"]["id"], "dropping", "{best}");
        assert_eq!(best["candidates"].as_array().unwrap().len(), 2, "{best}");
        assert_eq!(world.row("dropping").await["is_recommended"], false);

        world.stop().await;
        world.start().await;
        world.synchronized().await;
        let after = open_incident(&world).await;
        assert_eq!((&after["id"], &after["started_at"]), (&before["id"], &before["started_at"]), "{after}");
        let why = &after["interruptions"].as_array().unwrap().last().unwrap()["why"];
        assert_eq!(why, "the observer was down", "{after}");
        world.stop().await;
    });
}

/// The one incident of the mirror that loses, once it is there.
async fn open_incident(world: &World) -> Value {
    let find = async || {
        let page = world.get("/api/v1/incidents").await;
        let rows = page["incidents"].as_array()?.clone();
        let of_dropping = rows.iter().find(|row| row["mirror"] == "dropping" && row["is_open"] == true)?;
        Some(of_dropping.clone())
    };
    world.eventually("the loss is an incident", find).await
}
