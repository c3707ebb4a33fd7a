//! Who looks after the observing half from outside: asks every part whether it is there, and rebuilds all of it from the
//! store when its core has ended by itself.
//!
//! It runs on the system's thread, which neither reads nor judges, so that a part which keeps its own thread is noticed. A
//! part that does not answer is told to the probes; what ends it is the supervisor of the process.

use super::assembled::{Asked, Assembled, Doors, Lasting, assemble};
use super::memory_watch::MemoryWatch;
use super::open_files::OpenFiles;
use super::parts::Outside;
use super::state::{Kept, down_note, revive};
use crate::actors::message::{Beat, Happened};
use crate::actors::vitals::STUCK_NS;
use crate::config::Config;
use crate::domain::time::{SECOND, Tau};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between two questions to the same part, nanoseconds.
const ASK_EVERY_NS: i64 = SECOND;
/// The time that what is left of the observing half has to end.
const END_WITHIN: Duration = Duration::from_millis(500);
/// The time that an orderly end and its last transaction have.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);
/// The longest wait before another rebuild.
const BACKOFF_MAX_NS: i64 = 30 * SECOND;
/// A core that lived so long is rebuilt at once again, nanoseconds.
const LASTING_NS: i64 = 60 * SECOND;

/// The core, as a part.
const COLLECTOR: &str = "collector";

/// The observing half of the moment; none while it is rebuilt.
pub(super) type Present = Arc<Mutex<Option<Assembled>>>;

