//! `mirrorwatch diff` as a shell sees it, against simulated servers on loopback: exit codes, what is listed, and going on
//! after an interruption.

use crate::world::{process, test};
use mirrorwatch::ports::clock::{Clock, SystemClock};
use mirrorwatch::sim::behaviour::{Alteration, Behaviour, Export, Numbering, Refusal, Style};
use mirrorwatch::sim::op::OpMaker;
use mirrorwatch::sim::server::{Directory, NowMs, Outcome};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a comparison may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// Two servers and the operations that they were handed.
struct Hosts {
    a: Directory,
    b: Directory,
    maker: OpMaker,
    now_ms: NowMs,
    /// What became of each operation at the second server, where it was not the same as at the first.
    fates: BTreeMap<String, Outcome>,
}

impl Hosts {
    fn new(a: Behaviour, b: Behaviour) -> Hosts {
        let clock = SystemClock::new(0).unwrap();
        let now_ms: NowMs = Arc::new(move || clock.utc_ms());
        let spawn = |behaviour, seed| Directory::spawn(behaviour, seed, Arc::clone(&now_ms)).unwrap();
        let (a, b) = (spawn(a, 1), spawn(b, 2));
        Hosts { a, b, maker: OpMaker::new(5), now_ms, fates: BTreeMap::new() }
    }

    /// Hands both servers `n` operations of the last half hour but five minutes.
    fn publish(mut self, n: u32) -> Hosts {
        let began = (self.now_ms)() - 1_800_000;
        for i in 0..n {
            let op = self.maker.next(began + i64::from(i) * 1_500_000 / i64::from(n));
            self.a.publish(&op);
            let outcome = self.b.publish(&op).outcome;
            if !matches!(outcome, Outcome::Delivered(_)) {
                self.fates.insert(op.key.cid.to_string(), outcome);
            }
        }
        self
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let url = |server: &Directory| format!("http://{}", server.address());
        let hosts = ["diff", "--allow-plaintext", "--allow-private", "--a", &url(&self.a), "--b", &url(&self.b)];
        hosts.iter().chain(more).map(|text| (*text).to_owned()).collect()
    }

