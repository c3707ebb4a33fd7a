//! What the ledger is told of one source: sessions that break, frames that are lost, proofs and fills.
//!
//! The shell's rules are kept here as the definition of the measurement has them: a frame proves only what is drained, a ping
//! only what was before it and only two seconds after its acknowledgement, a fill closes with a page asked for five seconds
//! after the open. [`Shell`] names the two rules that a test may break.

use super::dice::Dice;
use super::plan::{Faults, Plan, Shell};
use super::world::{Form, Item, START, TrueOp, within};
use crate::domain::op::{Op, OpKey};
use crate::domain::time::{MS, SECOND, Span, Tau};
use crate::domain::verdict::Mode;
use std::collections::{HashMap, HashSet};

/// Something that the ledger is told.
#[derive(Copy, Clone, Debug)]
pub enum Event {
    Arrive(Op, Mode),
    Reject,
    Dropped,
    Open,
    Prove(Tau),
    Close,
    Filled,
    GiveUp,
    Rtt(u16, i64),
}

/// What really happened to an operation on its way from one source.
#[derive(Copy, Clone, Debug)]
pub struct Delivery {
    /// When it would have arrived on a link that is always up and never slow.
    pub due: Tau,
    /// When it arrived live, our own freezes aside; none when it did not.
    pub live: Option<Tau>,
    /// The path's delay at that time.
    pub one_way_ns: i64,
}

/// The events of one source by the instant at which the shell hands them on, and the truth behind them.
#[derive(Clone, Debug, Default)]
pub struct Script {
    pub events: Vec<(Tau, Event)>,
    pub deliveries: HashMap<OpKey, Delivery>,
    pub first_open: Option<Tau>,
}

/// What happens to the observer itself, the same for all sources.
#[derive(Clone, Debug)]
pub struct Times {
    pub freezes: Vec<Span>,
    pub crashes: Vec<Span>,
    pub last: Tau,
    pub end: Tau,
    held_back: Vec<Span>,
    too_slow: Option<Tau>,
    net_down: Option<Tau>,
}

impl Times {
    pub fn of(plan: &Plan, ops: &[TrueOp], dice: &mut Dice) -> Times {
        let last = ops.iter().map(|o| o.sent).max().unwrap_or(START);
        let span_ns = last.since(START);
        let mut at = |low: i64| START.plus(dice.between(low, span_ns + 20 * SECOND));
        let mut freezes: Vec<Span> = Vec::new();
        let starts: Vec<Tau> = (0..plan.freezes).map(|_| at(2 * SECOND)).collect();
        let crash_starts: Vec<Tau> = (0..plan.crashes).map(|_| at(10 * SECOND)).collect();
        let mut crashes: Vec<Span> = Vec::new();
        for from in crash_starts {
            let span = Span { from, to: from.plus(dice.ms(500, 40_000)) };
            if crashes.iter().all(|c| span.from > c.to.plus(20 * SECOND) || span.to.plus(20 * SECOND) < c.from) {
                crashes.push(span);
            }
        }
        for from in starts {
            let span = Span { from, to: from.plus(dice.ms(300, 20_000)) };
            let near = |s: &Span| span.from < s.to.plus(3 * SECOND) && s.from < span.to.plus(3 * SECOND);
            if !freezes.iter().any(near) && !crashes.iter().any(near) {
                freezes.push(span);
            }
        }
        crashes.sort_by_key(|s| s.from);
        let tail_s = if plan.has_long_gaps { 3 * 3_600 } else { 700 };
        let net_down = plan.has_net_down.then(|| START.plus(dice.between(3 * SECOND, span_ns)));
        let too_slow = plan.has_too_slow.then(|| ops[plan.ops / 3].sent);
        let held_back = ops.iter().filter(|o| o.sent.since(o.accepted) > 500 * MS);
        let held_back = held_back.map(|o| Span { from: o.accepted, to: o.sent.plus(2 * SECOND) }).collect();
        Times { freezes, crashes, last, end: last.plus(tail_s * SECOND), held_back, too_slow, net_down }
    }

