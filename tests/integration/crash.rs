//! Killed under load at random moments and at the system calls that touch the data directory, in turns: it starts again at
//! once, has every interval that it ever showed as final, counts nothing twice, and has lost a second of observations at
//! most, which it calls its own.

use crate::world::counts::Counts;
use crate::world::process::{Process, command, write_config};
use crate::world::stalls::Stalls;
use crate::world::{World, skip, test};
use mirrorwatch::sim::behaviour::Behaviour;
use rand::RngExt;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::sleep;

/// From the start of the process to its page.
const START_WITHIN_MS: u64 = 2_000;
/// The last observations that may be gone, milliseconds.
const GONE_MAX_MS: i64 = 1_100;
/// Lives of a process that nothing but time ends.
const LIFE_MS: std::ops::Range<u64> = 100..2_000;
/// The longest life that waits for its system call: a machine that is busy or slow makes few in a second, and those of one
/// thread are counted, while transactions take turns on several.
const CALL_WITHIN: Duration = Duration::from_secs(40);
/// Final intervals, of both mirrors together, that are on the page before the first kill.
const FINALS: usize = 4;
/// Pairs of kills of each of three tests in an ordinary run, and in a sweep.
const PAIRS: usize = 7;
const PAIRS_SWEEP: usize = 700;
/// Time between what is created and its arrival here, milliseconds, with room to spare.
const PATH_MS: i64 = 150;
/// System calls that write, sync, name or lock files, each with the most of them that a life is let make.
const CALLS: [(&str, u32); 7] =
    [("pwrite64", 150), ("fsync", 16), ("fcntl", 90), ("openat", 9), ("unlink", 3), ("ftruncate", 3), ("pread64", 12)];

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// The `n`-th system call of all that are gone through, spread so that few of them are of every kind.
fn call(n: usize) -> (&'static str, u32) {
    let all: Vec<(&str, u32)> = CALLS.iter().flat_map(|&(name, most)| (1..=most).map(move |k| (name, k))).collect();
    // A step that shares no factor with their number comes to each of them.
    all[n * 101 % all.len()]
}

/// Where strace is, if it is.
pub fn strace() -> Option<PathBuf> {
    let found = Command::new("sh").args(["-c", "command -v strace"]).output().ok()?;
    let path = PathBuf::from(String::from_utf8_lossy(&found.stdout).trim());
    let may_trace = Command::new(&path).args(["-o", "/dev/null", "true"]).status().ok()?.success();
    (found.status.success() && may_trace).then_some(path)
}

/// The program, killed as it enters its `n`-th call of that name on a file of the data directory (of one thread).
fn killed_at(strace: &Path, config: &Path, data: &Path, (name, n): (&str, u32)) -> Command {
    let mut traced = Command::new(strace);
    // The tracer is the grandchild, so that the program is the child and dies with whoever kills it.
    traced.args(["-D", "-f", "-qq", "-o", "/dev/null"]);
    let files = ["mirrorwatch.db", "mirrorwatch.db-wal", "mirrorwatch.db-shm", "mirrorwatch.lock"];
    for path in std::iter::once(data.to_path_buf()).chain(files.map(|f| data.join(f))) {
        traced.arg("-P").arg(path);
    }
    traced.arg(format!("--trace={name}")).arg(format!("--inject={name}:signal=SIGKILL:when={n}"));
    let program = command(&["--config", config.to_str().unwrap()]);
    traced.arg(program.get_program()).args(program.get_args()).env_clear();
    traced
}

/// Figures of final intervals, by start and mirror.
type Finals = BTreeMap<(i64, String), BTreeMap<&'static str, u64>>;

/// The final intervals of a page of history; each of them adds up.
fn finals(page: &Value) -> Finals {
    const STATES: [&str; 6] = ["on_time", "late", "present", "missed", "pending", "unknown"];
    let starts: Vec<i64> = page["t_unix_ms"].as_array().unwrap().iter().map(|t| t.as_i64().unwrap()).collect();
    assert!(starts.windows(2).all(|pair| pair[0] < pair[1]), "an interval twice");
    let mut found = Finals::new();
    for mirror in page["mirrors"].as_array().unwrap() {
        for (i, start) in starts.iter().enumerate().filter(|&(i, _)| mirror["status"][i] == "final") {
            let figure = |name: &'static str| (name, mirror[name][i].as_u64().unwrap());
            let figures: BTreeMap<_, _> = STATES.into_iter().chain(["eligible", "extra"]).map(figure).collect();
            let sum: u64 = STATES.iter().map(|name| figures[name]).sum();
            assert_eq!(figures["eligible"], sum, "it does not add up: {figures:?}");
            found.insert((*start, mirror["id"].as_str().unwrap().to_owned()), figures);
        }
    }
    found
}

