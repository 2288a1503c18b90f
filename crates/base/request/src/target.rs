//! The request target, taken apart as Go's HTTP server does.

mod authority;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use thiserror::Error;

/// A request target in its raw parts, nothing decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'t> {
    /// What stands behind scheme and authority: the part to decide on and to forward.
    path_and_query: &'t str,
    path_length: usize,
}

/// Why the HTTP server refuses a request line, before there is a RequestInfo: a 400.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejected {
    /// The method is not a token.
    #[error("invalid method `{}`", .0.escape_debug())]
    Method(String),
    /// There is no target.
    #[error("empty request target")]
    Empty,
    /// The target has a control character or a space in it.
    #[error("the request target contains {0:?}")]
    Character(char),
    /// The target is neither a path, nor `*`, nor an absolute URL.
    #[error("the request target is neither a path nor a URL")]
    Form,
    /// A `%` is not followed by two hexadecimal digits.
    #[error("invalid escape `{0}` in the request target")]
    Escape(String),
    /// The authority of an absolute URL is malformed.
    #[error("malformed authority `{0}` in the request target")]
    Authority(String),
}

impl<'t> Target<'t> {
    /// Takes a target apart. Beside paths, Go takes `*`, absolute URLs of any scheme (the authority
    /// must be well-formed and is ignored), `scheme:anything` (whose path is empty) and, for
    /// CONNECT, a bare authority.
    // UPSTREAM: `#` has no meaning in a request target, it stays in path or query (kube-apiserver 1.36)
    pub fn parse(method: &str, target: &'t str) -> Result<Self, Rejected> {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if method.is_empty() || !method.bytes().all(token) {
            return Err(Rejected::Method(method.to_owned()));
        }
        let blank = |b: u8| b <= b' ' || b == 0x7f;
        // The fold has no early exit, so that the compiler can look at many bytes at once.
        if target.bytes().fold(false, |found, b| found | blank(b)) {
            return Err(Rejected::Character(target.bytes().find(|b| blank(*b)).unwrap_or_default().into()));
        }
        if target.is_empty() {
            return Err(Rejected::Empty);
        }
        if target.starts_with('/') || target == "*" && method != "CONNECT" {
            return Ok(Self::of(target));
        }
        if method == "CONNECT" {
            return Self::behind_authority(target);
        }
        match scheme(target)? {
            None => Err(Rejected::Form),
            Some(rest) => match rest.strip_prefix("//") {
                Some(rest) => Self::behind_authority(rest),
                None if rest.starts_with('/') => Ok(Self::of(rest)),
                None => Ok(Self::of(rest.find('?').and_then(|at| rest.get(at..)).unwrap_or_default())),
            },
        }
    }

    fn of(path_and_query: &'t str) -> Self {
        Self { path_and_query, path_length: path_and_query.find('?').unwrap_or(path_and_query.len()) }
    }

    fn behind_authority(text: &'t str) -> Result<Self, Rejected> {
        let length = text.find(['/', '?']).unwrap_or(text.len());
        let (authority, rest) = text.split_at_checked(length).unwrap_or((text, ""));
        if authority::is_valid(authority) {
            Ok(Self::of(rest))
        } else {
            Err(Rejected::Authority(authority.to_owned()))
        }
    }

    /// Path and query as they stood: what goes upstream. It begins with `/`, or is `*`, or (only
    /// where [`raw_path`](Self::raw_path) is empty) is empty or begins with `?`.
    pub fn path_and_query(self) -> &'t str {
        self.path_and_query
    }

    /// The path as it stood, up to the first `?`.
    pub fn raw_path(self) -> &'t str {
        self.path_and_query.get(..self.path_length).unwrap_or_default()
    }

    /// Everything behind the first `?`; empty where there is none.
    pub fn raw_query(self) -> &'t str {
        self.path_and_query.get(self.path_length + 1..).unwrap_or_default()
    }

    /// The path, decoded once. Every byte that is not UTF-8 becomes U+FFFD.
    pub(crate) fn decode_path(self) -> Result<String, Rejected> {
        let raw = self.raw_path();
        match bad_escape(raw) {
            Some(escape) => Err(Rejected::Escape(escape.to_owned())),
            None => Ok(percent_decode(raw).into_owned()),
        }
    }
}

