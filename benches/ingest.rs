//! What taking in operations costs: the parts alone, and the whole program on full streams. Processor time comes first,
//! then ratios within one run; absolute figures stand beside their goals. Exits with 1 when a budget is not kept.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench measures with the system's clock and fails by panicking"
)]

#[path = "support/frames.rs"]
mod frames;
#[path = "support/gate.rs"]
#[allow(dead_code, reason = "the other benches use the rest")]
mod gate;
#[path = "support/history.rs"]
mod history;
#[path = "support/proc.rs"]
mod proc;
#[path = "support/sender.rs"]
mod sender;
#[path = "support/world.rs"]
mod world;

use futures_util::StreamExt;
use gate::{Gates, median};
use history::{History, Stretch};
use mirrorwatch::domain::frame::{DEFAULT_FORMS, Form, FormCache, Shape, parse};
use mirrorwatch::domain::ledger::persist::Prepared;
use mirrorwatch::domain::source::SourceIx;
use mirrorwatch::domain::time::SECOND;
use mirrorwatch::domain::verdict::{Mode, Verdict};
use mirrorwatch::domain::view::Picture;
use mirrorwatch::domain::window_kind::WindowKind;
use mirrorwatch::ports::store::meter::thread_written_bytes;
use mirrorwatch::ports::store::sqlite::{OpenOptions, SqliteStore};
use mirrorwatch::ports::store::{Commit, Heartbeat, MissRow, Segment, Store};
use mirrorwatch::ports::stream_reader::ws_config;
use sender::{Running, Task};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;
use tokio_tungstenite::tungstenite::Message;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Frames of each source in a run of the whole program.
const FRAMES: usize = 100_000;
/// Frames of the parts alone.
const PART_FRAMES: u64 = 20_000;
/// Whole processor time over that of reading the WebSocket and a borrowed parse, at most.
const RATIO_MAX: f64 = 4.0;
/// Goals of the absolute figures, which a shared machine may miss.
const GOAL_CPU_US: f64 = 1.4;
const GOAL_FRAMES_PER_S: f64 = 700_000.0;
const HELD_OPS: u64 = 500_000;
const GOAL_HELD_MB: f64 = 100.0;
const HELD_MB_MAX: f64 = 150.0;
const LATE_OPS: u64 = 20_000;
const LATE_MS_MAX: f64 = 10.0;
const LATE_WRITTEN_MB_MAX: f64 = 4.0;

fn main() -> ExitCode {
    if sender::is_child() {
        return ExitCode::SUCCESS;
    }
    match proc::part().as_deref() {
        Some("held") => held(),
        Some("late") => late(),
        Some("whole 1") => whole(1),
        Some("whole 8") => whole(8),
        Some("plain 8") => plain(8),
        Some(other) => panic!("there is no part {other:?}"),
        None => return all(),
    }
    ExitCode::SUCCESS
}

fn all() -> ExitCode {
    let mut gates = Gates::default();
    parts();
    println!("== whole program at full speed, {FRAMES} frames of each source, every verdict taken and kept");
    let read = proc::run_part("plain 8").unwrap()[0];
    println!("WebSocket read and borrowed parse: {read:.3} µs of processor a frame");
    for mirrors in [1, 8] {
        let figures = proc::run_part(&format!("whole {mirrors}")).unwrap();
        let [cpu_us, per_second, peak_mb] = figures[..] else { panic!("{figures:?}") };
        println!("1 + {mirrors} sources: {cpu_us:.3} µs of processor a frame (goal ≤ {GOAL_CPU_US})");
        println!("1 + {mirrors} sources: {per_second:.0} frames/s (goal ≥ {GOAL_FRAMES_PER_S}); peak {peak_mb:.0} MB");
        if mirrors == 8 {
            gates.at_most(
                "processor time over that of reading and parsing, 1 + 8 sources",
                cpu_us / read,
                RATIO_MAX,
                "×",
            );
        }
    }
    println!("== {HELD_OPS} operations held at 8 mirrors");
    let peak_mb = proc::run_part("held").unwrap()[0];
    println!("resident memory at its peak: {peak_mb:.0} MB (goal ≤ {GOAL_HELD_MB})");
    gates.at_most("resident memory", peak_mb, HELD_MB_MAX, "MB");
    println!("== a mirror returns with {LATE_OPS} late operations");
    let figures = proc::run_part("late").unwrap();
    let [ms, written_mb] = figures[..] else { panic!("{figures:?}") };
    gates.at_most("ledger", ms, LATE_MS_MAX, "ms");
    gates.at_most("written", written_mb, LATE_WRITTEN_MB_MAX, "MB");
    gates.exit_code()
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a parser must find, whether anybody looks or not")]
struct Borrowed<'a> {
    seq: u64,
    did: &'a str,
    #[serde(borrow)]
    operation: &'a RawValue,
    cid: &'a str,
    #[serde(rename = "createdAt")]
    created_at: &'a str,
}

