//! What must hold when everything has been said.

use super::check::{Checked, Witness, ensure};
use super::plan::Faults;
use super::world::{Form, World};
use crate::domain::interval::{Acc, ExtraState, Interval};
use crate::domain::lag::LagHistogram;
use crate::domain::ledger::Ledger;
use crate::domain::op::{Kind, OpKey};
use crate::domain::ring::Row;
use crate::domain::rollup::merge;
use crate::domain::source::SourceIx;
use crate::domain::time::SECOND;
use crate::domain::verdict::{Cell, Reason, Verdict};
use crate::domain::window_kind::WindowKind;

/// All of it; `is_true` when nothing was flagged that did not happen.
pub fn check(world: &World, ledger: &Ledger, witness: &Witness, is_true: bool) -> Checked {
    sums(world, ledger)?;
    rollups(ledger)?;
    received(world, ledger, witness)?;
    if is_true {
        verdicts(world, ledger)?;
        extras(world, ledger)?;
    }
    Ok(())
}

/// I6: every accumulator is the sum of what is held.
pub fn sums(world: &World, ledger: &Ledger) -> Checked {
    for (k, interval) in ledger.intervals.iter() {
        if interval.evicted_ops == 0 {
            same(world, ledger, interval, &format!("interval {k}"), |row| row.interval == k, |s| s.interval == k)?;
        }
        for (m, acc) in interval.mirrors.iter().enumerate() {
            let (not, all) = (acc.verdict(Verdict::NotEligible), u64::from(interval.primary_ops));
            ensure(acc.eligible() + not == all, "I6", || {
                format!("interval {k}, mirror {m}: eligible {} and {not} not, of {all}", acc.eligible())
            })?;
        }
    }
    if world.plan.has_caps {
        return Ok(());
    }
    for (k, slot) in ledger.slots.iter() {
        let seen = |s: &super::super::extra::Sighting| ledger.slot_of(s.q) == k;
        same(world, ledger, slot, &format!("slot {k}"), |row| ledger.slot_of(row.p) == k, seen)?;
    }
    Ok(())
}

fn same(
    world: &World,
    ledger: &Ledger,
    counted: &Interval,
    name: &str,
    holds: impl Fn(&Row) -> bool,
    sees: impl Fn(&super::super::extra::Sighting) -> bool,
) -> Checked {
    let rows: Vec<(u64, Row)> = (ledger.ring.base()..ledger.ring.next())
        .filter_map(|n| Some((n, *ledger.ring.row(n)?)))
        .filter(|r| holds(&r.1))
        .collect();
    ensure(counted.primary_ops as usize == rows.len(), "I6", || {
        format!("{name}: {} operations counted, {} held", counted.primary_ops, rows.len())
    })?;
    for m in 0..world.plan.mirrors {
        let cells: Vec<(Row, Cell)> = rows.iter().map(|&(n, row)| (row, ledger.ring.cell(n, m).unwrap())).collect();
        let acc = &counted.mirrors[m];
        let at = |what: &str| format!("{name}, mirror {m}: {what} differs from what is held");
        for v in Verdict::ALL {
            let n = cells.iter().filter(|c| c.1.verdict() == v).count() as u64;
            ensure(acc.verdict(v) == n, "I6", || format!("{}: {} and {n}", at(v.name()), acc.verdict(v)))?;
        }
        let judged = cells.iter().filter(|c| c.1.verdict() != Verdict::NotEligible);
        let flags = judged.fold([0; 3], |f, (_, c)| {
            [f[0] + u64::from(c.is_early()), f[1] + u64::from(c.is_healed()), f[2] + u64::from(c.is_credited())]
        });
        ensure(acc.flags() == flags, "I6", || format!("{}: {:?} and {flags:?}", at("flags"), acc.flags()))?;
        for kind in Kind::ALL {
            let decided = || cells.iter().filter(|c| c.0.kind == kind && c.1.verdict().is_decided());
            let n = (decided().count() as u64, decided().filter(|c| c.1.verdict() == Verdict::Missed).count() as u64);
            ensure(acc.kind(kind) == n, "I6", || at(kind.name()))?;
        }
        extras_and_lag(ledger, acc, m, &cells, &at, &sees)?;
    }
    Ok(())
}

