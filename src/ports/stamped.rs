//! A socket that remembers when it was read.
//!
//! [`StampedStream`] sits below TLS and WebSocket and takes the clock around each read, so that a frame is stamped with
//! the instant at which the read that completed it returned: two clock calls a read, none a frame. Whoever reads on top
//! never reads ahead of what it hands up, so [`ReadStamps::last_read`] belongs to the frame handed up last.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::clock::Clock;
use crate::domain::time::Tau;

/// Bytes after which other tasks of the thread have their turn, though more could be read.
const AT_ONCE_MAX: usize = 64 * 1024;

/// When one socket was read; written by its [`StampedStream`], read by whoever holds the `Arc`.
#[derive(Debug)]
pub struct ReadStamps {
    /// Instant at which the newest read that brought bytes returned; `i64::MIN` before the first.
    last_read_ns: AtomicI64,
    /// Instant after which nothing lay unread in the kernel, if the newest read showed that; else `i64::MIN`.
    emptied_ns: AtomicI64,
    /// Bytes read so far.
    bytes: AtomicU64,
    /// Whether the stream is read slower than it comes.
    is_behind: AtomicBool,
}

impl Default for ReadStamps {
    fn default() -> Self {
        Self {
            last_read_ns: AtomicI64::new(i64::MIN),
            emptied_ns: AtomicI64::new(i64::MIN),
            bytes: AtomicU64::new(0),
            is_behind: AtomicBool::new(false),
        }
    }
}

impl ReadStamps {
    /// Instant at which the newest read that brought bytes returned, `None` before the first byte.
    #[must_use]
    pub fn last_read(&self) -> Option<Tau> {
        present(self.last_read_ns.load(Ordering::Relaxed))
    }

    /// The instant at which the newest read began, if that read brought fewer bytes than it had room for: at some moment
    /// not before it, nothing lay unread in the kernel. `None` while more may lie there.
    ///
    /// A read that merely finds the socket not ready proves nothing (the runtime may not have looked yet), and therefore
    /// leaves no mark.
    #[must_use]
    pub fn emptied(&self) -> Option<Tau> {
        present(self.emptied_ns.load(Ordering::Relaxed))
    }

    /// Bytes read so far, as they came from the kernel (encrypted where the stream is).
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Notes whether the stream is read slower than it comes.
    pub fn set_behind(&self, is_behind: bool) {
        self.is_behind.store(is_behind, Ordering::Relaxed);
    }

    /// Whether the stream is read slower than it comes.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.is_behind.load(Ordering::Relaxed)
    }

    /// Notes a read that began at `began`, returned at `ended`, had room for `room` bytes and brought `count`.
    fn note(&self, began: Tau, ended: Tau, room: usize, count: usize) {
        self.last_read_ns.store(ended.0, Ordering::Relaxed);
        self.emptied_ns.store(if count < room { began.0 } else { i64::MIN }, Ordering::Relaxed);
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// The instant behind a stored number; `i64::MIN` stands for none.
fn present(ns: i64) -> Option<Tau> {
    (ns != i64::MIN).then_some(Tau(ns))
}

/// Any byte stream, with the instants of its reads noted in a shared [`ReadStamps`].
pub struct StampedStream<S> {
    /// The stream itself.
    inner: S,
    /// Asked before and after each read.
    clock: Arc<dyn Clock>,
    /// Written here only.
    stamps: Arc<ReadStamps>,
    /// Bytes read since other tasks of the thread had their turn.
    at_once: usize,
}

impl<S> StampedStream<S> {
    /// Wraps `inner`; nothing is noted before its first read.
    pub fn new(inner: S, clock: Arc<dyn Clock>) -> Self {
        Self { inner, clock, stamps: Arc::default(), at_once: 0 }
    }

    /// The notes about this stream's reads.
    #[must_use]
    pub fn stamps(&self) -> Arc<ReadStamps> {
        Arc::clone(&self.stamps)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StampedStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.at_once >= AT_ONCE_MAX {
            // What is read may never become a message, and whoever reads then never ends by itself.
            this.at_once = 0;
            // Unlike a waker that is called at once, this lets timers have their turn too.
            return pin!(tokio::task::yield_now()).poll(cx).map(Ok);
        }
        let (room, filled_before) = (buf.remaining(), buf.filled().len());
        let began = this.clock.now();
        let polled = Pin::new(&mut this.inner).poll_read(cx, buf);
        let count = buf.filled().len().saturating_sub(filled_before);
        if count > 0 {
            this.stamps.note(began, this.clock.now(), room, count);
        }
        this.at_once = if polled.is_pending() { 0 } else { this.at_once + count };
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for StampedStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::clock::ManualClock;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn each_read_is_stamped_and_a_short_one_shows_that_nothing_was_left() {
        let clock = Arc::new(ManualClock::new(Tau(100), 0));
        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = StampedStream::new(near, clock.clone() as Arc<dyn Clock>);
        let stamps = stream.stamps();
        assert_eq!((stamps.last_read(), stamps.emptied(), stamps.bytes()), (None, None, 0));

        far.write_all(b"abcdef").await.unwrap();
        let mut four = [0u8; 4];
        assert_eq!(stream.read(&mut four).await.unwrap(), 4);
        assert_eq!((stamps.last_read(), stamps.emptied()), (Some(Tau(100)), None));

        clock.advance(50);
        assert_eq!(stream.read(&mut four).await.unwrap(), 2);
        assert_eq!((stamps.last_read(), stamps.emptied()), (Some(Tau(150)), Some(Tau(150))));
        assert_eq!(stamps.bytes(), 6);

        clock.advance(50);
        drop(far);
        assert_eq!(stream.read(&mut four).await.unwrap(), 0);
        assert_eq!(stamps.last_read(), Some(Tau(150)), "an end of the stream is no byte");
    }

    #[tokio::test]
    async fn other_tasks_have_their_turn_however_much_there_is_to_read() {
        let clock = Arc::new(ManualClock::new(Tau(100), 0));
        let (near, mut far) = tokio::io::duplex(AT_ONCE_MAX + 64);
        let mut stream = StampedStream::new(near, clock as Arc<dyn Clock>);
        far.write_all(&vec![b'x'; AT_ONCE_MAX + 64]).await.unwrap();
        let mut all = vec![0u8; AT_ONCE_MAX];
        stream.read_exact(&mut all).await.unwrap();
        let mut rest = [0u8; 64];
        let mut read = std::pin::pin!(stream.read(&mut rest));
        assert!(futures_util::poll!(read.as_mut()).is_pending(), "the others have their turn");
        assert_eq!(read.await.unwrap(), 64);
    }
}
