//! URIs in certificates: whether Go's `net/url` takes them, and the host they name.

use std::net::Ipv6Addr;

/// The host and port of `uri` as written, percent-decoded; empty if it names none. `None` if Go's
/// parser refuses the URI, and with it the certificate.
pub(super) fn host_and_port(uri: &str) -> Option<String> {
    if uri.bytes().any(|byte| byte.is_ascii_control()) {
        return None;
    }
    let (rest, fragment) = uri.split_once('#').unwrap_or((uri, ""));
    if !escapes_are_valid(fragment) {
        return None;
    }
    let (has_scheme, rest) = split_scheme(rest)?;
    let (rest, _query) = rest.split_once('?').unwrap_or((rest, ""));
    if !rest.starts_with('/') {
        let colon_in_first_segment = rest.split('/').next().is_some_and(|segment| segment.contains(':'));
        return match has_scheme {
            true => Some(String::new()), // opaque, such as `mailto:` or `urn:`
            false if colon_in_first_segment => None,
            false => escapes_are_valid(rest).then(String::new),
        };
    }
    let after_slashes = rest.strip_prefix("//").filter(|_| has_scheme || !rest.starts_with("///"));
    let Some(after_slashes) = after_slashes else {
        return escapes_are_valid(rest).then(String::new);
    };
    let end = after_slashes.find('/').unwrap_or(after_slashes.len());
    let (authority, path) = after_slashes.split_at_checked(end)?;
    if !escapes_are_valid(path) {
        return None;
    }
    match authority.rsplit_once('@') {
        Some((user, host)) => user_info_is_valid(user).then(|| decode_host(host)).flatten(),
        None => decode_host(authority),
    }
}

/// Whether there is a scheme, and what follows it. A URI may not begin with a colon.
fn split_scheme(uri: &str) -> Option<(bool, &str)> {
    let end =
        uri.bytes().position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')));
    let (scheme, rest) = uri.split_at_checked(end.unwrap_or(uri.len()))?;
    match rest.strip_prefix(':') {
        Some(_) if scheme.is_empty() => None,
        Some(rest) if scheme.starts_with(|first: char| first.is_ascii_alphabetic()) => Some((true, rest)),
        _ => Some((false, uri)),
    }
}

fn escapes_are_valid(text: &str) -> bool {
    text.split('%').skip(1).all(|piece| hex_pair(piece).is_some())
}

/// The byte that the two hexadecimal digits at the front stand for.
fn hex_pair(text: &str) -> Option<u8> {
    let digits = text.get(..2)?;
    let both_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    both_hex.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

fn user_info_is_valid(user: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
    user.bytes().all(allowed) && escapes_are_valid(user)
}

fn decode_host(host: &str) -> Option<String> {
    if let Some(bracketed) = host.strip_prefix('[') {
        let (address, port) = bracketed.rsplit_once(']')?;
        let (address, zone) = address.split_once("%25").unwrap_or((address, "zone"));
        let valid = address.parse::<Ipv6Addr>().is_ok()
            && !zone.is_empty()
            && escapes_are_valid(zone)
            && (port.is_empty() || is_port(port));
        return valid.then(|| host.to_owned());
    }
    if host.find(':').is_some_and(|colon| !host.get(colon..).is_some_and(is_port)) {
        return None;
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"%".contains(&byte);
    // In a host an escape may only stand for `%` itself or for a byte above 127, and no certificate
    // may hold a host with such a byte.
    let escapes_percent_only = host.split('%').skip(1).all(|piece| piece.starts_with("25"));
    (host.bytes().all(allowed) && escapes_percent_only).then(|| host.replace("%25", "%"))
}

/// A colon and any number of digits.
fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::host_and_port;

    #[test]
    fn reads_hosts_as_go_does() {
        let check = |uri: &str, expected: Option<&str>| {
            assert_eq!(host_and_port(uri).as_deref(), expected, "{uri:?}");
        };
        check("spiffe://cluster.local/ns/a", Some("cluster.local"));
        check("https://user:pw@example.com:8443/a?b#c", Some("example.com:8443"));
        check("https://[2001:db8::1]:443/", Some("[2001:db8::1]:443"));
        check("https://[2001:db8::1", None);
        check("https://[nonsense]/", None);
        check("https://a:b:1/", None);
        check("https://a:port/", None);
        check("https://exa mple.com/", None);
        check("https://a%41.com/", None);
        check("https://a/%zz", None);
        check("https://a/#%zz", None);
        check("urn:uuid:1", Some(""));
        check("mailto:a@example.com", Some(""));
        check("/only/a/path", Some(""));
        check("///three", Some(""));
        check("file:///etc", Some(""));
        check("a:b", Some(""));
        check("1a:b", None);
        check(":b", None);
        check("", Some(""));
        check("a\u{7f}b", None);
    }
}
