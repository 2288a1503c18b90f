//! What a webhook sent back.

use serde_json::{Map, Value};
use types::AccessStatus;

use super::{ReviewVersion, media_type};

/// The verdict in the body of a successful answer.
///
/// # Errors
/// A sentence about what the body is instead; a webhook that says anything but a SubjectAccessReview
/// of its version has not answered.
// UPSTREAM: kind and apiVersion may both be missing, unknown members are ignored, a missing status
// is an empty one, and of a member that stands twice the last counts (kube-apiserver 1.36)
pub fn read_answer(version: ReviewVersion, body: &[u8]) -> Result<AccessStatus, String> {
    if body.is_empty() {
        return Err("the webhook answered without a body".to_owned());
    }
    let review: Value = serde_json::from_slice(body).map_err(|e| format!("the answer is no JSON: {e}"))?;
    if review.is_null() {
        return Err("the answer is no object".to_owned());
    }
    let review = Members::of(Some(&review), "the answer")?;
    let (kind, api_version) = (review.text("kind")?, review.text("apiVersion")?);
    if !matches!(kind, "" | "SubjectAccessReview")
        || !(api_version.is_empty() || api_version == version.api_version())
    {
        return Err(format!(
            "the answer is a `{kind}` of `{api_version}`, not a `SubjectAccessReview` of `{}`",
            version.api_version()
        ));
    }
    // Nothing in them is judged, but an answer that has something else there is none.
    for other in ["metadata", "spec"] {
        Members::of(review.get(other), other)?;
    }
    let status = Members::of(review.get("status"), "status")?;
    Ok(AccessStatus {
        allowed: status.flag("allowed")?,
        denied: status.flag("denied")?,
        reason: status.text("reason")?.into(),
        evaluation_error: status.text("evaluationError")?.into(),
    })
}

/// The members of an object. A derived reader would also take a list of values in their order.
struct Members<'a>(Option<&'a Map<String, Value>>);

impl<'a> Members<'a> {
    fn of(value: Option<&'a Value>, what: &str) -> Result<Self, String> {
        match value {
            None | Some(Value::Null) => Ok(Self(None)),
            Some(Value::Object(members)) => Ok(Self(Some(members))),
            Some(_) => Err(format!("{what} is no object")),
        }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0?.get(name)
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        match self.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(format!("`{name}` is neither true nor false")),
        }
    }

    fn text(&self, name: &str) -> Result<&'a str, String> {
        match self.get(name) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(format!("`{name}` is no string")),
        }
    }

    fn number(&self, name: &str) -> i64 {
        self.get(name).and_then(Value::as_i64).unwrap_or_default()
    }
}

/// What an answer that is none means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For the log and the audit event.
    pub message: String,
    /// Whether asking again may help.
    pub transient: bool,
    /// Whether the webhook says that something took too long.
    pub late: bool,
}

/// Judges the `Content-Type` of an answer, whatever its status; `None`: the body is to be read.
// UPSTREAM: every type that can be read will do, and none too, for the body is read as what it looks like;
// one that cannot be read is an internal error, and those are asked again (client-go 1.36)
pub fn read_content_type(header: &[u8]) -> Option<Refusal> {
    if header.is_empty() || media_type::is_well_formed(header) {
        return None;
    }
    let message = format!("the webhook's Content-Type is none: `{}`", header.escape_ascii());
    Some(Refusal { message, transient: true, late: false })
}

/// Judges an answer with status `code` outside 200 to 206, whose `Retry-After` says `retry_after`
/// seconds, if it says a number.
// UPSTREAM: 429, every 5xx but 503, and whatever names a time to wait, are asked again; a
// metav1.Status in the body counts for more than the code (kube-apiserver 1.36)
pub fn read_refusal(code: u16, retry_after: Option<i64>, body: &[u8]) -> Refusal {
    if let Some(refusal) = failure(body) {
        return refusal;
    }
    let transient = code == 429 || (code >= 500 && code != 503) || retry_after.is_some_and(|wait| wait > 0);
    Refusal { message: format!("the webhook answered {code}"), transient, late: code == 504 }
}

/// What a `metav1.Status` says that tells of a failure.
fn failure(body: &[u8]) -> Option<Refusal> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let status = Members::of(Some(&body), "").ok()?;
    let is_failure = status.text("kind") == Ok("Status")
        && matches!(status.text("apiVersion"), Ok("" | "v1" | "meta.k8s.io/v1"))
        && status.text("status") == Ok("Failure");
    if !is_failure {
        return None;
    }
    let (reason, code) = (status.text("reason").ok()?, status.number("code"));
    let wait = Members::of(status.get("details"), "").ok()?.number("retryAfterSeconds");
    let transient = matches!(reason, "InternalError" | "Timeout" | "TooManyRequests" | "ServerTimeout")
        || code == 429
        || (!KNOWN_REASONS.contains(&reason) && matches!(code, 500 | 504))
        || wait > 0;
    let late = reason == "Timeout" || code == 504;
    Some(Refusal { message: status.text("message").ok()?.to_owned(), transient, late })
}

/// Reasons that say enough for the code not to matter.
const KNOWN_REASONS: &[&str] = &[
    "AlreadyExists",
    "BadRequest",
    "Conflict",
    "Expired",
    "Forbidden",
    "Gone",
    "InternalError",
    "Invalid",
    "MethodNotAllowed",
    "NotAcceptable",
    "NotFound",
    "RequestEntityTooLarge",
    "ServerTimeout",
    "ServiceUnavailable",
    "StoreReadError",
    "Timeout",
    "TooManyRequests",
    "Unauthorized",
    "UnsupportedMediaType",
];
