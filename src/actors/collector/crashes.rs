//! Crash equivalence: killed at any step of any write and started again, the collector ends where one ends that was never
//! killed and merely did not observe from what was last kept until the restart.
//!
//! One number makes a history of a primary and two mirrors. It is played through the store's door into memory; an
//! ordinary run takes [`HISTORIES`] of [`POINTS_EACH`] crashes, `MIRRORWATCH_SWEEP` [`HISTORIES_SWEEP`], on all threads.

pub(super) mod told;

use super::{Collector, CollectorParts, Restored, SourceIdentity, restore};
use crate::actors::anchors::Anchors;
use crate::actors::line::Line;
use crate::actors::message::SourceEvent;
use crate::actors::snapshot_writer::SnapshotWriter;
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::interval::{Acc, ExtraState, Status};
use crate::domain::ledger::{ChainOutcome, Ledger, Limits, MirrorParams, Params};
use crate::domain::link::LinkState;
use crate::domain::op::{Kind, Op, OpKey};
use crate::domain::source::SourceIx;
use crate::domain::time::{Labels, MS, SECOND, Span, Tau};
use crate::domain::verdict::{Mode, Verdict};
use crate::ports::clock::ManualClock;
use crate::ports::fail_point::FailPoints;
use crate::ports::store::memory::{Fault, MemoryDisk};
use crate::ports::store::{PrunePlan, Store};
use actix::Actor;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use told::{explained, linked};

const HISTORIES: u64 = 250;
const HISTORIES_SWEEP: u64 = 2_500;
/// Crashes of one history.
const POINTS_EACH: u64 = 40;
pub(super) const START: Tau = Tau(1_000 * SECOND);
pub(super) const UTC_MS: i64 = 1_700_000_100_000;
const TICK_NS: i64 = 100 * MS;
/// Operations are published for so long, and everything is decided by the end.
const BUSY_S: i64 = 12;
pub(super) const END: Tau = Tau(START.0 + 32 * SECOND);
const INTERVAL_MS: i64 = 3_000;
/// From a stream's opening to the end of its fill.
const FILL_NS: i64 = 250 * MS;

/// What a source sends, and when its link is cut.
pub(super) struct Truth {
    items: Vec<(Tau, Op)>,
    cuts: Vec<Span>,
}

fn random_op(dice: &mut StdRng, i: u64, at: Tau) -> Op {
    let mut cid = [0; 32];
    cid[..8].copy_from_slice(&i.to_be_bytes());
    let key = OpKey { did: Did([dice.random_range(0..9); 15]), cid: Cid(cid) };
    let created_ms = UTC_MS + at.since(START) / MS - 40;
    Op { key, kind: Kind::ALL[dice.random_range(0..Kind::ALL.len())], created_ms, seq: Some(i), prev: None }
}

pub(super) fn truths(seed: u64) -> Vec<Truth> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut at = START.plus(700 * MS);
    let mut published = Vec::new();
    while at < START.plus(BUSY_S * SECOND) {
        published.push((at, random_op(&mut dice, published.len() as u64, at)));
        at = at.plus(dice.random_range(20..280) * MS);
    }
    let mut truths = vec![Truth { items: published.clone(), cuts: cuts(&mut dice) }];
    for m in 1..3 {
        let mut items = Vec::new();
        for (i, (at, op)) in published.iter().enumerate() {
            match dice.random_range(0..100) {
                0..8 => continue,
                8..25 => items.push((at.plus(dice.random_range(900..6_000) * MS), *op)),
                _ => items.push((at.plus(dice.random_range(-60..300) * MS), *op)),
            }
            if dice.random_range(0..100) < 4 {
                items.push((*at, random_op(&mut dice, m * 1_000_000 + i as u64, *at)));
            }
        }
        items.sort_by_key(|item| item.0);
        truths.push(Truth { items, cuts: cuts(&mut dice) });
    }
    truths
}

fn cuts(dice: &mut StdRng) -> Vec<Span> {
    let mut cuts = Vec::new();
    let mut at = START.plus(dice.random_range(1..9) * SECOND);
    for _ in 0..dice.random_range(0..3) {
        let to = at.plus(dice.random_range(200..2_500) * MS);
        cuts.push(Span { from: at, to });
        at = to.plus(dice.random_range(600..4_000) * MS);
    }
    cuts
}

