//! What stands between an accepted socket and the server: only whole and sound heads pass, and nothing takes for ever.
//!
//! The server has a time-out for the first head of a connection and none for those after it, takes heads of any size up to
//! 128 KiB, and answers what it cannot parse without headers. So heads are looked at here, one by one, and what is refused
//! reaches the server as a request that stands for it: its answer comes in its turn and through all that surrounds
//! answers. A body has a length that the head tells, so that no second parser of bodies is needed to find the next head;
//! behind the head of a stream nothing is looked at any more.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::head::{Look, Refusal, Then, look};
use super::sockets::Seat;

/// Longest time from the begin of a head, or of the connection, to the end of the head.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time in which a peer takes none of the bytes that wait for it.
pub const STALL_MAX: Duration = Duration::from_secs(10);
/// Longest time in which bytes wait for a peer that takes a few of them now and then.
pub const BEHIND_MAX: Duration = Duration::from_mins(1);
/// How long a refused peer may go on sending before the connection is cut: cut earlier, it might never read the answer.
const LINGER: Duration = Duration::from_secs(1);
/// Most bytes taken from a refused peer in that time.
const LINGER_BYTES_MAX: usize = 1 << 20;
/// Bytes taken from the socket at once.
const CHUNK_BYTES: usize = 4_096;

/// What is expected of the peer.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// A head.
    Head,
    /// So many bytes of a body, and a head behind them.
    Body(usize),
    /// Anything.
    Stream,
    /// Nothing: it was refused.
    Refused,
}

/// Ends the stream behind a request: the server would wait for its end even when the answer did not take it over.
#[derive(Clone, Default)]
pub struct Hangup(Rc<Line>);

#[derive(Default)]
struct Line {
    is_down: Cell<bool>,
    /// Who reads.
    reader: RefCell<Option<Waker>>,
}

impl Hangup {
    /// From now on nothing comes of the peer.
    pub fn hang_up(&self) {
        self.0.is_down.set(true);
        if let Some(reader) = self.0.reader.take() {
            reader.wake();
        }
    }

    /// Whether the line is down; if not, the reader is woken when it goes.
    fn is_down(&self, cx: &Context<'_>) -> bool {
        if !self.0.is_down.get() && !self.0.reader.borrow().as_ref().is_some_and(|held| held.will_wake(cx.waker())) {
            self.0.reader.replace(Some(cx.waker().clone()));
        }
        self.0.is_down.get()
    }
}

/// Bytes that wait for the peer.
#[derive(Default)]
struct Backlog {
    /// Since when the peer is behind.
    since: Option<Instant>,
    /// The end of its time.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Backlog {
    /// The peer took bytes; all of them, or some.
    fn taken(&mut self, is_all: bool) {
        self.timer = None;
        if is_all {
            self.since = None;
        }
    }

    /// The peer takes nothing now.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        let end = (now + STALL_MAX).min(since + BEHIND_MAX);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        timer.as_mut().poll(cx).map(|()| io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing"))
    }
}

