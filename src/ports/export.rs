//! Pages of a source's log and audit logs of single DIDs, over HTTP.
//!
//! Every request passes the gate of its host, has a limit in time and in bytes, follows no redirect, uses no proxy and
//! reaches no private address without leave. A page is handed over as lines, unread: what they mean, and whether pages
//! chain, is decided in the domain.

use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use thiserror::Error;
use url::Url;

use super::BoxFuture;
use super::clock::Clock;
use super::dial_error::http_text;
use super::export_error::{ExportClass, ExportError};
use super::rate_gate::HostGates;
use super::resolve::{Resolve, ResolveError, literal};
use super::retry_after::retry_after_of;
use super::tls::{self, Tls, TlsRoots};
use crate::domain::time::Tau;

/// Most operations that a page may ask for; the reference server refuses more.
pub const PAGE_OPS_MAX: u32 = 1_000;
/// The pause that a 429 without a `Retry-After` gets, seconds.
const DEFAULT_PAUSE_S: u32 = 30;
/// Idle connections kept for each host.
const IDLE_PER_HOST_MAX: usize = 1;
/// Part of a refusal's body that is read for its words, bytes.
const REFUSAL_BYTES_MAX: usize = 512;

/// Whom to ask.
#[derive(Debug, Clone)]
pub struct ExportTarget {
    /// The source's origin, with the scheme of its stream or of HTTP; its path is ignored.
    pub base: Url,
    /// Whether addresses that are not public may be asked.
    pub allow_private: bool,
}

/// One page of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportPage {
    /// The lines in their order, without line ends, none empty; parts of one buffer.
    pub lines: Vec<Bytes>,
    /// Just before the request was sent.
    pub asked_at: Tau,
    /// When the last byte had been read.
    pub received_at: Tau,
}

/// Fetches from sources over HTTP.
pub trait ExportClient: Send + Sync {
    /// The operations after `after` (the source's own `seq`, exclusive), at most `count` and at most [`PAGE_OPS_MAX`].
    ///
    /// # Errors
    /// Why there is no page; see [`ExportClass`].
    fn page<'a>(
        &'a self,
        target: &'a ExportTarget,
        after: u64,
        count: u32,
    ) -> BoxFuture<'a, Result<ExportPage, ExportError>>;

    /// The audit log of `did`, as the source's bytes: a JSON array.
    ///
    /// # Errors
    /// Why there is none. A DID that the source does not know is [`ExportClass::Http`] with 404.
    fn audit<'a>(&'a self, target: &'a ExportTarget, did: &'a str) -> BoxFuture<'a, Result<Bytes, ExportError>>;
}

/// Limits and manners of [`HttpExport`].
#[derive(Clone)]
pub struct ExportOptions {
    /// Sent with each request.
    pub user_agent: String,
    /// Limit for a connect, TLS included.
    pub connect_timeout: Duration,
    /// Limit for a whole page.
    pub page_timeout: Duration,
    /// Limit for a whole audit log.
    pub audit_timeout: Duration,
    /// Largest page, bytes, after decompression.
    pub page_bytes_max: usize,
    /// Largest audit log, bytes, after decompression.
    pub audit_bytes_max: usize,
    /// Least time between two requests to one host.
    pub request_gap: Duration,
    /// Longest time that a call waits for its host's gate.
    pub gate_wait_max: Duration,
    /// Which addresses are not public.
    pub is_private: fn(IpAddr) -> bool,
}

impl ExportOptions {
    /// The documented limits: 10 s to connect, 30 s and 32 MiB a page, 10 s and 1 MB an audit log, 700 ms between requests.
    #[must_use]
    pub fn new(user_agent: String, is_private: fn(IpAddr) -> bool) -> Self {
        Self {
            user_agent,
            connect_timeout: Duration::from_secs(10),
            page_timeout: Duration::from_secs(30),
            audit_timeout: Duration::from_secs(10),
            page_bytes_max: 32 << 20,
            audit_bytes_max: 1_000_000,
            request_gap: Duration::from_millis(700),
            gate_wait_max: Duration::from_secs(30),
            is_private,
        }
    }
}

/// The real [`ExportClient`].
pub struct HttpExport {
    /// Stamps pages and reads dates.
    clock: Arc<dyn Clock>,
    /// One gate for each host.
    gates: HostGates,
    /// Reaches public addresses alone.
    public: Client,
    /// Reaches every address.
    private: Client,
    /// Limits.
    options: ExportOptions,
}