/// What a source tells, in order, when the observer was down in that span and saw nothing of what came in it.
fn told(truth: &Truth, down: Option<Span>) -> Vec<(Tau, SourceEvent)> {
    let mut spans: Vec<Span> = truth.cuts.clone();
    spans.extend(down);
    spans.sort_by_key(|s| s.from);
    let mut merged: Vec<Span> = Vec::new();
    for s in spans {
        match merged.last_mut() {
            Some(last) if s.from <= last.to => last.to = last.to.max(s.to),
            _ => merged.push(s),
        }
    }
    let within = |at: Tau| merged.iter().any(|s| s.from < at && at <= s.to);
    let mut events = vec![(START, SourceEvent::Opened(START)), (START, linked(LinkState::Synchronized))];
    let live = truth.items.iter().filter(|item| !within(item.0));
    events.extend(live.map(|&(at, op)| (at, SourceEvent::Arrived(op, at, Mode::Live))));
    for s in &merged {
        if down.is_none_or(|down| down.from != s.from) {
            events.extend([(s.from, SourceEvent::Closed), (s.from, linked(LinkState::Waiting))]);
        }
        events.extend([(s.to, SourceEvent::Opened(s.to)), (s.to, linked(LinkState::CatchingUp))]);
        let filled = s.to.plus(FILL_NS);
        let lost = truth.items.iter().filter(|item| s.from < item.0 && item.0 <= s.to);
        events.extend(lost.map(|&(_, op)| (filled, SourceEvent::Arrived(op, filled, Mode::Filled))));
        events.extend([(filled, SourceEvent::Filled(filled)), (filled, linked(LinkState::Synchronized))]);
    }
    let mut at = START.plus(TICK_NS / 2);
    while at < END {
        if !within(at) {
            events.push((at, SourceEvent::Proved(at)));
        }
        at = at.plus(TICK_NS);
    }
    events.sort_by_key(|e| e.0);
    events
}

pub(super) fn ids() -> [String; 3] {
    ["p", "a", "b"].map(str::to_owned)
}

pub(super) fn labels() -> Labels {
    Labels { anchor_tau: START, anchor_utc_ms: UTC_MS }
}

/// A collector on a disk, with whatever that holds; whether a part of the journal is missing there is known beforehand.
pub(super) fn collector(disk: &MemoryDisk, clock: &Arc<ManualClock>, with_loss: bool) -> Collector {
    let mut store = disk.open();
    let restored = restore(store.load().unwrap(), false);
    let params =
        Params { look_back_ns: SECOND, horizon_ns: 3_600 * SECOND, settle_ns: 300 * MS, interval_ms: INTERVAL_MS };
    let limits = Limits { held_ops: 10_000, unknown_keys_per_mirror: 1_000, listed_per_mirror: 100 };
    let mirror = MirrorParams { on_time_ns: SECOND, grace_ns: 2 * SECOND };
    let mut ledger = Ledger::new(params, limits, labels(), &[mirror; 2]);
    let is_lossy = restored.saved.loss.is_some();
    let report = ledger.restore(&restored.saved, "p", &ids()[1..]);
    assert_eq!((report.damaged, is_lossy), (None, with_loss));
    over(Box::new(store), restored, ledger, clock)
}

/// A collector over a store and a ledger of what is in it.
pub(super) fn over(store: Box<dyn Store>, restored: Restored, ledger: Ledger, clock: &Arc<ManualClock>) -> Collector {
    let who = |id: String| SourceIdentity { name: id.clone(), url: String::new(), transport: String::new(), id };
    let store = Arc::new(Mutex::new(Some(store)));
    let writer = SnapshotWriter::new(store, Arc::new(PrunePlan::default), None, FailPoints::default());
    Collector::new(CollectorParts {
        ledger,
        anchors: ids().iter().map(|id| restored.anchors.get(id).copied()).collect(),
        sources: ids().map(who).into(),
        clock: Arc::<ManualClock>::clone(clock),
        labels: labels(),
        boot_id: "boot".to_owned(),
        writer: Line::to(&writer.start()),
        last_segment: restored.last_segment,
        events: restored.events,
        rejects: restored.rejects,
        kept_segments: restored.kept_segments,
        notes: Vec::new(),
        imported: Arc::default(),
        internals: Arc::new(|| serde_json::Value::Null),
        grace_max_ns: 2 * SECOND,
        validator: Arc::default(),
        samples: restored.samples,
        standings: restored.standings,
        kept: restored.kept,
        log: None,
        trouble: watch::Sender::new(None),
        foreign_ops_per_s: 2_000,
        anchored: Anchors::default(),
        fail: FailPoints::default(),
    })
}

/// A history under way.
pub(super) struct Run {
    pub(super) collector: Collector,
    pub(super) clock: Arc<ManualClock>,
    pub(super) disk: MemoryDisk,
}

