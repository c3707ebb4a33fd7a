//! The composition root: builds ports, arbiters, actors, recomputers and the server, and stops them in order.
//!
//! Everything that is put in a place is put there here: the system's arbiter drives recomputers, one arbiter has all
//! streams, pingers and their watchdog, one the collector and its writer; the server has its own workers.

mod auditing;
#[cfg(feature = "simulator")]
pub mod demo;
mod details;
mod open_files;
mod outside;
mod parts;
mod pictures;
mod run;
mod settings;
mod sources;
mod state;

pub use auditing::{Auditing, audit_gap};
pub use parts::{App, Assembled, Outside, StartError};
pub use run::{import, run};
pub use state::{Opened, open_state};

#[cfg(feature = "simulator")]
pub use demo::demo;
