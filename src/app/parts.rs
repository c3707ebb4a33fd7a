//! Putting the parts together, and taking them apart in order.

use super::auditing::{AuditDoors, Auditing, start_auditor};
use super::details::{Details, ReprobeFn};
use super::pictures::Pictures;
use super::settings::{driver, http_options, internals, prune_plan, state_told};
use super::sources::{Before, SourceChild, SourceParts, SourceSlot, start_pinger, start_source};
use super::start_error::StartError;
use super::state::Opened;
use super::validating::Validating;
use crate::actors::collector::{Collector, CollectorParts, SourceIdentity};
use crate::actors::known_dids::KnownDids;
use crate::actors::message::{Flush, Stop};
use crate::actors::mirror_stream::StreamDoors;
use crate::actors::reader::Readers;
use crate::actors::rtt_pinger::RttPinger;
use crate::actors::snapshot_writer::SnapshotWriter;
use crate::actors::validator::ValidatorLoad;
use crate::actors::watchdog::Watchdog;
use crate::config::{Config, SourceConfig, Transport};
use crate::domain::frame::{DEFAULT_FORMS, FormCache};
use crate::domain::source::SourceIx;
use crate::domain::view::Picture;
use crate::http::detail::RecheckError;
use crate::http::{HttpParts, HttpState, page_specs};
use crate::ports::dial::Dialer;
use crate::ports::export::ExportClient;
use crate::ports::probe::Probe;
use crate::publish::{Pages, UtcNow};
use crate::recompute::{Driver, StatusBoard};
use actix::{Actor, Addr, Arbiter};
use actix_web::web;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The time that a stop has in all.
const STOP_WITHIN: Duration = Duration::from_millis(2_800);
/// The time that recomputers have to end.
const REAP_WITHIN: Duration = Duration::from_millis(1_500);

/// The doors to the sources.
#[derive(Clone)]
pub struct Outside {
    /// Opens streams.
    pub dialer: Arc<dyn Dialer>,
    /// Pages exports.
    pub export: Arc<dyn ExportClient>,
    /// Measures round trips.
    pub probe: Arc<dyn Probe>,
}

/// A running mirrorwatch.
pub struct App {
    /// Where it listens.
    pub address: SocketAddr,
    /// The finished pages.
    pub pages: Arc<Pages>,
    driver: Arc<Driver<Picture>>,
    shutdown: CancellationToken,
    is_ready: Arc<AtomicBool>,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
    assembled: Assembled,
}

/// The actors.
pub struct Assembled {
    collector: Addr<Collector>,
    writer: Addr<SnapshotWriter>,
    streams: Vec<SourceSlot>,
    pingers: Vec<Addr<RttPinger>>,
    watchdog: Addr<Watchdog>,
    arbiters: Vec<Arbiter>,
    validating: Validating,
    /// Where pictures come from.
    pub pictures: Pictures,
    /// Who asks hosts about single DIDs.
    pub auditing: Auditing,
    /// What is wrong with keeping, in words.
    trouble: watch::Receiver<Option<String>>,
}

