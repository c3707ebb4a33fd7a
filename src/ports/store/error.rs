//! What can go wrong with the data directory, in the words and exit codes that a user sees.
//!
//! Every text names the directory or file, says why, and where there is one the way out. The classification tells the
//! writer whether measuring goes on with saving paused (a full, read-only or failing disk).

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Free space that a full disk is asked to have again.
const WANTED_FREE_MB: u64 = 50;
/// Files that the database opens: itself, its log and the index of that.
const DATABASE_FILES: usize = 3;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory belongs to someone else.
    #[error("state: {dir}: not writable by uid {uid} (owner {owner}, mode {mode:04o}); run \"chown {user} {dir}\"")]
    NotWritable {
        /// The data directory, or the one in which it had to be made.
        dir: String,
        /// Who we are.
        uid: u32,
        /// Our name, or our number where it has none.
        user: String,
        /// Name of the owner.
        owner: String,
        /// Permission bits.
        mode: u32,
    },
    /// Another process holds the lock.
    #[error("state: {dir} is in use by {holder}")]
    InUse {
        /// The data directory.
        dir: String,
        /// `pid N since TIME`, as far as known.
        holder: String,
    },
    /// The place of the directory is taken by a file.
    #[error("state: {path}: not a directory; move it away or set dataDir")]
    NotADirectory {
        /// What is there.
        path: String,
    },
    /// A file of ours is a link or something else that is no plain file.
    #[error("state: {path}: is {what}, not a plain file; remove it")]
    NotAFile {
        /// The file.
        path: String,
        /// What it is instead.
        what: &'static str,
    },
    /// A file or directory could not be made.
    #[error("state: {path}: cannot create: {source}")]
    Create {
        /// What was to be made.
        path: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A file could not be read, moved or synced.
    #[error("state: {path}: {doing}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// A newer program wrote the file.
    #[error(
        "state: written by version {theirs} (schema {their_schema}); this is {ours} (schema {our_schema}). \
         Start {theirs} or restore a backup; nothing was changed"
    )]
    NewerSchema {
        /// Version of the program that wrote it.
        theirs: String,
        /// Its schema.
        their_schema: i64,
        /// Version of this program.
        ours: &'static str,
        /// The newest schema that this program knows.
        our_schema: i64,
    },
    /// No space left.
    #[error(
        "state: no space left in {dir} ({free_kb} kB free); measuring goes on, saving is paused; free {WANTED_FREE_MB} MB"
    )]
    DiskFull {
        /// The data directory.
        dir: String,
        /// Space that is left to us.
        free_kb: u64,
    },
    /// The file system cannot be written.
    #[error("state: {dir}: read-only file system; measuring goes on, saving is retried; check the disk")]
    ReadOnly {
        /// The data directory.
        dir: String,
    },
    /// The disk failed under a commit.
    #[error("state: commit failed: I/O error; measuring goes on, saving is retried; check the disk ({detail})")]
    CommitIo {
        /// What the database said.
        detail: String,
    },
    /// The process, or the system, may open no more files: the disk is well.
    #[error("state: {path}: too many open files; raise the limit (LimitNOFILE=16384)")]
    TooManyFiles {
        /// What was to be opened, or where.
        path: String,
    },
    /// Another program holds the database; trying again may succeed.
    #[error("state: {file}: locked by another program")]
    Busy {
        /// The database.
        file: String,
    },
    /// The database was found damaged while it was in use.
    #[error("state: {file}: damaged ({detail}); restart to recover what can be read")]
    Damaged {
        /// The database.
        file: String,
        /// What the database said.
        detail: String,
    },
    /// The directory to import from cannot be listed.
    #[error("import: {dir}: {source}")]
    ImportFrom {
        /// The directory.
        dir: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The database refused what it should not refuse.
    #[error("state: {doing}: {source}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        source: rusqlite::Error,
    },
    /// The store was closed or lost before.
    #[error("state: the store is closed")]
    Closed,
}

impl StoreError {
    /// The exit code of sysexits.h for a start that fails with this.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            StoreError::NotWritable { .. } | StoreError::NotAFile { .. } => 77,
            StoreError::InUse { .. } | StoreError::Busy { .. } => 75,
            StoreError::NotADirectory { .. } | StoreError::Create { .. } | StoreError::ReadOnly { .. } => 73,
            StoreError::NewerSchema { .. } => 65,
            StoreError::ImportFrom { .. } => 66,
            StoreError::Io { .. }
            | StoreError::TooManyFiles { .. }
            | StoreError::DiskFull { .. }
            | StoreError::CommitIo { .. }
            | StoreError::Damaged { .. } => 74,
            StoreError::Database { .. } | StoreError::Closed => 70,
        }
    }

    /// Whether space is what lacks.
    #[must_use]
    pub const fn is_disk_full(&self) -> bool {
        matches!(self, StoreError::DiskFull { .. })
    }

    /// Whether the file system refuses all writing.
    #[must_use]
    pub const fn is_read_only(&self) -> bool {
        matches!(self, StoreError::ReadOnly { .. })
    }

    /// Whether the disk itself fails, or its files cannot be opened.
    #[must_use]
    pub const fn is_io(&self) -> bool {
        matches!(
            self,
            StoreError::CommitIo { .. }
                | StoreError::Io { .. }
                | StoreError::TooManyFiles { .. }
                | StoreError::Damaged { .. }
        )
    }

    /// Turns an error of the database into ours; `dir` holds the file.
    pub(super) fn from_sqlite(dir: &Path, doing: &'static str, source: rusqlite::Error) -> StoreError {
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => {
                StoreError::DiskFull { dir: shown(dir), free_kb: super::directory::free_kb(dir) }
            }
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { dir: shown(dir) },
            Some(ErrorCode::CannotOpen) if is_short_of_files(dir) => StoreError::TooManyFiles { path: shown(dir) },
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
                StoreError::CommitIo { detail: source.to_string() }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::Busy { file: shown(&super::directory::database(dir)) }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Damaged { file: super::directory::DATABASE.to_owned(), detail: source.to_string() }
            }
            _ => StoreError::Database { doing, source },
        }
    }

    /// Turns a failure to read, move or sync `path` into ours.
    pub(super) fn from_io(path: &Path, doing: &'static str, source: io::Error) -> StoreError {
        let dir: PathBuf = path.parent().unwrap_or(path).to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull => {
                StoreError::DiskFull { dir: shown(&dir), free_kb: super::directory::free_kb(&dir) }
            }
            io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { dir: shown(&dir) },
            _ if is_too_many_files(&source) => StoreError::TooManyFiles { path: shown(path) },
            _ => StoreError::Io { path: shown(path), doing, source },
        }
    }
}

/// Whether a file could not be opened because too many are open, of ours or of all.
pub(super) fn is_too_many_files(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Whether the database could not open its files for want of them. It does not say why it cannot open one; its own files
/// must not be tried, for closing one of them gives up its locks.
fn is_short_of_files(dir: &Path) -> bool {
    let opened: io::Result<Vec<File>> = (0..DATABASE_FILES).map(|_| File::open(dir)).collect();
    opened.is_err_and(|error| is_too_many_files(&error))
}

/// A path as it is printed: control characters escaped, cut at 200 characters.
pub(super) fn shown(path: &Path) -> String {
    shown_text(&path.to_string_lossy())
}

/// Foreign text as it is printed: control characters escaped, cut at 200 characters.
pub(super) fn shown_text(text: &str) -> String {
    text.chars()
        .take(200)
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}
