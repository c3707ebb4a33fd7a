//! Whether the number of a live operation can follow the one before it on the same connection.
//!
//! A number that cannot is told as a fault of its frame. The operation in it is proved by its content and taken: numbers are
//! the source's own, and a wrong one says nothing of what was delivered.

use super::frame::{Reject, SeqFault};
use super::op::OpKey;

/// The most that a number may be above the one before it.
const JUMP_MAX: u64 = 1_000_000;

/// The latest number of one connection.
#[derive(Clone, Debug, Default)]
pub struct Numbering {
    last: Option<(u64, OpKey)>,
}

impl Numbering {
    /// Takes the number of the next operation.
    ///
    /// # Errors
    /// [`Reject::BadSeq`] where it does not rise, unless the very same operation comes again, and where it is more than a
    /// million above the one before: no cursor may follow it there until the next one does.
    pub fn take(&mut self, seq: u64, key: &OpKey) -> Result<(), Reject> {
        match self.last.replace((seq, *key)) {
            Some((last, before)) if seq < last || (seq == last && before != *key) => {
                Err(Reject::BadSeq(SeqFault::Regress))
            }
            Some((last, _)) if seq.saturating_sub(last) > JUMP_MAX => Err(Reject::BadSeq(SeqFault::Jump)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::did::Did;
    use crate::domain::frame::MAX_SEQ;

    #[test]
    fn a_number_that_goes_back_or_leaps_is_told() {
        let key = |n: u8| OpKey { did: Did([1; 15]), cid: Cid([n; 32]) };
        let mut numbers = Numbering::default();
        let mut take = |seq, n| numbers.take(seq, &key(n)).err().map(|reject| reject.to_string());
        assert_eq!(take(MAX_SEQ - 5, 1), None, "the first may be any");
        assert_eq!(take(7, 2).as_deref(), Some("bad_seq (regress)"));
        assert_eq!((take(8, 3), take(8, 3)), (None, None), "the same again is a repeat");
        assert_eq!(take(8, 4).as_deref(), Some("bad_seq (regress)"), "another under its number is not");
        assert_eq!(take(1_000_008, 5), None);
        assert_eq!(take(2_000_009, 6).as_deref(), Some("bad_seq (jump > 1e6)"));
        assert_eq!(take(2_000_010, 7), None, "what goes on from there is believed");
    }
}
