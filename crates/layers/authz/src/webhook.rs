//! The webhook authorizer: another program's opinion, asked for by SubjectAccessReview.
//!
//! Nothing is sent here. [`Webhook::decide`] judges the match conditions, writes the review and asks
//! [`Question::Access`]; whoever drives the decision finds the answer, and [`read_answer`] reads it.

mod answer;
mod media_type;
mod review;

use std::{fmt, sync::Arc};

use cel::{AccessReviewSpec, CompileError, Environment, Expected, Program, Value};
use types::{
    AccessFailure, AccessReview, AccessStatus, Answer, Answers, Attributes, Decision, Evidence, NoTrace,
    Question, Step, Trace,
};

pub use self::answer::{Refusal, read_answer, read_content_type, read_refusal};
use crate::{Error, Opinion, opinion::aggregate};

/// `subjectAccessReviewVersion`: the version of `authorization.k8s.io` that the webhook speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewVersion {
    /// `v1`
    V1,
    /// `v1beta1`, which calls `groups` `group`.
    V1Beta1,
}

impl ReviewVersion {
    /// `authorization.k8s.io/v1`
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "authorization.k8s.io/v1",
            Self::V1Beta1 => "authorization.k8s.io/v1beta1",
        }
    }
}

/// `failurePolicy`: what holds when the webhook, or a match condition, cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailurePolicy {
    /// The next authorizer is asked; without an Allow from there it is still a 500.
    NoOpinion,
    /// The request is refused.
    Deny,
}

impl FailurePolicy {
    /// As the configuration spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoOpinion => "NoOpinion",
            Self::Deny => "Deny",
        }
    }

    const fn decision(self) -> Decision {
        match self {
            Self::NoOpinion => Decision::NoOpinion,
            Self::Deny => Decision::Deny,
        }
    }
}

/// An expression that must hold for the webhook to be asked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MatchCondition {
    expression: Arc<str>,
    program: Arc<Program>,
}

/// What is compiled comes of the text alone.
impl PartialEq for MatchCondition {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression
    }
}

impl MatchCondition {
    /// Compiles `expression` over `request`.
    ///
    /// # Errors
    /// What is wrong with the expression, with line and column.
    pub fn compile(expression: &str) -> Result<Self, CompileError> {
        let program = Program::compile(expression, Environment::Request, Expected::Bool)?;
        Ok(Self { expression: expression.into(), program: Arc::new(program) })
    }

    /// The expression as it was written.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    fn holds(&self, spec: &AccessReviewSpec) -> Result<bool, String> {
        let failed = |why: &dyn fmt::Display| {
            format!("cel evaluation error: expression '{}' resulted in error: {why}", self.expression)
        };
        match self.program.evaluate(spec).result {
            Ok(Value::Bool(holds)) => Ok(holds),
            // The checker lets nothing else through.
            Ok(_) => Err(failed(&"the result is no bool")),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// One webhook of the chain. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Webhook(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: Arc<str>,
    version: ReviewVersion,
    failure_policy: FailurePolicy,
    conditions: Vec<MatchCondition>,
}

/// What a webhook, or its configuration, says to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Yes, no, or not mine to say.
    pub decision: Decision,
    /// The webhook's own words.
    pub reason: Arc<str>,
    /// Why it could not say.
    pub error: Option<WebhookError>,
}

/// Why a webhook had to be judged by its failure policy, or contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// A match condition has no value, and none is false.
    #[error("{0}")]
    MatchCondition(String),
    /// There is no answer.
    #[error("{}", .0.message)]
    Unanswered(AccessFailure),
    /// `allowed` and `denied` at once. It is a Deny, and a 500.
    #[error("webhook subject access review returned both allow and deny response")]
    AllowAndDeny,
}

