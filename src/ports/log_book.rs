//! The log that nodes share, as everyone but the writer uses it: appending, reading, and the news that it has grown.
//!
//! It is kept in the same store as everything else, and used off the threads of its callers, by one of them at a time. What
//! is appended is on disk when the call returns.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, watch};
use tokio::task::spawn_blocking;

use super::store::{LogPage, LogRow, SharedStore, Store, StoreError};
use crate::domain::node_event::{self, NodeEvent};
use crate::logux::{ActionId, Entry, Json, Page};

/// Bytes of actions that one page has at most, unless a single one is larger.
const PAGE_BYTES_MAX: usize = 256 * 1024;
/// Why an action of ours is kept.
const OWN: &str = "[\"own\"]";
/// Why an action of another node is kept.
const RECEIVED: &str = "[\"received\"]";

/// Why an event of a node is kept.
const REPORTED: &str = "[\"reported\"]";

/// Actions of a kind that were made before this are not taken in any more, UTC milliseconds.
pub type Horizon = Arc<dyn Fn(&str) -> Option<i64> + Send + Sync>;

/// Why the log could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The store.
    #[error("log: {0}")]
    Store(#[from] StoreError),
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
}

/// See the module's words.
#[derive(Clone)]
pub struct LogBook {
    store: SharedStore,
    node_id: Arc<str>,
    /// The time in the last id of ours, UTC milliseconds.
    last_ms: Arc<AtomicI64>,
    head: Arc<watch::Sender<i64>>,
    turn: Arc<Mutex<()>>,
    horizon: Horizon,
    counts: Arc<LogCounts>,
}

impl LogBook {
    /// The log in `store`, of the node of this name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(store: SharedStore, node_id: &str, horizon: Horizon) -> Result<LogBook, LogError> {
        let (head, last_ms) = locked(&store, |store| store.log_end(node_id))?;
        Ok(LogBook {
            store,
            node_id: node_id.into(),
            last_ms: Arc::new(AtomicI64::new(last_ms.unwrap_or(0))),
            head: Arc::new(watch::Sender::new(head)),
            turn: Arc::default(),
            horizon,
            counts: Arc::default(),
        })
    }

    /// The last number of the log, as it grows.
    #[must_use]
    pub fn head(&self) -> watch::Receiver<i64> {
        self.head.subscribe()
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
        if let Ok((head, _)) = store.log_end(&self.node_id) {
            self.grown(head);
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
        let is_young = |entry: &Entry| (self.horizon)(entry.kind()).is_none_or(|oldest| entry.time_ms >= oldest);
        let rows: Vec<LogRow> = entries.into_iter().filter(is_young).map(row_of).collect();
        self.counts.received.fetch_add(given, Ordering::Relaxed);
        self.counts.too_old.fetch_add(given - rows.len() as u64, Ordering::Relaxed);
        self.append_rows(rows).await
    }

    /// Keeps rows.
    ///
    /// # Errors
    /// When they cannot be kept.
    pub async fn append_rows(&self, rows: Vec<LogRow>) -> Result<(), LogError> {
        if rows.is_empty() {
            return Ok(());
        }
        let head = self.on_store(move |store| store.log_append(&rows)).await?;
        self.grown(head);
        Ok(())
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
    pub async fn newest(&self, kind: &'static str, limit: usize) -> Result<Vec<LogRow>, LogError> {
        self.on_store(move |store| store.log_newest(kind, limit)).await
    }

    async fn on_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, LogError> {
        let _turn = self.turn.lock().await;
        let store = Arc::clone(&self.store);
        spawn_blocking(move || locked(&store, work)).await.unwrap_or(Err(LogError::Closed))
    }
}

fn locked<T>(store: &SharedStore, work: impl FnOnce(&mut dyn Store) -> Result<T, StoreError>) -> Result<T, LogError> {
    let mut guard = store.lock().unwrap_or_else(PoisonError::into_inner);
    let store = guard.as_mut().ok_or(LogError::Closed)?;
    work(store.as_mut()).map_err(LogError::from)
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
        from: row.source.clone(),
        action: Json::parse(&row.action).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::store::memory::MemoryDisk;

    fn entry(ms: u64, time_ms: i64) -> Entry {
        Entry {
            added: 0,
            id: ActionId { ms, node: "peer".to_owned(), counter: 0 },
            time_ms,
            subprotocol: Some(Json::parse("[1,2]").unwrap()),
            from: Some("peer".to_owned()),
            action: Json::parse("{\"type\":\"a\",\"b\":[1.5,null]}").unwrap(),
        }
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
