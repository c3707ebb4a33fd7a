//! What a reader gets: a consistent picture of the ledger that costs little to take.
//!
//! Intervals, roll-ups and operations are shared by reference count and copied only when the ledger changes them while a
//! reader still holds them.

use super::Ledger;
use super::chains::Chains;
use super::content::Content;
use super::extra::ExtraRow;
use super::findings::Found;
use super::series::Series;
use super::state::{MirrorState, SourceState};
use super::{MirrorParams, Params, SLOT_S};
use crate::domain::address::Peer;
use crate::domain::cid::Cid;
use crate::domain::finding::Finding;
use crate::domain::interval::Interval;
use crate::domain::op::OpKey;
use crate::domain::ring::Held;
use crate::domain::rollup::{Rollups, Sum};
use crate::domain::rtt::Correction;
use crate::domain::source::SourceIx;
use crate::domain::tally::Tally;
use crate::domain::time::{Labels, SECOND, Span, Tau};
use crate::domain::trail::Trail;
use crate::domain::window::{Gap, GapState};
use crate::domain::window_kind::WindowKind;
use std::sync::{Arc, OnceLock};

/// Late spans that a capture lists, newest.
const LATE_MAX: usize = 256;
/// Gaps of each source that a capture lists, newest.
const GAPS_MAX: usize = 256;

/// A round-trip estimate.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct RttCapture {
    /// Minimum of the last ten minutes, nanoseconds.
    pub min_ns: Option<i64>,
    /// Samples behind it.
    pub samples: usize,
    /// The address that was measured.
    pub peer: Option<Peer>,
    /// When the newest sample was taken.
    pub measured_at: Option<Tau>,
}

/// A source in a capture.
#[derive(Clone, Debug, Default)]
pub struct SourceCapture {
    /// When it was first observed.
    pub first: Option<Tau>,
    /// Through when its window is proved.
    pub proved: Tau,
    /// Whether its stream is open.
    pub is_open: bool,
    /// Its newest gaps, as spans in which its timing means nothing.
    pub gaps: Vec<Span>,
    /// Those of them that no fill has closed.
    pub holes: Vec<Span>,
    /// Whether a gap of it is not closed.
    pub has_open_gap: bool,
    /// Distinct operations it delivered.
    pub received: u64,
    /// Those of them that a fill brought.
    pub filled: u64,
    /// Operations it delivered live more than once.
    pub duplicates: u64,
    /// Frames of it that were refused.
    pub rejected: u64,
    /// Frames or keys of it that we let go.
    pub dropped: u64,
    /// Operations under a known CID with another DID or `createdAt`.
    pub altered: u64,
    /// Its newest live arrival.
    pub last_op_at: Option<Tau>,
    /// Live arrivals a second over the last minute.
    pub rate_per_s: Option<f64>,
    /// Round trip by TCP connect.
    pub rtt: RttCapture,
    /// Round trip of the live socket.
    pub tcp_info_rtt: RttCapture,
    /// What was wrong with content and order.
    pub content: Arc<Content>,
    /// How it did in the last hours, in short steps.
    pub trail: Arc<Trail>,
}

/// A mirror in a capture.
#[derive(Clone, Debug)]
pub struct MirrorCapture {
    /// As a source.
    pub source: SourceCapture,
    /// Its time limits.
    pub params: MirrorParams,
    /// The correction that holds now.
    pub correction: Option<Correction>,
    /// Operations of the primary that are newer than the newest one it has.
    pub head_lag_ops: u64,
    /// The primary's arrival of the first of them.
    pub head_since: Option<Tau>,
    /// Exact number of DIDs with an open miss.
    pub dids_affected: usize,
    /// Exact number of open misses.
    pub open_misses: u64,
    /// What was decided and measured since the start.
    pub tally: Arc<Tally>,
    /// Misses and extras that were left unexplained, and findings that are not held any more, for lack of room.
    pub findings_let_go: u64,
    /// Numbers of operations that are missed or late; only with operations.
    pub listed: Vec<u64>,
    /// Whether some are not listed.
    pub is_list_cut: bool,
}