/// What stands behind `scheme:`, or nothing where there is no scheme.
fn scheme(target: &str) -> Result<Option<&str>, Rejected> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let end = target.find(|c| !inner(c)).unwrap_or(target.len());
    match target.split_at_checked(end) {
        Some(("", rest)) if rest.starts_with(':') => Err(Rejected::Form),
        Some((name, rest)) if name.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            Ok(rest.strip_prefix(':'))
        }
        _ => Ok(None),
    }
}

/// The first `%` that two hexadecimal digits do not follow, with what follows it (at most two
/// characters).
pub(crate) fn bad_escape(text: &str) -> Option<&str> {
    text.match_indices('%').find_map(|(at, _)| {
        let digit = |offset: usize| text.as_bytes().get(at + offset).is_some_and(u8::is_ascii_hexdigit);
        if digit(1) && digit(2) {
            return None;
        }
        let end = text.get(at..)?.char_indices().nth(3).map_or(text.len(), |(length, _)| at + length);
        text.get(at..end)
    })
}

/// Decodes text whose escapes are known to be good.
// UPSTREAM: one U+FFFD a byte, not one a sequence, wherever kube-apiserver writes JSON (kube-apiserver 1.36)
pub(crate) fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|error| {
        let mut shown = String::new();
        for chunk in error.as_bytes().utf8_chunks() {
            shown.push_str(chunk.valid());
            shown.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
        }
        shown
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_every_form_that_go_takes() {
        fn check(method: &str, target: &str, raw_path: &str, raw_query: &str) {
            let found = Target::parse(method, target).unwrap();
            assert_eq!((found.raw_path(), found.raw_query()), (raw_path, raw_query), "{target}");
        }
        check("GET", "/a?b?c", "/a", "b?c");
        check("GET", "/a?", "/a", "");
        check("GET", "//h/a", "//h/a", "");
        check("GET", "/a#b?c#d", "/a#b", "c#d");
        check("OPTIONS", "*", "*", "");
        check("GET", "HTTPS://h:1/a?b", "/a", "b");
        check("GET", "http://h?b", "", "b");
        check("GET", "http:/a", "/a", "");
        check("GET", "http:///a", "/a", "");
        check("GET", "mailto:x?y=1", "", "y=1");
        check("GET", "localhost:443", "", "");
        check("CONNECT", "localhost:443", "", "");
        check("CONNECT", "/a", "/a", "");
        check("CONNECT", "*", "", "");
    }

    #[test]
    fn refuses_what_go_refuses() {
        fn check(method: &str, target: &str, expected: &Rejected) {
            assert_eq!(Target::parse(method, target).as_ref().unwrap_err(), expected, "{method} {target}");
        }
        check("", "/", &Rejected::Method(String::new()));
        check("GE T", "/", &Rejected::Method("GE T".into()));
        check("GET", "", &Rejected::Empty);
        check("GET", "/a b", &Rejected::Character(' '));
        check("GET", "/a\u{7f}", &Rejected::Character('\u{7f}'));
        check("GET", "a/b", &Rejected::Form);
        check("GET", "?x", &Rejected::Form);
        check("GET", ":x", &Rejected::Form);
        check("GET", "1http://h/", &Rejected::Form);
        check("GET", "http://a:b/", &Rejected::Authority("a:b".into()));
        check("CONNECT", "a:b", &Rejected::Authority("a:b".into()));
    }

    #[test]
    fn shows_each_byte_that_is_not_utf8() {
        let check = |text: &str, expected: &str| assert_eq!(percent_decode(text), expected, "{text}");
        check("a%20%c3%bc", "a ü");
        check("a%e2%82b%ff", "a\u{fffd}\u{fffd}b\u{fffd}");
    }

    #[test]
    fn names_the_bad_escape() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(bad_escape(text), expected, "{text}");
        check("/%41%zz", Some("%zz"));
        check("/%4", Some("%4"));
        check("/%4ü%41", Some("%4ü"));
        check("/%41%ff", None);
    }
}
