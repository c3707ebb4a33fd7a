//! The HTTP library as it may be used: which addresses it may reach, what it may follow, and what its failures mean.

use super::{ExportClass, ExportError, ExportOptions};
use crate::ports::resolve::{Resolve, ResolveError};
use crate::ports::tls::{self, Tls, TlsRoots};
use reqwest::Client;
use reqwest::redirect::Policy;
use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Idle connections kept for each host.
const IDLE_PER_HOST_MAX: usize = 1;
/// An idle connection is used again for so long only: many servers close theirs after 5 s, and a request that is under way
/// just then is lost.
const IDLE_MAX: Duration = Duration::from_secs(2);

/// An HTTP client with the manners of this module.
pub(super) fn build_client(dns: FilteredDns, tls: &Tls, options: &ExportOptions) -> Result<Client, reqwest::Error> {
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
        .pool_idle_timeout(IDLE_MAX)
        .dns_resolver(Arc::new(dns));
    match config {
        Ok(config) => builder.tls_backend_preconfigured((*config).clone()).build(),
        Err(_) => builder.build(),
    }
}

/// The failure of an address that may not be asked.
pub(super) fn refused_private(host: &str) -> ExportError {
    let text = format!("refused: {host} has only private addresses; set \"allowPrivate\": true if this is intended");
    ExportError::new(ExportClass::RefusedPrivate, &text)
}

/// Whether the connection was closed in place of an answer, as happens when the server ends an idle one at the moment in
/// which it is used again. Every request here only reads, so that it may be sent once more.
pub(super) fn is_closed_unanswered(error: &reqwest::Error) -> bool {
    error.is_request() && !error.is_timeout() && !error.is_connect()
}

/// The failure behind an error of the HTTP library.
pub(super) fn classify(error: &reqwest::Error) -> ExportError {
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
pub(super) struct FilteredDns {
    pub(super) resolver: Arc<dyn Resolve>,
    /// The addresses to leave out; `None` leaves out none.
    pub(super) is_private: Option<fn(IpAddr) -> bool>,
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
