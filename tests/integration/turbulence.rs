//! Links that never rest, logs of many pages, a stalled mirror, an observer that is frozen: what each costs, and whom it
//! must not cost anything.

use crate::world::counts::Counts;
use crate::world::process::Process;
use crate::world::{World, test};
use mirrorwatch::config::Transport;
use mirrorwatch::sim::behaviour::{Behaviour, Delay, Export, Hangup};
use std::process::Command;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// More than two pages of an export.
const MANY: u64 = 2_300;
/// Operations that a stalled mirror holds back.
const HELD_BACK: u64 = 12;

#[test]
fn restless_links_lose_nothing() {
    test(async {
        let restless = |after_ms, how| Behaviour {
            disconnect_after: Some(Duration::from_millis(after_ms)),
            disconnect_how: how,
            ..Behaviour::default()
        };
        let mirrors = vec![
            ("faithful", Behaviour::default()),
            ("flapping", restless(350, Hangup::Eof)),
            ("resetting", restless(700, Hangup::Reset)),
            ("too-slow", restless(1_100, Hangup::CONSUMER_TOO_SLOW)),
            ("repeating", Behaviour { replay_on_connect: 20, ..restless(900, Hangup::Eof) }),
        ];
        let calm = mirrors.iter().map(|(id, _)| (*id, Behaviour::default())).collect();
        let mut world = World::new(calm).watched().await;
        // Without a known operation there is nothing to resume from.
        world.publish(5).await;
        world
            .until("each has an operation to resume from", |o| {
                let is_known = |row: &serde_json::Value| row["received_ops"].as_u64() >= Some(5);
                (is_known(&o["primary"]) && o["mirrors"].as_array()?.iter().all(is_known)).then_some(())
            })
            .await;
        for ((_, behaviour), (_, server)) in mirrors.into_iter().zip(&world.mirrors) {
            let is_restless = behaviour.disconnect_after.is_some();
            server.set(|b| *b = behaviour);
            if is_restless {
                server.kill_connections(Hangup::Eof);
            }
        }
        world.publish_every(200, Duration::from_millis(25), None).await;
        for (_, server) in &world.mirrors {
            server.set(|b| b.disconnect_after = None);
            server.kill_connections(Hangup::Eof);
        }
        world.publish_every(20, Duration::from_millis(100), None).await;
        world.synchronized().await;
        world.settle().await;
        for (id, _) in &world.mirrors {
            let counts = world.counts(id).await;
            assert_eq!((counts.missed, counts.unknown, counts.extra, counts.late), (0, 0, 0, 0), "{id}: {counts:?}");
            assert_eq!(counts.delivered() + counts.not_eligible, world.published, "{id}: {counts:?}");
            assert!(counts.present > 0 || *id == "faithful", "{id}: {counts:?}");
        }
        world.stop().await;
    });
}

#[test]
fn a_gap_of_many_pages_is_filled_whoever_was_away() {
    test(async {
        let mut world = World::new(["faithful", "away"].map(|id| (id, Behaviour::default())).into());
        world.config.limits.unknown_keys_per_mirror = 10_000;
        let mut world = world.watched().await;
        world.publish(10).await;
        world.settle().await;
        let (primary, away) = (world.primary.clone(), world.mirror("away").clone());
        away.stop().await;
        world.publish_every(MANY, Duration::ZERO, None).await;
        away.start_again().unwrap();
        world.synchronized().await;
        let reconnects = world.reconnects().await;
        primary.stop().await;
        world.publish_every(MANY, Duration::ZERO, None).await;
        primary.start_again().unwrap();
        world.regained("after many operations", reconnects).await;
        world.settle().await;
        for (id, present) in [("faithful", MANY), ("away", 2 * MANY)] {
            let on_time = world.published - present;
            let counts = world.counts(id).await;
            let expected = Counts { on_time, present, ..Counts::default() };
            // So many at once may keep a slow machine busy for longer than the on-time limit.
            assert_eq!(
                (counts.missed, counts.unknown, counts.extra, counts.extra_unknown),
                (0, 0, 0, 0),
                "{id}: {counts:?}"
            );
            assert_eq!(counts.delivered(), expected.delivered(), "{id}: {counts:?}");
            assert!(counts.present >= present, "{id}: {counts:?}");
        }
        let asked = away.received().exports;
        assert!(asked.len() >= 3, "pages of 1000: {asked:?}");
        world.stop().await;
    });
}

