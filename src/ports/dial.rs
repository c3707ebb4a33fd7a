//! Opening a source's stream: name, TCP, TLS and WebSocket upgrade, each timed apart.
//!
//! The address is checked before the connect, and that very address is connected to, so that no name can lead the
//! observer into a private network. Redirects are not followed and no extension is offered. When to dial, and what a
//! failure means, is decided by the link.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::handshake::client::{Request, generate_key};
use url::Url;

use super::BoxFuture;
use super::clock::Clock;
use super::dial_error::{DialClass, DialError, Phase};
use super::resolve::Resolve;
use super::stamped::StampedStream;
use super::stream_reader::{StreamReader, Transport, talk_config, ws_config};
use super::tcp_info::TcpHandle;
use super::tcp_socket::{connect, watch_for_death};
use super::tls::Tls;
use super::upgrade::upgrade;
use crate::domain::time::{Tau, US};

/// Addresses of one name that are tried in one attempt.
const ADDRESSES_MAX: usize = 4;

/// Which stream to open.
#[derive(Debug, Clone)]
pub struct DialRequest {
    /// The source's origin, `wss://HOST[:PORT]` or `ws://…`; its path is ignored.
    pub url: Url,
    /// Path and query of the stream, as `/export/stream?cursor=5`.
    pub path_and_query: String,
    /// Whether addresses that are not public may be dialled.
    pub allow_private: bool,
    /// Tried first where the name still has it: the address of the previous connection.
    pub prefer: Option<IpAddr>,
    /// Largest message in either direction, bytes, where it is not what sources may send.
    pub message_bytes_max: Option<usize>,
}

/// What is the same for every stream.
#[derive(Clone)]
pub struct DialOptions {
    /// Sent with each request.
    pub user_agent: String,
    /// Limit for the whole, from the name to the upgrade.
    pub handshake_timeout: Duration,
    /// Limit for the TCP connect to one address.
    pub connect_timeout: Duration,
    /// How long bytes of ours may stay unacknowledged before the kernel ends the connection.
    pub user_timeout: Duration,
    /// Largest frame and message taken, bytes.
    pub frame_bytes_max: usize,
    /// Which addresses are not public.
    pub is_private: fn(IpAddr) -> bool,
}

impl DialOptions {
    /// The documented limits: 10 s for the whole, 15 s unacknowledged, 256 KiB a frame.
    #[must_use]
    pub fn new(user_agent: String, is_private: fn(IpAddr) -> bool) -> Self {
        Self {
            user_agent,
            handshake_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(4),
            user_timeout: Duration::from_secs(15),
            frame_bytes_max: 256 * 1024,
            is_private,
        }
    }
}

/// How long each part of opening a stream took, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DialTimings {
    /// Name into addresses; about 0 for an address or a remembered answer.
    pub dns_us: i64,
    /// The TCP connect to the address that answered.
    pub tcp_us: i64,
    /// The TLS handshake; 0 without TLS.
    pub tls_us: i64,
    /// From the request to the 101.
    pub upgrade_us: i64,
}

/// An open stream.
pub struct Dialed {
    /// Reads it.
    pub reader: StreamReader,
    /// The address that it is connected to.
    pub peer: SocketAddr,
    /// Our end of it.
    pub local: SocketAddr,
    /// How long the parts took.
    pub timings: DialTimings,
    /// When the 101 had been read.
    pub opened_at: Tau,
    /// Looks at its socket for as long as the reader lives.
    pub tcp: TcpHandle,
}

/// Opens streams.
pub trait Dialer: Send + Sync {
    /// Opens the stream that `request` asks for.
    ///
    /// # Errors
    /// Why there is no stream; see [`DialClass`].
    fn dial(&self, request: DialRequest) -> BoxFuture<'_, Result<Dialed, DialError>>;
}

/// The real [`Dialer`].
pub struct TcpDialer {
    /// Times the parts and stamps the reads.
    clock: Arc<dyn Clock>,
    /// Names into addresses.
    resolver: Arc<dyn Resolve>,
    /// Whose certificates are trusted.
    tls: Tls,
    /// The limits.
    options: DialOptions,
}

/// The end of an attempt's time, and its length for the words about it.
#[derive(Copy, Clone)]
struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// Waits for `part` until the time is over.
    async fn within<T>(self, phase: Phase, part: impl Future<Output = T>) -> Result<T, DialError> {
        timeout_at(self.at, part).await.map_err(|_| DialError::timeout(phase, self.limit.as_secs_f64()))
    }
}

