//! Two hosts beside each other, without the primary as their judge: what only the one has, what only the other has, what
//! both have, and which of them is ahead.
//!
//! That a host has not what the other has is said only where its own observation window covers the time from the look-back
//! before the other's arrival to the grace behind it. Everything else is pending or unknown, and in neither count.

use super::{Picture, put};
use crate::domain::interval::ExtraState;
use crate::domain::lag::{LagHistogram, ms};
use crate::domain::ledger::{ExtraRow, SourceCapture};
use crate::domain::op::{Kind, OpKey};
use crate::domain::ring::{CHUNK, Row};
use crate::domain::rtt::Correction;
use crate::domain::source::SourceIx;
use crate::domain::time::{Tau, US};
use crate::domain::verdict::{Cell, Mode, Verdict};
use crate::domain::window_kind::WindowKind;
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::HashMap;

/// Operations listed of each side, newest.
const LISTED_MAX: usize = 100;

/// An arrival, and whether its instant means something.
type Arrival = (Tau, bool);

/// What is known of an operation that one side has and the other has not.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Lack {
    /// It has it not.
    Proved,
    /// It may still come.
    Pending,
    /// We were not looking.
    Unknown,
}

/// What only one side has.
#[derive(Default)]
struct Only {
    ops: u64,
    /// The newest ones.
    listed: Vec<(Tau, OpKey, Kind)>,
}

impl Only {
    fn add(&mut self, at: Tau, key: OpKey, kind: Kind) {
        self.ops += 1;
        self.listed.push((at, key, kind));
        if self.listed.len() > 2 * LISTED_MAX {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.listed.sort_unstable_by_key(|x| Reverse((x.0, x.1)));
        self.listed.truncate(LISTED_MAX);
    }
}

/// The comparison as it grows.
struct Comparison<'a> {
    picture: &'a Picture,
    sides: [SourceIx; 2],
    from: Tau,
    to: Tau,
    both: u64,
    only: [Only; 2],
    pending: [u64; 2],
    unknown: [u64; 2],
    /// The lead of the first side over the second, microseconds.
    lead: LagHistogram,
}

impl Comparison<'_> {
    fn is_within(&self, at: Tau) -> bool {
        self.from <= at && at < self.to
    }

    /// Takes an operation with what each side has of it, and what is known where one has it not.
    fn add(&mut self, key: OpKey, kind: Kind, has: [Option<Arrival>; 2], lack: impl Fn(usize, Tau) -> Lack) {
        match has {
            [None, None] => {}
            [Some(a), Some(b)] => {
                if self.is_within(a.0.min(b.0)) {
                    self.both += 1;
                    if a.1 && b.1 {
                        self.lead.record(b.0.since(a.0) / US);
                    }
                }
            }
            [Some(a), None] => self.one(0, a.0, key, kind, lack(1, a.0)),
            [None, Some(b)] => self.one(1, b.0, key, kind, lack(0, b.0)),
        }
    }

    fn one(&mut self, side: usize, at: Tau, key: OpKey, kind: Kind, lack: Lack) {
        if !self.is_within(at) {
            return;
        }
        let count = match lack {
            Lack::Proved => {
                if let Some(only) = self.only.get_mut(side) {
                    only.add(at, key, kind);
                }
                None
            }
            Lack::Pending => self.pending.get_mut(side),
            Lack::Unknown => self.unknown.get_mut(side),
        };
        if let Some(count) = count {
            *count += 1;
        }
    }

    /// Whether a host's window covers what it would have had to send of an operation that came from elsewhere at `at`.
    fn proof(&self, source: SourceIx, at: Tau) -> Lack {
        let Some((info, s)) = self.picture.source(source) else { return Lack::Unknown };
        // Where single operations are looked up, only the primary's are.
        if info.taken.as_ref().is_some_and(|taken| taken.sampling_ratio.is_some()) {
            return Lack::Unknown;
        }
        let c = &self.picture.capture;
        let grace_ns = source.mirror_index().and_then(|m| c.mirrors.get(m)).map(|m| m.params.grace_ns);
        let grace_ns = grace_ns.or(c.mirrors.iter().map(|m| m.params.grace_ns).max()).unwrap_or(0);
        let (from, to) = (at.plus(-c.params.look_back_ns), at.plus(grace_ns));
        if s.first.is_none_or(|first| first > from) || s.holes.iter().any(|h| h.overlap_ns(from, to) > 0) {
            return Lack::Unknown;
        }
        if s.proved < to { Lack::Pending } else { Lack::Proved }
    }

    fn rows(&mut self) {
        let (picture, sides) = (self.picture, self.sides);
        let held = &picture.capture.held;
        for (i, chunk) in held.chunks.iter().enumerate() {
            let first = held.chunk_base + (i * CHUNK) as u64;
            let cells = sides.map(|s| s.mirror_index().map(|m| chunk.cells(m)));
            for (place, row) in chunk.rows().iter().enumerate() {
                if first + (place as u64) < held.base {
                    continue;
                }
                let of_side = |side: Option<&[Cell]>| side.and_then(|c| c.get(place).copied());
                let of_row = cells.map(of_side);
                let has = [0, 1].map(|i| arrival(row, of_row.get(i).copied().flatten(), sides.get(i).copied()));
                let lack = |side: usize, at: Tau| {
                    let cell = of_row.get(side).copied().flatten();
                    match cell.map(Cell::verdict) {
                        Some(Verdict::Missed) => Lack::Proved,
                        Some(Verdict::Pending) => Lack::Pending,
                        Some(Verdict::Withdrawn | Verdict::Disputed) => {
                            sides.get(side).map_or(Lack::Unknown, |s| self.proof(*s, at))
                        }
                        _ => Lack::Unknown,
                    }
                };
                let judged = [0, 1].map(|side| has.iter().flatten().next().map(|a| lack(side, a.0)));
                self.add(row.key(), row.kind, has, |side, _| {
                    judged.get(side).copied().flatten().unwrap_or(Lack::Unknown)
                });
            }
        }
    }

    /// What the primary has not; of two mirrors each may have it, of the primary and a mirror the mirror alone.
    fn extras(&mut self) {
        let mut by_key: HashMap<OpKey, [Option<&ExtraRow>; 2]> = HashMap::new();
        for s in &self.picture.capture.extras {
            let source = SourceIx::mirror(usize::from(s.mirror));
            let Some(side) = self.sides.iter().position(|x| *x == source) else { continue };
            if let Some(entry) = by_key.entry(s.key).or_default().get_mut(side) {
                *entry = Some(s);
            }
        }
        for (key, seen) in by_key {
            let has = seen.map(|s| s.map(|s| (s.q, s.mode == Mode::Live)));
            let Some(sighting) = seen.into_iter().flatten().next() else { continue };
            let lack = [0, 1].map(|side| match self.sides.get(side) {
                Some(&SourceIx::PRIMARY) => match sighting.state {
                    ExtraState::Extra | ExtraState::Explained => Lack::Proved,
                    ExtraState::Pending => Lack::Pending,
                    ExtraState::Unknown => Lack::Unknown,
                },
                Some(&source) => self.proof(source, sighting.q),
                None => Lack::Unknown,
            });
            self.add(key, sighting.kind, has, |side, _| lack.get(side).copied().unwrap_or(Lack::Unknown));
        }
    }
}

