//! A piece of the journal as it is kept.

/// What one transaction keeps of the journal, or a part of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Smallest number of an operation that it names.
    pub first_op: Option<u64>,
    /// Largest number of an operation that it names.
    pub last_op: Option<u64>,
    /// Mirrors and records.
    pub bytes: Vec<u8>,
}
