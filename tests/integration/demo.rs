//! The demo as a user sees it: however it ends, what it measured is what its world did.

use crate::world::process::command;
use crate::world::test;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Longest wait for the end of a demo that was told to end. Measuring ends within 3 s; the test may have to wait for the processor.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// Runs with a time of their own end at the latest after so long.
const RUNS_AT_MOST: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A demo that writes into a file.
struct Demo {
    child: Child,
    said: PathBuf,
}

impl Demo {
    fn start(dir: &Path, name: &str, more: &[&str]) -> Demo {
        let said = dir.join(name);
        let mut command = command(&["demo", "--rate", "50", "--listen", "127.0.0.1:0"]);
        let child = command
            .args(more)
            .env("MIRRORWATCH_LOG__FILTER", "error")
            .stdout(std::fs::File::create(&said).unwrap())
            .spawn()
            .unwrap();
        Demo { child, said }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap()
    }

    fn interrupt(&self) {
        assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", self.child.id())]).status().unwrap().success());
    }

    async fn says(&self, word: &str) {
        let begin = Instant::now();
        while !self.said().contains(word) {
            assert!(begin.elapsed() < RUNS_AT_MOST, "no {word:?} in {}", self.said());
            sleep(LOOK_EVERY).await;
        }
    }

    /// What it said, once it has ended by itself and well.
    async fn ends(&mut self, within: Duration) -> String {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(0), "{}", self.said());
                return self.said();
            }
            assert!(begin.elapsed() < within, "it goes on: {}", self.said());
            sleep(LOOK_EVERY).await;
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Checks a report: five mirrors, no figure marked as differing. How many operations it is about.
fn compared(said: &str) -> u64 {
    let report = said.split("truth against what was measured (").nth(1).unwrap_or_else(|| panic!("no report: {said}"));
    let ops = report.split(' ').next().unwrap().parse().unwrap();
    let rows: Vec<&str> = report.lines().skip(2).take_while(|line| !line.starts_with("present:")).collect();
    assert_eq!(rows.len(), 5, "{said}");
    for row in rows {
        assert!(!row.contains('*'), "{row}\nof {said}");
    }
    ops
}

#[test]
fn its_report_tells_the_truth_however_it_ends() {
    test(async {
        let dir = tempfile::tempdir().unwrap();
        let mut whole = Demo::start(dir.path(), "whole", &["--duration", "20"]);
        let mut cut = Demo::start(dir.path(), "cut", &["--duration", "5"]);
        let mut open = Demo::start(dir.path(), "open", &[]);
        cut.says("nothing more is published").await;
        cut.interrupt();
        let said = cut.ends(ENDS_WITHIN).await;
        compared(&said);
        assert!(said.contains("\nleft out: the newest "), "{said}");
        // The operations of the first seconds are decided after 21 s.
        sleep(Duration::from_secs(23)).await;
        open.interrupt();
        let said = open.ends(ENDS_WITHIN).await;
        assert!(compared(&said) >= 50 && said.contains("\nleft out: the newest "), "{said}");
        let said = whole.ends(RUNS_AT_MOST).await;
        assert!(compared(&said) >= 500 && !said.contains("left out"), "{said}");
    });
}
