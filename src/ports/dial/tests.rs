use super::*;
use crate::ports::loopback::{dial, dialer, read_head, request, serve, serve_answer};
use crate::ports::resolve::TableResolver;
use crate::ports::stream_reader::{Payload, StreamEnd};
use crate::ports::tls::TlsRoots;
use futures_util::SinkExt;
use std::sync::Mutex;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

/// The failure behind an answer of `answer` to the upgrade.
async fn refused(answer: &'static str) -> DialError {
    dial(serve_answer(answer).await).await.err().unwrap()
}

#[tokio::test]
async fn an_open_stream_knows_its_ends_and_how_long_each_part_took() {
    let address = serve(|stream| async move {
        let mut ws = tokio_tungstenite::accept_async(stream).await.unwrap();
        ws.send(Message::text("hello")).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let mut dialed = dial(address).await.unwrap();
    assert_eq!(dialed.peer, address);
    assert!(dialed.local.ip().is_loopback() && dialed.local != address);
    assert!(dialed.timings.upgrade_us > 0 && dialed.timings.tls_us == 0, "{:?}", dialed.timings);
    let batch = dialed.reader.next_batch(10).await;
    assert_eq!(batch.messages[0].payload, Payload::Text("hello".into()));
    assert!(batch.messages[0].at >= dialed.opened_at);
    assert!(dialed.tcp.info().unwrap().established);
    drop(dialed.reader);
    assert_eq!(dialed.tcp.info(), None);
}

#[tokio::test]
async fn the_request_says_who_asks_and_for_what() {
    let requests = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&requests);
    let address = serve(move |mut stream| {
        let told = Arc::clone(&told);
        async move {
            *told.lock().unwrap() = read_head(&mut stream).await;
        }
    })
    .await;
    let error = dial(address).await.err().unwrap();
    assert_eq!(error.class, DialClass::Ws);
    assert_eq!(error.text, "ws: the server ended the connection instead of answering");
    let head = requests.lock().unwrap().clone();
    assert!(head.starts_with("GET /export/stream?cursor=5 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("Host: {address}\r\n")), "{head}");
    let agent = format!("user-agent: mirrorwatch/{} (+https://example.org/contact)\r\n", env!("CARGO_PKG_VERSION"));
    assert!(head.contains(&agent), "{head}");
    assert!(!head.to_lowercase().contains("sec-websocket-extensions"), "no compression is offered");
}

#[tokio::test]
async fn http_answers_before_the_upgrade_keep_status_and_retry_after() {
    let class = |status, retry_after_s| DialClass::Http { status, retry_after_s };
    let error = refused("HTTP/1.1 400 Bad Request\r\nContent-Length: 12\r\n\r\nFutureCursor").await;
    assert_eq!(error.class, class(400, None));
    assert_eq!(error.text, "http: 400 — the server says \"FutureCursor\"");
    let error = refused("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(error.class, class(404, None));
    assert_eq!(error.text, "http: 404 — this server offers no /export/stream");
    let error = refused("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(error.class, class(426, None));
    let error = refused("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 300\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(error.class, class(429, Some(300)));
    assert_eq!(error.text, "http: 429, retry in 300 s");
    let error = refused("HTTP/1.1 301 Moved\r\nLocation: ws://127.0.0.2/\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(error.text, "http: 301 — redirects are not followed");
    let error = refused("HTTP/1.0 404 File not found\r\nServer: SimpleHTTP\r\n\r\n").await;
    assert_eq!(error.class, class(404, None));
}

#[tokio::test]
async fn answers_that_break_the_protocol_are_no_stream() {
    for answer in [
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 101 Swi",
    ] {
        assert_eq!(refused(answer).await.class, DialClass::Ws, "{answer}");
    }
}

#[tokio::test]
async fn a_101_with_more_than_one_connection_token_is_a_stream_and_frames_beside_it_are_kept() {
    let address = serve(|mut stream| async move {
        let head = read_head(&mut stream).await;
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        let mut bytes = answer.into_bytes();
        bytes.extend(b"\x81\x05early");
        stream.write_all(&bytes).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let mut dialed = dial(address).await.unwrap();
    let batch = dialed.reader.next_batch(10).await;
    assert_eq!(batch.messages[0].payload, Payload::Text("early".into()));
    assert_eq!(batch.messages[0].at, dialed.opened_at, "it came with the 101");
}

#[tokio::test]
async fn a_false_101_opens_and_ends_at_once() {
    let address = serve(|stream| async move {
        drop(tokio_tungstenite::accept_async(stream).await.unwrap());
    })
    .await;
    let mut dialed = dial(address).await.unwrap();
    let batch = dialed.reader.next_batch(10).await;
    assert_eq!((batch.messages.len(), batch.end), (0, Some(StreamEnd::Reset)));
}

#[tokio::test]
async fn a_handshake_that_hangs_ends_with_the_name_of_its_part() {
    let silent = serve(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let mut dialer = dialer(TableResolver::default(), &TlsRoots::Only(Vec::new()));
    dialer.options.handshake_timeout = Duration::from_millis(400);
    let error = dialer.dial(request(&format!("ws://{silent}"))).await.err().unwrap();
    assert_eq!(error.class, DialClass::Timeout { phase: Phase::Upgrade });
    assert_eq!(error.text, "upgrade: the request for the stream was never answered within 0.4 s");
    let error = dialer.dial(request(&format!("wss://{silent}"))).await.err().unwrap();
    assert_eq!(error.class, DialClass::Timeout { phase: Phase::Tls });
}

#[tokio::test]
async fn private_addresses_need_leave_and_names_cannot_hide_them() {
    let address = serve_answer("HTTP/1.1 404 Not Found\r\n\r\n").await;
    let table = TableResolver::default()
        .with("inside.example.org", &[[127, 0, 0, 1].into()])
        .with("both.example.org", &[[127, 0, 0, 1].into(), [127, 0, 0, 2].into()]);
    let dialer = dialer(table, &TlsRoots::Only(Vec::new()));
    for host in ["127.0.0.1", "inside.example.org", "localhost", "[::1]"] {
        let mut asked = request(&format!("ws://{host}:{}", address.port()));
        asked.allow_private = false;
        let error = dialer.dial(asked).await.err().unwrap();
        assert_eq!(error.class, DialClass::RefusedPrivate, "{host}");
        assert!(error.text.contains(host) && error.text.contains("allowPrivate"), "{error}");
    }
    let mut asked = request(&format!("ws://both.example.org:{}", address.port()));
    asked.allow_private = false;
    let error = dialer.dial(asked).await.err().unwrap();
    assert_eq!(error.text, format!("tcp: 127.0.0.2:{} refused", address.port()), "only the public address was tried");
}

#[tokio::test]
async fn the_next_address_is_tried_and_the_preferred_one_first() {
    let address = serve_answer("HTTP/1.1 404 Not Found\r\n\r\n").await;
    let (dead, live) = (IpAddr::from([127, 0, 0, 2]), address.ip());
    let table = TableResolver::default().with("two.example.org", &[dead, live]);
    let dialer = dialer(table, &TlsRoots::Only(Vec::new()));
    let asked = request(&format!("ws://two.example.org:{}", address.port()));
    assert_eq!(dialer.addresses(&asked, "two.example.org").await.unwrap(), vec![dead, live]);
    let error = dialer.dial(asked.clone()).await.err().unwrap();
    assert_eq!(error.class, DialClass::Http { status: 404, retry_after_s: None });
    let preferring = DialRequest { prefer: Some(live), ..asked };
    assert_eq!(dialer.addresses(&preferring, "two.example.org").await.unwrap(), vec![live, dead]);
}

#[tokio::test]
async fn names_without_an_address_and_ports_without_a_listener_read_as_documented() {
    let dialer = dialer(TableResolver::default(), &TlsRoots::Only(Vec::new()));
    let error = dialer.dial(request("wss://plc.example.org")).await.err().unwrap();
    assert_eq!(
        error,
        DialError { class: DialClass::Dns, text: "dns: no address for plc.example.org (NXDOMAIN)".into() }
    );
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = dialer.dial(request(&format!("ws://{closed}"))).await.err().unwrap();
    assert_eq!(error, DialError { class: DialClass::Tcp, text: format!("tcp: {closed} refused") });
}

/// A TLS server for `names` that upgrades and sends one message; its address and certificate.
async fn tls_server(names: &[&str]) -> (SocketAddr, rustls::pki_types::CertificateDer<'static>) {
    tls_server_until(names, 4096).await
}

/// The same with a certificate that holds until the second of January of a year.
async fn tls_server_until(names: &[&str], year: i32) -> (SocketAddr, rustls::pki_types::CertificateDer<'static>) {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut parameters = rcgen::CertificateParams::new(names).unwrap();
    parameters.not_after = rcgen::date_time_ymd(year, 1, 2);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap().der().clone();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let address = serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let Ok(mut ws) = tokio_tungstenite::accept_async(stream).await else { return };
            ws.send(Message::text("secret")).await.unwrap();
            std::future::pending::<()>().await;
        }
    })
    .await;
    (address, certificate)
}

#[tokio::test]
async fn a_certificate_that_expired_is_told_with_its_day() {
    let (address, certificate) = tls_server_until(&["plc.example.org"], 2020).await;
    let table = TableResolver::default().with("plc.example.org", &[address.ip()]);
    let trusting = dialer(table, &TlsRoots::Only(vec![certificate]));
    let error = trusting.dial(request(&format!("wss://plc.example.org:{}", address.port()))).await.err().unwrap();
    assert_eq!(error, DialError { class: DialClass::Tls, text: "tls: certificate expired 2020-01-02".into() });
}

#[tokio::test]
async fn a_stream_over_tls_is_stamped_looked_at_and_checked_against_its_name() {
    let (address, certificate) = tls_server(&["plc.example.org"]).await;
    let table =
        || TableResolver::default().with("plc.example.org", &[address.ip()]).with("other.example.org", &[address.ip()]);
    let trusting = dialer(table(), &TlsRoots::Only(vec![certificate]));
    let mut dialed = trusting.dial(request(&format!("wss://plc.example.org:{}", address.port()))).await.unwrap();
    assert!(dialed.timings.tls_us > 0);
    let batch = dialed.reader.next_batch(10).await;
    assert_eq!(batch.messages[0].payload, Payload::Text("secret".into()));
    assert!(batch.messages[0].at >= dialed.opened_at);
    dialed.reader.send_ping().unwrap().unwrap();
    while !dialed.tcp.info().unwrap().all_acked() {
        tokio::task::yield_now().await;
    }

    let error = trusting.dial(request(&format!("wss://other.example.org:{}", address.port()))).await.err().unwrap();
    assert_eq!(error.class, DialClass::Tls);
    assert_eq!(error.text, "tls: certificate is not for other.example.org");

    let (_, stranger) = tls_server(&["plc.example.org"]).await;
    let distrusting = dialer(table(), &TlsRoots::Only(vec![stranger]));
    let error = distrusting.dial(request(&format!("wss://plc.example.org:{}", address.port()))).await.err().unwrap();
    assert!(error.text.starts_with("tls: certificate"), "{error}");

    let plain = serve(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let error = distrusting.dial(request(&format!("wss://{plain}"))).await.err().unwrap();
    assert_eq!(error.text, "tls: the answer is not TLS");
}
