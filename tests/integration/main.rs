//! The integration tests, in one binary so that they are linked once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking; the lint's own exemption covers unit tests alone"
)]

mod adapters;
mod audit;
mod bench_gate;
mod browser;
mod check;
mod delivery;
mod diff;
mod disk;
mod kills;
mod lifecycle;
mod mirrors;
mod panics;
mod primary;
mod quirks;
mod reload;
mod restart;
mod software;
mod supervision;
mod tidy;
mod turbulence;
mod usage;
mod validity;
mod world;
