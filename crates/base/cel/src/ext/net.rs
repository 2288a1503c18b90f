//! IP addresses and networks, as the `ip` and `cidr` libraries know them (Go's `net/netip`).

use std::{
    any::Any,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{Args, Library, argument, quote::quote};
use crate::{EvalError, Opaque, Type, Value};

const IP: Type = Type::Opaque("net.IP");
const CIDR: Type = Type::Opaque("net.CIDR");

/// Declares the library `ip`.
pub(super) fn declare_ip(library: &mut Library) {
    library.function("ip", "string_to_ip", [Type::String], IP, |args| to_ip(argument(args, 0)?.as_str()?));
    library.method("family", "ip_family", [IP], Type::Int, |args| Ok(Value::Int(family(ip(args, 0)?))));
    library.function("ip.isCanonical", "ip_is_canonical", [Type::String], Type::Bool, |args| {
        let canonical = is_canonical(argument(args, 0)?.as_str()?);
        canonical.map(Value::Bool).map_err(|error| EvalError::new(error.to_string()))
    });
    library.method("isUnspecified", "ip_is_unspecified", [IP], Type::Bool, |args| {
        Ok(Value::Bool(ip(args, 0)?.is_unspecified()))
    });
    library.method("isLoopback", "ip_is_loopback", [IP], Type::Bool, |args| {
        Ok(Value::Bool(ip(args, 0)?.is_loopback()))
    });
    library.method("isLinkLocalMulticast", "ip_is_link_local_multicast", [IP], Type::Bool, |args| {
        Ok(Value::Bool(is_link_local_multicast(ip(args, 0)?)))
    });
    library.method("isLinkLocalUnicast", "ip_is_link_local_unicast", [IP], Type::Bool, |args| {
        Ok(Value::Bool(is_link_local_unicast(ip(args, 0)?)))
    });
    library.method("isGlobalUnicast", "ip_is_global_unicast", [IP], Type::Bool, |args| {
        Ok(Value::Bool(is_global_unicast(ip(args, 0)?)))
    });
    library.function("isIP", "is_ip", [Type::String], Type::Bool, |args| {
        Ok(Value::Bool(parse_ip(argument(args, 0)?.as_str()?).is_ok()))
    });
    library.function("string", "ip_to_string", [IP], Type::String, |args| {
        Ok(Value::string(ip(args, 0)?.to_string()))
    });
}

/// Declares the library `cidr`.
pub(super) fn declare_cidr(library: &mut Library) {
    library.function("cidr", "string_to_cidr", [Type::String], CIDR, |args| {
        to_cidr(argument(args, 0)?.as_str()?).map(Value::opaque)
    });
    // A text that is no address is an error, not false.
    library.method("containsIP", "cidr_contains_ip_string", [CIDR, Type::String], Type::Bool, |args| {
        let inside = parse_ip(argument(args, 1)?.as_str()?).map_err(|_| EvalError::no_such_overload())?;
        Ok(Value::Bool(cidr(args, 0)?.contains_ip(&inside)))
    });
    library.method("containsIP", "cidr_contains_ip_ip", [CIDR, IP], Type::Bool, |args| {
        Ok(Value::Bool(cidr(args, 0)?.contains_ip(ip(args, 1)?)))
    });
    library.method("containsCIDR", "cidr_contains_cidr_string", [CIDR, Type::String], Type::Bool, |args| {
        let inside = to_cidr(argument(args, 1)?.as_str()?)?;
        Ok(Value::Bool(cidr(args, 0)?.contains_cidr(&inside)))
    });
    library.method("containsCIDR", "cidr_contains_cidr", [CIDR, CIDR], Type::Bool, |args| {
        Ok(Value::Bool(cidr(args, 0)?.contains_cidr(cidr(args, 1)?)))
    });
    library.method("ip", "cidr_ip", [CIDR], IP, |args| Ok(Value::opaque(Ip(cidr(args, 0)?.addr))));
    library.method("prefixLength", "cidr_prefix_length", [CIDR], Type::Int, |args| {
        Ok(Value::Int(i64::from(cidr(args, 0)?.bits)))
    });
    library.method("masked", "cidr_masked", [CIDR], CIDR, |args| Ok(Value::opaque(cidr(args, 0)?.masked())));
    library.function("isCIDR", "is_cidr", [Type::String], Type::Bool, |args| {
        Ok(Value::Bool(Cidr::parse(argument(args, 0)?.as_str()?).is_ok()))
    });
    library.function("string", "cidr_to_string", [CIDR], Type::String, |args| {
        Ok(Value::string(cidr(args, 0)?.to_string()))
    });
}

fn ip<'s>(args: Args<'s, '_>, at: usize) -> Result<&'s IpAddr, EvalError> {
    argument(args, at)?.as_opaque::<Ip>().map(|Ip(addr)| addr)
}

fn cidr<'s>(args: Args<'s, '_>, at: usize) -> Result<&'s Cidr, EvalError> {
    argument(args, at)?.as_opaque()
}

fn to_ip<'a>(text: &str) -> Result<Value<'a>, EvalError> {
    parse_ip(text).map(|addr| Value::opaque(Ip(addr))).map_err(|error| EvalError::new(error.to_string()))
}

fn to_cidr(text: &str) -> Result<Cidr, EvalError> {
    Cidr::parse(text).map_err(|error| EvalError::new(error.to_string()))
}

/// An address as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ip(IpAddr);

impl fmt::Display for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Opaque for Ip {
    fn type_name(&self) -> &'static str {
        "net.IP"
    }

    fn equals(&self, other: &dyn Opaque) -> Result<bool, EvalError> {
        Ok(other.as_any().downcast_ref::<Self>().is_some_and(|other| self == other))
    }

    fn size(&self) -> Option<u64> {
        Some(if self.0.is_ipv4() { 4 } else { 16 })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Opaque for Cidr {
    fn type_name(&self) -> &'static str {
        "net.CIDR"
    }

    fn equals(&self, other: &dyn Opaque) -> Result<bool, EvalError> {
        Ok(other.as_any().downcast_ref::<Self>().is_some_and(|other| self == other))
    }

    fn size(&self) -> Option<u64> {
        Some(u64::from(self.bits.div_ceil(8)))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum IpError {
    #[error("IP Address {} parse error during conversion from string: ParseAddr({}): {why}", quote(.text), quote(.text))]
    Parse { text: String, why: &'static str },
    #[error("IP address {} with zone value is not allowed", quote(.0))]
    Zone(String),
    #[error("IPv4-mapped IPv6 address {} is not allowed", quote(.0))]
    Mapped(String),
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum CidrError {
    #[error(
        "network address parse error during conversion from string: network address parse error during conversion from string: netip.ParsePrefix({}): {why}",
        quote(.text)
    )]
    Parse { text: String, why: &'static str },
    #[error("network address parse error during conversion from string: IPv4-mapped IPv6 address {} is not allowed", quote(.0))]
    Mapped(String),
}

/// Reads an address: no zone, no IPv4-mapped IPv6, no leading zeros in an octet.
///
/// # Errors
/// The text is no such address.
fn parse_ip(text: &str) -> Result<IpAddr, IpError> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) if !zone.is_empty() => (address, true),
        _ => (text, false),
    };
    let addr: IpAddr =
        address.parse().map_err(|_| IpError::Parse { text: text.to_owned(), why: parse_failure(text) })?;
    if zone {
        return Err(match addr {
            IpAddr::V4(_) => IpError::Parse { text: text.to_owned(), why: "unexpected character" },
            IpAddr::V6(_) => IpError::Zone(text.to_owned()),
        });
    }
    if is_mapped(&addr) {
        return Err(IpError::Mapped(text.to_owned()));
    }
    Ok(addr)
}

fn parse_failure(text: &str) -> &'static str {
    match text.bytes().find(|b| matches!(b, b'.' | b':' | b'%')) {
        Some(b'.') => "invalid IPv4 address",
        Some(b':') => "invalid IPv6 address",
        Some(_) => "missing IPv6 address",
        None => "unable to parse IP",
    }
}