impl Webhook {
    /// A webhook that is asked when all `conditions` hold. `name` is what questions, metrics and
    /// messages call it.
    pub fn new(
        name: &str,
        version: ReviewVersion,
        failure_policy: FailurePolicy,
        conditions: Vec<MatchCondition>,
    ) -> Self {
        Self(Arc::new(Inner { name: name.into(), version, failure_policy, conditions }))
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What holds where it gives no answer.
    pub fn failure_policy(&self) -> FailurePolicy {
        self.0.failure_policy
    }

    /// What the webhook says, once its answer is among `answers`.
    pub fn decide(&self, at: &Attributes<'_>, answers: &Answers) -> Step<Said> {
        self.decide_at(at, answers, 0, &mut NoTrace)
    }

    /// The same at a place of the chain, with somebody who measures.
    pub(crate) fn decide_at(
        &self,
        at: &Attributes<'_>,
        answers: &Answers,
        place: usize,
        trace: &mut impl Trace,
    ) -> Step<Said> {
        let question = || {
            Question::Access(AccessReview {
                webhook: Arc::clone(&self.0.name),
                review: review::write(at, self.0.version).into(),
                cacheable: is_cacheable(at),
            })
        };
        // There is an answer only to what was asked, and that was when the conditions held: they are
        // judged once a request, and not again each time it is decided anew.
        let asked = (!answers.is_empty()).then(question);
        if let Some(answer) = asked.as_ref().and_then(|question| answers.get(question)) {
            return Step::Done(self.answered(answer));
        }
        match self.asks(at, place, trace) {
            Ok(true) => Step::Ask(asked.unwrap_or_else(question)),
            Ok(false) => Step::Done(Said::nothing()),
            Err(error) => Step::Done(self.failed(error)),
        }
    }

    fn answered(&self, answer: &Answer) -> Said {
        match answer {
            Answer::Access(Ok(status)) => Said::by(status),
            Answer::Access(Err(failure)) => self.failed(WebhookError::Unanswered(failure.clone())),
            _ => {
                let message = "the answer is that to another question".into();
                let class = types::FailureClass::Response;
                self.failed(WebhookError::Unanswered(AccessFailure { class, message }))
            }
        }
    }

    /// What became of each match condition, in order.
    pub(crate) fn evidence(&self, at: &Attributes<'_>) -> Vec<Evidence> {
        let spec = review::spec(at);
        let told = self.0.conditions.iter().map(|condition| Evidence::Condition {
            webhook: self.0.name.to_string(),
            expression: condition.expression.to_string(),
            result: condition.holds(&spec).map_or_else(|error| error, |holds| holds.to_string()),
        });
        told.collect()
    }

    /// Whether all conditions hold.
    // UPSTREAM: one false condition is a no whatever errors stand beside it (kube-apiserver 1.36)
    fn asks(&self, at: &Attributes<'_>, place: usize, trace: &mut impl Trace) -> Result<bool, WebhookError> {
        if self.0.conditions.is_empty() {
            return Ok(true);
        }
        trace.conditions_begin();
        let spec = review::spec(at);
        let (mut excluded, mut errors) = (false, Vec::new());
        for condition in &self.0.conditions {
            match condition.holds(&spec) {
                Ok(true) => {}
                Ok(false) => {
                    excluded = true;
                    break;
                }
                Err(error) => errors.push(error),
            }
        }
        trace.conditions_end(place, excluded, !errors.is_empty());
        match (excluded, errors.is_empty()) {
            (true, _) => Ok(false),
            (false, true) => Ok(true),
            (false, false) => Err(WebhookError::MatchCondition(aggregate(errors.iter().map(String::as_str)))),
        }
    }

    fn failed(&self, error: WebhookError) -> Said {
        Said { decision: self.0.failure_policy.decision(), reason: Arc::default(), error: Some(error) }
    }
}

impl Said {
    fn nothing() -> Self {
        Self { decision: Decision::NoOpinion, reason: Arc::default(), error: None }
    }

    // UPSTREAM: evaluationError plays no part, and `allowed` beside `denied` is a Deny with an error
    // (kube-apiserver 1.36)
    fn by(status: &AccessStatus) -> Self {
        let (decision, error) = match (status.allowed, status.denied) {
            (true, true) => (Decision::Deny, Some(WebhookError::AllowAndDeny)),
            (false, true) => (Decision::Deny, None),
            (true, false) => (Decision::Allow, None),
            (false, false) => (Decision::NoOpinion, None),
        };
        Self { decision, reason: Arc::clone(&status.reason), error }
    }
}

impl From<Said> for Opinion {
    fn from(Said { decision, reason, error }: Said) -> Self {
        Self { decision, reason, error: error.map(|error| Error(error.to_string())) }
    }
}

/// Whether an answer may be remembered: what the requester can make longer at will is small.
// UPSTREAM: less than 10,000 bytes; user, groups and extras do not count (kube-apiserver 1.36)
fn is_cacheable(at: &Attributes<'_>) -> bool {
    const LIMIT: usize = 10_000;
    let parts =
        [at.namespace, at.verb, at.api_group, at.api_version, at.resource, at.subresource, at.name, at.path];
    parts.iter().map(|part| part.len()).sum::<usize>() < LIMIT
}

#[cfg(test)]
mod tests;
