//! The metrics of a running program: every one has a sample, none names an operation, the dashboard and the alerts use what
//! there is, and Prometheus' own tool has nothing to say against any of it.

use crate::world::process;
use crate::world::{World, skip, test};
use mirrorwatch::http::metrics::METRICS;
use mirrorwatch::sim::behaviour::Behaviour;
use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The name of each sample, without its labels.
fn sampled(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split(['{', ' ']).next()).collect()
}

/// The metrics that a text names.
fn named(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_name(c)).filter(|word| word.starts_with("mirrorwatch_")).collect()
}

fn value(text: &str, sample: &str) -> Option<f64> {
    text.lines().find_map(|l| l.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
}

/// What Prometheus' own tool says, given the text; none where it is not there.
fn promtool(args: &[&str], text: &str) -> Option<(bool, String)> {
    let mut tool = Command::new("promtool")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    tool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

async fn printed(what: &str) -> String {
    String::from_utf8(process::run(&["print", what]).await.stdout).unwrap()
}

#[test]
fn a_scrape_has_every_metric_and_dashboard_and_alerts_use_them() {
    test(async {
        let mut world = World::new(["one", "two"].map(|id| (id, Behaviour::default())).into());
        world.config.rtt.interval = Duration::from_millis(200);
        let mut world = world.watched().await;
        world.publish(60).await;
        world.mirror("two").set(|b| b.drop_next = 2);
        world.publish(2).await;
        world.settle().await;
        let fail = world.fail();
        fail.panic_at("stream", "one");
        world.publish(5).await;
        let received =
            format!("mirrorwatch_ops_received_total{{host=\"primary\",class=\"live\"}} {}\n", world.published);
        let text = world
            .eventually("every metric has a sample", async || {
                let text = world.text("/metrics").await;
                let names = sampled(&text);
                let is_there = |(name, kind, _): &(&str, &str, &str)| {
                    if *kind == "histogram" {
                        ["_bucket", "_sum", "_count"].iter().all(|s| names.contains(format!("{name}{s}").as_str()))
                    } else {
                        names.contains(name)
                    }
                };
                let is_counted = text.contains("mirrorwatch_restarts_total{part=\"stream one\"} 1\n");
                (METRICS.iter().all(is_there) && text.contains(&received) && is_counted).then_some(text)
            })
            .await;
        assert!(!text.contains("did:plc:") && !text.contains("bafyrei"), "{text}");
        // Those that never ended are 0 from the start: a series that began with 1 would not have risen.
        for (part, restarts) in
            [("stream one", 1), ("stream two", 0), ("source one", 0), ("auditor", 0), ("collector", 0)]
        {
            let sample = format!("mirrorwatch_restarts_total{{part=\"{part}\"}} {restarts}\n");
            assert!(text.contains(&sample), "no {sample} in {text}");
        }
        assert!(text.contains("mirrorwatch_mirror_info{mirror=\"primary\","), "{text}");
        for what in ["grafana", "alerts"] {
            let (file, names) = (printed(what).await, sampled(&text));
            let unknown: Vec<_> = named(&file).into_iter().filter(|name| !names.contains(name)).collect();
            assert!(unknown.is_empty(), "{what} uses {unknown:?}");
        }
        agree(&world, &text).await;
        let alerts = world.dir().join("alerts.yml");
        std::fs::write(&alerts, printed("alerts").await).unwrap();
        for (args, text) in [(vec!["check", "metrics"], &*text), (vec!["check", "rules", alerts.to_str().unwrap()], "")]
        {
            let Some((is_well, said)) = promtool(&args, text) else {
                return skip("promtool", "it checks metrics and alerts; it is not there");
            };
            assert!(is_well && !said.contains("FAILED"), "{args:?}: {said}");
        }
        world.stop().await;
    });
}

/// The scrape says what the pages say.
async fn agree(world: &World, text: &str) {
    let counts = world.counts("two").await;
    let kinds = ["genesis", "update", "tombstone", "legacy_create"];
    let of = |outcome: &str| -> f64 {
        let sample =
            |kind| format!("mirrorwatch_op_outcomes_total{{mirror=\"two\",outcome=\"{outcome}\",kind=\"{kind}\"}}");
        kinds.iter().map(|kind| value(text, &sample(kind)).unwrap()).sum()
    };
    assert_eq!(of("missed") as u64, counts.missed, "{text}");
    let lag = |suffix: &str| value(text, &format!("mirrorwatch_lag_seconds_{suffix}{{mirror=\"two\"}}")).unwrap();
    let lead = value(text, "mirrorwatch_lead_seconds_count{mirror=\"two\"}").unwrap();
    assert!(lag("count") + lead > 0.0 && lag("count") + lead <= counts.on_time as f64, "{text}");
    let all = value(text, "mirrorwatch_lag_seconds_bucket{mirror=\"two\",le=\"+Inf\"}").unwrap();
    assert_eq!(all as u64, lag("count") as u64);
    assert_eq!(value(text, "mirrorwatch_open_misses{mirror=\"two\"}"), Some(2.0));
    assert_eq!(value(text, "mirrorwatch_missing_ops{mirror=\"two\",age_ge_seconds=\"1\"}"), Some(2.0));
}