impl HttpExport {
    /// A client on these ports.
    ///
    /// # Errors
    /// When the HTTP library refuses the options, as it does for a User-Agent that is no header value.
    pub fn new(
        clock: Arc<dyn Clock>,
        resolver: &Arc<dyn Resolve>,
        tls: &Tls,
        options: ExportOptions,
    ) -> Result<Self, reqwest::Error> {
        let client = |is_private: Option<fn(IpAddr) -> bool>| {
            let dns = FilteredDns { resolver: Arc::clone(resolver), is_private };
            build_client(dns, tls, &options)
        };
        let (public, private) = (client(Some(options.is_private))?, client(None)?);
        let gates = HostGates::new(Arc::clone(&clock), options.request_gap, options.gate_wait_max);
        Ok(Self { clock, gates, public, private, options })
    }

    /// Sends one GET for `url` as soon as its host's gate opens; the answer, whatever its status, and when it was asked for.
    async fn get(&self, allow_private: bool, url: Url, limit: Duration) -> Result<(Response, Tau), ExportError> {
        let host = url.host_str().unwrap_or_default();
        let forbidden = |address: &IpAddr| !allow_private && (self.options.is_private)(*address);
        if literal(host).is_some_and(|addresses| addresses.iter().any(forbidden)) {
            return Err(refused_private(host));
        }
        let key = gate_key(&url);
        self.gates.pass(&key).await.map_err(ExportError::paused)?;
        let client = if allow_private { &self.private } else { &self.public };
        let asked_at = self.clock.now();
        let answer = client.get(url).timeout(limit).send().await.map_err(|error| classify(&error))?;
        let asks_for_patience =
            matches!(answer.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let named = retry_after_of(answer.headers(), self.clock.utc_ms());
        let pause_s = named.or((answer.status() == StatusCode::TOO_MANY_REQUESTS).then_some(DEFAULT_PAUSE_S));
        if let Some(seconds) = pause_s.filter(|_| asks_for_patience) {
            self.gates.pause(&key, seconds);
        }
        Ok((answer, asked_at))
    }

    /// The failure behind an answer other than 200 to a request for `path`.
    async fn refusal(&self, path: &str, mut answer: Response) -> ExportError {
        let status = answer.status();
        let retry_after_s = retry_after_of(answer.headers(), self.clock.utc_ms());
        let said = read_body(&mut answer, REFUSAL_BYTES_MAX).await.unwrap_or_default();
        let class = ExportClass::Http { status: status.as_u16(), retry_after_s };
        ExportError::new(class, &http_text(path, status, retry_after_s, &said))
    }

    /// Fetches one page.
    async fn fetch_page(&self, target: &ExportTarget, after: u64, count: u32) -> Result<ExportPage, ExportError> {
        let mut url = http_url(&target.base, "/export");
        url.set_query(Some(&format!("after={after}&count={}", count.clamp(1, PAGE_OPS_MAX))));
        let (mut answer, asked_at) = self.get(target.allow_private, url, self.options.page_timeout).await?;
        if answer.status() != StatusCode::OK {
            let mut refusal = self.refusal("/export", answer).await;
            if let ExportClass::Http { status: 404 | 405 | 426 | 501, .. } = refusal.class {
                refusal.class = ExportClass::NotSupported;
            }
            return Err(refusal);
        }
        let body = read_body(&mut answer, self.options.page_bytes_max).await?;
        let received_at = self.clock.now();
        let lines = split_lines(&body);
        if lines.first().is_some_and(|line| line.first() != Some(&b'{')) {
            return Err(ExportError::new(ExportClass::NotSupported, "http: what stands at /export is no log"));
        }
        Ok(ExportPage { lines, asked_at, received_at })
    }

    /// Fetches one audit log.
    async fn fetch_audit(&self, target: &ExportTarget, did: &str) -> Result<Bytes, ExportError> {
        let path = format!("/{did}/log/audit");
        let url = http_url(&target.base, &path);
        let (mut answer, _) = self.get(target.allow_private, url, self.options.audit_timeout).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.refusal(&path, answer).await);
        }
        read_body(&mut answer, self.options.audit_bytes_max).await
    }
}

