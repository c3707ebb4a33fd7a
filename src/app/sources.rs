//! The actors that take operations from the sources: who is started for which, and how it is started anew.

use super::slot::Slot;
use crate::actors::collector::{Collector, PrimaryIs};
use crate::actors::inbox::{Depth, Inbox};
use crate::actors::keeper::{Keeper, KeeperSettings};
use crate::actors::line::Line;
use crate::actors::message::{Beat, PeerIs, Reprobe, Stop};
use crate::actors::mirror_stream::{Dialect, MirrorStream, StreamDoors, StreamListeners, StreamSettings};
use crate::actors::resolver::LookUpSettings;
use crate::actors::rtt_pinger::{PeerSlot, RttPinger};
use crate::actors::validator::ValidatorDoor;
use crate::actors::watchdog::Child;
use crate::config::{Config, SourceConfig, Transport as Configured};
use crate::domain::fill::Anchor;
use crate::domain::source::SourceIx;
use crate::domain::transport::Transport;
use crate::http::detail::RecheckError;
use crate::ports::probe::Probe;
use actix::{Actor, Addr, Arbiter, Recipient};
use std::sync::{Arc, Mutex, PoisonError};

/// The running actor of a source, which a restart replaces.
#[derive(Clone)]
enum Running {
    /// The primary: its stream, always.
    Stream(Addr<MirrorStream>),
    /// A mirror: whoever keeps the way in use going.
    Keeper(Addr<Keeper>),
}

/// Where the running actor of a source is found.
#[derive(Clone)]
pub(super) struct SourceSlot {
    running: Arc<Mutex<Running>>,
    /// Whether the configuration names the transport.
    is_fixed: bool,
}

impl SourceSlot {
    fn running(&self) -> Running {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_alive(&self) -> bool {
        match self.running() {
            Running::Stream(addr) => addr.connected(),
            Running::Keeper(addr) => addr.connected(),
        }
    }

    /// Whom to ask whether it is there.
    pub(super) fn beat(&self) -> Recipient<Beat> {
        match self.running() {
            Running::Stream(addr) => addr.recipient(),
            Running::Keeper(addr) => addr.recipient(),
        }
    }

    pub(super) async fn stop(&self) {
        match self.running() {
            Running::Stream(addr) => addr.send(Stop).await.unwrap_or_default(),
            Running::Keeper(addr) => addr.send(Stop).await.unwrap_or_default(),
        }
    }

    /// Looks again now which way of taking operations serves.
    pub(super) fn reprobe(&self) -> Result<(), RecheckError> {
        match self.running() {
            Running::Stream(_) => Err(RecheckError::FixedTransport),
            Running::Keeper(_) if self.is_fixed => Err(RecheckError::FixedTransport),
            Running::Keeper(addr) => addr.try_send(Reprobe).map_err(|_| RecheckError::Busy),
        }
    }
}

/// What all sources have in common.
pub(super) struct SourceParts<'a> {
    pub(super) config: &'a Config,
    pub(super) doors: &'a StreamDoors,
    pub(super) collector: &'a Addr<Collector>,
    /// Of the messages of all sources to the collector.
    pub(super) depth: &'a Depth,
    pub(super) validator: &'a Arc<ValidatorDoor>,
    pub(super) arbiter: &'a Arbiter,
}

/// What was known of a source before.
#[derive(Copy, Clone)]
pub(super) struct Before {
    pub(super) anchor: Option<Anchor>,
    pub(super) was_observed: bool,
}

/// What makes a source's actor anew after a panic; goes to the arbiter of the streams.
pub(super) struct SourceChild {
    settings: KeeperSettings,
    doors: StreamDoors,
    to: StreamListeners,
    collector: Addr<Collector>,
    slot: SourceSlot,
}

/// The transport that the configuration names; none where it is to be found out.
const fn fixed(source: &SourceConfig) -> Option<Transport> {
    match source.transport {
        Configured::Auto => None,
        Configured::Stream => Some(Transport::Stream),
        Configured::Export => Some(Transport::Export),
        Configured::PlcBundle => Some(Transport::PlcBundle),
        Configured::Resolve => Some(Transport::Resolve),
    }
}

