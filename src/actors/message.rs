//! What actors tell each other.

pub use crate::domain::finding::About as CheckAbout;

use crate::domain::confirm::{Explained, Load, SurveyReport};
use crate::domain::did::Did;
use crate::domain::fill::Anchor;
use crate::domain::frame::Claim;
use crate::domain::ledger::ChainOutcome;
use crate::domain::link::{Link, LinkState};
use crate::domain::op::{Op, OpKey};
use crate::domain::probes::Probe;
use crate::domain::refused::LastReject;
use crate::domain::sampling::{Sampling, Sought};
use crate::domain::source::SourceIx;
use crate::domain::throttle::Pause;
use crate::domain::time::Tau;
use crate::domain::transport::Taken;
use crate::domain::validity::Rule;
use crate::domain::verdict::{Mode, Reason};
use crate::domain::view::Picture;
use crate::domain::view::recent::Recent;
use crate::ports::store::Commit;
use crate::ports::stream_reader::{Arrived, StreamEnd};
use actix::Message;
use std::net::SocketAddr;
use std::sync::Arc;

/// A frame that something was wrong with.
#[derive(Clone, Debug)]
pub struct RejectedFrame {
    /// The stable word.
    pub reason: &'static str,
    /// A line for people, and its `seq` where that can be told.
    pub what: LastReject,
    /// What it claimed where its content contradicts that.
    pub claim: Option<Claim>,
    /// Whether its operation was taken nevertheless: the number alone was wrong.
    pub is_taken: bool,
}

/// Something that a source's stream found, in the order in which it happened.
#[derive(Clone, Debug)]
pub enum SourceEvent {
    /// An operation came.
    Arrived(Op, Tau, Mode),
    /// Something was wrong with a frame.
    Rejected(Box<RejectedFrame>),
    /// The stream is open since then.
    Opened(Tau),
    /// Everything published until then has reached us.
    Proved(Tau),
    /// The stream is gone.
    Closed,
    /// A continuous fill closed the gap behind the stream at this instant.
    Filled(Tau),
    /// Nothing will fill the gap behind the stream, and why.
    Hole(Tau, String),
    /// The link changed.
    Link(Box<Link>),
    /// The last operation up to which nothing is missing.
    Anchored(Anchor),
    /// A chain of the primary's `/export` that was asked for then ended so.
    Chain(Tau, ChainOutcome),
    /// The kernel's round trip of the live socket, nanoseconds.
    TcpInfoRtt(Tau, SocketAddr, i64),
    /// The source was connected to then, and begins with what it published before.
    Replaying(Tau),
    /// What arrives at this instant may have been visible so many nanoseconds earlier.
    Resolution(Tau, i64),
    /// How operations are taken from now on.
    Taken(Box<Taken>),
    /// Why operations are taken as they are, when that is seen anew.
    Reason(String),
    /// What is measured of the way in use changed: the time between two looks, nanoseconds, and the share that is looked
    /// for.
    Measured(Option<i64>, Option<f64>),
    /// Operations are not taken in any way now.
    NotTaken,
    /// All ways of taking operations were tried, and what was found.
    Probed(String),
    /// So many bytes came that carried no operation.
    Noise(u64),
    /// Only these operations of the primary are looked for from now on; none: all of them.
    Sampling(Option<Sampling>),
    /// What the source shows of the operation cannot tell whether it has it.
    Skipped(OpKey),
    /// The operation was to be looked for, and was not to the end; why.
    LostSight(OpKey, Reason),
    /// A request for the log of a DID was answered, or failed.
    Asked(Probe),
}

/// What a source's stream tells the collector; the answer means that the ledger has it, and says how long the source is not
/// to be read.
#[derive(Debug, Message)]
#[rtype(result = "Pause")]
pub struct FromSource {
    /// Which source.
    pub source: SourceIx,
    /// In order.
    pub events: Vec<SourceEvent>,
}

/// What the reader of a connection tells its stream actor; the answer says how long it is not to read.
#[derive(Debug, Message)]
#[rtype(result = "Pause")]
pub struct Read {
    /// Which connection; an older one's are let go.
    pub epoch: u64,
    /// Messages in the order of the stream.
    pub messages: Vec<Arrived>,
    /// Everything sent before this instant is in this or an earlier message.
    pub proved: Option<Tau>,
    /// The connection's first ping was acknowledged at this instant.
    pub alive_at: Option<Tau>,
    /// The kernel's round trip, nanoseconds.
    pub tcp_info_rtt: Option<(Tau, i64)>,
    /// Bytes that came since the last such message and that no message explains.
    pub noise_bytes: u64,
    /// The messages may have been there so many nanoseconds before they were read, because reading paused.
    pub behind_ns: i64,
    /// How the stream ended, with the last message.
    pub end: Option<ReadEnd>,
}

