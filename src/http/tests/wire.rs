//! What the server does with bytes: heads that are none, too long, too slow, two in one; peers that do not read. The whole
//! of the server behind its door, on a clock of its own.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Service, ServiceFactory};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::world::{World, publish, world, world_with};
use crate::http::door::{BEHIND_MAX, Door, HEAD_TIMEOUT, STALL_MAX};
use crate::http::head::{FIELDS_MAX, HEAD_BYTES_MAX, Refusal, URI_BYTES_MAX};
use crate::http::{HttpOptions, KEEP_ALIVE, app, protocol};

/// Bytes between the two ends: what the kernel's buffers are.
const PIPE_BYTES: usize = 8 * 1024;
const OVERVIEW: &str = "GET /api/v1/overview HTTP/1.1\r\nhost: a\r\n\r\n";

/// A client's end, and the connection's task.
struct Wire {
    io: DuplexStream,
    task: JoinHandle<()>,
    began: Instant,
}

impl Wire {
    /// A connection; from here on time passes only when nothing else can happen.
    async fn open(world: &World) -> Wire {
        Self::through(world, |io| Door::open(io, None)).await
    }

    async fn through(world: &World, door: impl FnOnce(DuplexStream) -> Door<DuplexStream>) -> Wire {
        // A clock can be stopped once.
        if world.is_real_time.replace(false) {
            tokio::time::pause();
        }
        let service = protocol::<DuplexStream, _>(&world.state, app(&world.state)).new_service(()).await.unwrap();
        // The server's own clock follows at its next tick.
        sleep(Duration::from_secs(1)).await;
        let (io, theirs) = duplex(PIPE_BYTES);
        let door = door(theirs);
        let task = actix_web::rt::spawn(async move {
            let _ = service.call((door, Some("192.0.2.1:4711".parse().unwrap()))).await;
        });
        Wire { io, task, began: Instant::now() }
    }

    async fn send(&mut self, bytes: &str) {
        self.io.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// All that comes until the connection ends, and whole seconds until then.
    async fn rest(&mut self) -> (String, u64) {
        let mut bytes = Vec::new();
        timeout(Duration::from_hours(1), self.io.read_to_end(&mut bytes)).await.expect("it ends").unwrap();
        (String::from_utf8_lossy(&bytes).into_owned(), self.began.elapsed().as_secs())
    }

    /// Waits until the server has dropped the connection; whole seconds since its begin.
    async fn dropped(&mut self) -> u64 {
        timeout(Duration::from_hours(1), &mut self.task).await.expect("it ends").unwrap();
        self.began.elapsed().as_secs()
    }
}

/// Status codes of the answers in `text`, in order.
fn statuses(text: &str) -> Vec<u16> {
    let heads = text.match_indices("HTTP/1.1 ").filter_map(|(at, mark)| text.get(at + mark.len()..at + mark.len() + 3));
    heads.filter_map(|status| status.parse().ok()).collect()
}

/// One answer, with every header, that ends the connection.
fn assert_refused(text: &str, status: u16, code: &str) {
    let (head, body) = text.rsplit_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let head = head.to_lowercase();
    assert_eq!(statuses(text), [status], "{text}");
    for line in [
        "content-security-policy: default-src 'none';",
        "require-trusted-types-for 'script'",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cross-origin-opener-policy: same-origin",
        "cross-origin-resource-policy: ",
        "permissions-policy: camera=()",
        "cache-control: no-store",
        "content-type: application/problem+json",
        "connection: close",
    ] {
        assert!(head.contains(line), "no {line} in {text}");
    }
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["code"], &body["status"]), (&code.into(), &status.into()), "{text}");
}

