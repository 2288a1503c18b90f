//! Identity headers: stripped, then set, in this one place for REST, watch and upgrade.
//!
//! The API server lets the gate impersonate anybody. An identity header of a client that slips
//! through is therefore a client who is anybody, and an identity header that the server reads as
//! absent makes the request the gate's own.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use types::{User, group, username};

/// What [`strip`] took away, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stripped {
    /// `Impersonate-*` as Kubernetes spells it.
    pub impersonate: usize,
    /// `X-Remote-*` and configured front-proxy headers, as they are spelt.
    pub front_proxy: usize,
    /// Either with `_` or `.` for `-`: some servers and proxies take one for the other.
    pub aliased: usize,
    /// Nominated by `Connection` as hop-by-hop, identity headers aside.
    pub nominated: usize,
}

/// Which headers tell who somebody is.
///
/// `Impersonate-*` and `X-Remote-*` always do; a front proxy may be configured to use others.
#[derive(Clone, Debug, Default)]
pub struct IdentityHeaders {
    /// In the form that [`plain`] gives.
    names: Vec<String>,
    prefixes: Vec<String>,
}

enum Kind {
    Impersonate,
    FrontProxy,
    Aliased,
}

impl IdentityHeaders {
    /// Adds headers that a front proxy uses: whole names, and prefixes of extra headers.
    #[must_use]
    pub fn with_front_proxy<'a>(
        mut self,
        names: impl IntoIterator<Item = &'a str>,
        prefixes: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        self.names.extend(names.into_iter().map(plain));
        self.prefixes.extend(prefixes.into_iter().map(plain));
        self
    }

    fn kind(&self, name: &HeaderName) -> Option<Kind> {
        let spelt = name.as_str();
        // Without configured names, no identity header begins otherwise, under whatever alias.
        let none_configured = self.names.is_empty() && self.prefixes.is_empty();
        if none_configured && !spelt.starts_with(['i', 'x']) {
            return None;
        }
        // Most headers have no alias character and are done after two comparisons.
        let owned;
        let (plain, aliased) = if spelt.contains(['_', '.']) {
            owned = plain(spelt);
            (owned.as_str(), true)
        } else {
            (spelt, false)
        };
        let kind = if plain.starts_with("impersonate-") {
            Kind::Impersonate
        } else if plain.starts_with("x-remote-")
            || self.names.iter().any(|name| name == plain)
            || self.prefixes.iter().any(|prefix| plain.starts_with(prefix.as_str()))
        {
            Kind::FrontProxy
        } else {
            return None;
        };
        // An extra key may have a `.` of its own; only the fixed part makes an alias.
        let canonical = spelt.starts_with("impersonate-") || spelt.starts_with("x-remote-");
        Some(if aliased && !canonical { Kind::Aliased } else { kind })
    }

    /// Takes every identity header away, the ones that `Connection` nominates first, and then all
    /// that is meant for this connection only. [`Pool`](crate::Pool) does it again to whatever it
    /// forwards; a caller does it early to count, and so that no layer after it sees one.
    pub fn strip(&self, headers: &mut HeaderMap) -> Stripped {
        let mut stripped = Stripped::default();
        let mut unwanted: Vec<HeaderName> = nominated(headers);
        unwanted.retain(|name| self.kind(name).is_none());
        for name in unwanted.drain(..) {
            if headers.remove(&name).is_some() {
                stripped.nominated += 1;
            }
        }
        for name in headers.keys() {
            match self.kind(name) {
                None if is_hop_by_hop(name) => {}
                None => continue,
                Some(Kind::Impersonate) => stripped.impersonate += 1,
                Some(Kind::FrontProxy) => stripped.front_proxy += 1,
                Some(Kind::Aliased) => stripped.aliased += 1,
            }
            unwanted.push(name.clone());
        }
        for name in unwanted {
            headers.remove(name);
        }
        stripped
    }
}

/// [`IdentityHeaders::strip`] with `Impersonate-*` and `X-Remote-*` only.
pub fn strip(headers: &mut HeaderMap) -> Stripped {
    IdentityHeaders::default().strip(headers)
}

/// Lower case, with `-` for whatever might be taken for one.
fn plain(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            '_' | '.' => '-',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}

