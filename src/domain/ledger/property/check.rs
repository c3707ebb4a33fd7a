//! Watches every change that the ledger journals, and holds it against the truth.

use super::script::Delivery;
use super::world::World;
use crate::domain::interval::{Acc, ExtraState, Interval, Status};
use crate::domain::ledger::Ledger;
use crate::domain::ledger::extra::Sighting;
use crate::domain::ledger::journal::{self, Record};
use crate::domain::ledger::persist::Prepared;
use crate::domain::ledger::restore::RestoreReport;
use crate::domain::op::{Op, OpKey};
use crate::domain::ring::Row;
use crate::domain::rtt::Correction;
use crate::domain::source::SourceIx;
use crate::domain::time::{MS, Tau, US};
use crate::domain::verdict::{Cell, Reason, Verdict};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// An invariant that does not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    pub invariant: &'static str,
    pub text: String,
}

pub type Checked = Result<(), Violation>;

pub fn ensure(holds: bool, invariant: &'static str, text: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(Violation { invariant, text: text() }) }
}

/// The exact figures of an accumulator: all but its sketches, which also know what was so for a while.
pub fn figures(acc: &Acc) -> impl PartialEq {
    let extras = ExtraState::ALL.map(|s| acc.extra(s));
    (Verdict::ALL.map(|v| acc.verdict(v)), extras, acc.flags(), acc.raw.clone(), acc.lag.clone())
}

/// A live arrival.
struct Arrived<'a> {
    truth: &'a Delivery,
    at: Tau,
}

/// What was seen so far.
pub struct Witness<'a> {
    world: &'a World,
    numbers: HashMap<usize, u64>,
    ops: HashMap<u64, usize>,
    rows: HashMap<u64, Row>,
    pub cells: HashMap<(u64, usize), Cell>,
    samples: HashMap<(u64, usize), Option<Correction>>,
    pub arrived: Vec<HashSet<OpKey>>,
    statuses: BTreeMap<u32, (Status, u32)>,
    looks: u64,
    disputed: HashSet<u64>,
}