fn extras_and_lag(
    ledger: &Ledger,
    acc: &Acc,
    m: usize,
    cells: &[(Row, Cell)],
    at: &dyn Fn(&str) -> String,
    sees: &dyn Fn(&super::super::extra::Sighting) -> bool,
) -> Checked {
    for state in ExtraState::ALL {
        let of_it = ledger.foreigns.sightings().filter(|s| usize::from(s.mirror) == m && s.state == state && sees(s));
        let n = of_it.filter(|s| s.reason != Reason::TooOld).count() as u64;
        ensure(acc.extra(state) == n, "I6", || format!("{} {state:?}: {} and {n}", at("extras"), acc.extra(state)))?;
    }
    let mut raw = LagHistogram::default();
    cells.iter().filter(|c| c.1.is_sampled()).for_each(|c| raw.record(c.1.raw_us()));
    ensure(acc.raw == raw, "I4", || at("lag"))
}

fn rollups(ledger: &Ledger) -> Checked {
    let current = ledger.interval_of(ledger.now);
    for hour in ledger.rollups.hour_of(current.saturating_sub(400))..=ledger.rollups.hour_of(current) {
        let Some(kept) = ledger.rollups.hour(hour).filter(|_| !ledger.dirty_hours.contains(&hour)) else { continue };
        let last = ledger.rollups.first_of(hour + 1).min(current) - 1;
        let parts = ledger.intervals.between(ledger.rollups.first_of(hour), last);
        let merged = merge(ledger.mirrors.len(), parts.map(|i| &**i.1));
        ensure(merged.is_some_and(|i| i.mirrors == kept.mirrors && i.primary_ops == kept.primary_ops), "I6", || {
            format!("hour {hour} is not the sum of its intervals")
        })?;
    }
    windows(ledger)
}

/// I6: every window's figures are the sum of the intervals in it.
fn windows(ledger: &Ledger) -> Checked {
    let capture = ledger.capture(false);
    for kind in WindowKind::ALL.into_iter().filter(|k| !matches!(k, WindowKind::M5 | WindowKind::M15)) {
        let last = ledger.interval_of(ledger.now);
        let count = (kind.seconds() * 1_000 / ledger.params.interval_ms) as u32;
        let parts = || ledger.intervals.between(last.saturating_sub(count), last);
        let counted = capture.counts(kind).interval;
        for m in 0..ledger.mirrors.len() {
            for v in Verdict::ALL {
                let n: u64 = parts().map(|i| i.1.mirrors[m].verdict(v)).sum();
                ensure(counted.mirrors[m].verdict(v) == n, "I6", || {
                    format!("{kind:?}, mirror {m}: {} {} and {n}", v.name(), counted.mirrors[m].verdict(v))
                })?;
            }
        }
    }
    Ok(())
}

/// I5: what came is counted once, by source.
fn received(world: &World, ledger: &Ledger, witness: &Witness) -> Checked {
    let plan = &world.plan;
    if plan.crashes > 0 || plan.has_caps || plan.has_drops {
        return Ok(());
    }
    for (s, keys) in witness.arrived.iter().enumerate() {
        let is_counted = |k: &&OpKey| ledger.ring.find(&k.cid).is_none() || world.is_published(k);
        let n = keys.iter().filter(is_counted).count() as u64;
        let counted = ledger.source(SourceIx(s as u16)).unwrap().received;
        ensure(counted == n, "I5", || format!("source {s}: {counted} received, in truth {n}"))?;
    }
    Ok(())
}

