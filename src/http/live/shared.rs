//! The frames of one socket's actor, with those between them whose texts all sockets share.
//!
//! The actor copies each text that it is given into its own buffer. What is told to many goes past it: the header of a frame
//! is made here, and the text is the one that all have.

use std::cell::RefCell;
use std::error::Error;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;
use bytestring::ByteString;

use crate::http::pieces::Pieces;

/// A whole message of text.
const TEXT_FRAME: u8 = 0x81;

/// Texts on their way to one socket; the actor fills it, the answer's body empties it.
#[derive(Clone, Default)]
pub struct Outbox(Rc<RefCell<Pieces>>);

impl Outbox {
    /// Sends a text before what the actor sends from now on.
    pub fn text(&self, text: ByteString) {
        let mut pieces = self.0.borrow_mut();
        pieces.push(header(text.len()));
        pieces.push(text.into_bytes());
    }

    fn next(&self) -> Option<Bytes> {
        self.0.borrow_mut().next()
    }
}

/// The header of a frame without a mask (RFC 6455 §5.2).
fn header(bytes: usize) -> Vec<u8> {
    let mut header = vec![TEXT_FRAME];
    match (u8::try_from(bytes), u16::try_from(bytes)) {
        (Ok(short @ ..=125), _) => header.push(short),
        (_, Ok(length)) => {
            header.push(126);
            header.extend(length.to_be_bytes());
        }
        _ => {
            header.push(127);
            header.extend((bytes as u64).to_be_bytes());
        }
    }
    header
}

/// The body of a socket's answer.
pub struct WithShared {
    own: BoxBody,
    outbox: Outbox,
    /// What the actor sent behind what the outbox still has.
    held: Poll<Option<Result<Bytes, Box<dyn Error>>>>,
}

impl WithShared {
    /// The body of the actor's own frames, with the texts of `outbox`.
    pub fn new(own: BoxBody, outbox: Outbox) -> WithShared {
        WithShared { own, outbox, held: Poll::Pending }
    }
}

impl MessageBody for WithShared {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.own.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if let Some(piece) = self.outbox.next() {
            return Poll::Ready(Some(Ok(piece)));
        }
        let held = std::mem::replace(&mut self.held, Poll::Pending);
        if held.is_ready() {
            return held;
        }
        let polled = Pin::new(&mut self.own).poll_next(cx);
        let Some(piece) = self.outbox.next() else { return polled };
        self.held = polled;
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pieces::PIECE_BYTES_MAX;
    use actix_http::ws::{OpCode, Parser};
    use bytes::BytesMut;
    use futures_util::future::poll_fn;

    /// An actor that tells something of its own and of all, and ends.
    struct Teller(Outbox, Vec<ByteString>);

    impl MessageBody for Teller {
        type Error = Box<dyn Error>;
        fn size(&self) -> BodySize {
            BodySize::Stream
        }
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
            let Some(text) = self.1.pop() else { return Poll::Ready(None) };
            self.0.text(text);
            Poll::Ready(Some(Ok(Bytes::from_static(b"\x89\x00"))))
        }
    }

    #[actix_web::test]
    async fn texts_of_every_length_are_frames_before_what_the_actor_sends_with_them() {
        let lengths = [0, 1, 125, 126, 65_535, 65_536, 200_000];
        let texts = lengths.map(|length| ByteString::from("x".repeat(length)));
        let outbox = Outbox::default();
        let own = BoxBody::new(Teller(outbox.clone(), texts.iter().rev().cloned().collect()));
        let mut body = WithShared::new(own, outbox);
        let (mut bytes, mut shared) = (BytesMut::new(), 0);
        while let Some(piece) = poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await {
            let piece = piece.unwrap();
            shared += usize::from(texts.iter().any(|t| t.as_bytes().as_ptr_range().contains(&piece.as_ptr())));
            bytes.extend_from_slice(&piece);
        }
        let mut frame = || {
            let (is_last, kind, payload) = Parser::parse(&mut bytes, false, 1 << 20).unwrap().unwrap();
            assert!(is_last);
            (kind, payload.unwrap_or_default().freeze())
        };
        for text in &texts {
            assert_eq!(frame(), (OpCode::Text, text.clone().into_bytes()));
            assert_eq!(frame(), (OpCode::Ping, Bytes::new()), "behind it");
        }
        let pieces: usize = lengths.iter().map(|length| length.div_ceil(PIECE_BYTES_MAX)).sum();
        assert_eq!((bytes.len(), shared), (0, pieces), "every piece of a text is the text itself");
    }
}
