//! How a simulated server behaves; everything is faithful until something is switched on, and can be changed while it runs.
//!
//! The software of the real mirrors has habits of its own, named in [`software`].

mod software;

use super::flood::Flood;
use super::history::Lie;
use crate::domain::cid::Cid;
use std::collections::HashSet;
use std::time::Duration;

/// How a connection ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hangup {
    /// A close frame with this code and reason.
    Close {
        /// The code: the reference server knows 1000 only.
        code: u16,
        /// The reason, such as `ConsumerTooSlow`.
        reason: &'static str,
    },
    /// The end of the stream of bytes without a close frame, as when the process ends.
    Eof,
    /// A reset.
    Reset,
}

impl Hangup {
    /// What the reference server sends when a client asks for what is not there yet.
    pub const FUTURE_CURSOR: Hangup = Hangup::Close { code: 1000, reason: "FutureCursor" };
    /// What it sends when a client asks for what it keeps no more.
    pub const OUTDATED_CURSOR: Hangup = Hangup::Close { code: 1000, reason: "OutdatedCursor" };
    /// What it sends to everyone when too much happened in one of its ticks.
    pub const CONSUMER_TOO_SLOW: Hangup = Hangup::Close { code: 1000, reason: "ConsumerTooSlow" };
}

/// An HTTP answer in place of the one that was asked for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// Seconds of `Retry-After`.
    pub retry_after_s: Option<u32>,
}

/// What a request to upgrade gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Upgrade {
    /// A stream.
    Stream,
    /// This status, before the upgrade.
    Refuse(Refusal),
    /// A 101, and then nothing but this end.
    FalseAccept(Hangup),
    /// No answer at all.
    Hang,
}

/// What a cursor that cannot be served gets.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum CursorFault {
    /// The upgrade, and then a close frame with the reason.
    Close,
    /// Status 400 before the upgrade.
    BadRequest,
}

/// What a request to `/export`, or for an audit log, gets.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Export {
    /// What was asked for.
    Pages,
    /// 404: this server has no such thing.
    Absent,
    /// This refusal as many times as said, and then pages.
    Fail {
        /// How many more requests fail.
        times: u32,
        /// With what.
        refusal: Refusal,
    },
}

/// How long an operation takes to appear after it was published.
#[derive(Copy, Clone, PartialEq, Debug, Default)]
pub struct Delay {
    /// Always.
    pub fixed_ms: u64,
    /// Up to so much more or less, evenly spread.
    pub jitter_ms: u64,
    /// Share of operations that take `straggler_ms` in place of all this.
    pub straggler_share: f64,
    /// What a straggler takes.
    pub straggler_ms: u64,
    /// Whether nothing overtakes what was published before it.
    pub keep_order: bool,
}

impl Delay {
    /// What one operation takes at most, as long as it does not wait for those before it.
    #[must_use]
    pub fn longest(&self) -> Duration {
        let straggler_ms = if self.straggler_share > 0.0 { self.straggler_ms } else { 0 };
        Duration::from_millis((self.fixed_ms + self.jitter_ms).max(straggler_ms))
    }
}

/// Whose numbers the server gives to operations.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Numbering {
    /// The directory's own.
    Directory,
    /// Its own, counting in the order in which operations appear here.
    Own,
}

/// What an operation is turned into.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Alteration {
    /// Other content under the CID that it had.
    Content,
    /// Another `createdAt`.
    CreatedAt,
    /// Another DID; a genesis gets other content in its place, for it names its own DID.
    Did,
}

/// What streams speak.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Wire {
    /// `/export/stream`, numbered, each message with its `type`.
    #[default]
    Sequenced,
    /// `/ws` of a plcbundle server: neither `seq` nor `type`, `created_at` in place of `createdAt`; a cursor counts records
    /// from 0 on and is the first one to be sent.
    Bundle,
}

/// What `/_health` says, where there is one.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Health {
    /// The version alone.
    Version,
    /// The number of the newest operation too.
    LatestSeq,
    /// Its `createdAt` too, as `latest_at`.
    LatestAt,
    /// The same as `lastCommittedOpTime`.
    LastCommitted,
    /// 404.
    Absent,
}

/// How frames are written.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Style {
    /// What streams speak.
    pub wire: Wire,
    /// Keys in alphabetical order, and `nullified:false` among them.
    pub sorted_keys: bool,
    /// `createdAt` ends with `+00:00` in place of `Z`.
    pub offset_time: bool,
}

