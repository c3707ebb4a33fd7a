//! The observer stops and starts again on the same data: it goes on with what it had, and blames nobody for the gap.

use crate::world::counts::Counts;
use crate::world::{World, test};
use mirrorwatch::sim::behaviour::Behaviour;
use std::time::Duration;

const UNSEEN: u64 = 15;
const WRONG: u64 = 3;

async fn all_counts(world: &World) -> Vec<Counts> {
    let mut all = Vec::new();
    for (id, _) in &world.mirrors {
        all.push(world.counts(id).await);
    }
    all
}

#[test]
fn a_restart_counts_nothing_twice_and_blames_nobody() {
    test(async {
        let ids = ["faithful", "dropping", "inventing", "late"];
        let mut world = World::new(ids.map(|id| (id, Behaviour::default())).into()).watched().await;
        world.publish_every(30, Duration::from_millis(120), None).await;
        world.mirror("dropping").set(|b| b.drop_next = WRONG as u32);
        world.mirror("inventing").set(|b| b.invent_share = 1.0);
        world.mirror("late").set(|b| b.delay.fixed_ms = 1_500);
        world.publish(WRONG).await;
        world.mirror("inventing").set(|b| b.invent_share = 0.0);
        world.mirror("late").set(|b| b.delay.fixed_ms = 0);
        world.settle().await;
        let on_time = world.published - WRONG;
        let table = [
            ("faithful", Counts { on_time: on_time + WRONG, ..Counts::default() }),
            ("dropping", Counts { on_time, missed: WRONG, ..Counts::default() }),
            ("inventing", Counts { on_time: on_time + WRONG, extra: WRONG, ..Counts::default() }),
            ("late", Counts { on_time, late: WRONG, ..Counts::default() }),
        ];
        for (id, expected) in table {
            world.expect(id, expected).await;
        }
        let (before, lag_before) = (all_counts(&world).await, world.row("faithful").await["lag"].clone());
        world.stop().await;
        world.start().await;
        assert_eq!(all_counts(&world).await, before, "the first page after a start is the last one before it");
        assert_eq!(world.row("faithful").await["lag"]["n"], lag_before["n"]);
        world.synchronized().await;
        assert_eq!(all_counts(&world).await, before);

        // These are published and not yet judged when it stops, and those while it is away.
        world.publish(UNSEEN).await;
        world.stop().await;
        world.mirror("dropping").set(|b| b.drop_next = WRONG as u32);
        world.publish(UNSEEN).await;
        world.start().await;
        world.synchronized().await;
        world.publish(UNSEEN).await;
        world.settle().await;
        assert_eq!(world.events("observer_down").await.len(), 2, "each gap is told, once");
        let (published, primary) = (world.published, world.get("/api/v1/primary").await);
        assert_eq!(primary["received_ops"], published);
        for (id, missed, extra, late) in
            [("faithful", 0, 0, 0), ("dropping", 2 * WRONG, 0, 0), ("inventing", 0, WRONG, 0), ("late", 0, 0, WRONG)]
        {
            let counts = world.counts(id).await;
            let found = (counts.missed, counts.extra, counts.late, counts.unknown, counts.extra_unknown);
            assert_eq!(found, (missed, extra, late, 0, 0), "{id}: {counts:?}");
            assert_eq!(counts.delivered(), published - missed, "{id}: {counts:?}");
            assert!(counts.present >= UNSEEN - missed, "{id}: what was published meanwhile has no timing: {counts:?}");
            assert_eq!(world.row(id).await["received_ops"], published - missed + extra, "{id}");
        }
        world.stop().await;
    });
}
