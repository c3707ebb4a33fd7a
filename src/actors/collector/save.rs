//! What is kept: one transaction a second, tried again until it is.

use super::restored::FORGOTTEN;
use super::standing::SavedStanding;
use super::{Collector, told_nodes};
use crate::actors::line::Line;
use crate::actors::message::{Flush, Keep, KeepError};
use crate::domain::ledger::persist::Prepared;
use crate::domain::ledger::restore::Counters;
use crate::domain::ledger::saved::{HEAD, IntervalHead};
use crate::domain::sample::Samples;
use crate::domain::source::SourceIx;
use crate::domain::time::{SECOND, Tau, rfc3339_ms};
use crate::ports::store::{Commit, Heartbeat, IntervalRow, Segment, SourceRow, Tier};
use actix::{ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::watch;

/// Between two transactions: a second less a tick, so that with the time that writing takes a kill loses 1.1 s at most.
const SAVE_EVERY_NS: i64 = 9 * SECOND / 10;
/// Journal that waits in memory while nothing can be kept; beyond it is let go, and a restart begins behind it.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// The row that holds the ledger's own state.
pub(super) const LEDGER_ROW: &str = "#ledger";
/// The row that says which segments of the journal there are: the first and the last.
pub(super) const JOURNAL_ROW: &str = "#journal";
/// What follows a source's id in the row that holds its window.
pub(super) const WINDOW_ROW: &str = "#window";

/// A source's small state.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SourceState {
    pub(super) counters: Counters,
    pub(super) anchor: Option<(u64, [u8; 15], [u8; 32])>,
    pub(super) rejects: BTreeMap<String, u64>,
    #[serde(default)]
    pub(super) samples: Samples,
    #[serde(default)]
    pub(super) standing: Option<SavedStanding>,
}

/// How a transaction ended.
pub(super) struct Sent {
    result: Result<(), KeepError>,
    commit: Arc<Commit>,
    finals: Vec<u32>,
    versions: Vec<u64>,
}

/// Sends transactions and remembers what is kept.
#[derive(Debug)]
pub(super) struct Saver {
    writer: Line<Keep>,
    next_segment: i64,
    kept_segments: VecDeque<(i64, i64)>,
    boot_id: String,
    /// Versions of the windows that are kept, by source.
    versions: Vec<u64>,
    /// A transaction that failed, to be sent again as it was.
    failed: Option<(Arc<Commit>, Vec<u32>, Vec<u64>)>,
    /// Whether a transaction is under way.
    under_way: watch::Sender<bool>,
    /// The newest operation that any segment named.
    newest_op: i64,
    sent_at: Option<Tau>,
    /// See [`WAITING_BYTES_MAX`].
    pub(super) waiting_bytes_max: usize,
    trouble: Option<(KeepError, i64)>,
    /// Tells others of it.
    told: watch::Sender<Option<String>>,
}

impl Saver {
    pub(super) fn new(
        writer: Line<Keep>,
        last_segment: i64,
        kept: Vec<(i64, i64)>,
        boot_id: String,
        told: watch::Sender<Option<String>>,
    ) -> Saver {
        let newest_op = kept.last().map_or(-1, |s| s.1).max(-1);
        Saver {
            writer,
            next_segment: last_segment + 1,
            kept_segments: kept.into(),
            boot_id,
            versions: Vec::new(),
            failed: None,
            under_way: watch::Sender::new(false),
            newest_op,
            sent_at: None,
            waiting_bytes_max: WAITING_BYTES_MAX,
            trouble: None,
            told,
        }
    }

    pub(super) fn is_due(&self, now: Tau) -> bool {
        !*self.under_way.borrow() && self.sent_at.is_none_or(|at| now.since(at) >= SAVE_EVERY_NS)
    }

    /// Ends when no transaction is under way.
    pub(super) fn idle(&self) -> impl Future<Output = ()> + use<> {
        let mut under_way = self.under_way.subscribe();
        async move {
            // The sender lives in the collector, which waits here: it cannot be gone.
            let _ = under_way.wait_for(|is| !is).await;
        }
    }

    /// What is wrong with keeping, for people.
    pub(super) fn degraded(&self) -> Vec<String> {
        let told = |(e, since): &(KeepError, i64)| format!("{} since {}: {}", e.class, rfc3339_ms(*since), e.text);
        self.trouble.iter().map(told).collect()
    }

    fn first_segment(&self) -> i64 {
        self.kept_segments.front().map_or(self.next_segment, |s| s.0)
    }

