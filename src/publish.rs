//! Finished pages, one atomic load away from every reader.
//!
//! Owns what a reader sees: [`Published`] holds the current [`Page`] of one address, [`Pages`] the closed set of them,
//! built once at the start and never changed in shape. A page is made whole (envelope, gzip, brotli, `ETag`) by whoever
//! publishes it, off the request path; a reader does one `load()` and clones reference-counted bytes.
//!
//! It never computes a figure, never waits for a reader, and never blocks one: the only lock is the publisher's own.

pub mod encode;
pub mod envelope;
pub mod forms;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::header::HeaderValue;
use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

pub use encode::Encoded;
use envelope::{Links, Meta};
pub use envelope::{WindowMeta, WindowStatus};
pub use forms::{Form, Forms};

/// Unchanged data keeps its page, and so its `ETag`, until the page is this many intervals old; then the page is made
/// anew, so that `generated_at` never lags more than three intervals behind a living recomputer.
const UNCHANGED_INTERVALS_MAX: i64 = 2;

/// UTC milliseconds of now, for labels only.
pub type UtcNow = Arc<dyn Fn() -> i64 + Send + Sync>;

/// One finished answer: immutable once published.
#[derive(Debug)]
pub struct Page {
    /// Strictly increasing for one address within one run; 0 is the placeholder before the first publication.
    pub revision: u64,
    /// UTC milliseconds at which the body was made.
    pub generated_at_ms: i64,
    /// `"<snapshot_id>.<revision>"`, strong.
    pub etag: HeaderValue,
    /// `generated_at_ms` as an HTTP date.
    pub last_modified: HeaderValue,
    /// The body in every encoding.
    pub body: Encoded,
    /// The window that the figures cover, where there is one.
    pub window: Option<WindowMeta>,
    /// The same data in other forms, as far as they were asked for.
    pub forms: Forms,
    /// Where the bare data stands in the body, to tell whether the next computation changed anything.
    data_at: Range<usize>,
}

impl Page {
    /// The `data` member as JSON.
    pub fn data(&self) -> &[u8] {
        self.body.identity.get(self.data_at.clone()).unwrap_or_default()
    }

    /// Whether the update would say nothing new. A window that only rolled on is nothing new, one that became final is.
    fn says(&self, update: &Update) -> bool {
        self.data() == update.data.as_slice()
            && self.window.map(|window| window.status) == update.window.map(|window| window.status)
    }
}

/// What a page is published under: fixed at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageSpec {
    /// Canonical key, as `overview` or `analytics/lag?window=1h`; also the topic of revision notices.
    pub key: String,
    /// Path and query of the JSON.
    pub self_path: String,
    /// Path and query of the same view for people.
    pub html_path: String,
    /// Whether the data stands alone, without the envelope.
    pub is_bare: bool,
}

impl PageSpec {
    /// What is published without the envelope, at the address that its key is.
    #[must_use]
    pub fn bare(key: String, html_path: String) -> PageSpec {
        PageSpec { self_path: format!("/{key}"), key, html_path, is_bare: true }
    }
}

/// What one computation hands in for one page.
#[derive(Debug)]
pub struct Update {
    /// The `data` member as JSON.
    pub data: Vec<u8>,
    /// The window that the figures cover.
    pub window: Option<WindowMeta>,
    /// UTC milliseconds of the capture that the data was made from.
    pub captured_at_ms: i64,
    /// UTC milliseconds of now.
    pub now_ms: i64,
    /// Milliseconds to the next computation.
    pub interval_ms: i64,
    /// Milliseconds that the computation took.
    pub compute_ms: f64,
}

/// What became of an update.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new page with this revision.
    Changed(u64),
    /// The data was the same: the page of this revision stays.
    Unchanged(u64),
}

/// Why a page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The encoder failed.
    #[error("cannot encode the page {key:?}")]
    Encode {
        /// Which page.
        key: String,
        /// The encoder's own words.
        #[source]
        source: std::io::Error,
    },
    /// The snapshot id holds what no header may hold.
    #[error("the snapshot id cannot stand in an ETag")]
    Etag,
}