impl ExportClient for HttpExport {
    fn page<'a>(
        &'a self,
        target: &'a ExportTarget,
        after: u64,
        count: u32,
    ) -> BoxFuture<'a, Result<ExportPage, ExportError>> {
        Box::pin(self.fetch_page(target, after, count))
    }

    fn audit<'a>(&'a self, target: &'a ExportTarget, did: &'a str) -> BoxFuture<'a, Result<Bytes, ExportError>> {
        Box::pin(self.fetch_audit(target, did))
    }
}

/// An HTTP client with the manners of this module.
fn build_client(dns: FilteredDns, tls: &Tls, options: &ExportOptions) -> Result<Client, reqwest::Error> {
    // Without certificates of the system plain HTTP still works, and HTTPS fails for want of a trusted issuer.
    let config = tls.config().or_else(|_| Tls::new(&TlsRoots::Only(Vec::new())).config());
    let builder = Client::builder()
        .user_agent(options.user_agent.as_str())
        .redirect(Policy::none())
        .referer(false)
        .no_proxy()
        .http1_only()
        .gzip(true)
        .connect_timeout(options.connect_timeout)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .dns_resolver(Arc::new(dns));
    match config {
        Ok(config) => builder.tls_backend_preconfigured((*config).clone()).build(),
        Err(_) => builder.build(),
    }
}

/// `base` with the scheme of HTTP, `path` and nothing else.
fn http_url(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let scheme = match base.scheme() {
        "wss" | "https" => "https",
        _ => "http",
    };
    // Both schemes are special ones, between which a change is always allowed.
    let _ = url.set_scheme(scheme);
    url.set_path(path);
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// The name of the gate of `url`: its host and port.
fn gate_key(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(0))
}

/// Reads the body of `answer`, at most `limit` bytes.
async fn read_body(answer: &mut Response, limit: usize) -> Result<Bytes, ExportError> {
    if answer.content_length().is_some_and(|length| length > limit as u64) {
        return Err(ExportError::too_large(limit));
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| classify(&error))? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Err(ExportError::too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The lines of `body`, without their ends; empty ones are left out, and the last needs no end.
fn split_lines(body: &Bytes) -> Vec<Bytes> {
    let lines = body.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    lines.map(|line| body.slice_ref(line)).collect()
}

/// The failure of an address that may not be asked.
fn refused_private(host: &str) -> ExportError {
    let text = format!("refused: {host} has only private addresses; set \"allowPrivate\": true if this is intended");
    ExportError::new(ExportClass::RefusedPrivate, &text)
}

/// The failure behind an error of the HTTP library.
fn classify(error: &reqwest::Error) -> ExportError {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    let mut innermost = String::new();
    while let Some(current) = cause {
        if let Some(OnlyPrivate(host)) = current.downcast_ref() {
            return refused_private(host);
        }
        if let Some(resolve) = current.downcast_ref::<ResolveError>() {
            return ExportError::new(ExportClass::Dns, &format!("dns: {resolve}"));
        }
        if let Some(text) = current.downcast_ref().and_then(tls::cause_text) {
            return ExportError::new(ExportClass::Tls, &format!("tls: {text}"));
        }
        innermost = current.to_string();
        cause = current.source();
    }
    if error.is_timeout() {
        ExportError::new(ExportClass::Timeout, "http: no complete answer in time")
    } else if error.is_connect() {
        ExportError::new(ExportClass::Tcp, &format!("tcp: {innermost}"))
    } else {
        ExportError::new(ExportClass::Broken, &format!("http: the answer is cut short or damaged ({innermost})"))
    }
}

/// The resolver's answer held nothing but private addresses.
#[derive(Debug, Error)]
#[error("{0} has only private addresses")]
struct OnlyPrivate(String);

/// Hands the HTTP library only addresses that may be asked.
struct FilteredDns {
    resolver: Arc<dyn Resolve>,
    /// The addresses to leave out; `None` leaves out none.
    is_private: Option<fn(IpAddr) -> bool>,
}

impl reqwest::dns::Resolve for FilteredDns {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let (resolver, is_private) = (Arc::clone(&self.resolver), self.is_private);
        Box::pin(async move {
            let mut addresses = resolver.resolve(name.as_str()).await?;
            addresses.retain(|&address| is_private.is_none_or(|is_private| !is_private(address)));
            if addresses.is_empty() {
                return Err(OnlyPrivate(name.as_str().to_owned()).into());
            }
            let sockets = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(sockets) as reqwest::dns::Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