/// Starts the actor of one source.
pub(super) fn start_source(
    parts: &SourceParts<'_>,
    ix: SourceIx,
    source: &SourceConfig,
    before: Before,
    pinger: &PingerSlot,
) -> (SourceSlot, SourceChild) {
    let config = parts.config;
    let settings = StreamSettings {
        source: ix,
        id: source.id.clone(),
        url: source.url.clone(),
        allow_private: source.allow_private,
        fill_settle_ns: config.judging.fill_settle.as_nanos() as i64,
        anchor: before.anchor,
        was_observed: before.was_observed,
        dialect: Dialect::Export,
    };
    let to = StreamListeners {
        collector: Inbox::new(parts.collector.clone().recipient(), parts.depth.clone()),
        pinger: pinger.line.clone(),
        late: parts.collector.clone().recipient(),
        happened: parts.collector.clone().recipient(),
        validator: (ix == SourceIx::PRIMARY).then(|| Arc::clone(parts.validator)),
        watcher: None,
    };
    let look_ups = LookUpSettings {
        requests_per_s: config.audit.requests_per_second,
        grace_ns: i64::try_from(source.grace(&config.judging).as_nanos()).unwrap_or(i64::MAX),
        seed: rand::random(),
        decided: parts.collector.clone().recipient(),
    };
    let looker = parts.collector.clone().recipient();
    let settings = KeeperSettings { source: settings, fixed: fixed(source), look_ups, looker };
    let (doors, collector) = (parts.doors.clone(), parts.collector.clone());
    let running = if ix == SourceIx::PRIMARY {
        let stream = MirrorStream::new(settings.source.clone(), doors.clone(), to.clone());
        let address = MirrorStream::start_in_arbiter(&parts.arbiter.handle(), move |_| stream);
        tell_primary(&collector, &address);
        Running::Stream(address)
    } else {
        let (made, doors, to) = (settings.clone(), doors.clone(), to.clone());
        Running::Keeper(Keeper::start_in_arbiter(&parts.arbiter.handle(), move |_| Keeper::new(made, doors, to)))
    };
    let slot = SourceSlot { running: Arc::new(Mutex::new(running)), is_fixed: settings.fixed.is_some() };
    (slot.clone(), SourceChild { settings, doors, to, collector, slot })
}

fn tell_primary(collector: &Addr<Collector>, stream: &Addr<MirrorStream>) {
    if collector.try_send(PrimaryIs(stream.clone().recipient())).is_err() {
        tracing::warn!("the collector was not told of the primary's stream");
    }
}

impl SourceChild {
    pub(super) fn child(self) -> Child {
        let watched = self.slot.clone();
        Child {
            name: format!("source {}", self.settings.source.id),
            source: Some(self.settings.source.id.clone()),
            is_alive: Box::new(move || watched.is_alive()),
            restart: Box::new(move || {
                let mut settings = self.settings.clone();
                // What the panicked actor had not told is gone: it is resumed from what the ledger has.
                let anchor = self.doors.anchored.get(settings.source.source);
                (settings.source.anchor, settings.source.was_observed) = (anchor, true);
                let (doors, to) = (self.doors.clone(), self.to.clone());
                let fresh = if settings.source.source == SourceIx::PRIMARY {
                    let stream = MirrorStream::new(settings.source, doors, to).start();
                    tell_primary(&self.collector, &stream);
                    Running::Stream(stream)
                } else {
                    Running::Keeper(Keeper::new(settings, doors, to).start())
                };
                *self.slot.running.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
            }),
        }
    }
}

/// The running pinger of one source, and how it is started anew after a panic.
#[derive(Clone)]
pub(super) struct PingerSlot {
    slot: Slot<RttPinger>,
    /// Where its stream tells the address.
    line: Line<PeerIs>,
    made: RttPinger,
}

impl PingerSlot {
    /// Whom to ask whether it is there.
    pub(super) fn beat(&self) -> Recipient<Beat> {
        self.slot.recipient()
    }

    pub(super) async fn stop(&self) {
        self.slot.stop().await;
    }

    pub(super) fn child(self) -> Child {
        let watched = self.slot.clone();
        Child {
            name: format!("pinger {}", self.made.id),
            source: Some(self.made.id.clone()),
            is_alive: Box::new(move || watched.is_alive()),
            restart: Box::new(move || {
                let fresh = RttPinger { is_busy: false, has_timed_out: false, ..self.made.clone() }.start();
                self.line.connect(fresh.clone().recipient());
                self.slot.replace(fresh);
            }),
        }
    }
}

/// Starts the pinger of one source.
pub(super) fn start_pinger(parts: &SourceParts<'_>, source: SourceIx, id: &str, probe: &Arc<dyn Probe>) -> PingerSlot {
    let made = RttPinger {
        source,
        interval: parts.config.rtt.interval,
        timeout: parts.config.rtt.timeout,
        probe: Arc::clone(probe),
        clock: Arc::clone(&parts.doors.clock),
        collector: parts.collector.clone().recipient(),
        peer: PeerSlot::default(),
        id: id.to_owned(),
        fail: parts.doors.fail.clone(),
        is_busy: false,
        has_timed_out: false,
    };
    let pinger = made.clone();
    let address = RttPinger::start_in_arbiter(&parts.arbiter.handle(), move |_| pinger);
    PingerSlot { line: Line::to(&address), slot: Slot::new(address), made }
}
