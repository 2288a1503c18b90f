//! One recorded request, judged anew.

use authz::{Authz, Impersonation, Opinion, Outcome, rbac::explain};
use types::{Answers, Attributes, NoTrace, Question, Step, Timestamp, qualified_resource};

use super::Group;
use crate::Event;

/// The authorizers that requests are put before.
pub struct Setting {
    authz: Authz,
    impersonation: Impersonation,
}

impl Setting {
    /// Those of a chain, with constrained impersonation.
    pub fn new(authz: Authz) -> Self {
        Self { authz, impersonation: Impersonation::new(true) }
    }
}

/// A request that has to be judged.
pub struct Case {
    pub(super) event: Event,
    pub(super) was_allowed: bool,
}

/// What other authorizers say to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It would be allowed.
    Allowed,
    /// It would be refused: the right that is missing.
    Refused(Group),
    /// A webhook would say, which is not asked.
    Undecided(Group),
}

impl Case {
    /// Runs the request through the authorizers: may the requester act as somebody else, if they do, and may
    /// that user do it? Answers are for webhooks; without one that is needed it says which.
    pub fn judge(&self, setting: &Setting, now: Timestamp, answers: &Answers) -> Step<Judged> {
        let decide = |at: &Attributes<'_>| setting.authz.decide(at, now, answers, &mut NoTrace);
        let event = &self.event;
        if let Some(wanted) = event.wanted() {
            let mut lacks = None;
            let mut authorize = |at: &Attributes<'_>| -> Step<Opinion> {
                let step = decide(at);
                // Of all modes of impersonation the plain verb is what people grant.
                if let Step::Done(opinion) = &step
                    && opinion.outcome() != Outcome::Allowed
                    && (lacks.is_none() || at.verb == "impersonate")
                {
                    lacks = Some(group_of(at));
                }
                step
            };
            let at = event.attributes_of(&event.requester);
            match setting.impersonation.decide(&wanted, &at, now, &mut authorize) {
                Step::Done(Ok(_)) => {}
                Step::Done(Err(_)) => {
                    return Step::Done(Judged::Refused(lacks.unwrap_or_else(|| group_of(&at))));
                }
                Step::Ask(question) => return Step::Ask(question),
            }
        }
        let at = event.attributes();
        match decide(&at) {
            Step::Ask(question) => Step::Ask(question),
            Step::Done(opinion) if opinion.outcome() == Outcome::Allowed => Step::Done(Judged::Allowed),
            Step::Done(_) => Step::Done(Judged::Refused(group_of(&at))),
        }
    }

    /// What becomes of it where nobody is asked this.
    pub fn unasked(&self, question: &Question) -> Judged {
        let webhook = match question {
            Question::Access(review) => review.webhook.to_string(),
            Question::Object(_) => String::new(),
        };
        Judged::Undecided(Group { webhook, ..self.group() })
    }

    /// The request among those alike.
    pub fn group(&self) -> Group {
        group_of(&self.event.attributes())
    }
}

fn group_of(at: &Attributes<'_>) -> Group {
    let (resource, namespace) = match at.resource_request {
        true => (qualified_resource(at.resource, at.api_group, at.subresource), at.namespace),
        false => (at.path.to_owned(), ""),
    };
    Group {
        user: at.user.name.clone(),
        verb: at.verb.to_owned(),
        resource,
        namespace: namespace.to_owned(),
        rule: explain::describe(&explain::smallest(&Attributes { name: "", ..*at })),
        webhook: String::new(),
        count: 0,
    }
}
