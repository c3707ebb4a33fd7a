//! Names into addresses, apart from the timing of connects.
//!
//! [`DnsResolver`] asks the name servers of the system and remembers an answer for as long as its TTL says, at most five
//! minutes, so that a source that moves is followed. Which of the addresses may be dialled is decided by who dials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::NetError;
use thiserror::Error;

use super::BoxFuture;

/// Longest time that an answer is believed.
const ANSWER_AGE_MAX: Duration = Duration::from_mins(5);
/// Longest time that "no such name" is believed.
const REFUSAL_AGE_MAX: Duration = Duration::from_secs(30);
/// Answers remembered.
const ANSWERS_MAX: u64 = 1_024;
/// How long one name server has to answer one question.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a name gave no address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// The name servers say that there is none.
    #[error("no address for {host} ({why})")]
    NoAddress {
        /// The name asked for.
        host: String,
        /// `NXDOMAIN`, or `no A or AAAA record`.
        why: &'static str,
    },
    /// No name server gave an answer: no word about the name.
    #[error("{host}: {why}")]
    Unanswered {
        /// The name asked for.
        host: String,
        /// What stood in the way.
        why: String,
    },
}

/// Turns names into addresses.
pub trait Resolve: Send + Sync {
    /// The addresses of `host`, IPv4 first, never empty. A literal address is its own answer.
    ///
    /// # Errors
    /// See [`ResolveError`].
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>>;
}

/// The address that `host` spells itself, with or without the brackets of a URL, or the loopback addresses for
/// `localhost` (RFC 6761 §6.3), for which no name server is asked.
#[must_use]
pub fn literal(host: &str) -> Option<Vec<IpAddr>> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse() {
        return Some(vec![address]);
    }
    let name = bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase();
    (name == "localhost" || name.ends_with(".localhost"))
        .then(|| vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)])
}

/// Asks the name servers of `/etc/resolv.conf`, after the system's hosts file.
pub struct DnsResolver {
    /// The resolver with its cache, or why there is none; literal addresses work without it.
    inner: Result<TokioResolver, String>,
}

impl DnsResolver {
    /// Reads the system's configuration. A system without a usable one is told at each question, not here: sources given
    /// by address need none.
    #[must_use]
    pub fn new() -> Self {
        let built = TokioResolver::builder_tokio().and_then(|mut builder| {
            let options = builder.options_mut();
            options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            options.positive_max_ttl = Some(ANSWER_AGE_MAX);
            options.negative_max_ttl = Some(REFUSAL_AGE_MAX);
            options.cache_size = ANSWERS_MAX;
            options.timeout = QUESTION_TIMEOUT;
            builder.build()
        });
        Self { inner: built.map_err(|error| format!("/etc/resolv.conf: {error}")) }
    }
}

impl Default for DnsResolver {
    fn default() -> Self {
        Self::new()
    }
}

impl Resolve for DnsResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>> {
        Box::pin(async move {
            if let Some(addresses) = literal(host) {
                return Ok(addresses);
            }
            let resolver = self
                .inner
                .as_ref()
                .map_err(|why| ResolveError::Unanswered { host: host.to_owned(), why: why.clone() })?;
            let answer = resolver.lookup_ip(host).await.map_err(|error| classify(host, &error))?;
            let mut addresses: Vec<IpAddr> = answer.iter().collect();
            addresses.sort_by_key(IpAddr::is_ipv6);
            if addresses.is_empty() {
                return Err(ResolveError::NoAddress { host: host.to_owned(), why: "no A or AAAA record" });
            }
            Ok(addresses)
        })
    }
}

/// The class of a failed question about `host`.
fn classify(host: &str, error: &NetError) -> ResolveError {
    let host = host.to_owned();
    if error.is_nx_domain() {
        ResolveError::NoAddress { host, why: "NXDOMAIN" }
    } else if error.is_no_records_found() {
        ResolveError::NoAddress { host, why: "no A or AAAA record" }
    } else {
        ResolveError::Unanswered { host, why: error.to_string() }
    }
}

/// A resolver that knows what it was told, for tests and simulations.
#[cfg(any(test, feature = "simulator"))]
#[derive(Debug, Clone, Default)]
pub struct TableResolver {
    /// Addresses by name.
    table: std::collections::HashMap<String, Vec<IpAddr>>,
}

#[cfg(any(test, feature = "simulator"))]
impl TableResolver {
    /// Knows that `host` has `addresses`, beside what it knew.
    #[must_use]
    pub fn with(mut self, host: &str, addresses: &[IpAddr]) -> Self {
        self.table.insert(host.to_owned(), addresses.to_vec());
        self
    }
}

#[cfg(any(test, feature = "simulator"))]
impl Resolve for TableResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>> {
        let known = literal(host).or_else(|| self.table.get(host).cloned());
        let answer = known.ok_or_else(|| ResolveError::NoAddress { host: host.to_owned(), why: "NXDOMAIN" });
        Box::pin(std::future::ready(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn literal_addresses_and_localhost_ask_nobody() {
        let resolver = DnsResolver { inner: Err("no name server".into()) };
        assert_eq!(resolver.resolve("127.0.0.1").await.unwrap(), vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        assert_eq!(resolver.resolve("[::1]").await.unwrap(), vec![IpAddr::V6(Ipv6Addr::LOCALHOST)]);
        assert_eq!(resolver.resolve("LocalHost.").await.unwrap().len(), 2);
        let error = resolver.resolve("plc.example.org").await.unwrap_err();
        assert_eq!(error.to_string(), "plc.example.org: no name server");
    }

    #[tokio::test]
    async fn a_table_knows_what_it_was_told() {
        let there: IpAddr = "203.0.113.9".parse().unwrap();
        let table = TableResolver::default().with("plc.example.org", &[there]);
        assert_eq!(table.resolve("plc.example.org").await.unwrap(), vec![there]);
        let error = table.resolve("other.example.org").await.unwrap_err();
        assert_eq!(error.to_string(), "no address for other.example.org (NXDOMAIN)");
    }

    /// A name server that knows no name, and whether it says so or that it has no address of it.
    async fn name_server(is_name_known: bool) -> DnsResolver {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut connection = hickory_resolver::config::ConnectionConfig::udp();
        connection.port = socket.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut question = [0; 512];
            while let Ok((len, from)) = socket.recv_from(&mut question).await {
                let mut answer = question[..len].to_vec();
                // RFC 1035 §4.1.1: a response, recursion available, with its code; nothing but the question in it.
                (answer[2], answer[3]) = (0x81, if is_name_known { 0x80 } else { 0x83 });
                // An EDNS record of the question is no part of the answer.
                let question_end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
                answer.truncate(question_end);
                answer[6..12].fill(0);
                let _ = socket.send_to(&answer, from).await;
            }
        });
        let server =
            hickory_resolver::config::NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, vec![connection]);
        let config = hickory_resolver::config::ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let builder =
            TokioResolver::builder_with_config(config, hickory_resolver::net::runtime::TokioRuntimeProvider::default());
        DnsResolver { inner: builder.build().map_err(|error| error.to_string()) }
    }

    #[tokio::test]
    async fn what_a_name_server_says_has_its_words() {
        for (is_name_known, why) in [(false, "NXDOMAIN"), (true, "no A or AAAA record")] {
            let error = name_server(is_name_known).await.resolve("plc.example.org").await.unwrap_err();
            assert_eq!(error.to_string(), format!("no address for plc.example.org ({why})"));
        }
    }

    #[test]
    fn building_never_fails() {
        let _ = DnsResolver::new();
    }
}