/// The current page of one address. Readers never wait; publishers of one address take turns.
#[derive(Debug)]
pub struct Published {
    spec: PageSpec,
    snapshot_id: Arc<str>,
    /// Its revisions are above this.
    revisions_after: u64,
    current: ArcSwap<Page>,
    /// UTC milliseconds of the next computation; moves also when the data did not change.
    next_at_ms: AtomicI64,
    /// UTC milliseconds at which the data was last found true.
    confirmed_at_ms: AtomicI64,
    /// The page before the current one. Kept by the publisher, so that no reader is the last to hold a large page.
    previous: Mutex<Option<Arc<Page>>>,
    generation: watch::Sender<u64>,
}

impl Published {
    fn new(spec: PageSpec, snapshot_id: Arc<str>, revisions_after: u64, generation: watch::Sender<u64>) -> Self {
        let placeholder = Page {
            revision: 0,
            generated_at_ms: 0,
            etag: HeaderValue::from_static("\"0\""),
            last_modified: HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"),
            body: Encoded::default(),
            window: None,
            forms: Forms::default(),
            data_at: 0..0,
        };
        Published {
            spec,
            snapshot_id,
            revisions_after,
            current: ArcSwap::from_pointee(placeholder),
            next_at_ms: AtomicI64::new(0),
            confirmed_at_ms: AtomicI64::new(0),
            previous: Mutex::new(None),
            generation,
        }
    }

    /// The current page. Lock-free; the guard must not live across an await.
    #[inline]
    pub fn load(&self) -> Guard<Arc<Page>> {
        self.current.load()
    }

    /// The current page, for who must hold it across an await.
    pub fn load_full(&self) -> Arc<Page> {
        self.current.load_full()
    }

    /// The revision that a reader would get now; 0 before the first publication.
    pub fn revision(&self) -> u64 {
        self.current.load().revision
    }

    /// UTC milliseconds of the next computation.
    pub fn next_at_ms(&self) -> i64 {
        self.next_at_ms.load(Ordering::Relaxed)
    }

    /// UTC milliseconds at which the data was last found true: the page's making, or a later equal computation.
    pub fn confirmed_at_ms(&self) -> i64 {
        self.confirmed_at_ms.load(Ordering::Relaxed)
    }

    /// Where and as what the page stands.
    pub fn spec(&self) -> &PageSpec {
        &self.spec
    }

    /// Makes and publishes a page, or keeps the current one when the data is byte for byte the same.
    ///
    /// Compresses: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`PublishError`]; the current page stays.
    pub fn publish(&self, update: Update) -> Result<Outcome, PublishError> {
        let mut previous = self.previous.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current.load_full();
        let kept_until_ms =
            current.generated_at_ms.saturating_add(update.interval_ms.saturating_mul(UNCHANGED_INTERVALS_MAX));
        let next_at_ms = update.now_ms.saturating_add(update.interval_ms);
        if current.revision > 0 && current.says(&update) && update.now_ms < kept_until_ms {
            self.next_at_ms.store(next_at_ms, Ordering::Relaxed);
            self.confirmed_at_ms.store(update.now_ms, Ordering::Relaxed);
            return Ok(Outcome::Unchanged(current.revision));
        }
        let revision = current.revision.max(self.revisions_after).saturating_add(1);
        drop(current);
        let confirmed_at_ms = update.now_ms;
        let page = self.page(update, revision)?;
        // The times first: a reader between the two sees the old page with a later `max-age`, never one in the past.
        self.next_at_ms.store(next_at_ms, Ordering::Relaxed);
        self.confirmed_at_ms.store(confirmed_at_ms, Ordering::Relaxed);
        *previous = Some(self.current.swap(Arc::new(page)));
        self.generation.send_modify(|generation| *generation = generation.wrapping_add(1));
        Ok(Outcome::Changed(revision))
    }

