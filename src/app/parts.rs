//! Putting the parts together, and taking them apart in order.

use super::assembled::{Doors, Lasting, assemble};
use super::auditing::Auditing;
use super::details::{Details, ReprobeFn};
use super::guardian::{Change, Guardian, Present, take};
use super::nodes;
use super::past::Archive;
use super::peering;
use super::pictures::Pictures;
use super::regions::{self, Chooser};
use super::settings::{RetentionNow, driver, http_options, log_horizon, prune_plan};
use super::start_error::StartError;
use super::state::Opened;
use super::vantages;
use crate::actors::message::Happened;
use crate::actors::vitals::Vitals;
use crate::config::{Config, RECOMPUTERS};
use crate::domain::view::Picture;
use crate::http::detail::RecheckError;
use crate::http::{HttpParts, HttpState, SourceOrigins, Tallies, page_specs, vantages_spec};
use crate::ports::clock::Clock;
use crate::ports::dial::Dialer;
use crate::ports::export::ExportClient;
use crate::ports::fail_point::FailPoints;
use crate::ports::log_book::LogBook;
use crate::ports::memory::{Memory, Pressure};
use crate::ports::probe::Probe;
use crate::ports::store::SharedStore;
use crate::publish::{PageSpec, Pages, UtcNow};
use crate::recompute::{Driver, StatusBoard};
use actix_web::web;
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
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
    /// The bound of the longest wait between two attempts to connect to a source, nanoseconds.
    pub longest_wait_ns: i64,
    /// Pages exports.
    pub export: Arc<dyn ExportClient>,
    /// Measures round trips.
    pub probe: Arc<dyn Probe>,
    /// How much memory is left.
    pub memory: Memory,
    /// Where tests make parts fail.
    pub fail: FailPoints,
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
    doors: Doors,
    vitals: Vitals,
    present: Present,
    guarding: (CancellationToken, tokio::task::JoinHandle<()>),
    changes: mpsc::Sender<Change>,
    config: Config,
    retention: RetentionNow,
    origins: SourceOrigins,
    clock: Arc<dyn Clock>,
}

impl App {
    /// Starts everything. Must run on an actix system.
    pub async fn start(config: &Config, opened: Opened, outside: Outside) -> Result<App, StartError> {
        let (clock, labels) = (Arc::clone(&opened.clock), opened.labels);
        let utc_now: UtcNow = Arc::new(move || labels.utc_ms(clock.now()));
        let snapshot_id = ulid::Ulid::from_parts(opened.clock.utc_ms().max(0) as u64, rand::random()).to_string();
        let store: SharedStore = Arc::new(Mutex::new(Some(opened.store)));
        let retention: RetentionNow = Arc::new(ArcSwap::from_pointee(config.retention.clone()));
        let log = nodes::log_book(config, &store, log_horizon(&retention, &utc_now))?;
        let lasting = Lasting {
            config: config.clone(),
            outside,
            clock: opened.clock,
            labels,
            boot: opened.boot,
            store,
            log,
            peering: peering::shared(config),
            vantages: config.nodes.as_ref().map(|nodes| vantages::shared(&nodes.id)),
            regions: Arc::new(Pages::new(&snapshot_id, [])),
            board: StatusBoard::default(),
            now: utc_now,
            trouble: watch::channel(None).0,
            vitals: Vitals::default(),
            tallies: Tallies::default(),
            pressure: Pressure::default(),
            retention: Arc::clone(&retention),
            listed_misses: Arc::new(config.limits.listed_misses.into()),
        };
        let assembled = assemble(&lasting, opened.kept, None);
        let doors = assembled.doors.clone();
        let pages = Arc::new(Pages::new(&snapshot_id, specs(config, &mirror_ids(config))));
        let driver = driver(config, &doors.pictures, &pages, &lasting);
        driver.prime().await.map_err(|e| StartError::Prime(e.to_string()))?;
        driver.start();

        let listener = crate::http::bind(config.listen).map_err(|e| StartError::Listen("listen", config.listen, e))?;
        let address = listener.local_addr().map_err(StartError::Server)?;
        let (shutdown, is_ready) = (CancellationToken::new(), Arc::new(AtomicBool::new(true)));
        let present: Present = Arc::new(Mutex::new(Some(assembled)));
        let reprobe = reprobing(&present);
        let origins = SourceOrigins::new(ArcSwap::from_pointee(source_origins(config)));
        let state = http_state(&lasting, (&doors, reprobe, &origins), &pages, snapshot_id, &shutdown, &is_ready);
        let server = actix_rt::spawn(nodes::beside(
            crate::http::server(listener, &state).map_err(StartError::Server)?,
            nodes::events_server(config, &state)?,
        ));
        let (clock, vitals, stop) = (Arc::clone(&lasting.clock), lasting.vitals.clone(), CancellationToken::new());
        if let Some(log) = lasting.log.clone() {
            share(&lasting, log, (&pages, &doors.pictures, &present), &shutdown);
        }
        peering::start(&lasting, &shutdown);
        let (changes, coming) = mpsc::channel(1);
        let guardian = Guardian::new(lasting, Arc::clone(&present), doors.clone(), coming);
        let guardian = actix_rt::spawn(guardian.run(stop.clone()));
        Ok(App {
            address,
            pages,
            driver: Arc::new(driver),
            shutdown,
            is_ready,
            server,
            doors,
            vitals,
            present,
            guarding: (stop, guardian),
            changes,
            config: config.clone(),
            retention,
            origins,
            clock,
        })
    }

