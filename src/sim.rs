//! A simulated directory and its mirrors, on loopback sockets.
//!
//! The demonstration runs against it, and the tests script it: the same servers, the same wire. It makes valid, signed
//! operations ([`op`]), serves them as the public directory does ([`server`]) and misbehaves on demand ([`behaviour`]),
//! keeping the truth that measurements are compared with ([`truth`], [`demo`]).
//!
//! Nothing that watches real sources uses this module, and it never listens on anything but the loopback address.

pub mod behaviour;
pub mod broken;
pub mod demo;
pub mod flood;
pub mod garbage;
pub mod history;
mod log;
pub mod op;
mod pages;
mod request;
pub mod server;
mod state;
mod stream;
pub mod truth;

#[cfg(test)]
mod tests;