#[test]
fn a_stalled_mirror_misses_and_heals() {
    test(async {
        let mut world = World::new(["faithful", "stalled"].map(|id| (id, Behaviour::default())).into()).watched().await;
        world.publish(20).await;
        world.mirror("stalled").set(|b| b.stalled = true);
        world.publish(HELD_BACK).await;
        let before = world.published - HELD_BACK;
        world.expect_within("stalled", Counts { on_time: before, missed: HELD_BACK, ..Counts::default() }).await;
        let lost = async || Some(world.row("stalled").await).filter(|row| row["state"] == "losing");
        let row = world.eventually("it is called losing", lost).await;
        assert_eq!(row["link"]["state"], "synchronized", "{row}");
        assert_eq!(row["freshness"]["head_lag_ops"], HELD_BACK, "{row}");
        world.mirror("stalled").set(|b| b.stalled = false);
        world.expect_within("stalled", Counts { on_time: before, late: HELD_BACK, ..Counts::default() }).await;
        let row = world.row("stalled").await;
        assert_eq!(row["coverage"]["counts"]["healed"], HELD_BACK, "{row}");
        assert_eq!((&row["open_misses"], &row["freshness"]["head_lag_ops"]), (&0.into(), &0.into()), "{row}");
        world.expect("faithful", Counts { on_time: world.published, ..Counts::default() }).await;
        world.stop().await;
    });
}

fn signal(process: &Process, name: &str) {
    let command = format!("kill -{name} {}", process.pid());
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
}

#[test]
fn a_frozen_observer_blames_nobody() {
    test(async {
        let mut world = World::new(["faithful", "dropping"].map(|id| (id, Behaviour::default())).into());
        let process = world.start_process().await;
        world.synchronized().await;
        world.publish_every(25, Duration::from_millis(120), None).await;
        signal(&process, "STOP");
        world.mirror("dropping").set(|b| b.drop_next = 3);
        // Longer than the grace: what came meanwhile lies unread.
        world.publish_every(40, Duration::from_millis(100), None).await;
        signal(&process, "CONT");
        sleep(Duration::from_millis(500)).await;
        world.publish(10).await;
        world.settle().await;
        assert!(world.was_frozen().await, "it says so");
        for (id, missed) in [("faithful", 0), ("dropping", 3)] {
            let counts = world.counts(id).await;
            assert_eq!(
                (counts.missed, counts.late, counts.unknown, counts.extra),
                (missed, 0, 0, 0),
                "{id}: {counts:?}"
            );
            assert_eq!(counts.delivered(), world.published - missed, "{id}: {counts:?}");
            let reconnects = world.row(id).await["link"]["reconnects"].as_u64();
            assert_eq!(reconnects, Some(0), "{id}: a freeze of ours is no death of the link");
        }
    });
}

/// How long the program is frozen in the ordinary run, and besides with `MIRRORWATCH_SWEEP`.
const FROZEN: [u64; 3] = [200, 1_000, 5_000];
const FROZEN_SWEPT: [u64; 4] = [500, 10_000, 30_000, 60_000];
/// Operations that come while it is frozen.
const UNSEEN: u32 = 10;

/// Whether no thread of the program runs.
fn is_stopped(process: &Process) -> bool {
    let mut threads = std::fs::read_dir(format!("/proc/{}/task", process.pid())).unwrap();
    threads.all(|thread| {
        let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        status.lines().any(|line| line.starts_with("State:\tT"))
    })
}

/// Number and milliseconds of each span of late reading, newest first.
async fn late_ms(world: &World) -> Vec<(u64, u64)> {
    let events = world.events("reader_late").await;
    let ms = |event: &serde_json::Value| {
        let text = event["text"].as_str()?.strip_prefix("our reading was late for ")?;
        Some((event["id"].as_u64()?, text.strip_suffix(" ms")?.parse().ok()?))
    };
    events.iter().filter_map(ms).collect()
}