fn is_mapped(addr: &IpAddr) -> bool {
    matches!(addr, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
}

/// Whether the text is the address's only canonical form.
///
/// # Errors
/// The text is no address.
fn is_canonical(text: &str) -> Result<bool, IpError> {
    Ok(parse_ip(text)?.to_string() == text)
}

/// 4 or 6.
fn family(addr: &IpAddr) -> i64 {
    if addr.is_ipv4() { 4 } else { 6 }
}

fn is_link_local_unicast(addr: &IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn is_link_local_multicast(addr: &IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => matches!(v4.octets(), [224, 0, 0, _]),
        IpAddr::V6(v6) => matches!(v6.segments(), [first, ..] if first & 0xff0f == 0xff02),
    }
}

/// Neither unspecified, loopback, multicast, link-local nor broadcast; private addresses count.
fn is_global_unicast(addr: &IpAddr) -> bool {
    *addr != IpAddr::V4(Ipv4Addr::BROADCAST)
        && !addr.is_unspecified()
        && !addr.is_loopback()
        && !addr.is_multicast()
        && !is_link_local_unicast(addr)
}

/// A network that keeps the host bits it was written with: `10.1.2.3/8` is not `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Cidr {
    addr: IpAddr,
    bits: u8,
}

impl Cidr {
    /// Reads `address/bits`: bits without sign or leading zeros, no IPv4-mapped address, no zone.
    ///
    /// # Errors
    /// The text is no such network.
    fn parse(text: &str) -> Result<Self, CidrError> {
        let fail = |why| CidrError::Parse { text: text.to_owned(), why };
        let (address, bits) = text.rsplit_once('/').ok_or_else(|| fail("no '/'"))?;
        let addr: IpAddr = address.parse().map_err(|_| fail(parse_failure(address)))?;
        let plain = !bits.is_empty()
            && bits.bytes().all(|b| b.is_ascii_digit())
            && (bits.len() == 1 || !bits.starts_with('0'));
        if !plain {
            return Err(fail("bad bits after slash"));
        }
        let bits: u8 = bits.parse().map_err(|_| fail("prefix length out of range"))?;
        if bits > width(&addr) {
            return Err(fail("prefix length out of range"));
        }
        if is_mapped(&addr) {
            return Err(CidrError::Mapped(text.to_owned()));
        }
        Ok(Self { addr, bits })
    }

