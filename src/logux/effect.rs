//! What the owner of a node has to do, and how a node stands.

use super::entry::Entry;
use super::json::Json;

/// How a connection stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum State {
    /// There is none.
    Disconnected,
    /// Both sides are getting to know each other.
    Connecting,
    /// Something that was sent is not confirmed.
    Sending,
    /// Both have everything.
    Synchronized,
}

/// Why a node ends its connection.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Close {
    /// One side broke the rules; nothing comes of trying the same again at once.
    Error,
    /// One side will never let the other in; trying again is useless.
    Refused,
    /// The other side did not answer in time.
    Timeout,
    /// Too much came before the other side said who it is.
    TooMuch,
    /// What was received could not be kept; it will be sent again.
    NotKept,
    /// The owner wants so.
    Destroyed,
}

/// Something for the owner to do, in this order.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Send this text.
    Send(String),
    /// The other side is let in, under this name; older connections of the same client are to be destroyed.
    LetIn(String),
    /// Keep these for good, then call [`super::Node::on_kept`]; those that are there already are no error.
    Keep(Vec<Entry>),
    /// Read up to so many entries behind this number, oldest first, then call [`super::Node::on_page`].
    Read {
        /// The last number that was read.
        after: u64,
        /// Entries at most.
        limit: usize,
    },
    /// Remember, across connections, that the other side has everything of ours up to this number.
    Sent(u64),
    /// Remember, across connections, that everything of the other side's up to this number is kept here.
    Received(u64),
    /// The state changed.
    State(State),
    /// The other side named an error of ours, or told something for developers.
    Told {
        /// Its kind.
        kind: String,
        /// More of it.
        options: Option<Json>,
    },
    /// End the connection.
    Close(Close),
}
