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
mod asvs;
mod audit;
mod bench_gate;
mod best;
mod browser;
mod browser_live;
mod check;
mod crash;
mod crowd;
mod damage;
mod delivery;
mod demo;
mod diff;
mod disk;
mod endpoints;
mod feeds;
mod fuzz;
mod half_open;
mod hostile;
mod kills;
mod lifecycle;
mod live_ops;
mod log;
mod logux;
mod metrics;
mod mirrors;
mod node_events;
mod official_server;
mod openapi;
mod panics;
mod past;
mod peers;
mod primary;
mod promises;
mod quirks;
mod refusals;
mod reload;
mod remembered;
mod restart;
mod shortage;
mod software;
mod spoken;
mod ssrf;
mod states;
mod storm;
mod supervision;
mod supply_chain;
mod tables;
mod tidy;
mod turbulence;
mod usage;
mod validity;
mod vantages;
mod wall_clock;
mod world;
