//! The door to the disk: what is kept, and the contract of whatever keeps it.
//!
//! The ledger lives in memory and hands one [`Commit`] a second to one writer thread, which calls [`Store::commit`]; at
//! the start [`Store::load`] gives everything back. Rows and opaque blobs alone pass this door: the domain encodes and
//! decodes them. Nothing here reads a clock or decides a verdict; a failed commit changes nothing and may be tried
//! again with the same or with more rows, because every row has a key and replaces the row of that key.

pub mod directory;
pub mod error;
mod evidence;
pub mod import;
mod interval_query;
pub mod lock;
pub mod log;
#[cfg(any(test, feature = "simulator"))]
pub mod memory;
pub mod meter;
pub mod miss_query;
mod peers;
mod read;
mod recover;
mod salvage;
mod schema;
pub mod sqlite;
#[cfg(test)]
mod tests;
mod tier;
mod transplant;
mod wal;
mod write;

pub use error::StoreError;
pub use evidence::{EVIDENCE_PER_SOURCE_MAX, EvidenceRow, LOGS_MAX, fair_share};
pub use import::{ImportReport, ImportedRow, ImportedTotals};
pub use interval_query::{INTERVALS_PAGE_MAX, IntervalQuery};
pub use log::{LOG_ROWS_MAX, LOG_ROWS_OF_KIND_MAX, LogEnd, LogPage, LogPrune, LogRow};
pub use miss_query::{MISSES_PAGE_MAX, MissCursor, MissQuery};
pub use peers::{PEERS_MAX, PeerMarks};
pub use sqlite::{LoadLimits, OpenOptions, OpenReport, SqliteStore};
pub use tier::Tier;

/// The instant through which everything is kept, and the clock that it belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heartbeat {
    /// τ in nanoseconds through which all frames read are in the same transaction.
    pub tau_ns: i64,
    /// UTC label of `tau_ns`, milliseconds since 1970.
    pub utc_ms: i64,
    /// Boot during which `tau_ns` was measured.
    pub boot_id: String,
    /// τ of the anchor of labels, nanoseconds.
    pub anchor_tau_ns: i64,
    /// UTC at the anchor, milliseconds since 1970.
    pub anchor_utc_ms: i64,
}

/// A run of journaled operations, encoded by the domain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Strictly increasing from segment to segment.
    pub id: i64,
    /// Number of the first operation inside.
    pub first_op: i64,
    /// Number of the last operation inside.
    pub last_op: i64,
    /// The operations; opaque here.
    pub blob: Vec<u8>,
}

/// The figures of one source in one span; key (tier, start, source).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IntervalRow {
    /// Length of the span.
    pub tier: Tier,
    /// Start of the span, UTC milliseconds.
    pub start_ms: i64,
    /// Id of the source.
    pub source: String,
    /// Whether all of its operations are closed.
    pub is_final: bool,
    /// Counters and histograms; opaque here.
    pub blob: Vec<u8>,
}

/// What is remembered of a source; key (id).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceRow {
    /// Id of the source.
    pub id: String,
    /// Where it is.
    pub url: String,
    /// Everything else about it; opaque here.
    pub state: Vec<u8>,
    /// The source's own `seq` to resume from.
    pub cursor: Option<i64>,
}

/// One connection to a source; key (source, opened).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionRow {
    /// Id of the source.
    pub source: String,
    /// When it was opened, UTC milliseconds.
    pub opened_ms: i64,
    /// When it ended; `None` while it lasts, or when we ended first.
    pub closed_ms: Option<i64>,
    /// WebSocket close code.
    pub code: Option<u16>,
    /// Why it ended, as text.
    pub reason: Option<String>,
    /// The cursor that it resumed from.
    pub resumed_from: Option<i64>,
    /// Whether the gap before it was filled.
    pub filled: bool,
}

/// One line of the event log; key (id).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventRow {
    /// Strictly increasing.
    pub id: i64,
    /// When it happened, UTC milliseconds.
    pub at_ms: i64,
    /// Stable name of its kind.
    pub kind: String,
    /// Id of the source that it is about.
    pub source: Option<String>,
    /// What a person reads.
    pub text: String,
    /// More of it, as JSON.
    pub detail: Option<String>,
}

