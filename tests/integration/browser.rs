//! The page in a real browser, on the demo's world: its numbers are the API's.
//!
//! Where no browser or no `web/node_modules` is found, the test says so and passes; under CI it fails then.

use crate::world::{World, skip, test};
use mirrorwatch::config::{Nodes, SourceConfig};
use mirrorwatch::sim::demo::{DemoOptions, start};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where the scripts are, with all that they check.
pub const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");
/// Where pictures of the page go.
pub const PICTURES: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/browser");
/// Limits that the demo's faults fit into within seconds.
const ON_TIME: Duration = Duration::from_millis(800);

/// The names under which `.ci/run` and distributions have it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The browser that `CHROMIUM` names, or the first of the usual names in `PATH`; why it cannot be used.
pub fn browser() -> Result<PathBuf, String> {
    let chromium = match std::env::var_os("CHROMIUM") {
        Some(named) => PathBuf::from(named),
        None => in_path().ok_or_else(|| format!("none of {} is in PATH", NAMES.join(", ")))?,
    };
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/node_modules/playwright-core");
    for needed in [&chromium, &modules] {
        if !needed.exists() {
            return Err(format!("{} is not there", needed.display()));
        }
    }
    Ok(chromium)
}

fn in_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut places = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.find(|place| place.is_file())
}

/// Runs a script of checks against the program at `base_url`; all of them hold.
pub async fn checked(script: &str, chromium: &Path, base_url: &str) {
    let mut node = Command::new("node");
    node.args([&format!("{SCRIPTS}/{script}.mjs"), base_url, PICTURES]).env("CHROMIUM", chromium);
    let run = move || node.output().expect("node runs");
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(&format!("{script}: all checks hold")), "{said}");
}

#[test]
fn the_page_shows_the_numbers_of_the_api() {
    let chromium = match browser() {
        Ok(chromium) => chromium,
        Err(why) => return skip("browser", &why),
    };
    test(async move {
        let mut world = World::new(Vec::new());
        let options = DemoOptions { rate_per_s: 50.0, seed: 1, on_time_s: ON_TIME.as_secs_f64() };
        let demo = start(&options, world.now_ms()).unwrap();
        let source = |name: &str, url: &str| {
            let port = url.rsplit(':').next().unwrap().parse().unwrap();
            SourceConfig::for_testing(name, port).unwrap()
        };
        world.config.primary = source("primary", &demo.primary_url);
        world.config.mirrors = demo.mirrors.iter().map(|(name, url)| source(name, url)).collect();
        world.config.judging.on_time = ON_TIME;
        // A page must stay the newest for long enough to be compared.
        world.config.analytics.default_interval = Duration::from_secs(1);
        world.config.http.live_sockets_per_address = 64;
        world.config.audit.allow_recheck = true;
        world.config.nodes = Some(Nodes::for_testing("here"));
        world.start().await;
        world
            .until("the page has something to show", |o| {
                let rows = o["mirrors"].as_array()?;
                let has_figures = |row: &serde_json::Value| {
                    row["coverage"]["coverage_ratio"].is_number() && row["lag"]["p50_ms"].is_number()
                };
                let sum = |name: &str| -> u64 {
                    rows.iter().filter_map(|row| row["coverage"]["counts"][name].as_u64()).sum()
                };
                (rows.iter().all(has_figures) && sum("missed") > 0 && sum("extra") > 0).then_some(())
            })
            .await;
        let base_url = format!("{}/", world.base_url());
        for script in ["overview", "details", "views", "charts", "injection"] {
            checked(script, &chromium, &base_url).await;
        }
        demo.stop().await;
        world.stop().await;
    });
}
