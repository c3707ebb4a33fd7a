//! The Logux protocol, versions 5 and 7, as a state machine: texts and the present go in, effects come out.
//!
//! [`Node`] is one end of one connection. It names no socket, disk or clock: its owner carries out the [`Effect`]s and tells
//! it what came of them. What was received is confirmed only when the owner says that it is kept; what is sent comes from a
//! single cursor that walks the log by its numbers, so that nothing newer overtakes anything older, and no number is
//! told to the other side before all up to it was written to this connection.

pub mod channels;
pub mod effect;
pub mod entry;
pub mod fault;
pub mod id;
pub mod json;
pub mod kinds;
#[cfg(test)]
mod local_pair;
pub mod message;
pub mod node;
pub mod options;
pub mod peer_message;
#[cfg(test)]
mod property;
pub mod subprotocol;
#[cfg(test)]
mod tests;

pub use effect::{Close, Effect, State};
pub use entry::Entry;
pub use id::ActionId;
pub use json::Json;
pub use node::{Node, Now, Page};
pub use options::{Credentials, Options, Role};
