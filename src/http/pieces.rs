//! Bytes on their way to one connection, piece by piece: what many are told is shared, and of that a connection has no copy of
//! its own but the piece that is being sent.

use std::collections::VecDeque;

use bytes::Bytes;

/// Bytes of a piece at most: the server copies a piece at a time into what it writes.
pub const PIECE_BYTES_MAX: usize = 16 * 1024;

/// What is to be sent, in its order. Bounded by who fills it: it is filled anew when it is empty.
#[derive(Default)]
pub struct Pieces(VecDeque<Bytes>);

impl Pieces {
    /// Adds what is to be sent behind the rest.
    pub fn push(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        if !bytes.is_empty() {
            self.0.push_back(bytes);
        }
    }

    /// The next piece; none is empty.
    pub fn next(&mut self) -> Option<Bytes> {
        let front = self.0.front_mut()?;
        if front.len() > PIECE_BYTES_MAX { Some(front.split_to(PIECE_BYTES_MAX)) } else { self.0.pop_front() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_small_in_order_and_no_copies() {
        let large = Bytes::from(vec![b'x'; 2 * PIECE_BYTES_MAX + 1]);
        let mut pieces = Pieces::default();
        pieces.push("a");
        pieces.push("");
        pieces.push(large.clone());
        pieces.push("b");
        let mut sent = Vec::new();
        while let Some(piece) = pieces.next() {
            assert!((1..=PIECE_BYTES_MAX).contains(&piece.len()));
            sent.push(piece);
        }
        assert_eq!(sent.concat(), [b"a", &large[..], b"b"].concat());
        assert!(sent[1..4].iter().all(|piece| large.as_ptr_range().contains(&piece.as_ptr())), "the bytes are shared");
    }
}
