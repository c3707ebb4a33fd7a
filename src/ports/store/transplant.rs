//! Reading a database whose pages that name the tables are damaged: those of a new one are put in their place, in a copy.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::Connection;

use super::directory::{BUILDING, SCRATCH, beside, database};
use super::error::StoreError;
use super::recover::{PAGE_BYTES, build, remove};
use super::salvage;
use super::wal::{self, WalState};

/// Where the tree of the first page begins, behind the header of the file.
const TREE_AT: usize = 100;
/// An interior page of a table's tree.
const INTERIOR: u32 = 5;

/// Opens what there is for reading: as it is, or else a copy with a first page that names the tables.
pub(super) fn readable(dir: &Path, now_ms: i64) -> Option<Connection> {
    let path = database(dir);
    if path.is_dir() {
        return None;
    }
    let has_tables = |db: &Connection| db.prepare("SELECT id FROM heartbeat").is_ok();
    salvage::open_damaged(&path).ok().filter(has_tables).or_else(|| {
        transplant(dir, now_ms).ok()?;
        salvage::open_damaged(&dir.join(SCRATCH)).ok().filter(has_tables)
    })
}

/// Copies the damaged database to [`SCRATCH`] with the pages of a new one that name the tables.
///
/// The tables of a file lie where its first page says, and those that the first page leads to; every file is built by the
/// same statements in the same order, so those of a new one say it too. A file that was brought up to date from an older
/// schema may have its newest tables elsewhere: those are then lost, for every row is checked.
fn transplant(dir: &Path, now_ms: i64) -> Result<(), StoreError> {
    build(dir, now_ms, |_| Ok(()))?;
    let scratch = dir.join(SCRATCH);
    let copied = (|| {
        let mut named = schema_pages(&dir.join(BUILDING))?;
        let held = fs::metadata(database(dir))?.len().div_ceil(PAGE_BYTES as u64);
        let last = named.iter().map(|page| page.0).max().unwrap_or(1);
        let pages = u32::try_from(held).unwrap_or(u32::MAX).max(last);
        // Size in pages, and no list of free pages.
        for (at, value) in [(28_usize, pages), (32, 0), (36, 0)] {
            if let Some(field) = named.first_mut().and_then(|first| first.1.get_mut(at..at + 4)) {
                field.copy_from_slice(&value.to_be_bytes());
            }
        }
        let mut options = fs::OpenOptions::new();
        let mut copy = options.write(true).create_new(true).mode(0o600).open(&scratch)?;
        io::copy(&mut fs::File::open(database(dir))?, &mut copy)?;
        for (number, page) in &named {
            copy.seek(SeekFrom::Start(u64::from(number - 1) * PAGE_BYTES as u64))?;
            copy.write_all(page)?;
        }
        let log = beside(&database(dir), "-wal");
        if matches!(wal::inspect(&log), Ok(WalState::Sound)) {
            fs::copy(&log, beside(&scratch, "-wal"))?;
        }
        Ok(())
    })()
    .map_err(|error| StoreError::from_io(&scratch, "cannot copy", error));
    remove(&dir.join(BUILDING))?;
    copied
}

/// The pages of a database that name its tables, by number: the first, and those that it leads to where it is too small
/// (SQLite's file format §1.6: an interior page of a table's tree).
fn schema_pages(path: &Path) -> io::Result<Vec<(u32, Vec<u8>)>> {
    let mut file = fs::File::open(path)?;
    let mut read = |number: u32| -> io::Result<(u32, Vec<u8>)> {
        let mut page = vec![0_u8; PAGE_BYTES];
        file.seek(SeekFrom::Start(u64::from(number.saturating_sub(1)) * PAGE_BYTES as u64))?;
        file.read_exact(&mut page)?;
        Ok((number, page))
    };
    let mut pages = vec![read(1)?];
    let first = pages.first().map_or(&[][..], |first| first.1.as_slice());
    let number_at = |at: usize, bytes: usize| {
        first.get(at..at + bytes).unwrap_or_default().iter().fold(0_u32, |n, byte| n << 8 | u32::from(*byte))
    };
    if number_at(TREE_AT, 1) != INTERIOR {
        return Ok(pages);
    }
    let cells = (0..number_at(TREE_AT + 3, 2) as usize).map(|cell| number_at(TREE_AT + 12 + 2 * cell, 2) as usize);
    let below: Vec<u32> = cells.map(|at| number_at(at, 4)).chain([number_at(TREE_AT + 8, 4)]).collect();
    for number in below {
        pages.push(read(number)?);
    }
    Ok(pages)
}