/// When a side delivered an operation of the primary.
fn arrival(row: &Row, cell: Option<Cell>, source: Option<SourceIx>) -> Option<Arrival> {
    if source == Some(SourceIx::PRIMARY) {
        return Some((row.p, !row.is_filled));
    }
    let cell = cell?;
    let is_timed = matches!(cell.verdict(), Verdict::OnTime | Verdict::Late);
    cell.delivery().map(|how| (cell.arrival(row.p), how == Mode::Live && is_timed))
}

/// The page of two hosts with the bounds of its window.
#[must_use]
pub fn page(picture: &Picture, sides: [SourceIx; 2], window: WindowKind) -> (Value, i64, i64) {
    let c = &picture.capture;
    let figures = c.counts(window);
    let mut all = Comparison {
        picture,
        sides,
        from: c.labels.tau(figures.from_ms),
        to: c.labels.tau(figures.to_ms),
        both: 0,
        only: Default::default(),
        pending: [0; 2],
        unknown: [0; 2],
        lead: LagHistogram::default(),
    };
    all.rows();
    all.extras();
    let id = |s: SourceIx| picture.source(s).map(|(info, _)| info.id.clone());
    let [a, b] = sides;
    let held_from = c.held.find(c.held.base).and_then(|(chunk, place)| chunk.rows().get(place)).map(|row| row.p);
    let [mut only_a, mut only_b] = all.only;
    let data = json!({
        "a": id(a),
        "b": id(b),
        "both_ops": all.both,
        "only_a_ops": only_a.ops,
        "only_b_ops": only_b.ops,
        "pending_ops": { "a": all.pending[0], "b": all.pending[1] },
        "unknown_ops": { "a": all.unknown[0], "b": all.unknown[1] },
        "lead": lead(picture, sides, &all.lead),
        "only_a": listed(picture, &mut only_a),
        "only_b": listed(picture, &mut only_b),
        "held_from_at": held_from.map(|at| picture.at(at)),
        "is_window_held": c.held.base == 0 || held_from.is_some_and(|at| at <= all.from),
        "truncated": c.is_extras_cut,
    });
    (data, figures.from_ms, figures.to_ms)
}

fn listed(picture: &Picture, only: &mut Only) -> Vec<Value> {
    only.cut();
    let row = |(at, key, kind): &(Tau, OpKey, Kind)| json!({ "did": key.did.to_string(), "cid": key.cid.to_string(), "kind": kind.name(), "at": picture.at(*at) });
    only.listed.iter().map(row).collect()
}

/// How much earlier than the second side the first one is: as measured, and less half the difference of the round trips.
fn lead(picture: &Picture, [a, b]: [SourceIx; 2], histogram: &LagHistogram) -> Value {
    let n = histogram.count();
    let quantile = |q: f64| (n > 0).then(|| histogram.at_rank(((n as f64 * q).ceil() as u64).max(1))).flatten();
    let rtt = |s: SourceIx| picture.source(s).and_then(|(_, c): (_, &SourceCapture)| c.rtt.min_ns);
    let correction = rtt(b).zip(rtt(a)).map(|(b, a)| Correction::from_rtts(b, a));
    let mut map = Map::new();
    map.insert("n".into(), n.into());
    for (name, q) in [("p25_ms", 0.25), ("median_ms", 0.5), ("p75_ms", 0.75)] {
        put(&mut map, name, quantile(q).map(|us| ms(us as f64)), "no_data");
    }
    let corrected = quantile(0.5).zip(correction).map(|(us, c)| ms((us - c.correction_us) as f64));
    put(&mut map, "corrected_median_ms", corrected, if n == 0 { "no_data" } else { "no_rtt" });
    put(&mut map, "uncertainty_ms", correction.map(|c| ms(c.uncertainty_us as f64)), "no_rtt");
    Value::Object(map)
}
