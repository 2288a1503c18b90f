//! What an authorizer, or a whole chain of them, says.

use std::{borrow::Cow, sync::Arc};

use types::Decision;

/// Annotations of audit events about what the authorizers said.
pub mod annotation {
    /// `allow` or `forbid`; missing where they could not decide.
    pub const DECISION: &str = "authorization.k8s.io/decision";
    /// Why; often empty.
    pub const REASON: &str = "authorization.k8s.io/reason";
}

/// An answer: kube-apiserver's `(decision, reason, error)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// Yes, no, or not mine to say.
    pub decision: Decision,
    /// Why, in kube-apiserver's words; often empty. It reaches the audit event, and the client when
    /// the answer is no.
    pub reason: Arc<str>,
    /// What kept the authorizer from deciding.
    pub error: Option<Error>,
}

/// Why an authorizer could not decide.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

/// What an opinion means for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It goes on.
    Allowed,
    /// 403, see [`forbidden`](crate::forbidden()).
    Forbidden,
    /// 500: nobody allowed it, and somebody could not decide.
    Failed(&'a Error),
}

impl Opinion {
    /// Yes, because of `reason`.
    pub fn allow(reason: impl Into<Arc<str>>) -> Self {
        Self { decision: Decision::Allow, reason: reason.into(), error: None }
    }

    /// No, because of `reason`; nobody further is asked.
    pub fn deny(reason: impl Into<Arc<str>>) -> Self {
        Self { decision: Decision::Deny, reason: reason.into(), error: None }
    }

    /// Not mine to say; `reason` may be empty.
    pub fn no_opinion(reason: impl Into<Arc<str>>) -> Self {
        Self { decision: Decision::NoOpinion, reason: reason.into(), error: None }
    }

    /// What becomes of the request.
    // UPSTREAM: an Allow counts even beside an error; any other answer with one is a 500 (kube-apiserver 1.36)
    pub fn outcome(&self) -> Outcome<'_> {
        match (self.decision, &self.error) {
            (Decision::Allow, _) => Outcome::Allowed,
            (_, Some(error)) => Outcome::Failed(error),
            (_, None) => Outcome::Forbidden,
        }
    }

    /// What audit events say of it, by key.
    // UPSTREAM: of a failure neither a decision nor the cause is told (kube-apiserver 1.36)
    pub fn annotations(&self) -> impl Iterator<Item = (&'static str, Cow<'static, str>)> {
        let (decision, reason) = match self.outcome() {
            Outcome::Allowed => (Some("allow"), self.reason.to_string().into()),
            Outcome::Forbidden => (Some("forbid"), self.reason.to_string().into()),
            Outcome::Failed(_) => (None, "internal error".into()),
        };
        let decision = decision.map(|decision| (annotation::DECISION, decision.into()));
        decision.into_iter().chain([(annotation::REASON, reason)])
    }
}

/// Several errors in one line, as Go's aggregated errors print: one stands alone, more stand in
/// brackets, repeated ones once.
pub(crate) fn aggregate<'a>(errors: impl IntoIterator<Item = &'a str>) -> String {
    let mut distinct: Vec<&str> = Vec::new();
    for error in errors {
        if !distinct.contains(&error) {
            distinct.push(error);
        }
    }
    match distinct.as_slice() {
        [one] => (*one).to_owned(),
        [] => String::new(),
        several => format!("[{}]", several.join(", ")),
    }
}
