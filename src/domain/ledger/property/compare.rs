//! Two histories that differ in one thing, and what must then be the same.

use super::check::{Checked, Violation, ensure, figures};
use super::dice::Dice;
use super::play::{Play, Playing, verdicts};
use super::world::{First, START, World};
use crate::domain::finding::Finding;
use crate::domain::interval::ExtraState;
use crate::domain::ledger::Ledger;
use crate::domain::op::OpKey;
use crate::domain::source::SourceIx;
use crate::domain::time::Tau;
use crate::domain::verdict::{Cell, Reason, Verdict};
use std::collections::HashMap;

/// Plays the history of the seed once more, changed in a way that the seed chooses.
pub fn with_another(seed: u64, world: &World, ledger: &Ledger, playing: &Playing) -> Result<(), Violation> {
    let plan = &world.plan;
    let again = |playing: Playing| Play::new(world, playing).run();
    // What a kill takes away depends on what was kept by then: two such histories are not the same one.
    let is_killed = plan.crashes > 0;
    match (seed / 4) % 6 {
        0 => {
            let shift_ms = Dice::new(seed, 5).between(-90_000_000, 90_000_000);
            let other = again(Playing { label_shift_ms: shift_ms, ..playing.clone() })?;
            all_same("I8", world, ledger, &other)
        }
        1 if !is_killed && !plan.has_caps => {
            let other = again(Playing { order: seed ^ 0xabcd, ..playing.clone() })?;
            all_same("I9", world, ledger, &other)
        }
        2 if !plan.has_caps && !is_killed => {
            let other = again(Playing { repeats: true, ..playing.clone() })?;
            all_same("I14", world, ledger, &other)
        }
        3 if !is_killed && !plan.has_caps => {
            let other = again(Playing { false_alarms: alarms(world), ..playing.clone() })?;
            wider("I12", world, ledger, &other)
        }
        4 | 5 if !is_killed => {
            let first = if (seed / 4) % 6 == 4 { First::Absent } else { First::Hostile };
            others_same(world, first, ledger, playing)
        }
        _ => Ok(()),
    }
}

type Extras = HashMap<OpKey, (ExtraState, Reason)>;

fn extras(ledger: &Ledger, m: usize) -> Extras {
    ledger.foreigns.sightings().filter(|s| usize::from(s.mirror) == m).map(|s| (s.key, (s.state, s.reason))).collect()
}

fn all_same(invariant: &'static str, world: &World, one: &Ledger, other: &Ledger) -> Checked {
    (0..world.plan.mirrors).try_for_each(|m| mirror_same(invariant, world, m, one, other, &|_| true))
}

/// The same verdicts of mirror `m` for the operations that are compared, and the same extras.
fn mirror_same(
    invariant: &'static str,
    world: &World,
    m: usize,
    one: &Ledger,
    other: &Ledger,
    is_compared: &dyn Fn(usize) -> bool,
) -> Checked {
    let (left, right) = (verdicts(world, one, m), verdicts(world, other, m));
    for i in (0..world.ops.len()).filter(|&i| is_compared(i)) {
        let (cell, counterpart) = (left.get(&i).copied(), right.get(&i).copied());
        let holds = cell.zip(counterpart).map_or(cell == counterpart, |(c, d)| is_same(c, d));
        ensure(holds, invariant, || format!("operation {i} at mirror {m}: {} and {}", show(cell), show(counterpart)))?;
    }
    let (left, right) = (extras(one, m), extras(other, m));
    for key in left.keys().chain(right.keys()).filter(|k| world.by_cid.get(&k.cid).is_none_or(|&i| is_compared(i))) {
        let (state, counterpart) = (left.get(key), right.get(key));
        ensure(state == counterpart, invariant, || format!("an extra of mirror {m}: {state:?} and {counterpart:?}"))?;
    }
    Ok(())
}