    fn page(&self, update: Update, revision: u64) -> Result<Page, PublishError> {
        let data_start = if self.spec.is_bare { 0 } else { envelope::DATA_START };
        let data_at = data_start..data_start.saturating_add(update.data.len());
        let identity = if self.spec.is_bare {
            update.data
        } else {
            let meta = Meta {
                generated_at_ms: update.now_ms,
                snapshot_id: &self.snapshot_id,
                revision,
                age_ms: update.now_ms.saturating_sub(update.captured_at_ms).max(0),
                recompute_interval_s: Some(update.interval_ms as f64 / 1000.0),
                compute_ms: update.compute_ms,
                window: update.window,
            };
            let links = Links { own: &self.spec.self_path, next: None, html: &self.spec.html_path };
            envelope::wrap(&update.data, &meta, &links)
        };
        let body =
            Encoded::new(identity).map_err(|source| PublishError::Encode { key: self.spec.key.clone(), source })?;
        Ok(Page {
            revision,
            generated_at_ms: update.now_ms,
            etag: etag(&self.snapshot_id, revision)?,
            last_modified: HeaderValue::from_str(&envelope::http_date(update.now_ms))
                .map_err(|_| PublishError::Etag)?,
            body,
            window: update.window,
            forms: Forms::default(),
            data_at,
        })
    }
}

/// `"<snapshot_id>.<revision>"` as a header value.
///
/// # Errors
/// [`PublishError::Etag`] when the id holds a byte that a header may not hold.
pub fn etag(snapshot_id: &str, revision: u64) -> Result<HeaderValue, PublishError> {
    if snapshot_id.contains('"') {
        return Err(PublishError::Etag);
    }
    HeaderValue::from_str(&format!("\"{snapshot_id}.{revision}\"")).map_err(|_| PublishError::Etag)
}

/// Every page there is, by its canonical key. The set changes with the mirrors alone, and as a whole, so that a look-up needs
/// no lock; a page that stays is the same page.
#[derive(Debug)]
pub struct Pages {
    snapshot_id: Arc<str>,
    shelf: ArcSwap<Shelf>,
    generation: watch::Sender<u64>,
}

/// The pages of a time between two changes.
#[derive(Debug, Default)]
struct Shelf {
    by_key: HashMap<String, usize>,
    ordered: Vec<Arc<Published>>,
    /// The highest revision of any page that was there before: who comes back has no `ETag` twice.
    highest: u64,
}

impl Shelf {
    fn get(&self, key: &str) -> Option<&Arc<Published>> {
        self.by_key.get(key).and_then(|position| self.ordered.get(*position))
    }
}

impl Pages {
    /// The pages of these specs. `snapshot_id` names this run: revisions start again with each, `ETag`s must not.
    /// Of two specs with one key the first stands.
    pub fn new(snapshot_id: &str, specs: impl IntoIterator<Item = PageSpec>) -> Self {
        let (generation, _) = watch::channel(0);
        let pages = Pages { snapshot_id: Arc::from(snapshot_id), shelf: ArcSwap::default(), generation };
        pages.arrange(specs);
        pages
    }

    /// Holds the pages of these specs from now on. Those that are there already stay as they are.
    pub fn arrange(&self, specs: impl IntoIterator<Item = PageSpec>) {
        let before = self.shelf.load_full();
        let highest = before.ordered.iter().map(|page| page.revision()).fold(before.highest, u64::max);
        let mut arranged = Shelf { highest, ..Shelf::default() };
        for spec in specs {
            if arranged.by_key.contains_key(&spec.key) {
                continue;
            }
            arranged.by_key.insert(spec.key.clone(), arranged.ordered.len());
            let fresh =
                |spec| Arc::new(Published::new(spec, Arc::clone(&self.snapshot_id), highest, self.generation.clone()));
            let page = before.get(&spec.key).map_or_else(|| fresh(spec), Arc::clone);
            arranged.ordered.push(page);
        }
        self.shelf.store(Arc::new(arranged));
    }

    /// The page of this key.
    pub fn get(&self, key: &str) -> Option<Arc<Published>> {
        self.shelf.load().get(key).cloned()
    }

    /// All pages in the order in which they were named.
    pub fn all(&self) -> Vec<Arc<Published>> {
        self.shelf.load().ordered.clone()
    }

    /// Names this run in every `ETag` and envelope.
    pub fn snapshot_id(&self) -> &str {
        &self.snapshot_id
    }

