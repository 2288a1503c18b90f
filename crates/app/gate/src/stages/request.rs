//! Is this a request line that we, and the upstream, read the same way?
//!
//! One target string is decided on, audited and forwarded: the one that this stage makes.

use ::request::{RequestInfo, RequestInfoError, Target};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header, uri::PathAndQuery};
use http_body::Body;
use hyper::body::Incoming;
use types::{Layer, Reason};

use super::{Refused, StageResult, pass, refuse, tls::Secured};
use crate::{
    answer::{Answer, Manner},
    http1::{BadHead, Framing, Head},
};

/// A request as hyper hands it over, and what was read in front of hyper.
pub(crate) struct Arrival {
    pub(crate) request: http::Request<Incoming>,
    /// HTTP/1.1 only; HTTP/2 has no raw target.
    pub(crate) head: Option<Result<Head, BadHead>>,
}

/// The request line is understood, and forwarded as it was understood.
pub(crate) struct Read<'c> {
    secured: &'c Secured,
}

impl<'c> Read<'c> {
    /// The connection it came on.
    pub(crate) fn secured(&self) -> &'c Secured {
        self.secured
    }
}

/// A request that can be decided on.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Incoming,
    /// What it asks of Kubernetes.
    pub(crate) info: RequestInfo,
    /// hyper's handle for leaving HTTP; it does not go upstream with the other extensions.
    pub(crate) on_upgrade: Option<hyper::upgrade::OnUpgrade>,
    target: PathAndQuery,
    upgrade: Option<HeaderValue>,
    last_on_connection: bool,
}

impl Request {
    /// Path and query, byte for byte as the client sent them.
    pub(crate) fn target(&self) -> &PathAndQuery {
        &self.target
    }

    /// The protocol that the client wants to speak instead of HTTP.
    pub(crate) fn upgrade(&self) -> Option<&HeaderValue> {
        self.upgrade.as_ref()
    }

    /// What decides how an answer is written.
    pub(crate) fn manner(&self) -> Manner {
        Manner::of(&self.headers, &self.target, self.last_on_connection, self.info.is_long_running())
    }
}

/// Reads the request line.
pub(crate) fn read(secured: &Secured, arrival: Arrival) -> StageResult<(Read<'_>, Box<Request>)> {
    let Arrival { mut request, head } = arrival;
    let (target, framing, upgrade) = match head {
        Some(Ok(Head { target, framing, upgrade })) => (target, Some(framing), upgrade),
        Some(Err(bad)) => return Err(bad_head(bad)),
        None => (http2_target(&request)?, None, false),
    };
    if framing.is_some_and(|framing| !same_framing(framing, request.body())) {
        return Err(bad_head(BadHead::FramedDifferently));
    }
    let text = std::str::from_utf8(&target).map_err(|_| malformed("the target is not UTF-8"))?;
    // `http::Uri` would cut it off: decided on with it, forwarded without.
    if text.contains('#') {
        return Err(malformed("the target has a `#`"));
    }
    let method = request.method().as_str();
    let info = RequestInfo::parse(method, text).map_err(|error| match error {
        RequestInfoError::Rejected(why) => malformed(why.to_string()),
        RequestInfoError::NoKind { .. } => no_kind(text, &error),
    })?;
    let path_and_query =
        Target::parse(method, text).map_err(|why| malformed(why.to_string()))?.path_and_query();
    let path_and_query = target.slice_ref(path_and_query.as_bytes());
    let target = forwardable(&path_and_query)
        .ok_or_else(|| malformed("the target cannot be forwarded byte for byte"))?;

    let on_upgrade = request.extensions_mut().remove::<hyper::upgrade::OnUpgrade>();
    let upgrade = request.headers().get(header::UPGRADE).filter(|_| upgrade).cloned();
    let (parts, body) = request.into_parts();
    // It goes from stage to stage and into the future of the whole: behind a pointer, for little.
    let request = Box::new(Request {
        last_on_connection: upgrade.is_some() || framing == Some(Framing::Chunked),
        method: parts.method,
        headers: parts.headers,
        body,
        info,
        on_upgrade,
        target,
        upgrade,
    });
    pass((Read { secured }, request), Layer::Request)
}

/// `:path` as the client sent it, less a `#…` that the library has cut off.
fn http2_target(request: &http::Request<Incoming>) -> Result<Bytes, Box<Refused>> {
    if request.method() == Method::CONNECT {
        return Err(bad_head(BadHead::Connect));
    }
    match request.uri().path_and_query() {
        Some(target) => Ok(Bytes::copy_from_slice(target.as_str().as_bytes())),
        None => Err(malformed("the request has no path")),
    }
}

/// The target as the library holds it, if it writes it as it stands.
fn forwardable(raw: &Bytes) -> Option<PathAndQuery> {
    if !raw.starts_with(b"/") && raw != "*" {
        return None;
    }
    let target = PathAndQuery::from_maybe_shared(raw.clone()).ok()?;
    (target.as_str() == raw).then_some(target)
}

/// Whether hyper found the end of the body where the reader did.
fn same_framing(framing: Framing, body: &Incoming) -> bool {
    match framing {
        Framing::Empty => body.is_end_stream(),
        Framing::Length(length) => body.size_hint().exact() == Some(length),
        Framing::Chunked => body.size_hint().exact().is_none(),
    }
}

fn bad_head(bad: BadHead) -> Box<Refused> {
    let answer = match bad {
        BadHead::TooManyHeaders | BadHead::TooLong => Answer::HeadersTooLarge,
        _ => Answer::BadRequest,
    };
    refuse(Layer::Request, Reason::MalformedRequest, bad.to_string(), answer)
}

fn malformed(why: impl Into<std::borrow::Cow<'static, str>>) -> Box<Refused> {
    refuse(Layer::Request, Reason::MalformedRequest, why, Answer::BadRequest)
}

// UPSTREAM: a path that ends behind `/watch` or `/proxy` is a 500 in plain text, before anybody is
// asked who they are (kube-apiserver 1.36)
fn no_kind(target: &str, error: &RequestInfoError) -> Box<Refused> {
    let sentence = format!("Internal Server Error: {target:?}: failed to create RequestInfo: {error}");
    refuse(Layer::Request, Reason::MalformedRequest, error.to_string(), Answer::NotUnderstood(sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forwarded_is_what_was_read() {
        let check = |raw: &'static str, expected: bool| {
            let target = forwardable(&Bytes::from_static(raw.as_bytes()));
            assert_eq!(target.is_some(), expected, "{raw}");
            if let Some(target) = target {
                assert_eq!(http::Uri::from(target).to_string(), raw);
            }
        };
        check("/", true);
        check("//api/v1", true);
        check("/a%2fb?x=%00", true);
        check("/a?", true);
        check("/?a?b", true);
        check("/ü", true);
        check("/a|b^{}\\\"", true);
        check("/a`", false);
        check("/a<b>", false);
        check("*", true);
        check("", false);
        check("?a", false);
        check("a", false);
        check("/a#b", false);
        check("/a?b#c", false);
    }
}
