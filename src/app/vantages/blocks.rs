//! What the primary showed us, told to other nodes: a digest of each block, and the operations of one that another was shown
//! differently.

use crate::app::pictures::Pictures;
use crate::domain::vantage::block::{self, Digest};
use crate::domain::vantage::{Shown, source_key};
use crate::domain::view::Picture;
use crate::logux::Json;
use crate::logux::kinds::{BLOCK, BLOCK_OPS};
use crate::ports::log_book::{LogBook, LogError};
use crate::publish::UtcNow;
use crate::recompute::CaptureSource;
use crate::recompute::vantages::SharedVantages;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often it is looked whether a block of the primary has settled; the operations of one are told each time at most.
const EVERY: Duration = Duration::from_mins(1);

/// Tells what the primary showed us.
pub(in crate::app) struct Blocks {
    log: LogBook,
    /// Its address.
    primary: String,
    /// What others were shown.
    others: SharedVantages,
    now: UtcNow,
    /// The last block whose digest was told.
    last: Option<u64>,
    /// The last block whose operations were.
    last_of_ops: Option<u64>,
}

impl Blocks {
    /// Of the primary at this address; nothing was told yet.
    pub(in crate::app) fn new(log: LogBook, primary: String, others: SharedVantages, now: UtcNow) -> Blocks {
        Blocks { log, primary, others, now, last: None, last_of_ops: None }
    }

