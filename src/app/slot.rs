//! The running actor of a place, which a restart replaces.

use crate::actors::message::Stop;
use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message, Recipient};
use std::sync::{Arc, Mutex, PoisonError};

/// See the module's words; clones are the same place.
pub(super) struct Slot<A: Actor>(Arc<Mutex<Addr<A>>>);

impl<A: Actor> Clone for Slot<A> {
    fn clone(&self) -> Self {
        Slot(Arc::clone(&self.0))
    }
}

impl<A: Actor> Slot<A> {
    pub(super) fn new(address: Addr<A>) -> Slot<A> {
        Slot(Arc::new(Mutex::new(address)))
    }

    pub(super) fn address(&self) -> Addr<A> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn replace(&self, address: Addr<A>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }

    pub(super) fn is_alive(&self) -> bool {
        self.address().connected()
    }

    pub(super) fn recipient<M>(&self) -> Recipient<M>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        self.address().recipient()
    }

    /// Ends the actor; one that has ended already is fine.
    pub(super) async fn stop(&self)
    where
        A: Handler<Stop>,
        A::Context: ToEnvelope<A, Stop>,
    {
        self.address().send(Stop).await.unwrap_or_default();
    }
}
