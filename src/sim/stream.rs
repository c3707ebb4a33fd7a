//! One open stream: catch-up from its place in the log, then live, until somebody ends it.

use super::behaviour::Hangup;
use super::flood::{self, Flood, Source};
use super::server::Shared;
use futures_util::{SinkExt, StreamExt};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

/// Messages taken from the log at a time.
const BATCH: usize = 256;
/// The reference server looks for new operations so often.
const TICK: Duration = Duration::from_millis(50);
/// Longest wait for a client to take a close frame.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<MaybeDeaf>;

/// Sends a flood, and between its lumps what the log holds from `place` on, until there is to be no flood any more; then
/// where the log was left, or none when the client left.
async fn flood(socket: &mut TcpStream, shared: &Shared, mut place: u64) -> Option<u64> {
    let mut source: Option<(Flood, Source)> = None;
    let live_from = place;
    loop {
        let now_ms = (shared.now_ms)();
        let (flood, seed, batch, next, newest) = {
            let state = shared.state();
            let style = state.behaviour.style;
            let Some(flood) = state.behaviour.flood else { return Some(place) };
            let (batch, next) = state.log.read(place, live_from, BATCH, style)?;
            let newest = state.log.last_frames(1, style).pop();
            (flood, state.received.upgrades, batch, next, newest)
        };
        place = next;
        if source.as_ref().is_none_or(|(of, _)| *of != flood) {
            source = Some((flood, Source::new(flood, seed, now_ms)));
        }
        let newest = newest.as_ref().and_then(|message| message.to_text().ok());
        let (mut bytes, count) = source.as_mut().map(|(_, source)| source.lump(newest, now_ms)).unwrap_or_default();
        let is_message_open = matches!(flood, Flood::Endless);
        for message in batch.iter().filter(|_| !is_message_open) {
            flood::text(&mut bytes, message.to_text().unwrap_or_default());
        }
        socket.write_all(&bytes).await.ok()?;
        shared.state().received.flooded += count;
    }
}

/// Serves a stream that begins at a place in the log, or only ends it.
pub(super) async fn serve(mut socket: TcpStream, shared: &Arc<Shared>, hears: bool, begin: Result<u64, Hangup>) {
    let mut hangups = shared.hangups.subscribe();
    let begin = match begin {
        Ok(place) => {
            let _open = OpenStream::count(shared);
            match flood(&mut socket, shared, place).await {
                Some(place) => Ok(place),
                None => return,
            }
        }
        Err(hangup) => Err(hangup),
    };
    let mut ws = WebSocketStream::from_raw_socket(MaybeDeaf { socket, hears }, Role::Server, None).await;
    let hangup = match begin {
        Err(hangup) => Some(hangup),
        Ok(place) => {
            let _open = OpenStream::count(shared);
            let (after, how) = {
                let state = shared.state();
                (state.behaviour.disconnect_after, state.behaviour.disconnect_how.clone())
            };
            let scheduled = async {
                match after {
                    Some(after) => tokio::time::sleep(after).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                hangup = talk(&mut ws, shared, place) => hangup,
                hangup = hangups.recv() => hangup.ok(),
                () = scheduled => Some(how),
            }
        }
    };
    end(ws, hangup.unwrap_or(Hangup::Eof)).await;
}

/// Counts a stream as open for as long as it lives.
struct OpenStream<'s>(&'s Shared);

impl OpenStream<'_> {
    fn count(shared: &Shared) -> OpenStream<'_> {
        shared.state().received.open_streams += 1;
        OpenStream(shared)
    }
}

impl Drop for OpenStream<'_> {
    fn drop(&mut self) {
        self.0.state().received.open_streams -= 1;
    }
}

/// Sends what the log holds from `place` on and whatever comes; how to end, or `None` when the client left.
async fn talk(ws: &mut Socket, shared: &Shared, place: u64) -> Option<Hangup> {
    let mut news = shared.news.subscribe();
    let (live_from, ping_every) = {
        let state = shared.state();
        (state.log.end(), state.behaviour.pings_every)
    };
    let mut pings = ping_every.map(tokio::time::interval);
    let mut place = place;
    loop {
        news.borrow_and_update();
        loop {
            let (batch, next) = {
                let state = shared.state();
                if state.behaviour.stalled {
                    break;
                }
                let backlog = state.log.end().saturating_sub(place.max(live_from)) as usize;
                if state.behaviour.burst_limit.is_some_and(|limit| backlog > limit) {
                    return Some(Hangup::CONSUMER_TOO_SLOW);
                }
                match state.log.read(place, live_from, BATCH, state.behaviour.style) {
                    Some(batch) => batch,
                    // The client read so slowly that its place was let go.
                    None => return Some(Hangup::CONSUMER_TOO_SLOW),
                }
            };
            if next == place {
                break;
            }
            for message in batch {
                ws.feed(message).await.ok()?;
            }
            ws.flush().await.ok()?;
            place = next;
        }
        let due = async {
            match &mut pings {
                Some(pings) => drop(pings.tick().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = news.changed() => changed.ok()?,
            () = due => ws.send(Message::Ping(Vec::new().into())).await.ok()?,
            message = ws.next() => match message? {
                Ok(Message::Ping(_)) => shared.state().received.pings += 1,
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            },
        }
        let ticks = shared.state().behaviour.burst_limit.is_some();
        if ticks {
            tokio::time::sleep(TICK).await;
        }
    }
}

async fn end(mut ws: Socket, how: Hangup) {
    match how {
        Hangup::Eof => {}
        Hangup::Reset => {
            let socket = socket2::SockRef::from(&ws.get_ref().socket);
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
        Hangup::Close { code, reason } => {
            let frame = CloseFrame { code: code.into(), reason: reason.into() };
            let closing = async {
                if ws.close(Some(frame)).await.is_ok() {
                    // Reading on until the client ends it keeps the close frame from being lost to a reset.
                    while let Some(Ok(_)) = ws.next().await {}
                }
            };
            let _ = timeout(CLOSE_WITHIN, closing).await;
        }
    }
}

/// A socket that can swallow everything that arrives: its server answers no ping and no close.
struct MaybeDeaf {
    socket: TcpStream,
    hears: bool,
}

impl AsyncRead for MaybeDeaf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.hears {
            return Pin::new(&mut self.socket).poll_read(context, buffer);
        }
        let mut bytes = [0; 1_024];
        loop {
            let mut swallowed = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.socket).poll_read(context, &mut swallowed) {
                Poll::Ready(Ok(())) if !swallowed.filled().is_empty() => {}
                // The end of the stream, an error, or nothing for now.
                other => return other,
            }
        }
    }
}

impl AsyncWrite for MaybeDeaf {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
