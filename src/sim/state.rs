//! Everything about one simulated server that changes, and what becomes of the operations that it is handed.

use super::behaviour::{Alteration, Behaviour, Wire};
use super::garbage::Garbage;
use super::log::{Log, Place};
use super::op::{OpMaker, SimOp};
use super::server::NowMs;
use crate::domain::did::Did;
use crate::domain::frame::MAX_SEQ;
use crate::domain::op::OpKey;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

/// Cursors and export queries remembered for tests.
const MAX_REMEMBERED: usize = 1_000;
/// Delayed operations held; more appear at once.
const MAX_DELAYED: usize = 200_000;

/// What became of a published operation at one server, decided when it was published.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fate {
    /// The operation itself.
    pub outcome: Outcome,
    /// An operation that appears beside it and that the directory never had.
    pub invented: Option<OpKey>,
    /// An operation that streams carry after it under the same number.
    pub rival: Option<OpKey>,
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
    /// It never appears, because one that it follows never did.
    Refused,
    /// No stream carries it; everything else shows it after this time.
    Unstreamed(Duration),
    /// It appears as it is, but after the next one of its DID, and never without that.
    Overtaken,
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
    /// Requests for audit logs and last operations.
    pub audits: u64,
    /// Requests for `/_health`.
    pub healths: u64,
    /// Pings that were read.
    pub pings: u64,
    /// Messages of floods that were written.
    pub flooded: u64,
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
    is_streamed: bool,
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
    /// DIDs of which an operation never appeared, while orphans are refused.
    broken: HashSet<Did>,
    /// Operations that wait for the next one of their DID.
    held: HashMap<Did, Arc<SimOp>>,
    last_due: Option<Instant>,
    rng: StdRng,
    inventor: Option<OpMaker>,
    altered: usize,
    garbage: usize,
    /// Microseconds from publication to appearance of each operation, for the truth about lag.
    pub(super) appeared_us: VecDeque<u32>,
}

impl State {
    pub(super) fn new(behaviour: Behaviour, seed: u64) -> State {
        State {
            log: Log::new(),
            behaviour,
            received: Received::default(),
            delayed: BinaryHeap::new(),
            order: 0,
            broken: HashSet::new(),
            held: HashMap::new(),
            last_due: None,
            rng: StdRng::seed_from_u64(seed),
            inventor: None,
            altered: 0,
            garbage: 0,
            appeared_us: VecDeque::new(),
        }
    }

    /// Decides what becomes of `op` here, and does it or sets its time.
    pub(super) fn accept(&mut self, op: &Arc<SimOp>, now: Instant) -> Outcome {
        let did = op.key.did;
        if self.behaviour.refuses_orphans && self.broken.contains(&did) {
            return Outcome::Refused;
        }
        if self.drops(op) {
            if self.behaviour.refuses_orphans && self.broken.len() < MAX_DELAYED {
                self.broken.insert(did);
            }
            return Outcome::Dropped;
        }
        if self.overtakes(op) {
            return Outcome::Overtaken;
        }
        let delay = self.delay(now);
        let outcome = self.accept_after(op, now, delay);
        if let Some(held) = self.held.remove(&did) {
            self.appear_later(held, now, delay, true);
        }
        outcome
    }

    fn accept_after(&mut self, op: &Arc<SimOp>, now: Instant, delay: Duration) -> Outcome {
        if let Some(left) = self.behaviour.unstreamed_next.checked_sub(1) {
            self.behaviour.unstreamed_next = left;
            self.appear_later(op.clone(), now, delay, false);
            return Outcome::Unstreamed(delay);
        }
        let Some(alteration) = self.alteration(op) else {
            self.appear_later(op.clone(), now, delay, true);
            return Outcome::Delivered(delay);
        };
        let altered = match alteration {
            Alteration::Content => op.with_other_content(),
            Alteration::CreatedAt => op.with_other_created_at(),
            Alteration::Did => op.with_other_did(),
        };
        self.appear_later(Arc::new(altered), now, delay, true);
        Outcome::Altered(alteration, delay)
    }

