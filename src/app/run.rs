//! The program's three ways of running: watch, import, and (beside it) the demo.

use super::open_files;
use super::outside::network;
use super::parts::App;
use super::reload::Reload;
use super::start_error::StartError;
use super::state::open_state;
use crate::cli::exit;
use crate::config::Config;
use crate::domain::incident;
use crate::domain::time::SECOND;
use crate::ports::clock::{Clock, SystemClock};
use crate::ports::notify::Supervisor;
use crate::ports::port_holder;
use crate::ports::store::sqlite::{OpenOptions, SqliteStore};
use std::io::Write;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, interval_at};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A core that has not answered for so long is not alive, nanoseconds.
const CORE_ANSWERS_WITHIN_NS: i64 = 5 * SECOND;

/// Watches until it is told to stop; the exit code. SIGHUP has the configuration read again as `reload` says.
#[must_use]
pub fn run(config: Config, reload: Reload) -> u8 {
    on_system(async move {
        // Before anything else: whoever asks it to stop while it starts is heard.
        let (signals, mut hup) = (listen(), signal(SignalKind::hangup()).ok());
        match started(&config).await {
            Ok(mut app) => {
                let supervisor = supervisor();
                let fed = supervisor.clone().map(|supervisor| app.feed(supervisor));
                let mut stopping = std::pin::pin!(until_stopped(signals));
                while until_reload(&mut stopping, hup.as_mut()).await {
                    reload.run(&mut app).await;
                }
                if let Some(supervisor) = &supervisor {
                    supervisor.stopping();
                }
                drop(fed);
                app.stop().await;
                exit::OK
            }
            Err(code) => code,
        }
    })
}

/// Whoever supervises the process, told that everything is started.
fn supervisor() -> Option<Rc<Supervisor>> {
    let found = Supervisor::from_variables(|name| std::env::var_os(name), std::process::id());
    let supervisor = found.unwrap_or_else(|error| {
        tracing::warn!(%error, "the supervisor cannot be told how we are");
        None
    })?;
    supervisor.ready();
    Some(Rc::new(supervisor))
}