/// A world whose program is killed again and again.
struct Victim {
    world: World,
    config: PathBuf,
    http: reqwest::Client,
    stalls: Stalls,
    acknowledged: Finals,
    /// When the last life began to observe and when it ended, UTC milliseconds, and how long it was let wait.
    life: (i64, i64, u64),
    /// From what was last kept to the next start.
    down: Vec<(i64, i64)>,
    worst_gone_ms: i64,
}

impl Victim {
    fn new(world: World) -> Victim {
        Victim {
            config: write_config(world.dir(), &world.config),
            world,
            http: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build().unwrap(),
            stalls: Stalls::watch(),
            acknowledged: Finals::new(),
            life: (0, 0, 0),
            down: Vec::new(),
            worst_gone_ms: 0,
        }
    }

    /// The page of history; none from a program that is killed meanwhile.
    async fn history(&self) -> Option<Value> {
        let url = format!("{}/api/v1/analytics/history?window=6h", self.world.base_url());
        let text = self.http.get(url).send().await.ok()?.error_for_status().ok()?.text().await.ok()?;
        Some(serde_json::from_str::<Value>(&text).unwrap()["data"].take())
    }

    /// Lets it live, looks at what it shows as final, and kills it if nothing else did; whether something else did.
    async fn live_and_die(&mut self, process: &mut Process, life: Duration) -> bool {
        let end = Instant::now() + life;
        let mut waited_ms = 0;
        while Instant::now() < end && !process.has_ended() {
            waited_ms = process.waited_ms().max(waited_ms);
            sleep(Duration::from_millis(2)).await;
            if let Some(page) = self.history().await {
                self.acknowledged.extend(finals(&page));
            }
        }
        let was_killed = process.has_ended();
        process.kill();
        self.life = (self.life.0, now_ms(), self.stalls.take_ms() + waited_ms);
        was_killed
    }

    /// Starts it again after it was killed, and checks what must be so then.
    async fn revived(&mut self, what: &str) -> Process {
        self.stalls.take_ms();
        let (begun, begun_ms) = (Instant::now(), now_ms());
        let process = Process::start(&self.config).await;
        let took_ms = begun.elapsed().as_millis() as u64;
        let stalled_ms = self.stalls.take_ms() + process.waited_ms();
        assert!(took_ms <= START_WITHIN_MS + stalled_ms, "{what}: the start took {took_ms} ms (stalls {stalled_ms})");
        self.world.ask(&process);
        self.check_down(what, begun_ms).await;
        self.check_sessions(what).await;
        let now = finals(&self.history().await.unwrap());
        // What the page does not reach back to is not looked for.
        let oldest = now.keys().next().map_or(i64::MAX, |place| place.0);
        for (place, figures) in self.acknowledged.range((oldest, String::new())..) {
            assert_eq!(now.get(place), Some(figures), "{what}: {place:?} was shown as final");
        }
        self.life.0 = now_ms();
        process
    }

    /// What was observed behind what was last kept is a second at most, and called our own doing.
    async fn check_down(&mut self, what: &str, begun_ms: i64) {
        let events = self.world.events("observer_down").await;
        let text = events[0]["text"].as_str().unwrap();
        let since = text.split(" since ").nth(1).and_then(|rest| rest.split(',').next());
        let since = since.unwrap_or_else(|| panic!("{text}"));
        let kept_ms = since.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        assert!(text.ends_with("\"observer down\""), "{text}");
        let (alive_ms, ended_ms, stalled_ms) = self.life;
        let gone_ms = ended_ms - kept_ms.max(alive_ms);
        self.worst_gone_ms = self.worst_gone_ms.max(gone_ms);
        assert!(
            gone_ms <= GONE_MAX_MS + stalled_ms as i64,
            "{what}: {gone_ms} ms are gone (stalls {stalled_ms}): {text}"
        );
        self.down.push((kept_ms, begun_ms));
    }

    /// A session that went on when it was killed was ended by the observer, when everything was last kept: no mirror has a part
    /// in it.
    async fn check_sessions(&self, what: &str) {
        let page = self.world.get("/api/v1/mirrors/faithful/sessions").await;
        let down = self.world.events("observer_down").await;
        for session in page["sessions"].as_array().unwrap().iter().filter(|s| !s["closed_at"].is_null()) {
            assert_ne!(session["ended_by"], "source", "{what}: {session}");
            let since = format!(" since {},", session["closed_at"].as_str().unwrap());
            let is_kept = down.iter().any(|event| event["text"].as_str().unwrap().contains(&since));
            assert!(is_kept || session["ended_by"] == "link", "{what}: {session} {down:?}");
        }
    }