impl App {
    /// Starts everything. Must run on an actix system.
    pub async fn start(config: &Config, opened: Opened, outside: Outside) -> Result<App, StartError> {
        let clock = Arc::clone(&opened.clock);
        let labels = opened.labels;
        let snapshot_id = ulid::Ulid::from_parts(clock.utc_ms().max(0) as u64, rand::random()).to_string();
        let utc_now: UtcNow = {
            let clock = Arc::clone(&clock);
            Arc::new(move || labels.utc_ms(clock.now()))
        };
        let board = StatusBoard::default();
        let assembled = assemble(config, opened, outside, &board, &utc_now);
        let ids: Vec<String> = config.mirrors.iter().map(|m| m.id.clone()).collect();
        let pages = Arc::new(Pages::new(&snapshot_id, page_specs(&ids)));
        let driver = driver(config, &assembled.pictures, &pages, board, &utc_now);
        driver.prime().await.map_err(|e| StartError::Prime(e.to_string()))?;
        driver.start();

        let listener = crate::http::bind(config.listen).map_err(|e| StartError::Listen(config.listen, e))?;
        let address = listener.local_addr().map_err(StartError::Server)?;
        let (shutdown, is_ready) = (CancellationToken::new(), Arc::new(AtomicBool::new(true)));
        let (readiness, trouble) = (Arc::clone(&is_ready), assembled.trouble.clone());
        let state = web::Data::new(HttpState::new(HttpParts {
            pages: Arc::clone(&pages),
            mirror_ids: ids,
            detail: Arc::new(Details {
                pictures: assembled.pictures.clone(),
                auditing: assembled.auditing.clone(),
                allow_recheck: config.audit.allow_recheck,
                snapshot_id,
                reprobe: assembled.reprobe(config),
            }),
            primary_id: config.primary.id.clone(),
            readiness: Arc::new(move || match &*trouble.borrow() {
                _ if !readiness.load(Ordering::Relaxed) => Err("stopping".to_owned()),
                Some(text) => Err(text.clone()),
                None => Ok(()),
            }),
            utc_now_ms: utc_now,
            options: http_options(config),
            shutdown: shutdown.clone(),
        }));
        let server = crate::http::server(listener, &state).map_err(StartError::Server)?;
        let server = actix_rt::spawn(server);
        Ok(App { address, pages, driver: Arc::new(driver), shutdown, is_ready, server, assembled })
    }

    /// Who asks hosts about single DIDs.
    #[must_use]
    pub fn auditing(&self) -> &Auditing {
        &self.assembled.auditing
    }

    /// Where pictures come from, for whoever compares them with the truth.
    #[must_use]
    pub fn pictures(&self) -> &Pictures {
        &self.assembled.pictures
    }

    /// Stops everything in order: not ready; sockets and server; streams; what is known to the store; recomputers; the
    /// store. Under one deadline; whatever is left then ends with the process.
    pub async fn stop(self) {
        self.is_ready.store(false, Ordering::Relaxed);
        self.shutdown.cancel();
        let driver = Arc::clone(&self.driver);
        let stopping = async move {
            if let Err(e) = self.server.await {
                tracing::warn!(error = %e, "the server ended badly");
            }
            self.assembled.stop_sources().await;
            self.assembled.flush().await;
            let report = driver.stop(REAP_WITHIN).await;
            if report.overdue > 0 {
                tracing::warn!(overdue = report.overdue, "recomputers did not end in time");
            }
            self.assembled.close().await;
        };
        if tokio::time::timeout(STOP_WITHIN, stopping).await.is_err() {
            tracing::warn!("stopping took too long; what was committed is safe");
        }
    }
}

impl Assembled {
    fn reprobe(&self, config: &Config) -> Box<ReprobeFn> {
        let slots: HashMap<String, SourceSlot> =
            sources(config).map(|source| source.id.clone()).zip(self.streams.iter().cloned()).collect();
        Box::new(move |id| slots.get(id).ok_or(RecheckError::Busy)?.reprobe())
    }

    async fn stop_sources(&self) {
        self.validating.stop();
        self.watchdog.send(Stop).await.unwrap_or_default();
        for pinger in &self.pingers {
            pinger.send(Stop).await.unwrap_or_default();
        }
        self.auditing.stop().await;
        for slot in &self.streams {
            slot.stop().await;
        }
    }

    async fn flush(&self) {
        if let Err(e) = self.collector.send(Flush).await {
            tracing::warn!(error = %e, "the last second was not kept");
        }
    }

