//! Every kind of software that serves the directory's log, with all its habits at once: one table, one row a kind.
//!
//! Each is found out by `auto`, loses one operation, and is told from the others by that alone.

use crate::world::script::explained;
use crate::world::{World, test};
use mirrorwatch::config::Transport;
use mirrorwatch::domain::finding::Finding;
use mirrorwatch::domain::op::Kind;
use mirrorwatch::sim::behaviour::Behaviour;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two operations where each is looked up.
const SLOWLY: Duration = Duration::from_millis(100);

/// A kind of software, the transport by which `auto` takes operations from it, and a part of the reason that it gives.
type Kin = (&'static str, fn() -> Behaviour, &'static str, &'static str);

fn kinds() -> [Kin; 6] {
    [
        ("reference", Behaviour::default, "stream", "is open"),
        ("fjall-fork", Behaviour::fjall_fork, "stream", "is open"),
        ("allegedly", Behaviour::allegedly, "export", "a false 101"),
        ("plcbundle", Behaviour::plcbundle, "plcbundle", "no stream: http: 404"),
        ("plc-replica", Behaviour::plc_replica, "resolve", "/log/audit"),
        ("plc-mirror", Behaviour::plc_mirror, "auto", ""),
    ]
}

fn row_of<'a>(overview: &'a Value, id: &str) -> &'a Value {
    overview["mirrors"].as_array().unwrap().iter().find(|m| m["id"] == id).unwrap()
}

#[test]
fn every_kind_of_software_is_watched_in_the_way_that_it_serves() {
    test(async {
        let table = kinds();
        let mut world = World::new(table.map(|(id, habits, ..)| (id, habits())).into());
        world.config.audit.requests_per_second = 40.0;
        world.config.mirrors.iter_mut().for_each(|mirror| mirror.transport = Transport::Auto);
        // What polls is polled by us in turn.
        (world.config.judging.on_time, world.config.judging.grace) = (Duration::from_secs(4), Duration::from_secs(6));
        world.publish(6).await;
        world.published = 0;
        world.start().await;
        let publisher = world.babble(SLOWLY);
        for (id, _, transport, reason) in table {
            let state = if transport == "auto" { "waiting" } else { "synchronized" };
            let chosen = |o: &Value| {
                let row = row_of(o, id);
                let is_told = row["transport_reason"].as_str().map_or(reason.is_empty(), |r| r.contains(reason));
                (row["transport"] == transport && row["link"]["state"] == state && is_told).then_some(())
            };
            world.until(&format!("{id} is taken by {transport} because of {reason}"), chosen).await;
        }
        world.hush(publisher).await;
        for (_, server) in &world.mirrors {
            server.set(|b| b.drop_next = 1);
        }
        let now = world.now_ms();
        let lost = world.maker().of_kind(Kind::Genesis, now());
        world.maker().leave_alone(lost.key.did);
        world.hand_out(&lost);
        world.published += 1;
        world.publish_every(30, SLOWLY, Some(Kind::Update)).await;
        world.settle().await;
        for (id, _, transport, _) in table {
            if transport == "auto" {
                assert_eq!(world.counts(id).await.eligible, 0, "{id}: it was never observed");
                continue;
            }
            let is_one_lost = async || {
                let c = world.counts(id).await;
                let faults = (c.missed, c.late, c.unknown, c.extra, c.extra_unknown, c.pending);
                (faults == (1, 0, 0, 0, 0, 0) && c.delivered() + 1 == c.eligible && c.eligible > 30).then_some(())
            };
            world.eventually(&format!("{id} lost one"), is_one_lost).await;
            let expected = BTreeMap::from([(Finding::DidUnknown.name(), 1)]);
            let found = async || (explained(&*world.picture().await, world.index(id)) == expected).then_some(());
            world.eventually(&format!("{id}: it is said what it lost"), found).await;
        }
        world.stop().await;
    });
}
