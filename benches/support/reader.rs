//! Readers in a process of their own, so that the time they take is not counted as ours.
//!
//! The process is this very program with an argument. It asks on schedule, and prints what it found.

use super::open_loop::{Lane, Schedule, request, run};
use std::io::{Error, Result};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The argument that makes this program a reader.
const ROLE: &str = "--reader";
/// One path is asked for.
pub const OVERVIEW: Mix = Mix { name: "overview", paths: &["/api/v1/overview"] };
/// What the page, programs and monitors ask for, and what is read from the disk.
pub const MIXED: Mix = Mix {
    name: "mixed",
    paths: &[
        "/api/v1/overview",
        "/api/v1/mirrors",
        "/api/v1/mirrors/source-1",
        "/api/v1/analytics/coverage?window=6h",
        "/api/v1/analytics/lag?window=1h",
        "/api/v1/analytics/misses?window=6h",
        "/api/v1/analytics/history?window=6h",
        "/api/v1/analytics/rtt",
        "/api/v1/mirrors/source-1/windows",
        "/api/v1/mirrors/source-2/readiness",
        "/api/v1/mirrors/source-1/ops?limit=20",
        "/api/v1/slo",
        "/api/v1/incidents",
        "/api/v1/events",
        "/api/stats",
        "/metrics",
        "/status",
        "/badge/source-1/coverage.svg",
    ],
};

/// The overview, while many ask for what has to be looked up, each question another one, as fast as they are answered.
pub const STORMED: Mix = Mix { name: "stormed", paths: OVERVIEW.paths };
/// Connections of those.
const ASKERS: usize = 64;

/// What is asked for, by a name that an argument can have.
#[derive(Clone, Copy)]
pub struct Mix {
    name: &'static str,
    paths: &'static [&'static str],
}

/// Latencies in nanoseconds of `per_second` requests a second for so long, from another process. Blocks.
pub fn read(mix: Mix, address: SocketAddr, per_second: u32, length: Duration) -> Result<Vec<u64>> {
    let arguments = [mix.name.to_owned(), address.to_string(), per_second.to_string(), length.as_secs().to_string()];
    let output = Command::new(std::env::current_exe()?).arg(ROLE).args(arguments).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(Error::other("the reader failed"));
    }
    String::from_utf8_lossy(&output.stdout).split_whitespace().map(|n| n.parse().map_err(Error::other)).collect()
}

/// Runs as a reader when this program was started as one; whether it was.
pub fn is_reader() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let &[ROLE, name, address, per_second, length_s] = arguments.as_slice() else { return false };
    let mix = [OVERVIEW, MIXED, STORMED].into_iter().find(|mix| mix.name == name).expect("a mix");
    let address: SocketAddr = address.parse().expect("an address");
    let schedule = Schedule {
        address,
        paths: mix.paths,
        per_second: per_second.parse().expect("a number"),
        length: Duration::from_secs(length_s.parse().expect("a number")),
    };
    let (asked, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let latencies = std::thread::scope(|scope| {
        for _ in 0..if mix.name == STORMED.name { ASKERS } else { 0 } {
            scope.spawn(|| storm(address, &asked, &is_over).expect("every question is answered"));
        }
        let latencies = run(schedule);
        is_over.store(true, Ordering::Relaxed);
        latencies.expect("every request is answered")
    });
    eprintln!("{} questions beside", asked.into_inner());
    println!("{}", latencies.iter().map(u64::to_string).collect::<Vec<_>>().join(" "));
    true
}

/// Asks one question after the other; who is told to come back goes on with the next.
fn storm(address: SocketAddr, asked: &AtomicU64, is_over: &AtomicBool) -> Result<()> {
    let mut lane = Lane::open(address)?;
    while !is_over.load(Ordering::Relaxed) {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        let (minute, rest) = (number / 60_000, number % 60_000);
        let from = format!("2020-01-01T00:{:02}:{:02}.{:03}Z", minute % 60, rest / 1_000, rest % 1_000);
        let (status, _) = lane.ask(&request(address, &format!("/api/v1/ops?from={from}&limit=20")), Instant::now())?;
        if ![200, 503].contains(&status) {
            return Err(Error::other(format!("answered {status}")));
        }
    }
    Ok(())
}
