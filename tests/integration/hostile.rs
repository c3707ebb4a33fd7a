//! Hostile mirrors beside honest ones: they hurt their own figures and nothing else, and memory stays bounded.

use crate::world::counts::Counts;
use crate::world::{World, test};
use mirrorwatch::config::Transport;
use mirrorwatch::domain::frame::Reject;
use mirrorwatch::domain::op::Kind;
use mirrorwatch::sim::behaviour::{Behaviour, Hangup};
use mirrorwatch::sim::flood::Flood;
use mirrorwatch::sim::garbage::Garbage;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Who is watched beside the hostile ones, and whose figures must not change.
const OTHERS: [&str; 3] = ["honest", "dropping", "inventing"];
/// One hostile mirror for each way.
const HOSTILE: [(&str, Flood); 8] = [
    ("distinct", Flood::Distinct),
    ("repeating", Flood::Repeats),
    ("poisoning", Flood::Poison),
    ("fragmenting", Flood::Fragments),
    ("endless", Flood::Endless),
    ("pinging", Flood::Pings),
    ("gigantic", Flood::Giants),
    ("broken", Flood::Broken),
];
/// What one of them may cost, kB; in an ordinary run all of them together. It is the most private memory in use (`RssAnon`,
/// looked at every half second while the floods go on) less the same of a run without floods: stacks, caches and the
/// allocator's own waste are in both.
const MEMORY_MAX_KB: u64 = 64 * 1024;
/// Those that fill all the room for keys that only they have when they are given the time.
const FILLING: u64 = 2;
/// By how much a percentile of another mirror's lag may differ, milliseconds: one run's threads wait longer for a processor
/// than the other's, and each arrival is stamped by a thread of its own.
const LAG_NOISE_MS: [(&str, f64); 3] = [("p50_ms", 20.0), ("p95_ms", 100.0), ("p99_ms", 250.0)];
const PACE: Duration = Duration::from_millis(50);

/// Operations while floods go on, and what these may cost: half a minute, or until a million operations of a flood had the
/// time to be taken.
fn scale() -> (u64, u64) {
    let is_sweep = std::env::var_os("MIRRORWATCH_SWEEP").is_some();
    if is_sweep { (11_000, FILLING * MEMORY_MAX_KB) } else { (500, MEMORY_MAX_KB) }
}

/// What was measured of the others, what memory the program had at most, and the rows of the hostile ones at the height of
/// their floods.
struct Outcome {
    others: Vec<(Counts, Value)>,
    /// The lag of the others.
    lags: Vec<Value>,
    was_frozen: bool,
    peak_kb: u64,
    hostile: Vec<Value>,
    published: u64,
}

/// Everything of a row that is told of content, not of time.
fn told(row: &Value) -> Value {
    let names = [
        "id",
        "state",
        "misses",
        "content",
        "open_misses",
        "dids_affected",
        "duplicate_ops",
        "altered_ops",
        "dropped_by_us_ops",
        "rejected_frames",
    ];
    let link = &row["link"];
    let mut told: serde_json::Map<String, Value> = names.iter().map(|n| ((*n).to_owned(), row[n].clone())).collect();
    // Which of two sources is first is a matter of time, and so is how many operations came before the primary's.
    told.insert("throttle".to_owned(), row["throttle"]["times"].clone());
    told.insert("link".to_owned(), json!([link["state"], link["reconnects"], link["last_error"]]));
    Value::Object(told)
}

/// The lag of a mirror in the last hour.
async fn lag(world: &World, id: &str) -> Value {
    let page = world.get("/api/v1/analytics/lag?window=1h").await;
    let rows = page["mirrors"].as_array().unwrap();
    rows.iter().find(|row| row["id"] == id).unwrap()["lag"].clone()
}

/// The same operations were timed in both runs, and none was excluded in one of them alone; what they took differs by no more
/// than noise. Timing that the machine made void in one of them cannot be compared.
fn assert_same_lag(id: &str, alone: &Value, beside: &Value, was_frozen: bool) {
    println!("{id}: {} {}", alone["raw"], beside["raw"]);
    if was_frozen {
        return;
    }
    for samples in ["/n", "/raw/n", "/with_loss/n"] {
        assert_eq!(alone.pointer(samples), beside.pointer(samples), "{id}: {samples}: {alone}\n{beside}");
    }
    for (name, most) in LAG_NOISE_MS {
        let (a, b) = (alone["raw"][name].as_f64(), beside["raw"][name].as_f64());
        let (a, b) = a.zip(b).unwrap_or_else(|| panic!("{id}: {name}: {alone}\n{beside}"));
        assert!((a - b).abs() <= most, "{id}: {name}: {a} without floods, {b} beside them");
    }
}

/// Memory of its own that a process has, kB.
fn memory_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

