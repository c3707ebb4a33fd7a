use super::*;
use crate::domain::time::MS;
use crate::ports::clock::SystemClock;
use crate::ports::loopback::{loopback_is_private, read_head, serve, serve_answer};
use crate::ports::resolve::TableResolver;
use crate::ports::tls::TlsRoots;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::io::AsyncWriteExt;

const DID: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";

/// A client with short limits that knows `inside.example.org` as 127.0.0.1.
fn client() -> HttpExport {
    let mut options = ExportOptions::new("mirrorwatch/test (+https://example.org)".into(), loopback_is_private);
    options.page_timeout = Duration::from_secs(20);
    options.audit_timeout = Duration::from_secs(20);
    options.request_gap = Duration::from_millis(20);
    options.audit_gap = Duration::from_millis(40);
    options.page_bytes_max = 10_000;
    options.audit_bytes_max = 1_000;
    let table = TableResolver::default().with("inside.example.org", &[[127, 0, 0, 1].into()]);
    let resolver: Arc<dyn Resolve> = Arc::new(table);
    HttpExport::new(Arc::new(SystemClock::new(0).unwrap()), &resolver, &Tls::new(&TlsRoots::default()), options)
        .unwrap()
}

fn target(address: SocketAddr) -> ExportTarget {
    ExportTarget { base: format!("ws://{address}").parse().unwrap(), allow_private: true }
}

/// The failure behind `answer` to a request for a page.
async fn refused(answer: &'static str) -> ExportError {
    client().page(&target(serve_answer(answer).await), 0, 10).await.unwrap_err()
}

#[tokio::test]
async fn a_page_is_asked_for_by_seq_and_split_into_lines() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&requests);
    let address = serve(move |mut stream| {
        let told = Arc::clone(&told);
        async move {
            let head = read_head(&mut stream).await;
            told.lock().unwrap().push(head);
            let body = "{\"seq\":8}\n{\"seq\":9}\r\n{\"seq\":10}";
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all((head + body).as_bytes()).await.unwrap();
        }
    })
    .await;
    let client = client();
    let before = client.clock.now();
    let page = client.page(&target(address), 7, 5_000).await.unwrap();
    assert_eq!(page.lines, ["{\"seq\":8}", "{\"seq\":9}", "{\"seq\":10}"]);
    assert!(before <= page.asked_at && page.asked_at < page.received_at);
    let second = client.page(&target(address), 10, 1).await.unwrap();
    assert!(second.asked_at.since(page.asked_at) >= 20 * MS, "the gate keeps requests apart");
    let requests = requests.lock().unwrap();
    assert!(requests[0].starts_with("GET /export?after=7&count=1000 HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[1].starts_with("GET /export?after=10&count=1 HTTP/1.1\r\n"), "{}", requests[1]);
    assert!(requests[0].to_lowercase().contains("user-agent: mirrorwatch/test (+https://example.org)\r\n"));
}

/// A server that closes each connection at its second request, unanswered, and from the connection `last` on at its first;
/// with the number of requests that it was sent.
async fn closing(last: usize) -> (ExportTarget, Arc<Mutex<usize>>) {
    let (connections, requests) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let told = Arc::clone(&requests);
    let address = serve(move |mut stream| {
        let (connections, told) = (Arc::clone(&connections), Arc::clone(&told));
        async move {
            *connections.lock().unwrap() += 1;
            let answers = usize::from(*connections.lock().unwrap() < last);
            for left in (0..=answers).rev() {
                read_head(&mut stream).await;
                *told.lock().unwrap() += 1;
                if left > 0 {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]").await.unwrap();
                }
            }
        }
    })
    .await;
    (target(address), requests)
}

#[tokio::test]
async fn a_connection_that_ends_as_it_is_used_again_loses_no_request() {
    let (target, requests) = closing(usize::MAX).await;
    let client = client();
    for asked in 1..=3 {
        let found = client.look_up(&target, "/x/log/audit").await;
        assert_eq!((found.status, found.error), (Some(200), None), "request {asked}");
    }
    assert_eq!(*requests.lock().unwrap(), 5, "the second and the third were sent twice");
}

