//! The log that nodes share, as everyone but the writer uses it: appending, reading, and the news that it has grown.
//!
//! It is kept in the same store as everything else, and used off the threads of its callers, by one of them at a time. What
//! is appended is on disk when the call returns. What comes while the disk is at work is appended together, in one transaction.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot, watch};
use tokio::task::spawn_blocking;

use super::store::{LogPage, LogRow, PeerMarks, SharedStore, Store, StoreError};
use crate::domain::node_event::{self, NodeEvent, OwnEvent};
use crate::logux::{ActionId, Entry, Json, Page};

/// Bytes of one action at most: a page with it stays below a message.
const ACTION_BYTES_MAX: usize = 512 * 1024;
/// Bytes of actions that one page has at most, unless a single one is larger.
const PAGE_BYTES_MAX: usize = 256 * 1024;
/// Calls whose rows may wait for the disk; one that comes then is refused, and counted.
const WAITING_MAX: usize = 4_096;
/// Rows of one transaction, unless a single call brings more.
const TRANSACTION_ROWS_MAX: usize = 1_024;
/// Why an action of ours is kept.
const OWN: &str = "[\"own\"]";
/// Why an action of another node is kept.
const RECEIVED: &str = "[\"received\"]";

/// Why an event of a node is kept.
const REPORTED: &str = "[\"reported\"]";

/// Actions of a kind that were made before this are not taken in any more, UTC milliseconds.
pub type Horizon = Arc<dyn Fn(&str) -> Option<i64> + Send + Sync>;

/// Why the log could not be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// The store; shared by all whose rows were in one transaction.
    #[error("log: {0}")]
    Store(Arc<StoreError>),
    /// Too many wait for the disk.
    #[error("log: {WAITING_MAX} wait for the disk already")]
    Busy,
    /// The process is ending.
    #[error("log: the store is closed")]
    Closed,
}

/// What has come in since the start.
#[derive(Debug, Default)]
pub struct LogCounts {
    /// Actions of other nodes that were handed over to be kept.
    pub received: AtomicU64,
    /// Actions that were too old to be kept.
    pub too_old: AtomicU64,
    /// Actions of a kind that their sender may not write.
    pub refused: AtomicU64,
    /// Actions that came while too many waited for the disk; their sender was told so.
    pub busy: AtomicU64,
    /// Actions that were let go because there were too many of their kind, or in all.
    pub dropped: AtomicU64,
}

/// Rows that wait for the disk, and who is to be told when they are there.
struct Waiting {
    rows: Vec<LogRow>,
    told: oneshot::Sender<Result<(), LogError>>,
}

/// See the module's words.
#[derive(Clone)]
pub struct LogBook {
    store: SharedStore,
    node_id: Arc<str>,
    /// The time in the last id of ours, UTC milliseconds.
    last_ms: Arc<AtomicI64>,
    head: Arc<watch::Sender<i64>>,
    /// When it was begun, UTC milliseconds.
    begun_ms: Arc<AtomicI64>,
    turn: Arc<Mutex<()>>,
    waiting: Arc<std::sync::Mutex<VecDeque<Waiting>>>,
    horizon: Horizon,
    counts: Arc<LogCounts>,
    is_in_sync: Arc<AtomicBool>,
}

