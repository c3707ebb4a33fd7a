//! What the owner of a table has to do.

use super::message::Message;

/// Where a message comes from or goes to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Link {
    /// The node that we are connected to.
    Uplink,
    /// A node that is connected to us, by the number that its link was opened with.
    Inbound(u64),
    /// The node at this address, over a connection that ends with the answer.
    Errand(String),
}

/// Something for the owner to do, in this order. Nodes are named by their addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Connect to this node, which becomes the uplink.
    Connect(String),
    /// End the uplink's connection, or the attempt at it.
    Disconnect,
    /// Connect to this node for as long as it takes to ping it, and say what came of it.
    Test(String),
    /// Send this.
    Send(Link, Message),
    /// This node is known no more.
    Remove(String),
}
