//! What this process used: processor time and memory, and parts of a bench in a process of their own.

use nix::time::{ClockId, clock_gettime};
use std::io::{Error, Result};
use std::process::Command;

/// Processor time of all threads of this process so far, nanoseconds.
pub fn cpu_ns() -> i64 {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(0, |t| t.tv_sec() * 1_000_000_000 + t.tv_nsec())
}

/// The most memory that this process ever had resident, megabytes of 10⁶ bytes.
pub fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib * 1024.0 / 1e6)
}

/// The part that this process was started for, if it was started for one.
pub fn part() -> Option<String> {
    let mut arguments = std::env::args().skip_while(|a| a != "--part");
    arguments.nth(1)
}

/// Runs a part of this program in a process of its own; the figures in its last line. The other lines are shown.
pub fn run_part(name: &str) -> Result<Vec<f64>> {
    let output = Command::new(std::env::current_exe()?).args(["--part", name]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines: Vec<&str> = text.lines().collect();
    let last = lines.pop().unwrap_or_default();
    for line in lines {
        println!("{line}");
    }
    if !output.status.success() {
        return Err(Error::other(format!("{name}: {}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(last.split_whitespace().filter_map(|figure| figure.parse().ok()).collect())
}
