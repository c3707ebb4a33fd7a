//! Nodes: npm's official clients of both protocols against the program, over a kill; and the log's other doors.
//!
//! Where Node or `web/node_modules` is not found, the test of the clients says so and passes; under CI it fails then.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use data_encoding::HEXLOWER;
use mirrorwatch::cli::exit;
use mirrorwatch::config::{Config, SourceConfig};
use rand::RngExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::world::process::{Process, command, run, write_config};
use crate::world::stalls::Patience;
use crate::world::{PATIENCE, skip, test};

/// Where the scripts are, with all that they check.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nodes");
/// The packages that it uses.
const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/web/node_modules");

/// Ports that no system gives to who does not ask for one: a program that is killed finds its own free again.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// A port at which no mirror answers.
const AWAY: u16 = 1;
/// How often a start is tried, each time at another port or, after a kill, at the same.
const STARTS: u32 = 20;

/// Starts a node at a port of [`PORTS`] that nobody has; `config` writes its configuration.
pub async fn started_at_a_port(config: impl Fn(u16) -> PathBuf) -> (Process, PathBuf) {
    started_under(&[], config).await
}

/// The same with variables of its own.
pub async fn started_under(variables: &[(&str, PathBuf)], config: impl Fn(u16) -> PathBuf) -> (Process, PathBuf) {
    for _ in 0..STARTS {
        let file = config(rand::rng().random_range(PORTS));
        let mut command = command(&["--config", file.to_str().unwrap()]);
        command.envs(variables.iter().cloned());
        match Process::try_spawn(command).await {
            Ok(process) => return (process, file),
            Err(child) => port_was_taken(child).await,
        }
    }
    panic!("no port of {PORTS:?} was free");
}

/// Starts it again where it was.
pub async fn started_again(file: &Path) -> Process {
    for _ in 0..STARTS {
        match Process::try_spawn(command(&["--config", file.to_str().unwrap()])).await {
            Ok(process) => return process,
            Err(child) => port_was_taken(child).await,
        }
    }
    panic!("it did not start again");
}

/// Only a port that is taken for a moment may be tried again: every other end of a start is a failure of its own.
async fn port_was_taken(mut child: Child) {
    let deadline = Instant::now() + PATIENCE;
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if Instant::now() >= deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("a start said nothing and did not end");
        }
        sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(code, Some(i32::from(exit::UNAVAILABLE)), "it ended, and not for its port");
}

/// The configuration of a node whose sources are away.
fn config(dir: &Path, port: u16) -> PathBuf {
    let mut config = Config::for_testing(dir.join("data")).unwrap();
    config.listen.set_port(port);
    config.mirrors = vec![SourceConfig::for_testing("away", AWAY).unwrap()];
    let file = write_config(dir, &config);
    let mut value: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    value["nodes"] = json!({
        "id": "paris-1",
        "tokens": [
            token("peer-a", "node", "token-a"), token("peer-b", "node", "token-b"), token("peer-c", "node", "token-c"),
            token("reader", "reader", "token-r"),
        ],
        "readable": ["test/told", "test/many", "mirrorwatch/*"],
        "writable": ["test/*"],
    });
    #[expect(clippy::disallowed_methods, reason = "scratch of a test")]
    std::fs::write(&file, value.to_string()).unwrap();
    file
}

/// Who may come in with which token, as the configuration has it.
pub fn token(user: &str, role: &str, token: &str) -> Value {
    let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    json!({ "user": user, "role": role, "sha256": HEXLOWER.encode(&digest) })
}

pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let patience = Patience::of(PATIENCE);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(!patience.is_over(), "waited for: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

pub async fn get(process: &Process, path: &str) -> (u16, Value) {
    let answer = reqwest::get(format!("http://{}{path}", process.address)).await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null))
}

#[test]
fn the_official_nodes_of_both_protocols() {
    driven_by("logux-core-7", "logux.mjs", "/api/v1/sync");
}

#[test]
fn the_official_client_of_channels() {
    driven_by("@logux/client", "channels.mjs", "/api/v1/logux");
}

