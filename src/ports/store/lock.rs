//! The lock that keeps a second instance out of a data directory.
//!
//! The kernel holds it for the open file, so it ends with the process however that ends; the file stays. Inside stand
//! the pid and the start of the holder, for the message that the second instance prints.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::directory::{self, LOCK};
use super::error::{StoreError, shown, shown_text};

/// Bytes of the lock file that are read for the message.
const HOLDER_BYTES_MAX: u64 = 200;

/// Holds the data directory until it is dropped.
#[derive(Debug)]
pub struct DirectoryLock {
    file: File,
}

impl DirectoryLock {
    /// Takes `dir` for the process `pid`, which began at `since` (as printed).
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another holds it, others when the lock file cannot be made.
    pub fn take(dir: &Path, pid: u32, since: &str) -> Result<DirectoryLock, StoreError> {
        let path = dir.join(LOCK);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
            .open(&path)
            .map_err(|error| directory::refused(dir, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { dir: shown(dir), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::from_io(&path, "cannot lock", error)),
        }
        write(&mut file, &format!("pid {pid} since {since}\n"))
            .map_err(|error| StoreError::from_io(&path, "cannot write", error))?;
        Ok(DirectoryLock { file })
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Closing alone would not do where another process is being started just now: it holds the same open file until
        // its program runs. That the lock cannot be given back changes nothing: closing it is next.
        let _ = self.file.unlock();
    }
}

fn write(file: &mut File, text: &str) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text.as_bytes())
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(HOLDER_BYTES_MAX).read_to_string(&mut text);
    match text.trim() {
        known if read.is_ok() && known.starts_with("pid ") => shown_text(known),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_instance_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = DirectoryLock::take(dir.path(), 4242, "2026-11-21T02:10:04Z").unwrap();
        let error = DirectoryLock::take(dir.path(), 4243, "2026-11-21T03:00:00Z").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("state: {} is in use by pid 4242 since 2026-11-21T02:10:04Z", dir.path().display())
        );
        assert_eq!(error.exit_code(), 75);
        drop(first);
        drop(DirectoryLock::take(dir.path(), 4243, "2026-11-21T03:00:00Z").unwrap());
        let text = std::fs::read_to_string(dir.path().join(LOCK)).unwrap();
        assert_eq!(text, "pid 4243 since 2026-11-21T03:00:00Z\n");
    }
}
