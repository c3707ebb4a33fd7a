//! Tiny servers on the loopback address, for the tests of the ports: each serves what one closure writes.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::clock::SystemClock;
use super::dial::{DialOptions, DialRequest, Dialed, Dialer, TcpDialer};
use super::dial_error::DialError;
use super::resolve::{Resolve, TableResolver};
use super::tls::{Tls, TlsRoots};

/// Serves every connection with `serve`, each on a task of its own, until the runtime ends.
pub(crate) async fn serve<F, S>(serve: S) -> SocketAddr
where
    S: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Reads one request's head and returns it.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0u8; 1];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).await.unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Answers every request with `answer`, verbatim, and closes.
pub(crate) async fn serve_answer(answer: &'static str) -> SocketAddr {
    serve(move |mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await
}

/// The addresses that tests take for private: all but those of 127.0.0.2.
pub(crate) fn loopback_is_private(address: IpAddr) -> bool {
    address != IpAddr::from([127, 0, 0, 2])
}

/// A dialer with short limits that knows `resolver` and trusts `roots`.
pub(crate) fn dialer(resolver: impl Resolve + 'static, roots: &TlsRoots) -> TcpDialer {
    let mut options = DialOptions::new(super::user_agent("https://example.org/contact"), loopback_is_private);
    options.handshake_timeout = Duration::from_secs(20);
    let clock = Arc::new(SystemClock::new(0).unwrap());
    TcpDialer::new(clock, Arc::new(resolver), Tls::new(roots), options)
}

/// A request for the stream of `url`, private addresses allowed.
pub(crate) fn request(url: &str) -> DialRequest {
    DialRequest {
        url: url.parse().unwrap(),
        path_and_query: "/export/stream?cursor=5".into(),
        allow_private: true,
        prefer: None,
        message_bytes_max: None,
    }
}

/// Dials the stream at `address` without TLS.
pub(crate) async fn dial(address: SocketAddr) -> Result<Dialed, DialError> {
    dialer(TableResolver::default(), &TlsRoots::Only(Vec::new())).dial(request(&format!("ws://{address}"))).await
}
