//! What other observers see, taken from the log that nodes share; and what the primary showed us, told to them.

use super::guardian::Present;
use super::pictures::Pictures;
use crate::actors::message::Happened;
use crate::domain::vantage::{Compared, HORIZON_MS, Heard, Vantages, block};
use crate::logux::Json;
use crate::logux::kinds::BLOCK;
use crate::ports::log_book::{LogBook, LogError};
use crate::ports::store::{LogPage, LogRow};
use crate::publish::UtcNow;
use crate::recompute::CaptureSource;
use crate::recompute::vantages::SharedVantages;
use data_encoding::HEXLOWER;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

/// Rows of the log that are read at once.
const ROWS_MAX: usize = 500;
/// Between two events that tell of a block that differs, milliseconds: the page has the newest of all.
const TOLD_EVERY_MS: i64 = 60_000;
/// Between two attempts to read a log that cannot be read.
const AGAIN: Duration = Duration::from_secs(5);
/// How often it is looked whether a block of the primary has settled.
const BLOCKS_EVERY: Duration = Duration::from_mins(1);
/// The kind of the event that tells of two vantages that were shown different operations.
const DIFFERS: &str = "primary_differs";

/// Where nothing is known of others yet; `own` is our name.
pub(super) fn shared(own: &str) -> SharedVantages {
    Arc::new(Mutex::new(Vantages::new(own)))
}

/// Takes in what stands in the log and what comes, until `stop`. That the primary showed others something else is told once,
/// when it comes.
pub(super) async fn follow(log: LogBook, told: SharedVantages, now: UtcNow, present: Present, stop: CancellationToken) {
    let mut head = log.head();
    let (begun_at, mut told_at) = (*head.borrow_and_update(), i64::MIN);
    let following = async {
        let mut after = first_of(&log, begun_at, now() - HORIZON_MS).await;
        loop {
            match take_page(&log, &told, &now, after).await {
                Ok((through, differing)) => {
                    let is_new = through > begun_at;
                    let is_due = is_new && now().saturating_sub(told_at) >= TOLD_EVERY_MS;
                    if let Some(block) = differing.first().filter(|_| is_due) {
                        tell(&present, block);
                        told_at = now();
                    }
                    if through == after && head.changed().await.is_err() {
                        return;
                    }
                    after = through;
                }
                Err(error) => {
                    tracing::warn!(%error, "what other observers see cannot be read");
                    sleep(AGAIN).await;
                }
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = following => {}
    }
}

/// A number of the log before which all rows are older than `from_ms`, as far as rows come in the order of their time.
async fn first_of(log: &LogBook, head: i64, from_ms: i64) -> i64 {
    let (mut old, mut young) = (0, head);
    while young - old > ROWS_MAX as i64 {
        let middle = old + (young - old) / 2;
        // Our own come in the order of their time; what others hand on may be of any.
        let own = |page: &LogPage| page.rows.iter().find(|row| row.source.is_none()).map(|row| row.time_ms);
        let is_old = log.rows(middle, 50).await.is_ok_and(|page| own(&page).is_some_and(|at_ms| at_ms < from_ms));
        if is_old {
            old = middle;
        } else {
            young = middle;
        }
    }
    old
}

/// Takes in the rows behind a number: the number up to which, and the blocks that differ.
async fn take_page(
    log: &LogBook,
    told: &SharedVantages,
    now: &UtcNow,
    after: i64,
) -> Result<(i64, Vec<Compared>), LogError> {
    let page = log.rows(after, ROWS_MAX).await?;
    let (told, now_ms) = (Arc::clone(told), now());
    let taking = spawn_blocking(move || {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        page.rows.iter().filter_map(|row| told.take(&heard(row), now_ms)).collect()
    });
    let differing = taking.await.unwrap_or_default();
    Ok((page.through, differing))
}

fn heard(row: &LogRow) -> Heard<'_> {
    Heard { node: &row.node, via: row.source.as_deref(), kind: &row.kind, time_ms: row.time_ms, action: &row.action }
}

fn tell(present: &Present, block: &Compared) {
    let happened = || Happened { kind: DIFFERS, source: None, text: block.text() };
    present.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|parts| parts.happened(happened()));
}

/// Tells other nodes what the primary, which is at `primary`, showed us, block by block, until `stop`.
pub(super) async fn tell_blocks(
    log: LogBook,
    primary: String,
    pictures: Pictures,
    now: UtcNow,
    stop: CancellationToken,
) {
    let mut ticks = interval(BLOCKS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let Ok(captured) = pictures.capture().await else { continue };
        let settled = spawn_blocking(move || block::of_capture(&captured.capture.capture, last)).await;
        let settled = settled.unwrap_or_default();
        let row = |(first_seq, digest): &(u64, block::Digest)| {
            let action = json!({
                "type": BLOCK,
                "primary": primary,
                "first_seq": first_seq,
                "ops": digest.ops,
                "xor_sha256": HEXLOWER.encode(&digest.xor),
            });
            log.own(&Json::from(action), now())
        };
        match log.append_rows(settled.iter().map(row).collect()).await {
            Ok(()) => last = settled.last().map(|block| block.0).or(last),
            Err(error) => tracing::warn!(%error, "other nodes are not told what the primary showed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logux::kinds::OVERVIEW;
    use crate::ports::store::SharedStore;
    use crate::ports::store::memory::MemoryDisk;

    fn log() -> LogBook {
        let store: SharedStore = Arc::new(Mutex::new(Some(Box::new(MemoryDisk::new().open()))));
        LogBook::open(store, "me", Arc::new(|_| None)).unwrap()
    }

    fn overview(state: &str) -> Json {
        Json::from(json!({
            "type": OVERVIEW, "headline": "h", "observer": { "state": state, "flags": [] }, "mirrors": [],
        }))
    }

    #[actix_web::test]
    async fn what_stands_in_the_log_and_what_comes_is_taken_in() {
        let (log, told, stop) = (log(), shared("me"), CancellationToken::new());
        let state = || {
            let told = told.lock().unwrap();
            let (_, vantage) = told.iter().next().unwrap();
            vantage.overview.as_ref().map(|(_, overview)| overview.state.clone())
        };
        let until = async |wanted: &str| {
            while state().as_deref() != Some(wanted) {
                tokio::task::yield_now().await;
            }
        };
        log.append_rows(vec![log.own(&overview("ok"), 1_000)]).await.unwrap();
        let following = follow(log.clone(), Arc::clone(&told), Arc::new(|| 2_000), Present::default(), stop.clone());
        let following = actix_web::rt::spawn(following);
        until("ok").await;
        log.append_rows(vec![log.own(&overview("impaired"), 1_001)]).await.unwrap();
        until("impaired").await;
        stop.cancel();
        following.await.unwrap();
    }

    #[actix_web::test]
    async fn what_is_too_old_is_not_read_again() {
        let log = log();
        for ms in 0..10 {
            let rows = (0..ROWS_MAX).map(|_| log.own(&overview("ok"), ms * 1_000)).collect();
            log.append_rows(rows).await.unwrap();
        }
        let head = *log.head().borrow();
        let first = first_of(&log, head, 5_000).await;
        let page = log.rows(first, ROWS_MAX).await.unwrap();
        assert!(first > 0 && page.rows[0].time_ms < 5_000, "{first}: {}", page.rows[0].time_ms);
        assert!(page.rows.last().unwrap().time_ms >= 4_000);
        assert_eq!(first_of(&log, head, 0).await, 0);
    }
}
