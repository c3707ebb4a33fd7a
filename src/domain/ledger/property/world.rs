//! The truth: what the primary publishes and what every mirror really delivers, before any network or observer.

use super::dice::Dice;
use super::plan::{Faults, Plan};
use super::script::{Script, Times};
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::ledger::{Limits, MirrorParams, Params};
use crate::domain::op::{Kind, Op, OpKey};
use crate::domain::time::{Labels, MS, SECOND, Span, Tau};
use std::collections::HashMap;

/// The instant at which the observer starts.
pub const START: Tau = Tau(5_000 * SECOND);
/// The label of that instant.
pub const START_UTC_MS: i64 = 1_700_000_123_456;

/// An operation of the primary.
#[derive(Copy, Clone, Debug)]
pub struct TrueOp {
    pub op: Op,
    /// The primary accepted it.
    pub accepted: Tau,
    /// The primary's stream sends it.
    pub sent: Tau,
    /// The primary's `/export` lists it from then on.
    pub listed: Tau,
}

/// Something that a source sends on its stream.
#[derive(Copy, Clone, Debug)]
pub struct Item {
    pub sent: Tau,
    pub listed: Tau,
    pub op: Op,
    pub form: Form,
}

/// What is special about it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Form {
    Right,
    /// Sent before.
    Again,
    /// No operation of the primary.
    Invented,
    /// The primary's content under another DID.
    OtherDid,
    /// The claimed CID is not that of the content: our parser refuses it.
    Corrupt,
}

/// A whole history, ready to be played.
pub struct World {
    pub plan: Plan,
    pub params: Params,
    pub limits: Limits,
    pub labels: Labels,
    pub ops: Vec<TrueOp>,
    pub by_cid: HashMap<Cid, usize>,
    pub mirror_params: Vec<MirrorParams>,
    /// What the primary and then each mirror does, as the ledger is told.
    pub scripts: Vec<Script>,
    pub times: Times,
    /// What is sent, by source: the truth that the scripts distort.
    pub items: Vec<Vec<Item>>,
}

/// What is done to the first mirror, for comparing the others' figures.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum First {
    AsPlanned,
    Absent,
    Hostile,
}

impl World {
    pub fn new(plan: Plan, first: First) -> World {
        let mut dice = Dice::new(plan.seed, 2);
        let ops = publish(&plan, &mut dice);
        let times = Times::of(&plan, &ops, &mut dice);
        let mut items =
            vec![ops.iter().map(|o| Item { sent: o.sent, listed: o.listed, op: o.op, form: Form::Right }).collect()];
        for m in 0..plan.mirrors {
            let mut dice = Dice::new(plan.seed, 100 + m as u64);
            items.push(match (m, first) {
                (0, First::Absent) => Vec::new(),
                (0, First::Hostile) => hostile(&ops, &mut dice),
                _ => mirror_items(&plan, &ops, &mut dice),
            });
        }
        let scripts = (0..=plan.mirrors)
            .map(|s| {
                if s == 1 && first == First::Absent {
                    return Script::default();
                }
                Script::of(&plan, s, &items[s], &times)
            })
            .collect();
        let caps = if plan.has_caps { (25, 4) } else { (10_000, 1_000) };
        let mirror =
            |m: i64| MirrorParams { on_time_ns: plan.on_time_ns, grace_ns: plan.grace_ns + (m % 2) * 5 * SECOND };
        World {
            params: Params {
                look_back_ns: plan.look_back_ns,
                horizon_ns: 24 * 3_600 * SECOND,
                settle_ns: plan.settle_ns,
                interval_ms: 60_000,
            },
            limits: Limits { held_ops: caps.0, unknown_keys_per_mirror: caps.1, listed_per_mirror: 20 },
            labels: Labels { anchor_tau: START.plus(-SECOND), anchor_utc_ms: START_UTC_MS },
            by_cid: ops.iter().enumerate().map(|(i, o)| (o.op.key.cid, i)).collect(),
            mirror_params: (0..plan.mirrors as i64).map(mirror).collect(),
            ops,
            scripts,
            times,
            items,
            plan,
        }
    }

    pub fn ids(&self) -> Vec<String> {
        (0..self.plan.mirrors).map(|m| format!("m{m}")).collect()
    }

    /// Whether this is an operation that the primary published.
    pub fn is_published(&self, key: &OpKey) -> bool {
        self.by_cid.get(&key.cid).is_some_and(|&i| self.ops[i].op.key == *key)
    }
}

fn random_cid(dice: &mut Dice) -> Cid {
    Cid(std::array::from_fn(|_| dice.between(0, 256) as u8))
}

fn random_did(dice: &mut Dice) -> Did {
    Did([dice.between(0, 12) as u8; 15])
}

/// The primary's clock shows something else than ours, always by as much.
fn primary_clock_ms(seed: u64, at: Tau) -> i64 {
    at.0 / MS + 1_600_000_000_000 + (seed % 1_000) as i64 * 7_919
}

