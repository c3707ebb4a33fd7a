//! The observing half: collector, writer, sources, auditor, validator and their watchdog, put together and taken apart.
//!
//! It is one thing because its core cannot be replaced alone: when the collector ends by itself, everything that was told
//! to it since the last transaction is gone with it, so that all sources have to be resumed from what was kept. What
//! outlives it is in [`Lasting`].

use super::auditing::{AuditDoors, Auditing, start_auditor};
use super::parts::Outside;
use super::peering::PeeringShared;
use super::pictures::Pictures;
use super::settings::{RetentionNow, internals, prune_plan, state_told};
use super::sources::{Before, PingerSlot, SourceChild, SourceParts, SourceSlot, start_pinger, start_source};
use super::state::Kept;
use super::validating::{Validating, ValidatorSlot};
use super::writing::Writing;
use crate::actors::anchors::Anchors;
use crate::actors::collector::{Collector, CollectorParts, SourceIdentity};
use crate::actors::known_dids::KnownDids;
use crate::actors::message::{Beat, Flush, Happened, Leave, Stop};
use crate::actors::mirror_stream::StreamDoors;
use crate::actors::reader::Readers;
use crate::actors::snapshot_writer::SnapshotWriter;
use crate::actors::vitals::Vitals;
use crate::actors::watchdog::{Watchdog, WatchdogDoors};
use crate::config::{Config, SourceConfig, Transport};
use crate::domain::frame::{DEFAULT_FORMS, FormCache};
use crate::domain::source::SourceIx;
use crate::domain::time::Labels;
use crate::http::Tallies;
use crate::http::detail::RecheckError;
use crate::ports::clock::Clock;
use crate::ports::log_book::LogBook;
use crate::ports::memory::Pressure;
use crate::ports::store::SharedStore;
use crate::publish::{Pages, UtcNow};
use crate::recompute::StatusBoard;
use crate::recompute::vantages::SharedVantages;
use actix::{Actor, Addr, Arbiter, Recipient};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// What outlives the observing half.
#[derive(Clone)]
pub(super) struct Lasting {
    pub(super) config: Config,
    pub(super) outside: Outside,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) labels: Labels,
    /// Names this boot and its offset.
    pub(super) boot: String,
    pub(super) store: SharedStore,
    /// The log that nodes share, where there are nodes.
    pub(super) log: Option<LogBook>,
    /// What choosing peers shares, where there are peers.
    pub(super) peering: Option<PeeringShared>,
    /// What other observers told in it, where there are nodes.
    pub(super) vantages: Option<SharedVantages>,
    /// The finished pages of regions.
    pub(super) regions: Arc<Pages>,
    pub(super) board: StatusBoard,
    pub(super) now: UtcNow,
    /// What is wrong with keeping, in words.
    pub(super) trouble: watch::Sender<Option<String>>,
    pub(super) vitals: Vitals,
    /// What happened at the server.
    pub(super) tallies: Tallies,
    /// How short memory is.
    pub(super) pressure: Pressure,
    /// How long things are kept.
    pub(super) retention: RetentionNow,
    /// DIDs that a page of misses lists.
    pub(super) listed_misses: Arc<AtomicUsize>,
}

/// The ways in to the observing half, which lead to the present one.
#[derive(Clone)]
pub(super) struct Doors {
    /// Where pictures come from.
    pub(super) pictures: Pictures,
    /// Who asks hosts about single DIDs.
    pub(super) auditing: Auditing,
}

/// The actors.
pub(super) struct Assembled {
    pub(super) doors: Doors,
    collector: Addr<Collector>,
    writer: Writing,
    streams: Vec<SourceSlot>,
    pingers: Vec<PingerSlot>,
    watchdog: Addr<Watchdog>,
    arbiters: Vec<Arbiter>,
    validating: Validating,
    validator: ValidatorSlot,
    ids: Vec<String>,
}

/// A part that is asked whether it is there.
pub(super) struct Asked {
    pub(super) name: String,
    pub(super) to: Box<dyn Fn() -> Recipient<Beat>>,
    /// What it has done so far: one that works through what waits before the question is not stuck.
    pub(super) done: Box<dyn Fn() -> u64>,
}

impl Asked {
    fn new(name: impl Into<String>, to: impl Fn() -> Recipient<Beat> + 'static) -> Asked {
        Asked { name: name.into(), to: Box::new(to), done: Box::new(|| 0) }
    }
}

impl Assembled {
    /// Whether what cannot be replaced alone is there.
    pub(super) fn is_core_alive(&self) -> bool {
        self.collector.connected() && self.watchdog.connected()
    }

