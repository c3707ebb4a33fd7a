//! The primary fails, and no mirror is blamed for it: 0 false misses, 0 false extras, and what is really wrong is still
//! found.

use crate::world::counts::Counts;
use crate::world::{GRACE, PACE, World, test};
use mirrorwatch::sim::behaviour::{Behaviour, Export, Hangup, Refusal};
use std::time::Duration;

/// Operations that are published while the primary is not observed.
const UNSEEN: u64 = 15;
/// Operations that one mirror drops, and that another invents, while the primary is not observed.
const WRONG: u64 = 3;

/// How the primary's stream ends, and its habits until it is observed again.
struct Episode {
    what: &'static str,
    habits: fn(&mut Behaviour),
    end: End,
}

enum End {
    /// The process ends, and is there again after the operations.
    Process,
    /// Every stream ends so, while the server goes on.
    Streams(Hangup),
    /// So many operations at once that it closes every stream without sending one of them.
    Burst,
}

fn fail(b: &mut Behaviour, times: u32, status: u16, retry_after_s: Option<u32>) {
    b.export = Export::Fail { times, refusal: Refusal { status, retry_after_s } };
}

fn episodes() -> Vec<Episode> {
    let row = |what, habits, end| Episode { what, habits, end };
    vec![
        row("process ends", |_| {}, End::Process),
        row("reset", |_| {}, End::Streams(Hangup::Reset)),
        row("end without a close", |_| {}, End::Streams(Hangup::Eof)),
        row("told to be too slow", |_| {}, End::Streams(Hangup::CONSUMER_TOO_SLOW)),
        row("burst", |b| b.burst_limit = Some(5), End::Burst),
        row("export behind the stream", |b| b.export_lag = Duration::from_millis(300), End::Process),
        row("export failing", |b| fail(b, 2, 503, None), End::Process),
        row("export throttled", |b| fail(b, 1, 429, Some(1)), End::Process),
    ]
}

/// A primary that was observed for the whole grace, and three mirrors.
async fn observed(primary: Behaviour) -> World {
    let mirrors = ["faithful", "dropping", "inventing"].map(|id| (id, Behaviour::default()));
    let mut world = World::with_primary(primary, mirrors.into()).watched().await;
    world.publish_every(30, Duration::from_millis(120), None).await;
    world
}

/// What stood on time before, and the rest that may be on time or of unknown time; the faults exactly.
async fn expect_no_blame(world: &World, what: &str, faults: u64) {
    for (id, dropped, invented) in [("faithful", 0, 0), ("dropping", faults, 0), ("inventing", 0, faults)] {
        let counts = world.counts(id).await;
        let wrong = (counts.missed, counts.extra, counts.unknown, counts.extra_unknown);
        if wrong != (dropped, invented, 0, 0) {
            let told = world.get(&format!("/api/v1/mirrors/{id}/ops?verdict=extra_unknown&limit=1000")).await;
            let events = world.get("/api/v1/events").await;
            panic!("{what}: {id}: {wrong:?} {counts:?}: {told}, {events}");
        }
        assert_eq!(counts.delivered(), world.published - dropped, "{what}: {id}: {counts:?}");
        assert_eq!((counts.late, counts.not_eligible), (0, 0), "{what}: {id}: {counts:?}");
    }
    let primary = world.get("/api/v1/primary").await;
    assert_eq!(primary["received_ops"], world.published, "{what}");
}

