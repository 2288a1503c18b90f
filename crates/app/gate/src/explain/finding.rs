//! What is found, in the form of `explain -o json`.

use std::{borrow::Cow, time::Duration};

use authz::Authz;
use serde::{Deserialize, Serialize};
use types::{AccessFailure, AccessStatus, Decision, Evidence, Layer, Reason, User, Verdict};

/// What every layer says to one question.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Whether the gate would certainly send the request on.
    pub allowed: bool,
    /// Whether it hangs on webhooks that were not asked: see [`Finding::webhooks_not_asked`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undecided: bool,
    /// For whom the request is made, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// Who makes it, where that is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<User>,
    /// One entry a layer, in the order of the pipeline, up to the one that refused.
    pub layers: Vec<Finding>,
}

/// What one layer says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which layer.
    pub layer: Cow<'static, str>,
    /// What it says.
    pub answer: Says,
    /// Why, from the closed set; none where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'static, str>>,
    /// Why, for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Authorization: what each authorizer said, in the order they were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorizers: Vec<Voice>,
    /// Impersonation: what the authorizers were asked about the requester, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// What webhooks said that were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhooks_asked: Vec<Consulted>,
    /// Webhooks that the gate would have asked. They may count, log or alarm, so nobody asks them for an
    /// explanation unasked; their failure policy speaks for them, and the gate may decide otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhooks_not_asked: Vec<String>,
    /// What would have to change for the opposite: each entry does by itself, unless it begins with
    /// `and`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub change: Vec<String>,
}

/// The answer of a layer or an authorizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Says {
    /// The request goes on.
    Allow,
    /// It ends here.
    Deny,
    /// An authorizer leaves it to others.
    NoOpinion,
    /// The layer lets everything pass.
    NotConfigured,
    /// It cannot be judged here; the detail says why.
    NotAsked,
}

/// What one authorizer said.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Voice {
    /// `RBAC: allowed by …`
    pub detail: String,
    /// Its answer.
    pub answer: Says,
    /// From the closed set.
    pub reason: Cow<'static, str>,
    /// What it went by.
    pub evidence: Vec<Evidence>,
}

/// One question about the requester of an impersonated request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// `impersonate users "bob"`
    pub question: String,
    /// The chain's answer: whoever is not allowed is refused.
    pub answer: Says,
    /// What each authorizer said, in the order they were asked.
    pub authorizers: Vec<Voice>,
}

/// What came of asking a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Consulted {
    /// Its name in the configuration.
    pub webhook: String,
    /// What it answered; none where it gave no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Says>,
    /// Why, in its words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// `status.evaluationError`: a remark, on which nothing hangs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evaluation_error: String,
    /// Why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What holds in place of an answer: `NoOpinion` or `Deny`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_policy: Option<Cow<'static, str>>,
    /// How long it took, all tries and pauses together: `12.3ms`. None where it is not known any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<String>,
}

impl Consulted {
    pub(crate) fn new(
        authz: &Authz,
        webhook: &str,
        said: &Result<AccessStatus, AccessFailure>,
        took: Option<Duration>,
    ) -> Self {
        let (answer, reason, evaluation_error, failure) = match said {
            Err(failure) => (None, "", "", Some(failure.message.to_string())),
            Ok(status) => {
                let says = match (status.allowed, status.denied) {
                    (_, true) => Says::Deny,
                    (true, false) => Says::Allow,
                    (false, false) => Says::NoOpinion,
                };
                (Some(says), &*status.reason, &*status.evaluation_error, None)
            }
        };
        let policy = || authz.webhooks().find(|known| known.name() == webhook).map(|w| w.failure_policy());
        Self {
            webhook: webhook.to_owned(),
            answer,
            reason: reason.to_owned(),
            evaluation_error: evaluation_error.to_owned(),
            failure_policy: failure.as_ref().and_then(|_| policy()).map(|policy| policy.as_str().into()),
            failure,
            took: took.map(|took| {
                // Nobody cares for less than a tenth of a millisecond.
                let tenths = i64::try_from(took.as_micros() / 100).unwrap_or(i64::MAX);
                types::duration::format(tenths.saturating_mul(100_000))
            }),
        }
    }
}

impl Finding {
    pub(crate) fn new(layer: Layer, answer: Says, detail: impl Into<String>) -> Self {
        let reason = match answer {
            Says::Allow => Some(Reason::Passed),
            Says::NotConfigured => Some(Reason::NotConfigured),
            Says::Deny | Says::NoOpinion | Says::NotAsked => None,
        };
        Self {
            layer: layer.as_str().into(),
            answer,
            reason: reason.map(|reason| reason.as_str().into()),
            detail: detail.into(),
            authorizers: Vec::new(),
            checks: Vec::new(),
            webhooks_asked: Vec::new(),
            webhooks_not_asked: Vec::new(),
            change: Vec::new(),
        }
    }

    pub(crate) fn of(verdict: &Verdict) -> Self {
        let answer = match (verdict.decision, verdict.reason) {
            (_, Reason::NotConfigured) => Says::NotConfigured,
            (Decision::Allow, _) => Says::Allow,
            _ => Says::Deny,
        };
        Self {
            reason: Some(verdict.reason.as_str().into()),
            ..Self::new(verdict.layer, answer, verdict.detail.clone())
        }
    }
}

pub(super) fn not_asked(layer: Layer, why: impl Into<String>) -> Finding {
    Finding::new(layer, Says::NotAsked, why)
}
