//! What a node is told at its making.

use std::fmt;
use std::sync::Arc;

use super::entry::Entry;
use super::message::Protocol;
use super::subprotocol::Subprotocol;

/// Which side of a connection a node is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// It connects, corrects its times, and remembers what was exchanged.
    Client,
    /// It is connected to, and checks who comes.
    Server,
}

/// Who someone says to be.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Credentials<'a> {
    /// Its name, `user:client:tab`.
    pub node_id: &'a str,
    /// What proves the user.
    pub token: Option<&'a str>,
}

/// What the other side may send, and what it gets.
#[derive(Clone)]
pub struct Rights {
    /// Changes what comes in, before it is filtered.
    pub in_map: Arc<dyn Fn(Entry) -> Entry + Send + Sync>,
    /// What of it is kept; the rest is confirmed and forgotten.
    pub in_filter: Arc<dyn Fn(&Entry) -> bool + Send + Sync>,
    /// What goes out, old and new.
    pub out_filter: Arc<dyn Fn(&Entry) -> bool + Send + Sync>,
    /// Changes what goes out, after it was filtered.
    pub out_map: Arc<dyn Fn(Entry) -> Entry + Send + Sync>,
}

impl Rights {
    /// Everything, unchanged, in both directions.
    #[must_use]
    pub fn all() -> Rights {
        Rights {
            in_map: Arc::new(|entry| entry),
            in_filter: Arc::new(|_| true),
            out_filter: Arc::new(|_| true),
            out_map: Arc::new(|entry| entry),
        }
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Rights")
    }
}

/// Decides who is let in, and with which rights.
pub type Authenticate = dyn Fn(Credentials<'_>) -> Option<Rights> + Send + Sync;

/// See the module's words.
#[derive(Clone)]
pub struct Options {
    /// Its own name.
    pub node_id: String,
    /// Which side it is.
    pub role: Role,
    /// What a client speaks; a server speaks what its client does.
    pub speaks: Protocol,
    /// The version of what its actions mean. A node that states none of its own is let in.
    pub subprotocol: Subprotocol,
    /// Proves its own user to the other side.
    pub token: Option<String>,
    /// Who is let in.
    pub authenticate: Arc<Authenticate>,
    /// So long after the last message received a sign of life is asked for, milliseconds.
    pub ping_ms: u64,
    /// So long an answer may take, milliseconds.
    pub timeout_ms: u64,
    /// What the other side is known to have of this log (of a client; a server is told).
    pub last_sent: u64,
    /// What is kept of the other side's log (of a client).
    pub last_received: u64,
    /// The last number of this log.
    pub head: u64,
}