fn publish(plan: &Plan, dice: &mut Dice) -> Vec<TrueOp> {
    let pace_ms = dice.pick(&[200, 700, 2_500]);
    let mut accepted = START.plus(dice.ms(200, 3_000));
    let mut sent = START;
    let mut ops: Vec<TrueOp> = Vec::new();
    let stall = plan.has_stall.then(|| (plan.ops * 3 / 5, dice.ms(5_000, 150_000)));
    let delayed = plan.has_delay.then(|| plan.ops / 2..plan.ops / 2 + 12);
    let delay_ns = dice.ms(1_000, 25_000);
    let mut silent_until = Tau::MIN;
    for i in 0..plan.ops {
        accepted = accepted.plus(if dice.chance(150) { dice.between(0, 50_000) } else { dice.ms(1, 2 * pace_ms) });
        if let Some((at, length_ns)) = stall
            && i == at
            && plan.has_export
        {
            silent_until = accepted.plus(length_ns);
        }
        let extra_ns = if plan.has_export && delayed.as_ref().is_some_and(|d| d.contains(&i)) { delay_ns } else { 0 };
        sent = sent.plus(1_000).max(accepted.plus(dice.ms(50, 110) + extra_ns)).max(silent_until);
        let key = OpKey { did: random_did(dice), cid: random_cid(dice) };
        let op = Op {
            key,
            kind: dice.pick(&Kind::ALL),
            created_ms: primary_clock_ms(plan.seed, accepted),
            seq: Some(1_000 + 3 * i as u64),
            prev: None,
        };
        ops.push(TrueOp { op, accepted, sent, listed: accepted.plus(dice.ms(0, 4_000)) });
    }
    ops
}

/// How a mirror comes to what it publishes.
#[derive(Copy, Clone)]
struct Habit {
    follows_export: bool,
    slow_per_mille: i64,
    lost_per_mille: i64,
    bad_per_mille: i64,
}

fn mirror_items(plan: &Plan, ops: &[TrueOp], dice: &mut Dice) -> Vec<Item> {
    let habit = Habit {
        follows_export: dice.chance(400),
        slow_per_mille: dice.pick(&[0, 60, 300]),
        lost_per_mille: dice.pick(&[0, 20, 120]),
        bad_per_mille: if plan.has_bad_mirrors { 40 } else { 0 },
    };
    let mut items = Vec::new();
    for o in ops {
        if dice.chance(habit.lost_per_mille) {
            continue;
        }
        let base = if habit.follows_export { o.accepted.plus(dice.ms(1, 60)) } else { o.sent };
        let sent = base.plus(delay(plan, &habit, dice));
        let listed = sent.plus(dice.ms(0, 4_000));
        let right = Item { sent, listed, op: o.op, form: Form::Right };
        if !dice.chance(habit.bad_per_mille) {
            items.push(right);
            continue;
        }
        let again = Item { sent: sent.plus(dice.ms(1, 90_000)), form: Form::Again, ..right };
        let mut altered = Item { form: Form::OtherDid, ..right };
        altered.op.key.did.0[0] ^= 0x55;
        let invented = invent(plan, o, dice);
        match dice.between(0, 6) {
            0 => items.extend([right, again]),
            1 => items.push(altered),
            2 => items.extend([Item { sent: sent.plus(-MS), ..altered }, right]),
            3 => items.push(Item { op: Op { created_ms: o.op.created_ms + 1_234, ..o.op }, ..right }),
            4 => items.push(Item { form: Form::Corrupt, ..right }),
            _ => items.extend([right, invented]),
        }
    }
    items.sort_by_key(|i| i.sent);
    items
}

fn invent(plan: &Plan, near: &TrueOp, dice: &mut Dice) -> Item {
    let sent = near.accepted.plus(dice.ms(0, 2_000));
    let age_ms = if plan.faults == Faults::Any { dice.pick(&[300, 300, 86_400_000, -86_400_000]) } else { 300 };
    let op = Op {
        key: OpKey { did: random_did(dice), cid: random_cid(dice) },
        kind: Kind::Update,
        created_ms: primary_clock_ms(plan.seed, sent) - age_ms,
        seq: Some(7),
        prev: None,
    };
    Item { sent, listed: sent, op, form: Form::Invented }
}

fn delay(plan: &Plan, habit: &Habit, dice: &mut Dice) -> i64 {
    let (on_time_ms, grace_ms) = (plan.on_time_ns / MS, plan.grace_ns / MS);
    if !dice.chance(habit.slow_per_mille) {
        return dice.ms(1, 300);
    }
    match dice.between(0, 6) {
        0 => dice.ms(on_time_ms - 300, on_time_ms + 300),
        1 => dice.ms(on_time_ms, grace_ms),
        2 | 3 => dice.ms(grace_ms - 1_300, grace_ms - 60),
        _ => dice.ms(grace_ms + 100, grace_ms * 3),
    }
}

/// Far more than its share, and nothing of it true.
fn hostile(ops: &[TrueOp], dice: &mut Dice) -> Vec<Item> {
    let mut items = Vec::new();
    for o in ops {
        for _ in 0..8 {
            let mut item =
                Item { sent: o.accepted.plus(dice.ms(1, 400)), listed: o.accepted, op: o.op, form: Form::Invented };
            match dice.between(0, 4) {
                0 => {
                    item.op.key.did.0[0] ^= 0x55;
                    item.form = Form::OtherDid;
                }
                1 => (item.op.created_ms, item.form) = (dice.between(0, 1 << 50), Form::Right),
                _ => item.op.key.cid = random_cid(dice),
            }
            items.push(item);
        }
    }
    items.sort_by_key(|i| i.sent);
    items
}

/// Whether `at` lies in one of the spans.
pub fn within(spans: &[Span], at: Tau) -> Option<Span> {
    spans.iter().find(|s| s.contains(at)).copied()
}