    /// The network with its host bits cleared.
    fn masked(&self) -> Self {
        Self { addr: mask(self.addr, self.bits), bits: self.bits }
    }

    /// An address of the other family is never inside.
    fn contains_ip(&self, ip: &IpAddr) -> bool {
        self.addr.is_ipv4() == ip.is_ipv4() && mask(self.addr, self.bits) == mask(*ip, self.bits)
    }

    fn contains_cidr(&self, other: &Self) -> bool {
        self.bits <= other.bits && self.contains_ip(&other.addr)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.bits)
    }
}

fn width(addr: &IpAddr) -> u8 {
    if addr.is_ipv4() { 32 } else { 128 }
}

fn mask(addr: IpAddr, bits: u8) -> IpAddr {
    let host_bits = u32::from(width(&addr).saturating_sub(bits));
    match addr {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |text: &str, expected: &str| {
            let got = parse_ip(text).map_or_else(|e| format!("! {e}"), |ip| ip.to_string());
            assert_eq!(got, expected, "{text}");
        };
        check("10.0.0.1", "10.0.0.1");
        check("2001:DB8::1", "2001:db8::1");
        check("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1");
        check("::1.2.3.4", "::102:304");
        check("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0");
        check(
            "bad",
            "! IP Address \"bad\" parse error during conversion from string: ParseAddr(\"bad\"): unable to parse IP",
        );
        check("::ffff:1.2.3.4", "! IPv4-mapped IPv6 address \"::ffff:1.2.3.4\" is not allowed");
        check("fe80::1%eth0", "! IP address \"fe80::1%eth0\" with zone value is not allowed");
        for refused in [
            "",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "256.1.1.1",
            "1::2::3",
            ":::",
            "1:2:3:4:5:6:7:8::",
            "fe80::1%",
            "1.2.3.4%eth0",
            " 1.2.3.4",
            "12345::",
        ] {
            assert!(parse_ip(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn kinds() {
        let check = |text: &str, expected: &str| {
            let ip = parse_ip(text).unwrap();
            let kinds: String = [
                (ip.is_unspecified(), 'u'),
                (ip.is_loopback(), 'l'),
                (is_link_local_multicast(&ip), 'm'),
                (is_link_local_unicast(&ip), 'k'),
                (is_global_unicast(&ip), 'g'),
            ]
            .into_iter()
            .filter_map(|(holds, letter)| holds.then_some(letter))
            .collect();
            assert_eq!(kinds, expected, "{text}");
        };
        check("0.0.0.0", "u");
        check("::", "u");
        check("127.9.9.9", "l");
        check("::1", "l");
        check("224.0.0.251", "m");
        check("224.0.1.1", "");
        check("ff02::1", "m");
        check("ff32::1", "m");
        check("169.254.0.9", "k");
        check("febf::1", "k");
        check("255.255.255.255", "");
        check("192.168.1.1", "g");
        check("fd00::1", "g");
    }

    #[test]
    fn canonical() {
        assert_eq!(is_canonical("::1"), Ok(true));
        assert_eq!(is_canonical("0::1"), Ok(false));
        assert_eq!(is_canonical("2001:DB8::"), Ok(false));
        assert!(is_canonical("x").is_err());
    }

    #[test]
    fn networks() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(Cidr::parse(text).ok().map(|c| c.masked().to_string()).as_deref(), expected, "{text}");
        };
        check("10.1.2.3/8", Some("10.0.0.0/8"));
        check("10.1.2.3/0", Some("0.0.0.0/0"));
        check("10.1.2.3/32", Some("10.1.2.3/32"));
        check("2001:db8::1/64", Some("2001:db8::/64"));
        check("::1/0", Some("::/0"));
        for refused in [
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "::/129",
            "::ffff:1.2.3.4/96",
            "fe80::1%a/64",
            "10.0.0/8",
            "10.0.0.0/8/8",
            "10.0.0.0/999",
        ] {
            check(refused, None);
        }
    }

    #[test]
    fn containment() {
        let contains_ip =
            |cidr: &str, ip: &str| Cidr::parse(cidr).unwrap().contains_ip(&parse_ip(ip).unwrap());
        assert!(contains_ip("10.9.9.9/8", "10.1.2.3"));
        assert!(!contains_ip("10.0.0.0/8", "11.0.0.1"));
        assert!(contains_ip("::/0", "::1"));
        assert!(!contains_ip("::/0", "10.0.0.1"));
        assert!(!contains_ip("0.0.0.0/0", "::1"));
        let contains = |a: &str, b: &str| Cidr::parse(a).unwrap().contains_cidr(&Cidr::parse(b).unwrap());
        assert!(contains("10.0.0.0/8", "10.1.0.0/16"));
        assert!(contains("10.0.0.0/8", "10.0.0.0/8"));
        assert!(!contains("10.0.0.0/16", "10.0.0.0/8"));
        assert!(!contains("0.0.0.0/0", "::/0"));
    }
}
