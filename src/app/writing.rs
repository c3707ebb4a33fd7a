//! The writer in place, and how it is started anew: the store outlives it.

use super::slot::Slot;
use crate::actors::line::Line;
use crate::actors::message::{Beat, Keep};
use crate::actors::snapshot_writer::SnapshotWriter;
use crate::actors::watchdog::Child;
use actix::{Actor, ArbiterHandle, Recipient};

/// The running writer.
#[derive(Clone)]
pub(super) struct Writing {
    slot: Slot<SnapshotWriter>,
    /// Where the collector sends transactions.
    pub(super) line: Line<Keep>,
    made: SnapshotWriter,
    arbiter: ArbiterHandle,
}

impl Writing {
    pub(super) fn start(made: SnapshotWriter, arbiter: ArbiterHandle) -> Writing {
        let writer = made.clone();
        let address = SnapshotWriter::start_in_arbiter(&arbiter, move |_| writer);
        Writing { line: Line::to(&address), slot: Slot::new(address), made, arbiter }
    }

    /// Whom to ask whether it is there.
    pub(super) fn beat(&self) -> Recipient<Beat> {
        self.slot.recipient()
    }

    /// Closes the store.
    pub(super) async fn stop(&self) {
        self.slot.stop().await;
    }

    /// A transaction that was under way is sent again: every row replaces the row of its key.
    pub(super) fn child(self) -> Child {
        let watched = self.slot.clone();
        Child {
            name: "writer".to_owned(),
            source: None,
            is_alive: Box::new(move || watched.is_alive()),
            restart: Box::new(move || {
                let writer = self.made.clone();
                let fresh = SnapshotWriter::start_in_arbiter(&self.arbiter, move |_| writer);
                self.line.connect(fresh.clone().recipient());
                self.slot.replace(fresh);
            }),
        }
    }
}
