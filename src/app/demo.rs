//! The demo: the same program on a simulated directory and five mirrors, and at the end truth against measurement.

use super::parts::App;
use super::run::{fail, on_system, say, started, until_signal};
use crate::cli::{self, exit};
use crate::config::{Config, SourceConfig};
use crate::domain::interval::ExtraState;
use crate::domain::ledger::Capture;
use crate::domain::verdict::Verdict;
use crate::domain::view::Picture;
use crate::domain::window_kind::WindowKind;
use crate::ports::clock::{Clock, SystemClock};
use crate::recompute::CaptureSource;
use crate::sim::demo::{DemoOptions, DemoWorld, start};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Length of the demo's intervals, so that the matrix fills while somebody looks.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long pairs wait for late flags in the demo.
const SETTLE: Duration = Duration::from_secs(3);
/// What the last decisions need beyond the grace.
const AFTERMATH: Duration = Duration::from_secs(8);

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
    let grace = config.judging.grace;
    let app = started(&config).await?;
    match options.duration {
        None => until_signal().await,
        Some(duration) => tokio::select! {
            () = until_signal() => {}
            () = tokio::time::sleep(duration) => {
                world.hush().await;
                tokio::time::sleep(grace + SETTLE + AFTERMATH).await;
            }
        },
    }
    report(&app, &world, grace).await;
    app.stop().await;
    world.stop().await;
    Ok(())
}

fn source(name: &str, url: &str) -> Result<SourceConfig, url::ParseError> {
    let parsed: url::Url = url.parse()?;
    SourceConfig::for_testing(name, parsed.port().unwrap_or(80))
}

async fn report(app: &App, world: &DemoWorld, grace: Duration) {
    match app.pictures().capture().await {
        Ok(captured) => say(&table(&captured.capture, world, grace.as_nanos() as i64)),
        Err(e) => {
            fail(&format!("mirrorwatch: demo: {e}"), exit::SOFTWARE);
        }
    }
}

/// Truth against measurement, a line for each figure of each mirror.
fn table(picture: &Picture, world: &DemoWorld, grace_ns: i64) -> String {
    let capture = &picture.capture;
    let figures = capture.window(WindowKind::H24).interval;
    let now_ms = capture.labels.utc_ms(capture.now);
    let mut out = format!(
        "\ntruth against what was measured ({} operations of the primary; * = differs)\n\
         {:<14} {:>16} {:>16} {:>16} {:>16} {:>9} {:>9} {:>20}\n",
        figures.primary_ops, "mirror", "on time", "late", "missed", "extra", "present", "unknown", "lag p50 ms"
    );
    for (i, info) in picture.mirrors.iter().enumerate() {
        let Some(acc) = figures.mirrors.get(i) else { continue };
        let truth_from =
            |from_ms| world.truth_between(from_ms, now_ms).mirrors.into_iter().find(|t| t.name == info.name);
        // Only what was published while the mirror was observed can be compared, and only what a mirror alone has when the
        // primary was observed for the whole grace before it.
        let told_from = capture.primary.first.map_or(now_ms, |first| capture.labels.utc_ms(first.plus(grace_ns)));
        let (Some(truth), Some(told)) = (truth_from(eligible_from(capture, i, now_ms)), truth_from(told_from)) else {
            continue;
        };
        let present = acc.verdict(Verdict::Present);
        let pair = |truth: u64, measured: u64| {
            let mark = if truth == measured { ' ' } else { '*' };
            format!("{truth} / {measured}{mark}")
        };
        let p50 = acc
            .lag
            .at_rank(acc.lag.count().div_ceil(2))
            .map_or("–".to_owned(), |us| format!("{:.1}", us as f64 / 1e3));
        let true_p50 = truth.lag_p50_ms.map_or("–".to_owned(), |ms| format!("{ms:.1}"));
        let line = writeln!(
            out,
            "{:<14} {:>16} {:>16} {:>16} {:>16} {:>9} {:>9} {:>20}",
            info.name,
            pair(truth.delivered_on_time, acc.verdict(Verdict::OnTime)),
            pair(truth.delivered_late, acc.verdict(Verdict::Late)),
            pair(truth.missing(), acc.verdict(Verdict::Missed)),
            pair(told.invented, acc.extra(ExtraState::Extra)),
            present,
            acc.verdict(Verdict::Unknown),
            format!("{true_p50} / {p50}"),
        );
        debug_assert!(line.is_ok());
    }
    out.push_str(
        "present: delivered while a link was being resumed or this machine was busy, so that its time is not known;\n\
         it counts for coverage. extra: counted once the primary was observed for the whole grace.",
    );
    out
}

/// `createdAt` of the first operation that the mirror was to deliver; `none_ms` when there was none.
fn eligible_from(capture: &Capture, mirror: usize, none_ms: i64) -> i64 {
    let rows = capture.held.chunks.iter().flat_map(|chunk| chunk.rows().iter().zip(chunk.cells(mirror)));
    let eligible = rows.filter(|(_, cell)| cell.verdict() != Verdict::NotEligible);
    eligible.map(|(row, _)| row.created_ms).min().unwrap_or(none_ms)
}
