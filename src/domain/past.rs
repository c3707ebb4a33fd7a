//! Any range of the past: which spans make it up, which of them memory holds, and which only the store has.
//!
//! Memory has every span of a length from some number on; what lies before that number is asked of the store. So no span is
//! counted twice where the two meet, and none falls between them. Nothing here reads the store.

use super::interval::Interval;
use super::ledger::Capture;
use super::ledger::capture::WindowFigures;
use super::resolution::Resolution;
use super::rollup::{Sum, merge};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Longest range that is answered, in days.
pub const RANGE_DAYS_MAX: i64 = 400;
const HOUR_MS: i64 = 3_600_000;
/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;
/// Hours that are made of their intervals, newest: the roll-ups of those may be some seconds behind.
const FRESH_HOURS: i64 = 2;

/// `[from_ms, to_ms)` in UTC milliseconds; not empty.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct TimeRange {
    /// Its first millisecond.
    pub from_ms: i64,
    /// The first behind it.
    pub to_ms: i64,
}

/// Spans of one length, each beginning where the one before ends; number `n` begins at `n` lengths.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// Their length.
    pub resolution: Resolution,
    /// Their numbers.
    pub numbers: Range<i64>,
}

impl Stretch {
    /// Its first millisecond and the one behind it, where intervals are this long.
    #[must_use]
    pub const fn bounds_ms(&self, interval_ms: i64) -> (i64, i64) {
        let step_ms = self.resolution.step_ms(interval_ms);
        (self.numbers.start * step_ms, self.numbers.end * step_ms)
    }
}

/// Spans of a stretch, by number.
pub type Spans = BTreeMap<i64, Arc<Interval>>;

/// What the store tells of a stretch that memory does not.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// The spans that only the store has.
    pub spans: Spans,
    /// Why it has no others.
    pub keeping: Keeping,
}

impl Past {
    /// A span of the stretch that this is the past of, as memory or the store has it.
    #[must_use]
    pub fn span(&self, capture: &Capture, resolution: Resolution, number: i64) -> Option<Arc<Interval>> {
        capture.span(resolution, number).or_else(|| self.spans.get(&number).cloned())
    }
}

/// Takes a span that the store has; two that begin in the same one, from when intervals were shorter, are one.
pub fn put(spans: &mut Spans, number: i64, interval: Interval) {
    match spans.get_mut(&number) {
        Some(held) => Arc::make_mut(held).merge(&interval),
        None => {
            spans.insert(number, Arc::new(interval));
        }
    }
}

/// How long spans are kept, and since when there are any: why nothing is known of one.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Keeping {
    /// Intervals that begin before this are forgotten, UTC milliseconds; `None` where they are kept for ever.
    pub intervals_from_ms: Option<i64>,
    /// The same of hours.
    pub hours_from_ms: Option<i64>,
    /// The same of days.
    pub days_from_ms: Option<i64>,
    /// Where the first span of all begins, UTC milliseconds.
    pub first_ms: Option<i64>,
}

impl Keeping {
    /// What memory alone tells: nothing is forgotten.
    #[must_use]
    pub fn of(capture: &Capture) -> Keeping {
        Keeping { first_ms: capture.first_ms(), ..Keeping::default() }
    }

    /// Whether a span that begins then is not forgotten.
    #[must_use]
    pub fn is_kept(&self, resolution: Resolution, start_ms: i64) -> bool {
        let from_ms = match resolution {
            Resolution::Interval => self.intervals_from_ms,
            Resolution::Hour => self.hours_from_ms,
            Resolution::Day => self.days_from_ms,
        };
        from_ms.is_none_or(|from_ms| start_ms >= from_ms)
    }