/// Why a reader stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadEnd {
    /// The stream ended.
    Stream(StreamEnd),
    /// Our bytes were not acknowledged.
    Dead {
        /// For how long nothing came, nanoseconds.
        silent_ns: i64,
    },
}

/// To a pinger: measure to this address from now on, or to none.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct PeerIs(pub Option<SocketAddr>);

/// A round trip by TCP connect.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct RttSample {
    /// Which source.
    pub source: SourceIx,
    /// When it began.
    pub began: Tau,
    /// When it ended.
    pub at: Tau,
    /// To which address.
    pub peer: SocketAddr,
    /// Nanoseconds; none where nothing came back, or a refusal.
    pub rtt_ns: Option<i64>,
}

/// Our readers were late.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct ReaderLate {
    /// Since when.
    pub from: Tau,
    /// Until when; none while it goes on.
    pub to: Option<Tau>,
}

/// To the primary's stream: settle what waits by a chain of `/export` from what was known at this instant.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct AskChain {
    /// Operations published since then must be in the chain.
    pub since: Tau,
}

/// To the collector: a picture for whoever computes views.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Arc<Picture>")]
pub struct TakePicture;

/// To the collector: the newest operations, this many at most, for whoever watches them come.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Recent")]
pub struct TakeRecent(pub usize);

/// To the collector: we end the sources now. What becomes of their links says nothing about anyone: the states of mirrors stay
/// as they are.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Leave;

/// To the collector: keep everything that is known, then answer. The last message it gets.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Flush;

/// To the writer: keep this; the answer is what went wrong, in words.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), KeepError>")]
pub struct Keep(pub Arc<Commit>);

/// Why something was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct KeepError {
    /// Stable word for the page: `disk_full`, `read_only`, `io`, `other`.
    pub class: &'static str,
    /// For people.
    pub text: String,
}

/// An operation that is to be explained: the host that can tell is asked about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// The mirror concerned.
    pub source: SourceIx,
    /// Which operation.
    pub key: OpKey,
    /// What is to be explained.
    pub about: CheckAbout,
}

/// To the auditor: explain these.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Checks(pub Vec<Check>);

/// What asking about a miss or an extra came to.
pub type Checked = Explained;

/// To the collector: what the auditor found since it told last.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Audited {
    /// About misses and extras.
    pub checked: Vec<Checked>,
    /// About DIDs at every host.
    pub sampled: Vec<Arc<SurveyReport>>,
    /// How hosts answered at all.
    pub probes: Vec<(SourceIx, Probe)>,
    /// What the auditor has to do.
    pub load: Load,
}

/// To the auditor: ask every host about a DID now.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Arc<SurveyReport>, RecheckError>")]
pub struct Recheck {
    /// About whom.
    pub did: Did,
}

/// Why nobody is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecheckError {
    /// The operator does not want it.
    #[error("checks on request are off; set audit.allowRecheck to allow them")]
    Off,
    /// Too many are under way.
    #[error("too many checks are under way; retry in a few seconds")]
    Full,
    /// It is ending.
    #[error("stopping")]
    Stopping,
}

/// To the collector: an operation of the primary breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Invalid {
    /// Which operation.
    pub key: OpKey,
    /// Which rule.
    pub rule: Rule,
    /// How, for people.
    pub text: String,
}

/// To whoever chose how operations are taken: how that link stands now.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct LinkIs {
    /// Its state.
    pub state: LinkState,
    /// Stable word of the latest failure, where there was one.
    pub error_class: Option<String>,
    /// The last operation up to which nothing is missing.
    pub anchor: Option<Anchor>,
}

impl LinkIs {
    /// What is told of a link.
    #[must_use]
    pub fn of(link: &Link, anchor: Option<Anchor>) -> LinkIs {
        LinkIs { state: link.state, error_class: link.last_error.as_ref().map(|e| e.class.clone()), anchor }
    }
}

/// To whoever looks operations up at a mirror: these are to be looked for.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct LookFor(pub Vec<Sought>);

/// To the collector: which of these operations of the primary are decided at this mirror?
#[derive(Clone, Debug, Message)]
#[rtype(result = "Vec<OpKey>")]
pub struct Decided {
    /// The mirror.
    pub source: SourceIx,
    /// The operations.
    pub keys: Vec<OpKey>,
}

/// To whoever chose how operations are taken: look again now which way serves.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Reprobe;

/// To an actor: are you there? The answer says so.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Beat;

/// To the collector: something happened that people should read of.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Happened {
    /// Stable word.
    pub kind: &'static str,
    /// Id of the source that it is about.
    pub source: Option<String>,
    /// One line.
    pub text: String,
}

/// To an actor: end now.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Stop;