    /// Tells it until `stop`.
    pub(in crate::app) async fn tell_all(mut self, pictures: Pictures, stop: CancellationToken) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let Ok(captured) = pictures.capture().await else { continue };
            if let Err(error) = self.tell(captured.capture).await {
                tracing::warn!(%error, "other nodes are not told what the primary showed");
            }
        }
    }

    /// Tells what has settled, and the operations of the newest block that another was shown differently.
    async fn tell(&mut self, picture: Arc<Picture>) -> Result<(), LogError> {
        let (last, shown) = (self.last, Arc::clone(&picture));
        let settled = spawn_blocking(move || block::of_capture(&shown.capture, last)).await.unwrap_or_default();
        let actions = settled.iter().map(|(first_seq, digest)| self.digest(*first_seq, *digest)).collect();
        self.append(actions).await?;
        self.last = settled.last().map(|block| block.0).or(self.last);

        let Some((first_seq, digest)) = self.wanted() else { return Ok(()) };
        let shown = spawn_blocking(move || block::shown(&picture.capture, first_seq)).await.unwrap_or_default();
        // What is not all that was told then proves nothing.
        let shown = shown.filter(|shown| shown.digest() == digest);
        self.append(vec![self.operations(first_seq, shown.as_ref())]).await?;
        self.last_of_ops = Some(first_seq);
        Ok(())
    }

    /// The block whose operations are to be told; none while those told last have not come back by the log.
    fn wanted(&self) -> Option<(u64, Digest)> {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = source_key(&self.primary).and_then(|primary| others.wanted(&primary));
        wanted.filter(|(first_seq, _)| Some(*first_seq) != self.last_of_ops)
    }

    fn digest(&self, first_seq: u64, digest: Digest) -> Value {
        json!({
            "type": BLOCK,
            "primary": self.primary,
            "first_seq": first_seq,
            "ops": digest.ops,
            "xor_sha256": HEXLOWER.encode(&digest.xor),
        })
    }

    fn operations(&self, first_seq: u64, shown: Option<&Shown>) -> Value {
        let (kind, primary, ops) = (BLOCK_OPS, &self.primary, shown.map(Shown::to_text));
        if ops.is_some() {
            return json!({ "type": kind, "primary": primary, "first_seq": first_seq, "ops": ops });
        }
        let reason = "not_held";
        json!({ "type": kind, "primary": primary, "first_seq": first_seq, "ops": null, "ops_reason": reason })
    }

    async fn append(&self, actions: Vec<Value>) -> Result<(), LogError> {
        let row = |action| self.log.own(&Json::from(action), (self.now)());
        self.log.append_rows(actions.into_iter().map(row).collect()).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::{follow, shared};
    use super::*;
    use crate::app::guardian::Present;
    use crate::domain::cid::Cid;
    use crate::domain::did::Did;
    use crate::domain::ledger::{Ledger, Limits, Params};
    use crate::domain::op::{Kind, Op, OpKey};
    use crate::domain::source::SourceIx;
    use crate::domain::time::{Labels, SECOND, Tau};
    use crate::domain::verdict::Mode;
    use crate::domain::view::{tests::picture, vantages::page};
    use crate::logux::ActionId;
    use crate::logux::Entry;
    use crate::ports::store::SharedStore;
    use crate::ports::store::memory::MemoryDisk;
    use std::sync::Mutex;
    use tokio::task::JoinHandle;

    const NOW_MS: i64 = 1_700_000_000_000;
    const PRIMARY: &str = "wss://p.example/";
    /// How long anything may take; it takes milliseconds.
    const PATIENCE: Duration = Duration::from_mins(1);

    fn key(n: u64) -> OpKey {
        let mut cid = [0; 32];
        cid[..8].copy_from_slice(&n.to_be_bytes());
        OpKey { did: Did([n as u8; 15]), cid: Cid(cid) }
    }

    /// What an observer holds that was shown the operations of these numbers, one a second, but for those left out.
    fn holding(numbers: std::ops::Range<u64>, left_out: &[u64]) -> Arc<Picture> {
        let params = Params { look_back_ns: 0, horizon_ns: 86_400 * SECOND, settle_ns: 0, interval_ms: 300_000 };
        let limits = Limits { held_ops: 10_000, unknown_keys_per_mirror: 10, listed_per_mirror: 10 };
        let mut ledger = Ledger::new(params, limits, Labels { anchor_tau: Tau(0), anchor_utc_ms: NOW_MS }, &[]);
        let at = |seq: u64| Tau(seq as i64 * SECOND);
        ledger.open(SourceIx::PRIMARY, at(numbers.start));
        let end = at(numbers.end + 60);
        for seq in numbers.filter(|seq| !left_out.contains(seq)) {
            let op = Op { key: key(seq), kind: Kind::Update, created_ms: NOW_MS, seq: Some(seq), prev: None };
            ledger.arrive(SourceIx::PRIMARY, &op, at(seq), Mode::Live);
        }
        ledger.prove(SourceIx::PRIMARY, end);
        ledger.tick(end);
        Arc::new(Picture { capture: ledger.capture(true), ..picture() })
    }

    /// An observer without a network: its log, on a disk of its own, and what it makes of it.
    struct Observer {
        disk: MemoryDisk,
        log: LogBook,
        told: SharedVantages,
        blocks: Blocks,
        following: JoinHandle<()>,
        stop: CancellationToken,
        taken: i64,
    }

    impl Observer {
        fn start(name: &str, disk: MemoryDisk, now_ms: i64) -> Observer {
            let store: SharedStore = Arc::new(Mutex::new(Some(Box::new(disk.open()))));
            let log = LogBook::open(store, name, Arc::new(|_| None)).unwrap();
            let (told, stop, now): (_, _, UtcNow) = (shared(name), CancellationToken::new(), Arc::new(move || now_ms));
            let blocks = Blocks::new(log.clone(), PRIMARY.to_owned(), Arc::clone(&told), Arc::clone(&now));
            let following = follow(log.clone(), Arc::clone(&told), now, Present::default(), stop.clone());
            Observer { disk, log, told, blocks, following: actix_web::rt::spawn(following), stop, taken: 0 }
        }

        /// Takes over what is new in the log of another, as from a peer.
        async fn hear(&mut self, other: &Observer) {
            let page = other.log.rows(self.taken, 1_000).await.unwrap();
            self.taken = page.through;
            let entry = |row: crate::ports::store::LogRow| Entry {
                added: 0,
                id: ActionId { ms: row.ms as u64, node: row.node, counter: row.counter as u64 },
                time_ms: row.time_ms,
                subprotocol: None,
                has_more: false,
                from: Some("peer:1".to_owned()),
                action: Json::parse(&row.action).unwrap(),
            };
            let others = page.rows.into_iter().filter(|row| row.source.is_none()).map(entry);
            self.log.append(others.collect()).await.unwrap();
        }

        /// Waits until the page says what is wanted of the newest block that differs.
        async fn until(&self, is_so: impl Fn(&Value) -> bool) -> Value {
            let waiting = async {
                loop {
                    let page = page(&self.told.lock().unwrap(), NOW_MS);
                    let block = page["primary"]["differing"].get(0).cloned().unwrap_or_default();
                    if is_so(&block["operations"]) {
                        return block;
                    }
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(PATIENCE, waiting).await.expect("what was told does not come")
        }

        async fn of_kind(&self, kind: &str) -> Vec<Value> {
            let rows = self.log.newest(kind, 100).await.unwrap();
            rows.iter().map(|row| serde_json::from_str(&row.action).unwrap()).collect()
        }

        async fn stop(self) -> MemoryDisk {
            self.stop.cancel();
            self.following.await.unwrap();
            self.disk
        }
    }

    #[actix_web::test]
    async fn an_operation_that_was_withheld_from_one_is_named_at_both_and_still_after_a_restart() {
        let (whole, lacking) = (holding(900..3_100, &[]), holding(900..3_100, &[1_500]));
        let [mut a, mut b] = ["a", "b"].map(|name| Observer::start(name, MemoryDisk::new(), NOW_MS));
        a.blocks.tell(Arc::clone(&whole)).await.unwrap();
        b.blocks.tell(Arc::clone(&lacking)).await.unwrap();
        assert_eq!((a.of_kind(BLOCK).await.len(), a.of_kind(BLOCK_OPS).await.len()), (2, 0), "nobody asked");
        a.hear(&b).await;
        b.hear(&a).await;
        let known = |operations: &Value| !operations["awaited_from"].is_null();
        a.until(known).await;
        b.until(known).await;
        for (observer, picture) in [(&mut a, &whole), (&mut b, &lacking)] {
            for _ in 0..3 {
                observer.blocks.tell(Arc::clone(picture)).await.unwrap();
            }
            assert_eq!(observer.of_kind(BLOCK_OPS).await.len(), 1, "of the block that differs, and once");
        }
        a.hear(&b).await;
        b.hear(&a).await;
        for observer in [&a, &b] {
            let block = observer.until(|operations| operations["told_by"] == json!(["a", "b"])).await;
            assert_eq!((&block["first_seq"], &block["primary"]), (&json!(1_000), &json!("p.example")));
            let parts = &block["operations"]["parts"];
            let OpKey { did, cid } = key(1_500);
            assert_eq!(
                *parts,
                json!([{
                    "shown_to": ["a"], "not_shown_to": ["b"], "is_renumbered": false, "ops": 1,
                    "listed": [{ "did": did, "cid": cid, "numbers": [{ "seq": 1_500, "vantages": ["a"] }] }],
                }])
            );
            let text = block["text"].as_str().unwrap();
            assert!(text.ends_with(": 1 operation shown to a, not to b"), "{text}");
        }
        // A year and much else later nothing else of that day is looked at.
        let rows = (0..2_000).map(|_| a.log.own(&Json::from(json!({ "type": "else" })), NOW_MS));
        a.log.append_rows(rows.collect()).await.unwrap();
        let again = Observer::start("a", a.stop().await, NOW_MS + 365 * 86_400_000);
        let block = again.until(|operations| operations["told_by"] == json!(["a", "b"])).await;
        assert_eq!(block["operations"]["parts"][0]["listed"][0]["numbers"][0]["seq"], 1_500);
        again.stop().await;
        b.stop().await;
    }

    #[actix_web::test]
    async fn what_is_not_held_any_more_is_said_so() {
        let [mut a, mut b] = ["a", "b"].map(|name| Observer::start(name, MemoryDisk::new(), NOW_MS));
        a.blocks.tell(holding(900..2_100, &[])).await.unwrap();
        b.blocks.tell(holding(900..2_100, &[1_500])).await.unwrap();
        a.hear(&b).await;
        a.until(|operations| !operations["awaited_from"].is_null()).await;
        // A part of the block was let go.
        a.blocks.tell(holding(1_200..2_100, &[])).await.unwrap();
        let told = a.of_kind(BLOCK_OPS).await;
        assert_eq!((told.len(), &told[0]["ops"], &told[0]["ops_reason"]), (1, &Value::Null, &json!("not_held")));
        let block = a.until(|operations| operations["not_held_by"] == json!(["a"])).await;
        assert_eq!((&block["operations"]["told_by"], &block["operations"]["parts"]), (&json!([]), &json!([])));
        a.stop().await;
        b.stop().await;
    }
}
