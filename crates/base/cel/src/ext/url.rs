//! URLs as Go's `net/url` (1.26) takes them apart, for the `url` library and the `uri` format.
//!
//! What a URL is differs between libraries in every corner (escapes in hosts, empty ports, rootless
//! paths), and expressions decide on the parts: hence our own parser rather than the WHATWG one.

mod escape;
mod parse;

use std::{any::Any, fmt, sync::Arc};

use self::escape::{Part, escaped};
use super::{Args, Library, argument};
use crate::{Entries, EvalError, Map, Opaque, Type, Value, value::count};

const URL: Type = Type::Opaque("kubernetes.URL");

/// Declares the library `url`.
pub(super) fn declare(library: &mut Library) {
    library.function("url", "string_to_url", [Type::String], URL, |args| {
        Url::parse(argument(args, 0)?.as_str()?).map(Value::opaque).map_err(|error| {
            EvalError::new(format!("URL parse error during conversion from string: {error}"))
        })
    });
    library.method("getScheme", "url_get_scheme", [URL], Type::String, |args| {
        Ok(Value::string(url(args)?.scheme.as_str()))
    });
    library
        .method("getHost", "url_get_host", [URL], Type::String, |args| Ok(Value::string(url(args)?.host())));
    library.method("getHostname", "url_get_hostname", [URL], Type::String, |args| {
        Ok(Value::string(url(args)?.hostname()))
    });
    library
        .method("getPort", "url_get_port", [URL], Type::String, |args| Ok(Value::string(url(args)?.port())));
    library.method("getEscapedPath", "url_get_escaped_path", [URL], Type::String, |args| {
        Ok(Value::string(url(args)?.escaped_path()))
    });
    let query = Type::map(Type::String, Type::list(Type::String));
    library.method("getQuery", "url_get_query", [URL], query, |args| {
        let mut entries = Entries::default();
        for (key, values) in url(args)?.query() {
            entries.insert(Value::string(key), Value::list(values.into_iter().map(Value::string).collect()));
        }
        Ok(Value::Map(Map::Owned(Arc::new(entries))))
    });
    library.function("isURL", "is_url_string", [Type::String], Type::Bool, |args| {
        Ok(Value::Bool(check_request_uri(argument(args, 0)?.as_str()?).is_ok()))
    });
}

fn url<'s>(args: Args<'s, '_>) -> Result<&'s Url, EvalError> {
    argument(args, 0)?.as_opaque()
}

impl Opaque for Url {
    fn type_name(&self) -> &'static str {
        "kubernetes.URL"
    }

    fn equals(&self, other: &dyn Opaque) -> Result<bool, EvalError> {
        Ok(other.as_any().downcast_ref::<Self>().is_some_and(|other| self == other))
    }

    /// Its parts are escaped and put together anew for each question.
    fn weight(&self) -> u64 {
        let user = self
            .user
            .as_ref()
            .map_or(0, |(name, password)| name.len() + password.as_ref().map_or(0, Vec::len));
        let length = user + self.opaque.len() + self.host.len() + self.path.len() + self.raw_query.len();
        1 + count(length) / 4
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Why a text is no URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parse {}: {why}", super::quote::quote(.url))]
pub(super) struct UrlError {
    url: String,
    why: String,
}

/// A URL taken apart. Escaped bytes that are no UTF-8 are shown as U+FFFD.
#[derive(Debug, Clone, Default)]
struct Url {
    /// In lower case; empty for a path.
    scheme: String,
    /// What follows the scheme when no slash does: `a@b` of `mailto:a@b`.
    opaque: String,
    /// Still decoded: user name and, after a colon, password.
    user: Option<(Vec<u8>, Option<Vec<u8>>)>,
    host: Vec<u8>,
    path: Vec<u8>,
    /// The path as written, where escaping [`Self::path`] anew would give something else.
    raw_path: Option<String>,
    /// `file:/x`, not `file:///x`.
    omit_host: bool,
    /// Ends in a `?` without a query.
    force_query: bool,
    raw_query: String,
    fragment: Vec<u8>,
    raw_fragment: Option<String>,
}

impl Url {
    /// Reads an absolute URL or an absolute path, with an optional fragment.
    ///
    /// # Errors
    /// The text is neither.
    fn parse(text: &str) -> Result<Self, UrlError> {
        // UPSTREAM: parsed twice; the first parse takes `#` for part of what it stands in
        // (kube-apiserver 1.36)
        check_request_uri(text)?;
        parse::with_fragment(text)
    }

    /// Host and port as written, unescaped.
    fn host(&self) -> String {
        utf8(&self.host)
    }

    /// The host without port and brackets.
    fn hostname(&self) -> String {
        let host = self.host();
        let (name, _) = split_port(&host);
        name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name).to_owned()
    }

    /// The digits after the host's last colon, if only digits stand there.
    fn port(&self) -> String {
        let host = self.host();
        split_port(&host).1.to_owned()
    }

    /// The path as written, if that is a valid escaping, else escaped anew.
    fn escaped_path(&self) -> String {
        match &self.raw_path {
            Some(raw) if escape::is_valid(raw, Part::Path) => raw.clone(),
            _ if self.path == b"*" => "*".to_owned(),
            _ => escaped(&self.path, Part::Path),
        }
    }

    /// Keys and their values in the order they came; ill-formed pairs are left out.
    fn query(&self) -> Vec<(String, Vec<String>)> {
        parse::query(&self.raw_query)
    }

    fn escaped_fragment(&self) -> String {
        match &self.raw_fragment {
            Some(raw) if escape::is_valid(raw, Part::Fragment) => raw.clone(),
            _ => escaped(&self.fragment, Part::Fragment),
        }
    }
}

/// Whether a request line could carry the text: an absolute URL or path, where `#` begins no fragment.
///
/// # Errors
/// It could not.
pub(super) fn check_request_uri(text: &str) -> Result<(), UrlError> {
    parse::request(text)
}

impl PartialEq for Url {
    /// As text, put together again.
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl fmt::Display for Url {
    /// Put together again: equivalent to what was read, not always the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.scheme.is_empty() {
            write!(f, "{}:", self.scheme)?;
        }
        if self.opaque.is_empty() {
            self.fmt_authority(f)?;
            let path = self.escaped_path();
            if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                f.write_str("/")?;
            }
            f.write_str(&path)?;
        } else {
            f.write_str(&self.opaque)?;
        }
        if self.force_query || !self.raw_query.is_empty() {
            write!(f, "?{}", self.raw_query)?;
        }
        if self.fragment.is_empty() { Ok(()) } else { write!(f, "#{}", self.escaped_fragment()) }
    }
}

impl Url {
    fn fmt_authority(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = !self.host.is_empty() || self.user.is_some();
        if !named && (self.scheme.is_empty() || self.omit_host) {
            return Ok(());
        }
        if named || !self.path.is_empty() {
            f.write_str("//")?;
        }
        if let Some((name, password)) = &self.user {
            f.write_str(&escaped(name, Part::User))?;
            if let Some(password) = password {
                write!(f, ":{}", escaped(password, Part::User))?;
            }
            f.write_str("@")?;
        }
        f.write_str(&escaped(&self.host, Part::Host))
    }
}

fn split_port(host: &str) -> (&str, &str) {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (name, port),
        _ => (host, ""),
    }
}

/// Every byte that is no UTF-8 becomes one U+FFFD, as when Go walks over the text.
fn utf8(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

#[cfg(test)]
mod tests;