    /// Whether this operation waits for the next one of its DID.
    fn overtakes(&mut self, op: &Arc<SimOp>) -> bool {
        let waits =
            self.behaviour.overtaken_next > 0 && !self.held.contains_key(&op.key.did) && self.held.len() < MAX_DELAYED;
        if waits {
            self.behaviour.overtaken_next -= 1;
            self.held.insert(op.key.did, op.clone());
        }
        waits
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

    fn appear_later(&mut self, op: Arc<SimOp>, now: Instant, delay: Duration, is_streamed: bool) {
        let order = self.order;
        let delayed = Delayed { due: now + delay, order, published: now, is_streamed, op };
        if delay.is_zero() || self.delayed.len() >= MAX_DELAYED {
            self.appear(delayed, now);
        } else {
            self.order += 1;
            self.delayed.push(Reverse(delayed));
        }
    }

    fn appear(&mut self, Delayed { op, published, is_streamed, .. }: Delayed, now: Instant) {
        self.log.append(op, self.behaviour.numbering, is_streamed, self.behaviour.keep, now);
        if self.appeared_us.len() >= self.behaviour.keep.max(1) {
            self.appeared_us.pop_front();
        }
        self.appeared_us.push_back(u32::try_from((now - published).as_micros()).unwrap_or(u32::MAX));
    }

    /// Lets everything appear whose time has come; whether there was any, and the time of the next one.
    pub(super) fn release(&mut self, now: Instant) -> (bool, Option<Instant>) {
        let mut released = false;
        while let Some(Reverse(next)) = self.delayed.peek() {
            if next.due > now {
                return (released, Some(next.due));
            }
            if let Some(Reverse(ready)) = self.delayed.pop() {
                self.appear(ready, now);
                released = true;
            }
        }
        (released, None)
    }

    pub(super) fn invent(&mut self, now_ms: &NowMs, seed: u64, now: Instant) -> Option<OpKey> {
        if !self.happens(self.behaviour.invent_share) {
            return None;
        }
        let inventor = self.inventor.get_or_insert_with(|| OpMaker::new(!seed));
        let mut op = (*inventor.next(now_ms())).clone();
        // Wherever it stands, it follows what is there.
        op.seq = 0;
        let key = op.key;
        let delay = self.delay(now);
        self.appear_later(Arc::new(op), now, delay, true);
        Some(key)
    }

    /// Has streams carry another operation under the number of the newest one.
    pub(super) fn equivocate(&mut self, op: &SimOp) -> Option<OpKey> {
        self.behaviour.equivocate_next = self.behaviour.equivocate_next.checked_sub(1)?;
        let rival = op.with_broken_signature();
        let frame = Message::text(rival.message_text(self.log.last_seq(), self.behaviour.style));
        self.log.append_odd(frame, self.behaviour.keep);
        Some(rival.key)
    }

    pub(super) fn add_odd_frames(&mut self, op: &SimOp) {
        let (keep, style) = (self.behaviour.keep, self.behaviour.style);
        if self.happens(self.behaviour.duplicate_share) {
            for frame in self.log.last_frames(1, style) {
                self.log.append_odd(frame, keep);
            }
        }
        if let Some(left) = self.behaviour.poison_next.checked_sub(1) {
            self.behaviour.poison_next = left;
            self.log.append_odd(Message::text(op.message_text(MAX_SEQ, style)), keep);
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
            // Records that there are not yet are waited for.
            Some(cursor) if self.behaviour.style.wire == Wire::Bundle => {
                self.log.place_of(cursor.min(self.log.last_seq()), 0)
            }
            Some(cursor) => self.log.place_of(cursor, self.behaviour.oldest_cursor),
            None => Place::At(self.log.before_end(self.behaviour.replay_on_connect)),
        }
    }
}
