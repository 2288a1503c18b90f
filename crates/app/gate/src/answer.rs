//! Everything that the gate says itself, in kube-apiserver's bytes.
//!
//! Invariant: no response of the gate's own is made anywhere else.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{self, HeaderName},
    uri::PathAndQuery,
};
use types::{MediaType, Status, StatusReason};

/// `Audit-Id`: what connects a response with its audit events.
pub(crate) const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
// UPSTREAM: every response but those to malformed requests has it (kube-apiserver 1.36)
const NEVER_CACHE: HeaderValue = HeaderValue::from_static("no-cache, private");

/// What a request is answered with when it is not forwarded, or could not be.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// 401, the same for whatever was wrong.
    Unauthorized,
    /// 403 of layers that refuse by rule.
    Forbidden(Status),
    /// 400 to a request that asks to act as parts of nobody.
    BadImpersonation(Status),
    /// Any other `metav1.Status`.
    Status(Status),
    /// 400 before there is a request that could be talked about.
    BadRequest,
    /// 431, likewise.
    HeadersTooLarge,
    /// 429 of the limits on running requests.
    TooManyRequests,
    /// 500 with a sentence: a request line that kube-apiserver's RequestInfo fails on.
    NotUnderstood(String),
    /// 500 with a sentence: authorization broke down.
    Internal(String),
    /// 503 in plain text: the gate is alive but should not be sent requests, for this reason.
    NotReady(String),
    /// 200 with a text of this media type: the gate's own health and metrics.
    Text(&'static str, Bytes),
    /// The same with a status code.
    Own(StatusCode, &'static str, Bytes),
}

impl Answer {
    /// 503: the API server behind the gate cannot be reached.
    pub(crate) fn upstream_unavailable() -> Self {
        let message = "the API server behind the gate cannot be reached";
        Self::Status(Status::failure(503, StatusReason::ServiceUnavailable, message))
    }

    /// 502: the API server behind the gate broke off, or said something that is not HTTP.
    pub(crate) fn upstream_broke_off() -> Self {
        let message = "the API server behind the gate broke the connection off";
        Self::Status(Status::failure(502, StatusReason::InternalError, message))
    }

    /// 500: something is not as it must be, and nothing is guessed.
    pub(crate) fn internal_error(message: &str) -> Self {
        let message = format!("Internal error occurred: {message}");
        Self::Status(Status::failure(500, StatusReason::InternalError, message))
    }

    /// The status that the body carries, if it carries one.
    pub(crate) fn status(&self) -> Option<&Status> {
        match self {
            Self::Forbidden(status) | Self::BadImpersonation(status) | Self::Status(status) => Some(status),
            _ => None,
        }
    }

    /// The status code.
    pub(crate) fn code(&self) -> StatusCode {
        let code = match self {
            Self::Unauthorized => 401,
            Self::Forbidden(status) | Self::BadImpersonation(status) | Self::Status(status) => status.code,
            Self::BadRequest => 400,
            Self::HeadersTooLarge => 431,
            Self::TooManyRequests => 429,
            Self::NotUnderstood(_) | Self::Internal(_) => 500,
            Self::NotReady(_) => 503,
            Self::Text(..) => 200,
            Self::Own(code, ..) => code.as_u16(),
        };
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// What of a request decides how an answer is written. Cheap to keep: nothing in it is copied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manner {
    accept: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    target: Option<PathAndQuery>,
    /// Whether the connection ends with the answer (HTTP/1.1).
    pub(crate) last_on_connection: bool,
    /// Whether the request is one that may run for as long as it likes.
    pub(crate) long_running: bool,
}

impl Manner {
    /// Keeps what matters of a request.
    pub(crate) fn of(
        headers: &HeaderMap,
        target: &PathAndQuery,
        last_on_connection: bool,
        long_running: bool,
    ) -> Self {
        Self {
            // UPSTREAM: only the first of several Accept headers counts (kube-apiserver 1.36)
            accept: headers.get(header::ACCEPT).cloned(),
            user_agent: headers.get(header::USER_AGENT).cloned(),
            target: Some(target.clone()),
            last_on_connection,
            long_running,
        }
    }

    /// For a request that could not be read: nothing is known of it, and what stands behind it on
    /// an HTTP/1.1 connection is not read either.
    pub(crate) fn unread(http_1: bool) -> Self {
        Self { last_on_connection: http_1, ..Self::default() }
    }

    /// The form to write a `Status` in, if the client accepts one.
    pub(crate) fn acceptable(&self) -> Option<MediaType> {
        let query = self.target.as_ref().and_then(PathAndQuery::query).unwrap_or_default();
        MediaType::acceptable(text(self.accept.as_ref()), text(self.user_agent.as_ref()), query)
    }
}

fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value.and_then(|value| value.to_str().ok())
}

/// Writes an answer.
pub(crate) fn write(answer: &Answer, manner: &Manner, audit_id: &HeaderValue) -> Response<Bytes> {
    let (content_type, body) = match answer {
        Answer::Unauthorized => status_body(&Status::unauthorized(), manner),
        Answer::Forbidden(status) | Answer::BadImpersonation(status) | Answer::Status(status) => {
            status_body(status, manner)
        }
        // UPSTREAM: net/http answers malformed requests like this (kube-apiserver 1.36)
        Answer::BadRequest => (PLAIN, Bytes::from_static(b"400 Bad Request")),
        Answer::HeadersTooLarge => (PLAIN, Bytes::from_static(b"431 Request Header Fields Too Large")),
        Answer::TooManyRequests => {
            (PLAIN, Bytes::from_static(b"Too many requests, please try again later.\n"))
        }
        Answer::NotUnderstood(sentence) | Answer::Internal(sentence) => {
            (PLAIN, Bytes::from(format!("{}\n", html_safe(sentence))))
        }
        Answer::NotReady(why) => (PLAIN, Bytes::from(format!("{why}\n"))),
        Answer::Text(content_type, text) | Answer::Own(_, content_type, text) => {
            (HeaderValue::from_static(content_type), text.clone())
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.code();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    match answer {
        Answer::TooManyRequests => {
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
            // UPSTREAM: always one second (kube-apiserver 1.36, without priority and fairness)
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Answer::Forbidden(_)
        | Answer::BadImpersonation(_)
        | Answer::NotUnderstood(_)
        | Answer::Internal(_)
        | Answer::NotReady(_)
        | Answer::Text(..)
        | Answer::Own(..) => {
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        }
        Answer::BadRequest | Answer::HeadersTooLarge | Answer::Unauthorized | Answer::Status(_) => {}
    }
    // UPSTREAM: what cannot be read is answered before there is an audit ID, and what cannot be
    // understood before there is a Cache-Control (kube-apiserver 1.36)
    match answer {
        Answer::BadRequest | Answer::HeadersTooLarge => {}
        Answer::NotUnderstood(_) => drop(headers.insert(AUDIT_ID, audit_id.clone())),
        _ => {
            headers.insert(header::CACHE_CONTROL, NEVER_CACHE);
            headers.insert(AUDIT_ID, audit_id.clone());
        }
    }
    if manner.last_on_connection {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn status_body(status: &Status, manner: &Manner) -> (HeaderValue, Bytes) {
    let form = manner.acceptable().unwrap_or(MediaType::IndentedJson);
    (HeaderValue::from_static(form.content_type()), status.to_body(form).into())
}

/// As kube-apiserver cleans a text that browsers could take for HTML.
fn html_safe(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(answer: &Answer, headers: &[(&'static str, &'static str)]) -> (String, Vec<String>) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let manner = Manner::of(&headers, &PathAndQuery::from_static("/"), false, false);
        let written = write(answer, &manner, &HeaderValue::from_static("id"));
        let mut lines: Vec<_> =
            written.headers().iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        lines.sort();
        (String::from_utf8_lossy(written.body()).into_owned(), lines)
    }

    #[test]
    fn the_recorded_headers() {
        let check = |answer: Answer, expected: &[&str]| {
            let (_, headers) = written(&answer, &[]);
            assert_eq!(headers, expected, "{answer:?}");
        };
        let (id, cache) = ("audit-id: id", "cache-control: no-cache, private");
        let (json, text) = ("content-type: application/json", "content-type: text/plain; charset=utf-8");
        let nosniff = "x-content-type-options: nosniff";
        let status = Status::failure(403, StatusReason::Forbidden, "no");
        check(Answer::Unauthorized, &[id, cache, json]);
        check(Answer::Forbidden(status), &[id, cache, json, nosniff]);
        check(Answer::TooManyRequests, &[id, cache, text, "retry-after: 1", nosniff]);
        check(Answer::upstream_unavailable(), &[id, cache, json]);
    }

    #[test]
    fn bodies() {
        let check = |answer: &Answer, headers: &[(&'static str, &'static str)], expected: &str| {
            assert_eq!(written(answer, headers).0, expected, "{headers:?}");
        };
        let compact = String::from_utf8(Status::unauthorized().to_json()).unwrap();
        let indented = String::from_utf8(Status::unauthorized().to_json_indented()).unwrap();
        check(&Answer::Unauthorized, &[], &compact);
        check(&Answer::Unauthorized, &[("user-agent", "curl/8.5.0")], &indented);
        check(&Answer::Unauthorized, &[("accept", "text/html")], &indented);
        check(
            &Answer::TooManyRequests,
            &[("accept", "application/json")],
            "Too many requests, please try again later.\n",
        );
        check(&Answer::Internal("\"/<x>\" & so on".into()), &[], "\"/&lt;x&gt;\" &amp; so on\n");
    }
}
