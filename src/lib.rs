//! mirrorwatch watches the did:plc directory and its mirrors and tells, with evidence, how complete, how late and how
//! truthful each mirror is. The one promise: a mirror is never blamed for what the observer or the primary did.
//!
//! # Bird's eye
//!
//! ```text
//! source --frames--> reader task (notes the instant of the read) --> MirrorStream actor --> Collector actor (owns the Ledger)
//! RttPinger actor ---------------------- round trips -------------------------^   |
//!                                                                               | picture (shared, copied when written)
//!            recomputer (own interval, blocking pool, panic-safe) <-------------+
//!                 | view -> JSON -> gzip, br -> ETag -> Published (arc-swap)
//! browser, API <--+ handler: one load, clone of finished bytes             browser <- live: which page has a new revision
//! SnapshotWriter actor <- journal, final intervals, cursors, misses: one transaction a second -> SQLite
//! ```
//!
//! A frame is stamped where it is read and parsed beside it; the ledger alone decides what it means; readers of the API
//! get bytes that were finished before they asked. Long windows are merges of intervals, so that no figure costs more when
//! there were more operations.
//!
//! # Map
//!
//! - [`domain`]: the pure half. [`domain::ledger`] judges; [`domain::window`] knows what we saw; [`domain::link`] and
//!   [`domain::fill`] how to resume without loss; [`domain::frame`] what passes for an operation; [`domain::view`] what the
//!   API shows. Start reading at [`domain::ledger::Ledger`].
//! - [`ports`]: the doors: clock, dialer, export, probe, store.
//! - [`logux`]: the protocol by which nodes share their logs; pure as well.
//! - [`actors`]: the actix shell around both, thin.
//! - [`recompute`] and [`publish`]: pages in the background, and the place where readers find them.
//! - [`http`]: routes, the live socket, problems, limits.
//! - [`app`]: puts the parts together and takes them apart in order; [`cli`], [`config`], [`telemetry`]: what the operator
//!   says and sees.
//! - `sim` (feature `simulator`): a directory and mirrors that misbehave on purpose, for the demo and the tests.
//!
//! # Invariants
//!
//! What is deliberately absent, each kept by a test:
//!
//! - `domain` names no actor, runtime, file, socket or clock; the present is an argument (`tests/integration/tidy.rs`).
//! - `http` and `recompute` never name `actors`; an actor holds a `Recipient`, never another's address (the same).
//! - No verdict, lag or window depends on the wall clock: labels alone do (`domain::ledger::property`).
//! - `missed` and `extra` need a proof that everything reached us; a hole, an eviction or a restart gives `unknown`
//!   (`domain::ledger::property`, each rule with a broken engine that the tests catch).
//! - An interval is shown as final only when it is on disk (`domain::ledger::tests`, `tests/integration/crash.rs`).
//! - A crash at any step of any write is a time of not observing, and of 1.1 s at most (`actors::collector::crashes`,
//!   `tests/integration/crash.rs`).
//! - A disk that is full or fails stops no measuring and no page, and costs nothing that was kept
//!   (`actors::collector::troubles`, `tests/integration/disk.rs`).
//! - Damaged state is moved aside, told and recovered as far as it can be read; a mirror is not blamed for what is lost of it
//!   (`domain::ledger::tests::loss`, `ports::store::tests::damage`, `tests/integration/damage.rs`).
//! - What is kept is bounded by its retention, and hours and days are what their intervals were (`actors::collector::years`).
//! - A request never waits for a computation of a canonical page (`benches/read_path.rs`).
//! - A hostile mirror hurts only its own figures, and is read no faster than its share (`tests/integration/hostile.rs`,
//!   [`domain::throttle`]).
//! - A part that panics comes back by itself, and one that does not answer is told (`tests/integration/panics.rs`).
//! - It stops within 3 s with every socket told, and at once at a second signal (`tests/integration/lifecycle.rs`); SIGHUP
//!   costs an unchanged mirror nothing (`tests/integration/reload.rs`); the supervisor is told how it is
//!   (`tests/integration/supervision.rs`).
//! - Nodes that share a log lose no action and take none twice, whatever is cut (`logux::property`); what one may not write is
//!   confirmed and not kept; nothing of it is there without nodes in the configuration (`tests/integration/logux.rs`).
//! - Every queue, map, list, body, frame and wait has a named limit beside the code that keeps it.

pub mod actors;
pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod http;
pub mod logux;
pub mod ports;
pub mod publish;
pub mod recompute;
#[cfg(feature = "simulator")]
pub mod sim;
pub mod telemetry;
