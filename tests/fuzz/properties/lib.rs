//! What must hold whatever the world sends: one function for each way in, which panics when it does not.
//!
//! The functions are shared: cargo-fuzz calls them with inputs that it finds by coverage (`fuzz_targets`), and the
//! ordinary tests with the corpus and with inputs that they mutate themselves (`tests/integration/fuzz.rs`). Each
//! compares the program's reader with one of its own, made from nothing but `serde_json`.

mod audit_log;
mod close_reason;
mod config;
mod export_line;
mod frame;
mod import;
mod logux;
mod query;
mod reference;

pub use audit_log::audit_log;
pub use close_reason::close_reason;
pub use config::config;
pub use export_line::export_line;
pub use frame::frame;
pub use import::import;
pub use logux::logux;
pub use query::query;
pub use reference::{Entries, cid_of};
