//! Pages of a source's log and audit logs of single DIDs, over HTTP.
//!
//! Every request passes the gate of its host, has a limit in time and in bytes, follows no redirect, uses no proxy and
//! reaches no private address without leave. A page is handed over as lines, unread: what they mean, and whether pages
//! chain, is decided in the domain.

mod ask;
mod client;

pub use ask::Answer;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use reqwest::{Client, Response};
use url::Url;

use super::BoxFuture;
use super::clock::Clock;
use super::dial_error::http_text;
use super::export_error::{ExportClass, ExportError};
use super::rate_gate::HostGates;
use super::resolve::{Resolve, literal};
use super::retry_after::retry_after_of;
use super::tls::Tls;
use crate::domain::time::{Tau, rfc3339_ms};
use client::{FilteredDns, build_client, classify, is_closed_unanswered, refused_private};

/// Most operations that a page may ask for; the reference server refuses more.
pub const PAGE_OPS_MAX: u32 = 1_000;
/// The pause that a 429 without a `Retry-After` gets, seconds.
const DEFAULT_PAUSE_S: u32 = 30;
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
    /// The address that answered.
    pub peer: Option<SocketAddr>,
}

/// What came of asking a host about one DID: enough to tell its operator what it answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookUp {
    /// What was asked, whole.
    pub url: String,
    /// Just before the request was sent; none when none was.
    pub asked_at: Option<Tau>,
    /// When the answer was complete, or failed.
    pub received_at: Tau,
    /// The address that answered.
    pub peer: Option<SocketAddr>,
    /// The status; none without an answer.
    pub status: Option<u16>,
    /// Its `Retry-After`, seconds.
    pub retry_after_s: Option<u32>,
    /// The whole body after decompression, whatever the status; none when it did not come or is too large.
    pub body: Option<Bytes>,
    /// Why there is no whole answer.
    pub error: Option<ExportError>,
}

#[cfg(test)]
impl LookUp {
    /// An answer with this status and body.
    pub(crate) fn answered(status: u16, body: &str) -> LookUp {
        LookUp {
            url: "http://host/did/log/audit".to_owned(),
            asked_at: Some(Tau(0)),
            received_at: Tau(1),
            peer: None,
            status: Some(status),
            retry_after_s: None,
            body: Some(Bytes::copy_from_slice(body.as_bytes())),
            error: None,
        }
    }
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

    /// The same by time: the operations whose `createdAt`, milliseconds since 1970, is later than `after_ms`.
    ///
    /// # Errors
    /// As [`ExportClient::page`].
    fn page_since<'a>(
        &'a self,
        target: &'a ExportTarget,
        after_ms: i64,
        count: u32,
    ) -> BoxFuture<'a, Result<ExportPage, ExportError>>;

    /// The audit log of `did`, as the source's bytes: a JSON array.
    ///
    /// # Errors
    /// Why there is none. A DID that the source does not know is [`ExportClass::Http`] with 404.
    fn audit<'a>(&'a self, target: &'a ExportTarget, did: &'a str) -> BoxFuture<'a, Result<Bytes, ExportError>>;

    /// Asks for a page about a DID, as `/{did}/log/audit` or `/{did}/log/last`; every status is an answer.
    fn look_up<'a>(&'a self, target: &'a ExportTarget, path: &'a str) -> BoxFuture<'a, LookUp>;
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
    /// Least time between two requests to one host about single DIDs, which keep [`ExportOptions::request_gap`] too unless
    /// this is less.
    pub audit_gap: Duration,
    /// Longest time that a call waits for its host's gate.
    pub gate_wait_max: Duration,
    /// Which addresses are not public.
    pub is_private: fn(IpAddr) -> bool,
}

impl ExportOptions {
    /// The documented limits: 10 s to connect, 30 s and 32 MiB a page, 10 s and 1 MB an audit log, 700 ms between requests,
    /// 1 s between those about single DIDs.
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
            audit_gap: Duration::from_secs(1),
            gate_wait_max: Duration::from_secs(30),
            is_private,
        }
    }
}

