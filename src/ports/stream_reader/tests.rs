use super::*;
use crate::domain::time::SECOND;
use crate::ports::dial::Dialed;
use crate::ports::loopback::{dial, serve};
use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

type ServerWs = WebSocketStream<TcpStream>;

/// Serves one WebSocket with `script`.
async fn serve_ws<F: Future<Output = ()> + Send + 'static>(script: fn(ServerWs) -> F) -> SocketAddr {
    serve(move |stream| async move { script(tokio_tungstenite::accept_async(stream).await.unwrap()).await }).await
}

/// Dials a server with `script`.
async fn dialed<F: Future<Output = ()> + Send + 'static>(script: fn(ServerWs) -> F) -> Dialed {
    dial(serve_ws(script).await).await.unwrap()
}

fn texts(batch: &Batch) -> Vec<String> {
    let text = |m: &Arrived| match &m.payload {
        Payload::Text(text) => text.to_string(),
        Payload::Binary(bytes) => format!("<{bytes}>"),
    };
    batch.messages.iter().map(text).collect()
}

#[tokio::test]
async fn a_batch_takes_all_that_is_there_up_to_its_limit() {
    let mut dialed = dialed(|mut ws| async move {
        for n in 0..100 {
            ws.feed(Message::text(n.to_string())).await.unwrap();
        }
        ws.flush().await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let mut seen = Vec::new();
    let mut last = dialed.reader.next_batch(30).await;
    assert!(last.messages.len() <= 30);
    seen.extend(texts(&last));
    while seen.len() < 100 {
        last = dialed.reader.next_batch(30).await;
        seen.extend(texts(&last));
    }
    assert_eq!(seen, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(last.end.is_none());
    let at: Vec<Tau> = last.messages.iter().map(|m| m.at).collect();
    assert!(at.is_sorted() && Some(*at.last().unwrap()) <= last.last_read);
}

#[tokio::test]
async fn a_full_batch_proves_nothing_and_a_drained_one_does() {
    let mut dialed = dialed(|mut ws| async move {
        for n in 0..5 {
            ws.feed(Message::text(n.to_string())).await.unwrap();
        }
        ws.flush().await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let first = dialed.reader.next_batch(1).await;
    assert_eq!((first.messages.len(), first.drained_at), (1, None));
    assert_eq!(dialed.reader.prove_drained(), None, "four messages are still in the buffer");
    let mut count = 1;
    while count < 5 {
        let batch = dialed.reader.next_batch(10).await;
        count += batch.messages.len();
        assert!(batch.drained_at.is_some() && batch.drained_at <= batch.last_read);
    }
    assert!(dialed.reader.prove_drained() >= dialed.reader.stamps().last_read());
}

#[tokio::test]
async fn bytes_that_lie_in_the_kernel_forbid_the_proof() {
    let (go, wait) = mpsc::channel::<()>(1);
    let wait = Arc::new(tokio::sync::Mutex::new(wait));
    let address = serve(move |stream| {
        let wait = Arc::clone(&wait);
        async move {
            let mut ws = tokio_tungstenite::accept_async(stream).await.unwrap();
            ws.send(Message::text("first")).await.unwrap();
            wait.lock().await.recv().await;
            ws.send(Message::text("second")).await.unwrap();
            std::future::pending::<()>().await;
        }
    })
    .await;
    let mut dialed = dial(address).await.unwrap();
    assert_eq!(texts(&dialed.reader.next_batch(10).await), ["first"]);
    assert!(dialed.reader.prove_drained().is_some());
    go.send(()).await.unwrap();
    while dialed.reader.prove_drained().is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(texts(&dialed.reader.next_batch(10).await), ["second"]);
    assert!(dialed.reader.prove_drained().is_some());
}

#[tokio::test]
async fn a_message_in_two_parts_is_stamped_when_it_is_complete() {
    let (go, wait) = mpsc::channel::<()>(1);
    let wait = Arc::new(tokio::sync::Mutex::new(wait));
    let address = serve(move |stream| {
        let wait = Arc::clone(&wait);
        async move {
            let mut ws = tokio_tungstenite::accept_async(stream).await.unwrap();
            let raw = ws.get_mut();
            raw.write_all(b"\x81\x01a\x81\x06abc").await.unwrap();
            wait.lock().await.recv().await;
            raw.write_all(b"def").await.unwrap();
            std::future::pending::<()>().await;
        }
    })
    .await;
    let mut dialed = dial(address).await.unwrap();
    let first = dialed.reader.next_batch(10).await;
    assert_eq!(texts(&first), ["a"]);
    let half_read = dialed.reader.clock.now();
    go.send(()).await.unwrap();
    let second = dialed.reader.next_batch(10).await;
    assert_eq!(texts(&second), ["abcdef"]);
    assert!(first.messages[0].at <= half_read && second.messages[0].at > half_read);
    assert!(second.messages[0].at.since(half_read) < 10 * SECOND);
}

#[tokio::test]
async fn closes_keep_code_and_reason_and_are_answered() {
    let answered = Arc::new(Mutex::new(None));
    let told = Arc::clone(&answered);
    let address = serve(move |stream| {
        let told = Arc::clone(&told);
        async move {
            let mut ws = tokio_tungstenite::accept_async(stream).await.unwrap();
            ws.send(Message::text("last")).await.unwrap();
            let reason = CloseFrame { code: CloseCode::Normal, reason: "ConsumerTooSlow".into() };
            ws.send(Message::Close(Some(reason))).await.unwrap();
            let reply = ws.next().await;
            *told.lock().unwrap() =
                Some(matches!(reply, Some(Ok(Message::Close(Some(f)))) if f.code == CloseCode::Normal));
        }
    })
    .await;
    let mut dialed = dial(address).await.unwrap();
    let mut seen = Vec::new();
    let end = loop {
        let batch = dialed.reader.next_batch(10).await;
        seen.extend(texts(&batch));
        if let Some(end) = batch.end {
            break end;
        }
    };
    assert_eq!(seen, ["last"]);
    assert_eq!(end, StreamEnd::Closed { code: 1000, reason: "ConsumerTooSlow".into() });
    assert_eq!(end.to_string(), "closed with 1000: ConsumerTooSlow");
    let again = dialed.reader.next_batch(10).await;
    assert_eq!((again.messages.len(), again.end), (0, Some(end.clone())));
    assert_eq!(dialed.reader.send_ping(), Err(end));
    while answered.lock().unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*answered.lock().unwrap(), Some(true), "the close is answered");
}

#[tokio::test]
async fn a_close_without_a_code_and_a_vanished_peer_are_told_apart() {
    let mut closed = dialed(|mut ws| async move { ws.send(Message::Close(None)).await.unwrap() }).await;
    assert_eq!(closed.reader.next_batch(1).await.end, Some(StreamEnd::Closed { code: 1005, reason: String::new() }));
    let mut gone = dialed(|ws| async move {
        socket2::SockRef::from(ws.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
    })
    .await;
    assert_eq!(gone.reader.next_batch(1).await.end, Some(StreamEnd::Reset));
}

#[tokio::test]
async fn what_is_no_operation_is_named_and_giants_end_the_stream() {
    let mut binary = dialed(|mut ws| async move {
        ws.send(Message::binary(vec![1u8, 2, 3])).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(texts(&binary.reader.next_batch(1).await), ["<3>"]);

    let mut giant = dialed(|mut ws| async move {
        ws.send(Message::text("small")).await.unwrap();
        let _ = ws.send(Message::text("x".repeat(300_000))).await;
        std::future::pending::<()>().await;
    })
    .await;
    let mut seen = Vec::new();
    let end = loop {
        let batch = giant.reader.next_batch(10).await;
        seen.extend(texts(&batch));
        if let Some(end) = batch.end {
            break end;
        }
    };
    assert_eq!(seen, ["small"]);
    assert_eq!(end.to_string(), "ws: too_large (300000 > 262144 bytes)");

    let mut fragments = dialed(|mut ws| async move {
        let raw = ws.get_mut();
        let mut frame = vec![0x01, 127];
        frame.extend(200_000u64.to_be_bytes());
        frame.extend(vec![b'x'; 200_000]);
        raw.write_all(&frame).await.unwrap();
        frame[0] = 0x80;
        let _ = raw.write_all(&frame).await;
        std::future::pending::<()>().await;
    })
    .await;
    let end = fragments.reader.next_batch(1).await.end;
    assert!(matches!(end, Some(StreamEnd::TooLarge { bytes: 400_000, limit: 262_144 })), "{end:?}");

    let mut latin = dialed(|mut ws| async move {
        ws.get_mut().write_all(b"\x81\x02\xe9\xe8").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(latin.reader.next_batch(1).await.end, Some(StreamEnd::NotUtf8));

    let mut masked = dialed(|mut ws| async move {
        ws.get_mut().write_all(b"\x81\x81\x00\x00\x00\x00a").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    assert!(matches!(masked.reader.next_batch(1).await.end, Some(StreamEnd::Protocol(_))));
}

#[tokio::test]
async fn pings_of_the_peer_are_answered_while_reading() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let address = serve(move |stream| {
        let tell = tell.clone();
        async move {
            let mut ws = tokio_tungstenite::accept_async(stream).await.unwrap();
            ws.send(Message::Ping(bytes::Bytes::from_static(b"are you there"))).await.unwrap();
            let answer = ws.next().await.unwrap().unwrap();
            tell.send(answer).unwrap();
            std::future::pending::<()>().await;
        }
    })
    .await;
    let mut dialed = dial(address).await.unwrap();
    let batch = dialed.reader.next_batch(10).await;
    assert!(batch.messages.is_empty() && batch.end.is_none() && batch.last_read.is_some());
    assert_eq!(told.recv().await.unwrap(), Message::Pong(bytes::Bytes::from_static(b"are you there")));
}

#[tokio::test]
async fn our_ping_arrives_and_is_acknowledged_though_nobody_pongs() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let address = serve(move |stream| {
        let tell = tell.clone();
        async move {
            let mut ws = tokio_tungstenite::accept_async(stream).await.unwrap();
            let raw = ws.get_mut();
            let mut ping = [0u8; 6];
            raw.read_exact(&mut ping).await.unwrap();
            tell.send(ping).unwrap();
            std::future::pending::<()>().await;
        }
    })
    .await;
    let mut dialed = dial(address).await.unwrap();
    let before = dialed.reader.clock.now();
    let sent = dialed.reader.send_ping().unwrap().unwrap();
    assert!(sent >= before);
    let ping = told.recv().await.unwrap();
    assert_eq!(ping[..2], [0x89, 0x80], "an empty, masked ping");
    while !dialed.tcp.info().unwrap().all_acked() {
        tokio::task::yield_now().await;
    }
    tokio::select! {
        biased;
        batch = dialed.reader.next_batch(1) => panic!("nothing was sent: {batch:?}"),
        () = std::future::ready(()) => {}
    }
    assert!(dialed.reader.prove_drained().unwrap() >= sent);
}

#[tokio::test]
async fn a_peer_that_reads_nothing_does_not_hold_up_our_pings() {
    let mut dialed = dialed(|ws| async move {
        std::future::pending::<()>().await;
        drop(ws);
    })
    .await;
    let mut refused = None;
    for _ in 0..2_000_000 {
        match dialed.reader.send_ping() {
            Ok(Some(_)) => {}
            other => {
                refused = Some(other);
                break;
            }
        }
    }
    assert_eq!(refused, Some(Ok(None)));
    assert!(!dialed.tcp.info().unwrap().all_acked());
}

#[tokio::test]
async fn our_goodbye_reaches_the_peer() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let address = serve(move |stream| {
        let tell = tell.clone();
        async move {
            let mut ws = tokio_tungstenite::accept_async(stream).await.unwrap();
            tell.send(ws.next().await.unwrap().unwrap()).unwrap();
        }
    })
    .await;
    let dialed = dial(address).await.unwrap();
    dialed.reader.close(1001, Duration::from_secs(5)).await;
    assert!(matches!(told.recv().await.unwrap(), Message::Close(Some(f)) if f.code == CloseCode::Away));
    assert_eq!(dialed.tcp.info(), None);
}