    /// Every part that answers when it is asked; the core is the first.
    pub(super) fn asked(&self) -> Vec<Asked> {
        let (collector, watchdog) = (self.collector.clone(), self.watchdog.clone());
        let (writer, auditing, validator) = (self.writer.clone(), self.doors.auditing.clone(), self.validator.clone());
        let load = Arc::clone(&self.validating.load);
        let mut asked = vec![
            Asked::new("collector", move || collector.clone().recipient()),
            Asked::new("watchdog", move || watchdog.clone().recipient()),
            Asked::new("writer", move || writer.beat()),
            Asked::new("auditor", move || auditing.beat()),
            Asked { done: Box::new(move || load.done()), ..Asked::new("validator", move || validator.beat()) },
        ];
        for ((id, stream), pinger) in self.ids.iter().zip(&self.streams).zip(&self.pingers) {
            let (stream, pinger) = (stream.clone(), pinger.clone());
            asked.push(Asked::new(format!("source {id}"), move || stream.beat()));
            asked.push(Asked::new(format!("pinger {id}"), move || pinger.beat()));
        }
        asked
    }

    /// Looks again now which way of taking operations serves at this mirror.
    pub(super) fn reprobe(&self, id: &str) -> Result<(), RecheckError> {
        let place = self.ids.iter().position(|of| of == id);
        place.and_then(|i| self.streams.get(i)).ok_or(RecheckError::Busy)?.reprobe()
    }

    pub(super) async fn stop_sources(&self) {
        self.collector.send(Leave).await.unwrap_or_default();
        // Whoever restarts what has ended goes first.
        self.watchdog.send(Stop).await.unwrap_or_default();
        self.validating.stop();
        for pinger in &self.pingers {
            pinger.stop().await;
        }
        self.doors.auditing.stop().await;
        for slot in &self.streams {
            slot.stop().await;
        }
    }

    /// Tells people of something.
    pub(super) fn happened(&self, happened: Happened) {
        if self.collector.try_send(happened).is_err() {
            tracing::warn!("the collector was not told what happened");
        }
    }

    pub(super) async fn flush(&self) {
        if let Err(e) = self.collector.send(Flush).await {
            tracing::warn!(error = %e, "the last second was not kept");
        }
    }

    /// Ends what is left and closes the store.
    pub(super) async fn close(self) {
        self.collector.send(Stop).await.unwrap_or_default();
        self.writer.stop().await;
        self.end_threads();
    }

    /// Ends what is left; the store stays open.
    pub(super) fn end_threads(&self) {
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
    }
}

fn identity(source: &SourceConfig, is_primary: bool) -> SourceIdentity {
    SourceIdentity {
        id: source.id.clone(),
        name: source.name.clone(),
        url: source.url.as_str().trim_end_matches('/').to_owned(),
        // The primary is always followed by its stream.
        transport: if is_primary { Transport::Stream } else { source.transport }.to_string(),
    }
}

/// Starts the collector and its writer, with everything that was kept.
fn start_collector(
    lasting: &Lasting,
    kept: Kept,
    validating: &Validating,
    anchored: &Anchors,
    arbiter: &Arbiter,
) -> (Addr<Collector>, Writing) {
    let config = &lasting.config;
    let (store, plan) = (Arc::clone(&lasting.store), prune_plan(&lasting.retention, &lasting.now));
    let made = SnapshotWriter::new(store, plan, lasting.log.clone(), lasting.outside.fail.clone());
    let writer = Writing::start(made, arbiter.handle());
    let state = state_told(&kept);
    let restored = kept.restored;
    let anchor = |s: &SourceConfig| restored.anchors.get(&s.id).copied();
    let parts = CollectorParts {
        ledger: kept.ledger,
        sources: sources(config).enumerate().map(|(i, s)| identity(s, i == 0)).collect(),
        anchors: sources(config).map(anchor).collect(),
        clock: Arc::clone(&lasting.clock),
        labels: lasting.labels,
        boot_id: lasting.boot.clone(),
        writer: writer.line.clone(),
        log: lasting.log.clone(),
        last_segment: restored.last_segment,
        events: restored.events,
        rejects: restored.rejects,
        samples: restored.samples,
        standings: restored.standings,
        kept: restored.kept,
        kept_segments: restored.kept_segments,
        notes: kept.notes,
        imported: kept.imported,
        internals: internals(lasting, state),
        grace_max_ns: grace_max_ns(config),
        foreign_ops_per_s: config.limits.foreign_ops_per_second,
        trouble: lasting.trouble.clone(),
        validator: Arc::clone(&validating.load),
        anchored: anchored.clone(),
        fail: lasting.outside.fail.clone(),
    };
    (Collector::start_in_arbiter(&arbiter.handle(), move |_| Collector::new(parts)), writer)
}

