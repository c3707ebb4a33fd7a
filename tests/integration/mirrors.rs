//! Links of mirrors that fail: each failure has its name at once, nobody is blamed for the time without a link, and what
//! can be filled is filled.

use crate::world::counts::Counts;
use crate::world::{World, test};
use mirrorwatch::sim::behaviour::{Behaviour, CursorFault, Export, Hangup, Refusal, Upgrade};
use serde_json::Value;
use std::time::Duration;

fn refuse(status: u16, retry_after_s: Option<u32>) -> Upgrade {
    Upgrade::Refuse(Refusal { status, retry_after_s })
}

fn failing(times: u32, status: u16, retry_after_s: Option<u32>) -> Export {
    Export::Fail { times, refusal: Refusal { status, retry_after_s } }
}

/// Id, what an upgrade gets, and what must be told: state, class of the error, and a part of its text.
type Refused = (&'static str, Upgrade, &'static str, &'static str, &'static str);

fn refusals() -> Vec<Refused> {
    vec![
        ("bad-request", refuse(400, None), "waiting", "http", "http: 400"),
        ("not-found", refuse(404, None), "unsupported", "http", "this server offers no /export/stream"),
        ("upgrade-required", refuse(426, None), "unsupported", "http", "http: 426"),
        ("too-many", refuse(429, Some(3)), "waiting", "http", "http: 429, retry in 3 s"),
        ("broken", refuse(500, None), "waiting", "http", "http: 500"),
        ("false-accept", Upgrade::FalseAccept(Hangup::Eof), "unsupported", "false_101", "before the first byte"),
        ("hanging", Upgrade::Hang, "waiting", "timeout", "was never answered within 1.5 s"),
    ]
}

#[test]
fn a_stream_that_cannot_be_had_is_named_and_blames_nobody() {
    test(async {
        let table = refusals();
        let refusing = table.iter().map(|row| (row.0, Behaviour { upgrade: row.1.clone(), ..Behaviour::default() }));
        let mut world = World::new(refusing.chain([("faithful", Behaviour::default())]).collect());
        world.start().await;
        for (id, _, state, class, text) in &table {
            let told = |row: &Value| {
                let (link, error) = (&row["link"], &row["link"]["last_error"]);
                let is_text = error["text"].as_str().is_some_and(|t| t.contains(text));
                // Between two attempts the state passes through `connecting`.
                (link["state"] == *state && error["class"] == *class && is_text).then_some(())
            };
            let what = format!("{id} is {state} because of {class}: {text}");
            let find = |o: &Value| told(o["mirrors"].as_array()?.iter().find(|m| m["id"] == *id)?);
            world.until(&what, find).await;
            let kind = format!("link_{state}");
            let told = async || world.events(&kind).await.iter().any(|e| e["source"] == *id).then_some(());
            world.eventually(&format!("{id}: an event {kind}"), told).await;
        }
        world
            .until("the primary is watched", |o| (o["primary"]["link"]["state"] == "synchronized").then_some(()))
            .await;
        world
            .until("one mirror is watched", |o| (by_id(o, "faithful")["link"]["state"] == "synchronized").then_some(()))
            .await;
        world.publish(10).await;
        world.settle().await;
        for (id, ..) in &table {
            let counts = world.counts(id).await;
            assert_eq!(
                counts,
                Counts { not_eligible: world.published, ..Counts::default() },
                "{id}: it was never observed"
            );
        }
        let before = world.published;
        for (id, server) in &world.mirrors {
            assert!(world.counts(id).await.missed == 0, "{id}");
            server.set(|b| b.upgrade = Upgrade::Stream);
        }
        world.synchronized().await;
        world.publish(10).await;
        world.settle().await;
        for (id, ..) in &table {
            let on_time = world.published - before;
            world.expect(id, Counts { on_time, ..Counts::default() }).await;
        }
        world.stop().await;
    });
}

fn by_id<'a>(overview: &'a Value, id: &str) -> &'a Value {
    overview["mirrors"].as_array().unwrap().iter().find(|m| m["id"] == id).unwrap()
}

/// Operations that are published while a mirror is away.
const AWAY: u64 = 15;

/// This one has no `/export`; what it publishes before its replay ends has no timing.
const REPLAYED: &str = "replayed";

