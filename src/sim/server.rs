//! One simulated server: a directory or a mirror of it, listening on a loopback port of its own.
//!
//! Operations are handed to it with [`Directory::publish`]; what becomes of them there its [`Behaviour`] decides, by a
//! random generator of its own, and the [`Fate`] tells. Stopping keeps what it has: it is the same server when it
//! starts again, on the same port.

use super::behaviour::{Alteration, Behaviour, Hangup};
use super::garbage::Garbage;
use super::log::{Log, Place};
use super::op::{OpMaker, SimOp};
use super::request;
use crate::domain::op::OpKey;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Connections served at a time; more are closed at once.
const MAX_CONNECTIONS: usize = 1_024;
/// Cursors and export queries remembered for tests.
const MAX_REMEMBERED: usize = 1_000;
/// Delayed operations held; more appear at once.
const MAX_DELAYED: usize = 200_000;

/// UTC in milliseconds since 1970, from whoever owns a clock.
pub type NowMs = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What became of a published operation at one server, decided when it was published.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fate {
    /// The operation itself.
    pub outcome: Outcome,
    /// An operation that appears beside it and that the directory never had.
    pub invented: Option<OpKey>,
}

/// What became of the operation itself.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It appears as it is, after this time.
    Delivered(Duration),
    /// It appears otherwise than it is, after this time.
    Altered(Alteration, Duration),
    /// It never appears.
    Dropped,
}

/// What a server was asked.
#[derive(Clone, Default, Debug)]
pub struct Received {
    /// TCP connections.
    pub connections: u64,
    /// Requests to upgrade, whatever came of them.
    pub upgrades: u64,
    /// Streams open now.
    pub open_streams: u64,
    /// The cursors of upgrades, the last thousand.
    pub cursors: VecDeque<Option<String>>,
    /// The query strings of `/export`, the last thousand.
    pub exports: VecDeque<String>,
    /// Requests for audit logs.
    pub audits: u64,
    /// Requests for `/_health`.
    pub healths: u64,
    /// Pings that were read.
    pub pings: u64,
}

impl Received {
    pub(super) fn remember<T>(list: &mut VecDeque<T>, item: T) {
        if list.len() >= MAX_REMEMBERED {
            list.pop_front();
        }
        list.push_back(item);
    }
}

/// An operation that waits for its time.
struct Delayed {
    due: Instant,
    order: u64,
    published: Instant,
    op: Arc<SimOp>,
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Delayed) -> bool {
        (self.due, self.order) == (other.due, other.order)
    }
}

impl Eq for Delayed {}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Delayed) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Delayed {
    fn cmp(&self, other: &Delayed) -> std::cmp::Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}

/// Everything that changes.
pub(super) struct State {
    pub(super) log: Log,
    pub(super) behaviour: Behaviour,
    pub(super) received: Received,
    delayed: BinaryHeap<Reverse<Delayed>>,
    order: u64,
    last_due: Option<Instant>,
    rng: StdRng,
    inventor: Option<OpMaker>,
    altered: usize,
    garbage: usize,
    /// Microseconds from publication to appearance of each operation, for the truth about lag.
    appeared_us: VecDeque<u32>,
}

/// What the tasks of one server share.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Changes whenever a stream may have something to do.
    pub(super) news: watch::Sender<u64>,
    pub(super) hangups: broadcast::Sender<Hangup>,
    wake_delayer: Notify,
    pub(super) now_ms: NowMs,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self) {
        self.news.send_modify(|version| *version += 1);
    }
}

/// A running server; clones are handles to the same one, and the last of them takes it down.
#[derive(Clone)]
pub struct Directory {
    shared: Arc<Shared>,
    address: SocketAddr,
    run: Arc<Mutex<Run>>,
    seed: u64,
    _life: Arc<DropGuard>,
    life: CancellationToken,
}

/// One span from start to stop.
struct Run {
    token: CancellationToken,
    tasks: TaskTracker,
}

impl Directory {
    /// Starts a server on a free loopback port, on the current runtime.
    ///
    /// # Errors
    /// When the port cannot be bound.
    pub fn spawn(behaviour: Behaviour, seed: u64, now_ms: NowMs) -> io::Result<Directory> {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let state = State {
            log: Log::new(),
            behaviour,
            received: Received::default(),
            delayed: BinaryHeap::new(),
            order: 0,
            last_due: None,
            rng: StdRng::seed_from_u64(seed),
            inventor: None,
            altered: 0,
            garbage: 0,
            appeared_us: VecDeque::new(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            news: watch::Sender::new(0),
            hangups: broadcast::Sender::new(4),
            wake_delayer: Notify::new(),
            now_ms,
        });
        let life = CancellationToken::new();
        let run = Arc::new(Mutex::new(Run { token: life.child_token(), tasks: TaskTracker::new() }));
        let directory =
            Directory { shared, address, run, seed, _life: Arc::new(life.clone().drop_guard()), life: life.clone() };
        tokio::spawn(delayer(directory.shared.clone(), life));
        directory.serve(listener);
        Ok(directory)
    }