/// The longest time that a mirror has until it misses an operation, nanoseconds.
fn grace_max_ns(config: &Config) -> i64 {
    super::state::mirror_params(config).iter().map(|m| m.grace_ns).max().unwrap_or(0)
}

/// The primary and the mirrors, in the order of their numbers.
fn sources(config: &Config) -> impl Iterator<Item = &SourceConfig> {
    std::iter::once(&config.primary).chain(&config.mirrors)
}

/// What was known of each source before.
fn befores(config: &Config, kept: &Kept) -> Vec<Before> {
    let is_observed = |ix| kept.ledger.source(ix).is_some_and(|s| s.windows.first().is_some());
    let before = |(i, s): (usize, &SourceConfig)| Before {
        anchor: kept.restored.anchors.get(&s.id).copied(),
        was_observed: is_observed(SourceIx(i as u16)),
    };
    sources(config).enumerate().map(before).collect()
}

/// What every stream uses.
fn stream_doors(lasting: &Lasting, anchored: Anchors) -> StreamDoors {
    StreamDoors {
        clock: Arc::clone(&lasting.clock),
        dialer: Arc::clone(&lasting.outside.dialer),
        longest_wait_ns: lasting.outside.longest_wait_ns,
        export: Arc::clone(&lasting.outside.export),
        forms: Arc::new(Mutex::new(FormCache::new(DEFAULT_FORMS, rand::random()))),
        readers: Readers::default(),
        known: KnownDids::new(grace_max_ns(&lasting.config)),
        anchored,
        vitals: lasting.vitals.clone(),
        pressure: lasting.pressure.clone(),
        fail: lasting.outside.fail.clone(),
    }
}

/// Starts everything that observes, behind the doors of the one before where there was one.
pub(super) fn assemble(lasting: &Lasting, kept: Kept, before: Option<Doors>) -> Assembled {
    let config = &lasting.config;
    let (streams_arbiter, collector_arbiter) = (Arbiter::new(), Arbiter::new());
    let validating = Validating::default();
    let befores = befores(config, &kept);
    let anchored = Anchors::default();
    for (i, before) in befores.iter().enumerate() {
        before.anchor.into_iter().for_each(|anchor| anchored.set(SourceIx(i as u16), anchor));
    }
    let (collector, writer) = start_collector(lasting, kept, &validating, &anchored, &collector_arbiter);
    let validator = validating.start(&collector, &lasting.outside.fail);
    let audit_doors = AuditDoors {
        export: Arc::clone(&lasting.outside.export),
        clock: Arc::clone(&lasting.clock),
        labels: lasting.labels,
        collector: collector.clone(),
        fail: lasting.outside.fail.clone(),
    };
    let (pictures, auditing) = before.map_or((None, None), |doors| (Some(doors.pictures), Some(doors.auditing)));
    let (auditing, auditor) = start_auditor(config, audit_doors, &streams_arbiter, auditing);
    let pictures = pictures.unwrap_or_else(|| Pictures::of(&collector));
    pictures.connect(&collector);
    let doors = stream_doors(lasting, anchored);
    let (door, arbiter) = (validator.door(), &streams_arbiter);
    let depth = lasting.vitals.depth();
    let parts = SourceParts { config, doors: &doors, collector: &collector, depth, validator: &door, arbiter };
    let (mut streams, mut pingers, mut children) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (source, before)) in sources(config).zip(befores).enumerate() {
        let ix = SourceIx(i as u16);
        let pinger = start_pinger(&parts, ix, &source.id, &lasting.outside.probe);
        let (slot, child) = start_source(&parts, ix, source, before, &pinger);
        streams.push(slot);
        pingers.push(pinger);
        children.push(child);
    }
    let guard = WatchdogDoors {
        clock: Arc::clone(&lasting.clock),
        readers: doors.readers.clone(),
        late: collector.clone().recipient(),
        happened: collector.clone().recipient(),
        vitals: lasting.vitals.clone(),
        fail: lasting.outside.fail.clone(),
    };
    let (watched_pingers, watched_writer, watched_validator) = (pingers.clone(), writer.clone(), validator.clone());
    let watchdog = Watchdog::start_in_arbiter(&streams_arbiter.handle(), move |_| {
        let streams = children.into_iter().map(SourceChild::child);
        let pingers = watched_pingers.into_iter().map(PingerSlot::child);
        let others = [auditor.child(), watched_writer.child(), watched_validator.child()];
        Watchdog::new(guard, streams.chain(pingers).chain(others).collect())
    });
    Assembled {
        doors: Doors { pictures, auditing },
        collector,
        writer,
        streams,
        pingers,
        watchdog,
        arbiters: vec![streams_arbiter, collector_arbiter],
        validating,
        validator,
        ids: sources(config).map(|s| s.id.clone()).collect(),
    }
}
