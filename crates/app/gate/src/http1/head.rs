//! Reading of one request head: what the target is, and where the next head begins.

use bytes::Bytes;

/// Most headers of one request. hyper's own 100 are too few for a front proxy that passes the
/// groups of a user on.
pub(crate) const MAX_HEADERS: usize = 256;

/// What must be known of a head before hyper sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The request target, byte for byte.
    pub(crate) target: Bytes,
    /// How the body ends.
    pub(crate) framing: Framing,
    /// Whether the client asks to leave HTTP (`Connection: upgrade` and one `Upgrade` header with one
    /// protocol other than `h2c`, which kube-apiserver does not speak over TLS either).
    pub(crate) upgrade: bool,
}

/// How the end of a request's body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no body.
    Empty,
    /// So many bytes follow.
    Length(u64),
    /// Chunks follow; only hyper knows where they end, so the connection ends with the response.
    Chunked,
}

/// Why a head is refused. In each of these cases two readers could disagree about what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadHead {
    #[error("a line ends without carriage return")]
    BareLineFeed,
    #[error("a control character stands in the head")]
    ControlCharacter,
    #[error("the request line is not method, target and version with one space between them")]
    RequestLine,
    #[error("the version is neither HTTP/1.1 nor HTTP/1.0")]
    Version,
    #[error("CONNECT is not served")]
    Connect,
    #[error("a header is continued on a second line")]
    Continuation,
    #[error("a header line has no proper name")]
    HeaderName,
    #[error("there must be exactly one Host header")]
    Host,
    #[error("the Content-Length header is not one number")]
    ContentLength,
    #[error("the Transfer-Encoding header is not chunked alone")]
    TransferEncoding,
    #[error("both Content-Length and Transfer-Encoding are given")]
    TwoFramings,
    #[error("an upgrade request has a body")]
    UpgradeWithBody,
    #[error("an upgrade request names more than one protocol")]
    UpgradeToSeveral,
    #[error("there are too many headers")]
    TooManyHeaders,
    #[error("the head is too long")]
    TooLong,
    #[error("hyper framed the body otherwise")]
    FramedDifferently,
    #[error("hyper found a request where the reader saw none")]
    Unannounced,
}

/// Where a head ends, looking only at what is new.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scan {
    seen: usize,
    line: usize,
}

impl Scan {
    /// Looks for the empty line in `buf`, which may have grown since the last call. The result is
    /// the length of the head with its empty line.
    pub(crate) fn find_end(&mut self, buf: &[u8]) -> Result<Option<usize>, BadHead> {
        while let Some(at) = buf.get(self.seen..).and_then(|new| memchr::memchr(b'\n', new)) {
            let feed = self.seen + at;
            let line = buf.get(self.line..feed).unwrap_or_default();
            self.seen = feed + 1;
            let start = std::mem::replace(&mut self.line, feed + 1);
            match line.split_last() {
                // The request line comes first: an empty line before it is no request.
                Some((b'\r', [])) if start == 0 => return Err(BadHead::RequestLine),
                Some((b'\r', [])) => return Ok(Some(feed + 1)),
                Some((b'\r', _)) => {}
                _ => return Err(BadHead::BareLineFeed),
            }
        }
        self.seen = buf.len();
        Ok(None)
    }
}

/// A head that was understood, and where its target stands in the bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) framing: Framing,
    pub(crate) upgrade: bool,
    pub(crate) method_len: usize,
    pub(crate) target_len: usize,
}

/// Reads a whole head, empty line included.
pub(crate) fn parse(head: &[u8]) -> Result<Parsed, BadHead> {
    let mut lines = Lines(head);
    let first = lines.next().ok_or(BadHead::RequestLine)?;
    let (method, target, http_11) = request_line(first)?;
    let mut facts = Facts::default();
    for (count, line) in lines.take_while(|line| !line.is_empty()).enumerate() {
        if count == MAX_HEADERS {
            return Err(BadHead::TooManyHeaders);
        }
        facts.take(line)?;
    }
    // UPSTREAM: net/http answers 400 to HTTP/1.1 without Host and to two Hosts (kube-apiserver 1.36)
    if facts.hosts > 1 || (http_11 && facts.hosts == 0) {
        return Err(BadHead::Host);
    }
    let framing = match (facts.length, facts.chunked) {
        (Some(_), true) => return Err(BadHead::TwoFramings),
        (None, true) if !http_11 => return Err(BadHead::TransferEncoding),
        (None, true) => Framing::Chunked,
        (None | Some(0), false) => Framing::Empty,
        (Some(length), false) => Framing::Length(length),
    };
    // With several to choose from, `h2c` might be chosen: requests that nobody decides on.
    let upgrade = match facts.upgrade {
        Upgrade::Several if facts.connection_upgrade && http_11 => return Err(BadHead::UpgradeToSeveral),
        Upgrade::One => facts.connection_upgrade && http_11,
        Upgrade::Several | Upgrade::No => false,
    };
    if upgrade && framing != Framing::Empty {
        return Err(BadHead::UpgradeWithBody);
    }
    Ok(Parsed { framing, upgrade, method_len: method.len(), target_len: target.len() })
}