#[test]
fn a_freeze_of_any_length_is_told_and_no_lag_is_measured_in_it() {
    let is_swept = std::env::var_os("MIRRORWATCH_SWEEP").is_some();
    let lengths = FROZEN.into_iter().chain(FROZEN_SWEPT.into_iter().filter(|_| is_swept));
    test(async {
        let slow = Delay { fixed_ms: 30, ..Delay::default() };
        let mirrors =
            vec![("faithful", Behaviour::default()), ("slow", Behaviour { delay: slow, ..Behaviour::default() })];
        let mut world = World::new(mirrors);
        // As with the defaults, lag waits until it is known whether it can be believed.
        world.config.judging.settle = Duration::from_secs(2);
        let process = world.start_process().await;
        world.synchronized().await;
        let mut unseen = 0;
        for frozen_ms in lengths {
            world.publish_every(20, Duration::from_millis(60), None).await;
            sleep(Duration::from_millis(300)).await;
            let told_before = late_ms(&world).await.first().map(|told| told.0);
            signal(&process, "STOP");
            world.eventually("every thread stands still", async || is_stopped(&process).then_some(())).await;
            let until = Instant::now() + Duration::from_millis(frozen_ms);
            let pace = Duration::from_millis(frozen_ms) / (4 * UNSEEN);
            world.publish_every(u64::from(UNSEEN), pace, None).await;
            sleep(until.saturating_duration_since(Instant::now())).await;
            signal(&process, "CONT");
            unseen += u64::from(UNSEEN);
            // The machine may freeze it besides: only one that is long enough is this one.
            world
                .eventually(&format!("a freeze of {frozen_ms} ms is told"), async || {
                    let told = late_ms(&world).await;
                    let is_told = |&(id, ms): &(u64, u64)| Some(id) > told_before && ms + 50 >= frozen_ms;
                    told.iter().any(is_told).then_some(())
                })
                .await;
        }
        world.settle().await;
        for id in ["faithful", "slow"] {
            let (counts, row) = (world.counts(id).await, world.row(id).await);
            assert_eq!((counts.missed, counts.late, counts.unknown, counts.extra), (0, 0, 0, 0), "{id}: {counts:?}");
            assert_eq!(counts.delivered() + counts.not_eligible, world.published, "{id}: {counts:?}");
            assert_eq!(row["link"]["reconnects"], 0, "{id}: a freeze of ours is no death of the link");
            let measured = row["lag"]["n"].as_u64().unwrap();
            assert!(measured > 0 && measured <= world.published - unseen, "{id}: {measured} of {}", world.published);
        }
        let history = world.get("/api/v1/analytics/history").await;
        assert!(history["impaired"].as_array().unwrap().iter().any(|is| is == true), "{history}");
    });
}

#[test]
fn a_cursor_that_is_refused_is_told_with_its_number() {
    test(async {
        let no_export = Behaviour { export: Export::Absent, ..Behaviour::default() };
        let mut world = World::new(vec![("forgetful", no_export)]);
        world.config.mirrors[0].transport = Transport::Stream;
        let mut world = world.watched().await;
        world.publish(10).await;
        world.settle().await;
        let cursor = world.get("/api/v1/mirrors/forgetful").await["link"]["cursor"].as_u64().unwrap();
        world.mirror("forgetful").set(|b| b.oldest_cursor = u64::MAX);
        world.mirror("forgetful").kill_connections(Hangup::Eof);
        let told = world
            .eventually("the mirror keeps too little", async || {
                world.events("gap_not_filled").await.pop().and_then(|event| event["text"].as_str().map(str::to_owned))
            })
            .await;
        // It is asked from the operation before the last one known, which has to be the first of the answer.
        let asked = cursor - 1;
        let why = format!("closed by mirror: OutdatedCursor (our cursor {asked} is older than it keeps)");
        assert_eq!(told, format!("{why}; it offers no /export: the gap stays"));
        world.stop().await;
    });
}
