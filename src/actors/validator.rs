//! The validator: checks by all rules what the primary publishes, on a thread of its own.
//!
//! A signature costs a thousand times what reading a frame costs, so nobody ever waits for it: streams leave operations at
//! the [`ValidatorDoor`] once the ledger has them, the queue behind it is bounded in operations and in bytes, and what does
//! not fit is counted as not validated and let go. What breaks a rule is told to the collector.

use super::line::Line;
use super::message::{Beat, Invalid};
use crate::domain::op::{Op, OpKey};
use crate::domain::validity::keeper::{Keeper, Known};
use crate::domain::view::ValidityCounts;
use crate::ports::fail_point::FailPoints;
use actix::prelude::SendError;
use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, WrapFuture};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Operations that wait at most: about three seconds of work.
pub const QUEUE_OPS: usize = 8_192;
/// Bytes of operations that wait at most.
pub const QUEUE_BYTES: usize = 8 << 20;
/// Mailbox places: each holds what one message of a stream brought.
const MAILBOX: usize = 1_024;

/// What waits, and what was done, shared by the door and the actor.
#[derive(Debug, Default)]
pub struct ValidatorLoad {
    queued_ops: AtomicUsize,
    queued_bytes: AtomicUsize,
    validated: AtomicU64,
    not_validated: AtomicU64,
    invalid: AtomicU64,
    /// Taken from the queue.
    taken: AtomicU64,
    /// Times after which operations may be missing between those that came.
    gaps: AtomicU64,
    is_closed: AtomicBool,
}

impl ValidatorLoad {
    /// The counts since the start.
    #[must_use]
    pub fn counts(&self) -> ValidityCounts {
        ValidityCounts {
            validated: self.validated.load(Ordering::Relaxed),
            not_validated: self.not_validated.load(Ordering::Relaxed),
            invalid: self.invalid.load(Ordering::Relaxed),
            queued: self.queued_ops.load(Ordering::Relaxed) as u64,
            queue_limit: QUEUE_OPS as u64,
        }
    }

    /// Operations that were taken from the queue, checked or let go.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Lets go of everything that waits and that will come: the process is about to end.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Lets go of everything that waits, because whoever should check it is gone.
    pub fn forget_queue(&self) {
        let ops = self.queued_ops.swap(0, Ordering::Relaxed);
        self.queued_bytes.store(0, Ordering::Relaxed);
        self.not_validated(ops as u64);
    }

    /// Takes room for an operation; false when there is none.
    fn admit(&self, bytes: usize) -> bool {
        // One stream alone leaves operations here, so that nothing grows between the look and the taking.
        if self.queued_ops.load(Ordering::Relaxed) >= QUEUE_OPS
            || self.queued_bytes.load(Ordering::Relaxed) + bytes > QUEUE_BYTES
        {
            return false;
        }
        self.queued_ops.fetch_add(1, Ordering::Relaxed);
        self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    fn release(&self, bytes: usize) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        // What was let go of with another validator is not let go of again.
        let less = |held: usize, by: usize| Some(held.saturating_sub(by));
        let _ = self.queued_ops.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| less(held, 1));
        let _ = self.queued_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| less(held, bytes));
    }

    fn not_validated(&self, ops: u64) {
        self.not_validated.fetch_add(ops, Ordering::Relaxed);
        self.note_gap();
    }

    fn note_gap(&self) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
    }
}

/// An operation that is left to be checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submitted {
    /// Its identity.
    pub key: OpKey,
    /// `createdAt`, milliseconds since 1970.
    pub created_ms: i64,
    /// Its signed content as JSON.
    pub operation: Box<str>,
}

impl Submitted {
    /// An operation with the content that its frame brought.
    #[must_use]
    pub fn new(op: &Op, operation: &str) -> Submitted {
        Submitted { key: op.key, created_ms: op.created_ms, operation: operation.into() }
    }
}

/// To the validator: check these, in this order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Validate(Vec<Submitted>);

/// Where the primary's stream leaves operations; never waits.
pub struct ValidatorDoor {
    to: Line<Validate>,
    load: Arc<ValidatorLoad>,
}

impl ValidatorDoor {
    /// A door to the validator that shares this load.
    #[must_use]
    pub fn new(to: Line<Validate>, load: Arc<ValidatorLoad>) -> ValidatorDoor {
        ValidatorDoor { to, load }
    }

    /// Leaves operations; what does not fit is counted.
    pub fn offer(&self, mut ops: Vec<Submitted>) {
        let offered = ops.len();
        ops.retain(|op| self.load.admit(op.operation.len()));
        if ops.len() < offered {
            self.load.not_validated((offered - ops.len()) as u64);
        }
        if ops.is_empty() {
            return;
        }
        if let Err(SendError::Full(Validate(ops)) | SendError::Closed(Validate(ops))) = self.to.try_send(Validate(ops))
        {
            for op in &ops {
                self.load.release(op.operation.len());
            }
            self.load.not_validated(ops.len() as u64);
        }
    }

    /// Notes that operations may have been published that are not left here.
    pub fn note_gap(&self) {
        self.load.note_gap();
    }
}

/// The actor.
pub struct Validator {
    keeper: Keeper,
    load: Arc<ValidatorLoad>,
    seen_gaps: u64,
    collector: Recipient<Invalid>,
    fail: FailPoints,
}

