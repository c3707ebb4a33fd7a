//! The program as a process of its own, for what only a process can show: signals, kills, exit codes.

use mirrorwatch::config::Config;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A process that must have ended by now is looked at so often.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Longest wait for the line that says where the page is.
const START_WITHIN: Duration = Duration::from_secs(20);

/// A running process; it is killed when this is dropped.
pub struct Process {
    /// Where it says that its page is.
    pub address: SocketAddr,
    child: Child,
}

/// Writes the configuration as a user would: a file in `dir`.
pub fn write_config(dir: &Path, config: &Config) -> PathBuf {
    let source = |s: &mirrorwatch::config::SourceConfig| json!({ "name": s.name, "url": s.url.as_str().trim_end_matches('/'), "allowPlaintext": true, "allowPrivate": true });
    let judging = &config.judging;
    let value = json!({
        "listen": config.listen.to_string(),
        "dataDir": config.data_dir,
        "primary": source(&config.primary),
        "mirrors": config.mirrors.iter().map(source).collect::<Vec<Value>>(),
        "judging": {
            "onTimeSeconds": judging.on_time.as_secs_f64(), "graceSeconds": judging.grace.as_secs_f64(),
            "lookBackSeconds": judging.look_back.as_secs_f64(), "intervalSeconds": judging.interval.as_secs(),
            "settleSeconds": judging.settle.as_secs_f64(), "fillSettleSeconds": judging.fill_settle.as_secs_f64(),
        },
        "analytics": { "defaultIntervalSeconds": 0.1 },
        "log": { "filter": "warn" },
    });
    let path = dir.join("config.json");
    #[expect(clippy::disallowed_methods, reason = "scratch of a test")]
    std::fs::write(&path, value.to_string()).unwrap();
    path
}

/// The program with arguments, and none of the variables of whoever runs the tests.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mirrorwatch"));
    command.env_clear().args(arguments);
    command
}

/// Runs the program until it ends by itself.
pub async fn run(arguments: &[&str]) -> Output {
    let mut command = command(arguments);
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

impl Process {
    /// Starts the program and waits until it has said where its page is.
    pub async fn start(config_file: &Path) -> Process {
        Process::start_logging(config_file, Stdio::inherit()).await
    }

    /// The same with its log somewhere else.
    pub async fn start_logging(config_file: &Path, log: Stdio) -> Process {
        Process::start_with(config_file, log, &[]).await
    }

    /// The same with variables of the environment.
    pub async fn start_with(config_file: &Path, log: Stdio, variables: &[(&str, &str)]) -> Process {
        let mut command = command(&["--config", config_file.to_str().unwrap()]);
        command.envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::task::spawn_blocking(move || lines.next());
        let line = tokio::time::timeout(START_WITHIN, line).await;
        let Ok(Ok(Some(Ok(line)))) = line else {
            let _ = child.kill();
            panic!("it did not start: {}", told(&mut child));
        };
        let address = line.strip_prefix("mirrorwatch: http://").and_then(|rest| rest.strip_suffix('/'));
        Process { address: address.unwrap_or_else(|| panic!("{line}")).parse().unwrap(), child }
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, as power loss would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, as a supervisor would.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal, by its name without SIG.
    pub fn signal(&self, name: &str) {
        let signal = format!("kill -{name} {}", self.pid());
        assert!(Command::new("sh").args(["-c", &signal]).status().unwrap().success());
    }

    /// Its exit code; none when it has not ended `within`.
    pub async fn exit_code(&mut self, within: Duration) -> Option<i32> {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            sleep(LOOK_EVERY).await;
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already where a test ended it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn told(child: &mut Child) -> String {
    let mut text = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = stderr.read_to_string(&mut text);
    }
    text
}
