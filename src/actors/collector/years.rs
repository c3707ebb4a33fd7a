//! Two years on a clock that a test moves: the file stays as small as its retention allows, a start reads no more in the
//! second year than in the first, and hours and days are exactly what their intervals were.

use super::crashes::{START, UTC_MS, ids, labels, over};
use super::{Collector, Restored, restore};
use crate::actors::message::SourceEvent;
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::interval::Acc;
use crate::domain::ledger::{Ledger, Limits, MirrorParams, Params};
use crate::domain::op::{Kind, Op, OpKey};
use crate::domain::source::SourceIx;
use crate::domain::time::{MS, SECOND, Tau};
use crate::domain::verdict::{Mode, Verdict};
use crate::ports::clock::{Clock, ManualClock};
use crate::ports::store::{
    Commit, IntervalQuery, IntervalRow, Loaded, LogEnd, LogPage, LogRow, MissQuery, MissRow, OpenOptions, PeerMarks,
    PrunePlan, PruneReport, SqliteStore, Store, StoreError, Tier,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

const DAY_S: i64 = 86_400;
const DAYS: i64 = 730;
/// Length of an interval, in an ordinary run and in a sweep.
const STEP_S: i64 = 1_200;
const STEP_SWEEP_S: i64 = 300;
/// Kept as configured by default: intervals 30 days, hours and events 400.
const INTERVAL_DAYS: i64 = 30;
const HOURLY_DAYS: i64 = 400;
/// Operations of each interval; the first mirror loses one of each [`LOST_EACH`] intervals.
const OPS: i64 = 2;
const LOST_EACH: i64 = 10;

/// A store that the test reaches as well.
#[derive(Clone)]
struct Shared(Arc<Mutex<SqliteStore>>);

impl Store for Shared {
    fn load(&mut self) -> Result<Loaded, StoreError> {
        self.0.lock().unwrap().load()
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        self.0.lock().unwrap().commit(commit)
    }

    fn prune(&mut self, plan: &PrunePlan) -> Result<PruneReport, StoreError> {
        self.0.lock().unwrap().prune(plan)
    }

    fn misses_page(&mut self, query: &MissQuery) -> Result<Vec<MissRow>, StoreError> {
        self.0.lock().unwrap().misses_page(query)
    }

    fn intervals_page(&mut self, query: &IntervalQuery) -> Result<Vec<IntervalRow>, StoreError> {
        self.0.lock().unwrap().intervals_page(query)
    }

    fn first_interval_ms(&mut self, tier: Tier) -> Result<Option<i64>, StoreError> {
        self.0.lock().unwrap().first_interval_ms(tier)
    }

    fn log_append(&mut self, rows: &[LogRow]) -> Result<i64, StoreError> {
        self.0.lock().unwrap().log_append(rows)
    }

    fn log_page(&mut self, after: i64, limit: usize, bytes_max: usize) -> Result<LogPage, StoreError> {
        self.0.lock().unwrap().log_page(after, limit, bytes_max)
    }

    fn log_newest(&mut self, kind: &str, limit: usize) -> Result<Vec<LogRow>, StoreError> {
        self.0.lock().unwrap().log_newest(kind, limit)
    }

    fn log_end(&mut self, node: &str) -> Result<LogEnd, StoreError> {
        self.0.lock().unwrap().log_end(node)
    }

    fn peer_marks(&mut self) -> Result<Vec<PeerMarks>, StoreError> {
        self.0.lock().unwrap().peer_marks()
    }

    fn mark_peer(&mut self, marks: &PeerMarks) -> Result<(), StoreError> {
        self.0.lock().unwrap().mark_peer(marks)
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

fn ledger(step_s: i64) -> Ledger {
    let day_ns = DAY_S * SECOND;
    let params = Params { look_back_ns: SECOND, horizon_ns: day_ns, settle_ns: SECOND, interval_ms: step_s * 1_000 };
    let limits = Limits { held_ops: 100_000, unknown_keys_per_mirror: 1_000, listed_per_mirror: 100 };
    Ledger::new(params, limits, labels(), &[MirrorParams { on_time_ns: SECOND, grace_ns: 2 * SECOND }; 2])
}

fn open(dir: &Path) -> (Shared, Restored) {
    let mut store = SqliteStore::open(dir, OpenOptions::at(UTC_MS)).unwrap().0;
    let restored = restore(store.load().unwrap(), false);
    (Shared(Arc::new(Mutex::new(store))), restored)
}

fn op(i: i64, at: Tau) -> Op {
    let (mut cid, mut did) = ([0; 32], [0; 15]);
    cid[..8].copy_from_slice(&i.to_be_bytes());
    did[..8].copy_from_slice(&(i % 5_000).to_be_bytes());
    let created_ms = UTC_MS + at.since(START) / MS - 40;
    Op { key: OpKey { did: Did(did), cid: Cid(cid) }, kind: Kind::Update, created_ms, seq: Some(i as u64), prev: None }
}

/// One interval in the life of three sources; what the first mirror loses is missed.
fn step(collector: &mut Collector, clock: &ManualClock, n: i64, step_s: i64) {
    for k in 0..OPS {
        clock.advance(step_s * SECOND / (OPS + 1));
        let now = clock.now();
        let op = op(n * OPS + k, now);
        for s in 0..3 {
            if s == 1 && k == 0 && n % LOST_EACH == 0 {
                continue;
            }
            let lag_ns = i64::from(s) * (30 + n % 700) * MS;
            collector.apply(SourceIx(s), SourceEvent::Arrived(op, now.plus(lag_ns), Mode::Live));
        }
    }
    clock.advance(step_s * SECOND / (OPS + 1));
    let now = clock.now();
    (0..3).for_each(|s| collector.apply(SourceIx(s), SourceEvent::Proved(now)));
    collector.ledger.tick(now.plus(-1));
    collector.ledger.tick(now);
}

fn prune(store: &mut Shared, now_ms: i64) {
    let before = |days: i64| Some(now_ms - days * DAY_S * 1_000);
    let plan = PrunePlan {
        intervals_before_ms: before(INTERVAL_DAYS),
        hours_before_ms: before(HOURLY_DAYS),
        events_before_ms: before(HOURLY_DAYS),
        sessions_before_ms: before(HOURLY_DAYS),
        ..PrunePlan::default()
    };
    while store.prune(&plan).unwrap().more {}
}

fn rows_of(loaded: &Loaded, tier: Tier) -> impl Iterator<Item = &IntervalRow> {
    loaded.intervals.iter().filter(move |row| row.tier == tier && !row.source.is_empty())
}

fn acc(row: &IntervalRow) -> Acc {
    serde_ipld_dagcbor::from_slice(&row.blob).unwrap()
}

/// Each span of the coarser tier is the sum of those of the finer one that it is made of, where all of them are kept.
fn check_merged(loaded: &Loaded, fine: Tier, coarse: Tier, step_ms: i64, parts: usize) -> usize {
    let mut sums: BTreeMap<(i64, &str), (usize, Acc)> = BTreeMap::new();
    for row in rows_of(loaded, fine) {
        let sum = sums.entry((row.start_ms.div_euclid(step_ms) * step_ms, &row.source)).or_default();
        (sum.0, sum.1) = (sum.0 + 1, {
            sum.1.merge(&acc(row));
            sum.1.clone()
        });
    }
    let mut checked = 0;
    for row in rows_of(loaded, coarse) {
        let Some((n, sum)) = sums.get(&(row.start_ms, row.source.as_str())) else { continue };
        if *n < parts {
            continue;
        }
        let merged = acc(row);
        let verdicts = |a: &Acc| Verdict::ALL.map(|v| a.verdict(v));
        assert_eq!(verdicts(&merged), verdicts(sum), "{coarse:?} at {} of {}", row.start_ms, row.source);
        assert_eq!(
            (&merged.raw, &merged.lag),
            (&sum.raw, &sum.lag),
            "{coarse:?} at {} of {}",
            row.start_ms,
            row.source
        );
        checked += 1;
    }
    checked
}

#[actix::test]
async fn two_years_are_bounded_and_downsampled_without_a_difference() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START, UTC_MS));
    let step_s = if std::env::var_os("MIRRORWATCH_SWEEP").is_some() { STEP_SWEEP_S } else { STEP_S };
    let (mut store, restored) = open(dir.path());
    let mut collector = over(Box::new(store.clone()), restored, ledger(step_s), &clock);
    (0..3).for_each(|s| collector.apply(SourceIx(s), SourceEvent::Opened(START)));
    let steps_a_day = DAY_S / step_s;
    let mut months: Vec<(u64, usize)> = Vec::new();
    for n in 0..DAYS * steps_a_day {
        step(&mut collector, &clock, n, step_s);
        if (n + 1) % (steps_a_day / 4) == 0 {
            let sent = collector.send_commit(clock.now()).await;
            collector.kept(sent);
        }
        if (n + 1) % steps_a_day == 0 {
            prune(&mut store, labels().utc_ms(clock.now()));
        }
        if (n + 1) % (30 * steps_a_day) == 0 {
            assert!(collector.saver.degraded().is_empty());
            let loaded = store.load().unwrap();
            let bytes = std::fs::metadata(dir.path().join("mirrorwatch.db")).unwrap().len();
            let days = loaded.intervals.iter().filter(|row| row.tier == Tier::Day).count();
            months.push((bytes, loaded.intervals.len() - days));
        }
    }
    println!("bytes and rows of intervals and hours by month: {months:?}");
    // From the 14th month on, all that is kept by age has its full length: what grows is one row a day and the misses.
    let (full, last) = (months[14], *months.last().unwrap());
    assert!(last.0 <= full.0 + full.0 / 4, "{months:?}");
    assert!(last.1.abs_diff(full.1) <= full.1 / 100, "a start reads as many rows: {months:?}");
    let loaded = store.load().unwrap();
    let hours = check_merged(&loaded, Tier::Interval, Tier::Hour, 3_600_000, (3_600 / step_s) as usize);
    let days = check_merged(&loaded, Tier::Hour, Tier::Day, DAY_S * 1_000, 24);
    assert!(hours > 2 * 24 * 28 && days > 2 * 390, "{hours} hours and {days} days compared");
    let of_days = rows_of(&loaded, Tier::Day).filter(|row| row.source == "a").map(acc);
    let (eligible, missed) = of_days.fold((0, 0), |sum, a| (sum.0 + a.eligible(), sum.1 + a.verdict(Verdict::Missed)));
    let (ops, lost) = (DAYS * steps_a_day * OPS, DAYS * steps_a_day / LOST_EACH);
    let slack = (steps_a_day * OPS) as u64;
    assert!(eligible <= ops as u64 && eligible + slack >= ops as u64, "{eligible} of {ops} in the days of two years");
    assert!(missed <= lost as u64 && missed + slack >= lost as u64, "{missed} of {lost}");
    let misses: u64 = loaded.miss_counts.iter().filter(|c| c.source == "a").map(|c| c.count).sum();
    assert!(misses.abs_diff(lost as u64) <= 1, "{misses} of {lost} misses are kept for ever");
    assert_eq!(ids()[1], "a");
}
