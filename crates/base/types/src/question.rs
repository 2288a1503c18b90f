//! How a pure decision learns a fact from outside: it asks, and is run again with the answer.
//!
//! Invariant: a decision that lacks an answer never guesses. It returns [`Step::Ask`] for the one
//! question it is stuck on; an answer that could not be had is [`Answer::Failed`], which no layer
//! may read as a yes.

use std::sync::Arc;

use crate::{Secret, Timestamp};

/// The outcome of one run of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// Decided.
    Done(T),
    /// Run again with the answer to this.
    Ask(Question),
}

/// Every fact that a layer can need from outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// Does this object exist, and under which UID? Asked for what a service-account token is
    /// bound to.
    Object(ObjectRef),
    /// What does this authorization webhook say?
    Access(AccessReview),
}

/// A SubjectAccessReview for an authorization webhook. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccessReview {
    /// Which webhook: its name in the configuration.
    pub webhook: Arc<str>,
    /// The object to send, as JSON. Equal texts are equal questions, and have equal answers.
    pub review: Arc<str>,
    /// Whether the answer may be remembered, for as long as the webhook's configuration says.
    pub cacheable: bool,
}

/// `status` of an answered SubjectAccessReview.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessStatus {
    /// Yes.
    pub allowed: bool,
    /// No, whatever others say. Beside `allowed` it is a contradiction.
    pub denied: bool,
    /// Why; often empty.
    pub reason: Arc<str>,
    /// What kept the webhook from deciding; a remark, and no failure.
    pub evaluation_error: Arc<str>,
}

/// Why there is no answer to a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessFailure {
    /// What kind of failure it is.
    pub class: FailureClass,
    /// For the log and the audit event.
    pub message: Arc<str>,
}

/// The kinds of failure of a webhook, for metrics and `explain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// It did not answer in time.
    Timeout,
    /// It could not be reached, or broke off.
    Connection,
    /// It answered something that is no review.
    Response,
}

/// An object named by a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectRef {
    /// What it is.
    pub kind: ObjectKind,
    /// Empty for a node.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What a service-account token can be bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// `v1 ServiceAccount`
    ServiceAccount,
    /// `v1 Pod`
    Pod,
    /// `v1 Node`
    Node,
    /// `v1 Secret`
    Secret,
}

/// What is known of an object: only what a decision needs, so that nothing else is kept in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectFacts {
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.deletionTimestamp`
    pub deletion_timestamp: Option<Timestamp>,
    /// `data.token` of a Secret, decoded. A legacy token must equal it.
    pub token: Option<Secret>,
    /// `metadata.labels["kubernetes.io/legacy-token-invalid-since"]` of a Secret, if it is there.
    pub invalid_since: Option<String>,
    /// The names in `secrets` of a ServiceAccount.
    pub secrets: Vec<String>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The object is there.
    Object(ObjectFacts),
    /// The object is not there; this is known, not guessed.
    NotFound,
    /// The webhook's verdict, or why there is none.
    Access(Result<AccessStatus, AccessFailure>),
    /// It could not be found out, for this reason.
    Failed(String),
}

/// The answers at hand for one decision. There are rarely more than three, hence a list.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    given: Vec<(Question, Answer)>,
    as_of: Option<Timestamp>,
}

impl Answers {
    /// No answers yet.
    pub const fn none() -> Self {
        Self { given: Vec::new(), as_of: None }
    }

    /// The answer to `question`, if it has been given.
    pub fn get(&self, question: &Question) -> Option<&Answer> {
        self.given.iter().find(|(q, _)| q == question).map(|(_, a)| a)
    }

    /// All of them, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = (&Question, &Answer)> {
        self.given.iter().map(|(question, answer)| (question, answer))
    }

    /// Adds an answer; a later one to the same question replaces the earlier.
    pub fn give(&mut self, question: Question, answer: Answer) {
        self.given.retain(|(q, _)| *q != question);
        self.given.push((question, answer));
    }

    /// Adds an answer that was remembered: it was true at `then`.
    pub fn give_as_of(&mut self, question: Question, answer: Answer, then: Timestamp) {
        self.give(question, answer);
        self.as_of = Some(self.as_of.map_or(then, |earliest| earliest.min(then)));
    }

    /// When the oldest answer was true, so that nobody remembers what rests on it for longer than
    /// the answer itself may be remembered. `None` if no answer's time is known.
    pub fn as_of(&self) -> Option<Timestamp> {
        self.as_of
    }

    /// How many questions have been answered.
    pub fn len(&self) -> usize {
        self.given.len()
    }

    /// Whether nothing has been answered.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }
}
