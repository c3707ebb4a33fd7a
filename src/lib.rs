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
//! - [`logux`]: the protocol by which nodes share their logs; pure as well. [`domain::node_table`] chooses whom to connect to,
//!   and [`actors::peering`] obeys it.
//! - [`actors`]: the actix shell around both, thin.
//! - [`recompute`] and [`publish`]: pages in the background, and the place where readers find them.
//! - [`http`]: routes, the live socket, problems, limits.
//! - [`app`]: puts the parts together and takes them apart in order; [`cli`], [`config`], [`telemetry`]: what the operator
//!   says and sees.
//! - `sim` (feature `simulator`): a directory and mirrors that misbehave on purpose, for the demo and the tests.
//!
//! # Promises
//!
//! What is published, each beside tests that fail when it is broken (`tests/integration/promises.rs` sees to it that they are
//! there):
//!
//! | | promise | tests |
//! |---|---|---|
//! | 1 | no operation is called missed or extra because the observer or the primary was not looking | `engines_that_blame_mirrors_are_caught`, `a_lost_primary_makes_no_misses_and_no_extras`, `a_primary_that_fails_or_takes_back_blames_no_mirror`, `links_that_go_silent_are_noticed_and_blame_nobody` |
//! | 2 | no lag, window or verdict depends on the system's clock | `a_wall_clock_that_steps_changes_no_verdict`, `a_freeze_of_any_length_is_told_and_no_lag_is_measured_in_it`, `the_pure_half_is_pure` |
//! | 3 | an end without a goodbye costs about a second, told as observer down; nothing acknowledged is lost or counted twice | `ten_kills_count_nothing_twice_and_blame_nobody`, `killed_in_pairs_0`, `every_acknowledged_commit_outlasts_a_crash` |
//! | 4 | a full or broken disk destroys nothing that was kept and does not stop the measuring | `a_full_disk_is_told_and_measuring_goes_on`, `writes_that_fail_are_told_and_survived`, `a_file_system_that_turns_read_only_is_told_and_survived`, `a_sync_that_fails_once_is_told_and_survived` |
//! | 5 | a hostile mirror hurts its own figures alone, and memory is bounded | `hostile_mirrors_change_no_figure_of_another_and_cost_little`, `a_poisoned_number_is_told_and_leads_no_cursor_astray` |
//! | 6 | a reader cannot slow the measurement | `a_handler_that_sleeps_for_20_ms_is_over_budget`, `a_thousand_live_sockets_hear_of_changes_whoever_else_does_not_read`, `a_flood_of_details_neither_multiplies_work_nor_stalls_pages`, `readers_take_no_file_from_the_sources_or_the_database` |
//! | 7 | a dead connection is noticed within 20 s | `links_that_go_silent_are_noticed_and_blame_nobody`, `unacknowledged_bytes_are_death_and_silence_is_not` |
//! | 8 | it stops within 3 s, with every socket told why | `a_stop_takes_leave_of_every_page`, `a_second_signal_ends_it_at_once` |
//! | 9 | every figure has its count, its uncertainty and the share of time observed, and what cannot be told is `null` with a reason | `the_interval_holds_the_share_and_known_values`, `a_percentile_needs_five_samples_above_it`, `the_share_of_the_watched_time` |
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
//! - What hosts were asked and answered, and when links were up, is kept with the findings that rest on it: a restart forgets
//!   neither (`actors::collector::crashes`, `tests/integration/remembered.rs`).
//! - A disk that is full or fails stops no measuring and no page, and costs nothing that was kept
//!   (`actors::collector::troubles`, `tests/integration/disk.rs`).
//! - Damaged state is moved aside, told and recovered as far as it can be read; a mirror is not blamed for what is lost of it
//!   (`domain::ledger::tests::loss`, `ports::store::tests::damage`, `tests/integration/damage.rs`).
//! - What is kept is bounded by its retention, and hours and days are what their intervals were (`actors::collector::years`).
//! - A request never waits for a computation of a canonical page (`benches/read_path.rs`).
//! - The API is what its document says: each answer, status and problem code stands there, and nothing else does
//!   (`http::tests::openapi`, `tests/integration/openapi.rs`).
//! - Whatever the world sends is read as another reader reads it, or refused for a reason that is so, in one harmless line
//!   (`tests/integration/fuzz.rs`, with the properties, the corpus and the targets for cargo-fuzz in `tests/fuzz`).
//! - A hostile mirror hurts only its own figures, is read no faster than its share, and costs 64 MB at most
//!   (`tests/integration/hostile.rs`, [`domain::throttle`]).
//! - A part that panics comes back by itself, and one that does not answer is told (`tests/integration/panics.rs`).
//! - It stops within 3 s with every socket told, and at once at a second signal (`tests/integration/lifecycle.rs`); SIGHUP
//!   costs an unchanged mirror no operation (`tests/integration/reload.rs`); the supervisor is told how it is
//!   (`tests/integration/supervision.rs`).
//! - A client of channels gets each state once and one answer to each action (`logux::channels`), as npm's client and
//!   server have it (`tests/integration/logux.rs`, `tests/integration/official_server.rs`).
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
