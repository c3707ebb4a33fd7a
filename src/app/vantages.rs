//! What other observers see, taken from the log that nodes share; and what the primary showed us, told to them.

mod blocks;

pub(super) use blocks::Blocks;

use super::guardian::Present;
use crate::actors::message::Happened;
use crate::domain::vantage::{Compared, HORIZON_MS, Heard, Vantages};
use crate::logux::kinds::{BLOCK_OPS, BLOCK_OPS_ROWS_MAX};
use crate::ports::log_book::{LogBook, LogError};
use crate::ports::store::{LogPage, LogRow};
use crate::publish::UtcNow;
use crate::recompute::vantages::SharedVantages;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Rows of the log that are read at once.
const ROWS_MAX: usize = 500;
/// Between two events that tell of a block that differs, and between two that tell how, milliseconds: the page has the newest
/// of all.
const TOLD_EVERY_MS: i64 = 60_000;
/// Between two attempts to read a log that cannot be read.
const AGAIN: Duration = Duration::from_secs(5);
/// The kind of the event that tells of two vantages that were shown different operations.
const DIFFERS: &str = "primary_differs";

/// Where nothing is known of others yet; `own` is our name.
pub(super) fn shared(own: &str) -> SharedVantages {
    Arc::new(Mutex::new(Vantages::new(own)))
}

/// Takes in what stands in the log and what comes, until `stop`. That the primary showed others something else is told once,
/// when it comes, and again when it is known what.
pub(super) async fn follow(log: LogBook, told: SharedVantages, now: UtcNow, present: Present, stop: CancellationToken) {
    let mut head = log.head();
    let begun_at = *head.borrow_and_update();
    let (mut told_at, mut explained_at) = (i64::MIN, i64::MIN);
    let following = async {
        if let Err(error) = take_evidence(&log, &told, &now).await {
            tracing::warn!(%error, "what observers were shown before cannot be read");
        }
        let mut after = first_of(&log, begun_at, now() - HORIZON_MS).await;
        loop {
            match take_page(&log, &told, &now, after).await {
                Ok((through, differing)) => {
                    for block in differing.iter().filter(|_| through > begun_at) {
                        let last_at = if block.is_explained() { &mut explained_at } else { &mut told_at };
                        if now().saturating_sub(*last_at) >= TOLD_EVERY_MS {
                            tell(&present, block);
                            *last_at = now();
                        }
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

/// Takes in the operations of blocks that were told before anything else that is looked at.
async fn take_evidence(log: &LogBook, told: &SharedVantages, now: &UtcNow) -> Result<(), LogError> {
    let mut rows = log.newest(BLOCK_OPS, BLOCK_OPS_ROWS_MAX).await?;
    rows.retain(|row| row.time_ms <= now() - HORIZON_MS);
    take_rows(rows, told, now).await;
    Ok(())
}

/// Takes in the rows behind a number: the number up to which, and the blocks that differ.
async fn take_page(
    log: &LogBook,
    told: &SharedVantages,
    now: &UtcNow,
    after: i64,
) -> Result<(i64, Vec<Compared>), LogError> {
    let page = log.rows(after, ROWS_MAX).await?;
    Ok((page.through, take_rows(page.rows, told, now).await))
}

/// The blocks that differ.
async fn take_rows(rows: Vec<LogRow>, told: &SharedVantages, now: &UtcNow) -> Vec<Compared> {
    let (told, now_ms) = (Arc::clone(told), now());
    let taking = spawn_blocking(move || {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        rows.iter().filter_map(|row| told.take(&heard(row), now_ms)).collect()
    });
    taking.await.unwrap_or_default()
}

fn heard(row: &LogRow) -> Heard<'_> {
    Heard { node: &row.node, via: row.source.as_deref(), kind: &row.kind, time_ms: row.time_ms, action: &row.action }
}

fn tell(present: &Present, block: &Compared) {
    let happened = || Happened { kind: DIFFERS, source: None, text: block.text() };
    present.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|parts| parts.happened(happened()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logux::Json;
    use crate::logux::kinds::OVERVIEW;
    use crate::ports::store::SharedStore;
    use crate::ports::store::memory::MemoryDisk;
    use serde_json::json;

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
