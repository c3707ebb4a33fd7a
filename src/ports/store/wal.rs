//! Reads a write-ahead log as the `SQLite` file format describes it (section 4), to tell damage from an ordinary crash.
//!
//! `SQLite` itself ignores everything from the first frame whose checksum is wrong, which is right for a transaction that
//! a crash cut off and would be silent loss for one that was acknowledged. Each acknowledged transaction was synced
//! before the next began, so at most one unfinished transaction lies behind the break: two or more commit marks there,
//! or a header that is no header, are damage. Writes nothing.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// Magic number of a log whose checksums read words as little-endian; one more is big-endian.
const MAGIC: u32 = 0x377f_0682;
/// The only version of the format.
const FORMAT: u32 = 3_007_000;

/// What a log is worth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum WalState {
    /// Not there, or empty.
    Absent,
    /// Whole, or cut off within its last transaction.
    Sound,
    /// Acknowledged transactions in it cannot be read; why.
    Damaged(String),
}

/// Judges the log at `path`.
pub(super) fn inspect(path: &Path) -> std::io::Result<WalState> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(WalState::Absent),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() == 0 {
        return Ok(WalState::Absent);
    }
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut header = [0_u8; HEADER_BYTES];
    if read_whole(&mut reader, &mut header)? < HEADER_BYTES {
        return Ok(WalState::Damaged("its log is shorter than its header".to_owned()));
    }
    let Some(mut log) = Log::new(&header) else {
        return Ok(WalState::Damaged("its log has no valid header".to_owned()));
    };
    let mut frame = vec![0_u8; FRAME_HEADER_BYTES + log.page_bytes];
    let mut broken = false;
    let mut commits_behind = 0_u32;
    while read_whole(&mut reader, &mut frame)? == frame.len() {
        let (head, page) = frame.split_at(FRAME_HEADER_BYTES);
        if head.get(8..16) != Some(log.salt.as_slice()) {
            break;
        }
        broken = broken || !log.accepts(head, page);
        if broken && word(head, 4) != 0 {
            commits_behind += 1;
        }
    }
    Ok(if commits_behind >= 2 {
        WalState::Damaged(format!("its log breaks off {commits_behind} transactions before its end"))
    } else {
        WalState::Sound
    })
}

/// The running state of a log's checksum.
struct Log {
    big_endian: bool,
    page_bytes: usize,
    salt: [u8; 8],
    sum: (u32, u32),
}

impl Log {
    fn new(header: &[u8; HEADER_BYTES]) -> Option<Log> {
        let magic = word(header, 0);
        let page_bytes = word(header, 8);
        let mut salt = [0_u8; 8];
        salt.copy_from_slice(header.get(16..24)?);
        let mut log = Log { big_endian: magic == MAGIC + 1, page_bytes: page_bytes as usize, salt, sum: (0, 0) };
        log.add(header.get(..24)?);
        let valid = (magic == MAGIC || magic == MAGIC + 1)
            && word(header, 4) == FORMAT
            && (512..=65_536).contains(&page_bytes)
            && page_bytes.is_power_of_two()
            && log.sum == (word(header, 24), word(header, 28));
        valid.then_some(log)
    }

    fn accepts(&mut self, head: &[u8], page: &[u8]) -> bool {
        self.add(head.get(..8).unwrap_or_default());
        self.add(page);
        self.sum == (word(head, 16), word(head, 20))
    }

    fn add(&mut self, bytes: &[u8]) {
        for pair in bytes.as_chunks::<8>().0 {
            let (x, y) = if self.big_endian {
                (word(pair, 0), word(pair, 4))
            } else {
                (word(pair, 0).swap_bytes(), word(pair, 4).swap_bytes())
            };
            self.sum.0 = self.sum.0.wrapping_add(x).wrapping_add(self.sum.1);
            self.sum.1 = self.sum.1.wrapping_add(y).wrapping_add(self.sum.0);
        }
    }
}

/// The big-endian word at `at`; 0 behind the end.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// Fills `buffer` as far as the file goes; the bytes read.
fn read_whole(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    /// A log with ten one-row transactions, and the sizes of the log after each.
    fn sample(dir: &Path) -> (Vec<u8>, Vec<usize>) {
        let db = dir.join("x.db");
        let log = dir.join("x.db-wal");
        let connection = Connection::open(&db).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        let mut ends = Vec::new();
        for n in 0..10 {
            connection.execute("INSERT INTO t VALUES (?1)", [n]).unwrap();
            ends.push(std::fs::metadata(&log).unwrap().len() as usize);
        }
        (std::fs::read(&log).unwrap(), ends)
    }

    fn judge(dir: &Path, bytes: &[u8]) -> WalState {
        let path = dir.join("judged");
        #[expect(clippy::disallowed_methods, reason = "scratch of a test")]
        std::fs::write(&path, bytes).unwrap();
        inspect(&path).unwrap()
    }

    #[test]
    fn tells_a_crash_from_damage() {
        let dir = tempfile::tempdir().unwrap();
        let (bytes, ends) = sample(dir.path());
        assert_eq!(inspect(&dir.path().join("none")).unwrap(), WalState::Absent);
        assert_eq!(judge(dir.path(), &[]), WalState::Absent);
        assert_eq!(judge(dir.path(), &bytes), WalState::Sound);
        assert_eq!(judge(dir.path(), &bytes[..bytes.len() - 1]), WalState::Sound, "a torn last transaction");
        let mut last = bytes.clone();
        last[ends[8] + 100] ^= 1;
        assert_eq!(judge(dir.path(), &last), WalState::Sound, "the last transaction may be unfinished");
        let mut middle = bytes.clone();
        middle[ends[4] + 100] ^= 1;
        assert!(matches!(judge(dir.path(), &middle), WalState::Damaged(_)));
        let mut head = bytes.clone();
        head[9] ^= 1;
        assert!(matches!(judge(dir.path(), &head), WalState::Damaged(_)));
        assert!(matches!(judge(dir.path(), &vec![0; bytes.len()]), WalState::Damaged(_)));
        assert!(matches!(judge(dir.path(), b"short"), WalState::Damaged(_)));
    }
}