/// How a mirror comes back, and what is known of the operations that it published meanwhile.
struct Return {
    id: &'static str,
    habits: fn(&mut Behaviour),
    /// When it comes back; `begin_again` makes its log anew from this number.
    begin_again: Option<u64>,
    /// Of [`AWAY`] operations.
    expected: Counts,
    check: fn(&World, &'static str),
}

fn nothing(_: &World, _: &'static str) {}

/// It was asked for its own log by number, and by a cursor only when it had no other way.
fn asked_export(world: &World, id: &'static str) {
    let asked = world.mirror(id).received();
    assert!(!asked.exports.is_empty(), "{id}: never asked");
    assert!(asked.cursors.iter().all(Option::is_none), "{id}: {:?}", asked.cursors);
    assert!(asked.exports.iter().all(|q| q.starts_with("after=") && q.contains("count=1000")), "{:?}", asked.exports);
}

/// It has no `/export` and was asked with a cursor, besides the stream that has none.
fn asked_cursor(world: &World, id: &'static str) {
    let asked = world.mirror(id).received();
    let cursors: Vec<u64> = asked.cursors.iter().flatten().map(|c| c.parse().unwrap()).collect();
    assert!(!cursors.is_empty() && cursors.iter().all(|c| *c > 0), "{id}: {:?}", asked.cursors);
    assert!(asked.cursors.iter().any(Option::is_none), "{id}: the live stream is opened without a cursor");
}

fn returns() -> Vec<Return> {
    let present = Counts { present: AWAY, ..Counts::default() };
    let unknown = Counts { unknown: AWAY, ..Counts::default() };
    let row = |id, habits, begin_again, expected, check| Return { id, habits, begin_again, expected, check };
    vec![
        row("filled", |_| {}, None, present, asked_export),
        row("slow-export", |b| b.export_lag = Duration::from_millis(300), None, present, asked_export),
        row(REPLAYED, |b| b.export = Export::Absent, None, present, asked_cursor),
        row("throttled", |b| b.export = failing(1, 429, Some(1)), None, present, asked_export),
        row("flaky", |b| b.export = failing(2, 503, None), None, present, asked_export),
        row(
            "lossy",
            |b| b.drop_next = 4,
            None,
            Counts { present: AWAY - 4, missed: 4, ..Counts::default() },
            asked_export,
        ),
        row("renumbered", |_| {}, Some(5_000), unknown, asked_export),
        row("started-anew", |_| {}, Some(0), unknown, asked_export),
        row("outdated", |b| (b.export, b.oldest_cursor) = (Export::Absent, 1 << 40), None, unknown, asked_cursor),
        row("future", |b| b.export = Export::Absent, Some(0), unknown, asked_cursor),
        row(
            "refusing-cursors",
            |b| (b.export, b.oldest_cursor, b.cursor_fault) = (Export::Absent, 1 << 40, CursorFault::BadRequest),
            None,
            unknown,
            asked_cursor,
        ),
        row("faithful", |_| {}, None, Counts { on_time: AWAY, ..Counts::default() }, nothing),
    ]
}

#[test]
fn a_mirror_that_was_away_is_filled_or_unknown_and_never_blamed() {
    test(async {
        let table = returns();
        let mirrors = table.iter().map(|row| (row.id, Behaviour::default())).collect();
        let mut world = World::new(mirrors).watched().await;
        world.publish(12).await;
        world.settle().await;
        let away: Vec<&Return> = table.iter().filter(|row| row.id != "faithful").collect();
        for row in &away {
            world.mirror(row.id).set(row.habits);
            world.mirror(row.id).stop().await;
        }
        world
            .until("every one of them is seen to be gone", |o| {
                away.iter().all(|row| by_id(o, row.id)["link"]["last_close"].is_object()).then_some(())
            })
            .await;
        world.publish(AWAY).await;
        for row in &away {
            let server = world.mirror(row.id);
            if let Some(seq) = row.begin_again {
                server.begin_again(seq);
            }
            server.start_again().unwrap();
        }
        world
            .until("every link is synchronized but one", |o| {
                let is_up = |id| by_id(o, id)["link"]["state"] == "synchronized";
                table.iter().all(|row| row.id == REPLAYED || is_up(row.id)).then_some(())
            })
            .await;
        // Nothing marks the end of a replay but an operation that the live stream has too.
        world.publish_every(8, Duration::from_millis(120), None).await;
        world.synchronized().await;
        world.publish(12).await;
        world.settle().await;
        let rest = world.published - AWAY;
        for row in &table {
            let expected = Counts { on_time: row.expected.on_time + rest, ..row.expected };
            if row.id == REPLAYED {
                let counts = world.counts(row.id).await;
                assert!(counts.matches(&expected, true), "{}: {counts:?}", row.id);
            } else {
                world.expect(row.id, expected).await;
            }
            assert_eq!(world.row(row.id).await["link"]["cursor"], world.mirror(row.id).last_seq(), "{}", row.id);
            (row.check)(&world, row.id);
            let kind = if row.expected.unknown > 0 { "gap_not_filled" } else { "gap_filled" };
            if row.id != "faithful" {
                let told = async || world.events(kind).await.iter().any(|e| e["source"] == row.id).then_some(());
                world.eventually(&format!("{}: an event {kind}", row.id), told).await;
            }
        }
        world.stop().await;
    });
}