    /// `ws://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes how it behaves from now on.
    pub fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.state().behaviour);
        self.shared.announce();
    }

    /// What it was asked so far.
    #[must_use]
    pub fn received(&self) -> Received {
        self.shared.state().received.clone()
    }

    /// The number of its newest operation, 0 without one.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.shared.state().log.last_seq()
    }

    /// Microseconds from publication to appearance of the operations that appeared last, in that order.
    #[must_use]
    pub fn appeared_us(&self) -> Vec<u32> {
        self.shared.state().appeared_us.iter().copied().collect()
    }

    /// Hands it an operation and tells what becomes of it.
    pub fn publish(&self, op: &Arc<SimOp>) -> Fate {
        let now = Instant::now();
        let fate = {
            let mut state = self.shared.state();
            let outcome = state.accept(op, now);
            let invented = state.invent(&self.shared.now_ms, self.seed, now);
            state.add_odd_frames(op);
            Fate { outcome, invented }
        };
        self.shared.announce();
        self.shared.wake_delayer.notify_one();
        fate
    }

    /// Sends this to every live stream, as it is.
    pub fn send_raw(&self, frame: Message) {
        {
            let mut state = self.shared.state();
            let keep = state.behaviour.keep;
            state.log.append_odd(frame, keep);
        }
        self.shared.announce();
    }

    /// Sends the last `count` operations to every live stream once more.
    pub fn replay(&self, count: usize) {
        {
            let mut state = self.shared.state();
            let (keep, style) = (state.behaviour.keep, state.behaviour.style);
            for frame in state.log.last_frames(count, style) {
                state.log.append_odd(frame, keep);
            }
        }
        self.shared.announce();
    }

    /// Forgets every operation and counts on from `seq`, as after its database was made anew.
    pub fn begin_again(&self, seq: u64) {
        self.shared.state().log.begin_again(seq);
        self.shared.announce();
    }

    /// Ends every open stream; returns how many there were.
    pub fn kill_connections(&self, how: Hangup) -> usize {
        self.shared.hangups.send(how).unwrap_or_default()
    }

    /// Stops listening and drops every connection, as when the process ends; does nothing when stopped.
    pub async fn stop(&self) {
        let tasks = {
            let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
            run.token.cancel();
            run.tasks.close();
            run.tasks.clone()
        };
        tasks.wait().await;
    }

    /// Listens again on the same port, with all that it had.
    ///
    /// # Errors
    /// When the port cannot be bound, also because it was not stopped.
    pub fn start_again(&self) -> io::Result<()> {
        let listener = listen(self.address)?;
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) =
            Run { token: self.life.child_token(), tasks: TaskTracker::new() };
        self.serve(listener);
        Ok(())
    }

    fn serve(&self, listener: TcpListener) {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        run.tasks.spawn(accept(listener, self.shared.clone(), run.token.clone(), run.tasks.clone()));
    }
}

impl State {
    /// Decides what becomes of `op` here, and does it or sets its time.
    fn accept(&mut self, op: &Arc<SimOp>, now: Instant) -> Outcome {
        if self.drops(op) {
            return Outcome::Dropped;
        }
        let delay = self.delay(now);
        let Some(alteration) = self.alteration(op) else {
            self.appear_later(op.clone(), now, delay);
            return Outcome::Delivered(delay);
        };
        let altered = match alteration {
            Alteration::Content => op.with_other_content(),
            Alteration::CreatedAt => op.with_other_created_at(),
            Alteration::Did => op.with_other_did(),
        };
        self.appear_later(Arc::new(altered), now, delay);
        Outcome::Altered(alteration, delay)
    }

