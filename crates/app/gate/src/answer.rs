//! Everything that the gate says itself, in kube-apiserver's bytes.
//!
//! Invariant: no response of the gate's own is made anywhere else.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{self, HeaderName},
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
    /// Any other `metav1.Status`.
    Status(Status),
    /// 400 before there is a request that could be talked about.
    BadRequest,
    /// 431, likewise.
    HeadersTooLarge,
    /// 429 of the limits on running requests.
    TooManyRequests,
    /// 500 with a sentence, where authorization or the reading of the request broke down.
    Internal(String),
    /// 200 with a text of this media type: the gate's own health and metrics.
    Text(&'static str, Bytes),
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

    /// The status code.
    pub(crate) fn code(&self) -> StatusCode {
        let code = match self {
            Self::Unauthorized => 401,
            Self::Forbidden(status) | Self::Status(status) => status.code,
            Self::BadRequest => 400,
            Self::HeadersTooLarge => 431,
            Self::TooManyRequests => 429,
            Self::Internal(_) => 500,
            Self::Text(..) => 200,
        };
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// What of a request decides how an answer is written.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) headers: &'a HeaderMap,
    /// The raw query.
    pub(crate) query: &'a str,
}

impl Asked<'_> {
    /// The form to write a `Status` in, if the client accepts one.
    pub(crate) fn acceptable(self) -> Option<MediaType> {
        // UPSTREAM: only the first of several Accept headers counts (kube-apiserver 1.36)
        let text = |name| self.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        MediaType::acceptable(text(header::ACCEPT), text(header::USER_AGENT), self.query)
    }
}

/// Writes an answer. `audit_id` is absent where the request is not known well enough to be on
/// record, `asked` where nothing of it could be read.
pub(crate) fn write(
    answer: &Answer,
    asked: Option<Asked<'_>>,
    audit_id: Option<&HeaderValue>,
) -> Response<Bytes> {
    let (content_type, body) = match answer {
        Answer::Unauthorized => status_body(&Status::unauthorized(), asked),
        Answer::Forbidden(status) | Answer::Status(status) => status_body(status, asked),
        // UPSTREAM: net/http answers malformed requests like this (kube-apiserver 1.36)
        Answer::BadRequest => (PLAIN, Bytes::from_static(b"400 Bad Request")),
        Answer::HeadersTooLarge => (PLAIN, Bytes::from_static(b"431 Request Header Fields Too Large")),
        Answer::TooManyRequests => {
            (PLAIN, Bytes::from_static(b"Too many requests, please try again later.\n"))
        }
        Answer::Internal(sentence) => (PLAIN, Bytes::from(format!("{}\n", html_safe(sentence)))),
        Answer::Text(content_type, text) => (HeaderValue::from_static(content_type), text.clone()),
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
        Answer::Forbidden(_) | Answer::Internal(_) | Answer::Text(..) => {
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        }
        Answer::BadRequest | Answer::HeadersTooLarge => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Answer::Unauthorized | Answer::Status(_) => {}
    }
    if let Some(audit_id) = audit_id {
        headers.insert(header::CACHE_CONTROL, NEVER_CACHE);
        headers.insert(AUDIT_ID, audit_id.clone());
    }
    response
}

fn status_body(status: &Status, asked: Option<Asked<'_>>) -> (HeaderValue, Bytes) {
    let form = asked.map_or(MediaType::Json, |asked| asked.acceptable().unwrap_or(MediaType::IndentedJson));
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
        let asked = Asked { headers: &headers, query: "" };
        let written = write(answer, Some(asked), Some(&HeaderValue::from_static("id")));
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
