//! What mirrors do with operations while every link is up: each fault is found, counted exactly, and nothing else is.

use crate::world::counts::Counts;
use crate::world::{World, test};
use mirrorwatch::sim::behaviour::{Alteration, Behaviour, Numbering, Style};
use serde_json::Value;
use std::time::Duration;

/// Operations that are published while the faults are on.
const FAULTY: u64 = 12;
/// How late a late one is: beyond the on-time limit, within the grace.
const LATE_MS: u64 = 1_500;

/// A mirror: its habits from the start, its fault for a while, and what must be found.
struct Row {
    id: &'static str,
    habits: fn(&mut Behaviour),
    fault: fn(&mut Behaviour),
    /// Of [`FAULTY`] operations: the counts; everything else is on time.
    expected: Counts,
    /// Fields of the mirror's row that the fault must show in, with their values.
    shows: &'static [(&'static str, u64)],
}

fn same(_: &mut Behaviour) {}

fn alter(b: &mut Behaviour, how: Alteration) {
    (b.alter_share, b.alterations) = (1.0, vec![how]);
}

fn table() -> Vec<Row> {
    let on_time = Counts { on_time: FAULTY, ..Counts::default() };
    let missed = Counts { missed: FAULTY, ..Counts::default() };
    let clean: &[_] = &[("rejected_frames", 0), ("altered_ops", 0), ("duplicate_ops", 0), ("open_misses", 0)];
    let row = |id, habits, fault, expected, shows| Row { id, habits, fault, expected, shows };
    vec![
        row("faithful", same, same, on_time, clean),
        row("dropping", same, |b| b.drop_share = 1.0, missed, &[("open_misses", FAULTY), ("rejected_frames", 0)]),
        row(
            "dropping-five",
            same,
            |b| b.drop_next = 5,
            Counts { on_time: FAULTY - 5, missed: 5, ..Counts::default() },
            &[],
        ),
        row("late", same, |b| b.delay.fixed_ms = LATE_MS, Counts { late: FAULTY, ..Counts::default() }, clean),
        row("inventing", same, |b| b.invent_share = 1.0, Counts { extra: FAULTY, ..on_time }, clean),
        row(
            "corrupting",
            same,
            |b| alter(b, Alteration::Content),
            missed,
            &[("rejected_frames", FAULTY), ("altered_ops", 0)],
        ),
        row(
            "other-did",
            same,
            |b| alter(b, Alteration::Did),
            missed,
            &[("altered_ops", FAULTY), ("rejected_frames", 0)],
        ),
        row(
            "other-time",
            same,
            |b| alter(b, Alteration::CreatedAt),
            on_time,
            &[("altered_ops", FAULTY), ("rejected_frames", 0)],
        ),
        row("own-numbers", |b| b.numbering = Numbering::Own, same, on_time, clean),
        row("deaf", |b| b.answers_pings = false, same, on_time, clean),
        row("sorted", |b| b.style = Style { sorted_keys: true, ..Style::default() }, same, on_time, clean),
        row("offset", |b| b.style = Style { offset_time: true, ..Style::default() }, same, on_time, clean),
        row(
            "repeating",
            same,
            |b| b.duplicate_share = 1.0,
            on_time,
            &[("duplicate_ops", FAULTY), ("rejected_frames", 0)],
        ),
    ]
}