    fn drops(&mut self, op: &SimOp) -> bool {
        if self.behaviour.drop_next > 0 {
            self.behaviour.drop_next -= 1;
            return true;
        }
        self.behaviour.drop_cids.contains(&op.key.cid) || self.happens(self.behaviour.drop_share)
    }

    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.rng.random_bool(share.min(1.0))
    }

    fn alteration(&mut self, op: &SimOp) -> Option<Alteration> {
        if self.behaviour.alterations.is_empty() || !self.happens(self.behaviour.alter_share) {
            return None;
        }
        let turn = self.altered % self.behaviour.alterations.len();
        self.altered += 1;
        match self.behaviour.alterations.get(turn).copied()? {
            Alteration::Did if op.is_genesis() => Some(Alteration::Content),
            other => Some(other),
        }
    }

    fn delay(&mut self, now: Instant) -> Duration {
        let delay = self.behaviour.delay;
        let ms = if self.happens(delay.straggler_share) {
            delay.straggler_ms
        } else {
            let jitter = self.rng.random_range(0..=2 * delay.jitter_ms);
            (delay.fixed_ms + jitter).saturating_sub(delay.jitter_ms)
        };
        let mut due = now + Duration::from_millis(ms);
        if delay.keep_order {
            due = self.last_due.map_or(due, |last| last.max(due));
            self.last_due = Some(due);
        }
        due - now
    }

    fn appear_later(&mut self, op: Arc<SimOp>, now: Instant, delay: Duration) {
        if delay.is_zero() || self.delayed.len() >= MAX_DELAYED {
            self.appear(op, now, now);
        } else {
            self.order += 1;
            self.delayed.push(Reverse(Delayed { due: now + delay, order: self.order, published: now, op }));
        }
    }

    fn appear(&mut self, op: Arc<SimOp>, published: Instant, now: Instant) {
        self.log.append(op, self.behaviour.numbering, self.behaviour.keep, now);
        if self.appeared_us.len() >= self.behaviour.keep.max(1) {
            self.appeared_us.pop_front();
        }
        self.appeared_us.push_back(u32::try_from((now - published).as_micros()).unwrap_or(u32::MAX));
    }

    /// Lets everything appear whose time has come; whether there was any, and the time of the next one.
    fn release(&mut self, now: Instant) -> (bool, Option<Instant>) {
        let mut released = false;
        while let Some(Reverse(next)) = self.delayed.peek() {
            if next.due > now {
                return (released, Some(next.due));
            }
            if let Some(Reverse(ready)) = self.delayed.pop() {
                self.appear(ready.op, ready.published, now);
                released = true;
            }
        }
        (released, None)
    }

    fn invent(&mut self, now_ms: &NowMs, seed: u64, now: Instant) -> Option<OpKey> {
        if !self.happens(self.behaviour.invent_share) {
            return None;
        }
        let inventor = self.inventor.get_or_insert_with(|| OpMaker::new(!seed));
        let mut op = (*inventor.next(now_ms())).clone();
        // Wherever it stands, it follows what is there.
        op.seq = 0;
        let key = op.key;
        let delay = self.delay(now);
        self.appear_later(Arc::new(op), now, delay);
        Some(key)
    }

    fn add_odd_frames(&mut self, op: &SimOp) {
        let (keep, style) = (self.behaviour.keep, self.behaviour.style);
        if self.happens(self.behaviour.duplicate_share) {
            for frame in self.log.last_frames(1, style) {
                self.log.append_odd(frame, keep);
            }
        }
        if self.happens(self.behaviour.garbage_share) {
            let kind = Garbage::ALL.get(self.garbage % Garbage::ALL.len()).copied().unwrap_or(Garbage::Cut);
            self.garbage += 1;
            self.log.append_odd(kind.frame(op, self.log.last_seq() + 1), keep);
        }
    }

    /// Where a stream begins.
    pub(super) fn place_of(&self, cursor: Option<u64>) -> Place {
        match cursor {
            Some(cursor) => self.log.place_of(cursor, self.behaviour.oldest_cursor),
            None => Place::At(self.log.before_end(self.behaviour.replay_on_connect)),
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // A port whose connections are still closing can be taken again.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1_024)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, token: CancellationToken, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = token.cancelled() => return,
        };
        let Ok((socket, _)) = accepted else {
            // Out of files, most likely: closing connections will free some.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        shared.state().received.connections += 1;
        if tasks.len() <= MAX_CONNECTIONS {
            let (shared, token) = (shared.clone(), token.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = request::serve(socket, shared) => {}
                    () = token.cancelled() => {}
                }
            });
        }
    }
}

/// Lets delayed operations appear, each at its time.
async fn delayer(shared: Arc<Shared>, life: CancellationToken) {
    loop {
        let (released, next) = shared.state().release(Instant::now());
        if released {
            shared.announce();
        }
        let due = async {
            match next {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = shared.wake_delayer.notified() => {}
            () = life.cancelled() => return,
        }
    }
}
