//! Sending to an actor, and how many messages wait there: actix shows no mailbox, so whoever sends counts.

use actix::{MailboxError, Message, Recipient};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Messages that were sent to an actor and are not answered yet; clones count together. Bounded by who sends: each waits for
/// the answer before the next.
#[derive(Clone, Debug, Default)]
pub struct Depth(Arc<AtomicUsize>);

impl Depth {
    /// As many now.
    #[must_use]
    pub fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn enter(&self) -> Waiting {
        self.0.fetch_add(1, Ordering::Relaxed);
        Waiting(self.clone())
    }
}

/// One message that waits; it is taken off the count when its answer has come or nobody waits for it any more.
struct Waiting(Depth);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where one producer sends its messages.
#[derive(Debug)]
pub struct Inbox<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    to: Recipient<M>,
    depth: Depth,
}

impl<M> Clone for Inbox<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn clone(&self) -> Self {
        Inbox { to: self.to.clone(), depth: self.depth.clone() }
    }
}

impl<M> Inbox<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    /// Of this actor, counted by `depth`.
    #[must_use]
    pub fn new(to: Recipient<M>, depth: Depth) -> Inbox<M> {
        Inbox { to, depth }
    }

    /// Sends a message at once; the future is its answer.
    ///
    /// # Errors
    /// When the actor is gone.
    pub fn send(&self, message: M) -> impl Future<Output = Result<M::Result, MailboxError>> + use<M> {
        let (waiting, request) = (self.depth.enter(), self.to.send(message));
        async move {
            let answer = request.await;
            drop(waiting);
            answer
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix::{Actor, Context, Handler, ResponseFuture};
    use tokio::sync::oneshot::{Receiver, channel};

    struct Slow;

    impl Actor for Slow {
        type Context = Context<Self>;
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Wait(Receiver<()>);

    impl Handler<Wait> for Slow {
        type Result = ResponseFuture<()>;

        fn handle(&mut self, Wait(until): Wait, _: &mut Self::Context) -> Self::Result {
            Box::pin(async move { until.await.unwrap() })
        }
    }

    #[actix::test]
    async fn what_is_sent_waits_until_it_is_answered_or_given_up() {
        let depth = Depth::default();
        let inbox = Inbox::new(Slow.start().recipient(), depth.clone());
        let (go, until) = channel();
        let (_held, never) = channel();
        let (first, second) = (inbox.send(Wait(until)), inbox.send(Wait(never)));
        assert_eq!(depth.now(), 2);
        go.send(()).unwrap();
        first.await.unwrap();
        assert_eq!(depth.now(), 1);
        drop(second);
        assert_eq!(depth.now(), 0);
    }
}
