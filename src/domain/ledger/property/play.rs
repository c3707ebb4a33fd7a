//! Plays a history into a ledger: messages of every source in their own order, sources in any; ticks, commits, kills.

use super::audit;
use super::check::{Violation, Witness};
use super::dice::Dice;
use super::finish;
use super::script::Event;
use super::world::{START, World};
use crate::domain::interval::Interval;
use crate::domain::ledger::mutant::Mutant;
use crate::domain::ledger::persist::Prepared;
use crate::domain::ledger::saved::{IntervalHead, SavedInterval};
use crate::domain::ledger::{ChainOutcome, Ledger, Saved};
use crate::domain::source::SourceIx;
use crate::domain::time::{MS, SECOND, Tau};
use crate::domain::verdict::Mode;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

/// How a history is played.
#[derive(Clone, Debug, Default)]
pub struct Playing {
    /// Another number is another interleaving of the sources.
    pub order: u64,
    pub mutant: Option<Mutant>,
    /// Every frame may come again.
    pub repeats: bool,
    /// Spans that are called late although nothing was.
    pub false_alarms: Vec<(Tau, Tau)>,
    /// The label of the start is another.
    pub label_shift_ms: i64,
}

/// What is on disk.
#[derive(Default)]
struct Disk {
    saved: Saved,
    intervals: BTreeMap<u32, Arc<Interval>>,
}

/// A history being played.
pub struct Play<'a> {
    pub world: &'a World,
    pub playing: Playing,
    pub ledger: Ledger,
    pub witness: Witness<'a>,
    queues: Vec<Queue>,
    disk: Disk,
    under_way: Option<(Tau, bool, Prepared)>,
    chain: Option<Tau>,
    /// When it was last started again.
    started: Tau,
    /// What the ledger was told of what asking hosts brought to light.
    told: HashSet<usize>,
    dice: Dice,
}

/// What the ledger is told besides the events of a script.
#[derive(Copy, Clone, Debug)]
enum Message {
    Script(Event),
    Late(Tau, Option<Tau>),
    Chain(Tau, ChainOutcome),
}

struct Queue {
    source: SourceIx,
    waiting: VecDeque<(Tau, Message)>,
    free: Tau,
    order: u64,
}

impl Queue {
    fn new(source: usize, order: u64, waiting: VecDeque<(Tau, Message)>) -> Queue {
        Queue { source: SourceIx(source as u16), waiting, free: Tau::MIN, order }
    }

    /// How long a message of that instant lies in the mailbox: for half of them not at all, for none a second.
    fn delay_ns(&self, at: Tau) -> i64 {
        let mixed = (at.0 as u64 ^ (u64::from(self.source.0) << 56) ^ self.order).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xff51_afd7_ed55_8ccd) >> 33;
        if mixed.is_multiple_of(2) { 0 } else { (mixed % 900) as i64 * MS }
    }

    /// Everything that was handed on and is taken from the mailbox by `now`.
    fn take(&mut self, now: Tau, into: &mut Vec<(Tau, SourceIx, Tau, Message)>) {
        while let Some(&(at, message)) = self.waiting.front() {
            let taken = self.free.max(at.plus(self.delay_ns(at)));
            if taken > now {
                return;
            }
            self.free = taken;
            self.waiting.pop_front();
            into.push((taken, self.source, at, message));
        }
    }
}