/// One operation that a source lacks, or that it alone has; key (source, did, cid).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MissRow {
    /// Id of the source.
    pub source: String,
    /// The DID, decoded.
    pub did: [u8; 15],
    /// The digest of the CID.
    pub cid: [u8; 32],
    /// The primary's `seq`.
    pub seq: Option<i64>,
    /// Kind of operation, as the domain numbers them.
    pub kind: u8,
    /// Name of the verdict.
    pub verdict: String,
    /// What the audit log said.
    pub confirmation: Option<String>,
    /// `createdAt`, UTC milliseconds.
    pub created_ms: i64,
    /// When the primary delivered it (of an extra: when the mirror did), UTC milliseconds.
    pub primary_at_ms: i64,
    /// When this row last changed, UTC milliseconds.
    pub updated_ms: i64,
    /// Whether it arrived after all.
    pub healed: bool,
}

/// Everything that one transaction writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit {
    /// Replaces the previous heartbeat.
    pub heartbeat: Heartbeat,
    /// The newest segments of the journal.
    pub segments: Vec<Segment>,
    /// Segments with a smaller id are forgotten.
    pub drop_segments_below: Option<i64>,
    /// New and amended spans.
    pub intervals: Vec<IntervalRow>,
    /// Sources that changed.
    pub sources: Vec<SourceRow>,
    /// Connections that began, ended or were filled.
    pub sessions: Vec<SessionRow>,
    /// New lines of the event log.
    pub events: Vec<EventRow>,
    /// New and changed misses and extras.
    pub misses: Vec<MissRow>,
    /// What hosts were asked and answered since.
    pub evidence: Vec<EvidenceRow>,
    /// What happened, for other nodes.
    pub log: Vec<LogRow>,
}

impl Commit {
    /// A commit of the heartbeat alone.
    #[must_use]
    pub const fn of(heartbeat: Heartbeat) -> Commit {
        Commit {
            heartbeat,
            segments: Vec::new(),
            drop_segments_below: None,
            intervals: Vec::new(),
            sources: Vec::new(),
            sessions: Vec::new(),
            events: Vec::new(),
            misses: Vec::new(),
            evidence: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Rows that it writes, the heartbeat included.
    #[must_use]
    pub fn rows(&self) -> usize {
        1 + self.segments.len()
            + usize::from(self.drop_segments_below.is_some())
            + self.intervals.len()
            + self.sources.len()
            + self.sessions.len()
            + self.events.len()
            + self.misses.len()
            + self.evidence.len()
            + self.log.len()
    }
}

/// How many misses of one kind a source has, over all time that is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MissCount {
    /// Id of the source.
    pub source: String,
    /// Name of the verdict.
    pub verdict: String,
    /// Whether they arrived after all.
    pub healed: bool,
    /// How many.
    pub count: u64,
}

/// Everything that a start needs; lists are cut by [`LoadLimits`], the newest kept, and come oldest first.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Loaded {
    /// `None` before the first commit.
    pub heartbeat: Option<Heartbeat>,
    /// Whether the last run ended through [`Store::close`].
    pub closed_cleanly: bool,
    /// Whether these are the remains of a damaged file that nothing was committed to since: rows that are there may then
    /// be of different transactions.
    pub is_recovered: bool,
    /// When totals began anew because nothing of an older file could be read, UTC milliseconds.
    pub restarted_ms: Option<i64>,
    /// All segments of the journal, by id.
    pub segments: Vec<Segment>,
    /// Segments that are there and cannot be believed: their checksum is wrong.
    pub damaged_segments: Vec<i64>,
    /// Spans, by tier and start.
    pub intervals: Vec<IntervalRow>,
    /// All sources ever watched.
    pub sources: Vec<SourceRow>,
    /// Connections, by opening.
    pub sessions: Vec<SessionRow>,
    /// Events, by id.
    pub events: Vec<EventRow>,
    /// Misses, by source and the primary's arrival.
    pub misses: Vec<MissRow>,
    /// Exact counts of all misses kept, also of those that `misses` leaves out.
    pub miss_counts: Vec<MissCount>,
    /// What hosts were asked and answered, by source and time.
    pub evidence: Vec<EvidenceRow>,
    /// Snapshots taken over from compare-plc, by time.
    pub imported: Vec<ImportedRow>,
    /// Totals taken over from compare-plc.
    pub imported_totals: Vec<ImportedTotals>,
    /// One line for each thing that was left out, for stderr, the event log and the internals page.
    pub notes: Vec<String>,
}

