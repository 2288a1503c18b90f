//! Networks, and sets of networks to find an address in.
//!
//! An IPv4 address may arrive as IPv6 (`::ffff:192.0.2.1`, from a socket that listens on both).
//! Networks and addresses are brought to the shorter form first, so that one rule holds for both;
//! `::/0` therefore covers no IPv4 address.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::{IpNet, Ipv4Net};
use prefix_trie::joint::JointPrefixSet;
use thiserror::Error;

/// A network: `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr(IpNet);

/// Why a text is not a network, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CidrError {
    /// It is no network at all.
    #[error(
        "`{0}` is not a network: expected an address and a prefix length, as 192.0.2.0/24 or 2001:db8::/32"
    )]
    Malformed(String),
    /// The prefix is longer than an address.
    #[error("`{text}` is not a network: the prefix length goes up to {longest}")]
    TooLong {
        /// What was written.
        text: String,
        /// 32 or 128.
        longest: u8,
    },
    /// An address inside a network was written where the network was asked for. Refused, because
    /// a list of allowed networks would otherwise open to more than was meant.
    #[error(
        "`{text}` has host bits set: write `{network}` for the network or `{host}` for this address alone"
    )]
    HostBits {
        /// What was written.
        text: String,
        /// The network that it lies in.
        network: Cidr,
        /// The address alone.
        host: Cidr,
    },
}

impl Cidr {
    /// The network of one address.
    pub fn host(address: IpAddr) -> Self {
        Self(IpNet::from(address.to_canonical()))
    }

    /// Whether `address` lies in this network.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    /// Reads `ADDRESS/LENGTH`, or a bare address as the network of that address.
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let malformed = || CidrError::Malformed(text.to_owned());
        let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let Some(length) = length else { return Ok(Self::host(address)) };
        if length.is_empty() || length.len() > 3 || !length.bytes().all(|b| b.is_ascii_digit()) {
            return Err(malformed());
        }
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let too_long = || CidrError::TooLong { text: text.to_owned(), longest };
        let length: u16 = length.parse().map_err(|_| malformed())?;
        let length = u8::try_from(length).map_err(|_| too_long())?;
        let written = IpNet::new(address, length).map_err(|_| too_long())?;
        if written.addr() == written.network() {
            Ok(canonical(written))
        } else {
            let network = canonical(written.trunc());
            Err(CidrError::HostBits { text: text.to_owned(), network, host: Self::host(address) })
        }
    }
}

/// `::ffff:192.0.2.0/120` is `192.0.2.0/24`.
fn canonical(network: IpNet) -> Cidr {
    let mapped = match (network.addr().to_canonical(), network.prefix_len().checked_sub(96)) {
        (IpAddr::V4(address), Some(length)) if network.addr().is_ipv6() => Ipv4Net::new(address, length).ok(),
        _ => None,
    };
    Cidr(mapped.map_or(network, IpNet::V4))
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Networks of both families. A look-up costs the length of a prefix, however many there are.
#[derive(Clone, Debug, Default)]
pub struct CidrSet(JointPrefixSet<IpNet>);

impl CidrSet {
    /// The smallest network of the set that `address` lies in.
    pub fn find(&self, address: IpAddr) -> Option<Cidr> {
        self.0.get_lpm(&Cidr::host(address).0).map(Cidr)
    }

    /// Whether `address` lies in any network of the set.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.find(address).is_some()
    }

    /// Whether the set is empty: then it contains no address.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The networks, IPv4 first, in order.
    pub fn iter(&self) -> impl Iterator<Item = Cidr> + '_ {
        self.0.iter().map(Cidr)
    }
}

impl FromIterator<Cidr> for CidrSet {
    fn from_iter<I: IntoIterator<Item = Cidr>>(networks: I) -> Self {
        Self(networks.into_iter().map(|network| network.0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_networks() {
        let check = |text: &str, expected: &str| {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), expected, "{text}");
        };
        check("192.0.2.0/24", "192.0.2.0/24");
        check("0.0.0.0/0", "0.0.0.0/0");
        check("192.0.2.7", "192.0.2.7/32");
        check("2001:DB8:0::/32", "2001:db8::/32");
        check("::1", "::1/128");
        check("::ffff:192.0.2.0/120", "192.0.2.0/24");
        check("::ffff:192.0.2.7", "192.0.2.7/32");
        check("::ffff:0:0/96", "0.0.0.0/0");
        check("::/0", "::/0");
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |text: &str, expected: &str| {
            assert_eq!(text.parse::<Cidr>().unwrap_err().to_string(), expected, "{text}");
        };
        let malformed = |text: &str| {
            format!(
                "`{text}` is not a network: expected an address and a prefix length, as 192.0.2.0/24 or 2001:db8::/32"
            )
        };
        for text in [
            "",
            "/",
            "192.0.2.0/",
            "192.0.2/24",
            "192.0.2.0/+8",
            "192.0.2.0/a",
            "192.0.2.00/24",
            " ::/0",
            "h/8",
            "fe80::1%1",
        ] {
            check(text, &malformed(text));
        }
        check("192.0.2.0/33", "`192.0.2.0/33` is not a network: the prefix length goes up to 32");
        check("::/129", "`::/129` is not a network: the prefix length goes up to 128");
        check("::/999", "`::/999` is not a network: the prefix length goes up to 128");
        check(
            "192.0.2.7/24",
            "`192.0.2.7/24` has host bits set: write `192.0.2.0/24` for the network or `192.0.2.7/32` for this address alone",
        );
    }

    #[test]
    fn finds_the_smallest_network_of_either_family() {
        let networks = ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "10.1.2.3"];
        let set: CidrSet = networks.iter().map(|text| text.parse().unwrap()).collect();
        let check = |address: &str, expected: Option<&str>| {
            let found = set.find(address.parse().unwrap()).map(|network| network.to_string());
            assert_eq!(found.as_deref(), expected, "{address}");
        };
        check("10.2.0.1", Some("10.0.0.0/8"));
        check("10.1.0.1", Some("10.1.0.0/16"));
        check("10.1.2.3", Some("10.1.2.3/32"));
        check("::ffff:10.1.0.1", Some("10.1.0.0/16"));
        check("2001:db8::1", Some("2001:db8::/32"));
        check("11.0.0.1", None);
        check("::a01:1", None);
        assert_eq!(set.iter().count(), 4);
    }

    #[test]
    fn everything_of_one_family_is_nothing_of_the_other() {
        let set: CidrSet = ["::/0".parse().unwrap()].into_iter().collect();
        assert!(set.contains("2001:db8::1".parse().unwrap()));
        assert!(!set.contains("192.0.2.1".parse().unwrap()));
        assert!(!set.contains("::ffff:192.0.2.1".parse().unwrap()));
        assert!(CidrSet::default().is_empty());
        assert!(!CidrSet::default().contains("192.0.2.1".parse().unwrap()));
    }
}