async fn lose_and_regain(world: &mut World, episode: &Episode, n: u64) {
    let primary = world.primary.clone();
    primary.set(episode.habits);
    let reconnects = world.reconnects().await;
    world.mirror("dropping").set(|b| b.drop_next = WRONG as u32);
    world.mirror("inventing").set(|b| b.invent_share = 1.0);
    match &episode.end {
        End::Process => {
            primary.stop().await;
            world.publish(WRONG).await;
            world.mirror("inventing").set(|b| b.invent_share = 0.0);
            world.publish(UNSEEN - WRONG).await;
            primary.start_again().unwrap();
        }
        End::Streams(how) => {
            primary.kill_connections(how.clone());
            world.publish(WRONG).await;
            world.mirror("inventing").set(|b| b.invent_share = 0.0);
            world.publish(UNSEEN - WRONG).await;
        }
        End::Burst => {
            world.publish_every(WRONG, Duration::ZERO, None).await;
            world.mirror("inventing").set(|b| b.invent_share = 0.0);
            world.publish_every(4 * UNSEEN, Duration::ZERO, None).await;
            let closed = async || (primary.received().open_streams == 0).then_some(());
            world.eventually("the burst closes the streams", closed).await;
            primary.set(|b| b.burst_limit = None);
        }
    }
    world.regained(&format!("episode {n}, {}", episode.what), reconnects).await;
    primary.set(|b| (b.burst_limit, b.export, b.export_lag) = (None, Export::Pages, Duration::ZERO));
}

#[test]
fn a_lost_primary_makes_no_misses_and_no_extras() {
    test(async {
        let mut world = observed(Behaviour::default()).await;
        for (episode, n) in episodes().iter().zip(1..) {
            lose_and_regain(&mut world, episode, n).await;
            world.publish(5).await;
        }
        world.settle().await;
        expect_no_blame(&world, "in the end", WRONG * episodes().len() as u64).await;
        let closes: Vec<String> =
            world.events("link_waiting").await.iter().map(|e| e["text"].as_str().unwrap().to_owned()).collect();
        let too_slow = closes.iter().filter(|text| text.contains("ConsumerTooSlow")).count();
        assert_eq!(too_slow, 2, "{closes:?}");
        let present = world.counts("faithful").await.present;
        assert!(present >= 4 * UNSEEN, "operations of a filled gap have no timing: {present}");
        world.stop().await;
    });
}

#[test]
fn a_primary_without_export_is_resumed_by_cursor() {
    test(async {
        let mut world = observed(Behaviour { export: Export::Absent, ..Behaviour::default() }).await;
        let primary = world.primary.clone();
        primary.stop().await;
        world.mirror("dropping").set(|b| b.drop_next = WRONG as u32);
        world.publish(UNSEEN).await;
        primary.start_again().unwrap();
        // Nothing marks the end of a replay but an operation that the live stream has too.
        let asked = async || primary.received().cursors.iter().any(Option::is_some).then_some(());
        world.eventually("the primary is asked with a cursor", asked).await;
        world.publish_every(8, Duration::from_millis(120), None).await;
        world.synchronized().await;
        world.publish_every(30, Duration::from_millis(120), None).await;
        world.mirror("inventing").set(|b| b.invent_share = 1.0);
        world.publish(WRONG).await;
        world.mirror("inventing").set(|b| b.invent_share = 0.0);
        world.settle().await;
        expect_no_blame(&world, "by cursor", WRONG).await;
        assert_eq!(world.get("/api/v1/primary").await["is_export_offered"], false);
        world.stop().await;
    });
}

#[test]
fn a_primary_whose_log_began_anew_leaves_a_hole_and_no_blame() {
    test(async {
        let mut world = observed(Behaviour::default()).await;
        let (primary, before) = (world.primary.clone(), world.published);
        primary.stop().await;
        world.mirror("dropping").set(|b| b.drop_next = WRONG as u32);
        world.publish(UNSEEN).await;
        primary.begin_again(1_000_000);
        primary.start_again().unwrap();
        world.regained("with a new log", 0).await;
        let holes = async || (world.events("gap_not_filled").await.len() == 1).then_some(());
        world.eventually("the hole is told", holes).await;
        world.published = before;
        world.publish_every(40, Duration::from_millis(120), None).await;
        world.mirror("inventing").set(|b| b.invent_share = 1.0);
        world.publish(WRONG).await;
        world.mirror("inventing").set(|b| b.invent_share = 0.0);
        world.settle().await;
        for (id, extra, extra_unknown) in
            [("faithful", 0, UNSEEN), ("dropping", 0, UNSEEN - WRONG), ("inventing", WRONG, UNSEEN)]
        {
            // The last operation before the loss lies on the edge of the gap: its timing may be void.
            let present = world.counts(id).await.present;
            assert!(present <= 1, "{id}: {present} without timing");
            let on_time = world.published - present;
            world.expect(id, Counts { on_time, present, extra, extra_unknown, ..Counts::default() }).await;
        }
        world.stop().await;
    });
}