/// The same but for what may differ: what comes around a deadline may have been called missed or unknown in between, and what
/// has no timing may have come first by another way. Of what was withdrawn or disputed the verdict alone says something.
fn is_same(cell: Cell, other: Cell) -> bool {
    if matches!(cell.verdict(), Verdict::Withdrawn | Verdict::Disputed) {
        return cell.verdict() == other.verdict() || cell.verdict() == Verdict::Disputed && other.delivery().is_some();
    }
    let plain = |c: Cell| Cell(c.0 & 0xffff & !Cell(0).healed().credited().0);
    plain(cell) == plain(other) && (cell.verdict() == Verdict::Present || cell.raw_us() == other.raw_us())
}

fn show(cell: Option<Cell>) -> String {
    cell.map_or_else(
        || "nothing".to_owned(),
        |c| {
            let flags = (c.is_early(), c.is_healed(), c.is_credited(), c.is_sampled());
            format!("{:?} {:?} {:?} {} {flags:?}", c.verdict(), c.reason(), c.delivery(), c.raw_us())
        },
    )
}

fn alarms(world: &World) -> Vec<(Tau, Tau)> {
    let mut dice = Dice::new(world.plan.seed, 6);
    let span_ns = world.times.last.since(START);
    let mut alarms = Vec::new();
    for _ in 0..3 {
        let from = START.plus(dice.between(0, span_ns));
        let to = from.plus(dice.ms(200, 8_000));
        let is_free = |f: &crate::domain::time::Span| to < f.from || f.to.plus(1_000_000_000) < from;
        if world.times.freezes.iter().chain(&world.times.crashes).all(is_free) {
            alarms.push((from, to));
        }
    }
    alarms
}

/// A wider impairment only takes timing away or makes unknown what was missed.
fn wider(invariant: &'static str, world: &World, a: &Ledger, b: &Ledger) -> Checked {
    for m in 0..world.plan.mirrors {
        let (left, right) = (verdicts(world, a, m), verdicts(world, b, m));
        for (i, l) in &left {
            let Some(r) = right.get(i) else { continue };
            let (l, r) = (l.verdict(), r.verdict());
            let holds = l == r
                || matches!(
                    (l, r),
                    (Verdict::OnTime | Verdict::Late, Verdict::Present)
                        | (Verdict::Missed, Verdict::Unknown)
                        // What was not missed yet when it was disputed may still be delivered.
                        | (Verdict::Disputed, _)
                );
            ensure(holds, invariant, || format!("operation {i} at mirror {m}: {l:?}, and {r:?} with more flags"))?;
        }
    }
    Ok(())
}

/// I11: the first mirror is another, or not there; the others' figures are the same.
fn others_same(world: &World, first: First, ledger: &Ledger, playing: &Playing) -> Checked {
    if world.plan.has_stall || world.plan.has_delay {
        return Ok(());
    }
    let other = World::new(world.plan.clone(), first);
    let changed = Play::new(&other, playing.clone()).run()?;
    // What the primary's stream did not bring, or late, may be found out because a mirror has it: that alone couples mirrors, through
    // the primary's own export. So operations that only one of the two histories knows live are not compared.
    let is_live = |l: &Ledger, i: usize| {
        let row = l.ring.find(&world.ops[i].op.key.cid).and_then(|n| l.ring.row(n));
        row.map(|row| (row.is_filled, row.p))
    };
    let is_compared = |i: usize| is_live(ledger, i) == is_live(&changed, i);
    for m in 1..world.plan.mirrors {
        mirror_same("I11", world, m, ledger, &changed, &is_compared)?;
        if !(0..world.ops.len()).all(is_compared) {
            continue;
        }
        for (k, interval) in ledger.intervals.iter() {
            let same = changed.interval(k).is_some_and(|i| figures(&i.mirrors[m]) == figures(&interval.mirrors[m]));
            ensure(same || interval.primary_ops == 0, "I11", || format!("interval {k} of mirror {m} differs"))?;
        }
        let findings = |l: &Ledger| {
            let of_mirror: HashMap<OpKey, Finding> =
                l.findings.found().iter().filter(|f| f.0.0 == SourceIx::mirror(m)).map(|f| (f.0.1, *f.1)).collect();
            of_mirror
        };
        let (left, right) = (findings(ledger), findings(&changed));
        ensure(left == right, "I11", || format!("findings of mirror {m}: {left:?} and {right:?}"))?;
    }
    Ok(())
}
