//! How many files the tests and what they start may have open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::sync::Once;

/// More than all tests together open, and what each program that they start may.
const WANTED: u64 = 65_536;
/// Thousands of sockets, of several tests at the same time.
const MANY: u64 = 4_096;

static ALLOWED: Once = Once::new();

/// Lets this process, and all that it starts from now on, open as many files as the system lets it.
pub fn allow() {
    ALLOWED.call_once(|| {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, soft.max(hard.min(WANTED)), hard).unwrap();
    });
}

/// Whether thousands of sockets can be open; says so where not.
pub fn are_many() -> bool {
    allow();
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if soft < MANY {
        super::skip("open-files", &format!("{MANY} sockets are needed, {soft} files may be open (ulimit -Hn)"));
    }
    soft >= MANY
}