/// Lines of a head whose ends [`Scan`] has checked, without the ends.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (line, rest) = self.0.split_at_checked(memchr::memchr(b'\n', self.0)? + 1)?;
        self.0 = rest;
        line.strip_suffix(b"\r\n")
    }
}

fn request_line(line: &[u8]) -> Result<(&[u8], &[u8], bool), BadHead> {
    let mut parts = line.split(|&b| b == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(BadHead::RequestLine);
    };
    if method.is_empty() || target.is_empty() || !method.iter().all(|&b| is_token(b)) {
        return Err(BadHead::RequestLine);
    }
    if target.iter().any(u8::is_ascii_control) {
        return Err(BadHead::ControlCharacter);
    }
    // A tunnel through an API server has no meaning, and everybody on the way reads its answer
    // differently. Stricter than kube-apiserver, which takes it for any unknown method.
    if method == b"CONNECT" {
        return Err(BadHead::Connect);
    }
    match version {
        b"HTTP/1.1" => Ok((method, target, true)),
        b"HTTP/1.0" => Ok((method, target, false)),
        _ => Err(BadHead::Version),
    }
}

#[derive(Default)]
struct Facts {
    hosts: usize,
    length: Option<u64>,
    chunked: bool,
    connection_upgrade: bool,
    upgrade: Upgrade,
    upgrades: usize,
}

/// Which protocols the `Upgrade` headers name.
#[derive(Clone, Copy, Default)]
enum Upgrade {
    /// None, or `h2c`.
    #[default]
    No,
    One,
    Several,
}

impl Facts {
    fn take(&mut self, line: &[u8]) -> Result<(), BadHead> {
        if let Some(b' ' | b'\t') = line.first() {
            return Err(BadHead::Continuation);
        }
        let colon = memchr::memchr(b':', line).ok_or(BadHead::HeaderName)?;
        let (name, rest) = line.split_at_checked(colon).ok_or(BadHead::HeaderName)?;
        if name.is_empty() || !name.iter().all(|&b| is_token(b)) {
            return Err(BadHead::HeaderName);
        }
        // Without an early end: many bytes are compared at once.
        if rest.iter().fold(false, |found, &b| found | (b < b' ') & (b != b'\t') | (b == 0x7f)) {
            return Err(BadHead::ControlCharacter);
        }
        let value = rest.strip_prefix(b":").unwrap_or_default().trim_ascii();
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.hosts += 1,
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.upgrades += 1;
                self.upgrade = match value {
                    list if self.upgrades > 1 || list.contains(&b',') => Upgrade::Several,
                    one if one.eq_ignore_ascii_case(b"h2c") => Upgrade::No,
                    _ => Upgrade::One,
                };
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.connection_upgrade |= value
                    .split(|&b| b == b',')
                    .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    return Err(BadHead::ContentLength);
                }
                self.length = Some(number(value).ok_or(BadHead::ContentLength)?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(BadHead::TransferEncoding);
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Digits alone: no sign, no list, no space. 18 digits cannot overflow.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
    })
}

/// Characters of methods and header names (RFC 9110, `tchar`).
fn is_token(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)).is_some_and(|is_token| *is_token)
}

