//! The data directory: made when it lacks (mode 0700), checked before anything in it is touched.
//!
//! Owns the names of all files in it. Refuses links and other things in the place of files of ours (the directory itself
//! may be a link, as systemd makes it for a dynamic user); other files are left alone and named once. The mode of a
//! directory that is there already is its owner's business: every file in it is 0600.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::{StoreError, is_too_many_files, shown, shown_text};

/// Name of the database.
pub const DATABASE: &str = "mirrorwatch.db";
/// Name of the lock.
pub const LOCK: &str = "mirrorwatch.lock";
/// Where damaged files go.
pub const QUARANTINE: &str = "quarantine";
/// A database that is not finished yet; never more than scratch.
pub(super) const BUILDING: &str = "mirrorwatch.db.building";
/// A finished database that waits to take the place of a damaged one.
pub(super) const RECOVERED: &str = "mirrorwatch.db.recovered";
/// A repaired copy of a damaged database, to read from; never more than scratch.
pub(super) const SCRATCH: &str = "mirrorwatch.db.scratch";
/// What `SQLite` puts beside a database, by ending.
pub(super) const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Foreign files that a note names; more are counted.
const FOREIGN_NAMED_MAX: usize = 5;
/// Entries of the directory that are looked at for foreign files.
const FOREIGN_SEEN_MAX: usize = 10_000;

/// The database in `dir`.
#[must_use]
pub fn database(dir: &Path) -> PathBuf {
    dir.join(DATABASE)
}

/// `path` with `ending` put behind its name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Makes `dir` where it lacks, and checks that we may write in it.
pub(super) fn prepare(dir: &Path) -> Result<(), StoreError> {
    match fs::metadata(dir) {
        Ok(found) if !found.is_dir() => return Err(StoreError::NotADirectory { path: shown(dir) }),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(dir)?,
        Err(error) => return Err(refused(dir, error)),
    }
    for name in [DATABASE, LOCK, BUILDING, RECOVERED, SCRATCH] {
        no_link(&dir.join(name))?;
    }
    for ending in COMPANIONS {
        no_link(&beside(&database(dir), ending))?;
    }
    no_link(&dir.join(QUARANTINE))
}

fn make(dir: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| {
        let parent = dir.ancestors().skip(1).find(|p| p.exists() || p.as_os_str().is_empty());
        let parent = parent.filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        if error.kind() == io::ErrorKind::PermissionDenied {
            refused(parent, error)
        } else {
            StoreError::Create { path: shown(dir), source: error }
        }
    })?;
    if let Some(parent) = dir.parent().filter(|p| !p.as_os_str().is_empty()) {
        sync(parent)?;
    }
    Ok(())
}

fn no_link(path: &Path) -> Result<(), StoreError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_symlink() => {
            Err(StoreError::NotAFile { path: shown(path), what: "a symbolic link" })
        }
        Ok(found) if !found.is_file() && !found.is_dir() => {
            Err(StoreError::NotAFile { path: shown(path), what: "a device, pipe or socket" })
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(refused(path.parent().unwrap_or(path), error)),
    }
}

/// What `dir` says when it does not let us make or open a file in it.
pub(super) fn refused(dir: &Path, error: io::Error) -> StoreError {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::StorageFull => {
                StoreError::Create { path: shown(dir), source: error }
            }
            _ if is_too_many_files(&error) => StoreError::TooManyFiles { path: shown(dir) },
            _ => StoreError::Io { path: shown(dir), doing: "cannot be used", source: error },
        };
    }
    let uid = fs::metadata("/proc/self").map_or(0, |own| own.uid());
    let (owner, mode) = fs::metadata(dir).map_or((0, 0), |found| (found.uid(), found.mode() & 0o7777));
    StoreError::NotWritable { dir: shown(dir), uid, user: user_name(uid), owner: user_name(owner), mode }
}

/// The name of `uid`, or the number where it has none.
fn user_name(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let wanted = uid.to_string();
    users
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == wanted).then(|| name.to_owned())
        })
        .unwrap_or(wanted)
}

/// Makes `path`, which must not be there, readable by us alone.
pub(super) fn create_private(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)
        .map_err(|error| StoreError::Create { path: shown(path), source: error })
}

/// Makes what was created, renamed or removed in `dir` outlast a loss of power.
pub(super) fn sync(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|handle| handle.sync_all())
        .map_err(|error| StoreError::from_io(&dir.join(DATABASE), "cannot sync the directory", error))
}

/// Space that the file system of `dir` has left for us, in kB; 0 when it does not say.
#[must_use]
pub fn free_kb(dir: &Path) -> u64 {
    nix::sys::statvfs::statvfs(dir)
        .map_or(0, |found| found.blocks_available().saturating_mul(found.fragment_size()) / 1024)
}

/// One line about files in `dir` that are not ours, if there are any.
pub(super) fn foreign(dir: &Path) -> Option<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .ok()?
        .take(FOREIGN_SEEN_MAX)
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !is_ours(name))
        .collect();
    if names.is_empty() {
        return None;
    }
    names.sort();
    let shown_names: Vec<String> = names.iter().take(FOREIGN_NAMED_MAX).map(|name| shown_text(name)).collect();
    let more = match names.len().saturating_sub(shown_names.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let hint = if names.iter().any(|name| name == "totals.json") {
        format!("; files of compare-plc are taken over with \"mirrorwatch import {}\"", shown(dir))
    } else {
        String::new()
    };
    let files = if names.len() == 1 { "file" } else { "files" };
    Some(format!(
        "state: {}: {} foreign {files} ignored: {}{more}{hint}",
        shown(dir),
        names.len(),
        shown_names.join(", ")
    ))
}

fn is_ours(name: &str) -> bool {
    [LOCK, QUARANTINE].contains(&name)
        || [DATABASE, BUILDING, RECOVERED, SCRATCH]
            .iter()
            .any(|ours| name.strip_prefix(ours).is_some_and(|rest| rest.is_empty() || COMPANIONS.contains(&rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_the_directory_private_and_names_foreign_files_once() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("a/b");
        prepare(&dir).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        assert_eq!(foreign(&dir), None);
        for name in ["totals.json", "mirrorwatch.db", "mirrorwatch.db-wal", "mirrorwatch.lock", "mirrorwatch.dbx"] {
            File::create(dir.join(name)).unwrap();
        }
        let text = foreign(&dir).unwrap();
        assert!(text.contains("2 foreign files ignored: mirrorwatch.dbx, totals.json; files of compare-plc"), "{text}");
    }

    #[test]
    fn refuses_links_and_a_file_in_the_place_of_the_directory() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        File::create(&file).unwrap();
        let error = prepare(&file).unwrap_err();
        assert!(error.to_string().contains("not a directory"));
        assert_eq!(error.exit_code(), 73);
        for name in ["mirrorwatch.db", "mirrorwatch.db-wal", "mirrorwatch.lock", "quarantine"] {
            let dir = root.path().join(format!("links-{name}"));
            fs::create_dir(&dir).unwrap();
            std::os::unix::fs::symlink(&file, dir.join(name)).unwrap();
            let error = prepare(&dir).unwrap_err();
            assert!(error.to_string().contains("is a symbolic link"), "{error}");
            assert_eq!(error.exit_code(), 77);
        }
    }

    #[test]
    fn says_who_owns_a_directory_that_refuses_us() {
        let error = refused(Path::new("/"), io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(error.to_string().contains("not writable by uid "), "{error}");
        assert!(error.to_string().contains("(owner root, mode 0"), "{error}");
        assert_eq!(error.exit_code(), 77);
    }
}
