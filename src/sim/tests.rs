//! The simulator seen from a client: real sockets on the loopback address, each wait under one guard.

mod misbehaviour;

use super::behaviour::{Behaviour, CursorFault, Hangup, Refusal, Upgrade};
use super::demo::{self, DemoOptions};
use super::op::{OpMaker, SimOp};
use super::server::{Directory, NowMs};
use crate::domain::frame::{FormCache, Reject, Shape, parse};
use crate::domain::op::Op;
use futures_util::StreamExt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

const NOW: i64 = 1_700_000_000_000;

/// No wait of a test takes longer.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("nothing came within 10 s")
}

fn clock() -> NowMs {
    Arc::new(|| NOW)
}

fn server(behaviour: Behaviour) -> Directory {
    Directory::spawn(behaviour, 1, clock()).unwrap()
}

/// A server with `count` operations, and the operations.
fn filled(behaviour: Behaviour, count: usize) -> (Directory, OpMaker, Vec<Arc<SimOp>>) {
    let directory = server(behaviour);
    let mut maker = OpMaker::new(1);
    let ops = publish(&directory, &mut maker, count);
    (directory, maker, ops)
}

fn publish(directory: &Directory, maker: &mut OpMaker, count: usize) -> Vec<Arc<SimOp>> {
    let made = (0..count as i64).map(|n| maker.next(NOW + n));
    made.inspect(|op| {
        directory.publish(op);
    })
    .collect()
}

async fn try_open(directory: &Directory, query: &str) -> Result<Client, Error> {
    soon(connect_async(format!("{}/export/stream{query}", directory.url()))).await.map(|(client, _)| client)
}

/// Opens a stream and waits until the server counts it.
async fn open(directory: &Directory, query: &str) -> Client {
    let before = directory.received().open_streams;
    let client = try_open(directory, query).await.unwrap();
    soon(async {
        while directory.received().open_streams == before {
            tokio::task::yield_now().await;
        }
    })
    .await;
    client
}

/// The next message that is no pong.
async fn next(client: &mut Client) -> Message {
    loop {
        match soon(client.next()).await {
            Some(Ok(Message::Pong(_))) => {}
            Some(Ok(message)) => return message,
            other => panic!("{other:?}"),
        }
    }
}

fn read(text: &str, shape: Shape) -> Result<Op, Reject> {
    parse(text, shape, &mut FormCache::new(1, [1, 2])).map(|frame| frame.op)
}

async fn next_frame(client: &mut Client) -> Result<Op, Reject> {
    match next(client).await {
        Message::Text(text) => read(&text, Shape::Sequenced),
        other => panic!("{other:?}"),
    }
}

async fn expect(client: &mut Client, ops: &[Arc<SimOp>]) {
    for op in ops {
        let got = next_frame(client).await.unwrap();
        let expected = Op { key: op.key, kind: op.kind, created_ms: op.created_ms, seq: Some(op.seq), prev: got.prev };
        assert_eq!(got, expected);
    }
}

/// How the stream ends: the code and reason of its close frame, or none.
async fn ending(client: &mut Client) -> Option<(u16, String)> {
    match soon(client.next()).await {
        Some(Ok(Message::Close(Some(frame)))) => Some((frame.code.into(), frame.reason.to_string())),
        Some(Err(_)) | None => None,
        other => panic!("{other:?}"),
    }
}

fn closed(reason: &str) -> (u16, String) {
    (1000, reason.to_owned())
}

