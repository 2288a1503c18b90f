//! `clusters[].cluster.server`.

/// Where an API server listens.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// A DNS name or an IP address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

/// Why an API server's address may have no path.
pub(super) const PATH_REFUSED: &str = "refused: a path before the API's own would change every request's target, which \
                                       the gate forwards as it decided on it";

/// Reads `https://HOST[:PORT][/PATH]`: where it listens, and the path as client-go cleans it, `/` if
/// there is none. An error is a sentence about the field.
pub(super) fn parse(text: &str) -> Result<(Server, String), String> {
    const EXPECTED: &str = "expected `https://HOST[:PORT]`";
    if text.is_empty() {
        return Err(format!("must be set: {EXPECTED}"));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(format!("`{text}` has no scheme: {EXPECTED}"));
    };
    if scheme.eq_ignore_ascii_case("http") {
        return Err("refused: over plain `http://` anybody on the way could be every user".to_owned());
    }
    if !scheme.eq_ignore_ascii_case("https") {
        return Err(format!("unknown scheme `{scheme}`: {EXPECTED}"));
    }
    if rest.contains(['?', '#']) {
        return Err(format!("`{text}` has a query or a fragment: {EXPECTED}"));
    }
    let (rest, path) = rest.split_once('/').unwrap_or((rest, ""));
    if rest.contains('@') {
        return Err("refused: a user in the address is no credential of Kubernetes".to_owned());
    }
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        // Without the colon it is no number either.
        Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or("]"))),
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    if host.is_empty() || (host.contains(':') && host.parse::<std::net::Ipv6Addr>().is_err()) {
        return Err(format!("`{text}` has no usable host: {EXPECTED}"));
    }
    let port = match port {
        None => 443,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| format!("`{port}` is not a port: {EXPECTED}"))?,
    };
    Ok((Server { host: host.to_owned(), port }, clean(path)))
}

/// `path.Join("/", path)` of Go: no empty segments, no `.`, no `..`.
fn clean(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, host, port) in [
            ("https://10.0.0.1:6443", "10.0.0.1", 6443),
            ("https://api.example/", "api.example", 443),
            ("HTTPS://api.example", "api.example", 443),
            ("https://[::1]:6443", "::1", 6443),
            ("https://[2001:db8::1]", "2001:db8::1", 443),
        ] {
            let server = Server { host: host.to_owned(), port };
            assert_eq!(parse(text), Ok((server, "/".to_owned())), "{text}");
        }
        for (text, reason) in [
            ("", "must be set"),
            ("api.example:6443", "has no scheme"),
            ("http://10.0.0.1", "plain `http://`"),
            ("ftp://10.0.0.1", "unknown scheme `ftp`"),
            ("https://api.example?x", "a query"),
            ("https://me:pw@api.example", "a user"),
            ("https://", "no usable host"),
            ("https://:6443", "no usable host"),
            ("https://::1", "no usable host"),
            ("https://api.example:0", "is not a port"),
            ("https://api.example:65536", "is not a port"),
            ("https://[::1]6443x", "is not a port"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn paths_of_webhooks() {
        for (text, path) in [
            ("https://a", "/"),
            ("https://a/", "/"),
            ("https://a:1/authorize", "/authorize"),
            ("https://a//x/./y/../z/", "/x/z"),
            ("https://a/../..", "/"),
        ] {
            assert_eq!(parse(text).map(|(_, path)| path).as_deref(), Ok(path), "{text}");
        }
        assert!(parse("https://a/x?y").is_err());
    }
}
