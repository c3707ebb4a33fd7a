//! The stream of a plcbundle server: no numbers, and a replay of its mempool at each connect.

use super::MirrorStream;
use crate::actors::message::SourceEvent;
use crate::domain::fill::{Anchor, FillStep};
use crate::domain::frame::Shape;
use crate::domain::mempool::{Refill, Refilled};
use crate::domain::op::Op;
use crate::domain::time::Tau;
use actix::Context;

/// Which stream it is.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Dialect {
    /// The reference server's.
    #[default]
    Export,
    /// A plcbundle server's.
    Bundle,
}

impl Dialect {
    /// Where it is.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Dialect::Export => super::STREAM_PATH,
            Dialect::Bundle => "/ws",
        }
    }

    pub(super) const fn shape(self) -> Shape {
        match self {
            Dialect::Export => Shape::Sequenced,
            Dialect::Bundle => Shape::Bundled,
        }
    }
}

impl MirrorStream {
    pub(super) fn is_bundle(&self) -> bool {
        self.settings.dialect == Dialect::Bundle
    }

    /// Begins to look for the last known operation in the replay.
    pub(super) fn start_refill(&mut self, last_known: Anchor) {
        let now = self.now();
        self.refill = Some(Refill::new(last_known.key, now, now.plus(self.settings.fill_settle_ns)));
    }

    /// An operation of the present connection, in its order.
    pub(super) fn note_bundled(&mut self, op: &Op, at: Tau) {
        self.live_high = Some(Anchor { seq: 0, key: op.key });
        if let Some(refill) = &mut self.refill {
            refill.op(&op.key, at);
        }
    }

    /// Everything that was sent before `through` has come: the replay may be over.
    pub(super) fn refilled(&mut self, through: Tau, events: &mut Vec<SourceEvent>, ctx: &mut Context<Self>) {
        let Some(refill) = &self.refill else { return };
        let step = match refill.proved(through) {
            Refilled::NotYet => return,
            Refilled::Closed => FillStep::Closed,
            Refilled::Hole => FillStep::Hole("what the source sends again at connect begins too late".to_owned()),
        };
        self.refill = None;
        self.follow(step, events, ctx);
    }
}
