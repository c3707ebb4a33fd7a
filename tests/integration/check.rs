//! `mirrorwatch check` as a shell sees it, against simulated servers on loopback.

use crate::world::{process, test};
use mirrorwatch::domain::op::{Kind, OpKey};
use mirrorwatch::ports::clock::{Clock, SystemClock};
use mirrorwatch::sim::behaviour::{Behaviour, CursorFault, Export, Hangup, Upgrade};
use mirrorwatch::sim::op::OpMaker;
use mirrorwatch::sim::server::{Directory, NowMs};
use serde_json::Value;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(100);

struct Hosts {
    primary: Directory,
    mirror: Directory,
    ops: Vec<OpKey>,
}

impl Hosts {
    /// Both servers with operations of five minutes ago; the mirror lacks the last of them.
    fn new(mirror: Behaviour, lost: usize) -> Hosts {
        let clock = SystemClock::new(0).unwrap();
        let now_ms: NowMs = Arc::new(move || clock.utc_ms());
        let spawn = |behaviour, seed| Directory::spawn(behaviour, seed, Arc::clone(&now_ms)).unwrap();
        let (primary, mirror) = (spawn(Behaviour::default(), 1), spawn(mirror, 2));
        let (mut maker, began) = (OpMaker::new(5), now_ms() - 300_000);
        let mut ops = Vec::new();
        for i in 0..40 {
            let kind = if i < 10 { Kind::Genesis } else { Kind::Update };
            let op = maker.of_kind(kind, began + i * 1_000);
            primary.publish(&op);
            if (i as usize) < 40 - lost {
                mirror.publish(&op);
            }
            ops.push(op.key);
        }
        Hosts { primary, mirror, ops }
    }

    async fn check(&self, more: &[&str]) -> Output {
        let url = |server: &Directory| format!("http://{}", server.address());
        let (mirror, primary) = (url(&self.mirror), url(&self.primary));
        let hosts = ["check", &mirror, "--primary", &primary, "--allow-plaintext", "--allow-private"];
        let arguments: Vec<&str> = hosts.into_iter().chain(more.iter().copied()).collect();
        tokio::time::timeout(PATIENCE, process::run(&arguments)).await.unwrap()
    }

    async fn json(&self, more: &[&str]) -> (Option<i32>, Value) {
        let more: Vec<&str> = ["--format", "json"].iter().chain(more).copied().collect();
        let output = self.check(&more).await;
        let text = String::from_utf8(output.stdout).unwrap();
        let value = serde_json::from_str(&text);
        (
            output.status.code(),
            value.unwrap_or_else(|e| panic!("{e}: {text}{}", String::from_utf8_lossy(&output.stderr))),
        )
    }
}

/// The state of a feature.
fn state<'a>(report: &'a Value, name: &str) -> &'a str {
    let features = report["features"].as_array().unwrap();
    let feature = features.iter().find(|feature| feature["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    feature["state"].as_str().unwrap()
}

#[test]
fn a_faithful_mirror_agrees() {
    test(async {
        let hosts = Hosts::new(Behaviour { answers_pings: false, ..Behaviour::default() }, 0);
        let (code, report) = hosts.json(&[]).await;
        assert_eq!((code, &report["verdict"]), (Some(0), &"agrees".into()), "{report:#}");
        let states = [
            ("health", "yes"),
            ("export_by_number", "yes"),
            ("export_by_time", "yes"),
            ("stream", "yes"),
            ("pings", "no"),
            ("future_cursor", "yes"),
            ("ws", "no"),
            ("audit_log", "yes"),
        ];
        for (name, expected) in states {
            assert_eq!(state(&report, name), expected, "{name}: {report:#}");
        }
        assert_eq!(report["dids"].as_array().unwrap().len(), 5);
        let age = report["newest"]["age_ms"].as_i64().unwrap();
        assert!((261_000..320_000).contains(&age), "{age}");
        assert_eq!(report["newest"]["created_at"], report["primary_newest"]["created_at"]);
    });
}

#[test]
fn a_mirror_that_lost_operations_disagrees_on_one_screen() {
    test(async {
        let lying = Behaviour { upgrade: Upgrade::FalseAccept(Hangup::Eof), ..Behaviour::default() };
        let hosts = Hosts::new(lying, 30);
        let output = hosts.check(&[]).await;
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.lines().count() <= 24 && text.contains("\n/export/stream       false  101, and then: "), "{text}");
        assert!(
            text.contains("  behind ") && text.lines().last().unwrap().starts_with("disagrees with the primary on ")
        );
        let pings = text.lines().find(|line| line.starts_with("  pings")).unwrap();
        assert!(pings.contains("the stream ended before"), "{text}");
    });
}

#[test]
fn a_given_did_is_what_is_compared() {
    test(async {
        let behaviour = Behaviour {
            upgrade: Upgrade::Hang,
            cursor_fault: CursorFault::BadRequest,
            export: Export::Absent,
            ..Behaviour::default()
        };
        let hosts = Hosts::new(behaviour, 1);
        let (kept, lost) = (hosts.ops[0].did, hosts.ops[39].did);
        assert_ne!(kept, lost);
        let (behind, same) = (lost.to_string(), kept.to_string());
        let arguments = [["--did", &behind], ["--did", &same]];
        let (behind, same) = tokio::join!(hosts.json(&arguments[0]), hosts.json(&arguments[1]));
        assert_eq!((behind.0, &behind.1["dids"][0]["result"]), (Some(1), &"behind".into()), "{:#}", behind.1);
        assert_eq!((same.0, &same.1["dids"][0]["result"]), (Some(0), &"same".into()), "{:#}", same.1);
        let states = ["export_by_number", "export_by_time", "stream"].map(|name| state(&same.1, name));
        assert_eq!(states, ["no", "no", "no"]);
        assert_eq!(same.1["newest"], Value::Null);
    });
}

#[test]
fn the_last_operation_is_enough_and_nothing_is_no_verdict() {
    test(async {
        let hosts = Hosts::new(Behaviour { audit: Export::Absent, ..Behaviour::default() }, 0);
        let (code, report) = hosts.json(&[]).await;
        assert_eq!((code, &report["dids"][0]["says"]), (Some(0), &"by its last operation".into()), "{report:#}");
        assert_eq!((state(&report, "audit_log"), state(&report, "last_operation")), ("no", "yes"));
        hosts.mirror.stop().await;
        let (code, report) = hosts.json(&[]).await;
        assert_eq!((code, &report["verdict"]), (Some(2), &"cannot_tell".into()), "{report:#}");
        assert_eq!(state(&report, "health"), "no");
    });
}

#[test]
fn what_is_nullified_at_the_primary_alone_is_found() {
    test(async {
        let hosts = Hosts::new(Behaviour::default(), 0);
        let nullified = hosts.ops[39];
        assert!(hosts.primary.nullify(nullified.cid));
        let (code, report) = hosts.json(&["--did", &nullified.did.to_string()]).await;
        assert_eq!((code, &report["dids"][0]["result"]), (Some(1), &"nullified_differs".into()), "{report:#}");
        assert_eq!(report["dids"][0]["says"], "0 nullified there, 1 at the primary");
    });
}