/// Runs a script against the program, which is killed and started again when the script asks for it; all its checks hold.
fn driven_by(package: &str, script: &'static str, path: &'static str) {
    if !Path::new(MODULES).join(package).exists() {
        return skip("node", "web/node_modules is not there");
    }
    test(async move {
        let dir = TempDir::new().unwrap();
        let (mut process, file) = started_at_a_port(|port| config(dir.path(), port)).await;
        let url = format!("ws://{}{path}", process.address);
        let mut node = Command::new("node")
            .args([&format!("{SCRIPTS}/{script}"), &url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();
        let mut said = String::new();
        while let Ok((Some(Ok(line)), rest)) = tokio::task::spawn_blocking(move || (lines.next(), lines)).await {
            lines = rest;
            if line == "restart" {
                process.kill();
                process = started_again(&file).await;
                node.stdin.as_mut().unwrap().write_all(b"restarted\n").unwrap();
            }
            said.push_str(&line);
            said.push('\n');
        }
        assert!(node.wait().unwrap().success(), "{said}");
        assert!(said.contains("logux: all checks hold"), "{said}");
    });
}

#[test]
fn the_log_is_read_page_by_page_and_as_events() {
    test(async {
        let dir = TempDir::new().unwrap();
        let process = Process::start(&config(dir.path(), 0)).await;
        let all = until("there is something in the log", async || {
            let (status, page) = get(&process, "/api/v1/log?after=0&limit=1000&type=mirrorwatch/*").await;
            assert_eq!(status, 200);
            let actions = page["data"]["actions"].as_array()?.clone();
            (actions.len() >= 2).then_some(actions)
        })
        .await;
        let (first, second) = (&all[0], &all[1]);
        assert!(
            second["added"].as_i64() > first["added"].as_i64() && first["added"].as_i64() > Some(1_000_000_000_000)
        );
        assert!(first["id"].as_str().unwrap().ends_with(" paris-1 0") && first["reasons"] == json!(["own"]), "{first}");
        assert!(first["action"]["type"].as_str().unwrap().starts_with("mirrorwatch/"), "{first}");
        let (_, page) = get(&process, "/api/v1/log?limit=1&type=mirrorwatch/*").await;
        assert_eq!(page["data"]["actions"], json!([first]));
        let next = page["links"]["next"].as_str().unwrap();
        assert_eq!(get(&process, next).await.1["data"]["actions"][0], *second);
        assert_eq!(get(&process, "/api/v1/log?type=none").await.1["data"]["actions"], json!([]));
        for (path, code) in [
            ("log?limit=0", "bad_limit"),
            ("log?after=x", "bad_after"),
            ("log?type=*a", "bad_type"),
            ("log?last=5", "bad_last"),
            ("log?last=0&type=a", "bad_last"),
            ("log?last=5&type=a/*", "bad_last"),
            ("log?last=5&type=a&after=1", "bad_last"),
        ] {
            let (status, problem) = get(&process, &format!("/api/v1/{path}")).await;
            assert_eq!((status, problem["code"].as_str()), (400, Some(code)), "{path}");
        }

        let url = format!("http://{}/api/v1/log/stream", process.address);
        let mut stream =
            reqwest::Client::new().get(url).header("last-event-id", first["added"].to_string()).send().await.unwrap();
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        let mut text = String::new();
        while !text.contains("id: ") {
            let chunk = tokio::time::timeout(PATIENCE, stream.chunk()).await.unwrap().unwrap().unwrap();
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        let event = text[text.find("id: ").unwrap()..].lines().collect::<Vec<_>>();
        assert_eq!(event[0], format!("id: {}", second["added"]));
        assert_eq!(serde_json::from_str::<Value>(event[1].strip_prefix("data: ").unwrap()).unwrap(), *second);
    });
}

#[test]
fn without_nodes_nothing_of_it_is_there() {
    test(async {
        let dir = TempDir::new().unwrap();
        let mut config = Config::for_testing(dir.path().join("data")).unwrap();
        config.listen.set_port(0);
        let process = Process::start(&write_config(dir.path(), &config)).await;
        for path in ["sync", "logux", "log", "log/stream"] {
            assert_eq!(get(&process, &format!("/api/v1/{path}")).await.0, 404, "{path}");
        }
    });
}

#[test]
fn a_token_is_made_with_its_hash() {
    test(async {
        let (first, second) = (run(&["token"]).await, run(&["token"]).await);
        assert!(first.status.success() && first.stdout != second.stdout);
        let text = String::from_utf8(first.stdout).unwrap();
        let (token, hash) = text.trim_end().split_once('\n').unwrap();
        let token = token.strip_prefix("token: ").unwrap();
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let hex = HEXLOWER.encode(&digest);
        assert_eq!(hash.strip_prefix("sha256: "), Some(hex.as_str()));
        assert!(token.len() >= 43);
    });
}