impl LogBook {
    /// The log in `store`, of the node of this name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(store: SharedStore, node_id: &str, horizon: Horizon) -> Result<LogBook, LogError> {
        let end = locked(&store, |store| store.log_end(node_id))?;
        Ok(LogBook {
            store,
            node_id: node_id.into(),
            // What was told before something was lost may come back from others.
            last_ms: Arc::new(AtomicI64::new(end.last_own_ms.unwrap_or(0).max(end.begun_ms))),
            head: Arc::new(watch::Sender::new(end.last)),
            begun_ms: Arc::new(AtomicI64::new(end.begun_ms)),
            turn: Arc::default(),
            waiting: Arc::default(),
            horizon,
            counts: Arc::default(),
            is_in_sync: Arc::default(),
        })
    }

    /// The last number of the log, as it grows.
    #[must_use]
    pub fn head(&self) -> watch::Receiver<i64> {
        self.head.subscribe()
    }

    /// Which log this is: when it was begun or lost something last, UTC milliseconds.
    #[must_use]
    pub fn begun_ms(&self) -> i64 {
        self.begun_ms.load(Ordering::Relaxed)
    }

    /// What has come in.
    #[must_use]
    pub fn counts(&self) -> &LogCounts {
        &self.counts
    }

    /// An action of this node, made at `utc_ms`, with an id that is larger than all before.
    #[must_use]
    pub fn own(&self, action: &Json, utc_ms: i64) -> LogRow {
        let next = |last: i64| utc_ms.max(last.saturating_add(1));
        let before = self.last_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        LogRow {
            added: 0,
            ms: next(before.unwrap_or_else(|last| last)),
            node: self.node_id.to_string(),
            counter: 0,
            time_ms: utc_ms,
            kind: action.get("type").and_then(Json::as_str).unwrap_or_default().to_owned(),
            subprotocol: None,
            source: None,
            reasons: OWN.to_owned(),
            action: action.to_text(),
        }
    }

    /// An event of this node itself.
    #[must_use]
    pub fn own_event(&self, event: OwnEvent, message: &str, utc_ms: i64) -> LogRow {
        self.own(&Json::from(event.reported_by(&self.node_id, message, utc_ms).action()), utc_ms)
    }

    /// Whether this is the first time since the start that every source is in sync; it is asked when they are.
    #[must_use]
    pub fn is_first_sync(&self) -> bool {
        !self.is_in_sync.swap(true, Ordering::Relaxed)
    }

    /// An event that a node reported of itself, taken in at `utc_ms`.
    #[must_use]
    pub fn reported(event: &NodeEvent, utc_ms: i64) -> LogRow {
        let (ms, counter) = event.id();
        LogRow {
            added: 0,
            ms,
            node: node_event::ID_NODE.to_owned(),
            counter,
            time_ms: utc_ms,
            kind: node_event::KIND.to_owned(),
            subprotocol: None,
            source: None,
            reasons: REPORTED.to_owned(),
            action: event.action().to_string(),
        }
    }

    /// Takes note that someone appended to `store`.
    pub fn look(&self, store: &mut dyn Store) {
        if let Ok(end) = store.log_end(&self.node_id) {
            self.begun_ms.store(end.begun_ms, Ordering::Relaxed);
            self.grown(end.last);
        }
    }

    fn grown(&self, head: i64) {
        self.head.send_if_modified(|known| std::mem::replace(known, head.max(*known)) < head);
    }

    /// Keeps actions of another node; those that are there already, or too old to be kept, change nothing.
    ///
    /// # Errors
    /// When they cannot be kept.
    pub async fn append(&self, entries: Vec<Entry>) -> Result<(), LogError> {
        let given = entries.len() as u64;
        // What is told under our name and later than all that we told is not ours; a message must have room for the rest.
        let last_ms = self.last_ms.load(Ordering::Relaxed);
        let is_taken = |row: &LogRow| {
            let is_small = row.action.len() + row.subprotocol.as_ref().map_or(0, String::len) <= ACTION_BYTES_MAX;
            is_small && (row.node != *self.node_id || row.ms <= last_ms)
        };
        let is_young = |entry: &Entry| (self.horizon)(entry.kind()).is_none_or(|oldest| entry.time_ms >= oldest);
        let rows: Vec<LogRow> = entries.into_iter().filter(is_young).map(row_of).collect();
        let young = rows.len() as u64;
        let rows: Vec<LogRow> = rows.into_iter().filter(is_taken).collect();
        self.counts.received.fetch_add(given, Ordering::Relaxed);
        self.counts.too_old.fetch_add(given - young, Ordering::Relaxed);
        self.counts.refused.fetch_add(young - rows.len() as u64, Ordering::Relaxed);
        self.append_rows(rows).await
    }

    /// Keeps rows, in one transaction with those of others that wait.
    ///
    /// # Errors
    /// When they cannot be kept; [`LogError::Busy`] while [`WAITING_MAX`] others wait.
    pub async fn append_rows(&self, rows: Vec<LogRow>) -> Result<(), LogError> {
        if rows.is_empty() {
            return Ok(());
        }
        let (told, mut heard) = oneshot::channel();
        self.wait(Waiting { rows, told })?;
        loop {
            let turn = Arc::clone(&self.turn).lock_owned().await;
            match heard.try_recv() {
                Ok(kept) => return kept,
                Err(TryRecvError::Closed) => return Err(LogError::Closed),
                // They wait still: whoever has the turn writes for all.
                Err(TryRecvError::Empty) => self.write(turn).await,
            }
        }
    }

    fn wait(&self, waiting: Waiting) -> Result<(), LogError> {
        let mut all = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= WAITING_MAX {
            self.counts.busy.fetch_add(waiting.rows.len() as u64, Ordering::Relaxed);
            return Err(LogError::Busy);
        }
        all.push_back(waiting);
        Ok(())
    }

    /// Writes what waits and tells everyone, also when whoever began it has gone meanwhile.
    async fn write(&self, turn: OwnedMutexGuard<()>) {
        let book = self.clone();
        let writing = spawn_blocking(move || {
            let (rows, askers) = book.next_rows();
            let kept = locked(&book.store, |store| store.log_append(&rows)).map(|head| book.grown(head));
            for asker in askers {
                // Whoever asked may have gone away since.
                let _ = asker.send(kept.clone());
            }
            drop(turn);
        });
        if let Err(error) = writing.await {
            tracing::error!(%error, "what was to be appended to the log is lost");
        }
    }

    /// What waits, as far as it is of one transaction, and who is to be told.
    fn next_rows(&self) -> (Vec<LogRow>, Vec<oneshot::Sender<Result<(), LogError>>>) {
        let mut all = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rows, mut askers) = (Vec::new(), Vec::new());
        while let Some(next) =
            all.pop_front_if(|next| rows.is_empty() || rows.len() + next.rows.len() <= TRANSACTION_ROWS_MAX)
        {
            rows.extend(next.rows);
            askers.push(next.told);
        }
        (rows, askers)
    }

    /// The entries behind a number.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn page(&self, after: u64, limit: usize) -> Result<Page, LogError> {
        let page = self.rows(i64::try_from(after).unwrap_or(i64::MAX), limit).await?;
        let through = u64::try_from(page.through).unwrap_or(0);
        Ok(Page { entries: page.rows.iter().filter_map(entry_of).collect(), through })
    }

    /// The rows behind a number.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn rows(&self, after: i64, limit: usize) -> Result<LogPage, LogError> {
        self.on_store(move |store| store.log_page(after, limit, PAGE_BYTES_MAX)).await
    }

    /// The newest rows of a kind, by number.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn newest(&self, kind: &str, limit: usize) -> Result<Vec<LogRow>, LogError> {
        let kind = kind.to_owned();
        self.on_store(move |store| store.log_newest(&kind, limit)).await
    }

    /// The newest entries of each of these kinds, by number; through the last number of the log.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn newest_of(&self, kinds: &'static [&'static str], limit: usize) -> Result<Page, LogError> {
        // What comes meanwhile is of the next page.
        let head = *self.head.borrow();
        let mut rows = Vec::new();
        for kind in kinds {
            rows.extend(self.newest(kind, limit).await?.into_iter().filter(|row| row.added <= head));
        }
        rows.sort_unstable_by_key(|row| row.added);
        Ok(Page { entries: rows.iter().filter_map(entry_of).collect(), through: u64::try_from(head).unwrap_or(0) })
    }

    /// What was exchanged with other nodes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn peer_marks(&self) -> Result<Vec<PeerMarks>, LogError> {
        self.on_store(|store| store.peer_marks()).await
    }

    /// Remembers what was exchanged with a node. What was received is to be appended before: marks that are lost cost
    /// asking again, and nothing else.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn mark_peer(&self, marks: PeerMarks) -> Result<(), LogError> {
        self.on_store(move |store| store.mark_peer(&marks)).await
    }

    async fn on_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, LogError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let store = Arc::clone(&self.store);
        let working = spawn_blocking(move || {
            let _turn = turn;
            locked(&store, work)
        });
        working.await.unwrap_or(Err(LogError::Closed))
    }
}