    async fn close(self) {
        self.collector.send(Stop).await.unwrap_or_default();
        self.writer.send(Stop).await.unwrap_or_default();
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
    config: &Config,
    opened: Opened,
    board: &StatusBoard,
    now: &UtcNow,
    trouble: watch::Sender<Option<String>>,
    load: &Arc<ValidatorLoad>,
    arbiter: &Arbiter,
) -> (Addr<Collector>, Addr<SnapshotWriter>) {
    let state = state_told(&opened);
    let (store, plan) = (opened.store, prune_plan(config, now));
    let writer = SnapshotWriter::start_in_arbiter(&arbiter.handle(), move |_| SnapshotWriter::new(store, plan));
    let restored = opened.restored;
    let anchor = |s: &SourceConfig| restored.anchors.get(&s.id).copied();
    let parts = CollectorParts {
        ledger: opened.ledger,
        sources: sources(config).enumerate().map(|(i, s)| identity(s, i == 0)).collect(),
        anchors: sources(config).map(anchor).collect(),
        clock: opened.clock,
        labels: opened.labels,
        boot_id: opened.boot,
        writer: writer.clone().recipient(),
        last_segment: restored.last_segment,
        events: restored.events,
        rejects: restored.rejects,
        samples: restored.samples,
        kept_segments: restored.kept_segments,
        notes: opened.notes,
        imported: opened.imported,
        internals: internals(config, board.clone(), Arc::clone(now), state),
        grace_max_ns: super::state::mirror_params(config).iter().map(|m| m.grace_ns).max().unwrap_or(0),
        foreign_ops_per_s: config.limits.foreign_ops_per_second,
        trouble,
        validator: Arc::clone(load),
    };
    (Collector::start_in_arbiter(&arbiter.handle(), move |_| Collector::new(parts)), writer)
}

/// The primary and the mirrors, in the order of their numbers.
fn sources(config: &Config) -> impl Iterator<Item = &SourceConfig> {
    std::iter::once(&config.primary).chain(&config.mirrors)
}

fn assemble(config: &Config, opened: Opened, outside: Outside, board: &StatusBoard, now: &UtcNow) -> Assembled {
    let (streams_arbiter, collector_arbiter) = (Arbiter::new(), Arbiter::new());
    let validating = Validating::default();
    let (clock, labels) = (Arc::clone(&opened.clock), opened.labels);
    let anchors: Vec<_> = sources(config).map(|s| opened.restored.anchors.get(&s.id).copied()).collect();
    let is_observed = |ix| opened.ledger.source(ix).is_some_and(|s| s.windows.first().is_some());
    let observed: Vec<bool> = (0..anchors.len()).map(|i| is_observed(SourceIx(i as u16))).collect();
    let (telling, trouble) = watch::channel(None);
    let (collector, writer) =
        start_collector(config, opened, board, now, telling, &validating.load, &collector_arbiter);
    let validator = validating.start(&collector);
    let doors = AuditDoors {
        export: Arc::clone(&outside.export),
        clock: Arc::clone(&clock),
        labels,
        collector: collector.clone(),
    };
    let (auditing, auditor) = start_auditor(config, doors, &streams_arbiter);
    let readers = Readers::default();
    let doors = StreamDoors {
        clock: Arc::clone(&clock),
        dialer: outside.dialer,
        export: outside.export,
        forms: Arc::new(Mutex::new(FormCache::new(DEFAULT_FORMS, rand::random()))),
        readers: readers.clone(),
        known: KnownDids::default(),
    };
    let parts =
        SourceParts { config, doors: &doors, collector: &collector, validator: &validator, arbiter: &streams_arbiter };
    let (mut streams, mut pingers, mut children) = (Vec::new(), Vec::new(), Vec::new());
    for (i, source) in sources(config).enumerate() {
        let ix = SourceIx(i as u16);
        let pinger = start_pinger(&parts, ix, &outside.probe, &clock);
        let before = Before {
            anchor: anchors.get(i).copied().flatten(),
            was_observed: observed.get(i).copied().unwrap_or(false),
        };
        let (slot, child) = start_source(&parts, ix, source, before, &pinger);
        streams.push(slot);
        pingers.push(pinger);
        children.push(child);
    }
    let late = collector.clone().recipient();
    let watchdog = Watchdog::start_in_arbiter(&streams_arbiter.handle(), move |_| {
        let streams = children.into_iter().map(SourceChild::child);
        let children = streams.chain([auditor.child()]).collect();
        Watchdog::new(clock, readers, late, children)
    });
    let pictures = Pictures(collector.clone().recipient());
    Assembled {
        pictures,
        auditing,
        trouble,
        collector,
        writer,
        streams,
        pingers,
        watchdog,
        arbiters: vec![streams_arbiter, collector_arbiter],
        validating,
    }
}
