//! How a server tells the history of a DID: as it was, or as one of its [`Lie`]s has it.
//!
//! Streams and `/export` are not touched by this: coverage can be perfect while the history is another one.

use super::log::Entry;
use super::op::SimOp;
use crate::domain::cid::Cid;
use std::sync::Arc;

/// Something that the logs of DIDs tell otherwise than it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lie {
    /// Nothing is ever called nullified.
    NeverNullified,
    /// This operation is not in the log.
    Without(Cid),
    /// Another one stands in the place of this operation.
    Instead(Cid, Arc<SimOp>),
    /// The newest comes first.
    Reversed,
    /// Everything was accepted a minute later.
    OtherCreatedAt,
}

/// The log of one DID, whose entries are in the order in which they came, as this server tells it.
pub(super) fn told(mut entries: Vec<Entry>, lies: &[Lie]) -> Vec<Entry> {
    for lie in lies {
        match lie {
            Lie::NeverNullified => entries.iter_mut().for_each(|entry| entry.nullified = false),
            Lie::Without(cid) => entries.retain(|entry| entry.op.key.cid != *cid),
            Lie::Instead(cid, other) => {
                let replaced = entries.iter_mut().filter(|entry| entry.op.key.cid == *cid);
                replaced.for_each(|entry| entry.op = Arc::clone(other));
            }
            Lie::Reversed => entries.reverse(),
            Lie::OtherCreatedAt => {
                entries.iter_mut().for_each(|entry| entry.op = Arc::new(entry.op.with_other_created_at()));
            }
        }
    }
    entries
}