async fn play(with_floods: bool) -> Outcome {
    let habits = |id: &str| Behaviour {
        flood: HOSTILE.iter().find(|h| h.0 == id && with_floods).map(|h| h.1),
        ..Behaviour::default()
    };
    let ids = OTHERS.into_iter().chain(HOSTILE.map(|h| h.0));
    let mut world = World::new(ids.map(|id| (id, habits(id))).collect());
    for mirror in &mut world.config.mirrors {
        mirror.transport = Transport::Stream;
    }
    let process = world.start_process().await;
    world
        .until("the primary and the others are observed", |overview| {
            let is_up = |row: &Value| row["link"]["state"] == "synchronized";
            let rows = overview["mirrors"].as_array()?;
            let others = rows.iter().filter(|row| OTHERS.iter().any(|id| row["id"] == *id));
            (is_up(&overview["primary"]) && others.filter(|row| is_up(row)).count() == OTHERS.len()).then_some(())
        })
        .await;
    world.publish_every(30, PACE, None).await;
    world.mirror("dropping").set(|b| b.drop_next = 5);
    world.mirror("inventing").set(|b| b.invent_share = 0.02);
    let mut peak_kb = 0;
    for _ in 0..scale().0 / 10 {
        world.publish_every(10, PACE, None).await;
        peak_kb = peak_kb.max(memory_kb(process.pid()));
    }
    let hostile_now = world.get("/api/v1/overview").await;
    world.mirror("inventing").set(|b| b.invent_share = 0.0);
    world.mirrors.iter().for_each(|(_, server)| server.set(|b| b.flood = None));
    let published = world.settled_but(&HOSTILE.map(|h| h.0)).await;
    if with_floods {
        assert_nothing_was_let_go(&world, "distinct").await;
        let page = world.get("/api/v1/mirrors/distinct").await;
        let told = page["rejects"]["by_reason"]["rate_limited"].as_u64().unwrap_or(0);
        assert_eq!(Some(told), page["throttle"]["times"].as_u64(), "each time it was told as a reason");
    }
    let (mut others, mut lags) = (Vec::new(), Vec::new());
    for id in OTHERS {
        let row = world.row(id).await;
        others.push((Counts::of(&row), told(&row)));
        lags.push(lag(&world, id).await);
    }
    let rows = hostile_now["mirrors"].as_array().unwrap();
    let row_of = |id: &str| rows.iter().find(|row| row["id"] == id).unwrap().clone();
    Outcome {
        others,
        lags,
        was_frozen: world.was_frozen().await,
        peak_kb,
        hostile: HOSTILE.iter().map(|h| row_of(h.0)).collect(),
        published,
    }
}

/// Everything that a mirror sent between its floods has arrived in the end: nothing of it was let go.
async fn assert_nothing_was_let_go(world: &World, id: &str) {
    world
        .until(&format!("{id} has a verdict about everything"), |overview| {
            let rows = overview["mirrors"].as_array()?;
            let row = rows.iter().find(|row| row["id"] == id)?;
            let counts = Counts::of(row);
            (counts.pending == 0).then(|| {
                assert_eq!((counts.missed, counts.unknown, counts.delivered()), (0, 0, counts.eligible), "{id}: {row}");
                assert_eq!(row["dropped_by_us_ops"], 0, "{id}: {row}");
            })
        })
        .await;
}

/// What is said of a mirror that sends more than is taken, or what is none.
fn assert_is_named(row: &Value, flood: Flood) {
    if matches!(flood, Flood::Giants | Flood::Broken) {
        let error = &row["link"]["last_error"];
        assert_eq!(error["class"], "protocol", "{row}");
        assert!(error["text"].as_str().unwrap().ends_with("3 such errors within 60 s, retry in 600 s"), "{row}");
        return;
    }
    assert!(row["throttle"]["times"].as_u64().unwrap() >= 1, "{row}");
    assert!(row["throttle"]["paused_s"].as_f64().unwrap() > 0.0, "{row}");
    if flood != Flood::Pings {
        // One that takes no pongs is disconnected now and then; one that uses its numbers twice is worse than throttled.
        let is_diverged = row["content"]["equivocation"].as_u64() > Some(0);
        assert_eq!(row["state"], if is_diverged { "diverged" } else { "throttled" }, "{row}");
        let headline = if is_diverged { "sent two contents" } else { "sends more that the primary does not know" };
        assert!(row["headline"].as_str().unwrap().starts_with(headline), "{row}");
    }
}

#[test]
fn hostile_mirrors_change_no_figure_of_another_and_cost_little() {
    test(async {
        let alone = play(false).await;
        let beside = play(true).await;
        let grown_kb = beside.peak_kb.saturating_sub(alone.peak_kb);
        println!("{} kB without floods, {grown_kb} kB more with them", alone.peak_kb);
        assert_eq!(alone.published, beside.published);
        let was_frozen = alone.was_frozen || beside.was_frozen;
        for (alone, beside) in alone.others.iter().zip(&beside.others) {
            assert!(beside.0.matches(&alone.0, was_frozen), "{:?}\n{:?}", alone.0, beside.0);
            assert_eq!(alone.1, beside.1);
        }
        for (id, (alone, beside)) in OTHERS.iter().zip(alone.lags.iter().zip(&beside.lags)) {
            assert_same_lag(id, alone, beside, was_frozen);
        }
        assert!(grown_kb <= scale().1, "{grown_kb} kB more");
        for (row, (_, flood)) in beside.hostile.iter().zip(HOSTILE) {
            assert_is_named(row, flood);
        }
    });
}

