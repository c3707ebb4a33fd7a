//! The snapshot writer: one transaction at a time, on a thread of its own.

use super::message::{Beat, Keep, KeepError, Stop};
use crate::ports::fail_point::FailPoints;
use crate::ports::log_book::LogBook;
use crate::ports::store::{PrunePlan, SharedStore, Store, StoreError};
use actix::{Actor, ActorContext, ActorFutureExt, AtomicResponse, Context, Handler, ResponseFuture, WrapFuture};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// Mailbox places; the collector has one transaction under way.
const MAILBOX: usize = 4;
/// Transactions between two prunings, unless there was more to forget than one may.
const PRUNE_EVERY: u64 = 600;

/// The actor.
#[derive(Clone)]
pub struct SnapshotWriter {
    store: SharedStore,
    plan: Plan,
    /// Transactions so far.
    kept: u64,
    /// Whether the last pruning left something to forget.
    has_more: bool,
    log: Option<LogBook>,
    fail: FailPoints,
}

/// Says what may be forgotten now.
pub type Plan = Arc<dyn Fn() -> PrunePlan + Send + Sync>;

impl SnapshotWriter {
    /// A writer to `store` that forgets what `plan` says and tells `log`, where there are nodes, that it has grown; `fail` is
    /// where tests make it fail.
    #[must_use]
    pub const fn new(store: SharedStore, plan: Plan, log: Option<LogBook>, fail: FailPoints) -> SnapshotWriter {
        SnapshotWriter { store, plan, kept: 0, has_more: false, log, fail }
    }
}

fn told(error: &StoreError) -> KeepError {
    let class = match error {
        e if e.is_disk_full() => "disk_full",
        e if e.is_read_only() => "read_only",
        e if e.is_io() => "io",
        _ => "other",
    };
    KeepError { class, text: error.to_string() }
}

/// Forgets what the plan allows; whether there is more.
fn prune(store: &mut dyn Store, plan: &PrunePlan, log: Option<&LogBook>) -> bool {
    match store.prune(plan) {
        Ok(report) => {
            if let Some(log) = log {
                log.counts().dropped.fetch_add(report.log_dropped, Ordering::Relaxed);
            }
            report.more
        }
        Err(error) => {
            tracing::warn!(%error, "pruning failed; it is tried again");
            false
        }
    }
}

fn closed() -> KeepError {
    KeepError { class: "other", text: "state: the store is closed".to_owned() }
}

impl Actor for SnapshotWriter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Keep> for SnapshotWriter {
    // One after the other: a stop must not overtake a transaction.
    type Result = AtomicResponse<Self, Result<(), KeepError>>;

    fn handle(&mut self, msg: Keep, _: &mut Self::Context) -> Self::Result {
        self.fail.reach("writer", "");
        self.kept += 1;
        let plan = (self.has_more || self.kept.is_multiple_of(PRUNE_EVERY)).then(|| (self.plan)());
        let (store, log, fail) = (Arc::clone(&self.store), self.log.clone(), self.fail.clone());
        let keeping = async move {
            let written = actix_rt::task::spawn_blocking(move || {
                let mut guard = store.lock().unwrap_or_else(PoisonError::into_inner);
                let store = guard.as_mut().ok_or_else(closed)?;
                fail.reach("commit", "");
                store.commit(&msg.0).map_err(|e| told(&e))?;
                if let Some(log) = &log {
                    log.look(store.as_mut());
                }
                Ok(plan.is_some_and(|plan| prune(store.as_mut(), &plan, log.as_ref())))
            });
            written.await.unwrap_or_else(|e| Err(KeepError { class: "other", text: format!("state: {e}") }))
        };
        AtomicResponse::new(Box::pin(keeping.into_actor(self).map(|kept, writer, _| {
            writer.has_more = *kept.as_ref().unwrap_or(&false);
            kept.map(drop)
        })))
    }
}

impl Handler<Beat> for SnapshotWriter {
    type Result = ();

    fn handle(&mut self, _: Beat, _: &mut Self::Context) {}
}

impl Handler<Stop> for SnapshotWriter {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) -> Self::Result {
        let store = Arc::clone(&self.store);
        ctx.stop();
        Box::pin(async move {
            let closing = actix_rt::task::spawn_blocking(move || {
                let taken = store.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(Err(e)) = taken.map(Store::close) {
                    tracing::warn!(error = %e, "closing the store failed; what was committed is safe");
                }
            });
            if let Err(e) = closing.await {
                tracing::warn!(error = %e, "closing the store failed");
            }
        })
    }
}
