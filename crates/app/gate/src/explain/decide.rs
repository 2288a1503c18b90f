//! Running a decision with somebody listening.

use std::time::Instant;

use authz::{Authz, Opinion, Outcome};
use types::{
    AccessFailure, AccessReview, AccessStatus, Answer, Answers, Attributes, Decision, Evidence, FailureClass,
    Layer, ObjectRef, Question, Reason, Step, Timestamp, Trace, Verdict,
};

use super::{Consulted, Finding, Says, Voice, change};

/// Facts from outside.
pub trait Facts {
    /// What is known of an object that a token is bound to.
    fn object(&mut self, object: &ObjectRef) -> Answer;

    /// What a webhook says to a review; `None` if webhooks are not to be asked.
    fn access(&mut self, review: &AccessReview) -> Option<Result<AccessStatus, AccessFailure>>;
}

/// Answers the questions of authorizers, and keeps account of the webhooks.
pub(super) struct Asking<'a, F> {
    authz: &'a Authz,
    facts: &'a mut F,
    consulted: Vec<Consulted>,
    not_asked: Vec<String>,
}

impl<'a, F: Facts> Asking<'a, F> {
    pub(super) fn new(authz: &'a Authz, facts: &'a mut F) -> Self {
        Self { authz, facts, consulted: Vec::new(), not_asked: Vec::new() }
    }

    pub(super) fn answer(&mut self, question: &Question) -> Answer {
        let review = match question {
            Question::Object(object) => return self.facts.object(object),
            Question::Access(review) => review,
        };
        let began = Instant::now();
        if let Some(said) = self.facts.access(review) {
            let took = Some(began.elapsed());
            self.consulted.push(Consulted::new(self.authz, &review.webhook, &said, took));
            return Answer::Access(said);
        }
        if !self.not_asked.iter().any(|known| **known == *review.webhook) {
            self.not_asked.push(review.webhook.to_string());
        }
        Answer::Access(Err(AccessFailure {
            class: FailureClass::Connection,
            message: "webhooks are not asked for an explanation: they may count, log or alarm".into(),
        }))
    }

    /// The finding, with the account.
    pub(super) fn told(self, finding: Finding) -> Finding {
        Finding { webhooks_asked: self.consulted, webhooks_not_asked: self.not_asked, ..finding }
    }
}

/// What the authorizers say, each with what it went by.
pub(crate) fn authorization(
    authz: &Authz,
    at: &Attributes<'_>,
    now: Timestamp,
    facts: &mut impl Facts,
) -> Finding {
    let mut told = Told::default();
    let mut asking = Asking::new(authz, facts);
    let opinion = run(&mut |question| asking.answer(question), |answers| {
        told = Told::default();
        authz.decide(at, now, answers, &mut told)
    });
    let Some(opinion) = opinion else { return asking.told(endless(Layer::Authorization)) };
    let (answer, reason, detail) = outcome(&opinion);
    let change = change::authorization(at, answer == Says::Allow, &told.0);
    asking.told(Finding {
        reason: Some(reason.as_str().into()),
        authorizers: told.0,
        change,
        ..Finding::new(Layer::Authorization, answer, detail)
    })
}

/// What the gate makes of an opinion.
pub(super) fn outcome(opinion: &Opinion) -> (Says, Reason, String) {
    match opinion.outcome() {
        Outcome::Allowed => (Says::Allow, Reason::Allowed, opinion.reason.to_string()),
        Outcome::Forbidden if opinion.decision == Decision::Deny => {
            (Says::Deny, Reason::Denied, opinion.reason.to_string())
        }
        Outcome::Forbidden => (Says::Deny, Reason::NotAllowed, opinion.reason.to_string()),
        Outcome::Failed(error) => (Says::Deny, Reason::CannotDecide, error.to_string()),
    }
}

/// What becomes of a decision that asks the same thing again.
pub(super) fn endless(layer: Layer) -> Finding {
    Finding {
        reason: Some(Reason::CannotDecide.as_str().into()),
        ..Finding::new(layer, Says::Deny, "it does not come to an end")
    }
}

/// Runs a decision until it no longer asks; `None` if it asks the same thing again.
pub(super) fn run<T>(
    answer: &mut impl FnMut(&Question) -> Answer,
    mut decide: impl FnMut(&Answers) -> Step<T>,
) -> Option<T> {
    let mut answers = Answers::none();
    loop {
        match decide(&answers) {
            Step::Done(done) => return Some(done),
            Step::Ask(question) if answers.get(&question).is_none() => {
                let found = answer(&question);
                answers.give(question, found);
            }
            Step::Ask(_) => return None,
        }
    }
}

/// Keeps every verdict with what it rests on.
#[derive(Default)]
pub(super) struct Told(pub(super) Vec<Voice>, Vec<Evidence>);

impl Trace for Told {
    fn note(&mut self, verdict: &Verdict) {
        self.0.push(Voice {
            detail: verdict.detail.clone().into_owned(),
            answer: match verdict.decision {
                Decision::Allow => Says::Allow,
                Decision::Deny => Says::Deny,
                Decision::NoOpinion => Says::NoOpinion,
            },
            reason: verdict.reason.as_str().into(),
            evidence: std::mem::take(&mut self.1),
        });
    }

    fn evidence(&mut self, evidence: Evidence) {
        self.1.push(evidence);
    }
}