/// Operations until the second way in which a frame can be wrong, which ends the connection.
const BEFORE_THE_GIANT: u64 = 2;

#[test]
fn each_reason_to_refuse_a_frame_is_counted_under_its_name_and_told() {
    test(async {
        let garbage = Behaviour { garbage_share: 1.0, ..Behaviour::default() };
        let mut world = World::new(vec![("faithful", Behaviour::default()), ("babbling", garbage)]);
        for mirror in &mut world.config.mirrors {
            mirror.transport = Transport::Stream;
        }
        let mut world = world.watched().await;
        // Genesis operations alone, as one way is about a DID's first operation.
        world.publish_every(BEFORE_THE_GIANT, PACE, Some(Kind::Genesis)).await;
        world
            .until("the giant ended the connection and there is another one", |overview| {
                let row = overview["mirrors"].as_array()?.iter().find(|row| row["id"] == "babbling")?;
                (row["link"]["reconnects"].as_u64()? > 0 && row["link"]["state"] == "synchronized").then_some(())
            })
            .await;
        world.publish_every(Garbage::ALL.len() as u64, PACE, Some(Kind::Genesis)).await;
        let expected: BTreeSet<&str> = Reject::NAMES.into_iter().filter(|name| *name != "rate_limited").collect();
        let all = async || {
            let page = world.get("/api/v1/mirrors/babbling").await;
            let counted = page["rejects"]["by_reason"].as_object()?;
            expected.iter().all(|name| counted.get(*name).is_some_and(|n| n.as_u64() >= Some(1))).then_some(page)
        };
        let page = world.eventually("every reason is counted", all).await;
        let counted = page["rejects"]["by_reason"].as_object().unwrap();
        assert_eq!(counted.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected);
        let sum: u64 = counted.values().filter_map(Value::as_u64).sum();
        assert_eq!(page["rejected_frames"].as_u64().unwrap(), sum, "{page}");
        let text = page["rejects"]["text"].as_str().unwrap();
        assert!(text.starts_with(&format!("babbling: {sum} frames refused in the last hour: ")), "{text}");
        assert!(expected.iter().all(|name| text.contains(&format!(" {name}"))), "{text}");
        let other = world.get("/api/v1/mirrors/faithful").await;
        assert_eq!((&other["rejects"]["by_reason"], &other["rejected_frames"]), (&json!({}), &json!(0)));
        let (at, what) = text.split_once(". Last: ").unwrap().1.split_once(" UTC, ").unwrap();
        let last = &page["rejects"]["last"];
        let seq = last["seq"].as_u64().map(|seq| format!("seq {seq}."));
        assert_eq!(
            (at, what),
            (&last["at"].as_str().unwrap()[11..19], &*seq.unwrap_or(format!("{}.", last["text"].as_str().unwrap())))
        );
        world.mirror("babbling").set(|b| b.garbage_share = 0.0);
        world.settle().await;
        let counts = world.counts("babbling").await;
        assert_eq!((counts.missed, counts.unknown, counts.extra), (0, 0, 0), "garbage hides nothing: {counts:?}");
        world.stop().await;
    });
}

#[test]
fn a_poisoned_number_is_told_and_leads_no_cursor_astray() {
    test(async {
        let mut world =
            World::new(["faithful", "poisoned"].map(|id| (id, Behaviour::default())).into()).watched().await;
        world.publish(10).await;
        world.mirror("poisoned").set(|b| b.poison_next = 1);
        world.publish(10).await;
        let page = world
            .eventually("both numbers that cannot be are counted", async || {
                let page = world.get("/api/v1/mirrors/poisoned").await;
                (page["rejects"]["by_reason"]["bad_seq"] == 2).then_some(page)
            })
            .await;
        let rejects = &page["rejects"];
        assert_eq!((&rejects["last"]["text"], &page["rejected_frames"]), (&json!("bad_seq (regress)"), &json!(2)));
        let seq = rejects["last"]["seq"].as_u64().unwrap();
        let text = rejects["text"].as_str().unwrap();
        assert!(text.starts_with("poisoned: 2 frames refused in the last hour: 2 bad_seq. Last: "), "{text}");
        assert!(text.ends_with(&format!(" UTC, seq {seq}.")), "{text}");
        world.mirror("poisoned").kill_connections(Hangup::Eof);
        let is_filled =
            async || world.events("gap_filled").await.iter().any(|e| e["source"] == "poisoned").then_some(());
        world.eventually("the gap is filled from the last true number", is_filled).await;
        world.publish(10).await;
        world.settle().await;
        let counts = world.counts("poisoned").await;
        assert_eq!((counts.missed, counts.unknown, counts.extra), (0, 0, 0), "{counts:?}");
        assert_eq!(
            world.events("gap_not_filled").await,
            Vec::<Value>::new(),
            "the gap was filled from the last true number"
        );
        world.stop().await;
    });
}