    async fn diff(&self, more: &[&str]) -> Output {
        let arguments = self.arguments(more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        tokio::time::timeout(PATIENCE, process::run(&arguments)).await.unwrap()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Sort and fields by CID.
fn listed(output: &Output) -> BTreeMap<String, (String, String)> {
    let rows = stdout(output);
    let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.map(|row| (text(&row["cid"]), (text(&row["difference"]), row["fields"].to_string()))).collect()
}

/// What the differences of `hosts` are called.
fn expected(hosts: &Hosts) -> BTreeMap<String, (String, String)> {
    let named = |outcome: &Outcome| match outcome {
        Outcome::Dropped => ("only_in_a", "[]"),
        Outcome::Altered(Alteration::CreatedAt, _) => ("differs", r#"["created_at"]"#),
        Outcome::Altered(Alteration::Content, _) => ("differs", r#"["content"]"#),
        other => panic!("{other:?}"),
    };
    let rows = hosts.fates.iter().map(|(cid, outcome)| (cid.clone(), named(outcome)));
    rows.map(|(cid, (name, fields))| (cid, (name.to_owned(), fields.to_owned()))).collect()
}

#[test]
fn the_same_log_under_other_numbers_and_in_another_style_is_the_same() {
    test(async {
        let style = Style { sorted_keys: true, offset_time: true, ..Style::default() };
        let b = Behaviour { numbering: Numbering::Own, style, ..Behaviour::default() };
        let hosts = Hosts::new(Behaviour::default(), b).publish(1_500);
        let (by_number, by_time) = tokio::join!(hosts.diff(&["--by-kind"]), hosts.diff(&["--paging", "time"]));
        for output in [by_number, by_time] {
            let said = stdout(&output);
            assert_eq!(output.status.code(), Some(0), "{said}{}", stderr(&output));
            assert!(said.ends_with("same: 1500 operations, alike in both logs\n"), "{said}");
            assert!(output.stderr.is_empty(), "no progress where no terminal is: {}", stderr(&output));
        }
    });
}

#[test]
fn every_lost_and_altered_operation_is_listed_and_nothing_else() {
    test(async {
        let b = Behaviour {
            drop_share: 0.01,
            alter_share: 0.01,
            alterations: vec![Alteration::CreatedAt, Alteration::Content],
            numbering: Numbering::Own,
            ..Behaviour::default()
        };
        let hosts = Hosts::new(Behaviour::default(), b).publish(2_500);
        let wanted = expected(&hosts);
        assert!(wanted.len() > 20);
        let (by_number, by_time, csv) = tokio::join!(
            hosts.diff(&["--format", "ndjson", "--from", "1h"]),
            hosts.diff(&["--format", "ndjson", "--from", "1h", "--paging", "time"]),
            hosts.diff(&["--format", "csv"]),
        );
        for output in [&by_number, &by_time] {
            assert_eq!(output.status.code(), Some(1), "{}", stderr(output));
            assert_eq!(listed(output), wanted);
            assert!(stderr(output).contains("\ndiffers: "), "{}", stderr(output));
        }
        assert_eq!((csv.status.code(), stdout(&csv).matches("\r\n").count()), (Some(1), wanted.len() + 1));
    });
}

#[test]
fn logs_that_go_on_while_they_are_compared_come_to_an_end() {
    test(async {
        let mut hosts = Hosts::new(Behaviour::default(), Behaviour::default()).publish(50);
        let (a, b, now_ms) = (hosts.a.clone(), hosts.b.clone(), Arc::clone(&hosts.now_ms));
        let mut maker = std::mem::replace(&mut hosts.maker, OpMaker::new(0));
        let living = tokio::spawn(async move {
            loop {
                let op = maker.next(now_ms());
                a.publish(&op);
                b.publish(&op);
                sleep(Duration::from_millis(50)).await;
            }
        });
        let output = hosts.diff(&[]).await;
        living.abort();
        let said = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{said}{}", stderr(&output));
        assert!(said.ends_with("same: 50 operations, alike in both logs\n"), "{said}");
    });
}

#[test]
fn what_only_the_second_has_is_listed_too() {
    test(async {
        let b = Behaviour { invent_share: 0.01, ..Behaviour::default() };
        let hosts = Hosts::new(Behaviour::default(), b).publish(500);
        // Inventions are made at the present, which the default range leaves out.
        let output = hosts.diff(&["--to", "now"]).await;
        let said = stdout(&output);
        assert_eq!(output.status.code(), Some(1), "{said}{}", stderr(&output));
        assert!(said.lines().next().unwrap().starts_with("only_in_b     did:plc:"), "{said}");
        assert!(said.lines().last().unwrap().ends_with(" only in b"), "{said}");
    });
}

#[test]
fn a_host_that_cannot_be_read_is_no_difference() {
    test(async {
        let absent = Behaviour { export: Export::Absent, ..Behaviour::default() };
        let hosts = Hosts::new(Behaviour::default(), absent).publish(10);
        let output = hosts.diff(&[]).await;
        let said = stderr(&output);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{said}");
        let url = format!("b (http://{})", hosts.b.address());
        assert_eq!(said, format!("mirrorwatch: cannot tell: {url}: http: 404 — this server offers no /export\n"));
        hosts.b.stop().await;
        let output = hosts.diff(&[]).await;
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("tcp: "), "{}", stderr(&output));
    });
}

#[test]
fn two_empty_logs_tell_nothing() {
    test(async {
        let hosts = Hosts::new(Behaviour::default(), Behaviour::default());
        let output = hosts.diff(&[]).await;
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stdout(&output).ends_with("cannot tell: neither log lists an operation in this range\n"));
    });
}

#[test]
fn a_busy_host_is_waited_for() {
    test(async {
        let refusal = Refusal { status: 429, retry_after_s: Some(2) };
        let busy = Behaviour { export: Export::Fail { times: 1, refusal }, ..Behaviour::default() };
        let hosts = Hosts::new(Behaviour::default(), busy).publish(10);
        let began = Instant::now();
        let output = hosts.diff(&[]).await;
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        assert!(began.elapsed() >= Duration::from_secs(2), "the pause was not kept");
    });
}

/// Starts a comparison and interrupts it when the first server was asked for `pages` pages.
async fn interrupted(hosts: &Hosts, more: &[&str], pages: usize) -> Output {
    let arguments = hosts.arguments(more);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = process::command(&arguments);
    let before = hosts.a.received().exports.len();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while hosts.a.received().exports.len() < before + pages {
        assert!(Instant::now() < deadline, "the host was not asked");
        sleep(Duration::from_millis(20)).await;
    }
    let signal = format!("kill -INT {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &signal]).status().unwrap().success());
    tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap()
}

fn resume_file(dir: &Path) -> String {
    dir.join("state.json").to_str().unwrap().to_owned()
}

#[test]
fn an_interrupted_comparison_goes_on_where_it_stopped() {
    test(async {
        let b = Behaviour { drop_share: 0.005, ..Behaviour::default() };
        let hosts = Hosts::new(Behaviour::default(), b).publish(5_500);
        let (dir, wanted) = (tempfile::tempdir().unwrap(), expected(&hosts));
        let file = resume_file(dir.path());
        let options = ["--format", "ndjson", "--resume", &file];
        let first = interrupted(&hosts, &options, 5).await;
        let said = stderr(&first);
        assert_eq!(first.status.code(), Some(2), "{said}");
        assert!(said.starts_with("mirrorwatch: interrupted\n") && said.contains("the same command goes on"), "{said}");
        assert!(Path::new(&file).exists());
        let other = hosts.diff(&["--resume", &file, "--from", "start"]).await;
        assert_eq!(other.status.code(), Some(64), "{}", stderr(&other));
        let asked = hosts.a.received().exports.len();
        let second = hosts.diff(&options).await;
        assert_eq!(second.status.code(), Some(1), "{}", stderr(&second));
        let mut all = listed(&first);
        all.extend(listed(&second));
        assert_eq!(all, wanted);
        assert!(stderr(&second).contains("in both"), "{}", stderr(&second));
        let again = hosts.a.received().exports.len() - asked;
        assert!(again <= 5, "{again} pages were read again");
        assert!(!Path::new(&file).exists(), "the state of what is over is gone");
    });
}

#[test]
fn without_a_file_the_rest_of_the_range_is_named() {
    test(async {
        let b = Behaviour { drop_share: 0.005, ..Behaviour::default() };
        let hosts = Hosts::new(Behaviour::default(), b).publish(5_500);
        let first = interrupted(&hosts, &["--format", "ndjson"], 6).await;
        let said = stderr(&first);
        assert_eq!(first.status.code(), Some(2), "{said}");
        let last = said.lines().last().unwrap();
        let rest = last.split("go on with ").nth(1).unwrap_or_else(|| panic!("{said}"));
        let rest: Vec<&str> = rest.split(' ').chain(["--format", "ndjson"]).collect();
        let second = hosts.diff(&rest).await;
        assert_eq!(second.status.code(), Some(1), "{}", stderr(&second));
        let (first, second) = (listed(&first), listed(&second));
        assert!(!first.is_empty() && first.keys().all(|cid| !second.contains_key(cid)));
        assert_eq!(first.into_iter().chain(second).collect::<BTreeMap<_, _>>(), expected(&hosts));
    });
}
