//! How many connections of a kind there are, in all and of each client: live sockets, and all of them. A [`Seat`] is one; dropping it gives it back.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};

use tokio::time::Instant;

use super::client_address::limit_key;
use super::problem::Problem;

/// How often it is reckoned how many are to be given up.
const GIVE_UP_EVERY: Duration = Duration::from_millis(900);
/// Seconds after which a refused client may try again.
const RETRY_AFTER_S: u64 = 10;

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    /// The numbers of the open ones that are not given up, and the next.
    numbers: BTreeSet<u64>,
    next: u64,
    /// When it was last reckoned which are to be given up, and those that are still open.
    reckoned_at: Option<Instant>,
    given_up: BTreeSet<u64>,
    by_client: HashMap<u128, usize>,
}

/// See the module's words. The map holds only clients with an open socket, so `total_max` bounds it.
#[derive(Debug)]
pub struct Sockets {
    total_max: usize,
    per_client_max: usize,
    counts: Mutex<Counts>,
}

/// One open socket.
#[derive(Debug)]
pub struct Seat {
    sockets: Arc<Sockets>,
    key: u128,
    number: u64,
}

impl Seat {
    /// Whether this one is to be given up at `now`, where some have to be: the oldest eighth of the open ones in a second, one
    /// at least. One that does not ask, because its peer takes nothing, keeps none of the others open.
    pub fn is_given_up(&self, now: Instant) -> bool {
        self.sockets.with(|counts| {
            if counts.reckoned_at.is_none_or(|at| now.duration_since(at) >= GIVE_UP_EVERY) {
                counts.reckoned_at = Some(now);
                for _ in 0..=counts.numbers.len() / 8 {
                    counts.given_up.extend(counts.numbers.pop_first());
                }
            }
            counts.given_up.contains(&self.number)
        })
    }
}

impl Sockets {
    /// No sockets yet.
    pub fn new(total_max: usize, per_client_max: usize) -> Self {
        Sockets { total_max, per_client_max, counts: Mutex::default() }
    }

    /// Open sockets.
    pub fn open(&self) -> usize {
        self.with(|counts| counts.total)
    }

    /// Takes a seat; a client that `is_exempt` counts against the total only.
    ///
    /// # Errors
    /// 429 `too_many_sockets`.
    pub fn sit(self: &Arc<Self>, client: IpAddr, is_exempt: bool) -> Result<Seat, Problem> {
        let key = limit_key(client);
        let number = self.with(|counts| {
            if counts.total >= self.total_max {
                return Err(refusal("in all", self.total_max));
            }
            let held = counts.by_client.get(&key).copied().unwrap_or(0);
            if held >= self.per_client_max && !is_exempt {
                return Err(refusal("for one address", self.per_client_max));
            }
            counts.total += 1;
            counts.by_client.insert(key, held + 1);
            counts.next += 1;
            counts.numbers.insert(counts.next);
            Ok(counts.next)
        })?;
        Ok(Seat { sockets: Arc::clone(self), key, number })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Counts) -> T) -> T {
        f(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.sockets.with(|counts| {
            counts.total = counts.total.saturating_sub(1);
            counts.numbers.remove(&self.number);
            counts.given_up.remove(&self.number);
            let left = counts.by_client.get(&self.key).copied().unwrap_or(0).saturating_sub(1);
            if left == 0 {
                counts.by_client.remove(&self.key);
            } else {
                counts.by_client.insert(self.key, left);
            }
        });
    }
}

fn refusal(whose: &str, limit: usize) -> Problem {
    let detail = format!("limit {limit} live sockets {whose}; retry in {RETRY_AFTER_S} s");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_sockets", detail)
        .limit(limit as u64)
        .header(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_counted_and_given_back() {
        let sockets = Arc::new(Sockets::new(3, 2));
        let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = sockets.sit(a, false).unwrap();
        let second = sockets.sit(a, false).unwrap();
        assert!(sockets.sit(a, false).unwrap_err().detail.contains("for one address"));
        let third = sockets.sit(a, true).unwrap();
        assert!(sockets.sit(b, true).unwrap_err().detail.contains("in all"));
        let now = Instant::now();
        assert!(!third.is_given_up(now) && first.is_given_up(now), "the oldest one");
        assert!(!third.is_given_up(now + GIVE_UP_EVERY / 2), "and no more for a while");
        assert!(!third.is_given_up(now + 2 * GIVE_UP_EVERY) && second.is_given_up(now + 2 * GIVE_UP_EVERY));
        assert!(third.is_given_up(now + 3 * GIVE_UP_EVERY), "those that are given up and open still keep no other");
        drop((first, third));
        assert_eq!((sockets.open(), sockets.with(|counts| counts.given_up.len())), (1, 1));
        drop(sockets.sit(b, false).unwrap());
        assert_eq!(sockets.with(|counts| counts.by_client.len()), 1);
    }
}
