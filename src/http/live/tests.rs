//! The live socket over real loopback connections.

use std::sync::Arc;
use std::time::Duration;

use actix_http::BoxedPayloadStream;
use actix_web::body::to_bytes;
use actix_web::dev::Payload;
use actix_web::rt::spawn;
use actix_web::test;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::OPS_READERS_MAX;
use crate::http::tests::{World, publish, world, world_with};
use crate::http::{HttpOptions, app, bind, server};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Starts a server; gives the address of its live socket.
fn serve(world: &World) -> String {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("ws://{}/api/v1/live", listener.local_addr().unwrap());
    spawn(server(listener, &world.state).unwrap());
    url
}

async fn open(url: &str) -> Socket {
    connect_async(url).await.unwrap().0
}

/// The next message that is no ping; answering those is the client library's.
async fn next(socket: &mut Socket) -> Message {
    loop {
        let message = timeout(Duration::from_secs(5), socket.next()).await.unwrap().unwrap().unwrap();
        if !message.is_ping() {
            return message;
        }
    }
}

async fn next_json(socket: &mut Socket) -> Value {
    serde_json::from_str(next(socket).await.to_text().unwrap()).unwrap()
}

/// Code and reason of the close that comes next.
async fn next_close(socket: &mut Socket) -> (u16, String) {
    loop {
        if let Message::Close(frame) = next(socket).await {
            let frame = frame.unwrap();
            return (frame.code.into(), frame.reason.to_string());
        }
    }
}

#[actix_web::test]
async fn hello_then_notices_then_the_reason_for_the_end() {
    let world = world();
    let url = serve(&world);
    let (mut a, mut b) = (open(&url).await, open(&url).await);
    let hello = next_json(&mut a).await;
    assert_eq!((&hello["type"], &hello["version"]), (&Value::from("hello"), &Value::from(1)));
    assert_eq!(hello["snapshot_id"], "run");
    assert_eq!(hello["topics"]["overview"], 1);
    assert_eq!(hello["topics"]["analytics/lag?window=1h"], 1);
    next_json(&mut b).await;
    assert_eq!(world.state.live_sockets(), 2);
    publish(&world.pages, "overview", "{}", 1);
    let expected = serde_json::json!({"type": "revision", "topic": "overview", "revision": 2});
    assert_eq!(next_json(&mut a).await, expected);
    assert_eq!(next_json(&mut b).await, expected);
    world.state.shutdown.cancel();
    assert_eq!(next_close(&mut a).await, (1001, "restarting".to_owned()));
    assert_eq!(next_close(&mut b).await, (1001, "restarting".to_owned()));
}

#[actix_web::test]
async fn only_what_was_subscribed_to_is_told() {
    let world = world();
    let mut socket = open(&serve(&world)).await;
    next_json(&mut socket).await;
    let subscribe = r#"{"type":"subscribe","topics":["primary"]}"#;
    socket.send(Message::text(subscribe)).await.unwrap();
    socket.send(Message::Ping(b"done".to_vec().into())).await.unwrap();
    while next(&mut socket).await != Message::Pong(b"done".to_vec().into()) {}
    publish(&world.pages, "overview", "{}", 1);
    publish(&world.pages, "primary", "{}", 1);
    assert_eq!(next_json(&mut socket).await["topic"], "primary");
}