/// The least nanoseconds for one of `count` things among some runs.
fn least_ns(count: usize, mut run: impl FnMut()) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..5 {
        let begin = Instant::now();
        run();
        least = least.min(begin.elapsed().as_nanos() as f64 / count as f64);
    }
    least
}

fn read_all(texts: &[String], forms: &mut FormCache) {
    for text in texts {
        assert!(black_box(parse(text, Shape::Sequenced, forms)).is_ok());
    }
}

fn parts() {
    let texts: Vec<String> = frames::texts(0, PART_FRAMES, 1).collect();
    let bytes = texts.iter().map(String::len).sum::<usize>() / texts.len();
    println!("== parts alone, ns a frame of {bytes} bytes, least of five runs");
    let count = texts.len();
    let borrowed =
        least_ns(count, || texts.iter().for_each(|t| assert!(black_box(serde_json::from_str::<Borrowed>(t)).is_ok())));
    println!("borrowed parse {borrowed:.0}");
    let operations: Vec<&str> =
        texts.iter().map(|t| serde_json::from_str::<Borrowed>(t).unwrap().operation.get()).collect();
    let check = least_ns(count, || operations.iter().for_each(|o| assert!(black_box(Form::read(o)).is_ok())));
    println!("content check of a new form {check:.0}");
    let cold = least_ns(count, || {
        let mut forms = FormCache::new(DEFAULT_FORMS, [1, 2]);
        read_all(&texts, &mut forms);
    });
    println!("parse and check, new form {cold:.0}");
    let mut forms = FormCache::new(DEFAULT_FORMS, [1, 2]);
    read_all(&texts, &mut forms);
    let warm = least_ns(count, || read_all(&texts, &mut forms));
    println!("parse and check, known form {warm:.0}");
    ledger_parts();
}

/// The ledger alone at 2,000 operations a second: arrivals, decisions and the journal.
fn ledger_parts() {
    for mirrors in [1, 8] {
        let mut history = History::new(mirrors);
        let stretch = Stretch { ops: 120_000, length_ns: 60 * SECOND, missed: 0, silent: None };
        history.feed(stretch, |_, _| {});
        let per_frame =
            least_ns(120_000 * (mirrors + 1), || history.feed(stretch, |_, prepared| drop(black_box(prepared))));
        println!("ledger, 1 + {mirrors} sources, arrival to decision {per_frame:.0}");
    }
}

fn is_decided(picture: &Picture) -> bool {
    let figures = picture.capture.window(WindowKind::H1).interval;
    figures.mirrors.iter().all(|m| m.verdict(Verdict::Pending) == 0)
}

/// The whole program: processor time a frame, frames a second, peak of memory.
fn whole(mirrors: usize) {
    let found = actix::System::new().block_on(async move {
        let dir = tempfile::tempdir().unwrap();
        let mut senders = Running::start(Task { sources: mirrors + 1, frames: FRAMES, per_second: 0 }).unwrap();
        let app = world::started(&world::config(dir.path(), &senders.ports)).await;
        let (cpu, begin) = (proc::cpu_ns(), Instant::now());
        senders.go().unwrap();
        let received = |p: &Picture| {
            let of_mirrors: u64 = p.capture.mirrors.iter().map(|m| m.source.received).sum();
            p.capture.primary.received + of_mirrors
        };
        let total = (FRAMES * (mirrors + 1)) as u64;
        world::until(&app, |p| received(p) >= total).await;
        let elapsed_s = begin.elapsed().as_secs_f64();
        let cpu_received_us = (proc::cpu_ns() - cpu) as f64 / 1e3 / total as f64;
        world::until(&app, is_decided).await;
        app.stop().await;
        let cpu_us = (proc::cpu_ns() - cpu) as f64 / 1e3 / total as f64;
        println!("1 + {mirrors} sources: {cpu_received_us:.3} µs a frame until all were received");
        format!("{cpu_us} {} {}", total as f64 / elapsed_s, proc::peak_mb())
    });
    println!("{found}");
}

/// What no program can do without: the sockets read, the frames parsed.
fn plain(mirrors: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let costs: Vec<f64> = (0..3).map(|_| runtime.block_on(plain_once(mirrors))).collect();
    println!("{}", median(costs));
}

async fn plain_once(mirrors: usize) -> f64 {
    let mut senders = Running::start(Task { sources: mirrors + 1, frames: FRAMES, per_second: 0 }).unwrap();
    let mut streams = Vec::new();
    for port in &senders.ports {
        let tcp = tokio::net::TcpStream::connect(("127.0.0.1", *port)).await.unwrap();
        let url = format!("ws://127.0.0.1:{port}/export/stream");
        let opened = tokio_tungstenite::client_async_with_config(url, tcp, Some(ws_config(262_144))).await.unwrap();
        streams.push(opened.0);
    }
    let cpu = proc::cpu_ns();
    senders.go().unwrap();
    let reading = streams.into_iter().map(|mut stream| async move {
        for _ in 0..FRAMES {
            let Some(Ok(Message::Text(text))) = stream.next().await else { panic!("the stream ended") };
            black_box(serde_json::from_str::<Borrowed>(&text).unwrap());
        }
    });
    futures_util::future::join_all(reading).await;
    (proc::cpu_ns() - cpu) as f64 / 1e3 / (FRAMES * (mirrors + 1)) as f64
}

