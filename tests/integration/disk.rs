//! A disk that is full or fails while the program runs: it goes on measuring, says so, and catches up when that is over.

use crate::world::counts::Counts;
use crate::world::process::{Process, command, write_config};
use crate::world::stalls::Stalls;
use crate::world::{World, skip, test};
use mirrorwatch::sim::behaviour::Behaviour;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Room on the disk: enough to start, soon filled.
const SIZE: &str = "size=4m";

/// What waited is kept so long after the fault ended.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(30);
/// Files that a start opens one after the other before it is past every look at them.
const OPENS: u32 = 4;

/// A file system of its own, taken away at the end.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> Option<Disk> {
        std::fs::create_dir(at).unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(at).output();
        done.is_ok_and(|out| out.status.success()).then(|| Disk(at.to_path_buf()))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let free = nix::sys::statvfs::statvfs(&self.0).unwrap();
        let bytes = free.blocks_available() * free.fragment_size();
        // What does not fit is not needed: the disk is full then.
        drop(std::fs::write(self.ballast(), vec![1; bytes as usize]));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}

#[test]
fn a_full_disk_is_told_and_measuring_goes_on() {
    test(async {
        let mut world = World::new(["faithful", "dropping"].map(|id| (id, Behaviour::default())).into());
        let Some(disk) = Disk::mount(&world.dir().join("disk")) else {
            skip("mount", "no file system can be mounted for a full disk; it takes root");
            return;
        };
        world.config.data_dir = disk.0.join("data");
        world.start().await;
        world.synchronized().await;
        world.publish(20).await;
        assert_eq!(world.status("/readyz").await, 200);

        let load = world.babble(Duration::from_millis(5));
        disk.fill();
        world
            .eventually("it says that it is not ready", async || (world.status("/readyz").await == 503).then_some(()))
            .await;
        let overview = world.get_bare("/api/v1/overview").await;
        assert_eq!(world.status("/healthz").await, 200);
        let told = |o: &serde_json::Value| o["observer"]["degraded"][0].as_str().map(str::to_owned);
        let told = world.until("the page says what is wrong", told).await;
        assert!(told.starts_with("disk_full since 2"), "{told}");
        let was = overview["data"]["primary"]["received_ops"].as_u64().unwrap();
        world.mirror("dropping").set(|b| b.drop_next = 7);
        world
            .until("operations are taken in", |o| (o["primary"]["received_ops"].as_u64()? > was + 100).then_some(()))
            .await;

        std::fs::remove_file(disk.ballast()).unwrap();
        let (freed, stalls) = (Instant::now(), Stalls::watch());
        world.eventually("it is ready again", async || (world.status("/readyz").await == 200).then_some(())).await;
        let took = freed.elapsed().saturating_sub(Duration::from_millis(stalls.take_ms()));
        assert!(took <= CAUGHT_UP_WITHIN, "{took:?}");
        world.hush(load).await;
        world.settle().await;
        let published = world.published;
        for (id, missed) in [("faithful", 0), ("dropping", 7)] {
            let counts: Counts = world.counts(id).await;
            assert_eq!((counts.missed, counts.unknown, counts.extra), (missed, 0, 0), "{id}: {counts:?}");
            assert_eq!(counts.delivered() + missed, published, "{id}: {counts:?}");
        }
        world.stop().await;
        world.start().await;
        world.synchronized().await;
        assert_eq!(world.counts("dropping").await.missed, 7, "what was kept late is kept");
        world.stop().await;
    });
}

/// The program on a disk whose calls of that name on those files fail, each thread by its own count.
fn traced(world: &World, strace: &Path, (files, call): (&[&str], &str), fault: &str) -> Command {
    let (config, data) = (write_config(world.dir(), &world.config), world.config.data_dir.clone());
    let mut traced = Command::new(strace);
    traced.args(["-D", "-f", "-qq", "-o", "/dev/null"]);
    for name in files {
        traced.arg("-P").arg(data.join(name));
    }
    traced.arg(format!("--trace={call}")).arg(format!("--inject={call}:{fault}"));
    let program = command(&["--config", config.to_str().unwrap()]);
    traced.arg(program.get_program()).args(program.get_args()).env_clear();
    traced
}

