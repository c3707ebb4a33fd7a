//! The demo: the same program on a simulated directory and five mirrors, and at the end truth against measurement.

mod report;

use super::parts::App;
use super::run::{fail, listen, on_system, say, started, until_stopped};
use crate::cli::{self, exit};
use crate::config::{Config, SourceConfig};
use crate::ports::clock::{Clock, SystemClock};
use crate::recompute::CaptureSource;
use crate::sim::demo::{DemoOptions, DemoWorld, start};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Length of the demo's intervals, so that the matrix fills while somebody looks.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long pairs wait for late flags in the demo.
const SETTLE: Duration = Duration::from_secs(3);
/// What decisions need beyond the grace: proofs, and asking about misses.
const AFTERMATH: Duration = Duration::from_secs(8);

/// How old the newest picture of the measurement may be.
const PICTURE_AGE: Duration = Duration::from_secs(2);

/// Runs the demo until it is told to stop or its time is over; the exit code.
#[must_use]
pub fn demo(mut config: Config, options: &cli::Demo) -> u8 {
    let scratch = match data_dir(&mut config, options) {
        Ok(scratch) => scratch,
        Err(e) => return fail(&format!("mirrorwatch: demo: {e}"), exit::CANNOT_CREATE),
    };
    let options = options.clone();
    let code = on_system(async move {
        match watch(config, &options).await {
            Ok(()) => exit::OK,
            Err(code) => code,
        }
    });
    if let Some(dir) = scratch
        && let Err(e) = std::fs::remove_dir_all(&dir)
    {
        return fail(&format!("mirrorwatch: demo: {}: {e}; remove it by hand", dir.display()), exit::IO);
    }
    code
}

/// Chooses where data goes; a directory of the demo's own is to be removed at the end.
fn data_dir(config: &mut Config, options: &cli::Demo) -> std::io::Result<Option<PathBuf>> {
    if let Some(dir) = &options.data_dir {
        config.data_dir.clone_from(dir);
        return Ok(None);
    }
    let dir = std::env::temp_dir().join(format!("mirrorwatch-demo-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    config.data_dir.clone_from(&dir);
    Ok(Some(dir))
}

async fn watch(mut config: Config, options: &cli::Demo) -> Result<(), u8> {
    // Before anything else: whoever asks it to stop while it starts is heard.
    let signals = listen();
    let told = |e: &dyn std::fmt::Display| fail(&format!("mirrorwatch: demo: {e}"), exit::SOFTWARE);
    options.apply(&mut config);
    config.judging.interval = INTERVAL;
    config.judging.settle = SETTLE;
    config.judging.look_back = Duration::ZERO;
    let clock = SystemClock::new(0).map_err(|e| told(&e))?;
    let on_time_s = config.judging.on_time.as_secs_f64();
    let world = start(
        &DemoOptions { rate_per_s: options.rate_per_s, seed: options.seed, on_time_s },
        Arc::new(move || clock.utc_ms()),
    )
    .map_err(|e| told(&e))?;
    config.primary = source("primary", &world.primary_url).map_err(|e| told(&e))?;
    let mirrors: Result<Vec<_>, _> = world.mirrors.iter().map(|(name, url)| source(name, url)).collect();
    config.mirrors = mirrors.map_err(|e| told(&e))?;
    let decided_after = decided_after(config.judging.grace, world.longest_delay);
    let app = started(&config).await?;
    let stopped = until_stopped(signals);
    match options.duration {
        None => stopped.await,
        Some(duration) => tokio::select! {
            () = stopped => {}
            () = lapse(&world, duration, decided_after) => {}
        },
    }
    report(&app, &world, &config, decided_after).await;
    app.stop().await;
    world.stop().await;
    Ok(())
}

/// How long after its publication what becomes of an operation is decided for good: what comes after the grace is a miss first.
fn decided_after(grace: Duration, longest_delay: Duration) -> Duration {
    (grace + AFTERMATH).max(longest_delay + SETTLE) + SETTLE
}

/// Lets the demo run its time, and then everything that is under way arrive and be decided.
async fn lapse(world: &DemoWorld, duration: Duration, decided_after: Duration) {
    tokio::time::sleep(duration).await;
    world.hush().await;
    let wait = decided_after + PICTURE_AGE;
    let wait_s = wait.as_secs_f64().ceil();
    say(&format!("nothing more is published; in {wait_s} s everything is decided (Ctrl-C: tell what is decided now)"));
    tokio::time::sleep(wait).await;
}

async fn report(app: &App, world: &DemoWorld, config: &Config, decided_after: Duration) {
    match app.pictures().capture().await {
        Ok(captured) => {
            say(&report::text(&captured.capture, world, config.judging.grace, decided_after));
        }
        Err(e) => {
            fail(&format!("mirrorwatch: demo: {e}"), exit::SOFTWARE);
        }
    }
}

fn source(name: &str, url: &str) -> Result<SourceConfig, url::ParseError> {
    let parsed: url::Url = url.parse()?;
    SourceConfig::for_testing(name, parsed.port().unwrap_or(80))
}
