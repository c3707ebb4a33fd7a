//! The gate of the HTTP bench can fail: a handler that sleeps is over its budget, one that does not is told apart from it.

#[path = "../../benches/support/gate.rs"]
#[expect(dead_code, reason = "the bench uses the rest")]
mod gate;
#[path = "../../benches/support/http_gate.rs"]
mod http_gate;
#[path = "../../benches/support/open_loop.rs"]
mod open_loop;

use actix_web::web::Bytes;
use http_gate::{P99_MS_MAX, RATIO_MAX, compare, trivial};
use open_loop::Schedule;
use std::time::Duration;

/// The sleep that the gate must find.
const SLEEP: Duration = Duration::from_millis(20);

#[actix_web::test]
async fn a_handler_that_sleeps_for_20_ms_is_over_budget() {
    let body = Bytes::from_static(b"{\"data\":{}}");
    let (slow, slow_address) = trivial(body.clone(), SLEEP).unwrap();
    let (quick, quick_address) = trivial(body, Duration::ZERO).unwrap();
    let handles = [slow.handle(), quick.handle()];
    actix_web::rt::spawn(slow);
    actix_web::rt::spawn(quick);
    let schedule =
        Schedule { address: slow_address, paths: &["/"], per_second: 200, length: Duration::from_millis(500) };
    let found = tokio::task::spawn_blocking(move || compare(schedule, quick_address, 2)).await.unwrap().unwrap();
    for handle in handles {
        handle.stop(false).await;
    }
    assert!(!found.passes());
    assert!(found.p99_ms > P99_MS_MAX, "p99 {} ms", found.p99_ms);
    assert!(found.handler.at(0.5) >= 20_000_000 && found.trivial.at(0.5) < found.handler.at(0.5));
    // On a machine so busy that a trivial handler is as slow, the ratio says nothing; the absolute budget finds the sleep.
    const { assert!(RATIO_MAX > 1.0) };
}
