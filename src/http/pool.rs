//! The bound on work done for requests: few at once, a short queue, one computation for many who ask the same.
//!
//! However many ask, what runs beside the measurement is at most [`RUNNING_MAX`] computations; the rest share a finished
//! answer, wait in the queue, or are told to come back.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::http::header::HeaderValue;
use futures_util::future::BoxFuture;
use moka::future::Cache;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::detail::{Detail, DetailError, DetailPage, Question};
use crate::publish::envelope::{self, Links, Meta};
use crate::publish::{Encoded, Forms, UtcNow, WindowMeta};

/// Computations at once.
pub const RUNNING_MAX: usize = 2;
/// Different questions that may wait for one to end.
pub const WAITING_MAX: usize = 64;
/// How long a finished answer is handed out again.
pub const ANSWER_TTL: Duration = Duration::from_secs(1);
/// Longest computation.
const COMPUTE_MAX: Duration = Duration::from_secs(10);
/// Finished answers held, in bytes.
const CACHE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The least an answer counts for in the cache, in bytes: bounds their number to 1,000.
const ANSWER_BYTES_MIN: u32 = (CACHE_BYTES_MAX / 1_000) as u32;

/// A finished answer.
#[derive(Debug)]
pub struct Answer {
    /// The body in every encoding.
    pub body: Encoded,
    /// `"<snapshot_id>.<revision>.<generated_at_ms>"`: two makings of one revision differ in `generated_at`.
    pub etag: HeaderValue,
    /// HTTP date of its making.
    pub last_modified: HeaderValue,
    /// UTC milliseconds of its making.
    pub generated_at_ms: i64,
    /// Path and query of the next page.
    pub next: Option<String>,
    /// The window that the figures cover, where there is one.
    pub window: Option<WindowMeta>,
    /// The same data in other forms, as far as they were asked for.
    pub forms: Forms,
    /// Where the bare data stands in the body.
    data_at: Range<usize>,
}

impl Answer {
    /// The `data` member as JSON.
    pub fn data(&self) -> &[u8] {
        self.body.identity.get(self.data_at.clone()).unwrap_or_default()
    }
}

/// See the module's words.
pub struct Pool {
    detail: Arc<dyn Detail>,
    utc_now_ms: UtcNow,
    answers: Cache<String, Arc<Answer>>,
    running: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

/// One place in the queue; dropping it gives it back.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where an answer stands.
struct Place {
    own: String,
    html: String,
}

impl Pool {
    /// An idle pool in front of `detail`.
    pub fn new(detail: Arc<dyn Detail>, utc_now_ms: UtcNow) -> Self {
        let answers = Cache::builder()
            .max_capacity(CACHE_BYTES_MAX)
            .weigher(|_key, answer: &Arc<Answer>| {
                u32::try_from(answer.body.total_bytes()).unwrap_or(u32::MAX).max(ANSWER_BYTES_MIN)
            })
            .time_to_live(ANSWER_TTL)
            .build();
        Pool {
            detail,
            utc_now_ms,
            answers,
            running: Arc::new(Semaphore::new(RUNNING_MAX)),
            waiting: Arc::new(AtomicUsize::new(0)),
        }
    }

    /// The answer to a question.
    ///
    /// # Errors
    /// What the computation said, or [`DetailError::Overloaded`].
    pub async fn answer(&self, question: Question) -> Result<Arc<Answer>, Arc<DetailError>> {
        let place = Place { own: question.own(), html: question.html() };
        let (detail, asked) = (Arc::clone(&self.detail), question.clone());
        let next = move |cursor: &str| question.path(Some(cursor));
        self.get(place, Box::new(move || detail.answer(asked)), Box::new(next)).await
    }

    async fn get(
        &self,
        place: Place,
        compute: Box<dyn FnOnce() -> BoxFuture<'static, Result<DetailPage, DetailError>> + Send>,
        next: Box<dyn Fn(&str) -> String + Send>,
    ) -> Result<Arc<Answer>, Arc<DetailError>> {
        let key = place.own.clone();
        let work = async move {
            let waiting = self.queue()?;
            let permit = Arc::clone(&self.running).acquire_owned().await.map_err(|_| DetailError::Overloaded)?;
            drop(waiting);
            let utc_now_ms = Arc::clone(&self.utc_now_ms);
            // A task of its own: a panic in it becomes an error here, and a reader who leaves does not free the permit
            // while the computation goes on.
            let task = tokio::spawn(async move {
                let _permit = permit;
                let begun = Instant::now();
                let page = timeout(COMPUTE_MAX, compute()).await.map_err(|_| DetailError::Overloaded)??;
                let compute_ms = begun.elapsed().as_secs_f64() * 1000.0;
                let next = page.next_cursor.as_deref().map(next);
                tokio::task::spawn_blocking(move || finish(&page, next, &place, (utc_now_ms)(), compute_ms))
                    .await
                    .map_err(|error| DetailError::Internal(error.to_string()))?
            });
            task.await.map_err(|error| DetailError::Internal(error.to_string()))?
        };
        self.answers.try_get_with(key, work).await
    }

    /// Runs what blocks, when its turn comes; to its end, even when nobody waits for it any more.
    ///
    /// # Errors
    /// [`DetailError::Overloaded`] where too many wait, [`DetailError::Internal`] when it panics.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, DetailError> {
        let waiting = self.queue()?;
        let permit = Arc::clone(&self.running).acquire_owned().await.map_err(|_| DetailError::Overloaded)?;
        drop(waiting);
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        task.await.map_err(|error| DetailError::Internal(error.to_string()))
    }

    /// A place in the queue.
    fn queue(&self) -> Result<Waiting, DetailError> {
        let waiting = Waiting(Arc::clone(&self.waiting));
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            return Err(DetailError::Overloaded);
        }
        Ok(waiting)
    }
}

/// Makes the envelope and the encodings. Blocks.
fn finish(
    page: &DetailPage,
    next: Option<String>,
    place: &Place,
    now_ms: i64,
    compute_ms: f64,
) -> Result<Arc<Answer>, DetailError> {
    let meta = Meta {
        generated_at_ms: now_ms,
        snapshot_id: &page.snapshot_id,
        revision: page.revision,
        age_ms: 0,
        recompute_interval_s: None,
        compute_ms,
        window: page.window,
    };
    let links = Links { own: &place.own, next: next.as_deref(), html: &place.html };
    let body = Encoded::new(envelope::wrap(&page.data, &meta, &links))
        .map_err(|error| DetailError::Internal(error.to_string()))?;
    let header = |text: String| HeaderValue::from_str(&text).map_err(|error| DetailError::Internal(error.to_string()));
    Ok(Arc::new(Answer {
        body,
        etag: header(format!("\"{}.{}.{now_ms}\"", page.snapshot_id, page.revision))?,
        last_modified: header(envelope::http_date(now_ms))?,
        generated_at_ms: now_ms,
        next,
        window: page.window,
        forms: Forms::default(),
        data_at: envelope::DATA_START..envelope::DATA_START.saturating_add(page.data.len()),
    }))
}

#[cfg(test)]
mod tests;
