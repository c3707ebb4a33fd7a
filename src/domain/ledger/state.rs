//! What the ledger knows of each source beside the operations.

use super::MirrorParams;
use super::content::Content;
use super::manner::Replay;
use super::numbers::Numbers;
use crate::domain::did::Did;
use crate::domain::ring::Row;
use crate::domain::rtt::{Estimator, HORIZON_NS, History};
use crate::domain::sampling::Sampling;
use crate::domain::tally::Tally;
use crate::domain::time::Tau;
use crate::domain::trail::Trail;
use crate::domain::verdict::{Mode, Verdict};
use crate::domain::window::Windows;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// One source: its window, its counters, its round trips.
#[derive(Clone, Debug, Default)]
pub struct SourceState {
    /// The spans for which everything reached us.
    pub windows: Windows,
    /// Grows with every change of the window's gaps, so that they are kept on disk only when they changed.
    pub windows_version: u64,
    /// Distinct operations that it delivered.
    pub received: u64,
    /// Those of them that a fill brought.
    pub filled: u64,
    /// Live arrivals since the start, repeats too.
    pub arrivals: u64,
    /// Frames of it that were refused.
    pub rejected: u64,
    /// Frames or keys of it that we let go.
    pub dropped: u64,
    /// What was wrong with content and order.
    pub content: Arc<Content>,
    /// Its own numbers of its latest live arrivals.
    pub(super) numbers: Numbers,
    /// Since when its stream brings everything in its own order: the open, or a frame that we let go.
    pub(super) fence: Tau,
    /// The largest number of its own that its stream sent; the primary's alone is kept.
    pub live_seq: Option<u64>,
    /// Its newest arrival.
    pub last_op_at: Option<Tau>,
    /// Round trip by TCP connect.
    pub rtt: Estimator,
    /// What `rtt` was over time.
    pub rtts: History,
    /// How much earlier than they arrived its operations may have been visible, over time; for polled sources.
    pub resolutions: History,
    /// What it sent again when it was connected to; for sources that do.
    pub(super) replay: Option<Replay>,
    /// Round trip of the live socket.
    pub tcp_info_rtt: Estimator,
    /// How it did in the last hours, in short steps.
    pub trail: Arc<Trail>,
    /// Instants of its latest arrivals, for the rate; bounded.
    pub recent: VecDeque<(Tau, u32)>,
}

/// Seconds for which arrivals are counted for the rate.
const RATE_S: usize = 60;

impl SourceState {
    /// Counts a distinct operation.
    pub(super) fn receive(&mut self, mode: Mode) {
        self.received += 1;
        self.filled += u64::from(mode == Mode::Filled);
    }

    /// Takes one that was counted out again, because it will be counted as another.
    pub(super) fn unreceive(&mut self, mode: Mode) {
        self.received = self.received.saturating_sub(1);
        self.filled = self.filled.saturating_sub(u64::from(mode == Mode::Filled));
    }

    /// Notes a live arrival for the rate.
    pub fn note_arrival(&mut self, at: Tau) {
        self.arrivals += 1;
        self.last_op_at = self.last_op_at.max(Some(at));
        let second = Tau(at.0 - at.0.rem_euclid(crate::domain::time::SECOND));
        match self.recent.back_mut() {
            Some((last, n)) if *last >= second => *n = n.saturating_add(1),
            _ => {
                if self.recent.len() == RATE_S {
                    self.recent.pop_front();
                }
                self.recent.push_back((second, 1));
            }
        }
    }

    /// A round trip that was not measured for long is not known any more.
    pub(super) fn forget_rtt(&mut self, now: Tau) {
        if self.rtt.measured_at().is_some_and(|at| now.since(at) > HORIZON_NS) {
            self.rtt.forget(now);
            self.rtts.set(now, None);
        }
    }

    /// Live arrivals a second over the last minute, or since the source was first observed; none before that.
    #[must_use]
    pub fn rate_per_s(&self, now: Tau) -> Option<f64> {
        let first = self.windows.first()?;
        let span_ns = now.since(first).clamp(0, RATE_S as i64 * crate::domain::time::SECOND);
        let from = now.plus(-span_ns);
        let n: u64 = self.recent.iter().filter(|r| r.0 >= from).map(|r| u64::from(r.1)).sum();
        (span_ns > 0).then(|| n as f64 * 1e9 / span_ns as f64)
    }
}

/// One mirror: its source, its limits and the lists of what is not settled with it.
#[derive(Debug)]
pub struct MirrorState {
    /// Its time limits.
    pub params: MirrorParams,
    /// What is known of it as a source.
    pub source: SourceState,
    /// Which operations are looked for there; all when none is set.
    pub(super) sampling: Option<Sampling>,
    /// Numbers of operations past their first deadline, not delivered and not decided.
    pub(super) overdue: Vec<u64>,
    /// When what is overdue was judged.
    pub(super) judged_at: Option<Tau>,
    /// Numbers of operations that came before the mirror was observed, as far as was known then; oldest first.
    pub(super) unbegun: VecDeque<u64>,
    /// Pairs whose timing is not settled: number, and when it will be.
    pub(super) settling: VecDeque<(u64, Tau)>,
    /// Number of the newest operation that it delivered.
    pub head: Option<u64>,
    /// The latest of its live arrivals that the primary has, by their place among them.
    pub(super) latest_order: u64,
    /// Numbers of operations that are missed or late, newest kept.
    pub listed: BTreeSet<u64>,
    /// Whether some that are missed or late are not listed any more.
    pub is_list_cut: bool,
    /// Open misses by DID.
    pub open_misses: HashMap<Did, u32>,
    /// What was decided and measured since the start.
    pub tally: Arc<Tally>,
    /// Keys of it that the primary has not delivered.
    pub(super) unknown_keys: usize,
}

impl MirrorState {
    pub(super) fn new(params: MirrorParams) -> MirrorState {
        MirrorState {
            params,
            source: SourceState::default(),
            sampling: None,
            overdue: Vec::new(),
            judged_at: None,
            unbegun: VecDeque::new(),
            settling: VecDeque::new(),
            head: None,
            latest_order: 0,
            listed: BTreeSet::new(),
            is_list_cut: false,
            open_misses: HashMap::new(),
            tally: Arc::default(),
            unknown_keys: 0,
        }
    }

    /// Keeps the lists true when a verdict changes.
    pub(super) fn list(&mut self, number: u64, row: &Row, from: Verdict, to: Verdict, cap: usize) {
        match (from == Verdict::Missed, to == Verdict::Missed) {
            (false, true) => *self.open_misses.entry(row.did).or_default() += 1,
            (true, false) => self.close_miss(&row.did),
            _ => {}
        }
        if matches!(to, Verdict::Missed | Verdict::Late) {
            self.listed.insert(number);
            if self.listed.len() > cap {
                self.listed.pop_first();
                self.is_list_cut = true;
            }
        } else if matches!(from, Verdict::Missed | Verdict::Late) {
            self.listed.remove(&number);
        }
    }

    /// An operation is not held any more: nothing about it can change, so nothing about it is open.
    pub(super) fn unlist(&mut self, number: u64, row: &Row, verdict: Option<Verdict>) {
        if self.listed.remove(&number) {
            self.is_list_cut = true;
        }
        if verdict == Some(Verdict::Missed) {
            self.close_miss(&row.did);
        }
    }

    pub(super) fn close_miss(&mut self, did: &Did) {
        if let Some(n) = self.open_misses.get_mut(did) {
            *n -= 1;
            if *n == 0 {
                self.open_misses.remove(did);
            }
        }
    }
}
