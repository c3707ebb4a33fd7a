//! The newest operations for everybody who watches them: looked at a few times a second while somebody does, each message
//! written once for all readers.
//!
//! A reader who falls behind by a few messages gets them all; one who falls further behind is told how many it will never
//! hear of, and gets the whole list anew. What is kept is bounded by [`OPS_MAX`] operations and [`KEPT_MAX`] messages; what
//! the connections of readers hold of it, by [`READERS_MAX`].

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytestring::ByteString;
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::BATCH_GAP;
use crate::domain::ledger::recent::RecentOp;
use crate::domain::view::recent::{self, OPS_MAX, Recent};
use crate::http::detail::RecentSource;
use crate::http::panics::words;
use crate::http::tallies::Tallies;

/// What the topic is called.
pub const TOPIC: &str = "ops";
/// Readers at once; one who comes then is refused, and counted. They share what is told; each costs work, and the piece that
/// is being sent to it.
pub const READERS_MAX: usize = 256;
/// Messages that a reader may be behind without losing one.
const KEPT_MAX: usize = 8;
/// Between two messages while nothing changes: they tell that nothing does.
const IDLE_GAP: Duration = Duration::from_secs(1);
/// Longest wait for the operations; what was told stays as it is then.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// An operation as it was told.
struct Told {
    op: RecentOp,
    json: String,
}

/// What there is to tell.
#[derive(Default)]
struct Shelf {
    /// Of the newest message; they are numbered from 1 for as long as the process lives.
    revision: u64,
    /// The newest messages, each with what had changed, oldest first.
    changes: VecDeque<ByteString>,
    /// Oldest first.
    ops: Vec<Told>,
    ids: Vec<String>,
    /// What surrounds the operations in a message that has them all.
    frame: Option<Frame>,
    /// That message, once somebody needed it.
    whole: Option<ByteString>,
    told_at: Option<Instant>,
}

/// What a message says besides its operations.
struct Frame {
    at: String,
    hosts: Value,
    skipped: u64,
}

/// See the module's words.
pub struct OpsFeed {
    source: Arc<dyn RecentSource>,
    shelf: Mutex<Shelf>,
    revision: watch::Sender<u64>,
    watched: Mutex<Watched>,
    tallies: Tallies,
}

/// Whether there is somebody, and somebody who looks for them.
#[derive(Default)]
struct Watched {
    readers: usize,
    is_running: bool,
}

/// What is due to a reader.
pub struct DueOps {
    /// Messages in their order.
    pub texts: Vec<ByteString>,
    /// Messages that it will never hear of.
    pub skipped: u64,
}

/// One who watches.
pub struct OpsReader {
    feed: Arc<OpsFeed>,
    changes: watch::Receiver<u64>,
    /// The newest message that it was told; 0 before the first.
    told: u64,
}

impl OpsReader {
    /// Wakes when something may be due, for as long as the reader lives.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// What was not told yet; it counts as told.
    pub fn due(&mut self) -> DueOps {
        let mut known = lock(&self.feed.shelf);
        let missed = known.revision.saturating_sub(self.told);
        let is_first = std::mem::replace(&mut self.told, known.revision) == 0;
        if missed == 0 || known.frame.is_none() {
            return DueOps { texts: Vec::new(), skipped: 0 };
        }
        let kept = known.changes.len();
        match usize::try_from(missed) {
            Ok(missed) if missed <= kept && !is_first => {
                DueOps { texts: known.changes.range(kept - missed..).cloned().collect(), skipped: 0 }
            }
            _ => {
                let skipped = if is_first { 0 } else { missed - 1 };
                DueOps { texts: vec![known.whole()], skipped }
            }
        }
    }
}

impl Drop for OpsReader {
    fn drop(&mut self) {
        lock(&self.feed.watched).readers -= 1;
    }
}

impl OpsFeed {
    /// A feed that nobody watches; whom it refuses is counted in `tallies`.
    pub fn new(source: Arc<dyn RecentSource>, tallies: Tallies) -> Arc<Self> {
        let (revision, _) = watch::channel(0);
        Arc::new(OpsFeed { source, shelf: Mutex::default(), revision, watched: Mutex::default(), tallies })
    }

    /// Somebody watches from now on, and for as long as the reader lives; `None` while [`READERS_MAX`] do.
    pub fn watch(self: &Arc<Self>) -> Option<OpsReader> {
        let mut watched = lock(&self.watched);
        if watched.readers >= READERS_MAX {
            self.tallies.refused_ops_reader();
            return None;
        }
        watched.readers += 1;
        if !std::mem::replace(&mut watched.is_running, true) {
            tokio::spawn(Running { feed: Arc::clone(self), has_ended: false }.run());
        }
        Some(OpsReader { feed: Arc::clone(self), changes: self.revision.subscribe(), told: 0 })
    }

