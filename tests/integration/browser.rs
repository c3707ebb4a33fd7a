//! The page in a real browser, on the demo's world: its numbers are the API's.
//!
//! Where no browser or no `web/node_modules` is found, the test says so and passes; under CI it fails then.

use crate::world::{World, test};
use mirrorwatch::config::SourceConfig;
use mirrorwatch::sim::demo::{DemoOptions, start};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// Where the scripts are, with all that they check.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");
/// Where pictures of the page go.
const PICTURES: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/browser");
/// Limits that the demo's faults fit into within seconds.
const ON_TIME: Duration = Duration::from_millis(800);

fn browser() -> Result<PathBuf, String> {
    let chromium = PathBuf::from(std::env::var_os("CHROMIUM").unwrap_or_else(|| "/usr/bin/chromium".into()));
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/node_modules/playwright-core");
    for needed in [&chromium, &modules] {
        if !needed.exists() {
            return Err(format!("{} is not there", needed.display()));
        }
    }
    Ok(chromium)
}

#[test]
fn the_page_shows_the_numbers_of_the_api() {
    let chromium = match browser() {
        Ok(chromium) => chromium,
        Err(why) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped: the page in a browser: {why}");
            return;
        }
        Err(why) => panic!("the page must be tested in a browser here: {why}"),
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
            let (chromium, base_url) = (chromium.clone(), base_url.clone());
            let run = move || -> Output {
                let mut node = Command::new("node");
                node.args([&format!("{SCRIPTS}/{script}.mjs"), &base_url, PICTURES]).env("CHROMIUM", chromium);
                node.output().expect("node runs")
            };
            let output = tokio::task::spawn_blocking(run).await.unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
            assert!(said.contains(&format!("{script}: all checks hold")), "{said}");
        }
        demo.stop().await;
        world.stop().await;
    });
}
