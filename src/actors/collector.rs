//! The collector: the only writer of the ledger, and the one place that knows how every link stands.
//!
//! It applies what sources tell in the order in which they tell it, lets the ledger decide at each tick, hands out
//! pictures, and sends what must last to the writer: one transaction under way, one a second.

mod audit;
#[cfg(test)]
mod crashes;
mod events;
mod evidence_rows;
mod invalid;
mod manner;
mod miss_rows;
mod own_events;
mod picture;
mod probing;
mod restored;
mod save;
mod session_rows;
mod standing;
mod steady;
mod throttling;
mod told_nodes;
#[cfg(test)]
mod troubles;
#[cfg(test)]
mod years;

pub use audit::AuditorIs;
pub use manner::{LookerIs, PrimaryIs};
pub use restored::{KeptRows, Restored, restore};
pub use standing::SavedStanding;

use super::anchors::Anchors;
use super::line::Line;
use super::message::{AskChain, FromSource, Keep, LookFor, SourceEvent, Stop};
use super::validator::ValidatorLoad;
use crate::domain::fill::Anchor;
use crate::domain::incident;
use crate::domain::ledger::Ledger;
use crate::domain::link::Link;
use crate::domain::refused::{LastReject, Refused};
use crate::domain::sample::Samples;
use crate::domain::sessions::Sessions;
use crate::domain::source::SourceIx;
use crate::domain::throttle::Throttle;
use crate::domain::time::{Labels, SECOND, Tau};
use crate::domain::transport::Taken;
use crate::domain::view::Imported;
use crate::ports::clock::Clock;
use crate::ports::fail_point::FailPoints;
use crate::ports::log_book::LogBook;
use crate::ports::store::EventRow;
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, MessageResult, Recipient};
use audit::Audit;
use events::EventLog;
use invalid::InvalidLog;
use own_events::OwnEvents;
use save::Saver;
use serde_json::{Value, json};
use standing::Standings;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Mailbox places: each source has one message under way, pingers and readers of pages one each.
const MAILBOX: usize = 1_024;
/// Between two ticks.
const TICK: Duration = Duration::from_millis(100);
/// Between two chains of the primary's export.
const CHAIN_EVERY_NS: i64 = 2 * SECOND;
/// A chain that was never answered is asked for again after this.
const CHAIN_LOST_NS: i64 = 120 * SECOND;
/// Between two logged samples of refused frames of one source.
const REJECT_LOG_NS: i64 = 60 * SECOND;

/// Who a source is, as configured.
#[derive(Clone, Debug)]
pub struct SourceIdentity {
    /// Stable slug.
    pub id: String,
    /// For people.
    pub name: String,
    /// As configured.
    pub url: String,
    /// How operations are to be taken from it, as configured.
    pub transport: String,
}

/// What the collector knows of a source beside the ledger.
#[derive(Clone, Debug)]
struct Known {
    who: SourceIdentity,
    link: Link,
    sessions: Sessions,
    anchor: Option<Anchor>,
    taken: Option<Taken>,
    looker: Option<Recipient<LookFor>>,
    rejects: BTreeMap<String, u64>,
    last_reject: Option<LastReject>,
    logged_reject_at: Option<Tau>,
    refused: Refused,
    throttle: Throttle,
    /// Why its link was lost; none while it is up, or never was.
    lost_by: Option<String>,
    reconnects: BTreeMap<String, u64>,
    sampled: BTreeMap<&'static str, u64>,
}

/// What the collector is made of.
pub struct CollectorParts {
    /// The ledger, restored.
    pub ledger: Ledger,
    /// The primary and the mirrors, in the order of their numbers.
    pub sources: Vec<SourceIdentity>,
    /// Anchors from a run before, in the same order.
    pub anchors: Vec<Option<Anchor>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// How instants become labels.
    pub labels: Labels,
    /// Names this boot.
    pub boot_id: String,
    /// Keeps transactions.
    pub writer: Line<Keep>,
    /// The log that nodes share, where there are nodes.
    pub log: Option<LogBook>,
    /// The largest segment id that is kept.
    pub last_segment: i64,
    /// Events of a run before, oldest first.
    pub events: Vec<EventRow>,
    /// Refused frames of a run before, by source id and reason.
    pub rejects: HashMap<String, BTreeMap<String, u64>>,
    /// Segments that are kept already: id and newest operation named.
    pub kept_segments: Vec<(i64, i64)>,
    /// Notes of the start, for the list of events.
    pub notes: Vec<(String, String)>,
    /// Imported snapshots.
    pub imported: Arc<Vec<Imported>>,
    /// Recomputers and limits, as their owners tell them.
    pub internals: Arc<dyn Fn() -> Value + Send + Sync>,
    /// The longest grace of any mirror, nanoseconds.
    pub grace_max_ns: i64,
    /// Operations that the primary does not know, taken from one mirror per second.
    pub foreign_ops_per_s: u32,
    /// What the validator does.
    pub validator: Arc<ValidatorLoad>,
    /// Samples of a run before, by source id.
    pub samples: HashMap<String, Samples>,
    /// States of mirrors as a run before left them, by source id.
    pub standings: HashMap<String, SavedStanding>,
    /// When links were up in a run before, and what hosts were asked.
    pub kept: KeptRows,
    /// What is wrong with keeping, in words; none while all is kept.
    pub trouble: watch::Sender<Option<String>>,
    /// How far each source is known, for whoever replaces a part of ours.
    pub anchored: Anchors,
    /// Where tests make it fail.
    pub fail: FailPoints,
}