/// Holds many operations of twenty hours while pictures are taken and used; prints the peak of memory.
fn held() {
    let mut forms = FormCache::new(DEFAULT_FORMS, [1, 2]);
    for text in frames::texts(0, 2 * DEFAULT_FORMS as u64, 1) {
        black_box(parse(&text, Shape::Sequenced, &mut forms).unwrap());
    }
    let before_mb = proc::peak_mb();
    let mut history = History::new(8);
    let hours = 20;
    let mut picture = None;
    for _ in 0..hours * 60 {
        let ops = HELD_OPS / (hours * 60) + 1;
        history.feed(Stretch { ops, length_ns: 60 * SECOND, missed: 1, silent: None }, |_, prepared| drop(prepared));
        // The one before is held until then, so that everything that changed meanwhile was copied.
        picture = Some(history.picture());
    }
    let held = picture.map_or(0, |p: Picture| p.capture.held_ops);
    println!("{held} operations held; {before_mb:.0} MB before the first (program and known forms)");
    println!("{}", proc::peak_mb());
    drop(forms);
}

/// A mirror that was silent for ten seconds brings what it owes: the ledger's time until all is decided, in milliseconds,
/// and what is written, in megabytes.
fn late() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = SqliteStore::open(dir.path(), OpenOptions::at(0)).unwrap();
    let (mut ms, mut written_mb) = (f64::INFINITY, f64::INFINITY);
    for round in 0..5 {
        let mut history = History::new(8);
        history.feed(Stretch { ops: 200_000, length_ns: 600 * SECOND, missed: 0, silent: None }, |_, _| {});
        let first = history.made;
        let silence = Stretch { ops: LATE_OPS, length_ns: 10 * SECOND, missed: 0, silent: Some(3) };
        history.feed(silence, |_, _| {});
        // Everybody else's are settled first, so that what is counted is this mirror's alone.
        history.feed(Stretch { ops: 0, length_ns: 35 * SECOND, missed: 0, silent: None }, |_, _| {});
        let late: Vec<_> = (first..history.made).map(History::op).collect();
        let written = thread_written_bytes().unwrap();
        let begin = proc::cpu_ns();
        for op in &late {
            history.ledger.arrive(SourceIx::mirror(3), op, history.now, Mode::Live);
        }
        let arrived_ms = (proc::cpu_ns() - begin) as f64 / 1e6;
        keep(&mut store, &mut history, round * 2 * SEGMENTS_MAX);
        history.now = history.now.plus(31 * SECOND);
        let begin = proc::cpu_ns();
        // What is due at one tick is decided at the next.
        history.prove_and_tick();
        history.prove_and_tick();
        let decided_ms = (proc::cpu_ns() - begin) as f64 / 1e6;
        keep(&mut store, &mut history, (round * 2 + 1) * SEGMENTS_MAX);
        assert!(is_decided(&history.picture()), "the late operations are decided");
        let written_now = (thread_written_bytes().unwrap() - written) as f64 / 1e6;
        println!("arrivals {arrived_ms:.2} ms, decisions {decided_ms:.2} ms, written {written_now:.2} MB");
        ms = ms.min(arrived_ms + decided_ms);
        written_mb = written_mb.min(written_now);
    }
    println!("{ms} {written_mb}");
}

/// Segments of one transaction at most.
const SEGMENTS_MAX: i64 = 1_000;

/// Keeps what the ledger has, as the collector does.
fn keep(store: &mut SqliteStore, history: &mut History, first_id: i64) {
    let now = history.now;
    let prepared: Prepared = history.ledger.prepare(&history.ids);
    let heartbeat = Heartbeat { tau_ns: now.0, utc_ms: 0, boot_id: String::new(), anchor_tau_ns: 0, anchor_utc_ms: 0 };
    let mut commit = Commit::of(heartbeat);
    commit.segments = prepared
        .segments
        .into_iter()
        .zip(first_id..)
        .map(|(s, id)| Segment {
            id,
            first_op: s.first_op.map_or(-1, |n| n as i64),
            last_op: s.last_op.map_or(-1, |n| n as i64),
            blob: s.bytes,
        })
        .collect();
    commit.misses = prepared
        .misses
        .iter()
        .map(|(m, row, cell)| MissRow {
            source: history.ids[usize::from(*m)].clone(),
            did: row.did.0,
            cid: row.cid.0,
            seq: row.seq().map(|s| s as i64),
            kind: row.kind as u8,
            verdict: cell.verdict().name().to_owned(),
            confirmation: None,
            created_ms: row.created_ms,
            primary_at_ms: 0,
            updated_ms: 0,
            healed: cell.verdict() != Verdict::Missed,
        })
        .collect();
    store.commit(&commit).unwrap();
}