/// Its disk fails for a while; what it says then begins with `told`.
async fn survived(strace: PathBuf, call: &str, fault: &str, told: &str) {
    let mut world = World::new(["faithful", "dropping"].map(|id| (id, Behaviour::default())).into());
    let files = ["mirrorwatch.db", "mirrorwatch.db-wal"];
    let mut process = Process::spawn(traced(&world, &strace, (&files, call), fault)).await;
    world.ask(&process);
    world.synchronized().await;
    let load = world.babble(Duration::from_millis(8));
    let ready = async |is: u16| (world.status("/readyz").await == is).then_some(());
    world.eventually("it says that it is not ready", async || ready(503).await).await;
    assert_eq!(world.status("/api/v1/overview").await, 200);
    let (begun, stalls) = (Instant::now(), Stalls::watch());
    world.eventually("it is ready again", async || ready(200).await).await;
    let took = begun.elapsed().saturating_sub(Duration::from_millis(stalls.take_ms()));
    assert!(took <= CAUGHT_UP_WITHIN, "{fault}: {took:?}");
    world.mirror("dropping").set(|b| b.drop_next = 5);
    world.hush(load).await;
    world.settle().await;
    let texts = world.events("state_degraded").await;
    assert!(texts.iter().all(|e| e["text"].as_str().unwrap().starts_with(told)), "{texts:?}");
    assert_eq!(world.events("state_recovered").await.len(), texts.len(), "{texts:?}");
    let published = world.published;
    for (id, missed) in [("faithful", 0), ("dropping", 5)] {
        let counts: Counts = world.counts(id).await;
        assert_eq!((counts.missed, counts.unknown, counts.extra), (missed, 0, 0), "{id}: {counts:?}");
        assert_eq!(counts.delivered() + missed, published, "{id}: {counts:?}");
    }
    process.terminate();
    assert_eq!(process.exit_code(Duration::from_secs(3)).await, Some(0));
    let (log, config) = (world.dir().join("stderr"), write_config(world.dir(), &world.config));
    let process = Process::start_logged(&config, &log).await;
    world.ask(&process);
    assert_eq!(world.counts("dropping").await.missed, 5, "what was kept late is kept");
    let said = std::fs::read_to_string(log).unwrap();
    assert!(!said.contains("state: "), "no good data was touched: {said}");
}

fn fails(call: &'static str, fault: &'static str, told: &'static str) {
    match crate::crash::strace() {
        Some(strace) => test(survived(strace, call, fault, told)),
        None => crate::crash::skipped(),
    }
}

const IO: &str = "state: commit failed: I/O error; measuring goes on, saving is retried; check the disk (";

#[test]
fn writes_that_fail_are_told_and_survived() {
    fails("pwrite64", "error=EIO:when=60..66", IO);
}

#[test]
fn a_disk_without_space_for_a_while_is_told_and_survived() {
    fails("pwrite64", "error=ENOSPC:when=60..66", "state: no space left in ");
}

/// The system takes no byte and reports no error.
#[test]
fn writes_that_end_early_are_told_as_a_full_disk_and_survived() {
    fails("pwrite64", "retval=0:when=60..66", "state: no space left in ");
}

/// Each file that a start opens, from the first that the system refuses on: the database is well, and nothing is moved.
#[test]
fn a_start_without_files_to_open_says_so_and_touches_nothing() {
    let Some(strace) = crate::crash::strace() else { return crate::crash::skipped() };
    test(async move {
        let mut world = World::new(vec![("faithful", Behaviour::default())]);
        let mut process = world.start_process().await;
        world.synchronized().await;
        world.publish(20).await;
        world.settle().await;
        process.terminate();
        assert_eq!(process.exit_code(Duration::from_secs(3)).await, Some(0));
        let data = world.config.data_dir.clone();
        for first in 1..=OPENS {
            let files = ["mirrorwatch.db", "mirrorwatch.db-wal", "."];
            let fault = format!("error=EMFILE:when={first}+");
            let mut faulty = traced(&world, &strace, (&files, "openat"), &fault);
            faulty.stderr(Stdio::piped());
            let Err(child) = Process::try_spawn(faulty).await else { panic!("it started without file {first}") };
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let line = said.lines().last().unwrap_or_default();
            assert_eq!(output.status.code(), Some(74), "{first}: {said}");
            let is_told = line.starts_with("mirrorwatch: state: ")
                && line.ends_with(": too many open files; raise the limit (LimitNOFILE=16384)");
            assert!(is_told, "{first}: {said}");
            assert!(!data.join("quarantine").exists(), "{first}");
        }
        let _process = world.start_process().await;
        let counts = world.counts("faithful").await;
        assert_eq!((counts.delivered(), counts.unknown), (world.published, 0), "{counts:?}");
    });
}

#[test]
fn a_file_system_that_turns_read_only_is_told_and_survived() {
    fails("pwrite64", "error=EROFS:when=60..66", IO);
}

#[test]
fn a_sync_that_fails_once_is_told_and_survived() {
    fails("fsync", "error=EIO:when=6", IO);
}