#[test]
fn every_fault_of_delivery_is_counted_exactly() {
    test(async {
        let table = table();
        let mirrors = table.iter().map(|row| {
            let mut behaviour = Behaviour::default();
            (row.habits)(&mut behaviour);
            (row.id, behaviour)
        });
        let babbling = ("babbling", Behaviour::default());
        let mut world = World::new(mirrors.chain([babbling]).collect()).watched().await;
        // An extra can be told only where the primary was observed for the whole grace before it.
        world.publish_every(30, Duration::from_millis(120), None).await;
        for row in &table {
            world.mirror(row.id).set(row.fault);
        }
        world.mirror("babbling").set(|b| b.garbage_share = 1.0);
        world.publish_updates(FAULTY).await;
        for (_, server) in &world.mirrors {
            server.set(|b| {
                let keep = (b.numbering, b.style, b.answers_pings);
                *b = Behaviour::default();
                (b.numbering, b.style, b.answers_pings) = keep;
            });
        }
        world.publish(10).await;
        world.settle().await;
        let rest = world.published - FAULTY;
        for row in &table {
            let expected = Counts { on_time: row.expected.on_time + rest, ..row.expected };
            world.expect(row.id, expected).await;
            let shown = world.row(row.id).await;
            for (field, value) in row.shows {
                assert_eq!(shown[field], *value, "{}: {field}", row.id);
            }
            let received = expected.delivered() + expected.extra;
            assert_eq!(
                shown["received_ops"], received,
                "{}: a delivery is counted once, and what is none not at all",
                row.id
            );
            assert_eq!(shown["link"]["state"], "synchronized", "{}", row.id);
            assert_eq!(shown["link"]["reconnects"], 0, "{}", row.id);
        }
        lists_agree(&world).await;
        garbage_harms_nothing(&world).await;
        world.stop().await;
    });
}

/// A mirror that sends frames which are none, one of them larger than any may be, loses its connection and nothing else.
async fn garbage_harms_nothing(world: &World) {
    let row = world.row("babbling").await;
    let counts = Counts::of(&row);
    assert_eq!(counts.delivered(), world.published, "{counts:?}");
    assert_eq!((counts.missed, counts.unknown, counts.extra, counts.extra_unknown), (0, 0, 0, 0), "{counts:?}");
    // What was sent while the connection was lost is in no `/export`.
    assert!(row["rejected_frames"].as_u64().unwrap() >= 2, "{row}");
    let close = row["link"]["last_close"]["reason"].as_str().unwrap();
    assert!(close.starts_with("ws: too_large (3007"), "{close}");
}

/// The lists name exactly what the counts count.
async fn lists_agree(world: &World) {
    let ops = async |query: &str| -> Vec<Value> {
        let page = world.get(&format!("/api/v1/mirrors/{query}")).await;
        page["ops"].as_array().unwrap().clone()
    };
    assert_eq!(ops("dropping/ops?verdict=missed&limit=1000").await.len() as u64, FAULTY);
    assert_eq!(ops("late/ops?verdict=late").await.len() as u64, FAULTY);
    assert_eq!(ops("inventing/ops?verdict=extra").await.len() as u64, FAULTY);
    let faithful = world.counts("faithful").await;
    let listed = ops("faithful/ops").await.len() as u64;
    assert_eq!(listed, faithful.eligible - faithful.on_time, "on time is not listed unless asked for");
    let misses = world.get("/api/v1/analytics/misses?window=6h").await;
    let row = misses["mirrors"].as_array().unwrap().iter().find(|m| m["id"] == "dropping-five").unwrap().clone();
    let listed: u64 = row["dids"].as_array().unwrap().iter().map(|d| d["missed"].as_u64().unwrap()).sum();
    assert_eq!((row["missed"].as_u64(), listed), (Some(5), 5));
    let refused = world.get("/api/v1/mirrors/corrupting").await;
    assert_eq!(refused["rejects"]["by_reason"]["cid_mismatch"], FAULTY);
}

#[test]
fn lag_is_the_truth_within_two_milliseconds() {
    test(async {
        let mut slow = Behaviour::default();
        slow.delay.fixed_ms = 40;
        let mut world = World::new(vec![("swift", Behaviour::default()), ("slow", slow)]).watched().await;
        world.publish_every(300, Duration::from_millis(8), None).await;
        world.settle().await;
        for (id, server) in &world.mirrors {
            let mut truth = server.appeared_us();
            truth.sort_unstable();
            let truth_ms = f64::from(truth[truth.len() / 2]) / 1e3;
            let lag = &world.row(id).await["lag"];
            let p50_ms = lag["p50_ms"].as_f64().unwrap();
            assert!((p50_ms - truth_ms).abs() <= 2.0, "{id}: measured {p50_ms} ms, truth {truth_ms} ms; {lag}");
            // A busy machine may make our reading late for a moment, and what was read then has no timing.
            assert!(lag["n"].as_u64().unwrap() >= 250, "{id}: {lag}");
        }
        world.stop().await;
    });
}
