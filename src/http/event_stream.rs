//! What all streams of server-sent events have in common: their headers, and what happens while there is nothing to tell.

use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use bytes::Bytes;
use futures_util::Stream;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::sockets::Seat;
use super::state::HttpState;
use crate::ports::memory::Pressure;

/// Media type of the streams.
pub const EVENT_STREAM: &str = "text/event-stream";
/// When nothing was sent for so long a comment is, so that nobody on the way takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often it is looked whether memory is short.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where a reader that comes back says what it had last.
pub static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
static ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The answer that is a stream of these.
pub fn respond<S, E>(events: S) -> HttpResponse
where
    S: Stream<Item = Result<Bytes, E>> + 'static,
    E: Into<Box<dyn Error>> + 'static,
{
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM)))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header((ACCEL_BUFFERING.clone(), HeaderValue::from_static("no")))
        .streaming(events)
}

/// The answer to HEAD, whose body is read to its end too: the same without events.
pub fn respond_to_head() -> HttpResponse {
    respond(futures_util::stream::empty::<Result<Bytes, Infallible>>())
}

/// What a reader is to be told next.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Turn {
    /// There may be something to tell.
    News,
    /// That the connection is there still.
    Silence,
    /// Nothing more, for this reason.
    Over(&'static str),
}

/// The waiting of one reader, and its place among the open connections.
pub struct Waiting {
    shutdown: CancellationToken,
    pressure: Pressure,
    seat: Seat,
    sent_at: Instant,
}

impl Waiting {
    /// A stream that opens now and counts as the `seat` says.
    pub fn new(state: &HttpState, seat: Seat) -> Waiting {
        Waiting { shutdown: state.shutdown.clone(), pressure: state.pressure.clone(), seat, sent_at: Instant::now() }
    }

    /// Something is sent now.
    pub fn sent(&mut self) {
        self.sent_at = Instant::now();
    }

    /// What there is to do without any news.
    pub fn look(&self) -> Option<Turn> {
        let now = Instant::now();
        if self.shutdown.is_cancelled() {
            return Some(Turn::Over("restarting"));
        }
        if self.pressure.drops_readers() && self.seat.is_given_up(now) {
            return Some(Turn::Over("overloaded"));
        }
        (now.duration_since(self.sent_at) >= KEEP_ALIVE).then_some(Turn::Silence)
    }

    /// Waits for `news`, which say whether there can be more of them. What was news and is interrupted is not lost: whoever is
    /// told of silence looks whether there is something to tell first.
    pub async fn wait(&self, news: impl Future<Output = bool>) -> Turn {
        let mut news = pin!(news);
        loop {
            if let Some(turn) = self.look() {
                return turn;
            }
            tokio::select! {
                () = self.shutdown.cancelled() => {}
                are_there = &mut news => return if are_there { Turn::News } else { Turn::Over("restarting") },
                () = sleep_until((self.sent_at + KEEP_ALIVE).min(Instant::now() + LOOK_EVERY)) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::tests::world;
    use std::future::pending;
    use tokio::time::sleep;

    #[actix_web::test]
    async fn silence_is_counted_from_what_was_sent_last_whatever_else_changes() {
        let world = world();
        tokio::time::pause();
        let seat = world.state.sockets.sit("192.0.2.1".parse().unwrap(), false).unwrap();
        let (mut waiting, began) = (Waiting::new(&world.state, seat), Instant::now());
        let mut news = 0;
        while waiting
            .wait(async {
                sleep(Duration::from_secs(2)).await;
                true
            })
            .await
            == Turn::News
        {
            news += 1;
        }
        assert_eq!((news, began.elapsed().as_secs()), (7, 15), "news that tell this reader nothing");
        assert_eq!(waiting.wait(pending()).await, Turn::Silence, "until something is sent");
        waiting.sent();
        let began = Instant::now();
        assert_eq!((waiting.wait(pending()).await, began.elapsed().as_secs()), (Turn::Silence, 15));
        assert_eq!(waiting.wait(async { false }).await, Turn::Silence);
        waiting.sent();
        assert_eq!(waiting.wait(async { false }).await, Turn::Over("restarting"), "nothing more can come");
        world.state.shutdown.cancel();
        assert_eq!(waiting.wait(pending()).await, Turn::Over("restarting"));
    }

    #[actix_web::test]
    async fn who_waits_is_given_up_within_seconds_while_memory_is_short() {
        let world = world();
        tokio::time::pause();
        let seat = || world.state.sockets.sit("192.0.2.1".parse().unwrap(), true).unwrap();
        let (oldest, newer) = (Waiting::new(&world.state, seat()), Waiting::new(&world.state, seat()));
        let pressure = world.state.pressure.clone();
        let began = Instant::now();
        let short = async {
            sleep(Duration::from_secs(3)).await;
            pressure.set(90);
            pending::<()>().await;
        };
        let turn = tokio::select! {
            turn = oldest.wait(pending()) => turn,
            () = short => Turn::News,
        };
        assert!(turn == Turn::Over("overloaded") && (3..=4).contains(&began.elapsed().as_secs()), "{turn:?}");
        assert_eq!(newer.look(), None, "the oldest first");
        drop(oldest);
        assert_eq!(newer.wait(pending()).await, Turn::Over("overloaded"));
    }
}