/// Meaningful between two neighbours only (RFC 9110, section 7.6.1). An upgrade sets its own
/// `Connection` and `Upgrade`; without `Trailer` no trailer of a client goes on.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "proxy-connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// The headers that `Connection` names, in its order.
fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect()
}

/// Why a user cannot be told to the API server in full. The request fails with a 500: upstream
/// would take it for somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotExpress {
    /// UPSTREAM: an empty `Impersonate-User` counts as absent, and the request as the gate's own
    /// (kube-apiserver 1.36).
    #[error("the user has no name")]
    NoName,
    /// Control characters, or spaces at an end, which the server trims.
    #[error("{0} has characters that no header can carry")]
    Value(&'static str),
    /// A key without values would vanish.
    #[error("the extra key `{0}` has no values")]
    NoValues(String),
    /// The server would add a group.
    #[error("the user is neither in `system:authenticated` nor in `system:unauthenticated`")]
    NeitherGroup,
}

/// A user as impersonation headers: made once for an identity, set on each of its requests.
#[derive(Clone, Debug)]
pub struct Identity {
    headers: Vec<(HeaderName, HeaderValue)>,
}

static IMPERSONATE_USER: HeaderName = HeaderName::from_static("impersonate-user");
static IMPERSONATE_GROUP: HeaderName = HeaderName::from_static("impersonate-group");
static IMPERSONATE_UID: HeaderName = HeaderName::from_static("impersonate-uid");
const IMPERSONATE_EXTRA: &str = "impersonate-extra-";

/// Everything but `a-z 0-9 - _ .` in an extra key. Capitals are among them:
/// UPSTREAM: the server lower-cases the header's name before it decodes it (kube-apiserver 1.36).
static EXTRA_KEY: AsciiSet = {
    let mut set = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
    let mut capital = b'A';
    while capital <= b'Z' {
        set = set.add(capital);
        capital += 1;
    }
    set
};

impl Identity {
    /// Expresses `user`, whole or not at all.
    pub fn new(user: &User) -> Result<Self, CannotExpress> {
        if user.name.is_empty() {
            return Err(CannotExpress::NoName);
        }
        // UPSTREAM: `system:anonymous` gains `system:unauthenticated`, everybody else without
        // either group gains `system:authenticated` (kube-apiserver 1.36).
        let keeps_groups = user.in_group(group::UNAUTHENTICATED)
            || (user.name != username::ANONYMOUS && user.in_group(group::AUTHENTICATED));
        if !keeps_groups {
            return Err(CannotExpress::NeitherGroup);
        }
        let mut headers = Vec::with_capacity(2 + user.groups.len() + user.extra.len());
        headers.push((IMPERSONATE_USER.clone(), value("the user name", &user.name)?));
        for group in &user.groups {
            headers.push((IMPERSONATE_GROUP.clone(), value("a group", group)?));
        }
        if !user.uid.is_empty() {
            headers.push((IMPERSONATE_UID.clone(), value("the uid", &user.uid)?));
        }
        for (key, values) in &user.extra {
            if values.is_empty() {
                return Err(CannotExpress::NoValues(key.clone()));
            }
            let name = format!("{IMPERSONATE_EXTRA}{}", utf8_percent_encode(key, &EXTRA_KEY));
            let name = HeaderName::try_from(name).map_err(|_| CannotExpress::Value("an extra key"))?;
            for extra in values {
                headers.push((name.clone(), value("an extra value", extra)?));
            }
        }
        Ok(Self { headers })
    }

    /// Strips, then sets.
    pub fn replace_in(&self, which: &IdentityHeaders, headers: &mut HeaderMap) -> Stripped {
        let stripped = which.strip(headers);
        headers.reserve(self.headers.len());
        for (name, value) in &self.headers {
            headers.append(name.clone(), value.clone());
        }
        stripped
    }
}

/// A header value that arrives as it was sent. Text beyond ASCII does, as UTF-8:
/// UPSTREAM: header values are bytes there too (kube-apiserver 1.36).
fn value(what: &'static str, text: &str) -> Result<HeaderValue, CannotExpress> {
    if text.trim_matches([' ', '\t']).len() != text.len() {
        return Err(CannotExpress::Value(what));
    }
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| CannotExpress::Value(what))
}

#[cfg(test)]
mod tests;
