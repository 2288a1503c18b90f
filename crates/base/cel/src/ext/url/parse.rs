//! From text to URL.

use std::net::{IpAddr, Ipv6Addr};

use super::super::quote::quote;
use super::escape::{Part, escaped, unescaped};
use super::{Url, UrlError, utf8};

/// UPSTREAM: a query of more parameters has none (Go 1.26).
const MAX_QUERY_PARAMETERS: usize = 10_000;

pub(super) fn request(text: &str) -> Result<(), UrlError> {
    url(text, true).map(drop).map_err(|why| UrlError { url: text.to_owned(), why })
}

pub(super) fn with_fragment(text: &str) -> Result<Url, UrlError> {
    let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
    let mut url = url(before, false).map_err(|why| UrlError { url: before.to_owned(), why })?;
    url.fragment =
        unescaped(fragment, Part::Fragment).map_err(|why| UrlError { url: text.to_owned(), why })?;
    url.raw_fragment = (escaped(&url.fragment, Part::Fragment) != fragment).then(|| fragment.to_owned());
    Ok(url)
}

/// `request`: only an absolute URL or path, and `//x` is a path.
fn url(text: &str, request: bool) -> Result<Url, String> {
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    if text.is_empty() && request {
        return Err("empty url".to_owned());
    }
    if text == "*" {
        return Ok(Url { path: b"*".to_vec(), ..Url::default() });
    }
    let (scheme, rest) = scheme(text)?;
    let mut url = Url { scheme: scheme.to_ascii_lowercase(), ..Url::default() };
    let (mut rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    url.force_query = query == Some("");
    url.raw_query = query.unwrap_or_default().to_owned();
    if !rest.starts_with('/') {
        if !url.scheme.is_empty() {
            rest.clone_into(&mut url.opaque);
            return Ok(url);
        }
        if request {
            return Err("invalid URI for request".to_owned());
        }
        if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    let bare_authority = !request && !rest.starts_with("///");
    match rest.strip_prefix("//") {
        Some(after) if !url.scheme.is_empty() || bare_authority => {
            let (host, path) = after.find('/').map_or((after, ""), |at| after.split_at(at));
            authority(&mut url, host)?;
            rest = path;
        }
        _ => url.omit_host = !url.scheme.is_empty() && rest.starts_with('/'),
    }
    url.path = unescaped(rest, Part::Path)?;
    url.raw_path = (escaped(&url.path, Part::Path) != rest).then(|| rest.to_owned());
    Ok(url)
}

/// The scheme in front of the first colon, if only characters of a scheme stand there.
fn scheme(text: &str) -> Result<(&str, &str), String> {
    let Some((scheme, rest)) = text.split_once(':') else { return Ok(("", text)) };
    if scheme.is_empty() {
        return Err("missing protocol scheme".to_owned());
    }
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    Ok(if valid { (scheme, rest) } else { ("", text) })
}

fn authority(url: &mut Url, text: &str) -> Result<(), String> {
    let (user, host_text) = text.rsplit_once('@').map_or((None, text), |(user, host)| (Some(user), host));
    url.host = host(host_text, &url.scheme)?;
    let Some(user) = user else { return Ok(()) };
    if !user.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b)) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    let (name, password) =
        user.split_once(':').map_or((user, None), |(name, password)| (name, Some(password)));
    let password = password.map(|password| unescaped(password, Part::User));
    url.user = Some((unescaped(name, Part::User)?, password.transpose()?));
    Ok(())
}

fn host(text: &str, scheme: &str) -> Result<Vec<u8>, String> {
    if let Some(bracket) = text.rfind('[') {
        if bracket > 0 {
            return Err("invalid IP-literal".to_owned());
        }
        return bracketed(text);
    }
    // UPSTREAM: strict about colons only for the web's own schemes: databases put lists of hosts
    // here (Go 1.26)
    let strict = matches!(scheme, "http" | "https");
    if let Some(colon) = if strict { text.find(':') } else { text.rfind(':') } {
        optional_port(text.split_at(colon).1)?;
    }
    unescaped(text, Part::Host)
}

/// `[address]`, `[address%25zone]`, and an optional port behind.
fn bracketed(text: &str) -> Result<Vec<u8>, String> {
    let Some((address, port)) = text.strip_prefix('[').and_then(|text| text.rsplit_once(']')) else {
        return Err("missing ']' in host".to_owned());
    };
    optional_port(port)?;
    let (address, zone) = address.find("%25").map_or((address, ""), |at| address.split_at(at));
    let mut name = unescaped(address, Part::Host)?;
    name.extend(unescaped(zone, Part::Zone)?);
    ip_literal(&name)?;
    Ok([b"[", name.as_slice(), b"]", port.as_bytes()].concat())
}

/// UPSTREAM: any IPv6 address, IPv4-mapped ones included, with or without a zone (Go 1.26).
fn ip_literal(name: &[u8]) -> Result<(), String> {
    let name = utf8(name);
    let (address, zone) =
        name.split_once('%').map_or((name.as_str(), None), |(address, zone)| (address, Some(zone)));
    match address.parse() {
        Ok(IpAddr::V4(_)) if zone.is_none() => Err("invalid IP-literal".to_owned()),
        Ok(IpAddr::V6(Ipv6Addr { .. })) if zone != Some("") => Ok(()),
        _ => Err(format!("invalid host: ParseAddr({}): unable to parse IP", quote(&name))),
    }
}

fn optional_port(text: &str) -> Result<(), String> {
    let digits = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    if text.is_empty() || text.strip_prefix(':').is_some_and(digits) {
        return Ok(());
    }
    Err(format!("invalid port {} after host", quote(text)))
}

pub(super) fn query(raw: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    if raw.split('&').count() > MAX_QUERY_PARAMETERS {
        return found;
    }
    for pair in raw.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Ok(key), Ok(value)) = (unescaped(key, Part::Query), unescaped(value, Part::Query)) else {
            continue;
        };
        let (key, value) = (utf8(&key), utf8(&value));
        let place = *places.entry(key.clone()).or_insert(found.len());
        match found.get_mut(place) {
            Some((_, values)) => values.push(value),
            None => found.push((key, vec![value])),
        }
    }
    found
}