/// The picture.
#[derive(Clone, Debug)]
pub struct Capture {
    /// When it was taken.
    pub now: Tau,
    /// How instants become labels.
    pub labels: Labels,
    /// The common time limits.
    pub params: Params,
    /// The primary.
    pub primary: SourceCapture,
    /// The mirrors, in the order of the configuration.
    pub mirrors: Vec<MirrorCapture>,
    /// Intervals.
    pub intervals: Series,
    /// Slots of ten seconds for the rolling short windows.
    pub slots: Series,
    /// Hours and days.
    pub rollups: Arc<Rollups>,
    /// The operations that are held; only when asked for.
    pub held: Held,
    /// Operations that only mirrors have: those not decided yet, then those decided latest, each newest first, bounded; only
    /// with operations.
    pub extras: Vec<ExtraRow>,
    /// Whether some operations that only mirrors have are not listed.
    pub is_extras_cut: bool,
    /// What was found about misses and extras, by mirror and key.
    pub found: Found,
    /// Made when somebody asks.
    chains: OnceLock<Arc<Chains>>,
    /// Newest spans in which our reader was late.
    pub late: Vec<Span>,
    /// Since when our reader is late now.
    pub late_since: Option<Tau>,
    /// Whether the primary's operations come later than usual.
    pub is_primary_delayed: bool,
    /// Whether extras rest on the primary's stream alone.
    pub primary_has_no_export: bool,
    /// Operations that the primary's own log lists and that its stream did not send us, as mirrors made known.
    pub primary_stream_gaps: u64,
    /// Operations held.
    pub held_ops: usize,
    /// Keys held that only mirrors have.
    pub unknown_keys: usize,
}

/// A window's figures with its bounds.
#[derive(Clone, Debug)]
pub struct WindowFigures {
    /// What happened in it.
    pub interval: Interval,
    /// First millisecond of it, UTC.
    pub from_ms: i64,
    /// First millisecond after it, UTC.
    pub to_ms: i64,
}

impl Capture {
    /// What was found about a miss or an extra.
    #[must_use]
    pub fn finding(&self, source: SourceIx, key: &OpKey) -> Option<Finding> {
        self.found.get(&(source, *key))
    }

    /// The earlier miss of the DID that this miss at the mirror follows from; none for a root.
    #[must_use]
    pub fn follows(&self, mirror: usize, number: u64) -> Option<Cid> {
        let (chunk, place) = self.held.find(self.chains().root(mirror, number)?)?;
        chunk.rows().get(place).map(|row| row.cid)
    }

    /// What was wrong with content and order at a source.
    #[must_use]
    pub fn content(&self, source: SourceIx) -> Option<&Content> {
        let mirror = |m: usize| self.mirrors.get(m).map(|mirror| &*mirror.source.content);
        source.mirror_index().map_or(Some(&*self.primary.content), mirror)
    }

    /// How the misses of all mirrors hang together, among the operations of this capture.
    #[must_use]
    pub fn chains(&self) -> &Chains {
        self.chains.get_or_init(|| Arc::new(Chains::of(&self.held, self.mirrors.len())))
    }

    /// Number of the interval that is open now.
    #[must_use]
    pub fn current_interval(&self) -> u32 {
        u32::try_from(self.labels.utc_ms(self.now).div_euclid(self.params.interval_ms)).unwrap_or(0)
    }

    /// The figures of a canonical window: the last whole intervals that make it up, plus the open one; the two shortest roll
    /// in slots of ten seconds.
    #[must_use]
    pub fn window(&self, kind: WindowKind) -> WindowFigures {
        self.figures(kind, true, &mut Shared::default())
    }

    /// The same without lag, which costs less.
    #[must_use]
    pub fn counts(&self, kind: WindowKind) -> WindowFigures {
        self.figures(kind, false, &mut Shared::default())
    }