    /// Who asks hosts about single DIDs.
    #[must_use]
    pub fn auditing(&self) -> &Auditing {
        &self.doors.auditing
    }

    /// Where pictures come from, for whoever compares them with the truth.
    #[must_use]
    pub fn pictures(&self) -> &Pictures {
        &self.doors.pictures
    }

    /// How the program's own parts do.
    #[must_use]
    pub fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    /// The configuration that is in force.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The clock that everything goes by.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Tells people of something, as an event.
    pub fn tell(&self, kind: &'static str, text: &str) {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        present.iter().for_each(|p| p.happened(Happened { kind, source: None, text: text.to_owned() }));
    }

    /// Goes on with another configuration: intervals and retention at once, whatever concerns observing by resuming every
    /// source behind one last transaction, the pages of mirrors with it. What cannot change while it runs is taken from the
    /// one in force.
    pub async fn change(&mut self, config: Config, outside: Outside, text: String) {
        for name in RECOMPUTERS {
            self.driver.set_interval(name, config.analytics.interval(name));
        }
        self.retention.store(Arc::new(config.retention.clone()));
        if is_observing_changed(&self.config, &config) {
            let (before, after) = (mirror_ids(&self.config), mirror_ids(&config));
            self.pages.arrange(specs(&config, &[after.clone(), before].concat()));
            let (done, is_done) = oneshot::channel();
            let change = Change { config: config.clone(), outside, text, done };
            if self.changes.send(change).await.is_err() || is_done.await.is_err() {
                tracing::error!("nobody looks after the observing half any more");
            }
            self.pages.arrange(specs(&self.config, &after));
        } else {
            self.tell("config_reloaded", &text);
        }
        self.driver.activate_all();
        self.origins.store(Arc::new(source_origins(&config)));
        self.config = config;
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
            let (stop, guardian) = self.guarding;
            stop.cancel();
            if guardian.await.is_err() {
                tracing::warn!("nobody looked after the parts any more");
            }
            let assembled = take(&self.present);
            if let Some(assembled) = &assembled {
                assembled.stop_sources().await;
                assembled.flush().await;
            }
            let report = driver.stop(REAP_WITHIN).await;
            if report.overdue > 0 {
                tracing::warn!(overdue = report.overdue, "recomputers did not end in time");
            }
            if let Some(assembled) = assembled {
                assembled.close().await;
            }
        };
        if tokio::time::timeout(STOP_WITHIN, stopping).await.is_err() {
            tracing::warn!("stopping took too long; what was committed is safe");
        }
    }
}

fn mirror_ids(config: &Config) -> Vec<String> {
    config.mirrors.iter().map(|m| m.id.clone()).collect()
}

/// Every page, for these mirrors.
fn specs(config: &Config, mirrors: &[String]) -> Vec<PageSpec> {
    page_specs(mirrors).into_iter().chain(config.nodes.as_ref().map(|_| vantages_spec())).collect()
}