/// Everything that a simulated server can do otherwise than the reference server.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one habit that a server has or not")]
pub struct Behaviour {
    /// How long operations take.
    pub delay: Delay,
    /// Share of operations that never appear.
    pub drop_share: f64,
    /// So many of the next operations never appear.
    pub drop_next: u32,
    /// So many of the next operations that appear are on no stream, though everything else shows them.
    pub unstreamed_next: u32,
    /// What follows an operation that never appeared never appears either.
    pub refuses_orphans: bool,
    /// So many of the next operations appear only after the next one of their DID.
    pub overtaken_next: u32,
    /// After so many of the next operations streams carry another one under the same number.
    pub equivocate_next: u32,
    /// These never appear.
    pub drop_cids: HashSet<Cid>,
    /// Share of operations after which one appears that the directory never had.
    pub invent_share: f64,
    /// Share of operations that appear altered.
    pub alter_share: f64,
    /// The alterations, in turn.
    pub alterations: Vec<Alteration>,
    /// Share of operations that the stream carries twice.
    pub duplicate_share: f64,
    /// Share of operations after which the stream carries a frame that is none.
    pub garbage_share: f64,
    /// So many of the next operations are followed by themselves under the largest number there is.
    pub poison_next: u32,
    /// Whose numbers it gives.
    pub numbering: Numbering,
    /// How it writes.
    pub style: Style,
    /// What a request to upgrade gets.
    pub upgrade: Upgrade,
    /// What a request to upgrade elsewhere gets; never a stream.
    pub upgrade_elsewhere: Upgrade,
    /// What a cursor in the future or too far in the past gets.
    pub cursor_fault: CursorFault,
    /// Cursors below this are too far in the past.
    pub oldest_cursor: u64,
    /// Whether pings and closes are answered.
    pub answers_pings: bool,
    /// How often it pings on its own.
    pub pings_every: Option<Duration>,
    /// What streams carry beside the operations, as much as the wire takes.
    pub flood: Option<Flood>,
    /// Streams stay open and carry nothing.
    pub stalled: bool,
    /// Each stream ends after so long.
    pub disconnect_after: Option<Duration>,
    /// How it ends then.
    pub disconnect_how: Hangup,
    /// More than so many operations within a tick of 50 ms close every live stream as `ConsumerTooSlow`, without one of
    /// them being sent.
    pub burst_limit: Option<usize>,
    /// Streams without a cursor begin with so many operations that had been published before.
    pub replay_on_connect: usize,
    /// What `/export` gives.
    pub export: Export,
    /// Whether `/export` knows numbers; without them it is read by time alone.
    pub export_by_number: bool,
    /// Whether `/export` can be asked by time.
    pub export_by_time: bool,
    /// What `/{did}/log/audit` gives, likewise.
    pub audit: Export,
    /// Whether there are `/{did}/log` and `/{did}/log/last`.
    pub has_logs: bool,
    /// What audit logs and the other logs tell otherwise than it was, in turn.
    pub lies: Vec<Lie>,
    /// The status of a DID's document after its tombstone.
    pub tombstone_status: u16,
    /// What `/_health` says.
    pub health: Health,
    /// How long an operation is on the stream before `/export` has it.
    pub export_lag: Duration,
    /// How many operations are kept for cursors, `/export` and audit logs.
    pub keep: usize,
}

impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour {
            delay: Delay::default(),
            drop_share: 0.0,
            drop_next: 0,
            unstreamed_next: 0,
            refuses_orphans: false,
            overtaken_next: 0,
            equivocate_next: 0,
            drop_cids: HashSet::new(),
            invent_share: 0.0,
            alter_share: 0.0,
            alterations: vec![Alteration::Content, Alteration::CreatedAt, Alteration::Did],
            duplicate_share: 0.0,
            garbage_share: 0.0,
            poison_next: 0,
            numbering: Numbering::Directory,
            style: Style::default(),
            upgrade: Upgrade::Stream,
            upgrade_elsewhere: Upgrade::Hang,
            cursor_fault: CursorFault::Close,
            oldest_cursor: 0,
            answers_pings: true,
            pings_every: None,
            flood: None,
            stalled: false,
            disconnect_after: None,
            disconnect_how: Hangup::Eof,
            burst_limit: None,
            replay_on_connect: 0,
            export: Export::Pages,
            export_by_number: true,
            export_by_time: true,
            audit: Export::Pages,
            has_logs: true,
            lies: Vec::new(),
            tombstone_status: 404,
            health: Health::Version,
            export_lag: Duration::ZERO,
            keep: 50_000,
        }
    }
}
