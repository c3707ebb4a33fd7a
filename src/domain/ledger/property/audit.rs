//! What asking hosts brings into a history: operations that were withdrawn or break the rules, and findings of misses and
//! extras; and what must hold of findings in the end.

use super::check::{Checked, ensure};
use super::dice::Dice;
use super::plan::Plan;
use super::world::{Form, TrueOp, World};
use crate::domain::did::Did;
use crate::domain::finding::{About, Finding};
use crate::domain::interval::ExtraState;
use crate::domain::ledger::Ledger;
use crate::domain::op::OpKey;
use crate::domain::source::SourceIx;
use crate::domain::time::Tau;
use crate::domain::verdict::Verdict;
use std::collections::{HashMap, HashSet};

/// What is learned of an operation of the primary, and when.
#[derive(Copy, Clone, Debug)]
pub struct Learned {
    pub at: Tau,
    pub op: usize,
    /// Withdrawn, or else against the rules.
    pub is_withdrawn: bool,
}

/// In a third of all histories a few operations are withdrawn or break the rules.
pub fn learned(plan: &Plan, ops: &[TrueOp]) -> Vec<Learned> {
    let mut dice = Dice::new(plan.seed, 8);
    let count = if dice.chance(350) { dice.between(1, 8) } else { 0 };
    let mut learned = Vec::new();
    for _ in 0..count {
        let op = dice.between(0, ops.len() as i64) as usize;
        let at = ops[op].sent.plus(dice.ms(50, 200_000));
        learned.push(Learned { at, op, is_withdrawn: dice.chance(500) });
    }
    learned
}

/// Tells the ledger what is known by now; what it does not hold is told again later, and all of it after a restart.
pub fn tell(world: &World, ledger: &mut Ledger, told: &mut HashSet<usize>, now: Tau) {
    for (i, l) in world.learned.iter().enumerate().filter(|(_, l)| l.at <= now) {
        let key = world.ops[l.op].op.key;
        if told.contains(&i) || ledger.number_of(&key).is_none() {
            continue;
        }
        if l.is_withdrawn {
            ledger.withdraw(&key);
        } else {
            ledger.dispute(&key);
        }
        told.insert(i);
    }
}

/// Answers every question; what is found depends on the operation alone.
pub fn explain(ledger: &mut Ledger) {
    for (source, key, about) in ledger.take_checks() {
        let of_miss = [Finding::StreamLoss, Finding::DataLoss, Finding::DidUnknown];
        let of_extra = [Finding::PrimaryDenies, Finding::KnownInvalid, Finding::Withdrawn, Finding::Unverifiable];
        let n = usize::from(key.cid.0[9]);
        let finding = match about {
            About::Miss => of_miss[n % of_miss.len()],
            About::Extra => of_extra[n % of_extra.len()],
        };
        ledger.found(source, &key, finding);
    }
}

/// In the end: what was withdrawn is so at every mirror, what is explained is no fault, and order is blamed on nobody who kept it.
pub fn check(world: &World, ledger: &Ledger, told: &HashSet<usize>) -> Checked {
    for l in told.iter().map(|i| &world.learned[*i]) {
        let Some(number) = ledger.number_of(&world.ops[l.op].op.key) else { continue };
        for m in 0..world.plan.mirrors {
            let v = ledger.ring.cell(number, m).unwrap().verdict();
            let is_open = || world.scripts[m + 1].first_open.is_none();
            let holds = if l.is_withdrawn {
                matches!(v, Verdict::Withdrawn | Verdict::NotEligible) || is_open()
            } else {
                v != Verdict::Missed
            };
            ensure(holds, "I15", || format!("operation {} at mirror {m} is {v:?} and in truth {l:?}", l.op))?;
        }
    }
    for s in ledger.foreigns.sightings() {
        let finding = ledger.finding(SourceIx::mirror(usize::from(s.mirror)), &s.key);
        let is_explained = matches!(finding, Some(Finding::KnownInvalid | Finding::Withdrawn));
        let holds = match s.state {
            ExtraState::Extra => !is_explained,
            ExtraState::Explained => is_explained || world.plan.has_caps,
            ExtraState::Pending | ExtraState::Unknown => true,
        };
        ensure(holds, "I15", || format!("an extra of mirror {} is {:?}, found {finding:?}", s.mirror, s.state))?;
    }
    order(world, ledger)
}

/// Who sends the operations of each DID in the primary's order is never out of order.
fn order(world: &World, ledger: &Ledger) -> Checked {
    for (s, items) in world.items.iter().enumerate() {
        let mut newest: HashMap<Did, usize> = HashMap::new();
        let mut keeps_order = |key: &OpKey| {
            let place = world.by_cid[&key.cid];
            let before = newest.insert(key.did, place);
            before.is_none_or(|before| before <= place)
        };
        let in_order = items.iter().filter(|i| i.form == Form::Right).all(|i| keeps_order(&i.op.key));
        let count = ledger.source(SourceIx(s as u16)).unwrap().content.count(Finding::OrderViolation);
        ensure(!in_order || count == 0, "order", || format!("source {s} kept the order and is blamed {count} times"))?;
    }
    Ok(())
}