fn locked<T>(store: &SharedStore, work: impl FnOnce(&mut dyn Store) -> Result<T, StoreError>) -> Result<T, LogError> {
    let mut guard = store.lock().unwrap_or_else(PoisonError::into_inner);
    let store = guard.as_mut().ok_or(LogError::Closed)?;
    work(store.as_mut()).map_err(|error| LogError::Store(Arc::new(error)))
}

fn row_of(entry: Entry) -> LogRow {
    LogRow {
        added: 0,
        ms: entry.id.ms as i64,
        kind: entry.kind().to_owned(),
        node: entry.id.node,
        counter: entry.id.counter as i64,
        time_ms: entry.time_ms,
        subprotocol: entry.subprotocol.map(|said| said.to_text()),
        source: entry.from,
        reasons: RECEIVED.to_owned(),
        action: entry.action.to_text(),
    }
}

fn entry_of(row: &LogRow) -> Option<Entry> {
    Some(Entry {
        added: u64::try_from(row.added).ok()?,
        id: ActionId::new(row.ms as f64, &row.node, row.counter as f64)?,
        time_ms: row.time_ms,
        subprotocol: row.subprotocol.as_ref().and_then(|said| Json::parse(said).ok()),
        has_more: false,
        from: row.source.clone(),
        action: Json::parse(&row.action).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::store::memory::{Fault, MemoryDisk};
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    fn entry(ms: u64, time_ms: i64) -> Entry {
        Entry {
            added: 0,
            id: ActionId { ms, node: "peer".to_owned(), counter: 0 },
            time_ms,
            subprotocol: Some(Json::parse("[1,2]").unwrap()),
            has_more: false,
            from: Some("peer".to_owned()),
            action: Json::parse("{\"type\":\"a\",\"b\":[1.5,null]}").unwrap(),
        }
    }

    fn book(disk: &MemoryDisk) -> LogBook {
        let store: SharedStore = Arc::new(std::sync::Mutex::new(Some(Box::new(disk.open()))));
        LogBook::open(store, "me", Arc::new(|_| None)).unwrap()
    }

    fn rows(n: u64) -> Vec<LogRow> {
        vec![row_of(entry(n, 0))]
    }

    #[tokio::test]
    async fn what_waits_together_is_one_transaction_and_on_disk_before_anyone_is_told() {
        for (calls, transactions) in [(1, 1), (500, 1), (2 * TRANSACTION_ROWS_MAX as u64 + 1, 3)] {
            let disk = MemoryDisk::new();
            let book = book(&disk);
            let turn = Arc::clone(&book.turn).lock_owned().await;
            let call = |n: u64| {
                let book = book.clone();
                let mut call = Box::pin(async move {
                    book.append_rows(rows(n)).await.unwrap();
                    let kept = locked(&book.store, |store| store.log_page(n as i64, 1, usize::MAX)).unwrap().rows;
                    assert_eq!(kept[0].ms, n as i64, "in the order of their coming");
                });
                assert!(call.as_mut().now_or_never().is_none(), "it waits for its turn");
                call
            };
            let (waiting, begun): (Vec<_>, u64) = ((0..calls).map(call).collect(), disk.steps());
            drop(turn);
            join_all(waiting).await;
            // A step for each row, and one for each transaction.
            assert_eq!(disk.steps() - begun, calls + transactions);
        }
    }

    #[tokio::test]
    async fn everyone_of_a_transaction_that_fails_is_told_and_may_come_again() {
        let disk = MemoryDisk::new();
        let book = book(&disk);
        disk.fail_at(1, Fault::NoSpace);
        let failed = join_all((0..10).map(|n| book.append_rows(rows(n)))).await;
        assert!(failed.iter().all(|told| matches!(told, Err(LogError::Store(_)))), "{failed:?}");
        disk.heal();
        let kept = join_all((0..10).map(|n| book.append_rows(rows(n)))).await;
        assert!(kept.iter().all(Result::is_ok), "{kept:?}");
        assert_eq!(book.rows(0, 100).await.unwrap().rows.len(), 10);
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_whoever_leaves_keeps_nobody_waiting() {
        let disk = MemoryDisk::new();
        let book = book(&disk);
        let turn = Arc::clone(&book.turn).lock_owned().await;
        for n in 0..WAITING_MAX as u64 {
            assert!(book.append_rows(rows(n)).now_or_never().is_none(), "it waits, and leaves");
        }
        assert!(matches!(book.append_rows(rows(0)).await, Err(LogError::Busy)));
        assert_eq!(book.counts().busy.load(Ordering::Relaxed), 1);
        drop(turn);
        // One begins to write what they left, and leaves as well.
        let _ = book.write(Arc::clone(&book.turn).lock_owned().await).now_or_never();
        assert_eq!(book.rows(0, TRANSACTION_ROWS_MAX).await.unwrap().rows.len(), TRANSACTION_ROWS_MAX);
        book.append_rows(rows(1_000_000)).await.unwrap();
        assert_eq!(*book.head().borrow(), WAITING_MAX as i64 + 1);
    }

    #[tokio::test]
    async fn what_is_appended_comes_back_once_and_the_old_does_not() {
        let store: SharedStore = Arc::new(std::sync::Mutex::new(Some(Box::new(MemoryDisk::new().open()))));
        let book = LogBook::open(store, "me", Arc::new(|_| Some(100))).unwrap();
        let mut head = book.head();
        book.append(vec![entry(1, 100), entry(2, 99), entry(1, 100)]).await.unwrap();
        let row = book.own(&Json::parse("{\"type\":\"own\"}").unwrap(), 50);
        let again = book.own(&Json::parse("{\"type\":\"own\"}").unwrap(), 40);
        assert_eq!((row.ms, again.ms, again.time_ms), (50, 51, 40));
        book.append_rows(vec![row]).await.unwrap();
        assert!(head.has_changed().unwrap() && *head.borrow_and_update() == 2);
        let page = book.page(0, 10).await.unwrap();
        assert_eq!((page.entries.len(), page.through), (2, 2));
        assert_eq!(page.entries[0], Entry { added: 1, ..entry(1, 100) });
        assert_eq!((page.entries[1].kind(), &page.entries[1].from), ("own", &None));
        assert_eq!(book.counts().too_old.load(Ordering::Relaxed), 1);
    }
}
