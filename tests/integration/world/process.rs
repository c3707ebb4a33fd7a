//! The program as a process of its own, for what only a process can show: signals, kills, exit codes.

use super::stalls::Stalls;
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
/// Longest wait for its end, whatever the machine does.
const END_WITHIN: Duration = Duration::from_mins(1);

/// A running process; it is killed when this is dropped.
pub struct Process {
    /// Where it says that its page is.
    pub address: SocketAddr,
    child: Child,
}

/// Writes the configuration as a user would: a file in `dir`.
pub fn write_config(dir: &Path, config: &Config) -> PathBuf {
    let source = |s: &mirrorwatch::config::SourceConfig| json!({ "name": s.name, "url": s.url.as_str().trim_end_matches('/'), "transport": s.transport.to_string(), "allowPlaintext": true, "allowPrivate": true });
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
        Process::start_under(config_file, &[]).await
    }

    /// The same with variables of its own.
    pub async fn start_under(config_file: &Path, variables: &[(&str, PathBuf)]) -> Process {
        let mut command = command(&["--config", config_file.to_str().unwrap()]);
        command.envs(variables.iter().cloned());
        Process::spawn(command).await
    }

    /// The same with its log somewhere else.
    pub async fn start_logging(config_file: &Path, log: Stdio) -> Process {
        Process::start_with(config_file, log, &[]).await
    }

    /// The same with variables of the environment too.
    pub async fn start_with(config_file: &Path, log: Stdio, variables: &[(&str, &str)]) -> Process {
        let mut command = command(&["--config", config_file.to_str().unwrap()]);
        command.envs(variables.iter().copied()).stderr(log);
        Process::spawn(command).await
    }

    /// The same with what it says on standard error in a file.
    pub async fn start_logged(config_file: &Path, log: &Path) -> Process {
        Process::start_logging(config_file, std::fs::File::create(log).unwrap().into()).await
    }

    /// Runs `command`, which is the program or starts it, and waits until it has said where its page is.
    pub async fn spawn(command: Command) -> Process {
        match Process::try_spawn(command).await {
            Ok(process) => process,
            Err(mut child) => {
                let _ = child.kill();
                panic!("it did not start: {}", told(&mut child));
            }
        }
    }

    /// The same for what may end, or hang, before it has said anything; the child then, which has ended if it closed its
    /// output.
    pub async fn try_spawn(mut command: Command) -> Result<Process, Child> {
        // What the allocator keeps for later is no memory that the program needs.
        command.env("MIMALLOC_PURGE_DELAY", "0");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::task::spawn_blocking(move || lines.next());
        let line = tokio::time::timeout(START_WITHIN, line).await;
        let Ok(Ok(Some(Ok(line)))) = line else {
            // What a process that is killed had open is closed a little before it has ended.
            let until = Instant::now() + START_WITHIN;
            while matches!(line, Ok(Ok(None))) && child.try_wait().unwrap().is_none() && Instant::now() < until {
                sleep(LOOK_EVERY).await;
            }
            return Err(child);
        };
        let address = line.strip_prefix("mirrorwatch: http://").and_then(|rest| rest.strip_suffix('/'));
        Ok(Process { address: address.unwrap_or_else(|| panic!("{line}")).parse().unwrap(), child })
    }

    /// How long the thread of it that waited most was ready to run and was not let run, milliseconds: the machine's doing.
    /// 0 when it has ended.
    pub fn waited_ms(&self) -> u64 {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", self.pid())) else { return 0 };
        let waited_ns = |task: std::fs::DirEntry| -> Option<u64> {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').nth(1)?.parse().ok()
        };
        tasks.flatten().filter_map(waited_ns).max().unwrap_or(0) / 1_000_000
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
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

    /// Its exit code; none when it has not ended `within`, not counting what the machine made it wait.
    pub async fn exit_code(&mut self, within: Duration) -> Option<i32> {
        let (begun, stalls, waited_before_ms) = (Instant::now(), Stalls::watch(), self.waited_ms());
        let (mut stalled_ms, mut waited_ms) = (0, 0);
        // A thread that waits while nothing runs is seen by both.
        while begun.elapsed() < (within + Duration::from_millis(stalled_ms.max(waited_ms))).min(END_WITHIN) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            stalled_ms += stalls.take_ms();
            waited_ms = self.waited_ms().saturating_sub(waited_before_ms).max(waited_ms);
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
