//! What is asked and not kept: who am I, may I, is this token good, give me one.
//!
//! The answers come from the crates that the gate itself decides with, so that `kubectl auth can-i`
//! says what the gate will do.

mod access;
#[cfg(test)]
mod tests;
mod token_request;
mod token_review;

use authn::{Authn, ServiceAccountKeys, ServiceAccounts};
use serde_json::{Value, json};
use types::{Status, StatusReason};

use crate::{
    access::{Access, Grants},
    environment::{
        Pki, PkiError, SigningKey,
        token::{AUDIENCE, ISSUER},
    },
    object::{default, namespace, set},
    registry::Review,
    rest::{ReviewCall, Reviewer, seconds},
    store::Store,
};

/// Answers the lab's reviews and token requests.
pub struct Reviews {
    access: Access,
    authn: Authn,
    key: SigningKey,
}

impl Reviews {
    /// Loads the key that signs and verifies service-account tokens.
    pub fn load(pki: &Pki) -> Result<Self, PkiError> {
        let mut keys = ServiceAccountKeys::default();
        keys.add_pem(pki.read("sa.pub")?.as_bytes())
            .map_err(|error| PkiError::Content { path: pki.path("sa.pub"), what: error.to_string() })?;
        let service_accounts = ServiceAccounts {
            keys,
            issuers: vec![ISSUER.to_owned()],
            api_audiences: vec![AUDIENCE.to_owned()],
            lookup: true,
        };
        let authn = Authn { service_accounts: Some(service_accounts), ..Authn::default() };
        Ok(Self { access: Access::default(), authn, key: SigningKey::load(pki)? })
    }
}

impl Reviewer for Reviews {
    fn review(&self, call: &ReviewCall<'_>) -> Result<Value, Status> {
        let given = namespace(call.object);
        if !given.is_empty() && given != call.namespace && call.review != Review::TokenRequest {
            return Err(bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        match call.review {
            Review::SelfSubjectReview => Ok(who_am_i(call)),
            Review::TokenReview => token_review::answer(&self.authn, call),
            Review::SubjectAccessReview
            | Review::SelfSubjectAccessReview
            | Review::LocalSubjectAccessReview => access::answer(self.access.authorizer(call.store), call),
            Review::SelfSubjectRulesReview => self.what_may_i(call),
            Review::TokenRequest => token_request::answer(&self.key, call),
        }
    }

    fn grants(&self, store: &Store) -> Option<Grants> {
        Some(self.access.grants(store))
    }
}

impl Reviews {
    // UPSTREAM: the answer does not repeat the namespace that was asked about (kube-apiserver 1.36)
    fn what_may_i(&self, call: &ReviewCall<'_>) -> Result<Value, Status> {
        let namespace = crate::object::text(call.object, "/spec/namespace");
        let review = self
            .access
            .authorizer(call.store)
            .rules_review(call.user, namespace)
            .map_err(|status| *status)?;
        let status = serde_json::to_value(review.status()).map_err(|error| internal(&error))?;
        let mut answer = question_again(call);
        set(&mut answer, &["spec"], json!({}));
        set(&mut answer, &["status"], status);
        Ok(answer)
    }
}

fn who_am_i(call: &ReviewCall<'_>) -> Value {
    let mut answer = question_again(call);
    set(&mut answer, &["metadata", "creationTimestamp"], seconds(call.now));
    set(&mut answer, &["status", "userInfo"], serde_json::to_value(call.user).unwrap_or_default());
    answer
}

/// The question as the answer repeats it.
fn question_again(call: &ReviewCall<'_>) -> Value {
    let mut answer = call.object.clone();
    crate::object::enter(&mut answer, &["metadata"]);
    if !call.namespace.is_empty() {
        default(&mut answer, &["metadata", "namespace"], call.namespace);
    }
    answer
}

fn bad_request(message: impl Into<String>) -> Status {
    Status::failure(400, StatusReason::BadRequest, message)
}

fn internal(error: &dyn std::fmt::Display) -> Status {
    Status::failure(500, StatusReason::InternalError, format!("Internal error occurred: {error}"))
}