#[actix_web::test]
async fn what_is_not_understood_ends_the_socket() {
    let world = world();
    let url = serve(&world);
    for message in [
        Message::text("hello"),
        Message::binary(vec![1, 2, 3]),
        Message::text(r#"{"type":"subscribe","topics":["nope"]}"#),
        Message::text("x".repeat(4097)),
        Message::text("x".repeat(1_000_000)),
    ] {
        let mut socket = open(&url).await;
        next_json(&mut socket).await;
        let _ = socket.send(message).await;
        assert_eq!(next_close(&mut socket).await, (1008, "bad_message".to_owned()));
    }
    let mut socket = open(&url).await;
    for _ in 0..6 {
        socket.send(Message::text(r#"{"type":"subscribe","topics":[]}"#)).await.unwrap();
    }
    assert_eq!(next_close(&mut socket).await, (1008, "rate_limited".to_owned()));
}

#[actix_web::test]
async fn sockets_are_limited_in_all_and_per_client() {
    let options = HttpOptions {
        live_sockets_max: 3,
        live_sockets_per_address_max: 2,
        exempt_loopback: false,
        detail_burst: 100,
        ..HttpOptions::default()
    };
    let world = world_with(options, 0, Arc::new(|| Ok(())));
    let url = serve(&world);
    let mut first = open(&url).await;
    let _second = open(&url).await;
    let refused = connect_async(&url).await.unwrap_err();
    let tungstenite::Error::Http(response) = refused else { panic!("{refused}") };
    assert_eq!(response.status(), 429);
    assert!(response.headers().contains_key("retry-after"));
    first.close(None).await.unwrap();
    while first.next().await.is_some_and(|message| message.is_ok()) {}
    for _ in 0..200 {
        if world.state.live_sockets() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    open(&url).await;
}

/// A reader that takes nothing is told nothing more, and a reader that wakes up is told once, with what it missed.
#[actix_web::test]
async fn a_slow_reader_is_told_how_much_it_missed() {
    let world = world();
    let mut socket = open(&serve(&world)).await;
    // Not reading means not answering the ping behind the hello.
    tokio::time::sleep(Duration::from_millis(100)).await;
    for n in 0..20 {
        publish(&world.pages, "overview", &format!("{{\"n\":{n}}}"), 1);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(next_json(&mut socket).await["type"], "hello");
    assert_eq!(next_json(&mut socket).await, serde_json::json!({"type": "lagged", "lagged": 19}));
    let notice = next_json(&mut socket).await;
    assert_eq!((&notice["topic"], &notice["revision"]), (&Value::from("overview"), &Value::from(21)));
}

/// A reader that takes everything and answers no ping: what fills its socket is read by nobody who cares.
#[actix_web::test]
async fn a_reader_that_answers_no_ping_is_let_go_as_too_slow() {
    let world = world();
    let service = test::init_service(app(&world.state)).await;
    let mut request = test::TestRequest::with_uri("/api/v1/live").peer_addr("192.0.2.1:4711".parse().unwrap());
    for header in [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        request = request.insert_header(header);
    }
    let mut request = request.to_request();
    let silent: BoxedPayloadStream = Box::pin(futures_util::stream::pending());
    *request.payload() = Payload::Stream { payload: silent };
    let response = test::call_service(&service, request).await;
    assert_eq!(response.status(), 101);
    // From here on nothing but time passes.
    tokio::time::pause();
    let opened = tokio::time::Instant::now();
    publish(&world.pages, "overview", "{}", 1);
    let read = timeout(Duration::from_mins(1), to_bytes(response.into_body())).await;
    let bytes = read.expect("it is let go").ok().unwrap();
    let took = opened.elapsed();
    assert!(bytes.ends_with(b"\x88\x0a\x03\xf5too_slow"), "{:?}", String::from_utf8_lossy(&bytes));
    assert!((Duration::from_secs(8)..Duration::from_secs(10)).contains(&took), "after {took:?}");
    assert_eq!(world.state.live_sockets(), 0);
}

/// Where not every origin may read, a page of another one cannot open a socket in its reader's name.
#[actix_web::test]
async fn a_page_of_another_origin_is_refused_where_not_all_may_read() {
    use tungstenite::client::IntoClientRequest;
    let options = HttpOptions { cors_origins: vec!["https://a.example".to_owned()], ..HttpOptions::default() };
    let world = world_with(options, 0, Arc::new(|| Ok(())));
    let url = serve(&world);
    let own = url.replace("ws://", "http://").replace("/api/v1/live", "");
    for (origin, is_let_in) in [
        ("https://a.example", true),
        (own.as_str(), true),
        ("https://b.example", false),
        ("https://a.example.org", false),
        ("http://a.example", false),
        ("null", false),
    ] {
        let mut request = url.as_str().into_client_request().unwrap();
        request.headers_mut().insert("origin", origin.parse().unwrap());
        match connect_async(request).await {
            Ok(_) => assert!(is_let_in, "{origin}"),
            Err(tungstenite::Error::Http(answer)) => {
                assert!(!is_let_in && answer.status() == 403, "{origin}");
                let body = String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default()).into_owned();
                assert!(body.contains("\"code\":\"wrong_origin\""), "{body}");
                assert!(answer.headers().contains_key("content-security-policy"), "{origin}");
            }
            Err(other) => panic!("{origin}: {other}"),
        }
    }
    assert!(connect_async(&url).await.is_ok(), "a program sends none");
    let told = world.state.tallies.told();
    assert_eq!((&told["foreign_origin_sockets"], &told["refused_origin_sockets"]), (&1.into(), &4.into()));
}

#[actix_web::test]
async fn while_memory_is_short_the_oldest_sockets_go_and_none_comes() {
    let world = world();
    let url = serve(&world);
    let (mut oldest, mut newest) = (open(&url).await, open(&url).await);
    next_json(&mut oldest).await;
    next_json(&mut newest).await;
    world.state.pressure.set(90);
    let Err(tungstenite::Error::Http(answer)) = connect_async(&url).await else { panic!("it was let in") };
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"30".parse().unwrap()));
    assert_eq!(next_close(&mut oldest).await, (1013, "overloaded".to_owned()));
    world.state.pressure.set(84);
    publish(&world.pages, "overview", "{}", 1);
    assert_eq!(next_json(&mut newest).await["topic"], "overview");
    assert!(connect_async(&url).await.is_ok());
}

#[actix_web::test]
async fn readers_of_operations_are_bounded_and_the_next_is_told_so() {
    let world = world();
    let url = serve(&world);
    let readers: Vec<_> = (0..OPS_READERS_MAX)
        .map(|_| {
            let mut notices = world.state.notices();
            notices.want(["ops"].into_iter()).unwrap();
            notices
        })
        .collect();
    let mut socket = open(&url).await;
    next_json(&mut socket).await;
    let subscribe = || Message::text(r#"{"type":"subscribe","topics":["ops","primary"]}"#);
    socket.send(subscribe()).await.unwrap();
    let refused = serde_json::json!({
        "type": "refused", "topic": "ops", "code": "too_many_ops_readers", "limit": OPS_READERS_MAX,
    });
    assert_eq!(next_json(&mut socket).await, refused);
    publish(&world.pages, "primary", "{}", 1);
    assert_eq!(next_json(&mut socket).await["topic"], "primary", "the rest is told");
    let http = url.replace("ws://", "http://").replace("/live", "/stream?topics=ops");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(&http).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"10".parse().unwrap()));
    let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!((&problem["code"], &problem["limit"]), (&"too_many_ops_readers".into(), &OPS_READERS_MAX.into()));
    assert_eq!(world.state.tallies.told()["refused_ops_readers"], 2);
    drop(readers);
    let mut stream = client.get(&http).send().await.unwrap();
    assert!(chunk(&mut stream).await.is_some());
    socket.send(subscribe()).await.unwrap();
    socket.send(Message::Ping(b"done".to_vec().into())).await.unwrap();
    assert_eq!(next(&mut socket).await, Message::Pong(b"done".to_vec().into()), "nothing is refused now");
}

/// The next bytes of a stream of events; none at its end.
async fn chunk(stream: &mut reqwest::Response) -> Option<String> {
    let chunk = timeout(Duration::from_secs(10), stream.chunk()).await.unwrap().unwrap();
    chunk.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[actix_web::test]
async fn while_memory_is_short_nodes_and_streams_of_events_go_too() {
    let world = world();
    let url = serve(&world);
    let http = url.replace("ws://", "http://").replace("/live", "");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut log = client.get(format!("{http}/log/stream")).send().await.unwrap();
    let mut stream = client.get(format!("{http}/stream?topics=overview")).send().await.unwrap();
    assert!(chunk(&mut log).await.is_some() && chunk(&mut stream).await.is_some());
    let mut node = open(&url.replace("/live", "/sync")).await;
    let mut newest = open(&url).await;
    assert_eq!(world.state.live_sockets(), 4);
    world.state.pressure.set(90);
    assert_eq!(chunk(&mut log).await, None);
    let bye = chunk(&mut stream).await.unwrap();
    assert!(bye.contains("\"reason\":\"overloaded\""), "{bye}");
    assert_eq!(chunk(&mut stream).await, None);
    assert_eq!(next_close(&mut node).await, (1013, "overloaded".to_owned()));
    assert_eq!(next_close(&mut newest).await, (1013, "overloaded".to_owned()), "in the order of their coming");
    while world.state.live_sockets() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
