//! mirrorwatch watches the did:plc directory and its mirrors.

pub mod actors;
pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod http;
pub mod ports;
pub mod publish;
pub mod recompute;
#[cfg(feature = "simulator")]
pub mod sim;
pub mod telemetry;
