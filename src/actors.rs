//! The actix shell, thin: each actor moves messages between a door and the pure half, and decides nothing itself.
//!
//! Actors hold a `Recipient` of whom they tell, never another actor's address; one recipient for each producer, made once,
//! because every clone has a slot of its own in the mailbox. Who talks to whom is put together in `app` alone.

pub mod anchors;
mod asked;
pub mod auditor;
pub mod collector;
pub mod export_poller;
mod feed;
pub mod inbox;
pub mod keeper;
pub mod known_dids;
pub mod line;
pub mod message;
pub mod mirror_stream;
pub mod peering;
pub mod reader;
pub mod resolver;
pub mod rtt_pinger;
pub mod snapshot_writer;
pub mod validator;
pub mod vitals;
pub mod watchdog;
