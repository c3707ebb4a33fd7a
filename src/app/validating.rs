//! The validator in place, on a thread that nothing else shares.

use crate::actors::collector::Collector;
use crate::actors::validator::{Validator, ValidatorDoor, ValidatorLoad};
use actix::{Actor, Addr, Arbiter};
use std::sync::Arc;

/// The validator's thread, and what it tells of its work.
pub(super) struct Validating {
    pub(super) load: Arc<ValidatorLoad>,
    arbiter: Arbiter,
}

impl Default for Validating {
    fn default() -> Validating {
        Validating { load: Arc::default(), arbiter: Arbiter::new() }
    }
}

impl Validating {
    /// Starts the validator; the door to it is the primary's stream's alone.
    pub(super) fn start(&self, collector: &Addr<Collector>) -> Arc<ValidatorDoor> {
        let (load, told) = (Arc::clone(&self.load), collector.clone().recipient());
        let validator = Validator::start_in_arbiter(&self.arbiter.handle(), move |_| Validator::new(load, told));
        Arc::new(ValidatorDoor::new(validator.recipient(), Arc::clone(&self.load)))
    }

    /// Lets go of what waits and ends the thread.
    pub(super) fn stop(&self) {
        self.load.close();
        self.arbiter.stop();
    }
}
