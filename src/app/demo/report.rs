//! What the demo tells at its end: truth against measurement, over the operations that are decided for good.

use crate::domain::interval::ExtraState;
use crate::domain::ledger::Capture;
use crate::domain::verdict::Verdict;
use crate::domain::view::Picture;
use crate::domain::window_kind::WindowKind;
use crate::sim::demo::DemoWorld;
use crate::sim::truth::MirrorTruth;
use std::fmt::Write;
use std::ops::Range;
use std::time::Duration;

/// What was found at one mirror.
#[derive(Default)]
struct Measured {
    on_time: u64,
    late: u64,
    missed: u64,
    /// Delivered, nobody knows when.
    present: u64,
    unknown: u64,
    extra: u64,
    extra_unknown: u64,
}

/// What the columns between the name and the percentiles show of one mirror.
struct Figures {
    pairs: [String; 4],
    present: u64,
    unknown: u64,
}

/// A line for each mirror, and what the lines are about. `decided_after` is how long after its publication what becomes of an
/// operation is decided for good.
pub(super) fn text(picture: &Picture, world: &DemoWorld, grace: Duration, decided_after: Duration) -> String {
    let capture = &picture.capture;
    let decided_after_ms = i64::try_from(decided_after.as_millis()).unwrap_or(i64::MAX);
    let until_ms = decided_until(capture, decided_after_ms);
    let told_from_ms = world.remembered_from_ms().unwrap_or(until_ms);
    // What a mirror alone has can be compared once the primary was observed for the whole grace before it.
    let grace_ns = i64::try_from(grace.as_nanos()).unwrap_or(i64::MAX);
    let extras_from_ms = capture.primary.first.map_or(until_ms, |first| capture.labels.utc_ms(first.plus(grace_ns)));
    let lags = capture.window(WindowKind::H24).interval;
    let ops = world.truth_between(told_from_ms, until_ms).published;
    let mut out = format!(
        "\ntruth against what was measured ({ops} operations of the primary; * = differs by more than is not known)\n\
         {:<14} {:>16} {:>16} {:>16} {:>16} {:>9} {:>9} {:>20}\n",
        "mirror", "on time", "late", "missed", "extra", "present", "unknown", "lag p50 ms"
    );
    for (i, info) in picture.mirrors.iter().enumerate() {
        // Only what was published while the mirror was observed can be compared.
        let ops = eligible_from(capture, i, told_from_ms..until_ms)..until_ms;
        let extras = extras_from_ms.max(listed_from(capture, i, decided_after_ms))..until_ms;
        let truth_in = |span: &Range<i64>| {
            world.truth_between(span.start, span.end).mirrors.into_iter().find(|mirror| mirror.name == info.name)
        };
        let (Some(truth), Some(of_extras)) = (truth_in(&ops), truth_in(&extras)) else { continue };
        let Figures { pairs: [on_time, late, missed, extra], present, unknown } =
            figures(&truth, of_extras.invented, &measured(capture, i, &ops, &extras));
        let ms = |ms: Option<f64>| ms.map_or("–".to_owned(), |ms| format!("{ms:.1}"));
        let p50_us = lags.mirrors.get(i).and_then(|acc| acc.lag.at_rank(acc.lag.count().div_ceil(2)));
        let lag = format!("{} / {}", ms(truth.lag_p50_ms), ms(p50_us.map(|us| us as f64 / 1e3)));
        let line = writeln!(
            out,
            "{:<14} {on_time:>16} {late:>16} {missed:>16} {extra:>16} {present:>9} {unknown:>9} {lag:>20}",
            info.name,
        );
        debug_assert!(line.is_ok());
    }
    out.push_str(
        "present: delivered while a link was being resumed or this machine was busy, so that its time is not known;\n\
         it counts for coverage. extra: counted once the primary was observed for the whole grace.",
    );
    let left_out = world.truth_between(until_ms, i64::MAX).published;
    if left_out > 0 {
        let after_s = decided_after.as_secs_f64();
        let line = write!(
            out,
            "\nleft out: the newest {left_out} operations, about which not everything is decided yet; that takes {after_s:.0} s."
        );
        debug_assert!(line.is_ok());
    }
    out
}

