//! How operations spread over the mirrors: how long it takes until one, two, … all of them have an operation.
//!
//! Times are corrected for network distance; an operation that a mirror loses never comes there. Where the time of one
//! mirror is not known, nothing is said about the operation; a mirror whose times are mostly not known is left out as a
//! whole, because it would take every operation with it. A bounded, even sample of the operations is looked at.

use super::lag::LagHistogram;
use super::ring::{Held, Row};
use super::time::Tau;
use super::verdict::{Cell, Mode, Verdict};

/// Operations that are looked at, at most.
pub const OPS_MAX: u64 = 2_000;
/// Steps of the grid for a factor of ten.
const STEPS_A_DECADE: i32 = 8;
/// Steps of the grid behind its zero: from 1 ms to 316 s.
const STEPS: i32 = 44;

/// The instants at which the curves are told, microseconds after the primary: 0, then 1 ms to 316 s in even factors.
#[must_use]
pub fn grid_us() -> Vec<i64> {
    let step = |i: i32| (1e3 * 10_f64.powf(f64::from(i) / f64::from(STEPS_A_DECADE))).round() as i64;
    std::iter::once(0).chain((0..=STEPS).map(step)).collect()
}

/// Why a mirror is no part of the curves.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum LeftOut {
    /// Its network distance is not known, so its times cannot be corrected.
    NoRtt,
    /// When it had the operations is known of fewer than half of them.
    TimingUnknown,
}

impl LeftOut {
    /// The word in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LeftOut::NoRtt => "no_rtt",
            LeftOut::TimingUnknown => "timing_unknown",
        }
    }
}

/// The time until so many mirrors had an operation.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Curve {
    /// Operations that so many mirrors had by each instant of the grid.
    pub within: Vec<u64>,
    /// Operations that so many mirrors never had.
    pub never: u64,
    /// The times of the others.
    pub times: LagHistogram,
}

/// What became of the operations of one span.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Propagation {
    /// Operations of the span.
    pub in_window: u64,
    /// Every so many of them was looked at.
    pub every: u64,
    /// Operations that are part of the curves.
    pub used: u64,
    /// Operations that were looked at and whose time is not known at some mirror.
    pub left_out: u64,
    /// The mirrors that are part of the curves.
    pub mirrors: Vec<usize>,
    /// Those that are not: why, and of which share of the operations their time is known.
    pub mirrors_left_out: Vec<(usize, LeftOut, f64)>,
    /// One for each number of mirrors, from one to all.
    pub curves: Vec<Curve>,
}

/// When a mirror had an operation.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Had {
    /// So many microseconds after the primary, corrected.
    After(i64),
    Never,
}

/// None where it is not known.
fn had(cell: Cell, correction_us: i64) -> Option<Had> {
    match cell.verdict() {
        Verdict::OnTime | Verdict::Late if cell.delivery() == Some(Mode::Live) => {
            Some(Had::After(cell.raw_us() - correction_us))
        }
        Verdict::Missed => Some(Had::Never),
        _ => None,
    }
}

/// The number of the first operation held that the primary delivered at `at` or later, as if they lay in that order.
fn first_from(held: &Held, at: Tau) -> u64 {
    let is_before = |row: &Row| row.p < at;
    let chunk = held.chunks.partition_point(|c| c.rows().last().is_some_and(is_before));
    let before: u64 = held.chunks.iter().take(chunk).map(|c| c.rows().len() as u64).sum();
    let within = held.chunks.get(chunk).map_or(0, |c| c.rows().partition_point(is_before)) as u64;
    (held.chunk_base + before + within).max(held.base)
}