impl App {
    /// Tells the supervisor that we are alive for as long as the core takes in what comes and answers; ends when dropped.
    #[must_use]
    pub fn feed(&self, supervisor: Rc<Supervisor>) -> DropGuard {
        let (vitals, clock, stop) = (self.vitals().clone(), Arc::clone(self.clock()), CancellationToken::new());
        let stopped = stop.clone();
        actix_rt::spawn(async move {
            let Some(every) = supervisor.feed_every() else { return };
            let mut ticks = interval_at(Instant::now() + every, every);
            loop {
                tokio::select! {
                    () = stopped.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                if vitals.is_core_alive(clock.now(), CORE_ANSWERS_WITHIN_NS) {
                    supervisor.alive();
                } else {
                    tracing::warn!("the core does not answer; the supervisor is not told that we are alive");
                }
            }
        });
        stop.drop_guard()
    }
}

/// Waits for a signal: whether it is the one that asks to read the configuration again, not the one that asks to stop.
async fn until_reload(stopping: &mut (impl Future<Output = ()> + Unpin), hup: Option<&mut Signal>) -> bool {
    match hup {
        None => {
            stopping.await;
            false
        }
        Some(hup) => tokio::select! {
            biased;
            () = stopping => false,
            _ = hup.recv() => true,
        },
    }
}

/// Runs a future on an actix system; a system that cannot be made is told.
pub(super) fn on_system(work: impl Future<Output = u8> + 'static) -> u8 {
    actix::System::new().block_on(work)
}

/// Opens, starts, and says where the page is; an exit code when that fails.
pub(super) async fn started(config: &Config) -> Result<App, u8> {
    let opened = open_state(config).map_err(|e| fail(&e, e.exit_code()))?;
    for (kind, text) in &opened.kept.notes {
        if kind == incident::OBSERVER_DOWN {
            tracing::info!(kind = %kind, "{text}");
        } else {
            tracing::warn!(kind = %kind, "{text}");
        }
    }
    if let Some(warning) = open_files::warning(config.http.live_sockets, open_files::limit(), config.mirrors.len() + 1)
    {
        tracing::warn!("{warning}");
    }
    let outside = network(config, &opened.clock).map_err(|e| fail(&format!("mirrorwatch: {e}"), exit::SOFTWARE))?;
    match App::start(config, opened, outside).await {
        Ok(app) => {
            say(&format!("mirrorwatch: http://{}/", app.address));
            Ok(app)
        }
        Err(StartError::Listen(key, address, e)) => Err(listen_failed(key, address, &e)),
        Err(e) => Err(fail(&e, exit::SOFTWARE)),
    }
}

fn listen_failed(key: &str, address: std::net::SocketAddr, e: &std::io::Error) -> u8 {
    match e.kind() {
        std::io::ErrorKind::AddrInUse => fail(
            &match port_holder::holder(address) {
                Some(holder) => {
                    format!("mirrorwatch: {key}: {address}: address in use (by {holder}); stop it or set {key}")
                }
                None => {
                    format!("mirrorwatch: {key}: {address}: address in use; stop what listens there or set {key}")
                }
            },
            exit::UNAVAILABLE,
        ),
        std::io::ErrorKind::PermissionDenied => fail(
            &format!("mirrorwatch: {key}: {address}: permission denied; use a port ≥ 1024 or a proxy"),
            exit::NO_PERMISSION,
        ),
        _ => fail(&format!("mirrorwatch: {key}: {address}: {e}"), exit::UNAVAILABLE),
    }
}

/// Ends at SIGTERM or SIGINT without a word in the log, for commands that tell it themselves; a second signal ends the process
/// at once.
pub(super) async fn until_interrupted() {
    interrupted(listen()).await;
}

/// From now on the signals that ask to stop are kept until they are waited for.
pub(super) fn listen() -> Option<(Signal, Signal)> {
    signal(SignalKind::terminate()).ok().zip(signal(SignalKind::interrupt()).ok())
}

/// Ends at the first of these signals and says so in the log; a second one ends the process at once.
pub(super) async fn until_stopped(signals: Option<(Signal, Signal)>) {
    interrupted(signals).await;
    tracing::info!("stopping");
}

async fn interrupted(signals: Option<(Signal, Signal)>) {
    let Some((mut term, mut int)) = signals else {
        tracing::error!("signals cannot be waited for; stop with SIGKILL");
        std::future::pending::<()>().await;
        return;
    };
    either(&mut term, &mut int).await;
    actix_rt::spawn(async move {
        either(&mut term, &mut int).await;
        std::process::exit(i32::from(exit::SOFTWARE));
    });
}

async fn either(term: &mut Signal, int: &mut Signal) {
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// Takes another monitor's files into the data directory; the exit code.
#[must_use]
pub fn import(config: &Config, dir: &Path) -> u8 {
    let now_ms = match SystemClock::new(0) {
        Ok(clock) => clock.utc_ms(),
        Err(e) => return fail(&format!("mirrorwatch: clock: {e}"), exit::SOFTWARE),
    };
    let imported = SqliteStore::open(&config.data_dir, OpenOptions::at(now_ms)).and_then(|(mut store, report)| {
        report.notes.iter().for_each(|note| say(note));
        store.import(dir)
    });
    match imported {
        Ok(report) => {
            say(&report.to_string());
            exit::OK
        }
        Err(e) => fail(&format!("mirrorwatch: {e}"), e.exit_code()),
    }
}

/// One line to standard output; whoever stopped reading it did not want it.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// One line to standard error, and the code.
pub(super) fn fail(why: &dyn std::fmt::Display, code: u8) -> u8 {
    let _ = writeln!(std::io::stderr(), "{why}");
    code
}