impl TcpDialer {
    /// A dialer on these ports.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, resolver: Arc<dyn Resolve>, tls: Tls, options: DialOptions) -> Self {
        Self { clock, resolver, tls, options }
    }

    /// Microseconds since `from`.
    fn us_since(&self, from: Tau) -> i64 {
        self.clock.now().since(from).max(0) / US
    }

    /// All parts in order.
    async fn open(&self, request: DialRequest) -> Result<Dialed, DialError> {
        let limit = self.options.handshake_timeout;
        let deadline = Deadline { at: Instant::now() + limit, limit };
        let host = request.url.host_str().unwrap_or_default().to_owned();
        let encrypted = request.url.scheme() == "wss";
        let port = request.url.port().unwrap_or(if encrypted { 443 } else { 80 });
        let mut timings = DialTimings::default();

        let began = self.clock.now();
        let addresses = deadline.within(Phase::Dns, self.addresses(&request, &host)).await??;
        timings.dns_us = self.us_since(began);

        let (stream, peer, tcp_us) = deadline.within(Phase::Tcp, self.connect_any(&addresses, port)).await??;
        timings.tcp_us = tcp_us;
        let local_fault = |error: std::io::Error| DialError::new(DialClass::Local, &format!("local: {error}"));
        watch_for_death(&stream, self.options.user_timeout).map_err(local_fault)?;
        let local = stream.local_addr().map_err(local_fault)?;
        let duplicate = Arc::new(stream.as_fd().try_clone_to_owned().map_err(local_fault)?);
        let stamped = StampedStream::new(stream, Arc::clone(&self.clock));
        let stamps = stamped.stamps();

        let began = self.clock.now();
        let transport: Box<dyn Transport> = if encrypted {
            let secured = deadline.within(Phase::Tls, self.secure(&host, stamped)).await??;
            timings.tls_us = self.us_since(began);
            secured
        } else {
            Box::new(stamped)
        };

        let began = self.clock.now();
        let ask = self.ask(&request)?;
        let config = match request.message_bytes_max {
            None => ws_config(self.options.frame_bytes_max),
            Some(max) => talk_config(max),
        };
        let ws = deadline
            .within(Phase::Upgrade, upgrade(ask, transport, config))
            .await?
            .map_err(|error| DialError::upgrade(path_of(&request.path_and_query), self.clock.utc_ms(), &error))?;
        timings.upgrade_us = self.us_since(began);
        let opened_at = stamps.last_read().unwrap_or(began);
        let reader = StreamReader::new(ws, stamps, Some(duplicate), Arc::clone(&self.clock));
        let tcp = reader.tcp();
        Ok(Dialed { reader, peer, local, timings, opened_at, tcp })
    }

    /// The addresses of `host` that may be dialled, the preferred one first.
    async fn addresses(&self, request: &DialRequest, host: &str) -> Result<Vec<IpAddr>, DialError> {
        let mut addresses = self.resolver.resolve(host).await.map_err(|error| DialError::dns(&error))?;
        addresses.retain(|&address| request.allow_private || !(self.options.is_private)(address));
        if addresses.is_empty() {
            return Err(DialError::refused_private(host));
        }
        addresses.sort_by_key(|&address| Some(address) != request.prefer);
        addresses.truncate(ADDRESSES_MAX);
        Ok(addresses)
    }

    /// Connects to the first of `addresses` that answers; also the microseconds that this one took.
    async fn connect_any(&self, addresses: &[IpAddr], port: u16) -> Result<(TcpStream, SocketAddr, i64), DialError> {
        let mut failed = DialError::new(DialClass::Dns, "dns: no address");
        for &address in addresses {
            let peer = SocketAddr::new(address, port);
            let began = self.clock.now();
            match connect(peer, self.options.connect_timeout).await {
                Ok(stream) => return Ok((stream, peer, self.us_since(began))),
                Err(error) => failed = DialError::tcp(peer, &error),
            }
        }
        Err(failed)
    }

    /// TLS over `stream`, for the name `host`.
    async fn secure(&self, host: &str, stream: StampedStream<TcpStream>) -> Result<Box<dyn Transport>, DialError> {
        let config = self.tls.config().map_err(|why| DialError::new(DialClass::Local, &format!("tls: {why}")))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare)
            .map_err(|_| DialError::new(DialClass::Tls, &format!("tls: \"{host}\" is no name for a certificate")))?;
        let secured = TlsConnector::from(config).connect(name, stream).await;
        secured.map(|stream| Box::new(stream) as Box<dyn Transport>).map_err(|error| DialError::tls(&error))
    }

    /// The request that asks for the stream.
    fn ask(&self, request: &DialRequest) -> Result<Request, DialError> {
        let authority = match (request.url.host_str(), request.url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => String::new(),
        };
        http::Request::builder()
            .uri(format!("{}://{authority}{}", request.url.scheme(), request.path_and_query))
            .header("Host", authority)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key())
            .header("User-Agent", self.options.user_agent.as_str())
            .body(())
            .map_err(|error| DialError::new(DialClass::Ws, &format!("ws: {error}")))
    }
}

impl Dialer for TcpDialer {
    fn dial(&self, request: DialRequest) -> BoxFuture<'_, Result<Dialed, DialError>> {
        Box::pin(self.open(request))
    }
}

/// `path_and_query` without its query.
fn path_of(path_and_query: &str) -> &str {
    path_and_query.split('?').next().unwrap_or(path_and_query)
}

#[cfg(test)]
mod tests;
