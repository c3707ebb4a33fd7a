//! The reader of one connection: takes what arrives, in batches, pings, and proves silence.
//!
//! Not an actor: a mailbox is drained completely before an actor's timers run, and a stamp must not wait for that. It has
//! one message under way at a time, so that a stream actor that is busy stops the reading, and the socket fills instead
//! of our memory; when that takes long, our stamps are late and the span is told as such.

mod backlog;
mod noise;

use super::message::{Read, ReadEnd, ReaderLate};
use crate::domain::proof::{PingProof, Pulse};
use crate::domain::time::{MS, Tau, US};
use crate::ports::clock::Clock;
use crate::ports::fail_point::FailPoints;
use crate::ports::stamped::ReadStamps;
use crate::ports::stream_reader::{Batch, StreamEnd, StreamReader};
use crate::ports::tcp_info::TcpHandle;
use actix::Recipient;
use backlog::Backlog;
use noise::Noise;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Messages taken at once.
const BATCH_MAX: usize = 256;
/// How often a connection is looked at.
const PULSE: Duration = Duration::from_millis(250);
/// The same while it is young, so that its window opens soon.
const PULSE_YOUNG: Duration = Duration::from_millis(20);
/// How long a connection is young, in pulses.
const YOUNG_PULSES: u32 = 50;
/// A wait for our own parts beyond which what was stamped in it is late, nanoseconds.
const LATE_NS: i64 = 200 * MS;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(200);

/// The notes of every live reader, for whoever must know when all have caught up.
#[derive(Clone, Debug, Default)]
pub struct Readers(Arc<Mutex<Vec<Weak<ReadStamps>>>>);

impl Readers {
    fn add(&self, stamps: &Arc<ReadStamps>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|s| s.strong_count() > 0);
        all.push(Arc::downgrade(stamps));
    }

    /// Whether every live reader has found nothing more to read since `since`.
    #[must_use]
    pub fn are_drained_since(&self, since: Tau) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter_map(Weak::upgrade).all(|s| {
            // A reader that has read nothing since has nothing to catch up with either; one that is to read slowly never
            // will, and what it finds there is told with how long it may have been there.
            s.is_behind() || s.emptied().is_some_and(|at| at >= since) || s.last_read().is_none_or(|at| at < since)
        })
    }
}

/// What a reader needs.
pub struct ReaderTask {
    /// Number of the connection.
    pub epoch: u64,
    /// The connection.
    pub reader: StreamReader,
    /// Its socket.
    pub tcp: TcpHandle,
    /// Its stream actor.
    pub to: Recipient<Read>,
    /// Told when our own parts made the reading wait.
    pub late: Recipient<ReaderLate>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The notes of all readers.
    pub readers: Readers,
    /// Ends the connection.
    pub stop: CancellationToken,
    /// Id of the source.
    pub id: String,
    /// Where tests make it fail.
    pub fail: FailPoints,
}

/// A reader at work.
struct Reading {
    task: ReaderTask,
    began: Tau,
    is_paused: bool,
    lag: Backlog,
    noise: Noise,
}

/// What follows from what was told.
enum Told {
    /// Nobody listens any more, or there is no more to tell.
    Over,
    /// Nothing is to be read for so many nanoseconds.
    Pause(i64),
}

impl ReaderTask {
    /// Reads until the stream ends or is told to stop.
    pub async fn run(self) {
        self.readers.add(self.reader.stamps());
        let began = self.clock.now();
        let lag = Backlog::new(began);
        Reading { task: self, began, is_paused: false, lag, noise: Noise::default() }.run().await;
    }
}

impl Reading {
    async fn run(mut self) {
        let mut proof = PingProof::default();
        let mut pulses = 0_u32;
        let mut next_pulse = tokio::time::Instant::now();
        let mut resume = next_pulse;
        loop {
            let told = tokio::select! {
                biased;
                () = self.task.stop.cancelled() => {
                    self.task.reader.close(1001, GOODBYE).await;
                    return;
                }
                () = tokio::time::sleep_until(next_pulse) => {
                    next_pulse = tokio::time::Instant::now() + if pulses < YOUNG_PULSES { PULSE_YOUNG } else { PULSE };
                    pulses = pulses.saturating_add(1);
                    self.pulse(&mut proof).await
                }
                () = tokio::time::sleep_until(resume), if self.is_paused => {
                    self.is_paused = false;
                    self.lag.resumed(self.task.clock.now());
                    continue;
                }
                batch = self.task.reader.next_batch(BATCH_MAX), if !self.is_paused => self.pass_on(batch).await,
            };
            match told {
                Told::Over => return,
                Told::Pause(ns) if ns > 0 => {
                    resume = tokio::time::Instant::now() + Duration::from_nanos(ns as u64);
                    self.is_paused = true;
                    self.lag.paused();
                    self.task.reader.stamps().set_behind(true);
                }
                Told::Pause(_) => {}
            }
        }
    }