    /// Looks once; a failure leaves everything as it is.
    async fn look(&self) {
        let looked = AssertUnwindSafe(async {
            match timeout(LOOK_MAX, self.source.recent()).await {
                Ok(Ok(recent)) => self.take(&recent),
                Ok(Err(error)) => tracing::warn!(%error, "the newest operations could not be looked at"),
                Err(_) => tracing::warn!("the newest operations did not come in time"),
            }
        });
        if let Err(panic) = looked.catch_unwind().await {
            tracing::error!(error = words(&*panic), "telling the newest operations panicked");
        }
    }

    fn take(&self, recent: &Recent) {
        let mut known = lock(&self.shelf);
        if known.take(recent, Instant::now()) {
            self.revision.send_replace(known.revision);
        }
    }

    /// Whether nobody watches any more; then nothing is kept.
    fn is_over(&self) -> bool {
        let mut watched = lock(&self.watched);
        if watched.readers > 0 {
            return false;
        }
        watched.is_running = false;
        let mut known = lock(&self.shelf);
        *known = Shelf { revision: known.revision, ..Shelf::default() };
        true
    }
}

/// The task that looks; however it ends, the next who watches starts another.
struct Running {
    feed: Arc<OpsFeed>,
    has_ended: bool,
}

impl Running {
    async fn run(mut self) {
        while !self.feed.is_over() {
            self.feed.look().await;
            sleep(BATCH_GAP).await;
        }
        self.has_ended = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where it ended by itself that is said already, and another may be running.
        if !self.has_ended {
            lock(&self.feed.watched).is_running = false;
        }
    }
}

impl Shelf {
    /// Compares the newest operations with those told; says whether there is a message more.
    fn take(&mut self, recent: &Recent, now: Instant) -> bool {
        let newest = |ops: &[Told]| ops.last().map_or(0, |told| told.op.number);
        let last = recent.ops.ops.last().map_or(0, |op| op.number);
        // Other mirrors, or a ledger that was set back: what was told before is no part of it.
        let is_anew = self.ids != recent.ids || last < newest(&self.ops) || self.frame.is_none();
        let before = if is_anew { Vec::new() } else { std::mem::take(&mut self.ops) };
        let expected = before.last().map(|told| told.op.number + 1);
        let first = recent.ops.ops.first().map_or(0, |op| op.number);
        let skipped = expected.map_or(0, |expected| first.saturating_sub(expected));
        let mut before = before.into_iter().peekable();
        let mut changed = Vec::new();
        let mut ops: Vec<Told> = Vec::with_capacity(recent.ops.ops.len().min(OPS_MAX));
        for op in &recent.ops.ops {
            while before.next_if(|told| told.op.number < op.number).is_some() {}
            let told = before.next_if(|told| told.op == *op).unwrap_or_else(|| {
                changed.push(ops.len());
                Told { op: op.clone(), json: recent::op(recent, op).to_string() }
            });
            ops.push(told);
        }
        self.ops = ops;
        let is_idle = self.told_at.is_none_or(|at| now.duration_since(at) >= IDLE_GAP);
        if !is_anew && changed.is_empty() && !is_idle {
            return false;
        }
        self.revision += 1;
        self.told_at = Some(now);
        self.whole = None;
        self.ids.clone_from(&recent.ids);
        let frame = Frame { at: recent::at(recent), hosts: recent::hosts(recent), skipped };
        if is_anew {
            self.changes.clear();
        } else {
            let some = changed.iter().filter_map(|&i| self.ops.get(i));
            let text = self.message(&frame, false, some);
            self.changes.push_back(text);
            if self.changes.len() > KEPT_MAX {
                self.changes.pop_front();
            }
        }
        self.frame = Some(frame);
        true
    }

    /// The message with all operations; written when it is first asked for.
    fn whole(&mut self) -> ByteString {
        if let Some(whole) = &self.whole {
            return whole.clone();
        }
        let whole = self.frame.as_ref().map(|frame| self.message(frame, true, self.ops.iter())).unwrap_or_default();
        self.whole.insert(whole).clone()
    }

    /// A message; newest first, as a page shows them.
    fn message<'a>(
        &self,
        frame: &Frame,
        is_whole: bool,
        ops: impl DoubleEndedIterator<Item = &'a Told> + Clone,
    ) -> ByteString {
        let head = json!({
            "type": TOPIC,
            "topic": TOPIC,
            "revision": self.revision,
            "is_whole": is_whole,
            "at": frame.at,
            "skipped_ops": if is_whole { 0 } else { frame.skipped },
            "mirrors": self.ids.get(1..).unwrap_or_default(),
            "hosts": frame.hosts,
        });
        let mut text = head.to_string();
        text.reserve(ops.clone().map(|told| told.json.len() + 1).sum::<usize>() + 16);
        text.pop();
        text.push_str(",\"ops\":[");
        for (i, told) in ops.rev().enumerate() {
            if i > 0 {
                text.push(',');
            }
            text.push_str(&told.json);
        }
        text.push_str("]}");
        text.into()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
