//! What nodes tell each other about nodes.

/// The name of a message, the same wherever it is relayed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageId {
    /// Milliseconds of its maker's clock; larger than that of the message before.
    pub ms: i64,
    /// Its maker.
    pub node_id: String,
}

/// What is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Says {
    /// Its maker and whom that is connected to; relayed to everyone.
    ConnectedNodes(Vec<String>),
    /// There is such a node.
    DistantNode {
        /// Its name.
        node_id: String,
        /// Where it is; `None` where it is whom the receiver connected to.
        address: Option<String>,
    },
    /// The receiver is not among the nodes that its sender can reach, which are so many.
    Defragment {
        /// The sender with all that it can reach.
        nodes: u64,
    },
    /// The answer: the receiver of this one is to connect to its sender.
    DefragmentGreaterCount,
}

/// One message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its name.
    pub id: MessageId,
    /// Its content.
    pub says: Says,
}