    /// One life that its own system call ends, if it makes it; whether it did.
    async fn killed_at(&mut self, strace: &Path, at: (&str, u32)) -> bool {
        self.life.0 = now_ms();
        let traced = killed_at(strace, &self.config, &self.world.config.data_dir, at);
        match Process::try_spawn(traced).await {
            Ok(mut process) => {
                self.world.ask(&process);
                self.life.0 = now_ms();
                self.live_and_die(&mut process, CALL_WITHIN).await
            }
            Err(mut child) => {
                // One that came to its system call has ended; one that said nothing for too long has not.
                let was_killed = child.try_wait().unwrap().is_some();
                drop(child.kill());
                child.wait().unwrap();
                self.life = (now_ms(), now_ms(), self.stalls.take_ms());
                was_killed
            }
        }
    }

    /// Nothing that was published while it was down, or what it lost, has a timing.
    async fn check_untimed(&self) {
        for verdict in ["on_time", "late"] {
            let page = self.world.get(&format!("/api/v1/mirrors/faithful/ops?verdict={verdict}&limit=1000")).await;
            for op in page["ops"].as_array().unwrap() {
                let created: jiff::Timestamp = op["created_at"].as_str().unwrap().parse().unwrap();
                let at_ms = created.as_millisecond();
                let within = self.down.iter().find(|(from, to)| *from + PATH_MS < at_ms && at_ms < *to);
                assert!(within.is_none(), "timed although the observer was down {within:?}: {op}");
            }
        }
    }
}

/// Kills it in pairs: at a random moment, and at a system call of those that `first` and each third after it stand for.
async fn killed_in_pairs(first: usize, strace: &Path) {
    let ids = ["faithful", "dropping"].map(|id| (id, Behaviour::default()));
    let mut victim = Victim::new(World::new(ids.into()));
    let mut process = victim.world.start_process().await;
    victim.world.synchronized().await;
    // What it never had on disk it cannot resume from.
    victim.world.publish(20).await;
    victim.world.received_all().await;
    victim.world.kept().await;
    victim.world.mirror("dropping").set(|b| b.drop_share = 0.02);
    let load = victim.world.babble(Duration::from_millis(10));
    while victim.acknowledged.len() < FINALS {
        sleep(Duration::from_millis(100)).await;
        victim.acknowledged = finals(&victim.history().await.unwrap());
    }
    victim.life.0 = now_ms();
    let pairs = if std::env::var_os("MIRRORWATCH_SWEEP").is_some() { PAIRS_SWEEP } else { PAIRS };
    let mut reached = 0;
    for n in 0..pairs {
        let life_ms = rand::rng().random_range(LIFE_MS);
        victim.live_and_die(&mut process, Duration::from_millis(life_ms)).await;
        process = victim.revived(&format!("killed after {life_ms} ms")).await;
        victim.live_and_die(&mut process, Duration::from_millis(10)).await;
        let at = call(first + 3 * n);
        reached += usize::from(victim.killed_at(strace, at).await);
        process = victim.revived(&format!("killed at call {} of {}", at.1, at.0)).await;
    }
    let stalled_ms = victim.stalls.take_ms();
    println!(
        "{} kills, {reached} at their system call, {} final intervals held, at most {} ms gone, {stalled_ms} ms of stalls",
        3 * pairs,
        victim.acknowledged.len(),
        victim.worst_gone_ms
    );
    assert!(reached * 2 >= pairs, "{reached} of {pairs} system calls were reached");
    victim.world.synchronized().await;
    let tally = victim.world.hush(load).await;
    victim.world.mirror("dropping").set(|b| b.drop_share = 0.0);
    victim.world.settle().await;
    let published = victim.world.published;
    assert_eq!(victim.world.get("/api/v1/primary").await["received_ops"], published, "{tally:?}");
    for (i, id) in ["faithful", "dropping"].into_iter().enumerate() {
        let counts: Counts = victim.world.counts(id).await;
        assert_eq!(counts.eligible, counts.states(), "{id}: {counts:?}");
        assert_eq!(counts.eligible + counts.not_eligible, published, "{id}: {counts:?}");
        let judged = (counts.missed, counts.extra, counts.unknown, counts.pending);
        assert_eq!(judged, (tally.dropped[i], 0, 0, 0), "{id}: {counts:?} {tally:?}");
    }
    victim.check_untimed().await;
}

/// Says that a test did not run, which is a failure where it must.
pub fn skipped() {
    skip("strace", "it interferes with system calls; it is not installed, or may not trace");
}

/// Plays one of three tests, which the harness runs at the same time.
fn killed(first: usize) {
    let Some(strace) = strace() else { return skipped() };
    test(async move { killed_in_pairs(first, &strace).await });
}

#[test]
fn killed_in_pairs_0() {
    killed(0);
}

#[test]
fn killed_in_pairs_1() {
    killed(1);
}

#[test]
fn killed_in_pairs_2() {
    killed(2);
}
