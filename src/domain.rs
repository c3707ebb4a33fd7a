//! The pure half: everything hard is decided here.
//!
//! Nothing below this module names an actor, a runtime, a file, a socket or a clock; the present is always an argument.

pub mod address;
pub mod cid;
pub mod did;
pub mod frame;
pub mod op;
pub mod time;
pub mod window_kind;
