//! The primary publishes an operation that breaks the rules: a mirror that refuses it is not blamed, one that takes it is not
//! either, and what the mirror really lost is still found.

use crate::world::{World, test};
use mirrorwatch::domain::op::Kind;
use mirrorwatch::sim::behaviour::Behaviour;
use mirrorwatch::sim::op::OpMaker;
use std::sync::Arc;
use std::time::Duration;

/// Valid operations around the broken one.
const VALID: u64 = 10;

#[test]
fn a_mirror_that_refuses_a_broken_operation_is_not_blamed() {
    test(async {
        let mirrors = ["refusing", "trusting", "dropping"].map(|id| (id, Behaviour::default()));
        let mut world = World::new(mirrors.into()).watched().await;
        world.publish_every(10, Duration::from_millis(50), None).await;
        let before = world.published;
        let broken = Arc::new(OpMaker::new(99).of_kind(Kind::Genesis, world.now_ms()()).with_broken_signature());
        world.mirror("refusing").set(|b| b.drop_cids = [broken.key.cid].into());
        for server in std::iter::once(&world.primary).chain(world.mirrors.iter().map(|(_, server)| server)) {
            server.publish(&broken);
        }
        world.published += 1;
        world.mirror("dropping").set(|b| b.drop_next = 1);
        world.publish(VALID).await;
        world.settle().await;

        let rest = world.published - before - 1;
        for (id, others, missed) in [("refusing", 1, 0), ("trusting", 0, 0), ("dropping", 0, 1)] {
            let counts = world.counts(id).await;
            assert_eq!((counts.others, counts.missed, counts.unknown), (others, missed, 0), "{id}: {counts:?}");
            assert!(counts.delivered() >= rest, "{id}: {counts:?}");
            assert_eq!(counts.eligible, counts.states(), "{id}: {counts:?}");
        }
        let ops = world.get("/api/v1/mirrors/refusing/ops?verdict=disputed").await;
        let listed = ops["ops"].as_array().unwrap();
        assert_eq!(listed.len(), 1, "{ops}");
        assert_eq!(listed[0]["cid"], broken.key.cid.to_string(), "{ops}");

        let events = world.events("primary_invalid_op").await;
        assert_eq!(events.len(), 1, "{events:?}");
        let text = events[0]["text"].as_str().unwrap();
        assert!(text.contains(&broken.key.cid.to_string()) && text.contains("bad_signature"), "{text}");
        assert_eq!(events[0]["source"], "primary");
        let published = world.published;
        let counted = async || {
            let validity = world.get("/api/v1/internals").await["validity"].take();
            (validity["validated"].as_u64()? >= published).then_some(validity)
        };
        let validity = world.eventually("every operation is validated", counted).await;
        assert_eq!((&validity["invalid"], &validity["not_validated"]), (&1.into(), &0.into()), "{validity}");
        world.stop().await;
    });
}