/// How the operations that the primary delivered in `[from, to)` spread; `corrections_us` is one for each mirror, where it is
/// known. The span must have ended so long ago that what is not delivered is decided.
#[must_use]
pub fn propagation(held: &Held, from: Tau, to: Tau, corrections_us: &[Option<i64>]) -> Propagation {
    let (first, end) = (first_from(held, from), first_from(held, to));
    let in_window = end.saturating_sub(first);
    let every = in_window.div_ceil(OPS_MAX).max(1);
    let numbers = (first.next_multiple_of(every)..end).step_by(usize::try_from(every).unwrap_or(usize::MAX));
    let cells = |number: u64| held.find(number);
    let ops: Vec<u64> = numbers.filter(|&n| cells(n).is_some()).collect();
    let of = |number: u64, m: usize, correction_us: i64| {
        let (chunk, place) = held.find(number)?;
        chunk.cells(m).get(place).and_then(|cell| had(*cell, correction_us))
    };
    let mut found = Propagation { in_window, every, ..Propagation::default() };
    let mut corrections = Vec::new();
    for (m, correction) in corrections_us.iter().enumerate() {
        let known = ops.iter().filter(|&&n| of(n, m, 0).is_some()).count();
        let share = known as f64 / ops.len().max(1) as f64;
        match correction {
            Some(known_us) if share >= 0.5 => {
                found.mirrors.push(m);
                corrections.push(*known_us);
            }
            Some(_) => found.mirrors_left_out.push((m, LeftOut::TimingUnknown, share)),
            None => found.mirrors_left_out.push((m, LeftOut::NoRtt, share)),
        }
    }
    let grid = grid_us();
    found.curves = vec![Curve { within: vec![0; grid.len()], ..Curve::default() }; found.mirrors.len()];
    for number in ops {
        let times = found.mirrors.iter().zip(&corrections).map(|(&m, &correction_us)| of(number, m, correction_us));
        let Some(mut times) = times.collect::<Option<Vec<Had>>>() else {
            found.left_out += 1;
            continue;
        };
        times.sort_unstable();
        found.used += 1;
        for (curve, time) in found.curves.iter_mut().zip(times) {
            match time {
                Had::Never => curve.never += 1,
                Had::After(us) => {
                    curve.times.record(us);
                    let at = grid.partition_point(|&step_us| step_us < us);
                    curve.within.iter_mut().skip(at).for_each(|n| *n += 1);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::did::Did;
    use crate::domain::op::{Kind, OpKey};
    use crate::domain::ring::Ring;
    use crate::domain::time::{MS, SECOND};
    use crate::domain::verdict::Reason;

    const ON_TIME: Verdict = Verdict::OnTime;

    fn cell(verdict: Verdict, ms: i64) -> Cell {
        let cell = Cell::new(Verdict::Pending).with_verdict(verdict, Reason::None);
        let mode = if verdict == Verdict::Present { Mode::Filled } else { Mode::Live };
        if verdict == Verdict::Missed { cell } else { cell.with_delivery(mode, ms * 1_000) }
    }

    /// One operation a second, each as `cells` says of its number.
    fn held(n: u64, mirrors: usize, cells: impl Fn(u64) -> Vec<Cell>) -> Held {
        let mut ring = Ring::new(mirrors, 5);
        for i in 0..n {
            let mut cid = [0; 32];
            cid[..8].copy_from_slice(&i.to_be_bytes());
            let key = OpKey { did: Did([1; 15]), cid: Cid(cid) };
            ring.push(Row::new(key, Kind::Update, Tau(i as i64 * SECOND), 0, None), cells(i).into_iter());
        }
        ring.held()
    }

    fn by(curve: &Curve, at_ms: i64) -> u64 {
        let place = grid_us().iter().rposition(|&us| us <= at_ms * 1_000).unwrap();
        curve.within[place]
    }

    #[test]
    fn the_kth_of_them_is_told_corrected_and_what_is_lost_never_comes() {
        let held =
            held(10, 2, |i| vec![cell(ON_TIME, 100), if i < 4 { cell(Verdict::Missed, 0) } else { cell(ON_TIME, 20) }]);
        let p = propagation(&held, Tau(0), Tau(10 * SECOND), &[Some(60_000), Some(0)]);
        assert_eq!((p.in_window, p.every, p.used, p.left_out, &*p.mirrors), (10, 1, 10, 0, &[0, 1][..]));
        let [one, both] = &p.curves[..] else { panic!("{p:?}") };
        assert_eq!((by(one, 10), by(one, 25), by(one, 50), one.never), (0, 6, 10, 0), "40 ms where 20 ms was lost");
        assert_eq!((by(both, 25), by(both, 50), both.never), (0, 6, 4));
        assert_eq!((one.times.count(), both.times.max_us()), (10, Some(40_000)));
    }

    #[test]
    fn where_time_is_not_known_nothing_is_said() {
        let unknown = |i: u64| if i.is_multiple_of(5) { cell(Verdict::Unknown, 1) } else { cell(ON_TIME, 7) };
        let held = held(100, 4, |i| vec![cell(ON_TIME, 5), unknown(i), cell(Verdict::Present, 1), cell(ON_TIME, 1)]);
        let p = propagation(&held, Tau(0), Tau(100 * SECOND), &[Some(0), Some(0), Some(0), None]);
        assert_eq!((p.used, p.left_out, &*p.mirrors), (80, 20, &[0, 1][..]));
        assert_eq!(p.mirrors_left_out, [(2, LeftOut::TimingUnknown, 0.0), (3, LeftOut::NoRtt, 1.0)]);
        let none = propagation(&Held::default(), Tau(0), Tau(SECOND), &[Some(0)]);
        assert_eq!((none.in_window, none.used, none.mirrors.len()), (0, 0, 0));
    }

    #[test]
    fn a_long_span_is_sampled_evenly_and_only_its_own_operations_are_looked_at() {
        let held = held(9_000, 1, |i| vec![cell(ON_TIME, if i < 3_000 { 900 } else { 9 })]);
        let p = propagation(&held, Tau(0), Tau(9_000 * SECOND), &[Some(0)]);
        assert_eq!((p.in_window, p.every, p.used), (9_000, 5, 1_800));
        assert_eq!((by(&p.curves[0], 10), by(&p.curves[0], 1_000)), (1_200, 1_800));
        let late = propagation(&held, Tau(3_000 * SECOND), Tau(3_010 * SECOND), &[Some(0)]);
        assert_eq!((late.in_window, late.used, late.curves[0].times.max_us()), (10, 10, Some(9_000)));
        assert_eq!(propagation(&held, Tau(-5), Tau(4 * SECOND + 20 * MS), &[Some(0)]).in_window, 5);
    }
}
