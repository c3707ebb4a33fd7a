//! One token bucket per client, for what costs work: details and new sockets. Ready pages are never limited.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use super::client_address::limit_key;
use super::problem::Problem;

/// Clients remembered at once. When there are more, those whose bucket is full again are forgotten; if that does not
/// help, newcomers share one bucket.
const CLIENTS_MAX: usize = 16_384;
/// When there are too many clients, the full buckets are looked for once in so many requests: the search costs a pass.
const SWEEP_EVERY: usize = 1_024;
/// The bucket that newcomers share when there are too many clients: no client can have this key.
const OVERFLOW_KEY: u128 = u128::MAX;

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// See the module's words.
pub struct ClientLimit {
    buckets: DefaultKeyedRateLimiter<u128>,
    clock: DefaultClock,
    /// What is limited, as "10 requests per second".
    words: String,
    /// How many of that.
    limit: NonZeroU32,
    /// How many at once.
    burst: NonZeroU32,
    /// Seconds until an empty bucket is full.
    full_again_s: u64,
    exempt_loopback: bool,
    /// Makes keys of names.
    hasher: RandomState,
    /// Requests that came while there were too many clients.
    crowded: AtomicUsize,
}

impl std::fmt::Debug for ClientLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientLimit").field("words", &self.words).field("burst", &self.burst).finish_non_exhaustive()
    }
}

impl ClientLimit {
    /// `per_second` requests steadily, `burst` at once; 0 counts as 1.
    pub fn new(per_second: u32, burst: u32, exempt_loopback: bool) -> Self {
        let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(per_second).allow_burst(burst);
        ClientLimit {
            buckets: DefaultKeyedRateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            words: format!("{per_second} requests per second"),
            limit: per_second,
            burst,
            full_again_s: u64::from(burst.get().div_ceil(per_second.get()).max(1)),
            exempt_loopback,
            hasher: RandomState::new(),
            crowded: AtomicUsize::new(0),
        }
    }

    /// `count` of what `noun` names in any `period` of whole minutes, for everyone; 0 counts as 1.
    pub fn per_period(noun: &str, count: u32, period: Duration) -> Self {
        let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(period / count.get()).unwrap_or(Quota::per_minute(count)).allow_burst(count);
        let minutes = (period.as_secs() / 60).max(1);
        let unit = if minutes == 1 { "minute".to_owned() } else { format!("{minutes} minutes") };
        ClientLimit {
            buckets: DefaultKeyedRateLimiter::keyed(quota),
            words: format!("{count} {noun} per {unit}"),
            limit: count,
            full_again_s: period.as_secs(),
            ..Self::new(1, count.get(), false)
        }
    }

    /// Whether limits pass this client over.
    pub fn is_exempt(&self, client: IpAddr) -> bool {
        self.exempt_loopback && client.to_canonical().is_loopback()
    }

    /// Takes one token of the client's bucket.
    ///
    /// # Errors
    /// 429 `rate_limited`, with the time to wait, when it is empty.
    pub fn take(&self, client: IpAddr) -> Result<(), Problem> {
        if self.is_exempt(client) {
            return Ok(());
        }
        self.take_key(limit_key(client))
    }

    /// Takes one token of the bucket of whoever has this name.
    ///
    /// # Errors
    /// As [`ClientLimit::take`].
    pub fn take_of(&self, name: &str) -> Result<(), Problem> {
        self.take_key(u128::from(self.hasher.hash_one(name)))
    }

    fn take_key(&self, key: u128) -> Result<(), Problem> {
        if self.buckets.len() >= CLIENTS_MAX && self.crowded.fetch_add(1, Ordering::Relaxed).is_multiple_of(SWEEP_EVERY)
        {
            self.buckets.retain_recent();
        }
        let key = if self.buckets.len() >= CLIENTS_MAX { OVERFLOW_KEY } else { key };
        self.buckets.check_key(&key).map_err(|not_until| self.refusal(not_until.wait_time_from(self.clock.now())))
    }

    fn refusal(&self, wait: Duration) -> Problem {
        let wait_s = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
        let detail = format!("{}; retry in {wait_s} s", self.words);
        let text = |text: String| HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("0"));
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail)
            .limit(u64::from(self.limit.get()))
            .header(header::RETRY_AFTER, HeaderValue::from(wait_s))
            .header(RATE_LIMIT.clone(), text(format!("\"details\";r=0;t={wait_s}")))
            .header(RATE_LIMIT_POLICY.clone(), text(format!("\"details\";q={};w={}", self.burst, self.full_again_s)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_then_refused_with_the_time_to_wait() {
        let limit = ClientLimit::new(1, 3, true);
        let client: IpAddr = "192.0.2.1".parse().unwrap();
        for _ in 0..3 {
            limit.take(client).unwrap();
        }
        let problem = limit.take(client).unwrap_err();
        assert_eq!((problem.status.as_u16(), problem.code), (429, "rate_limited"));
        assert_eq!(problem.detail, "1 requests per second; retry in 1 s");
        assert!(problem.extras.headers.iter().any(|(name, value)| name == "retry-after" && value == "1"));
        assert!(
            problem
                .extras
                .headers
                .iter()
                .any(|(name, value)| name == "ratelimit-policy" && value == "\"details\";q=3;w=3")
        );
        limit.take("192.0.2.2".parse().unwrap()).unwrap();
    }

    #[test]
    fn loopback_is_exempt_only_if_so_configured() {
        let loopback: IpAddr = "::1".parse().unwrap();
        let exempt = ClientLimit::new(1, 1, true);
        let counted = ClientLimit::new(1, 1, false);
        for _ in 0..10 {
            exempt.take(loopback).unwrap();
        }
        counted.take(loopback).unwrap();
        assert!(counted.take(loopback).is_err());
    }

    #[test]
    fn the_number_of_clients_remembered_is_bounded() {
        let limit = ClientLimit::new(1, 1, true);
        let mut refused = 0;
        for n in 0..u32::try_from(CLIENTS_MAX).unwrap() + 100 {
            refused += usize::from(limit.take(IpAddr::V4(n.into())).is_err());
        }
        assert!(limit.buckets.len() <= CLIENTS_MAX + 1);
        assert!(refused >= 98, "newcomers share a bucket: {refused}");
    }
}