/// `createdAt` before which everything is decided.
fn decided_until(capture: &Capture, decided_after_ms: i64) -> i64 {
    let rows = capture.held.chunks.iter().flat_map(|chunk| {
        let pending = (0..capture.mirrors.len()).flat_map(|mirror| chunk.rows().iter().zip(chunk.cells(mirror)));
        pending.filter(|(_, cell)| cell.verdict() == Verdict::Pending).map(|(row, _)| row.created_ms)
    });
    let extras = capture.extras.iter().filter(|extra| extra.state == ExtraState::Pending);
    let now_ms = capture.labels.utc_ms(capture.now);
    rows.chain(extras.map(|extra| extra.created_ms)).fold(now_ms - decided_after_ms, i64::min)
}

/// `createdAt` of the first operation that the mirror was to deliver; the end where there was none.
fn eligible_from(capture: &Capture, mirror: usize, span: Range<i64>) -> i64 {
    let rows = capture.held.chunks.iter().flat_map(|chunk| chunk.rows().iter().zip(chunk.cells(mirror)));
    let eligible = rows.filter(|(_, cell)| cell.verdict() != Verdict::NotEligible).map(|(row, _)| row.created_ms);
    eligible.filter(|created_ms| span.contains(created_ms)).min().unwrap_or(span.end)
}

/// `createdAt` from which on everything is listed that only this mirror has. They are listed in the order of decisions.
fn listed_from(capture: &Capture, mirror: usize, decided_after_ms: i64) -> i64 {
    if !capture.is_extras_cut {
        return i64::MIN;
    }
    let listed = capture.extras.iter().filter(|extra| usize::from(extra.mirror) == mirror);
    listed.map(|extra| extra.created_ms.saturating_add(decided_after_ms)).min().unwrap_or(i64::MIN)
}

fn measured(capture: &Capture, mirror: usize, ops: &Range<i64>, extras: &Range<i64>) -> Measured {
    let mut found = Measured::default();
    let rows = capture.held.chunks.iter().flat_map(|chunk| chunk.rows().iter().zip(chunk.cells(mirror)));
    for (_, cell) in rows.filter(|(row, _)| ops.contains(&row.created_ms)) {
        match cell.verdict() {
            Verdict::OnTime => found.on_time += 1,
            Verdict::Late => found.late += 1,
            Verdict::Missed => found.missed += 1,
            Verdict::Present => found.present += 1,
            Verdict::Unknown => found.unknown += 1,
            Verdict::NotEligible | Verdict::Pending | Verdict::Withdrawn | Verdict::Disputed => {}
        }
    }
    let of_mirror = capture.extras.iter().filter(|extra| usize::from(extra.mirror) == mirror);
    for extra in of_mirror.filter(|extra| extras.contains(&extra.created_ms)) {
        match extra.state {
            ExtraState::Extra => found.extra += 1,
            ExtraState::Unknown => found.extra_unknown += 1,
            ExtraState::Pending | ExtraState::Explained => {}
        }
    }
    found
}

/// Truth beside measurement.
fn figures(truth: &MirrorTruth, invented: u64, measured: &Measured) -> Figures {
    let timeless = measured.present + measured.unknown;
    Figures {
        pairs: [
            pair(truth.delivered_on_time, measured.on_time, timeless),
            pair(truth.delivered_late, measured.late, timeless),
            pair(truth.missing(), measured.missed, measured.unknown),
            pair(invented, measured.extra, measured.extra_unknown),
        ],
        present: measured.present,
        unknown: measured.unknown,
    }
}

/// Two counts, marked where they differ and those about which something is not known do not explain it.
fn pair(truth: u64, measured: u64, not_known: u64) -> String {
    let is_explained = (measured..=measured.saturating_add(not_known)).contains(&truth);
    format!("{truth} / {measured}{}", if is_explained { ' ' } else { '*' })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_explains_that_less_was_measured_and_never_more() {
        assert_eq!(pair(5, 5, 0), "5 / 5 ");
        assert_eq!(pair(5, 4, 0), "5 / 4*");
        assert_eq!((pair(5, 4, 1), pair(5, 3, 1)), ("5 / 4 ".into(), "5 / 3*".into()));
        assert_eq!(pair(4, 5, 9), "4 / 5*");
        let truth = MirrorTruth { delivered_on_time: 9, delivered_late: 2, dropped: 3, ..MirrorTruth::default() };
        let found = Measured { on_time: 8, late: 2, missed: 2, present: 1, extra: 1, ..Measured::default() };
        let said = figures(&truth, 1, &found);
        assert_eq!(said.pairs, ["9 / 8 ", "2 / 2 ", "3 / 2*", "1 / 1 "], "what was delivered was not missed");
    }
}