impl Run {
    pub(super) fn new() -> Run {
        let (clock, disk) = (Arc::new(ManualClock::new(START, UTC_MS)), MemoryDisk::new());
        Run { collector: collector(&disk, &clock, false), clock, disk }
    }

    fn now(&self) -> Tau {
        crate::ports::clock::Clock::now(&*self.clock)
    }

    /// Plays from now until `until`, or the store is dead; whether it is.
    pub(super) async fn play(&mut self, truths: &[Truth], down: Option<Span>, until: Tau, heal_at: Tau) -> bool {
        let mut queues: Vec<_> = truths.iter().map(|t| told(t, down)).collect();
        let from = self.now();
        for queue in &mut queues {
            queue.retain(|e| e.0 >= from);
        }
        let mut queues: Vec<_> = queues.into_iter().map(|q| q.into_iter().peekable()).collect();
        while self.now() < until {
            self.clock.advance(TICK_NS);
            let now = self.now();
            for (i, queue) in queues.iter_mut().enumerate() {
                while let Some((_, event)) = queue.next_if(|e| e.0 <= now) {
                    self.collector.apply(SourceIx(i as u16), event);
                }
            }
            self.collector.ledger.tick(now);
            if self.collector.ledger.wants_chain().is_some() {
                self.collector.ledger.chain(now, ChainOutcome::Unsupported);
            }
            for wanted in self.collector.ledger.take_checks() {
                self.collector.checked(&explained(wanted), now);
            }
            if heal_at <= now {
                self.disk.heal();
            }
            if self.collector.saver.is_due(now) {
                let sent = self.collector.send_commit(now).await;
                self.collector.kept(sent);
                if self.disk.is_crashed() {
                    return true;
                }
            }
        }
        false
    }

    /// The figures of the intervals that are shown as final.
    pub(super) fn finals(&self) -> BTreeMap<u32, Vec<Figures>> {
        let all = self.collector.ledger.capture(false).intervals;
        all.iter().filter(|i| i.1.status == Status::Final).map(|(k, i)| (k, of_mirrors(&i.mirrors))).collect()
    }

    /// Everything that is judged, by operation and by interval.
    pub(super) fn outcome(&self) -> Outcome {
        let capture = self.collector.ledger.capture(true);
        let mut verdicts = HashMap::new();
        for chunk in &capture.held.chunks {
            for (i, row) in chunk.rows().iter().enumerate() {
                let cells = [0, 1].map(|m| {
                    let cell = chunk.cells(m)[i];
                    (cell.verdict(), cell.reason() as u8, cell.raw_us())
                });
                assert_eq!(verdicts.insert(row.cid, cells), None, "an operation twice");
            }
        }
        let intervals = capture.intervals.iter().map(|(k, i)| (k, (i.primary_ops, of_mirrors(&i.mirrors))));
        // One whose only operation moved to another is left in memory and not on disk: nothing is in it.
        let is_empty = |f: &Figures| f.0.iter().chain(&f.1).all(|n| *n == 0);
        let intervals = intervals.filter(|(_, (_, mirrors))| !mirrors.iter().all(is_empty)).collect();
        let received =
            (0..3).map(|s| self.collector.ledger.source(SourceIx(s)).map_or(0, |source| source.received)).collect();
        Outcome { verdicts, intervals, received }
    }
}

/// Of one mirror: operations by verdict, extras by state, samples of lag.
pub(super) type Figures = (Vec<u64>, Vec<u64>, u64);

fn of_mirrors(accs: &[Arc<Acc>]) -> Vec<Figures> {
    let of = |acc: &Arc<Acc>| {
        let verdicts: Vec<u64> = Verdict::ALL.iter().map(|v| acc.verdict(*v)).collect();
        assert_eq!(
            acc.eligible(),
            verdicts.iter().sum::<u64>() - acc.verdict(Verdict::NotEligible),
            "it does not add up"
        );
        (verdicts, ExtraState::ALL.iter().map(|s| acc.extra(*s)).collect(), acc.raw.count())
    };
    accs.iter().map(of).collect()
}

pub(super) struct Outcome {
    pub(super) verdicts: HashMap<Cid, [(Verdict, u8, i64); 2]>,
    pub(super) intervals: BTreeMap<u32, (u32, Vec<Figures>)>,
    received: Vec<u64>,
}

/// Where a history is ended by force.
#[derive(Copy, Clone, Debug)]
struct Point {
    /// At this step of the store, or at this instant.
    step: Option<u64>,
    at: Tau,
    /// The disk fails so at this step before, until then.
    trouble: Option<(u64, Fault, Tau)>,
    down_ns: i64,
}

