//! Which authorities Go's `url.Parse` takes. The gate ignores an authority, but a target that
//! kube-apiserver answers with 400 must not be decided on.

use std::net::Ipv6Addr;

use super::bad_escape;

/// `user:password@host:port`, `[IPv6%25zone]:port`, or nothing.
pub(super) fn is_valid(authority: &str) -> bool {
    match authority.rsplit_once('@') {
        None => is_host(authority),
        Some((user_info, host)) => is_user_info(user_info) && is_host(host),
    }
}

fn is_user_info(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b);
    text.bytes().all(known) && bad_escape(text).is_none()
}

// UPSTREAM: more than one `:` outside brackets, or brackets around anything but IPv6, are refused (Go 1.26)
fn is_host(text: &str) -> bool {
    if let Some(literal) = text.strip_prefix('[') {
        return literal
            .rsplit_once(']')
            .is_some_and(|(address, port)| is_ipv6(address) && is_optional_port(port));
    }
    let (host, port) = text.split_at_checked(text.find(':').unwrap_or(text.len())).unwrap_or_default();
    !host.contains('[') && is_optional_port(port) && is_escaped(host, |_| false)
}

fn is_ipv6(text: &str) -> bool {
    let (address, zone) =
        text.split_once("%25").map_or((text, None), |(address, zone)| (address, Some(zone)));
    address.parse::<Ipv6Addr>().is_ok()
        && zone.is_none_or(|zone| !zone.is_empty() && is_escaped(zone, |b| b == b' ' || is_host_byte(b)))
}

fn is_optional_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        None => text.is_empty(),
        Some(port) => port.bytes().all(|b| b.is_ascii_digit()),
    }
}

/// Whether only bytes of a host stand in `text`, and only non-ASCII bytes, `%25` and whatever
/// `may_escape` are escaped.
fn is_escaped(text: &str, may_escape: impl Fn(u8) -> bool) -> bool {
    let mut pieces = text.split('%');
    let plain = |piece: &str| piece.bytes().all(|b| !b.is_ascii() || is_host_byte(b));
    pieces.next().is_some_and(plain)
        && pieces.all(|piece| {
            let Some((digits, rest)) = piece.split_at_checked(2) else { return false };
            let Ok(byte) = u8::from_str_radix(digits, 16) else { return false };
            let digits_only = digits.bytes().all(|b| b.is_ascii_hexdigit());
            digits_only && (!byte.is_ascii() || byte == b'%' || may_escape(byte)) && plain(rest)
        })
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]<>\"".contains(&byte)
}

#[cfg(test)]
mod tests {
    #[test]
    fn judges_as_go_does() {
        let check = |authority: &str, expected: bool| {
            assert_eq!(super::is_valid(authority), expected, "{authority}");
        };
        for good in [
            "",
            "h",
            "h:",
            "h:443",
            "u@h",
            "u:p%20@h",
            "a@b@h",
            "h%c3%bc",
            "ü",
            "[::1]",
            "[::1]:443",
            "[fe80::1%25eth0]",
            "[::ffff:1.2.3.4]",
            ":80",
            "h%25",
        ] {
            check(good, true);
        }
        for bad in [
            "h:x",
            "a:1:2",
            "::1",
            "[::1",
            "[1.2.3.4]",
            "[h]",
            "h[::1]",
            "[::1]x",
            "u/@h",
            "ü@h",
            "u%@h",
            "h%41",
            "h%",
            "h^",
            "h|",
            "h\\",
            "[fe80::1%25]",
            "h%+1",
        ] {
            check(bad, false);
        }
    }
}