    /// Every canonical window, shortest first; what they have in common is merged once.
    #[must_use]
    pub fn windows(&self, with_lag: bool) -> Vec<(WindowKind, WindowFigures)> {
        let mut shared = Shared::default();
        WindowKind::ALL.into_iter().map(|kind| (kind, self.figures(kind, with_lag, &mut shared))).collect()
    }

    fn figures(&self, kind: WindowKind, with_lag: bool, shared: &mut Shared) -> WindowFigures {
        let is_short = matches!(kind, WindowKind::M5 | WindowKind::M15);
        let step_ms = if is_short { SLOT_S * 1_000 } else { self.params.interval_ms };
        let last = self.labels.utc_ms(self.now).div_euclid(step_ms).max(0) as u32;
        let first = last.saturating_sub((kind.seconds() * 1_000 / step_ms).max(1) as u32);
        let fresh = || Sum::new(self.mirrors.len(), with_lag);
        let sum = if is_short {
            let sum = shared.slots.get_or_insert_with(|| (fresh(), last + 1));
            add(sum, first, |from, to| self.slots.between(from, to));
            sum.0.clone()
        } else {
            self.sum(first, last, fresh, &mut shared.hours)
        };
        let interval = sum.interval().unwrap_or_else(|| Interval::new(self.mirrors.len()));
        WindowFigures { interval, from_ms: i64::from(first) * step_ms, to_ms: (i64::from(last) + 1) * step_ms }
    }

    /// Adds up the intervals from `first` through `last`, whole hours from their roll-ups. `hours` is what a shorter window
    /// with the same end had of those.
    fn sum(&self, first: u32, last: u32, fresh: impl Fn() -> Sum, hours: &mut Option<(Sum, u32)>) -> Sum {
        let (first_hour, last_hour) = (self.rollups.hour_of(first), self.rollups.hour_of(last));
        let add_all = |sum: &mut Sum, from, to| self.intervals.between(from, to).for_each(|i| sum.add(i.1));
        if last_hour <= first_hour + 1 {
            let mut sum = fresh();
            add_all(&mut sum, first, last);
            return sum;
        }
        let whole = hours.get_or_insert_with(|| {
            let mut tail = fresh();
            add_all(&mut tail, self.rollups.first_of(last_hour), last);
            (tail, last_hour)
        });
        let whole_from = if self.rollups.first_of(first_hour) == first { first_hour } else { first_hour + 1 };
        add(whole, whole_from, |from, to| self.rollups.hours(from, to));
        let mut sum = whole.0.clone();
        if let Some(end) = self.rollups.first_of(whole_from).checked_sub(1).filter(|&end| end >= first) {
            add_all(&mut sum, first, end);
        }
        sum
    }

    /// Whether the span of labels `[from_ms, to_ms)` saw the observer or the primary's link impaired.
    #[must_use]
    pub fn is_impaired(&self, from_ms: i64, to_ms: i64) -> bool {
        let (from, to) = (self.labels.tau(from_ms), self.labels.tau(to_ms));
        let open = self.late_since.map(|since| Span { from: since, to: Tau::MAX });
        let spans = self.late.iter().chain(&self.primary.gaps).chain(open.as_ref());
        spans.into_iter().any(|s| s.overlap_ns(from, to) > 0)
    }
}

/// What longer windows take over from shorter ones: a sum, and the number from which on it has everything.
#[derive(Default)]
struct Shared {
    slots: Option<(Sum, u32)>,
    hours: Option<(Sum, u32)>,
}

/// Adds those from number `from` on that the sum does not have.
fn add<'a, I: Iterator<Item = (u32, &'a Arc<Interval>)>>(
    sum: &mut (Sum, u32),
    from: u32,
    between: impl FnOnce(u32, u32) -> I,
) {
    if let Some(to) = sum.1.checked_sub(1).filter(|&to| to >= from) {
        between(from, to).for_each(|i| sum.0.add(i.1));
        sum.1 = from;
    }
}

