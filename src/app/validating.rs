//! The validator in place, on a thread that nothing else shares.

use super::slot::Slot;
use crate::actors::collector::Collector;
use crate::actors::line::Line;
use crate::actors::message::Beat;
use crate::actors::validator::{Validate, Validator, ValidatorDoor, ValidatorLoad};
use crate::actors::watchdog::Child;
use crate::ports::fail_point::FailPoints;
use actix::{Actor, Addr, Arbiter, ArbiterHandle, Recipient};
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

/// The running validator, and how it is started anew after a panic.
#[derive(Clone)]
pub(super) struct ValidatorSlot {
    slot: Slot<Validator>,
    line: Line<Validate>,
    load: Arc<ValidatorLoad>,
    arbiter: ArbiterHandle,
    collector: Addr<Collector>,
    fail: FailPoints,
}

fn start(
    arbiter: &ArbiterHandle,
    load: &Arc<ValidatorLoad>,
    collector: &Addr<Collector>,
    fail: &FailPoints,
) -> Addr<Validator> {
    let (load, told, fail) = (Arc::clone(load), collector.clone().recipient(), fail.clone());
    Validator::start_in_arbiter(arbiter, move |_| Validator::new(load, told, fail))
}

impl Validating {
    /// Starts the validator.
    pub(super) fn start(&self, collector: &Addr<Collector>, fail: &FailPoints) -> ValidatorSlot {
        let arbiter = self.arbiter.handle();
        let address = start(&arbiter, &self.load, collector, fail);
        ValidatorSlot {
            line: Line::to(&address),
            slot: Slot::new(address),
            load: Arc::clone(&self.load),
            arbiter,
            collector: collector.clone(),
            fail: fail.clone(),
        }
    }

    /// Lets go of what waits and ends the thread.
    pub(super) fn stop(&self) {
        self.load.close();
        self.arbiter.stop();
    }
}

impl ValidatorSlot {
    /// The door to the validator; it is the primary's stream's alone.
    pub(super) fn door(&self) -> Arc<ValidatorDoor> {
        Arc::new(ValidatorDoor::new(self.line.clone(), Arc::clone(&self.load)))
    }

    /// Whom to ask whether it is there.
    pub(super) fn beat(&self) -> Recipient<Beat> {
        self.slot.recipient()
    }

    pub(super) fn child(self) -> Child {
        let watched = self.slot.clone();
        Child {
            name: "validator".to_owned(),
            source: None,
            is_alive: Box::new(move || watched.is_alive()),
            restart: Box::new(move || {
                self.load.forget_queue();
                let fresh = start(&self.arbiter, &self.load, &self.collector, &self.fail);
                self.line.connect(fresh.clone().recipient());
                self.slot.replace(fresh);
            }),
        }
    }
}