/// Takes the observing half out of its place.
pub(super) fn take(present: &Present) -> Option<Assembled> {
    present.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn put(present: &Present, assembled: Assembled) {
    *present.lock().unwrap_or_else(PoisonError::into_inner) = Some(assembled);
}

/// A part that is asked again and again.
struct Part {
    asked: Asked,
    asked_at: Tau,
    /// What it had done when it was looked at last.
    done: u64,
    /// Whether it answered; set by whoever waits for that.
    answered: Arc<AtomicBool>,
    is_stuck: bool,
}

impl Part {
    fn new(asked: Asked) -> Part {
        Part { asked, asked_at: Tau::MIN, done: 0, answered: Arc::new(AtomicBool::new(true)), is_stuck: false }
    }

    fn ask(&mut self, now: Tau) {
        self.asked_at = now;
        self.answered.store(false, Ordering::Release);
        let (asking, answered) = ((self.asked.to)().send(Beat), Arc::clone(&self.answered));
        actix_rt::spawn(async move {
            // One that has ended is not stuck: whoever watches over it starts it anew.
            if asking.await.is_err() {
                tracing::debug!("a part has ended");
            }
            answered.store(true, Ordering::Release);
        });
    }
}

/// Another configuration for the observing half.
pub(super) struct Change {
    pub(super) config: Config,
    pub(super) outside: Outside,
    /// What people are told.
    pub(super) text: String,
    /// Told when it is in force.
    pub(super) done: oneshot::Sender<()>,
}

/// See the module's words.
pub(super) struct Guardian {
    lasting: Lasting,
    changes: mpsc::Receiver<Change>,
    present: Present,
    doors: Doors,
    parts: Vec<Part>,
    failures: u32,
    rebuilt_at: Tau,
    files: OpenFiles,
    memory: MemoryWatch,
}

impl Guardian {
    pub(super) fn new(lasting: Lasting, present: Present, doors: Doors, changes: mpsc::Receiver<Change>) -> Guardian {
        lasting.vitals.know(COLLECTOR);
        let memory = MemoryWatch::new(lasting.outside.memory.clone(), lasting.pressure.clone());
        let files = OpenFiles::new(lasting.config.mirrors.len() + 1);
        let mut guardian = Guardian {
            lasting,
            changes,
            present,
            doors,
            parts: Vec::new(),
            failures: 0,
            rebuilt_at: Tau::MIN,
            files,
            memory,
        };
        guardian.meet();
        guardian
    }

    /// Looks after everything until it is told to stop.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(change) = self.changes.recv() => {
                    self.change(change).await;
                    continue;
                }
                _ = looks.tick() => {}
            }
            let now = self.lasting.clock.now();
            self.lasting.vitals.looked(now);
            self.look(now);
            for (kind, text) in self.files.look(now).into_iter().chain(self.memory.look(now)) {
                self.tell(kind, &text);
            }
            if !self.is_core_alive() && self.may_rebuild(now) {
                self.rebuild(now).await;
            }
        }
    }

    /// Gets to know the parts of the present observing half.
    fn meet(&mut self) {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        self.parts = present.iter().flat_map(Assembled::asked).map(Part::new).collect();
        self.lasting.vitals.forget_stuck();
    }

    fn is_core_alive(&self) -> bool {
        self.present.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(Assembled::is_core_alive)
    }

    fn look(&mut self, now: Tau) {
        for (place, part) in self.parts.iter_mut().enumerate() {
            let has_answered = part.answered.load(Ordering::Acquire);
            if has_answered && place == 0 && part.asked_at > Tau::MIN {
                self.lasting.vitals.core_answered(part.asked_at);
            }
            let done = (part.asked.done)();
            if std::mem::replace(&mut part.done, done) != done && !has_answered {
                part.asked_at = now;
            }
            let is_stuck = !has_answered && now.since(part.asked_at) >= STUCK_NS;
            if std::mem::replace(&mut part.is_stuck, is_stuck) != is_stuck {
                self.lasting.vitals.set_stuck(&part.asked.name, is_stuck.then_some(part.asked_at));
                if is_stuck {
                    tracing::error!(part = %part.asked.name, "a part does not answer");
                } else {
                    tracing::warn!(part = %part.asked.name, "a part answers again");
                }
            }
            if has_answered && (part.asked_at == Tau::MIN || now.since(part.asked_at) >= ASK_EVERY_NS) {
                part.ask(now);
            }
        }
    }

    /// Tells people of something that happened to the whole program.
    fn tell(&self, kind: &'static str, text: &str) {
        tracing::warn!(kind, "{text}");
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        present.iter().for_each(|p| p.happened(Happened { kind, source: None, text: text.to_owned() }));
    }

    fn may_rebuild(&self, now: Tau) -> bool {
        let wait_ns = if self.failures == 0 { 0 } else { BACKOFF_MAX_NS.min(SECOND << self.failures.min(8)) };
        self.rebuilt_at == Tau::MIN || now.since(self.rebuilt_at) >= wait_ns.min(LASTING_NS)
    }

    /// Makes the observing half anew from what was kept.
    async fn rebuild(&mut self, now: Tau) {
        let has_lasted = self.rebuilt_at == Tau::MIN || now.since(self.rebuilt_at) >= LASTING_NS;
        self.failures = if has_lasted { 1 } else { self.failures.saturating_add(1) };
        self.rebuilt_at = now;
        let restarts = self.lasting.vitals.restarted(COLLECTOR);
        tracing::error!(restarts, "the core ended by itself and is rebuilt from what was kept");
        if let Some(before) = take(&self.present) {
            if timeout(END_WITHIN, before.stop_sources()).await.is_err() {
                tracing::warn!("what was left of the observing half did not end in time");
            }
            before.end_threads();
        }
        self.parts.clear();
        let text = "the collector ended by itself; all sources are resumed from what was kept".to_owned();
        match self.reload(("part_restarted", text), true).await {
            Ok(kept) => put(&self.present, assemble(&self.lasting, kept, Some(self.doors.clone()))),
            Err(why) => tracing::error!(%why, "what was kept cannot be read; it is tried again"),
        }
        self.meet();
    }

    /// Ends the observing half in order, keeps everything, and goes on with another configuration. The sources are resumed
    /// where they stand: what comes meanwhile is filled in, so that no window is lost.
    async fn change(&mut self, change: Change) {
        let before = take(&self.present);
        self.parts.clear();
        if let Some(before) = &before {
            let ending = async {
                before.stop_sources().await;
                before.flush().await;
            };
            if timeout(FLUSH_WITHIN, ending).await.is_err() {
                tracing::warn!("the observing half did not end in time; what was not kept is read again");
            }
            before.end_threads();
        }
        (self.lasting.config, self.lasting.outside) = (change.config, change.outside);
        self.lasting.listed_misses.store(self.lasting.config.limits.listed_misses, Ordering::Relaxed);
        match self.reload(("config_reloaded", change.text), false).await {
            Ok(kept) => put(&self.present, assemble(&self.lasting, kept, Some(self.doors.clone()))),
            Err(why) => tracing::error!(%why, "what was kept cannot be read; it is tried again"),
        }
        self.meet();
        // Whoever asked for it may have stopped waiting.
        let _ = change.done.send(());
    }

    /// Reads what was kept, behind a transaction that may still be under way.
    async fn reload(&self, (kind, text): (&'static str, String), was_down: bool) -> Result<Kept, String> {
        let lasting = self.lasting.clone();
        let reading = actix_rt::task::spawn_blocking(move || {
            let loaded = {
                let mut store = lasting.store.lock().unwrap_or_else(PoisonError::into_inner);
                let store = store.as_mut().ok_or_else(|| "the store is closed".to_owned())?;
                store.load().map_err(|e| e.to_string())?
            };
            let mut notes = vec![(kind.to_owned(), text)];
            if was_down {
                notes.extend(down_note(&loaded, &*lasting.clock, lasting.labels));
            }
            Ok(revive(&lasting.config, loaded, notes, lasting.labels, false))
        });
        reading.await.unwrap_or_else(|e| Err(e.to_string()))
    }
}
