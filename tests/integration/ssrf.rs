//! No spelling of an address leads the observer into a private network: not in the configuration, not where names are
//! resolved, not by a redirect, and not by a name that answers otherwise the second time.

use mirrorwatch::config::{FileChoice, Inputs, SourceConfig, load};
use mirrorwatch::domain::address::is_private;
use mirrorwatch::ports::BoxFuture;
use mirrorwatch::ports::clock::SystemClock;
use mirrorwatch::ports::dial::{DialOptions, DialRequest, Dialer, TcpDialer};
use mirrorwatch::ports::dial_error::DialClass;
use mirrorwatch::ports::export::{ExportClient, ExportOptions, ExportTarget, HttpExport};
use mirrorwatch::ports::export_error::ExportClass;
use mirrorwatch::ports::resolve::{Resolve, ResolveError};
use mirrorwatch::ports::tls::{Tls, TlsRoots};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Pairs of ports that are tried.
const PORTS_TRIED: u32 = 100;

/// Hosts that are, or may become, an address that is not public.
const SPELLINGS: [&str; 76] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "017700000001",
    "0177.1",
    "127.0.0.1.",
    "0",
    "0.0.0.0",
    "0x0",
    "00000000000",
    "0.1.2.3",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "１２７.0.0.1",
    "127。0。0。1",
    "①②⑦.⓪.⓪.①",
    "127．0．0．1",
    "0X7F.1",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "LocalHost.",
    "ｌｏｃａｌｈｏｓｔ",
    "%6cocalhost",
    "10.0.0.5",
    "10.1",
    "0xa.0.0.5",
    "012.0.0.5",
    "167772165",
    "172.16.0.1",
    "172.31.255.255",
    "0xac.0x10.0.1",
    "192.168.0.1",
    "192.168.257",
    "3232235521",
    "0xc0a80001",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "100.64.0.1",
    "100.127.255.254",
    "192.0.0.8",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.1.2.3",
    "240.0.0.1",
    "255.255.255.255",
    "4294967295",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:a00:5]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "[2001::1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
];

/// A resolver whose answer is another one each time; the last one stays.
struct Fickle {
    answers: Vec<IpAddr>,
    asked: AtomicUsize,
}

impl Resolve for Fickle {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>> {
        let at = self.asked.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1);
        let answer = vec![self.answers[at]];
        Box::pin(async move { Ok(answer) })
    }
}

/// The same free port of two addresses: who else takes ports here may have taken either.
async fn same_port(one: &str, other: &str) -> (TcpListener, TcpListener) {
    for _ in 0..PORTS_TRIED {
        let first = TcpListener::bind((one, 0)).await.unwrap();
        if let Ok(second) = TcpListener::bind((other, first.local_addr().unwrap().port())).await {
            return (first, second);
        }
    }
    panic!("no port is free on both {one} and {other}");
}

