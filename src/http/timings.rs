//! How long answers take, for the metrics: each worker counts for itself, a scrape adds the workers up.
//!
//! A series is the pattern of a route, a method and a status: all of them ours and few, never a path that somebody sent. The
//! lock of a worker's counts is taken by that worker and by a scrape alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::Error;
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use tokio::time::Instant;

/// Upper ends of the buckets, microseconds.
pub(super) const BOUNDS_US: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 2_500_000];
/// The route of what has none.
const NO_ROUTE: &str = "none";

/// Answers of one series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Answers by bucket, the last without an end.
    pub(super) buckets: [u64; BOUNDS_US.len() + 1],
    /// The time of all of them together, microseconds.
    pub(super) sum_us: u64,
}

impl Counts {
    fn add(&mut self, took_us: u64) {
        let bucket = BOUNDS_US.partition_point(|end_us| *end_us < took_us);
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
        self.sum_us = self.sum_us.saturating_add(took_us);
    }

    fn merge(&mut self, other: &Counts) {
        for (count, more) in self.buckets.iter_mut().zip(other.buckets) {
            *count = count.saturating_add(more);
        }
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }
}

/// Counts of one route, by method and status.
pub(super) type OfRoute = BTreeMap<(&'static str, u16), Counts>;
/// Counts by route.
type ByRoute = BTreeMap<String, OfRoute>;

/// The counts of every worker that was started.
#[derive(Clone, Debug, Default)]
pub(super) struct Timings(Arc<Mutex<Vec<Worker>>>);

/// The counts of one worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Worker(Arc<Mutex<ByRoute>>);

impl Timings {
    /// Counts for one more worker.
    pub(super) fn worker(&self) -> Worker {
        let worker = Worker::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(worker.clone());
        worker
    }

    /// Every series, in the order of routes.
    pub(super) fn told(&self) -> BTreeMap<String, OfRoute> {
        let workers = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut all = ByRoute::new();
        for worker in workers {
            for (route, of_route) in worker.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                let held = all.entry(route.clone()).or_default();
                for (series, counts) in of_route {
                    held.entry(*series).or_default().merge(counts);
                }
            }
        }
        all
    }
}

impl Worker {
    /// Passes an answer on, and notes how long it took to begin.
    pub(super) async fn timed(
        self,
        answer: impl Future<Output = Result<ServiceResponse, Error>>,
    ) -> Result<ServiceResponse, Error> {
        let begun = Instant::now();
        let response = answer.await?;
        let route = response.request().match_pattern();
        let route = route.as_deref().unwrap_or(NO_ROUTE);
        self.note(route, (response.request().method(), response.status().as_u16()), begun.elapsed());
        Ok(response)
    }

    fn note(&self, route: &str, (method, status): (&Method, u16), took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mut routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !routes.contains_key(route) {
            routes.insert(route.to_owned(), OfRoute::new());
        }
        if let Some(of_route) = routes.get_mut(route) {
            of_route.entry((method_name(method), status)).or_default().add(took_us);
        }
    }
}

/// The methods that are told apart.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "POST" => "POST",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_added_up_by_route_method_and_status() {
        let timings = Timings::default();
        let (one, two) = (timings.worker(), timings.worker());
        let ms = Duration::from_millis;
        one.note("/a", (&Method::GET, 200), ms(1));
        two.note("/a", (&Method::GET, 200), Duration::from_micros(1_001));
        two.note("/a", (&Method::GET, 304), Duration::ZERO);
        two.note("/b/{id}", (&Method::from_bytes(b"BREW").unwrap(), 405), ms(60_000));
        let told = timings.told();
        let of = |route: &str, method: &'static str, status: u16| told[route][&(method, status)].clone();
        let counts = of("/a", "GET", 200);
        assert_eq!(
            (counts.buckets[3], counts.buckets[4], counts.sum_us),
            (1, 1, 2_001),
            "an end belongs to its bucket"
        );
        assert_eq!(of("/a", "GET", 304).buckets[0], 1);
        assert_eq!(of("/b/{id}", "other", 405).buckets[12], 1);
        assert_eq!(told.values().map(BTreeMap::len).sum::<usize>(), 3);
    }
}
