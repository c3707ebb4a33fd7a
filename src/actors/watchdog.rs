//! The watchdog of the thread that reads: notices that it was not running, and restarts what panicked.
//!
//! It lives on the arbiter of the streams, so that its own lateness is theirs. A supervisor of the framework's would not do:
//! it does not survive a panic and knows no backoff.

use super::message::{Beat, Happened, ReaderLate, Stop};
use super::reader::Readers;
use super::vitals::Vitals;
use crate::domain::time::{MS, SECOND, Tau};
use crate::ports::clock::Clock;
use crate::ports::fail_point::FailPoints;
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Recipient};
use std::sync::Arc;
use std::time::Duration;

/// Mailbox places.
const MAILBOX: usize = 4;
/// Between two looks.
const TICK: Duration = Duration::from_millis(25);
/// A tick that is this much late was not running, nanoseconds.
const LATE_NS: i64 = 150 * MS;
/// What came in a late span is looked for once more so long after it, nanoseconds: the ticks that were missed come all at
/// once, before anything is read.
const LOOK_AGAIN_NS: i64 = 50 * MS;
/// The longest that a late span waits for readers that never run dry: a flood is no freeze.
const CATCH_UP_MAX_NS: i64 = 5 * SECOND;
/// The longest wait before a part that keeps failing is restarted.
const BACKOFF_MAX_NS: i64 = 30 * SECOND;
/// A part that lived so long is restarted at once again, nanoseconds.
const LASTING_NS: i64 = 60 * SECOND;

/// A part that must be there.
pub struct Child {
    /// For the log.
    pub name: String,
    /// Id of the source that it serves alone.
    pub source: Option<String>,
    /// Whether it is there.
    pub is_alive: Box<dyn Fn() -> bool>,
    /// Makes it anew.
    pub restart: Box<dyn FnMut()>,
}

struct Watched {
    child: Child,
    failures: u32,
    restarted_at: Tau,
    not_before: Tau,
}

/// What a watchdog needs.
pub struct WatchdogDoors {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The notes of all readers.
    pub readers: Readers,
    /// Told when the reading thread was not running.
    pub late: Recipient<ReaderLate>,
    /// Told what was restarted.
    pub happened: Recipient<Happened>,
    /// Where restarts are counted.
    pub vitals: Vitals,
    /// Where tests make it fail.
    pub fail: FailPoints,
}

/// The actor.
pub struct Watchdog {
    doors: WatchdogDoors,
    children: Vec<Watched>,
    due: Option<Tau>,
    late_since: Option<(Tau, Tau)>,
}

impl Watchdog {
    /// A watchdog over these parts.
    #[must_use]
    pub fn new(doors: WatchdogDoors, children: Vec<Child>) -> Watchdog {
        children.iter().for_each(|child| doors.vitals.know(&child.name));
        let watched = |child| Watched { child, failures: 0, restarted_at: Tau::MIN, not_before: Tau::MIN };
        Watchdog { doors, children: children.into_iter().map(watched).collect(), due: None, late_since: None }
    }

    fn tick(&mut self, _: &mut Context<Self>) {
        self.doors.fail.reach("watchdog", "");
        let now = self.doors.clock.now();
        if let Some(due) = self.due
            && now.since(due) > LATE_NS
        {
            tracing::warn!(late_ms = now.since(due) / MS, "the reading thread was not running");
            let from = self.late_since.map_or(due, |(from, _)| from.min(due));
            self.late_since = Some((from, now));
            self.tell(ReaderLate { from, to: None });
        }
        self.due = Some(now.plus(TICK.as_nanos() as i64));
        if let Some((from, woken)) = self.late_since
            && now.since(woken) >= LOOK_AGAIN_NS
            && (self.doors.readers.are_drained_since(woken) || now.since(woken) > CATCH_UP_MAX_NS)
        {
            self.late_since = None;
            self.tell(ReaderLate { from, to: Some(now) });
        }
        self.look_after(now);
    }

    fn tell(&self, late: ReaderLate) {
        if self.doors.late.try_send(late).is_err() {
            tracing::warn!("the collector is too busy to be told that readers were late");
        }
    }

    fn look_after(&mut self, now: Tau) {
        for watched in &mut self.children {
            if (watched.child.is_alive)() || now < watched.not_before {
                continue;
            }
            let has_lasted = now.since(watched.restarted_at) >= LASTING_NS;
            watched.failures = if has_lasted { 1 } else { watched.failures.saturating_add(1) };
            watched.restarted_at = now;
            let wait_ns = BACKOFF_MAX_NS.min(SECOND << watched.failures.min(8));
            watched.not_before = now.plus(wait_ns);
            tracing::error!(part = %watched.child.name, restarts = watched.failures, "a part ended by itself and is restarted");
            (watched.child.restart)();
            self.doors.vitals.restarted(&watched.child.name);
            restarted(&self.doors.happened, &watched.child.name, watched.child.source.clone());
        }
    }
}

/// Tells people that a part was started anew.
pub(super) fn restarted(happened: &Recipient<Happened>, name: &str, source: Option<String>) {
    let text = format!("{name} ended by itself and was started anew");
    if happened.try_send(Happened { kind: "part_restarted", source, text }).is_err() {
        tracing::debug!(part = name, "the collector was not told of the restart");
    }
}

impl Actor for Watchdog {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(TICK, Self::tick);
    }
}

impl Handler<Beat> for Watchdog {
    type Result = ();

    fn handle(&mut self, _: Beat, _: &mut Self::Context) {}
}

impl Handler<Stop> for Watchdog {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
