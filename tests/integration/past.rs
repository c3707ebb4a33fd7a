//! Figures of a range that only the store has are those that were told while it was the present.

use crate::world::{World, test};
use mirrorwatch::domain::time::rfc3339_ms;
use mirrorwatch::http::openapi::agreement::check;
use mirrorwatch::ports::store::{Commit, IntervalRow, OpenOptions, SqliteStore, Store, Tier};
use mirrorwatch::sim::behaviour::Behaviour;
use serde_json::{Value, json};
use std::time::Duration;

const IDS: [&str; 2] = ["faithful", "dropping"];
const LOST: u64 = 4;
/// Farther back than memory holds intervals.
const BACK_MS: i64 = 10 * 86_400_000;
const STEP_MS: i64 = 5_000;

fn query((from_ms, to_ms): (i64, i64)) -> String {
    format!("from={}&to={}", rfc3339_ms(from_ms), rfc3339_ms(to_ms))
}

/// The columns of a mirror's windows, but for what is of the time and not of the window.
async fn windows(world: &World, id: &str, range: (i64, i64)) -> Value {
    let mut page = world.get(&format!("/api/v1/mirrors/{id}/windows?resolution=5m&{}", query(range))).await;
    let columns = page.as_object_mut().unwrap();
    columns.remove("t_unix_ms");
    columns.remove("is_impaired");
    page
}

/// Everything that is told of a range.
async fn told(world: &World, range: (i64, i64)) -> Value {
    let range_query = query(range);
    let mut told = json!({});
    for name in ["coverage", "lag"] {
        let path = format!("/api/v1/analytics/{name}");
        let mut page = world.get_bare(&format!("{path}?{range_query}")).await;
        assert_eq!(check(&path, &page), Ok(()), "the document has it");
        let window = page["meta"]["window"].take();
        assert_eq!((&window["from_at"], &window["to_at"]), (&json!(rfc3339_ms(range.0)), &json!(rfc3339_ms(range.1))));
        told[name] = json!([page["data"], window["status"]]);
    }
    let path = "/api/v1/analytics/history";
    let page = world.get_bare(&format!("{path}?{range_query}")).await;
    assert_eq!(check(path, &page), Ok(()), "the document has it");
    let history = &page["data"];
    told["history"] = json!([history["mirrors"], history["primary"], history["reason"]]);
    for id in IDS {
        let lag = world.get(&format!("/api/v1/mirrors/{id}/lag?{range_query}")).await;
        told[id] = json!([windows(world, id, range).await, lag]);
    }
    told
}

/// The range of whole intervals that have operations, once every one of them is final.
async fn settled(world: &World) -> (i64, i64) {
    let is_final = async || {
        let page = world.get("/api/v1/mirrors/dropping/windows?resolution=5m").await;
        let column = |name: &str| page[name].as_array().unwrap().clone();
        let (times, status) = (column("t_unix_ms"), column("status"));
        let known: Vec<usize> = (0..times.len()).filter(|&i| !status[i].is_null()).collect();
        let is_whole = known.iter().all(|&i| status[i] == "final" || status[i] == "revised");
        let (first, last) = (times[*known.first()?].as_i64()?, times[*known.last()?].as_i64()?);
        is_whole.then_some((first, last + STEP_MS))
    };
    world.eventually("every interval is final", is_final).await
}

/// Makes what was kept of intervals older, as if it were from an earlier life.
fn age(world: &World) {
    let (mut store, _) = SqliteStore::open(&world.config.data_dir, OpenOptions::at((world.now_ms())())).unwrap();
    let loaded = store.load().unwrap();
    let of_intervals = loaded.intervals.into_iter().filter(|row| row.tier == Tier::Interval);
    let intervals = of_intervals.map(|row| IntervalRow { start_ms: row.start_ms - BACK_MS, ..row }).collect();
    store.commit(&Commit { intervals, ..Commit::of(loaded.heartbeat.unwrap()) }).unwrap();
    Box::new(store).close().unwrap();
}

#[test]
fn a_range_that_only_the_store_has_is_told_as_it_was() {
    test(async {
        let mut world = World::new(IDS.map(|id| (id, Behaviour::default())).into()).watched().await;
        world.publish_every(30, Duration::from_millis(100), None).await;
        world.mirror("dropping").set(|b| b.drop_next = LOST as u32);
        world.publish(LOST).await;
        world.settle().await;
        let (from_ms, to_ms) = settled(&world).await;
        let before = told(&world, (from_ms, to_ms)).await;
        let counts = &before["coverage"][0]["mirrors"][1]["coverage"]["counts"];
        assert_eq!((&counts["missed"], &counts["eligible"]), (&json!(LOST), &json!(world.published)), "{counts}");
        world.stop().await;
        age(&world);
        world.start().await;
        world.synchronized().await;
        let old = (from_ms - BACK_MS, to_ms - BACK_MS);
        assert_eq!(told(&world, old).await, before, "from the store");
        assert_eq!(told(&world, (from_ms, to_ms)).await, before, "from memory");
        let earlier = windows(&world, "faithful", (old.0 - 2 * STEP_MS, old.0 + STEP_MS)).await;
        assert_eq!(earlier["ratio_reason"], json!(["before_first_start", "before_first_start", null]), "{earlier}");
        assert_eq!(earlier["missed"], json!([null, null, 0]), "nothing is not none");
        let between = windows(&world, "faithful", (old.1 + STEP_MS, old.1 + 2 * STEP_MS)).await;
        assert_eq!((&between["status"], &between["lag_reason"]), (&json!([null]), &json!(["no_data"])));
        world.stop().await;
    });
}
