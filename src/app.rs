//! The composition root: builds ports, arbiters, actors, recomputers and the server, and stops them in order.
//!
//! Everything that is put in a place is put there here: the system's arbiter drives recomputers, one arbiter has all
//! streams, pingers and their watchdog, one the collector and its writer, one the
//! validator; the server has its own workers.

mod assembled;
mod auditing;
mod check;
#[cfg(feature = "simulator")]
pub mod demo;
mod details;
mod diff;
mod guardian;
pub mod huge_pages;
mod memory_watch;
mod nodes;
mod open_files;
mod outside;
mod parts;
mod past;
mod peering;
mod pictures;
pub mod print;
mod regions;
mod reload;
mod report;
mod run;
mod settings;
mod slot;
mod sources;
mod start_error;
mod state;
mod validating;
mod vantages;
mod writing;

pub use auditing::{Auditing, audit_gap};
pub use check::check;
pub use diff::diff;
pub use nodes::token;
pub use parts::{App, Outside};
pub use reload::Reload;
pub use report::report;
pub use run::{import, run};
pub use start_error::StartError;
pub use state::{Opened, open_state};

#[cfg(feature = "simulator")]
pub use demo::demo;
