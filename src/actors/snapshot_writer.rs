//! The snapshot writer: one transaction at a time, on a thread of its own.

use super::message::{Keep, KeepError, Stop};
use crate::ports::store::{PrunePlan, Store, StoreError};
use actix::{Actor, ActorContext, AtomicResponse, Context, Handler, ResponseFuture, WrapFuture};
use std::sync::{Arc, Mutex, PoisonError};

/// Mailbox places; the collector has one transaction under way.
const MAILBOX: usize = 4;
/// Transactions between two prunings.
const PRUNE_EVERY: u64 = 600;

/// The actor. The store is behind a lock because it is used on the blocking pool; there is one user at a time.
pub struct SnapshotWriter {
    store: Arc<Mutex<Option<Box<dyn Store>>>>,
    plan: Arc<dyn Fn() -> PrunePlan + Send + Sync>,
    kept: u64,
}

impl SnapshotWriter {
    /// A writer into `store`; `plan` tells what may be forgotten.
    #[must_use]
    pub fn new(store: Box<dyn Store>, plan: Arc<dyn Fn() -> PrunePlan + Send + Sync>) -> SnapshotWriter {
        SnapshotWriter { store: Arc::new(Mutex::new(Some(store))), plan, kept: 0 }
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
        self.kept += 1;
        let prune = self.kept.is_multiple_of(PRUNE_EVERY).then(|| (self.plan)());
        let store = Arc::clone(&self.store);
        let keeping = async move {
            let written = actix_rt::task::spawn_blocking(move || {
                let mut guard = store.lock().unwrap_or_else(PoisonError::into_inner);
                let store = guard.as_mut().ok_or_else(closed)?;
                store.commit(&msg.0).map_err(|e| told(&e))?;
                if let Some(plan) = prune
                    && let Err(e) = store.prune(&plan)
                {
                    tracing::warn!(error = %e, "pruning failed; it is tried again");
                }
                Ok(())
            });
            written.await.unwrap_or_else(|e| Err(KeepError { class: "other", text: format!("state: {e}") }))
        };
        AtomicResponse::new(Box::pin(keeping.into_actor(self)))
    }
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