    /// When something that happens at `t` is noticed: at once, or after the freeze, in the same order.
    pub fn thaw(&self, t: Tau) -> Tau {
        match within(&self.freezes, t) {
            Some(s) => s.to.plus((t.since(s.from) as f64 / s.len_ns() as f64 * 4e6) as i64),
            None => t,
        }
    }

    fn is_frozen(&self, t: Tau) -> bool {
        within(&self.freezes, t).is_some()
    }
}

struct Session {
    /// From then on the source sends to us.
    up: Tau,
    /// What would arrive from then on is lost.
    cut: Tau,
    /// When we notice; never when we are killed first.
    closed: Option<Tau>,
    one_way_ns: i64,
    peer: u16,
    fill: Fill,
}

#[derive(Copy, Clone)]
struct Fill {
    after_ns: i64,
    succeeds: bool,
}

struct Builder<'a> {
    plan: &'a Plan,
    times: &'a Times,
    items: &'a [Item],
    dice: Dice,
    script: Script,
    received: HashSet<OpKey>,
    replays: bool,
    /// What was sent before it is known to have arrived.
    anchor: Tau,
}

impl Script {
    pub fn of(plan: &Plan, source: usize, items: &[Item], times: &Times) -> Script {
        let mut dice = Dice::new(plan.seed, 200 + source as u64);
        let replays = source > 0 && plan.replays && dice.chance(500);
        let mut sessions = sessions(plan, source, times, &mut dice);
        one_path_for_one_peer(&mut sessions);
        let script = Script::default();
        let mut b = Builder { plan, times, items, dice, script, received: HashSet::new(), replays, anchor: Tau::MIN };
        b.truth(&sessions);
        for (i, s) in sessions.iter().enumerate() {
            b.session(s, i == 0);
        }
        b.script.events.sort_by_key(|e| e.0);
        b.script
    }
}

fn sessions(plan: &Plan, source: usize, times: &Times, dice: &mut Dice) -> Vec<Session> {
    let span_ns = times.last.since(START) + 20 * SECOND;
    let count = if plan.cuts > 0 { dice.between(0, plan.cuts + 1) } else { 0 };
    let mut cuts: Vec<Tau> = (0..count).map(|_| START.plus(dice.between(3 * SECOND, span_ns))).collect();
    cuts.extend(times.too_slow.filter(|_| source == 0));
    cuts.extend(times.net_down);
    // While a gap of the primary is open it holds nothing back: nobody could tell what its stream will still send.
    let is_near = |c: Tau| times.held_back.iter().any(|s| c <= s.to && s.from <= c.plus(260 * SECOND));
    cuts.retain(|&c| source > 0 || !is_near(c));
    cuts.sort();
    let any = plan.faults == Faults::Any;
    let mut sessions = Vec::new();
    let mut up = START.plus(if source > 0 && dice.chance(150) { dice.ms(400, 15_000) } else { dice.ms(5, 400) });
    let mut peer = 0;
    loop {
        if let Some(c) = times.crashes.iter().find(|c| c.from <= up && up < c.to.plus(200 * MS)) {
            up = c.to.plus(dice.ms(200, 1_000));
        }
        up = times.thaw(up);
        peer += u16::from(dice.chance(400));
        let fill = fill(plan, source, dice);
        let one_way_ns = dice.ms(1, 200);
        let cut = cuts.iter().copied().find(|&c| c > up.plus(1_500 * MS));
        let silent_ns = if dice.chance(400) { dice.ms(4_000, 17_000) } else { dice.ms(1, 60) };
        let crash = times.crashes.iter().find(|c| c.from > up);
        let closed = cut.map(|c| times.thaw(c.plus(silent_ns)));
        let session = |cut, closed| Session { up, cut, closed, one_way_ns, peer, fill };
        match (cut, crash) {
            (_, Some(crash)) if closed.is_none_or(|c| c >= crash.from) => {
                sessions.push(session(cut.map_or(crash.from, |c| c.min(crash.from)), None));
                up = crash.to.plus(dice.ms(200, 1_000));
            }
            (Some(at), _) => {
                sessions.push(session(at, closed));
                let down_ns = match dice.between(0, 10) {
                    0 if any && plan.has_long_gaps && source > 0 => break,
                    1 if any && plan.has_long_gaps => 3_700 * SECOND,
                    2 | 3 if any => dice.ms(8_000, 120_000),
                    _ => dice.ms(500, 8_000),
                };
                up = closed.unwrap_or(at).plus(down_ns);
            }
            (None, _) => {
                sessions.push(session(times.end, None));
                break;
            }
        }
    }
    sessions
}