/// See the module's words.
pub struct Door<T> {
    inner: T,
    stage: Stage,
    /// Whether a head has passed: from then on the peer may be silent for as long as the server keeps the connection.
    has_passed: bool,
    /// Bytes that were read and not handed on; at most a head and a chunk.
    held: BytesMut,
    /// How many of them may be handed on.
    cleared: usize,
    /// The end of the time for a head.
    head_timer: Option<Pin<Box<Sleep>>>,
    backlog: Backlog,
    hangup: Hangup,
    linger: Option<(Pin<Box<Sleep>>, usize)>,
    /// Counts this connection for as long as it is open; `None` where it is not counted.
    _seat: Option<Seat>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Door<T> {
    /// A connection with its seat among those of its address.
    pub fn open(inner: T, seat: Option<Seat>) -> Self {
        Door {
            inner,
            stage: Stage::Head,
            has_passed: false,
            held: BytesMut::new(),
            cleared: 0,
            head_timer: None,
            backlog: Backlog::default(),
            hangup: Hangup::default(),
            linger: None,
            _seat: seat,
        }
    }

    /// A connection that is told why it is not taken, and ended.
    pub fn closed(inner: T, why: Refusal) -> Self {
        let mut door = Self::open(inner, None);
        door.refuse(why);
        door
    }

    /// Ends the stream of this connection.
    pub fn hangup(&self) -> Hangup {
        self.hangup.clone()
    }

    fn refuse(&mut self, why: Refusal) {
        self.stage = Stage::Refused;
        self.head_timer = None;
        self.held = BytesMut::from(why.stand_in().as_bytes());
        self.cleared = self.held.len();
    }

    /// Hands on what was looked at.
    fn hand_on(&mut self, to: &mut ReadBuf<'_>) {
        let count = self.cleared.min(to.remaining());
        to.put_slice(self.held.get(..count).unwrap_or_default());
        self.held.advance(count.min(self.held.len()));
        self.cleared -= count;
        if self.held.is_empty() {
            // Most connections are idle most of the time: they should hold no buffer.
            self.held = BytesMut::new();
        }
    }

    /// Looks at what is held.
    fn inspect(&mut self) {
        match look(&self.held) {
            Look::Partial => {}
            Look::Refused(why) => self.refuse(why),
            Look::Whole { bytes, then } => {
                self.head_timer = None;
                self.has_passed = true;
                (self.stage, self.cleared) = match then {
                    Then::Stream => (Stage::Stream, self.held.len()),
                    Then::Body(0) => (Stage::Head, bytes),
                    Then::Body(length) => (Stage::Body(length), bytes),
                };
            }
        }
    }

    /// Takes more from the socket; 0 at its end.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut chunk = [0; CHUNK_BYTES];
        let mut chunk = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut chunk))?;
        self.held.extend_from_slice(chunk.filled());
        Poll::Ready(Ok(chunk.filled().len()))
    }

    /// Waits for the end of the time for a head. Between two heads there is none; who reads a body has a time of its own.
    fn late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_passed && (self.held.is_empty() || self.stage != Stage::Head) {
            return Poll::Pending;
        }
        self.head_timer.get_or_insert_with(|| Box::pin(sleep(HEAD_TIMEOUT))).as_mut().poll(cx)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Door<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let door = &mut *self;
        loop {
            if door.cleared > 0 {
                door.hand_on(to);
                return Poll::Ready(Ok(()));
            }
            match door.stage {
                Stage::Refused => return Poll::Ready(Ok(())),
                Stage::Stream if door.hangup.is_down(cx) => return Poll::Ready(Ok(())),
                Stage::Stream => return Pin::new(&mut door.inner).poll_read(cx, to),
                Stage::Body(left) if !door.held.is_empty() => {
                    door.cleared = left.min(door.held.len());
                    door.stage = if left == door.cleared { Stage::Head } else { Stage::Body(left - door.cleared) };
                    continue;
                }
                Stage::Head | Stage::Body(_) => {}
            }
            if door.stage == Stage::Head && !door.held.is_empty() {
                door.inspect();
                if door.cleared > 0 {
                    continue;
                }
            }
            match door.fill(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(door.late(cx));
                    if door.held.is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                    door.refuse(Refusal::Slow);
                }
            }
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Door<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let door = &mut *self;
        match Pin::new(&mut door.inner).poll_write(cx, bytes) {
            Poll::Ready(Ok(count)) => {
                door.backlog.taken(count == bytes.len());
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => door.backlog.wait(cx).map(Err),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let door = &mut *self;
        if door.linger.is_none() {
            ready!(Pin::new(&mut door.inner).poll_shutdown(cx))?;
        }
        if matches!(door.stage, Stage::Head | Stage::Body(_)) {
            return Poll::Ready(Ok(()));
        }
        let (timer, taken) = door.linger.get_or_insert_with(|| (Box::pin(sleep(LINGER)), 0));
        let mut chunk = [0; CHUNK_BYTES];
        while *taken < LINGER_BYTES_MAX {
            let mut chunk = ReadBuf::new(&mut chunk);
            match Pin::new(&mut door.inner).poll_read(cx, &mut chunk) {
                Poll::Ready(Ok(())) if !chunk.filled().is_empty() => *taken += chunk.filled().len(),
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    ready!(timer.as_mut().poll(cx));
                    return Poll::Ready(Ok(()));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}