/// Status, head and body of an answer.
async fn get(directory: &Directory, target: &str) -> (u16, String, String) {
    let mut socket = TcpStream::connect(directory.address()).await.unwrap();
    socket.write_all(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(socket.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn a_stream_carries_what_is_published_and_resumes_after_its_cursor() {
    let (directory, mut maker, old) = filled(Behaviour::default(), 600);
    let mut live = open(&directory, "").await;
    let mut all = open(&directory, "?cursor=0").await;
    let mut some = open(&directory, &format!("?cursor={}", old[399].seq)).await;
    // `after` belongs to the pages; the stream does not know it.
    let mut ignorant = open(&directory, "?after=0").await;
    let new = publish(&directory, &mut maker, 20);
    expect(&mut live, &new).await;
    expect(&mut ignorant, &new).await;
    expect(&mut all, &old).await;
    expect(&mut all, &new).await;
    expect(&mut some, &old[400..]).await;
    expect(&mut some, &new).await;
    let received = directory.received();
    assert_eq!((received.open_streams, received.upgrades), (4, 4));
    assert_eq!(received.cursors[1].as_deref(), Some("0"));
}

#[tokio::test]
async fn pages_chain_by_number_and_by_time() {
    let (directory, _, ops) = filled(Behaviour::default(), 25);
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let (status, head, body) = get(&directory, &format!("/export?after={after}&count=10")).await;
        assert_eq!(status, 200);
        assert!(head.contains("application/jsonlines") && !body.ends_with('\n'));
        let page: Vec<Op> = body.lines().map(|line| read(line, Shape::Sequenced).unwrap()).collect();
        seen.extend(page.iter().map(|op| op.key));
        if page.len() < 10 {
            break;
        }
        after = page[9].seq.unwrap();
    }
    assert_eq!(seen, ops.iter().map(|op| op.key).collect::<Vec<_>>());
    assert_eq!(directory.received().exports.len(), 3);

    let time = crate::domain::time::rfc3339_ms(ops[20].created_ms);
    let (_, _, body) = get(&directory, &format!("/export?after={time}")).await;
    assert!(body.contains("\"nullified\":false") && !body.contains("\"seq\""));
    let legacy: Vec<_> = body.lines().map(|line| read(line, Shape::Legacy).unwrap().key).collect();
    assert_eq!(legacy, ops[21..].iter().map(|op| op.key).collect::<Vec<_>>());
    for bad in ["/export?count=1001", "/export?count=0", "/export?after=x"] {
        assert_eq!(get(&directory, bad).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn other_requests_get_what_the_reference_server_gives() {
    let (directory, _, ops) = filled(Behaviour::default(), 3);
    let (status, _, body) = get(&directory, &format!("/{}/log/audit", ops[0].key.did)).await;
    let lines: Vec<&serde_json::value::RawValue> = serde_json::from_str(&body).unwrap();
    assert_eq!((status, read(lines[0].get(), Shape::Legacy).unwrap().key), (200, ops[0].key));
    assert_eq!(get(&directory, "/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/log/audit").await.0, 404);
    assert_eq!(get(&directory, "/_health").await.2, r#"{"version":"simulated"}"#);
    assert_eq!(get(&directory, "/export/stream").await.0, 426);
    assert_eq!(get(&directory, "/nothing").await.0, 404);
    let received = directory.received();
    assert_eq!((received.audits, received.healths), (2, 1));
}

#[tokio::test]
async fn cursors_that_cannot_be_served_are_refused() {
    let (directory, _, ops) = filled(Behaviour { keep: 5, ..Behaviour::default() }, 10);
    let mut kept = open(&directory, &format!("?cursor={}", ops[4].seq)).await;
    expect(&mut kept, &ops[5..]).await;
    let mut outdated = try_open(&directory, &format!("?cursor={}", ops[3].seq)).await.unwrap();
    assert_eq!(ending(&mut outdated).await, Some(closed("OutdatedCursor")));
    let mut future = try_open(&directory, &format!("?cursor={}", ops[9].seq + 1)).await.unwrap();
    assert_eq!(ending(&mut future).await, Some(closed("FutureCursor")));
    directory.set(|behaviour| behaviour.cursor_fault = CursorFault::BadRequest);
    assert!(matches!(try_open(&directory, "?cursor=1").await, Err(Error::Http(answer)) if answer.status() == 400));
}

#[tokio::test]
async fn upgrades_can_fail_in_every_way() {
    let directory = server(Behaviour::default());
    for status in [400, 404, 426, 429] {
        let refusal = Refusal { status, retry_after_s: Some(7) };
        directory.set(|behaviour| behaviour.upgrade = Upgrade::Refuse(refusal));
        let Err(Error::Http(answer)) = try_open(&directory, "").await else { panic!("{status}") };
        assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (status, &"7".parse().unwrap()));
    }
    directory.set(|behaviour| behaviour.upgrade = Upgrade::FalseAccept(Hangup::Eof));
    assert_eq!(ending(&mut try_open(&directory, "").await.unwrap()).await, None);
    directory.set(|behaviour| behaviour.upgrade = Upgrade::FalseAccept(Hangup::CONSUMER_TOO_SLOW));
    assert_eq!(ending(&mut try_open(&directory, "").await.unwrap()).await, Some(closed("ConsumerTooSlow")));

    directory.set(|behaviour| behaviour.upgrade = Upgrade::Hang);
    let hanging = connect_async(format!("{}/export/stream", directory.url()));
    assert!(tokio::time::timeout(Duration::from_millis(50), hanging).await.is_err());
    directory.set(|behaviour| behaviour.upgrade = Upgrade::Stream);
    for target in ["/export/stream?cursor=x", "/elsewhere"] {
        let hanging = connect_async(format!("{}{target}", directory.url()));
        assert!(tokio::time::timeout(Duration::from_millis(50), hanging).await.is_err(), "{target}");
    }
}

#[tokio::test]
async fn streams_end_when_and_as_they_are_told() {
    let (directory, mut maker, ops) = filled(Behaviour::default(), 5);
    for (how, expected) in
        [(Hangup::CONSUMER_TOO_SLOW, Some(closed("ConsumerTooSlow"))), (Hangup::Eof, None), (Hangup::Reset, None)]
    {
        let mut client = open(&directory, "?cursor=0").await;
        expect(&mut client, &ops).await;
        assert_eq!(directory.kill_connections(how.clone()), 1);
        if how == Hangup::Reset {
            let Some(Err(Error::Io(error))) = soon(client.next()).await else { panic!("no reset") };
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        } else {
            assert_eq!(ending(&mut client).await, expected);
        }
        soon(async {
            while directory.received().open_streams > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    directory.set(|behaviour| behaviour.disconnect_after = Some(Duration::from_millis(20)));
    assert_eq!(ending(&mut try_open(&directory, "").await.unwrap()).await, None);

    // A burst within one tick: not one of its operations is sent, and a resume brings them all.
    directory.set(|behaviour| (behaviour.disconnect_after, behaviour.burst_limit) = (None, Some(10)));
    let mut client = open(&directory, "").await;
    let burst = publish(&directory, &mut maker, 30);
    assert_eq!(ending(&mut client).await, Some(closed("ConsumerTooSlow")));
    let mut client = open(&directory, &format!("?cursor={}", ops[4].seq)).await;
    expect(&mut client, &burst).await;
}

#[tokio::test]
async fn a_stopped_server_starts_again_with_all_it_had() {
    let (directory, mut maker, ops) = filled(Behaviour::default(), 5);
    let mut client = open(&directory, "").await;
    soon(directory.stop()).await;
    assert_eq!(ending(&mut client).await, None);
    assert!(TcpStream::connect(directory.address()).await.is_err());
    soon(directory.stop()).await;
    let more = publish(&directory, &mut maker, 5);
    directory.start_again().unwrap();
    let mut client = open(&directory, &format!("?cursor={}", ops[4].seq)).await;
    expect(&mut client, &more).await;
    // The last handle takes it down.
    let address = directory.address();
    drop(directory);
    soon(async { while TcpStream::connect(address).await.is_ok() {} }).await;
}

#[tokio::test]
async fn the_demonstration_keeps_the_truth() {
    let options = DemoOptions { rate_per_s: 2_000.0, seed: 5, on_time_s: 10.0 };
    let world = demo::start(&options, clock()).unwrap();
    assert_eq!(world.mirrors.len(), 5);
    let urls = world.mirrors.iter().map(|(_, url)| url.as_str());
    let mut streams = Vec::new();
    for url in urls.chain([world.primary_url.as_str()]) {
        streams.push(soon(connect_async(format!("{url}/export/stream"))).await.unwrap().0);
    }
    let mut primary = streams.pop().unwrap();
    for _ in 0..1_000 {
        next_frame(&mut primary).await.unwrap();
    }
    soon(world.hush()).await;
    let truth = world.truth();
    assert!(truth.published >= 1_000);
    assert_eq!(world.truth_between(NOW, NOW + 1), truth);
    assert_eq!(world.truth_between(NOW + 1, i64::MAX).published, 0);
    for mirror in &truth.mirrors {
        let counted = mirror.delivered_on_time + mirror.delivered_late + mirror.missing();
        assert_eq!(counted, truth.published, "{mirror:?}");
    }
    let by_name = |name: &str| truth.mirrors.iter().find(|mirror| mirror.name == name).unwrap();
    assert_eq!(by_name("faithful").delivered_on_time, truth.published);
    assert_eq!(by_name("disconnecting").delivered_on_time, truth.published);
    assert!(by_name("slow").delivered_late > 0 && by_name("slow").missing() == 0);
    assert!(by_name("dropping").dropped > 0 && by_name("dropping").invented == 0);
    let lying = by_name("lying");
    assert!(lying.invented > 0 && lying.altered_content > 0 && lying.dropped == 0);
    // The dropping mirror sends exactly what the truth says it sends.
    let (_, dropping) = world.mirrors.iter().zip(&mut streams).find(|((name, _), _)| name == "dropping").unwrap();
    for _ in 0..by_name("dropping").delivered_on_time {
        next_frame(dropping).await.unwrap();
    }
    soon(world.stop()).await;
    assert_eq!(ending(dropping).await, None);
}