fn one_path_for_one_peer(sessions: &mut [Session]) {
    for i in 1..sessions.len() {
        if sessions[i].peer == sessions[i - 1].peer {
            sessions[i].one_way_ns = sessions[i - 1].one_way_ns;
        }
    }
}

fn fill(plan: &Plan, source: usize, dice: &mut Dice) -> Fill {
    let any = plan.faults == Faults::Any;
    let after_ns = match dice.between(0, 10) {
        0 if any && plan.has_long_gaps => dice.ms(3_700_000, 4_000_000),
        1 | 2 if any => dice.ms(5_000, 120_000),
        _ => dice.ms(5_000, 8_000),
    };
    let fails = any && dice.chance(if source == 0 { 200 } else { 150 });
    Fill { after_ns, succeeds: !fails }
}

impl Builder<'_> {
    /// What would have been delivered when, whatever became of it.
    fn truth(&mut self, sessions: &[Session]) {
        for item in self.items.iter().filter(|i| !matches!(i.form, Form::Corrupt)) {
            let at = sessions.iter().rev().find(|s| s.up <= item.sent).unwrap_or(&sessions[0]);
            let due = item.sent.plus(at.one_way_ns);
            let new = Delivery { due, live: None, one_way_ns: at.one_way_ns };
            let known = self.script.deliveries.entry(item.op.key).or_insert(new);
            known.due = known.due.min(due);
        }
    }

    fn push(&mut self, at: Tau, event: Event) {
        self.script.events.push((at, event));
    }

    fn session(&mut self, s: &Session, is_first: bool) {
        let replay = (self.replays && !is_first).then_some(s.fill);
        let mut queue_free = s.up.plus(s.one_way_ns);
        let backlog: Vec<Item> = match replay {
            Some(fill) if fill.succeeds => {
                self.items.iter().filter(|i| i.sent >= self.anchor && i.sent < s.up).copied().collect()
            }
            _ => Vec::new(),
        };
        let spacing_ns = self.dice.ms(2, 150);
        let mut frames: Vec<(Item, Tau, Tau, bool)> = Vec::new();
        for item in backlog {
            queue_free = queue_free.plus(spacing_ns);
            frames.push((item, s.up, queue_free, false));
        }
        let replay_end = frames.last().map(|f| f.2);
        let mut last = s.up;
        for &item in self.items {
            let due = item.sent.plus(s.one_way_ns);
            if item.sent < s.up {
                continue;
            }
            let (slow_per_mille, least_ms) = if self.plan.is_lossy { (400, 1_000) } else { (50, 100) };
            let is_slow = self.plan.faults != Faults::None && self.dice.chance(slow_per_mille);
            let lost_ns = if is_slow { self.dice.ms(least_ms, 1_900) } else { 0 };
            let free = if replay_end.is_some() { queue_free } else { s.up };
            let at = due.plus(lost_ns).max(last).max(free);
            last = at;
            frames.push((item, due, at, at > free));
        }
        frames.retain(|f| f.2 < s.cut);
        // The first byte, or the first acknowledged ping; the source sent nothing before `up`, so nothing comes before either.
        let pinged = s.up.plus(2 * s.one_way_ns);
        let opened = frames.first().map_or(pinged, |f| f.2.min(pinged));
        if opened >= s.cut {
            return;
        }
        let opened = self.times.thaw(opened);
        self.script.first_open = self.script.first_open.or(Some(opened));
        self.push(opened, Event::Open);
        self.frames(&frames, opened);
        self.pings(s);
        if !is_first {
            let is_closed = match replay {
                Some(fill) => self.close_replay(s, fill, replay_end, opened),
                None => self.fill(s, s.fill, opened),
            };
            if !is_closed {
                self.end(s);
                return;
            }
        }
        // After a kill the committed cursor may be older than the last proof: everything is asked for again.
        self.anchor = if self.times.crashes.is_empty() { s.cut.plus(-25 * SECOND) } else { Tau::MIN };
        self.end(s);
    }

    fn end(&mut self, s: &Session) {
        if let Some(closed) = s.closed {
            self.push(closed, Event::Close);
        }
    }

    fn frames(&mut self, frames: &[(Item, Tau, Tau, bool)], opened: Tau) {
        let mut stamp = opened;
        for (i, &(item, _, at, is_live)) in frames.iter().enumerate() {
            if item.form == Form::Again && !self.received.contains(&item.op.key) {
                continue;
            }
            stamp = stamp.max(self.times.thaw(at));
            if self.plan.has_drops && self.dice.chance(40) {
                self.push(stamp, Event::Dropped);
            } else if item.form == Form::Corrupt {
                self.push(stamp, Event::Reject);
            } else {
                if let Some(d) = self.script.deliveries.get_mut(&item.op.key)
                    && is_live
                    && self.received.insert(item.op.key)
                {
                    d.live = d.live.or(Some(at));
                }
                self.push(stamp, Event::Arrive(item.op, Mode::Live));
            }
            // A byte proves what came before it only when nothing lies unread behind it.
            if frames.get(i + 1).is_none_or(|next| next.1 > stamp) {
                self.push(stamp, Event::Prove(stamp));
            }
        }
    }

    fn pings(&mut self, s: &Session) {
        let mut at = s.up.plus(MS);
        let until = s.closed.unwrap_or(s.cut);
        let mut is_first = true;
        while at < s.cut.min(self.times.end) {
            if !self.times.is_frozen(at) {
                let jitter_ns = if is_first { 0 } else { self.dice.ms(0, 30) };
                is_first = false;
                self.push(at, Event::Rtt(s.peer, 2 * s.one_way_ns + jitter_ns));
                let acknowledged = at.plus(2 * s.one_way_ns);
                let looked = self.times.thaw(acknowledged.plus(2 * SECOND + self.dice.ms(0, 300)));
                if acknowledged < s.cut && self.plan.shell == Shell::AcknowledgementIsDelivery {
                    self.push(self.times.thaw(acknowledged), Event::Prove(self.times.thaw(acknowledged)));
                } else if acknowledged < s.cut && looked < until {
                    self.push(looked, Event::Prove(at));
                }
            }
            let is_quiet = at > self.times.last.plus(200 * SECOND);
            at = at.plus(if is_quiet { 30 } else { 5 } * SECOND);
        }
    }

    fn close_replay(&mut self, s: &Session, fill: Fill, replay_end: Option<Tau>, opened: Tau) -> bool {
        let end = self.times.thaw(replay_end.unwrap_or(opened).max(opened)).plus(1_000);
        if end >= s.cut {
            return false;
        }
        self.push(end, if fill.succeeds { Event::Filled } else { Event::GiveUp });
        true
    }

    /// Pages the gap; whether it is closed, as filled or as a hole.
    fn fill(&mut self, s: &Session, fill: Fill, opened: Tau) -> bool {
        let early = self.plan.shell == Shell::FillClosedTooEarly;
        let closing = opened.plus(if early { 100 * MS } else { fill.after_ns });
        let mut known: HashSet<OpKey> = HashSet::new();
        let first = opened.plus(if early { 50 * MS } else { 200 * MS });
        let mut free = first;
        for wanted in [first, closing] {
            let asked = self.times.thaw(wanted.max(free));
            let got = self.times.thaw(asked.plus(2 * s.one_way_ns + self.dice.ms(10, 80)));
            if got >= s.cut {
                return false;
            }
            // One page after the other; one that a freeze held back until it may close does.
            free = got;
            let is_last = asked >= closing;
            if is_last && !fill.succeeds {
                self.push(got, Event::GiveUp);
                return true;
            }
            for item in self.items.iter().filter(|i| i.sent >= self.anchor && i.listed <= asked) {
                if !matches!(item.form, Form::Again | Form::Corrupt) && known.insert(item.op.key) {
                    self.script.events.push((got, Event::Arrive(item.op, Mode::Filled)));
                }
            }
            if is_last {
                self.push(got.plus(1_000), Event::Filled);
                return true;
            }
        }
        true
    }
}
