//! A line to an actor that may be replaced: whoever holds it reaches the present one.
//!
//! An actor that panics is gone, and its recipients with it. Where others go on, they hold a line, and whoever starts the
//! next actor connects it.

use actix::dev::ToEnvelope;
use actix::prelude::SendError;
use actix::{Actor, Addr, Handler, Message, Recipient};
use std::sync::{Arc, Mutex, PoisonError};

/// A line for one kind of message; clones are the same line.
pub struct Line<M>(Arc<Mutex<Recipient<M>>>)
where
    M: Message + Send + 'static,
    M::Result: Send;

impl<M> Clone for Line<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn clone(&self) -> Self {
        Line(Arc::clone(&self.0))
    }
}

impl<M> std::fmt::Debug for Line<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Line")
    }
}

impl<M> Line<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    /// A line to this actor.
    #[must_use]
    pub fn new(to: Recipient<M>) -> Line<M> {
        Line(Arc::new(Mutex::new(to)))
    }

    /// A line to the actor behind this address.
    #[must_use]
    pub fn to<A>(address: &Addr<A>) -> Line<M>
    where
        A: Actor + Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        Line::new(address.clone().recipient())
    }

    /// Leads to another actor from now on.
    pub fn connect(&self, to: Recipient<M>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// Leaves a message unless there is no room.
    ///
    /// # Errors
    /// The message, when its actor is busy or gone.
    pub fn try_send(&self, message: M) -> Result<(), SendError<M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).try_send(message)
    }

    /// Sends a message and waits for the answer.
    pub fn send(&self, message: M) -> actix::dev::RecipientRequest<M> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).send(message)
    }

    /// Whether the present actor is there.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).connected()
    }
}