impl<'a> Witness<'a> {
    pub fn new(world: &'a World) -> Witness<'a> {
        Witness {
            world,
            numbers: HashMap::new(),
            ops: HashMap::new(),
            rows: HashMap::new(),
            cells: HashMap::new(),
            samples: HashMap::new(),
            arrived: vec![HashSet::new(); world.plan.mirrors + 1],
            statuses: BTreeMap::new(),
            looks: 0,
            disputed: HashSet::new(),
        }
    }

    pub fn arrived(&mut self, source: SourceIx, op: &Op) {
        self.arrived[usize::from(source.0)].insert(op.key);
    }

    /// Reads what the next transaction keeps; a failed one comes again with the next.
    pub fn segments(&mut self, ledger: &Ledger, prepared: &Prepared, is_kept: bool) -> Checked {
        let mut result = Ok(());
        for segment in prepared.segments.iter().filter(|_| is_kept) {
            journal::read(&segment.bytes, |_, record| {
                if result.is_ok() {
                    result = self.record(ledger, record);
                }
            })
            .expect("a journal of our own");
        }
        result
    }

    fn record(&mut self, ledger: &Ledger, record: Record) -> Checked {
        match record {
            Record::Op(number, row, _) => {
                let Some(&i) = self.world.by_cid.get(&row.cid) else {
                    return ensure(false, "I5", || "an operation that nobody published".to_owned());
                };
                self.ops.insert(number, i);
                self.rows.insert(number, row);
                let before = self.numbers.insert(i, number);
                ensure(before.is_none(), "I5", || format!("operation {i} counted as {before:?} and as {number}"))
            }
            Record::Cell(number, m, cell) => self.cell(number, usize::from(m), cell),
            Record::Sample(number, m, correction) => self.sample(number, usize::from(m), correction),
            Record::Sighting(s) => self.sighting(&s),
            Record::Moved(number, row) => {
                self.rows.insert(number, row);
                Ok(())
            }
            Record::Disputed(number) => {
                self.disputed.insert(number);
                Ok(())
            }
            Record::Found(..) | Record::Noticed(_) => Ok(()),
            Record::Gone(_) | Record::Evicted(_) => ensure(ledger.ring.base() <= ledger.ring.next(), "I5", String::new),
        }
    }

    fn cell(&mut self, number: u64, m: usize, cell: Cell) -> Checked {
        let before = self.cells.insert((number, m), cell).unwrap_or(Cell::new(Verdict::Pending));
        let (from, to) = (before.verdict(), cell.verdict());
        ensure(from.may_become(to), "I15", || format!("operation {number} at mirror {m}: {from:?} → {to:?}"))?;
        if from == to {
            return Ok(());
        }
        let is_disputed = self.disputed.contains(&number);
        ensure(to != Verdict::Disputed || is_disputed && cell.delivery().is_none(), "I15", || {
            format!("operation {number} is disputed at mirror {m}, which delivered it or never refused it")
        })?;
        ensure(to != Verdict::Missed || !is_disputed, "I15", || {
            format!("operation {number} breaks the rules and is missed at mirror {m}")
        })?;
        let i = self.ops[&number];
        ensure(before.delivery().is_none() || to != Verdict::Missed, "I12", || {
            format!("operation {i} was delivered by mirror {m} and is missed")
        })?;
        match to {
            Verdict::Missed => self.missed(i, m, &self.rows[&number]),
            Verdict::OnTime | Verdict::Late => self.timed(i, m, to),
            _ => Ok(()),
        }
    }

    /// I1: nothing that would have come by the deadline on a link that is always up is missed; but a mirror that is earlier
    /// than the look-back allows may be early where nobody looked.
    fn missed(&self, i: usize, m: usize, row: &Row) -> Checked {
        let key = &self.world.ops[i].op.key;
        let primary = &self.world.scripts[0].deliveries[key];
        let Some(d) = self.world.scripts[m + 1].deliveries.get(key) else { return Ok(()) };
        let deadline = primary.due.plus(self.world.mirror_params[m].grace_ns);
        let look_back_ns = self.world.plan.look_back_ns + i64::from(row.delay_ms) * MS;
        ensure(d.due > deadline || d.due < row.p.plus(-look_back_ns), "I1", || {
            let late_ms = d.due.since(primary.due) / MS;
            format!("operation {i} is missed at mirror {m}, which sent it {late_ms} ms after the primary")
        })
    }

    /// The live arrivals of an operation at the primary and at the mirror, with the truth behind them.
    fn live(&self, i: usize, mirror: usize) -> Option<(Arrived<'a>, Arrived<'a>)> {
        let key = &self.world.ops[i].op.key;
        let of = |source: usize| {
            let truth = self.world.scripts[source].deliveries.get(key)?;
            Some(Arrived { truth, at: truth.live? })
        };
        of(0).zip(of(mirror + 1))
    }

    /// I3: what is called on time or late has two live arrivals, so far apart.
    fn timed(&self, i: usize, mirror: usize, verdict: Verdict) -> Checked {
        let on_time_ns = self.world.mirror_params[mirror].on_time_ns;
        let Some((primary, other)) = self.live(i, mirror) else {
            return ensure(false, "I3", || {
                format!("operation {i} at mirror {mirror} is {verdict:?} and not live at both")
            });
        };
        let lag_ns = other.at.since(primary.at);
        let holds = match verdict {
            Verdict::OnTime => lag_ns <= on_time_ns + US,
            // A lost segment is no fault of the mirror, and none of ours: it may add two seconds.
            _ => lag_ns > on_time_ns - US && other.truth.due.since(primary.truth.due) > on_time_ns - 2_000 * MS,
        };
        ensure(holds, "I3", || {
            format!("operation {i} at mirror {mirror} is {verdict:?}, {} ms after the primary's", lag_ns / MS)
        })
    }

    /// I4: a sample is the true lag.
    fn sample(&mut self, number: u64, mirror: usize, correction: Option<Correction>) -> Checked {
        let i = self.ops[&number];
        ensure(self.samples.insert((number, mirror), correction).is_none(), "I5", || {
            format!("the lag of operation {i} at mirror {mirror} is counted twice")
        })?;
        let Some((primary, other)) = self.live(i, mirror) else {
            return ensure(false, "I4", || {
                format!("operation {i} at mirror {mirror} has a lag and is not live at both")
            });
        };
        let (raw_us, true_us) = (self.cells[&(number, mirror)].raw_us(), other.at.since(primary.at) / US);
        ensure((raw_us - true_us).abs() <= 1_000, "I4", || {
            format!("operation {i} at mirror {mirror}: lag {raw_us} µs, in truth {true_us} µs")
        })?;
        let Some(known) = correction else { return Ok(()) };
        let true_us = (other.truth.one_way_ns - primary.truth.one_way_ns) / US;
        ensure((known.correction_us - true_us).abs() <= 1_000, "I4", || {
            format!("operation {i} at mirror {mirror}: correction {} µs, in truth {true_us} µs", known.correction_us)
        })
    }

    /// I2: nothing that the primary published is extra.
    fn sighting(&mut self, s: &Sighting) -> Checked {
        let known = self.world.by_cid.get(&s.key.cid);
        ensure(s.state != ExtraState::Extra || known.is_none(), "I2", || {
            format!("operation {known:?} of the primary is extra at mirror {}", s.mirror)
        })
    }

    /// I13: nothing grows beyond its bound.
    pub fn bounds(&self, ledger: &Ledger) -> Checked {
        let limits = &self.world.limits;
        ensure(ledger.ring.len() <= limits.held_ops, "I13", || format!("{} operations held", ledger.ring.len()))?;
        if !self.world.plan.has_caps {
            return Ok(());
        }
        let mut keys = vec![0; self.world.plan.mirrors];
        ledger.foreigns.sightings().for_each(|s| keys[usize::from(s.mirror)] += 1);
        let most = keys.iter().copied().max().unwrap_or(0);
        ensure(most <= limits.unknown_keys_per_mirror, "I13", || format!("{most} keys of one mirror held"))?;
        let listed = ledger.mirrors.iter().map(|m| m.listed.len()).max().unwrap_or(0);
        ensure(listed <= limits.listed_per_mirror, "I13", || format!("{listed} operations listed"))
    }

    /// I16: an interval only settles, and what is shown as final is on disk as it is shown.
    pub fn intervals(&mut self, ledger: &Ledger, disk: &BTreeMap<u32, Arc<Interval>>) -> Checked {
        let rank = |s: Status| match s {
            Status::Open => 0,
            Status::Settling => 1,
            Status::Final => 2,
            Status::Revised => 3,
        };
        for (k, interval) in ledger.intervals.iter() {
            let now = (interval.status, interval.amendments);
            let before = self.statuses.insert(k, now).unwrap_or((Status::Open, 0));
            ensure(rank(before.0) <= rank(now.0) && before.1 <= now.1, "I16", || {
                format!("interval {k} went from {before:?} to {now:?}")
            })?;
            // The content is compared when it becomes final, and now and then afterwards.
            self.looks += 1;
            if interval.status == Status::Final && (before.0 != Status::Final || self.looks.is_multiple_of(61)) {
                let is_kept = disk.get(&k).is_some_and(|kept| {
                    kept.mirrors.iter().zip(&interval.mirrors).all(|(a, b)| figures(a) == figures(b))
                });
                ensure(is_kept, "I16", || format!("interval {k} is shown as final and not on disk"))?;
            }
        }
        Ok(())
    }

    /// I10: what was on disk is known again, and nothing else; after a reboot what was open is closed.
    pub fn restarted(&mut self, ledger: &Ledger, report: &RestoreReport, is_rebooted: bool) -> Checked {
        ensure(report.damaged.is_none(), "I10", || format!("{report:?}"))?;
        self.statuses.clear();
        for number in ledger.ring.base()..ledger.ring.next() {
            for m in 0..self.world.plan.mirrors {
                let restored = ledger.ring.cell(number, m);
                let kept = self.cells.get(&(number, m)).copied().unwrap_or(Cell::new(Verdict::Pending));
                let closed = kept.with_verdict(Verdict::Unknown, Reason::SelfDown);
                let is_closed = is_rebooted && kept.verdict() == Verdict::Pending && restored == Some(closed);
                ensure(restored == Some(kept) || is_closed, "I10", || {
                    format!("operation {number} at mirror {m}: kept {kept:?}, restored {restored:?}")
                })?;
            }
        }
        let newest = self.ops.keys().max().map_or(0, |n| n + 1);
        ensure(ledger.ring.next() == newest, "I10", || format!("{newest} kept, {} restored", ledger.ring.next()))?;
        super::finish::sums(self.world, ledger)
    }
}