/// The real [`ExportClient`].
pub struct HttpExport {
    /// Stamps pages and reads dates.
    clock: Arc<dyn Clock>,
    /// One gate for each host, which every request passes.
    gates: HostGates,
    /// One more for each host, which requests about single DIDs pass first.
    audit_gates: HostGates,
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
        let audit_gates = HostGates::new(Arc::clone(&clock), options.audit_gap, options.gate_wait_max);
        Ok(Self { clock, gates, audit_gates, public, private, options })
    }

    /// Sends a GET for `url` as soon as its host's gate opens, and once more where the connection was closed unanswered; the
    /// answer, whatever its status, and when it was asked for.
    async fn get(&self, allow_private: bool, url: Url, pace: Pace) -> Result<(Response, Tau), ExportError> {
        let host = url.host_str().unwrap_or_default();
        let forbidden = |address: &IpAddr| !allow_private && (self.options.is_private)(*address);
        if literal(host).is_some_and(|addresses| addresses.iter().any(forbidden)) {
            return Err(refused_private(host));
        }
        let key = gate_key(&url);
        let client = if allow_private { &self.private } else { &self.public };
        let send = async || {
            let limit = self.pass(&key, pace).await?;
            Ok((self.clock.now(), client.get(url.clone()).timeout(limit).send().await))
        };
        let (asked_at, answer) = match send().await? {
            (_, Err(error)) if is_closed_unanswered(&error) => send().await?,
            first => first,
        };
        let answer = answer.map_err(|error| classify(&error))?;
        let asks_for_patience =
            matches!(answer.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let named = retry_after_of(answer.headers(), self.clock.utc_ms());
        let pause_s = named.or((answer.status() == StatusCode::TOO_MANY_REQUESTS).then_some(DEFAULT_PAUSE_S));
        if let Some(seconds) = pause_s.filter(|_| asks_for_patience) {
            self.gates.pause(&key, seconds);
        }
        Ok((answer, asked_at))
    }

    /// Waits until the host may be asked; how long the answer may then take.
    async fn pass(&self, key: &str, pace: Pace) -> Result<Duration, ExportError> {
        if let Pace::Page = pace {
            self.gates.pass(key).await.map_err(ExportError::paused)?;
            return Ok(self.options.page_timeout);
        }
        let gap_ns = i64::try_from(self.options.audit_gap.as_nanos()).unwrap_or(i64::MAX);
        self.audit_gates.pass(key).await.map_err(ExportError::paused)?;
        self.gates.pass_for(key, gap_ns).await.map_err(ExportError::paused)?;
        Ok(self.options.audit_timeout)
    }

    /// The failure behind an answer other than 200 to a request for `path`.
    async fn refusal(&self, path: &str, mut answer: Response) -> ExportError {
        let status = answer.status();
        let retry_after_s = retry_after_of(answer.headers(), self.clock.utc_ms());
        let said = read_body(&mut answer, REFUSAL_BYTES_MAX).await.unwrap_or_default();
        let class = ExportClass::Http { status: status.as_u16(), retry_after_s };
        ExportError::new(class, &http_text(path, status, retry_after_s, &said))
    }

    /// Fetches one page behind `after`, as it stands in the query.
    async fn fetch_page(&self, target: &ExportTarget, after: String, count: u32) -> Result<ExportPage, ExportError> {
        let mut url = http_url(&target.base, "/export");
        url.set_query(Some(&format!("after={after}&count={}", count.clamp(1, PAGE_OPS_MAX))));
        let (mut answer, asked_at) = self.get(target.allow_private, url, Pace::Page).await?;
        if answer.status() != StatusCode::OK {
            let mut refusal = self.refusal("/export", answer).await;
            if let ExportClass::Http { status: 404 | 405 | 426 | 501, .. } = refusal.class {
                refusal.class = ExportClass::NotSupported;
            }
            return Err(refusal);
        }
        let peer = answer.remote_addr();
        let body = read_body(&mut answer, self.options.page_bytes_max).await?;
        let received_at = self.clock.now();
        let lines = split_lines(&body);
        if lines.first().is_some_and(|line| line.first() != Some(&b'{')) {
            return Err(ExportError::new(ExportClass::NotSupported, "http: what stands at /export is no log"));
        }
        Ok(ExportPage { lines, asked_at, received_at, peer })
    }

    /// Fetches one audit log.
    async fn fetch_audit(&self, target: &ExportTarget, did: &str) -> Result<Bytes, ExportError> {
        let path = format!("/{did}/log/audit");
        let url = http_url(&target.base, &path);
        let (mut answer, _) = self.get(target.allow_private, url, Pace::Audit).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.refusal(&path, answer).await);
        }
        read_body(&mut answer, self.options.audit_bytes_max).await
    }

    /// Asks for a page about a DID.
    async fn fetch_look_up(&self, target: &ExportTarget, path: &str) -> LookUp {
        let url = http_url(&target.base, path);
        let asked = url.to_string();
        let (mut asked_at, mut peer) = (None, None);
        let (status, retry_after_s, body) = match self.get(target.allow_private, url, Pace::Audit).await {
            Err(error) => (None, None, Err(error)),
            Ok((mut answer, at)) => {
                (asked_at, peer) = (Some(at), answer.remote_addr());
                let status = answer.status().as_u16();
                let retry_after_s = retry_after_of(answer.headers(), self.clock.utc_ms());
                (Some(status), retry_after_s, read_body(&mut answer, self.options.audit_bytes_max).await)
            }
        };
        let received_at = self.clock.now();
        let (body, error) = match body {
            Ok(body) => (Some(body), None),
            Err(error) => (None, Some(error)),
        };
        LookUp { url: asked, asked_at, received_at, peer, status, retry_after_s, body, error }
    }
}

/// Which limits a request keeps.
#[derive(Copy, Clone)]
enum Pace {
    Page,
    Audit,
}

impl ExportClient for HttpExport {
    fn page<'a>(
        &'a self,
        target: &'a ExportTarget,
        after: u64,
        count: u32,
    ) -> BoxFuture<'a, Result<ExportPage, ExportError>> {
        Box::pin(self.fetch_page(target, after.to_string(), count))
    }

    fn page_since<'a>(
        &'a self,
        target: &'a ExportTarget,
        after_ms: i64,
        count: u32,
    ) -> BoxFuture<'a, Result<ExportPage, ExportError>> {
        Box::pin(self.fetch_page(target, rfc3339_ms(after_ms), count))
    }

    fn audit<'a>(&'a self, target: &'a ExportTarget, did: &'a str) -> BoxFuture<'a, Result<Bytes, ExportError>> {
        Box::pin(self.fetch_audit(target, did))
    }

    fn look_up<'a>(&'a self, target: &'a ExportTarget, path: &'a str) -> BoxFuture<'a, LookUp> {
        Box::pin(self.fetch_look_up(target, path))
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

#[cfg(test)]
mod tests;