#[expect(clippy::indexing_slicing, reason = "worked out at compile time")]
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Framing, bool), BadHead> {
        let end = Scan::default().find_end(text.as_bytes())?.expect("a whole head");
        assert_eq!(end, text.len());
        parse(text.as_bytes()).map(|head| (head.framing, head.upgrade))
    }

    #[test]
    fn framing_is_read_or_refused() {
        let check = |rest: &str, expected| {
            assert_eq!(read(&format!("GET / HTTP/1.1\r\nHost: a\r\n{rest}\r\n")), expected, "{rest:?}");
        };
        check("", Ok((Framing::Empty, false)));
        check("Content-Length: 0\r\n", Ok((Framing::Empty, false)));
        check("content-LENGTH:\t12 \r\n", Ok((Framing::Length(12), false)));
        check("Transfer-Encoding: Chunked\r\n", Ok((Framing::Chunked, false)));
        check("Content-Length: 1\r\nContent-Length: 1\r\n", Err(BadHead::ContentLength));
        check("Content-Length: 1,1\r\n", Err(BadHead::ContentLength));
        check("Content-Length: +1\r\n", Err(BadHead::ContentLength));
        check("Content-Length:\r\n", Err(BadHead::ContentLength));
        check("Content-Length: 18446744073709551617\r\n", Err(BadHead::ContentLength));
        check("Content-Length : 1\r\n", Err(BadHead::HeaderName));
        check("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", Err(BadHead::TwoFramings));
        check("Transfer-Encoding: chunked, identity\r\n", Err(BadHead::TransferEncoding));
        check("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(BadHead::TransferEncoding));
        check("X: a\r\n b\r\n", Err(BadHead::Continuation));
        check("X: a\nContent-Length: 3\r\n", Err(BadHead::BareLineFeed));
        check("X: a\rb\r\n", Err(BadHead::ControlCharacter));
        check("X: a\0b\r\n", Err(BadHead::ControlCharacter));
        check("Host: b\r\n", Err(BadHead::Host));
        check("no colon\r\n", Err(BadHead::HeaderName));
        check(&"X: a\r\n".repeat(MAX_HEADERS), Err(BadHead::TooManyHeaders));
    }

    #[test]
    fn upgrades_need_both_headers_and_no_body() {
        let check = |rest: &str, expected| {
            assert_eq!(read(&format!("POST /x HTTP/1.1\r\nHost: a\r\n{rest}\r\n")), expected, "{rest:?}");
        };
        check("Upgrade: SPDY/3.1\r\nConnection: keep-alive, Upgrade\r\n", Ok((Framing::Empty, true)));
        check("Upgrade: SPDY/3.1\r\n", Ok((Framing::Empty, false)));
        check("Connection: Upgrade\r\n", Ok((Framing::Empty, false)));
        check("Connection: Upgrade\r\nUpgrade: h2c\r\n", Ok((Framing::Empty, false)));
        for several in ["h2c\r\nUpgrade: x", "x\r\nUpgrade: h2c", "x, h2c", "h2c,x"] {
            let lines = format!("Upgrade: {several}\r\n");
            check(&lines, Ok((Framing::Empty, false)));
            check(&format!("Connection: Upgrade\r\n{lines}"), Err(BadHead::UpgradeToSeveral));
        }
        check("Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n", Err(BadHead::UpgradeWithBody));
    }

    #[test]
    fn request_lines() {
        let check = |line: &str, expected: Result<(), BadHead>| {
            assert_eq!(read(&format!("{line}\r\nHost: a\r\n\r\n")).map(|_| ()), expected, "{line:?}");
        };
        check("GET /a#b HTTP/1.1", Ok(()));
        check("GET /ü HTTP/1.1", Ok(()));
        check("FOO * HTTP/1.0", Ok(()));
        check("GET  /a HTTP/1.1", Err(BadHead::RequestLine));
        check("GET /a b HTTP/1.1", Err(BadHead::RequestLine));
        check("GET /a", Err(BadHead::RequestLine));
        check(" /a HTTP/1.1", Err(BadHead::RequestLine));
        check("GET /a HTTP/2.0", Err(BadHead::Version));
        check("GET /a\u{7f} HTTP/1.1", Err(BadHead::ControlCharacter));
        check("CONNECT /a HTTP/1.1", Err(BadHead::Connect));
        check("G(T /a HTTP/1.1", Err(BadHead::RequestLine));
    }

    #[test]
    fn the_end_is_found_however_the_bytes_come() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET";
        for step in 1..head.len() {
            let mut scan = Scan::default();
            let mut found = None;
            for to in (step..=head.len()).step_by(step) {
                found = scan.find_end(&head[..to]).unwrap();
                if found.is_some() {
                    break;
                }
            }
            assert!(found == Some(head.len() - 3) || step > head.len() - 3 || head.len() / step * step < 27);
        }
        assert_eq!(Scan::default().find_end(b"\r\n\r\n"), Err(BadHead::RequestLine));
    }
}