/// What to forget: rows strictly older than the cut-off, UTC milliseconds; `None` keeps them for ever.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PrunePlan {
    /// Spans of the tier `Interval`, by their start.
    pub intervals_before_ms: Option<i64>,
    /// Spans of the tier `Hour`, by their start.
    pub hours_before_ms: Option<i64>,
    /// Spans of the tier `Day`, by their start.
    pub days_before_ms: Option<i64>,
    /// Misses, by the primary's arrival.
    pub misses_before_ms: Option<i64>,
    /// Events, by their time.
    pub events_before_ms: Option<i64>,
    /// Sessions that are closed, by their end.
    pub sessions_before_ms: Option<i64>,
    /// Evidence, by the answer.
    pub evidence_before_ms: Option<i64>,
    /// The log that nodes share.
    pub log: LogPrune,
}

/// Rows forgotten by one call of [`Store::prune`].
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct PruneReport {
    /// Spans of all tiers.
    pub intervals: u64,
    /// Misses and extras.
    pub misses: u64,
    /// Events.
    pub events: u64,
    /// Sessions.
    pub sessions: u64,
    /// Evidence, too old or beyond what is kept of its source.
    pub evidence: u64,
    /// Actions of the log.
    pub log: u64,
    /// Those of them that were not too old: there were too many.
    pub log_dropped: u64,
    /// Whether a limit was reached, so that another call has more to do.
    pub more: bool,
}

/// Rows of one kind that a single [`Store::prune`] forgets at most, so that no commit waits long behind it.
pub const PRUNE_ROWS_MAX: usize = 5_000;

/// The store, which outlives those who use it; none once it is closed. Behind a lock because it is used on threads that may
/// wait; there is one user at a time.
pub type SharedStore = std::sync::Arc<std::sync::Mutex<Option<Box<dyn Store>>>>;

/// Keeps what must outlast the process. One owner, one thread.
pub trait Store: Send {
    /// Gives back what was committed, each row once.
    ///
    /// # Errors
    /// When the file cannot be read; a damaged row is no error: it is left out and named in [`Loaded::notes`].
    fn load(&mut self) -> Result<Loaded, StoreError>;

    /// Writes all of `commit` or nothing of it; when it returns `Ok`, a loss of power loses none of it.
    ///
    /// # Errors
    /// When the disk is full, read-only or failing; what was committed before is untouched, and the same commit may be
    /// tried again.
    fn commit(&mut self, commit: &Commit) -> Result<(), StoreError>;

    /// Forgets rows older than the plan allows, [`PRUNE_ROWS_MAX`] of each kind at most.
    ///
    /// # Errors
    /// As [`Store::commit`].
    fn prune(&mut self, plan: &PrunePlan) -> Result<PruneReport, StoreError>;

    /// One page of misses and extras, newest first, with those that [`Loaded::misses`] left out.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn misses_page(&mut self, query: &MissQuery) -> Result<Vec<MissRow>, StoreError>;

    /// One page of spans, oldest first, and of one span by source: [`INTERVALS_PAGE_MAX`] rows at most.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn intervals_page(&mut self, query: &IntervalQuery) -> Result<Vec<IntervalRow>, StoreError>;

    /// Where the oldest span of this length begins that is kept, UTC milliseconds.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn first_interval_ms(&mut self, tier: Tier) -> Result<Option<i64>, StoreError>;

    /// Appends actions to the log in their order, each id once, and says the last number given; as durable as
    /// [`Store::commit`].
    ///
    /// # Errors
    /// As [`Store::commit`].
    fn log_append(&mut self, rows: &[LogRow]) -> Result<i64, StoreError>;

    /// Actions behind the number `after`: `limit` at most, and about `bytes_max` of them but one at least.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn log_page(&mut self, after: i64, limit: usize, bytes_max: usize) -> Result<LogPage, StoreError>;

    /// The newest `limit` actions of a kind, by number.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn log_newest(&mut self, kind: &str, limit: usize) -> Result<Vec<LogRow>, StoreError>;

    /// The end of the log, and which log it is; `node` is our own.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn log_end(&mut self, node: &str) -> Result<LogEnd, StoreError>;

    /// What was exchanged with other nodes, those first that were met first.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn peer_marks(&mut self) -> Result<Vec<PeerMarks>, StoreError>;

    /// Remembers what was exchanged with one node; as durable as [`Store::commit`].
    ///
    /// # Errors
    /// As [`Store::commit`].
    fn mark_peer(&mut self, marks: &PeerMarks) -> Result<(), StoreError>;

    /// Marks the end of the run as orderly and lets the file go.
    ///
    /// # Errors
    /// As [`Store::commit`]; the file is let go all the same.
    fn close(self: Box<Self>) -> Result<(), StoreError>;
}
