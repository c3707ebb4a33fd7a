//! Parts that panic or do not answer, in the running program: who comes back, how soon, and that nobody is blamed for it.

use crate::world::counts::Counts;
use crate::world::stalls::Stalls;
use crate::world::{World, test};
use mirrorwatch::config::Transport;
use mirrorwatch::sim::behaviour::Behaviour;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A part at the edge is back after this.
const EDGE_WITHIN: Duration = Duration::from_secs(1);
/// The core is back after this.
const CORE_WITHIN: Duration = Duration::from_secs(2);
/// A part that does not answer is noticed after this.
const STUCK_WITHIN: Duration = Duration::from_secs(5);
/// What a page of the internals needs to show it, and a busy machine to ask for that.
const SHOWN_WITHIN: Duration = Duration::from_millis(500);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

async fn restarts(world: &World, part: &str) -> u64 {
    world.get("/api/v1/internals").await["restarts"][part].as_u64().unwrap_or(0)
}

/// Waits until a part was started anew more often than `before`; how long that took without what the machine made it wait.
async fn started_anew(world: &World, part: &str, before: u64) -> Duration {
    let (begun, stalls) = (Instant::now(), Stalls::watch());
    let is_anew = async || (restarts(world, part).await > before).then_some(());
    world.eventually(&format!("{part} is started anew"), is_anew).await;
    begun.elapsed().saturating_sub(Duration::from_millis(stalls.take_ms()))
}

