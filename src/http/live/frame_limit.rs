//! Ends an inbound WebSocket stream at the first frame that announces too many bytes.
//!
//! The codec behind it looks at the size only when the whole frame is in memory, so a reader could fill the memory with
//! one frame. This looks at the announced length as it passes by, and keeps nothing but a header in the making.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;

/// Longest header of a frame: 2 bytes, 8 of length, 4 of mask.
const HEADER_BYTES_MAX: usize = 14;

/// See the module's words.
pub struct FrameLimit<S> {
    inner: S,
    frame_bytes_max: u64,
    header: Vec<u8>,
    /// Payload bytes of the current frame that are still to come.
    payload_left: u64,
    has_ended: bool,
}

impl<S> FrameLimit<S> {
    /// `inner` up to the first frame with a payload over `frame_bytes_max`.
    pub fn new(inner: S, frame_bytes_max: usize) -> Self {
        FrameLimit {
            inner,
            frame_bytes_max: frame_bytes_max as u64,
            header: Vec::with_capacity(HEADER_BYTES_MAX),
            payload_left: 0,
            has_ended: false,
        }
    }

    /// Follows the frames through `bytes`; says whether all announced lengths were within the limit.
    fn is_within(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((first, rest)) = bytes.split_first() {
            if self.payload_left > 0 {
                let here = self.payload_left.min(bytes.len() as u64);
                self.payload_left -= here;
                bytes = bytes.get(here as usize..).unwrap_or(&[]);
                continue;
            }
            self.header.push(*first);
            bytes = rest;
            if let Some(length) = payload_length(&self.header) {
                if length > self.frame_bytes_max {
                    return false;
                }
                self.payload_left = length;
                self.header.clear();
            }
        }
        true
    }
}

/// The payload length in a complete header (RFC 6455 §5.2); `None` while bytes are missing.
fn payload_length(header: &[u8]) -> Option<u64> {
    let second = *header.get(1)?;
    let mask_bytes = if second & 0x80 == 0 { 0 } else { 4 };
    let (length_bytes, length) = match second & 0x7f {
        126 => (2, u64::from(u16::from_be_bytes(header.get(2..4)?.try_into().ok()?))),
        127 => (8, u64::from_be_bytes(header.get(2..10)?.try_into().ok()?)),
        short => (0, u64::from(short)),
    };
    (header.len() >= 2 + length_bytes + mask_bytes).then_some(length)
}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Stream for FrameLimit<S> {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.inner).poll_next(cx);
        if let Poll::Ready(Some(Ok(bytes))) = &polled
            && !self.is_within(bytes)
        {
            self.has_ended = true;
            return Poll::Ready(Some(Err(PayloadError::Overflow)));
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize) -> Vec<u8> {
        let mut bytes = vec![0x81];
        match length {
            0..=125 => bytes.push(0x80 | length as u8),
            126..=0xffff => {
                bytes.push(0xfe);
                bytes.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0xff);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(&[1, 2, 3, 4]);
        bytes.resize(bytes.len() + length, 0xff);
        bytes
    }

    fn is_within(bytes: &[u8], piece: usize) -> bool {
        let mut limit = FrameLimit::new((), 4096);
        bytes.chunks(piece).all(|piece| limit.is_within(piece))
    }

    #[test]
    fn frames_pass_in_any_pieces_until_one_is_too_long() {
        let good = [frame(0), frame(1), frame(125), frame(126), frame(4096), frame(7)].concat();
        let bad = [good.clone(), frame(4097)].concat();
        let giant = [good.clone(), frame(70_000)].concat();
        for piece in [1, 2, 3, 7, 4096, 1 << 20] {
            assert!(is_within(&good, piece), "{piece}");
            assert!(!is_within(&bad, piece), "{piece}");
            assert!(!is_within(&giant, piece), "{piece}");
        }
    }

    #[test]
    fn the_announcement_alone_is_enough() {
        assert!(!is_within(&[0x81, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], 64));
    }
}
