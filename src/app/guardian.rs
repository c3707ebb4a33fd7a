//! Who looks after the observing half from outside: asks every part whether it is there, and rebuilds all of it from the
//! store when its core has ended by itself.
//!
//! It runs on the system's thread, which neither reads nor judges, so that a part which keeps its own thread is noticed. A
//! part that does not answer is told to the probes; what ends it is the supervisor of the process.

use super::assembled::{Asked, Assembled, Lasting, assemble};
use super::state::{Kept, revive};
use crate::actors::message::Beat;
use crate::actors::vitals::STUCK_NS;
use crate::domain::time::{SECOND, Tau};
use actix::Recipient;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between two questions to the same part, nanoseconds.
const ASK_EVERY_NS: i64 = SECOND;
/// The time that what is left of the observing half has to end.
const END_WITHIN: Duration = Duration::from_millis(500);
/// The longest wait before another rebuild.
const BACKOFF_MAX_NS: i64 = 30 * SECOND;
/// A core that lived so long is rebuilt at once again, nanoseconds.
const LASTING_NS: i64 = 60 * SECOND;

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
    name: String,
    to: Box<dyn Fn() -> Recipient<Beat>>,
    asked_at: Tau,
    /// Whether it answered; set by whoever waits for that.
    answered: Arc<AtomicBool>,
    is_stuck: bool,
}

impl Part {
    fn new((name, to): Asked) -> Part {
        Part { name, to, asked_at: Tau::MIN, answered: Arc::new(AtomicBool::new(true)), is_stuck: false }
    }

    fn ask(&mut self, now: Tau) {
        self.asked_at = now;
        self.answered.store(false, Ordering::Release);
        let (asking, answered) = ((self.to)().send(Beat), Arc::clone(&self.answered));
        actix_rt::spawn(async move {
            // One that has ended is not stuck: whoever watches over it starts it anew.
            if asking.await.is_err() {
                tracing::debug!("a part has ended");
            }
            answered.store(true, Ordering::Release);
        });
    }
}

/// See the module's words.
pub(super) struct Guardian {
    lasting: Lasting,
    present: Present,
    parts: Vec<Part>,
    failures: u32,
    rebuilt_at: Tau,
}

impl Guardian {
    pub(super) fn new(lasting: Lasting, present: Present) -> Guardian {
        let mut guardian = Guardian { lasting, present, parts: Vec::new(), failures: 0, rebuilt_at: Tau::MIN };
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
                _ = looks.tick() => {}
            }
            let now = self.lasting.clock.now();
            self.lasting.vitals.looked(now);
            self.look(now);
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
            let is_stuck = !has_answered && now.since(part.asked_at) >= STUCK_NS;
            if std::mem::replace(&mut part.is_stuck, is_stuck) != is_stuck {
                self.lasting.vitals.set_stuck(&part.name, is_stuck.then_some(part.asked_at));
                if is_stuck {
                    tracing::error!(part = %part.name, "a part does not answer");
                } else {
                    tracing::warn!(part = %part.name, "a part answers again");
                }
            }
            if has_answered && (part.asked_at == Tau::MIN || now.since(part.asked_at) >= ASK_EVERY_NS) {
                part.ask(now);
            }
        }
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
        let restarts = self.lasting.vitals.restarted("collector");
        tracing::error!(restarts, "the core ended by itself and is rebuilt from what was kept");
        let mut doors = None;
        if let Some(before) = take(&self.present) {
            if timeout(END_WITHIN, before.stop_sources()).await.is_err() {
                tracing::warn!("what was left of the observing half did not end in time");
            }
            before.end_threads();
            doors = Some(before.doors);
        }
        self.parts.clear();
        match self.reload().await {
            Ok(kept) => put(&self.present, assemble(&self.lasting, kept, doors)),
            Err(why) => tracing::error!(%why, "what was kept cannot be read; it is tried again"),
        }
        self.meet();
    }

    /// Reads what was kept, behind a transaction that may still be under way.
    async fn reload(&self) -> Result<Kept, String> {
        let lasting = self.lasting.clone();
        let reading = actix_rt::task::spawn_blocking(move || {
            let loaded = {
                let mut store = lasting.store.lock().unwrap_or_else(PoisonError::into_inner);
                let store = store.as_mut().ok_or_else(|| "the store is closed".to_owned())?;
                store.load().map_err(|e| e.to_string())?
            };
            let text = "the collector ended by itself; all sources are resumed from what was kept".to_owned();
            let notes = vec![("part_restarted".to_owned(), text)];
            Ok(revive(&lasting.config, loaded, notes, &*lasting.clock, lasting.labels, false))
        });
        reading.await.unwrap_or_else(|e| Err(e.to_string()))
    }
}