/// Ends and begins again at `point`; compares with who was never killed. The intervals that were final then.
async fn crashed(seed: u64, truths: &[Truth], point: Point) -> usize {
    let what = format!("history {seed}, {point:?}");
    let mut run = Run::new();
    let mut heal_at = Tau::MAX;
    if let Some((step, fault, until)) = point.trouble {
        run.disk.fail_at(step, fault);
        heal_at = until;
    }
    if let Some(step) = point.step {
        run.disk.fail_at(step, Fault::Crash);
    }
    run.play(truths, None, point.at, heal_at).await;
    let shown = run.finals();
    run.disk.crash();
    run.disk.heal();
    let Some(kept) = run.disk.open().load().unwrap().heartbeat else { return 0 };
    let (crashed_at, told) = (run.now(), run.told_through(Tau(kept.tau_ns)));
    run.clock.advance(point.down_ns);
    run.collector = collector(&run.disk, &run.clock, false);
    let again = run.finals();
    assert_eq!(run.told_through(Tau::MAX), told, "{what}: sessions and evidence");
    for (k, figures) in &shown {
        assert_eq!(again.get(k), Some(figures), "{what}: interval {k} was shown as final");
    }
    let down = Span { from: Tau(kept.tau_ns), to: crashed_at.plus(point.down_ns) };
    assert!(crashed_at.since(down.from) <= SECOND + SECOND / 10 || point.trouble.is_some(), "{what}: {down:?}");
    assert!(!run.play(truths, Some(down), END, Tau::MAX).await, "{what}");
    let mut other = Run::new();
    other.play(truths, Some(down), down.from, Tau::MAX).await;
    other.collector.ledger.go_down();
    other.clock.advance(down.to.since(down.from));
    other.collector.ledger.tick(down.to);
    other.play(truths, Some(down), END, Tau::MAX).await;
    let (one, other) = (run.outcome(), other.outcome());
    for (cid, cells) in &other.verdicts {
        assert_eq!(one.verdicts.get(cid), Some(cells), "{what}: {down:?}: operation {cid}");
    }
    assert_eq!(one.verdicts.len(), other.verdicts.len(), "{what}: {down:?}");
    assert_eq!(one.intervals, other.intervals, "{what}: {down:?}");
    assert_eq!(one.received, other.received, "{what}: {down:?}");
    shown.len()
}

fn point(dice: &mut StdRng, steps: u64) -> Point {
    let step = dice.random_range(1..=steps);
    let at = START.plus(dice.random_range(10..(BUSY_S + 8) * 10) * TICK_NS);
    let is_step = dice.random_range(0..4) > 0;
    let fault = [Fault::NoSpace, Fault::Io, Fault::ReadOnly][dice.random_range(0..3)];
    let until = START.plus(dice.random_range(2..BUSY_S) * SECOND);
    Point {
        step: is_step.then_some(step),
        at: if is_step { END } else { at },
        trouble: (dice.random_range(0..3) == 0).then(|| (dice.random_range(1..=step), fault, until)),
        down_ns: dice.random_range(2..60) * TICK_NS,
    }
}

/// Crashes of one history; the intervals that were final then.
async fn crashes_of(seed: u64) -> usize {
    let truths = truths(seed);
    let mut whole = Run::new();
    whole.play(&truths, None, END, Tau::MAX).await;
    assert!(whole.outcome().verdicts.len() > 60, "history {seed}");
    let mut dice = StdRng::seed_from_u64(seed ^ 0x5eed);
    let mut shown = 0;
    for _ in 0..POINTS_EACH {
        shown += crashed(seed, &truths, point(&mut dice, whole.disk.steps())).await;
    }
    shown
}

#[test]
fn a_crash_at_any_step_is_a_time_of_not_observing() {
    let histories = if std::env::var_os("MIRRORWATCH_SWEEP").is_some() { HISTORIES_SWEEP } else { HISTORIES };
    let threads = std::thread::available_parallelism().unwrap().get();
    let part = |of: usize| {
        actix::System::new().block_on(async move {
            let mut shown = 0;
            for seed in (0..histories).skip(of).step_by(threads) {
                shown += crashes_of(seed).await;
            }
            shown
        })
    };
    let shown: usize = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads).map(|of| scope.spawn(move || part(of))).collect();
        parts.into_iter().map(|part| part.join().unwrap()).sum()
    });
    assert!(shown > 0, "no crash came when an interval was final");
}
