//! What is known of the objects that a token names.

use jiff::SignedDuration;
use types::{Answer, Answers, ObjectFacts, ObjectKind, ObjectRef, Question, Timestamp};

use super::{
    Stop,
    claims::{LEEWAY_SECONDS, Reference},
    refuse,
};
use crate::AuthnFailure;

/// One token and all that it is judged with.
pub(super) struct Asked<'a> {
    pub(super) token: &'a str,
    pub(super) audiences: &'a [String],
    pub(super) now: Timestamp,
    pub(super) answers: &'a Answers,
}

impl<'a> Asked<'a> {
    /// What is known of an object; `None` if it does not exist.
    pub(super) fn object(
        &self,
        kind: ObjectKind,
        namespace: &str,
        name: &str,
    ) -> Result<Option<&'a ObjectFacts>, Stop> {
        // No object has such a name. Asking would mean asking for something else.
        if !is_path_segment(name) || (kind != ObjectKind::Node && !is_path_segment(namespace)) {
            return Ok(None);
        }
        let question =
            Question::Object(ObjectRef { kind, namespace: namespace.to_owned(), name: name.to_owned() });
        match self.answers.get(&question) {
            None => Err(Stop::Ask(question)),
            Some(Answer::Object(facts)) => Ok(Some(facts)),
            Some(Answer::NotFound) => Ok(None),
            Some(Answer::Failed(reason)) => Err(Stop::Refuse(AuthnFailure::unanswered(reason.clone()))),
            Some(Answer::Access(_)) => {
                Err(Stop::Refuse(AuthnFailure::unanswered("the answer is that to another question")))
            }
        }
    }

    pub(super) fn service_account(
        &self,
        namespace: &str,
        account: Reference<'_>,
    ) -> Result<&'a ObjectFacts, Stop> {
        self.object(ObjectKind::ServiceAccount, namespace, account.name)?
            .ok_or_else(|| refuse(format!("serviceaccounts {:?} not found", account.name)))
    }

    /// Whether what a token is bound to still exists, and until when at the longest.
    pub(super) fn bound_to(
        &self,
        kind: ObjectKind,
        namespace: &str,
        reference: Reference<'_>,
    ) -> Result<Option<Timestamp>, Stop> {
        let object = self
            .object(kind, namespace, reference.name)?
            .filter(|object| !is_gone(object, self.now))
            .ok_or_else(|| refuse("service account token has been invalidated"))?;
        if object.uid != reference.uid {
            let kind = match kind {
                ObjectKind::ServiceAccount => "service account",
                ObjectKind::Pod => "pod",
                ObjectKind::Node => "node",
                ObjectKind::Secret => "secret",
            };
            return Err(refuse(format!(
                "{kind} UID ({}) does not match service account {kind} ref claim ({})",
                object.uid, reference.uid
            )));
        }
        Ok(end_of(object))
    }
}

/// The last moment at which a token bound to `object` is good, if `object` is being deleted.
pub(super) fn end_of(object: &ObjectFacts) -> Option<Timestamp> {
    object.deletion_timestamp?.checked_add(SignedDuration::from_secs(LEEWAY_SECONDS)).ok()
}

pub(super) fn is_gone(object: &ObjectFacts, now: Timestamp) -> bool {
    end_of(object).is_some_and(|end| now > end)
}

pub(super) fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// Whether an object can have this name: whether it stays one segment of a URL path.
fn is_path_segment(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '%'])
}
