//! DIDs that the primary published about lately: what a host of which nothing is known can be asked about.

use crate::domain::did::Did;
use crate::domain::op::{Kind, Op};
use crate::domain::time::Tau;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// DIDs that are remembered.
const KNOWN_MAX: usize = 120;
/// A mirror should know a DID after so many times of the longest grace: one that takes its time is not one without logs.
const GRACES: i64 = 6;
/// DIDs that are remembered of that time at most, so that there are some which are older.
const KNOWN_UNSETTLED: i64 = 60;

/// DIDs of [`KnownDids::settled`] at most.
pub const ASKED_MAX: usize = 4;

/// The latest DIDs, shared by everyone who asks hosts; the very first one stays at the front.
#[derive(Clone, Debug)]
pub struct KnownDids {
    dids: Arc<Mutex<VecDeque<(Tau, Did)>>>,
    /// A mirror should know a DID after this, nanoseconds.
    settled_ns: i64,
}

impl KnownDids {
    /// None yet, of mirrors that have `grace_max_ns` at most until they miss an operation.
    #[must_use]
    pub fn new(grace_max_ns: i64) -> KnownDids {
        KnownDids { dids: Arc::default(), settled_ns: GRACES.saturating_mul(grace_max_ns) }
    }

    /// Notes an operation of the primary.
    pub fn note(&self, op: &Op, at: Tau) {
        if op.kind == Kind::Tombstone {
            return;
        }
        let mut known = self.dids.lock().unwrap_or_else(PoisonError::into_inner);
        if known.back().is_some_and(|last| at.since(last.0) < self.settled_ns / KNOWN_UNSETTLED) {
            return;
        }
        if known.len() == KNOWN_MAX {
            // The first one stays: a mirror that is far behind has that at least.
            known.remove(1);
        }
        known.push_back((at, op.key.did));
    }

    /// The newest one that every mirror should know by now, or the oldest one, and whether a mirror should know it.
    #[must_use]
    pub fn pick(&self, now: Tau) -> Option<(Did, bool)> {
        let known = self.dids.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = known.iter().rev().find(|d| now.since(d.0) >= self.settled_ns).map(|d| (d.1, true));
        settled.or_else(|| known.front().map(|d| (d.1, false)))
    }

    /// Some that every mirror should know by now, the newest first and the first one ever last: at most [`ASKED_MAX`].
    #[must_use]
    pub fn settled(&self, now: Tau) -> Vec<Did> {
        let known = self.dids.lock().unwrap_or_else(PoisonError::into_inner);
        let settled: Vec<Did> = known.iter().take_while(|d| now.since(d.0) >= self.settled_ns).map(|d| d.1).collect();
        let last = settled.len().saturating_sub(1);
        let mut places: Vec<usize> = (0..ASKED_MAX).rev().map(|n| last * n / (ASKED_MAX - 1)).collect();
        places.dedup();
        places.into_iter().filter_map(|place| settled.get(place).copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::op::OpKey;
    use crate::domain::time::SECOND;

    #[test]
    fn the_newest_that_every_mirror_should_know_is_picked() {
        let known = KnownDids::new(10 * SECOND);
        assert_eq!(known.pick(Tau(0)), None);
        for n in 0..200_u8 {
            let kind = if n == 9 { Kind::Tombstone } else { Kind::Update };
            let key = OpKey { did: Did([n; 15]), cid: Cid([n; 32]) };
            known.note(&Op { key, kind, created_ms: 0, seq: None, prev: None }, Tau(i64::from(n) * SECOND));
            if n == 5 {
                assert_eq!(known.pick(Tau(5 * SECOND)), Some((Did([0; 15]), false)));
            }
        }
        assert_eq!(known.pick(Tau(199 * SECOND)), Some((Did([139; 15]), true)));
        let settled = known.settled(Tau(199 * SECOND));
        assert_eq!((settled.len(), settled[0], settled[3]), (ASKED_MAX, Did([139; 15]), Did([0; 15])), "far apart");
        assert_eq!(KnownDids::new(0).settled(Tau(0)), []);
    }
}