    fn drop_below(&mut self, oldest_op: u64) -> Option<i64> {
        let mut below = None;
        while let Some(&(_, newest)) = self.kept_segments.front()
            && (newest == FORGOTTEN || self.kept_segments.len() > 1 && newest < oldest_op as i64)
        {
            self.kept_segments.pop_front();
            below = Some(self.first_segment());
        }
        below
    }
}

impl Handler<Flush> for Collector {
    type Result = actix::ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Flush, _: &mut Self::Context) -> Self::Result {
        self.ledger.tick(self.clock.now());
        self.flush()
    }
}

impl Collector {
    /// Sends the next transaction when its time has come.
    pub(super) fn save(&mut self, now: Tau, ctx: &mut Context<Self>) {
        if !self.saver.is_due(now) {
            return;
        }
        let sending = self.send_commit(now);
        ctx.spawn(sending.into_actor(self).map(|result, act, _| act.kept(result)));
    }

    /// Keeps everything that is left, after the transaction that is under way.
    fn flush(&mut self) -> actix::ResponseActFuture<Self, ()> {
        let waiting = self.saver.idle();
        Box::pin(waiting.into_actor(self).then(|(), act: &mut Self, _| {
            let is_again = act.saver.failed.is_some();
            let sending = act.send_commit(act.clock.now());
            sending.into_actor(act).then(move |sent, act: &mut Self, _| {
                act.kept(sent);
                // One that failed before does not hold what came since then.
                let has_rest = is_again && act.saver.failed.is_none();
                let rest = has_rest.then(|| act.send_commit(act.clock.now()));
                let sending = async move {
                    match rest {
                        Some(rest) => Some(rest.await),
                        None => None,
                    }
                };
                sending.into_actor(act).map(|sent, act: &mut Self, _| sent.into_iter().for_each(|sent| act.kept(sent)))
            })
        }))
    }
}

impl Collector {
    /// Sends the next transaction: the one that failed before, or everything new.
    pub(super) fn send_commit(&mut self, now: Tau) -> impl Future<Output = Sent> + use<> {
        self.saver.under_way.send_replace(true);
        self.saver.sent_at = Some(now);
        let (commit, finals, versions) = match self.saver.failed.take() {
            Some(again) => {
                self.bound_waiting();
                again
            }
            None => self.next_commit(now),
        };
        let writer = self.saver.writer.clone();
        async move {
            let result = match writer.send(Keep(Arc::clone(&commit))).await {
                Ok(result) => result,
                Err(e) => Err(KeepError { class: "other", text: format!("state: the writer is gone: {e}") }),
            };
            Sent { result, commit, finals, versions }
        }
    }

    /// Lets the waiting journal go when nothing could be kept for so long that it would grow without bound.
    fn bound_waiting(&mut self) {
        if self.ledger.waiting_bytes() > self.saver.waiting_bytes_max {
            let ids = self.mirror_ids();
            let mut prepared = self.ledger.prepare(&ids);
            prepared.segments.clear();
            self.ledger.not_committed(prepared);
            // A number that no segment has tells the next start that something is lost.
            self.saver.next_segment += 1;
            let text =
                "nothing can be kept for so long that the waiting journal was let go; a restart will begin behind it";
            self.note("journal_dropped", None, text.to_owned());
        }
    }

    fn mirror_ids(&self) -> Vec<String> {
        self.sources.iter().skip(1).map(|k| k.who.id.clone()).collect()
    }

    fn next_commit(&mut self, now: Tau) -> (Arc<Commit>, Vec<u32>, Vec<u64>) {
        let ids = self.mirror_ids();
        let mut prepared = self.ledger.prepare(&ids);
        let finals = prepared.finals().to_vec();
        let mut commit = Commit::of(Heartbeat {
            tau_ns: now.0,
            utc_ms: self.labels.utc_ms(now),
            boot_id: self.saver.boot_id.clone(),
            anchor_tau_ns: self.labels.anchor_tau.0,
            anchor_utc_ms: self.labels.anchor_utc_ms,
        });
        for segment in prepared.segments.drain(..) {
            let (first_op, last_op) =
                (segment.first_op.map_or(-1, |n| n as i64), segment.last_op.map_or(-1, |n| n as i64));
            let id = self.saver.next_segment;
            self.saver.next_segment += 1;
            commit.segments.push(Segment { id, first_op, last_op, blob: segment.bytes });
            // A segment that names no operation is needed as long as those around it.
            self.saver.newest_op = self.saver.newest_op.max(last_op);
            self.saver.kept_segments.push_back((id, self.saver.newest_op));
        }
        commit.drop_segments_below = self.saver.drop_below(prepared.oldest_op);
        commit.intervals = interval_rows(&prepared, self.ledger.interval_ms(), &ids);
        commit.misses = self.miss_rows(&prepared, now);
        commit.events = self.events.take_waiting();
        commit.sessions = self.session_rows();
        commit.evidence = self.evidence_rows();
        let versions = self.source_rows(&mut commit);
        let changes = self.events.changes();
        if let Some(own) = &mut self.own_events {
            let blind = |id: &str, from_ms, to_ms| {
                let mirror = ids.iter().position(|known| known == id)?;
                self.ledger.blind(mirror, self.labels.tau(from_ms), self.labels.tau(to_ms))
            };
            commit.log = told_nodes::rows_of(&commit, own.log(), self.ledger.interval_ms(), &blind);
            commit.log.extend(own.rows(&self.sources, changes, commit.heartbeat.utc_ms));
        }
        (Arc::new(commit), finals, versions)
    }