    /// Why nothing is known of the span `[from_ms, to_ms)`.
    #[must_use]
    pub fn reason(&self, resolution: Resolution, (from_ms, to_ms): (i64, i64)) -> &'static str {
        let is_before = self.first_ms.is_some_and(|first_ms| to_ms <= first_ms);
        if is_before && self.is_kept(Resolution::Day, from_ms) {
            "before_first_start"
        } else if self.is_kept(resolution, from_ms) {
            "no_data"
        } else {
            "retention"
        }
    }

    /// Where a range begins and ends in spans that are kept: whole intervals, or whole hours and days where those of the hour
    /// or the day that are needed are forgotten. `end_ms` is where the open interval ends.
    fn widened(&self, range: TimeRange, interval_ms: i64, end_ms: i64) -> (i64, i64) {
        let begin = floor(range.from_ms, interval_ms);
        let from_ms = if self.is_kept(Resolution::Interval, begin) {
            begin
        } else if self.is_kept(Resolution::Hour, floor(begin, HOUR_MS)) {
            floor(begin, HOUR_MS)
        } else {
            floor(begin, DAY_MS)
        };
        // The last hour is made up of intervals from its first one on, the last day of hours.
        let end = ceil(range.to_ms, interval_ms);
        let (day_begin, hour_begin) = (from_ms.max(floor(end, DAY_MS)), from_ms.max(floor(end, HOUR_MS)));
        let has_hours = self.is_kept(Resolution::Hour, day_begin) || self.is_kept(Resolution::Interval, day_begin);
        let to_ms = if has_hours && self.is_kept(Resolution::Interval, hour_begin) {
            end
        } else if has_hours {
            ceil(end, HOUR_MS)
        } else {
            ceil(end, DAY_MS)
        };
        (from_ms, to_ms.min(end_ms).max(from_ms))
    }

    /// The spans that `[from_ms, to_ms)` is made up of, the longest that fit and are kept, oldest first.
    fn cover(&self, from_ms: i64, to_ms: i64, interval_ms: i64) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = Vec::new();
        let mut at_ms = from_ms;
        while at_ms < to_ms {
            let fits = |resolution: &Resolution| {
                let step_ms = resolution.step_ms(interval_ms);
                at_ms.rem_euclid(step_ms) == 0 && at_ms + step_ms <= to_ms && self.is_kept(*resolution, at_ms)
            };
            let resolution = [Resolution::Day, Resolution::Hour].into_iter().find(fits).unwrap_or(Resolution::Interval);
            let step_ms = resolution.step_ms(interval_ms);
            let number = at_ms.div_euclid(step_ms);
            match stretches.last_mut().filter(|last| last.resolution == resolution) {
                Some(last) => last.numbers.end = number + 1,
                None => stretches.push(Stretch { resolution, numbers: number..number + 1 }),
            }
            at_ms += step_ms;
        }
        stretches
    }
}

/// The begin of the step that `ms` lies in.
#[must_use]
pub const fn floor(ms: i64, step_ms: i64) -> i64 {
    ms.div_euclid(step_ms) * step_ms
}

/// The end of the step that `ms` lies in; `ms` itself where a step begins there.
#[must_use]
pub const fn ceil(ms: i64, step_ms: i64) -> i64 {
    -floor(-ms, step_ms)
}

/// The figures of a range, as far as they are added up.
#[derive(Clone, Debug)]
pub struct Gathered {
    sum: Sum,
    mirrors: usize,
    from_ms: i64,
    to_ms: i64,
}

impl Gathered {
    /// Adds a span that only the store has.
    pub fn add(&mut self, part: &Interval) {
        self.sum.add(part);
    }

    /// The figures of all that was added.
    #[must_use]
    pub fn figures(&self) -> WindowFigures {
        let interval = self.sum.interval().unwrap_or_else(|| Interval::new(self.mirrors));
        WindowFigures { interval, from_ms: self.from_ms, to_ms: self.to_ms }
    }
}

