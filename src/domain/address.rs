//! IP addresses as the observer judges them: which ones lie on the open internet, and which belong to a range.
//!
//! This is the list behind two rules: a source may be dialled at an address that is not public only when its
//! `allowPrivate` says so, and a proxy is believed only when its address lies in a trusted range. Nothing here resolves
//! names or opens sockets.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// Ranges that are no part of the open internet, with the word that names them to a reader.
///
/// Source: the IANA special-purpose address registries (RFC 6890 and its updates). 6to4 and Teredo are listed because an
/// IPv4 address of any kind can hide in them.
const NOT_PUBLIC: &[(&str, &str)] = &[
    ("0.0.0.0/8", "an unspecified"),
    ("10.0.0.0/8", "a private"),
    ("100.64.0.0/10", "a carrier's private"),
    ("127.0.0.0/8", "a loopback"),
    ("169.254.0.0/16", "a link-local"),
    ("172.16.0.0/12", "a private"),
    ("192.0.0.0/24", "a reserved"),
    ("192.0.2.0/24", "a documentation"),
    ("192.88.99.0/24", "a tunnelled"),
    ("192.168.0.0/16", "a private"),
    ("198.18.0.0/15", "a benchmark"),
    ("198.51.100.0/24", "a documentation"),
    ("203.0.113.0/24", "a documentation"),
    ("224.0.0.0/4", "a multicast"),
    ("240.0.0.0/4", "a reserved"),
    ("::/128", "an unspecified"),
    ("::1/128", "a loopback"),
    ("::/96", "a reserved"),
    ("64:ff9b::/96", "a translated"),
    ("64:ff9b:1::/48", "a translated"),
    ("100::/64", "a discard"),
    ("2001::/32", "a tunnelled"),
    ("2001:2::/48", "a benchmark"),
    ("2001:10::/28", "a reserved"),
    ("2001:20::/28", "a reserved"),
    ("2001:db8::/32", "a documentation"),
    ("2002::/16", "a tunnelled"),
    ("3fff::/20", "a documentation"),
    ("5f00::/16", "a reserved"),
    ("fc00::/7", "a private"),
    ("fe80::/10", "a link-local"),
    ("fec0::/10", "a private"),
    ("ff00::/8", "a multicast"),
];

/// Where a connection leads: an address and a port.
pub type Peer = std::net::SocketAddr;

/// Whether `address` is anything but a public unicast address: loopback, private, link-local, carrier-grade NAT,
/// multicast, translated, documentation or reserved. An IPv4 address mapped into IPv6 is judged as the IPv4 address.
pub fn is_private(address: IpAddr) -> bool {
    private_kind(address).is_some()
}

/// What kind of non-public address `address` is, as "a loopback" or "a private"; `None` when it is public.
pub fn private_kind(address: IpAddr) -> Option<&'static str> {
    let address = address.to_canonical();
    NOT_PUBLIC.iter().find_map(|(range, kind)| {
        let range = range.parse::<AddressRange>().ok()?;
        range.contains(address).then_some(*kind)
    })
}

/// A block of addresses in CIDR notation; a single address is a block of one.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct AddressRange {
    /// First address of the block: every bit after the prefix is zero.
    base: IpAddr,
    /// Number of leading bits that an address of the block shares with `base`: 0–32 or 0–128.
    prefix: u8,
}

/// Why a text is no [`AddressRange`].
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AddressRangeError {
    /// The part before the slash is no IP address.
    #[error("not an address")]
    Address,
    /// The part after the slash is no number of bits for that kind of address.
    #[error("not a prefix length from 0 to {0}")]
    Prefix(u8),
}

impl AddressRange {
    /// Whether `address` lies in the block. An IPv4 address mapped into IPv6 is compared as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && masked(address, self.prefix) == self.base
    }
}

impl FromStr for AddressRange {
    type Err = AddressRangeError;

    /// Reads `ADDRESS` or `ADDRESS/PREFIX`; bits after the prefix are ignored.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| AddressRangeError::Address)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(bits) => match bits.parse::<u8>() {
                Ok(bits) if bits <= longest => bits,
                _ => return Err(AddressRangeError::Prefix(longest)),
            },
        };
        Ok(AddressRange { base: masked(address, prefix), prefix })
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

/// `address` with every bit after the first `prefix` cleared.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_range_is_well_formed_and_holds_its_own_base() {
        for (range, kind) in NOT_PUBLIC {
            let parsed: AddressRange = range.parse().unwrap();
            assert_eq!(parsed.to_string(), *range, "{kind} range is not written from its first address");
            assert!(is_private(parsed.base), "{range}");
        }
    }

    const PRIVATE: &str = "0.0.0.0 0.1.2.3 10.0.0.5 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 \
        169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.168.0.1 198.18.0.1 198.19.255.255 \
        198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::7f00:1 \
        ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::a00:1 64:ff9b:1::1 100::1 2001::1 2001:db8::1 \
        2002:a00:1::1 192.88.99.1 2001:2::1 2001:1f::1 2001:2f:1::1 5f00::1 fc00::1 fd12:3456::1 fe80::1 febf::1 fec0::1 ff02::1";
    const PUBLIC: &str = "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 169.253.255.255 \
        172.15.255.255 172.32.0.0 192.0.1.1 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 \
        203.0.112.1 223.255.255.255 ::ffff:1.1.1.1 2606:4700::1111 2001:30::1 2001:4860:4860::8888 2a00::1 fbff::1";

    #[test]
    fn addresses_are_judged_by_their_range() {
        for address in PRIVATE.split_whitespace() {
            assert!(is_private(address.parse().unwrap()), "{address} must count as private");
        }
        for address in PUBLIC.split_whitespace() {
            assert!(!is_private(address.parse().unwrap()), "{address} must count as public");
        }
    }

    #[test]
    fn the_kind_is_named() {
        assert_eq!(private_kind("::1".parse().unwrap()), Some("a loopback"));
        assert_eq!(private_kind("10.0.0.5".parse().unwrap()), Some("a private"));
        assert_eq!(private_kind("8.8.8.8".parse().unwrap()), None);
    }

    #[test]
    fn ranges_contain_what_they_say() {
        let rows = [
            ("10.0.0.0/8", "10.9.8.7", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.1.2.3/8", "10.9.8.7", true),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("192.168.1.1", "192.168.1.1", true),
            ("192.168.1.1", "192.168.1.2", false),
            ("192.168.1.1", "::ffff:192.168.1.1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::1", "::1", true),
            ("::/0", "2001:db8::1", true),
        ];
        for (range, address, expected) in rows {
            let range: AddressRange = range.parse().unwrap();
            assert_eq!(range.contains(address.parse().unwrap()), expected, "{range} and {address}");
        }
    }

    #[test]
    fn bad_ranges_are_refused() {
        assert_eq!("".parse::<AddressRange>(), Err(AddressRangeError::Address));
        assert_eq!("proxy.example.org".parse::<AddressRange>(), Err(AddressRangeError::Address));
        assert_eq!("10.0.0.0/33".parse::<AddressRange>(), Err(AddressRangeError::Prefix(32)));
        assert_eq!("::/129".parse::<AddressRange>(), Err(AddressRangeError::Prefix(128)));
        assert_eq!("10.0.0.0/".parse::<AddressRange>(), Err(AddressRangeError::Prefix(32)));
        assert_eq!("10.0.0.0/-1".parse::<AddressRange>(), Err(AddressRangeError::Prefix(32)));
    }
}
