//! Counts what a thread writes, for benches and tests with a budget of bytes.

use std::io;

/// Bytes that the calling thread has handed to the kernel in write calls since it began (`wchar` of `proc_pid_io(5)`).
///
/// The database writes on the thread that calls the store, so the difference of two readings is what the calls between
/// them cost: log, checkpoints and all.
///
/// # Errors
/// Where `/proc` is hidden or has another shape.
pub fn thread_written_bytes() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/io")?;
    text.lines()
        .find_map(|line| line.strip_prefix("wchar: "))
        .and_then(|digits| digits.trim().parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/thread-self/io has no wchar"))
}
