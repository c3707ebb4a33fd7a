//! The measure of the property tests themselves: every broken engine must be caught, by an invariant that it breaks.

use super::plan::Shell;
use super::play::Playing;
use super::{Violation, guarded};
use crate::domain::ledger::mutant::Mutant;

/// Histories that a broken engine may survive.
const TRIES: u64 = 1_200;

/// Plays histories until one is caught; the invariant, and after how many histories.
fn caught(mutant: Option<Mutant>, shell: Shell) -> Option<(Violation, u64)> {
    let playing = Playing { mutant, ..Playing::default() };
    (0..TRIES).find_map(|seed| Some((guarded(seed, &playing, shell).err()?, seed + 1)))
}

fn must_die(mutants: &[(Mutant, &[&str])]) {
    let mut survivors = Vec::new();
    for &(mutant, invariants) in mutants {
        match caught(Some(mutant), Shell::Right) {
            Some((v, after)) => {
                println!("{mutant:?}: {} after {after} histories: {}", v.invariant, v.text);
                if !invariants.contains(&v.invariant) {
                    survivors.push(format!("{mutant:?} was caught by {} ({})", v.invariant, v.text));
                }
            }
            None => survivors.push(format!("{mutant:?} was not caught")),
        }
    }
    assert!(survivors.is_empty(), "{survivors:#?}");
}

#[test]
fn engines_that_blame_mirrors_are_caught() {
    must_die(&[
        (Mutant::NoWindows, &["I1"]),
        (Mutant::NoGrace, &["I1"]),
        (Mutant::EdgeCut, &["I1"]),
        (Mutant::DecidedBeforeProved, &["I1"]),
        (Mutant::ZeroGraceAfterFill, &["I1"]),
        (Mutant::DropBlamesMirror, &["I1"]),
        (Mutant::IgnorePrimaryWindow, &["I2"]),
        (Mutant::KeysDroppedEarly, &["I2"]),
        (Mutant::StalledPrimaryIsSilence, &["I2"]),
        (Mutant::LaggingAfterHole, &["I2"]),
    ]);
}

#[test]
fn shells_that_break_the_rules_of_proof_are_caught() {
    for shell in [Shell::AcknowledgementIsDelivery, Shell::FillClosedTooEarly] {
        let (v, after) = caught(None, shell).unwrap_or_else(|| panic!("{shell:?} was not caught"));
        println!("{shell:?}: {} after {after} histories: {}", v.invariant, v.text);
        assert!(["I1", "I2"].contains(&v.invariant), "{shell:?}: {}: {}", v.invariant, v.text);
    }
}

#[test]
fn engines_that_mistake_timing_are_caught() {
    must_die(&[
        (Mutant::FilledIsLive, &["I1", "I3", "I4"]),
        (Mutant::FrozenSpanCounts, &["I3", "I4"]),
        (Mutant::QueuedIsLive, &["I3", "I4"]),
        (Mutant::WallClockLag, &["I4"]),
        (Mutant::NoPeerReset, &["I4"]),
        (Mutant::WallClockVerdict, &["I3", "I8"]),
        (Mutant::OrderLeaks, &["I4", "I9"]),
        (Mutant::FlagVoidsTooMuch, &["I7"]),
    ]);
}

#[test]
fn engines_that_miscount_are_caught() {
    must_die(&[
        (Mutant::CountBeforeDedupe, &["I5"]),
        (Mutant::DuplicateCountsAgain, &["I5", "I6"]),
        (Mutant::RepeatIsNews, &["I4", "I5", "I14"]),
        (Mutant::Clamp, &["I6"]),
        (Mutant::UnboundedKeys, &["I13"]),
        (Mutant::ForbiddenEdge, &["I15"]),
        (Mutant::FinalBeforeCommit, &["I16"]),
    ]);
}

#[test]
fn engines_that_know_less_or_mix_mirrors_up_are_caught() {
    must_die(&[
        (Mutant::AlwaysUnknown, &["I7", "I17"]),
        (Mutant::EveryFlagBlocksMissed, &["I17"]),
        (Mutant::SharedDenominators, &["I1", "I7", "I11"]),
        (Mutant::SharedCaps, &["I11"]),
        (Mutant::FlagsOfOthers, &["I11"]),
    ]);
}

#[test]
fn engines_that_mistake_what_hosts_say_are_caught() {
    must_die(&[
        (Mutant::UncountedWithdrawal, &["I6"]),
        (Mutant::DisputeBlamesDeliverers, &["I15"]),
        (Mutant::DisputeForgotten, &["I15"]),
        (Mutant::SharedFindings, &["I11"]),
        (Mutant::OrderAcrossLinks, &["order"]),
    ]);
}
