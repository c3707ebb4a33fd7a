//! What can be wrong with a kept segment.

/// Why a segment could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum JournalError {
    /// It ends in the middle of a record.
    #[error("the segment ends in the middle of a record at byte {0}")]
    Short(usize),
    /// A record's tag or a value in it is not known.
    #[error("unknown tag or value at byte {0}")]
    Unknown(usize),
}