/// The actor.
pub struct Collector {
    ledger: Ledger,
    sources: Vec<Known>,
    clock: Arc<dyn Clock>,
    labels: Labels,
    started: Tau,
    ticked: Tau,
    clock_offset_ms: Option<i64>,
    is_primary_delayed: bool,
    primary: Option<Recipient<AskChain>>,
    chain_asked: Option<Tau>,
    chain_ended: Option<Tau>,
    events: EventLog,
    saver: Saver,
    own_events: Option<OwnEvents>,
    imported: Arc<Vec<Imported>>,
    internals: Arc<dyn Fn() -> Value + Send + Sync>,
    grace_max_ns: i64,
    invalid: InvalidLog,
    audit: Audit,
    standings: Standings,
    anchored: Anchors,
    fail: FailPoints,
}

impl Collector {
    /// A collector over a restored ledger.
    #[must_use]
    pub fn new(parts: CollectorParts) -> Collector {
        let now = parts.clock.now();
        let mut rejects = parts.rejects;
        let mut samples = parts.samples;
        let mut sessions = session_rows::restored(parts.kept.sessions, &parts.labels, parts.kept.saved_ms);
        let of_mirrors = parts.sources.iter().skip(1).map(|who| samples.remove(&who.id).unwrap_or_default());
        let of_mirrors = of_mirrors.collect();
        let ids: Vec<String> = parts.sources.iter().map(|who| who.id.clone()).collect();
        let standings = Standings::new(now, &parts.labels, ids.iter().skip(1).cloned(), &parts.standings);
        let (evidence, unreadable) = evidence_rows::restored(parts.kept.evidence, &parts.labels, &ids);
        let audit = Audit::new(of_mirrors, evidence);
        let known = |(who, anchor): (SourceIdentity, Option<Anchor>)| Known {
            rejects: rejects.remove(&who.id).unwrap_or_default(),
            sessions: sessions.remove(&who.id).unwrap_or_default(),
            who,
            link: Link::new(now),
            anchor,
            taken: None,
            looker: None,
            last_reject: None,
            logged_reject_at: None,
            refused: Refused::default(),
            throttle: Throttle::new(parts.foreign_ops_per_s),
            lost_by: None,
            reconnects: BTreeMap::new(),
            sampled: BTreeMap::new(),
        };
        let events = EventLog::new(parts.events);
        let mut collector = Collector {
            ledger: parts.ledger,
            sources: parts.sources.into_iter().zip(parts.anchors).map(known).collect(),
            started: now,
            ticked: now,
            clock: parts.clock,
            labels: parts.labels,
            clock_offset_ms: None,
            is_primary_delayed: false,
            primary: None,
            chain_asked: None,
            chain_ended: None,
            own_events: parts.log.map(|log| OwnEvents::new(log, events.changes())),
            events,
            saver: Saver::new(parts.writer, parts.last_segment, parts.kept_segments, parts.boot_id, parts.trouble),
            imported: parts.imported,
            internals: parts.internals,
            grace_max_ns: parts.grace_max_ns,
            invalid: InvalidLog::new(parts.validator),
            audit,
            standings,
            anchored: parts.anchored,
            fail: parts.fail,
        };
        let saved_ms = parts.kept.saved_ms;
        for (kind, text) in parts.notes {
            let since = (kind == incident::OBSERVER_DOWN).then(|| json!({ "since_unix_ms": saved_ms }));
            collector.events.add_with(collector.labels.utc_ms(now), &kind, None, text, since);
        }
        if unreadable > 0 {
            collector.note("state_damaged", None, format!("state: {unreadable} rows of evidence could not be read"));
        }
        // The first pages are made before the first tick: they show what was kept as of now, not as of then.
        collector.ledger.tick(now);
        collector
    }

    fn note(&mut self, kind: &str, source: Option<String>, text: String) {
        let at_ms = self.labels.utc_ms(self.clock.now());
        self.events.add(at_ms, kind, source, text);
    }