impl Capture {
    /// Adds up what memory holds of a range; what only the store has of it is still to be added.
    #[must_use]
    pub fn gather(&self, range: TimeRange, keeping: &Keeping) -> (Gathered, Vec<Stretch>) {
        let interval_ms = self.params.interval_ms;
        let end_ms = (i64::from(self.current_interval()) + 1) * interval_ms;
        let (from_ms, to_ms) = keeping.widened(range, interval_ms, end_ms);
        let mut sum = Sum::new(self.mirrors.len(), true);
        let mut beyond = Vec::new();
        for stretch in keeping.cover(from_ms, to_ms, interval_ms) {
            beyond.extend(self.beyond(&stretch));
            let held = stretch.numbers.start.max(self.held_from(stretch.resolution))..stretch.numbers.end;
            held.filter_map(|number| self.span(stretch.resolution, number)).for_each(|part| sum.add(&part));
        }
        (Gathered { sum, mirrors: self.mirrors.len(), from_ms, to_ms }, beyond)
    }

    /// One span, as memory has it.
    #[must_use]
    pub fn span(&self, resolution: Resolution, number: i64) -> Option<Arc<Interval>> {
        match resolution {
            Resolution::Interval => u32::try_from(number).ok().and_then(|k| self.intervals.get(k).cloned()),
            Resolution::Hour => self.hour(number),
            Resolution::Day => self.day(number),
        }
    }

    /// What of a stretch lies before all that memory holds of this length: only the store has it.
    #[must_use]
    pub fn beyond(&self, stretch: &Stretch) -> Option<Stretch> {
        let end = stretch.numbers.end.min(self.held_from(stretch.resolution));
        let numbers = stretch.numbers.start..end;
        (!numbers.is_empty()).then_some(Stretch { resolution: stretch.resolution, numbers })
    }

    /// The number from which on memory has every span of this length that there is.
    fn held_from(&self, resolution: Resolution) -> i64 {
        let oldest = |first: Option<u32>| first.map_or(i64::MAX, i64::from);
        match resolution {
            Resolution::Interval => oldest(self.intervals.first()),
            Resolution::Hour => oldest(self.rollups.first_hour()).min(self.fresh_from()),
            Resolution::Day => oldest(self.rollups.first_day()).min(self.fresh_from().div_euclid(24)),
        }
    }

    /// The first of the fresh hours.
    fn fresh_from(&self) -> i64 {
        self.labels.utc_ms(self.now).div_euclid(HOUR_MS) + 1 - FRESH_HOURS
    }

    /// One hour: the newest from their intervals, the others from the roll-ups.
    fn hour(&self, hour: i64) -> Option<Arc<Interval>> {
        let number = u32::try_from(hour).ok()?;
        let intervals = || {
            let (first, end) = (self.rollups.first_of(number), self.rollups.first_of(number + 1));
            let parts = self.intervals.between(first, end.saturating_sub(1)).map(|i| &**i.1);
            merge(self.mirrors.len(), parts).map(Arc::new)
        };
        (hour >= self.fresh_from()).then(intervals).flatten().or_else(|| self.rollups.hour(number))
    }

    /// One day; one with a fresh hour from its hours, of which memory has a month.
    fn day(&self, day: i64) -> Option<Arc<Interval>> {
        let last_hour = day * 24 + 23;
        if last_hour < self.fresh_from() {
            return u32::try_from(day).ok().and_then(|day| self.rollups.day(day));
        }
        let hours: Vec<Arc<Interval>> = (day * 24..=last_hour).filter_map(|h| self.hour(h)).collect();
        merge(self.mirrors.len(), hours.iter().map(|h| &**h)).map(Arc::new)
    }

    /// Where the first span begins that memory holds, by the shortest that tells it, UTC milliseconds.
    #[must_use]
    pub fn first_ms(&self) -> Option<i64> {
        let interval_ms = self.params.interval_ms;
        let starts = |first: Option<u32>, resolution: Resolution| {
            first.map(|number| i64::from(number) * resolution.step_ms(interval_ms))
        };
        let firsts = [
            starts(self.rollups.first_day(), Resolution::Day),
            starts(self.rollups.first_hour(), Resolution::Hour),
            starts(self.intervals.first(), Resolution::Interval),
        ];
        first_of(firsts, interval_ms)
    }
}