#[actix_web::test]
async fn a_request_that_panics_is_answered_and_the_next_one_too() {
    let world = world();
    let mut other = Wire::open(&world).await;
    let mut wire = Wire::open(&world).await;
    world.state.fail.panic_at("request", "/api/v1/overview");
    wire.send(OVERVIEW).await;
    wire.send("GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    let (text, _) = wire.rest().await;
    assert_eq!(statuses(&text), [500, 200], "{text}");
    let (first, _) = text.split_once("HTTP/1.1 200").unwrap();
    let (head, body) = first.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains("content-security-policy: default-src 'none';"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let told = body["detail"].as_str().unwrap();
    assert_eq!(
        (&body["code"], told),
        (&"internal".into(), &*format!("report id {}", body["request_id"].as_str().unwrap()))
    );
    assert!(!first.contains("fail point"), "nothing of what happened inside: {first}");
    other.send(&OVERVIEW.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")).await;
    assert_eq!(statuses(&other.rest().await.0), [200]);
    assert_eq!(world.state.tallies.told()["panics"], 1);

    world.state.fail.panic_at("request", "/api/v1/live");
    let mut socket = Wire::open(&world).await;
    socket.send("GET /api/v1/live HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await;
    assert_refused(&socket.rest().await.0, 500, "internal");
    assert_eq!(world.state.tallies.told()["panics"], 2);
}

#[actix_web::test]
async fn what_is_no_request_is_refused_with_words_and_headers() {
    let world = world();
    let fields = "a: b\r\n".repeat(FIELDS_MAX);
    let rows = [
        ("\u{16}\u{3}\u{1}\u{2}".to_owned(), 400, "bad_request"),
        ("GET / HTTP/1.1\r\n\r\n".into(), 400, "bad_request"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".into(), 400, "bad_request"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 400, "bad_request"),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n".into(),
            400,
            "bad_request",
        ),
        (format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(URI_BYTES_MAX)), 414, "uri_too_long"),
        (format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "y".repeat(HEAD_BYTES_MAX)), 431, "headers_too_large"),
        (format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n"), 431, "headers_too_large"),
    ];
    for (bytes, status, code) in rows {
        let mut wire = Wire::open(&world).await;
        // The rest of a giant may find the connection ended.
        let _ = wire.io.write_all(bytes.as_bytes()).await;
        let (text, seconds) = wire.rest().await;
        assert_refused(&text, status, code);
        assert!(seconds < HEAD_TIMEOUT.as_secs(), "{code}: at once");
    }
}

#[actix_web::test]
async fn a_slow_head_is_408_be_it_the_first_or_the_second() {
    let world = world();
    for before in ["", OVERVIEW] {
        let mut wire = Wire::open(&world).await;
        wire.send(before).await;
        let mut first = vec![0; 9];
        if !before.is_empty() {
            wire.io.read_exact(&mut first).await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
        let begun = wire.began.elapsed().as_secs();
        let drip = "GET / HTTP/1.1\r\nhost: a\r\nx: y";
        for byte in drip.chars() {
            if wire.io.write_all(byte.to_string().as_bytes()).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(500)).await;
        }
        let (text, _) = wire.rest().await;
        let last = text.rfind("HTTP/1.1 408").unwrap_or_else(|| panic!("{before}: {text}"));
        assert_refused(&text[last..], 408, "request_timeout");
        let seconds = wire.dropped().await - begun;
        assert!((5..=20).contains(&seconds), "{seconds}");
    }
}

#[actix_web::test]
async fn who_sends_nothing_is_let_go_without_a_word() {
    let world = world();
    let mut idle = Wire::open(&world).await;
    idle.send(OVERVIEW).await;
    let (text, seconds) = idle.rest().await;
    assert_eq!(statuses(&text), [200]);
    assert!((KEEP_ALIVE.as_secs() - 1..=KEEP_ALIVE.as_secs() + 2).contains(&seconds), "{seconds}");
    let mut silent = Wire::open(&world).await;
    assert_eq!(silent.rest().await, (String::new(), HEAD_TIMEOUT.as_secs()));
}

#[actix_web::test]
async fn requests_of_one_connection_are_answered_in_turn_and_a_refusal_comes_last() {
    let world = world();
    let mut wire = Wire::open(&world).await;
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    let all = [request("/healthz"), request("/api/v1/nothing"), request("/healthz")].concat();
    wire.send(&all).await;
    wire.send("nonsense\r\n\r\n").await;
    wire.send(OVERVIEW).await;
    let (text, _) = wire.rest().await;
    assert_eq!(statuses(&text), [200, 404, 200, 400]);
}

#[actix_web::test]
async fn a_body_ends_where_its_head_says_and_the_next_head_begins_there() {
    let world = world();
    let rows: [(&str, &str, &[u16]); 10] = [
        ("GET /api/v1/overview HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n", "", &[413]),
        ("POST /api/v1/overview HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n", "12", &[405]),
        ("POST /api/v1/overview HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n", "12345", &[405]),
        ("POST /no/such HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n", "12345GET x y z", &[404, 400]),
        (
            "POST /no/such HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n",
            "12345GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n",
            &[404, 200],
        ),
        ("POST /no/such HTTP/1.1\r\nhost: a\r\ncontent-length: 5000000\r\n\r\n", "123", &[413]),
        ("POST /no/such HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n", "5\r\n12345\r\n0\r\n\r\n", &[411]),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\r\n", OVERVIEW, &[200]),
        ("GET /api/v1/live?x HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\r\n", "\u{1}", &[400]),
        ("CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", OVERVIEW, &[404]),
    ];
    for (head, rest, expected) in rows {
        let mut wire = Wire::open(&world).await;
        wire.send(&format!("{head}{rest}")).await;
        let (text, seconds) = wire.rest().await;
        assert_eq!(statuses(&text), expected, "{head}{rest}: {text}");
        assert_eq!(text.matches("content-security-policy: ").count(), expected.len(), "{head}");
        assert!(seconds <= KEEP_ALIVE.as_secs() + 2, "{head}: {seconds} s");
    }
}

#[actix_web::test]
async fn a_slow_body_is_408_and_a_cut_one_400() {
    let world = world_with(HttpOptions { allow_recheck: true, ..HttpOptions::default() }, 0, Arc::new(|| Ok(())));
    let head =
        "POST /api/v1/dids/did:plc:ewvi7nxzyoun6zhxrhs64oiz/recheck HTTP/1.1\r\nhost: a\r\ncontent-length: 40\r\n\r\n";
    let mut wire = Wire::open(&world).await;
    wire.send(head).await;
    for _ in 0..11 {
        let _ = wire.io.write_all(b"{").await;
        sleep(Duration::from_secs(1)).await;
    }
    let (text, _) = wire.rest().await;
    assert_refused(&text, 408, "request_timeout");
    let mut wire = Wire::open(&world).await;
    wire.send(&format!("{head}{{")).await;
    wire.io.shutdown().await.unwrap();
    let (text, _) = wire.rest().await;
    assert_eq!(statuses(&text), [400], "{text}");
    assert!(text.contains("bad_body"), "{text}");
}

#[actix_web::test]
async fn a_peer_that_does_not_take_its_answer_is_cut_off() {
    let world = world();
    publish(&world.pages, "overview", &format!("{{\"pad\":\"{}\"}}", "x".repeat(1_000_000)), 1);
    let mut deaf = Wire::open(&world).await;
    deaf.send(OVERVIEW).await;
    let seconds = deaf.dropped().await;
    assert!((STALL_MAX.as_secs()..=STALL_MAX.as_secs() + 1).contains(&seconds), "{seconds}");

    let mut slow = Wire::open(&world).await;
    slow.send(OVERVIEW).await;
    let mut byte = [0];
    while !slow.task.is_finished() {
        let _ = slow.io.read(&mut byte).await;
        sleep(Duration::from_secs(1)).await;
    }
    let seconds = slow.began.elapsed().as_secs();
    assert!((BEHIND_MAX.as_secs()..=BEHIND_MAX.as_secs() + 2).contains(&seconds), "{seconds}");

    let mut able = Wire::open(&world).await;
    able.send(&OVERVIEW.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")).await;
    assert!(able.rest().await.0.len() > 1_000_000);
}

#[actix_web::test]
async fn an_address_has_so_many_connections_and_no_more() {
    let options = HttpOptions { exempt_loopback: true, live_sockets_per_address_max: 2, ..HttpOptions::default() };
    let options = HttpOptions { trusted_proxies: vec!["203.0.113.0/24".parse().unwrap()], ..options };
    let world = world_with(options, 0, Arc::new(|| Ok(())));
    let seat = |address: &str| world.state.connection_seat(address.parse().unwrap());
    let held: Vec<_> = (0..130).map(|n| seat(&format!("2001:db8::{n}")).unwrap()).collect();
    assert!(seat("2001:db8::ffff").is_err(), "one /64 is one address");
    assert!(seat("2001:db8:0:1::1").is_ok_and(|seat| seat.is_some()));
    assert!((0..500).all(|_| matches!(seat("127.0.0.1"), Ok(None)) && matches!(seat("203.0.113.9"), Ok(None))));
    drop(held);
    assert!(seat("2001:db8::ffff").is_ok());
    let mut wire = Wire::through(&world, |io| Door::closed(io, Refusal::TooManyConnections)).await;
    let (text, _) = wire.rest().await;
    assert_refused(&text, 429, "too_many_connections");
    assert!(text.to_lowercase().contains("retry-after: 10\r\n"), "{text}");
}
