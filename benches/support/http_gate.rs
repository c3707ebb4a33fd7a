//! The gate of a handler: its p99 against that of a trivial handler with the same bytes, in the same process and on the
//! same schedule.

use super::gate::{Quantiles, is_within, median};
use super::open_loop::{Schedule, run};
use actix_web::dev::Server;
use actix_web::{App, HttpResponse, HttpServer, web};
use std::io::Result;
use std::net::SocketAddr;
use std::time::Duration;

/// The handler's p99 over the trivial one's, at most.
pub const RATIO_MAX: f64 = 1.5;
/// The handler's p99 in milliseconds, at most.
pub const P99_MS_MAX: f64 = 20.0;

/// A server of its own thread whose only handler answers `body` after `delay`, and where it listens.
pub fn trivial(body: web::Bytes, delay: Duration) -> Result<(Server, SocketAddr)> {
    let answer = move || {
        let body = body.clone();
        async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            HttpResponse::Ok().content_type("application/json").body(body)
        }
    };
    let server = HttpServer::new(move || App::new().default_service(web::to(answer.clone()))).workers(1);
    let server = server.disable_signals().bind(("127.0.0.1", 0))?;
    let address = server.addrs().first().copied().ok_or_else(|| std::io::Error::other("bound to nothing"))?;
    Ok((server.run(), address))
}

/// What the rounds found.
pub struct Found {
    /// All latencies of the handler, nanoseconds.
    pub handler: Quantiles,
    /// All latencies of the trivial handler, nanoseconds.
    pub trivial: Quantiles,
    /// Median of the ratios of the rounds' p99.
    pub ratio: f64,
    /// Median of the rounds' p99 of the handler, milliseconds.
    pub p99_ms: f64,
}

impl Found {
    /// Whether both budgets are kept.
    pub fn passes(&self) -> bool {
        is_within(self.ratio, RATIO_MAX) && is_within(self.p99_ms, P99_MS_MAX)
    }
}

/// Asks both in turn, `rounds` times; who is first changes from round to round. Blocks.
pub fn compare(handler: Schedule, trivial: SocketAddr, rounds: usize) -> Result<Found> {
    let (mut ours, mut theirs, mut ratios, mut p99s) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let other = Schedule { address: trivial, ..handler };
        let (of_handler, of_trivial) = if round % 2 == 0 {
            let first = run(handler)?;
            (first, run(other)?)
        } else {
            let first = run(other)?;
            (run(handler)?, first)
        };
        let p99 = |latencies: &[u64]| Quantiles::of(latencies.to_vec()).at(0.99) as f64;
        ratios.push(p99(&of_handler) / p99(&of_trivial).max(1.0));
        p99s.push(p99(&of_handler) / 1e6);
        ours.extend(of_handler);
        theirs.extend(of_trivial);
    }
    let (handler, trivial) = (Quantiles::of(ours), Quantiles::of(theirs));
    Ok(Found { handler, trivial, ratio: median(ratios), p99_ms: median(p99s) })
}