/// Counts its connections; answers each with `answer`.
fn serve(listener: TcpListener, answer: String) -> (SocketAddr, Arc<AtomicUsize>) {
    let here = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut head = [0; 4_096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (here, count)
}

fn dialer(resolver: impl Resolve + 'static, private: fn(IpAddr) -> bool) -> TcpDialer {
    let mut options = DialOptions::new("test".to_owned(), private);
    options.connect_timeout = Duration::from_secs(2);
    let clock = Arc::new(SystemClock::new(0).unwrap());
    TcpDialer::new(clock, Arc::new(resolver), Tls::new(&TlsRoots::Only(Vec::new())), options)
}

fn export(resolver: impl Resolve + 'static, private: fn(IpAddr) -> bool) -> HttpExport {
    let mut options = ExportOptions::new("test".to_owned(), private);
    options.request_gap = Duration::ZERO;
    let clock = Arc::new(SystemClock::new(0).unwrap());
    let resolver: Arc<dyn Resolve> = Arc::new(resolver);
    HttpExport::new(clock, &resolver, &Tls::new(&TlsRoots::Only(Vec::new())), options).unwrap()
}

fn request(url: &str) -> DialRequest {
    let url = url.parse().unwrap();
    DialRequest {
        url,
        path_and_query: "/export/stream".to_owned(),
        allow_private: false,
        prefer: None,
        message_bytes_max: None,
    }
}

/// What the configuration says of `url`, beside the permissions.
fn configured(url: &str, permissions: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.json");
    std::fs::write(&file, format!("{{\"mirrors\":[{{\"url\":\"{url}\"{permissions}}}]}}")).unwrap();
    load(&Inputs { file: FileChoice::Given(file), ..Inputs::default() }).map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn no_spelling_of_a_private_address_is_taken_without_leave() {
    for host in SPELLINGS {
        let said = configured(&format!("wss://{host}"), "").expect_err(host);
        assert!(said.contains(" address"), "{host}: {said}");
        assert!(
            configured(&format!("wss://{host}"), ",\"allowPlaintext\":true").is_err(),
            "{host}: another permission"
        );
        assert!(configured(&format!("wss://{host}:443"), "").is_err(), "{host}");
        SourceConfig::named(&format!("https://{host}"), true, false).expect_err(host);
        SourceConfig::named(host, true, false).expect_err(host);
        assert_eq!(configured(&format!("wss://{host}"), ",\"name\":\"x\",\"allowPrivate\":true"), Ok(()), "{host}");
    }
    for other in
        ["file:///etc/passwd", "gopher://127.0.0.1", "wss://", "wss://[fe80::1%25eth0]", "javascript:1", "//10.0.0.1"]
    {
        assert!(configured(other, ",\"allowPrivate\":true").is_err(), "{other}");
    }
}

/// The same again where a source is dialled: nothing is trusted that was checked elsewhere.
#[tokio::test]
async fn no_spelling_of_a_private_address_is_dialled_without_leave() {
    let inside = || Fickle { answers: vec![[127, 0, 0, 1].into()], asked: AtomicUsize::new(0) };
    let (dialer, export) = (dialer(inside(), is_private), export(inside(), is_private));
    for host in SPELLINGS {
        let error = dialer.dial(request(&format!("ws://{host}:9"))).await.err().unwrap();
        assert_eq!(error.class, DialClass::RefusedPrivate, "{host}");
        let target = ExportTarget { base: format!("ws://{host}:9").parse().unwrap(), allow_private: false };
        assert_eq!(export.page(&target, 0, 1).await.unwrap_err().class, ExportClass::RefusedPrivate, "{host}");
        assert_eq!(export.audit(&target, "did:plc:x").await.unwrap_err().class, ExportClass::RefusedPrivate, "{host}");
        assert!(export.look_up(&target, "/x/log/last").await.error.is_some(), "{host}");
    }
}

/// A name that first leads outside and then inside: each connection goes where its own check looked. 127.0.0.2 stands for
/// the outside.
#[tokio::test]
async fn a_name_that_changes_its_mind_leads_nowhere() {
    let outside_is_public: fn(IpAddr) -> bool = |address| address != IpAddr::from([127, 0, 0, 2]);
    let not_found = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let (outside, inside) = same_port("127.0.0.2", "127.0.0.1").await;
    let (outside, outside_count) = serve(outside, not_found.to_owned());
    let (_, inside_count) = serve(inside, not_found.to_owned());
    let fickle = || Fickle { answers: vec![[127, 0, 0, 2].into(), [127, 0, 0, 1].into()], asked: AtomicUsize::new(0) };
    let url = format!("ws://fickle.example.org:{}", outside.port());

    let dialer = dialer(fickle(), outside_is_public);
    let first = dialer.dial(request(&url)).await.err().unwrap();
    assert_eq!(first.class, DialClass::Http { status: 404, retry_after_s: None }, "{first}");
    let mut again = request(&url);
    again.prefer = Some([127, 0, 0, 1].into());
    assert_eq!(dialer.dial(again).await.err().unwrap().class, DialClass::RefusedPrivate);

    let export = export(fickle(), outside_is_public);
    let target = ExportTarget { base: url.parse().unwrap(), allow_private: false };
    assert_eq!(export.page(&target, 0, 1).await.unwrap_err().class, ExportClass::NotSupported);
    assert_eq!(export.page(&target, 0, 1).await.unwrap_err().class, ExportClass::RefusedPrivate);
    assert_eq!((outside_count.load(Ordering::SeqCst), inside_count.load(Ordering::SeqCst)), (2, 0));
}

/// A server outside that points inside is not followed.
#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let outside_is_public: fn(IpAddr) -> bool = |address| address != IpAddr::from([127, 0, 0, 2]);
    let (inside, inside_count) = serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), String::new());
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let answer = format!(
            "HTTP/1.1 {status}\r\nLocation: http://{inside}/\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        let (outside, _) = serve(TcpListener::bind("127.0.0.2:0").await.unwrap(), answer);
        let there = || Fickle { answers: vec![[127, 0, 0, 2].into()], asked: AtomicUsize::new(0) };
        let url = format!("ws://plc.example.org:{}", outside.port());
        let error = dialer(there(), outside_is_public).dial(request(&url)).await.err().unwrap();
        assert!(error.text.ends_with("redirects are not followed"), "{error}");
        let target = ExportTarget { base: url.parse().unwrap(), allow_private: false };
        let error = export(there(), outside_is_public).page(&target, 0, 1).await.unwrap_err();
        assert!(error.text.ends_with("redirects are not followed"), "{error}");
    }
    assert_eq!(inside_count.load(Ordering::SeqCst), 0);
}