/// Tells other nodes what is seen here, and takes in what they see, until `stop`.
fn share(
    lasting: &Lasting,
    log: LogBook,
    (pages, pictures, present): (&Arc<Pages>, &Pictures, &Present),
    stop: &CancellationToken,
) {
    let region = lasting.config.nodes.as_ref().and_then(|nodes| nodes.region.clone());
    let (pages, now) = (Arc::clone(pages), &lasting.now);
    if let Some(told) = lasting.vantages.clone() {
        let (region, pages, now) = (region.clone(), Arc::clone(&pages), Arc::clone(now));
        let chooser = Chooser { told, region, pages, regions: Arc::clone(&lasting.regions), now };
        actix_rt::spawn(regions::choose(chooser, stop.clone()));
    }
    actix_rt::spawn(nodes::tell_overviews(log.clone(), region, pages, Arc::clone(now), stop.clone()));
    if let Some(told) = lasting.vantages.clone() {
        let primary = lasting.config.primary.url.to_string();
        let blocks = vantages::Blocks::new(log.clone(), primary, Arc::clone(&told), Arc::clone(now));
        actix_rt::spawn(blocks.tell_all(pictures.clone(), stop.clone()));
        actix_rt::spawn(vantages::follow(log, told, Arc::clone(now), Arc::clone(present), stop.clone()));
    }
}

/// Whether anything differs that the observing half was made of.
fn is_observing_changed(a: &Config, b: &Config) -> bool {
    (&a.mirrors, &a.judging, &a.rtt, &a.limits, &a.audit) != (&b.mirrors, &b.judging, &b.rtt, &b.limits, &b.audit)
}

/// Where the sources' sockets are.
fn source_origins(config: &Config) -> Vec<String> {
    std::iter::once(&config.primary).chain(&config.mirrors).map(|s| s.url.origin().ascii_serialization()).collect()
}

/// Leads to whoever takes a mirror's operations now.
fn reprobing(present: &Present) -> Box<ReprobeFn> {
    let present = Arc::clone(present);
    Box::new(move |id| {
        let present = present.lock().unwrap_or_else(PoisonError::into_inner);
        present.as_ref().ok_or(RecheckError::Busy)?.reprobe(id)
    })
}

/// What the server is told.
fn http_state(
    lasting: &Lasting,
    (doors, reprobe, origins): (&Doors, Box<ReprobeFn>, &SourceOrigins),
    pages: &Arc<Pages>,
    snapshot_id: String,
    shutdown: &CancellationToken,
    is_ready: &Arc<AtomicBool>,
) -> web::Data<HttpState> {
    let config = &lasting.config;
    let (readiness, trouble) = (Arc::clone(is_ready), lasting.trouble.subscribe());
    let (vitals, clock) = (lasting.vitals.clone(), Arc::clone(&lasting.clock));
    web::Data::new(HttpState::new(HttpParts {
        pages: Arc::clone(pages),
        regions: Arc::clone(&lasting.regions),
        detail: Arc::new(Details {
            pictures: doors.pictures.clone(),
            archive: Archive { store: Arc::clone(&lasting.store), plan: prune_plan(&lasting.retention, &lasting.now) },
            auditing: doors.auditing.clone(),
            allow_recheck: config.audit.allow_recheck,
            snapshot_id,
            reprobe,
        }),
        recent: Arc::new(doors.pictures.clone()),
        source_origins: Arc::clone(origins),
        primary_id: config.primary.id.clone(),
        health: Arc::new(move || vitals.health(clock.now())),
        readiness: Arc::new(move || match &*trouble.borrow() {
            _ if !readiness.load(Ordering::Relaxed) => Err("stopping".to_owned()),
            Some(text) => Err(text.clone()),
            None => Ok(()),
        }),
        utc_now_ms: Arc::clone(&lasting.now),
        nodes: config.nodes.as_ref().zip(lasting.log.clone()).map(|(nodes, log)| {
            let peers = lasting.peering.as_ref().map(|peering| peering.links.clone());
            nodes::door(nodes, log, peers)
        }),
        options: http_options(config),
        shutdown: shutdown.clone(),
        tallies: lasting.tallies.clone(),
        pressure: lasting.pressure.clone(),
        fail: lasting.outside.fail.clone(),
    }))
}