    /// What tells nothing yet.
    fn nothing(&self) -> Read {
        Read {
            epoch: self.task.epoch,
            messages: Vec::new(),
            proved: None,
            alive_at: None,
            tcp_info_rtt: None,
            noise_bytes: 0,
            behind_ns: 0,
            end: None,
        }
    }

    /// How a stream ended: what stays unacknowledged is dead, whoever noticed it first.
    fn ended(&self, end: StreamEnd) -> ReadEnd {
        if end == StreamEnd::Unacknowledged { self.dead() } else { ReadEnd::Stream(end) }
    }

    fn dead(&self) -> ReadEnd {
        let last = self.task.reader.stamps().last_read().unwrap_or(self.began);
        ReadEnd::Dead { silent_ns: self.task.clock.now().since(last) }
    }

    /// Passes a batch on.
    async fn pass_on(&mut self, batch: Batch) -> Told {
        self.task.fail.reach("reader", &self.task.id);
        let is_over = batch.end.is_some();
        // A batch that was cut proves only what is in it: up to its last message.
        let proved =
            if batch.drained_at.is_some() { batch.last_read } else { batch.messages.last().map(|m| m.at.plus(-1)) };
        if let Some(at) = batch.drained_at {
            self.lag.drained(at);
        }
        let read = Read {
            behind_ns: self.lag.behind_ns(self.task.clock.now()),
            noise_bytes: self.noise.of(self.task.reader.stamps().bytes(), &batch.messages),
            messages: batch.messages,
            proved: proved.filter(|_| !self.lag.is_behind()),
            end: batch.end.map(|end| self.ended(end)),
            ..self.nothing()
        };
        self.send(read, is_over).await
    }

    /// One look at the connection.
    async fn pulse(&mut self, proof: &mut PingProof) -> Told {
        let now = self.task.clock.now();
        let info = if proof.is_waiting() { self.task.tcp.info() } else { None };
        let is_acked = info.as_ref().is_some_and(crate::ports::tcp_info::TcpInfo::all_acked);
        let mut read = Read { noise_bytes: self.noise.of(self.task.reader.stamps().bytes(), &[]), ..self.nothing() };
        match proof.pulse(now, is_acked, self.task.reader.prove_drained().is_some()) {
            Pulse::Rest => {}
            Pulse::Ping => match self.task.reader.send_ping() {
                Ok(sent) => proof.pinged(sent.unwrap_or(now)),
                Err(end) => read.end = Some(self.ended(end)),
            },
            Pulse::Alive => read.alive_at = Some(now),
            Pulse::Proved(through) => {
                read.proved = self.lag.proves(through).then_some(through);
                self.task.reader.stamps().set_behind(self.lag.is_behind());
            }
            Pulse::Dead => read.end = Some(self.dead()),
        }
        let is_news = read.end.is_some() || read.alive_at.is_some() || read.proved.is_some() || read.noise_bytes > 0;
        if !is_news {
            return Told::Pause(0);
        }
        read.tcp_info_rtt = info.filter(|i| i.rtt_us > 0).map(|i| (now, i64::from(i.rtt_us) * US));
        let is_over = read.end.is_some();
        self.send(read, is_over).await
    }

    /// Sends and waits until it is in the ledger.
    async fn send(&self, read: Read, is_over: bool) -> Told {
        let begun = self.task.clock.now();
        let result = self.task.to.send(read).await;
        let ended = self.task.clock.now();
        if ended.since(begun) > LATE_NS {
            // What arrived meanwhile is stamped when it is read, which is after this.
            let told = self.task.late.try_send(ReaderLate { from: begun, to: Some(ended.plus(LATE_NS)) });
            if told.is_err() {
                tracing::warn!(
                    late_ms = ended.since(begun) / MS,
                    "the collector is too busy to be told that it is late"
                );
            }
        }
        match result {
            Ok(pause) if !is_over => Told::Pause(pause.live_ns),
            _ => Told::Over,
        }
    }
}