/// Where the first of all spans begins, by where the first day, hour and interval do: a shorter one tells where in a longer
/// one.
#[must_use]
pub fn first_of(firsts: [Option<i64>; 3], interval_ms: i64) -> Option<i64> {
    let mut known: Option<(i64, i64)> = None;
    for (start_ms, step_ms) in firsts.into_iter().zip([DAY_MS, HOUR_MS, interval_ms]) {
        let is_within = |start_ms: &i64| known.is_none_or(|(first_ms, length_ms)| *start_ms < first_ms + length_ms);
        known = start_ms.filter(is_within).map(|start_ms| (start_ms, step_ms)).or(known);
    }
    known.map(|(first_ms, _)| first_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::did::Did;
    use crate::domain::interval::Status;
    use crate::domain::ledger::{Ledger, Limits, MirrorParams, Params};
    use crate::domain::op::Kind;
    use crate::domain::rollup::Rollups;
    use crate::domain::rtt::Correction;
    use crate::domain::time::{Labels, MS, SECOND, Tau};
    use crate::domain::verdict::{Cell, Verdict};
    use proptest::prelude::*;

    const STEP_MS: i64 = 300_000;
    /// The first interval of a day, and how many of them there are.
    const FIRST: i64 = 5_000_000 / 288 * 288;
    const COUNT: i64 = 3 * 288;
    const BOTH: usize = 2;

    /// Everything that ever was, by length and number.
    struct World {
        spans: BTreeMap<(i64, i64), Interval>,
        now_ms: i64,
    }

    fn interval(seed: u32) -> Interval {
        let mut made = Interval::new(BOTH);
        made.primary_ops = seed;
        made.status = Status::Final;
        for m in 0..BOTH {
            let acc = made.acc_mut(m).unwrap();
            let verdict = if (seed as usize + m).is_multiple_of(3) { Verdict::Missed } else { Verdict::OnTime };
            acc.add(Kind::Update, &Did([seed as u8; 15]), Cell::new(verdict));
            let correction = Correction { correction_us: 10, uncertainty_us: 20 };
            acc.sample(i64::from(seed) * 1_000, Some(correction).filter(|_| seed.is_multiple_of(2)));
        }
        made
    }

    impl World {
        fn of(seeds: &BTreeMap<i64, u32>, now_ms: i64) -> World {
            let mut spans = BTreeMap::new();
            let open = now_ms / STEP_MS;
            for (&k, &seed) in seeds.range(..FIRST + COUNT) {
                let k = k.min(open);
                spans.insert((STEP_MS, k), interval(seed));
            }
            let mut world = World { spans, now_ms };
            for step_ms in [HOUR_MS, DAY_MS] {
                for number in FIRST * STEP_MS / step_ms..=now_ms / step_ms {
                    let merged = world.merged(number * step_ms, (number + 1) * step_ms);
                    merged.map(|merged| world.spans.insert((step_ms, number), merged));
                }
            }
            world
        }

        fn merged(&self, from_ms: i64, to_ms: i64) -> Option<Interval> {
            let within = (STEP_MS, from_ms / STEP_MS)..(STEP_MS, to_ms / STEP_MS);
            merge(BOTH, self.spans.range(within).map(|span| span.1))
        }

        /// What memory holds of it, from these numbers of intervals, hours and days on.
        fn held(&self, from: [i64; 3]) -> Capture {
            let params = Params { look_back_ns: 0, horizon_ns: SECOND, settle_ns: 0, interval_ms: STEP_MS };
            let limits = Limits { held_ops: 10, unknown_keys_per_mirror: 10, listed_per_mirror: 10 };
            let labels = Labels { anchor_tau: Tau(0), anchor_utc_ms: 0 };
            let mirrors = [MirrorParams { on_time_ns: SECOND, grace_ns: SECOND }; BOTH];
            let mut capture = Ledger::new(params, limits, labels, &mirrors).capture(false);
            let mut rollups = Rollups::new(BOTH, STEP_MS);
            for (&(step_ms, number), span) in &self.spans {
                let k = u32::try_from(number).unwrap();
                match step_ms {
                    STEP_MS if number >= from[0] => capture.intervals.insert(k, span.clone()),
                    HOUR_MS if number >= from[1] => rollups.restore_hour(k, span.clone()),
                    DAY_MS if number >= from[2] => rollups.restore_day(k, span.clone()),
                    _ => {}
                }
            }
            capture.rollups = Arc::new(rollups);
            capture.now = Tau(self.now_ms * MS);
            capture
        }

        /// What the store has of a stretch.
        fn kept(&self, stretch: &Stretch, keeping: &Keeping) -> Spans {
            let step_ms = stretch.resolution.step_ms(STEP_MS);
            let within = (step_ms, stretch.numbers.start)..(step_ms, stretch.numbers.end);
            let kept = self.spans.range(within).filter(|span| keeping.is_kept(stretch.resolution, span.0.1 * step_ms));
            kept.map(|(&(_, number), span)| (number, Arc::new(span.clone()))).collect()
        }
    }

    fn assert_same(found: &Interval, expected: Option<&Interval>, what: &str) {
        let nothing = Interval::new(BOTH);
        let expected = expected.unwrap_or(&nothing);
        assert_eq!(found.primary_ops, expected.primary_ops, "{what}");
        assert_eq!(found.mirrors, expected.mirrors, "{what}");
    }

    proptest! {
        #[test]
        fn any_range_is_the_sum_of_its_intervals_wherever_they_are(
            seeds in prop::collection::btree_map(FIRST..FIRST + COUNT, 1_u32..200, 1..80),
            now in FIRST + 2 * 288..FIRST + COUNT,
            held in [0..COUNT - 48, 0..72_i64, 0..3_i64],
            forgotten in [prop::option::of(0..COUNT), prop::option::of(0..72_i64), prop::option::of(0..3_i64)],
            (from, length) in (0..COUNT * STEP_MS, 1..COUNT * STEP_MS),
        ) {
            let now_ms = now * STEP_MS + 17;
            let seeds = seeds.into_iter().filter(|seed| seed.0 <= now).collect();
            let world = World::of(&seeds, now_ms);
            let (first_hour, first_day) = (FIRST / 12, FIRST / 288);
            // Of days that are not over it has every hour, of hours that are not every interval.
            let hour = (first_hour + held[1]).min(floor(now / 12 - 1, 24));
            let capture = world.held([(FIRST + held[0]).min(now - 36), hour, first_day + held[2]]);
            // Everything is kept for a day at least, and hours and days longer than what they are made of.
            let before = |at_ms: i64| at_ms.min(now_ms - DAY_MS);
            let day = forgotten[2].map(|day| before((first_day + day) * DAY_MS));
            let hour = forgotten[1].map(|hour| before((first_hour + hour) * HOUR_MS)).max(day);
            let keeping = Keeping {
                intervals_from_ms: forgotten[0].map(|k| before((FIRST + k) * STEP_MS)).max(hour),
                hours_from_ms: hour,
                days_from_ms: day,
                first_ms: None,
            };
            let from_ms = FIRST * STEP_MS + from;
            let range = TimeRange { from_ms, to_ms: from_ms + length };
            prop_assume!(from_ms < now_ms && keeping.is_kept(Resolution::Day, floor(from_ms, DAY_MS)));
            let (mut gathered, beyond) = capture.gather(range, &keeping);
            for stretch in &beyond {
                world.kept(stretch, &keeping).values().for_each(|span| gathered.add(span));
            }
            let figures = gathered.figures();
            let end_ms = (now + 1) * STEP_MS;
            prop_assert!(figures.from_ms <= from_ms && figures.to_ms >= range.to_ms.min(now_ms));
            prop_assert!(figures.to_ms <= end_ms && from_ms - figures.from_ms < DAY_MS);
            if keeping.intervals_from_ms.is_none() {
                let whole = (floor(from_ms, STEP_MS), ceil(range.to_ms, STEP_MS).min(end_ms));
                prop_assert_eq!((figures.from_ms, figures.to_ms), whole);
            }
            let expected = world.merged(figures.from_ms, figures.to_ms);
            assert_same(&figures.interval, expected.as_ref(), "the sum");
            for resolution in Resolution::ALL {
                let step_ms = resolution.step_ms(STEP_MS);
                let stretch = Stretch { resolution, numbers: from_ms / step_ms..range.to_ms.min(now_ms) / step_ms + 1 };
                let for_ever = Keeping::default();
                let spans = capture.beyond(&stretch).map(|beyond| world.kept(&beyond, &for_ever)).unwrap_or_default();
                let past = Past { spans, keeping: for_ever };
                for number in stretch.numbers {
                    let found = past.span(&capture, resolution, number);
                    let expected = world.merged(number * step_ms, (number + 1) * step_ms);
                    prop_assert_eq!(found.is_some(), expected.is_some(), "{:?} {}", resolution, number);
                    if let Some(found) = found {
                        assert_same(&found, expected.as_ref(), "a window");
                    }
                }
            }
        }
    }

    #[test]
    fn an_end_in_a_day_whose_hours_are_forgotten_moves_to_the_end_of_the_day() {
        let from_ms = Some(28 * HOUR_MS);
        let keeping = Keeping { intervals_from_ms: from_ms, hours_from_ms: from_ms, ..Keeping::default() };
        let range = TimeRange { from_ms: 10 * HOUR_MS, to_ms: 29 * HOUR_MS };
        assert_eq!(keeping.widened(range, STEP_MS, 60 * HOUR_MS), (0, 2 * DAY_MS));
    }

    #[test]
    fn what_is_not_known_has_its_reason() {
        let keeping = Keeping {
            intervals_from_ms: Some(20 * DAY_MS),
            hours_from_ms: Some(10 * DAY_MS),
            days_from_ms: None,
            first_ms: Some(5 * DAY_MS),
        };
        let reason = |resolution, at_ms| keeping.reason(resolution, (at_ms, at_ms + STEP_MS));
        assert_eq!(reason(Resolution::Interval, 5 * DAY_MS - STEP_MS), "before_first_start");
        assert_eq!(reason(Resolution::Interval, 5 * DAY_MS), "retention");
        assert_eq!(reason(Resolution::Hour, 10 * DAY_MS - STEP_MS), "retention");
        assert_eq!(reason(Resolution::Hour, 10 * DAY_MS), "no_data");
        assert_eq!(reason(Resolution::Day, 6 * DAY_MS), "no_data");
        let forgetting = Keeping { days_from_ms: Some(5 * DAY_MS), ..keeping };
        assert_eq!(forgetting.reason(Resolution::Day, (4 * DAY_MS, 5 * DAY_MS)), "retention", "who knows what was");
    }

    #[test]
    fn the_first_of_all_spans_is_told_by_the_shortest_that_is_kept() {
        let hour = 2 * DAY_MS + 3 * HOUR_MS;
        assert_eq!(first_of([None, None, None], STEP_MS), None);
        assert_eq!(first_of([Some(2 * DAY_MS), None, None], STEP_MS), Some(2 * DAY_MS));
        assert_eq!(first_of([Some(2 * DAY_MS), Some(hour), Some(hour + STEP_MS)], STEP_MS), Some(hour + STEP_MS));
        assert_eq!(first_of([Some(2 * DAY_MS), Some(9 * DAY_MS), Some(9 * DAY_MS)], STEP_MS), Some(2 * DAY_MS));
        assert_eq!(first_of([Some(9 * DAY_MS), None, Some(2 * DAY_MS)], STEP_MS), Some(2 * DAY_MS));
    }
}