#[test]
fn a_stalled_primary_is_not_taken_for_silence() {
    test(async {
        let mut world = observed(Behaviour::default()).await;
        let (primary, before) = (world.primary.clone(), world.published);
        primary.set(|b| b.stalled = true);
        world.mirror("dropping").set(|b| b.drop_next = WRONG as u32);
        world.publish(UNSEEN).await;
        let published = world.published;
        world
            .until("the export settles what the stream withholds", |o| {
                let rows = o["mirrors"].as_array()?;
                let counts: Vec<Counts> = rows.iter().map(Counts::of).collect();
                let is_settled = counts.iter().all(|c| c.extra_pending == 0 && c.eligible == published);
                (is_settled && counts.iter().map(|c| c.pending).sum::<u64>() == WRONG).then_some(())
            })
            .await;
        // A mirror that follows the primary's stream cannot have what that withholds: it is not blamed before the stream
        // has come to it.
        for (id, pending) in [("faithful", 0), ("dropping", WRONG), ("inventing", 0)] {
            let present = UNSEEN - pending;
            world.expect(id, Counts { on_time: before, present, pending, ..Counts::default() }).await;
        }
        primary.set(|b| b.stalled = false);
        world.publish(5).await;
        world.settle().await;
        expect_no_blame_but(&world, WRONG).await;
        world.stop().await;
    });
}

/// After the stall the stream carries again what the export gave: nothing is counted twice.
async fn expect_no_blame_but(world: &World, dropped: u64) {
    for (id, missed) in [("faithful", 0), ("dropping", dropped), ("inventing", 0)] {
        let counts = world.counts(id).await;
        let wrong = (counts.missed, counts.extra, counts.unknown, counts.extra_unknown);
        assert_eq!((wrong, counts.eligible), ((missed, 0, 0, 0), world.published), "{id}: {counts:?}");
    }
    assert_eq!(world.get("/api/v1/primary").await["received_ops"], world.published);
}

/// Operations that only the mirror shows, because the primary is not there yet.
const UNSEEN_BEFORE: u64 = 10;

#[test]
fn a_primary_that_is_down_from_the_beginning_is_waited_for() {
    test(async {
        let mut world = World::new(vec![("faithful", Behaviour::default())]);
        world.primary.stop().await;
        world.start().await;
        world
            .until("the page says what it waits for", |o| {
                let headline = o["headline"].as_str()?;
                let is_told = headline.starts_with("Waiting for the primary, primary (tcp: 127.0.0.1:");
                (is_told && o["observer"]["state"] == "warming_up").then_some(())
            })
            .await;
        world
            .until("the mirror is watched", |o| (o["mirrors"][0]["link"]["state"] == "synchronized").then_some(()))
            .await;
        world.publish_every(UNSEEN_BEFORE, PACE, None).await;
        assert_eq!(world.get("/api/v1/analytics/lag?window=5m").await["mirrors"][0]["lag"]["n"], 0);
        world.published = 0;
        world.primary.start_again().unwrap();
        world.synchronized().await;
        world.publish_every(10, PACE, None).await;
        world.settle().await;
        tokio::time::sleep(GRACE).await;
        // What a mirror sent before the primary was observed is older than anything known of it: never counted, or, where the
        // primary came later than the grace, never told.
        let before = world.counts("faithful").await.extra_unknown;
        assert!([0, UNSEEN_BEFORE].contains(&before), "{before}");
        let expected = Counts { on_time: world.published, extra_unknown: before, ..Counts::default() };
        world.expect("faithful", expected).await;
        world.stop().await;
    });
}