    fn known(&mut self, source: SourceIx) -> Option<&mut Known> {
        self.sources.get_mut(usize::from(source.0))
    }

    fn apply(&mut self, source: SourceIx, event: SourceEvent) {
        match event {
            SourceEvent::Arrived(op, at, mode) => self.arrived(source, &op, at, mode),
            SourceEvent::Noise(bytes) => self.charge(source, |throttle| throttle.noise(bytes)),
            SourceEvent::Rejected(frame) => {
                if let Some(claim) = &frame.claim {
                    self.ledger.lied(source, claim, frame.what.at);
                }
                if !frame.is_taken {
                    self.charge(source, Throttle::refused);
                }
                self.rejected(source, frame.reason, frame.what);
            }
            SourceEvent::Opened(at) => self.ledger.open(source, at),
            SourceEvent::Proved(through) => self.ledger.prove(source, through),
            SourceEvent::Closed => self.ledger.close(source),
            SourceEvent::Filled(at) => {
                self.ledger.filled(source, at);
                self.note_of(source, "gap_filled", "the gap before the stream was filled".to_owned());
            }
            SourceEvent::Hole(at, why) => {
                self.ledger.give_up(source, at);
                self.note_of(source, "gap_not_filled", why);
            }
            SourceEvent::Link(link) => self.linked(source, *link),
            SourceEvent::Anchored(anchor) => {
                if let Some(known) = self.known(source) {
                    known.anchor = Some(anchor);
                    self.anchored.set(source, anchor);
                }
            }
            SourceEvent::Chain(asked_at, outcome) => {
                self.chain_asked = None;
                self.chain_ended = Some(self.clock.now());
                self.ledger.chain(asked_at, outcome);
            }
            SourceEvent::TcpInfoRtt(at, peer, rtt_ns) => self.ledger.tcp_info_rtt(source, at, peer, rtt_ns),
            SourceEvent::Replaying(_)
            | SourceEvent::Resolution(..)
            | SourceEvent::Taken(_)
            | SourceEvent::Reason(_)
            | SourceEvent::Measured(..)
            | SourceEvent::NotTaken
            | SourceEvent::Sampling(_)
            | SourceEvent::Skipped(_)
            | SourceEvent::LostSight(..)
            | SourceEvent::Asked(_)
            | SourceEvent::Probed(_) => self.apply_manner(source, event),
        }
    }

    fn note_of(&mut self, source: SourceIx, kind: &str, text: String) {
        let id = self.known(source).map(|k| k.who.id.clone());
        self.note(kind, id, text);
    }

    fn rejected(&mut self, source: SourceIx, reason: &'static str, what: LastReject) {
        let at = what.at;
        self.ledger.reject(source);
        let Some(known) = self.known(source) else { return };
        *known.rejects.entry(reason.to_owned()).or_default() += 1;
        known.refused.add(reason, at);
        if known.logged_reject_at.is_none_or(|logged| at.since(logged) >= REJECT_LOG_NS) {
            known.logged_reject_at = Some(at);
            tracing::warn!(source = %known.who.id, reason = %crate::telemetry::Capped(&what.text), "frame refused");
        }
        known.last_reject = Some(what);
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        self.fail.reach("collector", "");
        let now = self.clock.now();
        self.ticked = now;
        self.ledger.tick(now);
        self.watch_wall_clock(now);
        self.watch_primary();
        self.watch_throttles(now);
        self.watch_states(now);
        self.ask_for_chain(now);
        self.ask_for_explanations(now);
        self.save(now, ctx);
    }

    fn ask_for_chain(&mut self, now: Tau) {
        let Some(since) = self.ledger.wants_chain() else { return };
        let is_under_way = self.chain_asked.is_some_and(|at| now.since(at) < CHAIN_LOST_NS);
        let is_early = self.chain_ended.is_some_and(|at| now.since(at) < CHAIN_EVERY_NS);
        if is_under_way || is_early {
            return;
        }
        let ask = AskChain { since: since.plus(-self.grace_max_ns) };
        if self.primary.as_ref().is_some_and(|p| p.try_send(ask).is_ok()) {
            self.chain_asked = Some(now);
        }
    }
}

impl Actor for Collector {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(TICK, Self::tick);
    }
}

impl Handler<FromSource> for Collector {
    type Result = MessageResult<FromSource>;

    fn handle(&mut self, msg: FromSource, ctx: &mut Self::Context) -> Self::Result {
        for event in msg.events {
            self.apply(msg.source, event);
        }
        self.hand_out_sampled();
        // A busy mailbox is drained before timers run: the tick must not wait for that.
        if self.clock.now().since(self.ticked) >= TICK.as_nanos() as i64 {
            self.tick(ctx);
        }
        MessageResult(self.pause(msg.source))
    }
}

impl Handler<Stop> for Collector {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