/// Lets a part panic, and waits until it was started anew; how long that took from the panic on.
async fn panicked(world: &World, (name, of): (&'static str, &str), part: &str) -> Duration {
    let fail = world.fail();
    fail.panic_at(name, of);
    world.eventually(&format!("{part} comes to {name} {of}"), async || fail.are_spent().then_some(())).await;
    started_anew(world, part, 0).await
}

#[test]
fn an_answer_that_panics_is_an_error_with_a_number_and_the_others_go_on() {
    test(async {
        let world = quiet(&["untouched"]).watched().await;
        world.fail().panic_at("request", "/api/v1/mirrors");
        let (status, problem) = world.answer("/api/v1/mirrors").await;
        let detail = problem["detail"].as_str().unwrap();
        assert_eq!((status, &problem["code"]), (500, &"internal".into()), "{problem}");
        assert!(detail.starts_with("report id 01") && detail.len() == 36, "{detail}");
        assert_eq!(world.status("/api/v1/mirrors").await, 200, "the next one is answered");
        world
            .eventually("it is counted", async || {
                let counted = world.get("/api/v1/internals").await["http"]["panics"] == 1;
                let scraped = world.text("/metrics").await.contains("\nmirrorwatch_http_panics_total 1\n");
                (counted && scraped).then_some(())
            })
            .await;
        assert_eq!(world.row("untouched").await["link"]["reconnects"], 0);
        let mut world = world;
        world.stop().await;
    });
}

fn quiet(ids: &[&'static str]) -> World {
    World::new(ids.iter().map(|id| (*id, Behaviour::default())).collect())
}

/// Nobody was blamed, and everything is counted.
async fn blames_nobody(world: &World, ids: &[&str]) {
    for id in ids {
        let counts = world.counts(id).await;
        assert_eq!((counts.missed, counts.late, counts.extra), (0, 0, 0), "{id}: {counts:?}");
        assert_eq!(counts.eligible, counts.states(), "{id}: {counts:?}");
        assert_eq!(counts.eligible + counts.not_eligible, world.published, "{id}: {counts:?}");
    }
}

#[test]
fn a_part_at_the_edge_that_panics_is_back_within_a_second_and_the_others_do_not_notice() {
    test(async {
        let mut world = quiet(&["untouched", "broken", "polled", "asked"]);
        world.config.rtt.interval = Duration::from_millis(200);
        world.config.audit.sample_per_minute = 60;
        for (id, transport) in [("polled", Transport::Export), ("asked", Transport::Resolve)] {
            world.config.mirrors.iter_mut().find(|m| m.id == id).unwrap().transport = transport;
        }
        world.start().await;
        world
            .until("every link is up, but for the one that needs operations to look for", |o| {
                let rows = o["mirrors"].as_array()?.iter().chain([&o["primary"]]);
                let is_up = |row: &serde_json::Value| row["id"] == "asked" || row["link"]["state"] == "synchronized";
                rows.into_iter().all(is_up).then_some(())
            })
            .await;
        let load = world.babble(Duration::from_millis(10));
        let parts = [
            (("stream", "broken"), "stream broken"),
            (("reader", "broken"), "reader broken"),
            (("keeper", "broken"), "source broken"),
            (("poller", "polled"), "export polled"),
            (("resolver", "asked"), "resolve asked"),
            (("pinger", "broken"), "pinger broken"),
            (("auditor", ""), "auditor"),
            (("validator", ""), "validator"),
            (("writer", ""), "writer"),
        ];
        for (point, part) in parts {
            let took = panicked(&world, point, part).await;
            assert!(took <= EDGE_WITHIN + SHOWN_WITHIN, "{part} was back after {took:?}");
            assert_eq!(restarts(&world, part).await, 1, "{part}");
            world.synchronized().await;
        }
        for (_, part) in parts {
            let text = format!("{part} ended by itself and was started anew");
            world
                .eventually(&text, async || {
                    world.events("part_restarted").await.iter().any(|e| e["text"] == text.as_str()).then_some(())
                })
                .await;
        }
        assert_eq!(restarts(&world, "collector").await, 0);
        let samples = world.row("broken").await["rtt"]["samples"].as_u64();
        world
            .until("round trips go on", |o| {
                let row = o["mirrors"].as_array()?.iter().find(|row| row["id"] == "broken")?;
                (row["rtt"]["samples"].as_u64() > samples).then_some(())
            })
            .await;
        world.hush(load).await;
        world.settle().await;
        blames_nobody(&world, &["untouched", "broken", "polled"]).await;
        let counts: Counts = world.counts("untouched").await;
        assert_eq!((counts.unknown, counts.delivered()), (0, world.published - counts.not_eligible), "{counts:?}");
        assert_eq!(world.row("untouched").await["link"]["reconnects"], 0, "the others go on");
        let validity = world.get("/api/v1/internals").await["validity"].clone();
        assert!(validity["queued"] == 0 && validity["validated"].as_u64() > Some(0), "{validity}");
        world.stop().await;
        // What the writer had under way when it panicked was kept, once.
        world.start().await;
        assert_eq!(world.get("/api/v1/primary").await["received_ops"], world.published);
        world.stop().await;
    });
}

#[test]
fn a_stream_of_the_primary_that_panics_costs_no_mirror_anything() {
    test(async {
        let mut world = quiet(&["one", "two"]).watched().await;
        world.publish(10).await;
        let load = world.babble(Duration::from_millis(10));
        for (point, part) in [(("stream", "primary"), "source primary"), (("reader", "primary"), "reader primary")] {
            let took = panicked(&world, point, part).await;
            assert!(took <= EDGE_WITHIN + SHOWN_WITHIN, "{part} was back after {took:?}");
            world.synchronized().await;
        }
        world.hush(load).await;
        world.settle().await;
        for id in ["one", "two"] {
            let counts = world.counts(id).await;
            let found = (counts.missed, counts.late, counts.extra, counts.unknown);
            assert_eq!(found, (0, 0, 0, 0), "{id}: {counts:?}");
            assert_eq!(counts.delivered() + counts.not_eligible, world.published, "{id}: {counts:?}");
        }
        world.stop().await;
    });
}

#[test]
fn a_recomputer_or_a_transaction_that_panics_keeps_what_was_there() {
    test(async {
        let mut world = quiet(&["one"]).watched().await;
        world.publish(10).await;
        let fail = world.fail();
        for name in ["overview", "coverage", "lag", "misses", "rtt", "history", "divergence", "stats"] {
            fail.panic_at("recompute", name);
        }
        fail.panic_at("commit", "");
        world.eventually("every recomputer failed once", async || fail.are_spent().then_some(())).await;
        world
            .eventually("each failed once and goes on", async || {
                let page = world.get("/api/v1/internals").await;
                let rows = page["recomputers"].as_array()?.clone();
                rows.iter().all(|row| row["failures"] == 1 && row["last_error"].is_null()).then_some(())
            })
            .await;
        world
            .eventually("saving works again", async || {
                (!world.events("state_recovered").await.is_empty()).then_some(())
            })
            .await;
        world.settle().await;
        blames_nobody(&world, &["one"]).await;
        world.stop().await;
    });
}

#[test]
fn a_core_that_panics_is_rebuilt_from_the_store() {
    test(async {
        let mut world = quiet(&["faithful", "dropping"]).watched().await;
        world.publish(20).await;
        world.mirror("dropping").set(|b| b.drop_next = 3);
        world.publish(3).await;
        world.settle().await;
        let before = world.counts("dropping").await;
        assert_eq!(before.missed, 3);
        let load = world.babble(Duration::from_millis(10));
        for (point, restarts_before) in [("collector", 0), ("watchdog", 1)] {
            // It resumes from where each source stood.
            world.kept().await;
            let fail = world.fail();
            fail.panic_at(point, "");
            world.eventually("it panics", async || fail.are_spent().then_some(())).await;
            let took = started_anew(&world, "collector", restarts_before).await;
            assert!(took <= CORE_WITHIN + SHOWN_WITHIN, "{point}: after {took:?}");
            world.synchronized().await;
            assert_eq!(world.status("/healthz").await, 200);
            assert_eq!(world.status("/readyz").await, 200);
        }
        world.hush(load).await;
        world.settle().await;
        let down = world.events("observer_down").await;
        assert_eq!(down.len(), 2, "each span is told: {down:?}");
        for (id, missed) in [("faithful", 0), ("dropping", 3)] {
            let counts = world.counts(id).await;
            let found = (counts.missed, counts.late, counts.extra, counts.unknown);
            assert_eq!(found, (missed, 0, 0, 0), "{id}: {counts:?}");
            assert_eq!(counts.delivered() + counts.missed + counts.not_eligible, world.published, "{id}: {counts:?}");
        }
        assert_eq!(world.get("/api/v1/primary").await["received_ops"], world.published);
        world.stop().await;
        world.start().await;
        assert_eq!(world.counts("dropping").await.missed, 3, "what was rebuilt is kept");
        world.stop().await;
    });
}

#[test]
fn a_part_that_does_not_answer_is_told_to_the_probe() {
    test(async {
        let mut world = quiet(&["one", "two"]).watched().await;
        world.publish(10).await;
        let load = world.babble(Duration::from_millis(20));
        for (point, named) in
            [(("stream", "one"), "source one"), (("collector", ""), "collector"), (("validator", ""), "validator")]
        {
            assert_eq!(world.status("/healthz").await, 200);
            let fail = world.fail();
            fail.stick_at(point.0, point.1);
            world.eventually("it is stuck", async || fail.are_spent().then_some(())).await;
            let (begun, stalls) = (Instant::now(), Stalls::watch());
            let mut stalled_ms = 0;
            let problem = loop {
                let answer = world.answer("/healthz").await;
                if answer.0 == 503 && answer.1["detail"].as_str().is_some_and(|d| d.contains(named)) {
                    break answer.1;
                }
                stalled_ms += stalls.take_ms();
                let allowed = STUCK_WITHIN + Duration::from_millis(stalled_ms);
                assert!(begun.elapsed() < allowed, "{named}: {answer:?} (stalls {stalled_ms} ms)");
                sleep(LOOK_EVERY).await;
            };
            assert_eq!(problem["code"], "stuck", "{problem}");
            assert!(problem["detail"].as_str().unwrap().starts_with("no answer from "), "{problem}");
            fail.release();
            world.eventually("it is well again", async || (world.status("/healthz").await == 200).then_some(())).await;
        }
        world.hush(load).await;
        world.settle().await;
        for id in ["one", "two"] {
            let counts = world.counts(id).await;
            assert_eq!((counts.missed, counts.late, counts.extra), (0, 0, 0), "{id}: {counts:?}");
        }
        world.stop().await;
    });
}