    fn source_rows(&self, commit: &mut Commit) -> Vec<u64> {
        let row = |id: String, url: &str, state: Vec<u8>, cursor: Option<i64>| SourceRow {
            id,
            url: url.to_owned(),
            state,
            cursor,
        };
        commit.sources.push(row(LEDGER_ROW.to_owned(), "", encode(&self.ledger.save_state()), None));
        let segments = (self.saver.first_segment(), self.saver.next_segment - 1);
        commit.sources.push(row(JOURNAL_ROW.to_owned(), "", encode(&segments), None));
        let mut versions = Vec::new();
        for (i, known) in self.sources.iter().enumerate() {
            let ix = SourceIx(i as u16);
            let anchor = known.anchor.map(|a| (a.seq, a.key.did.0, a.key.cid.0));
            let samples = ix.mirror_index().and_then(|m| self.audit.samples.get(m)).cloned().unwrap_or_default();
            let (counters, rejects) = (self.ledger.save_counters(ix), known.rejects.clone());
            let standing = self.standings.saved(ix, &self.labels);
            let state = SourceState { counters, anchor, rejects, samples, standing };
            let cursor = known.anchor.map(|a| a.seq as i64);
            commit.sources.push(row(known.who.id.clone(), &known.who.url, encode(&state), cursor));
            let Some(source) = self.ledger.source(ix) else { continue };
            versions.push(source.windows_version);
            if self.saver.versions.get(i) != Some(&source.windows_version) {
                let id = format!("{}{WINDOW_ROW}", known.who.id);
                commit.sources.push(row(id, &known.who.url, encode(&source.windows), None));
            }
        }
        versions
    }

    /// Takes note of how a transaction ended.
    pub(super) fn kept(&mut self, sent: Sent) {
        self.saver.under_way.send_replace(false);
        match sent.result {
            Ok(()) => {
                self.ledger.committed(&sent.finals);
                self.saver.versions = sent.versions;
                if self.saver.trouble.take().is_some() {
                    self.note("state_recovered", None, "saving works again".to_owned());
                }
            }
            Err(error) => {
                self.saver.failed = Some((sent.commit, sent.finals, sent.versions));
                if self.saver.trouble.is_none() {
                    tracing::error!(%error, "nothing can be kept; measuring goes on and saving is tried again");
                    let since = self.labels.utc_ms(self.clock.now());
                    self.note("state_degraded", None, error.text.clone());
                    self.saver.trouble = Some((error, since));
                }
            }
        }
        self.saver.told.send_replace(self.saver.degraded().pop());
    }
}

/// Serialises state of our own making, which cannot fail; an empty blob reads as nothing kept.
pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    serde_ipld_dagcbor::to_vec(value).unwrap_or_default()
}

fn interval_rows(prepared: &Prepared, interval_ms: i64, ids: &[String]) -> Vec<IntervalRow> {
    let tiers = [
        (Tier::Interval, interval_ms, &prepared.intervals),
        (Tier::Hour, 3_600_000, &prepared.hours),
        (Tier::Day, 86_400_000, &prepared.days),
    ];
    let mut rows = Vec::new();
    for (tier, step_ms, intervals) in tiers {
        for (k, interval) in intervals {
            let start_ms = i64::from(*k) * step_ms;
            let is_final = prepared.finals().contains(k);
            let mut row = |source: &str, blob: Vec<u8>| {
                rows.push(IntervalRow { tier, start_ms, source: source.to_owned(), is_final, blob });
            };
            row(HEAD, encode(&IntervalHead::of(interval)));
            for (id, acc) in ids.iter().zip(&interval.mirrors) {
                row(id, encode(&**acc));
            }
        }
    }
    rows
}