#[tokio::test]
async fn who_never_answers_is_asked_twice_and_no_more() {
    let (target, requests) = closing(1).await;
    let found = client().look_up(&target, "/x/log/audit").await;
    assert_eq!(found.error.unwrap().class, ExportClass::Broken);
    assert_eq!(*requests.lock().unwrap(), 2);
}

#[tokio::test]
async fn an_empty_page_is_a_page() {
    let address = serve_answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    assert!(client().page(&target(address), 7, 10).await.unwrap().lines.is_empty());
}

#[tokio::test]
async fn gzip_is_taken_and_counted_unpacked() {
    let packed = |size: usize| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(format!("{{\"a\":\"{}\"}}", "x".repeat(size)).as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let (small, bomb) = (packed(5_000), packed(2_000_000));
    let address = serve(move |mut stream| {
        let (small, bomb) = (small.clone(), bomb.clone());
        async move {
            let head = read_head(&mut stream).await;
            let body = if head.contains("after=1&") { small } else { bomb };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
        }
    })
    .await;
    assert_eq!(client().page(&target(address), 1, 10).await.unwrap().lines[0].len(), 5_008);
    let error = client().page(&target(address), 2, 10).await.unwrap_err();
    assert_eq!(error.class, ExportClass::TooLarge { limit: 10_000 });
}

#[tokio::test]
async fn what_is_no_export_is_told_from_what_is_broken() {
    for answer in [
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<!doctype html>",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    ] {
        let error = refused(answer).await;
        assert_eq!(error.class, ExportClass::NotSupported, "{answer}");
        assert!(!error.is_passing());
    }
    let error = refused("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(error.class, ExportClass::Http { status: 502, retry_after_s: None });
    assert!(error.is_passing());
    let error = refused("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(error.text, "http: 302 — redirects are not followed");
    let error = refused("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"seq\":1}\n{\"se").await;
    assert_eq!(error.class, ExportClass::Broken, "{error}");
    let error = refused("HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n").await;
    assert_eq!(error.class, ExportClass::TooLarge { limit: 10_000 });
}

#[tokio::test]
async fn an_endless_body_is_cut() {
    let address = serve(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await;
        while stream.write_all(b"{\"seq\":1}\n").await.is_ok() {}
    })
    .await;
    let error = client().page(&target(address), 0, 10).await.unwrap_err();
    assert_eq!(error.class, ExportClass::TooLarge { limit: 10_000 });
}

#[tokio::test]
async fn a_429_shuts_the_gate_for_as_long_as_it_says() {
    let address = serve_answer("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 300\r\nContent-Length: 0\r\n\r\n").await;
    let client = client();
    let error = client.page(&target(address), 0, 10).await.unwrap_err();
    assert_eq!(error.class, ExportClass::Http { status: 429, retry_after_s: Some(300) });
    assert_eq!(error.text, "http: 429, retry in 300 s");
    let error = client.audit(&target(address), DID).await.unwrap_err();
    assert!(matches!(error.class, ExportClass::Paused { retry_after_s: 299..=300 }), "{error:?}");
}

#[tokio::test]
async fn silence_ends_in_a_timeout_and_a_closed_port_in_a_refusal() {
    let silent = serve(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let mut client = client();
    client.options.page_timeout = Duration::from_millis(80);
    let error = client.page(&target(silent), 0, 10).await.unwrap_err();
    assert_eq!(error.class, ExportClass::Timeout);
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = client.page(&target(closed), 0, 10).await.unwrap_err();
    assert_eq!(error.class, ExportClass::Tcp);
    assert!(error.text.to_lowercase().contains("refused"), "{error}");
    let plain = serve(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let base = format!("wss://{plain}").parse().unwrap();
    let error = client.audit(&ExportTarget { base, allow_private: true }, DID).await.unwrap_err();
    assert_eq!((error.class, error.text.as_str()), (ExportClass::Tls, "tls: the answer is not TLS"));
    let unknown = ExportTarget { base: "wss://plc.example.org".parse().unwrap(), allow_private: false };
    let error = client.page(&unknown, 0, 10).await.unwrap_err();
    assert_eq!(
        (error.class, error.text.as_str()),
        (ExportClass::Dns, "dns: no address for plc.example.org (NXDOMAIN)")
    );
}

#[tokio::test]
async fn private_addresses_need_leave_and_names_cannot_hide_them() {
    let address = serve_answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    for host in ["127.0.0.1", "inside.example.org", "localhost", "[::1]"] {
        let base: Url = format!("ws://{host}:{}", address.port()).parse().unwrap();
        let error = client().page(&ExportTarget { base, allow_private: false }, 0, 10).await.unwrap_err();
        assert_eq!(error.class, ExportClass::RefusedPrivate, "{host}: {error}");
    }
    let base: Url = format!("ws://inside.example.org:{}", address.port()).parse().unwrap();
    client().page(&ExportTarget { base, allow_private: true }, 0, 10).await.unwrap();
}

#[tokio::test]
async fn audit_logs_are_bounded_and_an_unknown_did_is_no_missing_endpoint() {
    let address = serve(|mut stream| async move {
        let head = read_head(&mut stream).await;
        let answer = if head.starts_with(&format!("GET /{DID}/log/audit HTTP/1.1\r\n")) {
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]".to_owned()
        } else if head.contains("bbbb") {
            format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "[".repeat(1_001))
        } else {
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned()
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let client = client();
    assert_eq!(client.audit(&target(address), DID).await.unwrap(), "[]");
    let error = client.audit(&target(address), &DID.replace('a', "c")).await.unwrap_err();
    assert_eq!(error.class, ExportClass::Http { status: 404, retry_after_s: None });
    let error = client.audit(&target(address), &DID.replace('a', "b")).await.unwrap_err();
    assert_eq!(error.class, ExportClass::TooLarge { limit: 1_000 });
}

#[tokio::test]
async fn every_status_is_an_answer_about_a_did_and_comes_with_its_evidence() {
    let address = serve(|mut stream| async move {
        let head = read_head(&mut stream).await;
        let (status, body) = match head.split(' ').nth(1).unwrap() {
            "/a/log/audit" => ("200 OK", "[]"),
            "/a/log/last" => ("404 Not Found", "{\"message\":\"DID not registered: a\"}"),
            "/b/log/audit" => ("410 Gone", ""),
            "/c/log/audit" => ("429 Too Many Requests\r\nRetry-After: 300", "later"),
            _ => ("200 OK", "cut"),
        };
        let length = if body == "cut" { 100 } else { body.len() };
        let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let (client, target) = (client(), target(address));
    let before = client.clock.now();
    let found = client.look_up(&target, "/a/log/audit").await;
    assert_eq!((found.status, found.body.as_deref(), found.error), (Some(200), Some(b"[]".as_slice()), None));
    assert_eq!(found.url, format!("http://{address}/a/log/audit"));
    let absent = client.look_up(&target, "/a/log/last").await;
    assert!(absent.status == Some(404) && absent.body.unwrap().ends_with(b"registered: a\"}"));
    assert!(before < found.received_at && absent.received_at.since(before) >= 40 * MS, "the budget is kept");
    assert_eq!(client.look_up(&target, "/b/log/audit").await.status, Some(410));
    let cut = client.look_up(&target, "/d/log/audit").await;
    assert_eq!((cut.status, cut.body, cut.error.unwrap().class), (Some(200), None, ExportClass::Broken));
    let busy = client.look_up(&target, "/c/log/audit").await;
    assert_eq!((busy.status, busy.retry_after_s), (Some(429), Some(300)));
    let paused = client.look_up(&target, "/a/log/audit").await;
    assert!(matches!(paused.error.unwrap().class, ExportClass::Paused { retry_after_s: 299..=300 }));
    assert_eq!((paused.status, paused.body), (None, None));
}

#[test]
fn the_scheme_follows_that_of_the_stream() {
    let url = |base: &str| http_url(&base.parse().unwrap(), "/export").to_string();
    assert_eq!(url("wss://plc.directory"), "https://plc.directory/export");
    assert_eq!(url("ws://[::1]:2582/x?y#z"), "http://[::1]:2582/export");
    assert_eq!(url("https://plc.directory:8443"), "https://plc.directory:8443/export");
    assert_eq!(gate_key(&"https://plc.directory/export".parse().unwrap()), "plc.directory:443");
}