    /// Wakes whenever any page changed. It carries no list: a listener compares revisions, so that nothing can be
    /// lost or pile up however slow it is.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_stay_are_the_same_pages() {
        let pages = Pages::new("run1", [spec("overview"), spec("mirrors/a")]);
        let overview = pages.get("overview").unwrap();
        overview.publish(update("{}", 1)).unwrap();
        pages.arrange([spec("overview"), spec("mirrors/b")]);
        assert!(Arc::ptr_eq(&overview, &pages.get("overview").unwrap()));
        assert!(pages.get("mirrors/a").is_none());
        assert_eq!(pages.all().iter().map(|page| page.revision()).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn a_page_that_comes_back_has_no_revision_twice() {
        let pages = Pages::new("run1", [spec("a"), spec("b")]);
        for now_ms in 1..=3 {
            pages.get("b").unwrap().publish(update(&now_ms.to_string(), now_ms)).unwrap();
        }
        pages.arrange([spec("a")]);
        pages.arrange([spec("a"), spec("b")]);
        pages.get("b").unwrap().publish(update("{}", 9)).unwrap();
        assert_eq!(pages.get("b").unwrap().revision(), 4);
        assert_eq!(pages.get("a").unwrap().revision(), 0, "nothing was published");
    }

    pub fn spec(key: &str) -> PageSpec {
        PageSpec { key: key.to_owned(), self_path: format!("/api/v1/{key}"), html_path: "/".to_owned(), is_bare: false }
    }

    fn update(data: &str, now_ms: i64) -> Update {
        Update {
            data: data.as_bytes().to_vec(),
            window: None,
            captured_at_ms: now_ms - 3,
            now_ms,
            interval_ms: 1000,
            compute_ms: 1.5,
        }
    }

    #[test]
    fn revisions_rise_and_unchanged_data_keeps_its_page_for_a_while() {
        let pages = Pages::new("run1", [spec("overview")]);
        let page = pages.get("overview").unwrap();
        assert_eq!(page.revision(), 0);
        let changes = pages.changes();
        assert_eq!(page.publish(update("{\"a\":1}", 1_000)).unwrap(), Outcome::Changed(1));
        assert!(changes.has_changed().unwrap());
        let first = page.load().body.identity.clone();
        assert_eq!(page.publish(update("{\"a\":1}", 2_000)).unwrap(), Outcome::Unchanged(1));
        assert_eq!(page.load().body.identity, first);
        assert_eq!(page.load().generated_at_ms, 1_000);
        assert_eq!((page.confirmed_at_ms(), page.next_at_ms()), (2_000, 3_000));
        assert_eq!(page.publish(update("{\"a\":1}", 3_000)).unwrap(), Outcome::Changed(2), "two intervals old");
        assert_eq!(page.publish(update("{\"a\":2}", 3_100)).unwrap(), Outcome::Changed(3));
        assert_eq!(page.load().etag, "\"run1.3\"");
    }

    #[test]
    fn the_envelope_says_what_the_page_is() {
        let pages = Pages::new("run1", [spec("overview")]);
        let page = pages.get("overview").unwrap();
        page.publish(update("{\"a\":1}", 1_700_000_001_007)).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&page.load().body.identity).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "data": {"a": 1},
                "meta": {"generated_at": "2023-11-14T22:13:21.007Z", "snapshot_id": "run1", "revision": 1, "age_ms": 3,
                         "recompute_interval_s": 1.0, "compute_ms": 1.5, "window": null, "method_version": "1"},
                "links": {"self": "/api/v1/overview", "next": null, "html": "/", "methodology": "/api/v1/methodology"}
            })
        );
    }

    #[test]
    fn bare_pages_have_no_envelope_and_the_old_page_outlives_its_readers() {
        let bare = PageSpec { is_bare: true, ..spec("stats") };
        let pages = Pages::new("run1", [bare]);
        let page = pages.get("stats").unwrap();
        page.publish(update("{\"mirrors\":{}}", 1_000)).unwrap();
        assert_eq!(&page.load().body.identity[..], b"{\"mirrors\":{}}");
        let old = Arc::downgrade(&page.current.load_full());
        page.publish(update("{}", 2_000)).unwrap();
        assert!(old.upgrade().is_some(), "the publisher holds the page before the current one");
        page.publish(update("[]", 3_000)).unwrap();
        assert!(old.upgrade().is_none());
    }

    #[test]
    fn a_snapshot_id_with_a_quote_is_refused() {
        assert!(etag("a\"b", 1).is_err());
        assert_eq!(etag("ab", 7).unwrap(), "\"ab.7\"");
    }
}