/// Everything is decided in the end; I7 and I17: with few or no faults every verdict is the truth.
fn verdicts(world: &World, ledger: &Ledger) -> Checked {
    for number in ledger.ring.base()..ledger.ring.next() {
        let row = ledger.ring.row(number).unwrap();
        let i = world.by_cid[&row.cid];
        let op = &world.ops[i];
        for m in 0..world.plan.mirrors {
            let cell = ledger.ring.cell(number, m).unwrap();
            let v = cell.verdict();
            // What only the primary's export has brought waits an hour for its stream.
            let is_decided = v != Verdict::Pending || ledger.is_ahead_of_stream(row);
            ensure(is_decided, "I17", || format!("operation {i} at mirror {m} is never decided: {cell:?}"))?;
            // What a mirror sent before it was observed is not known to have been sent.
            let script = &world.scripts[m + 1];
            let d = script.deliveries.get(&op.op.key);
            if d.is_some_and(|d| script.first_open.is_none_or(|first| d.due < first)) {
                continue;
            }
            let name = if world.plan.faults == Faults::None { "I7" } else { "I17" };
            let is_learned =
                world.learned.iter().any(|l| l.op == i) && matches!(v, Verdict::Withdrawn | Verdict::Disputed);
            if world.plan.faults == Faults::Any || v == Verdict::NotEligible || is_learned {
                continue;
            }
            let holds = match d {
                None => v == Verdict::Missed,
                Some(_) => matches!(v, Verdict::OnTime | Verdict::Late | Verdict::Present),
            };
            ensure(holds, name, || format!("operation {i} at mirror {m} is {cell:?} {v:?}, in truth {d:?}"))?;
            if world.plan.faults == Faults::None
                && let Some(d) = d
            {
                let lag_ns = d.due.since(world.scripts[0].deliveries[&op.op.key].due);
                let is_late = lag_ns > world.mirror_params[m].on_time_ns;
                ensure(v == if is_late { Verdict::Late } else { Verdict::OnTime }, "I7", || {
                    format!("operation {i} at mirror {m} is {v:?}, {lag_ns} ns after the primary")
                })?;
            }
        }
    }
    eligible(world, ledger)
}

/// I7: what is judged begins with the mirror's first window.
fn eligible(world: &World, ledger: &Ledger) -> Checked {
    if world.plan.faults != Faults::None {
        return Ok(());
    }
    for number in ledger.ring.base()..ledger.ring.next() {
        let row = ledger.ring.row(number).unwrap();
        for (m, script) in world.scripts.iter().skip(1).enumerate() {
            let from = script.first_open.map(|at| at.plus(world.plan.look_back_ns));
            let is_eligible = ledger.ring.cell(number, m).unwrap().verdict() != Verdict::NotEligible;
            ensure(is_eligible == from.is_some_and(|from| row.p >= from), "I7", || {
                format!("operation {number} at mirror {m}: eligible {is_eligible}")
            })?;
        }
    }
    Ok(())
}

/// I7, I17: what a mirror invented is found.
fn extras(world: &World, ledger: &Ledger) -> Checked {
    if world.plan.faults == Faults::Any {
        return Ok(());
    }
    let known_from = ledger.source(SourceIx::PRIMARY).unwrap().windows.first().unwrap();
    let safe = known_from.plus(60 * SECOND + world.plan.look_back_ns + 2 * SECOND);
    for (s, items) in world.items.iter().enumerate().skip(1) {
        for item in items.iter().filter(|i| i.form == Form::Invented && i.sent > safe.plus(10 * SECOND)) {
            let of_it = |x: &&super::super::extra::Sighting| x.key == item.op.key && usize::from(x.mirror) + 1 == s;
            let state = ledger.foreigns.sightings().find(of_it).map(|x| (x.state, x.reason));
            let is_found = matches!(state, Some((ExtraState::Extra | ExtraState::Explained, Reason::None)));
            ensure(is_found, "I17", || format!("an invented operation of mirror {} is {state:?}", s - 1))?;
        }
    }
    Ok(())
}
