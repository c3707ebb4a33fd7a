//! Killed at random moments, again and again, under load: it starts again at once, counts nothing twice, and blames no
//! mirror for the gaps.

use crate::world::counts::Counts;
use crate::world::stalls::Stalls;
use crate::world::{World, test};
use mirrorwatch::sim::behaviour::Behaviour;
use rand::RngExt;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const KILLS: u32 = 10;
/// From the start of the process to the first answer.
const START_WITHIN: Duration = Duration::from_secs(2);
/// How long it runs before it is killed.
const LIFE_MS: std::ops::Range<u64> = 50..1_800;

#[test]
fn ten_kills_count_nothing_twice_and_blame_nobody() {
    test(async {
        let mut world = World::new(["faithful", "dropping", "inventing"].map(|id| (id, Behaviour::default())).into());
        let mut process = world.start_process().await;
        world.synchronized().await;
        // What it never had on disk it cannot resume from.
        world.publish(20).await;
        world.received_all().await;
        world.kept().await;
        world.mirror("dropping").set(|b| b.drop_share = 0.02);
        world.mirror("inventing").set(|b| b.invent_share = 0.02);
        let load = world.babble(Duration::from_millis(10));
        for n in 1..=KILLS {
            let life_ms = rand::rng().random_range(LIFE_MS);
            sleep(Duration::from_millis(life_ms)).await;
            process.kill();
            let (begun, stalls) = (Instant::now(), Stalls::watch());
            process = world.start_process().await;
            world.get("/api/v1/overview").await;
            let took = begun.elapsed().saturating_sub(Duration::from_millis(process.waited_ms() + stalls.take_ms()));
            assert!(took <= START_WITHIN, "start {n}, after a life of {life_ms} ms, took {took:?}");
        }
        world.synchronized().await;
        let tally = world.hush(load).await;
        for (_, server) in &world.mirrors {
            server.set(|b| (b.drop_share, b.invent_share) = (0.0, 0.0));
        }
        world.settle().await;
        let published = world.published;
        assert_eq!(world.get("/api/v1/primary").await["received_ops"], published, "{tally:?}");
        for (i, (id, _)) in world.mirrors.iter().enumerate() {
            let counts = world.counts(id).await;
            assert_eq!(counts.eligible, counts.states(), "{id}: {counts:?}");
            assert_eq!(counts.eligible + counts.not_eligible, published, "{id}: {counts:?}");
            assert_eq!(counts.missed, tally.dropped[i], "{id}: {counts:?} {tally:?}");
            assert_eq!(counts.extra + counts.extra_unknown, tally.invented[i], "{id}: {counts:?} {tally:?}");
            assert_eq!((counts.unknown, counts.pending, counts.late), (0, 0, 0), "{id}: {counts:?}");
        }
        assert_eq!(world.events("observer_down").await.len(), KILLS as usize, "each gap is told, once");
        restarted_without_a_change(&mut world, process).await;
    });
}

/// One more kill while nothing happens changes no count.
async fn restarted_without_a_change(world: &mut World, mut process: crate::world::process::Process) {
    world.kept().await;
    let before: Vec<Counts> = counts(world).await;
    process.kill();
    let _process = world.start_process().await;
    assert_eq!(counts(world).await, before);
}

async fn counts(world: &World) -> Vec<Counts> {
    let overview = world.get("/api/v1/overview").await;
    let mut rows = overview["mirrors"].as_array().unwrap().clone();
    rows.sort_by_key(|row| row["id"].as_str().unwrap().to_owned());
    rows.iter().map(Counts::of).collect()
}