impl<'a> Play<'a> {
    pub fn new(world: &'a World, playing: Playing) -> Play<'a> {
        let mut queues: Vec<Queue> = Vec::new();
        for (s, script) in world.scripts.iter().enumerate() {
            let mut waiting: VecDeque<_> = script.events.iter().map(|&(at, e)| (at, Message::Script(e))).collect();
            if playing.repeats {
                waiting = repeat(&waiting, &mut Dice::new(world.plan.seed, 400 + s as u64));
            }
            queues.push(Queue::new(s, playing.order, waiting));
        }
        let mut late: Vec<(Tau, Message)> = Vec::new();
        for (i, s) in world.times.freezes.iter().enumerate() {
            let (from, to) = (s.from.plus((i as i64 * 37 + 20) * MS), s.to.plus(5 * MS));
            late.extend([(s.to.plus(MS), Message::Late(from, None)), (to, Message::Late(from, Some(to)))]);
        }
        late.extend(playing.false_alarms.iter().map(|&(from, to)| (to, Message::Late(from, Some(to)))));
        late.sort_by_key(|l| l.0);
        queues.push(Queue::new(world.scripts.len(), playing.order, late.into()));
        Play {
            ledger: fresh(world, &playing),
            witness: Witness::new(world),
            queues,
            disk: Disk::default(),
            under_way: None,
            chain: None,
            started: Tau::MIN,
            told: HashSet::new(),
            dice: Dice::new(world.plan.seed, 3),
            world,
            playing,
        }
    }

    /// Plays it to its end; the ledger as it is then.
    pub fn run(mut self) -> Result<Ledger, Violation> {
        let mut crashes: VecDeque<_> = self.world.times.crashes.iter().copied().collect();
        for now in ticks(self.world) {
            if let Some(crash) = crashes.pop_front_if(|c| c.to <= now) {
                self.restart(crash.to)?;
            }
            self.hand_over(now);
            audit::tell(self.world, &mut self.ledger, &mut self.told, now);
            self.ledger.tick(now);
            audit::explain(&mut self.ledger);
            self.ask_chain(now);
            self.keep(now)?;
            self.witness.bounds(&self.ledger)?;
        }
        finish::check(self.world, &self.ledger, &self.witness, self.playing.false_alarms.is_empty())?;
        audit::check(self.world, &self.ledger, &self.told)?;
        Ok(self.ledger)
    }

    fn hand_over(&mut self, now: Tau) {
        let mut taken = Vec::new();
        for queue in &mut self.queues {
            queue.take(now, &mut taken);
        }
        taken.sort_by_key(|t| t.0);
        for (_, source, at, message) in taken {
            match message {
                Message::Script(event) => self.tell(source, at, event),
                Message::Late(from, to) => self.ledger.late_reader(from, to),
                Message::Chain(asked_at, outcome) => {
                    self.chain = None;
                    self.ledger.chain(asked_at, outcome);
                }
            }
        }
    }

    fn tell(&mut self, source: SourceIx, at: Tau, event: Event) {
        match event {
            Event::Arrive(op, mode) => {
                self.witness.arrived(source, &op);
                self.ledger.arrive(source, &op, at, mode);
            }
            Event::Reject => self.ledger.reject(source),
            Event::Dropped => self.ledger.dropped(source, at),
            Event::Open => self.ledger.open(source, at),
            Event::Prove(through) => self.ledger.prove(source, through),
            Event::Close => self.ledger.close(source),
            Event::Filled => self.ledger.filled(source, at),
            Event::GiveUp => self.ledger.give_up(source, at),
            Event::Rtt(peer, ns) => {
                let peer = SocketAddr::from(([10, 0, 0, 1], peer));
                self.ledger.rtt(source, at, peer, ns);
            }
        }
    }

    /// Answers the wish for a chain: every operation that the primary lists, from the one known at `since`.
    fn ask_chain(&mut self, now: Tau) {
        let Some(since) = self.ledger.wants_chain().filter(|_| self.chain.is_none()) else { return };
        self.chain = Some(now);
        let got = now.plus(self.dice.ms(200, 2_000));
        // What was known before the start is not known any more.
        let begin = since.plus(-self.world.plan.grace_ns).max(self.started);
        let fails = self.world.plan.faults != super::plan::Faults::None && self.dice.chance(100);
        let outcome = match (self.world.plan.has_export, fails) {
            (false, _) => ChainOutcome::Unsupported,
            (true, true) => ChainOutcome::Failed,
            (true, false) => ChainOutcome::Complete { since: begin, earliest: self.started },
        };
        let mut messages: Vec<(Tau, Message)> = Vec::new();
        if matches!(outcome, ChainOutcome::Complete { .. }) {
            let listed = self.world.ops.iter().filter(|o| o.listed <= now && o.accepted >= begin);
            messages.extend(listed.map(|o| (got, Message::Script(Event::Arrive(o.op, Mode::Filled)))));
        }
        messages.push((got, Message::Chain(now, outcome)));
        let queue = &mut self.queues[0].waiting;
        let place = queue.partition_point(|m| m.0 <= got);
        messages.into_iter().rev().for_each(|m| queue.insert(place, m));
    }

    /// One transaction at a time, of which some fail and are sent again with the next.
    fn keep(&mut self, now: Tau) -> Result<(), Violation> {
        if let Some((done, is_kept, _)) = &self.under_way
            && *done <= now
        {
            let is_kept = *is_kept;
            let Some((_, _, prepared)) = self.under_way.take() else { return Ok(()) };
            if is_kept {
                self.ledger.committed(prepared.finals());
            } else {
                self.ledger.not_committed(prepared);
            }
        }
        self.witness.intervals(&self.ledger, &self.disk.intervals)?;
        if self.under_way.is_some() {
            return Ok(());
        }
        let prepared = self.ledger.prepare(&self.world.ids());
        let is_kept = !self.dice.chance(100);
        self.witness.segments(&self.ledger, &prepared, is_kept)?;
        if is_kept {
            self.write(&prepared);
        }
        let done = now.plus(self.dice.ms(1, 1_500));
        self.under_way = Some((done, is_kept, prepared));
        Ok(())
    }

    fn write(&mut self, prepared: &Prepared) {
        let ids = self.world.ids();
        let saved = &mut self.disk.saved;
        saved.segments.extend(prepared.segments.iter().map(|s| s.bytes.clone()));
        saved.state = Some(self.ledger.save_state());
        for (i, id) in std::iter::once("p".to_owned()).chain(ids).enumerate() {
            let ix = SourceIx(i as u16);
            saved.windows.insert(id.clone(), self.ledger.source(ix).unwrap().windows.clone());
            saved.counters.insert(id, self.ledger.save_counters(ix));
        }
        self.disk.intervals.extend(prepared.intervals.iter().cloned());
    }

    /// The observer was killed, and runs again since `to`: what was not on disk is gone.
    fn restart(&mut self, to: Tau) -> Result<(), Violation> {
        self.started = to;
        let ids = self.world.ids();
        let intervals = self.disk.intervals.iter().map(|(k, i)| SavedInterval {
            start_ms: i64::from(*k) * self.world.params.interval_ms,
            head: IntervalHead::of(i),
            mirrors: ids.iter().cloned().zip(i.mirrors.iter().map(|a| (**a).clone())).collect(),
        });
        let disk = &self.disk.saved;
        let saved = Saved {
            segments: disk.segments.clone(),
            state: disk.state.clone(),
            windows: disk.windows.clone(),
            counters: disk.counters.clone(),
            intervals: intervals.collect(),
            is_rebooted: self.dice.chance(250),
            ..Saved::default()
        };
        self.ledger = fresh(self.world, &self.playing);
        let report = self.ledger.restore(&saved, "p", &ids);
        for (queue, script) in self.queues.iter_mut().zip(&self.world.scripts) {
            queue.waiting =
                script.events.iter().filter(|e| e.0 >= to).map(|&(at, e)| (at, Message::Script(e))).collect();
            queue.free = to;
        }
        if let Some(late) = self.queues.last_mut() {
            late.waiting.retain(|m| m.0 >= to);
        }
        (self.chain, self.under_way) = (None, None);
        self.told.clear();
        self.witness.restarted(&self.ledger, &report, saved.is_rebooted)
    }
}

fn fresh(world: &World, playing: &Playing) -> Ledger {
    let mut labels = world.labels;
    labels.anchor_utc_ms += playing.label_shift_ms;
    let mut ledger = Ledger::new(world.params, world.limits, labels, &world.mirror_params);
    ledger.mutant = playing.mutant;
    if world.plan.has_caps {
        ledger.findings.held_max = 4;
    }
    ledger
}

/// Instants at which the collector looks: often while something happens, seldom in the long quiet behind it.
fn ticks(world: &World) -> Vec<Tau> {
    let mut dice = Dice::new(world.plan.seed, 4);
    let mut at = START.plus(dice.ms(0, 300));
    let mut ticks = Vec::new();
    let times = &world.times;
    // Where acknowledgements overtake, whoever believes them must be asked before the rest has come.
    let most_ms = if world.plan.is_lossy { 600 } else { 2_500 };
    let mut is_thawing = false;
    while at < times.end {
        let is_running = !times.crashes.iter().any(|c| c.contains(at)) && times.thaw(at) == at;
        if is_running {
            ticks.push(at);
        }
        // Whatever was read when we woke is handed over within a second, and so before the tick after the first one.
        let (min_ms, most_ms) = if is_thawing { (1_000, 2_500) } else { (250, most_ms) };
        is_thawing = !is_running;
        let quiet_ns = at.since(times.last.plus(90 * SECOND));
        at = at.plus(if quiet_ns < 0 { dice.ms(min_ms, most_ms) } else { dice.ms(3_000, 15_000) + quiet_ns / 40 });
    }
    ticks.extend([times.end, times.end.plus(10 * SECOND)]);
    ticks
}

/// The same frames, some of them once more and later.
fn repeat(waiting: &VecDeque<(Tau, Message)>, dice: &mut Dice) -> VecDeque<(Tau, Message)> {
    let mut all: Vec<(Tau, Message)> = waiting.iter().copied().collect();
    for &(at, message) in waiting {
        if matches!(message, Message::Script(Event::Arrive(..))) && dice.chance(300) {
            all.push((at.plus(dice.ms(0, 40_000)), message));
        }
    }
    all.sort_by_key(|m| m.0);
    all.into()
}

/// The verdicts of a mirror by operation, to compare two histories.
pub fn verdicts(world: &World, ledger: &Ledger, m: usize) -> HashMap<usize, crate::domain::verdict::Cell> {
    let numbers = ledger.ring.base()..ledger.ring.next();
    numbers.filter_map(|n| Some((world.by_cid[&ledger.ring.row(n)?.cid], ledger.ring.cell(n, m)?))).collect()
}
