//! Histories of faults against a ground truth: the invariants of the ledger, each with the broken engines that it must catch.
//!
//! One number makes a whole history: what the primary published, what every mirror really did, how links, reader and
//! observer failed. `MIRRORWATCH_SEED` plays one history, `MIRRORWATCH_HISTORIES` more of them than usual.

mod audit;
mod check;
mod compare;
mod dice;
mod finish;
mod mutants;
mod plan;
mod play;
mod script;
mod world;

use check::Violation;
use plan::Plan;
use play::{Play, Playing};
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::{First, World};

/// Histories of an ordinary run.
const HISTORIES: u64 = 2_000;

/// Plays the history of a seed and compares it with a changed one.
fn history(seed: u64, playing: &Playing, shell: plan::Shell) -> Result<(), Violation> {
    let plan = Plan { shell, ..Plan::of(seed) };
    let world = World::new(plan, First::AsPlanned);
    let ledger = Play::new(&world, playing.clone()).run()?;
    compare::with_another(seed, &world, &ledger, playing)
}

/// The same, with a panic of the engine as a violation.
fn guarded(seed: u64, playing: &Playing, shell: plan::Shell) -> Result<(), Violation> {
    catch_unwind(AssertUnwindSafe(|| history(seed, playing, shell))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Err(Violation { invariant: "panic", text: text.unwrap_or_default() })
    })
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Plays every `of`th history from `first`.
fn histories(first: u64, of: u64) {
    let count = number("MIRRORWATCH_HISTORIES").unwrap_or(HISTORIES);
    let seeds = number("MIRRORWATCH_SEED").map_or(0..count, |seed| seed..seed + 1);
    for seed in seeds.filter(|s| s % of == first) {
        if let Err(v) = guarded(seed, &Playing::default(), plan::Shell::Right) {
            panic!(
                "{}: {}\nplay it again with MIRRORWATCH_SEED={seed} cargo test property::histories",
                v.invariant, v.text
            );
        }
    }
}

// Four tests, so that the harness plays them at the same time.
#[test]
fn histories_0() {
    histories(0, 4);
}

#[test]
fn histories_1() {
    histories(1, 4);
}

#[test]
fn histories_2() {
    histories(2, 4);
}

#[test]
fn histories_3() {
    histories(3, 4);
}
