//! What connections tell whoever chooses peers.

use crate::domain::node_table::uplink::End;
use crate::logux::{Entry, State};

/// Of one connection.
#[derive(Debug)]
pub(super) enum Told {
    /// The other side let us in, under this name.
    Opened(String),
    /// Something came.
    Heard,
    /// A ping was answered; microseconds.
    Pong(i64),
    /// How the exchange stands.
    State(State),
    /// The other side has our log up to this number.
    Sent(u64),
    /// It told something of nodes.
    Beside(Entry),
    /// It is over, and why in words.
    Ended(End, String),
}

/// Which connection it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Which {
    /// The uplink's of this number.
    Uplink(u64),
    /// An errand to this address.
    Errand(String),
}

/// What is told.
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub(super) struct News {
    pub(super) of: Which,
    pub(super) told: Told,
}

/// Whether an error that the other side names means that it will never let us in.
pub(super) fn is_final(kind: &str) -> bool {
    matches!(kind, "wrong-protocol" | "wrong-subprotocol" | "wrong-credentials")
}
