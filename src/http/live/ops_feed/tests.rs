//! The feed over operations that a test makes up.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::BoxFuture;

use super::*;
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::ledger::recent::{Pace, RecentOps};
use crate::domain::op::{Kind, OpKey};
use crate::domain::ring::Row;
use crate::domain::time::{Labels, Tau};
use crate::domain::verdict::{Cell, Mode, Verdict};
use crate::http::detail::DetailError;

/// Holds the operations that the next look finds.
#[derive(Default)]
struct Source {
    ops: Mutex<Vec<RecentOp>>,
    looks: AtomicUsize,
    panics: AtomicBool,
}

fn op(number: u64) -> RecentOp {
    let row =
        Row::new(OpKey { did: Did([1; 15]), cid: Cid([2; 32]) }, Kind::Update, Tau(0), 1_700_000_000_000, Some(number));
    RecentOp { number, row, cells: vec![Cell::new(Verdict::Pending)] }
}

impl Source {
    fn set(&self, numbers: std::ops::Range<u64>) {
        *lock(&self.ops) = numbers.map(op).collect();
    }

    fn deliver(&self, number: u64, us: i64) {
        let mut ops = lock(&self.ops);
        let op = ops.iter_mut().find(|op| op.number == number).unwrap();
        op.cells = vec![Cell::new(Verdict::OnTime).with_delivery(Mode::Live, us)];
    }

    fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }
}

impl RecentSource for Arc<Source> {
    fn recent(&self) -> BoxFuture<'static, Result<Recent, DetailError>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics.load(Ordering::SeqCst), "on purpose");
        let labels = Labels { anchor_tau: Tau(0), anchor_utc_ms: 1_700_000_000_000 };
        let ops = lock(&self.ops).clone();
        let paces = vec![Pace { rate_per_s: None, live_ops: 0 }; 2];
        let ids = vec!["p".to_owned(), "m".to_owned()];
        Box::pin(async move { Ok(Recent { ops: RecentOps { now: Tau(0), labels, ops, paces }, ids }) })
    }
}

fn feed() -> (Arc<Source>, Arc<OpsFeed>) {
    let source = Arc::new(Source::default());
    (Arc::clone(&source), OpsFeed::new(Arc::new(source), Tallies::default()))
}

fn watch(feed: &Arc<OpsFeed>) -> OpsReader {
    feed.watch().expect("there is room")
}

/// What is due, as (whether all, numbers newest first).
fn due(reader: &mut OpsReader) -> Vec<(bool, Vec<u64>)> {
    let message = |text: &ByteString| {
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!((&value["type"], &value["mirrors"]), (&"ops".into(), &json!(["m"])));
        let numbers = value["ops"].as_array().unwrap().iter().map(|op| op["number"].as_u64().unwrap()).collect();
        (value["is_whole"].as_bool().unwrap(), numbers)
    };
    reader.due().texts.iter().map(message).collect()
}

async fn next(reader: &mut OpsReader) -> Vec<(bool, Vec<u64>)> {
    timeout(Duration::from_secs(10), reader.changes.changed()).await.unwrap().unwrap();
    due(reader)
}

#[tokio::test(start_paused = true)]
async fn all_come_first_and_then_what_changed_once_for_everybody() {
    let (source, feed) = feed();
    source.set(0..3);
    let (mut a, mut b) = (watch(&feed), watch(&feed));
    assert_eq!(next(&mut a).await, [(true, vec![2, 1, 0])]);
    assert_eq!(due(&mut b), [(true, vec![2, 1, 0])]);
    source.set(1..5);
    source.deliver(1, 12_500);
    assert_eq!(next(&mut a).await, [(false, vec![4, 3, 1])], "one that was told changed, two are new");
    let (of_b, mut late) = (b.due(), watch(&feed));
    assert_eq!(of_b.texts.len(), 1);
    let same = lock(&feed.shelf).changes.back().unwrap().as_ptr();
    assert_eq!(of_b.texts[0].as_ptr(), same, "the bytes are shared");
    assert_eq!(due(&mut late), [(true, vec![4, 3, 2, 1])], "who comes later gets all of them");
    assert!(due(&mut a).is_empty());
    assert_eq!(next(&mut a).await, [(false, vec![])], "that nothing comes is told as well");
}

#[tokio::test(start_paused = true)]
async fn a_reader_behind_by_little_loses_nothing_and_by_much_is_told_how_much() {
    let (source, feed) = feed();
    source.set(0..1);
    let (mut apace, mut slow, mut slower) = (watch(&feed), watch(&feed), watch(&feed));
    next(&mut apace).await;
    due(&mut slow);
    due(&mut slower);
    for n in 2..=KEPT_MAX as u64 + 2 {
        source.set(0..n);
        next(&mut apace).await;
        if n == 4 {
            assert_eq!(due(&mut slow), [(false, vec![1]), (false, vec![2]), (false, vec![3])]);
        }
    }
    let of_slower = slower.due();
    assert_eq!((of_slower.texts.len(), of_slower.skipped), (1, KEPT_MAX as u64));
    assert!(of_slower.texts[0].contains("\"is_whole\":true"));
    assert_eq!(slower.due().skipped, 0);
    source.set(100..120);
    next(&mut apace).await;
    let text = slower.due().texts.remove(0);
    assert!(text.contains(&format!("\"skipped_ops\":{}", 100 - (KEPT_MAX + 2))), "{text}");
    assert!(lock(&feed.shelf).changes.len() <= KEPT_MAX);
}

#[tokio::test(start_paused = true)]
async fn readers_are_bounded_and_whoever_leaves_makes_room() {
    let (_, feed) = feed();
    let mut readers: Vec<OpsReader> = (0..READERS_MAX).map(|_| watch(&feed)).collect();
    for refused in 1..=2 {
        assert!(feed.watch().is_none());
        assert_eq!(feed.tallies.told()["refused_ops_readers"], refused);
    }
    readers.pop();
    readers.push(watch(&feed));
    assert!(feed.watch().is_none());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_looked_at_while_nobody_watches() {
    let (source, feed) = feed();
    source.set(0..2);
    sleep(Duration::from_mins(1)).await;
    assert_eq!(source.looks(), 0);
    let mut reader = watch(&feed);
    sleep(Duration::from_secs(10)).await;
    assert!((38..=42).contains(&source.looks()), "four times a second: {}", source.looks());
    due(&mut reader);
    drop(reader);
    sleep(BATCH_GAP * 2).await;
    let looks = source.looks();
    sleep(Duration::from_mins(1)).await;
    assert_eq!(source.looks(), looks);
    assert!(lock(&feed.shelf).ops.is_empty(), "and nothing is kept");
    let mut again = watch(&feed);
    assert_eq!(next(&mut again).await, [(true, vec![1, 0])]);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_panics_costs_itself_alone() {
    let (source, feed) = feed();
    source.set(0..1);
    source.panics.store(true, Ordering::SeqCst);
    let mut reader = watch(&feed);
    sleep(BATCH_GAP * 3).await;
    assert!(due(&mut reader).is_empty());
    source.panics.store(false, Ordering::SeqCst);
    assert_eq!(next(&mut reader).await, [(true, vec![0])]);
}

#[tokio::test(start_paused = true)]
async fn operations_of_another_ledger_are_told_anew() {
    let (source, feed) = feed();
    source.set(50..60);
    let mut reader = watch(&feed);
    next(&mut reader).await;
    source.set(3..5);
    assert_eq!(next(&mut reader).await, [(true, vec![4, 3])]);
}
