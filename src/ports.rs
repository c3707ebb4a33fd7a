//! (to be written)

pub mod store;
