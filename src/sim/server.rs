//! One simulated server: a directory or a mirror of it, listening on a loopback port of its own.
//!
//! Operations are handed to it with [`Directory::publish`]; what becomes of them there its [`Behaviour`] decides, by a
//! random generator of its own, and the [`Fate`] tells. Stopping keeps what it has: it is the same server when it
//! starts again, on the same port.

use super::behaviour::{Behaviour, Hangup};
use super::log::Deed;
use super::op::SimOp;
use super::request;
use super::state::State;
pub use super::state::{Fate, Outcome, Received};
use crate::domain::cid::Cid;
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

/// UTC in milliseconds since 1970, from whoever owns a clock.
pub type NowMs = Arc<dyn Fn() -> i64 + Send + Sync>;

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
        let state = State::new(behaviour, seed);
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
            let rival = state.equivocate(op);
            state.add_odd_frames(op);
            Fate { outcome, invented, rival }
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

    /// Nullifies an operation, which audit logs alone show; whether it is there.
    pub fn nullify(&self, cid: Cid) -> bool {
        self.shared.state().log.alter(cid, Deed::Nullify)
    }

    /// Takes an operation out of everything that it shows; whether it was there.
    pub fn withdraw(&self, cid: Cid) -> bool {
        self.shared.state().log.alter(cid, Deed::Withdraw)
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
