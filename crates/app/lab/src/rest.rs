//! Kubernetes' REST, written once for all kinds.

use serde_json::Value;
use types::{Status, Timestamp, User};

use crate::{registry::Review, store::Store};

/// Answers what is asked and not kept: reviews and token requests. It needs authenticators,
/// authorizers and a signing key, which the API server itself has none of.
pub trait Reviewer: Send + Sync {
    /// Answers `call.object`, whose shape has been checked: the same object with its `status`.
    fn review(&self, call: &ReviewCall<'_>) -> Result<Value, Status>;
}

/// One question to a [`Reviewer`].
#[derive(Clone, Copy)]
pub struct ReviewCall<'a> {
    /// What is asked.
    pub review: Review,
    /// Who asks.
    pub user: &'a User,
    /// The namespace of the path; empty for none.
    pub namespace: &'a str,
    /// The name of the path (of the service account of a token request); empty for none.
    pub name: &'a str,
    /// The question, decoded; `apiVersion` and `kind` are set.
    pub object: &'a Value,
    /// The objects.
    pub store: &'a Store,
    /// The time.
    pub now: Timestamp,
}
