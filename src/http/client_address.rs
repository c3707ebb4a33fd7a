//! Whose request it is: the peer, or what a trusted proxy says about it.
//!
//! `X-Forwarded-For` is read only where the peer itself is trusted, and from the right: each hop vouches for the one
//! before it, and the first that is not trusted is the client.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use actix_web::http::header::{HeaderMap, HeaderName};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// A block of addresses, as `10.0.0.0/8`, `fd00::/8` or one address alone.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct AddressBlock {
    base: u128,
    mask: u128,
}

/// The text is no address and no block of addresses.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address or a block, as \"127.0.0.1\" or \"10.0.0.0/8\"")]
pub struct BadAddressBlock;

impl FromStr for AddressBlock {
    type Err = BadAddressBlock;

    fn from_str(text: &str) -> Result<Self, BadAddressBlock> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| BadAddressBlock)?;
        let bits: u32 = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u32 = prefix.map_or(Ok(bits), str::parse).map_err(|_| BadAddressBlock)?;
        let host_bits = bits.checked_sub(prefix).ok_or(BadAddressBlock)?;
        let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
        Ok(AddressBlock { base: number(address) & mask, mask })
    }
}

impl AddressBlock {
    /// Whether the address lies in the block; an IPv4 address in IPv6 clothes is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        number(address) & self.mask == self.base
    }
}

/// Every address as one number: IPv4 in its mapped form.
fn number(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// Whom a limit counts against: an IPv4 address, or the /64 that an IPv6 host may choose its addresses from.
pub fn limit_key(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6) & !u128::from(u64::MAX),
    }
}

/// The client behind `peer`. A peer without an address (a test, a Unix socket) is the unspecified address.
pub fn client(peer: Option<SocketAddr>, headers: &HeaderMap, trusted: &[AddressBlock]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|block| block.contains(address));
    let mut client = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical());
    if trusted.is_empty() {
        return client;
    }
    let values: Vec<&str> = headers.get_all(&X_FORWARDED_FOR).filter_map(|value| value.to_str().ok()).collect();
    for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        if !is_trusted(client) {
            break;
        }
        let Some(address) = hop_address(hop.trim()) else {
            break;
        };
        client = address.to_canonical();
    }
    client
}

/// Whether the reader's own connection is TLS, as a trusted proxy says.
pub fn is_https(peer: Option<SocketAddr>, headers: &HeaderMap, trusted: &[AddressBlock]) -> bool {
    peer.is_some_and(|peer| trusted.iter().any(|block| block.contains(peer.ip())))
        && headers.get(&X_FORWARDED_PROTO).is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// `address`, `address:port` or `[address]:port`.
fn hop_address(hop: &str) -> Option<IpAddr> {
    hop.parse::<IpAddr>()
        .or_else(|_| hop.parse::<SocketAddr>().map(|socket| socket.ip()))
        .ok()
        .or_else(|| hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn client_of(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(X_FORWARDED_FOR.clone(), HeaderValue::from_static(value));
        }
        let trusted: Vec<AddressBlock> = trusted.iter().map(|block| block.parse().unwrap()).collect();
        client(Some(SocketAddr::new(peer.parse().unwrap(), 1)), &headers, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_only_from_the_right() {
        assert_eq!(client_of("192.0.2.1", &["198.51.100.7"], &[]), "192.0.2.1");
        assert_eq!(client_of("192.0.2.1", &["198.51.100.7"], &["10.0.0.0/8"]), "192.0.2.1");
        assert_eq!(client_of("10.1.2.3", &["198.51.100.7"], &["10.0.0.0/8"]), "198.51.100.7");
        assert_eq!(client_of("10.1.2.3", &["1.1.1.1, 198.51.100.7, 10.9.9.9"], &["10.0.0.0/8"]), "198.51.100.7");
        assert_eq!(client_of("10.1.2.3", &["1.1.1.1", "198.51.100.7:4711"], &["10.0.0.0/8"]), "198.51.100.7");
        assert_eq!(client_of("10.1.2.3", &["nonsense"], &["10.0.0.0/8"]), "10.1.2.3");
        assert_eq!(client_of("::ffff:10.1.2.3", &["[2001:db8::1]:443"], &["10.0.0.0/8"]), "2001:db8::1");
    }

    #[test]
    fn blocks_are_parsed_or_refused() {
        let block = |text: &str| text.parse::<AddressBlock>();
        assert!(block("fd00::/8").unwrap().contains("fd12::1".parse().unwrap()));
        assert!(!block("10.0.0.0/8").unwrap().contains("11.0.0.1".parse().unwrap()));
        assert!(block("0.0.0.0/0").unwrap().contains("8.8.8.8".parse().unwrap()));
        assert!(!block("0.0.0.0/0").unwrap().contains("2001:db8::1".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "10.0.0.0/", "fd00::/129", "example.org", "10.0.0.0/-1"] {
            assert_eq!(block(bad), Err(BadAddressBlock), "{bad}");
        }
    }

    #[test]
    fn ipv6_hosts_are_counted_by_their_network() {
        let key = |text: &str| limit_key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
    }
}