impl Validator {
    /// A validator that knows no operation yet.
    #[must_use]
    pub fn new(load: Arc<ValidatorLoad>, collector: Recipient<Invalid>, fail: FailPoints) -> Validator {
        Validator { keeper: Keeper::default(), load, seen_gaps: 0, collector, fail }
    }

    fn check(&mut self, op: &Submitted) -> Option<Invalid> {
        let gaps = self.load.gaps.load(Ordering::Relaxed);
        if std::mem::replace(&mut self.seen_gaps, gaps) != gaps {
            self.keeper.note_gap();
        }
        let result = self.keeper.check(&op.key, op.created_ms, &op.operation);
        // A gap is filled, and a chain of pages asked for, with operations that came before.
        if result != Ok(Known::Again) {
            self.load.validated.fetch_add(1, Ordering::Relaxed);
        }
        let violation = result.err()?;
        self.load.invalid.fetch_add(1, Ordering::Relaxed);
        Some(Invalid { key: op.key, rule: violation.rule, text: violation.text })
    }
}

impl Actor for Validator {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Beat> for Validator {
    type Result = ();

    fn handle(&mut self, _: Beat, _: &mut Self::Context) {}
}

impl Handler<Validate> for Validator {
    type Result = ();

    fn handle(&mut self, msg: Validate, ctx: &mut Self::Context) {
        self.fail.reach("validator", "");
        let mut found = Vec::new();
        for op in &msg.0 {
            if self.load.is_closed.load(Ordering::Relaxed) {
                self.load.not_validated(1);
            } else {
                found.extend(self.check(op));
            }
            self.load.release(op.operation.len());
        }
        if found.is_empty() {
            return;
        }
        // The next operations wait until the collector has these: it is never flooded.
        let sending: Vec<_> = found.into_iter().map(|invalid| self.collector.send(invalid)).collect();
        let telling = async move {
            for request in sending {
                if request.await.is_err() {
                    tracing::debug!("the collector has gone");
                }
            }
        };
        ctx.wait(telling.into_actor(self));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::did::Did;
    use crate::domain::op::Kind;
    use crate::domain::validity::Rule;
    use crate::sim::op::OpMaker;
    use std::sync::Mutex;

    /// Takes what is found.
    struct Listener(Arc<Mutex<Vec<Invalid>>>);

    impl Actor for Listener {
        type Context = Context<Self>;
    }

    impl Handler<Invalid> for Listener {
        type Result = ();

        fn handle(&mut self, msg: Invalid, _: &mut Self::Context) {
            self.0.lock().unwrap().push(msg);
        }
    }

    fn submitted(key: u8, operation: &str) -> Submitted {
        Submitted {
            key: OpKey { did: Did([key; 15]), cid: Cid([key; 32]) },
            created_ms: 0,
            operation: operation.into(),
        }
    }

    #[actix::test]
    async fn what_breaks_a_rule_is_told_and_everything_is_counted() {
        let found = Arc::new(Mutex::new(Vec::new()));
        let load = Arc::new(ValidatorLoad::default());
        let listener = Listener(Arc::clone(&found)).start();
        let validator = Validator::new(Arc::clone(&load), listener.recipient(), FailPoints::default()).start();
        let door = ValidatorDoor::new(Line::new(validator.recipient()), Arc::clone(&load));
        let mut maker = OpMaker::new(5);
        let good: Vec<Submitted> = (0..20)
            .map(|n| maker.of_kind(Kind::Genesis, n))
            .map(|op| Submitted { key: op.key, created_ms: op.created_ms, operation: op.operation.as_str().into() })
            .collect();
        door.offer(good.clone());
        door.offer(good);
        door.offer(vec![submitted(1, "{}"), submitted(2, "[]")]);
        while load.counts().queued > 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let rules: Vec<(u8, Rule)> = found.lock().unwrap().iter().map(|i| (i.key.cid.0[0], i.rule)).collect();
        assert_eq!(rules, [(1, Rule::MissingField), (2, Rule::BadForm)]);
        let counts = load.counts();
        assert_eq!((counts.validated, counts.not_validated, counts.invalid), (22, 0, 2));
    }

    #[actix::test]
    async fn what_does_not_fit_is_counted_and_never_waits() {
        let found = Arc::new(Mutex::new(Vec::new()));
        let load = Arc::new(ValidatorLoad::default());
        let listener = Listener(Arc::clone(&found)).start();
        let validator = Validator::new(Arc::clone(&load), listener.recipient(), FailPoints::default()).start();
        let door = ValidatorDoor::new(Line::to(&validator), Arc::clone(&load));
        // Nothing runs between these: the actor shares this thread.
        let large = "x".repeat(QUEUE_BYTES / 4);
        door.offer((0..6).map(|_| submitted(1, &large)).collect());
        assert_eq!((load.counts().queued, load.counts().not_validated), (4, 2));
        while load.counts().queued > 0 {
            tokio::task::yield_now().await;
        }
        door.offer((0..QUEUE_OPS + 3).map(|_| submitted(1, "{}")).collect());
        assert_eq!((load.counts().queued, load.counts().not_validated), (QUEUE_OPS as u64, 5));
        load.close();
        while load.counts().queued > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(load.counts().not_validated, 5 + QUEUE_OPS as u64, "what waits at the end is let go at once");
        assert_eq!(load.queued_bytes.load(Ordering::Relaxed), 0);
    }
}