impl Ledger {
    /// Takes a picture; `with_ops` adds the operations and lists.
    #[must_use]
    pub fn capture(&self, with_ops: bool) -> Capture {
        Capture {
            now: self.now,
            labels: self.labels,
            params: self.params,
            primary: capture_source(&self.primary, self.now),
            mirrors: (0..).zip(&self.mirrors).map(|(i, m)| self.capture_mirror(i, m, with_ops)).collect(),
            intervals: self.intervals.clone(),
            slots: self.slots.clone(),
            rollups: Arc::clone(&self.rollups),
            held: if with_ops { self.ring.held() } else { Held::default() },
            extras: if with_ops { self.capture_extras() } else { Vec::new() },
            is_extras_cut: self.foreigns.is_list_cut(),
            found: self.findings.found().clone(),
            chains: OnceLock::new(),
            late: newest(self.late.spans().copied().collect(), LATE_MAX),
            late_since: self.late.since(),
            is_primary_delayed: self.is_primary_delayed(),
            primary_has_no_export: self.foreigns.has_no_export(),
            primary_stream_gaps: self.stream_gaps.count,
            held_ops: self.ring.len(),
            unknown_keys: self.foreigns.len(),
        }
    }

    fn capture_mirror(&self, i: usize, m: &MirrorState, with_ops: bool) -> MirrorCapture {
        let rtts = self.primary.rtts.now().zip(m.source.rtts.now());
        let (head_lag_ops, head_since) = self.behind(i, m);
        MirrorCapture {
            source: capture_source(&m.source, self.now),
            params: m.params,
            correction: rtts.map(|(p, m)| self.widened(i, self.now, Correction::from_rtts(m, p))),
            head_lag_ops,
            head_since,
            dids_affected: m.open_misses.len(),
            open_misses: m.open_misses.values().map(|&n| u64::from(n)).sum(),
            tally: Arc::clone(&m.tally),
            findings_let_go: self.findings.let_go(i),
            listed: if with_ops { m.listed.iter().copied().collect() } else { Vec::new() },
            is_list_cut: m.is_list_cut,
        }
    }

    fn capture_extras(&self) -> Vec<ExtraRow> {
        self.foreigns.pending().chain(self.foreigns.recent()).copied().collect()
    }
}

fn newest(mut spans: Vec<Span>, max: usize) -> Vec<Span> {
    let surplus = spans.len().saturating_sub(max);
    spans.drain(..surplus);
    spans
}

fn capture_source(s: &SourceState, now: Tau) -> SourceCapture {
    let rtt = |e: &crate::domain::rtt::Estimator| RttCapture {
        min_ns: e.min_ns(),
        samples: e.samples(),
        peer: e.peer(),
        measured_at: e.measured_at(),
    };
    let newest = || s.windows.gaps().rev().take(GAPS_MAX);
    let mut gaps: Vec<Span> = newest().map(Gap::impaired).collect();
    gaps.reverse();
    let is_hole = |g: &&Gap| !matches!(g.state, GapState::Filled(_));
    let holes = newest().filter(is_hole).map(Gap::impaired).collect();
    SourceCapture {
        first: s.windows.first(),
        proved: s.windows.proved(),
        is_open: s.windows.is_open(),
        gaps,
        holes,
        has_open_gap: s.windows.open_gap().is_some(),
        received: s.received,
        filled: s.filled,
        duplicates: s.content.count(Finding::Duplicate),
        rejected: s.rejected,
        dropped: s.dropped,
        altered: s.content.count(Finding::Altered),
        last_op_at: s.last_op_at,
        rate_per_s: s.rate_per_s(now),
        rtt: rtt(&s.rtt),
        tcp_info_rtt: rtt(&s.tcp_info_rtt),
        content: Arc::clone(&s.content),
        trail: Arc::clone(&s.trail),
    }
}

/// How long a stream may be unproved before its freshness is not known any more: twice the ping's period and a margin.
pub const FRESH_NS: i64 = 15 * SECOND;
